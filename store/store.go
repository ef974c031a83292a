// Package store keeps what must survive: the journal, what it says of sales, debts and batches, sealed card data, and
// the numbers that are never given twice.
//
// The journal is append-only (triggers refuse anything else), gapless from 1, and holds no clear card data. The tables
// sale, owed and batch are projections, changed in the commit of the row that changes them; recovery and counts read
// only these. Card data stands in the table card, sealed under the batch's key with table, purpose and row number as
// associated data, and is deleted when its use ends. Counters stand in files of their own, so that a restored database
// cannot bring a number back.
//
// A commit is one flush: SQLite in WAL mode with synchronous=FULL, one connection, exclusive lock. Folding the log back
// into the database happens only in Checkpoint and Close, never within a sale.
//
// Not here: what follows from what (terminal), acting on it (terminal/lane), the keys (device/secure).
//
// Sources: sqlite.org/wal.html, pragma.html (journal_mode, locking_mode, secure_delete, synchronous), PCI DSS 4.0.1, 3.3
// to 3.5.
package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"tillway/emv"
	"tillway/terminal"
	"tillway/terminal/people"
)

// Sealer is the secure module as the store uses it. Safe for concurrent use.
type Sealer interface {
	// CreateKey makes a key, durable when it returns nil; one that is there already is no error.
	CreateKey(ctx context.Context, name string) error

	// Seal enciphers plain under the key and authenticates it with associated.
	Seal(ctx context.Context, name string, associated, plain []byte) ([]byte, error)

	// Open is its inverse; it fails for bytes, associated data or key that are not those of Seal.
	Open(ctx context.Context, name string, associated, sealed []byte) ([]byte, error)

	// DestroyKey takes a key away for good, durable when it returns nil; one that is not there is no error.
	DestroyKey(ctx context.Context, name string) error
}

// Config says where the journal is and what it works with.
type Config struct {
	Path   string           // database file; its folder must be there; made on first use, mode 0600
	Sealer Sealer           // secure module
	Log    *slog.Logger     // nil: nothing is logged
	Clock  func() time.Time // wall clock for rows that carry no time; nil: time.Now

	// Token makes the keyed token of a card's number, the same for the same card; nil: sales carry none.
	Token func(context.Context, emv.PAN) ([]byte, error)
}

// Store is the open journal. Safe for concurrent use. It satisfies lane.Journal.
type Store struct {
	path   string
	sealer Sealer
	log    *slog.Logger
	clock  func() time.Time
	token  func(context.Context, emv.PAN) ([]byte, error)
	db     *sql.DB
	stmt   statements

	// turn has one slot: who holds it may use the fields below and write to the database.
	turn    chan struct{}
	seq     int64                      // of the last row prepared
	debts   int64                      // the last debt's number
	batches map[string]uint32          // open batch by acquirer
	waiting []row                      // prepared, not committed
	folded  bool                       // nothing was committed since the last Checkpoint
	tokens  map[terminal.SaleID]string // of the sales that run: the lane's record has none
	audit   people.Row                 // last row of the audit log

	witness   Witness // of the audit log's end; nil without
	witnessed string  // its name there

	mu        sync.Mutex
	failed    error                        // once set, every method returns it
	standing  map[string]*standing         // by acquirer
	committed int64                        // sequence of the last row on disk
	bad       map[string]struct{}          // rows that did not authenticate when last read, by place
	proved    map[string][sha256.Size]byte // debts that authenticated, with their tags, by place
	queued    map[terminal.SaleID]queued   // of what waits, as last read
	alarms    []people.Entry               // for the audit log, not yet written
	latest    time.Time                    // of any row
	clockBack string                       // the clock was set back: since when, in words
	cut       bool                         // the audit log is shorter than its anchor knows
}

// ErrFailed says that a write failed earlier, or that the journal is closed: the process has to end and start again.
var ErrFailed = errors.New("journal stopped")

var errClosed = errors.New("closed")

// Open opens the journal at c.Path, or makes it, brings its schema up to date, and makes sure that every setting that
// durability rests on is in force. The error is one line that says what to do: ErrInUse, ErrDamaged, ErrForeign,
// ErrNewer, ErrReadOnly, ErrDiskFull, or another.
func Open(ctx context.Context, c Config) (*Store, error) {
	if c.Sealer == nil {
		return nil, errors.New("open journal: no secure module given")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	db, err := openDatabase(ctx, c.Path)
	if err != nil {
		return nil, explain(c.Path, err)
	}
	s := &Store{
		path: c.Path, sealer: c.Sealer, log: c.Log, clock: c.Clock, token: c.Token, db: db,
		turn: make(chan struct{}, 1), batches: map[string]uint32{}, tokens: map[terminal.SaleID]string{}, bad: map[string]struct{}{},
		standing: map[string]*standing{},
	}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(explain(c.Path, err), db.Close())
	}
	return s, nil
}

