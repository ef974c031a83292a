package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/evanw/esbuild/pkg/api"
)

const folder = ".."

// committed is dist as it is in the repository.
func committed(t *testing.T) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	dist := os.DirFS(filepath.Join(folder, "dist"))
	if err := fs.WalkDir(dist, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files[name], err = fs.ReadFile(dist, name)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return files
}

// TestSources holds dist to the sources that it was made of. It needs neither Node nor npm's packages.
func TestSources(t *testing.T) {
	sum, err := sourcesSum(folder)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(string(committed(t)[sumName])); got != sum {
		t.Errorf("dist was made of other sources, another lock or with another bundler (%s, now %s): make screen", got, sum)
	}
}

// TestSize bounds what a browser loads for each page, fonts left out.
func TestSize(t *testing.T) {
	for _, page := range pages {
		total := loads(committed(t), page)
		if total > maxPacked {
			t.Errorf("%s loads %d bytes under gzip, at most %d are allowed", page, total, maxPacked)
		}
		if total < 10_000 {
			t.Errorf("%s loads %d bytes: is that all of it?", page, total)
		}
	}
}

// TestSame: dist is what the sources give, byte for byte.
func TestSame(t *testing.T) {
	needPackages(t)
	built, err := build(folder)
	if err != nil {
		t.Fatal(err)
	}
	has := committed(t)
	delete(has, sumName)
	names, want := slices.Sorted(maps.Keys(has)), slices.Sorted(maps.Keys(built))
	if !slices.Equal(names, want) {
		t.Fatalf("dist holds %s; the sources give %s: make screen", names, want)
	}
	for name := range built {
		if !bytes.Equal(built[name], has[name]) {
			t.Errorf("%s is not what the sources give: make screen", name)
		}
	}
}

// TestBundlerRefuses: a source that does not bundle, or a page that names what is not there, is an error and no dist.
func TestBundlerRefuses(t *testing.T) {
	needPackages(t)
	modules, err := filepath.Abs(filepath.Join(folder, "node_modules"))
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"a script with a mistake":    {"cashier.tsx", "export const = 1;"},
		"a module that is not there": {"cashier.tsx", `import "./nowhere.ts";`},
		"a page that names nothing":  {"index.html", "{{other.js}}"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.CopyFS(filepath.Join(dir, "src"), os.DirFS(filepath.Join(folder, "src"))); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "src", change[0]), []byte(change[1]), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := build(dir); err == nil {
				t.Error("it was bundled")
			}
		})
	}
}

// TestTypes: every file is type-checked; a text that one language lacks is a type error.
func TestTypes(t *testing.T) {
	node := needNode(t)
	cmd := exec.CommandContext(t.Context(), node, filepath.Join("node_modules", "typescript", "bin", "tsc"), "--noEmit", "-p", ".")
	cmd.Dir = folder
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestModules runs the tests of the screens' modules (test/*.test.ts) in Node's own test runner.
func TestModules(t *testing.T) {
	node := needNode(t)
	tests, err := filepath.Glob(filepath.Join(folder, "test", "*.test.ts"))
	if err != nil || len(tests) == 0 {
		t.Fatalf("no tests: %v", err)
	}
	root, err := filepath.Abs(folder)
	if err != nil {
		t.Fatal(err)
	}
	o := options(root)
	o.EntryPoints, o.Outdir, o.EntryNames, o.Splitting = nil, t.TempDir(), "[name]", false
	for _, name := range tests {
		o.EntryPoints = append(o.EntryPoints, "test/"+filepath.Base(name))
	}
	o.Platform, o.Engines, o.OutExtension, o.Write = api.PlatformNode, nil, map[string]string{".js": ".mjs"}, true
	o.MinifyIdentifiers, o.MinifySyntax, o.MinifyWhitespace, o.Metafile = false, false, false, false
	result := api.Build(o)
	if err := failures(result.Errors, result.Warnings); err != nil {
		t.Fatal(err)
	}
	args := []string{"--test"}
	for _, f := range result.OutputFiles {
		args = append(args, f.Path)
	}
	cmd := exec.CommandContext(t.Context(), node, args...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if bytes.Contains(out, []byte("# tests 0\n")) {
		t.Errorf("no test ran:\n%s", out)
	}
}

// needPackages ends a test loudly where npm's packages are missing.
func needPackages(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(folder, "node_modules", "typescript")); err != nil {
		notChecked(t, "npm's packages are missing")
	}
}

func needNode(t *testing.T) string {
	t.Helper()
	needPackages(t)
	node, err := exec.LookPath("node")
	if err != nil {
		notChecked(t, "Node is missing")
	}
	return node
}

func notChecked(t *testing.T, why string) {
	t.Helper()
	fmt.Fprintf(os.Stderr, "NOT CHECKED: %s: %s. Run make deps-screen, then the test again.\n", t.Name(), why)
	t.Skip("NOT CHECKED: " + why + ": make deps-screen")
}
