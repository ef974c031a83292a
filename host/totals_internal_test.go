package host

import "testing"

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