func (s *Store) start(ctx context.Context) error {
	if err := migrate(ctx, s.db, s.path); err != nil {
		return err
	}
	if err := s.stmt.prepare(ctx, s.db); err != nil {
		return err
	}
	if err := s.proofs(ctx); err != nil {
		return err
	}
	if _, err := s.db.ExecContext(ctx, "UPDATE upkeep SET opens = opens + 1"); err != nil {
		return err
	}
	if err := s.db.QueryRowContext(ctx, "SELECT coalesce(max(seq), 0) FROM journal").Scan(&s.seq); err != nil {
		return err
	}
	if err := s.db.QueryRowContext(ctx, "SELECT coalesce(max(id), 0) FROM owed").Scan(&s.debts); err != nil {
		return err
	}
	s.committed = s.seq
	if err := s.startAudit(ctx); err != nil {
		return err
	}
	if err := s.startClock(ctx); err != nil {
		return err
	}
	return s.readBatches(ctx)
}

// readBatches finds the batches that sales go into.
func (s *Store) readBatches(ctx context.Context) error {
	all, err := read(ctx, s, scanCells, batchQuery+"WHERE b.state IN ('open', 'Open', 'Draining')")
	if err != nil {
		return err
	}
	for _, c := range all {
		_, err := s.batchOf(ctx, c)
		bad, err := s.judge(ctx, place("batch", c[0]), err)
		if err != nil {
			return err
		}
		if bad {
			// It stays as it is but for its state: the next sale opens another behind it.
			if _, err := s.db.ExecContext(ctx, "UPDATE batch SET state = 'quarantined' WHERE acquirer = ? AND number = ?", c[4], c[5]); err != nil {
				return err
			}
			continue
		}
		s.batches[c.text(4)] = uint32(c.number(5)) //nolint:gosec // authentic: 1 to 999999
	}
	if err := s.stand(ctx); err != nil {
		return err
	}
	return s.destroyKeys(ctx)
}

// Checkpoint folds the write-ahead log back into the database and empties it, so that what was deleted is in neither.
// It costs several flushes: the owner of idle time calls it, between sales. With nothing new it does nothing. Its error
// loses nothing: the log keeps every commit.
func (s *Store) Checkpoint(ctx context.Context) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.end()
	if err := s.destroyKeys(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	return s.fold(context.WithoutCancel(ctx))
}

func (s *Store) fold(ctx context.Context) error {
	if s.folded {
		return nil
	}
	var busy, frames, done int
	if err := s.db.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames, &done); err != nil {
		return explain(s.path, fmt.Errorf("fold the log back: %w", err))
	}
	if busy != 0 {
		return fmt.Errorf("fold the log back: %w", ErrInUse)
	}
	// The first write after it flushes the log's header as well: better now than in a sale.
	if _, err := s.db.ExecContext(ctx, "UPDATE upkeep SET folds = folds + 1"); err != nil {
		return explain(s.path, fmt.Errorf("fold the log back: %w", err))
	}
	s.folded = true
	return nil
}

// Close writes the rows that wait, folds the log back and closes the database. Every later call returns ErrFailed.
func (s *Store) Close() error {
	ctx := context.Background()
	if err := s.begin(ctx); err != nil {
		return s.Abort()
	}
	err := s.commit(ctx)
	if err == nil {
		err = s.fold(ctx)
	}
	s.end()
	return errors.Join(err, s.Abort())
}

// Abort closes the database and drops the rows that wait, as a power cut would: what is committed stays, nothing else. It
// is the way out after an error, and the power cut of a simulation. A second call does nothing.
func (s *Store) Abort() error {
	s.turn <- struct{}{}
	defer s.end()
	s.waiting = nil
	_ = s.fail(errClosed)
	return s.db.Close()
}

// begin takes the turn to write.
func (s *Store) begin(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := s.usable(); err != nil {
		s.end()
		return err
	}
	return nil
}

func (s *Store) end() { <-s.turn }

func (s *Store) usable() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// fail notes the first failure, which stays.
func (s *Store) fail(cause error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed == nil {
		s.failed = fmt.Errorf("%w: %w", ErrFailed, cause)
	}
	return s.failed
}

// Highest is the largest number of any sale on disk, 0 for none: the sale counter must stand at least there. Sales in
// quarantine do not count: their numbers may be any.
func (s *Store) Highest(ctx context.Context) (terminal.SaleID, error) {
	for _, n := range []int{1, 100} { // mostly the newest authenticates
		last, err := s.Last(ctx, n)
		if err != nil || len(last) > 0 {
			return highest(last), err
		}
	}
	return 0, nil
}

func highest(newestFirst []terminal.Sale) terminal.SaleID {
	if len(newestFirst) == 0 {
		return 0
	}
	return newestFirst[0].ID
}
