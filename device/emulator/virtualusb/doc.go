// Package virtualusb is USB without wires: a Function plays one device, and a Bus carries it to a driver inside the process, so that
// every driver is tested without root and without hardware. The package device/emulator/usbip carries the same Functions to a kernel.
//
// The bus keeps to what a host controller does, because drivers depend on it: standard requests are answered from the descriptors,
// a transfer ends with a short packet or when it is full, a packet larger than the room left is an overflow, an endpoint that
// stalled stays so until the host clears it, and pending transfers end when the device is unplugged. Time and bandwidth are not modelled;
// isochronous endpoints are refused.
//
// Sources: Universal Serial Bus Specification, revision 2.0, chapters 5, 8 and 9.
package virtualusb
