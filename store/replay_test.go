package store_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tillway/store"
	"tillway/terminal"
)

// replay works out from the journal alone what the projections must be: the same rules, in other words than the store's.
func replay(rows []terminal.JournalRow) (sales, debts []string) {
	type debt struct {
		sale  terminal.SaleID
		kind  terminal.DebtKind
		state terminal.DebtState
		tries int
	}
	state := map[terminal.SaleID]string{}
	var owed []debt
	for _, r := range rows {
		switch r.Kind {
		case terminal.SaleEntry:
			state[r.Sale] = fmt.Sprintf("%d %s %d", r.Sale, r.To, r.Seq)
			for _, duty := range r.Duties {
				switch duty {
				case terminal.OweReversal:
					owed = append(owed, debt{r.Sale, terminal.ReversalDebt, terminal.Owed, 0})
				case terminal.OweAdvice:
					owed = append(owed, debt{r.Sale, terminal.AdviceDebt, terminal.Owed, 0})
				case terminal.OweDeferred:
					owed = append(owed, debt{r.Sale, terminal.DeferredDebt, terminal.Owed, 0})
				case terminal.DischargeReversal:
					for i := range owed {
						if owed[i].sale == r.Sale && owed[i].kind == terminal.ReversalDebt {
							owed[i].state = terminal.Discharged
						}
					}
				}
			}
		case terminal.DebtEntry:
			owed[r.Debt.ID-1].state, owed[r.Debt.ID-1].tries = r.Debt.State, r.Debt.Attempts
		case terminal.StrayEntry, terminal.SignOnEntry, terminal.StartEntry, terminal.BatchEntry:
		}
	}
	for _, s := range state {
		sales = append(sales, s)
	}
	slices.Sort(sales)
	for i, d := range owed {
		debts = append(debts, fmt.Sprintf("%d %d %s %s %d", i+1, d.sale, d.kind, d.state, d.tries))
	}
	return sales, debts
}

// checkProjections compares a closed journal's tables with a replay.
func checkProjections(t testing.TB, path string, rows []terminal.JournalRow) {
	t.Helper()
	for i, r := range rows {
		if r.Seq != int64(i+1) {
			t.Fatalf("row %d has number %d", i+1, r.Seq)
		}
	}
	sales, debts := replay(rows)
	db := raw(t, path)
	defer db.Close()
	tableSales := strings.Split(ask(t, db, "SELECT id || ' ' || state || ' ' || seq || ';' FROM sale"), ";")
	tableDebts := strings.Split(ask(t, db, "SELECT id || ' ' || sale || ' ' || kind || ' ' || state || ' ' || attempts || ';' FROM owed ORDER BY id"), ";")
	trim := func(in []string) (out []string) {
		for _, s := range in {
			if s = strings.TrimSpace(s); s != "" {
				out = append(out, s)
			}
		}
		return out
	}
	tableSales, tableDebts = trim(tableSales), trim(tableDebts)
	slices.Sort(tableSales)
	if !slices.Equal(sales, tableSales) {
		t.Errorf("sales: journal says %v, projection %v", sales, tableSales)
	}
	if !slices.Equal(debts, tableDebts) {
		t.Errorf("debts: journal says %v, projection %v", debts, tableDebts)
	}
	// Sealed data is there exactly as long as something may need it.
	var want []string
	for _, r := range values(t, path, "SELECT id FROM owed WHERE final = 0") {
		want = append(want, "message"+r)
	}
	var got []string
	for _, r := range values(t, path, "SELECT id FROM card WHERE purpose = 'message'") {
		got = append(got, "message"+r)
	}
	if !slices.Equal(want, got) {
		t.Errorf("sealed messages %v, want %v", got, want)
	}
	if left := ask(t, db, "SELECT count(*) FROM card c JOIN sale s ON s.id = c.id WHERE c.purpose = 'request' AND s.state NOT IN ('Sending')"); left != "0" {
		t.Errorf("%s requests outlived their answer", left)
	}
}

func values(t testing.TB, path, q string) []string {
	t.Helper()
	return strings.Fields(query(t, path, q))
}

