package lane

import (
	"context"
	"fmt"
	"time"

	"tillway/terminal"
)

// agrees says that a state waits for the cashier's word.
func agrees(s terminal.State) bool {
	return s == terminal.AgreementOnline || s == terminal.AgreementOffline
}

// watchRemoval looks, until stop is called, whether the sale's card is taken out.
func (l *Lane) watchRemoval(ctx context.Context, r *run) (stop func()) {
	if r.card == nil {
		return func() {}
	}
	watch, end := context.WithCancel(ctx)
	gone := make(chan error, 1)
	go func() { gone <- l.cfg.Reader.AwaitRemoval(watch) }()
	return func() {
		end()
		r.taken = <-gone == nil
	}
}

// agreement waits for the cashier to compare a signature (Book 3, 10.5.3; Book 4, 6.3.4.4). The card is done with: its power
// goes off, so that it can be taken out and its back looked at; once it was, another one in the slot is not its. Only a word that it matches agrees. A word that it does not,
// no word in time, and the daemon's stop do not: the host's approval is then reversed, which is what the table says of a
// power cut too.
func (l *Lane) agreement(ctx context.Context, r *run) terminal.Event {
	if err := l.cfg.Reader.Release(context.WithoutCancel(ctx)); err != nil {
		l.cfg.Log.Warn("taking the power off the card", "err", err)
	}
	defer l.watchRemoval(ctx, r)()
	wait := time.NewTimer(l.cfg.AgreementWait)
	defer wait.Stop()
	select {
	case <-l.board.agreed():
	case <-wait.C:
		r.detail, r.note = "Nobody said in time that it matches.", "no answer in "+l.cfg.AgreementWait.String()
	case <-ctx.Done():
		r.detail, r.note = "The terminal was stopped before it was compared.", "the terminal is stopping"
	}
	part := r.rec.Approved.Minor > 0
	if part {
		r.cause = terminal.PartRefused(*r.rec)
	}
	switch a, said := l.board.word(); {
	case said && a.Matches:
		r.cause, r.detail, r.note = terminal.Outcome{}, "", a.By+" says that the signature matches"
		if part {
			r.note = a.By + " takes the part that the bank approved"
		}
		return l.capture(ctx, r, terminal.Agreed, terminal.NotAgreed)
	case said:
		r.detail, r.note = "It does not match.", a.By+" says that the signature does not match"
		if part {
			r.note = a.By + " does not take the part that the bank approved"
		}
	}
	return terminal.NotAgreed
}

// agreed is closed when there is a word on the running sale's signature.
func (b *board) agreed() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.agreement
}

// word is what was said, and the end of the wait: from here on agree refuses. So a word that was taken is always heard, also
// when time ran out at the same moment.
func (b *board) word() (a terminal.Agreement, said bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	said, b.answered = b.answered, true
	return b.said, said
}

// agree takes the word on a sale's signature, once.
func (b *board) agree(id terminal.SaleID, a terminal.Agreement) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.runs && b.sale.ID == id && b.agreement != nil && !b.answered {
		b.answered, b.said = true, a
		close(b.agreement)
		return nil
	}
	return fmt.Errorf("sale %s: %w", id, terminal.ErrAgreement)
}
