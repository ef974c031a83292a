package lane

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tillway/terminal"
)

// The daily cut-off settles what was paid before it, once, and nothing where nothing was paid; a batch whose end was called off is left until
// the next.
func TestDailyCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, approves, slot{}, (&settling{}).answer, func(_ *Config, o *OwnerConfig) {
			o.Settle, o.Check = SettleRules{Daily: true, At: 23*time.Hour + 30*time.Minute}, time.Minute
		})
		defer b.end()
		pass(48 * time.Hour) // two cut-offs, and nothing paid
		if events(b) != "" {
			t.Errorf("an empty batch: %s", events(b))
		}
		b.sell(1000, "") // at midnight: the cut-off of yesterday is not this one's
		b.last()
		pass(23 * time.Hour)
		if events(b) != "" {
			t.Errorf("before its time: %s", events(b))
		}
		if next := b.lane.Snapshot().Batch.CutOff; time.Until(next) > time.Hour {
			t.Errorf("next cut-off %s", next)
		}
		pass(time.Hour)
		if got := events(b); got != "Settle Drained InBalance" {
			t.Errorf("behind it: %s", got)
		}
		pass(72 * time.Hour)
		if got := settlements(b); len(got) != 1 {
			t.Errorf("on the wire: %v", got)
		}
	})
}

// A terminal that was off at the hour settles when it is back.
func TestCutOffIsMadeUpFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rules := func(_ *Config, o *OwnerConfig) {
			o.Settle = SettleRules{Daily: true, At: 23*time.Hour + 30*time.Minute}
		}
		b := start(t, approves, slot{}, (&settling{}).answer, rules)
		b.sell(1000, "")
		b.last()
		b.end()
		pass(30 * time.Hour)
		left := b.journal
		after := start(t, approves, slot{}, (&settling{}).answer, rules, func(c *Config, o *OwnerConfig) { c.Journal, o.Journal = left, left })
		after.journal = left
		defer after.end()
		pass(time.Minute)
		if got := events(after); got != "Settle Drained InBalance" {
			t.Errorf("it is %s", got)
		}
	})
}

// A full batch is settled by itself. Where the bank cannot be reached, payments go on up to what the totals have digits for, and then the
// sentence says what to do.
func TestFullBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var up atomic.Bool
		b := start(t, approves, slot{}, func(m string) (string, bool, error) {
			if strings.HasPrefix(m, "totals") && !up.Load() {
				return "", true, errors.New("no answer in time")
			}
			return (&settling{}).answer(m)
		}, func(_ *Config, o *OwnerConfig) { o.Settle, o.Check = SettleRules{Full: 2, Most: 3}, time.Minute })
		defer b.end()
		for range 2 {
			b.sell(1000, "")
			b.last()
		}
		pass(2 * time.Minute)
		if got := events(b); !strings.HasPrefix(got, "Settle Drained NoAnswer") {
			t.Fatalf("it is %s", got)
		}
		for range 3 {
			b.sell(1000, "")
			if s := b.last(); s.Batch != 2 {
				t.Errorf("batch %d", s.Batch)
			}
		}
		order := terminal.Order{Kind: terminal.KindSale, Amount: terminal.Sale{}.Amount}
		order.Amount = b.lane.Snapshot().Last.Amount
		if _, err := b.lane.Start(t.Context(), order); !errors.Is(err, terminal.ErrBatchFull) || !strings.Contains(fmt.Sprint(err), "pos settle") {
			t.Errorf("%v", err)
		}
		if w := b.lane.Snapshot().Batch; w.Warning == "" || w.Count != 3 || len(w.Settling) != 1 {
			t.Errorf("%+v", w)
		}
		up.Store(true)
		pass(time.Hour)
		if s := b.sell(1000, ""); s.Batch != 3 {
			t.Errorf("batch %d", s.Batch)
		}
		b.last()
	})
}

// leaping is a counter that a test puts forward.
type leaping struct{ n atomic.Uint64 }

func (c *leaping) Next(context.Context) (uint64, error) { return c.n.Add(1), nil }

// No batch gives out a trace number twice: long before they begin again its end is wanted, and at the end nothing is taken before it.
func TestTraceNumbersRunOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		traces, up := &leaping{}, atomic.Bool{}
		b := start(t, approves, slot{}, func(m string) (string, bool, error) {
			if strings.HasPrefix(m, "totals") && !up.Load() {
				return "", true, errors.New("no answer in time")
			}
			return (&settling{}).answer(m)
		}, func(c *Config, o *OwnerConfig) { c.Traces, o.Traces, o.Check = traces, traces, time.Minute })
		defer b.end()
		b.sell(1000, "")
		b.last()
		pass(2 * time.Minute)
		if events(b) != "" {
			t.Errorf("too early: %s", events(b))
		}
		traces.n.Add(tracesSoon)
		b.sell(1000, "")
		b.last()
		pass(2 * time.Minute)
		if got := events(b); !strings.HasPrefix(got, "Settle Drained NoAnswer") {
			t.Errorf("numbers run out: %q", got)
		}
		if s := b.sell(1000, ""); s.Batch != 2 { // with numbers of its own
			t.Errorf("batch %d", s.Batch)
		}
		b.last()
		traces.n.Add(tracesMost)
		b.sell(1000, "") // draws one behind the leap
		b.last()
		pass(2 * time.Minute)
		order := terminal.Order{Kind: terminal.KindSale, Amount: b.lane.Snapshot().Last.Amount}
		if _, err := b.lane.Start(t.Context(), order); !errors.Is(err, terminal.ErrBatchFull) || !strings.Contains(fmt.Sprint(err), "trace numbers") {
			t.Errorf("%v", err)
		}
		up.Store(true)
		pass(time.Hour)
		if s := b.sell(1000, ""); s.Batch != 3 {
			t.Errorf("batch %d", s.Batch)
		}
		b.last()
	})
}

// An end that was called off while the clock was ahead does not keep the batch open until that day comes.
func TestCutOffBehindAClockThatWasPutBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ahead atomic.Int64
		var up atomic.Bool
		b := start(t, approves, slot{}, func(m string) (string, bool, error) {
			if !up.Load() && m != "signon" {
				return "", true, errors.New("no answer in time")
			}
			return (&settling{}).answer(m)
		}, func(_ *Config, o *OwnerConfig) {
			o.Settle, o.Check = SettleRules{Daily: true, At: 23*time.Hour + 30*time.Minute}, time.Minute
			o.Clock = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
		})
		defer b.end()
		b.sell(1000, "")
		b.last()
		ahead.Store(int64(365 * 24 * time.Hour))
		for _, e := range []terminal.BatchEvent{terminal.BatchSettle, terminal.BatchCallOff} {
			if _, err := b.lane.DecideBatch(t.Context(), terminal.BatchDecision{Event: e, By: "sara"}); err != nil {
				t.Fatal(e, err)
			}
		}
		ahead.Store(0)
		up.Store(true)
		pass(48 * time.Hour)
		if got := events(b); got != "Settle CallOff Settle Drained InBalance" {
			t.Errorf("it is %s", got)
		}
	})
}
