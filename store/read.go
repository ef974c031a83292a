package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tillway/terminal"
)

// maxRead is the most rows that one read returns.
const maxRead = 1000

// saleQuery reads a sale: its projection, the number of its newest transition, and the journal row that the projection
// names, with its tag. A projection without its row is there too, and fails.
const saleQuery = `SELECT s.id, s.acquirer, s.batch, s.state, s.final, s.key, s.seq, s.token, s.kind, s.minor, s.about,
	(SELECT max(n.seq) FROM journal n WHERE n.sale = s.id AND n.kind = 'sale'),
	j.seq, j.time, j.kind, j.acquirer, j.sale, j.debt, j.was, j.event, j.becomes, j.duties, j.note, j.record, p.tag
	FROM sale s LEFT JOIN journal j ON j.seq = s.seq LEFT JOIN proof p ON p.of = 'journal/' || s.seq `

// Sale is one sale as it stands on disk. Error: terminal.ErrNoSale.
func (s *Store) Sale(ctx context.Context, id terminal.SaleID) (terminal.Sale, error) {
	return s.oneSale(ctx, saleQuery+"WHERE s.id = ?", int64(id))
}

// ByKey is lane.Journal's. A sale whose rows still wait is found too: the same key must not start another.
func (s *Store) ByKey(ctx context.Context, key string) (terminal.Sale, error) {
	if err := s.begin(ctx); err != nil {
		return terminal.Sale{}, err
	}
	defer s.end()
	if key == "" {
		return terminal.Sale{}, terminal.ErrNoSale
	}
	for i := len(s.waiting) - 1; i >= 0; i-- {
		if r := &s.waiting[i]; r.sale != nil && r.sale.Key == key {
			return decodeSale(string(r.record))
		}
	}
	return s.oneSale(ctx, saleQuery+"WHERE s.key = ?", key)
}

// Unfinished is lane.Journal's.
func (s *Store) Unfinished(ctx context.Context) ([]terminal.Sale, error) {
	return s.sales(ctx, saleQuery+`WHERE s.final = 0 OR s.state NOT IN ('Approved', 'Declined', 'Cancelled', 'Reversed') ORDER BY s.id`)
}

// Last is the newest n sales on disk (at most 1000), newest first.
func (s *Store) Last(ctx context.Context, n int) ([]terminal.Sale, error) {
	return s.sales(ctx, saleQuery+"ORDER BY s.id DESC LIMIT ?", bound(n))
}

// OfCard is the newest n sales (at most 1000) of the card that a sale was made with, newest first, the sale itself among
// them. It finds them by the card's token, never by its number. A sale whose card was not read has none. Error:
// terminal.ErrNoSale.
func (s *Store) OfCard(ctx context.Context, id terminal.SaleID, n int) ([]terminal.Sale, error) {
	sale, err := s.Sale(ctx, id)
	if err != nil || sale.Token == "" {
		return nil, err
	}
	return s.sales(ctx, saleQuery+"WHERE s.token = ? ORDER BY s.id DESC LIMIT ?", sale.Token, bound(n))
}

// Rows is the journal behind a sequence, oldest first, at most limit rows (and never more than 1000). Only rows on disk.
func (s *Store) Rows(ctx context.Context, after int64, limit int) ([]terminal.JournalRow, error) {
	return s.rows(ctx, rowQuery+"WHERE j.seq > ? ORDER BY j.seq LIMIT ?", after, bound(limit))
}

// SaleRows is the journal of one sale and its debts, oldest first. Error: terminal.ErrNoSale.
func (s *Store) SaleRows(ctx context.Context, id terminal.SaleID) ([]terminal.JournalRow, error) {
	rows, err := s.rows(ctx, rowQuery+"WHERE j.sale = ? AND j.sale <> 0 ORDER BY j.seq LIMIT ?", int64(id), maxRead)
	if err == nil && len(rows) == 0 {
		err = fmt.Errorf("sale %d: %w", id, terminal.ErrNoSale)
	}
	return rows, err
}

// PutOff is lane.Journal's.
func (s *Store) PutOff(ctx context.Context, d terminal.Debt) (time.Time, error) {
	rows, err := s.rows(ctx, rowQuery+"WHERE j.sale = ? AND j.sale <> 0 AND j.debt = ? AND j.kind = ? AND j.event = ? ORDER BY j.seq LIMIT 1",
		int64(d.Sale), d.ID, string(terminal.DebtEntry), string(terminal.DebtTryLater))
	if err != nil || len(rows) == 0 {
		return time.Time{}, err
	}
	return rows[0].Time, nil
}

const rowQuery = `SELECT j.seq, j.time, j.kind, j.acquirer, j.sale, j.debt, j.was, j.event, j.becomes, j.duties, j.note, j.record, p.tag
	FROM journal j LEFT JOIN proof p ON p.of = 'journal/' || j.seq `

