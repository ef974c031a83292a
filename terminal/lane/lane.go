package lane

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"tillway/device"
	"tillway/emv"
	"tillway/money"
	"tillway/terminal"
	"tillway/terminal/profile"
)

// Config is what a lane is made of. Every field is needed unless its comment says otherwise.
type Config struct {
	Journal Journal
	Kernel  Kernel
	Reader  device.Reader
	Owner   *Owner
	Sales   Counter // sale numbers
	Traces  Counter // STANs: the number modulo 999999, from 1

	// Params is what the terminal's profile brings to a sale; Random and all.
	Params func(order terminal.Order, at time.Time, sale terminal.SaleID) emv.Params

	PINPad     PINPad        // nil: none
	PINTimeout time.Duration // for one entry; needed with a PINPad
	PINBypass  bool          // the customer may leave the PIN out, unless the application requires it
	PINSocket  string        // shown with the prompt: where an on-screen PIN is entered, in development

	Stripe  StripeRules  // of swiped cards
	Offline OfflineRules // of approvals without the host

	// Transactions is which kinds of transaction the profile allows, and how. Without kinds it is sales alone.
	Transactions profile.Transactions

	Languages []terminal.Language // that prompts are in, the terminal's own first; none: the customer's is not told

	Currency   money.Currency // the one currency orders may have
	TerminalID string
	MerchantID string

	Recovered bool // Recover found an unfinished sale: the card in the slot must leave before the next one

	// AgreementWait is how long the cashier may take to compare a signature. After it the signature counts as one that does
	// not match: nothing is ever approved because nobody answered.
	AgreementWait time.Duration

	CardWait time.Duration // how long AwaitCard waits for a card
	CardTalk time.Duration // how long the kernel may talk with a card, before and after the host

	Clock func() time.Time // wall clock for records and messages
	Table []terminal.Row   // nil: terminal.Table()
	Log   *slog.Logger
}

// Lane runs one sale at a time. Run is its one goroutine; the other methods may be called from any.
type Lane struct {
	cfg   Config
	table []terminal.Row
	start chan startCall
	rest  chan *restCall
	ended chan struct{} // closed when Run has returned
	board board

	pinged chan struct{} // somebody asks whether it lives

	// Only Run's goroutine uses what follows.
	cardLeft bool     // a card of a finished sale may still be in the reader
	wrong    wrongPIN // of the last sale
}

type startCall struct {
	order terminal.Order
	reply chan startReply
	rest  *restCall // nil: it is an order
}

type startReply struct {
	sale terminal.Sale
	err  error
}

// New makes a lane. Run starts it.
func New(cfg Config) *Lane {
	l := &Lane{cfg: cfg, table: cfg.Table, start: make(chan startCall), rest: make(chan *restCall), ended: make(chan struct{}), pinged: make(chan struct{})}
	if l.table == nil {
		l.table = terminal.Table()
	}
	if cfg.Owner != nil {
		cfg.Owner.told = &l.board.pulse
		l.cfg.Traces = watched{cfg.Traces, cfg.Owner}
	}
	l.board.init()
	return l
}

// Run takes orders until ctx ends. A sale whose request may have left is brought to its end first; one that still waits
// for a card is left, and nothing of it is on disk. The error is never the context's: it says that the journal failed
// or that a defect was found, and the process must end so that recovery can put things right.
func (l *Lane) Run(ctx context.Context) error {
	defer close(l.ended)
	l.cardLeft = l.cfg.Recovered // the card of a sale that a power cut ended may still be in
	for {
		call, ok := l.idle(ctx)
		if !ok {
			return nil
		}
		if call.rest != nil {
			if l.resting(ctx, call.rest) {
				return nil
			}
			continue
		}
		release := l.cfg.Owner.hold(ctx) // keys do not change under a PIN, nor does a batch end between a sale's number and its end
		r, known, err := l.accept(ctx, call.order)
		if err != nil || known {
			release()
			call.reply <- startReply{*r.rec, err}
			if errors.Is(err, errJournal) && ctx.Err() == nil {
				return err
			}
			continue
		}
		talk, stop := l.board.begin(ctx, *r.rec)
		call.reply <- startReply{*r.rec, nil}
		err = l.sell(ctx, talk, r)
		release()
		stop()
		switch {
		case errors.Is(err, errLeft):
			return nil
		case err != nil:
			return fmt.Errorf("sale %s in %s: %w", r.rec.ID, r.rec.State, err)
		}
	}
}

// idle waits for the next order. A card that a sale left behind is watched while it waits.
func (l *Lane) idle(ctx context.Context) (startCall, bool) {
	watch, stop := context.WithCancel(ctx)
	gone := make(chan error, 1)
	if l.cardLeft {
		go func() { gone <- l.cfg.Reader.AwaitRemoval(watch) }()
	} else {
		gone <- nil
	}
	waited := false
	defer func() {
		stop()
		if !waited {
			if err := <-gone; err == nil && l.cardLeft {
				l.takenOut()
			}
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return startCall{}, false
		case call := <-l.start:
			return call, true
		case <-l.pinged:
		case call := <-l.rest:
			return startCall{rest: call}, true
		case err := <-gone:
			waited = true
			if err == nil && l.cardLeft {
				l.takenOut()
			}
			gone = nil
		}
	}
}

func (l *Lane) takenOut() {
	l.cardLeft = false
	l.board.change(func(s *terminal.Snapshot) {
		s.CardLeft = false
		if s.State.Final() || s.State == terminal.Ready {
			s.Prompt, s.Advice, s.Language = terminal.PromptWelcome, "", ""
		}
	})
}

