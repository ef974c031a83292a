// Package hidstripe plays magnetic stripe readers on USB: MagTek's and ID TECH's, clear and enciphering, as a USB device for
// virtualusb and USB/IP, and, through Bus, as an in-process hidraw for tests without root.
//
// It knows the reports from the makers' manuals and shares no code with the driver. An enciphering reader needs an initial key, and
// counts as DUKPT wants; the keys are published test keys. Source pages: device/stripehid.
package hidstripe
