package spool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"tillway/money"
	"tillway/terminal"
	"tillway/terminal/receipt"
)

// Errors of a spool's callers.
var (
	ErrNoPrinter   = errors.New("no receipt printer is configured")
	ErrUnconfirmed = errors.New("the printer has not confirmed") // what a Printer's error wraps when the paper may well be right
	ErrBroken      = errors.New("the printer went away")         // what it wraps when that was in the middle of a paper
	ErrFull        = errors.New("too many papers wait for the printer")
	ErrOver        = errors.New("nothing is printed any more: see the log of the terminal, and start it again")
	ErrJob         = errors.New("there is no such paper")
)

// What is to be printed.
type What string

// The papers. A Slip is the merchant's copy that a cardholder signs, of the sale that runs; a Proof is what a settlement ends with.
const (
	Receipt What = "receipt"
	Slip    What = "slip"
	Test    What = "test"
	Report  What = "report"
	Proof   What = "proof"
	Kernel  What = "kernel"
)

// Job is one paper.
type Job struct {
	ID        uint64          `json:"id"`
	What      What            `json:"what"`
	Sale      terminal.SaleID `json:"sale,omitempty"`
	Copy      receipt.Copy    `json:"copy,omitempty"`
	Duplicate bool            `json:"duplicate,omitempty"` // asked for as a reprint
	Report    string          `json:"report,omitempty"`    // "x" or "z"
	Batch     uint32          `json:"batch,omitempty"`     // of a Z report, 0: the last; of a proof

	At    time.Time `json:"at"`
	Begun bool      `json:"begun,omitempty"` // bytes of it have left: it may be on paper
	Tries int       `json:"tries,omitempty"` // begun and not confirmed, for no reason that somebody puts right
	Held  bool      `json:"held,omitempty"`  // not tried any more until somebody says so
}

// Printer prints. One goroutine calls it.
type Printer interface {
	// Ready says whether it would print now, and else why not, with what to do.
	Ready(ctx context.Context) error
	// Print returns nil when the printer says that all is on paper. An error that wraps ErrUnconfirmed or ErrBroken counts as a
	// try: a printer whose power fails with each cut comes back by itself, and would print the same paper until the roll is at its end.
	Print(ctx context.Context, paper receipt.Sheet) error
	// Unfinished says that an earlier process began a paper that was not confirmed.
	Unfinished()
	// Kick opens the cash drawer.
	Kick(ctx context.Context) error
}

// Journal is what the spool reads (store.Store).
type Journal interface {
	// Rows are the rows with a sequence above after, ascending, at most limit.
	Rows(ctx context.Context, after int64, limit int) ([]terminal.JournalRow, error)
}

// Lane is what the spool hears from (terminal/lane.Lane).
type Lane interface {
	Watch(ctx context.Context, after uint64) (terminal.Snapshot, error)
	Snapshot() terminal.Snapshot
	Current() (terminal.Sale, bool)
}

// Config is what a spool is made of.
type Config struct {
	Path    string // its file, in the state folder
	Lane    Lane
	Journal Journal
	End     int64 // the journal's last row: a spool without a file begins behind it
	Printer Printer
	// Draw draws a paper; duplicate says that it may have been printed before. An error drops the job, but the context's.
	Draw   func(ctx context.Context, j Job, duplicate bool) (receipt.Sheet, error)
	Copies []receipt.Copy // of each sale that ends, in this order
	Proof  bool           // of each batch that is closed, or that the bank disputes
	// Drawer is told that the drawer is to be opened for cash back, before it is, and what came of it; nil: it stays shut.
	Drawer func(ctx context.Context, sale terminal.SaleID, cash money.Amount, done bool, err error)
	Clock  func() time.Time
	Log    *slog.Logger
}

// Bounds and times.
const (
	maxJobs   = 64 // in the file; sales behind them wait in the journal
	rowsOnce  = 200
	maxTries  = 3
	retry     = 5 * time.Second
	idleCheck = 10 * time.Second
	farBehind = 10_000      // rows: reading so many again takes a moment
	fresh     = time.Minute // a drawer is opened for a sale that ended no longer ago
)

