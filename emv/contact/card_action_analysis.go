package contact

import (
	"context"
	"fmt"

	"tillway/emv"
	"tillway/emv/tlv"
)

const sectionAC = "Book 3, 6.5.5"

// cardActionAnalysis sends the first GENERATE AC (Book 3, 10.8). The card may be stricter than the terminal, never
// laxer: a TC where an ARQC was asked for ends the transaction (Book 3, 9.3). An ARQC at a terminal that is offline only
// gets its second GENERATE AC at once (Book 3, 10.7).
// Reads: 8C and what it lists. Writes: 9F37, 9F27, 9F36, 9F26, 9F10, 9B; 8A (Book 4, A6).
func (s *session) cardActionAnalysis(ctx context.Context) (ending, error) {
	if err := s.drawUnpredictableNumber(); err != nil {
		return goOn, err
	}
	cid, err := s.generateAC(ctx, "first GENERATE AC", s.cdol1)
	if err != nil {
		return goOn, err
	}
	s.setTSI(emv.TSICardRiskManagementPerformed)
	got := cid.Cryptogram()
	switch {
	case got == emv.AAC:
		if s.asked == emv.ARQC {
			s.put(emv.TagAuthorisationResponseCode, []byte("Z1"))
		}
		return s.declinedByCard(cid), nil
	case got == emv.ARQC && s.asked != emv.AAC:
		if s.terminalType().OfflineOnly() {
			s.explain("TAA", "the card wants the issuer asked, and the terminal is offline only", sectionTAA)
			s.answer.Result = emv.HostUnable
			s.setUnable()
			return s.finalCryptogram(ctx)
		}
		if _, fixed := s.params.Fixed[emv.TagAuthorisationResponseCode]; !fixed {
			s.data.Delete(emv.TagAuthorisationResponseCode) // the issuer gives it
		}
		s.explain("outcome", "the card gave an ARQC", "Book 3, 10.9")
		return ending{emv.Online, "the issuer decides"}, nil
	case got == emv.TC && s.asked == emv.TC:
		s.explain("outcome", "the card gave a TC", "Book 3, 10.8")
		return ending{emv.Approved, "approved offline"}, nil
	}
	return goOn, fault("Book 3, 10.8", "the card gave %s where %s was asked for", got, s.asked)
}

// declinedByCard ends with an AAC. One for "service not allowed" is no decision on this sale: the card has no business
// here, and the transaction is terminated (Book 3, 10.8.1; Book 4, 6.3.7).
func (s *session) declinedByCard(cid emv.CID) ending {
	if cid&0x07 == 1 {
		reason := "the card is not accepted here: service not allowed"
		s.explain("outcome", reason, "Book 4, 6.3.7")
		return ending{emv.Terminated, reason}
	}
	reason := "the card declined"
	if s.asked == emv.AAC {
		reason = "declined, and the card agreed"
	}
	if why := cid.Reason(); why != "" {
		reason += ": " + why
	}
	s.explain("outcome", reason, "Book 3, 10.8.1")
	return ending{emv.Declined, reason}
}

// generateAC asks for the cryptogram in s.asked and stores the answer (Book 3, 6.5.5).
func (s *session) generateAC(ctx context.Context, name string, dol tlv.DOL) (emv.CID, error) {
	values, err := s.fill(dol)
	if err != nil {
		return 0, err
	}
	data, err := s.transmit(ctx, name, apdu(0x80, 0xAE, byte(s.asked), 0x00, values))
	if err := must(name, sectionAC, err); err != nil {
		return 0, err
	}
	items, err := tlv.Parse(data)
	if err != nil || len(items) != 1 {
		return 0, fault(sectionAC, "%s: the answer is not one data object", name)
	}
	for _, tag := range []tlv.Tag{emv.TagCID, emv.TagATC, emv.TagApplicationCryptogram, emv.TagIssuerApplicationData} {
		s.data.Delete(tag)
		delete(s.seen, tag)
	}
	switch v := items[0].Value; items[0].Tag {
	case emv.TagResponseFormat1:
		err = s.takeFormat1(name, v)
	case emv.TagResponseFormat2:
		err = s.takeFormat2(name, v)
	default:
		err = fault(sectionAC, "%s: the answer is neither format 1 nor format 2", name)
	}
	if err != nil {
		return 0, err
	}
	cid := emv.CID(s.data.Value(emv.TagCID)[0])
	s.explain("9F27", fmt.Sprintf("%s: asked for %s, card gave %s", name, s.asked, cid.Cryptogram()), sectionAC)
	return cid, nil
}

// takeFormat1 reads CID, ATC, cryptogram and, as long as it is, issuer application data.
func (s *session) takeFormat1(name string, v []byte) error {
	if len(v) < 11 || len(v) > 43 {
		return fault(sectionAC, "%s: format 1 of %d bytes", name, len(v))
	}
	s.data.Put(emv.TagCID, v[:1])
	s.data.Put(emv.TagATC, v[1:3])
	s.data.Put(emv.TagApplicationCryptogram, v[3:11])
	if len(v) > 11 {
		s.data.Put(emv.TagIssuerApplicationData, v[11:])
	}
	return nil
}

// takeFormat2 reads the objects of an answer without CDA. Only the four that belong to it are taken: a card cannot bring
// in anything else at this point.
func (s *session) takeFormat2(name string, v []byte) error {
	items, err := tlv.Parse(v)
	if err != nil {
		return fault(sectionAC, "%s: %v", name, err)
	}
	for _, it := range items {
		switch it.Tag {
		case emv.TagCID, emv.TagATC, emv.TagApplicationCryptogram, emv.TagIssuerApplicationData:
		default:
			continue
		}
		e, _ := emv.Lookup(it.Tag)
		if s.data.Has(it.Tag) || !e.Fits(len(it.Value)) {
			return fault(sectionAC, "%s: tag %s twice, or of %d bytes", name, it.Tag, len(it.Value))
		}
		s.data.Put(it.Tag, it.Value)
	}
	for _, tag := range []tlv.Tag{emv.TagCID, emv.TagATC, emv.TagApplicationCryptogram} {
		if !s.data.Has(tag) {
			return fault(sectionAC, "%s: tag %s missing", name, tag)
		}
	}
	return nil
}
