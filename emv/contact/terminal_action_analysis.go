package contact

import (
	"context"

	"tillway/emv"
	"tillway/emv/tlv"
)

const sectionTAA = "Book 3, 10.7"

// minimumTAC are the bits that the book strongly recommends every Terminal Action Code Online and Default to have:
// offline data authentication not performed, SDA, DDA and CDA failed (Book 3, 10.7). This kernel always has them, so
// that no profile can make it approve an unauthenticated card offline.
var minimumTAC = [5]byte{0xCC}

// terminalActionAnalysis decides what to ask the card for (Book 3, 10.7).
// Reads: 95, 9F0D, 9F0E, 9F0F, 9F35. Writes: nothing, the request only.
func (s *session) terminalActionAnalysis(context.Context) (ending, error) {
	kind := emv.TerminalType(s.data.Value(emv.TagTerminalType)[0])
	switch {
	case s.matches("Denial", emv.TagIACDenial, 0x00, s.app.TACDenial):
		s.ask(emv.AAC, "an action code says to decline offline")
	case kind.OnlineOnly():
		s.ask(emv.ARQC, "the terminal approves nothing by itself")
	case kind.OfflineOnly() && s.matches("Default", emv.TagIACDefault, 0xFF, orTAC(s.app.TACDefault)):
		s.ask(emv.AAC, "the terminal cannot go online, and an action code says to decline then")
	case !kind.OfflineOnly() && s.matches("Online", emv.TagIACOnline, 0xFF, orTAC(s.app.TACOnline)):
		s.ask(emv.ARQC, "an action code says to go online")
	default:
		s.ask(emv.TC, "no action code says otherwise")
	}
	return goOn, nil
}

// unableToGoOnline decides after an attempt to reach the issuer failed (Book 3, 10.7; Book 4, 12.2.1).
// Reads: 95, 9F0D, 9F35.
func (s *session) unableToGoOnline() (emv.Cryptogram, [2]byte) {
	kind := emv.TerminalType(s.data.Value(emv.TagTerminalType)[0])
	switch {
	case kind.OnlineOnly():
		s.explain("TAA", "the issuer was not reached, and the terminal approves nothing by itself", sectionTAA)
	case s.matches("Default", emv.TagIACDefault, 0xFF, orTAC(s.app.TACDefault)):
		s.explain("TAA", "the issuer was not reached, and an action code says to decline then", sectionTAA)
	default:
		s.explain("TAA", "the issuer was not reached, and no action code says to decline then", sectionTAA)
		return emv.TC, [2]byte{'Y', '3'}
	}
	return emv.AAC, [2]byte{'Z', '3'}
}

func (s *session) ask(c emv.Cryptogram, reason string) {
	s.asked = c
	s.explain("TAA", "asks for "+c.String()+": "+reason, sectionTAA)
}

func orTAC(tac [5]byte) [5]byte {
	for i, b := range minimumTAC {
		tac[i] |= b
	}
	return tac
}

// matches says whether a bit of the TVR is set that either code has. A card without the code counts as absent says: all
// ones for Online and Default, all zeros for Denial.
func (s *session) matches(name string, iacTag tlv.Tag, absent byte, tac [5]byte) bool {
	iac := [5]byte{absent, absent, absent, absent, absent}
	if v, ok := s.data.Get(iacTag); ok {
		copy(iac[:], v)
	}
	var issuer, terminal emv.TVR
	for i, b := range s.tvr {
		issuer[i], terminal[i] = b&iac[i], b&tac[i]
	}
	for _, bit := range issuer.Names() {
		s.explain("TAA", "Issuer Action Code - "+name+": "+bit, sectionTAA)
	}
	for _, bit := range terminal.Names() {
		s.explain("TAA", "Terminal Action Code - "+name+": "+bit, sectionTAA)
	}
	return issuer != emv.TVR{} || terminal != emv.TVR{}
}
