package lane

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tillway/money"
	"tillway/terminal"
)

// TestEchoNow: an echo test goes out when somebody asks, a host that does not answer it is told as that, and the next one signs on anew.
func TestEchoNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dead atomic.Bool
		b := start(t, approves, slot{}, func(m string) (string, bool, error) {
			if dead.Load() {
				return "", true, errors.New("no answer in time")
			}
			return "00", true, nil
		}, func(_ *Config, o *OwnerConfig) { o.Link = closable(t, o.Link) })
		defer b.end()
		time.Sleep(time.Minute)
		if err := b.lane.Echo(t.Context()); err != nil || count(b.sent(), "echo") != 1 {
			t.Errorf("%v, sent %v", err, b.sent())
		}
		dead.Store(true)
		if err := b.lane.Echo(t.Context()); err == nil || !strings.Contains(err.Error(), "no answer in time") {
			t.Errorf("a host that is not there: %v", err)
		}
		if h := b.owner.Health(); h.OK {
			t.Errorf("%+v", h)
		}
		dead.Store(false)
		if err := b.lane.Echo(t.Context()); err != nil || count(b.sent(), "signon") != 2 || !b.owner.Health().OK {
			t.Errorf("back again: %v, sent %v, %+v", err, b.sent(), b.owner.Health())
		}
	})
}

// TestEchoNowEnds: nobody waits for an owner that has ended, nor longer than they want to.
func TestEchoNowEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, approves, slot{}, always("00"))
		time.Sleep(time.Minute)
		done, stop := context.WithCancel(t.Context())
		stop()
		if err := b.owner.EchoNow(done); err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("a context that has ended: %v", err)
		}
		b.end()
		if err := b.owner.EchoNow(t.Context()); !errors.Is(err, context.Canceled) {
			t.Errorf("an owner that has ended: %v", err)
		}
	})
}

// TestCancelSale: only the sale that is meant is cancelled.
func TestCancelSale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, approves, slot{none: true}, always("00"))
		defer b.end()
		s, err := b.lane.Start(t.Context(), terminal.Order{Kind: terminal.KindSale, Amount: money.New(1000, kwd), Asked: &terminal.Asked{Register: "till-1", ServiceID: "1"}})
		if err != nil {
			t.Fatal(err)
		}
		if err := b.lane.CancelSale(t.Context(), s.ID+1); !errors.Is(err, terminal.ErrNothingRuns) {
			t.Errorf("another sale's cancelling: %v", err)
		}
		if err := b.lane.CancelSale(t.Context(), s.ID); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if last := b.lane.Snapshot().Last; last == nil || last.State != terminal.Cancelled || last.Asked == nil || last.Asked.ServiceID != "1" {
			t.Errorf("%+v", last)
		}
	})
}
