package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"tillway/terminal"
)

// The key of a batch is what its card data is worth. It is destroyed as soon as the batch is closed and no message that is still owed is
// sealed under it: from then on no copy of the database, however old, gives a card number of that batch.

// leaveCards deletes a closed batch's card data, in the commit that closes it. Messages that are still owed stay sealed under its key; the
// card data of payments that went over into a later batch, and of pre-authorisations that stand, is sealed anew under the key of the batch that sales go into now.
func (s *Store) leaveCards(ctx context.Context, tx *sql.Tx, b *terminal.Batch) error {
	key := batchKey(b.Acquirer, b.Number)
	rows, err := tx.QueryContext(ctx, "SELECT id, sealed FROM card WHERE key = ? AND purpose = 'card'", key)
	if err != nil {
		return err
	}
	all, err := collect(rows, scanCells)
	if err != nil {
		return err
	}
	for _, c := range all {
		held, err := s.held(ctx, tx, c.number(0), b)
		if err != nil {
			return err
		}
		if !held {
			continue
		}
		if err := s.sealAnew(ctx, tx, c.number(0), key, c.bytes(1), b.Acquirer); err != nil {
			return err
		}
	}
	_, err = tx.ExecContext(ctx, "DELETE FROM card WHERE key = ? AND purpose <> 'message'", key)
	return err
}

// sealAnew seals a sale's card data under the key of the batch that sales go into. What does not open is left to be deleted: nothing can be
// done with it.
func (s *Store) sealAnew(ctx context.Context, tx *sql.Tx, sale int64, key string, sealed []byte, acquirer string) error {
	number, ok := s.batches[acquirer]
	if !ok {
		return fmt.Errorf("card data of sale %d: no open batch to seal it for: %w", sale, errProjection)
	}
	plain, err := s.sealer.Open(ctx, key, associated(cardPurpose, sale, key), sealed)
	if err != nil {
		err = s.blame(ctx, err)
		_, err := s.judge(ctx, place("card", fmt.Sprintf("card/%d", sale)), err)
		return err
	}
	defer clear(plain)
	next := batchKey(acquirer, number)
	if sealed, err = s.sealer.Seal(ctx, next, associated(cardPurpose, sale, next), plain); err != nil {
		return fmt.Errorf("seal the card data of sale %d anew: %w", sale, err)
	}
	return one(tx.ExecContext(ctx, "UPDATE card SET key = ?, sealed = ? WHERE purpose = 'card' AND id = ?", next, sealed, sale))
}

// longestHold is how long the card data of a pre-authorisation is carried on: no issuer holds an amount for longer.
const longestHold = 31 * 24 * time.Hour

// held says whether a sale is a pre-authorisation that still stands when a batch closes: approved not too long ago, and neither completed nor
// voided. A completion in a batch behind it can still be voided, and the pre-authorisation stands again then.
func (s *Store) held(ctx context.Context, tx *sql.Tx, id int64, closed *terminal.Batch) (bool, error) {
	rows, err := tx.QueryContext(ctx, saleQuery+"WHERE s.id = ?", id)
	if err != nil {
		return false, err
	}
	all, err := collect(rows, scanCells)
	if err != nil || len(all) == 0 {
		return false, err
	}
	sale, err := s.saleOf(ctx, all[0])
	switch {
	case stops(err):
		return false, err
	case err != nil:
		return true, nil // not sound, and no reason to lose what it may need
	case sale.Batch > closed.Number: // it went over, and may be uploaded with the batch that it is in now
		return true, nil
	case sale.Kind != terminal.KindPreauth || sale.State != terminal.Approved || closed.Closed.Sub(sale.Started) > longestHold:
		return false, nil
	}
	var ended bool
	err = tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM sale a WHERE a.about = ?1 AND a.batch <= ?2 AND a.state = 'Approved' AND a.kind IN ('completion', 'void')
		AND NOT EXISTS (SELECT 1 FROM sale v WHERE v.about = a.id AND v.state = 'Approved' AND v.kind = 'void'))`, id, closed.Number).Scan(&ended)
	return !ended, err
}

// destroyKeys destroys the keys of closed batches under which nothing is sealed any more. A module that cannot do it now is asked again the
// next time. The caller holds the turn, or is alone.
func (s *Store) destroyKeys(ctx context.Context) error {
	all, err := s.batchList(ctx, `WHERE b.final <> 0 AND b.keyed <> 0
		AND NOT EXISTS (SELECT 1 FROM card c WHERE c.key = printf('batch/%s/%06d', b.acquirer, b.number))`)
	if err != nil {
		return err
	}
	for _, b := range all {
		if !b.State.Final() {
			continue
		}
		if err := s.sealer.DestroyKey(ctx, batchKey(b.Acquirer, b.Number)); err != nil {
			s.log.ErrorContext(ctx, "the key of a closed batch was not destroyed: it is tried again", "batch", b.Number, "err", err)
			continue
		}
		if _, err := s.db.ExecContext(ctx, "UPDATE batch SET keyed = 0 WHERE acquirer = ? AND number = ?", b.Acquirer, b.Number); err != nil {
			return explain(s.path, fmt.Errorf("batch %d: %w", b.Number, err))
		}
		s.folded = false
		s.log.InfoContext(ctx, "key of a closed batch destroyed", "batch", b.Number)
	}
	return nil
}
