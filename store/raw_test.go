package store_test

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	_ "github.com/mattn/go-sqlite3"
)

// raw opens a journal that nobody has open, past the store.
func raw(t testing.TB, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+path+"?mode=rw")
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	return db
}

// query runs a query and returns all values of all rows with blanks between.
func query(t testing.TB, path, q string) string {
	t.Helper()
	db := raw(t, path)
	defer db.Close()
	return ask(t, db, q)
}

func ask(t testing.TB, db *sql.DB, q string) string {
	t.Helper()
	rows, err := db.Query(q)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	for rows.Next() {
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new(any)
		}
		if err := rows.Scan(values...); err != nil {
			t.Fatal(err)
		}
		for _, v := range values {
			words = append(words, fmt.Sprint(*v.(*any))) //nolint:errcheck // made a line above
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(words, " ")
}

func TestJournalRefusesChange(t *testing.T) {
	f := newFolder(t)
	s := f.open()
	newTeller(t, s, 1).do(undone...)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	const all = "SELECT seq, event, becomes, record FROM journal ORDER BY seq"
	before := query(t, f.path(), all)
	for _, change := range []string{
		"UPDATE journal SET note = 'changed' WHERE seq = 1",
		"DELETE FROM journal WHERE seq = 5",
		"DELETE FROM journal",
		"INSERT OR REPLACE INTO journal SELECT * FROM journal WHERE seq = 2",
		"INSERT INTO journal SELECT 7, time, kind, acquirer, sale, debt, was, event, becomes, duties, note, record FROM journal WHERE seq = 1",
		"INSERT INTO journal SELECT 0, time, kind, acquirer, sale, debt, was, event, becomes, duties, note, record FROM journal WHERE seq = 1",
		"DELETE FROM sale",
		"DELETE FROM owed",
	} {
		db := raw(t, f.path())
		if _, err := db.Exec(change); err == nil || !strings.Contains(err.Error(), "never") && !strings.Contains(err.Error(), "follow") {
			t.Errorf("%s: %v, want a trigger's refusal", change, err)
		}
		db.Close()
	}
	if after := query(t, f.path(), all); after != before {
		t.Error("the journal is not what it was")
	}
	// The control: the row that follows is taken.
	db := raw(t, f.path())
	defer db.Close()
	if _, err := db.Exec("INSERT INTO journal SELECT 6, time, kind, acquirer, sale, debt, was, event, becomes, duties, note, record FROM journal WHERE seq = 1"); err != nil {
		t.Errorf("the next row: %v", err)
	}
}
