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

// Bounds of what one call, and one commit, may hold.
const (
	maxWaiting = 1000 // rows; with more, an Append without commit commits
	maxNote    = 1000 // bytes
	maxRecord  = 256 << 10
	maxSecret  = 64 << 10
)

// What sealed bytes are for: the card table's purpose.
const (
	cardPurpose    = "card"    // PAN, expiry, sequence number; id is the sale's
	requestPurpose = "request" // the request as composed, with track 2; id is the sale's
	messagePurpose = "message" // a debt's first message; id is the debt's
)

// row is one journal row, encoded and sealed, with what it changes in the projections. It holds nothing clear.
type row struct {
	seq    int64
	time   time.Time
	kind   terminal.EntryKind
	from   terminal.State
	event  string
	to     string
	duties []terminal.Duty
	note   string
	record []byte
	sale   *terminal.Sale
	debt   *terminal.Debt
	batch  *terminal.Batch
	debts  []terminal.Debt // that the duties make
	sealed []sealed
	erase  bool
}

type sealed struct {
	purpose string
	id      int64
	key     string
	bytes   []byte
}

var errEntry = errors.New("entry refused")

// Append is lane.Journal's. The journal numbers the rows, and the debts that their duties make, in the order of the
// calls. Secrets are sealed before it returns: what waits in memory is not clear. The first error is the last: from
// then on every call returns ErrFailed, because nobody could say what is on disk. Only a context that had ended before
// anything was done leaves the journal as it was.
func (s *Store) Append(ctx context.Context, commit bool, entries ...terminal.Entry) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.end()
	ctx = context.WithoutCancel(ctx) // a row is written or not, never given up halfway
	for i := range entries {
		r, err := s.row(ctx, &entries[i])
		if err != nil {
			return s.fail(fmt.Errorf("journal row %d: %w", s.seq+1, err))
		}
		s.seq = r.seq
		s.waiting = append(s.waiting, r)
		s.tick(r.time)
	}
	if !commit && len(s.waiting) <= maxWaiting {
		return nil
	}
	if err := s.commit(ctx); err != nil || !slices.ContainsFunc(entries, closes) {
		return err
	}
	return s.destroyKeys(ctx)
}

func closes(e terminal.Entry) bool { return e.Batch != nil && e.Batch.State.Final() }

// row encodes an entry and seals its secrets.
func (s *Store) row(ctx context.Context, e *terminal.Entry) (row, error) {
	r := row{
		seq: s.seq + 1, time: e.Time, kind: e.Kind, from: e.From, event: e.Event,
		duties: slices.Clone(e.Duties), note: e.Note, erase: e.Erase,
	}
	if r.time.IsZero() {
		r.time = s.clock()
	}
	if len(e.Note) > maxNote {
		return row{}, fmt.Errorf("note of %d bytes: %w", len(e.Note), errEntry)
	}
	var err error
	switch e.Kind {
	case terminal.SaleEntry:
		err = s.saleRow(ctx, e, &r)
	case terminal.DebtEntry:
		err = debtRow(e, &r)
	case terminal.BatchEntry:
		err = s.batchRow(ctx, e, &r)
	case terminal.StrayEntry, terminal.SignOnEntry, terminal.StartEntry:
		if e.Sale != nil || e.Debt != nil || len(e.Duties) > 0 || e.Secret != nil {
			err = fmt.Errorf("%s with a sale or a debt: %w", e.Kind, errEntry)
		}
	default:
		err = fmt.Errorf("kind %q: %w", e.Kind, errEntry)
	}
	if err == nil && len(r.record) > maxRecord {
		err = fmt.Errorf("record of %d bytes: %w", len(r.record), errEntry)
	}
	return r, err
}

func (s *Store) saleRow(ctx context.Context, e *terminal.Entry, r *row) error {
	if e.Sale == nil || e.Debt != nil || e.Sale.ID == 0 || e.Sale.Acquirer == "" || e.Sale.State == "" {
		return fmt.Errorf("transition without its sale: %w", errEntry)
	}
	if e.Sale.V != terminal.RecordVersion {
		return fmt.Errorf("record version %d, this program writes %d: %w", e.Sale.V, terminal.RecordVersion, errEntry)
	}
	sale := *e.Sale
	r.sale, r.to = &sale, string(sale.State)
	err := s.giveToken(ctx, &sale, e.Secret)
	if err != nil {
		return err
	}
	if r.record, err = json.Marshal(&sale); err != nil {
		return fmt.Errorf("encode sale %d: %w", sale.ID, err)
	}
	for _, duty := range e.Duties {
		switch duty {
		case terminal.OweReversal, terminal.OweAdvice, terminal.OweDeferred:
			if err := s.owe(ctx, e, duty, r); err != nil {
				return err
			}
		case terminal.DischargeReversal:
		default:
			return fmt.Errorf("duty %q: %w", duty, errEntry)
		}
	}
	if e.Secret == nil {
		return nil
	}
	if !e.Secret.Card.PAN.IsZero() { // an advice behind a request: the card is there already
		plain, err := e.Secret.Card.Plain()
		if err != nil {
			return fmt.Errorf("card data of sale %d: %w", sale.ID, err)
		}
		defer clear(plain)
		if err := s.seal(ctx, r, cardPurpose, int64(sale.ID), plain); err != nil {
			return err
		}
	}
	if len(e.Secret.Request) == 0 {
		return nil
	}
	return s.seal(ctx, r, requestPurpose, int64(sale.ID), e.Secret.Request)
}

