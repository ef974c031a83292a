package store_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tillway/store"
)

func (f *folder) check(t *testing.T, given uint64) string {
	t.Helper()
	before := snapshot(t, f.dir)
	path := filepath.Join(t.TempDir(), "copy.db")
	found, err := store.Check(t.Context(), store.SalvageConfig{Config: store.Config{Path: path, Sealer: f.keys}, From: f.path(), Given: given})
	if err != nil {
		t.Fatal(err)
	}
	if left, err := filepath.Glob(path + "*"); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	for p, content := range before.kept {
		if now, err := os.ReadFile(p); err != nil || string(now) != string(content) {
			t.Errorf("%s was changed (%v)", p, err)
		}
	}
	var words strings.Builder
	for _, fault := range found.Faults {
		if fault.Do == "" {
			t.Errorf("%s: and nothing says what to do", fault.What)
		}
		words.WriteString(fault.What + "\n")
	}
	return words.String()
}

// TestCheckFindsNothingInSoundJournal: closed, or as a power cut leaves it, which is sound.
func TestCheckFindsNothingInSoundJournal(t *testing.T) {
	for name, crash := range map[string]bool{"closed": false, "power cut": true} {
		t.Run(name, func(t *testing.T) {
			f := newFolder(t)
			b := busyShop(t, f, crash)
			if found := f.check(t, uint64(b.last)); found != "" {
				t.Error(found)
			}
		})
	}
}

// TestCheckNamesDamage: each kind of damage is named.
func TestCheckNamesDamage(t *testing.T) {
	f := newFolder(t)
	busyShop(t, f, false)
	whole := snapshot(t, f.dir)
	change := func(edit func([]byte) []byte) func() {
		return func() {
			text, err := os.ReadFile(f.path())
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(f.path(), edit(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range []struct {
		name, want string
		given      uint64
		damage     func()
	}{
		{"header", "the header", 90, change(func(b []byte) []byte { clear(b[:100]); return b })},
		{"empty", "less than a header", 90, change(func([]byte) []byte { return nil })},
		{"cut", "is cut: it has", 90, change(func(b []byte) []byte { return b[:len(b)-8192] })},
		{"a page of zeros", "", 90, change(func(b []byte) []byte { clear(b[len(b)/8192*4096:][:4096]); return b })},
		{"a row", "journal row 5: journal/5: changed, moved or damaged", 90, func() {
			db := raw(t, f.path())
			defer db.Close()
			if _, err := db.Exec("DROP TRIGGER journal_never_changed; UPDATE journal SET note = 'x' WHERE seq = 5"); err != nil {
				t.Fatal(err)
			}
		}},
		{"anchor", "the anchor file is gone", 90, func() {
			if err := os.Remove(f.path() + ".anchor"); err != nil {
				t.Fatal(err)
			}
		}},
		{"counter", "no number above 80", 80, func() {}},
		{"another terminal", "another terminal's", 90, func() { f = &folder{t, f.dir, newFolder(t).keys} }},
	} {
		whole.restore(t)
		c.damage()
		if found := f.check(t, c.given); found == "" || !strings.Contains(found, c.want) {
			t.Errorf("%s: found %q, want %q", c.name, found, c.want)
		}
	}
}
