package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tillway/device/emulator"
	"tillway/emv/oda"
	"tillway/host"
	"tillway/iso8583"
	"tillway/terminal"
)

// offlineTerminal is a till that may approve by itself, with a card that lets it, and a line to the bank that is down until up says
// otherwise.
func (b *bank) offlineTerminal(limits string, up *atomic.Bool, change ...func(*parts)) *stack {
	b.t.Helper()
	keys, err := oda.ParseKeys(emulator.AuthorityKeys(), oda.Test)
	if err != nil {
		b.t.Fatal(err)
	}
	p := edited(b.t, `type        = "21"`, `type = "22"`, `offline_data_authentication = []`, `offline_data_authentication = ["dda", "cda"]`,
		`[deadlines]`, "[offline]\n"+limits+"\n[deadlines]", `floor_limit = "0.000"`, `floor_limit = "100.000"`)
	inner := b.pipe
	b.pipe = func(ctx context.Context) (net.Conn, error) {
		if !up.Load() {
			return nil, errors.New("no route to the bank")
		}
		return inner(ctx)
	}
	return b.terminalWith("oda-cda", append([]func(*parts){func(q *parts) { q.profile, q.caKeys = p, keys.CAKeys }}, change...)...)
}

// untilCardsAreValid takes a bubble of time, which begins in the year 2000, to the time of the test cards.
func untilCardsAreValid() {
	time.Sleep(time.Until(time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)))
}

// TestPitfall07QueueKeepsItsOrder: fifty approvals wait, and no more may. The line goes in the middle of the drain; the bank refuses the
// seventh for good with 30, and cannot take the eighth, 91. What arrives arrives in order and once; the seventh is in sight.
func TestPitfall07QueueKeepsItsOrder(t *testing.T) {
	for _, window := range []int{1, 4} {
		t.Run(fmt.Sprintf("window %d", window), func(t *testing.T) { synctest.Test(t, func(t *testing.T) { queueOfFifty(t, window) }) })
	}
}

