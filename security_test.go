package tillway

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const securityPage = "SECURITY.md"

// A point is one row of the checklist in SECURITY.md.
type point struct {
	text  string
	met   string   // yes, in part or no
	tests []string // folder and name
}

// securityPoints reads the points: headings like "### 12. One key per transaction", each with its lines
// "Met: yes." and "Tests: `TestA`, `TestB` (`folder`); `TestC` (`other`).".
func securityPoints(t *testing.T) map[int]point {
	t.Helper()
	text, err := os.ReadFile(securityPage)
	if err != nil {
		t.Fatal(err)
	}
	heading := regexp.MustCompile(`^### (\d+)\. (.+)$`)
	points := map[int]point{}
	at := 0
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		if m := heading.FindStringSubmatch(line); m != nil {
			at, _ = strconv.Atoi(m[1]) // the pattern has digits only
			if _, twice := points[at]; twice {
				t.Errorf("%s has point %d twice", securityPage, at)
			}
			points[at] = point{text: m[2]}
			continue
		}
		if strings.HasPrefix(line, "#") {
			at = 0
		}
		p := points[at]
		if met, ok := strings.CutPrefix(line, "Met: "); ok && at > 0 {
			p.met, _, _ = strings.Cut(met, ".")
		}
		if list, ok := strings.CutPrefix(line, "Tests: "); ok && at > 0 {
			p.tests = append(p.tests, namedTests(t, at, list)...)
		}
		if at > 0 {
			points[at] = p
		}
	}
	return points
}

// namedTests reads "`TestA`, `TestB` (`folder`); `TestC` (`other`).".
func namedTests(t *testing.T, at int, list string) (tests []string) {
	t.Helper()
	for part := range strings.SplitSeq(strings.TrimSuffix(list, "."), ";") {
		named, folder, ok := strings.Cut(part, "(`")
		folder, closed := strings.CutSuffix(strings.TrimSpace(folder), "`)")
		found := names(named)
		if !ok || !closed || len(found) == 0 {
			t.Errorf("point %d: cannot read the tests in %q", at, part)
		}
		for _, name := range found {
			tests = append(tests, folder+" "+name)
		}
	}
	return tests
}

// TestSecurityPage: the page has all thirty points; each says whether it is met; one that is, in whole or in part, names
// tests; and every test that is named is there.
func TestSecurityPage(t *testing.T) {
	points := securityPoints(t)
	for n := 1; n <= 30; n++ {
		p, ok := points[n]
		switch {
		case !ok:
			t.Errorf("point %d is missing", n)
		case !slices.Contains([]string{"yes", "in part", "no"}, p.met):
			t.Errorf("point %d: met %q, want yes, in part or no", n, p.met)
		case p.met != "no" && len(p.tests) == 0:
			t.Errorf("point %d is met and names no test", n)
		}
		for _, test := range p.tests {
			folder, name, _ := strings.Cut(test, " ")
			if !hasTest(t, folder, name) {
				t.Errorf("point %d names %s, and %s has no such test", n, name, folder)
			}
		}
	}
	text, err := os.ReadFile(securityPage)
	if err != nil {
		t.Fatal(err)
	}
	everywhere := testsOfAll(t)
	for _, m := range regexp.MustCompile("`((?:Test|Fuzz)[A-Z][A-Za-z0-9]+)`").FindAllStringSubmatch(string(text), -1) {
		if !everywhere[m[1]] {
			t.Errorf("the page names %s, and there is no such test", m[1])
		}
	}
	if len(points) != 30 {
		t.Errorf("%d points, want 30", len(points))
	}
	if hasTest(t, ".", "TestThatNobodyWrote") || !hasTest(t, ".", "TestSecurityPage") {
		t.Error("the search for tests does not work")
	}
}

// testsOfAll is every test and fuzz target of the module, by name.
func testsOfAll(t *testing.T) map[string]bool {
	t.Helper()
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Z][A-Za-z0-9]+)\(`)
	found := map[string]bool{}
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(name, "_test.go") {
			return err
		}
		text, err := os.ReadFile(name)
		for _, m := range declared.FindAllStringSubmatch(string(text), -1) {
			found[m[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// hasTest says whether a folder's test files declare a test or a fuzz target of that name.
func hasTest(t *testing.T, folder, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "\nfunc "+name+"(") {
			return true
		}
	}
	return false
}
