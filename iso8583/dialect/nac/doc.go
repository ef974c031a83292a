// Package nac is the dialect of terminals behind a network access controller: ISO 8583:1987 with a TPDU, BCD numbers and a
// NII in DE 24, as acquirers of many countries speak it with small differences. The differences are Settings.
//
// It is pure: it composes messages from the terminal's words and reads answers into them. It opens no connection, has no
// clock but the one in its Settings, and keeps no keys: a MAC is made by whom its caller asks.
//
// A sale is 0200 with DE 3 000000; its reversal 0400 carries the same DE 11, and DE 2 and 14 in place of track 2, with
// neither DE 55 nor DE 90. Both name their batch in DE 60 and their invoice in DE 62.
//
// Where the settings say so, DE 64 is a MAC over the bytes of the wire from the message type to the field before it (the
// TPDU, which the network changes, is outside; answers are matched on it). DE 52 is the PIN block. The serial numbers of
// their keys, one for each, stand in a private field (security.go).
//
// Network management is 0800 with DE 3 920000 to sign on. Where the settings say so, session keys are asked for with DE 3
// 920101: the 92 of signing on with 101, the network management code for a key change (ISO 8583:1987, DE 70), which cannot
// stand in DE 70 itself, because DE 64 with the MAC has to be the last field. The answer has them in a private field
// (network.go). A host's orders to the terminal ride on answers to a MACed sign-on, since terminals are clients.
//
// Sources: 25 public messages of five terminal families, field by field (testdata/public); ISO 8583:1987 and the public
// NIBSS tables of DE 3, 22, 25 and 39 for codes; EMV Book 4, 12 and Annex A for DE 55 and the authorisation response code.
// No acquirer has certified it.
package nac
