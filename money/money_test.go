package money_test

import (
	"encoding/json"
	"errors"
	"math"
	"testing"

	"tillway/money"
)

func currency(t testing.TB, code string) money.Currency {
	t.Helper()
	c, err := money.ByCode(code)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestParse(t *testing.T) {
	for _, c := range []struct {
		text, code string
		minor      int64
		err        error
	}{
		{"10.525", "KWD", 10_525, nil},
		{"5", "KWD", 5_000, nil},
		{"0.001", "KWD", 1, nil},
		{"0", "KWD", 0, nil},
		{"007.5", "KWD", 7_500, nil},
		{"999999999.999", "KWD", money.MaxMinor, nil},
		{"000000999999999.999", "KWD", money.MaxMinor, nil},
		{"105.25", "USD", 10_525, nil},
		{"10525", "JPY", 10_525, nil},
		{"999999999999", "JPY", money.MaxMinor, nil},

		{"10.5255", "KWD", 0, money.ErrDecimals},
		{"105.250", "USD", 0, money.ErrDecimals},
		{"1.0", "JPY", 0, money.ErrDecimals},
		{"1000000000", "KWD", 0, money.ErrRange},
		{"99999999999999999999999999", "KWD", 0, money.ErrRange},
		{"", "KWD", 0, money.ErrFormat},
		{".", "KWD", 0, money.ErrFormat},
		{".5", "KWD", 0, money.ErrFormat},
		{"5.", "KWD", 0, money.ErrFormat},
		{"1.2.3", "KWD", 0, money.ErrFormat},
		{"1,5", "KWD", 0, money.ErrFormat},
		{"-1", "KWD", 0, money.ErrFormat},
		{"+1", "KWD", 0, money.ErrFormat},
		{" 1", "KWD", 0, money.ErrFormat},
		{"1e3", "KWD", 0, money.ErrFormat},
		{"0x10", "KWD", 0, money.ErrFormat},
		{"١٠", "KWD", 0, money.ErrFormat}, // Arabic-Indic digits are for showing, not for reading
		{"1_000", "KWD", 0, money.ErrFormat},
	} {
		got, err := money.Parse(c.text, currency(t, c.code))
		if !errors.Is(err, c.err) || got.Minor != c.minor {
			t.Errorf("Parse(%q, %s) = %d, %v; want %d, %v", c.text, c.code, got.Minor, err, c.minor, c.err)
		}
		if err == nil && got.Currency.Code != c.code {
			t.Errorf("Parse(%q, %s) lost the currency: %v", c.text, c.code, got.Currency)
		}
	}
}

func TestString(t *testing.T) {
	for _, c := range []struct {
		minor        int64
		code         string
		text, format string
	}{
		{10_525, "KWD", "10.525", "KWD 10.525"},
		{10_525, "USD", "105.25", "USD 105.25"},
		{10_525, "JPY", "10525", "JPY 10525"},
		{0, "KWD", "0.000", "KWD 0.000"},
		{1, "KWD", "0.001", "KWD 0.001"},
		{-1, "USD", "-0.01", "USD -0.01"},
		{-10_525, "KWD", "-10.525", "KWD -10.525"},
		{math.MinInt64, "JPY", "-9223372036854775808", "JPY -9223372036854775808"},
		{math.MinInt64, "KWD", "-9223372036854775.808", "KWD -9223372036854775.808"},
	} {
		a := money.New(c.minor, currency(t, c.code))
		if a.String() != c.text || a.Format() != c.format {
			t.Errorf("%d %s = %q, %q; want %q, %q", c.minor, c.code, a.String(), a.Format(), c.text, c.format)
		}
	}
}

func TestN12(t *testing.T) {
	kwd := currency(t, "KWD")
	for minor, want := range map[int64]string{0: "000000000000", 10_525: "000000010525", money.MaxMinor: "999999999999"} {
		if got, err := money.New(minor, kwd).N12(); got != want || err != nil {
			t.Errorf("N12 of %d = %q, %v; want %q", minor, got, err, want)
		}
	}
	for _, minor := range []int64{-1, money.MaxMinor + 1, math.MaxInt64, math.MinInt64} {
		if got, err := money.New(minor, kwd).N12(); !errors.Is(err, money.ErrRange) || got != "" {
			t.Errorf("N12 of %d = %q, %v; want it refused", minor, got, err)
		}
	}
}

func TestAdd(t *testing.T) {
	kwd, usd := currency(t, "KWD"), currency(t, "USD")
	for _, c := range []struct {
		a, b money.Amount
		want int64
		err  error
	}{
		{money.New(10_000, kwd), money.New(525, kwd), 10_525, nil},
		{money.New(10_000, kwd), money.New(-10_525, kwd), -525, nil},
		{money.New(math.MaxInt64, kwd), money.New(0, kwd), math.MaxInt64, nil},
		{money.New(math.MinInt64, kwd), money.New(math.MaxInt64, kwd), -1, nil},
		{money.New(1, kwd), money.New(1, usd), 0, money.ErrCurrency},
		{money.Amount{}, money.New(1, kwd), 0, money.ErrCurrency},
		{money.New(math.MaxInt64, kwd), money.New(1, kwd), 0, money.ErrRange},
		{money.New(math.MinInt64, kwd), money.New(-1, kwd), 0, money.ErrRange},
	} {
		got, err := c.a.Add(c.b)
		if !errors.Is(err, c.err) || got.Minor != c.want {
			t.Errorf("%s + %s = %d, %v; want %d, %v", c.a.Format(), c.b.Format(), got.Minor, err, c.want, c.err)
		}
	}
}

// TestCurrencies holds exponents to ISO 4217's list of 2024 (amendment 176): codes, numbers and minor units.
func TestCurrencies(t *testing.T) {
	for code, want := range map[string]money.Currency{
		"KWD": {"KWD", 414, 3}, "BHD": {"BHD", 48, 3}, "OMR": {"OMR", 512, 3}, "JOD": {"JOD", 400, 3},
		"IQD": {"IQD", 368, 3}, "TND": {"TND", 788, 3}, "LYD": {"LYD", 434, 3}, "SAR": {"SAR", 682, 2},
		"AED": {"AED", 784, 2}, "QAR": {"QAR", 634, 2}, "EGP": {"EGP", 818, 2}, "USD": {"USD", 840, 2},
		"EUR": {"EUR", 978, 2}, "GBP": {"GBP", 826, 2}, "INR": {"INR", 356, 2}, "CAD": {"CAD", 124, 2},
		"JPY": {"JPY", 392, 0}, "VND": {"VND", 704, 0},
	} {
		byCode, err := money.ByCode(code)
		if err != nil || byCode != want {
			t.Errorf("ByCode(%s) = %v, %v; want %v", code, byCode, err, want)
		}
		byNumber, err := money.ByNumeric(want.Numeric)
		if err != nil || byNumber != want {
			t.Errorf("ByNumeric(%03d) = %v, %v; want %v", want.Numeric, byNumber, err, want)
		}
	}
	for _, code := range []string{"", "kwd", "XXX", "KWDD"} {
		if c, err := money.ByCode(code); !errors.Is(err, money.ErrCurrency) {
			t.Errorf("ByCode(%q) = %v, %v; want it refused", code, c, err)
		}
	}
	if c, err := money.ByNumeric(999); !errors.Is(err, money.ErrCurrency) {
		t.Errorf("ByNumeric(999) = %v, %v; want it refused", c, err)
	}
}

func TestJSON(t *testing.T) {
	text, err := json.Marshal(money.New(10_525, currency(t, "KWD")))
	if err != nil || string(text) != `{"minor":10525,"currency":"KWD"}` {
		t.Fatalf("marshalled to %s, %v", text, err)
	}
	var back money.Amount
	if err := json.Unmarshal(text, &back); err != nil || back.Format() != "KWD 10.525" || back.Currency.Numeric != 414 {
		t.Errorf("read back %+v, %v", back, err)
	}
	if err := json.Unmarshal([]byte(`{"minor":0,"currency":""}`), &back); err != nil || back != (money.Amount{}) {
		t.Errorf("zero value read back as %+v, %v", back, err)
	}
	for _, bad := range []string{`{"minor":5}`, `{"minor":5,"currency":"XXX"}`, `{"minor":1.5,"currency":"KWD"}`, `{"minor":"5","currency":"KWD"}`, `7`} {
		kept := money.New(1, currency(t, "USD"))
		if err := json.Unmarshal([]byte(bad), &kept); err == nil {
			t.Errorf("%s was read as %s", bad, kept.Format())
		} else if kept.Minor != 1 {
			t.Errorf("%s was refused and still changed the amount to %s", bad, kept.Format())
		}
	}
}

// FuzzParse: what is read is within bounds and is read again, from its own text, as the same amount.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"10.525", "0", "999999999.999", "1.2.3", "-5", "٣"} {
		f.Add(seed, uint16(414))
	}
	f.Fuzz(func(t *testing.T, text string, numeric uint16) {
		c, err := money.ByNumeric(numeric)
		if err != nil {
			return
		}
		a, err := money.Parse(text, c)
		if err != nil {
			return
		}
		if a.Minor < 0 || a.Minor > money.MaxMinor {
			t.Fatalf("%q gave %d", text, a.Minor)
		}
		if again, err := money.Parse(a.String(), c); err != nil || again != a {
			t.Fatalf("%q is %s, and that is %s, %v", text, a, again, err)
		}
		if n, err := a.N12(); err != nil || len(n) != 12 {
			t.Fatalf("%q has the twelve digits %q, %v", text, n, err)
		}
	})
}

// TestCurrencyInJSON: a currency is its code, as the API has it everywhere; the object of older records is still read, and nothing that is
// no row of ISO 4217.
func TestCurrencyInJSON(t *testing.T) {
	kwd := currency(t, "KWD")
	if b, err := json.Marshal(kwd); err != nil || string(b) != `"KWD"` {
		t.Errorf("%s, %v", b, err)
	}
	for text, want := range map[string]money.Currency{`"KWD"`: kwd, `{"Code":"KWD","Numeric":414,"Exponent":3}`: kwd, `""`: {}, `{"Code":"","Numeric":0,"Exponent":0}`: {}} {
		var got money.Currency
		if err := json.Unmarshal([]byte(text), &got); err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{`"XXQ"`, `{"Code":"KWD","Numeric":414,"Exponent":2}`, `7`, `"kwd"`} {
		var got money.Currency
		if err := json.Unmarshal([]byte(text), &got); err == nil {
			t.Errorf("%s was taken for %+v", text, got)
		}
	}
}