// Status is how printing stands.
type Status struct {
	Ready   bool   `json:"ready"`
	Cause   string `json:"cause,omitempty"`   // why not, and what to do
	Waiting int    `json:"waiting"`           // papers that are not printed yet
	Behind  int64  `json:"behind,omitempty"`  // journal rows not looked at, while too many papers wait
	Held    *Job   `json:"held,omitempty"`    // what somebody has to decide about
	Printed uint64 `json:"printed,omitempty"` // papers since the start
	Dropped uint64 `json:"dropped,omitempty"` // papers since the start that could not be drawn, or that somebody gave up
}

// Spool is one printer's. Run does the work; all else may be called from any goroutine.
type Spool struct {
	cfg  Config
	asks chan ask      // to the goroutine of Run
	over chan struct{} // closed when Run has ended

	mu     sync.Mutex // guards status
	status Status

	kept  kept // what follows is Run's own
	dirty bool // kept is to be put on disk

	flushed int64 // the cursor that is on disk
	signed  terminal.SaleID
}

// ask is something that Run does for somebody.
type ask struct {
	do   func(ctx context.Context) error
	done chan error
}

// Open reads the spool's file. Where there is none it begins with the sales that end from now on.
func Open(cfg Config) (*Spool, error) {
	s := &Spool{cfg: cfg, asks: make(chan ask), over: make(chan struct{})}
	found, err := read(cfg.Path)
	if errors.Is(err, errUnreadable) { // money does not wait for paper
		cfg.Log.Error("the list of receipts to be printed is put aside: what it held is had with pos print receipt", "file", cfg.Path+aside, "err", err)
		err = os.Rename(cfg.Path, cfg.Path+aside)
	}
	switch {
	case err != nil:
		return nil, err
	case found == nil:
		s.kept, s.dirty = kept{V: version, Cursor: cfg.End}, true
		if err := s.save(); err != nil {
			return nil, fmt.Errorf("receipts to be printed: %w", err)
		}
	default:
		s.kept = *found
		s.flushed = found.Cursor
	}
	if slices.ContainsFunc(s.kept.Jobs, func(j Job) bool { return j.Begun }) {
		cfg.Printer.Unfinished()
	}
	s.tell(nil)
	return s, nil
}

// Status is how printing stands now.
func (s *Spool) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status
}

// tell publishes where printing stands; err is what keeps it.
func (s *Spool) tell(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.Ready, s.status.Cause, s.status.Held = err == nil, "", nil
	if err != nil {
		s.status.Cause = err.Error()
	}
	s.status.Waiting = len(s.kept.Jobs)
	s.status.Behind = 0
	if len(s.kept.Jobs) >= maxJobs {
		s.status.Behind = max(0, s.cfg.Lane.Snapshot().Journal-s.kept.Cursor)
	}
	if len(s.kept.Jobs) > 0 && s.kept.Jobs[0].Held {
		held := s.kept.Jobs[0]
		s.status.Held = &held
		s.status.Ready, s.status.Cause = false, fmt.Sprintf("the printer has not confirmed the %s of sale %s in %d tries: look whether it came out, then pos printer drop, or pos printer resume to print it again", held.What, held.Sale, held.Tries)
	}
}

