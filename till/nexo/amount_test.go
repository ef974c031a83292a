package nexo

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
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

// Amounts as clients send them; the artefacts are what doubles print.
func TestAmounts(t *testing.T) {
	for _, c := range []struct {
		text, code string
		minor      int64 // -1: refused
	}{
		{"12.345", "KWD", 12_345},
		{"10.5", "KWD", 10_500},
		{"5", "KWD", 5_000},
		{"0.30000000000000004", "KWD", 300}, // 0.1+0.2
		{"1.1549999999999998", "KWD", 1_155},
		{"8.940000000000001", "EUR", 894},
		{"1e1", "KWD", 10_000},
		{"1.2345e3", "KWD", 1_234_500},
		{"12345E-3", "KWD", 12_345},
		{"0.000", "KWD", 0},
		{"100", "JPY", 100},
		{"99.99999999", "USD", 10_000},
		{"999999999.999", "KWD", 999_999_999_999},
		{"1000000000", "KWD", -1}, // thirteen digits
		{"12.3456", "KWD", -1},
		{"12.3455", "KWD", -1}, // between two: nobody guesses
		{"0.5", "JPY", -1},
		{"-1", "KWD", -1},
		{"-0.0000000001", "KWD", 0},
		{"1e999999999", "KWD", -1},
		{"1e-999999999", "KWD", -1},
		{"NaN", "KWD", -1},
		{"0x10", "KWD", -1},
		{"1/3", "KWD", -1},
		{"1_000", "KWD", -1},
		{"", "KWD", -1},
		{".", "KWD", -1},
		{"1.2.3", "KWD", -1},
		{strings.Repeat("1", 65), "KWD", -1},
	} {
		got, err := minorOf(json.Number(c.text), "X", currency(t, c.code))
		if (err != nil) != (c.minor < 0) || err == nil && got != c.minor {
			t.Errorf("%s %s: %d, %v; want %d", c.code, c.text, got, err, c.minor)
		}
	}
}

// What goes out has the currency's decimals and comes back as it was.
func TestAmountsThere(t *testing.T) {
	for code, want := range map[string]string{"KWD": "10.525", "EUR": "105.25", "JPY": "10525"} {
		c := currency(t, code)
		n := major(money.New(10_525, c))
		back, err := minorOf(n, "X", c)
		if n.String() != want || err != nil || back != 10_525 {
			t.Errorf("%s: %s, and back %d, %v", code, n, back, err)
		}
	}
}

func FuzzAmount(f *testing.F) {
	for _, s := range []string{"12.345", "0.30000000000000004", "1e40", "-0", "1e-41", "00"} {
		f.Add(s)
	}
	kwd := currency(f, "KWD")
	f.Fuzz(func(t *testing.T, s string) {
		minor, err := minorOf(json.Number(s), "X", kwd)
		if err != nil {
			return
		}
		if again, err := minorOf(major(money.New(minor, kwd)), "X", kwd); err != nil || again != minor {
			t.Fatalf("%q is %d, and that is %d, %v", s, minor, again, err)
		}
	})
}

// No amount goes through a binary fraction anywhere in the package.
func TestNoBinaryFractions(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range []string{"float" + "32", "float" + "64", "big." + "Float", "Parse" + "Float"} {
			if strings.Contains(string(text), word) {
				t.Errorf("%s has %s", name, word)
			}
		}
	}
}
