package contact

import (
	"context"
	"fmt"

	"tillway/emv"
	"tillway/emv/tlv"
)

// takeAnswer reads what the host said into the session, before any step. Error: ErrParams for a result that is none.
// Writes: 8A, 91.
func (s *session) takeAnswer(answer emv.HostAnswer) error {
	s.answer = answer
	s.beforeSecondAC()
	arc := answer.ARC
	switch answer.Result {
	case emv.HostApproved:
		s.asked = emv.TC
		arc = orDefault(arc, "00")
	case emv.HostDeclined:
		s.asked = emv.AAC
		arc = orDefault(arc, "05")
	case emv.HostUnable:
		s.setUnable()
		return nil
	default:
		return fmt.Errorf("host result %q: %w", answer.Result, ErrParams)
	}
	s.put(emv.TagAuthorisationResponseCode, arc[:])
	s.takeIssuerData(answer.IssuerData)
	return nil
}

// setUnable decides without the issuer, and has the card told so: Y3 or Z3 (Book 4, 12.2.1 and A6).
func (s *session) setUnable() {
	asked, arc := s.unableToGoOnline()
	s.asked = asked
	s.put(emv.TagAuthorisationResponseCode, arc[:])
}

func orDefault(arc [2]byte, text string) [2]byte {
	if arc == [2]byte{} {
		return [2]byte{text[0], text[1]}
	}
	return arc
}

// maxIssuerData bounds the chip data of an answer: the length field of DE 55 has three digits, and hosts keep to 255.
const maxIssuerData = 999

// takeIssuerData splits the host's chip data. It came over a wire and is held to the same bounds as a card's: what makes
// no sense is left out, and said, and the issuer's decision stands.
func (s *session) takeIssuerData(b []byte) {
	const section = "Book 3, 10.9"
	if len(b) > maxIssuerData {
		s.explain("issuer data", fmt.Sprintf("%d bytes are too many: left out", len(b)), section)
		return
	}
	items, err := tlv.Parse(b)
	if err != nil {
		s.explain("issuer data", "not whole: "+err.Error(), section)
	}
	e, _ := emv.Lookup(emv.TagIssuerAuthenticationData)
	for _, it := range items {
		if it.Tag != emv.TagIssuerAuthenticationData {
			continue
		}
		switch {
		case s.data.Has(it.Tag):
			s.explain("issuer data", "91 came twice: the first counts", section)
		case !e.Fits(len(it.Value)):
			s.explain("issuer data", fmt.Sprintf("91 has %d bytes, not 8 to 16: left out", len(it.Value)), section)
		default:
			s.put(it.Tag, it.Value)
		}
	}
	s.scripts = s.readScripts(items)
	if err != nil && len(s.scripts) < maxScripts {
		if sc, ok := cutScript(unread(b, items), err); ok {
			s.scripts = append(s.scripts, sc)
		}
	}
}

// finalCryptogram sends the second GENERATE AC and then the scripts that come after it (Book 3, 10.11). All processing
// is done by then: a cryptogram that is more than what was asked for, or of no known kind, counts as an AAC (Book 3, 9.3).
// Reads: 8D and what it lists. Writes: 9F27, 9F36, 9F26, 9F10.
func (s *session) finalCryptogram(ctx context.Context) (ending, error) {
	const section = "Book 3, 10.11"
	cda := s.requestsCDA(true)
	cid, forged, err := s.generateAC(ctx, "second GENERATE AC", s.cdol2, cda)
	if err != nil {
		return goOn, err
	}
	s.scriptsAfter(ctx)
	switch got := cid.Cryptogram(); {
	case forged:
		return s.refused(cid, "declined: the card's combined signature is not valid", sectionCDA), nil
	case got == emv.TC && s.asked == emv.TC && s.answer.Result == emv.HostUnable && s.wedged(cda):
		return s.refused(cid, reasonWedged, section), nil
	case got == emv.TC && s.asked == emv.TC:
		reason := "approved"
		if s.answer.Result == emv.HostUnable {
			reason = "approved offline, the issuer was not reached"
		}
		s.explain("outcome", reason+": the card gave a TC", section)
		return ending{emv.Approved, reason}, nil
	case got == emv.AAC && s.answer.Result == emv.HostUnable:
		return s.refused(cid, "declined, the issuer was not reached", section), nil
	case got == emv.AAC && s.asked == emv.TC:
		return s.refused(cid, "the card declined what was approved", section), nil
	case got == emv.AAC:
		return s.refused(cid, "declined by the issuer", section), nil
	default:
		return s.refused(cid, fmt.Sprintf("the card gave %s where %s was asked for, which counts as an AAC", got, s.asked), "Book 3, 9.3"), nil
	}
}

func (s *session) refused(cid emv.CID, reason, section string) ending {
	if why := cid.Reason(); why != "" {
		reason += ": " + why
	}
	s.explain("outcome", reason, section)
	return ending{emv.Declined, reason}
}
