package main

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// What a page says of how a line ends, and the addresses that programs of a page listen at.
var (
	endsWith = regexp.MustCompile(`# exit status (\d+)$`)
	loopback = regexp.MustCompile(`127\.0\.0\.1:\d+`)
)

// A pageReader types what a page says, in the layout of a source tree in which `make run` is up: bin, run, docs and all.
type pageReader struct {
	*world
	root  string            // the folder that it types in
	env   []string          // of every line
	ports map[string]string // of the page: what is listened at instead
}

// newPageReader has the stack up in ROOT/run, with an administrator logged in who typed that secret before.
func newPageReader(t *testing.T) *pageReader {
	t.Helper()
	programs, err := built()
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	source, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	for name, where := range map[string]string{"bin": programs, "docs": filepath.Join(source, "docs"), "emv": filepath.Join(source, "emv")} {
		if err := os.Symlink(filepath.Clean(where), filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(root, "run"), 0o700); err != nil {
		t.Fatal(err)
	}
	w, err := stage(t.Context(), programs, filepath.Join(root, "run"), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	w.stripe = true
	if err := w.writeProfile(); err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile(w.config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(w.config, append(config, "\n[reader.stripe]\nport = \"stripe\"\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.end)
	if err := w.startAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.loadKeys(t.Context()); err != nil {
		t.Fatal(err)
	}
	return &pageReader{world: w, root: root, ports: map[string]string{}, env: append(
		os.Environ(), "TILLWAY_SOCKET="+w.path("posd.sock"), "TILLWAY_SESSION="+w.path("session"),
		"PATH="+filepath.Clean(programs)+":"+os.Getenv("PATH"),
	)}
}

// own puts this test's ports in place of the page's.
func (p *pageReader) own(t *testing.T, line string) string {
	t.Helper()
	return loopback.ReplaceAllStringFunc(line, func(address string) string {
		if p.ports[address] == "" {
			free, err := freePort(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			p.ports[address] = free
		}
		return p.ports[address]
	})
}

// types runs one line and gives what it printed; another exit status than the page's ends the test.
func (p *pageReader) types(t *testing.T, line, in string) string {
	t.Helper()
	want := 0
	if m := endsWith.FindStringSubmatch(line); m != nil {
		want, _ = strconv.Atoi(m[1])
	}
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	cmd := exec.CommandContext(ctx, "sh", "-c", p.own(t, line)) //nolint:gosec // the lines are the page's
	var both bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = p.root, p.env, strings.NewReader(in), &both, &both
	cmd.WaitDelay = 10 * time.Second
	err := cmd.Run()
	if cmd.ProcessState == nil || err != nil && !errors.As(err, new(*exec.ExitError)) {
		t.Fatalf("%s: %v", line, err)
	}
	if got := cmd.ProcessState.ExitCode(); got != want {
		t.Fatalf("%s\nexit status %d, want %d: %s", line, got, want, both.String())
	}
	t.Logf("$ %s\n%s", line, both.String())
	return both.String()
}

// starts starts a program of a block that is "sh background", and waits until it says that it is ready.
func (p *pageReader) starts(t *testing.T, line string) {
	t.Helper()
	words := strings.Fields(p.own(t, line))
	for i, w := range words { // of the folder that the reader types in
		if strings.HasPrefix(w, "run/") {
			words[i] = filepath.Join(p.root, w)
		}
	}
	run, err := launch(p.path(""), words[0], p.binary(words[0]), words[1:]...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(run.end)
	if err := run.until(t.Context(), "waiting for it to be ready", func(context.Context) bool { return saysReady(run.output(), words[0]) }); err != nil {
		t.Fatal(err)
	}
}

// plays types every block of sh of a page, and writes the blocks of toml that name a file. in is what the reader types where a line asks for something.
func (p *pageReader) plays(t *testing.T, page string, in map[string]string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", page))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile("(?s)```(sh|sh background|toml run/[a-z-]+[.]toml)\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(found) == 0 {
		t.Fatalf("%s has no block of sh", page)
	}
	before := len(p.env)
	defer func() { p.env = p.env[:before] }()
	for _, block := range found {
		if name, file := strings.CutPrefix(block[1], "toml "); file {
			if err := os.WriteFile(filepath.Join(p.root, name), []byte(p.own(t, block[2])), 0o600); err != nil {
				t.Fatal(err)
			}
			continue
		}
		for line := range strings.Lines(block[2]) {
			line = strings.TrimSpace(line)
			switch {
			case line == "" || strings.HasPrefix(line, "#"):
			case strings.HasPrefix(line, "export "):
				p.env = append(p.env, strings.TrimPrefix(line, "export "))
			case block[1] == "sh background":
				p.starts(t, line)
			default:
				p.types(t, line, in[line])
			}
		}
	}
}

// TestPages types what these pages say, against the real programs.
func TestPages(t *testing.T) {
	t.Parallel()
	p := newPageReader(t)
	t.Run("README.md", func(t *testing.T) { p.readme(t) })
	for _, page := range []string{"docs/developers.md", "docs/cards.md", "docs/emulators.md"} {
		t.Run(page, func(t *testing.T) { p.plays(t, page, nil) })
	}
	if err := logIn(t.Context(), p.world); err != nil {
		t.Fatal(err)
	}
	p.types(t, "pos login "+administrator, theirSecret+"\n")
	t.Run("docs/nexo.md", func(t *testing.T) { p.plays(t, "docs/nexo.md", nil) })
	t.Run("docs/keys.md", func(t *testing.T) { p.keys(t) })
}

// keys loads keys as docs/keys.md says, by two people who have logged in, from what the simulated bank gives out.
func (p *pageReader) keys(t *testing.T) {
	t.Helper()
	for _, name := range []string{"amina", "badr"} {
		p.types(t, "pos users add "+name+" technician", strings.Repeat(theirSecret+"\n", 2))
	}
	for _, use := range []string{"pin", "mac"} {
		p.types(t, "cp run/host/keys/"+use+".tr31 .", "")
	}
	var kek [2][]byte
	for i := range kek {
		text, err := os.ReadFile(p.path(fmt.Sprintf("host/keys/component-%d.hex", i+1)))
		if err != nil {
			t.Fatal(err)
		}
		if kek[i], err = hex.DecodeString(strings.TrimSpace(string(text))); err != nil {
			t.Fatal(err)
		}
	}
	whole := make([]byte, len(kek[0]))
	subtle.XORBytes(whole, kek[0], kek[1])
	p.types(t, fmt.Sprintf(`echo '{"fn":"tr31_wrap","in":{"kbpk":"%X","header":"%s","key":"%X"}}' | pos calc | sed 's/.*"block":"//; s/".*//' > master.tr31`, whole, "B0000K0TN00N0000", []byte("one test key 16 ")), "")
	p.plays(t, "docs/keys.md", map[string]string{
		"pos login amina": theirSecret + "\n", "pos login badr": theirSecret + "\n",
		"pos keys component acquirer 1 2": fmt.Sprintf("%X\n", kek[0]), "pos keys component acquirer 2 2": fmt.Sprintf("%X\n", kek[1]),
	})
}

// readme makes the sale of README.md: what is printed is what stands there, but for date, time and numbers that the bank gives.
func (p *pageReader) readme(t *testing.T) {
	t.Helper()
	text := fenced(t, filepath.Join("..", "..", "README.md"), "text")[0]
	command, want, _ := strings.Cut(strings.TrimPrefix(text, "$ "), "\n")
	changes := regexp.MustCompile(`(?m)^(DATE|TIME|AUTH CODE|RRN|STAN|INVOICE|BATCH|SALE|CARD|NUMBER|AID|ENTRY|RESPONSE) +.*$`)
	steps := regexp.MustCompile(`(?m)^KWD .*\n`) // which of them are seen depends on how fast the card is
	settle := func(s string) string { return changes.ReplaceAllString(steps.ReplaceAllString(s, ""), "$1") }
	if got := p.types(t, command, ""); settle(got) != settle(want) {
		t.Errorf("printed:\n%s\nthe page has:\n%s", got, want)
	}
}
