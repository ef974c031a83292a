package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"tillway/store"
	"tillway/store/flushcount"
	"tillway/terminal"
	"tillway/terminal/people"
)

func audited(t testing.TB, s *store.Store, n int) {
	t.Helper()
	for i := range n {
		e := people.Entry{Actor: "amal", Event: people.EventKeys, Result: people.Done, Note: fmt.Sprint("thing ", i)}
		if err := s.Audit(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
}

func problems(t testing.TB, s *store.Store) string {
	t.Helper()
	r, err := s.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, f := range r.Findings {
		all = append(all, f.String())
	}
	return strings.Join(all, "; ")
}

func TestAuditRefusesChange(t *testing.T) {
	f := newFolder(t)
	s := f.open()
	audited(t, s, 3)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, change := range []string{
		"UPDATE audit SET note = 'x' WHERE seq = 1",
		"DELETE FROM audit WHERE seq = 3",
		"INSERT OR REPLACE INTO audit SELECT * FROM audit WHERE seq = 2",
		"INSERT INTO audit SELECT 9, time, actor, event, person, result, note, previous, hash FROM audit WHERE seq = 1",
		"DELETE FROM person WHERE name = 'x'",
	} {
		db := raw(t, f.path())
		if strings.Contains(change, "person") {
			if _, err := db.Exec("INSERT OR IGNORE INTO person VALUES ('x', '{}', 1)"); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := db.Exec(change); err == nil || !strings.Contains(err.Error(), "never") && !strings.Contains(err.Error(), "follow") {
			t.Errorf("%s: %v", change, err)
		}
		db.Close()
	}
}

// Every way to meddle with the log on disk, by somebody who has the database and not the secure module: what Verify says.
func TestAuditMeddlingIsFound(t *testing.T) {
	const again = ` AND 1 = 1; UPDATE audit SET hash = hash WHERE seq < 0`
	for name, c := range map[string]struct {
		change string
		want   []string
	}{
		"nothing":       {"SELECT 1", nil},
		"changed":       {"UPDATE audit SET note = 'thing 9' WHERE seq = 3", []string{"audit row 3: changed"}},
		"deleted":       {"DELETE FROM audit WHERE seq = 3", []string{"audit row 3: missing"}},
		"first deleted": {"DELETE FROM audit WHERE seq = 1", []string{"audit row 1: missing"}},
		"cut off": {"DELETE FROM audit WHERE seq > 3", []string{
			"audit row 4 to 5: missing at the end: the sealed head", "missing at the end: the anchor file",
		}},
		"emptied":         {"DELETE FROM audit", []string{"audit row 1 to 5: missing at the end"}},
		"swapped":         {"UPDATE audit SET seq = -seq WHERE seq IN (2, 3); UPDATE audit SET seq = 5 + seq WHERE seq < 0", []string{"audit row 2: changed", "audit row 3: changed"}},
		"head gone":       {"DELETE FROM proof WHERE of = 'audit'", []string{"the sealed head is gone"}},
		"head of another": {"UPDATE proof SET tag = (SELECT p.tag FROM proof p WHERE p.of = 'audit/5') WHERE of = 'audit'", []string{"the sealed head is damaged or another's"}},
		"tag of another":  {"UPDATE proof SET tag = (SELECT p.tag FROM proof p WHERE p.of = 'audit/4') WHERE of = 'audit/3'", []string{"audit row 3: forged"}},
		"renumbered":      {"DELETE FROM audit WHERE seq = 3; UPDATE audit SET seq = seq - 1 WHERE seq > 3", []string{"audit row 3: changed"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFolder(t)
			s := f.open()
			audited(t, s, 5)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			spoil(t, f.path(), strings.TrimSuffix(c.change, again))
			s = f.open()
			got := problems(t, s)
			for _, want := range c.want {
				if !strings.Contains(got, want) {
					t.Errorf("found %q, want %q", got, want)
				}
			}
			if (got == "") != (len(c.want) == 0) {
				t.Errorf("found %q", got)
			}
			if err := s.Upkeep(t.Context()); err != nil {
				t.Fatal(err)
			}
			audited(t, s, 1) // the log goes on, and what was lost stays known
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = f.open()
			if strings.HasPrefix(name, "head ") { // a head is made anew with the next row: that it was wrong stands in the log
				rows, err := s.AuditRows(t.Context(), 5, 10)
				if err != nil || len(rows) != 2 || !strings.Contains(rows[0].Note+rows[1].Note, "sealed head") {
					t.Errorf("the log does not say it: %+v %v", rows, err)
				}
				return
			}
			if after := problems(t, s); (after == "") != (len(c.want) == 0) {
				t.Errorf("after another row: %q", after)
			}
		})
	}
}

// A chain that was made anew with right hashes, by somebody who can compute SHA-256, is found all the same, and each row of
// it is named.
func TestRecomputedChainIsFound(t *testing.T) {
	f := newFolder(t)
	s := f.open()
	audited(t, s, 5)
	rows, err := s.AuditRows(t.Context(), 0, 10)
	if err != nil || len(rows) != 5 {
		t.Fatal(rows, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	rows[2].Note = "nothing to see"
	for i := 2; i < 5; i++ {
		rows[i].Previous = rows[i-1].Hash
		rows[i].Hash = rows[i].Sum()
		spoil(t, f.path(), "UPDATE audit SET note = ?, previous = ?, hash = ? WHERE seq = ?", rows[i].Note, rows[i].Previous[:], rows[i].Hash[:], i+1)
	}
	got := problems(t, f.open())
	for _, want := range []string{"audit row 3: forged", "audit row 4: forged", "audit row 5: forged", "audit row 5: is not the row that the sealed head knows"} {
		if !strings.Contains(got, want) {
			t.Errorf("found %q, want %q", got, want)
		}
	}
}

// The database of yesterday in today's folder: sound in itself, and the anchor file tells.
func TestAuditLogPutBackIsFound(t *testing.T) {
	f := newFolder(t)
	s := f.open()
	audited(t, s, 3)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	yesterday, err := os.ReadFile(f.path())
	if err != nil {
		t.Fatal(err)
	}
	s = f.open()
	audited(t, s, 2)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(f.path(), yesterday, 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	s, err = store.Open(t.Context(), store.Config{Path: f.path(), Sealer: f.keys, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Abort() }()
	if !strings.Contains(log.String(), "its anchor knows row 5") {
		t.Errorf("the start says %q", &log)
	}
	if err := s.Upkeep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if there, err := s.HasPeople(t.Context()); err != nil || !there {
		t.Errorf("a cut log lets a first administrator be made again (%v)", err)
	}
	if got := problems(t, s); !strings.Contains(got, "put aside") {
		t.Errorf("found %q", got)
	}
	audited(t, s, 5)
	if got := problems(t, s); !strings.Contains(got, "audit row 5: is not the row that the anchor file put aside") {
		t.Errorf("after more rows: %q", got)
	}
	rows, err := s.AuditRows(t.Context(), 3, 1)
	if err != nil || len(rows) != 1 || rows[0].Event != people.EventRow {
		t.Errorf("the cut is not in the log itself: %+v %v", rows, err)
	}
}

// memory is a witness elsewhere.
type memory map[string]uint64

func (m memory) Highest(name string) uint64 { return m[name] }
func (m memory) Raise(_ context.Context, name string, n uint64) error {
	m[name] = max(m[name], n)
	return nil
}
func (m memory) Settle(context.Context, string, uint64) error { return nil }

// The whole folder of yesterday, anchor file and all: only a witness elsewhere tells, and it does.
func TestWholeFolderPutBackIsFound(t *testing.T) {
	f := newFolder(t)
	w := memory{}
	open := func() *store.Store {
		s := f.open()
		if err := s.WitnessAudit(t.Context(), w, "audit"); err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := open()
	audited(t, s, 3)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	yesterday := snapshot(t, f.dir)
	s = open()
	audited(t, s, 2)
	if err := s.Upkeep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, err := s.AuditEnd(t.Context()); err != nil || n != 5 {
		t.Errorf("an alarm without a cause: the log ends at %d (%v)", n, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	yesterday.restore(t)
	s = open()
	if err := s.Upkeep(t.Context()); err != nil {
		t.Fatal(err)
	}
	rows, err := s.AuditRows(t.Context(), 3, 10)
	if err != nil || len(rows) != 1 || !strings.Contains(rows[0].Note, "the witness saw row 5") {
		t.Errorf("%+v, %v", rows, err)
	}
}

// A power cut between the commit and the anchor is no cut of the log.
func TestAnchorBehindIsRight(t *testing.T) {
	f := newFolder(t)
	s := f.open()
	audited(t, s, 3)
	older, err := os.ReadFile(f.path() + ".anchor")
	if err != nil {
		t.Fatal(err)
	}
	audited(t, s, 1)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(f.path()+".anchor", older, 0o600); err != nil {
		t.Fatal(err)
	}
	s = f.open()
	if got := problems(t, s); got != "" {
		t.Errorf("found %q", got)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(f.path() + ".anchor"); err != nil {
		t.Fatal(err)
	}
	if got := problems(t, f.open()); !strings.Contains(got, "the anchor file is gone") {
		t.Errorf("without its anchor file: %q", got)
	}
}

// The empty log is anchored at the first start: a power cut between the very first rows and their anchor is no cut of the
// log, and a missing file is one from then on.
func TestFirstAnchorIsOfNothing(t *testing.T) {
	f := newFolder(t)
	s := f.open()
	first, err := os.ReadFile(f.path() + ".anchor")
	if err != nil {
		t.Fatal(err)
	}
	audited(t, s, 2)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(f.path()+".anchor", first, 0o600); err != nil {
		t.Fatal(err)
	}
	s = f.open()
	if got := problems(t, s); got != "" {
		t.Errorf("found %q", got)
	}
	if any, err := s.HasPeople(t.Context()); any || err != nil {
		t.Errorf("the log is taken for one that was cut (%v)", err)
	}
}

// A refused entry, or one that cannot be written, changes nothing; one in a sale's middle takes none of its rows along.
func TestAuditIsACommitOfItsOwn(t *testing.T) {
	f := newFolder(t)
	s := f.open()
	newTeller(t, s, 1).do(terminal.Start, terminal.Presented) // wait in memory
	before := flushcount.Read()
	audited(t, s, 1)
	if got := flushcount.Read() - before; got != 1 {
		t.Errorf("an audit row is %d flushes, want 1", got)
	}
	if rows, err := s.Rows(t.Context(), 0, 10); err != nil || len(rows) != 0 {
		t.Errorf("%d rows of a sale came with it (%v)", len(rows), err)
	}
	if err := s.Audit(t.Context(), people.Entry{Actor: "amal", Event: people.EventKeys, Result: people.Done, Note: "card 4761739001010119"}); !errors.Is(err, people.ErrEntry) {
		t.Errorf("a card number in a note: %v", err)
	}
	if err := s.Audit(t.Context(), people.Entry{Actor: "amal", Event: people.EventLock, Person: "badr", Result: people.Done}); !errors.Is(err, people.ErrEntry) {
		t.Errorf("a person's row without their record: %v", err)
	}
	audited(t, s, 1)
	if n, err := s.AuditEnd(t.Context()); err != nil || n != 2 {
		t.Errorf("the log ends at %d (%v), want 2", n, err)
	}
	if got := problems(t, s); got != "" {
		t.Errorf("found %q", got)
	}
}

// What is found in quarantine is audited once, by Upkeep.
func TestQuarantineIsAudited(t *testing.T) {
	f := lived(t)
	spoil(t, f.path(), "UPDATE journal SET note = 'x' WHERE seq = 2")
	s := f.open()
	end, err := s.AuditEnd(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := s.Rows(t.Context(), 0, 100); err != nil {
			t.Fatal(err)
		}
		if err := s.Upkeep(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := s.AuditRows(t.Context(), end, 10)
	if err != nil || len(rows) != 1 || rows[0].Event != people.EventRow || !strings.Contains(rows[0].Note, "journal/2") {
		t.Errorf("%+v, %v", rows, err)
	}
}

// The clock put back, while it runs and before a start: one audit row each, and a warning in the counts.
func TestClockSetBack(t *testing.T) {
	f := newFolder(t)
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	open := func() *store.Store {
		s, err := store.Open(t.Context(), store.Config{Path: f.path(), Sealer: f.keys, Clock: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	upkeep := func(s *store.Store, rows int64, warned bool) {
		t.Helper()
		if err := s.Upkeep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n, err := s.AuditEnd(t.Context()); err != nil || n != rows {
			t.Errorf("%d audit rows (%v), want %d", n, err, rows)
		}
		if c, err := s.Counts(t.Context()); err != nil || (c.Clock != "") != warned {
			t.Errorf("clock %q (%v), warned %v", c.Clock, err, warned)
		}
	}
	s := open()
	e := note("x")
	e.Time = now
	if err := s.Append(t.Context(), true, e); err != nil {
		t.Fatal(err)
	}
	upkeep(s, 0, false)
	now = now.Add(-30 * time.Second) // a time server's correction
	upkeep(s, 0, false)
	now = now.Add(-time.Hour)
	upkeep(s, 1, true)
	upkeep(s, 1, true) // told once
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open() // the last row's time is the one that was set: nothing new
	now = now.Add(time.Minute)
	upkeep(s, 2, true) // but the journal's last sale is later than now
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestPeopleAreKept(t *testing.T) {
	f := newFolder(t)
	s := f.open()
	ctx := context.Background()
	if there, err := s.HasPeople(ctx); err != nil || there {
		t.Errorf("people in a new journal: %v %v", there, err)
	}
	putPerson(t, s, "amal", people.Administrator)
	putPerson(t, s, "badr", people.Cashier)
	p, err := s.Person(ctx, "badr")
	if err != nil {
		t.Fatal(err)
	}
	p, err = p.Attempt()
	if err != nil {
		t.Fatal(err)
	}
	why := people.Entry{Actor: people.Nobody, Event: people.EventLogIn, Person: "badr", Result: people.Failed}
	if err := s.PutPerson(ctx, p, why); err != nil {
		t.Fatal(err)
	}
	if err := s.PutPerson(ctx, p, why); err == nil {
		t.Error("a record that was read before another was written is written over it")
	}
	fresh := p
	fresh.Seq = 0
	if err := s.PutPerson(ctx, fresh, why); !errors.Is(err, people.ErrExists) {
		t.Errorf("the name again: %v", err)
	}
	if err := s.PutPerson(ctx, p); !errors.Is(err, people.ErrEntry) {
		t.Errorf("without saying why: %v", err)
	}
	if _, err := s.Person(ctx, "carim"); !errors.Is(err, people.ErrNoPerson) {
		t.Errorf("nobody: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = f.open()
	if p, err = s.Person(ctx, "badr"); err != nil || p.Failures != 1 {
		t.Errorf("after a restart: %+v, %v", p, err)
	}
	if all, err := s.People(ctx); err != nil || len(all) != 2 || all[0].Name != "amal" {
		t.Errorf("%v, %v", all, err)
	}
}

// The record from before a lock, tag and all, put back: it is not the one that the audit log says was written last.
func TestOldPersonIsRefused(t *testing.T) {
	f := newFolder(t)
	s := f.open()
	putPerson(t, s, "amal", people.Administrator)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	record := query(t, f.path(), "SELECT record FROM person")
	seq := query(t, f.path(), "SELECT seq FROM person")
	tag := query(t, f.path(), "SELECT hex(tag) FROM proof WHERE of = 'person/amal'")
	s = f.open()
	p, err := s.Person(t.Context(), "amal")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.PutPerson(t.Context(), p.Lock(time.Now()), people.Entry{Actor: "badr", Event: people.EventLock, Person: "amal", Result: people.Done}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	spoil(t, f.path(), "UPDATE person SET record = ?, seq = ?; UPDATE proof SET tag = unhex(?) WHERE of = 'person/amal'", record, seq, tag)
	s = f.open()
	if p, err := s.Person(t.Context(), "amal"); !errors.Is(err, terminal.ErrQuarantined) {
		t.Errorf("%+v, %v", p, err)
	}
	if got := problems(t, s); !strings.Contains(got, "person row amal: not the record") {
		t.Errorf("found %q", got)
	}
}

// Taking everybody away does not let somebody be the first again.
func TestDeletedPeopleAreMissed(t *testing.T) {
	f := lived(t)
	spoil(t, f.path(), "DELETE FROM person")
	s := f.open()
	if there, err := s.HasPeople(t.Context()); err != nil || !there {
		t.Errorf("nobody was ever there: %v", err)
	}
	if got := problems(t, s); !strings.Contains(got, "person row amal: missing") || !strings.Contains(got, "person row badr: missing") {
		t.Errorf("found %q", got)
	}
}

// No secret, no hash in the audit log, and no clear secret anywhere.
func TestAuditHoldsNoSecret(t *testing.T) {
	f := lived(t)
	log := query(t, f.path(), "SELECT * FROM audit")
	if strings.Contains(log, "argon2id") {
		t.Error("a hash is in the audit log")
	}
	if found := leaks(t, f.dir, map[string][]byte{"secret": []byte("blue.kettle9")}); len(found) > 0 {
		t.Errorf("a secret is in %v", found)
	}
	if !strings.Contains(query(t, f.path(), "SELECT record FROM person"), "argon2id") {
		t.Error("no hash where it should be: nothing is proved")
	}
}

// FuzzAnchor: whatever stands in the anchor file, the store opens, and says so unless it is the anchor.
func FuzzAnchor(f *testing.F) {
	dir := newFolder(f)
	s := dir.open()
	audited(f, s, 2)
	if err := s.Close(); err != nil {
		f.Fatal(err)
	}
	right, err := os.ReadFile(dir.path() + ".anchor")
	if err != nil {
		f.Fatal(err)
	}
	kept := snapshot(f, dir.dir)
	f.Add(right)
	f.Add([]byte{})
	f.Add(append([]byte{1}, right...))
	f.Fuzz(func(t *testing.T, anchor []byte) {
		kept.restore(t)
		if err := os.WriteFile(dir.path()+".anchor", anchor, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := store.Open(context.Background(), store.Config{Path: dir.path(), Sealer: dir.keys})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Abort() }()
		if got := problems(t, s); (got == "") != bytes.Equal(anchor, right) {
			t.Errorf("found %q", got)
		}
	})
}

// BenchmarkAudit is one audit row: a flush of the database and two of the anchor.
func BenchmarkAudit(b *testing.B) {
	s := newFolder(b).open()
	for b.Loop() {
		audited(b, s, 1)
	}
}

// BenchmarkVerify is a row's share of a verification.
func BenchmarkVerify(b *testing.B) {
	s := newFolder(b).open()
	for id := terminal.SaleID(1); id <= 200; id++ {
		newTeller(b, s, id).do(approved...)
	}
	rows := int64(0)
	for b.Loop() {
		r, err := s.Verify(b.Context())
		if err != nil || len(r.Findings) > 0 {
			b.Fatal(r.Findings, err)
		}
		rows = r.Rows
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(rows), "ns/row")
}
