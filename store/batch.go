package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"tillway/terminal"
)

// maxBatch is the largest batch number that a message has room for.
const maxBatch = 999_999

func batchKey(acquirer string, number uint32) string {
	return fmt.Sprintf("batch/%s/%06d", acquirer, number)
}

// batchQuery reads a batch with its tag.
const batchQuery = `SELECT b.acquirer || '/' || b.number, b.state, b.opened, b.record, b.acquirer, b.number, p.tag
	FROM batch b LEFT JOIN proof p ON p.of = 'batch/' || b.acquirer || '/' || b.number `

// legacyOpen is the state of a batch that is open since before batches had records.
const legacyOpen = "open"

// taggedBatch is what a batch's tag covers: of one from before there were records, not the record.
func taggedBatch(c cells) []any {
	if c[3] == "" {
		return c[:3]
	}
	return c[:4]
}

// batchOf is a batch, if its row is authentic.
func (s *Store) batchOf(ctx context.Context, c cells) (b terminal.Batch, err error) {
	of := place("batch", c[0])
	if err := s.authentic(ctx, c.bytes(6), of, taggedBatch(c)...); err != nil {
		return b, err
	}
	if c[3] == "" {
		b = terminal.Batch{Acquirer: c.text(4), Number: uint32(c.number(5)), State: terminal.BatchOpen, Traces: terminal.TracesUnknown} //nolint:gosec // 1 to 999999
		b.Opened, err = time.Parse(time.RFC3339Nano, c.text(2))
	} else {
		err = json.Unmarshal([]byte(c.text(3)), &b)
	}
	if err != nil {
		return b, fmt.Errorf("%w: %s cannot be read", ErrDamaged, of)
	}
	if b.Acquirer != c.text(4) || int64(b.Number) != c.number(5) || string(b.State) != c.text(1) && c.text(1) != legacyOpen {
		return b, fmt.Errorf("%s: the table and the record do not say the same of it", of)
	}
	return b, nil
}

// batches are the batches that a query finds, without those in quarantine.
func (s *Store) batchList(ctx context.Context, query string, args ...any) ([]terminal.Batch, error) {
	all, err := read(ctx, s, scanCells, batchQuery+query, args...)
	if err != nil {
		return nil, err
	}
	var found []terminal.Batch
	for _, c := range all {
		b, err := s.batchOf(ctx, c)
		bad, err := s.judge(ctx, place("batch", c[0]), err)
		if err != nil {
			return nil, err
		}
		if !bad {
			found = append(found, b)
		}
	}
	return found, nil
}

// Batches is lane.Journal's.
func (s *Store) Batches(ctx context.Context, acquirer string) ([]terminal.Batch, error) {
	return s.batchList(ctx, "WHERE b.acquirer = ? AND (b.final = 0 OR b.state <> 'Closed') AND b.state <> 'quarantined' ORDER BY b.number", acquirer)
}

// BatchRecord is one batch of an acquirer, of whatever state; number 0 is the newest that is closed. Error: terminal.ErrNoBatch.
func (s *Store) BatchRecord(ctx context.Context, acquirer string, number uint32) (terminal.Batch, error) {
	query, args := "WHERE b.acquirer = ? AND b.number = ?", []any{acquirer, number}
	if number == 0 {
		query, args = "WHERE b.acquirer = ? AND b.state = 'Closed' ORDER BY b.number DESC LIMIT 1", args[:1]
	}
	found, err := s.batchList(ctx, query, args...)
	if err != nil {
		return terminal.Batch{}, err
	}
	if len(found) == 0 {
		return terminal.Batch{}, terminal.ErrNoBatch
	}
	return found[0], nil
}

