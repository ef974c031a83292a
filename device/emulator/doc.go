// Package emulator is the other end of a reader driver's wire: virtual payment cards, and virtual readers that hold them.
//
// A Card is a chip card as a value: it is given command APDUs and answers them, with its own counters, keys and memory,
// without clock, chance, goroutine or I/O. What it is (application, records, keys, behaviour) stands in a Profile, a
// TOML file; five ready ones are embedded. A GemPC is a serial GemPC Twin on a pseudo-terminal with such a card in
// its slot, T=0 or T=1 spoken as the card would, and faults on demand. Serve offers a card over TCP.
//
// It is not a certification tool and not a card's operating system: files are flat, there is no secure messaging, no
// issuer script command, no offline data authentication and no PIN. The keys and account numbers in it are published test
// values.
//
// Sources: EMV 4.4 Book 1 (7: T=0 and T=1; 11: SELECT, READ RECORD; 12: PSE), Book 2 (8: application cryptograms; A1.4),
// Book 3 (6: commands; 10: flow), ISO/IEC 7816-3 and 7816-4; libccid's ccid_serial.c for the GemPC Twin's framing;
// vsmartcard's vpcd for the TCP protocol. Cryptogram versions 10 and 18 as issuers' published tools compute them.
package emulator
