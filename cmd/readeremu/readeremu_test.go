package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tillway/device"
	"tillway/device/emulator"
	"tillway/device/gempc"
)

// program is a readeremu that runs until the test ends, or stop.
type program struct {
	t      *testing.T
	dir    string
	ready  string
	errs   *bytes.Buffer
	cancel context.CancelFunc
	code   chan int
}

// start runs a command that stays up, and waits for its ready line.
func start(t *testing.T, dir string, args ...string) *program {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	p := &program{t: t, dir: dir, errs: &bytes.Buffer{}, cancel: cancel, code: make(chan int, 1)}
	r, w := io.Pipe()
	go func() {
		code := run(ctx, args, w, p.errs)
		_ = w.Close()
		p.code <- code
	}()
	line := make([]byte, 4096)
	n, _ := r.Read(line) // a line, or the end
	p.ready = string(line[:n])
	t.Cleanup(func() {
		cancel()
		<-p.code // the test binary's own time limit is the bound
	})
	return p
}

// stop is a signal; it gives the exit status and what was complained about.
func (p *program) stop() (int, string) {
	p.t.Helper()
	p.cancel()
	code := <-p.code
	p.code <- code // for the cleanup
	return code, p.errs.String()
}

// say runs a command that ends.
func say(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(t.Context(), args, &o, &e)
	return code, o.String(), e.String()
}

// tell gives an order through the control socket and returns the state.
func (p *program) tell(order ...string) state {
	p.t.Helper()
	code, out, errs := say(p.t, append([]string{"ctl", "--control", filepath.Join(p.dir, "r.ctl")}, order...)...)
	if code != exitDone {
		p.t.Fatalf("%v: %d %s", order, code, errs)
	}
	var s state
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		p.t.Fatalf("%v: %s: %v", order, out, err)
	}
	return s
}

