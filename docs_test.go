package tillway

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// commandsTable says who runs the commands of each page: page, first line of a block (or * for all others), and
// "folder: TestName" or "not run: " with the reason.
const commandsTable = "docs/commands.tsv"

// A commandBlock is one block of a page that its reader types.
type commandBlock struct {
	first string // its first line, without a prompt
	at    int    // line of the page
}

// commandBlocks finds the blocks of a page: fenced ones of sh and console, and of text where a line begins with a prompt. What is
// wrong with a page that keeps its commands elsewhere comes in faults.
func commandBlocks(text string) (blocks []commandBlock, faults []string) {
	program := regexp.MustCompile(`^    ( *)(\$ |# |sudo |pos |posd |keyd |hostsim |readeremu |make |systemctl |apt-get |apt |ls |stty |tar |go (run|test|build) )`)
	kind, inside := "", false
	var body []string
	begun := 0
	for i, line := range strings.Split(text, "\n") {
		mark, fence := strings.CutPrefix(strings.TrimLeft(line, " "), "```")
		switch {
		case fence && !inside:
			kind, inside, body, begun = strings.TrimSpace(mark), true, nil, i+1
			if kind == "" {
				faults = append(faults, "a block without a language: say sh, console, text, toml, json or go")
			}
		case fence:
			inside = false
			if first, ok := typed(kind, body); ok {
				blocks = append(blocks, commandBlock{first, begun})
			}
		case inside:
			body = append(body, line)
		case program.MatchString(line):
			faults = append(faults, "a command in an indented block: fence it as sh: "+strings.TrimSpace(line))
		}
	}
	return blocks, faults
}

// typed says whether a block is one that people type, and gives its first command.
func typed(kind string, body []string) (first string, ok bool) {
	language, _, _ := strings.Cut(kind, " ")
	for _, line := range body {
		command, prompt := strings.CutPrefix(line, "$ ")
		if !prompt && language == "console" {
			command, prompt = strings.CutPrefix(line, "# ")
		}
		switch {
		case prompt, language == "sh" && strings.TrimSpace(line) != "" && !strings.HasPrefix(line, "#"):
			return strings.TrimSpace(command), true
		}
	}
	return "", language == "sh" || language == "console"
}

// A commandRow is one row of the table.
type commandRow struct{ page, block, by string }

// commandRows reads the table: three columns, sorted by page.
func commandRows(t *testing.T) (rows []commandRow) {
	t.Helper()
	text, err := os.ReadFile(commandsTable)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "#") {
			continue
		}
		cells := strings.Split(line, "\t")
		if len(cells) != 3 {
			t.Fatalf("%s: %q has %d columns, want page, block and who runs it, with tabs between", commandsTable, line, len(cells))
		}
		rows = append(rows, commandRow{cells[0], cells[1], cells[2]})
	}
	if !slices.IsSortedFunc(rows, func(a, b commandRow) int { return strings.Compare(a.page, b.page) }) {
		t.Errorf("%s is not sorted by page", commandsTable)
	}
	return rows
}

