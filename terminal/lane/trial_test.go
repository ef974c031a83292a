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

	"tillway/money"
	"tillway/terminal"
)

// TestTrial: each address is tried on a connection of its own, with sign-on and echo; what is wrong is told with the step, the address that a
// sale would take stays connected, and the others do not.
func TestTrial(t *testing.T) {
	for _, c := range []struct {
		name    string
		at      int
		dial    error
		answers map[string]string // what is refused, with its code; "-": no answer
		step    TrialStep
		refused string
		closed  int32
	}{
		{"first", 0, nil, nil, TrialDone, "", 0},
		{"standby", 1, nil, nil, TrialDone, "", 1},
		{"nobody there", 0, errors.New("connection refused"), nil, TrialConnect, "", 1},
		{"not known", 0, nil, map[string]string{"signon": "03"}, TrialSignOn, "03", 1},
		{"echo refused", 1, nil, map[string]string{"echo": "91"}, TrialEcho, "91", 1},
		{"echo silent", 1, nil, map[string]string{"echo": "-"}, TrialEcho, "", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var trying atomic.Bool
				var link *closing
				b := start(t, approves, slot{}, func(m string) (string, bool, error) {
					for what, code := range c.answers {
						switch {
						case !trying.Load() || !strings.HasPrefix(m, what):
						case code == "-":
							return "", true, errors.New("no answer in time")
						default:
							return code, true, nil
						}
					}
					return "00", true, nil
				}, func(_ *Config, o *OwnerConfig) {
					link = closable(t, o.Link)
					o.Link, o.Hosts = link, []string{"first:1", "second:1"}
					o.ReadyAt = func(context.Context, int) error { return c.dial }
				})
				defer b.end()
				time.Sleep(time.Minute)
				trying.Store(true)
				before, closed := count(b.sent(), "signon"), link.closed.Load()
				got, err := b.lane.TestHost(t.Context(), c.at)
				trying.Store(false)
				if err != nil || got.Step != c.step || got.Refused != c.refused || got.Address != b.lane.Hosts()[c.at] || (got.Err == nil) != (c.step == TrialDone) {
					t.Fatalf("%+v, %v", got, err)
				}
				if done := c.step == TrialDone; done != (got.Connect > 0 && got.SignOn > 0 && got.Echo > 0) {
					t.Errorf("%+v", got)
				}
				if link.closed.Load()-closed != c.closed {
					t.Errorf("closed %d times, want %d", link.closed.Load()-closed, c.closed)
				}
				if c.dial == nil && count(b.sent(), "signon") != before+1 {
					t.Errorf("sent %v", b.sent())
				}
				time.Sleep(time.Minute) // the next look
				if !b.owner.Health().OK {
					t.Errorf("behind it the link is %+v", b.owner.Health())
				}
			})
		})
	}
}

// TestTrialMovesNothing: while a sale runs nothing is tried, and an address that there is not is no address.
func TestTrialMovesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tried := 0
		b := start(t, approves, slot{none: true}, always("00"), func(_ *Config, o *OwnerConfig) {
			o.Hosts = []string{"first:1"}
			o.ReadyAt = func(context.Context, int) error { tried++; return nil }
		})
		defer b.end()
		time.Sleep(time.Minute)
		for _, at := range []int{-1, 1} {
			if _, err := b.lane.TestHost(t.Context(), at); err == nil {
				t.Errorf("host %d was tested", at)
			}
		}
		s, err := b.lane.Start(t.Context(), terminal.Order{Kind: terminal.KindSale, Amount: money.New(1000, kwd), Key: "one"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.lane.TestHost(t.Context(), 0); !errors.Is(err, terminal.ErrBusy) || tried != 0 {
			t.Errorf("during sale %s: %v, tried %d times", s.ID, err, tried)
		}
		if err := b.lane.CancelSale(t.Context(), s.ID); err != nil {
			t.Fatal(err)
		}
	})
}

// TestRefusedCode: the code is found however deep it lies.
func TestRefusedCode(t *testing.T) {
	if got := refusedBy(fmt.Errorf("a: %w", errors.Join(errors.New("b"), fmt.Errorf("c: %w", refusal("58"))))); got != "58" {
		t.Errorf("%q", got)
	}
	if got := refusedBy(errors.New("code 58")); got != "" {
		t.Errorf("%q", got)
	}
}