// Items is lane.Journal's. A sale or a debt in quarantine does not stand: the totals are without it, and the host's say so.
func (s *Store) Items(ctx context.Context, acquirer string, batch uint32) ([]terminal.Item, error) {
	var items []terminal.Item
	at := map[terminal.SaleID]int{}
	for after, n := int64(0), 500; n == 500; {
		all, err := read(ctx, s, scanCells, saleQuery+"WHERE s.acquirer = ? AND s.batch = ? AND s.id > ? ORDER BY s.id LIMIT 500", acquirer, batch, after)
		if err != nil {
			return nil, err
		}
		n = len(all)
		for _, c := range all {
			after = c.number(0)
			sale, err := s.saleOf(ctx, c)
			bad, err := s.judge(ctx, place("sale", c[0]), err)
			if err != nil {
				return nil, err
			}
			if !bad && sale.STAN != 0 && sale.State.Final() {
				at[sale.ID] = len(items)
				items = append(items, terminal.Item{Sale: sale})
			}
		}
	}
	if err := s.itemDebts(ctx, items, at, acquirer, batch); err != nil {
		return nil, err
	}
	terminal.TakeBack(items)
	return items, nil
}

// itemDebts adds what was ever owed for a batch's sales. A debt in quarantine counts as one that the host has not got.
func (s *Store) itemDebts(ctx context.Context, items []terminal.Item, at map[terminal.SaleID]int, acquirer string, batch uint32) error {
	all, err := read(ctx, s, scanCells, `SELECT o.id, o.sale, o.acquirer, o.kind, o.stan, o.state, o.final, o.attempts, o.not_before, o.created, o.reason, p.tag,
		NULL, NULL, NULL FROM sale s JOIN owed o ON o.sale = s.id LEFT JOIN proof p ON p.of = 'owed/' || o.id
		WHERE s.acquirer = ? AND s.batch = ? ORDER BY o.id`, acquirer, batch)
	if err != nil {
		return err
	}
	for _, c := range all {
		i, ok := at[terminal.SaleID(c.number(1))] //nolint:gosec // compared only
		if !ok {
			continue
		}
		of := place("owed", c[0])
		bad, err := s.judge(ctx, of, s.authentic(ctx, c.bytes(11), of, c[:11]...))
		if err != nil {
			return err
		}
		d := debtOf(c).debt
		if bad {
			d = terminal.Debt{ID: d.ID, Sale: d.Sale, Acquirer: acquirer, Kind: terminal.AdviceDebt, State: terminal.Owed, Reason: "its record is in quarantine"}
		}
		items[i].Debts = append(items[i].Debts, d)
	}
	return nil
}

// Batch is the number of the batch of the acquirer that sales go into. Where there is none it makes the next, the first being 1, with its
// key; that commits, and takes what waits with it.
func (s *Store) Batch(ctx context.Context, acquirer string) (uint32, error) {
	if err := s.begin(ctx); err != nil {
		return 0, err
	}
	defer s.end()
	if n, ok := s.batches[acquirer]; ok {
		return n, nil
	}
	var number int64
	if err := s.db.QueryRowContext(ctx, `SELECT 1 + max((SELECT coalesce(max(number), 0) FROM batch WHERE acquirer = ?1),
		(SELECT coalesce(max(batch), 0) FROM sale WHERE acquirer = ?1))`, acquirer).Scan(&number); err != nil {
		return 0, explain(s.path, fmt.Errorf("next batch of %q: %w", acquirer, err))
	}
	next, err := s.prepareBatch(ctx, acquirer, number)
	if err != nil {
		return 0, err
	}
	ctx = context.WithoutCancel(ctx)
	if err := s.commit(ctx, func(ctx context.Context, tx *sql.Tx) error {
		return s.newBatch(ctx, tx, terminal.Batch{Acquirer: acquirer, Number: next, Opened: s.clock(), Traces: terminal.TracesUnknown})
	}); err != nil {
		return 0, err
	}
	s.opened(acquirer, next)
	return next, nil
}

// prepareBatch makes the key of a batch that is about to be opened.
func (s *Store) prepareBatch(ctx context.Context, acquirer string, number int64) (uint32, error) {
	if number < 1 || number > maxBatch {
		return 0, fmt.Errorf("next batch of %q would be %d: %w", acquirer, number, ErrExhausted)
	}
	next := uint32(number) //nolint:gosec // bounded above
	if err := s.sealer.CreateKey(ctx, batchKey(acquirer, next)); err != nil {
		return 0, fmt.Errorf("key of a new batch of %q: %w", acquirer, err)
	}
	return next, nil
}

