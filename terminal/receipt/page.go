package receipt

import (
	"fmt"
	"strings"
)

// Language is in which language a page is laid out where the medium can show it.
type Language string

// The languages. In Both, English and Arabic stand beside or below each other.
const (
	English Language = "en"
	Arabic  Language = "ar"
	Both    Language = "both"
)

// ParseLanguage reads a language's name.
func ParseLanguage(s string) (Language, error) {
	switch l := Language(s); l {
	case English, Arabic, Both:
		return l, nil
	}
	return "", fmt.Errorf("%q is no language of receipts: there are en, ar and both", s)
}

// Layout is how a block stands on the page.
type Layout uint8

// The layouts.
const (
	Centre    = Layout(centre)  // a line in the middle
	Big       = Layout(big)     // the same, larger
	Pair      = Layout(pair)    // label and value
	Words     = Layout(words)   // running text
	Rule      = Layout(rule)    // a line across
	Bar       = Layout(bar)     // a heavy line across
	Gap       = Layout(gap)     // an empty line
	Signature = Layout(signing) // room to sign, a line, and what it is for below
)

// Block is one element of a page, for media that lay it out themselves. All its text is printable and of one line. What has no Arabic
// (a name, a number, what a host said) has none here, and is shown as it is.
type Block struct {
	Layout      Layout
	Label, Text string // Label is a Pair's alone

	ArabicLabel, ArabicText string
}

// Page is the receipt from top to bottom, the same that Text and HTML lay out.
func (r Receipt) Page() []Block { return blocks(r.page(), r.Merchant) }

// Page is as Receipt's.
func (s KernelSlip) Page() []Block { return blocks(s.page(), s.Merchant) }

// Page is as Receipt's.
func (s BatchSlip) Page() []Block { return blocks(s.page(), s.Merchant) }

// blocks are a page's, whose first lines are the shop's name and place.
func blocks(page []block, h Header) []Block {
	out := make([]Block, len(page))
	for i, k := range page {
		b := Block{Layout: Layout(k.kind), Label: k.label, Text: k.text, ArabicLabel: inArabic(k.label), ArabicText: inArabic(k.text)}
		switch {
		case i == 0:
			b.ArabicText = h.NameArabic
		case i <= len(h.Location):
			b.ArabicText = ""
			if i <= len(h.LocationArabic) {
				b.ArabicText = h.LocationArabic[i-1]
			}
		}
		out[i] = b
	}
	return out
}

// Lines lays the block out in English, in columns of a fixed font: a line each, without spaces at their ends. Width as Text has it.
func (b Block) Lines(width int) []string {
	k := block{kind: kind(b.Layout), label: b.Label, text: b.Text}
	lines := k.lines(columns(width))
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return lines
}