// debtQuery reads a debt with its tag, whether its sale is over, and its message. Neither a flag nor a state that was
// changed, nor a sale that is not there, hides a debt.
const debtQuery = `SELECT o.id, o.sale, o.acquirer, o.kind, o.stan, o.state, o.final, o.attempts, o.not_before, o.created, o.reason, p.tag,
	s.final, c.key, c.sealed
	FROM owed o LEFT JOIN proof p ON p.of = 'owed/' || o.id LEFT JOIN sale s ON s.id = o.sale
	LEFT JOIN card c ON c.purpose = 'message' AND c.id = o.id
	WHERE (o.final = 0 OR o.state NOT IN ('Acknowledged', 'Discharged', 'WrittenOff')) `

// Debts is everything that waits or is parked, of every acquirer, in the order of owing, without messages. Debts in
// quarantine are left out.
func (s *Store) Debts(ctx context.Context) ([]terminal.Debt, error) {
	found, err := s.waitingDebts(ctx)
	if err != nil {
		return nil, err
	}
	debts := make([]terminal.Debt, len(found))
	for i := range found {
		debts[i] = found[i].debt
	}
	return debts, nil
}

// Due is lane.Journal's. A debt in quarantine (it does not authenticate, or its message did not open) is left out; the others go on.
func (s *Store) Due(ctx context.Context, acquirer string) ([]terminal.Debt, error) {
	found, err := s.waitingDebts(ctx)
	if err != nil {
		return nil, err
	}
	due := make([]terminal.Debt, 0, len(found))
	for _, f := range found {
		if f.debt.Acquirer == acquirer && f.debt.State != terminal.Parked && !s.quarantined(place("owed", f.debt.ID)) {
			due = append(due, f.debt)
		}
	}
	return due, nil
}

// Message is lane.Journal's. A message that does not open (changed, moved, or of a lost key) puts its debt into quarantine: logged
// without its content, and counted.
func (s *Store) Message(ctx context.Context, id int64) ([]byte, error) {
	all, err := read(ctx, s, scanCells, debtQuery+"AND o.id = ?", id)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, terminal.ErrNoDebt
	}
	of := place("owed", id)
	var message []byte
	cause := s.authentic(ctx, all[0].bytes(11), of, all[0][:11]...)
	if cause == nil {
		message, cause = s.open(ctx, debtOf(all[0]))
	}
	switch bad, err := s.judge(ctx, of, cause); {
	case err != nil:
		return nil, err
	case bad:
		return nil, terminal.ErrQuarantined
	}
	return message, nil
}

// Parked is lane.Journal's. It opens the message only where it is asked for: a parked debt stays sealed otherwise.
func (s *Store) Parked(ctx context.Context, id int64, message bool) (terminal.Debt, error) {
	waiting, err := s.waitingDebts(ctx)
	if err != nil {
		return terminal.Debt{}, err
	}
	at := slices.IndexFunc(waiting, func(f sealedDebt) bool { return f.debt.ID == id })
	of := place("owed", id)
	switch {
	case at < 0 && s.quarantined(of):
		return terminal.Debt{}, terminal.ErrQuarantined
	case at < 0:
		return terminal.Debt{}, terminal.ErrNoDebt
	case waiting[at].debt.State != terminal.Parked:
		return waiting[at].debt, terminal.ErrNotParked
	case !message:
		return waiting[at].debt, nil
	}
	d := waiting[at].debt
	d.Message, err = s.open(ctx, waiting[at])
	bad, err := s.judge(ctx, of, err)
	if err != nil {
		return terminal.Debt{}, err
	}
	if bad {
		return terminal.Debt{}, terminal.ErrQuarantined
	}
	return d, nil
}

// waitingDebts are the debts that wait or are parked, of sales that are over. A sale in quarantine does not run: its debt
// waits no longer for it.
func (s *Store) waitingDebts(ctx context.Context) ([]sealedDebt, error) {
	all, err := read(ctx, s, scanCells, debtQuery+"ORDER BY o.id")
	if err != nil {
		return nil, err
	}
	found, lost := make([]sealedDebt, 0, len(all)), []terminal.Debt(nil)
	for _, c := range all {
		over, known := c[12].(int64)
		if known && over == 0 && !s.quarantined(place("sale", c.number(1))) {
			continue
		}
		of := place("owed", c[0])
		if err := s.stillAuthentic(ctx, c.bytes(11), of, c[:11]...); err != nil {
			if _, err := s.judge(ctx, of, err); err != nil {
				return nil, err
			}
			lost = append(lost, debtOf(c).debt)
			continue
		}
		found = append(found, debtOf(c))
	}
	s.markBehind(found, lost)
	return found, nil
}

