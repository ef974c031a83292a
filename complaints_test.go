package tillway

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const complaintsPage = "docs/complaints.md"

// TestComplaints: the page has all fifteen complaints; each says where it is heard and what is done; and every test and scenario that it
// names is in the file that it names.
func TestComplaints(t *testing.T) {
	page, err := os.ReadFile(complaintsPage)
	if err != nil {
		t.Fatal(err)
	}
	proof := regexp.MustCompile("`([^`:]+\\.(?:go|mjs)): ([^`]+)`")
	next := 1
	for row := range strings.Lines(string(page)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(row), "|"), " | ")
		n, err := strconv.Atoi(strings.TrimSpace(cells[0]))
		if err != nil {
			continue
		}
		if n != next || len(cells) != 4 || len(cells[1]) < 40 || len(cells[2]) < 40 {
			t.Errorf("row %d, where %d was due: %d cells", n, next, len(cells))
			return
		}
		next++
		found := proof.FindAllStringSubmatch(cells[3], -1)
		if len(found) < 3 || strings.Count(cells[3], "`") != 2*len(found) {
			t.Errorf("complaint %d: cannot read what shows it: %s", n, cells[3])
		}
		for _, f := range found {
			if !showsIt(t, f[1], f[2]) {
				t.Errorf("complaint %d names %q, and %s has it not", n, f[2], f[1])
			}
		}
	}
	if next != 16 {
		t.Errorf("%d complaints, want fifteen", next-1)
	}
	if showsIt(t, "complaints_test.go", "TestThatNobodyWrote") || showsIt(t, "no_such_test.go", "TestComplaints") {
		t.Error("the search for tests does not work")
	}
}

// showsIt says whether a file has a Go test, or a scenario of the browser, of that name.
func showsIt(t *testing.T, file, name string) bool {
	t.Helper()
	text, err := os.ReadFile(filepath.FromSlash(file))
	if err != nil {
		return false
	}
	if strings.HasSuffix(file, ".mjs") {
		return strings.Contains(string(text), `name: "`+name+`"`)
	}
	return strings.HasSuffix(file, "_test.go") && strings.Contains(string(text), "\nfunc "+name+"(")
}

// TestNothingUpdatesItself: no code that the daemon or the secure module is made of starts another program, but the secure module, or asks a server
// of anybody for anything over HTTP: there is no update that could be forced, loop or hang.
func TestNothingUpdatesItself(t *testing.T) {
	starts := map[string]bool{"device/secure/launch.go": true} // the secure module, by its path
	others := []string{"cmd/pos/", "cmd/demo/", "cmd/bench/", "cmd/readeremu/", "cmd/hostsim/", "host/", "rig/", "packaging/deb/", "device/emulator/", "store/crashrecorder/", "till/screen/bundle/"}
	asks := map[string]bool{"cmd/posd/poll.go": true} // a parameter server: parameters, never programs, and only where posd.toml names it
	client := regexp.MustCompile(`http\.(Get|Post|PostForm|Head|Client|DefaultClient|Transport|NewRequest)\b`)
	looked := 0
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		if entry.IsDir() && (entry.Name() == "node_modules" || entry.Name() == ".git") {
			return filepath.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		for _, other := range others {
			if strings.HasPrefix(name, other) {
				return nil
			}
		}
		looked++
		text, err := os.ReadFile(filepath.FromSlash(name))
		if err != nil {
			return err
		}
		if client.Match(text) && !asks[name] {
			t.Errorf("%s makes requests over HTTP", name)
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, i := range file.Imports {
			if i.Path.Value == `"os/exec"` && !starts[name] {
				t.Errorf("%s starts programs", name)
			}
		}
		return nil
	})
	if err != nil || looked < 100 {
		t.Errorf("%d files, %v", looked, err)
	}
}
