package money

import "strings"

// Digits are the digits that an amount is written with in Arabic. In English they are Latin.
type Digits string

// The digits. Card numbers, application identifiers and reference numbers are Latin in every language, so Latin is what stands beside
// them; ArabicIndic are those of the Gulf's shops (U+0660 to U+0669, with U+066B before the decimals).
const (
	Latin       Digits = "latin"
	ArabicIndic Digits = "arabic"
)

// Marks of direction (UAX 9) that an amount in Arabic has around it and before its sign.
const (
	rightToLeftIsolate = "\u2067"
	popIsolate         = "\u2069"
	leftToRightMark    = "\u200E"
	arabicLetterMark   = "\u061C"
	noBreakSpace       = "\u00A0"
)

// arabicSymbols are the currencies that have a name of their own in Arabic (CLDR 44, ar). All others keep their code.
var arabicSymbols = map[string]string{
	"AED": "د.إ.", "BHD": "د.ب.", "DZD": "د.ج.", "EGP": "ج.م.", "IQD": "د.ع.", "JOD": "د.أ.", "KWD": "د.ك.", "LBP": "ل.ل.", "LYD": "د.ل.",
	"MAD": "د.م.", "MRU": "أ.م.", "OMR": "ر.ع.", "QAR": "ر.ق.", "SAR": "ر.س.", "SDG": "ج.س.", "SYP": "ل.س.", "TND": "د.ت.", "YER": "ر.ي.",
}

// ArabicSymbol is the currency as it stands behind an amount in Arabic ("د.ك."); one without a name of its own has its code.
func (c Currency) ArabicSymbol() string {
	if s, ok := arabicSymbols[c.Code]; ok {
		return s
	}
	return c.Code
}

// FormatArabic is the amount in Arabic: its digits, a space that does not break, its currency, all within an isolate (U+2067 to U+2069),
// so that neither it nor what stands around it can be turned. The decimals are the currency's, of ISO 4217. Plain takes the marks out,
// for a medium that does not know them.
func (a Amount) FormatArabic(d Digits) string {
	number, sign := a.String(), leftToRightMark
	if d == ArabicIndic {
		number, sign = arabicIndic(number), arabicLetterMark
	}
	if strings.HasPrefix(number, "-") {
		number = sign + number
	}
	return rightToLeftIsolate + number + noBreakSpace + a.Currency.ArabicSymbol() + popIsolate
}

func arabicIndic(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= '0' && r <= '9':
			return r - '0' + '\u0660'
		case r == '.':
			return '\u066B'
		}
		return r
	}, s)
}

// Number is a whole number in these digits.
func (d Digits) Number(s string) string {
	if d == ArabicIndic {
		return arabicIndic(s)
	}
	return s
}

// Plain is a text without marks of direction and with plain spaces: for printers' own fonts, terminals, programs and databases.
func Plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\u200E', r == '\u200F', r == '\u061C', r >= '\u202A' && r <= '\u202E', r >= '\u2066' && r <= '\u2069':
			return -1
		case r == '\u00A0':
			return ' '
		}
		return r
	}, s)
}
