package main

import (
	"context"
	"crypto/rand"
	"io"
	"os"
	"strings"
	"testing"

	"tillway/terminal"
)

// bare is the whole terminal as real programs, up and without keys, with a printer whose roll has so many rows of dots, or without one (-1).
func bare(t *testing.T, printer bool, rows string) *world {
	t.Helper()
	programs, err := built()
	if err != nil {
		t.Fatal(err)
	}
	w, err := stage(t.Context(), programs, shortFolder(t), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.end)
	if printer {
		p, err := launch(w.folder, "printer", w.binary("readeremu"), "printer", "--link", w.path("printer"), "--paper", w.path("paper"), "--roll", rows)
		if err != nil {
			t.Fatal(err)
		}
		w.running = append(w.running, p)
		if err := p.until(t.Context(), "waiting for it to be ready", func(context.Context) bool { return saysReady(p.output(), "printer") }); err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(w.config, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString("\n[printer]\ndriver = \"escpos\"\nport = \"printer\"\n"); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.startAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

// shortFolder is a folder whose path has the same length in every run: screens cut long lines.
func shortFolder(t *testing.T) string {
	t.Helper()
	folder := "/tmp/tillway-" + strings.ToLower(rand.Text()[:6])
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	return folder
}

// TestSetUp: a technician sets a terminal up from nothing, at a serial console, by what the screen says: people, keys under dual control, bank,
// test sale, paper, hand-over. No secret is ever on the line, no money is left, and nobody stays logged in.
func TestSetUp(t *testing.T) {
	t.Parallel()
	w := bare(t, true, "-1")
	if err := w.cardholder(t.Context(), "insert", "credit"); err != nil {
		t.Fatal(err)
	}
	c := sitDown(t, w, "vt100", "C")
	c.await("roles are OPEN", "7 [ ] Paper", "ready", "q leaves")
	c.golden("begin")

	c.press("i")
	c.answers("first administrator: ", administrator, "New secret of", theirSecret, "Once more", theirSecret, "Secret of "+administrator+": ", theirSecret)
	c.back()
	c.await("is logged in")
	c.press("n")
	c.answers("Name: ", "badr", "Role", "technician", "New secret of badr", theirSecret, "Once more", theirSecret)
	c.back()
	c.press("n")
	c.answers("Name: ", "sara", "Role", "supervisor", "New secret of sara", theirSecret, "Once more", theirSecret)
	c.back()

	c.choose("4", "\r")
	c.answers("how many components", "2", "component 1 of 2: ", administrator, "Secret of", theirSecret,
		"Component 1 of 2, in hexadecimal", w.sheet(t, "component-1.hex"), "its sheet? Type yes:", "yes",
		"component 2 of 2: ", "badr", "Secret of badr", theirSecret,
		"Component 2 of 2, in hexadecimal", w.sheet(t, "component-2.hex"), "the sheets'? Type yes:", "yes")
	c.await("Enter leads back")
	c.golden("components")
	c.back()
	for _, use := range []string{"pin", "mac"} {
		c.press("i")
		c.answers("Use (pin", use, "File of the key block", w.path("host/keys/"+use+".tr31"))
		c.back()
	}
	c.await("4 [x] Keys")

	c.choose("5", "\r")
	c.await("$ pos host test", "ok ", "echo", "5 [x] Bank")
	c.golden("bank")

	c.choose("1", "\r")
	c.answers("Name: ", "sara", "Secret of sara", theirSecret)
	c.back()
	c.choose("6", "\r")
	c.await("was taken back by void")
	c.back()
	c.await("6 [x] Test sale")

	c.choose("7", "\r")
	c.await("$ pos print test")
	c.looks("7 [x] Paper", "ready, 5 printed")
	c.golden("paper")

	c.choose("9", "w")
	c.await("File for the page")
	c.press("\r")
	c.await("Written to")
	c.press("q")
	if status := c.left(); status != 0 {
		t.Errorf("pos tui ended with %d:\n%s", status, c.shown())
	}

	page, err := os.ReadFile(w.path("handover.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"TERMINAL HAND-OVER", "[x] Keys", "[x] Bank", "[x] Test sale", "Everything that this terminal wants is set up."} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page has no %q:\n%s", want, page)
		}
	}
	secrets := []string{theirSecret, w.sheet(t, "component-1.hex"), w.sheet(t, "component-2.hex")}
	for _, s := range secrets {
		if strings.Contains(c.everything(), strings.TrimSpace(s)) || strings.Contains(string(page), strings.TrimSpace(s)) {
			t.Error("a secret was shown")
		}
	}
	for _, r := range c.everything() {
		if r > 0x7e {
			t.Errorf("%q was sent to a VT100", r)
			break
		}
	}
	if strings.Contains(c.everything(), "\x1b[>") || strings.Contains(c.everything(), "\x1b[?") {
		t.Error("something was sent that a VT100 does not know")
	}
	w.nothingLeft(t, 1)
}

// nothingLeft holds the journal to what a set-up may leave: so many sales, each voided.
func (w *world) nothingLeft(t *testing.T, sales int) {
	t.Helper()
	if err := w.settled(t.Context()); err != nil {
		t.Fatal(err)
	}
	all, err := w.sales(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	back := map[terminal.SaleID]bool{}
	made := 0
	for _, s := range all {
		if s.Kind == terminal.KindVoid && s.State == terminal.Approved {
			back[s.Of] = true
		}
	}
	for _, s := range all {
		if s.Kind == terminal.KindSale && s.State == terminal.Approved {
			made++
			if !back[s.ID] {
				t.Errorf("sale %s of %s stands", s.ID, s.Amount.Format())
			}
		}
	}
	if made != sales {
		t.Errorf("%d sales were approved, want %d", made, sales)
	}
}

// TestSetUpGivenUp: a wrong check value drops what was entered, and so does Ctrl-C in the middle of a key, at a question and at the screen: the module
// waits for nothing then, and the terminal is as it was.
func TestSetUpGivenUp(t *testing.T) {
	t.Parallel()
	w := bare(t, false, "")
	if err := logIn(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	first := func(c *console) {
		c.choose("4", "\r")
		c.answers("how many components", "2", "component 1 of 2: ", administrator, "Secret of", theirSecret,
			"Component 1 of 2, in hexadecimal", w.sheet(t, "component-1.hex"))
		c.await("its sheet? Type yes:")
	}
	c := sitDown(t, w, "linux", "C")
	first(c)
	c.press("no\r")
	c.await("is not the sheet's", "forgotten", "Enter leads back")
	c.golden("wrong-check")
	c.back()
	w.noPending(t)

	first(c)
	if got := w.pending(t); got == "" {
		t.Error("a component was entered, and the module waits for none")
	}
	c.press("yes\r")
	c.await("component 2 of 2: ")
	c.press("\x03")
	if status := c.left(); status != 3 {
		t.Errorf("Ctrl-C at a question: exit %d", status)
	}
	w.noPending(t)

	c = sitDown(t, w, "linux", "C")
	c.await("q leaves")
	c.press("\x03")
	if status := c.left(); status != 0 {
		t.Errorf("Ctrl-C at the screen: exit %d", status)
	}
	if out, _, err := w.cashier(context.Background(), "keys", "status"); err != nil || !strings.Contains(out, "No keys are loaded") {
		t.Errorf("%v: %s", err, out)
	}
}

// pending is what the secure module waits for.
func (w *world) pending(t *testing.T) string {
	t.Helper()
	said, err := w.keys(t.Context(), "", "status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(said) {
		if strings.HasPrefix(line, "Waiting") {
			return line
		}
	}
	return ""
}

func (w *world) noPending(t *testing.T) {
	t.Helper()
	if got := w.pending(t); got != "" {
		t.Errorf("the module still has: %s", got)
	}
}

// TestSetUpFaults: no reader, a bank that is down, a printer without paper: each is said where it belongs; a screen that is too small says so, one that
// grows is drawn anew, and a terminal that shows Arabic is spoken to in Arabic.
func TestSetUpFaults(t *testing.T) {
	t.Parallel()
	w := bare(t, true, "0")
	if err := logIn(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"hostsim", "readeremu"} {
		p, err := w.take(name)
		if err != nil {
			t.Fatal(err)
		}
		p.end()
	}
	c := sitDown(t, w, "xterm-256color", "C.UTF-8")
	c.answersLogIn()
	c.looks("2 [!] Devices", "7 [!] Paper")
	c.choose("5", "\r")
	c.await("$ pos host test", "host_closed", "exit status 1", "5 [!] Bank")
	c.golden("host-down")
	c.choose("7", "\r")
	c.await("$ pos print test")
	c.looks("7 [!] Paper", "paper")
	c.golden("no-paper")
	c.looks("2 [!] Devices")
	c.choose("2", "")
	c.looks(">2 [!] Devices", "is the cable", "pos readers")
	c.golden("no-reader")
	c.choose("2", "\r")
	c.await("$ pos readers", "reader_missing")

	c.resize(60, 20)
	c.await("80 by 24")
	c.golden("small")
	c.resize(100, 30)
	c.await("2 [!] Devices", "q leaves")
	c.resize(80, 24)
	c.await("2 [!] Devices", "q leaves")
	c.press("a")
	c.await("إعداد")
	c.press("6")
	c.await(">6 ", "بيع مبلغ صغير", "لم تُجرَ بعد")
	c.golden("arabic")
	c.press("a")
	c.await("Tillway set-up")
	c.press("q")
	if status := c.left(); status != 0 {
		t.Errorf("exit %d", status)
	}
	w.nothingLeft(t, 0)
}

// answersLogIn logs the supervisor in.
func (c *console) answersLogIn() {
	c.t.Helper()
	c.choose("1", "\r")
	c.answers("Name: ", supervisor, "Secret of "+supervisor, theirSecret)
	c.back()
}