// walk runs one random sale through the state table, and with it random transitions of debts.
func walk(t testing.TB, s *store.Store, r *rand.Rand, id terminal.SaleID, after func()) {
	t.Helper()
	k := newTeller(t, s, id)
	for !k.sale.State.Final() {
		onward := r.IntN(8) > 0 // rather to a state that is not final, or most sales would end before they are sent
		var can, far []terminal.Event
		for _, row := range k.table {
			if row.From == k.sale.State {
				can = append(can, row.Event)
				if !row.To.Final() && row.To != terminal.AwaitCard {
					far = append(far, row.Event)
				}
			}
		}
		if onward && len(far) > 0 {
			can = far
		}
		k.do(can[r.IntN(len(can))])
		after()
	}
	for _, d := range due(t, s) {
		if r.IntN(2) == 0 {
			continue
		}
		if d.State == terminal.Owed {
			move(t, s, &d, terminal.DebtTurn)
			after()
		}
		events := []terminal.DebtEvent{terminal.DebtAccepted, terminal.DebtRefused, terminal.DebtTryLater, terminal.DebtNoAnswer}
		move(t, s, &d, events[r.IntN(len(events))])
		after()
	}
}

func TestProjectionsEqualAReplay(t *testing.T) {
	f := newFolder(t)
	r := rand.New(rand.NewPCG(1, 2))
	seen := map[string]bool{}
	for id := terminal.SaleID(1); id <= 200; {
		s := f.open()
		for range 1 + r.IntN(20) {
			walk(t, s, r, id, func() {})
			id++
		}
		rows := journal(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		checkProjections(t, f.path(), rows)
		for _, state := range values(t, f.path(), "SELECT state FROM sale UNION SELECT state FROM owed") {
			seen[state] = true
		}
	}
	for _, state := range []string{"Approved", "Declined", "Cancelled", "Reversed", "Owed", "Acknowledged", "Parked", "Discharged"} {
		if !seen[state] {
			t.Errorf("no walk ended in %s: the test does not reach it", state)
		}
	}
}

// A power cut at any step, imitated by a copy of database and log, and at any byte of the log: what opens is a prefix of
// what was written, with everything that was committed before the copy, and projections that fit.
func TestPowerCutAtAnyStep(t *testing.T) {
	f := newFolder(t)
	s := f.open()
	r := rand.New(rand.NewPCG(3, 4))
	cuts := 0
	cut := func() {
		cuts++
		want := journal(t, s)
		reopen(t, f, t.TempDir(), -1, want, len(want))
		if wal, err := os.Stat(f.path() + "-wal"); err == nil && wal.Size() > 0 {
			reopen(t, f, t.TempDir(), r.Int64N(wal.Size()), want, 0)
		}
	}
	for id := terminal.SaleID(1); id <= 15; id++ {
		walk(t, s, r, id, cut)
		if id%5 == 0 {
			if err := s.Checkpoint(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if cuts < 50 {
		t.Errorf("only %d power cuts", cuts)
	}
}

// reopen copies the folder, with the log cut at a byte unless that is negative, and opens the copy.
func reopen(t testing.TB, f *folder, dir string, at int64, want []terminal.JournalRow, atLeast int) {
	t.Helper()
	for _, suffix := range []string{"", "-wal"} {
		in, err := os.Open(f.path() + suffix)
		if err != nil {
			t.Fatal(err)
		}
		out, err := os.Create(filepath.Join(dir, "journal.db"+suffix))
		if err != nil {
			t.Fatal(err)
		}
		var content io.Reader = in
		if suffix == "-wal" && at >= 0 {
			content = io.LimitReader(in, at)
		}
		if _, err := io.Copy(out, content); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(in.Close(), out.Close()); err != nil {
			t.Fatal(err)
		}
	}
	copied := &folder{t, dir, f.keys}
	s, err := store.Open(t.Context(), store.Config{Path: copied.path(), Sealer: f.keys})
	if err != nil {
		t.Fatalf("after a cut at byte %d of the log: %v", at, err)
	}
	got := journal(t, s)
	if len(got) < atLeast || len(got) > len(want) {
		t.Fatalf("after a cut at byte %d: %d rows, committed were %d", at, len(got), len(want))
	}
	for i := range got {
		if got[i].Event != want[i].Event || got[i].Sale != want[i].Sale || got[i].To != want[i].To {
			t.Errorf("after a cut at byte %d: row %d differs", at, i+1)
		}
	}
	for _, d := range due(t, s) {
		if d.Kind == terminal.ReversalDebt && len(d.Message) == 0 {
			t.Errorf("after a cut at byte %d: reversal of sale %d has no message", at, d.Sale)
		}
	}
	if n := s.Quarantined(); n != 0 {
		t.Errorf("after a cut at byte %d: %d in quarantine", at, n)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	checkProjections(t, copied.path(), got)
}
