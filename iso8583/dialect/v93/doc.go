// Package v93 is the dialect of acquirers that speak ISO 8583:1993: point of service data codes of twelve positions, action codes
// of three digits, message reasons, and the data of the original in reversals. Such acquirers differ as much among
// themselves as those of the 1987 version do; the differences are Settings.
//
// It is pure: it composes messages from the terminal's words and reads answers into them. It opens no connection, has no
// clock but the one in its Settings, and keeps no keys: a MAC is made by whom its caller asks.
//
// A sale is 1200 with DE 3 000000 and DE 24 200, or an authorisation, 1100 with DE 24 100, and the advice 1220 that takes what was
// authorised (201, of another amount 202). Refunds (DE 3 20) and voids (an adjustment, 02 or 22; by setting a 1420 because the customer cancelled, which is an advice) are 1200 too; pre-authorisations (DE
// 24 101), increments (107) and balance inquiries (DE 3 31, DE 24 108) are 1100; offline approvals, forced sales and completions are
// told in a 1220. What is about an earlier transaction names it in DE 56, and in DE 37 and 38 as its answer did. The reversal of a
// request is 1420 with the same DE 11 and 12, DE 2 and 14 in place of track 2, the reason in DE 25 and the request's type, number
// and time in DE 56. Totals go out in a 1520 (1524 at some acquirers), DE 124, and are in balance (500) or closed as they differ (501):
// there is no upload. Sign-on is 1804. What is sent again is marked in the last digit of its type, 1421 for 1420, unless the settings
// say otherwise.
//
// Where the settings say so, the message ends with a MAC over the bytes of the wire from the message type to the field
// before: in DE 64, or in DE 128 where a field above 64 is there. DE 52 is the PIN block. DE 53 has the serial numbers of
// their keys (security.go). There is no exchange of session keys and there are no orders of the host: the standard has DE 96 for
// keys, and no public dialect shows what stands in it.
//
// Sources: ISO 8583:1993 (message types, DE 22, 24, 25, 30, 39, 53, 54, 56, 74 to 88) as acquirers publish its tables: SAP's page of action
// codes, American Express's and UnionPay's reasons and point of service codes; the public comments of a terminal for mada
// (AbanoubAdel202/HalalaH, after the specification 6.0.9) for DE 54, 56, 124, 1524 and the MAC filled with F; the attributes
// of fields from jPOS's packager of the 1993 version; EMV Book 4, Annex A, for terminal data. No acquirer has certified it.
package v93
