package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"tillway/host"
	"tillway/money"
	"tillway/terminal"
)

// far is a host at a distance: each answer comes a round trip after its message, however many are on their way.
func far(trip time.Duration) func(net.Conn, *host.Host) {
	type answer struct {
		due   time.Time
		frame []byte
	}
	return func(c net.Conn, h *host.Host) {
		answers := make(chan answer, 64)
		defer close(answers)
		go func() {
			defer func() { _ = c.Close() }()
			for a := range answers {
				time.Sleep(time.Until(a.due))
				if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(a.frame))), a.frame...)); err != nil {
					return
				}
			}
		}()
		head := make([]byte, 2)
		for {
			if _, err := io.ReadFull(c, head); err != nil {
				return
			}
			frame := make([]byte, binary.BigEndian.Uint16(head))
			if _, err := io.ReadFull(c, frame); err != nil {
				return
			}
			due := time.Now().Add(trip)
			for _, r := range h.Answer(frame) {
				answers <- answer{due, r.Frame}
			}
		}
	}
}

// queued is how many requests wait when a drain begins: enough that the one round trip of the sign-on weighs little.
func queued(window int) int { return max(32, 16*window) }

var errNoRoute = errors.New("no route to the host")

// drained is a terminal with a queue of most requests that were kept while there was no way to the host, real journal and real link
// included; drain opens the way and returns when nothing is owed any more.
func drained(tb testing.TB, trip time.Duration, window, most int) (drain func() time.Duration) {
	tb.Helper()
	var open atomic.Bool
	s, journal := quickSecured(tb, "credit", far(trip), nil, func(p *parts) {
		p.acquirer.Window, p.acquirer.NAC.Deferred = window, true
		p.acquirer.Retry, p.acquirer.RetryMax = duration(time.Millisecond), duration(time.Millisecond)
		p.profile.Offline.Deferred = terminal.OfflineLimits{Count: most, Sum: 1 << 40, Age: time.Hour, CardCount: most, CardSum: 1 << 40}
		dial := p.dial
		p.dial = func(ctx context.Context) (net.Conn, error) {
			if !open.Load() {
				return nil, errNoRoute
			}
			return dial(ctx)
		}
	})
	kwd, _ := money.ByCode("KWD")
	for n := range most {
		sale, err := s.lane.Start(tb.Context(), terminal.Order{Kind: terminal.KindSale, Amount: money.New(int64(1_300+n), kwd)})
		if err != nil {
			tb.Fatal(err)
		}
		if sale, err = watch(tb.Context(), s.lane, sale.ID); err != nil || sale.State != terminal.Approved || sale.Way != terminal.WayDeferred {
			tb.Fatalf("sale %s: %s, %+v, %v", sale.ID, sale.State, sale.Outcome, err)
		}
	}
	if c, err := journal.Counts(tb.Context()); err != nil || c.Owed != most {
		tb.Fatalf("%d are owed, want %d: %v", c.Owed, most, err)
	}
	return func() time.Duration {
		begun := time.Now()
		open.Store(true)
		if err := s.lane.SendQueue(tb.Context()); err != nil {
			tb.Fatal(err)
		}
		for {
			c, err := journal.Counts(tb.Context())
			if err != nil {
				tb.Fatal(err)
			}
			if c.Owed == 0 {
				break
			}
			time.Sleep(200 * time.Microsecond)
		}
		return time.Since(begun)
	}
}

// TestQueueDrains: what the benchmark measures is delivered, each once, in windows of any size.
func TestQueueDrains(t *testing.T) {
	for _, window := range []int{1, 16} {
		drained(t, time.Millisecond, window, 2*window+8)()
	}
}

// BenchmarkDrain is the queue's way out, at two distances of the host and with one or many messages on the way at once: messages
// a second, and of the link's limit, which is a window a round trip.
func BenchmarkDrain(b *testing.B) {
	for _, trip := range []time.Duration{0, 50 * time.Millisecond} {
		for _, window := range []int{1, 16} {
			b.Run(fmt.Sprintf("trip=%v/window=%d", trip, window), func(b *testing.B) {
				var took time.Duration
				for range b.N {
					b.StopTimer()
					drain := drained(b, trip, window, queued(window))
					b.StartTimer()
					took += drain()
				}
				rate := float64(b.N*queued(window)) / took.Seconds()
				b.ReportMetric(rate, "messages/s")
				if trip > 0 {
					b.ReportMetric(rate*trip.Seconds()/float64(window), "ratio-to-limit")
				}
			})
		}
	}
}
