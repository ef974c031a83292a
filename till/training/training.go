// Package training is the terminal as a new cashier practises on it: sales are played in memory, with a pretend card and a pretend bank,
// over the same tables and rules as real ones. It stands between the till and the lane, and is the one place that says which of the
// two an order goes to: wholly real, or wholly training. While training is on nothing reaches reader, host, journal, keys or totals, and
// settlement and queue refuse. A restart of posd ends it, and all that was played is gone.
//
// A training sale has a number from First on, says training in its record, and its receipt says so in large letters. Test amounts decide
// what becomes of it, as they do at hostsim: in three decimals .0RC is the bank's code RC, .101 to .105 an answer that never comes, .106 an
// approval, .201 a card taken out before its first word, .202 before its last, .203 a card that refuses.
package training

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"tillway/money"
	"tillway/terminal"
	"tillway/till"
)

// First is the number of the first training sale after each start of training; no real sale comes near it.
const First terminal.SaleID = 900_000_000_000_001

// Lane is the real one (terminal/lane.Lane), as till and cash registers use it.
type Lane interface {
	till.Lane

	// CancelSale is Cancel for one sale; error terminal.ErrNothingRuns for another one.
	CancelSale(ctx context.Context, id terminal.SaleID) error
	// Display puts a cash register's lines on the customer's display.
	Display(lines []terminal.DisplayLine)
	// Pulse is closed when queue or link have changed.
	Pulse() <-chan struct{}
}

// Journal is the real one (store.Store), as till and cash registers use it.
type Journal interface {
	till.Journal

	// ByKey finds the sale with an idempotency key; error terminal.ErrNoSale.
	ByKey(ctx context.Context, key string) (terminal.Sale, error)
}

// Config is what training is made of. Every field is needed.
type Config struct {
	Lane    Lane // the real one
	Journal Journal

	Rules     terminal.OrderRules // as the lane's
	TwoStep   bool                // a sale is an authorisation and its completion advice
	SameCard  time.Duration       // for how long a card that pays the same again is warned about; 0: never
	AskSame   bool                // and somebody has to say that it is meant
	Languages []terminal.Language // that prompts are in, the terminal's own first

	Acquirer   string // whose batch reports are of
	TerminalID string
	MerchantID string

	AgreementWait time.Duration // how long a question to the cashier stands
	CardWait      time.Duration // and one about a warning
	Clock         func() time.Time
}

// Terminal is till.Lane: the real one, or the training one while training is on. Run plays; Journal is the journal that belongs to it. Safe
// for concurrent use.
type Terminal struct {
	Lane // the real one; what this type does not have is its

	cfg  Config
	work chan *run

	mu       sync.Mutex // guards all below; held over no I/O and no wait
	on       bool
	starting int           // orders that are on their way to the real lane
	version  uint64        // of what training adds to the lane's snapshots
	changed  chan struct{} // closed and replaced with every change
	shown    terminal.Snapshot
	running  *run // nil: none
	sales    []*terminal.Sale
	rows     []terminal.JournalRow
	next     terminal.SaleID
	traces   uint32
}

// New makes it, with training off.
func New(cfg Config) *Terminal {
	return &Terminal{Lane: cfg.Lane, cfg: cfg, work: make(chan *run, 1), changed: make(chan struct{})}
}

// Switch puts training on or off. It says which with every snapshot from then on. Error: terminal.ErrBusy while a sale runs or an
// order is on its way, whichever kind it is.
func (t *Terminal) Switch(on bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if on == t.on {
		return nil
	}
	if t.running != nil {
		return busy(t.running.rec)
	}
	if on {
		if t.starting > 0 {
			return fmt.Errorf("%w: an order is just being taken", terminal.ErrBusy)
		}
		if sale, runs := t.Lane.Current(); runs {
			return busy(sale)
		}
		t.sales, t.rows, t.next, t.traces = nil, nil, First, 0
	}
	t.on = on
	t.changeLocked(func(s *terminal.Snapshot) {
		*s = terminal.Snapshot{State: terminal.Ready, Prompt: terminal.PromptWelcome}
	})
	return nil
}

// On says whether training is on.
func (t *Terminal) On() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.on
}

func busy(s terminal.Sale) error {
	return fmt.Errorf("%w: sale %s, %s", terminal.ErrBusy, s.ID, s.Amount.Format())
}

func (t *Terminal) changeLocked(f func(*terminal.Snapshot)) {
	f(&t.shown)
	t.version++
	close(t.changed)
	t.changed = make(chan struct{})
}

func (t *Terminal) change(f func(*terminal.Snapshot)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.changeLocked(f)
}

// Start implements till.Lane. Which of the two an order goes to is settled here, once: from then on a switch is refused until it is
// taken and over.
func (t *Terminal) Start(ctx context.Context, o terminal.Order) (terminal.Sale, error) {
	on := t.On()
	if o.Key != "" && on { // an order that comes again after a lost answer gets the payment that it was, and no play
		if old, err := t.cfg.Journal.ByKey(ctx, o.Key); !errors.Is(err, terminal.ErrNoSale) {
			if err == nil {
				err = terminal.SameOrder(old, o)
			}
			return old, err
		}
	}
	t.mu.Lock()
	switch {
	case t.on && !on: // switched just now: a payment of that key may be on disk
		t.mu.Unlock()
		return t.Start(ctx, o)
	case t.on:
		defer t.mu.Unlock()
		return t.begin(o)
	}
	t.starting++
	t.mu.Unlock()
	defer func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.starting--
	}()
	return t.Lane.Start(ctx, o)
}

