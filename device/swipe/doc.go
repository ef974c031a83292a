// Package swipe drives magnetic stripe readers on a serial line that send what they read as text, without being asked: each
// pass of a card is its tracks from start to end sentinel, with or without check characters and line ends between them. It is
// a device.Reader whose cards are device.MagStripe.
//
// One goroutine owns the port and opens it again when the reader comes back. A pass ends with a silence, because no source
// says that all readers end it with the same character. A pass that nobody waits for is thrown away: what was swiped before a
// sale began pays for nothing.
//
// It is not for readers that encipher what they read or wait for commands, nor for those that pose as a keyboard (USB HID).
// firmware-notes/serial-stripe.md has what is known. Sources: ISO/IEC 7811-2 and 7813, by package magstripe.
package swipe
