package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestCardRunsPage does what docs/card-runs.md says: its profiles are written under the names it gives them, each of its
// commands is run, and the lines below a command are in the output, in that order.
func TestCardRunsPage(t *testing.T) {
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "docs", "card-runs.md"))
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	if err := os.Symlink(filepath.Join(root, "emv"), "emv"); err != nil {
		t.Fatal(err)
	}
	commands, profiles := 0, 0
	parts := strings.Split(string(text), "```")
	for i := 1; i < len(parts); i += 2 {
		kind, body, _ := strings.Cut(parts[i], "\n")
		switch kind {
		case "toml":
			name := parts[i-1][:strings.LastIndex(parts[i-1], "`")]
			name = name[strings.LastIndex(name, "`")+1:]
			if err := os.WriteFile(name, []byte(body), 0o600); err != nil {
				t.Fatal(err)
			}
			profiles++
		case "console":
			for _, c := range strings.Split("\n"+body, "\n$ pos ")[1:] {
				runAsWritten(t, c)
				commands++
			}
		default:
			t.Errorf("a block of %q: say toml or console", kind)
		}
	}
	if commands < 7 || profiles < 4 {
		t.Errorf("the page has %d commands and %d profiles", commands, profiles)
	}
}

// runAsWritten runs one command; an expected line may be the beginning or the end of one of the output.
func runAsWritten(t *testing.T, written string) {
	t.Helper()
	line, expected, _ := strings.Cut(written, "\n")
	got := pos(t, words("pos " + line)[1:]...)
	code := 0
	left := strings.Split(got.out, "\n")
	for want := range strings.Lines(expected) {
		want = strings.TrimSpace(want)
		if n, ok := strings.CutPrefix(want, "[exit "); ok {
			code, _ = strconv.Atoi(strings.TrimSuffix(n, "]"))
			continue
		}
		for len(left) > 0 {
			l := strings.TrimSpace(left[0])
			if left = left[1:]; want == "" || strings.HasPrefix(l, want) || strings.HasSuffix(l, want) {
				want = ""
				break
			}
		}
		if want != "" {
			t.Errorf("pos %s\nhas no line %q behind those before it:\n%s%s", line, want, got.out, got.errOut)
			return
		}
	}
	if got.code != code {
		t.Errorf("pos %s\nexit %d, want %d: %s", line, got.code, code, got.errOut)
	}
}
