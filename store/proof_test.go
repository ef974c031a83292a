package store_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"tillway/device/secure"
	"tillway/store"
	"tillway/terminal"
	"tillway/terminal/people"
)

// spoil changes a stopped journal past the store, without its triggers.
func spoil(t testing.TB, path string, change string, args ...any) {
	t.Helper()
	db := raw(t, path)
	defer db.Close()
	triggers := strings.Fields(ask(t, db, "SELECT name FROM sqlite_schema WHERE type = 'trigger'"))
	var saved []string
	for _, name := range triggers {
		var text string
		if err := db.QueryRow("SELECT sql FROM sqlite_schema WHERE name = ?", name).Scan(&text); err != nil {
			t.Fatal(err)
		}
		saved = append(saved, text)
		if _, err := db.Exec("DROP TRIGGER " + name); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.Exec(change, args...); err != nil {
		t.Fatalf("%s: %v", change, err)
	}
	for _, text := range saved {
		if _, err := db.Exec(text); err != nil {
			t.Fatal(err)
		}
	}
}

func verify(t testing.TB, s *store.Store) []string {
	t.Helper()
	r, err := s.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if r.Rows == 0 {
		t.Error("nothing was looked at")
	}
	var found []string
	for _, f := range r.Findings {
		found = append(found, f.Table+" "+f.Row)
	}
	return found
}

// lived is a folder with four sales (approved, refused, reversed and a debt owed, one unfinished), people and an audit log.
func lived(t testing.TB) *folder {
	t.Helper()
	f := newFolder(t)
	s := f.open()
	newTeller(t, s, 1).do(approved...)
	newTeller(t, s, 2).do(refused...)
	newTeller(t, s, 3).do(undone...)
	newTeller(t, s, 4).do(terminal.Start, terminal.Presented, terminal.GoOnline)
	putPerson(t, s, "amal", people.Administrator)
	putPerson(t, s, "badr", people.Cashier)
	putECR(t, s, "till-3")
	if err := s.Audit(t.Context(), people.Entry{Actor: "amal", Event: people.EventKeys, Result: people.Done, Note: "a key block was imported"}); err != nil {
		t.Fatal(err)
	}
	if found := verify(t, s); len(found) != 0 {
		t.Fatalf("a sound journal: %v", found)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return f
}

func putPerson(t testing.TB, s *store.Store, name string, role people.Role) {
	t.Helper()
	h, err := people.NewHash(people.NewSecret([]byte("blue.kettle9")), [16]byte{1}, people.LeastCost())
	if err != nil {
		t.Fatal(err)
	}
	p := people.Person{V: people.RecordVersion, Name: name, Role: role, Hash: h, Changed: time.Now()}
	e := people.Entry{Actor: people.Nobody, Event: people.EventAdd, Person: name, Result: people.Done}
	if err := s.PutPerson(t.Context(), p, e); err != nil {
		t.Fatal(err)
	}
}

// Every column of every row of every table, changed by one bit: Verify names the row, the store opens, and the rest goes on.
func TestAnyBitInAnyRowIsFound(t *testing.T) {
	for _, table := range []struct {
		name, key string // key is how findings name a row
		columns   string
	}{
		{"journal", "seq", "time kind acquirer sale debt was event becomes duties note record"},
		{"sale", "id", "acquirer batch state final key seq"},
		{"owed", "id", "sale acquirer kind stan state final attempts not_before created reason"},
		{"batch", "acquirer || '/' || number", "state opened"},
		{"person", "name", "record seq"},
		{"ecr", "name", "record seq"},
		{"audit", "seq", "time actor event person result note previous hash"},
		{"card", "purpose || '/' || id", "key sealed"},
		{"proof", "of", "tag"},
	} {
		t.Run(table.name, func(t *testing.T) {
			f := lived(t)
			keys := strings.Fields(query(t, f.path(), "SELECT "+table.key+" FROM "+table.name+" ORDER BY 1"))
			if len(keys) == 0 {
				t.Fatal("the table is empty: nothing is proved")
			}
			for column := range strings.FieldsSeq(table.columns) {
				for _, key := range []string{keys[0], keys[len(keys)/2], keys[len(keys)-1]} {
					where := " WHERE CAST(" + table.key + " AS TEXT) = '" + key + "'"
					flipped, restore := flipCell(t, f, table.name, column, where)
					if !flipped {
						continue // an empty text has no bit
					}
					want := table.name + " " + key
					if table.name == "proof" {
						want = strings.Replace(key, "/", " ", 1)
					}
					s := f.open()
					found := verify(t, s)
					if !contains(found, want) {
						t.Errorf("%s of %s %s: found %q", column, table.name, key, found)
					}
					if s.Quarantined() == 0 && table.name != "batch" && (table.name != "proof" || key != "audit") {
						t.Errorf("%s of %s %s: nothing is in quarantine", column, table.name, key)
					}
					goesOn(t, s)
					if err := s.Abort(); err != nil {
						t.Fatal(err)
					}
					restore()
				}
			}
		})
	}
}

func contains(found []string, want string) bool {
	for _, f := range found {
		if f == want || strings.TrimSpace(want) == "audit" && strings.HasPrefix(f, "audit ") {
			return true
		}
	}
	return false
}

// goesOn asks the store all that a start and a sale ask; nothing of it may fail.
func goesOn(t testing.TB, s *store.Store) {
	t.Helper()
	ctx := t.Context()
	if _, err := s.Unfinished(ctx); err != nil {
		t.Error(err)
	}
	if _, err := s.Due(ctx, acquirer); err != nil {
		t.Error(err)
	}
	if _, err := s.Last(ctx, 10); err != nil {
		t.Error(err)
	}
	if _, err := s.Rows(ctx, 0, 100); err != nil {
		t.Error(err)
	}
	if _, err := s.Highest(ctx); err != nil {
		t.Error(err)
	}
	if _, err := s.People(ctx); err != nil {
		t.Error(err)
	}
	newTeller(t, s, 100).do(approved...)
	if sale, err := s.Sale(ctx, 100); err != nil || sale.State != terminal.Approved {
		t.Errorf("a sale after it: %s, %v", sale.State, err)
	}
}

// flipCell changes the lowest bit of the first byte of a cell that has one, and gives back what puts the whole database
// back as it was.
func flipCell(t testing.TB, f *folder, table, column, where string) (done bool, restore func()) {
	t.Helper()
	before := snapshot(t, f.dir)
	db := raw(t, f.path())
	var value any
	err := db.QueryRow("SELECT " + column + " FROM " + table + where).Scan(&value)
	db.Close()
	if errors.Is(err, sql.ErrNoRows) {
		t.Fatalf("no row%s", where)
	}
	if err != nil {
		t.Fatal(err)
	}
	switch v := value.(type) {
	case int64:
		value = v ^ 1
	case string:
		if v == "" {
			return false, nil
		}
		value = string(v[0]^1) + v[1:]
	case []byte:
		value = append([]byte{v[0] ^ 1}, v[1:]...)
	case nil:
		value = "x"
	}
	spoil(t, f.path(), "UPDATE "+table+" SET "+column+" = ?"+where, value)
	return true, func() { before.restore(t) }
}

// A flipped state hides neither an unfinished sale nor a debt: they are missed, and said to be.
func TestNoFlagHidesWhatFollows(t *testing.T) {
	for name, change := range map[string]string{
		"final":           "UPDATE owed SET final = 1 WHERE final = 0",
		"state":           "UPDATE owed SET state = 'Acknowledged' WHERE final = 0",
		"acquirer":        "UPDATE owed SET acquirer = 'other' WHERE final = 0",
		"another sale":    "UPDATE owed SET sale = 99 WHERE final = 0",
		"sale unfinished": "UPDATE sale SET final = 1 WHERE id = 4",
		"sale's state":    "UPDATE sale SET state = 'Approved' WHERE id = 4",
		"sale's row":      "UPDATE sale SET seq = 999 WHERE id = 4",
		"an older row":    "UPDATE sale SET seq = (SELECT min(seq) FROM journal WHERE sale = 4), state = 'AwaitCard' WHERE id = 4",
	} {
		t.Run(name, func(t *testing.T) {
			f := lived(t)
			spoil(t, f.path(), change)
			s := f.open()
			unfinished, err := s.Unfinished(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Due(t.Context(), acquirer); err != nil {
				t.Fatal(err)
			}
			if s.Quarantined() == 0 {
				t.Errorf("nothing in quarantine after recovery's reads; unfinished %d", len(unfinished))
			}
			counts, err := s.Counts(t.Context())
			if err != nil || counts.Quarantined != s.Quarantined() {
				t.Errorf("counts say %d in quarantine, the store %d (%v)", counts.Quarantined, s.Quarantined(), err)
			}
		})
	}
}

// A reversal is sent also when the record of its sale is what was damaged: only a sale that runs keeps its debt waiting.
func TestDebtOfAQuarantinedSaleIsDue(t *testing.T) {
	f := lived(t)
	spoil(t, f.path(), "UPDATE sale SET final = 0, state = 'Sending' WHERE id = 3")
	s := f.open()
	if _, err := s.Unfinished(t.Context()); err != nil {
		t.Fatal(err)
	}
	var sales []string
	for _, d := range due(t, s) {
		sales = append(sales, d.Sale.String())
	}
	if strings.Join(sales, " ") != "3" {
		t.Errorf("due: %v, want sale 3's", sales)
	}
	if sale, err := s.Sale(t.Context(), 3); !errors.Is(err, terminal.ErrQuarantined) {
		t.Errorf("sale 3: %+v, %v", sale.State, err)
	}
	if _, err := s.Sale(t.Context(), 1); err != nil {
		t.Errorf("sale 1: %v", err)
	}
}

// A damaged open batch is set aside, and the next sale is in a batch with a number that was never used.
func TestDamagedBatchIsSetAside(t *testing.T) {
	for name, change := range map[string]string{
		"opened":   "UPDATE batch SET opened = 'x'",
		"number":   "UPDATE batch SET number = 5",
		"state":    "UPDATE batch SET state = 'closed'",
		"acquirer": "UPDATE batch SET acquirer = 'nad'",
		"deleted":  "DELETE FROM batch",
	} {
		t.Run(name, func(t *testing.T) {
			f := lived(t)
			spoil(t, f.path(), change)
			s := f.open()
			n, err := s.Batch(t.Context(), acquirer)
			if err != nil || n < 2 {
				t.Fatalf("batch %d, %v: that number was used", n, err)
			}
			newTeller(t, s, 100).do(approved...)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			again := f.open()
			if m, err := again.Batch(t.Context(), acquirer); err != nil || m != n {
				t.Errorf("after a restart: batch %d, %v, want %d", m, err, n)
			}
		})
	}
}

// Rows of a journal from before tags are tagged once. After that, a row without its tag is in quarantine, and taking all
// tags away does not bring the first time back.
func TestRowsAreTaggedOnce(t *testing.T) {
	f := lived(t)
	spoil(t, f.path(), "DELETE FROM proof")
	s := f.open()
	if found := verify(t, s); len(found) < 10 {
		t.Errorf("only %v after all tags were taken away", found)
	}
	if last, err := s.Last(t.Context(), 10); err != nil || len(last) != 0 {
		t.Errorf("%d sales are shown without a tag (%v)", len(last), err)
	}
	goesOn(t, s)
}

// A journal of schema 1, as the release before wrote it, opens with everything in it.
func TestUpgradeFromSchema1(t *testing.T) {
	f := lived(t)
	if err := os.Remove(f.path() + ".anchor"); err != nil {
		t.Fatal(err)
	}
	for _, undo := range []string{
		"DROP TABLE proof", "DROP TABLE audit", "DROP TABLE person", "DROP TABLE ecr", "DROP INDEX sale_token", "ALTER TABLE sale DROP COLUMN token",
		"DROP INDEX sale_about", "ALTER TABLE sale DROP COLUMN kind", "ALTER TABLE sale DROP COLUMN minor", "ALTER TABLE sale DROP COLUMN about",
		"DROP INDEX journal_transition", "DROP INDEX sale_unfinished", "DROP INDEX owed_open",
		"CREATE INDEX sale_unfinished ON sale (id) WHERE final = 0", "CREATE INDEX owed_open ON owed (id) WHERE final = 0",
		"DROP INDEX batch_open", "DROP INDEX batch_unsettled", "DROP INDEX batch_keyed", "DROP INDEX sale_batch", "DROP INDEX card_key", "DROP TRIGGER batch_never_deleted",
		"UPDATE batch SET state = 'open'", "ALTER TABLE batch DROP COLUMN record", "ALTER TABLE batch DROP COLUMN final", "ALTER TABLE batch DROP COLUMN keyed",
		"CREATE UNIQUE INDEX batch_open ON batch (acquirer) WHERE state = 'open'",
		"DELETE FROM goose_db_version WHERE version_id >= 2", "PRAGMA user_version = 1",
	} {
		db := raw(t, f.path())
		if _, err := db.Exec(undo); err != nil {
			t.Fatalf("%s: %v", undo, err)
		}
		db.Close()
	}
	for _, key := range []string{"journal/proof", "journal/proved"} { // its keys know of no tags
		if err := f.keys.DestroyKey(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	s := f.open()
	if last, err := s.Last(t.Context(), 10); err != nil || len(last) != 4 {
		t.Errorf("%d sales after the upgrade (%v), want 4", len(last), err)
	}
	if debts, err := s.Debts(t.Context()); err != nil || len(debts) != 1 {
		t.Errorf("%d debts after the upgrade (%v), want 1", len(debts), err)
	}
	if found := verify(t, s); len(found) != 0 {
		t.Errorf("found %v", found)
	}
	newTeller(t, s, 100).do(approved...)
}

// mute is a secure module that stops answering.
type mute struct {
	*secure.File
	dead bool
}

var errDead = errors.New("no answer")

func (m *mute) Seal(ctx context.Context, name string, associated, plain []byte) ([]byte, error) {
	if m.dead {
		return nil, errDead
	}
	return m.File.Seal(ctx, name, associated, plain)
}

func (m *mute) Open(ctx context.Context, name string, associated, sealed []byte) ([]byte, error) {
	if m.dead {
		return nil, errDead
	}
	return m.File.Open(ctx, name, associated, sealed)
}

// A module that is gone is no row's fault: nothing goes into quarantine, and the read says so.
func TestDeadModuleQuarantinesNothing(t *testing.T) {
	f := lived(t)
	m := &mute{File: f.keys}
	var log bytes.Buffer
	s, err := store.Open(t.Context(), store.Config{Path: f.path(), Sealer: m, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Abort() }()
	m.dead = true
	for name, read := range map[string]func() error{
		"due":    func() error { _, err := s.Due(t.Context(), acquirer); return err },
		"last":   func() error { _, err := s.Last(t.Context(), 5); return err },
		"rows":   func() error { _, err := s.Rows(t.Context(), 0, 5); return err },
		"person": func() error { _, err := s.Person(t.Context(), "amal"); return err },
		"audit":  func() error { _, err := s.AuditRows(t.Context(), 0, 5); return err },
		"verify": func() error { _, err := s.Verify(t.Context()); return err },
	} {
		if err := read(); !errors.Is(err, errDead) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if s.Quarantined() != 0 || log.Len() != 0 {
		t.Errorf("%d in quarantine: %s", s.Quarantined(), &log)
	}
	m.dead = false
	goesOn(t, s)
}

// Cards are found by their token, never by their number, and only the module makes tokens.
func TestSalesOfACard(t *testing.T) {
	f := newFolder(t)
	s, err := store.Open(t.Context(), store.Config{Path: f.path(), Sealer: f.keys, Token: tokens(f.keys)})
	if err != nil {
		t.Fatal(err)
	}
	for id := terminal.SaleID(1); id <= 3; id++ {
		newTeller(t, s, id).do(approved...)
	}
	newTeller(t, s, 4).do(terminal.Start, terminal.Cancel) // no card
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, err = store.Open(t.Context(), store.Config{Path: f.path(), Sealer: f.keys, Token: tokens(f.keys)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Abort() }()
	newTeller(t, s, 5).do(refused...)
	all, err := s.OfCard(t.Context(), 2, 100)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, sale := range all {
		ids = append(ids, sale.ID.String())
		if len(sale.Token) != 32 || sale.Token != all[0].Token {
			t.Errorf("sale %s has the token %q", sale.ID, sale.Token)
		}
	}
	if strings.Join(ids, " ") != "5 3 2 1" {
		t.Errorf("sales of the card: %v", ids)
	}
	if none, err := s.OfCard(t.Context(), 4, 100); err != nil || len(none) != 0 {
		t.Errorf("a sale without a card has %d others (%v)", len(none), err)
	}
	if _, err := s.OfCard(t.Context(), 99, 100); !errors.Is(err, terminal.ErrNoSale) {
		t.Errorf("a sale that is not there: %v", err)
	}
	for n := range 2 { // a row of the middle of the running sale, and its last
		if !strings.Contains(query(t, f.copy(), fmt.Sprintf("SELECT record FROM journal WHERE sale = 1 ORDER BY seq DESC LIMIT 1 OFFSET %d", n)), all[0].Token) {
			t.Errorf("row %d from the end of sale 1 has no token", n)
		}
	}
}
