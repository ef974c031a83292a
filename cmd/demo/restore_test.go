package main

import (
	"context"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestRestoredStateRepeatsNothing: the whole state folder is put back to what it was before a few sales. The terminal goes
// on with numbers and keys that were never used: the bank, which refuses a key serial number or a trace number that it has
// seen, approves everything, and no trace number stands twice in its ledger.
func TestRestoredStateRepeatsNothing(t *testing.T) {
	t.Parallel()
	w := whole(t, io.Discard)
	if err := w.cardholder(t.Context(), "insert", pinCard); err != nil {
		t.Fatal(err)
	}
	w.sellWithPIN(t, 3, "yesterday")
	w.stopTerminal(t)
	yesterday := w.path("yesterday")
	copyFolder(t, w.path("state"), yesterday)
	if err := w.startTerminal(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.sellWithPIN(t, 5, "today")
	for range 2 { // twice: what was noticed once must not be forgotten
		w.stopTerminal(t)
		if err := os.RemoveAll(w.path("state")); err != nil {
			t.Fatal(err)
		}
		copyFolder(t, yesterday, w.path("state"))
		if err := w.startTerminal(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.sellWithPIN(t, 3, "tomorrow")
	}
	seen := map[number]int{}
	log, err := w.messages(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range log {
		if m.Direction == "in" && m.MTI == "0200" {
			seen[m.STAN]++
		}
	}
	if len(seen) != 3+5+3+3 {
		t.Errorf("%d trace numbers in %d requests: %v", len(seen), 14, slices.Sorted(maps.Keys(seen)))
	}
	said := w.logOf(t, "posd")
	if !strings.Contains(said, "older") {
		t.Errorf("nothing says that an older state was put back:\n%s", said)
	}
}

func (w *world) logOf(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(w.path(name + ".log"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// copyFolder copies a folder with modes and times, as a backup does.
func copyFolder(t *testing.T, from, to string) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), lookWithin)
	defer stop()
	if out, err := exec.CommandContext(ctx, "cp", "-a", from, to).CombinedOutput(); err != nil { //nolint:gosec // the test's own folders
		t.Fatalf("%v: %s", err, out)
	}
}
