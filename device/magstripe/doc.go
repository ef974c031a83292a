// Package magstripe reads the tracks of a payment card's magnetic stripe: what a reader hands over as characters is taken
// apart, checked and kept in types that mask themselves.
//
// It is no driver and sees no bits: a reader has decoded the 7-bit characters of track 1 and the 5-bit characters of
// track 2 and checked their parity. It judges no sale: whether a card may be swiped is the lane's business. Track 3 is skipped.
//
// Sources: ISO/IEC 7813 for the fields of tracks 1 and 2 and the service code, ISO/IEC 7811-2 for characters, sentinels and the
// longitudinal check, ISO/IEC 7812-1 for the account number and its check digit.
package magstripe
