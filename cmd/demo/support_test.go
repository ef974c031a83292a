package main

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tillway/device/emulator"
	"tillway/terminal"
	"tillway/till"
	"tillway/till/support"
)

// realPAN is a number outside the published test numbers: to the terminal it is a real card's.
const realPAN = "4539578763621486"

// looked is a stack whose configuration has secrets where people write them, with an administrator logged in.
func looked(t *testing.T) *world {
	t.Helper()
	programs, err := built()
	if err != nil {
		t.Fatal(err)
	}
	w, err := stage(t.Context(), programs, t.TempDir(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.edit(w.config, [][2]string{
		{"# The demo's terminal", "# the safe opens with hunter2-comment\n# The demo's terminal"},
		{"[reader]\n", "[transcripts]\ntest_cards = \"complete\"\n\n[reader]\n"},
	}, "\n[acquirer.nac.private]\n\"63\" = \"hunter2-private\"\n"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.end)
	if err := w.startAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.loadKeys(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := logIn(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	if _, err := w.must(t.Context(), theirSecret+"\n", "login", administrator); err != nil {
		t.Fatal(err)
	}
	return w
}

// otherCard writes a ready card's profile with another number, and gives its file.
func (w *world) otherCard(t *testing.T, ready, number string) string {
	t.Helper()
	text, err := emulator.ReadyText(ready)
	if err != nil {
		t.Fatal(err)
	}
	path := w.path(ready + "-real.toml")
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(text), "4761739001010119", number)), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestSupportBundleHoldsNoSecret: after sales with PINs, with a card that is no test card, with every secret that a terminal has
// and some in the wrong places, and with the log at debug, none of them is in the support bundle or the log, in any form.
func TestSupportBundleHoldsNoSecret(t *testing.T) {
	t.Parallel()
	w := looked(t)
	ctx := t.Context()
	s := newScan()
	w.secrets(t, s)
	for _, number := range []string{pinPAN, "4761739001010119", realPAN} {
		s.digits("card number", number)
	}
	var register till.ECRToken
	var nexo till.NexoKeyMade
	shop := &nexoShop{}
	for _, one := range []struct {
		into any
		args []string
	}{{&register, []string{"ecr", "add", "till-1"}}, {&nexo, []string{"ecr", "nexo-key", "till-1"}}} {
		if err := shop.made(ctx, w, one.into, one.args...); err != nil {
			t.Fatal(err)
		}
	}
	session, err := os.ReadFile(w.path("session"))
	if err != nil {
		t.Fatal(err)
	}
	var kept struct{ Token string }
	if err := json.Unmarshal(session, &kept); err != nil || kept.Token == "" {
		t.Fatalf("%v: %s", err, session)
	}
	for name, secret := range map[string]string{
		"register's token": register.Token, "nexo passphrase": nexo.Passphrase, "session": kept.Token, "secret": theirSecret,
		"comment": "hunter2-comment", "private field": "hunter2-private", "reference": "hunter2-table",
	} {
		s.add(name, []byte(secret))
	}
	if printed, err := w.must(ctx, "", "log", "debug", "--for", "1h"); err != nil || !strings.Contains(printed, "everything is at debug until") {
		t.Fatalf("%v: %s", err, printed)
	}
	for _, card := range []string{pinCard, w.otherCard(t, "credit", realPAN)} {
		if err := w.cardholder(ctx, "insert", card); err != nil {
			t.Fatal(err)
		}
		if card == pinCard {
			w.sellWithPIN(t, 2, "hunter2-table")
			continue
		}
		if printed, _, err := w.cashier(ctx, "sale", "2.000", "--reference", "hunter2-table"); err != nil { // approved or not
			t.Fatalf("%v: %s", err, printed)
		}
	}
	path := w.path("bundle.tar.gz")
	printed, err := w.must(ctx, "", "support-bundle", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s", printed)
	files := unpacked(t, path)
	for name, text := range files {
		s.text([]byte(text), len(text), name, s.found)
	}
	if log, err := os.ReadFile(w.path("posd.log")); err != nil {
		t.Fatal(err)
	} else {
		s.text(log, len(log), "posd.log", s.found)
	}
	if len(s.found) > 0 {
		t.Errorf("%s", s.report(s.found))
	}
	w.bundleIsUseful(t, files, printed)
	if printed, status, err := w.cashier(ctx, "support-bundle", path); err != nil || status != 2 || !strings.Contains(printed, "is there already") {
		t.Errorf("over a file that is there: %d %v %s", status, err, printed)
	}
	if printed, err := w.must(ctx, "", "audit", "list"); err != nil || !strings.Contains(printed, "the log of all at debug for 1h") || !strings.Contains(printed, "a support bundle was made") {
		t.Errorf("audited: %v\n%s", err, printed)
	}
	if printed, err := w.must(ctx, "", "log", "config"); err != nil || strings.Contains(printed, "debug") {
		t.Errorf("taken back: %v %s", err, printed)
	}
}

// bundleIsUseful: what a support desk asks for is in the bundle, and says what it should.
func (w *world) bundleIsUseful(t *testing.T, files map[string]string, printed string) {
	t.Helper()
	for name, says := range map[string]string{
		"terminal/status.json":      `"tid": "TILL0001"`,
		"terminal/versions.json":    `"kernel_checksum"`,
		"terminal/posd.toml":        `mac = "alg3"`,
		"terminal/profile.toml":     "[merchant]",
		"terminal/log.txt":          "area=host",
		"terminal/log-levels.json":  "debug",
		"terminal/journal.json":     `"GoOnline"`,
		"terminal/audit.json":       `"login done"`,
		"terminal/messages.json":    `"mti": "0200"`,
		"terminal/disk.json":        "journal.db",
		"terminal/metrics.txt":      "tillway_reader_up 1",
		"terminal/queue.json":       "",
		"terminal/batches.json":     "",
		"terminal/selftest.json":    `"findings"`,
		"machine/kernel.txt":        "Linux",
		"machine/readers.json":      `"found"`,
		"machine/services.txt":      "",
		support.ManifestName:        "sha256",
		"terminal/transcripts/0000": "",
	} {
		found := false
		for file, text := range files {
			if strings.HasPrefix(file+" ", strings.TrimSpace(name)) && strings.Contains(text, says) {
				found = true
			}
		}
		if !found {
			t.Errorf("%s is not there, or does not say %q", name, says)
		}
	}
	fi, err := os.Stat(w.path("bundle.tar.gz"))
	if err != nil || fi.Size() > support.MaxBundle || fi.Mode().Perm() != 0o600 || strings.Contains(printed, "were masked") {
		t.Errorf("%v %v %s", fi, err, printed)
	}
}

// unpacked reads a bundle's files.
func unpacked(t *testing.T, path string) map[string]string {
	t.Helper()
	f, err := os.Open(filepath.Clean(path))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	zipped, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for in := tar.NewReader(zipped); ; {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		files[strings.TrimPrefix(header.Name, support.Folder+"/")] = string(text)
	}
}

// lastSale is the number of the newest sale.
func (w *world) lastSale(t *testing.T) terminal.Sale {
	t.Helper()
	all, err := w.sales(t.Context())
	if err != nil || len(all) == 0 {
		t.Fatalf("%d sales: %v", len(all), err)
	}
	return all[0]
}

// TestFailedSaleIsReplayed: a sale that a card or the bank ended leaves a transcript from which a developer has the same end, on another
// machine and without the terminal; one of a card that is no test card leaves the shop masked, and is replayed by nobody.
// In the same stack: an approval, a decline and a reversal go into one bundle with everything about them.
func TestFailedSaleIsReplayed(t *testing.T) {
	t.Parallel()
	w := looked(t)
	ctx := t.Context()
	var cases []string
	for _, c := range []struct {
		name, card, amount string
		exit, replay       int
		state              terminal.State
	}{
		{"1.1 approved", "credit", "5.000", 0, 0, terminal.Approved},
		{"1.2 declined", "credit", "5.051", 1, 1, terminal.Declined},
		{"1.3 no answer", "credit", "5.101", 5, 1, terminal.Reversed},
		{"2.1 the card refuses", "iss-second-refuses", "6.000", 5, 1, terminal.Reversed},
		{"2.2 the card declines", "declines", "7.000", 1, 1, terminal.Declined},
	} {
		if err := w.cardholder(ctx, "insert", c.card); err != nil {
			t.Fatal(err)
		}
		w.sale(t, c.exit, c.amount)
		sale := w.lastSale(t)
		if sale.State != c.state {
			t.Errorf("%s: %s", c.name, sale.State)
		}
		cases = append(cases, c.name+"="+sale.ID.String())
		path := w.path("session-" + sale.ID.String() + ".json")
		if printed, err := w.must(ctx, "", "transcript", sale.ID.String(), "--out", path); err != nil || !strings.Contains(printed, "complete: pos card run") {
			t.Errorf("%s: %v %s", c.name, err, printed)
		}
		printed, status, err := w.pos(ctx, nil, "card", "run", path)
		if err != nil || status != c.replay || !strings.Contains(printed, "Replayed: the same commands, outcome, data and reasons as the session had") {
			t.Errorf("%s: its replay ends with %d, want %d: %v\n%s", c.name, status, c.replay, err, printed)
		}
	}
	w.realCardStaysMasked(t)
	w.casesOfACertifier(t, cases)
}

// realCardStaysMasked sells to a card that is no test card.
func (w *world) realCardStaysMasked(t *testing.T) {
	t.Helper()
	if err := w.cardholder(t.Context(), "insert", w.otherCard(t, "credit", realPAN)); err != nil {
		t.Fatal(err)
	}
	if printed, _, err := w.cashier(t.Context(), "sale", "8.000"); err != nil { // approved or not
		t.Fatalf("%v: %s", err, printed)
	}
	id, path := w.lastSale(t).ID.String(), w.path("real.json")
	if printed, err := w.must(t.Context(), "", "transcript", id, "--out", path); err != nil || !strings.Contains(printed, "it cannot be replayed") {
		t.Errorf("%v %s", err, printed)
	}
	if printed, status, err := w.cashier(t.Context(), "transcript", id, "--out", path); err != nil || status != 2 || !strings.Contains(printed, "is there already") {
		t.Errorf("over a file that is there: %d %v %s", status, err, printed)
	}
	if printed, status, err := w.cashier(t.Context(), "card", "run", path); err != nil || status != 2 || !strings.Contains(printed, "masked") {
		t.Errorf("replayed: %d %v %s", status, err, printed)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s := newScan()
	s.digits("card number", realPAN)
	if s.text(text, len(text), "transcript", s.found); len(s.found) > 0 {
		t.Error(s.report(s.found))
	}
}

// casesOfACertifier puts the cases into a folder, and into a zip, and looks for all that a certifier asks for.
func (w *world) casesOfACertifier(t *testing.T, cases []string) {
	t.Helper()
	ctx := t.Context()
	folder, packed := w.path("cases"), w.path("cases.zip")
	for _, out := range []string{folder, packed} {
		printed, err := w.must(ctx, "", append([]string{"bundle", "--out", out}, cases...)...)
		if err != nil || !strings.Contains(printed, "5 cases") || strings.Count(printed, "\n") != 1 {
			t.Fatalf("%v: %s", err, printed)
		}
		if printed, status, err := w.cashier(ctx, append([]string{"bundle", "--out", out}, cases...)...); err != nil || status != 2 || !strings.Contains(printed, "is there already") {
			t.Errorf("over what is there: %d %v %s", status, err, printed)
		}
	}
	read, err := zip.OpenReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = read.Close() }()
	for _, f := range read.File { // the same files in both
		if fi, err := os.Stat(filepath.Join(folder, f.Name)); err != nil || f.Name != "index.html" && fi.Size() != int64(f.UncompressedSize64) { //nolint:gosec // our own file
			t.Errorf("%s: %v", f.Name, err)
		}
	}
	text := func(name string) string {
		b, err := os.ReadFile(filepath.Join(folder, filepath.Clean(name)))
		if err != nil {
			t.Error(err)
		}
		return string(b)
	}
	for name, says := range map[string][]string{
		"index.html":                              {"1.1 approved", "1.3 no answer", ": 0400,", "2.2 the card declines", "case-1.2-declined/receipt-merchant.png", "GENERATE AC", "There is not enough money"},
		"case-1.1-approved/messages.txt":          {"from terminal", "MTI   0200", "MTI   0210", "Track 2", " 39   "},
		"case-1.1-approved/receipt-customer.txt":  {"APPROVED"},
		"case-1.1-approved/card.txt":              {"SELECT", "GENERATE AC", "9000, done"},
		"case-1.1-approved/why.txt":               {"Stands       approved"},
		"case-1.2-declined/receipt-merchant.txt":  {"DECLINED"},
		"case-1.2-declined/messages.txt":          {"51"},
		"case-1.3-no-answer/messages.txt":         {"MTI   0200", "MTI   0400", "MTI   0410"},
		"case-1.3-no-answer/journal.json":         {`"Acknowledged"`, `"GoOnline"`},
		"case-1.3-no-answer/receipt-customer.txt": {"REVERSED"},
		"case-1.3-no-answer/why.txt":              {"Stands       reversed"},
		"case-2.1-the-card-refuses/messages.txt":  {"MTI   0210", "MTI   0400"},
		"case-2.2-the-card-declines/why.txt":      {"DECLINED", "Reasons, step by step"},
		"case-1.1-approved/receipt-customer.png":  {"PNG"},
	} {
		got := text(name)
		for _, word := range says {
			if !strings.Contains(got, word) {
				t.Errorf("%s does not say %q:\n%.2000s", name, word, got)
			}
		}
	}
	whole := []string{"card.txt", "case.json", "transcript.json", "index.html"} // the card log of a test card, by the setting
	for _, f := range read.File {
		if !slices.Contains(whole, filepath.Base(f.Name)) && strings.Contains(text(f.Name), "4761739001010119") {
			t.Errorf("%s has the card's number", f.Name)
		}
	}
}
