// Package cryptogram is the arithmetic of application cryptograms as issuer and card do it: key derivation, ARQC and TC,
// ARPC, and the recipes that say which data go in. It is for the host simulator and the card emulator; the terminal never
// holds these keys and never imports it.
//
// It decides nothing about money, keeps no counter (whether an ATC was seen before is the issuer's business), and knows
// the recipes of cryptogram version numbers 10, 18 and 22 in the issuer application data forms 06 xx 0A …, 06 xx 12 … and
// 1F 22 …. Scheme has these and M/Chip's by name, with script MACs, for calculations apart from a transaction. CVV, PVV and
// IBM 3624 PINs are here because the issuer makes them.
//
// Sources: EMV 4.4 Book 2, 8 (application cryptogram and issuer authentication) and Annexes A1.2 to A1.4. The two recipes
// are those of published test cards and of pyemv's test vectors, which its author checked against a security module.
package cryptogram
