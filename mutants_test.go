package tillway

import (
	"encoding/json"
	"flag"
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

var withMutants = flag.Bool("mutants", false, "run every mutant against its test: make mutants")

// A mutant is one security rule switched off: old becomes new in file, and nothing else changes. The test is the one
// that SECURITY.md names for the point, and it has to fail.
type mutant struct {
	point    int
	rule     string // what is switched off
	file     string
	old, new string
	folder   string // of the test
	test     string
}

// TestMutants holds the table to the code: each mutant still changes exactly one place, gives Go that parses, and its test
// is one that SECURITY.md names for its point. With -mutants it also runs them: the tests pass on the code as it is, and
// each fails on its mutant.
func TestMutants(t *testing.T) {
	points := securityPoints(t)
	covered := map[int]bool{}
	for _, m := range mutants() {
		covered[m.point] = true
		if _, err := m.changed(); err != nil {
			t.Errorf("point %d, %s: %v", m.point, m.rule, err)
		}
		if !slices.Contains(points[m.point].tests, m.folder+" "+m.test) {
			t.Errorf("SECURITY.md does not name `%s` of `%s` for point %d", m.test, m.folder, m.point)
		}
	}
	if len(covered) < 10 {
		t.Errorf("only %d points have a mutant", len(covered))
	}
	if *withMutants && !t.Failed() {
		t.Run("as it is", testUnchanged)
		t.Run("switched off", testSwitchedOff)
	}
}

// changed is the file's text with the rule switched off.
func (m mutant) changed() (string, error) {
	text, err := os.ReadFile(m.file)
	if err != nil {
		return "", err
	}
	if n := strings.Count(string(text), m.old); n != 1 {
		return "", fmt.Errorf("%s holds %q %d times: the mutant has to change one place", m.file, m.old, n)
	}
	out := strings.Replace(string(text), m.old, m.new, 1)
	if _, err := parser.ParseFile(token.NewFileSet(), m.file, out, parser.SkipObjectResolution); err != nil {
		return "", fmt.Errorf("the mutant is no Go: %w", err)
	}
	return out, nil
}

// testUnchanged: every test of the table passes on the code as it is.
func testUnchanged(t *testing.T) {
	wanted := map[string][]string{} // by folder
	for _, m := range mutants() {
		if !slices.Contains(wanted[m.folder], m.test) {
			wanted[m.folder] = append(wanted[m.folder], m.test)
		}
	}
	var running sync.WaitGroup
	defer running.Wait()
	turn := make(chan struct{}, sideBySide)
	for folder, tests := range wanted {
		running.Go(func() {
			turn <- struct{}{}
			defer func() { <-turn }()
			out, err := goTest(t, "", folder, "^("+strings.Join(tests, "|")+")$")
			if err != nil {
				t.Errorf("%s: %v\n%s", folder, err, out)
			}
			for _, test := range tests {
				if !strings.Contains(out, "--- PASS: "+test+" ") {
					t.Errorf("%s: %s did not run", folder, test)
				}
			}
		})
	}
}

// sideBySide is how many tests run at once: more than there are processors, because most of their time is waiting.
const sideBySide = 5

// testSwitchedOff runs the mutants, some at a time.
func testSwitchedOff(t *testing.T) {
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	defer running.Wait()
	turn := make(chan struct{}, sideBySide)
	for _, m := range mutants() {
		running.Go(func() {
			turn <- struct{}{}
			defer func() { <-turn }()
			if why := m.survives(t, root); why != "" {
				t.Errorf("point %d, %s: %s", m.point, m.rule, why)
				return
			}
			t.Logf("point %2d: %s: caught by %s (%s)", m.point, m.rule, m.test, m.folder)
		})
	}
}

// survives says how a mutant was not caught; nothing when it was.
func (m mutant) survives(t *testing.T, root string) string {
	text, err := m.changed()
	if err != nil {
		return err.Error()
	}
	folder := t.TempDir()
	replacement, overlay := filepath.Join(folder, "mutant.go"), filepath.Join(folder, "overlay.json")
	list, err := json.Marshal(map[string]map[string]string{"Replace": {filepath.Join(root, filepath.FromSlash(m.file)): replacement}})
	if err != nil {
		return err.Error()
	}
	for name, content := range map[string][]byte{replacement: []byte(text), overlay: list} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			return err.Error()
		}
	}
	out, err := goTest(t, overlay, m.folder, "^"+m.test+"$")
	switch {
	case err == nil:
		return m.test + " of " + m.folder + " still passes"
	case !caught(out, m.test):
		return fmt.Sprintf("%s of %s did not fail by itself: %v\n%s", m.test, m.folder, err, out)
	}
	return ""
}

// caught: the test ran and failed, by itself, by a panic of the code under test, or because it never came to its end. A
// mutant that does not compile is not caught.
func caught(out, test string) bool {
	fail := regexp.MustCompile(`(?m)^(--- FAIL: ` + test + ` |panic: |fatal error: )`)
	return fail.MatchString(out) && !strings.Contains(out, "[build failed]") && !strings.Contains(out, "[setup failed]")
}

// goTest runs tests of one folder, with one file replaced where there is an overlay: also in the programs that the test
// builds.
func goTest(t *testing.T, overlay, folder, run string) (string, error) {
	cmd := exec.CommandContext(t.Context(), "go", "test", "-v", "-count=1", "-vet=off", "-timeout=120s", "-run", run, "./"+folder) //nolint:gosec // of our own table
	if overlay != "" {
		cmd.Env = append(os.Environ(), "GOFLAGS="+strings.TrimSpace(os.Getenv("GOFLAGS")+" -overlay="+overlay))
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestCaught proves the judge: what counts as caught, and what does not.
func TestCaught(t *testing.T) {
	for _, c := range []struct {
		out  string
		want bool
	}{
		{"=== RUN   TestX\n--- FAIL: TestX (0.01s)\nFAIL\n", true},
		{"=== RUN   TestX\npanic: runtime error: index out of range [recovered]\n", true},
		{"=== RUN   TestX\n--- PASS: TestX (0.01s)\nPASS\n", false},
		{"# tillway/money [tillway/money.test]\n./money.go:3:2: declared and not used: x\nFAIL\ttillway/money [build failed]\n", false},
		{"--- FAIL: TestXY (0.01s)\nFAIL\n", false},
		{"testing: warning: no tests to run\nPASS\n", false},
	} {
		if got := caught(c.out, "TestX"); got != c.want {
			t.Errorf("%q: caught %v, want %v", c.out, got, c.want)
		}
	}
}
