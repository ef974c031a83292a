package store_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"tillway/store"
	"tillway/terminal"
)

// A copy taken while sales are written is a whole journal: every row authenticates, nothing is missing up to its end, and its end is
// not before the moment at which the copy was asked for.
func TestCopyWhileSelling(t *testing.T) {
	f := newFolder(t)
	s := f.open()
	for id := terminal.SaleID(1); id <= 200; id++ {
		newTeller(t, s, id).do(approved...)
	}
	anchor, err := s.Anchor(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "journal.db")
	var wg sync.WaitGroup
	wg.Go(func() {
		for id := terminal.SaleID(201); id <= 260; id++ {
			newTeller(t, s, id).do(approved...)
		}
	})
	err = terminal.ErrBusy
	for tries := 0; tries < 100 && errors.Is(err, terminal.ErrBusy); tries++ { // it ended in the middle of a sale: whoever wants it asks again
		err = s.Copy(t.Context(), path)
	}
	wg.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".anchor", anchor, 0o600); err != nil {
		t.Fatal(err)
	}
	copied, err := store.Open(t.Context(), store.Config{Path: path, Sealer: f.keys})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = copied.Abort() })
	if r, err := copied.Verify(t.Context()); err != nil || len(r.Findings) != 0 {
		t.Errorf("the copy: %+v (%v), want no findings", r.Findings, err)
	}
	if last, err := copied.Last(t.Context(), 1); err != nil || len(last) != 1 || last[0].ID < 200 {
		t.Errorf("the copy ends with %+v (%v), want sale 200 or later", last, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the copy's mode: %v (%v), want 0600", info.Mode(), err)
	}
}

func TestCopyRefuses(t *testing.T) {
	s := newFolder(t).open()
	newTeller(t, s, 1).do(approved...)
	path := filepath.Join(t.TempDir(), "there")
	if err := os.WriteFile(path, []byte("somebody's"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Copy(t.Context(), path); !errors.Is(err, os.ErrExist) {
		t.Errorf("over a file: %v, want that it is there", err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "somebody's" {
		t.Errorf("the file that was there is %q (%v)", b, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	path = filepath.Join(t.TempDir(), "half")
	if err := s.Copy(ended, path); !errors.Is(err, context.Canceled) {
		t.Errorf("with an ended context: %v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a copy that failed is left: %v", err)
	}
}
