package lane

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"tillway/terminal"
)

// earlier is the transaction that an order is about, what has become of it since, and what the host called it.
type earlier struct {
	terminal.Earlier

	ack terminal.Acknowledgement // when it was told of it afterwards; empty: as in its own record
}

// earlier looks the transaction up that an order is about, and judges whether the one follows from the other; nil where the
// order is about none. Errors: terminal.ErrOrder, with what to do instead; errJournal.
func (l *Lane) earlier(ctx context.Context, o terminal.Order, batch uint32) (*earlier, error) {
	if o.Of == 0 {
		return nil, nil //nolint:nilnil // about none
	}
	e, err := l.standing(ctx, o.Of)
	if err != nil {
		return nil, err
	}
	switch s := e.Sale; {
	case s.Acquirer != l.cfg.Owner.Name():
		return nil, terminal.Refuse("transaction %s went to another acquirer, %s", s.ID, s.Acquirer)
	case s.Amount.Currency != l.cfg.Currency:
		return nil, terminal.Refuse("transaction %s is in %s: this terminal takes %s", s.ID, s.Amount.Currency.Code, l.cfg.Currency.Code)
	}
	if err = e.May(o, batch); err == nil {
		err = l.told(ctx, e)
	}
	if err == nil && (o.Kind == terminal.KindVoid || o.Kind == terminal.KindRefund) {
		err = l.undone(ctx, o.Of)
	}
	return e, err
}

// undone refuses to give money back while the host may have given it already: a void or refund that it did not answer, and whose
// reversal it has refused for good, may stand there.
func (l *Lane) undone(ctx context.Context, id terminal.SaleID) error {
	all, err := l.cfg.Journal.About(ctx, id)
	if err != nil {
		return aboutFails(id, err)
	}
	for _, s := range all {
		if s.State == terminal.Approved || s.Kind != terminal.KindVoid && s.Kind != terminal.KindRefund {
			continue
		}
		switch _, told, err := l.cfg.Journal.Told(ctx, s.ID); {
		case errors.Is(err, terminal.ErrQuarantined):
			return terminal.Refuse("whether transaction %s, a %s of it, stands at the bank is not sure: %w", s.ID, s.Kind, err)
		case err != nil:
			return fmt.Errorf("%w: what the host knows of sale %s: %w", errJournal, s.ID, err)
		case !told:
			return terminal.Refuse("the bank has refused the reversal of transaction %s, a %s of transaction %s, and may have paid that back: ask the acquirer, then send the reversal again or write it off (pos queue)",
				s.ID, s.Kind, id)
		}
	}
	return nil
}

// told asks whether the host knows of the earlier transaction: it could not find what it was not told of.
func (l *Lane) told(ctx context.Context, e *earlier) error {
	ack, told, err := l.cfg.Journal.Told(ctx, e.Sale.ID)
	switch {
	case errors.Is(err, terminal.ErrQuarantined):
		return terminal.Refuse("whether the bank knows of transaction %s is not sure: %w", e.Sale.ID, err)
	case err != nil:
		return fmt.Errorf("%w: what the host knows of sale %s: %w", errJournal, e.Sale.ID, err)
	case !told:
		return terminal.Refuse("the bank does not know of transaction %s yet, or not all of it: look at what waits for it (pos queue), send it, then try again", e.Sale.ID)
	}
	e.ack = ack
	return nil
}

// original is the earlier transaction as a message names it.
func (e *earlier) original() terminal.Original {
	o := e.Sale.Original()
	o.RRN, o.AuthCode = cmp.Or(e.ack.RRN, o.RRN), cmp.Or(o.AuthCode, e.ack.AuthCode)
	if e.Sale.Kind == terminal.KindPreauth { // with what increments have added: that is what is authorised
		o.Amount.Minor += e.Sum(terminal.KindIncrement)
	}
	return o
}

// standing is a transaction with what is about it and stands. A void that was approved takes what it is about out of the list of
// whatever that was about.
func (l *Lane) standing(ctx context.Context, id terminal.SaleID) (*earlier, error) {
	s, err := l.cfg.Journal.Sale(ctx, id)
	switch {
	case errors.Is(err, terminal.ErrNoSale):
		return nil, terminal.Refuse("there is no transaction %s: its number is on its receipt", id)
	case errors.Is(err, terminal.ErrQuarantined):
		return nil, terminal.Refuse("transaction %s: %w", id, err)
	case err != nil:
		return nil, fmt.Errorf("%w: sale %s: %w", errJournal, id, err)
	}
	e := &earlier{Earlier: terminal.Earlier{Sale: s}}
	about, err := l.about(ctx, id)
	if err != nil {
		return nil, err
	}
	for _, a := range about {
		voided, err := l.voided(ctx, a)
		if err != nil {
			return nil, err
		}
		if !voided {
			e.About = append(e.About, a)
		}
	}
	return e, nil
}

// about is what is approved about a transaction.
func (l *Lane) about(ctx context.Context, id terminal.SaleID) ([]terminal.Sale, error) {
	all, err := l.cfg.Journal.About(ctx, id)
	if err != nil {
		return nil, aboutFails(id, err)
	}
	return slices.DeleteFunc(all, func(s terminal.Sale) bool { return s.State != terminal.Approved }), nil
}

func aboutFails(id terminal.SaleID, err error) error {
	if errors.Is(err, terminal.ErrQuarantined) {
		return terminal.Refuse("what has become of transaction %s is not sure: %w", id, err)
	}
	return fmt.Errorf("%w: what is about sale %s: %w", errJournal, id, err)
}

// voided says that a transaction was taken back.
func (l *Lane) voided(ctx context.Context, s terminal.Sale) (bool, error) {
	if s.Kind == terminal.KindVoid {
		return false, nil // a void is not voided
	}
	about, err := l.about(ctx, s.ID)
	return slices.ContainsFunc(about, func(a terminal.Sale) bool { return a.Kind == terminal.KindVoid }), err
}
