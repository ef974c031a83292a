package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"tillway/terminal"
)

var update = flag.Bool("update", false, "write the golden answers anew")

// TestGolden runs the command lines of testdata/*.cmd. A case is its command line behind "$ ", what stands on standard
// input behind "< ", the exit status behind "? ", lines of standard error behind "! ", and standard output as it is.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.cmd")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			for _, c := range strings.Split("\n"+string(text), "\n$ ")[1:] {
				line, rest, _ := strings.Cut(c, "\n")
				stdin := ""
				if in, ok := strings.CutPrefix(rest, "< "); ok {
					stdin, _, _ = strings.Cut(in, "\n")
				}
				synctest.Test(t, func(t *testing.T) { got.WriteString(transcriptOf(t, line, stdin)) })
			}
			if *update {
				if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if !*update {
				same(t, got.String(), string(text))
			}
		})
	}
}

// transcriptOf runs one command line against a daemon that has sold once.
func transcriptOf(t *testing.T, line, stdin string) string {
	t.Helper()
	w := &wire{}
	s := newStage(t, saleOf(t, terminal.Reversed))
	s.started = append(s.started, terminal.Order{})
	defer w.serve(t, s)()
	var out, errOut bytes.Buffer
	code := run(t.Context(), app{
		in: strings.NewReader(stdin), out: &out, errOut: &errOut, env: func(string) string { return "" }, dial: w.dial,
		notify: func(chan<- os.Signal) {},
	}, words(line)[1:])
	var b strings.Builder
	fmt.Fprintf(&b, "$ %s\n", line)
	if stdin != "" {
		fmt.Fprintf(&b, "< %s\n", stdin)
	}
	fmt.Fprintf(&b, "? %d\n", code)
	for l := range strings.Lines(errOut.String()) {
		fmt.Fprintf(&b, "! %s", l)
	}
	b.WriteString(out.String())
	return b.String()
}

// words splits a command line at spaces; single quotes hold words together.
func words(line string) []string {
	var out []string
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			out = append(out, part)
			continue
		}
		out = append(out, strings.Fields(part)...)
	}
	return out
}

// same compares line by line, and shows the first that differs.
func same(t *testing.T, got, want string) {
	t.Helper()
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range max(len(g), len(w)) {
		if i >= len(g) || i >= len(w) || g[i] != w[i] {
			t.Errorf("line %d differs:\ngot  %q\nwant %q", i+1, g[min(i, len(g)-1)], w[min(i, len(w)-1)])
			return
		}
	}
}
