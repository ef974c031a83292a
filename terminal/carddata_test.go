package terminal_test

import (
	"strings"
	"testing"

	"tillway/emv"
	"tillway/terminal"
)

// What Plain writes is read back, and anything else is refused without a word of it.
func TestParseCardData(t *testing.T) {
	pan, err := emv.NewPAN("4761739001010119")
	if err != nil {
		t.Fatal(err)
	}
	for _, card := range []terminal.CardData{{PAN: pan}, {PAN: pan, Expiry: "2812"}, {PAN: pan, Expiry: "2812", PSN: "01"}} {
		plain, err := card.Plain()
		if err != nil {
			t.Fatal(err)
		}
		if back, err := terminal.ParseCardData(plain); err != nil || back != card {
			t.Errorf("read back as another card: %v", err)
		}
	}
	for _, bad := range []string{
		"", "{}", "null", `{"pan":"47617390"`, `{"pan":"4761"}`, `{"pan":"4761739001010119","expiry":"281"}`,
		`{"pan":"4761739001010119","expiry":"28-2"}`, `{"pan":"4761739001010119","psn":"1"}`, `{"pan":"47617390010101 9"}`,
	} {
		if _, err := terminal.ParseCardData([]byte(bad)); err == nil || strings.Contains(err.Error(), "4761") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// What is taken for card data is written the same again, and no error shows any of it.
func FuzzParseCardData(f *testing.F) {
	f.Add([]byte(`{"pan":"4761739001010119","expiry":"2812","psn":"01"}`))
	f.Add([]byte(`{"pan":"4761739001010119"}`))
	f.Add([]byte(`{"pan":4761739001010119}`))
	f.Fuzz(func(t *testing.T, plain []byte) {
		card, err := terminal.ParseCardData(plain)
		if err != nil {
			if err.Error() != "not the card data that was sealed" {
				t.Errorf("the error says %q", err)
			}
			return
		}
		again, err := card.Plain()
		if err != nil {
			t.Fatal(err)
		}
		if back, err := terminal.ParseCardData(again); err != nil || back != card {
			t.Errorf("written again it is another card: %v", err)
		}
	})
}
