package lane

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tillway/emv"
	"tillway/terminal"
)

// mortal is a vault that does nothing any more once the power is gone.
type mortal struct {
	*vault
	cut context.Context //nolint:containedctx // the power
}

func (m mortal) NextKey(ctx context.Context) (terminal.MACKey, error) {
	k, err := m.vault.NextKey(ctx)
	return k, orCut(m.cut, err)
}

func (m mortal) ProposedKey(ctx context.Context) (terminal.MACKey, error) {
	k, err := m.vault.ProposedKey(ctx)
	return k, orCut(m.cut, err)
}

func (m mortal) Held(ctx context.Context) (inForce, proposed bool, err error) {
	inForce, proposed, err = m.vault.Held(ctx)
	return inForce, proposed, orCut(m.cut, err)
}

func (m mortal) Propose(ctx context.Context, keys []terminal.SessionKey) error {
	if m.cut.Err() != nil {
		return m.cut.Err()
	}
	return m.vault.Propose(ctx, keys)
}

func (m mortal) Confirm(ctx context.Context) error {
	if m.cut.Err() != nil {
		return m.cut.Err()
	}
	return m.vault.Confirm(ctx)
}

func (m mortal) Withdraw(ctx context.Context) error {
	if m.cut.Err() != nil {
		return m.cut.Err()
	}
	return m.vault.Withdraw(ctx)
}

func orCut(cut context.Context, err error) error {
	if cut.Err() != nil {
		return cut.Err()
	}
	return err
}

// TestPowerCutInAnExchange: wherever in an exchange of keys the power fails, the first or a later one, terminal and host find
// each other again under one key, and sell, also when the first thing that they say to each other is lost.
func TestPowerCutInAnExchange(t *testing.T) {
	for _, before := range []string{"", "K0"} {
		for at := time.Duration(0); at < 6*time.Second; at += 250 * time.Millisecond {
			synctest.Test(t, func(t *testing.T) {
				v, bank := &vault{inForce: before}, &keyBank{inForce: before}
				power, cut := context.WithCancel(t.Context())
				live := func(power context.Context) func(*Config, *OwnerConfig) {
					return func(_ *Config, o *OwnerConfig) {
						m := mortal{v, power}
						o.Dialect, o.Macs, o.Sessions, o.Random = orders{words: words{macs: true}}, m, m, &challenges{}
					}
				}
				b := start(t, approves, slot{}, bank.answer, live(power))
				time.Sleep(at)
				cut()
				b.end()
				lost := false
				bank.turn(func(kind string, _ *keyBank, a string) (string, bool) { // the first sign-on has no answer
					keep := lost || kind != "signon"
					lost = lost || kind == "signon"
					return a, keep
				}, nil)
				b = start(t, approves, slot{}, bank.answer, live(t.Context()))
				defer b.end()
				for range 8 { // a connection, and another where the first one ended in the middle
					b.wire.set(v.waits() != "" || len(b.sent()) == 0, nil)
					b.owner.Poke()
					pass(3 * time.Second)
				}
				b.wire.set(false, nil)
				if key := sells(t, b, bank); key == "" || v.now() != key || bank.inForce != key {
					t.Errorf("cut after %v of an exchange from %q: sold under %q, in force are %q and %q: %v", at, before, key, v.now(), bank.inForce, bank.seen())
				}
			})
		}
	}
}

// TestPowerCutUnderASignature: a sale that waits for its signature when the power fails is reversed at the next start, once.
func TestPowerCutUnderASignature(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, signs, slot{}, always("00"))
		b.sell(1000, "")
		b.due()
		left := &memory{rows: b.rows()} // what is on disk
		b.end()
		ended, err := Recover(t.Context(), Recovery{Journal: left, Acquirer: "acquirer", Now: time.Now()})
		if err != nil || len(ended) != 1 || ended[0].State != terminal.Reversed {
			t.Fatalf("%v: %v", ended, err)
		}
		after := start(t, signs, slot{}, always("00"), func(c *Config, o *OwnerConfig) { c.Journal, o.Journal = left, left })
		defer after.end()
		pass(time.Minute)
		due, err := left.Due(t.Context(), "")
		if err != nil || len(due) != 0 || slices.Index(after.sent(), "reversal") < 0 {
			t.Errorf("still owed %v, sent %v: %v", due, after.sent(), err)
		}
		if n := len(slices.DeleteFunc(after.sent(), func(m string) bool { return m != "reversal" })); n != 1 {
			t.Errorf("%d reversals", n)
		}
	})
}

