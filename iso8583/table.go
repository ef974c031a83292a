package iso8583

import "fmt"

// MaxFrame bounds a message in bytes, TPDU included, length prefix not. Longer ones are neither read nor written.
const MaxFrame = 8192

// tpduLength is the transport header of the NAC family: an identifier and two addresses of two bytes.
const tpduLength = 5

// Kind is what a field's value is made of.
type Kind uint8

// The kinds. Text is any bytes (it is shown as text where it is printable); Track2 is digits and the separator D.
const (
	Numeric Kind = iota
	Text
	Track2
	Binary
)

// Encoding is how the value stands on the wire.
type Encoding uint8

// The encodings. BCD is for Numeric and Track2, two digits a byte; ASCII for all but Binary; Raw for Binary.
const (
	BCD Encoding = iota
	ASCII
	Raw
)

// Length is the length prefix. It counts digits of Numeric and Track2, bytes of the others.
type Length uint8

// The prefixes. Fixed has none: the value is exactly Max long. LLBCD is one byte, LLLBCD two, with a leading zero
// nibble; LLASCII and LLLASCII are two and three characters.
const (
	Fixed Length = iota
	LLBCD
	LLLBCD
	LLASCII
	LLLASCII
)

// Padding is what fills a value that is too short, and the spare nibble of an odd number of BCD digits.
type Padding uint8

// The paddings. Unpacking keeps the padding of text and of short numbers as part of the value; only a spare nibble is
// not part of it, and it must be the right one.
const (
	NoPadding   Padding = iota // a fixed value must be exactly as long as its row says
	ZeroLeft                   // zeros before a fixed number; a spare nibble is 0 and comes first
	SpaceRight                 // spaces behind fixed text
	FillerRight                // a spare nibble comes last and is the table's Filler; the other filler is read too
)

// Filler is the spare nibble behind an odd number of track-2 digits. Acquirers differ.
type Filler uint8

// The fillers found in terminal messages.
const (
	FillerF Filler = iota
	FillerZero
)

func (f Filler) nibble() byte {
	if f == FillerZero {
		return 0
	}
	return 0x0F
}

// Mask says what of a value may be shown.
type Mask uint8

// The masks. MaskTags shows DE 55 with the values of card-data tags left out.
const (
	Show      Mask = iota
	MaskPAN        // first six and last four; of fewer than 14 digits the last four
	MaskTrack      // as MaskPAN up to the separator, nothing behind it
	MaskAll        // length only
	MaskTags
)

// Field is one row of a Table.
type Field struct {
	Number   int    // 2 to 128, but not 65
	Name     string // for people
	Kind     Kind
	Encoding Encoding
	Length   Length
	Padding  Padding
	Max      int // digits or bytes: the length when Fixed, else the most
	Mask     Mask
}

// Format is the row in the notation of ISO 8583: "n 12", "ans..999", "z..37", "b 8".
func (f Field) Format() string {
	kind := map[Kind]string{Numeric: "n", Text: "ans", Track2: "z", Binary: "b"}[f.Kind]
	if f.Length == Fixed {
		return fmt.Sprintf("%s %d", kind, f.Max)
	}
	return fmt.Sprintf("%s..%d", kind, f.Max)
}

// Table describes a family of messages. The MTI is four BCD digits and the bitmap binary, unless CharacterHeader is set.
type Table struct {
	Name            string
	TPDU            bool   // five bytes stand before the MTI
	Track2Filler    Filler // for packing; unpacking reads both
	CharacterHeader bool   // MTI in four characters and bitmap in hexadecimal characters
	Fields          []Field
}

// digits of the prefix, and whether they are BCD.
func (l Length) digits() (n int, bcd bool) {
	switch l {
	case LLBCD:
		return 2, true
	case LLLBCD:
		return 3, true
	case LLASCII:
		return 2, false
	case LLLASCII:
		return 3, false
	case Fixed:
	}
	return 0, false
}

// check finds rows that cannot be meant.
func (f Field) check() error {
	bad := func(what string) error { return fmt.Errorf("field %d (%s): %s", f.Number, f.Name, what) }
	if f.Number < 2 || f.Number > 128 || f.Number == 65 {
		return bad("a field number is 2 to 128, but not 65")
	}
	encodings := map[Kind][]Encoding{Numeric: {BCD, ASCII}, Text: {ASCII}, Track2: {BCD, ASCII}, Binary: {Raw}}
	allowed := false
	for _, e := range encodings[f.Kind] {
		allowed = allowed || e == f.Encoding
	}
	if !allowed {
		return bad("this kind has no such encoding")
	}
	if f.Length > LLLASCII {
		return bad("there is no such length prefix")
	}
	most := 999
	if n, _ := f.Length.digits(); n == 2 {
		most = 99
	}
	if f.Max < 1 || f.Max > most {
		return bad(fmt.Sprintf("length %d is not 1 to %d", f.Max, most))
	}
	switch f.Padding {
	case ZeroLeft:
		if f.Kind != Numeric {
			return bad("zeros on the left are for numbers")
		}
	case SpaceRight:
		if f.Kind != Text || f.Length != Fixed {
			return bad("spaces on the right are for fixed text")
		}
	case FillerRight:
		if f.Encoding != BCD {
			return bad("a filler nibble is for BCD")
		}
	case NoPadding:
		if f.Encoding == BCD && (f.Length != Fixed || f.Max%2 == 1) {
			return bad("an odd number of digits needs a padding")
		}
	default:
		return bad("there is no such padding")
	}
	return nil
}