func queueOfFifty(t *testing.T, window int) {
	const depth = 50
	untilCardsAreValid()
	var up atomic.Bool
	var stans []string
	answered := map[string]int{}
	b, m := newMeddled(t, func(m *meddler, answer *iso8583.Message, frame []byte) []segment {
		if answer.MTI() != "0230" && answer.MTI() != "0231" {
			return []segment{{bytes: whole(frame)}}
		}
		number, _ := answer.Get(11)
		if !slices.Contains(stans, number) {
			stans = append(stans, number)
		}
		answered[number]++
		switch at := slices.Index(stans, number) + 1; {
		case at == 7:
			answer.Set(39, "30")
			return []segment{{bytes: m.framed(answer)}}
		case at == 8 && answered[number] == 1:
			answer.Set(39, "91")
			return []segment{{bytes: m.framed(answer)}}
		case at == 20 && answered[number] == 1:
			return []segment{{nil, true}}
		}
		return []segment{{bytes: whole(frame)}}
	})
	s := b.offlineTerminal("count = 50\nsum = \"1000\"", &up, func(p *parts) { p.acquirer.Window = window })
	var sold []string
	for i := range depth {
		sale := b.sell(s, int64(1_200+i))
		if sale.State != terminal.Approved || sale.Way != terminal.WayOffline {
			t.Fatalf("sale %d: %s, %s: %v", i+1, sale.State, sale.Outcome.Happened, sale.Why)
		}
		sold = append(sold, fmt.Sprintf("%06d", sale.STAN))
	}
	if over := b.sell(s, 1_300); over.State != terminal.Declined || !strings.Contains(over.Outcome.Happened, "50 approvals wait") {
		t.Errorf("one too many: %s, %s", over.State, over.Outcome.Happened)
	}
	if snap := s.lane.Snapshot(); snap.Owed != depth || snap.OwedSum.Minor != depth*1_200+depth*(depth-1)/2 {
		t.Errorf("%d owed, %s", snap.Owed, snap.OwedSum)
	}
	if len(b.host.Messages()) != 0 {
		t.Fatal("the bank has heard of something")
	}
	up.Store(true)
	if err := s.lane.SendQueue(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.settled(s, depth)
	if snap := s.lane.Snapshot(); snap.Parked != 1 {
		t.Errorf("%d parked", snap.Parked)
	}
	debts, err := b.journal.Debts(t.Context())
	if err != nil || len(debts) != 1 || fmt.Sprintf("%06d", debts[0].STAN) != sold[6] || !strings.Contains(debts[0].Reason, "30") {
		t.Errorf("%+v, %v", debts, err)
	}
	var first []string
	repeats := 0
	for _, msg := range b.host.Messages() {
		switch {
		case msg.Direction != host.In || msg.MTI != "0220" && msg.MTI != "0221":
		case slices.Contains(first, msg.STAN):
			repeats++
		default:
			first = append(first, msg.STAN)
		}
	}
	if !slices.Equal(first, sold) {
		t.Errorf("the bank heard %v, sold were %v", first, sold)
	}
	if repeats == 0 || repeats > 2*window {
		t.Errorf("%d were sent again", repeats)
	}
	if n := len(m.frames(t, "0200", "0400", "0401")); n != 0 {
		t.Errorf("%d requests and reversals", n)
	}
	time.Sleep(time.Minute)
}

// TestThreeDaysWithoutTheBank: the line is down for 72 hours, and the shop goes on. What may be approved is, until a limit is reached; then
// every sale is declined and says why. When the line is back all of it arrives, in order and once.
func TestThreeDaysWithoutTheBank(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		untilCardsAreValid()
		var up atomic.Bool
		b, _ := newMeddled(t, func(_ *meddler, _ *iso8583.Message, frame []byte) []segment { return []segment{{bytes: whole(frame)}} })
		s := b.offlineTerminal("count = 30\nsum = \"40\"\nage = \"24h\"", &up, func(p *parts) {
			p.acquirer.Retry, p.acquirer.RetryMax = duration(5*time.Second), duration(5*time.Minute)
		})
		began := time.Now()
		var sold []string
		reasons := map[string]int{}
		for time.Since(began) < 72*time.Hour {
			sale := b.sell(s, 1_250)
			waited := time.Since(began)
			switch {
			case sale.State == terminal.Approved && sale.Way == terminal.WayOffline:
				sold = append(sold, fmt.Sprintf("%06d", sale.STAN))
				if waited > 24*time.Hour+time.Minute {
					t.Errorf("approved after %s", waited)
				}
			case sale.State == terminal.Declined:
				for _, why := range []string{"30 approvals wait", "more than the KWD 40.000", "too long"} {
					if strings.Contains(sale.Outcome.Happened, why) {
						reasons[why]++
					}
				}
			default:
				t.Fatalf("%s: %s", sale.State, sale.Outcome.Happened)
			}
			time.Sleep(30 * time.Minute)
		}
		if len(sold) != 30 || reasons["30 approvals wait"] == 0 || reasons["30 approvals wait"]+len(sold) != 144 {
			t.Errorf("%d approved; declined: %v", len(sold), reasons)
		}
		up.Store(true)
		time.Sleep(10 * time.Minute) // by itself: nobody says "send"
		b.settled(s, len(sold))
		var heard []string
		for _, m := range b.host.Messages() {
			if m.Direction == host.In && m.MTI != "0800" {
				heard = append(heard, m.MTI+" "+m.STAN)
			}
		}
		for i, number := range sold {
			if i >= len(heard) || heard[i] != "0220 "+number {
				t.Fatalf("the bank heard %v, sold were %v", heard, sold)
			}
		}
		for _, m := range heard[len(sold):] { // behind them, and once: the totals of the days
			if !strings.HasPrefix(m, "0500 ") {
				t.Errorf("the bank heard %s as well", m)
			}
		}
		if sale := b.sell(s, 1_250); sale.State != terminal.Approved { // the queue is empty: it begins anew
			t.Errorf("afterwards: %s, %s", sale.State, sale.Outcome.Happened)
		}
		b.settled(s, len(sold)+1)
	})
}

