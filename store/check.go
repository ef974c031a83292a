package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// Fault is one thing that is wrong with a journal, and what to do about it.
type Fault struct {
	What string `json:"what"`
	Do   string `json:"do"`
}

// Checked is what Check found.
type Checked struct {
	Rows   int64   `json:"rows"` // that authenticate, or were looked at
	Audit  int64   `json:"audit"`
	Faults []Fault `json:"faults"`
}

func (c *Checked) add(do, what string, args ...any) {
	c.Faults = append(c.Faults, Fault{fmt.Sprintf(what, args...), do})
}

// What to do.
const (
	doSalvage = "Keep the files as they are, and run posd db salvage: it reads what authenticates into a new journal and says what is lost."
	doSupport = "posd goes on without it. Keep the state folder for support, and compare the day with the bank."
)

// Check examines the journal at c.From, which nobody has open: file, tables, every row's tag, the audit log's anchors, and the numbers that were
// given. It works on a copy at c.Path, which is removed; the journal itself is only read. What is wrong with the journal is no error.
func Check(ctx context.Context, c SalvageConfig) (found Checked, err error) {
	found.Faults = []Fault{}
	if !found.file(c.From) {
		return found, nil
	}
	if _, err := c.Sealer.Seal(ctx, provedKey, nil, nil); err != nil {
		found.add("Put back the key file that belongs to this journal, or the journal that belongs to these keys.",
			"the secure module has no key for a journal: its keys are new, or another terminal's (%v)", short(err))
		return found, nil
	}
	for _, suffix := range []string{"", "-wal", ".anchor", ".anchor.lost"} {
		if err := copyNew(c.From+suffix, c.Path+suffix); err != nil && (suffix == "" || !errors.Is(err, fs.ErrNotExist)) {
			return found, errors.Join(fmt.Errorf("check: %w", err), removeJournal(c.Path))
		}
	}
	defer func() { err = errors.Join(err, removeJournal(c.Path)) }()
	s, err := Open(ctx, c.Config)
	if err != nil {
		found.add(doSalvage, "it does not open: %v", short(err))
		return found, nil //nolint:nilerr // that is what was found
	}
	defer func() { err = errors.Join(err, s.Abort()) }()
	found.tables(ctx, s.db)
	r, err := s.Verify(ctx)
	switch {
	case stops(err) || ctx.Err() != nil:
		return found, err
	case err != nil:
		found.add(doSalvage, "it cannot be read to its end: %v", short(err))
		return found, nil
	}
	found.Rows, found.Audit = r.Rows, r.Audit
	found.rows(r)
	found.numbers(ctx, s, c.Given)
	return found, nil
}

// file looks at the database's first bytes and its length, and says whether there is anything to look into.
func (c *Checked) file(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		c.add("Put back the last backup; the counters beside it stay as they are.", "%s cannot be read: %v", path, err)
		return false
	}
	defer f.Close()
	info, err := f.Stat()
	head := make([]byte, 100)
	_, rerr := io.ReadFull(f, head)
	switch {
	case err != nil || rerr != nil:
		c.add("Put back the last backup; the counters beside it stay as they are.", "%s has less than a header", path)
		return false
	case string(head[:16]) != magic:
		c.add(doSalvage, "the header of %s is gone or damaged", path)
		return false
	}
	size, pages := int64(pageSize(f)), int64(binary.BigEndian.Uint32(head[28:]))
	if sure := string(head[24:28]) == string(head[92:96]); sure && info.Size() < pages*size {
		c.add(doSalvage, "%s is cut: it has %d bytes of %d", path, info.Size(), pages*size)
	}
	return true
}

// tables has SQLite look at its trees. It misses most single bytes: the tags find those.
func (c *Checked) tables(ctx context.Context, db *sql.DB) {
	rows, err := db.QueryContext(ctx, "PRAGMA integrity_check(10)")
	if err != nil {
		c.add(doSalvage, "its tables cannot be examined: %v", short(err))
		return
	}
	all, err := collect(rows, scanCells)
	if err != nil {
		c.add(doSalvage, "its tables cannot be examined: %v", short(err))
	}
	for _, line := range all {
		if line.text(0) != "ok" {
			c.add(doSalvage, "its tables are damaged: %s", line.text(0))
		}
	}
}

// rows puts what Verify found into faults: a few by their names, more by their number.
func (c *Checked) rows(r Report) {
	const named = 20
	for i, f := range r.Findings {
		if i == named {
			c.add(doSupport, "and %d findings more: posd audit verify has them all", len(r.Findings)-named)
			break
		}
		c.add(doSupport, "%s", f.String())
	}
}

// numbers compares the numbers that were given with those that are in the journal.
func (c *Checked) numbers(ctx context.Context, s *Store, given uint64) {
	highest, err := s.Highest(ctx)
	if err == nil && uint64(highest) > given {
		c.add("posd goes on above the journal's by itself. Find out who put back an old counter: with the journal put back too, numbers come twice.",
			"the journal has sale %d, and the counter and its witness know no number above %d", highest, given)
	}
}

// copyNew copies a file to where nothing is.
func copyNew(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// Leased is up to which number the counter at path may have given numbers. Error: ErrCounter.
func Leased(path string) (uint64, error) { return readLease(path) }
