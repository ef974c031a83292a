package contact

import (
	"context"
	"fmt"
	"strings"

	"tillway/emv"
	"tillway/emv/tlv"
)

const sectionRead = "Book 3, 10.2"

// mandatory are the objects without which there is no transaction (Book 3, 7.2).
var mandatory = []tlv.Tag{emv.TagApplicationExpirationDate, emv.TagPAN, emv.TagCDOL1, emv.TagCDOL2}

// readApplicationData reads the records that the AFL names (Book 3, 10.2).
// Reads: 94. Writes: what the records bring.
func (s *session) readApplicationData(ctx context.Context) (ending, error) {
	files, err := parseAFL(s.data.Value(emv.TagAFL))
	if err != nil {
		return goOn, err
	}
	for _, f := range files {
		for record := f.first; ; record++ {
			if err := s.readRecord(ctx, f, record); err != nil {
				return goOn, err
			}
			if record == f.last {
				break
			}
		}
	}
	for _, tag := range mandatory {
		if !s.data.Has(tag) {
			return goOn, fault(sectionRead, "the card lacks tag %s, which is mandatory", tag)
		}
	}
	if err := s.checkAccount(); err != nil {
		return goOn, err
	}
	if pan, err := s.pan(); err != nil || !emv.BrandFits(s.aid, pan) {
		return goOn, fault("scheme rules", "the card's number is not one of the scheme's whose application it has")
	}
	if s.cdol1, err = parseDOL("CDOL1", s.data.Value(emv.TagCDOL1)); err != nil {
		return goOn, err
	}
	s.cdol2, err = parseDOL("CDOL2", s.data.Value(emv.TagCDOL2))
	return goOn, err
}

// readRecord reads one record. In files 1 to 10 it must be one template 70; in 11 to 30 its form is the payment
// system's, and one that is no template is read and left (Book 3, 5.3.2.1 and 10.2).
func (s *session) readRecord(ctx context.Context, f file, record byte) error {
	sfi := f.sfi
	name := fmt.Sprintf("READ RECORD %d of file %d", record, sfi)
	data, err := s.transmit(ctx, name, apdu(0x00, 0xB2, record, sfi<<3|0x04, nil))
	if err := must(name, sectionRead, err); err != nil {
		return err
	}
	if record-f.first < f.signed {
		s.oda.take(sfi, record, data)
	}
	items, err := tlv.Parse(data)
	whole := err == nil && len(items) == 1 && items[0].Tag == emv.TagReadRecordTemplate
	if whole && sfi > 10 {
		if _, err := tlv.Parse(items[0].Value); err != nil {
			whole = false
		}
	}
	switch {
	case whole:
		return s.store(items[0].Value, emv.TagReadRecordTemplate)
	case sfi <= 10:
		return fault(sectionRead, "%s: not one record template", name)
	}
	return nil
}

// file is one entry of the AFL: records first to last of one short file.
type file struct{ sfi, first, last, signed byte }

// parseAFL reads the AFL: entries of four bytes (Book 3, 10.2).
func parseAFL(b []byte) ([]file, error) {
	if len(b) == 0 || len(b)%4 != 0 {
		return nil, fault(sectionRead, "AFL of %d bytes", len(b))
	}
	var files []file
	records := 0
	for i := 0; i < len(b); i += 4 {
		f := file{b[i] >> 3, b[i+1], b[i+2], b[i+3]}
		switch {
		case b[i]&0x07 != 0 || f.sfi < 1 || f.sfi > 30:
			return nil, fault(sectionRead, "AFL entry %d: no file from 1 to 30", i/4+1)
		case f.first == 0 || f.last < f.first:
			return nil, fault(sectionRead, "AFL entry %d: records %d to %d", i/4+1, f.first, f.last)
		case int(f.signed) > int(f.last-f.first)+1:
			return nil, fault(sectionRead, "AFL entry %d: more records signed than named", i/4+1)
		}
		if records += int(f.last-f.first) + 1; records > maxRecords {
			return nil, fault(sectionRead, "AFL names more than %d records", maxRecords)
		}
		files = append(files, f)
	}
	return files, nil
}

// checkAccount refuses a PAN that is none, and a track 2 that is another account's: the message to the host would carry
// one number and the cryptogram vouch for another.
func (s *session) checkAccount() error {
	const section = "Book 3, Annex A"
	pan, err := emv.NewPAN(strings.TrimRight(fmt.Sprintf("%X", s.data.Value(emv.TagPAN)), "F"))
	if err != nil {
		return fault(section, "the card's tag %s is not an account number", emv.TagPAN)
	}
	tag57, ok := s.data.Get(emv.TagTrack2EquivalentData)
	if !ok {
		return nil
	}
	track, err := emv.NewTrack2(tag57)
	if err != nil {
		return fault(section, "the card's tag %s is not a track 2", emv.TagTrack2EquivalentData)
	}
	if track.PAN().Clear() != pan.Clear() {
		return fault(section, "the card's tags %s and %s name two accounts", emv.TagPAN, emv.TagTrack2EquivalentData)
	}
	return nil
}
