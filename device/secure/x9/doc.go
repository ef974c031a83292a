// Package x9 holds pure algorithms of retail payment cryptography over byte slices: triple DES and AES modes, the MACs of
// ISO/IEC 9797-1 and CMAC, DUKPT for triple DES and AES in the host's and the terminal's form, PIN blocks, key blocks, check
// values and key components. It keeps no key but in the registers of a DUKPT device that its caller owns, draws no random
// number but from the reader it is given, and does no I/O; who may use which key for what is decided above it.
//
// Keys and PINs are never put into errors. A key or PIN that a function returns is the caller's to wipe; what lies between
// is wiped here, as far as the cipher objects of the standard library allow. Comparisons of MACs take constant time. Parity
// bits are not checked: DES leaves them out, and published keys break the rule.
//
// Sources: ANSI X3.92 and NIST SP 800-67 (DES, TDES), FIPS 197 (AES), ISO/IEC 10116 (modes), ISO/IEC 9797-1:2011 (MAC
// algorithms 1 and 3, paddings 1 to 3), NIST SP 800-38B (CMAC), ANSI X9.24-1:2009 (TDES DUKPT), ANSI X9.24-3:2017 (AES
// DUKPT), ISO 9564-1:2017 (PIN blocks), TR-31:2018 and ANSI X9.143:2021 (key blocks A to D), ISO 20038:2017 (key block E),
// ANSI X9.24-1:2017 (check values).
package x9
