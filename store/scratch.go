package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	sqlite3 "github.com/mattn/go-sqlite3"

	"tillway/store/pages"
)

// scratch is a database beside a salvaged one that holds what was found in the damaged one, unjudged, so that none of it has to be in
// memory. It holds nothing that is not in the damaged one, and goes with the salvage.
type scratch struct {
	path string
	db   *sql.DB
	tx   *sql.Tx
	put  map[string]*sql.Stmt
	most int64 // the highest row of the journal that anything speaks of
}

// scratchSchema has the tables that are looked for: of each row what names it, its age, and its columns as they are tagged.
const scratchSchema = `
CREATE TABLE tag (of TEXT, tag BLOB, PRIMARY KEY (of, tag)) WITHOUT ROWID;
CREATE TABLE journal (id, age, c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11);
CREATE TABLE owed (id, age, c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10);
CREATE TABLE audit (id, age, c0, c1, c2, c3, c4, c5, c6, c7, c8);
CREATE TABLE batch (id, age, c0, c1, c2, c3, c4, c5);
CREATE TABLE named (id, age, c0, c1, c2);
CREATE TABLE card (id, age, c0, c1, c2, c3);
`

const scratchOrder = `
CREATE INDEX journal_id ON journal (id); CREATE INDEX owed_id ON owed (id); CREATE INDEX audit_id ON audit (id);
CREATE INDEX batch_id ON batch (id); CREATE INDEX named_id ON named (id); CREATE INDEX card_id ON card (id);
`

// widths is how many columns each table of the scratch keeps.
var widths = map[string]int{"journal": 12, "owed": 11, "audit": 9, "batch": 6, "named": 3, "card": 4}

func newScratch(ctx context.Context, path string) (*scratch, error) {
	if err := makeEmpty(path); err != nil {
		return nil, err
	}
	s := &scratch{path: path, put: map[string]*sql.Stmt{}}
	s.db = sql.OpenDB(connector{"file:" + path + "?mode=rw&_journal_mode=OFF&_synchronous=OFF", &sqlite3.SQLiteDriver{}})
	s.db.SetMaxOpenConns(1)
	if _, err := s.db.ExecContext(ctx, scratchSchema); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func makeEmpty(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

func (s *scratch) close() error { return errors.Join(s.db.Close(), os.Remove(s.path)) }

// scan reads every row that can be found in a database and its log.
func (s *scratch) scan(ctx context.Context, path string) (err error) {
	main, err := os.Open(path)
	if err != nil {
		return err
	}
	defer main.Close()
	info, err := main.Stat()
	if err != nil {
		return err
	}
	var log io.ReaderAt
	var logBytes int64
	if f, err := os.Open(path + "-wal"); err == nil {
		defer f.Close()
		if info, err := f.Stat(); err == nil {
			log, logBytes = f, info.Size()
		}
	}
	from, err := pages.Open(pageSize(main), main, info.Size(), log, logBytes)
	if err != nil {
		return err
	}
	if s.tx, err = s.db.BeginTx(ctx, nil); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, rollback(s.tx))
		}
	}()
	if err := s.prepare(ctx); err != nil {
		return err
	}
	if err := from.Rows(func(r pages.Row) error { return s.take(ctx, r) }); err != nil {
		return err
	}
	if _, err := s.tx.ExecContext(ctx, scratchOrder); err != nil {
		return err
	}
	return s.tx.Commit()
}

// usualPage is the page size of every journal that this program made.
const usualPage = 4096

// pageSize is what a database's header says (offset 16), or the usual where that makes no sense.
func pageSize(main io.ReaderAt) int {
	b := make([]byte, 2)
	if _, err := main.ReadAt(b, 16); err != nil {
		return usualPage
	}
	n := int(binary.BigEndian.Uint16(b))
	if n < 512 || n&(n-1) != 0 {
		return usualPage
	}
	return n
}

func (s *scratch) prepare(ctx context.Context) (err error) {
	questions := strings.Repeat(", ?", 12)
	for table, width := range widths {
		if s.put[table], err = s.tx.PrepareContext(ctx, "INSERT INTO "+table+" VALUES (?, ?"+questions[:3*width]+")"); err != nil { //nolint:sqlclosecheck // closed with the transaction
			return err
		}
	}
	s.put["tag"], err = s.tx.PrepareContext(ctx, "INSERT OR IGNORE INTO tag VALUES (?, ?)") //nolint:sqlclosecheck // as above
	return err
}

