// Package escpos drives receipt printers and their cash drawers by Epson's ESC/POS commands, over a serial port, the kernel's usblp
// device, USB without it, or TCP. It prints lines of plain ASCII in the printer's own font, and pictures; it knows no receipt and keeps no queue.
//
// A job counts as printed when the printer itself has said so: behind the cut goes a number that the printer sends back once the
// paper is out (GS ( H, process ID), or, for printers without it, a question that is answered in its turn (GS r). Bytes that were
// written prove nothing: a printer takes kilobytes while its paper is out. In between the job stops every few kilobytes until the
// printer has worked them off, so that no serial line needs a handshake and the place where it stuck is known.
//
// What a shop, a card or a host says never reaches the printer as a command: text is cut to printable ASCII, and a picture has a
// dot added where its bytes would read as a command in real time (DLE EOT, DLE ENQ, DLE DC4), which printers obey even there.
//
// Sources: Epson, ESC/POS Command Reference; firmware-notes/escpos.md. Not here: page mode, bar codes, logos in the printer's memory.
package escpos
