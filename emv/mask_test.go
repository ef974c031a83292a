package emv_test

import (
	"fmt"
	"strings"
	"testing"

	"tillway/emv"
)

// TestMaskOfEveryLength: of 8 to 19 digits at most the first six and last four are shown, and where that would leave fewer
// than four hidden, the last four only. A receipt has the last four.
func TestMaskOfEveryLength(t *testing.T) {
	const digits = "5413330089604111724"
	for n := 8; n <= len(digits); n++ {
		pan, err := emv.NewPAN(digits[:n])
		if err != nil {
			t.Fatal(err)
		}
		want := strings.Repeat("*", n-4) + digits[n-4:n]
		if n >= 14 {
			want = digits[:6] + strings.Repeat("*", n-10) + digits[n-4:n]
		}
		for _, got := range []string{pan.Masked(), pan.String(), fmt.Sprintf("%v %[1]s", pan)[:n], fmt.Sprintf("%d", pan)} {
			if got != want {
				t.Errorf("%d digits: %s, want %s", n, got, want)
			}
		}
		if got := pan.Last4(); got != digits[n-4:n] {
			t.Errorf("%d digits: last four %s", n, got)
		}
	}
}
