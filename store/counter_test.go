package store_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"tillway/store"
	"tillway/terminal"
)

func newCounter(t *testing.T, block uint64) (*store.Counter, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "stan.counter")
	c, err := store.CreateCounter(path, block)
	if err != nil {
		t.Fatal(err)
	}
	return c, path
}

func take(t *testing.T, c *store.Counter, n int) []uint64 {
	t.Helper()
	var got []uint64
	for range n {
		v, err := c.Next(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, v)
	}
	return got
}

func reopenCounter(t *testing.T, path string, block uint64) *store.Counter {
	t.Helper()
	c, err := store.OpenCounter(path, block)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCounterSkipsAfterACrashAndGoesOnAfterAClose(t *testing.T) {
	c, path := newCounter(t, 10)
	if got := take(t, c, 3); !slices.Equal(got, []uint64{1, 2, 3}) {
		t.Errorf("first numbers %v", got)
	}
	c = reopenCounter(t, path, 10) // no Close: a crash
	if got := take(t, c, 2); !slices.Equal(got, []uint64{11, 12}) {
		t.Errorf("after a crash %v, want 11 12: the rest of the block is skipped", got)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Next(t.Context()); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("number from a closed counter: %v", err)
	}
	if err := c.Refill(t.Context()); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("refill of a closed counter: %v", err)
	}
	c = reopenCounter(t, path, 10)
	if got := take(t, c, 1); got[0] != 13 {
		t.Errorf("after a close %v, want 13: what was not given goes on", got)
	}
}

