package cryptogram

import "testing"

// TestDecimalize is the two examples of Book 2, A1.4.2.
func TestDecimalize(t *testing.T) {
	for hash, want := range map[string]string{
		"1230abcd567842d4b179f2ca345d6789a17b64bb": "1230567842417923",
		"1b3cabcdd6e8fad4b1cdf2cad4fdc78fa17b6ebb": "1368412478176120",
	} {
		if got := decimalize(hash, 16); got != want {
			t.Errorf("%s: %s, want %s", hash, got, want)
		}
	}
}
