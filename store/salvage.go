package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"tillway/terminal"
	"tillway/terminal/people"
)

// Salvage is what could be read out of a damaged journal, and what could not.
type Salvage struct {
	Rows  int `json:"rows"`  // of the journal, authentic and kept
	Audit int `json:"audit"` // of the audit log
	Sales int `json:"sales"` // that stand as they stood
	Debts int `json:"debts"` // that were ever owed
	Open  int `json:"open"`  // of them, those that wait or are parked

	Forged  int             `json:"forged"`            // versions of rows without their tag: changed, or another terminal's
	Missing []Span          `json:"missing,omitempty"` // numbers of journal rows that are gone
	Tail    string          `json:"tail,omitempty"`    // why what came last may be gone; empty: it is there
	Lost    []Span          `json:"lost,omitempty"`    // sale numbers of which there is nothing: given to a sale that is lost, or to none
	Ends    []LostEnd       `json:"ends,omitempty"`    // sales whose end is lost: the card may have been charged
	Owed    []LostEnd       `json:"owed,omitempty"`    // sales of which something may be owed to the bank and cannot be sent
	Parked  []terminal.Debt `json:"parked,omitempty"`  // debts that somebody has to decide about: they may have been sent
	Batches []string        `json:"batches,omitempty"` // whose settlement is lost
}

// Span is a run of numbers, both ends included.
type Span struct {
	First int64 `json:"first"`
	Last  int64 `json:"last"`
}

func (s Span) String() string {
	if s.First == s.Last {
		return fmt.Sprint(s.First)
	}
	return fmt.Sprintf("%d to %d", s.First, s.Last)
}

// LostEnd is a sale as far as it is known. It has no card data.
type LostEnd struct {
	Sale  terminal.SaleID `json:"sale"`
	STAN  uint32          `json:"stan,omitempty"`
	State terminal.State  `json:"state,omitempty"` // the last that is known
	Words string          `json:"words"`           // what is lost, and what to do
}

// SalvageConfig says what is read, and where to.
type SalvageConfig struct {
	Config        // of the new journal: Path must not be there
	From   string // the damaged database; its log and anchor are beside it. Nothing of it is changed
	Given  uint64 // the highest sale number that may have been given: the counter's, or the witness's
}

// tailGap is how far the numbers of new rows stay away from those that may be lost: whoever follows the journal by its numbers has seen those.
const tailGap = 100_000

// SalvageJournal reads what authenticates out of a damaged journal into a new one. It never writes over anything, and invents nothing: a row without
// its tag is left out; a sale whose end may be lost is not ended anew; what may have been sent already is parked, for somebody to ask the bank.
// The new journal has a hole where rows are lost, and Verify names it. Errors: ErrForeign, when nothing in it is this terminal's; fs.ErrExist.
func SalvageJournal(ctx context.Context, c SalvageConfig) (report Salvage, err error) {
	for _, suffix := range []string{"", "-wal", ".anchor", ".anchor.lost"} {
		if _, err := os.Lstat(c.Path + suffix); err == nil || !errors.Is(err, fs.ErrNotExist) {
			return report, fmt.Errorf("salvage to %s: %w: name a folder that is not there yet", c.Path+suffix, errors.Join(fs.ErrExist, err))
		}
	}
	scratch, err := newScratch(ctx, c.Path+".scratch")
	if err != nil {
		return report, fmt.Errorf("salvage: %w", err)
	}
	defer func() { err = errors.Join(err, scratch.close()) }()
	if err := scratch.scan(ctx, c.From); err != nil {
		return report, fmt.Errorf("salvage %s: %w", c.From, err)
	}
	s, err := Open(ctx, c.Config)
	if err != nil {
		return report, err
	}
	v := &salvage{Store: s, scratch: scratch, report: &report, given: c.Given, log: fileThere(c.From + "-wal")}
	if err := errors.Join(v.fill(ctx, c.From), s.Abort()); err != nil {
		return report, errors.Join(fmt.Errorf("salvage: %w", err), removeJournal(c.Path))
	}
	return report, v.settle(ctx, c)
}

func fileThere(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Size() > 0
}

// removeJournal takes back what a salvage made that came to nothing.
func removeJournal(path string) error {
	all, err := filepath.Glob(path + "*")
	for _, p := range all {
		if p != path+".scratch" {
			err = errors.Join(err, os.Remove(p))
		}
	}
	return err
}

