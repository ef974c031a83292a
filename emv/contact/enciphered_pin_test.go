package contact_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"tillway/device"
	"tillway/emv"
	"tillway/emv/contact"
)

// TestOfflinePINEnciphered: what TestCardsPIN leaves out of PINs that are enciphered for the card (Book 3, 10.5.1 and figure
// 11; Book 2, 7.1 and 7.2).
func TestOfflinePINEnciphered(t *testing.T) {
	rehearse(t, []rehearsal{
		{card: "pin-enciphered-only", section: "Book 3, figure 11: left out before a key is recovered", words: "bypass", want: emv.Online, method: emv.NoVerification, tags: "95=0000880000 9F34=040001", must: tryCounter, never: challenge + " 0020"},
		{card: "pin-enciphered-only", section: "Book 3, figure 11: no pad before a key is recovered", words: "no-pad", want: emv.Online, method: emv.NoVerification, tags: "95=0000900000 9F34=040001", never: challenge + " 0020"},
		{card: "pin-enciphered-only", section: "Book 2, 7.2: a fresh challenge each time", words: "1111 1234", want: emv.Approved, method: emv.OfflinePIN, tags: "95=0000000000 9F34=040002", must: tryCounter + " " + challenge + " " + verifyRSA + " " + challenge + " " + verifyRSA, never: verifyPlain},
		{card: "pin-enciphered-only", section: "Book 3, 10.5.1", words: "1111 2222 bypass", want: emv.Online, method: emv.NoVerification, tags: "95=0000880000 9F34=040001"},
		{card: "pin-key-expired", section: "Book 2, 7.1: no key, and still left out", words: "bypass", want: emv.Online, method: emv.NoCVM, tags: "95=0000080000 9F34=1F0002", never: challenge + " 0020"},
	})
}

// TestChallengeIsFresh: no two PINs of a transaction are enciphered with one challenge, and none is kept in the data.
func TestChallengeIsFresh(t *testing.T) {
	b := inBetween(t, "pin-enciphered-only")
	var challenges [][]byte
	b.answer = func(command, answer []byte) []byte {
		if command[1] == 0x84 {
			challenges = append(challenges, bytes.Clone(answer[:len(answer)-2]))
		}
		return answer
	}
	_, out := begin(t, b, rehearsalTerminal(t), enters("1111", "2222", "1234"))
	if len(challenges) != 3 || bytes.Equal(challenges[0], challenges[1]) || bytes.Equal(challenges[1], challenges[2]) {
		t.Errorf("challenges %X", challenges)
	}
	for _, tag := range out.Data.Tags() {
		for _, c := range challenges {
			if bytes.Contains(out.Data.Value(tag), c) {
				t.Errorf("%s has a challenge", tag)
			}
		}
	}
}

// TestCardGoneAtThePIN: a card that is pulled out at GET CHALLENGE or VERIFY is an error of the world, not a wrong PIN.
func TestCardGoneAtThePIN(t *testing.T) {
	for _, instruction := range []byte{0xCA, 0x84, 0x20} {
		b := inBetween(t, "pin-enciphered-only")
		gone := &pulled{between: b, at: instruction}
		_, out, err := contact.New(contact.Config{}).Begin(t.Context(), gone, rehearsalTerminal(t), enters("1234"))
		if !errors.Is(err, device.ErrRemoved) || out.Decision != "" {
			t.Errorf("at %02X: %v, %s", instruction, err, out.Decision)
		}
	}
}

// pulled is a card that leaves at an instruction.
type pulled struct {
	*between
	at byte
}

func (p *pulled) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	if command[1] == p.at {
		return nil, fmt.Errorf("the slot is empty: %w", device.ErrRemoved)
	}
	return p.between.Transmit(ctx, command)
}
