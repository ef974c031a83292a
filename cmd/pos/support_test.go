package main

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tillway/till/support"
)

// bundleOf reads a bundle's files.
func bundleOf(t *testing.T, path string) map[string]string {
	t.Helper()
	f, err := os.Open(filepath.Clean(path))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	zipped, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for in := tar.NewReader(zipped); ; {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		files[strings.TrimPrefix(header.Name, support.Folder+"/")] = string(text)
	}
}

// A terminal that does not start has a bundle too: its config without secrets, why it does not answer, and the machine.
func TestSupportBundleWithoutTheDaemon(t *testing.T) {
	folder := t.TempDir()
	config, path := filepath.Join(folder, "posd.toml"), filepath.Join(folder, "out.tar.gz")
	if err := os.WriteFile(config, []byte("# safe 4711\nprofile = \"kuwait\"\npasword = \"hunter2\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w := &wire{} // nobody serves it
	got := posRun(t, w, nil, "support-bundle", path, "--config", config)
	if got.code != 0 || !strings.Contains(got.out, "The daemon does not answer") {
		t.Fatalf("%d %s%s", got.code, got.out, got.errOut)
	}
	files := bundleOf(t, path)
	if text := files["terminal/posd.toml"]; !strings.Contains(text, `profile = "kuwait"`) || strings.Contains(text, "hunter2") || strings.Contains(text, "4711") {
		t.Errorf("config: %q", text)
	}
	for name, says := range map[string]string{"machine/daemon.txt": "nobody listens", "machine/kernel.txt": "Linux", support.ManifestName: "machine/disks.txt", "machine/readers.json": "found"} {
		if !strings.Contains(files[name], says) {
			t.Errorf("%s: %q", name, files[name])
		}
	}
	if got := posRun(t, w, nil, "support-bundle", path); got.code != 2 || !strings.Contains(got.errOut, "is there already") {
		t.Errorf("%d %s", got.code, got.errOut)
	}
	if got := posRun(t, w, nil, "support-bundle", filepath.Join(folder, "json.tar.gz"), "--config", filepath.Join(folder, "none"), "--json"); got.code != 0 || !strings.Contains(got.out, `"daemon":false`) {
		t.Errorf("%d %s%s", got.code, got.out, got.errOut)
	}
	if text := bundleOf(t, filepath.Join(folder, "json.tar.gz"))["terminal/posd.toml.missing"]; !strings.Contains(text, "no such file") {
		t.Errorf("a config that is not there: %q", text)
	}
}

// Who may not have a bundle has none, and no empty file either; a technician's has what the daemon knows. The log is theirs too.
func TestSupportTakesARole(t *testing.T) {
	c := newCounter(t)
	c.pos(posSecret+"\n", 0, "users", "init", "amal")
	c.pos("", 0, "logout")
	path := filepath.Join(t.TempDir(), "out.tar.gz")
	if got := c.pos("", 3, "support-bundle", path); !strings.Contains(got, "that is for: technician, administrator") {
		t.Errorf("%s", got)
	}
	c.pos("", 3, "log", "debug")
	if _, err := os.Stat(path); err == nil {
		t.Error("a file was left behind")
	}
	c.pos(posSecret+"\n", 0, "login", "amal")
	if got := c.pos("", 0, "support-bundle", path); strings.Contains(got, "does not answer") {
		t.Errorf("%s", got)
	}
	files := bundleOf(t, path)
	if !strings.Contains(files["terminal/audit.json"], "a support bundle was made") || !strings.Contains(files["terminal/status.json"], "TILL0001") {
		t.Errorf("%v", files)
	}
	for says, line := range map[string][]string{
		"--for and --area go with a level": {"log", "--area", "host"},
		"whole seconds, at most 24h":       {"log", "debug", "--for", "25h"},
		"accepts at most 1 arg":            {"log", "debug", "info"},
	} {
		if got := c.pos("", 2, line...); !strings.Contains(got, says) {
			t.Errorf("%v: %s", line, got)
		}
	}
}