// TestAnswerToTheAdvice: what is not the answer to an advice does not settle it, however it comes; the advice goes on until it has its
// own, and the bank books it once.
func TestAnswerToTheAdvice(t *testing.T) {
	for name, spoil := range map[string]func(m *meddler, answer *iso8583.Message) []segment{
		"a sale's": func(m *meddler, a *iso8583.Message) []segment {
			a.SetMTI("0210")
			return []segment{{bytes: m.framed(a)}}
		},
		"a reversal's": func(m *meddler, a *iso8583.Message) []segment {
			a.SetMTI("0410")
			return []segment{{bytes: m.framed(a)}}
		},
		"an authorisation's": func(m *meddler, a *iso8583.Message) []segment {
			a.SetMTI("0130")
			return []segment{{bytes: m.framed(a)}}
		},
		"another terminal's": func(m *meddler, a *iso8583.Message) []segment {
			a.Set(41, "TILL0002")
			return []segment{{bytes: m.framed(a)}}
		},
		"another amount's": func(m *meddler, a *iso8583.Message) []segment {
			a.Set(4, "000000000001")
			return []segment{{bytes: m.framed(a)}}
		},
		"no response code": func(m *meddler, a *iso8583.Message) []segment { a.Delete(39); return []segment{{bytes: m.framed(a)}} },
		"half of it": func(m *meddler, a *iso8583.Message) []segment {
			b := m.framed(a)
			return []segment{{b[:len(b)/2], true}}
		},
		"nothing": func(*meddler, *iso8583.Message) []segment { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				untilCardsAreValid()
				var up atomic.Bool
				wrong := 0
				b, m := newMeddled(t, func(m *meddler, answer *iso8583.Message, frame []byte) []segment {
					if answer.MTI() == "0230" && wrong < 2 {
						wrong++
						return spoil(m, answer)
					}
					return []segment{{bytes: whole(frame)}}
				})
				s := b.offlineTerminal("count = 5\nsum = \"100\"", &up, func(p *parts) { p.acquirer.AnswerTimeout = duration(200 * time.Millisecond) })
				if sale := b.sell(s, 1_300); sale.Way != terminal.WayOffline {
					t.Fatalf("%s, %s", sale.State, sale.Outcome.Happened)
				}
				up.Store(true)
				if err := s.lane.SendQueue(t.Context()); err != nil {
					t.Fatal(err)
				}
				b.settled(s, 1)
				if n := len(m.frames(t, "0220", "0221")); n != 3 {
					t.Errorf("%d advices went out, want 3", n)
				}
				if s.lane.Snapshot().Parked != 0 {
					t.Error("it was parked")
				}
			})
		})
	}
}

// TestDeferredSales: requests that could not leave are kept, and the bank is asked later: what it approves is booked, what it declines is
// parked, in sight, and not booked. A profile that keeps what the acquirer does not take ends the start.
func TestDeferredSales(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		untilCardsAreValid()
		var up atomic.Bool
		b, m := newMeddled(t, func(_ *meddler, _ *iso8583.Message, frame []byte) []segment { return []segment{{bytes: whole(frame)}} })
		inner := b.pipe
		b.pipe = func(ctx context.Context) (net.Conn, error) {
			if !up.Load() {
				return nil, errors.New("no route to the bank")
			}
			return inner(ctx)
		}
		keeps := edited(t, `[deadlines]`, "[offline.deferred]\ncount = 5\nsum = \"100\"\n[deadlines]")
		s := b.terminal(func(p *parts) { p.profile, p.acquirer.NAC.Deferred = keeps, true })
		for _, minor := range []int64{1_300, 1_051, 1_400} { // .051 is declined with 51 where a request asks for it
			if sale := b.sell(s, minor); sale.State != terminal.Approved || sale.Way != terminal.WayDeferred || !strings.Contains(sale.Outcome.Happened, "may still decline") {
				t.Fatalf("%s %q, %s", sale.State, sale.Way, sale.Outcome.Happened)
			}
		}
		up.Store(true)
		if err := s.lane.SendQueue(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.settled(s, 2)
		debts, err := b.journal.Debts(t.Context())
		if err != nil || len(debts) != 1 || debts[0].State != terminal.Parked || debts[0].Kind != terminal.DeferredDebt || !strings.Contains(debts[0].Reason, "51") {
			t.Errorf("%+v, %v", debts, err)
		}
		if n := len(m.frames(t, "0200")); n != 3 {
			t.Errorf("%d requests", n)
		}
	})
	_, err := assemble(t.Context(), parts{
		profile: edited(t, `[deadlines]`, "[offline.deferred]\ncount = 5\nsum = \"100\"\n[deadlines]"), acquirer: nacAcquirer(), clock: time.Now,
	})
	if err == nil || !strings.Contains(err.Error(), "acquirer.nac.deferred = true") || strings.Contains(err.Error(), "\n") {
		t.Errorf("an acquirer that takes none: %v", err)
	}
}

func nacAcquirer() acquirerConfig {
	a := defaults().Acquirer
	a.NAC.TPDU, a.NAC.NII = "6000030000", "003"
	return a
}