// Run prints until ctx ends. Its error is the disk's: what is not on disk is not printed.
func (s *Spool) Run(ctx context.Context) error {
	defer close(s.over)
	news := make(chan struct{}, 1)
	var watching sync.WaitGroup
	defer watching.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	watching.Go(func() {
		for seen := uint64(0); ; {
			snap, err := s.cfg.Lane.Watch(ctx, seen)
			if err != nil {
				return
			}
			seen = snap.Version
			select {
			case news <- struct{}{}:
			default:
			}
		}
	})
	for {
		wait, err := s.turn(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil { // a disk that was full for a moment is no reason never to print again
			s.tell(fmt.Errorf("nothing is printed: %w: it is tried again", err))
			s.cfg.Log.Error("receipts to be printed", "err", err)
			wait = retry
		}
		if wait == 0 {
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-news:
		case a := <-s.asks:
			a.done <- a.do(ctx)
		}
		timer.Stop()
	}
}

// turn does one thing, and says how long to wait before the next; 0: not at all. Its error is the disk's.
func (s *Spool) turn(ctx context.Context) (time.Duration, error) {
	if err := s.follow(ctx); err != nil {
		return 0, err
	}
	if done := s.slip(ctx); done {
		return 0, nil
	}
	if len(s.kept.Jobs) == 0 {
		if err := s.save(); err != nil {
			return 0, err
		}
		s.tell(s.cfg.Printer.Ready(ctx))
		return idleCheck, nil
	}
	if s.kept.Jobs[0].Held {
		s.tell(nil)
		return retry, s.save()
	}
	if err := s.cfg.Printer.Ready(ctx); err != nil {
		s.tell(err)
		return retry, s.save()
	}
	return s.print(ctx)
}

// print prints the first job.
func (s *Spool) print(ctx context.Context) (time.Duration, error) {
	j := &s.kept.Jobs[0]
	page, err := s.cfg.Draw(ctx, *j, j.Duplicate || j.Begun)
	if err != nil {
		if ctx.Err() != nil {
			return 0, nil
		}
		s.cfg.Log.Error("a paper cannot be drawn and is left out", "what", j.What, "sale", j.Sale, "err", err)
		s.shift()
		s.count(false)
		return 0, s.save()
	}
	begun := j.Begun
	j.Begun, s.dirty = true, true
	if err := s.save(); err != nil {
		return 0, err
	}
	if begun {
		s.cfg.Log.Warn("a receipt is printed again: it was begun and not confirmed", "what", j.What, "sale", j.Sale)
	}
	err = s.cfg.Printer.Print(ctx, page)
	if err == nil {
		s.shift()
		s.count(true)
		s.tell(nil)
		if len(s.kept.Jobs) > 0 {
			return 0, nil // the next one's flush has this too; a power cut before it prints a duplicate
		}
		return 0, s.save()
	}
	if ctx.Err() != nil {
		return 0, nil
	}
	s.cfg.Log.Warn("a receipt is not printed yet", "what", j.What, "sale", j.Sale, "err", err)
	if errors.Is(err, ErrUnconfirmed) || errors.Is(err, ErrBroken) {
		j.Tries++
		j.Held, s.dirty = j.Tries >= maxTries, true
	}
	s.tell(err)
	return retry, s.save()
}

func (s *Spool) shift() { s.kept.Jobs, s.dirty = slices.Delete(s.kept.Jobs, 0, 1), true }

func (s *Spool) count(printed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if printed {
		s.status.Printed++
	} else {
		s.status.Dropped++
	}
}

// slip prints the paper to sign of the sale that runs, once, before all that waits: a customer stands there. It says whether it tried.
func (s *Spool) slip(ctx context.Context) bool {
	sale, runs := s.cfg.Lane.Current()
	waits := sale.State == terminal.AgreementOnline || sale.State == terminal.AgreementOffline
	if !runs || !waits || !sale.Signature || s.signed == sale.ID || s.cfg.Printer.Ready(ctx) != nil {
		return false
	}
	if err := s.save(); err != nil {
		s.cfg.Log.Error("receipts to be printed", "err", err) // said again, and ended with, by the next flush
	}
	s.signed = sale.ID
	page, err := s.cfg.Draw(ctx, Job{What: Slip, Sale: sale.ID, Copy: receipt.Merchant}, false)
	if err != nil {
		s.cfg.Log.Error("the slip to sign cannot be drawn", "sale", sale.ID, "err", err)
		return false
	}
	if err := s.cfg.Printer.Print(ctx, page); err != nil {
		if !errors.Is(err, ErrUnconfirmed) {
			s.signed = 0 // again, while it waits
		}
		s.tell(err)
		return false
	}
	s.count(true)
	return true
}
