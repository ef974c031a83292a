package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tillway/host/ledger"
	"tillway/terminal"
)

// How often TestKilledPrograms kills each program, and at which moments.
const (
	killsOfEach = 20
	killSeed    = 20_261_123
)

// told is what pos said to the cashier of one sale; the reference names it.
type told struct {
	reference string
	minor     int64
	exit      int
}

// TestKilledPrograms kills the real posd and the real hostsim without warning, each twenty times, at moments all over a sale,
// and what is then owed. In the end a reading of both databases' contents that shares nothing with the programs compares
// them: what the terminal approved is posted once, to the fil, and nothing else stands; what the cashier was told is so.
func TestKilledPrograms(t *testing.T) {
	t.Parallel()
	w := whole(t, io.Discard)
	random := rand.New(rand.NewPCG(killSeed, 0))
	talk := w.talk(t) // kills are spread over this long: how fast the machine is decides nothing else
	all := []told{{"warm", 900, 0}}
	for n := range 2 * killsOfEach {
		s := told{fmt.Sprintf("round %d", n), int64(1_000*(1+n%7) + 300 + n), 0}
		if n%5 == 4 {
			s.minor = s.minor/1_000*1_000 + 103 // the connection breaks in mid-answer: a reversal is owed
		}
		victim := []string{"posd", "hostsim"}[n%2]
		s.exit = w.sellAndKill(t, s, n > 0 && n%2 == 1, victim, time.Duration(random.Int64N(int64(talk))))
		all = append(all, s)
		if n%3 == 2 { // else what is owed meets the next kill
			if err := w.settled(t.Context()); err != nil {
				t.Fatalf("after round %d: %v", n, err)
			}
		}
	}
	if err := w.settled(t.Context()); err != nil {
		t.Fatal(err)
	}
	books := bankBooks(t, w)
	w.stopTerminal(t)
	sales := journalSales(t, w)
	compareBooks(t, sales, books)
	ends := map[string]int{}
	for _, s := range all {
		at := slices.IndexFunc(sales, func(r journalSale) bool { return r.Reference == s.reference })
		switch {
		case at < 0 && s.exit == 0:
			t.Errorf("%s was shown approved, and there is no such sale", s.reference)
		case at >= 0:
			ends[sales[at].State]++
			if (s.exit == 0) && sales[at].State != string(terminal.Approved) {
				t.Errorf("%s was shown approved, and is %s", s.reference, sales[at].State)
			}
		default:
			ends["never begun"]++
		}
	}
	if ends[string(terminal.Approved)] == 0 || ends[string(terminal.Reversed)] == 0 {
		t.Errorf("the sales ended %v: the kills came at no interesting moment", ends)
	}
	t.Logf("%d kills of each; sales ended %v; %d entries at the bank", killsOfEach, ends, len(books.entries))
	w.nothingOnDisk(t)
}

// talk is how long a sale takes from the card's first word to its end.
func (w *world) talk(t *testing.T) time.Duration {
	t.Helper()
	done := make(chan struct{})
	begun := make(chan time.Time, 1)
	go func() {
		w.awaitTalk(t.Context(), done)
		begun <- time.Now()
	}()
	w.sale(t, 0, "0.900", "--reference", "warm")
	took := time.Since(<-begun)
	close(done)
	return took
}

// awaitTalk waits until terminal and card talk, or nobody wants to know any more.
func (w *world) awaitTalk(ctx context.Context, done <-chan struct{}) {
	for {
		if s, err := w.status(ctx); err == nil && s.State != terminal.Ready && s.State != terminal.AwaitCard && !s.State.Final() {
			return
		}
		select {
		case <-done:
			return
		case <-ctx.Done():
			return
		case <-time.After(4 * time.Millisecond):
		}
	}
}

// sellAndKill has the cashier sell, kills a program a moment after the card began to talk, and starts it again. out says that
// the card is not in the reader, and is put in when it is asked for.
func (w *world) sellAndKill(t *testing.T, s told, out bool, victim string, after time.Duration) (exit int) {
	t.Helper()
	var printed string
	var err error
	amount := fmt.Sprintf("%d.%03d", s.minor/1_000, s.minor%1_000)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		printed, exit, err = w.cashier(t.Context(), "sale", amount, "--reference", s.reference)
	}()
	var put sync.WaitGroup
	if out {
		put.Go(func() {
			if err := putIn(t.Context(), w); err != nil {
				t.Error(err)
			}
		})
	}
	w.awaitTalk(t.Context(), ended)
	put.Wait()
	time.Sleep(after)
	p, terr := w.take(victim)
	if terr != nil {
		t.Fatal(terr)
	}
	p.kill()
	start := w.startHost
	if victim == "posd" {
		start = w.startTerminal
		if err := w.cardholder(t.Context(), "remove"); err != nil { // who waits for a dead terminal takes the card back
			t.Fatal(err)
		}
	}
	if err := start(t.Context()); err != nil {
		t.Fatalf("%s does not start after it was killed %v into %s: %v", victim, after, s.reference, err)
	}
	<-ended
	if err != nil {
		t.Fatalf("%s: %v\n%s", s.reference, err, printed)
	}
	return exit
}

