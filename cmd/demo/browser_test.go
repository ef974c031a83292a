package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The browser tests drive the cashier's screen and the customer's display in a real browser, against the real programs. The
// scenarios are scripts of Node in browserScripts; here are the stacks that they play on, and what they may do to them.

const (
	screenFolder   = "../../till/screen"
	browserScripts = screenFolder + "/browser"
	chromium       = "/usr/bin/chromium"
	browserWithin  = 8 * time.Minute // for all scenarios, on a machine that does much else besides
)

// notChecked ends a test that needs what this machine lacks, and says so where nobody overlooks it.
func notChecked(tb testing.TB, what, fix string) {
	tb.Helper()
	fmt.Fprintf(os.Stderr, "NOT CHECKED: %s: %s. %s\n", tb.Name(), what, fix)
	tb.Skipf("NOT CHECKED: %s. %s", what, fix)
}

// needBrowser gives Node's path, or ends the test where a browser test cannot run.
func needBrowser(tb testing.TB) (node string) {
	tb.Helper()
	const fix = "make deps-screen installs it."
	node, err := exec.LookPath("node")
	if err != nil {
		notChecked(tb, "Node is not installed", fix)
	}
	if _, err := os.Stat(chromium); err != nil {
		notChecked(tb, "Chromium is not installed", fix)
	}
	if _, err := os.Stat(filepath.Join(screenFolder, "node_modules", "playwright-core")); err != nil {
		notChecked(tb, "till/screen/node_modules is not there", fix)
	}
	return node
}

// A browserLine is what a script says of one scenario.
type browserLine struct {
	Scenario string `json:"scenario"`
	Note     string `json:"note,omitempty"`  // something to read; the scenario goes on
	Error    string `json:"error,omitempty"` // it failed: what was expected, and what a person would have seen
	Shot     string `json:"shot,omitempty"`  // picture of the page at that moment
	Done     bool   `json:"done,omitempty"`
	Figures  figure `json:"figures,omitempty"`
}

// A figure is a measured value by its unit.
type figure map[string]float64

// runBrowser runs a script on some stages and hands over its lines, in their order.
func runBrowser(tb testing.TB, script string, stages []*browserStage, more []string, each func(browserLine)) {
	tb.Helper()
	node := needBrowser(tb)
	ctx, stop := context.WithTimeout(tb.Context(), browserWithin)
	defer stop()
	shots := shotFolder(tb)
	cmd := exec.CommandContext(ctx, node, append([]string{filepath.Join(browserScripts, script), "--chromium", chromium, "--shots", shots}, more...)...)
	for _, s := range stages {
		cmd.Args = append(cmd.Args, "--stage", s.name+"="+s.control.URL)
	}
	cmd.WaitDelay = 10 * time.Second
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it ends its browser
	var trouble strings.Builder
	cmd.Stderr = &trouble
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	finished := false
	for lines.Scan() {
		var line browserLine
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			tb.Errorf("%s said %q", script, lines.Text())
			continue
		}
		if line.Scenario == "" {
			finished = line.Done
			continue
		}
		each(line)
	}
	if err := errors.Join(lines.Err(), cmd.Wait(), ctx.Err()); err != nil || !finished {
		tb.Errorf("%s did not end well: %v\n%s", script, err, trouble.String())
	}
}

// shotFolder is where pictures of failures go: a folder that outlives the test, because its log names them.
func shotFolder(tb testing.TB) string {
	tb.Helper()
	folder, err := os.MkdirTemp("", "tillway-browser-") //nolint:usetesting // it is kept where the test fails
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if !tb.Failed() {
			if err := os.RemoveAll(folder); err != nil {
				tb.Error(err)
			}
		}
	})
	return folder
}

// Flags of TestBrowser: what is played, and where the documentation's pictures go when they are taken in place of it.
var (
	browserOnly = flag.String("browser.only", "", "play only the scenarios whose names hold this")
	pictures    = flag.String("browser.pictures", "", "folder of the documentation: take its pictures, and play nothing else")
)

// TestBrowser plays every scenario of a person at the screen. Each is judged by what the page shows and by what journal and
// bank have.
func TestBrowser(t *testing.T) {
	needBrowser(t)
	stages := []*browserStage{newBrowserStage(t, "shop", openShop), newBrowserStage(t, "staff", closedShop)}
	played := 0
	script, more := "run.mjs", []string{"--only", *browserOnly}
	if *pictures != "" {
		script, more = "pictures.mjs", []string{"--out", *pictures}
	}
	runBrowser(t, script, stages, more, func(line browserLine) {
		switch {
		case line.Error != "":
			t.Errorf("%s: %s\npicture: %s", line.Scenario, line.Error, line.Shot)
		case line.Note != "":
			t.Logf("%s: %s", line.Scenario, line.Note)
		case line.Done:
			t.Logf("%s: %.0f ms", line.Scenario, line.Figures["ms"])
			played++
		}
	})
	if played == 0 {
		t.Error("no scenario was played to its end")
	}
	for _, s := range stages {
		if err := s.settled(t.Context()); err != nil {
			t.Errorf("%s: %v", s.name, err)
		}
		s.nothingOnDisk(t)
	}
}
