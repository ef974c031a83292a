package store_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"tillway/store"
	"tillway/terminal"
)

func journal(t testing.TB, s *store.Store) []terminal.JournalRow {
	t.Helper()
	var all []terminal.JournalRow
	for {
		after := int64(len(all))
		rows, err := s.Rows(t.Context(), after, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if len(rows) == 0 {
			return all
		}
		all = append(all, rows...)
	}
}

func note(text string) terminal.Entry {
	return terminal.Entry{Kind: terminal.StrayEntry, Note: text}
}

func notes(rows []terminal.JournalRow) string {
	words := make([]string, len(rows))
	for i, r := range rows {
		words[i] = r.Note
	}
	return strings.Join(words, " ")
}

func TestRowsWaitForTheNextCommitOfAnybody(t *testing.T) {
	f := newFolder(t)
	s := f.open()
	for _, step := range []struct {
		note   string
		commit bool
		want   string // what is on disk afterwards
	}{
		{"one", false, ""},
		{"two", false, ""},
		{"three", true, "one two three"},
		{"four", false, "one two three"},
		{"five", true, "one two three four five"},
	} {
		if err := s.Append(t.Context(), step.commit, note(step.note)); err != nil {
			t.Fatal(err)
		}
		if got := notes(journal(t, s)); got != step.want {
			t.Errorf("after %s: %q on disk, want %q", step.note, got, step.want)
		}
	}
	// The making of a batch commits too, and takes what waits with it.
	if err := s.Append(t.Context(), false, note("six")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Batch(t.Context(), acquirer); err != nil {
		t.Fatal(err)
	}
	if got := notes(journal(t, s)); got != "one two three four five six" {
		t.Errorf("after the batch: %q on disk", got)
	}
	counts, err := s.Counts(t.Context())
	if err != nil || counts.Highest != 6 {
		t.Errorf("highest is %d (%v), want 6", counts.Highest, err)
	}
}

func TestManyWaitingRowsAreCommittedEvenSo(t *testing.T) {
	s := newFolder(t).open()
	for range 1001 {
		if err := s.Append(t.Context(), false, note("x")); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(journal(t, s)); got != 1001 {
		t.Errorf("%d rows on disk, want 1001", got)
	}
}

func TestCloseWritesWhatWaitsAndAbortDropsIt(t *testing.T) {
	f := newFolder(t)
	for _, step := range []struct {
		note string
		end  func(*store.Store) error
		want string
	}{
		{"kept", (*store.Store).Close, "kept"},
		{"lost", (*store.Store).Abort, "kept"},
		{"after", (*store.Store).Close, "kept after"},
	} {
		s := f.open()
		if err := s.Append(t.Context(), false, note(step.note)); err != nil {
			t.Fatal(err)
		}
		if err := step.end(s); err != nil {
			t.Fatal(err)
		}
		if err := s.Append(t.Context(), true, note("late")); !errors.Is(err, store.ErrFailed) {
			t.Errorf("append to a closed journal: %v, want ErrFailed", err)
		}
		if _, err := s.Rows(t.Context(), 0, 1); !errors.Is(err, store.ErrFailed) {
			t.Errorf("read of a closed journal: %v, want ErrFailed", err)
		}
		s = f.open()
		rows := journal(t, s)
		if got := notes(rows); got != step.want {
			t.Errorf("after %s: %q on disk, want %q", step.note, got, step.want)
		}
		for i, r := range rows {
			if r.Seq != int64(i+1) {
				t.Errorf("row %d has number %d", i, r.Seq)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestKeyIsFoundBeforeAndAfterTheCommit(t *testing.T) {
	s := newFolder(t).open()
	k := newTeller(t, s, 1)
	k.sale.Key = "till 1 order 7"
	if _, err := s.ByKey(t.Context(), k.sale.Key); !errors.Is(err, terminal.ErrNoSale) {
		t.Fatalf("before the sale: %v, want ErrNoSale", err)
	}
	for _, step := range []terminal.Event{terminal.Start, terminal.Presented, terminal.GoOnline, terminal.HostApproved, terminal.CardAgrees} {
		k.do(step)
		sale, err := s.ByKey(t.Context(), k.sale.Key)
		if err != nil || sale.ID != 1 || sale.State != k.sale.State {
			t.Errorf("after %s: sale %d %s (%v), want 1 %s", step, sale.ID, sale.State, err, k.sale.State)
		}
	}
	if _, err := s.ByKey(t.Context(), ""); !errors.Is(err, terminal.ErrNoSale) {
		t.Errorf("empty key: %v, want ErrNoSale", err)
	}
}

// What is not a transition, or does not follow from what is on disk, stops the journal, and nothing of it is written.
func TestDefectsStopTheJournal(t *testing.T) {
	for name, spoil := range map[string]func(*teller, *terminal.Entry){
		"no sale":                func(_ *teller, e *terminal.Entry) { e.Sale = nil },
		"sale without acquirer":  func(_ *teller, e *terminal.Entry) { e.Sale.Acquirer = "" },
		"sale without batch":     func(_ *teller, e *terminal.Entry) { e.Sale.Batch = 0 },
		"unknown kind":           func(_ *teller, e *terminal.Entry) { e.Kind = "rumour" },
		"unknown duty":           func(_ *teller, e *terminal.Entry) { e.Duties = []terminal.Duty{"+X"} },
		"record of the future":   func(_ *teller, e *terminal.Entry) { e.Sale.V = 2 },
		"reversal not composed":  func(_ *teller, e *terminal.Entry) { e.Secret.Reversal = nil },
		"reversal without any":   func(_ *teller, e *terminal.Entry) { e.Secret = nil },
		"from another state":     func(_ *teller, e *terminal.Entry) { e.From = terminal.AwaitCard },
		"another sale":           func(_ *teller, e *terminal.Entry) { e.Sale.ID = 2 },
		"sale number used twice": func(_ *teller, e *terminal.Entry) { e.From = terminal.Ready },
		"discharge before owing": func(_ *teller, e *terminal.Entry) { e.Duties = []terminal.Duty{terminal.DischargeReversal} },
		"debt in a sale's row":   func(_ *teller, e *terminal.Entry) { e.Debt = &terminal.Debt{ID: 1} },
		"debt that is not there": func(_ *teller, e *terminal.Entry) {
			*e = terminal.Entry{Kind: terminal.DebtEntry, Debt: &terminal.Debt{ID: 9, Sale: 1, Acquirer: acquirer, State: terminal.Sent}}
		},
		"long note": func(_ *teller, e *terminal.Entry) { e.Note = strings.Repeat("n", 1001) },
		"batch without key": func(k *teller, e *terminal.Entry) {
			e.Sale.Batch = 77
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFolder(t)
			s := f.open()
			k := newTeller(t, s, 1)
			k.do(terminal.Start, terminal.Presented)
			if err := s.Append(t.Context(), true); err != nil {
				t.Fatal(err)
			}
			e, _ := k.entry(terminal.GoOnline)
			spoil(k, &e)
			first := s.Append(t.Context(), true, e)
			if !errors.Is(first, store.ErrFailed) {
				t.Fatalf("took it: %v", first)
			}
			if strings.Contains(first.Error(), canary) {
				t.Errorf("the error shows the card number: %v", first)
			}
			if err := s.Append(t.Context(), true, note("after")); !errors.Is(err, store.ErrFailed) {
				t.Errorf("the next append: %v, want ErrFailed", err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = f.open()
			if got := len(journal(t, s)); got != 2 {
				t.Errorf("%d rows on disk, want the 2 before it", got)
			}
			if debts, err := s.Debts(t.Context()); err != nil || len(debts) != 0 {
				t.Errorf("debts %v (%v), want none", debts, err)
			}
		})
	}
}

func TestEndedContextChangesNothing(t *testing.T) {
	s := newFolder(t).open()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Append(ended, true, note("never")); !errors.Is(err, context.Canceled) {
		t.Errorf("append: %v, want the context's error", err)
	}
	if _, err := s.Due(ended, acquirer); !errors.Is(err, context.Canceled) {
		t.Errorf("due: %v, want the context's error", err)
	}
	if err := s.Append(t.Context(), true, note("then")); err != nil {
		t.Fatal(err)
	}
	if got := notes(journal(t, s)); got != "then" {
		t.Errorf("%q on disk, want %q", got, "then")
	}
}

func TestWhatTheTillReads(t *testing.T) {
	s := newFolder(t).open()
	for id := terminal.SaleID(1); id <= 4; id++ {
		newTeller(t, s, id).do(approved...)
	}
	last, err := s.Last(t.Context(), 2)
	if err != nil || len(last) != 2 || last[0].ID != 4 || last[1].ID != 3 {
		t.Errorf("last two: %d sales (%v), want 4 and 3", len(last), err)
	}
	if highest, err := s.Highest(t.Context()); err != nil || highest != 4 {
		t.Errorf("highest sale is %d (%v), want 4", highest, err)
	}
	rows, err := s.Rows(t.Context(), 7, 3)
	if err != nil || len(rows) != 3 || rows[0].Seq != 8 {
		t.Errorf("rows behind 7: %d (%v), want 8, 9, 10", len(rows), err)
	}
	if rows, err := s.Rows(t.Context(), 0, -1); err != nil || len(rows) != 0 {
		t.Errorf("a negative limit: %d rows (%v), want none", len(rows), err)
	}
	of, err := s.SaleRows(t.Context(), 2)
	if err != nil || len(of) != 5 || of[2].Event != string(terminal.GoOnline) || of[2].Duties[0] != terminal.OweReversal {
		t.Errorf("rows of sale 2: %+v (%v)", of, err)
	}
	for _, id := range []terminal.SaleID{0, 5} {
		if _, err := s.SaleRows(t.Context(), id); !errors.Is(err, terminal.ErrNoSale) {
			t.Errorf("rows of sale %d: %v, want ErrNoSale", id, err)
		}
		if _, err := s.Sale(t.Context(), id); !errors.Is(err, terminal.ErrNoSale) {
			t.Errorf("sale %d: %v, want ErrNoSale", id, err)
		}
	}
}
