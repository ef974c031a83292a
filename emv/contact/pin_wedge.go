package contact

import (
	"tillway/emv"
)

const reasonWedged = "declined: the card accepted no PIN, and somebody answered for it"

// wedged says that the card, under its combined signature, knows of no PIN that it accepted, though VERIFY was answered so:
// somebody between card and terminal answered it. The books leave that to the issuer, who compares CVM Results and Card
// Verification Results; a TC reaches no issuer in time, so a terminal that can tell approves nothing offline. Without CDA
// whoever changed one answer could have changed this one too, and the terminal cannot tell. A terminal that takes action codes
// to the letter, which is none that sells, keeps to the books here too. Test: TestAttackPINWedge.
// Reads: 9F10. Writes: 8A.
func (s *session) wedged(cda bool) bool {
	if !cda || s.method != emv.OfflinePIN || s.params.LiteralActionCodes {
		return false
	}
	accepted, known := emv.CardSaysPIN(s.aid, s.data.Value(emv.TagIssuerApplicationData))
	if accepted || !known {
		return false
	}
	s.put(emv.TagAuthorisationResponseCode, []byte("Z1"))
	s.explain("CVM", "the card's signed results know of no PIN that it accepted: VERIFY was answered by somebody else", "Book 4, 6.3.4.5")
	return true
}