// cutJournal is a journal whose power fails at its nth append: before it is on disk, or just behind it.
type cutJournal struct {
	*memory
	at     int64
	n      atomic.Int64
	behind bool
}

var errPower = errors.New("power cut")

func (c *cutJournal) Append(ctx context.Context, commit bool, entries ...terminal.Entry) error {
	switch n := c.n.Add(1); {
	case n < c.at:
		return c.memory.Append(ctx, commit, entries...)
	case n == c.at && c.behind:
		_ = c.memory.Append(ctx, commit, entries...)
	}
	return errPower
}

// TestPowerCutBetweenTheTCAndItsAdvice: the power fails at every step of an offline approval and of its delivery. Either the sale was
// never approved, and the host hears of nothing, or it was, and the host hears of it: the first time once, and a repeat only of what
// may have left.
func TestPowerCutBetweenTheTCAndItsAdvice(t *testing.T) {
	for _, card := range []offline{{first: emv.Approved}, {first: emv.Online}} {
		for at := int64(1); at <= 12; at++ {
			for _, behind := range []bool{false, true} {
				synctest.Test(t, func(t *testing.T) {
					journal := &cutJournal{memory: &memory{}, at: at, behind: behind}
					b := start(t, card, slot{}, always("00"), keeping(ample), func(c *Config, o *OwnerConfig) { c.Journal, o.Journal = journal, journal })
					b.wire.set(false, nil)
					if card.first == emv.Online {
						b.wire.set(false, errors.New("no route"))
					}
					b.sell(1000, "")
					time.Sleep(time.Minute)
					b.wire.set(false, nil)
					time.Sleep(time.Minute)
					shown := b.lane.Snapshot()
					b.stop()
					if err := <-b.ended; err != nil && !errors.Is(err, errPower) {
						t.Error(err)
					}
					left := &memory{rows: slices.Clone(journal.rows)}
					if _, err := Recover(t.Context(), Recovery{Journal: left, Acquirer: "acquirer", Now: time.Now()}); err != nil {
						t.Fatal(err)
					}
					after := start(t, card, slot{}, always("00"), func(c *Config, o *OwnerConfig) { c.Journal, o.Journal = left, left })
					defer after.end()
					after.wire.set(false, nil)
					after.owner.Poke()
					pass(time.Hour)
					before, then := count(b.sent(), "advice 000001"), count(after.sent(), "advice 000001")
					sale, known := left.sales()[1]
					approved := known && sale.State == terminal.Approved
					acknowledged := slices.Equal(after.leftStates(left), []terminal.DebtState{terminal.Acknowledged})
					switch {
					case shown.Last != nil && shown.Last.State == terminal.Approved && !approved:
						t.Errorf("at %d, behind %v: it was shown approved, and is %q", at, behind, sale.State)
					case approved && (before+then == 0 || before+then > 2 || !acknowledged):
						t.Errorf("at %d, behind %v: approved, and told %d and %d times: %v", at, behind, before, then, after.leftStates(left))
					case !approved && before+then > 0:
						t.Errorf("at %d, behind %v: %q, and the host was told", at, behind, sale.State)
					}
					for _, m := range slices.Concat(b.messages(), after.messages()) {
						if m != "advice 000001" && (m != "reversal" || sale.State != terminal.Reversed) { // the power went with its request on disk
							t.Errorf("at %d, behind %v: %q on the wire", at, behind, m)
						}
					}
				})
			}
		}
	}
}

// leftStates are where a journal's advices stand.
func (b *bench) leftStates(m *memory) (all []terminal.DebtState) {
	for _, d := range m.debts(terminal.Owed, terminal.Sent, terminal.Parked, terminal.Acknowledged) {
		all = append(all, d.State)
	}
	return all
}
