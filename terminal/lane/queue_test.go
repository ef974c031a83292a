package lane

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tillway/emv"
	"tillway/terminal"
)

// answers answers by a table that a test may change: by message, else "00".
type answers struct {
	mu    sync.Mutex // guards codes
	codes map[string]string
}

func (a *answers) answer(m string) (string, bool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch code, ok := a.codes[m]; {
	case ok && code == "":
		return "", true, errors.New("no answer in time")
	case ok:
		return code, true, nil
	}
	return "00", true, nil
}

func (a *answers) set(m, code string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.codes == nil {
		a.codes = map[string]string{}
	}
	a.codes[m] = code
}

func (a *answers) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.codes = nil
}

// filled is a terminal with n offline approvals in its queue, and no way to the host.
func filled(t *testing.T, n int, a *answers, change ...func(*Config, *OwnerConfig)) (*bench, *changing) {
	t.Helper()
	card := &changing{offline{first: emv.Approved}}
	b := start(t, card, slot{}, a.answer, append([]func(*Config, *OwnerConfig){keeping(ample), unreachable}, change...)...)
	for i := range n {
		b.sell(int64(1000+i), "")
		if s := b.last(); s.State != terminal.Approved {
			t.Fatalf("sale %d: %s, %s", i, s.State, s.Outcome.Happened)
		}
	}
	return b, card
}

func advised(from, to int) (all []string) {
	for n := from; n <= to; n++ {
		all = append(all, fmt.Sprintf("advice %06d", n))
	}
	return all
}

func (b *bench) wantWire(want ...string) {
	b.t.Helper()
	if got := b.messages(); !slices.Equal(got, want) {
		b.t.Errorf("on the wire: %s\nwant %s", strings.Join(got, ", "), strings.Join(want, ", "))
	}
}

// states are where the debts stand, in the order of owing.
func (b *bench) states() (all []terminal.DebtState) {
	for _, d := range b.journal.debts(terminal.Owed, terminal.Sent, terminal.Parked, terminal.Acknowledged, terminal.WrittenOff) {
		all = append(all, d.State)
	}
	return all
}

// A queue goes out by itself once the host is there, in order, each once.
func TestQueueIsDelivered(t *testing.T) {
	for _, window := range []int{0, 1, 4, 50} {
		t.Run(fmt.Sprint(window), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, _ := filled(t, 10, &answers{}, func(_ *Config, o *OwnerConfig) { o.Window = window })
				defer b.end()
				b.wire.set(true, nil)
				pass(5 * time.Minute)
				b.wantWire(advised(1, 10)...)
				if n := b.lane.Snapshot().Owed; n != 0 {
					t.Errorf("%d still owed", n)
				}
			})
		})
	}
}

// A long queue holds up no customer: a window of it goes behind each request, and the rest when no sale runs.
func TestQueueGoesBehindTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, card := filled(t, 50, &answers{})
		defer b.end()
		b.wire.set(false, nil)
		card.first = emv.Online
		card.sign = true // the sale goes on after its answer
		b.sell(5000, "")
		time.Sleep(4 * time.Minute)
		b.wantWire("sale", "advice 000001")
		if err := b.lane.Agree(t.Context(), 51, terminal.Agreement{Matches: true}); err != nil {
			t.Fatal(err)
		}
		if s := b.last(); s.State != terminal.Approved {
			t.Fatal(s.State)
		}
		time.Sleep(5500 * time.Millisecond) // a few of them go; then the next customer comes, and waits for one of them at most
		before := len(b.messages())
		began := time.Now()
		card.sign = false
		b.sell(6000, "")
		b.last()
		if waited := time.Since(began); before < 6 || before > 8 || waited > 4*time.Second {
			t.Errorf("%d on the wire before, the sale took %s", before, waited)
		}
		pass(10 * time.Minute)
		got := b.messages()
		if len(got) != 52 || !slices.Equal(slices.DeleteFunc(got, func(m string) bool { return m == "sale" }), advised(1, 50)) {
			t.Errorf("on the wire: %v", b.messages())
		}
	})
}

// The host refuses one for good: it is put aside, and the others go on. It cannot take one now: that one and all behind it wait.
func TestQueueThatMeetsRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &answers{}
		a.set("advice 000003", "30")
		a.set("advice 000004", "91")
		b, _ := filled(t, 6, a)
		defer b.end()
		b.wire.set(false, nil)
		b.owner.Poke()
		pass(12 * time.Second)
		b.wantWire(append(advised(1, 4), "advice 000004", "advice 000004")...) // 2 and 4 s of back-off
		want := []terminal.DebtState{terminal.Acknowledged, terminal.Acknowledged, terminal.Parked, terminal.Owed, terminal.Owed, terminal.Owed}
		if got := b.states(); !slices.Equal(got, want) {
			t.Errorf("%v", got)
		}
		if s := b.lane.Snapshot(); s.Owed != 3 || s.Parked != 1 {
			t.Errorf("%d owed, %d parked", s.Owed, s.Parked)
		}
		a.forget()
		pass(10 * time.Minute)
		if got := b.messages(); got[len(got)-1] != "advice 000006" || b.lane.Snapshot().Owed != 0 || b.lane.Snapshot().Parked != 1 {
			t.Errorf("%v", got)
		}
	})
}

