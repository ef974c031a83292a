package contact

import (
	"context"
	"fmt"

	"tillway/emv"
	"tillway/emv/tlv"
)

const sectionTAA = "Book 3, 10.7"

// minimumTAC are the bits that the book strongly recommends every Terminal Action Code Online and Default to have: offline
// data authentication not performed, SDA, DDA and CDA failed (Book 3, 10.7); and SDA selected, because what SDA
// authenticates can be copied. This kernel adds them unless the profile wants its codes taken as they are written.
var minimumTAC = [5]byte{0xCE}

// terminalActionAnalysis decides what to ask the card for, in the book's order: Denial, then Online, or Default for a
// terminal that is offline only (Book 3, 10.7; Book 4, 6.3.6).
// Reads: 95, 9F0D, 9F0E, 9F0F, 9F35. Writes: 8A when it decides offline.
func (s *session) terminalActionAnalysis(ctx context.Context) (ending, error) {
	kind := s.terminalType()
	if err := s.askGate(ctx); err != nil {
		return goOn, err
	}
	switch {
	case s.matches("Denial", emv.TagIACDenial, 0x00, s.app.TACDenial):
		s.ask(emv.AAC, "an action code says to decline offline")
	case kind.OnlineOnly():
		s.ask(emv.ARQC, "the terminal approves nothing by itself")
	case s.app.OnlineOnly && kind.OfflineOnly():
		s.ask(emv.AAC, "the application is never approved without its issuer, and the terminal cannot ask it")
	case s.app.OnlineOnly:
		s.ask(emv.ARQC, "the application is never approved without its issuer")
	case s.closed != "" && kind.OfflineOnly():
		s.ask(emv.AAC, "no approval without the issuer, and the terminal cannot ask it: "+s.closed)
	case s.closed != "":
		s.ask(emv.ARQC, "no approval without the issuer: "+s.closed)
	case kind.OfflineOnly() && s.matches("Default", emv.TagIACDefault, 0xFF, s.orMinimum(s.app.TACDefault)):
		s.ask(emv.AAC, "the terminal cannot go online, and an action code says to decline then")
	case !kind.OfflineOnly() && s.matches("Online", emv.TagIACOnline, 0xFF, s.orMinimum(s.app.TACOnline)):
		s.ask(emv.ARQC, "an action code says to go online")
	default:
		s.ask(emv.TC, "no action code says otherwise")
	}
	return goOn, nil
}

// askGate asks whether the terminal may approve this transaction by itself, where it could come to that. Where it may not, it
// acts as one that is online only, before the card has decided anything.
func (s *session) askGate(ctx context.Context) error {
	if s.params.Offline == nil || s.terminalType().OnlineOnly() || s.app.OnlineOnly {
		return nil
	}
	pan, err := s.pan()
	if err != nil {
		return err
	}
	if s.closed, err = s.params.Offline.Closed(ctx, emv.OfflineQuestion{PAN: pan, Method: s.method}); err != nil {
		return fmt.Errorf("limits of approvals without the issuer: %w", err)
	}
	return nil
}

// unableToGoOnline decides after an attempt to reach the issuer failed (Book 3, 10.7; Book 4, 12.2.1).
// Reads: 95, 9F0D, 9F35.
func (s *session) unableToGoOnline() (emv.Cryptogram, [2]byte) {
	switch {
	case s.terminalType().OnlineOnly():
		s.explain("TAA", "the issuer was not reached, and the terminal approves nothing by itself", sectionTAA)
	case s.app.OnlineOnly:
		s.explain("TAA", "the issuer was not reached, and the application is never approved without it", sectionTAA)
	case s.closed != "":
		s.explain("TAA", "the issuer was not reached, and there is no approval without it: "+s.closed, sectionTAA)
	case s.matches("Default", emv.TagIACDefault, 0xFF, s.orMinimum(s.app.TACDefault)):
		s.explain("TAA", "the issuer was not reached, and an action code says to decline then", sectionTAA)
	default:
		s.explain("TAA", "the issuer was not reached, and no action code says to decline then", sectionTAA)
		return emv.TC, [2]byte{'Y', '3'}
	}
	return emv.AAC, [2]byte{'Z', '3'}
}

// ask sets what GENERATE AC asks for. A decision to stay offline has its response code from here on; what the card then
// decides is told by its CID, and does not change the code (Book 4, 6.3.6 and A6).
func (s *session) ask(c emv.Cryptogram, reason string) {
	s.asked = c
	switch c {
	case emv.TC:
		s.put(emv.TagAuthorisationResponseCode, []byte("Y1"))
	case emv.AAC:
		s.put(emv.TagAuthorisationResponseCode, []byte("Z1"))
	case emv.ARQC, emv.RFU:
	}
	s.explain("TAA", "asks for "+c.String()+": "+reason, sectionTAA)
}

func (s *session) orMinimum(tac [5]byte) [5]byte {
	if s.params.LiteralActionCodes {
		return tac
	}
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
