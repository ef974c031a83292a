package lane

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tillway/terminal"
)

// scene is one story of a terminal that does every kind; what it leaves is checked.
type scene struct {
	name    string
	answers map[string]string
	change  func(*Config, *OwnerConfig)
	kernel  Kernel
	play    func(b *kinds)
}

func scenes() []scene {
	yes := func(b *kinds, o terminal.Order) {
		s, err := b.lane.Start(b.t.Context(), o)
		if err != nil {
			return
		}
		time.Sleep(time.Minute)
		_ = b.lane.Agree(b.t.Context(), s.ID, terminal.Agreement{Matches: true, By: "sara"}) // a lane that has ended takes none
		time.Sleep(time.Hour)
	}
	run := func(orders ...terminal.Order) func(*kinds) {
		return func(b *kinds) {
			for _, o := range orders {
				yes(b, o)
			}
		}
	}
	forced := terminal.Order{Kind: terminal.KindForced, Amount: kd(1000), AuthCode: "123"}
	sale, preauth := order(terminal.KindSale, 1000), order(terminal.KindPreauth, 1000)
	return []scene{
		{"void", nil, nil, approves, run(sale, about(terminal.KindVoid, 1, 0))},
		{"void, not answered", map[string]string{"void": "silence"}, nil, approves, run(sale, about(terminal.KindVoid, 1, 0))},
		{"void, declined", map[string]string{"void": "12"}, nil, approves, run(sale, about(terminal.KindVoid, 1, 0))},
		{"void, not sent", map[string]string{"void": "not sent"}, nil, approves, run(sale, about(terminal.KindVoid, 1, 0))},
		{"refund", nil, nil, approves, run(sale, about(terminal.KindRefund, 1, 400))},
		{"completion", nil, nil, approves, run(preauth, about(terminal.KindIncrement, 1, 500), about(terminal.KindCompletion, 1, 1200))},
		{"balance", map[string]string{"balance": "00 balance 5"}, nil, approves, run(terminal.Order{Kind: terminal.KindBalance, Amount: kd(0)})},
		{"balance, declined", map[string]string{"balance": "51"}, nil, approves, run(terminal.Order{Kind: terminal.KindBalance, Amount: kd(0)})},
		{"balance, not answered", map[string]string{"balance": "silence"}, nil, approves, run(terminal.Order{Kind: terminal.KindBalance, Amount: kd(0)})},
		{"balance, not sent", map[string]string{"balance": "not sent"}, nil, approves, run(terminal.Order{Kind: terminal.KindBalance, Amount: kd(0)})},
		{"forced", nil, nil, approves, run(forced)},
		{"forced, signed", nil, nil, signs, run(forced)},
		{"in two", nil, twoStep, approves, run(sale)},
		{"in two, signed", nil, twoStep, signs, run(sale)},
		{"in two, not answered", map[string]string{"sale": "silence"}, twoStep, approves, run(sale)},
		{"in two, a part", map[string]string{"sale": "10 600"}, twoStep, approves, run(sale)},
		{"a part", map[string]string{"sale": "10 600"}, nil, approves, run(sale)},
	}
}

// wrong says what does not fit between what is on disk and what the bank heard, once everything has had its time.
func wrong(m *memory, heard []string) string {
	var bad []string
	add := func(format string, args ...any) { bad = append(bad, fmt.Sprintf(format, args...)) }
	count := func(words string) (n int) {
		for _, h := range heard {
			if h == words {
				n++
			}
		}
		return n
	}
	reversals, advices := 0, map[string]int{}
	for _, s := range m.sales() {
		if !s.State.Final() {
			add("%s is left in %s", s.Kind, s.State)
		}
		if s.State == terminal.Reversed {
			reversals++
		}
		if s.State == terminal.Approved && (s.Kind == terminal.KindForced || s.Kind == terminal.KindCompletion || s.TwoStep) {
			advices["advice of "+string(s.Kind)]++
		}
	}
	if n := count("reversal"); n != reversals {
		add("%d reversals of %d", n, reversals)
	}
	for _, words := range []string{"advice of forced", "advice of completion", "advice of sale"} {
		if n := count(words); n != advices[words] {
			add("%d %q of %d", n, words, advices[words])
		}
	}
	if waits := m.debts(terminal.Owed, terminal.Sent, terminal.Parked); len(waits) > 0 {
		add("%d still owed", len(waits))
	}
	return strings.Join(bad, "; ")
}

