package store

import (
	"fmt"
	"testing"
)

// A lease that is believed is one that was written: no other text says the same number.
func FuzzLease(f *testing.F) {
	for _, n := range []uint64{0, 1, 1000, 1<<63 - 1, 1 << 63} {
		f.Add(encodeLease(n))
		f.Add(fmt.Sprintf(counterForm, n))
	}
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		if n, ok := decodeLease(text); ok && encodeLease(n) != text {
			t.Errorf("%q is read as %d, which is written otherwise", text, n)
		}
	})
}
