package host

import (
	"errors"
	"fmt"
	"slices"
)

// ErrNoTransaction says that no transaction stands under a terminal and a trace number.
var ErrNoTransaction = errors.New("no such transaction stands here")

// Lost is the state of a transaction that the host has forgotten on purpose.
const Lost State = "lost"

// Lose makes the host forget a transaction that it has answered, as if it had never come: its money goes back, and the terminal's totals differ
// by it. It plays what happens between switches, so that a settlement out of balance can be tried. Error: ErrNoTransaction.
func (h *Host) Lose(terminal, stan string) error {
	now := h.cfg.Clock()
	h.mu.Lock()
	at := slices.IndexFunc(h.ledger.order, func(r *record) bool {
		return r.key.terminal == terminal && r.key.stan == stan && r.captured() && !r.cleared
	})
	if at < 0 {
		h.mu.Unlock()
		return fmt.Errorf("terminal %q, trace number %q: %w", terminal, stan, ErrNoTransaction)
	}
	r := h.ledger.order[at]
	h.undo("lost", r, Lost, now)
	h.ledger.forget(r)
	h.post()
	h.mu.Unlock()
	return h.book.Sync()
}

// forget takes a transaction out of everything that finds one; it stays in the list.
func (l *records) forget(r *record) {
	batch := key{terminal: r.key.terminal, batch: r.key.batch}
	l.byBatch[batch] = slices.DeleteFunc(l.byBatch[batch], func(o *record) bool { return o == r })
	delete(l.byKey, r.key)
	delete(l.byRRN, r.rrn)
	if latest := (key{terminal: r.key.terminal, stan: r.key.stan}); l.latest[latest] == r {
		delete(l.latest, latest)
	}
}
