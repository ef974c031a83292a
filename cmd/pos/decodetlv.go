package main

import (
	"fmt"
	"strings"

	"tillway/emv"
	"tillway/emv/tlv"
)

// object is one decoded data object.
type object struct {
	Tag      string   `json:"tag"`
	Name     string   `json:"name"`
	Format   string   `json:"format,omitempty"`
	Length   int      `json:"length"`
	Value    string   `json:"value,omitempty"` // hex; masked for a secret; not there for a template
	Text     string   `json:"text,omitempty"`  // the value as its format reads it
	Meaning  []string `json:"meaning,omitempty"`
	Secret   bool     `json:"secret,omitempty"`
	Children []object `json:"children,omitempty"`
}

// objects decodes one level and all below it.
func objects(b []byte, clear bool, depth int) ([]object, error) {
	if depth > tlv.MaxDepth {
		return nil, fmt.Errorf("templates nested deeper than %d: %w", tlv.MaxDepth, tlv.ErrMalformed)
	}
	items, err := tlv.Parse(b)
	var out []object
	for _, it := range items {
		o, inner := decodeObject(it, clear, depth)
		out = append(out, o)
		if inner != nil {
			return out, fmt.Errorf("inside %s: %w", it.Tag, inner)
		}
	}
	return out, err
}

func decodeObject(it tlv.Item, clear bool, depth int) (object, error) {
	e, known := emv.Lookup(it.Tag)
	o := object{Tag: it.Tag.String(), Name: e.Name, Format: string(e.Format), Length: len(it.Value)}
	if !known {
		o.Name = "unknown"
	}
	if it.Tag.Constructed() {
		o.Format = ""
		var err error
		o.Children, err = objects(it.Value, clear, depth+1)
		return o, err
	}
	o.Value = fmt.Sprintf("%X", it.Value)
	if emv.SecretTag(it.Tag) {
		o.Secret = true
		if !clear {
			o.Value = maskedValue(it)
			return o, nil
		}
	}
	o.Text = valueText(e, it.Value)
	o.Meaning = meaning(it.Tag, it.Value)
	return o, nil
}

// maskedValue keeps of a secret what may be shown: of a PAN its first six and last four digits, of all else its length.
func maskedValue(it tlv.Item) string {
	switch it.Tag {
	case emv.TagPAN:
		if pan, err := emv.NewPAN(strings.TrimRight(fmt.Sprintf("%X", it.Value), "F")); err == nil {
			return pan.Masked()
		}
	case emv.TagTrack2EquivalentData:
		if t, err := emv.NewTrack2(it.Value); err == nil {
			return t.String()
		}
	}
	return strings.Repeat("**", len(it.Value))
}

func valueText(e emv.Element, v []byte) string {
	switch e.Format {
	case emv.FormatA, emv.FormatAN, emv.FormatANS:
		for _, c := range v {
			if c < ' ' || c > '~' {
				return ""
			}
		}
		return string(v)
	case emv.FormatCN:
		return strings.TrimRight(fmt.Sprintf("%X", v), "F")
	case emv.FormatN, emv.FormatB:
	}
	return ""
}

// bitElement is a data element whose bits have names.
type bitElement struct {
	use, name string
	tag       tlv.Tag
	length    int // 0: any
	names     func([]byte) []string
}

func bitElements() []bitElement {
	return []bitElement{
		{"tvr", "Terminal Verification Results (95)", emv.TagTVR, 5, func(b []byte) []string { return emv.TVR(b).Names() }},
		{"tsi", "Transaction Status Information (9B)", emv.TagTSI, 2, func(b []byte) []string { return emv.TSI(b).Names() }},
		{"aip", "Application Interchange Profile (82)", emv.TagAIP, 2, func(b []byte) []string { return emv.AIP(b).Names() }},
		{"auc", "Application Usage Control (9F07)", emv.TagAUC, 2, func(b []byte) []string { return emv.AUC(b).Names() }},
		{"capabilities", "Terminal Capabilities (9F33)", emv.TagTerminalCapabilities, 3, func(b []byte) []string { return emv.Capabilities(b).Names() }},
		{"additional-capabilities", "Additional Terminal Capabilities (9F40)", emv.TagAdditionalTerminalCapabilities, 5, func(b []byte) []string { return emv.MoreCapabilities(b).Names() }},
		{"cid", "Cryptogram Information Data (9F27)", emv.TagCID, 1, func(b []byte) []string { return emv.CID(b[0]).Names() }},
		{"cvmresults", "CVM Results (9F34)", emv.TagCVMResults, 3, cvmResults},
		{"cvmlist", "CVM List (8E)", emv.TagCVMList, 0, cvmList},
		{"terminal-type", "Terminal Type (9F35)", emv.TagTerminalType, 1, terminalType},
	}
}

// meaning opens a value that is bits or a list.
func meaning(tag tlv.Tag, v []byte) []string {
	for _, e := range bitElements() {
		if e.tag == tag && (len(v) == e.length || e.length == 0) {
			return e.names(v)
		}
	}
	switch tag {
	case emv.TagCDOL1, emv.TagCDOL2, emv.TagPDOL, emv.TagTDOL, emv.TagDDOL:
		if dol, err := tlv.ParseDOL(v); err == nil {
			var out []string
			for _, w := range dol {
				out = append(out, wantText(w))
			}
			return out
		}
	}
	return nil
}

func wantText(w tlv.Want) string {
	return fmt.Sprintf("%s %s, %d bytes", w.Tag, nameOf(w.Tag), w.Length)
}

func nameOf(t tlv.Tag) string {
	if e, ok := emv.Lookup(t); ok {
		return e.Name
	}
	return "unknown"
}

func (a *app) decodeTLV(b []byte, clear bool) error {
	list, err := objects(b, clear, 0)
	if err != nil {
		return usage("%w", err)
	}
	if a.json {
		return a.printJSON(map[string]any{"objects": list})
	}
	a.printObjects(list, 0)
	return nil
}

func (a *app) printObjects(list []object, depth int) {
	indent := strings.Repeat("  ", depth)
	for _, o := range list {
		a.printf("%s%s\n", indent, o)
		for _, m := range o.Meaning {
			a.printf("%s    %s\n", indent, m)
		}
		a.printObjects(o.Children, depth+1)
	}
}

// String is the object in one line.
func (o object) String() string {
	s := fmt.Sprintf("%-6s %s [%d]", o.Tag, o.Name, o.Length)
	if o.Format != "" {
		s = fmt.Sprintf("%-6s %s [%s, %d]", o.Tag, o.Name, o.Format, o.Length)
	}
	if o.Value != "" {
		s += " " + o.Value
	}
	if o.Text != "" {
		s += fmt.Sprintf(" %q", o.Text)
	}
	return s
}
