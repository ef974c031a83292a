//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"tillway/terminal"
)

// result is where a sale ended, as three witnesses have it: pos by its exit status, the terminal by its record, the bank by its
// ledger.
type result struct {
	exit  int
	state terminal.State
	code  string // terminal.Outcome.Code
	bank  string // posted, reversed, or nothing
}

func (r result) String() string {
	return fmt.Sprintf("%s (%s), exit %d, bank: %s", r.state, r.code, r.exit, r.bank)
}

// What a sale comes to.
var (
	approved       = result{0, terminal.Approved, terminal.CodeApproved, "posted"}      //nolint:gochecknoglobals // constants, but for Go
	pulledEarly    = result{3, terminal.Cancelled, terminal.CodeCardRemoved, "nothing"} //nolint:gochecknoglobals // the same
	pulledLate     = result{5, terminal.Reversed, terminal.CodeCardRemoved, "reversed"} //nolint:gochecknoglobals // the same
	errUnexpected  = errors.New("another end than expected")                            //nolint:gochecknoglobals // the same
	errNothingSaid = errors.New("the terminal does not say what happened")              //nolint:gochecknoglobals // the same
)

// sell has the cashier sell and compares. during, where there is one, happens meanwhile.
func (s *shop) sell(ctx context.Context, amount string, want result, during func(context.Context) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	meanwhile := make(chan error, 1)
	go func() {
		var err error
		if during != nil {
			if err = during(ctx); err != nil {
				stop(err)
			}
		}
		meanwhile <- err
	}()
	printed, status, err := s.Run(ctx, []string{"TILLWAY_SESSION=/shop/session"}, "", "/bin/pos", "sale", amount, "--socket", "/shop/posd.sock")
	if err != nil {
		stop(err)
		return errors.Join(err, <-meanwhile)
	}
	if err := <-meanwhile; err != nil {
		return fmt.Errorf("%w; pos said:\n%s", err, printed)
	}
	if err := s.settled(ctx); err != nil {
		return err
	}
	sale, err := s.lastSale(ctx)
	if err != nil {
		return err
	}
	bank, err := s.atBank(ctx, sale.STAN)
	if err != nil {
		return err
	}
	got := result{exit: status, state: sale.State, code: sale.Outcome.Code, bank: bank}
	if got != want {
		return fmt.Errorf("%w: a sale of %s ended as %v, want %v; pos said:\n%s", errUnexpected, amount, got, want, printed)
	}
	return nil
}

// settled waits until no sale runs and nothing is owed.
func (s *shop) settled(ctx context.Context) error {
	return await(ctx, "nothing is owed to the bank", func(ctx context.Context) (bool, error) {
		now, err := s.status(ctx)
		return err == nil && (now.State == terminal.Ready || now.State.Final()) && now.Owed == 0, err
	})
}

// sees waits until the terminal's status says of the reader that it works, or that it does not, with these words in state or cause.
func (s *shop) sees(ctx context.Context, ok bool, words string) error {
	var last terminal.Health
	err := await(ctx, fmt.Sprintf("the reader's status (working: %t) says %q", ok, words), func(ctx context.Context) (bool, error) {
		now, err := s.status(ctx)
		last = now.Reader
		said := last.State + " " + last.Cause
		return err == nil && last.OK == ok && strings.Contains(said, words), err
	})
	if err != nil {
		return fmt.Errorf("%w: %w; it says %+v", errNothingSaid, err, last)
	}
	return nil
}

// inState waits until the running sale is in a state.
func (s *shop) inState(ctx context.Context, state terminal.State) error {
	return await(ctx, "the sale is in "+string(state), func(ctx context.Context) (bool, error) {
		now, err := s.status(ctx)
		return err == nil && now.State == state, err
	})
}
