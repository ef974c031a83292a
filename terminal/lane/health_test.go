package lane

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tillway/terminal"
)

// closing is a wire that knows whether it was closed, and is fresh only then.
type closing struct {
	*wire
	closed atomic.Int32
}

func closable(t *testing.T, l Link) *closing {
	t.Helper()
	w, ok := l.(*wire)
	if !ok {
		t.Fatalf("%T", l)
	}
	return &closing{wire: w}
}

func (c *closing) Close() error {
	c.closed.Add(1)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fresh = true
	return nil
}

func (c *closing) Exchange(ctx context.Context, m []byte) ([]byte, bool, error) {
	c.mu.Lock()
	c.fresh = false
	c.mu.Unlock()
	return c.wire.Exchange(ctx, m)
}

func count(sent []string, what string) int {
	n := 0
	for _, m := range sent {
		if m == what {
			n++
		}
	}
	return n
}

// A line that is idle gets an echo test, as often as the setting says and no oftener; a sale counts as one; without the setting
// there is none.
func TestEchoOnAnIdleLine(t *testing.T) {
	for _, every := range []time.Duration{0, 10 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			var link *closing
			b := start(t, approves, slot{}, always("00"), func(_ *Config, o *OwnerConfig) {
				link = closable(t, o.Link)
				o.Link, o.Echo, o.Check = link, every, 3*time.Minute
			})
			defer b.end()
			time.Sleep(5 * time.Minute)
			b.sell(1000, "")
			b.last()
			time.Sleep(9 * time.Minute) // not ten since the sale
			if n := count(b.sent(), "echo"); n != 0 {
				t.Errorf("every %v: %d echo tests so soon after a sale", every, n)
			}
			time.Sleep(31*time.Minute + 30*time.Second)
			want := 0
			if every > 0 {
				want = 4 // at 10, 20, 30 and 40 minutes
			}
			if n := count(b.sent(), "echo"); n != want {
				t.Errorf("every %v: %d echo tests, want %d", every, n, want)
			}
			if link.closed.Load() != 0 || !b.owner.Health().OK {
				t.Errorf("closed %d times, %+v", link.closed.Load(), b.owner.Health())
			}
		})
	}
}

// A host that does not answer an echo test loses its connection, and the status says so, before a sale finds out; what comes next
// signs on anew.
func TestEchoWithoutAnAnswer(t *testing.T) {
	for name, answer := range map[string]func() (string, bool, error){
		"silent":   func() (string, bool, error) { return "", true, errors.New("no answer in time") },
		"refuses":  func() (string, bool, error) { return "96", true, nil },
		"nonsense": func() (string, bool, error) { return "garbage", true, nil },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var dead atomic.Bool
				var link *closing
				b := start(t, approves, slot{}, func(m string) (string, bool, error) {
					if dead.Load() {
						return answer()
					}
					return "00", true, nil
				}, func(_ *Config, o *OwnerConfig) {
					link = closable(t, o.Link)
					o.Link, o.Echo, o.Check = link, time.Minute, time.Minute
				})
				defer b.end()
				time.Sleep(30 * time.Second)
				dead.Store(true)
				time.Sleep(45 * time.Second)
				if h := b.owner.Health(); h.OK || link.closed.Load() == 0 {
					t.Errorf("%+v, closed %d times", h, link.closed.Load())
				}
				if !slices.ContainsFunc(b.rows(), func(e terminal.Entry) bool { return strings.Contains(e.Note, "echo test") }) {
					b.sell(1000, "") // its commit takes the waiting row along
					b.last()
					if !slices.ContainsFunc(b.rows(), func(e terminal.Entry) bool { return strings.Contains(e.Note, "echo test") }) {
						t.Error("the journal does not have it")
					}
				}
				dead.Store(false)
				time.Sleep(3 * time.Minute)
				if h := b.owner.Health(); !h.OK || count(b.sent(), "signon") < 2 {
					t.Errorf("%+v, sent %v", h, b.sent())
				}
			})
		})
	}
}

// telling is a dialect whose host tells its time.
type telling struct {
	words
	ahead *atomic.Int64
}

func (d telling) Response(answer []byte) (terminal.Response, error) {
	r, err := d.words.Response(answer)
	r.Time = time.Now().Add(time.Duration(d.ahead.Load())).Truncate(time.Second)
	return r, err
}

