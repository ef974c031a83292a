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
	cda := s.requestsCDA(false)
	s.beforeFirstAC(cda)
	cid, forged, err := s.generateAC(ctx, "first GENERATE AC", s.cdol1, cda)
	if err != nil {
		return goOn, err
	}
	s.setTSI(emv.TSICardRiskManagementPerformed)
	got := cid.Cryptogram()
	switch {
	case forged:
		return s.declineForgery(ctx, cid)
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
	case got == emv.TC && s.asked == emv.TC && s.wedged(cda):
		return ending{emv.Declined, reasonWedged}, nil
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

// generateAC asks for the cryptogram in s.asked, with a combined signature if cda, and stores the answer (Book 3, 6.5.5). cid
// is the one that counts; forged says that the signature that was asked for is missing or not valid.
func (s *session) generateAC(ctx context.Context, name string, dol tlv.DOL, cda bool) (cid emv.CID, forged bool, err error) {
	values, err := s.fill(dol)
	if err != nil {
		return 0, false, err
	}
	s.oda.sent = append(s.oda.sent, values...)
	p1 := byte(s.asked)
	if cda {
		p1 |= cdaRequested
	}
	data, err := s.transmit(ctx, name, apdu(0x80, 0xAE, p1, 0x00, values))
	if err := must(name, sectionAC, err); err != nil {
		return 0, false, err
	}
	elements, err := s.takeCryptogram(name, data, cda)
	if err != nil {
		return 0, false, err
	}
	cid = emv.CID(s.data.Value(emv.TagCID)[0])
	s.explain("9F27", fmt.Sprintf("%s: asked for %s, card gave %s", name, s.asked, cid.Cryptogram()), sectionAC)
	if !cda || !signatureDue(cid) {
		return cid, false, nil
	}
	s.authenticationPerformed()
	if cid, err = s.combinedSignature(elements); err != nil {
		s.authenticationFailed(emv.TVRCDAFailed, err, sectionCDA)
		return cid, true, nil
	}
	s.oda.verified = true
	s.explain("ODA", name+": the card's combined signature is valid", sectionCDA)
	return cid, false, nil
}

// signatureDue says whether an answer to a request with CDA must have a signature: a TC and an ARQC must, an AAC has none
// (Book 2, 6.6.1), whatever stands beside it: the CID in clear says which it is (6.6.2).
func signatureDue(cid emv.CID) bool {
	return cid.Cryptogram() == emv.TC || cid.Cryptogram() == emv.ARQC
}

// takeCryptogram stores an answer of either format over what the answer before it brought, and returns the objects of
// format 2.
func (s *session) takeCryptogram(name string, data []byte, cda bool) ([]tlv.Item, error) {
	items, err := tlv.Parse(data)
	if err != nil || len(items) != 1 {
		return nil, fault(sectionAC, "%s: the answer is not one data object", name)
	}
	for _, tag := range []tlv.Tag{emv.TagCID, emv.TagATC, emv.TagApplicationCryptogram, emv.TagIssuerApplicationData} {
		s.data.Delete(tag)
		delete(s.seen, tag)
	}
	switch v := items[0].Value; items[0].Tag {
	case emv.TagResponseFormat1:
		return nil, s.takeFormat1(name, v)
	case emv.TagResponseFormat2:
		return s.takeFormat2(name, v, cda)
	}
	return nil, fault(sectionAC, "%s: the answer is neither format 1 nor format 2", name)
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

// takeFormat2 reads the objects of an answer. Only those that belong to it are taken: a card cannot bring in anything else
// at this point. The cryptogram itself is missing where a combined signature holds it (Book 3, Table 14).
func (s *session) takeFormat2(name string, v []byte, cda bool) ([]tlv.Item, error) {
	items, err := tlv.Parse(v)
	if err != nil {
		return nil, fault(sectionAC, "%s: %v", name, err)
	}
	taken := map[tlv.Tag]bool{}
	for _, it := range items {
		if len(it.Value) == 0 {
			continue // absent (Book 3, 5.2)
		}
		switch it.Tag {
		case emv.TagCID, emv.TagATC, emv.TagApplicationCryptogram, emv.TagIssuerApplicationData:
		case emv.TagSignedDynamicApplicationData:
			if !cda {
				continue
			}
		default:
			continue
		}
		e, _ := emv.Lookup(it.Tag)
		if taken[it.Tag] || !e.Fits(len(it.Value)) {
			return nil, fault(sectionAC, "%s: tag %s twice, or of %d bytes", name, it.Tag, len(it.Value))
		}
		taken[it.Tag] = true
		s.data.Put(it.Tag, it.Value)
	}
	needed := []tlv.Tag{emv.TagCID, emv.TagATC, emv.TagApplicationCryptogram}
	if cda && taken[emv.TagCID] && signatureDue(emv.CID(s.data.Value(emv.TagCID)[0])) {
		needed = needed[:2]
	}
	for _, tag := range needed {
		if !taken[tag] {
			return nil, fault(sectionAC, "%s: tag %s missing", name, tag)
		}
	}
	return items, nil
}
