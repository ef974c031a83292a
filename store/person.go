package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"tillway/terminal"
	"tillway/terminal/people"
)

// personQuery reads a person's row with its tag and the number of the newest audit row that wrote one for them: an older
// record put back, say from before a lock, has an older number.
const personQuery = `SELECT n.name, n.record, n.seq, p.tag, (SELECT max(a.seq) FROM audit a WHERE a.person = n.name AND a.person <> '')
	FROM person n LEFT JOIN proof p ON p.of = 'person/' || n.name `

// registry is a table of records by name, each under its tag and with the number of the audit row that wrote it: people and cash
// registers.
type registry[R any] struct {
	table string // and the place of its tags
	whose string // for the error of one in quarantine
	query string // name, record, seq, tag and the newest audit row about it
	most  int    // records that there can be
	none  error  // there is none of that name

	parse func(record []byte) (R, error)
	wrote func(r *R, seq int64) (name string) // notes the audit row, and says under which name the record is
}

func everybody() registry[people.Person] {
	return registry[people.Person]{
		"person", "a person", personQuery, people.MaxPeople, people.ErrNoPerson, people.ParsePerson,
		func(p *people.Person, seq int64) string { p.Seq = seq; return p.Name },
	}
}

// find is the record of a name, where query's alias of the table is given. Errors: none, terminal.ErrQuarantined.
func (r registry[R]) find(ctx context.Context, s *Store, where, name string) (found R, err error) {
	all, err := read(ctx, s, scanCells, r.query+where, name)
	if err != nil {
		return found, err
	}
	if len(all) == 0 {
		return found, r.none
	}
	one, err := r.of(ctx, s, all[0])
	bad, err := s.judge(ctx, place(r.table, all[0][0]), err)
	if bad && err == nil {
		err = fmt.Errorf("the record of %s: %w", r.whose, terminal.ErrQuarantined)
	}
	if err != nil {
		return found, err
	}
	return one, nil
}

// all are the records in an order, without those in quarantine.
func (r registry[R]) all(ctx context.Context, s *Store, order string) ([]R, error) {
	rows, err := read(ctx, s, scanCells, r.query+order+" LIMIT ?", r.most)
	if err != nil {
		return nil, err
	}
	found := make([]R, 0, len(rows))
	for _, c := range rows {
		one, err := r.of(ctx, s, c)
		bad, err := s.judge(ctx, place(r.table, c[0]), err)
		if err != nil {
			return nil, err
		}
		if !bad {
			found = append(found, one)
		}
	}
	return found, nil
}

var errOldRecord = errors.New("not the record that the audit log says was written last")

// of is the record of a row that authenticates.
func (r registry[R]) of(ctx context.Context, s *Store, c cells) (one R, err error) {
	if err := s.authentic(ctx, c.bytes(3), place(r.table, c[0]), c[:3]...); err != nil {
		return one, err
	}
	if c[2] != c[4] {
		return one, errOldRecord
	}
	if one, err = r.parse([]byte(c.text(1))); err != nil {
		return one, err
	}
	if r.wrote(&one, c.number(2)) != c.text(0) {
		return one, errProjection
	}
	return one, nil
}

// Person finds somebody by name. Errors: people.ErrNoPerson, terminal.ErrQuarantined.
func (s *Store) Person(ctx context.Context, name string) (people.Person, error) {
	return everybody().find(ctx, s, "WHERE n.name = ?", name)
}

// People is everybody, by name, without those in quarantine.
func (s *Store) People(ctx context.Context) ([]people.Person, error) {
	return everybody().all(ctx, s, "ORDER BY n.name")
}

// HasPeople says whether anybody was ever made here, also when somebody took the records away since.
func (s *Store) HasPeople(ctx context.Context) (bool, error) {
	found, err := read(ctx, s, func(rows *sql.Rows) (any bool, err error) { return any, rows.Scan(&any) },
		"SELECT EXISTS (SELECT 1 FROM person) OR EXISTS (SELECT 1 FROM audit WHERE person <> '' AND person NOT GLOB 'ecr:*')")
	if err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return found[0] || s.cut, nil
}

// PutPerson writes a person's record and the audit rows that say why, in one commit. The last entry must be about them. A
// record with Seq 0 is new, any other replaces the one it was read from. Errors: people.ErrExists, people.ErrEntry.
func (s *Store) PutPerson(ctx context.Context, p people.Person, entries ...people.Entry) error {
	if err := p.Check(); err != nil {
		return err
	}
	if len(entries) == 0 || entries[len(entries)-1].Person != p.Name {
		return fmt.Errorf("%s written without saying why: %w", p.Name, people.ErrEntry)
	}
	record, err := p.Record()
	if err != nil {
		return fmt.Errorf("encode %s: %w", p.Name, err)
	}
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.end()
	return s.auditing(context.WithoutCancel(ctx), func(ctx context.Context, tx *sql.Tx, seq int64) error {
		if err := writePerson(ctx, tx, p, string(record), seq); err != nil {
			return err
		}
		return s.prove(ctx, tx, place("person", p.Name), p.Name, string(record), seq)
	}, entries...)
}

func writePerson(ctx context.Context, tx *sql.Tx, p people.Person, record string, seq int64) error {
	if p.Seq != 0 {
		return one(tx.ExecContext(ctx, "UPDATE person SET record = ?, seq = ? WHERE name = ? AND seq = ?", record, seq, p.Name, p.Seq))
	}
	var known bool
	var count int
	if err := tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM person WHERE name = ?), (SELECT count(*) FROM person)", p.Name).Scan(&known, &count); err != nil {
		return err
	}
	if known {
		return fmt.Errorf("%s: %w", p.Name, people.ErrExists)
	}
	if count >= people.MaxPeople {
		return fmt.Errorf("%d people: %w", count, people.ErrExists)
	}
	_, err := tx.ExecContext(ctx, "INSERT INTO person (name, record, seq) VALUES (?, ?, ?)", p.Name, record, seq)
	return err
}