// journalSale is a sale as its last journal row has it.
type journalSale struct {
	ID        uint64 `json:"id"`
	State     string `json:"state"`
	Reference string `json:"reference"`
	STAN      uint32 `json:"stan"`
	Batch     uint32 `json:"batch"`
	Terminal  string `json:"tid"`
	Amount    struct {
		Minor int64 `json:"minor"`
	} `json:"amount"`
}

// journalSales reads the journal's own rows behind the daemon's back.
func journalSales(t *testing.T, w *world) (sales []journalSale) {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+w.path("state/journal.db")+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	rows, err := db.QueryContext(t.Context(), `SELECT record FROM journal j WHERE kind = 'sale'
		AND seq = (SELECT max(seq) FROM journal WHERE kind = 'sale' AND sale = j.sale) ORDER BY sale`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var record string
		var s journalSale
		if err := rows.Scan(&record); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(record), &s); err != nil {
			t.Fatalf("%v: %s", err, record)
		}
		sales = append(sales, s)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return sales
}

// books are the bank's, as its own commands print them.
type books struct {
	entries []ledger.Entry
	trial   []ledger.Trial
}

func bankBooks(t *testing.T, w *world) (b books) {
	t.Helper()
	for name, into := range map[string]any{"entries": &b.entries, "trial": &b.trial} {
		ctx, stop := context.WithTimeout(t.Context(), lookWithin)
		defer stop()
		out, err := exec.CommandContext(ctx, w.binary("hostsim"), name, "--http", w.hostHTTP, "--json").Output()
		if err == nil {
			err = json.NewDecoder(bytes.NewReader(out)).Decode(into)
		}
		if err != nil {
			t.Fatalf("hostsim %s: %v", name, err)
		}
	}
	return b
}

// compareBooks holds the bank's entries, added up by transaction, against the terminal's sales.
func compareBooks(t *testing.T, sales []journalSale, b books) {
	t.Helper()
	stands, taken := map[string]int64{}, map[string]int{}
	var lost int64 // by cards, after their opening
	for _, e := range b.entries {
		for _, l := range e.Legs {
			if !strings.HasPrefix(l.Account, "card:") || e.Ref == "" {
				continue
			}
			stands[e.Ref] -= l.Minor
			lost -= l.Minor
			if l.Minor < 0 {
				taken[e.Ref]++
			}
		}
	}
	var approved int64
	seen := map[string]uint64{}
	for _, s := range sales {
		ref := fmt.Sprintf("%s/%06d/%06d", s.Terminal, s.Batch, s.STAN)
		if other, twice := seen[ref]; twice && s.STAN != 0 {
			t.Errorf("sales %d and %d are both %s", other, s.ID, ref)
		}
		seen[ref] = s.ID
		want := int64(0)
		switch terminal.State(s.State) {
		case terminal.Approved:
			want = s.Amount.Minor
			approved += want
		case terminal.Declined, terminal.Cancelled, terminal.Reversed:
		default:
			t.Errorf("sale %d is left in %s", s.ID, s.State)
		}
		if stands[ref] != want || taken[ref] > 1 {
			t.Errorf("sale %d (%s) is %s over %d fils; at the bank %d stand, taken %d times", s.ID, ref, s.State, s.Amount.Minor, stands[ref], taken[ref])
		}
	}
	for _, ref := range slices.Sorted(maps.Keys(stands)) {
		if _, known := seen[ref]; !known {
			t.Errorf("the bank has %s over %d fils, and the terminal knows nothing of it", ref, stands[ref])
		}
	}
	if lost != approved {
		t.Errorf("the cards lost %d fils, and %d were approved", lost, approved)
	}
	for _, trial := range b.trial {
		if trial.Off != 0 {
			t.Errorf("the trial balance of %s is off by %d", trial.Currency, trial.Off)
		}
	}
}