// markBehind says which reversal a debt waits for. What a row in quarantine claims to be is believed here alone: it holds up no more than
// word of the sale that it names.
func (s *Store) markBehind(found []sealedDebt, lost []terminal.Debt) {
	debts := make([]terminal.Debt, 0, len(found)+len(lost))
	for _, f := range found {
		debts = append(debts, f.debt)
	}
	terminal.MarkBehind(append(debts, lost...), func(d terminal.Debt) bool { return s.quarantined(place("owed", d.ID)) })
	for i := range found {
		found[i].debt.Behind = debts[i].Behind
	}
}

var errNoMessage = errors.New("its sealed message is gone")

func (s *Store) open(ctx context.Context, f sealedDebt) ([]byte, error) {
	if f.there {
		message, err := s.sealer.Open(ctx, f.key, associated(messagePurpose, f.debt.ID, f.key), f.sealed)
		if err != nil {
			err = s.blame(ctx, err)
		}
		return message, err
	}
	return nil, errNoMessage
}

// Counts is lane.Journal's. Quarantined debts are among those owed.
func (s *Store) Counts(ctx context.Context) (terminal.Counts, error) {
	type counts struct {
		owed, parked int
		oldest, sum  int64
	}
	found, err := read(ctx, s, func(rows *sql.Rows) (c counts, err error) {
		return c, rows.Scan(&c.owed, &c.parked, &c.oldest, &c.sum)
	}, `SELECT count(*) FILTER (WHERE o.state <> 'Parked'), count(*) FILTER (WHERE o.state = 'Parked'), coalesce(min(o.created), 0),
		coalesce(sum(s.minor) FILTER (WHERE o.kind <> 'reversal'), 0)
		FROM owed o LEFT JOIN sale s ON s.id = o.sale
		WHERE (o.final = 0 OR o.state NOT IN ('Acknowledged', 'Discharged', 'WrittenOff')) AND coalesce(s.final, 1) <> 0`)
	if err != nil {
		return terminal.Counts{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return terminal.Counts{
		Owed: found[0].owed, Parked: found[0].parked, Oldest: instant(found[0].oldest), Sum: found[0].sum, Highest: s.committed,
		Quarantined: len(s.bad), Clock: s.clockBack,
	}, nil
}

// read runs a query to its end. It does not give up halfway: reads are short, and an interrupt on the one connection
// could meet a commit.
func read[T any](ctx context.Context, s *Store, scan func(*sql.Rows) (T, error), query string, args ...any) ([]T, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := s.usable(); err != nil {
		return nil, err
	}
	rows, err := s.db.QueryContext(context.WithoutCancel(ctx), query, args...)
	if err != nil {
		return nil, explain(s.path, fmt.Errorf("read journal: %w", err))
	}
	all, err := collect(rows, scan)
	if err != nil {
		return nil, explain(s.path, fmt.Errorf("read journal: %w", err))
	}
	return all, nil
}

// oneSale is the sale that a query finds. Errors: terminal.ErrNoSale, terminal.ErrQuarantined.
func (s *Store) oneSale(ctx context.Context, query string, arg any) (terminal.Sale, error) {
	all, err := read(ctx, s, scanCells, query, arg)
	if err != nil {
		return terminal.Sale{}, err
	}
	if len(all) == 0 {
		return terminal.Sale{}, terminal.ErrNoSale
	}
	sale, err := s.saleOf(ctx, all[0])
	bad, err := s.judge(ctx, place("sale", all[0][0]), err)
	if bad && err == nil {
		err = fmt.Errorf("sale %v: %w", all[0][0], terminal.ErrQuarantined)
	}
	if err != nil {
		return terminal.Sale{}, err
	}
	return sale, nil
}

// sales are the sales that a query finds, without those in quarantine.
func (s *Store) sales(ctx context.Context, query string, args ...any) ([]terminal.Sale, error) {
	all, err := read(ctx, s, scanCells, query, args...)
	if err != nil {
		return nil, err
	}
	var found []terminal.Sale
	for _, c := range all {
		sale, err := s.saleOf(ctx, c)
		bad, err := s.judge(ctx, place("sale", c[0]), err)
		if err != nil {
			return nil, err
		}
		if !bad {
			found = append(found, sale)
		}
	}
	return found, nil
}

// rows are the journal rows that a query finds, without those in quarantine.
func (s *Store) rows(ctx context.Context, query string, args ...any) ([]terminal.JournalRow, error) {
	all, err := read(ctx, s, scanCells, query, args...)
	if err != nil {
		return nil, err
	}
	var found []terminal.JournalRow
	for _, c := range all {
		row, err := s.rowOf(ctx, c)
		bad, err := s.judge(ctx, place("journal", c[0]), err)
		if err != nil {
			return nil, err
		}
		if !bad {
			found = append(found, row)
		}
	}
	return found, nil
}

func bound(n int) int { return min(max(n, 0), maxRead) }

// Where the journal's columns begin in saleQuery's.
const journalAt, journalColumns = 12, 12

// saleOf is a sale as its authentic journal row says it; its projection has to say the same, and no newer row of it may be
// there.
func (s *Store) saleOf(ctx context.Context, c cells) (terminal.Sale, error) {
	row := c[journalAt:]
	if err := s.authentic(ctx, row.bytes(journalColumns), place("journal", row[0]), row[:journalColumns]...); err != nil {
		return terminal.Sale{}, err
	}
	sale, err := decodeSale(row.text(11))
	if err != nil {
		return sale, err
	}
	if c.number(0) != int64(sale.ID) || c.text(1) != sale.Acquirer || c.number(2) != int64(sale.Batch) || c.text(3) != string(sale.State) || //nolint:gosec // sale numbers stay below 2^63
		(c.number(4) != 0) != sale.State.Final() || c.text(5) != sale.Key || c.text(7) != sale.Token || c[6] != c[11] ||
		c.text(8) != string(sale.Kind) || c.number(9) != sale.CapturedMinor() || c.number(10) != int64(sale.Of) { //nolint:gosec // as above
		return sale, errors.New("the table and the journal do not say the same of it")
	}
	return sale, nil
}

// errNewerRecord stops a read: it is no damage.
var errNewerRecord = fmt.Errorf("%w: record", ErrNewer)

func decodeSale(record string) (sale terminal.Sale, err error) {
	if err := json.Unmarshal([]byte(record), &sale); err != nil {
		return sale, fmt.Errorf("%w: a sale's record cannot be read", ErrDamaged)
	}
	if sale.V > terminal.RecordVersion {
		return sale, fmt.Errorf("%w version %d, this program knows %d", errNewerRecord, sale.V, terminal.RecordVersion)
	}
	return sale, nil
}

// rowOf is a journal row, if it is authentic.
func (s *Store) rowOf(ctx context.Context, c cells) (r terminal.JournalRow, err error) {
	if err := s.authentic(ctx, c.bytes(journalColumns), place("journal", c[0]), c[:journalColumns]...); err != nil {
		return r, err
	}
	r = terminal.JournalRow{
		Seq: c.number(0), Kind: terminal.EntryKind(c.text(2)), Sale: terminal.SaleID(c.number(4)), //nolint:gosec // authentic: never negative
		From: terminal.State(c.text(6)), Event: c.text(7), To: c.text(8), Note: c.text(10),
	}
	for word := range strings.FieldsSeq(c.text(9)) {
		r.Duties = append(r.Duties, terminal.Duty(word))
	}
	if r.Time, err = time.Parse(time.RFC3339Nano, c.text(1)); err != nil {
		return r, fmt.Errorf("%w: row %d has no time", ErrDamaged, r.Seq)
	}
	switch r.Kind {
	case terminal.SaleEntry:
		sale, err := decodeSale(c.text(11))
		if err != nil {
			return r, fmt.Errorf("row %d: %w", r.Seq, err)
		}
		r.Record = &sale
	case terminal.DebtEntry:
		r.Debt = new(terminal.Debt)
		if err := json.Unmarshal([]byte(c.text(11)), r.Debt); err != nil {
			return r, fmt.Errorf("%w: row %d: a debt's record cannot be read", ErrDamaged, r.Seq)
		}
	case terminal.BatchEntry:
		r.Batch = new(terminal.Batch)
		if err := json.Unmarshal([]byte(c.text(11)), r.Batch); err != nil {
			return r, fmt.Errorf("%w: row %d: a batch's record cannot be read", ErrDamaged, r.Seq)
		}
	case terminal.StrayEntry, terminal.SignOnEntry, terminal.StartEntry:
	}
	return r, nil
}

type sealedDebt struct {
	debt   terminal.Debt
	there  bool // a sealed message
	key    string
	sealed []byte
}

// debtOf is a debt of an authentic row, in debtQuery's order.
func debtOf(c cells) sealedDebt {
	return sealedDebt{
		debt: terminal.Debt{
			ID: c.number(0), Sale: terminal.SaleID(c.number(1)), Acquirer: c.text(2), Kind: terminal.DebtKind(c.text(3)), //nolint:gosec // authentic: never negative
			STAN: uint32(c.number(4)), State: terminal.DebtState(c.text(5)), Attempts: int(c.number(7)), //nolint:gosec // authentic: was a uint32
			NotBefore: instant(c.number(8)), Since: instant(c.number(9)), Reason: c.text(10),
		},
		there: c[13] != nil, key: c.text(13), sealed: c.bytes(14),
	}
}
