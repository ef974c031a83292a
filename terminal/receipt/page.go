package receipt

import (
	"fmt"
	"strings"

	"tillway/money"
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
	Space     = Layout(space)   // a little room; nothing where a medium has whole lines alone
)

// Block is one element of a page, for media that lay it out themselves. All its text is printable and of one line. What has no Arabic
// (a name, a number, what a host said) has none here, and is shown as it is. In Arabic, amounts and what is not Arabic stand in isolates
// (UAX 9; money.Plain takes them out).
type Block struct {
	Layout Layout
	Strong bool // a Pair that is to be seen first

	Label, Text string // Label is a Pair's alone

	ArabicLabel, ArabicText string

	BothText string // the text of a page in both languages, where it is not Text and ArabicText beside or below each other
}

// Page is the receipt from top to bottom, the same that Text and HTML lay out.
func (r Receipt) Page() []Block { return blocks(r.page(), r.Merchant.Digits) }

// Page is as Receipt's.
func (s KernelSlip) Page() []Block { return blocks(s.page(), s.Merchant.Digits) }

// Page is as Receipt's.
func (s BatchSlip) Page() []Block { return blocks(s.page(), s.Merchant.Digits) }

// blocks are a page's, with the Arabic of each.
func blocks(page []block, d money.Digits) []Block {
	out := make([]Block, len(page))
	for i, k := range page {
		b := Block{
			Layout: Layout(k.kind), Strong: k.strong, Label: k.label, Text: k.text,
			ArabicLabel: k.labelArabic, ArabicText: k.textArabic, BothText: k.both,
		}
		if b.ArabicLabel == "" {
			b.ArabicLabel = inArabic(k.label, d)
		}
		if b.ArabicText == "" && !k.raw && k.kind != pair {
			b.ArabicText = inArabic(k.text, d)
		}
		out[i] = b
	}
	return out
}

// Sheet is a page and the language that it is for: what a printer gets.
type Sheet struct {
	Language Language
	Blocks   []Block
	Logo     bool // the shop's logo stands above it, where there is one
}

// CardLanguage is the first language that a card prefers and a receipt has: "ar" or "en". Preference is tag 5F2D as sent, two to eight
// letters of ISO 639 in either case (Book 3, Annex A); empty where the card has none of them or says nothing.
func CardLanguage(preference string) Language {
	const most = 8
	for i := 0; i+2 <= min(len(preference), most); i += 2 {
		switch l := Language(strings.ToLower(preference[i : i+2])); l {
		case English, Arabic:
			return l
		case Both:
		}
	}
	return ""
}

// Languages are those of a shop's papers. The zero value is English.
type Languages struct {
	OfCard   bool     // the customer's copy is in the language that the card prefers, and in both where it prefers neither
	Customer Language // without OfCard: of the customer's copy
	Merchant Language // of the merchant's copy, reports and proofs
}

// Of is the language of a copy. Preference is the card's, as CardLanguage has it.
func (l Languages) Of(c Copy, preference string) Language {
	use := l.Merchant
	if c == Customer {
		use = l.Customer
		if own := CardLanguage(preference); l.OfCard && own != "" {
			use = own
		} else if l.OfCard {
			use = Both
		}
	}
	if use == "" {
		return English
	}
	return use
}
