// Package nac is the dialect of terminals behind a network access controller: ISO 8583:1987 with a TPDU, BCD numbers and a
// NII in DE 24, as acquirers of many countries speak it with small differences. The differences are Settings.
//
// It is pure: it composes messages from the terminal's words and reads answers into them. It opens no connection, has no
// clock but the one in its Settings, and keeps no keys: a MAC is made by whom its caller asks.
//
// What there is (kinds.go), with DE 3 and, after the slash, DE 25:
//
//	sale                 0200 000000/00, with cash 090000/00 and DE 54; in two steps 0100, and then 0220 with DE 37 and 38
//	refund               0200 200000/00, with DE 37 where it is of a sale that the host has given one
//	void                 0200 020000/00, of a refund 220000/00: DE 37, 38, 12 and 13 are the original's, and DE 62, by which
//	                     alone it names what the host was told of by an advice
//	pre-authorisation    0100 300000/06
//	increment            0100 300000/06 with DE 37 and 38 of the pre-authorisation
//	completion           0220 000000/06 with the same
//	balance inquiry      0100 310000/00
//	forced sale          0220 000000/00 with DE 38 as it was said
//	offline approval     0220 000000/00 with the TC and, behind the tags of a request, 8A
//	request kept         0200 000000/00 with the ARQC and its time, no track and no PIN
//	end of a batch       0500 920000; where the host answers 95, an 0320 for each transaction, and 0500 960000
//
// The reversal of a request is 0400 with what the request had, and DE 2 and 14 in place of track 2, with neither DE 55 nor DE 90. All
// name their batch in DE 60 and their invoice in DE 62; an upload has the original's type, STAN and reference number in DE 60.
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
// Sources: 25 public messages of five terminal families, field by field (testdata/public): sale, void, reversals, upload and
// totals are laid out as there; ISO 8583:1987 and the public NIBSS tables of DE 3, 22, 25 and 39 for codes; EMV Book 4, 12 and
// Annex A for DE 55 and the authorisation response code. Of increments, completions and requests kept for later there is no public
// message: they follow the void's way of naming an original. No acquirer has certified it.
package nac
