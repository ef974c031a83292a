package contact_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestConformancePage: every file that CONFORMANCE.md names exists, and so does every test and every row of one.
func TestConformancePage(t *testing.T) {
	page, err := os.ReadFile("CONFORMANCE.md")
	if err != nil {
		t.Fatal(err)
	}
	sources := map[string]string{} // the tests of a folder, joined
	source := func(folder string) string {
		if _, ok := sources[folder]; !ok {
			files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
			if err != nil || len(files) == 0 {
				t.Errorf("no tests in %s: %v", folder, err)
			}
			for _, f := range files {
				b, err := os.ReadFile(f)
				if err != nil {
					t.Fatal(err)
				}
				sources[folder] += string(b)
			}
		}
		return sources[folder]
	}
	quoted := regexp.MustCompile("`([^`]+)`")
	rules := 0
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(strings.TrimSpace(line), " | ")
		if !strings.HasPrefix(line, "| ") || len(cells) != 4 || strings.HasPrefix(line, "| Section") || strings.HasPrefix(line, "| ---") {
			continue
		}
		rules++
		files, tests := quoted.FindAllStringSubmatch(cells[2], -1), quoted.FindAllStringSubmatch(cells[3], -1)
		if len(files) == 0 || len(tests) == 0 {
			t.Errorf("a rule without a file or a test: %s", line)
		}
		for _, f := range files {
			if _, err := os.Stat(f[1]); err != nil {
				t.Errorf("%s: %v", cells[0], err)
			}
		}
		for _, name := range tests {
			folder, test, other := strings.Cut(name[1], " ")
			if !other || !strings.HasPrefix(folder, "../") {
				folder, test = ".", name[1]
			}
			test, row, rowed := strings.Cut(test, "/")
			if !strings.Contains(source(folder), "\nfunc "+test+"(") {
				t.Errorf("%s: there is no %s in %s", cells[0], test, folder)
			}
			if rowed && !strings.Contains(source(folder), `"`+row+`"`) {
				t.Errorf("%s: %s has no row %q", cells[0], test, row)
			}
		}
	}
	if rules < 120 {
		t.Errorf("only %d rules", rules)
	}
}
