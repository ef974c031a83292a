// Package contact is the kernel for chip cards with contacts: it selects an application, reads it, weighs the risk and
// asks the card for its cryptograms, up to the issuer's answer and the second GENERATE AC. One file is one step of the
// book, flow.go lists them in order, and every step's comment ends with the tags it reads and writes.
//
// It drives no reader and knows no acquirer. CONFORMANCE.md maps the rules of the books to files and tests, and says what is
// left out and why: XDA and elliptic curves, biometrics, advices, referrals.
//
// Sources: EMV 4.4 Book 1 section 12, Book 3 sections 5 to 10, Book 4 sections 6 and 12.
package contact

import (
	"context"
	"errors"
	"log/slog"

	"tillway/emv"
)

// Version names this kernel in logs, transcripts and reports (semantic versioning); Checksum says what it was built from.
const Version = "1.0.0-dev"

// Errors of the caller. A card that breaks the rules is an outcome (Terminated), never an error.
var (
	ErrParams    = errors.New("terminal parameters cannot be used")
	ErrCompleted = errors.New("transaction is complete already")
)

// Config is what a kernel is built with.
type Config struct {
	Log *slog.Logger // nil: silent. Commands are logged by header and length, never with their data
}

// Kernel runs contact transactions. It holds no state between them and may be used for any number, one after another
// or at once.
type Kernel struct{ log *slog.Logger }

// New makes a kernel.
func New(c Config) *Kernel {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Kernel{log: c.Log}
}

// Begin runs a transaction up to the first GENERATE AC. With Decision Online the Transaction waits for the issuer's
// answer; with every other decision it is nil. The error is the world failing (the card's Transmit, wrapped; the
// context; the source of random numbers; the cardholder's screen) or ErrParams; the outcome then has no decision and
// holds what was known. A nil holder means that nobody can be asked: the card's first priority is taken.
func (k *Kernel) Begin(ctx context.Context, card emv.Card, params emv.Params, holder emv.Cardholder) (emv.Transaction, emv.Outcome, error) {
	s, err := newSession(k.log, card, params, holder)
	if err != nil {
		return nil, emv.Outcome{}, err
	}
	out, err := s.run(ctx, beginning)
	if err != nil || out.Decision != emv.Online {
		return nil, out, err
	}
	return &transaction{s: s}, out, nil
}

// transaction is a session that waits for the issuer's answer. One goroutine uses it.
type transaction struct {
	s    *session
	done bool
}

// Complete finishes with the card; see emv.Transaction. Calling it twice is ErrCompleted.
func (t *transaction) Complete(ctx context.Context, answer emv.HostAnswer) (emv.Outcome, error) {
	if t.done {
		return emv.Outcome{}, ErrCompleted
	}
	t.done = true
	if err := t.s.takeAnswer(answer); err != nil {
		return emv.Outcome{}, err
	}
	return t.s.run(ctx, completion)
}
