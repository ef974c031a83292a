// Package hid reads USB devices of the human interface class through the kernel's hidraw: which are there, input reports, feature
// reports, the report descriptor. It knows no reader; device/stripehid does.
//
// The kernel's driver keeps the device: nothing is detached, and no library is needed. A device is found by its ids in
// /sys/class/hidraw and opened at /dev, which takes a udev rule (packaging/udev/70-tillway-stripe.rules). The kernel throws reports
// away for about 50 ms after the first opening, so a driver opens early and keeps the device open.
//
// Sources: Linux Documentation/hid/hidraw.rst and include/uapi/linux/hidraw.h; Device Class Definition for HID 1.11.
package hid
