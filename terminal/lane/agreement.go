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

// agreement waits for the cashier to compare a signature (Book 3, 10.5.3; Book 4, 6.3.4.4). The card is done with: its power
// goes off, so that it can be taken out and its back looked at. Only a word that it matches agrees. A word that it does not,
// no word in time, and the daemon's stop do not: the host's approval is then reversed, which is what the table says of a
// power cut too.
func (l *Lane) agreement(ctx context.Context, r *run) terminal.Event {
	if err := l.cfg.Reader.Release(context.WithoutCancel(ctx)); err != nil {
		l.cfg.Log.Warn("taking the power off the card", "err", err)
	}
	wait := time.NewTimer(l.cfg.AgreementWait)
	defer wait.Stop()
	select {
	case <-l.board.agreed():
	case <-wait.C:
		r.detail, r.note = "Nobody said in time that it matches.", "no answer in "+l.cfg.AgreementWait.String()
	case <-ctx.Done():
		r.detail, r.note = "The terminal was stopped before it was compared.", "the terminal is stopping"
	}
	switch a, said := l.board.word(); {
	case said && a.Matches:
		r.detail, r.note = "", fmt.Sprintf("%s says that the signature matches", a.By)
		return terminal.Agreed
	case said:
		r.detail, r.note = "It does not match.", fmt.Sprintf("%s says that the signature does not match", a.By)
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
