package lane

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"tillway/terminal"
)

// errCancelled is the cause with which a sale's context ends when the cashier cancels.
var errCancelled = errors.New("cancelled by the cashier")

// board is the latest snapshot and the running sale, for whoever wants to look. It holds nobody up.
type board struct {
	mu      sync.Mutex // guards all below; held over no I/O
	snap    terminal.Snapshot
	sale    terminal.Sale
	runs    bool
	pulse   pulse
	changed chan struct{} // closed and replaced with every change
	begun   chan struct{} // closed when a sale begins, replaced when it ends
	moved   time.Time     // when changed was last replaced
	stop    context.CancelCauseFunc
	late    bool // the running sale can no longer be cancelled

	agreement chan struct{}      // closed with the word on a signature; nil: nothing is to be agreed
	said      terminal.Agreement // the word, where answered
	answered  bool               // it was taken, or is taken no more

	confirming chan struct{} // closed with the word on a warning; nil: nothing is to be confirmed
	meant      bool          // the word, where confirmed
	meantBy    string
	confirmed  bool
}

func (b *board) init() {
	b.changed, b.begun = make(chan struct{}), make(chan struct{})
	b.snap = terminal.Snapshot{Version: 1, State: terminal.Ready, Prompt: terminal.PromptWelcome}
}

func (b *board) change(f func(*terminal.Snapshot)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.changeLocked(f)
}

func (b *board) changeLocked(f func(*terminal.Snapshot)) {
	f(&b.snap)
	b.snap.Version++
	b.moved = time.Now()
	close(b.changed)
	b.changed = make(chan struct{})
}

// begin publishes a new sale and gives it a context that Cancel ends with errCancelled as its cause.
func (b *board) begin(ctx context.Context, s terminal.Sale) (context.Context, context.CancelFunc) {
	c, stop := context.WithCancelCause(ctx)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sale, b.runs, b.late, b.stop = s, true, s.Kind.WithoutCard(), stop // without a card there is nothing to wait for
	close(b.begun)
	b.changeLocked(func(n *terminal.Snapshot) {
		n.Sale, n.State, n.Amount, n.Prompt, n.Advice = s.ID, s.State, s.Amount, terminal.PromptNone, ""
		n.Warning, n.Confirm, n.Language, n.Display = "", false, "", nil
	})
	return c, func() { stop(context.Canceled) }
}

// show publishes where the running sale stands. With a final state the sale is over; the caller has it on disk.
func (b *board) show(s terminal.Sale, p terminal.Prompt, advice string, cardLeft bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sale = s
	b.agreement, b.answered = nil, false
	if agrees(s.State) {
		b.agreement = make(chan struct{})
	}
	if s.State.Final() && b.runs {
		b.runs = false
		b.begun = make(chan struct{})
	}
	b.changeLocked(func(n *terminal.Snapshot) {
		n.Sale, n.State, n.Amount, n.Prompt, n.Advice, n.CardLeft = s.ID, s.State, s.Amount, p, advice, cardLeft
		if s.State.Final() {
			last := s
			n.Last = &last
		}
	})
}

func (b *board) running() (terminal.Sale, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sale, b.runs
}

func (b *board) started() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.begun
}

func (b *board) latest() terminal.Snapshot {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.snap
}

func (b *board) newer(ctx context.Context, after uint64) (terminal.Snapshot, error) {
	for {
		b.mu.Lock()
		snap, changed := b.snap, b.changed
		b.mu.Unlock()
		if snap.Version > after {
			return snap, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return snap, ctx.Err()
		}
	}
}

// pointOfNoReturn stops listening to Cancel; it reports false when the sale was cancelled just before.
func (b *board) pointOfNoReturn(ctx context.Context) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if ctx.Err() != nil {
		return false
	}
	b.late = true
	return true
}

// cancel asks for the running sale to be cancelled; id is the one that is meant, 0 whichever runs.
func (b *board) cancel(id terminal.SaleID) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case !b.runs, id != 0 && b.sale.ID != id:
		return terminal.ErrNothingRuns
	case b.agreement != nil:
		return terminal.ErrAgreementDue
	case b.late:
		return terminal.ErrNotCancelable
	}
	b.stop(errCancelled)
	return nil
}

// warn puts a warning beside the running sale.
func (b *board) warn(warning string) {
	b.change(func(n *terminal.Snapshot) { n.Warning = warning })
}

// ask waits for somebody's word on the warning: what it returns is closed with it.
func (b *board) ask() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.confirming, b.meant, b.meantBy, b.confirmed = make(chan struct{}), false, "", false
	b.changeLocked(func(n *terminal.Snapshot) {
		n.Confirm, n.Advice = true, terminal.SameCardQuestion
	})
	return b.confirming
}

// told is what was said, and the end of the wait: from here on confirm refuses.
func (b *board) told() (meant bool, by string, answered bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.confirming = nil
	b.changeLocked(func(n *terminal.Snapshot) { n.Confirm = false })
	return b.meant, b.meantBy, b.confirmed
}

// confirm takes the word on the running sale's warning, once.
func (b *board) confirm(id terminal.SaleID, meant bool, by string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.runs && b.sale.ID == id && b.confirming != nil && !b.confirmed {
		b.confirmed, b.meant, b.meantBy = true, meant, by
		close(b.confirming)
		return nil
	}
	return fmt.Errorf("sale %s: %w", id, terminal.ErrConfirm)
}
