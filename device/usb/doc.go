// Package usb is the USB bus as the drivers of readers, PIN pads and printers see it: which devices are there, when that
// changes, and transfers with one of them. Errors are in the words of package device, each with what to do.
//
// Devices are listed from /sys and changes are heard from the kernel, in plain Go: neither opens a device, wakes one, or
// needs a permission. Transfers are package libusb's, so that a program which only lists is not tied to that library.
//
// It knows no class of device. Linux only. Sources: USB 2.0, chapter 9; Linux's Documentation/ABI/testing/sysfs-bus-usb and
// its kobject uevents.
package usb
