// Package gempc drives the Gemalto (Gemplus) GemPC Twin on a serial line: a contact reader at TPDU level that speaks
// CCID messages in frames of its own. It is a device.Reader.
//
// The driving itself is that of ccid.Reader: one goroutine owns port, slot and card, watches the slot while nobody asks, and
// opens the port again when the reader comes back. Here are the line, its frame and the greeting.
//
// Card movements are set to synchronous mode (told after the next command's echo) and the slot is asked ten times a
// second. The asynchronous mode would save that traffic, but there the reader swallows its answer when the card moves
// during an exchange, which is the moment that a terminal has to be sure about. Movements told at any other time
// are heard too. We never send the reader a NAK: no source says that it repeats its answer, so a damaged answer is an
// error, which T=1 repairs by itself and T=0 cannot.
//
// It is for the Twin (serial, also its pocket and PC Card forms), not for the GemCore POS Pro and SIM Pro, which do not
// echo and have several slots. firmware-notes/gempc-twin.md has what is known of the reader.
//
// Sources: libccid 1.5 (ccid_serial.c, for the frame, the echo, movements, time requests, the two escapes); USB-IF CCID
// 1.1 for the messages; ISO/IEC 7816-3 and the EMV Contact Interface Specification for the card.
package gempc
