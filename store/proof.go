package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"tillway/terminal"
	"tillway/terminal/people"
)

// Every row that must not change unseen has a tag: an empty sealing under the key below whose associated data is the row,
// each column with its type and length, and its place. Rows of the table sale have none: they repeat what the journal row
// says that they name, and are compared with it. Sealed card data authenticates itself.
const proofKey = "journal/proof"

// provedKey exists once every row that was there before tags were has got one. Without it a row without a tag is old;
// with it, forged.
const provedKey = "journal/proved"

// cells are a row's columns as SQLite gives them: int64, float64, string, []byte or nil. A damaged column may have any
// type, and must fail its tag and not the reading of all other rows.
type cells []any

func scanCells(rows *sql.Rows) (cells, error) {
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	c, to := make(cells, len(names)), make([]any, len(names))
	for i := range c {
		to[i] = &c[i]
	}
	return c, rows.Scan(to...)
}

func (c cells) text(i int) string {
	s, _ := c[i].(string)
	return s
}

func (c cells) number(i int) int64 {
	n, _ := c[i].(int64)
	return n
}

func (c cells) bytes(i int) []byte {
	b, _ := c[i].([]byte)
	return b
}

// place is a row's name: its table, and what names it there.
func place(table string, id any) string { return fmt.Sprintf("%s/%v", table, id) }

// canonical is a row as its tag covers it.
func canonical(of string, columns ...any) []byte {
	b := append(make([]byte, 0, 512), "tillway 1 row "...)
	add := func(kind byte, text string) {
		b = append(b, kind)
		b = binary.BigEndian.AppendUint32(b, uint32(len(text))) //nolint:gosec // a column has at most maxRecord bytes
		b = append(b, text...)
	}
	add('@', of)
	for _, c := range columns {
		switch c := c.(type) {
		case nil:
			b = append(b, 'n')
		case int64:
			b = append(b, 'i')
			b = binary.BigEndian.AppendUint64(b, uint64(c)) //nolint:gosec // the bits, not the number
		case bool:
			b = append(b, 'i')
			if c {
				b = binary.BigEndian.AppendUint64(b, 1)
			} else {
				b = binary.BigEndian.AppendUint64(b, 0)
			}
		case string:
			add('s', c)
		case []byte:
			add('b', string(c))
		case float64:
			b = append(b, 'f')
			b = binary.BigEndian.AppendUint64(b, math.Float64bits(c))
		case time.Time:
			add('t', c.Format(time.RFC3339Nano))
		default:
			add('?', fmt.Sprintf("%T", c))
		}
	}
	return b
}

// prove writes a row's tag in the row's own commit.
func (s *Store) prove(ctx context.Context, tx *sql.Tx, of string, columns ...any) error {
	tag, err := s.sealer.Seal(ctx, proofKey, canonical(of, columns...), nil)
	if err != nil {
		return fmt.Errorf("tag of %s: %w", of, err)
	}
	_, err = exec(ctx, tx, s.stmt.prove, of, tag)
	return err
}

var errTag = errors.New("changed, moved or damaged: its tag is not the secure module's")

// authentic checks a row against its tag.
func (s *Store) authentic(ctx context.Context, tag []byte, of string, columns ...any) error {
	if len(tag) == 0 {
		return fmt.Errorf("%s: %w", of, errTag)
	}
	if _, err := s.sealer.Open(ctx, proofKey, canonical(of, columns...), tag); err != nil {
		return s.blame(ctx, fmt.Errorf("%s: %w: %w", of, errTag, err))
	}
	return nil
}

// maxProved bounds what is remembered of debts that authenticated.
const maxProved = 4096

// stillAuthentic is authentic for rows that are read again and again: the module is asked once for the same columns under the
// same tag, because its answer to them cannot change. A queue of hundreds is read several times in every sale.
func (s *Store) stillAuthentic(ctx context.Context, tag []byte, of string, columns ...any) error {
	digest := sha256.Sum256(append(canonical(of, columns...), tag...))
	s.mu.Lock()
	known := s.proved[of] == digest
	s.mu.Unlock()
	if known {
		return nil
	}
	if err := s.authentic(ctx, tag, of, columns...); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proved == nil || len(s.proved) >= maxProved {
		s.proved = map[string][sha256.Size]byte{}
	}
	s.proved[of] = digest
	return nil
}

// errModule says that the secure module does not answer: that is no row's fault.
var errModule = errors.New("the secure module does not answer")

// blame asks, after something did not open, whether the module opens anything at all.
func (s *Store) blame(ctx context.Context, cause error) error {
	if _, err := s.sealer.Seal(ctx, proofKey, nil, nil); err != nil {
		return fmt.Errorf("%w: %w", errModule, err)
	}
	return cause
}

// stops says that an error is not a row's: the whole read ends with it.
func stops(err error) bool {
	return errors.Is(err, errModule) || errors.Is(err, errNewerRecord)
}

