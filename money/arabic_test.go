package money_test

import (
	"strings"
	"testing"

	"tillway/money"
)

// Amounts in Arabic are as ICU 74 writes them (ar-KW, with and without -u-nu-latn), but for the marks and the groups of three: the
// decimals are ISO 4217's, also where CLDR has fewer.
func TestFormatArabic(t *testing.T) {
	for _, c := range []struct {
		code   string
		minor  int64
		digits money.Digits
		want   string
	}{
		{"KWD", 10_525, money.Latin, "\u206710.525\u00a0د.ك.\u2069"},
		{"KWD", 10_525, "", "\u206710.525\u00a0د.ك.\u2069"},
		{"KWD", 1_234_500, money.ArabicIndic, "\u2067١٢٣٤٫٥٠٠\u00a0د.ك.\u2069"},
		{"KWD", 0, money.ArabicIndic, "\u2067٠٫٠٠٠\u00a0د.ك.\u2069"},
		{"KWD", -1_500, money.Latin, "\u2067\u200e-1.500\u00a0د.ك.\u2069"},
		{"KWD", -1_500, money.ArabicIndic, "\u2067\u061c-١٫٥٠٠\u00a0د.ك.\u2069"},
		{"IQD", 1_000, money.Latin, "\u20671.000\u00a0د.ع.\u2069"},
		{"SAR", 5, money.Latin, "\u20670.05\u00a0ر.س.\u2069"},
		{"JPY", 500, money.ArabicIndic, "\u2067٥٠٠\u00a0JPY\u2069"},
		{"USD", 10_525, money.Latin, "\u2067105.25\u00a0USD\u2069"},
	} {
		currency, err := money.ByCode(c.code)
		if err != nil {
			t.Fatal(err)
		}
		got := money.New(c.minor, currency).FormatArabic(c.digits)
		if got != c.want {
			t.Errorf("%s %d: %+q, want %+q", c.code, c.minor, got, c.want)
		}
		if plain := money.Plain(got); strings.ContainsAny(plain, "\u200e\u200f\u061c\u2066\u2067\u2068\u2069\u00a0") || !strings.Contains(plain, " ") {
			t.Errorf("%+q is not plain", plain)
		}
	}
}

func TestDigitsNumber(t *testing.T) {
	if got := money.ArabicIndic.Number("207"); got != "٢٠٧" {
		t.Error(got)
	}
	if got := money.Latin.Number("207"); got != "207" {
		t.Error(got)
	}
}

// FuzzPlain: what is plain stays as it is, and has no mark.
func FuzzPlain(f *testing.F) {
	f.Add("\u206710.525\u00a0د.ك.\u2069")
	f.Fuzz(func(t *testing.T, s string) {
		plain := money.Plain(s)
		if money.Plain(plain) != plain || strings.ContainsAny(plain, "\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069") {
			t.Errorf("%+q", plain)
		}
	})
}
