package contact

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// What a certifier reads on the receipt is what he computes himself, with the recipe of Checksum's comment.
func TestChecksumByHand(t *testing.T) {
	const recipe = "ls emv/*.go emv/contact/*.go emv/oda/*.go emv/tlv/*.go money/*.go | grep -v _test.go | LC_ALL=C sort | xargs sha256sum | sha256sum"
	text, err := os.ReadFile("checksum.go")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "\n//\t"+recipe+"\n") {
		t.Error("the comment gives another recipe than the one that is tested")
	}
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "operating.md"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), "```sh\n"+recipe+"\n```") {
		t.Error("docs/operating.md gives another recipe than the one that is tested")
	}
	if _, err := exec.LookPath("sha256sum"); err != nil {
		t.Skip("no sha256sum on this machine: TestChecksumCoversTheKernel compares the files")
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-c", recipe)
	cmd.Dir = filepath.Join("..", "..")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if got, _, _ := strings.Cut(string(out), " "); got != Checksum() {
		t.Errorf("by hand %s, the kernel says %s", got, Checksum())
	}
	if Checksum()[:16] != ShortChecksum() {
		t.Errorf("%s is not the beginning of %s", ShortChecksum(), Checksum())
	}
}

// Every package of this module that the kernel imports, and every file in them but tests, is in the checksum.
func TestChecksumCoversTheKernel(t *testing.T) {
	const module = "tillway/"
	root := filepath.Join("..", "..")
	seen := map[string]bool{}
	var files []string
	var visit func(pkg string)
	visit = func(pkg string) {
		if seen[pkg] {
			return
		}
		seen[pkg] = true
		found, err := filepath.Glob(filepath.Join(root, pkg, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range found {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			files = append(files, pkg+"/"+filepath.Base(name))
			f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range f.Imports {
				if ours, ok := strings.CutPrefix(strings.Trim(i.Path.Value, `"`), module); ok {
					visit(ours)
				}
			}
		}
	}
	visit("emv/contact")
	slices.Sort(files)
	var listed []string
	for line := range strings.Lines(Sources()) {
		listed = append(listed, strings.TrimSuffix(path(line), "\n"))
	}
	if !slices.Equal(files, listed) {
		t.Errorf("the kernel is built from\n%v\nthe checksum is over\n%v", files, listed)
	}
}

// One byte changed in any file, a file added, taken away or renamed: another checksum. A test changed: the same.
func TestChecksumChangesWithTheSource(t *testing.T) {
	read := func() []folder {
		var out []folder
		for _, f := range folders() {
			copied := fstest.MapFS{}
			entries, err := fs.ReadDir(f.source, ".")
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				text, err := fs.ReadFile(f.source, e.Name())
				if err != nil {
					t.Fatal(err)
				}
				copied[e.Name()] = &fstest.MapFile{Data: text}
			}
			out = append(out, folder{f.path, copied})
		}
		return out
	}
	if got := checksumOf(read()); got != Checksum() {
		t.Fatalf("unchanged: %s, want %s", got, Checksum())
	}
	for i, f := range folders() {
		entries, err := fs.ReadDir(f.source, ".")
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			list := read()
			files, ok := list[i].source.(fstest.MapFS)
			if !ok {
				t.Fatalf("%T", list[i].source)
			}
			file := files[e.Name()]
			file.Data[len(file.Data)/2] ^= 1
			if isTest := strings.HasSuffix(e.Name(), "_test.go"); (checksumOf(list) == Checksum()) != isTest {
				t.Errorf("%s/%s: one bit changed, and the checksum does not say so", f.path, e.Name())
			}
		}
	}
	list := read()
	files, ok := list[1].source.(fstest.MapFS)
	if !ok {
		t.Fatalf("%T", list[1].source)
	}
	files["new.go"] = &fstest.MapFile{Data: []byte("package contact\n")}
	added := checksumOf(list)
	files["other.go"] = files["new.go"]
	delete(files, "new.go")
	if renamed := checksumOf(list); added == Checksum() || renamed == added || renamed == Checksum() {
		t.Error("a file more or a file's name makes no difference")
	}
}
