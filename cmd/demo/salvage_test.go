package main

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tillway/terminal"
)

// TestSalvagedTerminalPaysItsDebts: a reversal is owed when the power fails, and then the journal's first page is gone. The terminal does not
// start on it; posd db check says what is wrong, posd db salvage makes a journal that it starts on, and the bank gets the reversal. No number
// comes twice.
func TestSalvagedTerminalPaysItsDebts(t *testing.T) {
	t.Parallel()
	w := whole(t, io.Discard)
	w.sale(t, 0, "1.500")
	w.oweReversal(t)
	if err := w.powerCut(); err != nil {
		t.Fatal(err)
	}
	journal := w.path("state/journal.db")
	text, err := os.ReadFile(journal)
	if err != nil {
		t.Fatal(err)
	}
	clear(text[:min(4096, len(text))])
	log, err := os.ReadFile(journal + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	clear(log[:32])
	for path, content := range map[string][]byte{journal: text, journal + "-wal": log} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if said, err := w.posd(t, "db", "check"); err == nil || !strings.Contains(said, "posd db salvage") {
		t.Errorf("posd db check: %v, %s", err, said)
	}
	if err := w.startTerminal(t.Context()); err == nil {
		t.Error("the terminal started on a damaged journal")
	}
	if p, err := w.take("posd"); err == nil {
		p.end()
	}
	said, err := w.posd(t, "db", "salvage", w.path("salvaged"))
	if err != nil || strings.Contains(said, "lost") || strings.Contains(said, "parked") {
		t.Fatalf("posd db salvage: %v, %s", err, said)
	}
	if said, err := w.posd(t, "db", "salvage", w.path("salvaged")); err == nil {
		t.Errorf("it wrote over a salvage: %s", said)
	}
	w.exchange(t)
	if err := w.startHost(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.startTerminal(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.sale(t, 0, "2.500")
	sales, err := w.sales(t.Context())
	if err != nil || len(sales) != 3 || sales[0].ID <= sales[1].ID || sales[1].State != terminal.Reversed {
		t.Errorf("%v %+v", err, sales)
	}
	entries, err := w.ledger(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	seen := map[uint32]string{}
	for _, e := range entries {
		seen[uint32(e.STAN)] = e.State
	}
	if seen[sales[1].STAN] != reversed || seen[sales[0].STAN] != posted {
		t.Errorf("the bank has %v, and the sales are %d (reversed) and %d", seen, sales[1].STAN, sales[0].STAN)
	}
	if said, err := w.posdAudit(t); err != nil {
		t.Errorf("pos audit verify: %v, %s", err, said)
	}
}

// oweReversal makes a sale whose request reaches the bank, which then goes away.
func (w *world) oweReversal(t *testing.T) {
	t.Helper()
	ended := make(chan int, 1)
	go func() {
		_, status, err := w.cashier(t.Context(), "sale", "3.101")
		if err != nil {
			t.Error(err)
		}
		ended <- status
	}()
	if err := w.await(t.Context(), "the request is at the bank", func(ctx context.Context) bool {
		entries, err := w.ledger(ctx)
		return err == nil && len(entries) == 2
	}); err != nil {
		t.Fatal(err)
	}
	p, err := w.take("hostsim")
	if err != nil {
		t.Fatal(err)
	}
	p.kill()
	if status := <-ended; status != 5 {
		t.Fatalf("pos sale ended with %d, want 5: a reversal is owed", status)
	}
}

// exchange puts the salvaged journal in the damaged one's place.
func (w *world) exchange(t *testing.T) {
	t.Helper()
	aside := w.path("aside")
	if err := os.Mkdir(aside, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, move := range [][2]string{{w.path("state"), aside}, {w.path("salvaged"), w.path("state")}} {
		all, err := filepath.Glob(filepath.Join(move[0], "journal.db*"))
		if err != nil || len(all) == 0 {
			t.Fatal(all, err)
		}
		for _, path := range all {
			if err := os.Rename(path, filepath.Join(move[1], filepath.Base(path))); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// posd runs one of the daemon's commands for a terminal that is stopped.
func (w *world) posd(t *testing.T, args ...string) (string, error) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	out, err := exec.CommandContext(ctx, w.binary("posd"), append(args, "--config", w.config)...).CombinedOutput() //nolint:gosec // our own program
	return string(out), err
}

func (w *world) posdAudit(t *testing.T) (string, error) {
	t.Helper()
	w.stopTerminal(t)
	return w.posd(t, "audit", "verify")
}
