package main

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tillway/terminal"
)

// TestBackup: a backup is made while a sale approved offline waits for the bank, the bank hears of that sale, and then the machine is lost:
// state and witness. What is put back goes on with numbers that were never used, sends the bank nothing twice, and says what a person has to
// look at.
func TestBackup(t *testing.T) {
	t.Parallel()
	w := whole(t, io.Discard)
	ctx := t.Context()
	w.stopTerminal(t)
	if err := w.mayWait(); err != nil {
		t.Fatal(err)
	}
	if err := w.startTerminal(ctx); err != nil {
		t.Fatal(err)
	}
	if err := logIn(ctx, w); err != nil {
		t.Fatal(err)
	}
	w.sale(t, 0, "1.000", "--reference", "online")
	if err := noBank("oda-cda")(ctx, w); err != nil {
		t.Fatal(err)
	}
	if out, status, err := w.cashier(ctx, "sale", "2.000", "--reference", "offline"); err != nil || status != 0 || !strings.Contains(out, "APPROVED OFFLINE") {
		t.Fatalf("without the bank: %d %v %s, want an offline approval", status, err, out)
	}

	file := w.path("till.backup")
	if out, status, err := w.pos(ctx, nil, "backup", file); err != nil || status == 0 || !strings.Contains(out, "technician") {
		t.Fatalf("a supervisor's backup: %d %v %s, want a refusal", status, err, out)
	}
	if _, err := w.must(ctx, theirSecret+"\n", "login", administrator); err != nil {
		t.Fatal(err)
	}
	if _, err := w.must(ctx, "", "backup", file); err != nil {
		t.Fatal(err)
	}
	if err := hostUp(ctx, w); err != nil {
		t.Fatal(err)
	}
	if _, err := w.must(ctx, theirSecret+"\n", "login", supervisor); err != nil {
		t.Fatal(err)
	}
	if _, err := w.must(ctx, "", "queue", "send"); err != nil {
		t.Fatal(err)
	}
	if err := w.settled(ctx); err != nil {
		t.Fatal(err)
	}
	if err := w.cardholder(ctx, "insert", "credit"); err != nil {
		t.Fatal(err)
	}
	w.sale(t, 0, "3.000", "--reference", "behind the backup")
	before := traces(t, w)

	w.stopTerminal(t)
	device, err := os.ReadFile(w.path("state/keyd/keys.device"))
	if err != nil {
		t.Fatal(err)
	}
	if out, status := w.restore(t, file); status == 0 || !strings.Contains(out, "--replace") {
		t.Fatalf("over a journal that is there: %d %s, want a refusal", status, out)
	}
	for _, lost := range []string{"state", "state.witness"} {
		if err := os.RemoveAll(w.path(lost)); err != nil {
			t.Fatal(err)
		}
	}
	if out, status := w.restore(t, file); status != 0 || !strings.Contains(out, "1 items waited") {
		t.Fatalf("restore: %d %s", status, out)
	}
	if err := os.WriteFile(w.path("state/keyd/keys.device"), device, 0o400); err != nil {
		t.Fatal(err)
	}
	if err := w.startTerminal(ctx); err != nil {
		t.Fatal(err, w.logOf(t, "posd"))
	}
	if s, err := w.status(ctx); err != nil || s.Parked != 1 || s.Owed != 0 || s.Quarantined != 0 {
		t.Errorf("status is %+v (%v), want the advice parked", s, err)
	}
	if out, status, err := w.cashier(ctx, "sale", "4.000", "--reference", "afterwards"); err != nil || status != 0 || !strings.Contains(out, "AUTH CODE") {
		t.Fatalf("afterwards: %d %v %s", status, err, out)
	}
	for _, stan := range traces(t, w)[len(before):] {
		if slices.Contains(before, stan) {
			t.Errorf("STAN %d was used again", stan)
		}
	}
	sales, err := w.sales(ctx)
	if err != nil || len(sales) != 3 || sales[0].Reference != "afterwards" || sales[0].State != terminal.Approved {
		t.Errorf("%d sales: %+v (%v), want the two of the backup and the new one", len(sales), sales, err)
	}
	if rest, err := filepath.Glob(w.path("state/restore*")); err != nil || len(rest) != 0 {
		t.Errorf("left behind: %v %v", rest, err)
	}
}

// restore is posd restore, without a journal to replace.
func (w *world) restore(t *testing.T, file string) (string, int) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), w.binary("posd"), "restore", "--config", w.config, file).CombinedOutput()
	exit, ok := errors.AsType[*exec.ExitError](err)
	if err != nil && !ok {
		t.Fatal(err)
	}
	if ok {
		return string(out), exit.ExitCode()
	}
	return string(out), 0
}

// traces are the trace numbers of all requests and advices that the bank has had.
func traces(t *testing.T, w *world) (all []int) {
	t.Helper()
	log, err := w.messages(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range log {
		if m.Direction == "in" && (m.MTI == "0200" || m.MTI == "0220") {
			all = append(all, int(m.STAN))
		}
	}
	return all
}
