package main

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tillway/device/emulator"
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
		"terminal/queue.json":       "",
		"terminal/batches.json":     "",
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