// The connection goes in the middle of a window: what was answered is settled, the rest is sent again, in order.
func TestWindowThatIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &answers{}
		a.set("advice 000003", "")
		b, _ := filled(t, 6, a, func(_ *Config, o *OwnerConfig) { o.Window = 4 })
		defer b.end()
		b.wire.set(false, nil)
		for range 600 { // the owner comes by itself: a poke could come behind the first try, and make another of it
			if len(b.messages()) > 0 {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		pass(3500 * time.Millisecond)
		want := []terminal.DebtState{terminal.Acknowledged, terminal.Acknowledged, terminal.Owed, terminal.Owed, terminal.Owed, terminal.Owed}
		if got := b.states(); !slices.Equal(got, want) {
			t.Errorf("%v", got)
		}
		a.forget()
		pass(time.Minute)
		b.wantWire(slices.Concat(advised(1, 4), advised(3, 6))...)
		sends, commits := 0, map[time.Time]int{}
		for _, e := range b.rows() {
			if e.Kind == terminal.DebtEntry && e.Event == string(terminal.DebtTurn) {
				sends++
				commits[e.Time]++
			}
		}
		if sends != 8 || len(commits) != 2 {
			t.Errorf("%d sendings on disk in %d commits, want 8 in 2", sends, len(commits))
		}
	})
}

// A reversal goes before what waits, and before a request; what waits does not go while one is owed.
func TestReversalBeforeTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &answers{}
		b, card := filled(t, 3, a)
		defer b.end()
		a.set("sale", "")
		a.set("reversal", "91")
		card.first, card.gone = emv.Online, true
		b.wire.set(false, nil)
		b.sell(5000, "")
		if s := b.last(); s.State != terminal.Reversed {
			t.Fatal(s.State)
		}
		pass(20 * time.Second)
		if n := len(slices.DeleteFunc(b.messages(), func(m string) bool { return m == "reversal" })); n != 1 {
			t.Errorf("on the wire: %v", b.messages())
		}
		a.forget()
		pass(time.Minute)
		got := slices.Compact(b.messages())
		if !slices.Equal(got, append([]string{"sale", "reversal"}, advised(1, 3)...)) {
			t.Errorf("on the wire: %v", got)
		}
	})
}

// A request about an earlier transaction waits until the host has heard of everything; where that cannot be, it is not sent.
func TestRequestAfterTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &answers{}
		a.set("advice 000002", "91")
		b, _ := filled(t, 3, a)
		defer b.end()
		b.wire.set(false, nil)
		if r := b.owner.Request(t.Context(), []byte("void"), keysOfAny, true); r.Event != terminal.NotSent || r.Detail != "The advice of sale 2 has to reach the bank first, and 1 behind it (pos queue)." {
			t.Errorf("%+v", r)
		}
		a.forget()
		if r := b.owner.Request(t.Context(), []byte("void"), keysOfAny, true); r.Event != terminal.HostApproved {
			t.Errorf("%+v", r)
		}
		b.wantWire("advice 000001", "advice 000002", "advice 000002", "advice 000003", "void")
	})
}

// MAC keys are taken in the order of the wire, one for each message, and each answer is held to its own.
func TestWindowUnderMACs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &macs{}
		b, _ := filled(t, 3, &answers{}, signed(m), func(_ *Config, o *OwnerConfig) { o.Window = 3 })
		defer b.end()
		b.wire.mu.Lock()
		b.wire.answer = func(message string) (string, bool, error) {
			if strings.HasPrefix(message, "advice 000002") && len(m.released) < 6 {
				return "00#forged", true, nil
			}
			return honest("00")(message)
		}
		b.wire.mu.Unlock()
		b.wire.set(false, nil)
		b.owner.Poke()
		pass(time.Second * 3)
		if got := b.states(); !slices.Equal(got, []terminal.DebtState{terminal.Acknowledged, terminal.Owed, terminal.Acknowledged}) {
			t.Errorf("%v", got)
		}
		var keys []string
		for _, message := range b.messages() {
			if strings.HasPrefix(message, "advice") {
				_, key, _ := strings.Cut(message, "#")
				keys = append(keys, key)
			}
		}
		if !slices.IsSorted(keys) || len(slices.Compact(slices.Clone(keys))) != len(keys) {
			t.Errorf("keys %v", keys)
		}
	})
}
