// Package stripehid drives magnetic stripe readers on USB that speak HID: MagTek's and ID TECH's, those that send what they read
// in clear and those that encipher it. It is a device.Reader whose cards are device.MagStripe.
//
// One goroutine owns the device, finds it by its ids and opens it again when it comes back. A report is a pass of a card. What a
// reader enciphered is handed to the secure module, which alone has the reader's key; what comes back has to fit the masked track that the
// reader sent beside it. What was read in clear is taken in development only. A pass that nobody waits for is thrown away.
//
// It is not for readers in keyboard mode, which it names with the fix, nor for those that send text on a serial line (device/swipe).
//
// Sources: MagTek 99875191 (USB HID swipe reader: report, descriptor, commands) and 99875475 (MagneSafe V5: report, encryption,
// Appendix D); ID TECH 80066510 (MiniMag) and 80096504 (SecureMag, 10.1 to 10.7), Unitech MS246 manual, 8.6 (the same format, with
// an example). firmware-notes/stripe-hid.md has what is known and what is not.
package stripehid