// maxQuarantine bounds what is remembered of rows in quarantine, and how many audit rows wait.
const maxQuarantine = 10_000

// judge notes whether a row is sound, and says whether it must be left out. What it finds the first time it logs, without
// the row's content, and keeps for the audit log, which Upkeep writes. Its error is one that no row is to blame for.
func (s *Store) judge(ctx context.Context, of string, cause error) (bad bool, err error) {
	if stops(cause) {
		return true, cause
	}
	s.mu.Lock()
	_, known := s.bad[of]
	switch {
	case cause == nil:
		delete(s.bad, of)
	case len(s.bad) < maxQuarantine:
		s.bad[of] = struct{}{}
	}
	fresh := cause != nil && !known
	if fresh && len(s.alarms) < 100 {
		s.alarms = append(s.alarms, people.Entry{
			Actor: people.Terminal, Event: people.EventRow, Result: people.Failed, Note: people.Note("%s is left out: it does not authenticate", of),
		})
	}
	s.mu.Unlock()
	if fresh {
		s.log.ErrorContext(ctx, "row in quarantine: it does not open or does not authenticate; the rest goes on: see pos audit verify",
			"row", of, "cause", cause)
	}
	return cause != nil, nil
}

func (s *Store) quarantined(of string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, bad := s.bad[of]
	return bad
}

// Quarantined is how many rows did not authenticate when they were last read. They are left out and logged, stay on disk,
// and keep no other row waiting. A debt among them stays owed.
func (s *Store) Quarantined() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.bad)
}

// proofs makes sure that the keys are there. A journal from before tags gets them now, all in one commit, once.
func (s *Store) proofs(ctx context.Context) error {
	if err := s.sealer.CreateKey(ctx, proofKey); err != nil {
		return fmt.Errorf("key of the journal's tags: %w", err)
	}
	if _, err := s.sealer.Seal(ctx, provedKey, nil, nil); err == nil {
		return nil
	}
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := s.proveAll(ctx, tx); err != nil {
		return errors.Join(err, rollback(tx))
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("tag the rows: %w", err)
	}
	if err := s.sealer.CreateKey(ctx, provedKey); err != nil {
		return fmt.Errorf("key of the journal's tags: %w", err)
	}
	return nil
}

// proven is every table with tags: its columns in the order in which they are tagged, its order, and what names a row.
var proven = []struct{ table, columns, order string }{
	{"journal", "seq, time, kind, acquirer, sale, debt, was, event, becomes, duties, note, record", "seq"},
	{"owed", owedColumns, "id"},
	{"batch", "acquirer || '/' || number, state, opened", "acquirer || '/' || number"},
	{"person", "name, record, seq", "name"},
	{"ecr", "name, record, seq", "name"},
	{"audit", auditColumns, "seq"},
}

func (s *Store) proveAll(ctx context.Context, tx *sql.Tx) error {
	for _, p := range proven {
		after := any(int64(math.MinInt64))
		if p.table == "batch" || p.table == "person" || p.table == "ecr" {
			after = ""
		}
		for {
			rows, err := tx.QueryContext(ctx, "SELECT "+p.columns+" FROM "+p.table+" WHERE "+p.order+" > ? ORDER BY "+p.order+" LIMIT 500", after)
			if err != nil {
				return err
			}
			all, err := collect(rows, scanCells)
			if err != nil {
				return err
			}
			for _, c := range all {
				after = c[0]
				if err := s.prove(ctx, tx, place(p.table, c[0]), c...); err != nil {
					return err
				}
			}
			if len(all) == 0 {
				break
			}
		}
	}
	return nil
}

const owedColumns = "id, sale, acquirer, kind, stan, state, final, attempts, not_before, created, reason"

// ownDebt reads a debt's row before it changes, and refuses one that does not authenticate.
func (s *Store) ownDebt(ctx context.Context, tx *sql.Tx, where string, arg any) (cells, error) {
	rows, err := tx.QueryContext(ctx, "SELECT o.id, o.sale, o.acquirer, o.kind, o.stan, o.state, o.final, o.attempts, o.not_before, o.created, o.reason, p.tag"+
		" FROM owed o LEFT JOIN proof p ON p.of = 'owed/' || o.id WHERE "+where, arg)
	if err != nil {
		return nil, err
	}
	all, err := collect(rows, scanCells)
	if err != nil {
		return nil, err
	}
	if len(all) != 1 {
		return nil, errProjection
	}
	c := all[0]
	if err := s.authentic(ctx, c.bytes(11), place("owed", c[0]), c[:11]...); err != nil {
		return nil, fmt.Errorf("%w: %w", terminal.ErrQuarantined, err)
	}
	return c[:11], nil
}

// collect reads rows to their end and closes them.
func collect[T any](rows *sql.Rows, scan func(*sql.Rows) (T, error)) (all []T, err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

// short is an error's text on one line, for findings.
func short(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\n")
	return text
}
