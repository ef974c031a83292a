package emv_test

import (
	"encoding/hex"
	"fmt"
	"testing"

	"tillway/emv"
)

// TestBrandFits: every application provider against numbers of every scheme, at the ends of each range.
func TestBrandFits(t *testing.T) {
	const visa, mastercard, amex, jcb, other = "A0000000031010", "A0000000041010", "A00000002501", "A0000000651010", "A0000004591010"
	of := map[string]string{
		"4000000000000002": visa, "4999999999999996": visa, "5413330089604111": mastercard, "2221000000000009": mastercard,
		"2720999999999996": mastercard, "5000000000000000": mastercard, "6999999999999999": mastercard, "341111111111111": amex,
		"371111111111114": amex, "3528000000000007": jcb, "3589999999999999": jcb, "2220999999999999": "", "2721000000000000": "",
		"3599999999999999": "", "3611111111111111": "", "7000000000000000": "", "351111111111111": "",
	}
	for number, owner := range of {
		pan, err := emv.NewPAN(number)
		if err != nil {
			t.Fatal(err)
		}
		for _, aid := range []string{visa, mastercard, amex, jcb, other} {
			b, err := hex.DecodeString(aid)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := emv.BrandFits(b, pan), aid == other || aid == owner; got != want {
				t.Error(fmt.Sprintf("%s with %s", aid, number[:6]), "fits:", got)
			}
		}
	}
}
