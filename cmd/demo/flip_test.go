package main

import (
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"

	_ "github.com/mattn/go-sqlite3" // the journal, opened behind the daemon's back
)

// TestFlippedBits: in every table of the journal, one bit of one row is flipped while posd is off. Each time it starts, says
// that something is wrong and where, and sells; what it reads of the open batch it counts in its status.
func TestFlippedBits(t *testing.T) {
	t.Parallel()
	w := whole(t, io.Discard)
	for _, amount := range []string{"1.000", "2.051", "3.000"} { // .051: the bank declines
		if _, _, err := w.cashier(t.Context(), "sale", amount); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.settled(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ table, column, where string }{
		{"journal", "note", "seq = (SELECT max(seq) FROM journal WHERE note <> '' AND sale = 1)"},
		{"journal", "record", "seq = (SELECT max(seq) FROM journal WHERE record <> '' AND sale = 1)"},
		{"sale", "token", "id = 2"},
		{"owed", "stan", "id = 1"},
		{"card", "sealed", "purpose = 'card' AND id = 3"},
		{"proof", "tag", "of = 'journal/2'"},
		{"batch", "opened", "number = 1"},
		{"audit", "note", "seq = (SELECT min(seq) FROM audit WHERE note <> '')"},
		{"audit", "hash", "seq = 1"},
	} {
		w.stopTerminal(t)
		known := w.findings(t)
		w.flip(t, c.table, c.column, c.where)
		if found := w.findings(t); len(found) <= len(known) {
			t.Errorf("%s.%s: found %q, and before it %q", c.table, c.column, found, known)
		}
		if err := w.startTerminal(t.Context()); err != nil {
			t.Fatalf("%s.%s: %v", c.table, c.column, err)
		}
		w.sale(t, 0, "1.000")
	}
	// what the daemon reads at every start: a sale of the open batch
	w.stopTerminal(t)
	w.flip(t, "journal", "record", "seq = (SELECT max(seq) FROM journal WHERE record <> '' AND sale = (SELECT max(sale) FROM journal))")
	if err := w.startTerminal(t.Context()); err != nil {
		t.Fatal(err)
	}
	s, err := w.status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if s.Quarantined == 0 {
		t.Error("status knows of no row in quarantine")
	}
}

// findings are the lines of posd audit verify, which needs no daemon and no log-in but the state folder in its hand.
func (w *world) findings(t *testing.T) (lines []string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), w.binary("posd"), "audit", "verify", "--config", w.config).CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || exit.ExitCode() != 1) {
		t.Fatalf("posd audit verify: %v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, " row ") || strings.Contains(line, ": ") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

// stopTerminal ends posd in its own way.
func (w *world) stopTerminal(t *testing.T) {
	t.Helper()
	p, err := w.take("posd")
	if err != nil {
		t.Fatal(err)
	}
	p.end()
}

// flip turns over the lowest bit in the middle of one column of one row, as somebody with the file in hand can: the triggers
// that forbid it are taken away and put back.
func (w *world) flip(t *testing.T, table, column, where string) {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+w.path("state/journal.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	drop, create := triggers(t, tx, table)
	var value any
	if err := tx.QueryRowContext(t.Context(), fmt.Sprintf("SELECT %s FROM %s WHERE %s", column, table, where)).Scan(&value); err != nil {
		t.Fatalf("%s.%s where %s: %v", table, column, where, err)
	}
	switch v := value.(type) {
	case string:
		b := []byte(v)
		b[len(b)/2] ^= 1
		value = string(b)
	case []byte:
		v[len(v)/2] ^= 1
	case int64:
		value = v ^ 1
	default:
		t.Fatalf("%s.%s is a %T", table, column, value)
	}
	for _, statement := range drop {
		if _, err := tx.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	if _, err := tx.ExecContext(t.Context(), fmt.Sprintf("UPDATE %s SET %s = ? WHERE %s", table, column, where), value); err != nil {
		t.Fatal(err)
	}
	for _, statement := range create {
		if _, err := tx.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
}

// triggers are the statements that take a table's triggers away and bring them back.
func triggers(t *testing.T, tx *sql.Tx, table string) (drop, create []string) {
	t.Helper()
	rows, err := tx.QueryContext(t.Context(), "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?", table)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var name, text string
		if err := rows.Scan(&name, &text); err != nil {
			t.Fatal(err)
		}
		drop, create = append(drop, "DROP TRIGGER "+name), append(create, text)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return drop, create
}
