package contact

import (
	"errors"
	"fmt"

	"tillway/emv"
	"tillway/emv/tlv"
)

// origin says with which answer a card's object came.
type origin uint8

const (
	fromFCI origin = iota + 1
	fromGPO
	fromRecord
)

// fciTemplates are the templates of an FCI.
var fciTemplates = []tlv.Tag{
	emv.TagFCITemplate, emv.TagFCIProprietaryTemplate, emv.TagFCIIssuerDiscretionaryData, emv.TagDirectoryDiscretionaryTemplate,
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
// of the records and of GET PROCESSING OPTIONS, which one covers (Book 1, 11.3.4).
func (s *session) storeFCI(body []byte) {
	err := tlv.Walk(body, func(_ int, it tlv.Item) error {
		e, ok := s.fromCard(it)
		if _, twice := s.seen[it.Tag]; ok && !twice && e.In(fciTemplates...) && e.Fits(len(it.Value)) {
			s.seen[it.Tag] = fromFCI
			s.data.Put(it.Tag, it.Value)
		}
		return nil
	})
	if err != nil {
		s.explain("selection", "part of the FCI makes no sense: "+err.Error(), "Book 1, 11.3.4")
	}
}

// store keeps the objects of a record or of the answer to GET PROCESSING OPTIONS. Bytes that are no objects, and an
// object that came before with such an answer, end the transaction; what the FCI said stands (Book 3, 10.2).
func (s *session) store(body []byte, from origin) error {
	const section = "Book 3, 10.2"
	err := tlv.Walk(body, func(_ int, it tlv.Item) error {
		e, ok := s.fromCard(it)
		if !ok {
			return nil
		}
		switch before := s.seen[it.Tag]; {
		case before == fromFCI:
			return nil
		case before != 0:
			return fault(section, "the card sends tag %s twice", it.Tag)
		case !e.Fits(len(it.Value)) && decisive[it.Tag]:
			return fault("Book 3, 7.5", "the card's tag %s has %d bytes", it.Tag, len(it.Value))
		case !e.Fits(len(it.Value)):
			s.explain(oddData, fmt.Sprintf("the card's tag %s has %d bytes and is left out", it.Tag, len(it.Value)), "Book 3, 7.5")
			return nil
		}
		s.seen[it.Tag] = from
		s.data.Put(it.Tag, it.Value)
		return nil
	})
	if errors.Is(err, tlv.ErrMalformed) {
		return fault(section, "the card's data make no sense: %v", err)
	}
	return err
}

// fromCard says whether an object is one to keep: primitive, known, and the card's to give. A card that sends an object
// of the terminal or the issuer (an amount, the TVR) changes nothing.
func (s *session) fromCard(it tlv.Item) (emv.Element, bool) {
	e, known := emv.Lookup(it.Tag)
	if !known || it.Tag.Constructed() {
		return e, false
	}
	if e.Source != emv.ICC {
		s.explain(oddData, fmt.Sprintf("the card sends tag %s, which is not the card's to give: left out", it.Tag), "Book 3, Annex A")
		return e, false
	}
	return e, true
}
