package store_test

import (
	"testing"

	"tillway/store/flushcount"
	"tillway/terminal"
)

// flushes is how many flushes SQLite asked for while f ran.
func flushes(f func()) int64 {
	before := flushcount.Read()
	f()
	return flushcount.Read() - before
}

func TestOneCommitIsOneFlush(t *testing.T) {
	s := newFolder(t).open()
	k := newTeller(t, s, 1)
	for _, step := range []struct {
		event terminal.Event
		want  int64
	}{
		{terminal.Start, 0},
		{terminal.Presented, 0},
		{terminal.GoOnline, 1},
		{terminal.HostApproved, 0},
		{terminal.CardAgrees, 1},
	} {
		if got := flushes(func() { k.do(step.event) }); got != step.want {
			t.Errorf("%s: %d flushes, want %d", step.event, got, step.want)
		}
	}
}

// A first sale after a start, after a checkpoint, and the hundredth: always two flushes, and never a checkpoint's.
func TestOnlineSaleIsTwoFlushes(t *testing.T) {
	f := newFolder(t)
	s := f.open()
	next := terminal.SaleID(0)
	sale := func() {
		next++
		newTeller(t, s, next).do(approved...)
	}
	sale() // makes the batch
	check := func(when string) {
		t.Helper()
		if got := flushes(sale); got != 2 {
			t.Errorf("sale %s: %d flushes, want 2", when, got)
		}
	}
	check("like any other")
	if got := flushes(func() {
		if err := s.Checkpoint(t.Context()); err != nil {
			t.Fatal(err)
		}
	}); got == 0 {
		t.Error("a checkpoint with something to do flushed nothing")
	}
	if got := flushes(func() {
		if err := s.Checkpoint(t.Context()); err != nil {
			t.Fatal(err)
		}
	}); got != 0 {
		t.Errorf("a checkpoint with nothing to do: %d flushes, want 0", got)
	}
	check("after a checkpoint")
	for range 97 {
		sale()
	}
	check("a hundred later")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = f.open()
	check("after a restart")
}

func TestReadsDoNotFlush(t *testing.T) {
	s := newFolder(t).open()
	newTeller(t, s, 1).do(undone...)
	if got := flushes(func() {
		_, err := s.Due(t.Context(), acquirer)
		if err != nil {
			t.Error(err)
		}
		if _, err := s.Counts(t.Context()); err != nil {
			t.Error(err)
		}
		if _, err := s.Rows(t.Context(), 0, 100); err != nil {
			t.Error(err)
		}
		if _, err := s.Batch(t.Context(), acquirer); err != nil {
			t.Error(err)
		}
		if err := s.Append(t.Context(), true); err != nil {
			t.Error(err)
		}
	}); got != 0 {
		t.Errorf("%d flushes, want 0", got)
	}
}
