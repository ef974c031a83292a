package store

import (
	"context"
	"time"

	"tillway/terminal"
)

// standing is what stands in the batch that sales go into: kept in memory, so that whoever looks reads no rows.
type standing struct {
	batch    uint32
	payments map[terminal.SaleID]int64 // captured and not voided, in minor units
	sales    int
	oldest   time.Time
}

// take counts a sale that is over.
func (st *standing) take(sale *terminal.Sale) {
	if sale.STAN == 0 {
		return
	}
	if sale.LeftOut == 0 { // else the batch that it was made in has counted it
		if st.sales++; st.oldest.IsZero() || sale.Started.Before(st.oldest) {
			st.oldest = sale.Started
		}
	}
	switch {
	case sale.State != terminal.Approved:
	case sale.Kind == terminal.KindVoid:
		delete(st.payments, sale.Of)
	case sale.Kind.Captured():
		st.payments[sale.ID] = sale.CapturedMinor()
	}
}

// Standing is lane.Journal's.
func (s *Store) Standing(ctx context.Context, acquirer string) (terminal.Standing, error) {
	if err := ctx.Err(); err != nil {
		return terminal.Standing{}, err
	}
	if err := s.usable(); err != nil {
		return terminal.Standing{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.standing[acquirer]
	if st == nil {
		return terminal.Standing{}, nil
	}
	out := terminal.Standing{Batch: st.batch, Count: len(st.payments), Sales: st.sales, Oldest: st.oldest}
	for _, minor := range st.payments {
		out.Sum += minor
	}
	return out, nil
}

// stand counts what the open batches hold at start.
func (s *Store) stand(ctx context.Context) error {
	for acquirer, number := range s.batches {
		items, err := s.Items(ctx, acquirer, number)
		if err != nil {
			return err
		}
		s.opened(acquirer, number)
		for i := range items {
			s.standing[acquirer].take(&items[i].Sale)
		}
	}
	return nil
}

// done takes note of the rows that a commit has just written.
func (s *Store) done(written []row) {
	for i := range written {
		r := &written[i]
		switch {
		case r.batch != nil && terminal.BatchEvent(r.event) == terminal.BatchDrained:
			s.opened(r.batch.Acquirer, r.batch.Number+1)
		case r.sale != nil && r.sale.State.Final():
			s.mu.Lock()
			if st := s.standing[r.sale.Acquirer]; st != nil && st.batch == r.sale.Batch {
				st.take(r.sale)
			}
			s.mu.Unlock()
		}
	}
}
