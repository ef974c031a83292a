// Package usbccid drives smart-card readers of the USB class CCID: TPDU, short APDU and extended APDU level, with and without
// an interrupt endpoint. It is a device.Reader, over any usb.Bus.
//
// The driving itself is that of ccid.Reader. Here are the choice of the reader among what is plugged in, what its descriptors
// say of it, checked and bounded, and the wire: one goroutine reads answers, another the card's movements, both until the
// device is closed, so that an exchange that is given up loses no bytes and a movement ends the wait for an answer that it
// swallowed. A command that is given up is ended with the class's ABORT.
//
// Only readers on a list are driven (ids.go), which the configuration lengthens: not everything that says "card reader" when it
// is plugged into a till is one. Character level, several slots at once, and tokens with a card built in are not driven. PIN entry
// on the reader's own keys is ccid.PINVerifier.
//
// Sources: USB-IF, Specification for Integrated Circuit(s) Cards Interface Devices, revision 1.1 (sections 5 and 6); libccid for
// what readers really do, and its list of readers.
package usbccid