// manualPages are all pages that people read to do something.
func manualPages(t *testing.T) []string {
	t.Helper()
	pages := []string{"README.md", "ARCHITECTURE.md", "SECURITY.md", "CHANGELOG.md"}
	for _, root := range []string{"docs", "firmware-notes", "packaging"} {
		err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
			if err == nil && !entry.IsDir() && strings.HasSuffix(name, ".md") {
				pages = append(pages, filepath.ToSlash(name))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return pages
}

// TestCommandsOfPages: every command that a page has its reader type is run by a test that reads that page, or the table says why none
// can. A page or a block that is new fails here until it has a row, and so does a row of what is gone.
func TestCommandsOfPages(t *testing.T) {
	rows := commandRows(t)
	used := make([]bool, len(rows))
	run := 0
	for _, page := range manualPages(t) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		blocks, faults := commandBlocks(string(text))
		for _, fault := range faults {
			t.Errorf("%s: %s", page, fault)
		}
		for _, b := range blocks {
			at := slices.IndexFunc(rows, func(r commandRow) bool { return r.page == page && r.block == b.first })
			if at < 0 {
				at = slices.IndexFunc(rows, func(r commandRow) bool { return r.page == page && r.block == "*" })
			}
			if at < 0 {
				t.Errorf("%s:%d: who runs %q? Give it a row in %s", page, b.at, b.first, commandsTable)
				continue
			}
			used[at] = true
			if !strings.HasPrefix(rows[at].by, "not run: ") {
				run++
			}
		}
	}
	for i, r := range rows {
		if !used[i] {
			t.Errorf("%s: %s has no block that begins with %q", commandsTable, r.page, r.block)
		}
		if fault := runsPage(t, r); fault != "" {
			t.Errorf("%s: %s, %q: %s", commandsTable, r.page, r.block, fault)
		}
	}
	if run < 20 {
		t.Errorf("only %d blocks are run: the search is broken", run)
	}
}

// runsPage says what is wrong with who a row names: "" when the test is there and its folder's tests read the page, or a reason is given.
func runsPage(t *testing.T, r commandRow) string {
	t.Helper()
	if reason, not := strings.CutPrefix(r.by, "not run: "); not {
		if len(reason) < 25 {
			return "a reason why no test can run it is longer"
		}
		return ""
	}
	folder, name, ok := strings.Cut(r.by, ": ")
	if !ok || !hasTest(t, folder, name) {
		return "there is no test " + r.by
	}
	files, err := filepath.Glob(filepath.Join(filepath.FromSlash(folder), "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), filepath.Base(r.page)) && strings.Contains(string(text), "func "+name+"(") {
			return ""
		}
	}
	return "the file of " + name + " does not name " + filepath.Base(r.page) + ": does it read the page?"
}

// TestCommandBlocks: the search finds what it is there for.
func TestCommandBlocks(t *testing.T) {
	const page = "# A page\n\n```sh\n# first\npos status\n```\n\n```toml\npos = 1\n```\n\n```console\n# modprobe x\n```\n\n```text\n$ pos sale 1\nAPPROVED\n```\n\n```text\nno command\n```\n"
	blocks, faults := commandBlocks(page)
	if want := []commandBlock{{"pos status", 3}, {"modprobe x", 12}, {"pos sale 1", 16}}; !slices.Equal(blocks, want) || len(faults) != 0 {
		t.Errorf("%v, %q", blocks, faults)
	}
	if _, faults := commandBlocks("x\n\n    pos status\n\n```\npos\n```\n"); len(faults) != 2 {
		t.Errorf("%q", faults)
	}
	for _, wrong := range []commandRow{
		{"README.md", "*", "cmd/demo: TestThatNobodyWrote"},
		{"README.md", "*", "not run: no"},
		{"docs/no-such-page.md", "*", ".: TestCommandBlocks2"},
	} {
		if runsPage(t, wrong) == "" {
			t.Errorf("%v is taken", wrong)
		}
	}
}

// TestAlertsOfOperators: the page for who runs terminals says of every alert what to do, and of none that there is not.
func TestAlertsOfOperators(t *testing.T) {
	page, err := os.ReadFile("docs/operators.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\| (Tillway[A-Za-z]+) \| [^|]{8,} \|`).FindAllStringSubmatch(string(page), -1) {
		rows[m[1]] = true
	}
	files, err := filepath.Glob("packaging/prometheus/*.rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^\s+- alert: (\S+)$`).FindAllStringSubmatch(string(text), -1) {
			if !rows[m[1]] {
				t.Errorf("%s has the alert %s, and docs/operators.md does not say what to do", file, m[1])
			}
			delete(rows, m[1])
		}
	}
	for row := range rows {
		if len(files) > 0 {
			t.Errorf("docs/operators.md has the alert %s, and no rule has", row)
		}
	}
}
