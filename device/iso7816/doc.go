// Package iso7816 is the card side of a contact reader that works at TPDU level: the answer to reset and which of them
// EMV refuses, the T=1 block and its protocol, and T=0 with GET RESPONSE and the 6Cxx repetition. It is shared by every
// such reader, whatever wire it hangs on, and by the emulated readers.
//
// It is not a reader driver (it sees bytes through TPDU), has no clock (the reader measures the card's waiting times),
// and knows no APDU's meaning. Protocol negotiation (PPS) is left out on purpose: EMV has none.
//
// Sources: ISO/IEC 7816-3:2006 sections 8, 10, 11 and 12; EMV 4.4 Book 1 sections 8 and 9 and annex A.
package iso7816
