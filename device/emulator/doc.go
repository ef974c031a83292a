// Package emulator is the other end of a reader driver's wire: virtual payment cards, and virtual readers that hold them.
//
// A Card is a chip card as a value: it is given command APDUs and answers them, with its own counters, keys and memory,
// without clock, chance, goroutine or I/O. What it is (application, records, keys, behaviour) stands in a Profile, a
// TOML file; the ready ones are embedded (folder cards, ReadyNames), and most say only what they do otherwise than the one
// that they are like (like.go). A GemPC is a serial GemPC Twin on a pseudo-terminal with such a card in its slot, T=0 or
// T=1 spoken as the card would, and faults on demand. A VPCD is a card in a virtual slot of PC/SC; Serve offers one over TCP. Readers on
// USB are in the packages below.
//
// A card signs for offline data authentication with RSA keys that are public with this program (testkeys.json); the key
// file of their certification authorities is AuthorityKeys (capk.json). It takes offline PINs, in plaintext and enciphered,
// and the commands of issuer scripts with their MACs. What a card or somebody between it and the terminal does wrong is data
// too: faults, defects of signatures, and data changed after they were signed.
//
// It is not a certification tool and not a card's operating system: files are flat, and secure messaging is what
// issuer scripts need of it. The keys, PINs and account numbers in it are published
// test values.
//
// Sources: EMV 4.4 Book 1 (7: T=0 and T=1; 11: SELECT, READ RECORD; 12: PSE), Book 2 (5 to 7: certificates, signatures, PIN
// encipherment; 8: application cryptograms; 9: script MACs; A1.4; A2.1),
// Book 3 (6: commands; 10: flow), ISO/IEC 7816-3 and 7816-4; libccid's ccid_serial.c for the GemPC Twin's framing;
// vsmartcard's vpcd for the TCP protocol. Cryptogram versions 10 and 18 as issuers' published tools compute them.
package emulator