// salvage fills a new journal.
type salvage struct {
	*Store
	scratch *scratch
	report  *Salvage
	given   uint64
	log     bool // there was a log

	tx     *sql.Tx
	last   int64 // row
	number int64 // of the last debt, while no row is missing: debts are numbered in the order of their duties
	sales  map[terminal.SaleID]*knownSale
	debts  map[int64]*knownDebt
	batch  map[string]*terminal.Batch // by place: the newest in the journal
	park   []int64
}

// knownSale is what the journal says of a sale.
type knownSale struct {
	seq        int64 // its newest row
	record     terminal.Sale
	discharged bool // its reversal
}

// knownDebt is what the journal says of a debt.
type knownDebt struct {
	seq   int64 // the newest row about it
	debt  terminal.Debt
	asked bool // there was an entry of its own: the state is the journal's
}

// fill reads everything that the scratch has into the journal, in one transaction.
func (v *salvage) fill(ctx context.Context, from string) (err error) {
	if v.tx, err = v.db.BeginTx(ctx, nil); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, rollback(v.tx))
		}
	}()
	v.sales, v.debts, v.batch = map[terminal.SaleID]*knownSale{}, map[int64]*knownDebt{}, map[string]*terminal.Batch{}
	restore, err := v.dropOrder(ctx)
	if err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{v.fillJournal, v.fillAudit, v.fillPeople} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	if v.report.Rows == 0 && v.report.Audit == 0 {
		return fmt.Errorf("%w: nothing in %s authenticates with this terminal's keys: it is another terminal's, or the keys are not those that it was written with", ErrForeign, from)
	}
	if err := v.findTail(ctx, from); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{v.fillBatches, v.fillSales, v.fillDebts, v.fillCards} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	v.lostNumbers()
	for _, statement := range restore {
		if _, err := v.tx.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return v.tx.Commit()
}

// dropOrder takes away the triggers that want rows without a hole, and gives the statements that bring them back.
func (v *salvage) dropOrder(ctx context.Context) (restore []string, err error) {
	for _, name := range []string{"journal_in_order", "audit_in_order"} {
		var text string
		if err := v.tx.QueryRowContext(ctx, "SELECT sql FROM sqlite_schema WHERE type = 'trigger' AND name = ?", name).Scan(&text); err != nil {
			return nil, err
		}
		if _, err := v.tx.ExecContext(ctx, "DROP TRIGGER "+name); err != nil {
			return nil, err
		}
		restore = append(restore, text)
	}
	return restore, nil
}

// keep writes a row as it was, with the tag that it had.
func (v *salvage) keep(ctx context.Context, insert *sql.Stmt, of string, tag []byte, c cells) error {
	if _, err := exec(ctx, v.tx, insert, c...); err != nil {
		return err
	}
	_, err := exec(ctx, v.tx, v.stmt.prove, of, tag)
	return err
}

// proven finds among versions of a row, newest first, the first that is authentic under one of the tags that were found for it.
func (v *salvage) proven(ctx context.Context, of string, versions []cells) (c cells, tag []byte, err error) {
	tags, err := v.scratch.tags(ctx, of)
	if err != nil {
		return nil, nil, err
	}
	for i, one := range versions {
		if i > 0 && slices.EqualFunc(one, versions[i-1], sameCell) {
			continue
		}
		for _, tag := range tags {
			switch err := v.authentic(ctx, tag, of, one...); {
			case err == nil:
				return one, tag, nil
			case stops(err):
				return nil, nil, err
			}
		}
		v.report.Forged++
	}
	return nil, nil, nil
}

func sameCell(a, b any) bool { return string(canonical("", a)) == string(canonical("", b)) }

// fillJournal keeps the journal's rows, and notes what they say.
func (v *salvage) fillJournal(ctx context.Context) error {
	return v.scratch.each(ctx, "journal", func(id any, versions []cells) error {
		c, tag, err := v.proven(ctx, place("journal", id), versions)
		if c == nil || err != nil {
			return err
		}
		if err := v.keep(ctx, v.stmt.journal, place("journal", id), tag, c); err != nil {
			return err
		}
		if seq := c.number(0); seq != v.last+1 {
			v.report.Missing = append(v.report.Missing, Span{v.last + 1, seq - 1})
		}
		v.last = c.number(0)
		v.report.Rows++
		return v.note(c)
	})
}

