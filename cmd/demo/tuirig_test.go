package main

import (
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/hinshun/vt10x"
)

var updateScreens = flag.Bool("tui.update", false, "write the screens of testdata/tui anew; look at them")

// waitFor bounds every wait for a screen.
const waitFor = 20 * time.Second

// console is a technician at a terminal: pos tui, the real program, on a pseudo-terminal, and what stands on its screen.
type console struct {
	t    *testing.T
	w    *world
	cmd  *exec.Cmd
	line *os.File

	mu     sync.Mutex // guards what follows
	screen vt10x.Terminal
	raw    []byte // all that came
	ended  chan struct{}
	err    error // of the program; read after ended
}

// sitDown starts pos tui on a terminal of 80 by 24.
func sitDown(t *testing.T, w *world, term, locale string, args ...string) *console {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), w.binary("pos"), append([]string{"tui", "--socket", w.path("posd.sock")}, args...)...)
	cmd.Env = append(os.Environ(), "TERM="+term, "LC_ALL="+locale, "HOME="+w.folder, "TILLWAY_SESSION=")
	line, err := pty.StartWithSize(cmd, &pty.Winsize{Cols: 80, Rows: 24})
	if err != nil {
		t.Fatal(err)
	}
	c := &console{t: t, w: w, cmd: cmd, line: line, screen: vt10x.New(vt10x.WithSize(80, 24)), ended: make(chan struct{})}
	read := make(chan struct{})
	go func() {
		defer close(read)
		buf := make([]byte, 4096)
		for {
			n, err := line.Read(buf)
			c.mu.Lock()
			c.raw = append(c.raw, buf[:n]...)
			_, _ = c.screen.Write(buf[:n])
			c.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	go func() {
		c.err = cmd.Wait()
		close(c.ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it has ended, or nobody waits for it
		<-c.ended
		_ = line.Close()
		<-read
	})
	return c
}

// shown is the screen's text.
func (c *console) shown() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	cols, rows := c.screen.Size()
	var b strings.Builder
	for y := range rows {
		var line strings.Builder
		for x := range cols {
			r := c.screen.Cell(x, y).Char
			if r == 0 {
				r = ' '
			}
			line.WriteRune(r)
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return b.String()
}

// await waits until all of some words stand on the screen.
func (c *console) await(words ...string) {
	c.t.Helper()
	for end := time.Now().Add(waitFor); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		screen, all := c.shown(), true
		for _, w := range words {
			all = all && strings.Contains(screen, strings.TrimRight(w, " "))
		}
		if all {
			return
		}
		select {
		case <-c.ended:
			c.t.Fatalf("pos tui ended (%v) while %q was waited for:\n%s", c.err, words, c.shown())
		default:
		}
	}
	c.t.Fatalf("%q never stood there:\n%s", words, c.shown())
}

// press types keys.
func (c *console) press(keys string) {
	c.t.Helper()
	if _, err := c.line.WriteString(keys); err != nil {
		c.t.Fatal(err)
	}
}

// answers types each answer when its question stands on the screen.
func (c *console) answers(pairs ...string) {
	c.t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		c.await(pairs[i])
		c.press(pairs[i+1] + "\r")
	}
}

// back goes from a conversation to the screen.
func (c *console) back() {
	c.t.Helper()
	c.await("Enter leads back")
	c.press("\r")
	c.await("Tillway set-up", "q leaves")
}

// choose goes to a part, and does what a key of it does. A key that comes while the screen looks around is not heard: it is pressed again.
func (c *console) choose(part, key string) {
	c.t.Helper()
	for range 40 {
		c.await("q leaves")
		c.press(part)
		for end := time.Now().Add(waitFor / 40); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			if strings.Contains(c.shown(), "\n>"+part+" ") {
				c.press(key)
				return
			}
		}
	}
	c.t.Fatalf("part %s cannot be chosen:\n%s", part, c.shown())
}

// looks has the machine looked at again and again until all of some words stand there.
func (c *console) looks(words ...string) {
	c.t.Helper()
	for end := time.Now().Add(waitFor); time.Now().Before(end); {
		c.await("q leaves")
		before := len(c.everything())
		c.press("r")
		for time.Now().Before(end) && !strings.Contains(c.everything()[before:], "Please wait") {
			time.Sleep(10 * time.Millisecond)
		}
		c.await("q leaves")
		all, screen := true, c.shown()
		for _, w := range words {
			all = all && strings.Contains(screen, w)
		}
		if all {
			return
		}
	}
	c.t.Fatalf("%q never was so:\n%s", words, c.shown())
}

// left waits for the program's end, and gives its exit status.
func (c *console) left() int {
	c.t.Helper()
	select {
	case <-c.ended:
	case <-time.After(waitFor):
		c.t.Fatalf("pos tui does not end:\n%s", c.shown())
	}
	if exit, ok := errors.AsType[*exec.ExitError](c.err); ok {
		return exit.ExitCode()
	}
	if c.err != nil {
		c.t.Fatal(c.err)
	}
	return 0
}

// everything is all that ever came over the line.
func (c *console) everything() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return string(c.raw)
}

// resize makes the terminal larger or smaller.
func (c *console) resize(cols, rows uint16) {
	c.t.Helper()
	c.mu.Lock()
	c.screen.Resize(int(cols), int(rows))
	c.mu.Unlock()
	if err := pty.Setsize(c.line, &pty.Winsize{Cols: cols, Rows: rows}); err != nil {
		c.t.Fatal(err)
	}
	_ = c.cmd.Process.Signal(syscall.SIGWINCH) // the terminal's own reaches it too
}

// golden holds the screen to testdata/tui, but for what differs from run to run.
func (c *console) golden(name string) {
	c.t.Helper()
	got := c.shown()
	for line := range strings.Lines(got) {
		if n := len([]rune(strings.TrimRight(line, "\n"))); n > 80 {
			c.t.Errorf("%s: a line of %d columns: %s", name, n, line)
		}
	}
	for _, r := range []struct{ what, by string }{
		{regexp.QuoteMeta(c.w.folder), "/tmp/tillway-folder"},
		{`127\.0\.0\.1:\d+`, "HOST:PORT"},
		{`\b\d+ ms\b`, "N ms"},
		{`\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d( [+-]\d{4})?`, "DATE"},
		{`release [^\s,]+`, "release R"},
		{`checksum [0-9a-f…\.]+`, "checksum C"},
	} {
		got = regexp.MustCompile(r.what).ReplaceAllString(got, r.by)
	}
	// How the link stands at this moment, and what the printer has not confirmed yet, is not the screen's to say in the same words twice.
	got = regexp.MustCompile(`(?m)^(.5 \[.\] (?:Bank|البنك) +).*$`).ReplaceAllString(got, "$1(how the link is)")
	got = regexp.MustCompile(`, \d+ papers? waits?|, 1 paper wa\.\.\.`).ReplaceAllString(got, "")
	got = regexp.MustCompile(` +\n`).ReplaceAllString(got, "\n")
	path := filepath.Join("testdata", "tui", name+".txt")
	if *updateScreens {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil { //nolint:gosec // a file of the repository
			c.t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path) //nolint:gosec // a file of the repository
	if err != nil || string(want) != got {
		c.t.Errorf("%s is not the screen of testdata/tui (%v): look, and run it with -tui.update\ngot:\n%swant:\n%s", name, err, got, want)
	}
}
