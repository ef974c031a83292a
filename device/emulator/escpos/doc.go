// Package escpos is a virtual receipt printer: it takes a byte stream as an Epson TM printer would, and keeps the paper. It is
// written from Epson's command reference alone and shares no code with the driver in device/escpos, so that a mistake in one
// is not made in the other.
//
// Serve runs it on any line: a TCP connection, a pseudo-terminal, one end of a pipe, the endpoints of a USB function. What comes
// out is Slips: the text of every line, and the dots of the whole paper as a picture. A hand (LoadPaper, OpenCover, PowerCycle
// and so on) does what happens to printers. As a real one it goes on with its buffer when paper comes back, prints the
// parameters of commands that it does not know, and obeys real-time commands wherever their bytes stand, in the data of a
// picture too.
//
// Sources: Epson, ESC/POS Command Reference (DLE EOT, DLE ENQ, DLE DC4, ESC and GS commands, "Identification of transmission
// status"), TM-T88V and TM-T20II Technical Reference Guides. Not here: page mode, bar codes, downloaded characters, NV memory.
package escpos
