package lane

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tillway/emv"
	"tillway/money"
	"tillway/terminal"
)

// asksForCard is a kernel whose card checks PINs itself: it asks for one after another, as the card's tries go.
type asksForCard struct {
	chip
	plaintext bool
	tries     []int
	none      error // of Encipherment
	answers   *[]emv.CardPINAnswer
	err       *error
}

func (a asksForCard) Begin(ctx context.Context, card emv.Card, p emv.Params, h emv.Cardholder) (emv.Transaction, emv.Outcome, error) {
	for i, tries := range a.tries {
		ask := emv.CardPINRequest{Amount: money.New(1000, kwd), Tries: tries, Retry: i > 0}
		if a.plaintext {
			ask.Card = card
		} else {
			ask.Encipherment = func(context.Context) (emv.PINEncipherment, error) {
				return emv.PINEncipherment{Modulus: []byte("MODULUS"), Exponent: []byte{3}, Challenge: [8]byte{byte(i + 1)}}, a.none
			}
		}
		answer, err := h.CardPIN(ctx, ask)
		*a.answers, *a.err = append(*a.answers, answer), err
		if err != nil && (a.none == nil || !errors.Is(err, a.none)) {
			return nil, emv.Outcome{}, err
		}
	}
	return a.chip.Begin(ctx, card, p, h)
}

// hesitant is a pad whose customer takes a second before the first digit.
type hesitant struct{ *pad }

func (h hesitant) EnterPIN(ctx context.Context, ask terminal.PINAsk) (terminal.PINEnd, terminal.PINBlock, error) {
	time.Sleep(time.Second)
	return h.pad.EnterPIN(ctx, ask)
}

// A PIN for the card goes from the pad to the kernel enciphered, with a challenge of its own each time; the cashier reads how
// many tries are left, and the pad is told. The host's request has nothing of it.
func TestPINForTheCard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var answers []emv.CardPINAnswer
		var failed error
		p := &pad{end: terminal.PINEntered, time: time.Second}
		b := start(t, asksForCard{chip: approves, tries: []int{3, 2, 1}, answers: &answers, err: &failed}, slot{}, always("00"), func(cfg *Config, _ *OwnerConfig) {
			cfg.PINPad, cfg.PINTimeout, cfg.PINBypass, cfg.PINSocket = hesitant{p}, time.Minute, true, "pin.sock"
		})
		b.sell(1000, "")
		advice, prompts := map[int]string{}, map[int][]terminal.Prompt{}
		for seen := uint64(0); len(advice) < 3; {
			s, err := b.lane.Watch(t.Context(), seen)
			if err != nil {
				t.Fatal(err)
			}
			if seen = s.Version; s.PIN != nil {
				advice[s.PIN.Entry] = s.Advice
				prompts[s.PIN.Entry] = append(prompts[s.PIN.Entry], s.Prompt)
			}
		}
		sale := b.last()
		b.end()
		if sale.State != terminal.Approved || failed != nil || len(answers) != 3 || len(p.asked) != 3 {
			t.Fatalf("%s, %v, %d answers, %d asks", sale.State, failed, len(answers), len(p.asked))
		}
		for i, ask := range p.asked {
			if ask.Card == nil || string(ask.Card.Modulus) != "MODULUS" || ask.Card.Challenge != [8]byte{byte(i + 1)} || ask.Tries != 3-i ||
				ask.Retry != (i > 0) || !ask.Bypass || ask.Timeout != time.Minute {
				t.Errorf("the pad was asked %+v", ask)
			}
			if answers[i].Entry != emv.PINEntered || string(answers[i].Data) != "ENCIPHER" {
				t.Errorf("the kernel got %+v", answers[i])
			}
		}
		for entry, want := range map[int]string{1: "Let the customer", 2: "The PIN was wrong, tries left: 2.", 3: "after another wrong PIN the card is blocked"} {
			if !strings.Contains(advice[entry], want) {
				t.Errorf("entry %d: the cashier reads %q", entry, advice[entry])
			}
		}
		for entry, want := range map[int][]terminal.Prompt{ // "incorrect PIN" until the next one is begun
			1: {terminal.PromptEnterPIN, terminal.PromptEnterPIN}, 2: {terminal.PromptWrongPIN, terminal.PromptEnterPIN},
		} {
			if !slices.Equal(prompts[entry], want) {
				t.Errorf("entry %d: prompts %q, want %q", entry, prompts[entry], want)
			}
		}
		if strings.Contains(advice[1], "wrong") || slices.Contains(b.sent(), "saleENCIPHER") {
			t.Errorf("the cashier reads %q, the host %v", advice[1], b.sent())
		}
	})
}

// TestCardPINIsNotTaken: nobody is asked for a PIN that could not be used.
func TestCardPINIsNotTaken(t *testing.T) {
	none := errors.New("no key")
	for name, c := range map[string]struct {
		kernel asksForCard
		pad    *pad
		entry  emv.PINEntry
		err    error
		state  terminal.State
		asked  int
	}{
		"in plaintext":            {asksForCard{plaintext: true}, &pad{end: terminal.PINEntered}, emv.PINPadMissing, nil, terminal.Approved, 0},
		"no pad":                  {asksForCard{}, nil, emv.PINPadMissing, nil, terminal.Approved, 0},
		"no key to encipher with": {asksForCard{none: none}, &pad{end: terminal.PINEntered}, "", none, terminal.Approved, 0},
		"the pad does not work":   {asksForCard{}, &pad{err: errors.New("broken")}, emv.PINPadMissing, nil, terminal.Approved, 1},
		"cancelled":               {asksForCard{}, &pad{end: terminal.PINCancelled}, "", emv.ErrCancelled, terminal.Cancelled, 1},
		"no PIN in time":          {asksForCard{}, &pad{end: terminal.PINTimedOut}, "", errNoPIN, terminal.Cancelled, 1},
		"bypassed, not offered":   {asksForCard{}, &pad{end: terminal.PINBypassed}, "", emv.ErrCancelled, terminal.Cancelled, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var answers []emv.CardPINAnswer
				var failed error
				k := c.kernel
				k.chip, k.tries, k.answers, k.err = approves, []int{-1}, &answers, &failed
				b := start(t, k, slot{}, always("00"), func(cfg *Config, _ *OwnerConfig) {
					if c.pad != nil {
						cfg.PINPad = c.pad
					}
					cfg.PINTimeout = time.Minute
				})
				b.sell(1000, "")
				s := b.last()
				b.end()
				if s.State != c.state || !errors.Is(failed, c.err) || len(answers) != 1 || answers[0].Entry != c.entry {
					t.Errorf("%s (%+v), kernel told %+v, %v", s.State, s.Outcome, answers, failed)
				}
				if c.pad != nil && len(c.pad.asked) != c.asked {
					t.Errorf("the pad was asked %d times", len(c.pad.asked))
				}
			})
		})
	}
}
