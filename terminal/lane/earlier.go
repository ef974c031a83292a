package lane

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"tillway/money"
	"tillway/terminal"
)

// earlier is the transaction that an order is about, and what has become of it since.
type earlier struct {
	sale  terminal.Sale
	ack   terminal.Acknowledgement // what the host called it when it was told of it afterwards; empty: as in its own record
	about []terminal.Sale          // approved, and not voided themselves, oldest first
}

// of is the first of a kind among what is about it.
func (e *earlier) of(k terminal.Kind) (terminal.Sale, bool) {
	i := slices.IndexFunc(e.about, func(s terminal.Sale) bool { return s.Kind == k })
	if i < 0 {
		return terminal.Sale{}, false
	}
	return e.about[i], true
}

// sum is what all of a kind among them moved, in minor units.
func (e *earlier) sum(k terminal.Kind) (minor int64) {
	for _, s := range e.about {
		if s.Kind == k {
			minor += s.Taken().Minor
		}
	}
	return minor
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
	switch s := e.sale; {
	case s.Acquirer != l.cfg.Owner.Name():
		return nil, refuse("transaction %s went to another acquirer, %s", s.ID, s.Acquirer)
	case s.State != terminal.Approved:
		return nil, refuse("transaction %s is %s: only one that was approved has something to follow", s.ID, s.State)
	case s.Amount.Currency != l.cfg.Currency:
		return nil, refuse("transaction %s is in %s: this terminal takes %s", s.ID, s.Amount.Currency.Code, l.cfg.Currency.Code)
	}
	if v, ok := e.of(terminal.KindVoid); ok {
		return nil, refuse("transaction %s is voided already, by transaction %s", o.Of, v.ID)
	}
	switch o.Kind {
	case terminal.KindVoid:
		err = e.mayVoid(batch)
	case terminal.KindRefund:
		err = e.mayRefund(o.Amount)
	case terminal.KindIncrement:
		_, err = e.held()
	case terminal.KindCompletion:
		err = e.mayComplete(o.Amount)
	case terminal.KindSale, terminal.KindForced, terminal.KindPreauth, terminal.KindBalance:
	}
	if err == nil {
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
			return refuse("whether transaction %s, a %s of it, stands at the bank is not sure: %w", s.ID, s.Kind, err)
		case err != nil:
			return fmt.Errorf("%w: what the host knows of sale %s: %w", errJournal, s.ID, err)
		case !told:
			return refuse("the bank has refused the reversal of transaction %s, a %s of transaction %s, and may have paid that back: ask the acquirer, then send the reversal again or write it off (pos queue)",
				s.ID, s.Kind, id)
		}
	}
	return nil
}

// told asks whether the host knows of the earlier transaction: it could not find what it was not told of.
func (l *Lane) told(ctx context.Context, e *earlier) error {
	ack, told, err := l.cfg.Journal.Told(ctx, e.sale.ID)
	switch {
	case errors.Is(err, terminal.ErrQuarantined):
		return refuse("whether the bank knows of transaction %s is not sure: %w", e.sale.ID, err)
	case err != nil:
		return fmt.Errorf("%w: what the host knows of sale %s: %w", errJournal, e.sale.ID, err)
	case !told:
		return refuse("the bank does not know of transaction %s yet, or not all of it: look at what waits for it (pos queue), send it, then try again", e.sale.ID)
	}
	e.ack = ack
	return nil
}

// original is the earlier transaction as a message names it.
func (e *earlier) original() terminal.Original {
	o := e.sale.Original()
	o.RRN, o.AuthCode = cmp.Or(e.ack.RRN, o.RRN), cmp.Or(o.AuthCode, e.ack.AuthCode)
	if e.sale.Kind == terminal.KindPreauth { // with what increments have added: that is what is authorised
		o.Amount.Minor += e.sum(terminal.KindIncrement)
	}
	return o
}

