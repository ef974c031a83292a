package contact

import (
	"fmt"
	"slices"

	"tillway/emv"
	"tillway/emv/tlv"
)

// fciTemplates are the templates of an FCI.
var fciTemplates = []tlv.Tag{
	emv.TagFCITemplate, emv.TagFCIProprietaryTemplate, emv.TagFCIIssuerDiscretionaryData,
}

// decisive are the card's objects on which a step decides: one of a wrong length ends the transaction (Book 3, 7.5).
// Others of a wrong length are left out.
var decisive = map[tlv.Tag]bool{
	emv.TagPAN: true, emv.TagPANSequenceNumber: true, emv.TagTrack2EquivalentData: true,
	emv.TagApplicationExpirationDate: true, emv.TagApplicationEffectiveDate: true, emv.TagIssuerCountryCode: true,
	emv.TagAUC: true, emv.TagApplicationVersionICC: true, emv.TagCVMList: true, emv.TagAIP: true, emv.TagAFL: true,
	emv.TagIACDefault: true, emv.TagIACDenial: true, emv.TagIACOnline: true, emv.TagApplicationCurrencyCode: true,
	emv.TagLowerConsecutiveOfflineLimit: true, emv.TagUpperConsecutiveOfflineLimit: true,
	emv.TagApplicationCryptogram: true, emv.TagCID: true, emv.TagATC: true, emv.TagIssuerApplicationData: true,
}

// storeFCI keeps what the FCI says; what does not fit is left out, of repeats the first counts. An object whose place is
// elsewhere is left out too: no signature covers the FCI, and an account number or an AIP in it would stand before the one
// of the records and of GET PROCESSING OPTIONS, which one covers (Book 1, 11.3.4 and 12.2.4).
func (s *session) storeFCI(body []byte) {
	if err := s.storeFCITemplate(body, 0, 0); err != nil {
		s.explain("selection", "part of the FCI makes no sense: "+err.Error(), "Book 1, 11.3.4")
	}
}

func (s *session) storeFCITemplate(body []byte, in tlv.Tag, depth int) error {
	items, err := tlv.Parse(body)
	if err != nil || depth > tlv.MaxDepth {
		return err
	}
	for _, it := range items {
		if slices.Contains(fciTemplates, it.Tag) {
			if err := s.storeFCITemplate(it.Value, it.Tag, depth+1); err != nil { // what stands behind it counts all the same
				s.explain("selection", "part of the FCI makes no sense: "+err.Error(), "Book 1, 11.3.4")
			}
			continue
		}
		e, ok := fromCard(it)
		if ok && !s.seen[it.Tag] && e.In(in) && len(it.Value) > 0 && e.Fits(len(it.Value)) {
			s.seen[it.Tag] = true
			s.data.Put(it.Tag, it.Value)
		}
	}
	return nil
}

// store keeps the objects of a record (template 70) or of the answer to GET PROCESSING OPTIONS (77): those whose place that
// template is, and no others; templates in it are not opened. One without a value counts as absent (Book 3, 5.2 and 7.5).
// Bytes that are no objects, and an object that came before, end the transaction (Book 3, 10.2). What the FCI said stands: no
// object has its place there and here.
func (s *session) store(body []byte, in tlv.Tag) error {
	const section = "Book 3, 10.2"
	items, err := tlv.Parse(body)
	if err != nil {
		return fault(section, "the card's data make no sense: %v", err)
	}
	for _, it := range items {
		e, ok := fromCard(it)
		if !ok || len(it.Value) == 0 {
			continue
		}
		if !e.In(in) {
			s.explain(oddData, fmt.Sprintf("the card sends tag %s in template %s, which is not its place: left out", it.Tag, in), "Book 3, 7.5")
			continue
		}
		switch {
		case s.seen[it.Tag]:
			return fault(section, "the card sends tag %s twice", it.Tag)
		case !e.Fits(len(it.Value)) && decisive[it.Tag]:
			return fault("Book 3, 7.5", "the card's tag %s has %d bytes", it.Tag, len(it.Value))
		case !e.Fits(len(it.Value)):
			s.seen[it.Tag] = true // it is there, and no step can use it
			s.explain(oddData, fmt.Sprintf("the card's tag %s has %d bytes and is left out", it.Tag, len(it.Value)), "Book 3, 7.5")
			continue
		}
		s.seen[it.Tag] = true
		s.data.Put(it.Tag, it.Value)
	}
	return nil
}

// fromCard says whether an object is one to keep: primitive and known. That it is the card's to give, too, is said by its
// template: an object of the terminal or of the issuer has no place in any of a card's (Book 3, 7.5).
func fromCard(it tlv.Item) (emv.Element, bool) {
	e, known := emv.Lookup(it.Tag)
	return e, known && !it.Tag.Constructed()
}
