// Package usbip gives virtual USB devices to a real kernel: the server's end of the USB/IP protocol, version 1.1.1. Linux's vhci_hcd
// is the client, by one end of a socket pair that Attach hands it, by the usbip tool over TCP (Serve), or by any other stream (Carry): to
// the kernel, and to libusb, pcscd or usblp above it, the device is then as good as plugged in.
//
// One import is one plugging in: it begins with a controller that nobody has configured and ends with the connection. The server
// trusts no client: lengths, numbers of transfers and of their bytes are bounded. Isochronous transfers are refused, as package virtualusb does.
// It authenticates nobody, and neither does the protocol: Serve on a loopback address only.
//
// Sources: Linux's Documentation/usb/usbip_protocol.rst and the Documentation of vhci_hcd's attributes; drivers/usb/usbip's behaviour on
// unlinking, short and overlong transfers; libusb's use of URB_SHORT_NOT_OK.
package usbip
