package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"

	"tillway/terminal/people"
)

// Report is what Verify found.
type Report struct {
	Rows     int64            `json:"rows"` // looked at
	Audit    int64            `json:"audit"`
	Findings []people.Finding `json:"findings"`
	More     bool             `json:"more,omitempty"` // there are more findings than are listed
}

const maxFindings = 1000

func (r *Report) add(f people.Finding) {
	if len(r.Findings) >= maxFindings {
		r.More = true
		return
	}
	r.Findings = append(r.Findings, f)
}

// Verify reads every row of audit log, journal, projections, people and sealed card data, and names each that is missing,
// changed, out of order or cut off. It may run beside sales: it reads in pieces and holds nobody up.
func (s *Store) Verify(ctx context.Context) (Report, error) {
	r := Report{Findings: []people.Finding{}}
	for _, check := range []func(context.Context, *Report) error{
		s.verifyAudit, s.verifyJournal, s.verifySales, s.verifyOwed, s.verifyBatches, s.verifyPeople, s.verifyECRs, s.verifyCards,
	} {
		if err := check(ctx, &r); err != nil {
			return r, err
		}
	}
	return r, nil
}

// anchor is a head that somebody keeps.
type anchor struct {
	whose string
	seq   int64
	hash  people.Sum
	exact bool
}

func (s *Store) verifyAudit(ctx context.Context, r *Report) error {
	anchors, err := s.anchors(ctx, r)
	if err != nil {
		return err
	}
	end := int64(math.MaxInt64)
	for _, a := range anchors {
		if a.exact {
			end = a.seq
		}
	}
	known := map[int64]people.Sum{}
	var chain people.Chain
	for after, n := int64(math.MinInt64), 500; n == 500; {
		rows, err := s.auditRows(ctx, "WHERE a.seq > ? ORDER BY a.seq LIMIT 500", after)
		if err != nil {
			return err
		}
		n = len(rows)
		for _, row := range rows {
			after = row.Seq
			if known[row.Seq] = row.Hash; !wanted(anchors, row.Seq) {
				delete(known, row.Seq)
			}
			if row.Seq <= end || !s.newer(ctx, end) { // rows that came since the head was read are for the next time
				chain.Next(row.Row, row.authentic)
				r.Audit++
				r.Rows++
			}
		}
	}
	for _, a := range anchors {
		chain.End(a.whose, a.seq, a.hash, func(seq int64) (people.Sum, bool) { h, ok := known[seq]; return h, ok }, a.exact)
	}
	for _, f := range chain.Found() {
		r.add(f)
	}
	return nil
}

func wanted(anchors []anchor, seq int64) bool {
	for _, a := range anchors {
		if a.seq == seq {
			return true
		}
	}
	return false
}

// newer says whether the store itself has appended rows behind the end.
func (s *Store) newer(ctx context.Context, end int64) bool {
	last, err := s.AuditEnd(ctx)
	return err == nil && last > end
}