// shortDir is a folder whose name leaves room for a socket's.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "re") //nolint:usetesting // t.TempDir has the test's name in it: too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestOrders(t *testing.T) {
	dir := shortDir(t)
	link := filepath.Join(dir, "r")
	p := start(t, dir, "gempc", "--link", link)
	if want := "readeremu: GemPC Twin ready at " + link + " (card credit, hand still, control " + link + ".ctl)\n"; p.ready != want {
		t.Fatalf("%q, %s", p.ready, p.errs)
	}
	if s := p.tell("status"); !s.Card || s.Name != "credit" || s.Port == "" || s.Link != link {
		t.Errorf("%+v", s)
	}
	if s := p.tell("insert", "debit"); s.Name != "debit" {
		t.Errorf("%+v", s)
	}
	if s := p.tell("fault", "bad", "checksum", "3"); s.Armed != 1 {
		t.Errorf("%+v", s)
	}
	if s := p.tell("fault", "mute", "@0"); s.Armed != 2 {
		t.Errorf("%+v", s)
	}
	if s := p.tell("unplug"); s.Port != "" {
		t.Errorf("%+v", s)
	}
	if s := p.tell("replug"); s.Port == "" {
		t.Errorf("%+v", s)
	}
	if s := p.tell("remove"); s.Card || s.Armed != 0 {
		t.Errorf("%+v", s)
	}
	for _, order := range []string{"insert platinum", "insert", "dance", "fault", "fault sulk", "fault mute 0", "fault mute @x1", "wait long", "wait 11m", "replug", "swipe stripe"} {
		args := append([]string{"ctl", "--control", link + ".ctl"}, strings.Fields(order)...)
		if code, _, errs := say(t, args...); code != exitError || !strings.HasPrefix(errs, "readeremu: ") {
			t.Errorf("%s: %d %q", order, code, errs)
		}
	}
	if code, errs := p.stop(); code != exitDone || errs != "" {
		t.Errorf("ends with %d %q", code, errs)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestFromHere: a card's file is named from where the order is typed; a ready card, and what is no file here, stay as they are.
func TestFromHere(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("mine.toml", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := fromHere([]string{"insert", "mine.toml"}); !filepath.IsAbs(got[1]) || !exists(got[1]) {
		t.Errorf("%q", got)
	}
	for _, order := range []string{"insert credit", "insert no-such.toml", "insert", "remove", "fault mute 3"} {
		if got := strings.Join(fromHere(strings.Fields(order)), " "); got != order {
			t.Errorf("%q became %q", order, got)
		}
	}
}

// A stripe reader beside the chip reader sends what is swiped, by name or as it is written, and leaves nothing behind.
func TestSwipe(t *testing.T) {
	dir := shortDir(t)
	link := filepath.Join(dir, "s")
	p := start(t, dir, "gempc", "--link", filepath.Join(dir, "r"), "--stripe", link, "--pinpad", filepath.Join(dir, "p"))
	if _, err := os.Lstat(filepath.Join(dir, "p")); err != nil {
		t.Error(err)
	}
	p.tell("pin", "1234")
	port, err := os.OpenFile(link, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	for order, want := range map[string]string{
		"swipe copied": ";4761739001010119=28122011094932400000?\r", "swipe %B1^A B^1?": "%B1^A B^1?\r", "swipe ;1?": ";1?\r",
	} {
		p.tell(strings.Fields(order)...)
		got := make([]byte, len(want))
		if _, err := io.ReadFull(port, got); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", order, got, err)
		}
	}
	if err := port.Close(); err != nil {
		t.Error(err)
	}
	if code, _, errs := say(t, "ctl", "--control", filepath.Join(dir, "r.ctl"), "swipe", "platinum"); code != exitError || !strings.Contains(errs, "no stripe to swipe") {
		t.Errorf("%d %q", code, errs)
	}
	if code, errs := p.stop(); code != exitDone || errs != "" {
		t.Errorf("ends with %d %q", code, errs)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// A card that is inserted again goes on where it was; the log shows what was said, without card data.
func TestCardGoesOn(t *testing.T) {
	dir := shortDir(t)
	link := filepath.Join(dir, "r")
	p := start(t, dir, "gempc", "--link", link)
	reader, err := gempc.Open(gempc.Config{Port: link})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	var counters []string
	for range 2 {
		p.tell("insert", "credit")
		presented, err := reader.Present(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var last []byte
		for _, apdu := range [][]byte{
			{0x00, 0xA4, 0x04, 0x00, 0x07, 0xA0, 0, 0, 0, 0x03, 0x10, 0x10, 0x00},
			{0x80, 0xA8, 0, 0, 2, 0x83, 0, 0},
			{0x00, 0xB2, 1, 0x14, 0},
			{0x80, 0xCA, 0x9F, 0x36, 0},
		} {
			if last, err = presented.Card.Transmit(t.Context(), apdu); err != nil {
				t.Fatal(err)
			}
		}
		counters = append(counters, string(last))
	}
	if want := []string{"\x9F\x36\x02\x00\x11\x90\x00", "\x9F\x36\x02\x00\x12\x90\x00"}; counters[0] != want[0] || counters[1] != want[1] {
		t.Errorf("counters %q", counters)
	}
	_, log, _ := say(t, "ctl", "--control", link+".ctl", "log")
	if !strings.Contains(log, "9F3602001290") || strings.Contains(log, "4761739001010119") {
		t.Errorf("log:\n%s", log)
	}
}

func TestScript(t *testing.T) {
	dir := shortDir(t)
	link := filepath.Join(dir, "r")
	script := filepath.Join(dir, "script")
	profile := filepath.Join(dir, "mine.toml")
	_, text, _ := say(t, "cards", "expired")
	write(t, profile, strings.Replace(text, `name = "expired"`, `name = "mine"`, 1))
	write(t, script, "wait 1ms # first\n\nremove\ninsert "+profile+"\n")
	p := start(t, dir, "gempc", "--link", link, "--card", "none", "--script", script)
	for deadline := time.Now().Add(30 * time.Second); ; {
		if s := p.tell("status"); s.Name == "mine" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the script did not put the card in")
		}
	}
	if code, errs := p.stop(); code != exitDone {
		t.Errorf("ends with %d %q", code, errs)
	}
	write(t, script, "remove\ndance\n")
	code, _, errs := say(t, "gempc", "--link", link, "--script", script)
	if code != exitError || !strings.Contains(errs, "script line 2") {
		t.Errorf("bad script: %d %q", code, errs)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// What cannot be done is said in one line that tells what to do.
func TestRefused(t *testing.T) {
	dir := shortDir(t)
	link := filepath.Join(dir, "r")
	start(t, dir, "gempc", "--link", link)
	bad := filepath.Join(dir, "bad.toml")
	write(t, bad, "name = \"bad\"\natr = \"3B\"\n")
	for _, row := range []struct {
		code int
		says string
		args []string
	}{
		{exitUsage, "--link PATH", []string{"gempc"}},
		{exitUsage, "--hand", []string{"gempc", "--link", link + "2", "--hand", "left"}},
		{exitUsage, "loopback", []string{"gempc", "--link", link + "2", "--control", "0.0.0.0:0"}},
		{exitUsage, "unknown flag", []string{"gempc", "--lnik", link}},
		{exitError, "held by another", []string{"gempc", "--link", link}},
		{exitError, "in use", []string{"gempc", "--link", link + "2", "--control", link + ".ctl"}},
		{exitError, "no socket", []string{"gempc", "--link", link + "2", "--control", bad}},
		{exitError, "too long", []string{"gempc", "--link", link + "2", "--control", "/tmp/" + strings.Repeat("x", 200)}},
		{exitError, "platinum", []string{"gempc", "--link", link + "2", "--card", "platinum"}},
		{exitError, "atr", []string{"gempc", "--link", link + "2", "--card", bad}},
		{exitError, "not a file", []string{"gempc", "--link", link + "2", "--card", dir}},
		{exitError, "is not a link", []string{"gempc", "--link", bad, "--control", link + "3"}},
		{exitError, "no virtual reader", []string{"ctl", "--control", filepath.Join(dir, "none"), "status"}},
		{exitUsage, "which order?", []string{"ctl"}},
		{exitUsage, "no command", []string{"inset"}},
		{exitUsage, "one word too many", []string{"cards", "credit", "debit"}},
		{exitUsage, "loopback", []string{"card", "--listen", "0.0.0.0:0"}},
		{exitError, "platinum", []string{"card", "--listen", "127.0.0.1:0", "--card", "platinum"}},
		{exitError, "credit", []string{"cards", "platinum"}},
	} {
		code, _, errs := say(t, row.args...)
		if code != row.code || !strings.Contains(errs, row.says) || strings.Count(errs, "\n") != 1 {
			t.Errorf("%v: %d %q, want %d and %q", row.args, code, errs, row.code, row.says)
		}
	}
}

// A web page that knows the port gets nowhere.
func TestNoBrowser(t *testing.T) {
	dir := shortDir(t)
	start(t, dir, "gempc", "--link", filepath.Join(dir, "r"))
	c := client(filepath.Join(dir, "r.ctl"))
	defer c.CloseIdleConnections()
	for header, want := range map[string]int{"X-Harmless": http.StatusOK, "Origin": http.StatusForbidden, "Sec-Fetch-Site": http.StatusForbidden} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://readeremu/v1/do", strings.NewReader("remove"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set(header, "http://example.com")
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != want {
			t.Errorf("%s: %d", header, resp.StatusCode)
		}
		if err := resp.Body.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestCards(t *testing.T) {
	code, out, _ := say(t, "cards")
	if lines := strings.Split(strings.TrimSpace(out), "\n"); code != exitDone || len(lines) != len(emulator.ReadyNames()) {
		t.Errorf("%d\n%s", code, out)
	}
	p := start(t, "", "card", "--listen", "127.0.0.1:0", "--card", "debit")
	if !strings.HasPrefix(p.ready, "readeremu: card debit ready at 127.0.0.1:") {
		t.Errorf("%q", p.ready)
	}
	if code, errs := p.stop(); code != exitDone || errs != "" {
		t.Errorf("ends with %d %q", code, errs)
	}
}

// An order is understood or refused; it never takes the program down.
func FuzzOrder(f *testing.F) {
	for _, seed := range []string{"insert debit", "remove", "fault bad checksum 2", "fault mute @0", "unplug", "replug", "", "wait 1ns"} {
		f.Add(seed)
	}
	reader, err := emulator.StartGemPC(emulator.GemPCConfig{Link: filepath.Join(f.TempDir(), "r")})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = reader.Close() })
	f.Fuzz(func(t *testing.T, line string) {
		words := strings.Fields(line)
		if len(words) == 2 && (words[0] == "wait" || words[0] == "insert" && strings.ContainsAny(words[1], "/.")) {
			return // neither wait long nor read files
		}
		d := newDesk()
		d.reader = gempcSlot{reader}
		err := d.do(t.Context(), line)
		state, closed := reader.Status()
		if closed != nil {
			t.Fatalf("%q: %v", line, closed)
		}
		if err != nil || len(words) == 0 {
			return
		}
		done, known := map[string]bool{
			"insert": state.Card && state.Name == words[len(words)-1], "remove": !state.Card,
			"unplug": state.Port == "", "replug": state.Port != "", "fault": state.Armed > 0,
		}[words[0]]
		if !known || !done {
			t.Fatalf("%q was taken, and then %+v", line, state)
		}
	})
}

// A card that is put in place of another: the driver notices that the first one has gone.
func TestSwap(t *testing.T) {
	dir := shortDir(t)
	link := filepath.Join(dir, "r")
	p := start(t, dir, "gempc", "--link", link)
	reader, err := gempc.Open(gempc.Config{Port: link})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	for _, name := range []string{"debit", "credit"} {
		before, err := reader.Present(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if s := p.tell("insert", name); s.Name != name {
			t.Errorf("%+v", s)
		}
		if _, err := before.Card.Transmit(t.Context(), []byte{0x00, 0x84, 0, 0, 0}); !errors.Is(err, device.ErrRemoved) {
			t.Errorf("the first card: %v", err)
		}
		after, err := reader.Present(t.Context())
		if err != nil || bytes.Equal(after.ATR, before.ATR) {
			t.Errorf("the second card: %X, %v", after.ATR, err)
		}
	}
}
