package flushcount_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	_ "github.com/mattn/go-sqlite3"

	"tillway/store/flushcount"
)

// One SQLite, told to flush and told not to: a count that did not reach SQLite could not tell them apart.
func TestCountsWhatSQLiteFlushes(t *testing.T) {
	for _, c := range []struct {
		synchronous string
		want        int64
	}{
		{"OFF", 0},
		{"NORMAL", 0}, // with a write-ahead log, only checkpoints flush
		{"FULL", 5},
	} {
		t.Run(c.synchronous, func(t *testing.T) {
			db, err := sql.Open("sqlite3", "file:"+filepath.Join(t.TempDir(), "db")+"?_journal_mode=WAL&_synchronous="+c.synchronous)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			db.SetMaxOpenConns(1)
			for _, query := range []string{"CREATE TABLE t (x INTEGER)", "INSERT INTO t VALUES (1)"} {
				if _, err := db.ExecContext(t.Context(), query); err != nil {
					t.Fatal(err)
				}
			}
			before := flushcount.Read()
			for range 5 {
				if _, err := db.ExecContext(t.Context(), "INSERT INTO t VALUES (2)"); err != nil {
					t.Fatal(err)
				}
			}
			if got := flushcount.Read() - before; got != c.want {
				t.Errorf("5 commits with synchronous=%s: %d flushes counted, want %d", c.synchronous, got, c.want)
			}
		})
	}
}

// Go's own flushes go past the C library: what is counted is SQLite's alone.
func TestLeavesGoOut(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	before := flushcount.Read()
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	if got := flushcount.Read() - before; got != 0 {
		t.Errorf("os.File.Sync counted %d times, want 0", got)
	}
}