// A copy of the file at any moment is what a power cut may leave: from none of them comes a number given before it.
func TestCounterNeverGivesTwice(t *testing.T) {
	c, path := newCounter(t, 4)
	dir := t.TempDir()
	for i := range 40 {
		given := take(t, c, 1)[0]
		if i%3 == 0 {
			if err := c.Refill(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		copied := filepath.Join(dir, fmt.Sprint(i))
		if err := os.WriteFile(copied, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if next := take(t, reopenCounter(t, copied, 4), 1)[0]; next <= given {
			t.Errorf("given was %d, after a crash comes %d", given, next)
		}
	}
}

// Replaced files have other inode numbers: that is how a lease, and its flush, is seen from outside.
func TestRefillTakesTheFlushOutOfTheSale(t *testing.T) {
	c, path := newCounter(t, 10)
	leases := func(f func()) bool {
		before, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		f()
		after, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return !os.SameFile(before, after)
	}
	refill := func() {
		if err := c.Refill(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if leases(refill) {
		t.Error("refill of a full block wrote the file")
	}
	if leases(func() { take(t, c, 6) }) {
		t.Error("numbers of a leased block wrote the file")
	}
	if !leases(refill) {
		t.Error("refill of a block more than half used did not lease the next")
	}
	if leases(func() { take(t, c, 14) }) {
		t.Error("numbers of the next block wrote the file")
	}
	if !leases(func() { take(t, c, 1) }) {
		t.Error("a number beyond the lease was given without a new one")
	}
}

func TestCounterRefusesAFileItCannotTrust(t *testing.T) {
	c, path := newCounter(t, 10)
	take(t, c, 5)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	refuse := func(what string, content []byte) {
		t.Helper()
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, open := range []func(string, uint64) (*store.Counter, error){store.OpenCounter, store.CreateCounter} {
			if _, err := open(path, 10); !errors.Is(err, store.ErrCounter) {
				t.Errorf("%s: %v, want ErrCounter", what, err)
			}
		}
	}
	for n := range len(good) {
		refuse(fmt.Sprintf("cut to %d bytes", n), good[:n])
	}
	for i := range len(good) * 8 {
		bad := slices.Clone(good)
		bad[i/8] ^= 1 << (i % 8)
		refuse(fmt.Sprintf("bit %d of byte %d", i%8, i/8), bad)
	}
	refuse("longer", append(slices.Clone(good), '\n'))
	if err := os.WriteFile(path, good, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := take(t, reopenCounter(t, path, 10), 1)[0]; got != 11 {
		t.Errorf("the good file gives %d, want 11", got)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := store.OpenCounter(path, 10); !errors.Is(err, store.ErrCounter) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent: %v, want ErrCounter", err)
	}
	for _, block := range []uint64{0, 1 << 21} {
		if _, err := store.CreateCounter(path, block); err == nil {
			t.Errorf("block of %d taken", block)
		}
	}
}

// A counter whose disk fails gives nothing beyond its lease.
func TestCounterStopsWhenItCannotWrite(t *testing.T) {
	c, path := newCounter(t, 3)
	take(t, c, 3)
	if err := os.RemoveAll(filepath.Dir(path)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if n, err := c.Next(t.Context()); !errors.Is(err, store.ErrCounter) {
			t.Errorf("gave %d (%v), want ErrCounter", n, err)
		}
	}
}

// The database is put back from yesterday; the counters, in files of their own, go on. And the other way round: the
// counter's file is older than the journal, which Raise makes good.
func TestNumbersOnlyGrowOverARestoredDatabase(t *testing.T) {
	f := newFolder(t)
	path := filepath.Join(f.dir, "sale.counter")
	c, err := store.CreateCounter(path, 10)
	if err != nil {
		t.Fatal(err)
	}
	s := f.open()
	sell := func(n int) (last uint64) {
		for range n {
			last = take(t, c, 1)[0]
			newTeller(t, s, terminal.SaleID(last)).do(approved...)
		}
		return last
	}
	sell(3)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	yesterday := map[string][]byte{}
	for _, p := range []string{f.path(), path} {
		if yesterday[p], err = os.ReadFile(p); err != nil {
			t.Fatal(err)
		}
	}
	s = f.open()
	last := sell(30)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	today, err := os.ReadFile(f.path())
	if err != nil {
		t.Fatal(err)
	}

	if err := os.WriteFile(f.path(), yesterday[f.path()], 0o600); err != nil {
		t.Fatal(err)
	}
	s = f.open()
	if highest, err := s.Highest(t.Context()); err != nil || highest != 3 {
		t.Fatalf("the restored journal ends at sale %d (%v), want 3", highest, err)
	}
	if next := take(t, reopenCounter(t, path, 10), 1)[0]; next <= last {
		t.Errorf("given was %d, after the restore comes %d", last, next)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	for p, content := range map[string][]byte{f.path(): today, path: yesterday[path]} {
		if err := os.WriteFile(p, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s = f.open()
	highest, err := s.Highest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c = reopenCounter(t, path, 10)
	for range 2 {
		if err := c.Raise(t.Context(), uint64(highest)); err != nil {
			t.Fatal(err)
		}
	}
	if next := take(t, c, 1)[0]; next != last+1 {
		t.Errorf("given was %d, after Raise comes %d", last, next)
	}
	if err := c.Raise(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	if next := take(t, c, 1)[0]; next != last+2 {
		t.Errorf("Raise to an old number changed the next to %d", next)
	}
}

func TestCounterEnds(t *testing.T) {
	c, _ := newCounter(t, 5)
	const end = 1<<63 - 1
	if err := c.Raise(t.Context(), end); !errors.Is(err, store.ErrExhausted) {
		t.Errorf("raise to the end: %v, want ErrExhausted", err)
	}
	if err := c.Raise(t.Context(), end-2); err != nil {
		t.Fatal(err)
	}
	if got := take(t, c, 2); got[1] != end {
		t.Errorf("last numbers %v, want the last to be %d", got, uint64(end))
	}
	if n, err := c.Next(t.Context()); !errors.Is(err, store.ErrExhausted) {
		t.Errorf("after the end: %d (%v), want ErrExhausted", n, err)
	}
	if err := c.Refill(t.Context()); err != nil && !errors.Is(err, store.ErrExhausted) {
		t.Errorf("refill at the end: %v", err)
	}
}

func TestCounterFromManyGoroutines(t *testing.T) {
	c, path := newCounter(t, 7)
	var (
		mu  sync.Mutex
		all []uint64
		wg  sync.WaitGroup
	)
	for range 8 {
		wg.Go(func() {
			for range 50 {
				n, err := c.Next(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				all = append(all, n)
				mu.Unlock()
			}
		})
	}
	wg.Go(func() {
		for range 50 {
			if err := c.Refill(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	slices.Sort(all)
	for i, n := range all {
		if n != uint64(i+1) {
			t.Fatalf("number %d is %d: given twice or skipped", i+1, n)
		}
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if next := take(t, reopenCounter(t, path, 7), 1)[0]; next != 401 {
		t.Errorf("after a close comes %d, want 401", next)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if n, err := c.Next(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("with an ended context: %d (%v)", n, err)
	}
}