// standing is a transaction with what is about it and stands. A void that was approved takes what it is about out of the list of
// whatever that was about.
func (l *Lane) standing(ctx context.Context, id terminal.SaleID) (*earlier, error) {
	s, err := l.cfg.Journal.Sale(ctx, id)
	switch {
	case errors.Is(err, terminal.ErrNoSale):
		return nil, refuse("there is no transaction %s: its number is on its receipt", id)
	case errors.Is(err, terminal.ErrQuarantined):
		return nil, refuse("transaction %s: %w", id, err)
	case err != nil:
		return nil, fmt.Errorf("%w: sale %s: %w", errJournal, id, err)
	}
	e := &earlier{sale: s}
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
			e.about = append(e.about, a)
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
		return refuse("what has become of transaction %s is not sure: %w", id, err)
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

// mayVoid: a void takes all of it back, as if it had not been, and so only before its batch is closed and nothing was built on it.
func (e *earlier) mayVoid(batch uint32) error {
	s := e.sale
	switch s.Kind {
	case terminal.KindSale, terminal.KindForced, terminal.KindRefund, terminal.KindPreauth, terminal.KindCompletion:
	case terminal.KindIncrement:
		return refuse("an increment is not voided by itself: complete with less, or void the pre-authorisation, transaction %s", s.Of)
	case terminal.KindVoid, terminal.KindBalance:
		return refuse("transaction %s is %s, and that cannot be voided", s.ID, named(s.Kind))
	}
	if s.Batch != batch {
		instead := "give the money back with a refund of it"
		switch s.Kind {
		case terminal.KindPreauth:
			instead = "complete it, or leave it to its bank to let go of what is held"
		case terminal.KindRefund:
			instead = "sell again"
		default:
		}
		return refuse("transaction %s is of batch %d, which is settled or closed: %s", s.ID, s.Batch, instead)
	}
	if r, ok := e.of(terminal.KindRefund); ok {
		return refuse("transaction %s was refunded, by transaction %s: refund the rest, or void that refund first", s.ID, r.ID)
	}
	if c, ok := e.of(terminal.KindCompletion); ok {
		return refuse("transaction %s is completed: void the completion, transaction %s", s.ID, c.ID)
	}
	return nil
}

// mayRefund: all refunds of a transaction together are no more than it took.
func (e *earlier) mayRefund(amount money.Amount) error {
	s := e.sale
	if !s.Kind.Captured() || s.Kind.Credit() {
		return refuse("transaction %s is %s, which took no money: there is nothing to refund", s.ID, named(s.Kind))
	}
	left := money.New(s.Taken().Minor-e.sum(terminal.KindRefund), s.Amount.Currency)
	switch {
	case left.Minor <= 0:
		return refuse("transaction %s is refunded already, all of its %s", s.ID, s.Taken().Format())
	case amount.Minor > left.Minor:
		return refuse("of transaction %s only %s are left to refund", s.ID, left.Format())
	case s.Token == "":
		return refuse("whose card transaction %s was paid with is not known any more: give the money back in another way", s.ID)
	}
	return nil
}

// held is what a pre-authorisation holds with its increments, if it still does.
func (e *earlier) held() (money.Amount, error) {
	s := e.sale
	if s.Kind != terminal.KindPreauth {
		return money.Amount{}, refuse("transaction %s is %s, and no pre-authorisation", s.ID, named(s.Kind))
	}
	if c, ok := e.of(terminal.KindCompletion); ok {
		return money.Amount{}, refuse("transaction %s is completed already, by transaction %s", s.ID, c.ID)
	}
	return money.New(s.Taken().Minor+e.sum(terminal.KindIncrement), s.Amount.Currency), nil
}

func (e *earlier) mayComplete(amount money.Amount) error {
	held, err := e.held()
	if err == nil && amount.Minor > held.Minor {
		err = refuse("%s is more than the %s that transaction %s holds: increment it first", amount.Format(), held.Format(), e.sale.ID)
	}
	return err
}

// named is a kind as its receipt calls it, with its article.
func named(k terminal.Kind) string {
	switch k {
	case terminal.KindPreauth:
		return "a pre-authorisation"
	case terminal.KindIncrement:
		return "an increment"
	case terminal.KindForced:
		return "a forced sale"
	case terminal.KindBalance:
		return "a balance inquiry"
	default:
		return "a " + string(k)
	}
}