// note notes what an authentic row says.
func (v *salvage) note(c cells) error {
	switch terminal.EntryKind(c.text(2)) {
	case terminal.SaleEntry:
		return v.noteSale(c)
	case terminal.DebtEntry:
		var d terminal.Debt
		if err := json.Unmarshal([]byte(c.text(11)), &d); err != nil {
			return fmt.Errorf("%w: row %d: a debt's record cannot be read", ErrDamaged, c.number(0))
		}
		if known := v.debts[d.ID]; known != nil && d.Since.IsZero() {
			d.Since = known.debt.Since
		}
		v.debts[d.ID] = &knownDebt{seq: c.number(0), debt: d, asked: true}
	case terminal.BatchEntry:
		var b terminal.Batch
		if err := json.Unmarshal([]byte(c.text(11)), &b); err != nil {
			return fmt.Errorf("%w: row %d: a batch's record cannot be read", ErrDamaged, c.number(0))
		}
		v.batch[fmt.Sprintf("%s/%d", b.Acquirer, b.Number)] = &b
	case terminal.StrayEntry, terminal.SignOnEntry, terminal.StartEntry:
	}
	return nil
}

func (v *salvage) noteSale(c cells) error {
	sale, err := decodeSale(c.text(11))
	if err != nil {
		return err
	}
	k := v.sales[sale.ID]
	if k == nil {
		k = &knownSale{}
		v.sales[sale.ID] = k
	}
	k.seq, k.record = c.number(0), sale
	at, err := time.Parse(time.RFC3339Nano, c.text(1))
	if err != nil {
		return fmt.Errorf("%w: row %d has no time", ErrDamaged, c.number(0))
	}
	for _, duty := range dutiesOf(c.text(9)) {
		kind, owes := map[terminal.Duty]terminal.DebtKind{
			terminal.OweReversal: terminal.ReversalDebt, terminal.OweAdvice: terminal.AdviceDebt, terminal.OweDeferred: terminal.DeferredDebt,
		}[duty]
		if !owes {
			k.discharged = true
			continue
		}
		v.number++
		if len(v.report.Missing) > 0 {
			continue // what came before is not known, and so not its number
		}
		v.debts[v.number] = &knownDebt{seq: k.seq, debt: terminal.Debt{
			ID: v.number, Sale: sale.ID, Acquirer: sale.Acquirer, Kind: kind, STAN: sale.STAN, State: terminal.Owed, Since: at,
		}}
	}
	return nil
}

// fillAudit keeps the audit log's rows and, where it is of the last of them, its sealed head.
func (v *salvage) fillAudit(ctx context.Context) error {
	var last cells
	err := v.scratch.each(ctx, "audit", func(id any, versions []cells) error {
		c, tag, err := v.proven(ctx, place(people.AuditTable, id), versions)
		if c == nil || err != nil {
			return err
		}
		last = c
		v.report.Audit++
		return v.keep(ctx, v.stmt.audit, place(people.AuditTable, id), tag, c)
	})
	if err != nil || last == nil {
		return err
	}
	heads, err := v.scratch.tags(ctx, headPlace)
	if err != nil {
		return err
	}
	for _, head := range heads {
		seq, hash, err := v.openHead(ctx, head)
		if stops(err) {
			return err
		}
		if err == nil && seq == last.number(0) && string(hash[:]) == string(last.bytes(8)) {
			_, err = exec(ctx, v.tx, v.stmt.prove, headPlace, head)
			return err
		}
	}
	return nil
}

// fillPeople keeps people and cash registers, each as the newest audit row about them says.
func (v *salvage) fillPeople(ctx context.Context) error {
	for _, table := range []string{"person", "ecr"} {
		insert, err := v.tx.PrepareContext(ctx, "INSERT INTO "+table+" (name, record, seq) VALUES (?, ?, ?)")
		if err != nil {
			return err
		}
		err = v.scratch.each(ctx, "named", func(id any, versions []cells) error {
			slices.SortStableFunc(versions, func(a, b cells) int { return int(b.number(2) - a.number(2)) })
			forged := v.report.Forged
			c, tag, err := v.proven(ctx, place(table, id), versions)
			v.report.Forged = forged // it may be of the other table
			if c == nil || err != nil {
				return err
			}
			return v.keep(ctx, insert, place(table, id), tag, c)
		})
		if err := errors.Join(err, insert.Close()); err != nil {
			return err
		}
	}
	return nil
}
