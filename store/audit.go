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
	"time"

	"tillway/terminal/people"
)

// The audit log's end is known three times: by its last row, by a sealed head in the same commit, and by the same sealed
// head in a file beside the database, written after it. Whoever has the database alone can neither make a head nor, putting
// an old one back, hide the rows that the file knows. A whole folder put back is for the counters' witness to find.
const headPlace = "audit"

const auditColumns = "seq, time, actor, event, person, result, note, previous, hash"

func anchorPath(path string) string { return path + ".anchor" }

// lostPath keeps the anchor that knew more rows than there are: the proof that the log was cut.
func lostPath(path string) string { return path + ".anchor.lost" }

// Audit appends entries to the audit log, in a commit of their own, and returns when they are on disk and anchored. An entry
// without a time gets the clock's. An error means that what was to be audited must not be done.
// Entries with a person are PutPerson's: people.ErrEntry.
func (s *Store) Audit(ctx context.Context, entries ...people.Entry) error {
	for _, e := range entries {
		if e.Person != "" {
			return fmt.Errorf("%s of %s without a record: %w", e.Event, e.Person, people.ErrEntry)
		}
	}
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.end()
	return s.auditing(context.WithoutCancel(ctx), nil, entries...)
}

// auditing writes entries, and what more does, in one transaction. more gets the number of the last entry. The caller holds
// the turn.
func (s *Store) auditing(ctx context.Context, more func(context.Context, *sql.Tx, int64) error, entries ...people.Entry) error {
	if len(entries) == 0 && more == nil {
		return nil
	}
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return explain(s.path, fmt.Errorf("audit: %w", err))
	}
	last := s.audit
	for _, e := range entries {
		if e.Time.IsZero() {
			e.Time = s.clock()
		}
		e.Time = e.Time.UTC().Round(0)
		last = last.After(e)
		if err := s.writeAudit(ctx, tx, last); err != nil {
			return explain(s.path, errors.Join(fmt.Errorf("audit: %w", err), rollback(tx)))
		}
	}
	if more != nil {
		if err := more(ctx, tx, last.Seq); err != nil {
			return explain(s.path, errors.Join(err, rollback(tx)))
		}
	}
	head, err := s.sealHead(ctx, last)
	if err == nil {
		_, err = exec(ctx, tx, s.stmt.prove, headPlace, head)
	}
	if err != nil {
		return explain(s.path, errors.Join(fmt.Errorf("audit: %w", err), rollback(tx)))
	}
	if err := tx.Commit(); err != nil {
		return s.fail(explain(s.path, fmt.Errorf("commit: %w", err)))
	}
	s.audit, s.folded = last, false
	if err := replaceFile(anchorPath(s.path), head); err != nil {
		return fmt.Errorf("anchor of the audit log: %w", err)
	}
	if s.witness == nil {
		return nil
	}
	if err := s.witness.Raise(ctx, s.witnessed, uint64(last.Seq)); err != nil { //nolint:gosec // never negative
		return fmt.Errorf("witness of the audit log: %w", err)
	}
	return nil
}

func (s *Store) writeAudit(ctx context.Context, tx *sql.Tx, r people.Row) error {
	if err := r.Check(); err != nil {
		return err
	}
	columns := []any{
		r.Seq, r.Time.Format(time.RFC3339Nano), r.Actor, string(r.Event), r.Person, string(r.Result), r.Note, r.Previous[:], r.Hash[:],
	}
	if _, err := exec(ctx, tx, s.stmt.audit, columns...); err != nil {
		return err
	}
	return s.prove(ctx, tx, place(people.AuditTable, r.Seq), columns...)
}

const headAssociated = "tillway 1 audit head"

func (s *Store) sealHead(ctx context.Context, r people.Row) ([]byte, error) {
	return s.sealer.Seal(ctx, proofKey, []byte(headAssociated), append(binary.BigEndian.AppendUint64(nil, uint64(r.Seq)), r.Hash[:]...)) //nolint:gosec // never negative
}

// openHead is the row that a sealed head knows as the last.
func (s *Store) openHead(ctx context.Context, sealed []byte) (seq int64, hash people.Sum, err error) {
	plain, err := s.sealer.Open(ctx, proofKey, []byte(headAssociated), sealed)
	if err != nil {
		return 0, hash, s.blame(ctx, fmt.Errorf("audit head: %w: %w", errTag, err))
	}
	if len(plain) != 8+len(hash) {
		return 0, hash, fmt.Errorf("audit head: %w", errTag)
	}
	copy(hash[:], plain[8:])
	return int64(binary.BigEndian.Uint64(plain)), hash, nil //nolint:gosec // as sealHead wrote it
}

// startAudit finds the log's end, and puts the anchor file aside when it knows more rows than there are.
func (s *Store) startAudit(ctx context.Context) error {
	last, err := s.auditRows(ctx, "ORDER BY a.seq DESC LIMIT 1")
	if err != nil {
		return err
	}
	if len(last) > 0 {
		s.audit = last[0].Row
	}
	alarm := func(note string) {
		s.cut = true
		s.alarms = append(s.alarms, people.Entry{Actor: people.Terminal, Event: people.EventRow, Result: people.Failed, Note: note})
		s.log.ErrorContext(ctx, "audit log: "+note+": see pos audit verify")
	}
	sound, err := s.headIs(ctx, s.audit)
	if err != nil {
		return err
	}
	if !sound {
		alarm("its sealed head is gone, or of another row than its last")
	}
	sealed, err := readSmall(anchorPath(s.path))
	switch {
	case errors.Is(err, fs.ErrNotExist) && len(last) == 0:
		return s.firstAnchor(ctx)
	case errors.Is(err, fs.ErrNotExist):
		alarm("its anchor file is gone")
		return nil
	case err != nil:
		return fmt.Errorf("anchor of the audit log: %w", err)
	}
	seq, hash, err := s.openHead(ctx, sealed)
	if stops(err) {
		return err
	}
	if err != nil {
		alarm("its anchor file is damaged or another's")
		return nil
	}
	if at, ok, err := s.hashAt(ctx, seq); seq == 0 || err != nil || (seq <= s.audit.Seq && ok && at == hash) {
		return err
	}
	alarm(fmt.Sprintf("it ends at row %d, or is another, and its anchor knows row %d", s.audit.Seq, seq))
	if _, err := os.Lstat(lostPath(s.path)); err == nil {
		return nil // the first loss is kept
	}
	if err := os.Rename(anchorPath(s.path), lostPath(s.path)); err != nil {
		return fmt.Errorf("anchor of the audit log: %w", err)
	}
	return syncFolder(s.path)
}

