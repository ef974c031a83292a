package store

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	sqlite3 "github.com/mattn/go-sqlite3"

	"tillway/device/secure"
	"tillway/terminal"
)

func openHere(t *testing.T, path string) *Store {
	t.Helper()
	keys, err := secure.CreateFile(path + ".keys")
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), Config{Path: path, Sealer: keys})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Abort() })
	return s
}

// The disk fills up, or turns read-only, while the daemon runs: the commit fails as a whole, says what to do, and the
// journal takes no more; after a restart everything acknowledged is there.
func TestCommitThatCannotBe(t *testing.T) {
	for name, c := range map[string]struct {
		pragma string
		want   error
		says   string
	}{
		"full":      {"PRAGMA max_page_count = 1", ErrDiskFull, "free space"},
		"read only": {"PRAGMA query_only = on", ErrReadOnly, "write permission"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "journal.db")
			s := openHere(t, path)
			long := terminal.Entry{Kind: terminal.StrayEntry, Note: strings.Repeat("n", 1000)}
			acknowledged := 0
			var failure error
			for i := 0; failure == nil && i < 1000; i++ {
				if i == 20 {
					if _, err := s.db.ExecContext(t.Context(), c.pragma); err != nil {
						t.Fatal(err)
					}
				}
				if failure = s.Append(t.Context(), true, long, long); failure == nil {
					acknowledged += 2
				}
			}
			if !errors.Is(failure, c.want) || !errors.Is(failure, ErrFailed) || !strings.Contains(failure.Error(), c.says) {
				t.Fatalf("error %v, want %v and %q in it", failure, c.want, c.says)
			}
			if err := s.Append(t.Context(), false, long); !errors.Is(err, ErrFailed) {
				t.Errorf("the next append: %v, want ErrFailed", err)
			}
			if _, err := s.Counts(t.Context()); !errors.Is(err, ErrFailed) {
				t.Errorf("counts: %v, want ErrFailed", err)
			}
			if err := s.Checkpoint(t.Context()); !errors.Is(err, ErrFailed) {
				t.Errorf("checkpoint: %v, want ErrFailed", err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			rows, err := openHere(t, path).Rows(t.Context(), 0, 1000)
			if err != nil || len(rows) != acknowledged || acknowledged < 40 {
				t.Errorf("%d rows after the restart (%v), acknowledged were %d", len(rows), err, acknowledged)
			}
		})
	}
}

// Every setting is asked for after it was made: with any other answer the journal does not open.
func TestSettingsAreInForce(t *testing.T) {
	s := openHere(t, filepath.Join(t.TempDir(), "journal.db"))
	for _, set := range settings {
		name, _, _ := strings.Cut(set.pragma, "=")
		var got string
		if err := s.db.QueryRowContext(t.Context(), "PRAGMA "+name).Scan(&got); err != nil || got != set.want {
			t.Errorf("%s is %q (%v), want %q", name, got, err, set.want)
		}
	}
	// A database in memory cannot have a write-ahead log: refused, with the setting's name.
	c := connector{"file::memory:", &sqlite3.SQLiteDriver{ConnectHook: apply}}
	if conn, err := c.Connect(t.Context()); err == nil || !strings.Contains(err.Error(), "journal_mode") {
		t.Errorf("a database in memory: %v, want a refusal that names journal_mode", err)
		if err == nil {
			conn.Close()
		}
	}
}
