package contact_test

import (
	"testing"

	"tillway/emv"
)

// TestAttackBrandMixUp: a card that puts a number of one scheme under another scheme's application is refused before a PIN
// is asked for and before it makes a cryptogram (Basin and others, 2021).
func TestAttackBrandMixUp(t *testing.T) {
	for name, c := range map[string]struct {
		objects string
		want    emv.Decision
	}{
		"Visa number":               {"5A=4761739001010119", emv.Online},
		"Mastercard number":         {"5A=5413330089604111 57=-", emv.Terminated},
		"Mastercard's new range":    {"5A=2221000000000009 57=-", emv.Terminated},
		"Maestro number":            {"5A=6799998900000060000F 57=-", emv.Terminated},
		"Mastercard in track 2 too": {"5A=5413330089604111 57=5413330089604111D29122011143812300000F", emv.Terminated},
	} {
		t.Run(name, func(t *testing.T) {
			card, holder := newChip(c.objects+" 8E=000000000000000042001F00", ""), &pad{entry: emv.PINEntered}
			_, out := begin(t, card, fix(terminal(), "9F33=204800"), holder)
			if out.Decision != c.want {
				t.Errorf("%s (%q), want %s", out.Decision, out.Reason, c.want)
			}
			if c.want == emv.Terminated && (card.sent("80AE") > 0 || len(holder.asked) > 0) {
				t.Error("a PIN or a cryptogram was asked for")
			}
		})
	}
}