// The host's time stands beside ours in the record, and its difference in the status; beyond five minutes that is warned about, and
// the terminal goes on by its own clock.
func TestHostsClock(t *testing.T) {
	for _, c := range []struct {
		ahead time.Duration
		warns string
	}{
		{0, ""}, {4 * time.Minute, ""}, {-4 * time.Minute, ""}, {6 * time.Minute, "6m0s ahead of"}, {-3 * time.Hour, "3h0m0s behind"},
	} {
		synctest.Test(t, func(t *testing.T) {
			var ahead atomic.Int64
			ahead.Store(int64(c.ahead))
			b := start(t, approves, slot{}, always("00"), func(_ *Config, o *OwnerConfig) {
				o.Dialect = telling{ahead: &ahead}
				o.Peer = func() terminal.Peer { return terminal.Peer{Host: "second:8583"} }
			})
			defer b.end()
			b.sell(1000, "")
			s := b.last()
			if d := s.HostTime.Sub(s.Updated) - c.ahead; d.Abs() > 2*time.Second {
				t.Errorf("%v ahead: the record says %v, at %v", c.ahead, s.HostTime, s.Updated)
			}
			if s.LocalTime.After(s.Updated) || s.Host != "second:8583" {
				t.Errorf("our own time is %v, the host %q", s.LocalTime, s.Host)
			}
			h := b.lane.Snapshot().Host
			if h.ClockSeconds == nil || (time.Duration(*h.ClockSeconds)*time.Second-c.ahead).Abs() > 2*time.Second {
				t.Errorf("%v ahead: status %v", c.ahead, h.ClockSeconds)
			}
			if got := strings.Join(h.Warnings, "\n"); (c.warns == "") != (got == "") || !strings.Contains(got, c.warns) {
				t.Errorf("%v ahead: warned %q", c.ahead, got)
			}
		})
	}
}

// A certificate that will end is spoken of a month before, whoever's it is.
func TestCertificatesEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		b := start(t, approves, slot{}, always("00"), func(_ *Config, o *OwnerConfig) {
			o.Certificates = []terminal.Certificate{{Whose: "this terminal's certificate", Ends: now.AddDate(0, 0, 40)}}
			o.Peer = func() terminal.Peer { return terminal.Peer{CertificateEnds: now.AddDate(0, 0, 45)} }
		})
		defer b.end()
		day := func(n int) []string {
			b.clock.Store(int64(time.Duration(n) * 24 * time.Hour))
			return b.owner.Health().Warnings
		}
		if w := day(9); len(w) != 0 {
			t.Errorf("31 days before: %q", w)
		}
		if w := day(10); len(w) != 1 || !strings.Contains(w[0], "this terminal's certificate ends on 2000-02-10, in 30 days") {
			t.Errorf("30 days before: %q", w)
		}
		if w := day(39); len(w) != 2 || !strings.Contains(w[0], "now") || !strings.Contains(w[1], "bank's host ends on 2000-02-15, in 6 days") {
			t.Errorf("the day before: %q", w)
		}
		if w := day(41); len(w) != 2 || !strings.Contains(w[0], "ended on 2000-02-10") {
			t.Errorf("the day after: %q", w)
		}
	})
}

// Back-offs double up to their limit; up to half of each is taken off at random, so that tills that lost their host together do not
// all come back together; one seed gives one row of waits.
func TestBackoff(t *testing.T) {
	plain := &Owner{cfg: OwnerConfig{Retry: 2 * time.Second, RetryMax: 30 * time.Second}}
	for n, want := range []time.Duration{2, 4, 8, 16, 30, 30, 30} {
		if got := plain.backoff(n + 1); got != want*time.Second {
			t.Errorf("failure %d: %v, want %v s", n+1, got, want)
		}
	}
	waits := func(seed uint64) (all []time.Duration) {
		r := rand.New(rand.NewPCG(seed, 0))
		o := &Owner{cfg: plain.cfg}
		o.cfg.Jitter = func(most time.Duration) time.Duration { return time.Duration(r.Int64N(int64(most) + 1)) }
		for n := range 50 {
			whole, got := plain.backoff(n+1), o.backoff(n+1)
			if got > whole || got < whole/2 {
				t.Fatalf("failure %d: %v of %v", n+1, got, whole)
			}
			all = append(all, got)
		}
		return all
	}
	if !slices.Equal(waits(1), waits(1)) || slices.Equal(waits(1), waits(2)) {
		t.Error("the waits do not follow their source")
	}
	wild := &Owner{cfg: plain.cfg}
	wild.cfg.Jitter = func(time.Duration) time.Duration { return time.Hour }
	if got := wild.backoff(1); got != time.Second {
		t.Errorf("a source that says more than it was asked: %v", got)
	}
}