// newBatch writes the row of a batch that is opened.
func (s *Store) newBatch(ctx context.Context, tx *sql.Tx, b terminal.Batch) error {
	b.State = terminal.BatchOpen
	record, err := json.Marshal(b)
	if err != nil {
		return fmt.Errorf("encode batch %d: %w", b.Number, err)
	}
	id, opened := fmt.Sprintf("%s/%d", b.Acquirer, b.Number), b.Opened.Format(time.RFC3339Nano)
	if _, err := tx.ExecContext(ctx, "INSERT INTO batch (acquirer, number, state, opened, record) VALUES (?, ?, ?, ?, ?)",
		b.Acquirer, b.Number, string(b.State), opened, string(record)); err != nil {
		return err
	}
	return s.prove(ctx, tx, place("batch", id), id, string(b.State), opened, string(record))
}

// opened notes the batch that sales go into from now on.
func (s *Store) opened(acquirer string, number uint32) {
	s.batches[acquirer] = number
	s.mu.Lock()
	defer s.mu.Unlock()
	s.standing[acquirer] = &standing{batch: number, payments: map[terminal.SaleID]int64{}}
}

// batchRow encodes a batch's transition. With the one that fixes its totals the next batch gets its key.
func (s *Store) batchRow(ctx context.Context, e *terminal.Entry, r *row) error {
	if e.Batch == nil || e.Sale != nil || e.Debt != nil || e.Secret != nil || len(e.Duties) > 0 || e.Batch.Number == 0 || e.Batch.Acquirer == "" {
		return fmt.Errorf("transition without its batch: %w", errEntry)
	}
	b := *e.Batch
	r.batch, r.to = &b, string(b.State)
	var err error
	if r.record, err = json.Marshal(&b); err != nil {
		return fmt.Errorf("encode batch %d: %w", b.Number, err)
	}
	if terminal.BatchEvent(e.Event) == terminal.BatchDrained {
		_, err = s.prepareBatch(ctx, b.Acquirer, int64(b.Number)+1)
	}
	return err
}

// writeBatch writes what a batch's transition changes: its row and, in the same commit, the next batch, or the card data that the closed
// one leaves.
func (s *Store) writeBatch(ctx context.Context, tx *sql.Tx, r *row) error {
	b := r.batch
	rows, err := tx.QueryContext(ctx, batchQuery+"WHERE b.acquirer = ? AND b.number = ?", b.Acquirer, b.Number)
	if err != nil {
		return err
	}
	all, err := collect(rows, scanCells)
	if err != nil {
		return err
	}
	if len(all) != 1 {
		return fmt.Errorf("batch %d, %s: %w", b.Number, r.event, errProjection)
	}
	was, err := s.batchOf(ctx, all[0])
	if err != nil {
		return fmt.Errorf("batch %d: %w: %w", b.Number, terminal.ErrQuarantined, err)
	}
	if row, err := terminal.NextBatch(terminal.BatchTable(), was.State, terminal.BatchEvent(r.event)); err != nil || row.To != b.State {
		return fmt.Errorf("batch %d, %s in %s becomes %s: %w", b.Number, r.event, was.State, b.State, errors.Join(errProjection, err))
	}
	c := all[0]
	c[1], c[3] = string(b.State), string(r.record)
	if err := one(tx.ExecContext(ctx, "UPDATE batch SET state = ?, record = ?, final = ? WHERE acquirer = ? AND number = ?",
		c[1], c[3], b.State.Final(), b.Acquirer, b.Number)); err != nil {
		return fmt.Errorf("batch %d, %s: %w", b.Number, r.event, err)
	}
	if err := s.prove(ctx, tx, place("batch", c[0]), c[:4]...); err != nil {
		return err
	}
	switch {
	case terminal.BatchEvent(r.event) == terminal.BatchDrained:
		return s.newBatch(ctx, tx, terminal.Batch{Acquirer: b.Acquirer, Number: b.Number + 1, Currency: b.Currency, Opened: r.time, Traces: b.Traces})
	case b.State.Final():
		return s.leaveCards(ctx, tx, b)
	}
	return nil
}
