// Package usb is the USB bus as the drivers of readers, PIN pads and printers see it: which devices are there, when that
// changes, and transfers with one of them. Errors are in the words of package device, each with what to do.
//
// Devices are listed from /sys and changes are heard from the kernel, in plain Go: neither opens a device, wakes one, or
// needs a permission. Only Open goes through a library, gousb v1.1.3 over libusb, and only in a build with cgo; without it
// Open says so. What is known to go wrong in that library is fenced in host_linux.go.
//
// It knows no class of device. Linux only. Sources: USB 2.0, chapter 9; Linux's Documentation/ABI/testing/sysfs-bus-usb and
// its kobject uevents; libusb 1.0's manual; gousb's source.
package usb
