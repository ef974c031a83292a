package money_test

import (
	"slices"
	"testing"

	"tillway/money"
)

// The numbers and codes lead to each other, and the currencies without two decimals are exactly ISO 4217's.
func TestEveryCurrency(t *testing.T) {
	odd := map[int][]string{}
	all := 0
	for n := range uint16(1000) {
		c, err := money.ByNumeric(n)
		if err != nil {
			continue
		}
		all++
		if back, err := money.ByCode(c.Code); err != nil || back != c {
			t.Errorf("%03d is %s, and %s is %+v", n, c.Code, c.Code, back)
		}
		if c.Exponent != 2 {
			odd[c.Exponent] = append(odd[c.Exponent], c.Code)
		}
	}
	for exponent, want := range map[int][]string{
		0: {"BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"},
		3: {"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"},
	} {
		slices.Sort(odd[exponent])
		if !slices.Equal(odd[exponent], want) {
			t.Errorf("%d decimals: %v, want %v", exponent, odd[exponent], want)
		}
	}
	if len(odd) != 2 || all < 150 {
		t.Errorf("%d currencies, exponents %v", all, odd)
	}
}
