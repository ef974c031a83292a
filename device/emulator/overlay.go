package emulator

import (
	"fmt"
	"maps"
	"slices"

	"tillway/emv/tlv"
)

// changes reads a table of changes, refusing what is no tag.
func changes(name string, in map[string]Change) (map[tlv.Tag]Change, error) {
	out := map[tlv.Tag]Change{}
	for text, c := range in {
		tag, err := tlv.ParseTag(text)
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrProfile, name, err)
		}
		if _, twice := out[tag]; twice {
			return nil, fmt.Errorf("%w: %s: tag %s stands twice", ErrProfile, name, tag)
		}
		out[tag] = c
	}
	return out, nil
}

// changed gives records with the changes made, and the records that were given stay as they are. add says whether a tag that
// no record has is put into the last record that has objects; otherwise it is left.
func changed(records []Record, with map[tlv.Tag]Change, add bool) []Record {
	out := slices.Clone(records)
	last := -1
	found := map[tlv.Tag]bool{}
	for i := range out {
		if out[i].Data == nil {
			continue
		}
		last = i
		out[i].Data = maps.Clone(out[i].Data)
		for name := range records[i].Data {
			tag, err := tlv.ParseTag(name)
			c, ok := with[tag]
			if err != nil || !ok {
				continue
			}
			found[tag] = true
			if delete(out[i].Data, name); !c.Gone {
				out[i].Data[tag.String()] = c.Value
			}
		}
	}
	for tag, c := range with {
		if add && last >= 0 && !found[tag] && !c.Gone {
			out[last].Data[tag.String()] = c.Value
		}
	}
	return out
}
