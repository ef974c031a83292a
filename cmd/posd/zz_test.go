package main

import (
	"log/slog"
	"testing"
	"time"

	"tillway/terminal/lane"
)

func TestZZ(t *testing.T) {
	t0 := time.Now()
	lap := func(s string) { t.Log(s, time.Since(t0)); t0 = time.Now() }
	d, err := openDisk(t.Context(), "/tmp/keep/posd-1000000-rows/state", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	lap("open")
	_, err = lane.Recover(t.Context(), lane.Recovery{Journal: d.journal, Acquirer: defaults().Acquirer.Name, Now: time.Now()})
	lap("recover")
	t.Log(err)
	_, err = d.journal.Debts(t.Context())
	lap("debts")
	_, err = d.journal.Counts(t.Context())
	lap("counts")
	_, err = d.journal.HasPeople(t.Context())
	lap("people")
	f := newFiller(t, d.journal)
	for range 10 {
		if err := f.sell(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		lap("sale")
	}
	if err := d.journal.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	lap("checkpoint")
	if err := d.close(); err != nil {
		t.Fatal(err)
	}
	lap("close")
}
