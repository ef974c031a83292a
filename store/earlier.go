package store

import (
	"context"
	"fmt"
	"math"
	"time"

	"tillway/emv"
	"tillway/terminal"
)

// About is lane.Journal's. A record among them that does not authenticate ends the reading: what has been given back of a sale
// is not known then.
func (s *Store) About(ctx context.Context, id terminal.SaleID) ([]terminal.Sale, error) {
	all, err := read(ctx, s, scanCells, saleQuery+"WHERE s.about = ? AND s.about <> 0 ORDER BY s.id LIMIT ?", int64(id), maxRead+1)
	if err != nil {
		return nil, err
	}
	if len(all) > maxRead {
		return nil, fmt.Errorf("more than %d transactions are about sale %d", maxRead, id)
	}
	found := make([]terminal.Sale, 0, len(all))
	for _, c := range all {
		sale, err := s.saleOf(ctx, c)
		bad, err := s.judge(ctx, place("sale", c[0]), err)
		if bad && err == nil {
			err = fmt.Errorf("sale %v, about sale %d: %w", c[0], id, terminal.ErrQuarantined)
		}
		if err != nil {
			return nil, err
		}
		found = append(found, sale)
	}
	return found, nil
}

// CardOf is lane.Journal's. What does not open is in quarantine, like every row that does not authenticate.
func (s *Store) CardOf(ctx context.Context, id terminal.SaleID) (terminal.CardData, error) {
	all, err := read(ctx, s, scanCells, "SELECT key, sealed FROM card WHERE purpose = ? AND id = ?", cardPurpose, int64(id))
	if err != nil {
		return terminal.CardData{}, err
	}
	if len(all) == 0 {
		return terminal.CardData{}, fmt.Errorf("sale %d: %w", id, terminal.ErrNoCard)
	}
	var card terminal.CardData
	key := all[0].text(0)
	plain, err := s.sealer.Open(ctx, key, associated(cardPurpose, int64(id), key), all[0].bytes(1))
	if err != nil {
		err = s.blame(ctx, err)
	} else {
		card, err = terminal.ParseCardData(plain)
		clear(plain)
	}
	bad, err := s.judge(ctx, place("card", id), err)
	if bad && err == nil {
		err = fmt.Errorf("card data of sale %d: %w", id, terminal.ErrQuarantined)
	}
	if err != nil {
		return terminal.CardData{}, err
	}
	return card, nil
}

// mostRecent bounds how many sales of one card are looked through, atOnce how many of them one query reads: mostly the newest decides.
const mostRecent, atOnce = 100, 4

// ByCard is lane.Journal's. Sales in quarantine are left out.
func (s *Store) ByCard(ctx context.Context, pan emv.PAN, since time.Time, fits func(terminal.Sale) bool) (string, terminal.Sale, error) {
	var none terminal.Sale
	token, err := s.tokenOf(ctx, pan)
	if err != nil || token == "" || fits == nil {
		return token, none, err
	}
	below := int64(math.MaxInt64)
	for range mostRecent / atOnce {
		all, err := read(ctx, s, scanCells, saleQuery+"WHERE s.token = ? AND s.id < ? ORDER BY s.id DESC LIMIT ?", token, below, atOnce)
		if err != nil {
			return token, none, err
		}
		for _, c := range all {
			below = c.number(0)
			sale, err := s.saleOf(ctx, c)
			bad, err := s.judge(ctx, place("sale", c[0]), err)
			switch {
			case err != nil:
				return token, none, err
			case bad:
			case sale.Started.Before(since):
				return token, none, nil
			case sale.State == terminal.Approved && fits(sale):
				return token, sale, nil
			}
		}
		if len(all) < atOnce {
			break
		}
	}
	return token, none, nil
}

// Told is lane.Journal's.
func (s *Store) Told(ctx context.Context, id terminal.SaleID) (ack terminal.Acknowledgement, told bool, err error) {
	all, err := read(ctx, s, scanCells, "SELECT o.id, o.sale, o.acquirer, o.kind, o.stan, o.state, o.final, o.attempts, o.not_before, o.created, o.reason, p.tag"+
		" FROM owed o LEFT JOIN proof p ON p.of = 'owed/' || o.id WHERE o.sale = ? ORDER BY o.id", int64(id))
	if err != nil {
		return ack, false, err
	}
	told = true
	undone := true // no reversal of it is parked
	for _, c := range all {
		of := place("owed", c[0])
		bad, err := s.judge(ctx, of, s.authentic(ctx, c.bytes(11), of, c[:11]...))
		if bad && err == nil {
			err = fmt.Errorf("what is owed for sale %d: %w", id, terminal.ErrQuarantined)
		}
		if err != nil {
			return ack, false, err
		}
		state := terminal.DebtState(c.text(5))
		if terminal.DebtKind(c.text(3)) == terminal.ReversalDebt {
			undone = undone && state != terminal.Parked
			continue
		}
		told = told && state == terminal.Acknowledged
	}
	if !told {
		return ack, false, nil
	}
	rows, err := s.rows(ctx, rowQuery+"WHERE j.sale = ? AND j.sale <> 0 AND j.kind = 'debt' AND j.becomes = 'Acknowledged' ORDER BY j.seq", int64(id))
	for _, r := range rows {
		if r.Debt != nil && r.Debt.Kind != terminal.ReversalDebt {
			ack = r.Debt.Acknowledged()
		}
	}
	return ack, undone, err
}