// Cancel implements till.Lane.
func (t *Terminal) Cancel(ctx context.Context) error {
	t.mu.Lock()
	if !t.on {
		t.mu.Unlock()
		return t.Lane.Cancel(ctx)
	}
	defer t.mu.Unlock()
	return t.cancel(0)
}

// CancelSale is Cancel for one sale. Errors: as Cancel's.
func (t *Terminal) CancelSale(ctx context.Context, id terminal.SaleID) error {
	t.mu.Lock()
	if !t.on {
		t.mu.Unlock()
		return t.Lane.CancelSale(ctx, id)
	}
	defer t.mu.Unlock()
	return t.cancel(id)
}

// cancel ends the wait of the running sale, or of one alone; the caller holds mu.
func (t *Terminal) cancel(id terminal.SaleID) error {
	switch r := t.running; {
	case r == nil, id != 0 && r.rec.ID != id:
		return terminal.ErrNothingRuns
	case r.agreement != nil:
		return terminal.ErrAgreementDue
	case r.late:
		return terminal.ErrNotCancelable
	default:
		r.stop()
		return nil
	}
}

// Agree implements till.Lane.
func (t *Terminal) Agree(ctx context.Context, id terminal.SaleID, a terminal.Agreement) error {
	t.mu.Lock()
	if !t.on {
		t.mu.Unlock()
		return t.Lane.Agree(ctx, id, a)
	}
	defer t.mu.Unlock()
	if r := t.running; r != nil && r.rec.ID == id && r.agreement != nil {
		r.agreement <- a.Matches
		r.agreement = nil
		return nil
	}
	return fmt.Errorf("sale %s: %w", id, terminal.ErrAgreement)
}

// Confirm implements till.Lane.
func (t *Terminal) Confirm(ctx context.Context, id terminal.SaleID, meant bool, by string) error {
	t.mu.Lock()
	if !t.on {
		t.mu.Unlock()
		return t.Lane.Confirm(ctx, id, meant, by)
	}
	defer t.mu.Unlock()
	if r := t.running; r != nil && r.rec.ID == id && r.warning != nil {
		r.warning <- meant
		r.warning = nil
		return nil
	}
	return fmt.Errorf("sale %s: %w", id, terminal.ErrConfirm)
}

// Current implements till.Lane.
func (t *Terminal) Current() (terminal.Sale, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case !t.on:
		return t.Lane.Current()
	case t.running == nil:
		return terminal.Sale{}, false
	}
	return t.running.rec, true
}

// real refuses what has no training: what it would do is done to money.
func (t *Terminal) real() error {
	if t.On() {
		return terminal.ErrTraining
	}
	return nil
}

// SendQueue implements till.Lane; error terminal.ErrTraining.
func (t *Terminal) SendQueue(ctx context.Context) error {
	if err := t.real(); err != nil {
		return err
	}
	return t.Lane.SendQueue(ctx)
}

// Decide implements till.Lane; error terminal.ErrTraining.
func (t *Terminal) Decide(ctx context.Context, d terminal.DebtDecision) (terminal.Debt, error) {
	if err := t.real(); err != nil {
		return terminal.Debt{}, err
	}
	return t.Lane.Decide(ctx, d)
}

// DecideBatch implements till.Lane; error terminal.ErrTraining.
func (t *Terminal) DecideBatch(ctx context.Context, d terminal.BatchDecision) (terminal.Batch, error) {
	if err := t.real(); err != nil {
		return terminal.Batch{}, err
	}
	return t.Lane.DecideBatch(ctx, d)
}

// Snapshot implements till.Lane. Reader, host and queue are the real ones': what waits for the bank waits all the same.
func (t *Terminal) Snapshot() terminal.Snapshot {
	return t.over(t.Lane.Snapshot())
}

// over puts what is played over the lane's own snapshot.
func (t *Terminal) over(real terminal.Snapshot) terminal.Snapshot {
	t.mu.Lock()
	defer t.mu.Unlock()
	real.Version += t.version
	if !t.on {
		return real
	}
	s := t.shown
	real.Training = true
	real.Sale, real.State, real.Amount, real.Prompt, real.Text = s.Sale, s.State, s.Amount, s.Prompt, s.Prompt.English()
	real.Advice, real.Warning, real.Confirm, real.Language = s.Advice, s.Warning, s.Confirm, s.Language
	real.PIN, real.Last, real.CardLeft = s.PIN, s.Last, s.CardLeft
	items := t.items()
	real.Batch = &terminal.BatchStatus{Number: 1}
	for _, i := range terminal.Counted(items) {
		real.Batch.Count++
		real.Batch.Sum = money.New(real.Batch.Sum.Minor+i.Sale.CapturedMinor(), i.Sale.Amount.Currency)
	}
	return real
}

// Watch implements till.Lane: it wakes for the lane's news as for what is played.
func (t *Terminal) Watch(ctx context.Context, after uint64) (terminal.Snapshot, error) {
	for {
		t.mu.Lock()
		changed := t.changed
		t.mu.Unlock()
		now := t.Lane.Snapshot()
		if s := t.over(now); s.Version > after {
			return s, nil
		}
		wait, stop := context.WithCancel(ctx)
		woken := make(chan error, 1)
		go func() {
			_, err := t.Lane.Watch(wait, now.Version)
			woken <- err
		}()
		select {
		case <-changed:
			stop()
			if err := <-woken; err != nil && ctx.Err() != nil {
				return t.Snapshot(), ctx.Err()
			}
		case err := <-woken:
			stop()
			if err != nil {
				return t.Snapshot(), err
			}
		}
	}
}
