package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"tillway/store"
	"tillway/terminal"
	"tillway/terminal/people"
)

// book is what a journal said before it was damaged.
type book struct {
	sales map[terminal.SaleID]terminal.Sale
	debts map[int64]terminal.Debt // with their messages, where they wait
	ended map[int64]bool
	last  terminal.SaleID
}

// busyShop fills a journal with sales of every end, debts in every state and an audit log. It is left as a power cut leaves it when crash is set: with
// the newest rows in the log alone.
func busyShop(t testing.TB, f *folder, crash bool) book {
	t.Helper()
	s := f.open()
	b := book{map[terminal.SaleID]terminal.Sale{}, map[int64]terminal.Debt{}, map[int64]bool{}, 90}
	for id := terminal.SaleID(1); id <= b.last; id++ {
		newTeller(t, s, id).do([][]terminal.Event{approved, refused, approved, undone}[id%4]...)
		if id%30 == 0 {
			if err := s.Audit(t.Context(), people.Entry{Actor: people.Terminal, Event: people.EventStart, Result: people.Done, Note: fmt.Sprint(id)}); err != nil {
				t.Fatal(err)
			}
		}
		if id == 60 {
			if err := s.Checkpoint(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i, d := range due(t, s) {
		switch i % 4 {
		case 0:
			move(t, s, &d, terminal.DebtTurn)
			move(t, s, &d, terminal.DebtAccepted)
			b.ended[d.ID] = true
			continue
		case 1:
			move(t, s, &d, terminal.DebtTurn)
			move(t, s, &d, terminal.DebtRefused)
		case 2:
			move(t, s, &d, terminal.DebtTurn)
			move(t, s, &d, terminal.DebtNoAnswer)
		}
		b.debts[d.ID] = d
	}
	all, err := s.Last(t.Context(), 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, sale := range all {
		b.sales[sale.ID] = sale
	}
	cut := f.copy() // with its log: closing folds that back
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if crash {
		for _, suffix := range []string{"", "-wal"} {
			if err := copyFile(cut+suffix, f.path()+suffix); err != nil {
				t.Fatal(err)
			}
		}
	}
	return b
}

func (f *folder) salvage(t testing.TB, given uint64) (store.Salvage, string, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "journal.db")
	r, err := store.SalvageJournal(context.Background(), store.SalvageConfig{Config: store.Config{Path: path, Sealer: f.keys}, From: f.path(), Given: given})
	return r, path, err
}

// hold holds a salvaged journal to what was there: nothing is invented, nothing that is over is sent again, and what is not there is named.
func (b book) hold(t testing.TB, f *folder, r store.Salvage, path string) {
	t.Helper()
	s, err := store.Open(context.Background(), store.Config{Path: path, Sealer: f.keys})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Abort() }()
	all, err := s.Last(context.Background(), 1000)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[terminal.SaleID]bool{}
	for _, sale := range all {
		seen[sale.ID] = true
		if was := b.sales[sale.ID]; sale.State.Final() && (sale.State != was.State || sale.Amount != was.Amount || sale.STAN != was.STAN) {
			t.Errorf("sale %d is %s, and was %s", sale.ID, sale.State, was.State)
		}
	}
	for id := range b.sales {
		named := slices.ContainsFunc(r.Lost, func(l store.Span) bool { return l.First <= int64(id) && int64(id) <= l.Last }) ||
			slices.ContainsFunc(r.Ends, func(e store.LostEnd) bool { return e.Sale == id })
		if !seen[id] && !named {
			t.Errorf("sale %d is gone, and nobody says so", id)
		}
	}
	debts, err := s.Debts(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	open := map[int64]bool{}
	for _, d := range debts {
		open[d.ID] = true
		was, there := b.debts[d.ID]
		switch {
		case d.State == terminal.Parked:
		case !there:
			t.Errorf("debt %d (%s of sale %d) would be sent, and was over", d.ID, d.Kind, d.Sale)
		case d.Sale != was.Sale || d.Kind != was.Kind || was.State == terminal.Parked:
			t.Errorf("debt %d is %+v, and was %+v", d.ID, d, was)
		}
		if m, err := s.Message(context.Background(), d.ID); err == nil && there && !bytes.Equal(m, was.Message) {
			t.Errorf("debt %d has another message", d.ID)
		}
	}
	for id, d := range b.debts {
		lost := slices.ContainsFunc(r.Owed, func(e store.LostEnd) bool { return e.Sale == d.Sale }) || !seen[d.Sale]
		if !open[id] && !lost {
			t.Errorf("debt %d of sale %d is gone, and nobody says so", id, d.Sale)
		}
	}
	v, err := s.Verify(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Missing) == 0 && r.Tail == "" && len(r.Batches) == 0 && len(v.Findings) > 0 {
		t.Errorf("nothing is lost, and the new journal has %v", v.Findings)
	}
}

// TestSalvageOfSoundJournal: from a journal with nothing wrong everything comes over, closed or left by a power cut.
func TestSalvageOfSoundJournal(t *testing.T) {
	for name, crash := range map[string]bool{"closed": false, "power cut": true} {
		t.Run(name, func(t *testing.T) {
			f := newFolder(t)
			b := busyShop(t, f, crash)
			before := snapshot(t, f.dir)
			r, path, err := f.salvage(t, uint64(b.last))
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Missing)+len(r.Lost)+len(r.Ends)+len(r.Owed)+len(r.Parked)+len(r.Batches) > 0 || r.Tail != "" || r.Sales != len(b.sales) || r.Open != len(b.debts) {
				t.Errorf("%+v", r)
			}
			b.hold(t, f, r, path)
			for p, content := range before.kept {
				if now, err := os.ReadFile(p); err != nil || !bytes.Equal(now, content) {
					t.Errorf("%s was changed (%v)", p, err)
				}
			}
			if _, err := os.Stat(path + ".scratch"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the scratch is left: %v", err)
			}
		})
	}
}

// TestSalvageOfDamage: headers, trees and ends that are gone cost what stood in them, and no more.
func TestSalvageOfDamage(t *testing.T) {
	edit := func(suffix string, change func([]byte) []byte) func(*folder) error {
		return func(f *folder) error {
			text, err := os.ReadFile(f.path() + suffix)
			if err != nil {
				return err
			}
			return os.WriteFile(f.path()+suffix, change(text), 0o600)
		}
	}
	pagesOf := func(kinds string) func([]byte) []byte {
		return func(text []byte) []byte {
			for at := 4096; at < len(text); at += 4096 {
				if bytes.ContainsAny(text[at:at+1], kinds) {
					clear(text[at : at+4096])
				}
			}
			return text
		}
	}
	for _, c := range []struct {
		name   string
		crash  bool
		damage func(*folder) error
		whole  bool // nothing may be lost
	}{
		{"zeroed header", false, edit("", func(b []byte) []byte { clear(b[:100]); return b }), true},
		{"zeroed schema", false, edit("", func(b []byte) []byte { clear(b[:4096]); return b }), true},
		{"no interior page of tables", false, edit("", pagesOf("\x05")), true},
		{"cut in the middle", false, edit("", func(b []byte) []byte { return b[:len(b)/8192*4096] }), false},
		{"cut within a page", false, edit("", func(b []byte) []byte { return b[:len(b)-1000] }), false},
		{"log missing", true, func(f *folder) error { return os.Remove(f.path() + "-wal") }, false},
		{"log cut", true, edit("-wal", func(b []byte) []byte { return b[:len(b)/2] }), false},
		{"log's header zeroed", true, edit("-wal", func(b []byte) []byte { clear(b[:32]); return b }), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFolder(t)
			b := busyShop(t, f, c.crash)
			if err := c.damage(f); err != nil {
				t.Fatal(err)
			}
			r, path, err := f.salvage(t, uint64(b.last))
			if err != nil {
				t.Fatal(err)
			}
			b.hold(t, f, r, path)
			if lost := len(r.Missing) > 0 || r.Tail != ""; lost == c.whole {
				t.Errorf("lost %v, tail %q, want something lost: %v", r.Missing, r.Tail, !c.whole)
			}
		})
	}
}

// TestSalvageOfAnyDamage: pages of noise and bits that are turned, anywhere in database and log.
func TestSalvageOfAnyDamage(t *testing.T) {
	f := newFolder(t)
	b := busyShop(t, f, true)
	whole := snapshot(t, f.dir)
	kept := 0
	for seed := range uint64(8) {
		whole.restore(t)
		random := rand.New(rand.NewPCG(seed, 7))
		for _, suffix := range []string{"", "-wal"} {
			text, err := os.ReadFile(f.path() + suffix)
			if err != nil {
				t.Fatal(err)
			}
			for range 1 + random.IntN(4) {
				at := random.IntN(len(text)/4096) * 4096
				for i := range 4096 {
					text[at+i] = byte(random.Uint32())
				}
			}
			for range random.IntN(30) {
				text[random.IntN(len(text))] ^= 1 << random.IntN(8)
			}
			if err := os.WriteFile(f.path()+suffix, text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		r, path, err := f.salvage(t, uint64(b.last))
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		b.hold(t, f, r, path)
		kept += r.Sales
		if t.Failed() {
			t.Fatalf("seed %d: %+v", seed, r)
		}
	}
	if kept < 8*len(b.sales)/2 {
		t.Errorf("%d sales of %d were kept in all", kept, 8*len(b.sales))
	}
}

// TestSalvageRefuses: another terminal's journal, and a place where something is.
func TestSalvageRefuses(t *testing.T) {
	f, other := newFolder(t), newFolder(t)
	busyShop(t, f, false)
	path := filepath.Join(t.TempDir(), "journal.db")
	c := store.SalvageConfig{Config: store.Config{Path: path, Sealer: other.keys}, From: f.path()}
	if _, err := store.SalvageJournal(t.Context(), c); !errors.Is(err, store.ErrForeign) {
		t.Errorf("another terminal's: %v, want ErrForeign", err)
	}
	if left, err := filepath.Glob(path + "*"); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	c.Sealer = f.keys
	for _, there := range []string{path, path + "-wal", path + ".anchor"} {
		if err := os.WriteFile(there, []byte("somebody's"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := store.SalvageJournal(t.Context(), c); !errors.Is(err, fs.ErrExist) {
			t.Errorf("over %s: %v, want that it is there", there, err)
		}
		if text, err := os.ReadFile(there); err != nil || string(text) != "somebody's" {
			t.Errorf("%s is %q now (%v)", there, text, err)
		}
		if err := os.Remove(there); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(f.path(), make([]byte, 1<<16), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := store.SalvageJournal(t.Context(), c); !errors.Is(err, store.ErrForeign) {
		t.Errorf("zeros: %v, want ErrForeign", err)
	}
}
