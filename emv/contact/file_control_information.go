package contact

import (
	"errors"
	"strings"
	"unicode"

	"tillway/emv"
	"tillway/emv/tlv"
)

// fci is the answer to SELECT (Book 1, 11.3.4).
type fci struct {
	name        []byte     // 84
	proprietary []tlv.Item // of A5
	body        []byte     // of 6F
}

// errTemplate is an answer that is not the one template it should be.
var errTemplate = errors.New("not the template that the book wants")

// template opens an answer that must be one template and nothing else but zero bytes around it.
func template(b []byte, tag tlv.Tag) ([]tlv.Item, error) {
	items, err := tlv.Parse(b)
	if err != nil {
		return nil, err
	}
	if len(items) != 1 || items[0].Tag != tag {
		return nil, errTemplate
	}
	return tlv.Parse(items[0].Value)
}

func parseFCI(b []byte) (fci, error) {
	items, err := template(b, emv.TagFCITemplate)
	if err != nil {
		return fci{}, err
	}
	name, _ := tlv.Find(items, emv.TagDFName)
	body, ok := tlv.Find(items, emv.TagFCIProprietaryTemplate)
	if len(name) < 5 || len(name) > 16 || !ok {
		return fci{}, errTemplate
	}
	proprietary, err := tlv.Parse(body)
	if err != nil {
		return fci{}, err
	}
	return fci{name: name, proprietary: proprietary, body: b}, nil
}

func (f fci) codeTable() byte {
	if v, ok := tlv.Find(f.proprietary, emv.TagIssuerCodeTableIndex); ok && len(v) == 1 {
		return v[0]
	}
	return 0
}

// labelOf is what cardholder and receipt are shown: the preferred name if the terminal has its code table, else the
// label (Book 1, 12.4; Book 4, 11.3).
func (s *session) labelOf(preferred, label []byte, codeTable byte) string {
	var more emv.MoreCapabilities
	copy(more[:], s.data.Value(emv.TagAdditionalTerminalCapabilities))
	if more.CodeTable(codeTable) {
		if text, ok := decode(preferred, codeTable); ok && text != "" {
			return text
		}
	}
	return printable(label)
}

// decode reads text of ISO/IEC 8859: part 1 (Latin) and part 6 (Arabic), and what is ASCII of every other. A character
// that is none is left out (Book 1, 12.2.4); ok is false for a name that is too long, and for one that cannot be shown.
func decode(b []byte, codeTable byte) (string, bool) {
	if len(b) > 16 {
		return "", false
	}
	var out strings.Builder
	for _, v := range b {
		r := rune(v)
		if v >= 0xA1 && codeTable == 6 && v != 0xA4 && v != 0xAD {
			r += 0x0560 // 8859-6 keeps the order of the Arabic block
		}
		if v > 0x7F && codeTable != 1 && codeTable != 6 {
			return "", false
		}
		if unicode.IsPrint(r) {
			out.WriteRune(r)
		}
	}
	return strings.TrimSpace(out.String()), true
}

// printable keeps what is ASCII and printable, at most 16 characters.
func printable(b []byte) string {
	var out strings.Builder
	for _, v := range b[:min(len(b), 16)] {
		if v >= 0x20 && v <= 0x7E {
			out.WriteByte(v)
		}
	}
	return strings.TrimSpace(out.String())
}
