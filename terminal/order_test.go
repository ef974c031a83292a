package terminal_test

import (
	"errors"
	"fmt"
	"testing"

	"tillway/money"
	"tillway/terminal"
)

// A key that is a UUID is never refused for digits that chance has put in a row; a card number is in whatever it stands.
func TestKeyThatIsAUUID(t *testing.T) {
	kwd, err := money.ByCode("KWD")
	if err != nil {
		t.Fatal(err)
	}
	rules := terminal.OrderRules{Host: terminal.Kinds(), Currency: kwd}
	for key, taken := range map[string]bool{
		"a4761739-0010-4101-906c-0123456789ab":            true, // 18 digits in a row with a right check digit
		"ecr:till-1:A4761739-0010-4101-906C-0123456789AB": true,
		"a4761739-0010-4101-906c-0123456789a":             false, // one short: no UUID
		"4761739001010119":                                false,
		"ecr:till-1:4761739001010119":                     false,
	} {
		err := terminal.CheckOrder(terminal.Order{Kind: terminal.KindSale, Amount: money.New(1, kwd), Key: key}, rules)
		if (err == nil) != taken || err != nil && !errors.Is(err, terminal.ErrOrder) {
			t.Errorf("%s: %v", key, err)
		}
	}
}

// A shop's own number that is a time is no card number, though every tenth has a right check digit.
func TestTimesAreNoCardNumbers(t *testing.T) {
	for _, form := range []string{"1764000000%03d", "20261123091%03d", "20261123-091507%03d", "0000000012345%03d"} {
		for n := range 100 {
			if text := fmt.Sprintf(form, n); terminal.CardNumberIn(text) {
				t.Errorf("%q taken for a card number", text)
			}
		}
	}
	for _, number := range []string{"4761739001010119", "5413330089604111", "2223000010309711", "6011 0000 0000 0004", "3714-496353-98431", "122000000000003", "180000000000002"} {
		if !terminal.CardNumberIn("card " + number + ".") {
			t.Errorf("%s not taken for a card number", number)
		}
	}
}
