package contact

import (
	"errors"
	"fmt"
	"slices"

	"tillway/emv"
	"tillway/emv/tlv"
)

// take adds a record that the AFL names for authentication (Book 3, 10.3): of files 1 to 10 what the answer holds beside
// the template's tag and length, of files 11 to 30 the answer whole. One that is not one template 70 spoils the input.
func (a *authentication) take(sfi, record byte, data []byte) {
	items, err := tlv.Parse(data)
	if err != nil || len(items) != 1 || items[0].Tag != emv.TagReadRecordTemplate {
		if a.fault == "" {
			a.fault = fmt.Sprintf("record %d of file %d is to be authenticated and is no template 70", record, sfi)
		}
		return
	}
	if sfi > 10 {
		a.records = append(a.records, data...)
		return
	}
	before, after := around(data, items[0])
	a.records = append(append(append(a.records, before...), items[0].Value...), after...)
}

// around are the bytes 00 that may stand before and after the one object of an answer (Book 3, Annex B): they are data of
// the answer, and so of the input.
func around(data []byte, it tlv.Item) (before, after []byte) {
	for len(before) < len(data) && data[len(before)] == 0 {
		before = data[:len(before)+1]
	}
	return before, data[len(before)+len(it.Raw):]
}

// staticData is the input to authentication: the records, then the AIP where the tag list names it, which is all that the
// list may name (Book 3, 10.3; Book 2, 5.4 and 6.4, step 5).
// Reads: 82, 9F4A.
func (s *session) staticData() ([]byte, error) {
	if s.oda.fault != "" {
		return nil, errors.New(s.oda.fault)
	}
	list, ok := s.data.Get(emv.TagSDATagList)
	if !ok {
		return s.oda.records, nil
	}
	if len(list) != 1 || tlv.Tag(list[0]) != emv.TagAIP {
		return nil, errors.New("the Static Data Authentication Tag List names something else than the AIP")
	}
	return append(slices.Clip(s.oda.records), s.aip[:]...), nil
}
