package contact

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"tillway/emv"
	"tillway/emv/oda"
	"tillway/emv/tlv"
)

// dynamicDataAuthentication has the card sign the terminal's unpredictable number (Book 2, 6.5). An answer to INTERNAL
// AUTHENTICATE that is no answer ends the transaction; a signature that is none is a failed DDA (Book 3, 6.5.9 and 8.1).
// Reads: what cardKey reads, and 9F49 and what it lists. Writes: 95, 9B, 9F37, 9F4B, 9F4C.
func (s *session) dynamicDataAuthentication(ctx context.Context) error {
	const section = "Book 2, 6.5"
	defer s.authenticationPerformed()
	key, ddol, err := s.readyForDDA()
	if err != nil {
		s.authenticationFailed(emv.TVRDDAFailed, err, section)
		return nil
	}
	if err := s.drawUnpredictableNumber(); err != nil {
		return err
	}
	values := ddol.Fill(s.object)
	signed, err := s.internalAuthenticate(ctx, values)
	if err != nil {
		return err
	}
	d, err := oda.RecoverDynamic(key, signed)
	if err == nil {
		err = d.Verify(values)
	}
	if err != nil {
		s.authenticationFailed(emv.TVRDDAFailed, err, section)
		return nil
	}
	s.data.Put(emv.TagICCDynamicNumber, d.Number)
	s.oda.verified = true
	s.explain("ODA", "the card's signature over the terminal's number is valid", section)
	return nil
}

// readyForDDA recovers the card's key, and takes the list of what the card signs: its own or the terminal's default. One
// without the unpredictable number would have a signature that says nothing of now (Book 2, 6.5.1).
func (s *session) readyForDDA() (oda.Key, tlv.DOL, error) {
	key, err := s.cardKey()
	if err != nil {
		return oda.Key{}, nil, err
	}
	list, ok := s.data.Get(emv.TagDDOL)
	if !ok {
		if !s.params.Has(emv.FeatureDefaultDDOL) || len(s.app.DefaultDDOL) == 0 {
			return oda.Key{}, nil, errors.New("neither the card nor the terminal has a DDOL")
		}
		list = s.app.DefaultDDOL
		s.explain("ODA", "the card brings no DDOL: the terminal's default is used", "Book 2, 6.5.1")
	}
	ddol, err := tlv.ParseDOL(list)
	if err != nil {
		return oda.Key{}, nil, fmt.Errorf("the DDOL makes no sense: %w", err)
	}
	if !slices.ContainsFunc(ddol, func(w tlv.Want) bool { return w.Tag == emv.TagUnpredictableNumber && w.Length >= 4 }) {
		return oda.Key{}, nil, errors.New("the DDOL lacks the unpredictable number, or a part of it")
	}
	return key, ddol, nil
}

// internalAuthenticate sends the values of the DDOL and returns the signature, of either format (Book 3, 6.5.9).
// Writes: 9F4B.
func (s *session) internalAuthenticate(ctx context.Context, values []byte) ([]byte, error) {
	const name, section = "INTERNAL AUTHENTICATE", "Book 3, 6.5.9"
	data, err := s.transmit(ctx, name, apdu(0x00, 0x88, 0x00, 0x00, values))
	if err := must(name, section, err); err != nil {
		return nil, err
	}
	items, err := tlv.Parse(data)
	if err != nil || len(items) != 1 {
		return nil, fault(section, "%s: the answer is not one data object", name)
	}
	signed := items[0].Value
	switch items[0].Tag {
	case emv.TagResponseFormat1:
	case emv.TagResponseFormat2:
		inner, err := tlv.Parse(signed)
		if err != nil {
			return nil, fault(section, "%s: %v", name, err)
		}
		if signed, _ = tlv.Find(inner, emv.TagSignedDynamicApplicationData); len(signed) == 0 { // empty is absent: 5.2
			return nil, fault(section, "%s: tag %s missing", name, emv.TagSignedDynamicApplicationData)
		}
	default:
		return nil, fault(section, "%s: the answer is neither format 1 nor format 2", name)
	}
	s.data.Put(emv.TagSignedDynamicApplicationData, signed)
	return signed, nil
}
