package lane

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"tillway/money"
	"tillway/terminal"
)

// TestProbe: an echo test over a link of its own says what is wrong with an address, under a key of its own, and leaves journal, link and
// health as they were.
func TestProbe(t *testing.T) {
	down := errors.New("connection refused")
	for _, c := range []struct {
		name   string
		far    *wire
		none   error // of the MAC key
		judged func(Probed) bool
	}{
		{"well", &wire{answer: honest("00")}, nil, func(p Probed) bool {
			return p.Answered && p.Signed && p.Forged == nil && p.Response.Code == "00" && len(p.Key.KSN) > 0
		}},
		{"refused", &wire{answer: honest("89")}, nil, func(p Probed) bool { return p.Answered && p.Forged == nil && p.Response.Code == "89" }},
		{"another key", &wire{answer: always("63#other")}, nil, func(p Probed) bool {
			return p.Answered && p.Forged != nil && p.Response.Code == "63" && !p.Timed
		}},
		{"no MAC", &wire{answer: always("63")}, nil, func(p Probed) bool { return p.Answered && p.Forged != nil }},
		{"silent", &wire{answer: func(string) (string, bool, error) { return "", true, errors.New("no answer") }}, nil, func(p Probed) bool {
			return p.Connected && !p.Answered && p.Silent != nil
		}},
		{"unreached", &wire{down: down}, nil, func(p Probed) bool { return !p.Connected && errors.Is(p.Unreached, down) }},
		{"without a key", &wire{answer: honest("00")}, terminal.ErrNoKeys, func(p Probed) bool { return p.Connected && errors.Is(p.Untold, terminal.ErrNoKeys) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := &macs{}
				b := start(t, approves, slot{}, honest("00"), signed(m))
				defer b.end()
				time.Sleep(time.Minute)
				rows, sent := len(b.journal.rows), len(b.sent())
				m.none = c.none
				got := b.lane.Probe(t.Context(), Way{"far:1", c.far})
				m.none = nil
				if !c.judged(got) || got.Host != "far:1" {
					t.Errorf("%+v", got)
				}
				if len(b.journal.rows) != rows || len(b.sent()) != sent || !b.owner.Health().OK {
					t.Errorf("%d rows were %d, sent %v, %+v", len(b.journal.rows), rows, b.sent(), b.owner.Health())
				}
			})
		})
	}
}

// TestProbeWaitsForNobody: nothing is tried while a sale runs, nor of an owner that has ended.
func TestProbeWaitsForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, approves, slot{none: true}, always("00"))
		time.Sleep(time.Minute)
		s, err := b.lane.Start(t.Context(), terminal.Order{Kind: terminal.KindSale, Amount: money.New(1000, kwd), Key: "one"})
		if err != nil {
			t.Fatal(err)
		}
		far := &wire{answer: always("00")}
		if got := b.lane.Probe(t.Context(), Way{"far:1", far}); got.Skipped == "" || len(far.sent) != 0 {
			t.Errorf("%+v", got)
		}
		if err := b.lane.CancelSale(t.Context(), s.ID); err != nil {
			t.Fatal(err)
		}
		b.end()
		if got := b.lane.Probe(context.WithoutCancel(t.Context()), Way{"far:1", far}); got.Skipped == "" || len(far.sent) != 0 {
			t.Errorf("%+v", got)
		}
	})
}
