// Package tillway holds no code, only the tests that hold ARCHITECTURE.md to the code: the imports that its folder
// table allows, the state tables that it prints, and what no file of the project may contain.
package tillway

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tillway/terminal"
)

const page = "ARCHITECTURE.md"

var quoted = regexp.MustCompile("`([^`]+)`")

// A rule is one row of the folder table: the folders that it names, and what they may import.
type rule struct {
	folders, may []string
	everything   bool
}

// TestImports holds every import to the folder table. The row that names a package wins over one that matches it by
// pattern; a package may always import what lies below it; test files are free.
func TestImports(t *testing.T) {
	rules := folderRules(t)
	used := make([]bool, len(rules))
	for pkg, imports := range packages(t) {
		at := ruleFor(rules, pkg)
		if at < 0 {
			t.Errorf("%s is not in the folder table", pkg)
			continue
		}
		used[at] = true
		for _, imp := range imports {
			if !strings.HasPrefix(imp, pkg+"/") && !allowed(rules[at], imp) {
				t.Errorf("%s imports %s: the folder table says that it may not", pkg, imp)
			}
		}
	}
	for i, r := range rules {
		if !used[i] {
			t.Errorf("the folder table names %s, and there is no such package", strings.Join(r.folders, ", "))
		}
	}
}

// TestShippedPrograms: the terminal's daemon carries nothing that stands in for a card, a reader or a bank, and the
// command line neither the database nor the bank.
func TestShippedPrograms(t *testing.T) {
	for _, c := range []struct {
		program string
		has     string // proves that the list is the right one
		never   []string
	}{
		{"posd", "tillway/store", []string{"tillway/host", "tillway/device/emulator", "tillway/device/devicetest", "tillway/emv/cryptogram", "tillway/store/flushcount", "tillway/store/crashrecorder", "testing"}},
		{"pos", "tillway/till", []string{"tillway/store", "tillway/host", "github.com/mattn/go-sqlite3", "testing"}},
	} {
		list := exec.CommandContext(t.Context(), "go", "list", "-deps", "./cmd/"+c.program)
		list.Stderr = os.Stderr
		out, err := list.Output()
		if err != nil {
			t.Fatal(err)
		}
		deps := strings.Fields(string(out))
		if !slices.Contains(deps, c.has) {
			t.Errorf("%s does not build on %s: is this the right list?", c.program, c.has)
		}
		for _, dep := range deps {
			for _, never := range c.never {
				if dep == never || strings.HasPrefix(dep, never+"/") {
					t.Errorf("%s carries %s", c.program, dep)
				}
			}
		}
	}
}

// TestRuleChoice proves the checker itself: what it refuses, and which row it takes.
func TestRuleChoice(t *testing.T) {
	rules := []rule{
		{folders: []string{"device/*"}, may: []string{"device", "device/serial"}},
		{folders: []string{"device/secure"}, may: []string{"device/secure/x9"}},
		{folders: []string{"cmd/*"}, everything: true},
	}
	for _, c := range []struct {
		pkg, imp string
		row      int
		ok       bool
	}{
		{"device/gempc", "device/serial", 0, true},
		{"device/gempc", "device/pinpad", 0, false},
		{"device/gempc", "terminal", 0, false},
		{"device/secure", "device", 1, false},
		{"device/secure", "device/secure/x9", 1, true},
		{"cmd/posd", "terminal/lane", 2, true},
		{"utils", "money", -1, false},
	} {
		row := ruleFor(rules, c.pkg)
		if row != c.row {
			t.Errorf("%s: row %d, want %d", c.pkg, row, c.row)
			continue
		}
		if row >= 0 && allowed(rules[row], c.imp) != c.ok {
			t.Errorf("%s imports %s: allowed %v, want %v", c.pkg, c.imp, !c.ok, c.ok)
		}
	}
}

// TestSaleTable compares the sale's state table as printed with the one that runs.
func TestSaleTable(t *testing.T) {
	var want, got, finals []string
	for _, r := range terminal.Table() {
		want = append(want, sentence(string(r.From), string(r.Event), string(r.To), r.Duties, r.Commit))
	}
	for _, row := range table(t, "State", 3) {
		if row[2] == "" {
			finals = append(finals, strings.Split(row[0], ", ")...)
			continue
		}
		got = append(got, transitions(t, row[0], row[2])...)
	}
	same(t, want, got)
	for _, s := range finals {
		if !terminal.State(s).Final() {
			t.Errorf("%s is printed as final and is not", s)
		}
	}
}