// tokenBytes of a card's token are kept: enough that no two cards share one.
const tokenBytes = 16

// giveToken puts the card's token into the record, from the first row that knows the card on. The running sale's record
// comes from the lane, which has none.
func (s *Store) giveToken(ctx context.Context, sale *terminal.Sale, secret *terminal.Secret) error {
	if s.token == nil {
		return nil
	}
	if secret != nil && !secret.Card.PAN.IsZero() {
		token, err := s.tokenOf(ctx, secret.Card.PAN)
		if err != nil {
			return fmt.Errorf("token of sale %d's card: %w", sale.ID, err)
		}
		s.tokens[sale.ID] = token
	}
	if token, ok := s.tokens[sale.ID]; ok {
		sale.Token = token
	}
	if sale.State.Final() {
		delete(s.tokens, sale.ID)
	}
	return nil
}

// owe makes a debt. Its message is sealed with it.
func (s *Store) owe(ctx context.Context, e *terminal.Entry, duty terminal.Duty, r *row) error {
	var kind terminal.DebtKind
	var message []byte
	if e.Secret != nil {
		message = e.Secret.Advice
	}
	switch duty {
	case terminal.OweAdvice:
		kind = terminal.AdviceDebt
	case terminal.OweDeferred:
		kind = terminal.DeferredDebt
	default:
		if kind, message = terminal.ReversalDebt, nil; e.Secret != nil {
			message = e.Secret.Reversal
		}
	}
	if len(message) == 0 {
		return fmt.Errorf("%s owed without its message: %w", kind, errEntry)
	}
	s.debts++
	r.debts = append(r.debts, terminal.Debt{
		ID: s.debts, Sale: r.sale.ID, Acquirer: r.sale.Acquirer, Kind: kind, STAN: r.sale.STAN, State: terminal.Owed,
	})
	return s.seal(ctx, r, messagePurpose, s.debts, message)
}

func debtRow(e *terminal.Entry, r *row) error {
	if e.Debt == nil || e.Sale != nil || e.Debt.ID == 0 || e.Debt.State == "" || e.Secret != nil || len(e.Duties) > 0 {
		return fmt.Errorf("transition without its debt: %w", errEntry)
	}
	debt := *e.Debt
	debt.Message = nil
	r.debt, r.to = &debt, string(debt.State)
	var err error
	if r.record, err = json.Marshal(&debt); err != nil {
		return fmt.Errorf("encode debt %d: %w", debt.ID, err)
	}
	return nil
}

func (s *Store) seal(ctx context.Context, r *row, purpose string, id int64, plain []byte) error {
	if len(plain) > maxSecret {
		return fmt.Errorf("%s of %d bytes: %w", purpose, len(plain), errEntry)
	}
	if r.sale.Batch == 0 {
		return fmt.Errorf("%s of a sale without a batch: %w", purpose, errEntry)
	}
	key := batchKey(r.sale.Acquirer, r.sale.Batch)
	bytes, err := s.sealer.Seal(ctx, key, associated(purpose, id, key), plain)
	if err != nil {
		return fmt.Errorf("seal %s of sale %d: %w", purpose, r.sale.ID, err)
	}
	r.sealed = append(r.sealed, sealed{purpose, id, key, bytes})
	return nil
}

// associated binds sealed bytes to their place: table, purpose, row, key.
func associated(purpose string, id int64, key string) []byte {
	return fmt.Appendf(nil, "tillway 1 card %s %d %s", purpose, id, key)
}

// commit writes all rows that wait, then what more does, in one transaction and one flush. With nothing to write it does
// nothing. The caller holds the turn.
func (s *Store) commit(ctx context.Context, more ...func(context.Context, *sql.Tx) error) error {
	if len(s.waiting) == 0 && len(more) == 0 {
		return nil
	}
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return s.fail(explain(s.path, fmt.Errorf("begin: %w", err)))
	}
	for i := range s.waiting {
		if err := s.write(ctx, tx, &s.waiting[i]); err != nil {
			err = fmt.Errorf("journal row %d: %w", s.waiting[i].seq, err)
			return s.fail(explain(s.path, errors.Join(err, rollback(tx))))
		}
	}
	for _, f := range more {
		if err := f(ctx, tx); err != nil {
			return s.fail(explain(s.path, errors.Join(err, rollback(tx))))
		}
	}
	if err := tx.Commit(); err != nil {
		return s.fail(explain(s.path, fmt.Errorf("commit: %w", err)))
	}
	s.done(s.waiting)
	clear(s.waiting)
	s.waiting, s.folded = s.waiting[:0], false
	s.mu.Lock()
	defer s.mu.Unlock()
	s.committed = s.seq
	return nil
}

// rollback passes over what SQLite has rolled back by itself.
func rollback(tx *sql.Tx) error {
	if err := tx.Rollback(); err != nil && !errors.Is(err, sql.ErrTxDone) {
		return fmt.Errorf("roll back: %w", err)
	}
	return nil
}

func duties(d []terminal.Duty) string {
	words := make([]string, len(d))
	for i := range d {
		words[i] = string(d[i])
	}
	return strings.Join(words, " ")
}
