package store

import (
	"database/sql"
	"errors"
	"io/fs"
	"path/filepath"
	"testing"
)

// TestOwes: what is owed is seen without keys, and a journal that cannot be read is never one that owes nothing.
func TestOwes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	if _, err := Owes(t.Context(), path); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("no journal: %v", err)
	}
	db, err := sql.Open("sqlite3", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	do := func(statement string) {
		t.Helper()
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	do("CREATE TABLE other (x)")
	if _, err := Owes(t.Context(), path); !errors.Is(err, ErrForeign) {
		t.Fatalf("another program's database: %v", err)
	}
	do("DROP TABLE other")
	if err := migrate(t.Context(), db, path); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		does string
		want Owing
		says string
	}{
		{"SELECT 1", Owing{}, "nothing is owed"},
		{"INSERT INTO batch (acquirer, number, state, opened) VALUES ('a', 1, 'Open', '')", Owing{}, "nothing is owed"},
		{"INSERT INTO sale (id, acquirer, batch, state, final, seq) VALUES (1, 'a', 1, 'Declined', 1, 1)", Owing{}, "nothing is owed"},
		{"INSERT INTO sale (id, acquirer, batch, state, final, seq) VALUES (2, 'a', 1, 'Approved', 1, 2)", Owing{Payments: 1}, "1 approved payments are not settled"},
		{"UPDATE batch SET state = 'Disputed'", Owing{Payments: 1}, "1 approved payments are not settled"},
		{"UPDATE batch SET state = 'Closed', final = 1", Owing{}, "nothing is owed"},
		{"INSERT INTO owed VALUES (1, 2, 'a', 'Advice', 1, 'Parked', 0, 1, 0, 0, '')", Owing{Debts: 1}, "1 messages wait for the bank or are parked"},
		{"UPDATE owed SET final = 1", Owing{Debts: 1}, "1 messages wait for the bank or are parked"},
		{"UPDATE owed SET state = 'WrittenOff'", Owing{}, "nothing is owed"},
		{"INSERT INTO sale (id, acquirer, batch, state, final, seq) VALUES (3, 'a', 1, 'Sending', 0, 3)", Owing{Sales: 1}, "1 sales did not end"},
		{"UPDATE sale SET state = 'Approved', final = 1, batch = 2 WHERE id = 3", Owing{Payments: 1}, "1 approved payments are not settled"},
	} {
		do(step.does)
		got, err := Owes(t.Context(), path)
		if err != nil || got != step.want || got.String() != step.says {
			t.Errorf("after %s: %+v (%s), %v; want %+v", step.does, got, got, err, step.want)
		}
	}
	do("PRAGMA user_version = 99")
	if _, err := Owes(t.Context(), path); !errors.Is(err, ErrNewer) {
		t.Errorf("a newer journal: %v", err)
	}
}
