package store

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"

	"tillway/emv"
	"tillway/terminal"
)

// queued is what the limits of the queue need of a sale: it is final, and so never changes.
type queued struct {
	way   terminal.Way
	minor int64
	token string
}

// unsettledSales are the sales whose advice or kept request is not acknowledged.
const unsettledSales = `WHERE s.id IN (SELECT o.sale FROM owed o
	WHERE (o.final = 0 OR o.state NOT IN ('Acknowledged', 'Discharged', 'WrittenOff')) AND o.kind <> 'reversal') ORDER BY s.id`

// Exposure is lane.Journal's. It rests on records that authenticate alone; of those that do not it says how many there are.
// Without a card's token every card counts as the same one.
func (s *Store) Exposure(ctx context.Context, acquirer string, way terminal.Way, card emv.PAN) (terminal.Exposure, error) {
	var e terminal.Exposure
	token, err := s.tokenOf(ctx, card)
	if err != nil {
		return e, err
	}
	debts, err := s.waitingDebts(ctx)
	if err != nil {
		return e, err
	}
	sales, err := s.queuedSales(ctx, debts)
	if err != nil {
		return e, err
	}
	for _, f := range debts {
		if f.debt.Kind == terminal.ReversalDebt || f.debt.Acquirer != acquirer {
			continue
		}
		q, known := sales[f.debt.Sale]
		if !known {
			e.Unknown++
			continue
		}
		if q.way != way {
			continue
		}
		e.Count++
		e.Sum += q.minor
		if q.token == token {
			e.CardCount++
			e.CardSum += q.minor
		}
		if f.debt.State != terminal.Parked && (e.Oldest.IsZero() || f.debt.Since.Before(e.Oldest)) {
			e.Oldest = f.debt.Since
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for of := range s.bad {
		if strings.HasPrefix(of, "owed/") {
			e.Unknown++
		}
	}
	return e, nil
}

// tokenOf is a card's token, or empty where there are none.
func (s *Store) tokenOf(ctx context.Context, card emv.PAN) (string, error) {
	if s.token == nil || card.IsZero() {
		return "", nil
	}
	token, err := s.token(ctx, card)
	if err != nil {
		return "", fmt.Errorf("token of a card: %w", err)
	}
	return hex.EncodeToString(token[:min(len(token), tokenBytes)]), nil
}

// queuedSales are the authentic sales of the debts that wait. What was read once is kept as long as its debt waits: a queue of
// hundreds is weighed with every sale.
func (s *Store) queuedSales(ctx context.Context, debts []sealedDebt) (map[terminal.SaleID]queued, error) {
	wanted := map[terminal.SaleID]queued{}
	s.mu.Lock()
	all := true
	for _, f := range debts {
		if f.debt.Kind != terminal.ReversalDebt {
			q, ok := s.queued[f.debt.Sale]
			wanted[f.debt.Sale], all = q, all && ok
		}
	}
	s.mu.Unlock()
	if all {
		return wanted, nil
	}
	sales, err := s.sales(ctx, saleQuery+unsettledSales)
	if err != nil {
		return nil, err
	}
	known := make(map[terminal.SaleID]queued, len(sales))
	for i := range sales {
		known[sales[i].ID] = queued{sales[i].Way, sales[i].Taken().Minor, sales[i].Token}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queued = known
	return known, nil
}
