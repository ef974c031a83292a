package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// evidence is what lies on the terminal's disk at the end, read by nothing of the terminal's: SQLite's own driver, JSON, and the
// names of columns and members, which are part of what integrators rely on.
type evidence struct {
	sales   []savedSale  // by number
	debts   []savedDebt  // by number
	batches []savedBatch // by number
	sealed  []string     // what is kept sealed: purpose and number
	rows    []savedRow
	text    [][]byte // of a journal in memory: all that would be on disk in the clear
}

type savedMoney struct {
	Minor    int64  `json:"minor"`
	Currency string `json:"currency"`
}

// savedSale is a sale as its newest journal row has it.
type savedSale struct {
	ID       uint64     `json:"id"`
	Kind     string     `json:"kind"`
	State    string     `json:"state"`
	Batch    uint32     `json:"batch"`
	LeftOut  uint32     `json:"left_out"`
	Amount   savedMoney `json:"amount"`
	Key      string     `json:"key"`
	STAN     uint32     `json:"stan"`
	Code     string     `json:"rc"`
	RRN      string     `json:"rrn"`
	Of       int64      `json:"of"`
	Approved savedMoney `json:"approved"`
	Way      string     `json:"way"`
	Outcome  struct {
		Code string `json:"code"`
	} `json:"outcome"`

	projected string // what its projection says
}

// taken is what the card paid: less than the amount where the host approved less.
func (s savedSale) taken() int64 {
	if s.Approved.Minor > 0 {
		return s.Approved.Minor
	}
	return s.Amount.Minor
}

// asked says that the host approved it before anybody read "approved".
func (s savedSale) asked() bool {
	return s.Way != "offline" && s.Way != "deferred" && s.Way != "voice" && s.Kind != "completion"
}

// reads says that a chip had the last word on it.
func (s savedSale) reads() bool { return s.Kind == "sale" || s.Kind == "preauth" }

func (s savedSale) stan() string { return fmt.Sprintf("%06d", s.STAN) }

type savedDebt struct {
	id, sale    int64
	kind, state string
	stan        uint32
	attempts    int
}

// savedBatch is a batch's row and what its record says of the end.
type savedBatch struct {
	number   uint32
	state    string
	balanced bool
	lines    []savedTotals
}

type savedTotals struct {
	Sales      int   `json:"sales"`
	SalesSum   int64 `json:"sales_sum"`
	Refunds    int   `json:"refunds"`
	RefundsSum int64 `json:"refunds_sum"`
}

// totals is what the batch came to here, as messages say it: sales, then refunds.
func (b savedBatch) totals() string {
	var t savedTotals
	for _, l := range b.lines {
		t.Sales, t.SalesSum = t.Sales+l.Sales, t.SalesSum+l.SalesSum
		t.Refunds, t.RefundsSum = t.Refunds+l.Refunds, t.RefundsSum+l.RefundsSum
	}
	return fmt.Sprintf("%03d%012d%03d%012d", t.Sales, t.SalesSum, t.Refunds, t.RefundsSum)
}

type savedRow struct {
	kind          string
	sale, debt    int64
	event, became string
	duties        string // separated by blanks
	way           string // of a sale's row
	amount        int64  // of it, as it was taken
}

var finalStates = []string{"Approved", "Declined", "Cancelled", "Reversed"}

func (s savedSale) final() bool { return slices.Contains(finalStates, s.State) }

func (d savedDebt) final() bool {
	return slices.Contains([]string{"Acknowledged", "Discharged", "WrittenOff"}, d.state)
}

// evidence reads the disk as it lies there.
func (d *simDisk) evidence(ctx context.Context) (evidence, error) {
	if d.memory != nil {
		return d.memory.evidence()
	}
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(d.dir, "journal.db")+"?mode=ro")
	if err != nil {
		return evidence{}, err
	}
	e, err := readEvidence(ctx, db)
	return e, errors.Join(err, db.Close())
}

