// Package x9 holds pure algorithms of retail payment cryptography over byte slices: triple DES in ECB and CBC, the MACs of
// ISO/IEC 9797-1 with their paddings, and key check values. It keeps no key, draws no random number and does no I/O; who
// may use which key for what is decided above it.
//
// Keys are never put into errors. Parity bits are not checked: DES leaves them out, and published keys break the rule.
// Sources: ANSI X3.92 and NIST SP 800-67 (DES, TDES), ISO/IEC 10116 (modes), ISO/IEC 9797-1:2011 (MAC algorithms 1 and 3,
// paddings 1 and 2), ANSI X9.24-1 (check value by encrypting zeros).
package x9
