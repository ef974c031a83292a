package main

import (
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestCheckAsRoot: posd check by root goes on as whom the state folder belongs to, so that no file of root's keeps posd from starting. It
// takes root.
func TestCheckAsRoot(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Log("NOT CHECKED: what posd check does as root")
		return
	}
	const nobody = 65534
	w := whole(t, io.Discard)
	w.stopTerminal(t)
	for _, dir := range []string{w.folder, filepath.Dir(w.folder)} {
		if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // another user has to get through
			t.Fatal(err)
		}
	}
	walk := func(do func(path string) error) {
		t.Helper()
		err := filepath.WalkDir(w.folder, func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.Type()&(fs.ModeSymlink|fs.ModeSocket) != 0 {
				return err
			}
			return do(path)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	walk(func(path string) error { return os.Chown(path, nobody, nobody) })
	out, err := exec.CommandContext(t.Context(), w.binary("posd"), "check", "--config", w.config).CombinedOutput()
	if !strings.Contains(string(out), "rows authenticate") || err != nil && !strings.Contains(string(out), "reader_permission") { // a pseudo-terminal is whose program it is
		t.Fatalf("%v: %s", err, out)
	}
	walk(func(path string) error {
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		if owner, ok := info.Sys().(*syscall.Stat_t); !ok || owner.Uid != nobody && filepath.Dir(path) != w.folder {
			t.Errorf("%s is root's now", path)
		}
		return nil
	})
}
