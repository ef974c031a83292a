package store_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tillway/device/secure"
	"tillway/emv"
)

// files is a folder's files as they were.
type files struct {
	dir  string
	kept map[string][]byte
}

// snapshot keeps everything of a stopped journal: database, log, anchors. Keys are left: they are open.
func snapshot(t testing.TB, dir string) files {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, "journal.db*"))
	if err != nil || len(all) == 0 {
		t.Fatal(all, err)
	}
	kept := map[string][]byte{}
	for _, path := range all {
		if kept[path], err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
	return files{dir, kept}
}

func (f files) restore(t testing.TB) {
	t.Helper()
	now, err := filepath.Glob(filepath.Join(f.dir, "journal.db*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range now {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	for path, content := range f.kept {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o600)
}

// copy is a copy of the database and its log that can be read while the journal is open.
func (f *folder) copy() string {
	f.t.Helper()
	dir := f.t.TempDir()
	all, err := filepath.Glob(f.path() + "*")
	if err != nil {
		f.t.Fatal(err)
	}
	for _, path := range all {
		if strings.HasSuffix(path, "-shm") {
			continue
		}
		if err := copyFile(path, filepath.Join(dir, filepath.Base(path))); err != nil {
			f.t.Fatal(err)
		}
	}
	return filepath.Join(dir, "journal.db")
}

func tokens(keys *secure.File) func(context.Context, emv.PAN) ([]byte, error) {
	return func(ctx context.Context, pan emv.PAN) ([]byte, error) {
		return keys.Token(ctx, secure.PAN(pan.Clear()))
	}
}