// Start begins a transaction and returns its record as soon as it waits for a card, or is on its way to the bank; Watch tells how it goes on. An order with
// a key that was used before gives that sale again. Errors: terminal.ErrBusy, ErrOrder, ErrKeyReused, ErrStopping, or the context's.
func (l *Lane) Start(ctx context.Context, o terminal.Order) (terminal.Sale, error) {
	if cur, running := l.board.running(); running {
		if o.Key != "" && cur.Key == o.Key {
			return cur, terminal.SameOrder(cur, o)
		}
		return terminal.Sale{}, fmt.Errorf("%w: sale %s, %s", terminal.ErrBusy, cur.ID, cur.Amount.Format())
	}
	call := startCall{order: o, reply: make(chan startReply, 1)}
	select {
	case l.start <- call:
		r := <-call.reply
		return r.sale, r.err
	case <-l.board.started(): // another order was quicker
		return l.Start(ctx, o)
	case <-l.ended:
		return terminal.Sale{}, terminal.ErrStopping
	case <-ctx.Done():
		return terminal.Sale{}, ctx.Err()
	}
}

// Cancel asks for the running sale to be cancelled. It is heard until the request leaves. Errors:
// terminal.ErrNothingRuns, ErrNotCancelable, ErrAgreementDue.
func (l *Lane) Cancel(context.Context) error { return l.board.cancel(0) }

// CancelSale is Cancel for one sale: another one that runs by then goes on. Errors: as Cancel's.
func (l *Lane) CancelSale(_ context.Context, id terminal.SaleID) error { return l.board.cancel(id) }

// Display puts a cash register's lines into the snapshot, for the customer's display: until the next ones, none, or the next sale.
// While a sale runs its prompts are more important, and the lines wait for its end.
func (l *Lane) Display(lines []terminal.DisplayLine) {
	l.board.change(func(s *terminal.Snapshot) {
		s.Display = slices.Clone(lines[:min(len(lines), terminal.MaxDisplayLines)])
	})
}

// Agree takes the cashier's word on the signature of the running sale. Errors: terminal.ErrAgreement when that sale waits for
// none, or has its answer already.
func (l *Lane) Agree(_ context.Context, id terminal.SaleID, a terminal.Agreement) error {
	return l.board.agree(id, a)
}

// Confirm takes somebody's word on the running sale's warning: that the same card is meant to pay the same amount again. Without it
// the sale is cancelled, and nothing is sent. Error: terminal.ErrConfirm when that sale waits for none.
func (l *Lane) Confirm(_ context.Context, id terminal.SaleID, meant bool, by string) error {
	return l.board.confirm(id, meant, by)
}

// Current is the record of the running sale, which need not be on disk yet.
func (l *Lane) Current() (terminal.Sale, bool) { return l.board.running() }

// SendQueue makes the acquirer's owner try what is owed now, whatever its back-off.
func (l *Lane) SendQueue(context.Context) error {
	l.cfg.Owner.Poke()
	return nil
}

// Decide carries out what somebody decided about a parked debt; Owner.Decide.
func (l *Lane) Decide(ctx context.Context, d terminal.DebtDecision) (terminal.Debt, error) {
	return l.cfg.Owner.Decide(ctx, d)
}

// DecideBatch carries out what somebody wants of a batch; Owner.DecideBatch.
func (l *Lane) DecideBatch(ctx context.Context, d terminal.BatchDecision) (terminal.Batch, error) {
	return l.cfg.Owner.DecideBatch(ctx, d)
}

// ExchangeKeys makes the acquirer's owner ask for new session keys as soon as no sale runs; false where the acquirer has
// none. anew is for a host that has lost the keys in force. What came of it is in the journal, and in the status of the keys.
func (l *Lane) ExchangeKeys(_ context.Context, anew bool) bool { return l.cfg.Owner.RenewKeys(anew) }

// Snapshot is the latest state of lane, reader, link and queue.
func (l *Lane) Snapshot() terminal.Snapshot { return l.dress(l.board.latest()) }

// Pulse is closed when something of the snapshot that has no version of its own may have changed: what the journal owes and holds, and how
// the link is. A reader that comes or goes is no part of it. Ask for it before the snapshot that it follows.
func (l *Lane) Pulse() <-chan struct{} { return l.board.pulse.next() }

// Watch waits until there is a snapshot newer than version after, and returns the latest.
func (l *Lane) Watch(ctx context.Context, after uint64) (terminal.Snapshot, error) {
	s, err := l.board.newer(ctx, after)
	return l.dress(s), err
}

func healthOf(r device.Reader) terminal.Health {
	st := r.Status()
	return terminal.Health{OK: st.Condition != device.Absent, Name: r.Name(), State: string(st.Condition), Cause: st.Cause}
}

func (l *Lane) dress(s terminal.Snapshot) terminal.Snapshot {
	s.Text = s.Prompt.English()
	s.Reader = healthOf(l.cfg.Reader)
	if stripe := l.cfg.Stripe.Reader; stripe != nil {
		h := healthOf(stripe)
		s.Stripe = &h
	}
	s.Host = l.cfg.Owner.Health()
	counts, err := l.cfg.Owner.counts()
	if err != nil {
		l.cfg.Log.Error("counting what is owed", "err", err)
	}
	s.Owed, s.Parked, s.Oldest, s.Journal = counts.Owed, counts.Parked, counts.Oldest, counts.Highest
	if s.OwedSum = (money.Amount{}); counts.Sum != 0 {
		s.OwedSum = money.New(counts.Sum, l.cfg.Currency)
	}
	s.Batch = l.cfg.Owner.BatchStatus()
	s.Quarantined, s.Clock = counts.Quarantined, counts.Clock
	return s
}
