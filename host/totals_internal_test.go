package host

import (
	"fmt"
	"testing"
)

// FuzzTotals: what is read out of field 63 in its usual layout, written again, is what stood there; in the others, nothing is
// counted that is not there.
func FuzzTotals(f *testing.F) {
	for _, text := range []string{"", "001000000050000", "001000000001000000000000000000", "00100000000100000000000000000x"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		sum, err := parseTotals(text)
		if err != nil {
			if sum != (totals{}) {
				t.Fatalf("%q is refused and read as %+v", text, sum)
			}
			return
		}
		if sum.sales < 0 || sum.refunds < 0 || sum.salesSum < 0 || sum.refundsSum < 0 {
			t.Fatalf("%q is read as %+v", text, sum)
		}
		again, err := parseTotals(sum.text(len(text)))
		if err != nil {
			t.Fatalf("%+v is written %q", sum, sum.text(len(text)))
		}
		if len(text) <= 30 && (again != sum || sum.text(len(text)) != text) {
			t.Fatalf("%q is read as %+v, and that again as %+v", text, sum, again)
		}
	})
}

// FuzzLaterTotals: what is read out of field 124 is never below nothing, and is what one scheme with these sums would be read as.
func FuzzLaterTotals(f *testing.F) {
	const one = "VCBNK1" + "0000000012" + "000000000126300" + "0000000001" + "000000000005000" + "000000000000000" + "000000000000000" + "0000000003"
	for _, text := range []string{"", "00", "01" + one, "02" + one + one, "01" + one[1:], "02" + one, ":0", "01VCBNK1000000001x" + one[18:]} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		sum, err := parseTotals1993(text)
		if err != nil {
			if sum != (totals{}) {
				t.Fatalf("%q is refused and read as %+v", text, sum)
			}
			return
		}
		if sum.sales < 0 || sum.refunds < 0 || sum.salesSum < 0 || sum.refundsSum < 0 {
			t.Fatalf("%q is read as %+v", text, sum)
		}
		again, err := parseTotals1993(fmt.Sprintf("01  BNK1%010d%015d%010d%015d%030d%010d", sum.sales, sum.salesSum, sum.refunds, sum.refundsSum, 0, 0))
		if sum.sales < 1e10 && sum.refunds < 1e10 && sum.salesSum < 1e15 && sum.refundsSum < 1e15 && (err != nil || again != sum) {
			t.Fatalf("%+v comes back as %+v (%v)", sum, again, err)
		}
	})
}
