package contact

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"tillway/emv"
	"tillway/emv/tlv"
)

// initiateApplicationProcessing sends GET PROCESSING OPTIONS; ok is false when the card wants another application
// taken: 6985 (Book 3, 10.1 and 6.5.8).
// Reads: 9F38 and what it lists. Writes: 82, 94, 9F37.
func (s *session) initiateApplicationProcessing(ctx context.Context) (ok bool, err error) {
	const section = "Book 3, 10.1"
	pdol, err := parseDOL("PDOL", s.data.Value(emv.TagPDOL))
	if err != nil {
		return false, err
	}
	if pdol.Has(emv.TagUnpredictableNumber) {
		if err := s.drawUnpredictableNumber(); err != nil {
			return false, err
		}
	}
	values := pdol.Fill(s.object)
	s.oda.sent = append(s.oda.sent[:0], values...)
	command := apdu(0x80, 0xA8, 0x00, 0x00, tlv.Append(nil, emv.TagCommandTemplate, values))
	data, err := s.transmit(ctx, "GET PROCESSING OPTIONS", command)
	if errors.Is(err, emv.ErrConditions) {
		s.explain("selection", "the card refuses this application for this transaction: 6985", section)
		return false, nil
	}
	if err := must("GET PROCESSING OPTIONS", section, err); err != nil {
		return false, err
	}
	if err := s.takeOptions(data); err != nil {
		return false, err
	}
	copy(s.aip[:], s.data.Value(emv.TagAIP))
	s.explain("82", fmt.Sprintf("AIP %X: %s", s.aip[:], strings.Join(s.aip.Names(), "; ")), section)
	return true, nil
}

// takeOptions reads format 1 (80: AIP, then AFL) or format 2 (77: objects).
func (s *session) takeOptions(data []byte) error {
	const section = "Book 3, 6.5.8.4"
	items, err := tlv.Parse(data)
	if err != nil || len(items) != 1 {
		return fault(section, "GET PROCESSING OPTIONS: the answer is not one data object")
	}
	switch v := items[0].Value; items[0].Tag {
	case emv.TagResponseFormat1:
		if len(v) < 2 {
			return fault(section, "GET PROCESSING OPTIONS: format 1 of %d bytes", len(v))
		}
		s.seen[emv.TagAIP], s.seen[emv.TagAFL] = true, true
		s.data.Put(emv.TagAIP, v[:2])
		s.data.Put(emv.TagAFL, v[2:])
	case emv.TagResponseFormat2:
		if err := s.store(v, emv.TagResponseFormat2); err != nil {
			return err
		}
		if !s.data.Has(emv.TagAIP) || !s.data.Has(emv.TagAFL) {
			return fault(section, "GET PROCESSING OPTIONS: AIP or AFL missing")
		}
	default:
		return fault(section, "GET PROCESSING OPTIONS: the answer is neither format 1 nor format 2")
	}
	return nil
}
