package nac

import "testing"

// FuzzTotals: what is read out of DE 63 in its usual layout, written again, is what stood there; and no layout gives more than
// its pairs hold.
func FuzzTotals(f *testing.F) {
	for _, text := range []string{"", "001000000050000", "001000000001000000000000000000", "00100000000100000000000000000x"} {
		f.Add(text)
	}
	d, err := New(Settings{TPDU: "6000030000", NII: "003"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		lines := parseTotals(text)
		if lines == nil {
			return
		}
		if len(lines) != 1 || lines[0].Sales < 0 || lines[0].SalesSum < 0 || lines[0].Refunds < 0 || lines[0].RefundsSum < 0 || lines[0].Sales > 3*maxCount || lines[0].SalesSum > 3*maxSum {
			t.Fatalf("%q is read as %+v", text, lines)
		}
		if len(text) != totalsOfSalesAndRefunds {
			return
		}
		if again, err := d.writeTotals(lines); err != nil || again != text {
			t.Fatalf("%q is read as %+v, which is written %q (%v)", text, lines, again, err)
		}
	})
}