// TestDebtTable compares the debts' state table as printed with the one that runs.
func TestDebtTable(t *testing.T) {
	var want, got []string
	for _, r := range terminal.DebtTable() {
		want = append(want, sentence(string(r.From), string(r.Event), string(r.To), nil, false))
	}
	for _, row := range table(t, "Debt", 2) {
		if row[1] == "" {
			for s := range strings.SplitSeq(row[0], ", ") {
				if !terminal.DebtState(s).Final() {
					t.Errorf("%s is printed as final and is not", s)
				}
			}
			continue
		}
		got = append(got, transitions(t, row[0], row[1])...)
	}
	same(t, want, got)
}

// TestBatchTable compares the batches' state table as printed with the one that runs.
func TestBatchTable(t *testing.T) {
	var want, got []string
	for _, r := range terminal.BatchTable() {
		want = append(want, sentence(string(r.From), string(r.Event), string(r.To), nil, false))
	}
	for _, row := range table(t, "Batch", 2) {
		if row[1] == "" {
			for s := range strings.SplitSeq(row[0], ", ") {
				if !terminal.BatchState(s).Final() {
					t.Errorf("%s is printed as final and is not", s)
				}
			}
			continue
		}
		got = append(got, transitions(t, row[0], row[1])...)
	}
	same(t, want, got)
}