// take keeps a row that may be one of ours. Rows of other tables, and of indexes, are passed over; what is kept still has to authenticate.
func (s *scratch) take(ctx context.Context, r pages.Row) error {
	v := r.Values
	text := func(at ...int) bool { return all[string](v, at...) }
	number := func(at ...int) bool { return all[int64](v, at...) }
	switch {
	case !r.Keyed && v[0] != nil: // each of our tables has its row id as its first column, which is empty then
	case !r.Keyed && len(v) == 12 && text(1, 2, 3, 6, 7, 8, 9, 10, 11) && number(4, 5):
		s.most = max(s.most, r.ID)
		return s.keep(ctx, "journal", r.ID, r.Age, append([]any{r.ID}, v[1:]...))
	case !r.Keyed && len(v) == 11 && number(1, 4, 6, 7, 8, 9) && text(2, 3, 5, 10):
		return s.keep(ctx, "owed", r.ID, r.Age, append([]any{r.ID}, v[1:]...))
	case !r.Keyed && len(v) == 11 && text(1, 3) && number(2, 4, 6): // a sale as the tables have it: only how far the journal came
		s.most = max(s.most, cells(v).number(6))
	case !r.Keyed && len(v) == 9 && text(1, 2, 3, 4, 5, 6) && all[[]byte](v, 7, 8):
		return s.keep(ctx, "audit", r.ID, r.Age, append([]any{r.ID}, v[1:]...))
	case !r.Keyed:
	case len(v) == 2 && text(0) && all[[]byte](v, 1):
		_, err := s.put["tag"].ExecContext(ctx, v...)
		return err
	case len(v) == 3 && text(0, 1) && number(2):
		return s.keep(ctx, "named", v[0], r.Age, v)
	case len(v) == 4 && text(0, 2) && number(1) && all[[]byte](v, 3):
		return s.keep(ctx, "card", fmt.Sprintf("%v/%v", v[0], v[1]), r.Age, v)
	case (len(v) == 4 || len(v) == 7) && text(0, 2, 3) && number(1):
		id, record := fmt.Sprintf("%v/%v", v[0], v[1]), any("")
		if len(v) == 7 {
			record = v[4]
		}
		return s.keep(ctx, "batch", id, r.Age, []any{id, v[2], v[3], record, v[0], v[1]})
	}
	return nil
}

func (s *scratch) keep(ctx context.Context, table string, id any, age int64, columns []any) error {
	_, err := s.put[table].ExecContext(ctx, append([]any{id, age}, columns...)...)
	return err
}

func all[T any](v []any, at ...int) bool {
	for _, i := range at {
		if _, ok := v[i].(T); !ok {
			return false
		}
	}
	return true
}

// tags are all tags that were found for a row.
func (s *scratch) tags(ctx context.Context, of string) (tags [][]byte, err error) {
	rows, err := s.db.QueryContext(ctx, "SELECT tag FROM tag WHERE of = ?", of)
	if err != nil {
		return nil, err
	}
	found, err := collect(rows, scanCells)
	for _, c := range found {
		tags = append(tags, c.bytes(0))
	}
	return tags, err
}

// each gives the versions of each row of a table, newest first, in the order of what names them.
func (s *scratch) each(ctx context.Context, table string, do func(id any, versions []cells) error) error {
	for after := any(nil); ; {
		ids, err := s.read(ctx, "SELECT DISTINCT id FROM "+table+" WHERE ?1 IS NULL OR id > ?1 ORDER BY id LIMIT 500", after)
		if err != nil || len(ids) == 0 {
			return err
		}
		for _, id := range ids {
			after = id[0]
			versions, err := s.versions(ctx, table, id[0])
			if err != nil {
				return err
			}
			if err := do(id[0], versions); err != nil {
				return err
			}
		}
	}
}

// versions are those of one row, newest first, each without its age.
func (s *scratch) versions(ctx context.Context, table string, id any) ([]cells, error) {
	found, err := s.read(ctx, "SELECT * FROM "+table+" WHERE id = ? ORDER BY age DESC, rowid DESC", id)
	for i := range found {
		found[i] = found[i][2:]
	}
	return found, err
}

func (s *scratch) read(ctx context.Context, query string, args ...any) ([]cells, error) {
	rows, err := s.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanCells)
}