// firstAnchor anchors the empty log, so that a power cut between the first rows and their anchor leaves an anchor that is behind,
// and not none.
func (s *Store) firstAnchor(ctx context.Context) error {
	head, err := s.sealHead(ctx, people.Row{})
	if err == nil {
		err = replaceFile(anchorPath(s.path), head)
	}
	if err != nil {
		return fmt.Errorf("anchor of the audit log: %w", err)
	}
	return nil
}

// WitnessAudit compares the log's end with a witness that a backup of the folder does not reach, and lets it see every row
// from now on. A log that is shorter than the witness saw was put back, anchors and all: that is noted as a cut. Called
// once, before the first row.
func (s *Store) WitnessAudit(ctx context.Context, w Witness, name string) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.end()
	if seen := w.Highest(name); seen > uint64(s.audit.Seq) { //nolint:gosec // never negative
		s.mu.Lock()
		s.cut = true
		note := fmt.Sprintf("audit log ends at row %d and the witness saw row %d: the folder was put back", s.audit.Seq, seen)
		s.alarms = append(s.alarms, people.Entry{Actor: people.Terminal, Event: people.EventRow, Result: people.Failed, Note: note})
		s.mu.Unlock()
		s.log.ErrorContext(ctx, note+": see pos audit list")
	}
	s.witness, s.witnessed = w, name
	return nil
}

// headIs says whether the sealed head in the database is of a row.
func (s *Store) headIs(ctx context.Context, last people.Row) (bool, error) {
	heads, err := read(ctx, s, scanCells, "SELECT tag FROM proof WHERE of = ?", headPlace)
	if err != nil || len(heads) == 0 {
		return last.Seq == 0, err
	}
	seq, hash, err := s.openHead(ctx, heads[0].bytes(0))
	if stops(err) {
		return false, err
	}
	return err == nil && seq == last.Seq && hash == last.Hash, nil
}

// hashAt is the hash of a row as it stands.
func (s *Store) hashAt(ctx context.Context, seq int64) (sum people.Sum, ok bool, err error) {
	found, err := s.auditRows(ctx, "WHERE a.seq = ?", seq)
	if err != nil || len(found) == 0 {
		return sum, false, err
	}
	return found[0].Hash, true, nil
}

// auditRow is a row with what its own tag says.
type auditRow struct {
	people.Row
	authentic bool
}

// auditRows reads rows as they stand. The tail of the query begins behind the joins.
func (s *Store) auditRows(ctx context.Context, tail string, args ...any) ([]auditRow, error) {
	all, err := read(ctx, s, scanCells, `SELECT a.seq, a.time, a.actor, a.event, a.person, a.result, a.note, a.previous, a.hash, p.tag
		FROM audit a LEFT JOIN proof p ON p.of = 'audit/' || a.seq `+tail, args...)
	if err != nil {
		return nil, err
	}
	rows := make([]auditRow, len(all))
	for i, c := range all {
		r := &rows[i]
		r.Row = people.Row{Seq: c.number(0), Entry: people.Entry{
			Actor: c.text(2), Event: people.Event(c.text(3)), Person: c.text(4), Result: people.Result(c.text(5)), Note: c.text(6),
		}}
		r.Time, _ = time.Parse(time.RFC3339Nano, c.text(1)) // one that cannot be read changes the hash
		copy(r.Previous[:], c.bytes(7))
		copy(r.Hash[:], c.bytes(8))
		of := place(people.AuditTable, c[0])
		bad, err := s.judge(ctx, of, s.authentic(ctx, c.bytes(9), of, c[:9]...))
		if err != nil {
			return nil, err
		}
		r.authentic = !bad
	}
	return rows, nil
}

// AuditRows is the audit log behind a number, oldest first, at most limit rows (and never more than 1000). Rows in
// quarantine are left out: Verify names them.
func (s *Store) AuditRows(ctx context.Context, after int64, limit int) ([]people.Row, error) {
	all, err := s.auditRows(ctx, "WHERE a.seq > ? ORDER BY a.seq LIMIT ?", after, bound(limit))
	if err != nil {
		return nil, err
	}
	rows := make([]people.Row, 0, len(all))
	for _, r := range all {
		if r.authentic {
			rows = append(rows, r.Row)
		}
	}
	return rows, nil
}

// AuditEnd is the number of the last row of the audit log.
func (s *Store) AuditEnd(ctx context.Context) (int64, error) {
	if err := s.begin(ctx); err != nil {
		return 0, err
	}
	defer s.end()
	return s.audit.Seq, nil
}

// readSmall reads a file of at most a kilobyte.
func readSmall(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, 1024))
}

// replaceFile puts a whole new file in the old one's place, flushed, and flushes the folder.
func replaceFile(path string, content []byte) error {
	fresh := path + ".new"
	f, err := os.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(fresh, path); err != nil {
		return err
	}
	return syncFolder(path)
}
