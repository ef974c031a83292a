package contact

import (
	"crypto/sha1" //nolint:gosec // the TC hash is SHA-1 by the book
	"errors"

	"tillway/emv"
	"tillway/emv/tlv"
)

// Data object lists (Book 3, 5.4).

// object gives a list what it asks for. A tag that nobody knows, or that is not there, is filled with zeros.
func (s *session) object(tag tlv.Tag) ([]byte, tlv.Padding, bool) {
	v, ok := s.data.Get(tag)
	if e, known := emv.Lookup(tag); known {
		return v, e.Padding(), ok
	}
	return v, tlv.PadOther, ok
}

// parseDOL reads a list of the card's.
func parseDOL(name string, b []byte) (tlv.DOL, error) {
	dol, err := tlv.ParseDOL(b)
	if errors.Is(err, tlv.ErrMalformed) {
		return nil, fault("Book 3, 5.4", "%s: %v", name, err)
	}
	return dol, err
}

// fill gives the data that a CDOL asks for; a TC hash among it is calculated first (Book 3, 9.2.2).
// Reads: 97 and all that the lists name. Writes: 98, 95.
func (s *session) fill(dol tlv.DOL) ([]byte, error) {
	if dol.Has(emv.TagTCHashValue) && s.params.Has(emv.FeatureTCHash) {
		list, ok := s.data.Get(emv.TagTDOL)
		if !ok && len(s.app.DefaultTDOL) > 0 { // without one, a list of nothing is taken, and the bit stays off
			list = s.app.DefaultTDOL
			s.setTVR(emv.TVRDefaultTDOLUsed, "the card wants a TC hash and brings no TDOL", "Book 3, 9.2.2")
		}
		tdol, err := parseDOL("TDOL", list)
		if err != nil {
			return nil, err
		}
		hash := sha1.Sum(tdol.Fill(s.object)) //nolint:gosec // by the book
		s.put(emv.TagTCHashValue, hash[:])
	}
	return dol.Fill(s.object), nil
}
