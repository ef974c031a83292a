package contact_test

import (
	"context"
	"fmt"
	"testing"

	"tillway/device/emulator"
	"tillway/emv"
	"tillway/emv/contact"
)

// between is a man between terminal and card. He sees every command and answer, and may answer or change them himself.
type between struct {
	card    *emulator.Card
	said    []string
	command func(command []byte) (answer []byte, his bool)
	answer  func(command, answer []byte) []byte
}

func (b *between) Transmit(_ context.Context, command []byte) ([]byte, error) {
	b.said = append(b.said, fmt.Sprintf("%X", command))
	if b.command != nil {
		if answer, his := b.command(command); his {
			return answer, nil
		}
	}
	answer := b.card.Transmit(command)
	if b.answer != nil {
		answer = b.answer(command, answer)
	}
	return answer, nil
}

func inBetween(t *testing.T, name string) *between {
	t.Helper()
	p, err := emulator.Ready(name)
	if err != nil {
		t.Fatal(err)
	}
	card := emulator.NewCard(p)
	card.Reset()
	return &between{card: card}
}

func enters(pins ...string) *atPad { return &atPad{keypad{words: pins}} }

// TestAttackPINWedge: the thief of a card does not know its PIN, and a man in the middle answers VERIFY for it (Murdoch and
// others, 2010). Where the card signs its cryptogram, nothing is approved offline. Where it does not, the terminal cannot
// tell, and the CVM Results go to the issuer beside the card's own word.
func TestAttackPINWedge(t *testing.T) {
	for _, name := range []string{"pin-plain", "pin-enciphered"} {
		b := inBetween(t, name)
		b.command = func(command []byte) ([]byte, bool) { return []byte{0x90, 0x00}, command[1] == 0x20 }
		_, out := begin(t, b, rehearsalTerminal(t), enters("9999"))
		if out.Decision != emv.Declined || string(out.Data.Value(emv.TagAuthorisationResponseCode)) != "Z1" || out.Method != emv.OfflinePIN {
			t.Errorf("%s: %s (%s) by %q", name, out.Decision, out.Reason, out.Method)
		}
		wantWhy(t, out.Why, "CVM")
		literal := rehearsalTerminal(t)
		literal.LiteralActionCodes = true
		b.card.Reset()
		if _, out := begin(t, b, literal, enters("9999")); out.Decision != emv.Approved {
			t.Errorf("%s, by the books alone: %s (%s)", name, out.Decision, out.Reason)
		}
		honest := inBetween(t, name)
		if _, out := begin(t, honest, rehearsalTerminal(t), enters("1234")); out.Decision != emv.Approved {
			t.Errorf("%s, the right PIN: %s (%s)", name, out.Decision, out.Reason)
		}
	}
}

// TestAttackCVMDowngrade: a man in the middle changes the CVM list so that no PIN is asked for (Barisani and others, 2011).
// The list is signed: offline data authentication fails, and the sale is not approved offline.
func TestAttackCVMDowngrade(t *testing.T) {
	for name, change := range map[string]func([]byte){
		"PIN to none":      func(list []byte) { list[8] = 0x1F },
		"PIN to signature": func(list []byte) { list[8] = 0x1E },
		"bit 7":            func(list []byte) { list[8] ^= 0x40 },
		"amount X":         func(list []byte) { list[3] ^= 1 },
	} {
		b := inBetween(t, "pin-plain")
		changed := false
		b.answer = func(command, answer []byte) []byte {
			for i := 0; command[1] == 0xB2 && i+14 <= len(answer); i++ {
				if answer[i] == 0x8E && answer[i+1] == 12 {
					change(answer[i+2:])
					changed = true
				}
			}
			return answer
		}
		_, out := begin(t, b, rehearsalTerminal(t), enters("1234"))
		tvr := emv.TVR(out.Data.Value(emv.TagTVR))
		noticed := tvr.Has(emv.TVRCDAFailed) || tvr.Has(emv.TVRDDAFailed) || tvr.Has(emv.TVRSDAFailed)
		if !changed || out.Decision == emv.Approved || !noticed {
			t.Errorf("%s: %s with TVR %X, changed %t", name, out.Decision, tvr, changed)
		}
	}
}

// TestAttackPINByReinsertion: whoever tries PINs, card in and card out, sees how many are left; at none no VERIFY goes to the
// card, and none is asked for.
func TestAttackPINByReinsertion(t *testing.T) {
	b := inBetween(t, "pin-plain")
	for insertion, want := range []int{3, 2, 1} {
		b.card.Reset()
		h := &keypad{words: []string{"9999", "cancel"}}
		_, _, err := contact.New(contact.Config{}).Begin(t.Context(), b, rehearsalTerminal(t), h)
		if (err != nil) != (insertion < 2) || h.asks[0].Tries != want {
			t.Fatalf("insertion %d: tries shown %d, %v", insertion+1, h.asks[0].Tries, err)
		}
	}
	b.card.Reset()
	b.said = nil
	h := &keypad{}
	_, out := begin(t, b, rehearsalTerminal(t), h)
	wantTags(t, out.Data, "9F17=00")
	if !emv.TVR(out.Data.Value(emv.TagTVR)).Has(emv.TVRPINTryLimitExceeded) || len(h.asks) > 0 || out.Decision == emv.Approved {
		t.Errorf("%s, asked %d times", out.Decision, len(h.asks))
	}
	for _, s := range b.said {
		if s[2:4] == "20" {
			t.Errorf("%s was sent", s)
		}
	}
}
