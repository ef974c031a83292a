package iso8583

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Description is a message for people and for programs. Without clear its secrets are masked: PAN, expiry, tracks, PIN
// data, and the card-data tags in DE 55. Numbers and track 2 are digits, text is text where all of it is printable, all
// else is upper-case hexadecimal.
type Description struct {
	MTI       string            `json:"mti"`
	TPDU      string            `json:"tpdu"` // ten hexadecimal digits, empty when there is none
	Fields    map[string]string `json:"fields"`
	Reencoded string            `json:"reencoded,omitempty"` // only with clear: hexadecimal, framed as the input was

	Prefixed bool  `json:"-"` // the input began with its length
	Rows     []Row `json:"-"` // the fields in order
}

// Row is one field of a Description.
type Row struct {
	Number int
	Name   string
	Format string // "n 12", "ans..999"
	Value  string
}

// String is the description in lines: number, format, name, value.
func (d Description) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "MTI   %s\n", d.MTI)
	if d.TPDU != "" {
		fmt.Fprintf(&b, "TPDU  %s\n", d.TPDU)
	}
	for _, r := range d.Rows {
		fmt.Fprintf(&b, "%3d   %-9s %-40s %s\n", r.Number, r.Format, r.Name, r.Value)
	}
	return b.String()
}

// Describe unpacks a frame that may or may not have its length before it and a TPDU, finds out which, and describes it.
// With clear nothing is masked, and the message is packed again, framed as it came. Errors are *Error.
func (c *Codec) Describe(frame []byte, clear bool) (Description, error) {
	m, prefixed, err := c.detect(frame)
	if err != nil {
		return Description{}, err
	}
	d := Description{
		MTI: m.mti, TPDU: strings.ToUpper(hex.EncodeToString(m.TPDU)), Prefixed: prefixed,
		Fields: make(map[string]string, len(m.values)),
	}
	for _, v := range m.values {
		row := c.rows[int(v.number)]
		shown := show(row, v.text)
		if !clear {
			shown = masked(row, v.text, shown)
		}
		d.Fields[strconv.Itoa(row.Number)] = shown
		d.Rows = append(d.Rows, Row{row.Number, row.Name, row.Format(), shown})
	}
	if clear {
		again, err := c.again(m, prefixed)
		if err != nil {
			return Description{}, err
		}
		d.Reencoded = strings.ToUpper(hex.EncodeToString(again))
	}
	return d, nil
}

// detect tries the framings in the order in which a frame is least likely to be mistaken for one. What comes out is the
// first that unpacks to its last byte; when none does, the error of the one that the first bytes speak for.
func (c *Codec) detect(frame []byte) (m *Message, prefixed bool, err error) {
	if len(frame) > MaxFrame+2 {
		return nil, false, malformed(-1, "%d bytes, at most %d", len(frame), MaxFrame)
	}
	var likely error
	for _, prefixed := range []bool{true, false} {
		rest := frame
		if prefixed {
			if len(frame) < 2 || int(frame[0])<<8|int(frame[1]) != len(frame)-2 {
				continue
			}
			rest = frame[2:]
		}
		for _, tpdu := range []bool{true, false} {
			m, err := c.unpack(rest, tpdu)
			if err == nil {
				return m, prefixed, nil
			}
			if likely == nil && tpdu == (len(rest) > 0 && rest[0] == 0x60) {
				likely = err
			}
		}
	}
	return nil, false, likely
}

// again packs a message with or without TPDU, whatever the table says, and with its length before it where it had one.
func (c *Codec) again(m *Message, prefixed bool) ([]byte, error) {
	ws := c.workspace()
	defer c.pool.Put(ws)
	body, err := ws.pack(m)
	if err != nil {
		return nil, err
	}
	out := slices.Concat(m.TPDU, body)
	if prefixed {
		out = slices.Concat([]byte{byte(len(out) >> 8), byte(len(out))}, out)
	}
	return out, nil
}

func show(row Field, text string) string {
	if row.Kind == Binary || (row.Kind == Text && !printable(text)) {
		return strings.ToUpper(hex.EncodeToString([]byte(text)))
	}
	return text
}

func printable(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}

func masked(row Field, text, shown string) string {
	switch row.Mask {
	case MaskPAN:
		return maskPAN(text)
	case MaskTrack:
		pan, _, separated := strings.Cut(text, "D")
		if !separated {
			return stars(len(text))
		}
		return maskPAN(pan) + "D***"
	case MaskAll:
		return stars(len(shown))
	case MaskTags:
		return maskTags([]byte(text), 0)
	case Show:
	}
	return shown
}

func stars(n int) string { return strings.Repeat("*", n) }

func maskPAN(digits string) string {
	switch n := len(digits); {
	case n <= 4:
		return stars(n)
	case n < 14:
		return stars(n-4) + digits[n-4:]
	default:
		return digits[:6] + stars(n-10) + digits[n-4:]
	}
}

// maxMaskDepth is how deep maskTags looks into templates.
const maxMaskDepth = 4

// maskTags is the TLV string b in hexadecimal with two stars for each byte of a card-data value. From where it makes no
// sense to its end it is all stars.
func maskTags(b []byte, depth int) string {
	var out strings.Builder
	for len(b) > 0 {
		if b[0] == 0 { // allowed between objects (Book 3, Annex B)
			out.WriteString("00")
			b = b[1:]
			continue
		}
		tag, head, length, ok := readHeader(b)
		if !ok || depth > maxMaskDepth {
			out.WriteString(stars(2 * len(b)))
			break
		}
		fmt.Fprintf(&out, "%X", b[:head])
		switch v := b[head : head+length]; {
		case secretTag(tag):
			out.WriteString(stars(2 * length))
		case b[0]&0x20 != 0:
			out.WriteString(maskTags(v, depth+1))
		default:
			fmt.Fprintf(&out, "%X", v)
		}
		b = b[head+length:]
	}
	return out.String()
}

// readHeader reads the tag and length that b begins with (BER-TLV; EMV Book 3, Annex B): enough to mask, no more.
func readHeader(b []byte) (tag uint32, head, length int, ok bool) {
	tag, head = uint32(b[0]), 1
	if b[0]&0x1F == 0x1F {
		for more := true; more; head++ {
			if head >= len(b) || head > 3 {
				return 0, 0, 0, false
			}
			tag = tag<<8 | uint32(b[head])
			more = b[head]&0x80 != 0
		}
	}
	if head >= len(b) {
		return 0, 0, 0, false
	}
	first := int(b[head])
	head++
	if first < 0x80 {
		length = first
	} else {
		if first > 0x82 || first == 0x80 || head+first-0x80 > len(b) {
			return 0, 0, 0, false
		}
		for range first - 0x80 {
			length = length<<8 | int(b[head])
			head++
		}
	}
	return tag, head, length, length <= len(b)-head
}

// secretTag lists the data objects that are card data: tracks, PAN, name, expiry, service code, account, PIN, track
// discretionary data, and the certificates that hold a PAN.
func secretTag(tag uint32) bool {
	switch tag {
	case 0x56, 0x57, 0x5A, 0x5F20, 0x5F24, 0x5F30, 0x5F53, 0x99, 0x9F0B, 0x9F1F, 0x9F20, 0x9F2D, 0x9F46, 0x9F6B:
		return true
	}
	return false
}