// anchors are the sealed head in the database, the anchor file, and the one put aside.
func (s *Store) anchors(ctx context.Context, r *Report) ([]anchor, error) {
	last, err := s.AuditEnd(ctx)
	if err != nil {
		return nil, err
	}
	heads, err := read(ctx, s, scanCells, "SELECT tag FROM proof WHERE of = ?", headPlace)
	if err != nil {
		return nil, err
	}
	var found []anchor
	var stopped error
	take := func(whose string, sealed []byte, there, needed, exact bool) {
		if !there {
			if needed {
				r.add(people.Finding{Table: people.AuditTable, Problem: whose + " is gone"})
			}
			return
		}
		seq, hash, err := s.openHead(ctx, sealed)
		if stops(err) {
			stopped = err
			return
		}
		if err != nil {
			r.add(people.Finding{Table: people.AuditTable, Problem: whose + " is damaged or another's"})
			return
		}
		found = append(found, anchor{whose, seq, hash, exact})
	}
	var head []byte
	if len(heads) > 0 {
		head = heads[0].bytes(0)
	}
	for _, file := range []struct {
		path, whose string
		needed      bool
	}{
		{anchorPath(s.path), "the anchor file", last > 0},
		{lostPath(s.path), "the anchor file put aside at an earlier start", false},
	} {
		sealed, err := readSmall(file.path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		take(file.whose, sealed, err == nil, file.needed, false)
	}
	take("the sealed head", head, len(heads) > 0, last > 0, true)
	return found, stopped
}

// pieces reads a table in order, a piece at a time; the first column is the order.
func (s *Store) pieces(ctx context.Context, r *Report, query, order string, from any, each func(cells) error) error {
	for after, n := from, 500; n == 500; {
		all, err := read(ctx, s, scanCells, query+" WHERE "+order+" > ? ORDER BY "+order+" LIMIT 500", after)
		if err != nil {
			return err
		}
		n = len(all)
		for _, c := range all {
			after = c[0]
			r.Rows++
			if err := each(c); err != nil {
				return err
			}
			if err := ctx.Err(); err != nil {
				return err
			}
		}
	}
	return nil
}

// note notes a row's soundness in the report and in the quarantine.
func (s *Store) note(ctx context.Context, r *Report, table string, id any, cause error) error {
	if errors.Is(cause, errNewerRecord) {
		cause = nil // authentic, and another program's
	}
	bad, err := s.judge(ctx, place(table, id), cause)
	if bad && err == nil {
		r.add(people.Finding{Table: table, Row: fmt.Sprint(id), Problem: short(cause)})
	}
	return err
}

func (s *Store) verifyJournal(ctx context.Context, r *Report) error {
	var last int64
	return s.pieces(ctx, r, rowQuery, "j.seq", int64(math.MinInt64), func(c cells) error {
		if seq := c.number(0); seq != last+1 {
			r.add(people.Finding{Table: "journal", Row: fmt.Sprintf("%d to %d", last+1, seq-1), Problem: "missing"})
		}
		last = c.number(0)
		_, err := s.rowOf(ctx, c)
		return s.note(ctx, r, "journal", c[0], err)
	})
}

func (s *Store) verifySales(ctx context.Context, r *Report) error {
	err := s.pieces(ctx, r, saleQuery, "s.id", int64(math.MinInt64), func(c cells) error {
		_, err := s.saleOf(ctx, c)
		return s.note(ctx, r, "sale", c[0], err)
	})
	if err != nil {
		return err
	}
	return s.missing(ctx, r, "sale", "SELECT DISTINCT j.sale FROM journal j WHERE j.kind = 'sale' AND NOT EXISTS (SELECT 1 FROM sale s WHERE s.id = j.sale) LIMIT 1000")
}

func (s *Store) verifyOwed(ctx context.Context, r *Report) error {
	err := s.pieces(ctx, r, `SELECT o.id, o.sale, o.acquirer, o.kind, o.stan, o.state, o.final, o.attempts, o.not_before, o.created, o.reason, p.tag
		FROM owed o LEFT JOIN proof p ON p.of = 'owed/' || o.id`, "o.id", int64(math.MinInt64), func(c cells) error {
		err := s.authentic(ctx, c.bytes(11), place("owed", c[0]), c[:11]...)
		if err == nil && s.quarantined(place("owed", c[0])) {
			return nil // its message does not open: the sealed row says so
		}
		return s.note(ctx, r, "owed", c[0], err)
	})
	if err != nil {
		return err
	}
	return s.missing(ctx, r, "owed", "SELECT substr(of, 6) FROM proof WHERE of GLOB 'owed/*' AND NOT EXISTS (SELECT 1 FROM owed o WHERE 'owed/' || o.id = of) LIMIT 1000")
}

func (s *Store) verifyBatches(ctx context.Context, r *Report) error {
	return s.pieces(ctx, r, batchQuery, "b.acquirer || '/' || b.number", "", func(c cells) error {
		_, err := s.batchOf(ctx, c)
		return s.note(ctx, r, "batch", c[0], err)
	})
}

func (s *Store) verifyPeople(ctx context.Context, r *Report) error {
	err := s.pieces(ctx, r, personQuery, "n.name", "", func(c cells) error {
		_, err := everybody().of(ctx, s, c)
		return s.note(ctx, r, "person", c[0], err)
	})
	if err != nil {
		return err
	}
	return s.missing(ctx, r, "person", `SELECT DISTINCT person FROM audit WHERE person <> '' AND person NOT GLOB 'ecr:*' AND NOT EXISTS (SELECT 1 FROM person n WHERE n.name = audit.person) LIMIT 1000`)
}

func (s *Store) verifyECRs(ctx context.Context, r *Report) error {
	err := s.pieces(ctx, r, ecrQuery, "e.name", "", func(c cells) error {
		_, err := registers().of(ctx, s, c)
		return s.note(ctx, r, "ecr", c[0], err)
	})
	if err != nil {
		return err
	}
	return s.missing(ctx, r, "ecr", `SELECT DISTINCT substr(person, 5) FROM audit WHERE person GLOB 'ecr:*' AND NOT EXISTS (SELECT 1 FROM ecr e WHERE 'ecr:' || e.name = audit.person) LIMIT 1000`)
}

func (s *Store) verifyCards(ctx context.Context, r *Report) error {
	return s.pieces(ctx, r, "SELECT purpose || '/' || id, purpose, id, key, sealed FROM card", "purpose || '/' || id", "", func(c cells) error {
		_, err := s.sealer.Open(ctx, c.text(3), associated(c.text(1), c.number(2), c.text(3)), c.bytes(4))
		if err != nil {
			err = s.blame(ctx, err)
		}
		return s.note(ctx, r, "card", c[0], err)
	})
}

func (s *Store) missing(ctx context.Context, r *Report, table, query string) error {
	gone, err := read(ctx, s, scanCells, query)
	if err != nil {
		return err
	}
	for _, c := range gone {
		r.add(people.Finding{Table: table, Row: fmt.Sprint(c[0]), Problem: "missing"})
	}
	return nil
}
