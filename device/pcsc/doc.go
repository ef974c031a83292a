// Package pcsc drives one reader through pcscd, the PC/SC daemon of Linux, for readers that pcscd holds or that only it has a driver
// for. It is a device.Reader.
//
// It speaks the protocol of pcscd's socket itself: no C library is needed, and posd links none. Two connections are open. On one
// a goroutine waits for changes of the readers, which pcscd tells by itself, so that nothing is asked while nothing happens; on the
// other the caller's goroutine resets the card and exchanges commands. A pcscd that ends or starts anew is a reader that was unplugged:
// both connections are made again.
//
// The reader is taken exclusively from Present to Release (SCARD_SHARE_EXCLUSIVE): another program's command between two of ours
// would change what the card signs. Present always resets the card cold, because pcscd keeps a card powered that somebody else has
// talked to. At T=0 pcscd hands 61xx and 6Cxx through and device/iso7816 resolves them; at T=1 the blocks are pcscd's driver's.
//
// It is not a general PC/SC library: no sharing, no control codes, no attributes. firmware-notes/pc-sc.md has what is known of pcscd.
//
// Sources: pcsc-lite 1.9.9 (winscard_msg.h for the messages, winscard.c and eventhandler.c for what they do; READER_STATE in
// eventhandler.h); PC/SC Workgroup, Interoperability Specification, part 5; the EMV Contact Interface Specification for resets.
package pcsc
