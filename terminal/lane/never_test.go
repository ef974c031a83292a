package lane

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"tillway/emv"
	"tillway/money"
	"tillway/terminal"
)

// deaf is a kernel that approves without the host whatever the terminal's gate says.
type deaf struct {
	method emv.Method
	aid    []byte
	second bool // only when the host cannot be asked
}

func (d deaf) outcome(decision emv.Decision, arc string) emv.Outcome {
	out := offline{}.outcome(decision, arc)
	out.Method, out.AID = d.method, d.aid
	return out
}

func (d deaf) Begin(context.Context, emv.Card, emv.Params, emv.Cardholder) (emv.Transaction, emv.Outcome, error) {
	if d.second {
		return d, d.outcome(emv.Online, ""), nil
	}
	return nil, d.outcome(emv.Approved, "Y1"), nil
}

// Complete implements emv.Transaction.
func (d deaf) Complete(context.Context, emv.HostAnswer) (emv.Outcome, error) {
	return d.outcome(emv.Approved, "Y3"), nil
}

// TestWhatNeverWaits: domestic debit (online_only), a PIN for the issuer and cash given out never enter the queue, also where card and
// kernel have approved already, at the first cryptogram or the second; and no request of theirs is kept for later.
func TestWhatNeverWaits(t *testing.T) {
	debit := []byte{0xA0, 0x00, 0x00, 0x04, 0x14, 0x01}
	for name, c := range map[string]struct {
		kernel   deaf
		cashback int64
		taken    bool
	}{
		"a card like any other": {deaf{aid: []byte{0xA0, 0, 0, 0, 3}}, 0, true},
		"domestic debit":        {deaf{aid: append(debit, 0x10)}, 0, false},
		"a PIN for the issuer":  {deaf{method: emv.OnlinePIN}, 0, false},
		"cash given out":        {deaf{}, 5_000, false},
	} {
		for _, second := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c.kernel.second = second
					b := start(t, c.kernel, slot{}, always("00"), keeping(ample), func(cfg *Config, _ *OwnerConfig) {
						cfg.Offline.Deferred = ample
						cfg.Transactions.Cashback = money.New(20_000, kwd)
						cfg.Params = func(terminal.Order, time.Time, terminal.SaleID) emv.Params {
							return emv.Params{Applications: []emv.Application{{AID: debit, OnlineOnly: true}, {AID: []byte{0xA0, 0, 0, 0, 3}}}}
						}
					})
					defer b.end()
					b.wire.set(true, errors.New("no route"))
					o := terminal.Order{Kind: terminal.KindSale, Amount: money.New(1_000, kwd)}
					if c.cashback > 0 {
						o.Cashback = money.New(c.cashback, kwd)
					}
					if _, err := b.lane.Start(t.Context(), o); err != nil {
						t.Fatal(err)
					}
					time.Sleep(time.Minute)
					s, n := b.last(), b.lane.Snapshot().Owed
					if approved := s.State == terminal.Approved; approved != c.taken || (n > 0) != c.taken {
						t.Errorf("second cryptogram %t: %s (%s), %d owed", second, s.State, s.Outcome.Happened, n)
					}
				})
			})
		}
	}
}
