package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"tillway/terminal"
)

// maxRead is the most rows that one read returns.
const maxRead = 1000

// saleQuery reads a sale's record: that of the journal row which its projection names.
const saleQuery = "SELECT j.record FROM sale s JOIN journal j ON j.seq = s.seq "

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
	return read(ctx, s, scanSale, saleQuery+"WHERE s.final = 0 ORDER BY s.id")
}

// Last is the newest n sales on disk (at most 1000), newest first.
func (s *Store) Last(ctx context.Context, n int) ([]terminal.Sale, error) {
	return read(ctx, s, scanSale, saleQuery+"ORDER BY s.id DESC LIMIT ?", bound(n))
}

// Rows is the journal behind a sequence, oldest first, at most limit rows (and never more than 1000). Only rows on disk.
func (s *Store) Rows(ctx context.Context, after int64, limit int) ([]terminal.JournalRow, error) {
	return read(ctx, s, scanRow, rowQuery+"WHERE seq > ? ORDER BY seq LIMIT ?", after, bound(limit))
}

// SaleRows is the journal of one sale and its debts, oldest first. Error: terminal.ErrNoSale.
func (s *Store) SaleRows(ctx context.Context, id terminal.SaleID) ([]terminal.JournalRow, error) {
	rows, err := read(ctx, s, scanRow, rowQuery+"WHERE sale = ? AND sale <> 0 ORDER BY seq LIMIT ?", int64(id), maxRead)
	if err == nil && len(rows) == 0 {
		err = fmt.Errorf("sale %d: %w", id, terminal.ErrNoSale)
	}
	return rows, err
}

const rowQuery = "SELECT seq, time, kind, sale, was, event, becomes, duties, note, record FROM journal "

const debtQuery = `SELECT o.id, o.sale, o.acquirer, o.kind, o.stan, o.state, o.attempts, o.not_before, o.reason, c.key, c.sealed
	FROM owed o JOIN sale s ON s.id = o.sale LEFT JOIN card c ON c.purpose = 'message' AND c.id = o.id
	WHERE o.final = 0 AND s.final = 1 `

// Debts is everything that waits or is parked, of every acquirer, in the order of owing, without messages.
func (s *Store) Debts(ctx context.Context) ([]terminal.Debt, error) {
	found, err := read(ctx, s, scanDebt, debtQuery+"ORDER BY o.id")
	if err != nil {
		return nil, err
	}
	debts := make([]terminal.Debt, len(found))
	for i := range found {
		debts[i] = found[i].debt
	}
	return debts, nil
}

// Due is lane.Journal's. A debt whose message does not open (a row changed, moved, or of a lost key) is left out, logged
// without its content and counted by Quarantined; the others go on.
func (s *Store) Due(ctx context.Context, acquirer string) ([]terminal.Debt, error) {
	found, err := read(ctx, s, scanDebt, debtQuery+"AND o.acquirer = ? AND o.state IN ('Owed', 'Sent') ORDER BY o.id", acquirer)
	if err != nil {
		return nil, err
	}
	due := make([]terminal.Debt, 0, len(found))
	for _, f := range found {
		message, err := s.open(ctx, f)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if s.quarantine(ctx, f.debt, err) {
			continue
		}
		f.debt.Message = message
		due = append(due, f.debt)
	}
	return due, nil
}

var errNoMessage = errors.New("its sealed message is gone")

func (s *Store) open(ctx context.Context, f sealedDebt) ([]byte, error) {
	if f.key.Valid {
		return s.sealer.Open(ctx, f.key.String, associated(messagePurpose, f.debt.ID, f.key.String), f.sealed)
	}
	if f.debt.Kind == terminal.AdviceDebt {
		return nil, nil // an advice without a message yet
	}
	return nil, errNoMessage
}

// quarantine notes whether a debt's message opened, and says whether it must be left out.
func (s *Store) quarantine(ctx context.Context, d terminal.Debt, cause error) bool {
	s.mu.Lock()
	_, known := s.forged[d.ID]
	if cause != nil {
		s.forged[d.ID] = struct{}{}
	} else {
		delete(s.forged, d.ID)
	}
	s.mu.Unlock()
	if cause != nil && !known {
		s.log.ErrorContext(ctx, "debt cannot be sent: its sealed message does not open; settle it with the acquirer by hand",
			"debt", d.ID, "sale", uint64(d.Sale), "kind", string(d.Kind), "stan", d.STAN, "cause", cause)
	}
	return cause != nil
}

