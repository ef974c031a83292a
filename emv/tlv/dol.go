package tlv

import "fmt"

// MaxDOLBytes bounds the data that one list may ask for: what fits a short command's data field.
const MaxDOLBytes = 252

// Want is one entry of a data object list: a tag and the length in which it is asked for.
type Want struct {
	Tag    Tag
	Length int
}

// DOL is a data object list (Book 3, 5.4): the tags and lengths a card wants, in its order.
type DOL []Want

// ParseDOL reads a list. Lengths are one byte. A list that asks for more than MaxDOLBytes in all is refused.
func ParseDOL(b []byte) (DOL, error) {
	var dol DOL
	total := 0
	for i := 0; i < len(b); {
		t, n, err := ReadTag(b[i:])
		if err != nil {
			return nil, fmt.Errorf("data object list at byte %d: %w", i, err)
		}
		if i+n >= len(b) {
			return nil, fmt.Errorf("data object list: tag %s without a length: %w", t, ErrMalformed)
		}
		w := Want{t, int(b[i+n])}
		if total += w.Length; total > MaxDOLBytes {
			return nil, fmt.Errorf("data object list asks for more than %d bytes: %w", MaxDOLBytes, ErrMalformed)
		}
		dol = append(dol, w)
		i += n + 1
	}
	return dol, nil
}

// Has says whether the list asks for the tag.
func (d DOL) Has(tag Tag) bool {
	for _, w := range d {
		if w.Tag == tag {
			return true
		}
	}
	return false
}

// Padding says at which end a value is cut or filled to the length asked for (Book 3, 5.4).
type Padding uint8

// Numeric values lose leading bytes and gain leading zeros; compressed numeric ones are filled with FF on the
// right; all others are cut and zero-filled on the right.
const (
	PadOther Padding = iota
	PadNumeric
	PadCompressedNumeric
)

// Fill concatenates the data the list asks for. lookup gives a value and how it is padded; unknown tags and
// constructed ones give zeros (Book 3, 5.4).
func (d DOL) Fill(lookup func(Tag) (value []byte, pad Padding, known bool)) []byte {
	var out []byte
	for _, w := range d {
		v, pad, known := lookup(w.Tag)
		if !known || w.Tag.Constructed() {
			out = append(out, make([]byte, w.Length)...)
			continue
		}
		out = append(out, fit(v, w.Length, pad)...)
	}
	return out
}

func fit(v []byte, length int, pad Padding) []byte {
	out := make([]byte, length)
	switch pad {
	case PadNumeric:
		if len(v) >= length {
			copy(out, v[len(v)-length:])
		} else {
			copy(out[length-len(v):], v)
		}
	case PadCompressedNumeric:
		for i := copy(out, v); i < length; i++ {
			out[i] = 0xFF
		}
	case PadOther:
		copy(out, v)
	}
	return out
}