// play runs a scene under a table and says what is wrong with what it leaves.
func (s scene) run(t *testing.T, table []terminal.Row) (journal *memory, heard []string, bad string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := startKinds(t, s.kernel, scripted(s.answers), func(c *Config, o *OwnerConfig) {
			if c.Table = table; s.change != nil {
				s.change(c, o)
			}
		})
		s.play(b)
		time.Sleep(time.Hour)
		shown := b.lane.Snapshot()
		b.stop()
		if err := <-b.ended; err != nil {
			bad = err.Error()
		}
		journal, heard = b.journal, b.sent()
		if shown.State.Final() && slices.ContainsFunc(journal.waiting, func(e terminal.Entry) bool { return e.Sale != nil }) {
			bad += " shown and not on disk"
		}
	})
	if bad == "" {
		bad = wrong(journal, heard)
	}
	return journal, heard, bad
}

// TestPowerCutInEveryKind: wherever the power fails in a transaction of any kind, between any two commits, the next start leaves nothing
// unfinished, reverses what was not finished, once, and tells the bank of what was approved.
func TestPowerCutInEveryKind(t *testing.T) {
	for _, s := range scenes() {
		t.Run(s.name, func(t *testing.T) {
			whole, _, bad := s.run(t, terminal.Table())
			if bad != "" {
				t.Fatalf("without a cut: %s", bad)
			}
			for _, at := range whole.commits {
				synctest.Test(t, func(t *testing.T) {
					left := &memory{rows: slices.Clone(whole.rows[:at]), commits: nil}
					before := acknowledged(left)
					if _, err := Recover(t.Context(), Recovery{Journal: left, Acquirer: "acquirer", Now: time.Now()}); err != nil {
						t.Fatal(err)
					}
					b := startKinds(t, approves, scripted(nil), func(c *Config, o *OwnerConfig) { c.Journal, o.Journal = left, left })
					time.Sleep(time.Hour)
					heard := append(before, b.sent()...)
					b.end()
					if bad := wrong(left, heard); bad != "" {
						last := whole.rows[at-1]
						t.Errorf("cut behind row %d (%s %s): %s", at, last.Kind, last.Event, bad)
					}
				})
			}
		})
	}
}

// acknowledged is what a bank has heard and said yes to, as the journal knows: it would know a repeat for one.
func acknowledged(m *memory) (heard []string) {
	for _, d := range m.debts(terminal.Acknowledged) {
		heard = append(heard, string(d.Message))
	}
	return heard
}

// TestRowsOfEveryKind switches each rule of the table off that these kinds brought to life, one at a time: a scene notices.
func TestRowsOfEveryKind(t *testing.T) {
	ours := func(r terminal.Row) bool {
		return r.Event != terminal.PowerLost && (r.From == terminal.Ready && r.Event != terminal.Start || r.From == terminal.Asking ||
			r.Event == terminal.Inquire || r.Event == terminal.VoiceApproved || r.Event == terminal.CaptureDue)
	}
	for _, s := range scenes() {
		if _, _, bad := s.run(t, terminal.Table()); bad != "" {
			t.Fatalf("%s: %s", s.name, bad)
		}
	}
	broken := 0
	for i, r := range terminal.Table() {
		if !ours(r) {
			continue
		}
		broken++
		name := string(r.Event) + " in " + string(r.From)
		noticed := func(how string, table []terminal.Row) {
			if !slices.ContainsFunc(scenes(), func(s scene) bool { return s.spoilt(t, table) }) {
				t.Errorf("%s: %s: nobody notices", name, how)
			}
		}
		noticed("no row", slices.Delete(terminal.Table(), i, i+1))
		for d := range r.Duties {
			table := terminal.Table()
			table[i].Duties = slices.Delete(slices.Clone(r.Duties), d, d+1)
			noticed("without "+string(r.Duties[d]), table)
		}
		table := terminal.Table()
		table[i].Commit = false
		noticed("no commit", table)
	}
	if broken != 10 {
		t.Errorf("%d rows were switched off", broken)
	}
}

// spoilt says that a scene comes out otherwise under a table.
func (s scene) spoilt(t *testing.T, table []terminal.Row) bool {
	journal, heard, bad := s.run(t, table)
	if bad != "" {
		return true
	}
	was, wasHeard, _ := s.run(t, terminal.Table())
	return !slices.Equal(wasHeard, heard) || len(was.rows) != len(journal.rows) || !slices.Equal(was.commits, journal.commits)
}