// Counts is lane.Journal's. Quarantined debts are among those owed.
func (s *Store) Counts(ctx context.Context) (terminal.Counts, error) {
	type counts struct {
		owed, parked int
		oldest       int64
	}
	found, err := read(ctx, s, func(rows *sql.Rows) (c counts, err error) {
		return c, rows.Scan(&c.owed, &c.parked, &c.oldest)
	}, `SELECT count(*) FILTER (WHERE o.state <> 'Parked'), count(*) FILTER (WHERE o.state = 'Parked'), coalesce(min(o.created), 0)
		FROM owed o JOIN sale s ON s.id = o.sale WHERE o.final = 0 AND s.final = 1`)
	if err != nil {
		return terminal.Counts{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return terminal.Counts{
		Owed: found[0].owed, Parked: found[0].parked, Oldest: instant(found[0].oldest), Highest: s.committed,
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
	defer rows.Close()
	var all []T
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, explain(s.path, fmt.Errorf("read journal: %w", err))
		}
		all = append(all, one)
	}
	if err := rows.Err(); err != nil {
		return nil, explain(s.path, fmt.Errorf("read journal: %w", err))
	}
	return all, nil
}

func (s *Store) oneSale(ctx context.Context, query string, arg any) (terminal.Sale, error) {
	found, err := read(ctx, s, scanSale, query, arg)
	if err != nil {
		return terminal.Sale{}, err
	}
	if len(found) == 0 {
		return terminal.Sale{}, terminal.ErrNoSale
	}
	return found[0], nil
}

func bound(n int) int { return min(max(n, 0), maxRead) }

func scanSale(rows *sql.Rows) (terminal.Sale, error) {
	var record string
	if err := rows.Scan(&record); err != nil {
		return terminal.Sale{}, err
	}
	return decodeSale(record)
}

func decodeSale(record string) (sale terminal.Sale, err error) {
	if err := json.Unmarshal([]byte(record), &sale); err != nil {
		return sale, fmt.Errorf("%w: a sale's record cannot be read", ErrDamaged)
	}
	if sale.V > terminal.RecordVersion {
		return sale, fmt.Errorf("%w: record version %d, this program knows %d", ErrNewer, sale.V, terminal.RecordVersion)
	}
	return sale, nil
}

func scanRow(rows *sql.Rows) (terminal.JournalRow, error) {
	var r terminal.JournalRow
	var at, kind, was, duties, record string
	if err := rows.Scan(&r.Seq, &at, &kind, &r.Sale, &was, &r.Event, &r.To, &duties, &r.Note, &record); err != nil {
		return r, err
	}
	r.Kind, r.From = terminal.EntryKind(kind), terminal.State(was)
	for word := range strings.FieldsSeq(duties) {
		r.Duties = append(r.Duties, terminal.Duty(word))
	}
	var err error
	if r.Time, err = time.Parse(time.RFC3339Nano, at); err != nil {
		return r, fmt.Errorf("%w: row %d has no time", ErrDamaged, r.Seq)
	}
	switch r.Kind {
	case terminal.SaleEntry:
		sale, err := decodeSale(record)
		if err != nil {
			return r, fmt.Errorf("row %d: %w", r.Seq, err)
		}
		r.Record = &sale
	case terminal.DebtEntry:
		r.Debt = new(terminal.Debt)
		if err := json.Unmarshal([]byte(record), r.Debt); err != nil {
			return r, fmt.Errorf("%w: row %d: a debt's record cannot be read", ErrDamaged, r.Seq)
		}
	case terminal.StrayEntry, terminal.SignOnEntry, terminal.StartEntry:
	}
	return r, nil
}

type sealedDebt struct {
	debt   terminal.Debt
	key    sql.NullString
	sealed []byte
}

func scanDebt(rows *sql.Rows) (f sealedDebt, err error) {
	var notBefore int64
	var kind, state string
	err = rows.Scan(&f.debt.ID, &f.debt.Sale, &f.debt.Acquirer, &kind, &f.debt.STAN, &state, &f.debt.Attempts,
		&notBefore, &f.debt.Reason, &f.key, &f.sealed)
	f.debt.Kind, f.debt.State, f.debt.NotBefore = terminal.DebtKind(kind), terminal.DebtState(state), instant(notBefore)
	return f, err
}
