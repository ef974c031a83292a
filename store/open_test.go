package store_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tillway/device/secure"
	"tillway/store"
	"tillway/terminal"
)

// Everything that keeps a journal from opening is told apart, in one line, which says what to do.
func TestOpenSaysWhatIsWrong(t *testing.T) {
	change := func(statement string) func(*testing.T, *folder) string {
		return func(t *testing.T, f *folder) string {
			db := raw(t, f.path())
			defer db.Close()
			if _, err := db.Exec(statement); err != nil {
				t.Fatal(err)
			}
			return f.path()
		}
	}
	overwrite := func(at int64, with []byte) func(*testing.T, *folder) string {
		return func(t *testing.T, f *folder) string {
			file, err := os.OpenFile(f.path(), os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			if _, err := file.WriteAt(with, at); err != nil {
				t.Fatal(err)
			}
			return f.path()
		}
	}
	for name, c := range map[string]struct {
		spoil func(*testing.T, *folder) string // returns the path to open
		want  error
		says  string
	}{
		"no folder":        {func(_ *testing.T, f *folder) string { return filepath.Join(f.dir, "none", "journal.db") }, os.ErrNotExist, "make it"},
		"a folder":         {func(_ *testing.T, f *folder) string { return f.dir }, store.ErrReadOnly, "write permission"},
		"text":             {overwrite(0, []byte(strings.Repeat("this is a shopping list\n", 10))), store.ErrForeign, "another path"},
		"another database": {change("PRAGMA application_id = 7"), store.ErrForeign, "another path"},
		"newer schema":     {change("PRAGMA user_version = 99"), store.ErrNewer, "newer program"},
		"damaged schema":   {overwrite(100, make([]byte, 900)), store.ErrDamaged, "backup"},
		"cut short": {func(t *testing.T, f *folder) string {
			if err := os.Truncate(f.path(), 5000); err != nil {
				t.Fatal(err)
			}
			return f.path()
		}, store.ErrDamaged, "backup"},
		"open already": {func(t *testing.T, f *folder) string {
			f.open()
			return f.path()
		}, store.ErrInUse, "stop the other"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFolder(t)
			s := f.open()
			newTeller(t, s, 1).do(approved...)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			path := c.spoil(t, f)
			s, err := store.Open(t.Context(), store.Config{Path: path, Sealer: f.keys})
			if err == nil {
				_ = s.Abort()
				t.Fatal("opened")
			}
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %q, want %q and %q in it", err, c.want, c.says)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one line: %q", err)
			}
		})
	}
}

func TestJournalIsTheUsersAlone(t *testing.T) {
	f := newFolder(t)
	s := f.open()
	newTeller(t, s, 1).do(approved...)
	for _, suffix := range []string{"", "-wal"} {
		info, err := os.Stat(f.path() + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("journal.db%s has mode %o, want 600", suffix, info.Mode().Perm())
		}
	}
}

// A name that means something in a URI is still a name.
func TestOddPath(t *testing.T) {
	f := newFolder(t)
	path := filepath.Join(f.dir, "a?b#c%41 d.db")
	s, err := store.Open(t.Context(), store.Config{Path: path, Sealer: f.keys})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
	if files, _ := filepath.Glob(filepath.Join(f.dir, "*.db")); len(files) != 1 {
		t.Errorf("databases %v, want one", files)
	}
}

func TestSealerFailing(t *testing.T) {
	f := newFolder(t)
	if _, err := store.Open(t.Context(), store.Config{Path: f.path()}); err == nil {
		t.Error("opened without a secure module")
	}
	s := f.open()
	k := newTeller(t, s, 1)
	if err := f.keys.DestroyKey(t.Context(), "batch/nac/000001"); err != nil {
		t.Fatal(err)
	}
	e, _ := k.entry(terminal.Start)
	if err := s.Append(t.Context(), false, e); err != nil {
		t.Fatal(err)
	}
	e, _ = k.entry(terminal.Presented)
	e.Secret = secret(t)
	if err := s.Append(t.Context(), true, e); !errors.Is(err, secure.ErrNoKey) || !errors.Is(err, store.ErrFailed) {
		t.Errorf("append under a destroyed key: %v, want ErrNoKey and ErrFailed", err)
	}
}

// Lane and acquirer's owner over one journal for a day, in a bubble with fake time: the store takes part in both.
func TestADayInABubble(t *testing.T) {
	f := newFolder(t)
	synctest.Test(t, func(t *testing.T) {
		s, err := store.Open(t.Context(), store.Config{Path: f.path(), Sealer: f.keys})
		if err != nil {
			t.Fatal(err)
		}
		started := time.Now()
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan int)
		go func() { // the acquirer's owner
			sent := 0
			for ctx.Err() == nil {
				for _, d := range due(t, s) {
					if d.NotBefore.After(time.Now()) {
						continue
					}
					move(t, s, &d, terminal.DebtTurn)
					d.NotBefore = time.Now().Add(time.Minute)
					move(t, s, &d, terminal.DebtNoAnswer)
					sent++
				}
				select {
				case <-time.After(10*time.Minute + 1):
				case <-ctx.Done():
				}
			}
			done <- sent
		}()
		for id := terminal.SaleID(1); id <= 12; id++ {
			k := newTeller(t, s, id)
			for _, event := range undone {
				k.do(event)
				time.Sleep(3 * time.Second)
			}
			time.Sleep(2 * time.Hour)
		}
		stop()
		sent := <-done
		if sent < 100 {
			t.Errorf("%d sendings in a day, want hundreds", sent)
		}
		if time.Since(started) < 24*time.Hour {
			t.Error("the day was shorter than a day")
		}
		var turns int
		rows := journal(t, s)
		for i, r := range rows {
			if r.Seq != int64(i+1) {
				t.Fatalf("row %d has number %d", i+1, r.Seq)
			}
			if r.Kind == terminal.DebtEntry && r.Event == string(terminal.DebtTurn) {
				turns++
			}
		}
		if turns != sent {
			t.Errorf("%d turns in the journal, %d were made", turns, sent)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		checkProjections(t, f.path(), rows)
	})
}

// MakeFolder makes what is missing for this user alone, takes what is there, and refuses a file in the way.
func TestMakeFolder(t *testing.T) {
	dir := t.TempDir()
	deep := filepath.Join(dir, "a", "b", "c")
	for range 2 {
		if err := store.MakeFolder(deep + "/"); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"a", "a/b", "a/b/c"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode() != fs.ModeDir|0o700 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	file := filepath.Join(deep, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, filepath.Join(file, "below")} {
		if err := store.MakeFolder(path); err == nil {
			t.Errorf("%s: made in place of a file", path)
		}
	}
}