// TestPathsInPages: a file or folder that a page names is there.
func TestPathsInPages(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]+)\)`)
	pathLike := regexp.MustCompile(`^[a-z.][a-z0-9_.-]*(/[a-z0-9_.-]+)+/?$`)
	elsewhere := regexp.MustCompile(`^(bin|run|testing)/`) // what build and stack make, and the standard library
	checked := 0
	for _, name := range []string{page, securityPage, "README.md", "CHANGELOG.md", "docs/contributing.md", "docs/operating.md"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		paths := map[string]string{} // as written: where to look
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			paths[m[1]] = filepath.Join(filepath.Dir(name), m[1])
		}
		for _, q := range names(string(text)) {
			if pathLike.MatchString(q) && !elsewhere.MatchString(q) {
				paths[q] = q
			}
		}
		for written, where := range paths {
			checked++
			if _, err := os.Stat(where); err != nil {
				t.Errorf("%s names %s: %v", name, written, err)
			}
		}
	}
	if checked < 30 {
		t.Errorf("only %d paths were found in the pages", checked)
	}
}

// TestNoForeignPlaces finds what ties the project to one machine: absolute paths of a builder's disk, and the hosts
// of package registries.
func TestNoForeignPlaces(t *testing.T) {
	// Put together here so that this file does not hold what it forbids.
	slash := string('/')
	forbidden := []string{
		slash + "work" + slash, slash + "root" + slash, slash + "home" + slash, slash + "Users" + slash,
		"proxy." + "golang", "sum." + "golang", "registry." + "npmjs", "pypi." + "org", "deb." + "debian", "archive." + "ubuntu",
	}
	if hits := foreign([]byte("see "+forbidden[0]+"x"), forbidden); len(hits) != 1 {
		t.Fatalf("the search does not find what it is there for: %q", hits)
	}
	files := 0
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if slices.Contains([]string{".git", "bin", "dist", "run"}, name) || entry.Name() == "node_modules" {
				return fs.SkipDir
			}
			return nil
		}
		if built := slices.Contains([]string{".test", ".prof"}, filepath.Ext(name)); built || !entry.Type().IsRegular() {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		files++
		for _, hit := range foreign(text, forbidden) {
			t.Errorf("%s holds %s", name, hit)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 20 {
		t.Fatalf("only %d files searched", files)
	}
}

func foreign(text []byte, forbidden []string) (hits []string) {
	for _, f := range forbidden {
		if bytes.Contains(text, []byte(f)) {
			hits = append(hits, f)
		}
	}
	return hits
}

// folderRules reads the folder table.
func folderRules(t *testing.T) (rules []rule) {
	t.Helper()
	for _, row := range table(t, "Folder", 3) {
		r := rule{folders: names(row[0]), may: names(row[2]), everything: row[2] == "everything"}
		if len(r.folders) == 0 || (len(r.may) == 0 && !r.everything && row[2] != "nothing") {
			t.Fatalf("folder table: cannot read the row %q", row)
		}
		rules = append(rules, r)
	}
	return rules
}

// packages lists our packages that hold code, and of their imports those that are ours.
func packages(t *testing.T) map[string][]string {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-f", "{{.ImportPath}}{{range .Imports}} {{.}}{{end}}", "./...")
	list.Stderr = os.Stderr
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		pkg := folder(words[0])
		all[pkg] = nil
		for _, imp := range words[1:] {
			if strings.HasPrefix(imp, "tillway/") {
				all[pkg] = append(all[pkg], folder(imp))
			}
		}
	}
	return all
}

func folder(importPath string) string {
	if importPath == "tillway" {
		return "."
	}
	return strings.TrimPrefix(importPath, "tillway/")
}

func names(cell string) (out []string) {
	for _, m := range quoted.FindAllStringSubmatch(cell, -1) {
		out = append(out, m[1])
	}
	return out
}

// ruleFor is the place of the row for a package: one that names it, else the first that matches it, else -1.
func ruleFor(rules []rule, pkg string) int {
	match := -1
	for i, r := range rules {
		if slices.Contains(r.folders, pkg) {
			return i
		}
		if match < 0 && matches(r.folders, pkg) {
			match = i
		}
	}
	return match
}

func allowed(r rule, imp string) bool { return r.everything || matches(r.may, imp) }

func matches(patterns []string, pkg string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, err := path.Match(p, pkg)
		return ok && err == nil
	})
}

// table reads the rows of the one table on the page whose first heading is given.
func table(t *testing.T, heading string, columns int) (rows [][]string) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	in := false
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "| "+heading+" |"):
			in = true
		case !strings.HasPrefix(line, "|"):
			in = false
		case in && !strings.HasPrefix(line, "| ---"):
			cells := strings.Split(strings.TrimSuffix(strings.TrimPrefix(line, "|"), "|"), "|")
			if len(cells) != columns {
				t.Fatalf("table %s: %d columns in %q, want %d", heading, len(cells), line, columns)
			}
			for i := range cells {
				cells[i] = strings.TrimSpace(cells[i])
			}
			rows = append(rows, cells)
		}
	}
	if len(rows) == 0 {
		t.Fatalf("%s has no table that starts with %s", page, heading)
	}
	return rows
}

// transitions spells out a cell such as "Cancel, TimeOut: Cancelled*; GoOnline: Sending +R*".
func transitions(t *testing.T, from, cell string) (out []string) {
	t.Helper()
	for clause := range strings.SplitSeq(cell, ";") {
		events, rest, ok := strings.Cut(clause, ":")
		rest, commit := strings.CutSuffix(strings.TrimSpace(rest), "*")
		words := strings.Fields(rest)
		if !ok || len(words) == 0 {
			t.Fatalf("%s: cannot read %q", from, clause)
		}
		var duties []terminal.Duty
		for _, w := range words[1:] {
			duties = append(duties, terminal.Duty(w))
		}
		for event := range strings.SplitSeq(events, ",") {
			out = append(out, sentence(from, strings.TrimSpace(event), words[0], duties, commit))
		}
	}
	return out
}

func sentence(from, event, to string, duties []terminal.Duty, commit bool) string {
	return fmt.Sprintf("%s %s %s %v commit=%v", from, event, to, duties, commit)
}

// same compares without regard to order, and names every row that is on one side only.
func same(t *testing.T, want, got []string) {
	t.Helper()
	for _, w := range want {
		if !slices.Contains(got, w) {
			t.Errorf("%s does not print: %s", page, w)
		}
	}
	for i, g := range got {
		if !slices.Contains(want, g) {
			t.Errorf("%s prints what the code does not do: %s", page, g)
		}
		if slices.Contains(got[:i], g) {
			t.Errorf("%s prints twice: %s", page, g)
		}
	}
}