func readEvidence(ctx context.Context, db *sql.DB) (e evidence, err error) {
	query := func(scan func(*sql.Rows) error, text string) {
		rows, qerr := db.QueryContext(ctx, text)
		if qerr != nil {
			err = errors.Join(err, qerr)
			return
		}
		defer func() { err = errors.Join(err, rows.Close()) }()
		for rows.Next() {
			err = errors.Join(err, scan(rows))
		}
		err = errors.Join(err, rows.Err())
	}
	query(func(r *sql.Rows) error {
		var record, state string
		if err := r.Scan(&state, &record); err != nil {
			return err
		}
		return e.sale(state, []byte(record))
	}, "SELECT s.state, j.record FROM sale s JOIN journal j ON j.seq = s.seq ORDER BY s.id")
	query(func(r *sql.Rows) error {
		var d savedDebt
		err := r.Scan(&d.id, &d.sale, &d.kind, &d.stan, &d.state, &d.attempts)
		e.debts = append(e.debts, d)
		return err
	}, "SELECT id, sale, kind, stan, state, attempts FROM owed ORDER BY id")
	query(func(r *sql.Rows) error {
		var b savedBatch
		var record string
		if err := r.Scan(&b.number, &b.state, &record); err != nil {
			return err
		}
		return e.batch(b, []byte(record))
	}, "SELECT number, state, record FROM batch ORDER BY number")
	query(func(r *sql.Rows) error {
		var purpose string
		var id int64
		err := r.Scan(&purpose, &id)
		e.sealed = append(e.sealed, sealedName(purpose, id))
		return err
	}, "SELECT purpose, id FROM card ORDER BY purpose, id")
	query(func(r *sql.Rows) error {
		var row savedRow
		err := r.Scan(&row.kind, &row.sale, &row.debt, &row.event, &row.became, &row.duties, &row.way, &row.amount)
		e.rows = append(e.rows, row)
		return err
	}, `SELECT kind, sale, debt, event, becomes, duties,
		coalesce(json_extract(nullif(record, ''), '$.way'), ''),
		coalesce(json_extract(nullif(record, ''), '$.approved.minor'), json_extract(nullif(record, ''), '$.amount.minor'), 0)
		FROM journal ORDER BY seq`)
	return e, err
}

func (e *evidence) sale(projected string, record []byte) error {
	s := savedSale{projected: projected}
	err := json.Unmarshal(record, &s)
	e.sales = append(e.sales, s)
	return err
}

func (e *evidence) batch(b savedBatch, record []byte) error {
	var said struct {
		State    string        `json:"state"`
		Balanced bool          `json:"balanced"`
		Totals   []savedTotals `json:"totals"`
	}
	if err := json.Unmarshal(record, &said); err != nil {
		return err
	}
	if said.State != b.state {
		return fmt.Errorf("batch %d is %s, and its record says %s", b.number, b.state, said.State)
	}
	b.balanced, b.lines = said.Balanced, said.Totals
	e.batches = append(e.batches, b)
	return nil
}

func (j *memoryJournal) evidence() (e evidence, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, id := range j.ids() {
		err = errors.Join(err, e.sale(string(j.sales[id].head.State), j.sales[id].record))
	}
	for _, d := range j.debts {
		e.debts = append(e.debts, savedDebt{
			id: d.ID, sale: int64(d.Sale), kind: string(d.Kind), stan: d.STAN, state: string(d.State), attempts: d.Attempts, //nolint:gosec // sale numbers stay below 2^63
		})
	}
	for _, b := range j.batches {
		record, jerr := json.Marshal(b)
		err = errors.Join(err, jerr, e.batch(savedBatch{number: b.Number, state: string(b.State)}, record))
	}
	for name := range j.sealed {
		e.sealed = append(e.sealed, name)
	}
	slices.Sort(e.sealed)
	for _, r := range j.rows {
		row := savedRow{kind: string(r.kind), event: r.event, became: r.to}
		if r.sale != nil {
			row.sale, row.way, row.amount = int64(r.sale.ID), string(r.sale.Way), r.sale.Taken().Minor //nolint:gosec // sale numbers stay below 2^63
			for _, d := range r.duties {
				row.duties += string(d) + " "
			}
		}
		if r.debt != nil {
			row.sale, row.debt = int64(r.debt.Sale), r.debt.ID //nolint:gosec // as above
		}
		e.rows = append(e.rows, row)
		e.text = append(e.text, r.record, []byte(r.note))
	}
	return e, err
}

// messages counts what is kept sealed beside the cards.
func (e evidence) messages() (n int) {
	for _, s := range e.sealed {
		if !strings.HasPrefix(s, "card ") {
			n++
		}
	}
	return n
}
