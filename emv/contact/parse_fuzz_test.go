package contact

import (
	"bytes"
	"log/slog"
	"testing"

	"tillway/emv"
	"tillway/emv/tlv"
)

// FuzzCardData: whatever an FCI, an AFL, a record or an issuer's answer is made of, nothing of it is out of bounds, nothing
// is where it has no place, and what was read can be written again.
func FuzzCardData(f *testing.F) {
	for _, seed := range []string{
		"6F168407A0000000031010A50B5009564953412054455354", "080101001001010018030400", "7057116F", "5A0847617390010101195F3403",
		"71109F18041122334486078418000002AABB7206860484010000", "61124F07A000000003101050074F4F4F4F4F4F4F",
	} {
		b := make([]byte, len(seed)/2)
		for i := range b {
			b[i] = unhexByte(seed[2*i])<<4 | unhexByte(seed[2*i+1])
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s := &session{log: slog.New(slog.DiscardHandler), params: emv.Params{Applications: []emv.Application{{AID: []byte{0xA0, 0, 0, 0, 3}, PartialSelect: true}}}}
		s.restart()
		if file, err := parseFCI(b); err == nil {
			s.storeFCI(file.body)
			s.addCandidate(file.name, file.proprietary, file)
			if len(file.name) < 5 || len(file.name) > 16 {
				t.Errorf("a name of %d bytes", len(file.name))
			}
			for _, tag := range s.data.Tags() {
				if e, _ := emv.Lookup(tag); !e.In(fciTemplates...) || !e.Fits(len(s.data.Value(tag))) {
					t.Errorf("tag %s of %d bytes out of an FCI", tag, len(s.data.Value(tag)))
				}
			}
		}
		for _, c := range s.candidates {
			if !bytes.HasPrefix(c.AID, []byte{0xA0, 0, 0, 0, 3}) || c.Priority > 15 || len([]rune(c.Label)) > 16 {
				t.Errorf("candidate %+v", c)
			}
		}
		if files, err := parseAFL(b); err == nil {
			var again []byte
			records := 0
			for _, f := range files {
				again = append(again, f.sfi<<3, f.first, f.last, f.signed)
				records += int(f.last) - int(f.first) + 1
			}
			if !bytes.Equal(again, b) || records > maxRecords {
				t.Errorf("AFL %X, written again %X, %d records", b, again, records)
			}
		}
		s.restart()
		if err := s.store(b, emv.TagReadRecordTemplate); err == nil {
			for _, tag := range s.data.Tags() {
				if e, _ := emv.Lookup(tag); !e.In(emv.TagReadRecordTemplate) || !e.Fits(len(s.data.Value(tag))) || len(s.data.Value(tag)) == 0 {
					t.Errorf("tag %s of %d bytes out of a record", tag, len(s.data.Value(tag)))
				}
			}
		}
		fuzzIssuerData(t, s, b)
	})
}

func fuzzIssuerData(t *testing.T, s *session, b []byte) {
	s.restart()
	s.takeIssuerData(b)
	if v, ok := s.data.Get(emv.TagIssuerAuthenticationData); ok && (len(v) < 8 || len(v) > 16) {
		t.Errorf("91 of %d bytes", len(v))
	}
	total := 0
	for _, sc := range s.scripts {
		if sc.fault != "" {
			continue
		}
		for _, command := range sc.commands {
			total += len(tlv.Append(nil, emv.TagIssuerScriptCommand, command))
		}
	}
	if len(s.scripts) > maxScripts || total > maxScriptBytes {
		t.Errorf("%d scripts, %d bytes of commands", len(s.scripts), total)
	}
}

func unhexByte(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c - 'A' + 10
}
