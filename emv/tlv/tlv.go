// Package tlv reads and writes BER-TLV as EMV uses it, and data object lists. It keeps order, repeats, zero-length
// objects and the very bytes of what it reads; it knows no tag's meaning (that is package emv's table).
// Sources: EMV 4.4 Book 3, 5.4 (data object lists) and Annex B (BER-TLV coding).
package tlv

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// Bounds, checked before anything is kept.
const (
	MaxDepth  = 8     // nesting of templates
	MaxLength = 65535 // bytes of one value: lengths of up to two bytes after 81 or 82
)

// ErrMalformed is wrapped by every parse error, with the offset at which the bytes stop making sense.
var ErrMalformed = errors.New("malformed BER-TLV")

// Tag is a tag of one to three bytes, as the books write it: 0x5A, 0x9F02, 0xDF8101.
type Tag uint32

// String is the tag in upper-case hex, two digits a byte: "9F02".
func (t Tag) String() string { return strings.ToUpper(hex.EncodeToString(t.Bytes())) }

// MarshalText writes the tag as String does, so that it can be a JSON key.
func (t Tag) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (t *Tag) UnmarshalText(b []byte) error {
	p, err := ParseTag(string(b))
	if err != nil {
		return err
	}
	*t = p
	return nil
}

// Bytes is the tag as it stands on the wire.
func (t Tag) Bytes() []byte {
	switch {
	case t > 0xFFFF:
		return []byte{byte(t >> 16), byte(t >> 8), byte(t)}
	case t > 0xFF:
		return []byte{byte(t >> 8), byte(t)}
	}
	return []byte{byte(t)}
}

// Constructed says whether the value holds further objects (Annex B1, first byte bit 6).
func (t Tag) Constructed() bool { return t.Bytes()[0]&0x20 != 0 }

// ParseTag reads a tag written in hex ("9F02"); it must be one whole tag and nothing else.
func ParseTag(text string) (Tag, error) {
	b, err := hex.DecodeString(text)
	if err != nil {
		return 0, fmt.Errorf("tag %q: %w", text, ErrMalformed)
	}
	t, n, err := ReadTag(b)
	if err != nil || n != len(b) {
		return 0, fmt.Errorf("tag %q: %w", text, ErrMalformed)
	}
	return t, nil
}

// ReadTag reads the tag that b starts with and says how many bytes it took, one to three (Annex B1).
func ReadTag(b []byte) (Tag, int, error) {
	if len(b) == 0 {
		return 0, 0, fmt.Errorf("no tag: %w", ErrMalformed)
	}
	t := Tag(b[0])
	if b[0]&0x1F != 0x1F {
		return t, 1, nil
	}
	for n := 1; n < 3 && n < len(b); n++ {
		t = t<<8 | Tag(b[n])
		if b[n]&0x80 == 0 {
			return t, n + 1, nil
		}
	}
	return 0, 0, fmt.Errorf("tag longer than three bytes or cut off: %w", ErrMalformed)
}

// readLength reads a length field: one byte, or 81 and one, or 82 and two (Annex B2).
func readLength(b []byte) (length, n int, err error) {
	switch {
	case len(b) > 0 && b[0] < 0x80:
		return int(b[0]), 1, nil
	case len(b) > 1 && b[0] == 0x81:
		return int(b[1]), 2, nil
	case len(b) > 2 && b[0] == 0x82:
		return int(b[1])<<8 | int(b[2]), 3, nil
	}
	return 0, 0, fmt.Errorf("length field: %w", ErrMalformed)
}

// Item is one data object. Value and Raw share memory with the bytes that were parsed.
type Item struct {
	Tag   Tag
	Value []byte
	Raw   []byte // the whole object as it was read: tag, length and value
}

// Parse reads the data objects of one level, in order, repeats kept. Bytes 00 between, before and after objects are
// skipped (Annex B). Constructed values are not opened: call Parse on them. Error: ErrMalformed, and what was read
// up to there.
func Parse(b []byte) ([]Item, error) {
	var items []Item
	for i := 0; i < len(b); {
		if b[i] == 0 {
			i++
			continue
		}
		t, n, err := ReadTag(b[i:])
		if err != nil {
			return items, fmt.Errorf("at byte %d: %w", i, err)
		}
		length, m, err := readLength(b[i+n:])
		if err != nil {
			return items, fmt.Errorf("tag %s at byte %d: %w", t, i, err)
		}
		start := i + n + m
		if length > len(b)-start {
			return items, fmt.Errorf("tag %s at byte %d wants %d bytes, %d are there: %w", t, i, length, len(b)-start, ErrMalformed)
		}
		end := start + length
		items = append(items, Item{t, b[start:end:end], b[i:end:end]})
		i = end
	}
	return items, nil
}

// Find returns the first value of the tag at this level.
func Find(items []Item, tag Tag) ([]byte, bool) {
	for _, it := range items {
		if it.Tag == tag {
			return it.Value, true
		}
	}
	return nil, false
}

// Walk calls visit for every data object, templates before what they hold, depth from 0. It opens constructed
// objects down to MaxDepth. An error of visit or ErrMalformed ends it.
func Walk(b []byte, visit func(depth int, it Item) error) error { return walk(b, 0, visit) }

func walk(b []byte, depth int, visit func(int, Item) error) error {
	if depth > MaxDepth {
		return fmt.Errorf("templates nested deeper than %d: %w", MaxDepth, ErrMalformed)
	}
	items, err := Parse(b)
	if err != nil {
		return err
	}
	for _, it := range items {
		if err := visit(depth, it); err != nil {
			return err
		}
		if it.Tag.Constructed() {
			if err := walk(it.Value, depth+1, visit); err != nil {
				return err
			}
		}
	}
	return nil
}

// Append writes one data object behind dst, with the shortest length field. A value longer than MaxLength is a
// defect of the caller and panics.
func Append(dst []byte, tag Tag, value []byte) []byte {
	dst = append(dst, tag.Bytes()...)
	switch n := len(value); {
	case n < 0x80:
		dst = append(dst, byte(n))
	case n <= 0xFF:
		dst = append(dst, 0x81, byte(n))
	case n <= MaxLength:
		dst = append(dst, 0x82, byte(n>>8), byte(n))
	default:
		panic(fmt.Sprintf("tlv: value of tag %s has %d bytes, more than %d", tag, n, MaxLength))
	}
	return append(dst, value...)
}
