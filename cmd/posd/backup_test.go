package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"tillway/store"
	"tillway/store/backup"
)

// A terminal whose keyd is a service has its backup too, without the keys, which are keyd's own; where posd starts keyd, a backup without
// keys is none.
func TestBackupWhereKeysAreApart(t *testing.T) {
	s := ownConfig(t, "")
	c, err := s.load(nil)
	if err != nil {
		t.Fatal(err)
	}
	k := keeperOf(t, s, c)
	defer k.close(t)
	if err := os.Rename(filepath.Join(c.State, "keyd", "keys"), filepath.Join(t.TempDir(), "keys")); err != nil {
		t.Fatal(err)
	}
	if _, err := newBackups(k.disk, false, "bank", "TILL0001", "KW0000000000001").make(t.Context()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a backup without the keys that should be there: %v", err)
	}
	b, err := newBackups(k.disk, true, "bank", "TILL0001", "KW0000000000001").make(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	_, err = b.WriteTo(&file)
	if err := errors.Join(err, b.Close()); err != nil {
		t.Fatal(err)
	}
	m, err := backup.Read(&file, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range m.Files {
		if f.Name == backup.Keys {
			t.Error("it has keys")
		}
	}
}

// A restore that was interrupted once its counters were made still spares the numbers that may have been given since the backup.
func TestRestoreSparesNumbersAgain(t *testing.T) {
	dir := t.TempDir()
	m := backup.Manifest{Sales: 500, Traces: 900}
	for _, name := range []string{"sale.counter", "stan.counter"} {
		counter, err := store.CreateCounter(filepath.Join(dir, name), leaseBlock)
		if err != nil {
			t.Fatal(err)
		}
		if err := counter.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, again := range []bool{false, true} {
		if err := raiseNumbers(t.Context(), dir, m, 10_000, again); err != nil {
			t.Fatal(err)
		}
		for name, least := range map[string]uint64{"sale.counter": 500, "stan.counter": 900} {
			if again {
				least += 10_000
			}
			got, err := store.Leased(filepath.Join(dir, name))
			if err != nil || got < least || !again && got > least+2*leaseBlock {
				t.Errorf("%s, again %v: %d, want %d at least: %v", name, again, got, least, err)
			}
		}
	}
}
