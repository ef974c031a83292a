package lane

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tillway/emv"
	"tillway/terminal"
)

// keyedPad enciphers under the key in force: its block is that key's name.
type keyedPad struct{ v *vault }

func (p keyedPad) EnterPIN(context.Context, terminal.PINAsk) (terminal.PINEnd, terminal.PINBlock, error) {
	return terminal.PINEntered, terminal.PINBlock{Block: []byte(p.v.now())}, nil
}

// slowAfterPIN is a chip that takes 20 seconds after the PIN.
type slowAfterPIN struct {
	chip
	pin bool
}

func (c slowAfterPIN) Begin(ctx context.Context, card emv.Card, p emv.Params, h emv.Cardholder) (emv.Transaction, emv.Outcome, error) {
	if c.pin {
		if _, err := h.OnlinePIN(ctx, emv.PINRequest{}); err != nil {
			return nil, emv.Outcome{}, err
		}
	}
	time.Sleep(20 * time.Second)
	return c.chip.Begin(ctx, card, p, h)
}

// TestNoPINUnderKeysThatAreGone: a connection that is lost between PIN and request may come back with other session keys. A
// host would read such a PIN as a wrong one, which counts against the card: the request is not sent. One without a PIN is.
func TestNoPINUnderKeysThatAreGone(t *testing.T) {
	for pin, want := range map[bool]terminal.State{true: terminal.Declined, false: terminal.Approved} {
		synctest.Test(t, func(t *testing.T) {
			v, bank := &vault{inForce: "K0"}, &keyBank{inForce: "K0"}
			b := start(t, slowAfterPIN{approves, pin}, slot{}, bank.answer, session(v), func(c *Config, _ *OwnerConfig) { c.PINPad = keyedPad{v} })
			defer b.end()
			pass(1500 * time.Millisecond)
			b.wire.set(false, nil)
			pass(10 * time.Second)
			b.sell(1000, "")
			pass(5 * time.Second)
			b.wire.set(true, nil) // another connection
			b.lane.ExchangeKeys(t.Context(), true)
			pass(3 * time.Second)
			b.wire.set(false, nil)
			s := b.last()
			synctest.Wait()
			if v.now() != "K2" || s.State != want {
				t.Errorf("with a PIN %t, under key %q, the sale ended as %s: %v", pin, v.now(), s.State, b.sent())
			}
			for _, message := range b.sent() {
				if strings.HasPrefix(message, "saleK1") {
					t.Errorf("a PIN under the key that is gone went out: %s", message)
				}
			}
		})
	}
}
