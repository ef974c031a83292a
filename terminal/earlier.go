package terminal

import (
	"slices"

	"tillway/money"
)

// Earlier is the transaction that an order is about, with what has become of it since.
type Earlier struct {
	Sale  Sale
	About []Sale // approved, and not voided themselves, oldest first
}

// May judges whether an order follows from the transaction that it is about; batch is the one that sales go into. Error: ErrOrder, with
// what to do instead.
func (e Earlier) May(o Order, batch uint32) error {
	if e.Sale.State != Approved {
		return Refuse("transaction %s is %s: only one that was approved has something to follow", e.Sale.ID, e.Sale.State)
	}
	if v, ok := e.Of(KindVoid); ok {
		return Refuse("transaction %s is voided already, by transaction %s", e.Sale.ID, v.ID)
	}
	switch o.Kind {
	case KindVoid:
		return e.mayVoid(batch)
	case KindRefund:
		return e.mayRefund(o.Amount)
	case KindIncrement:
		_, err := e.held()
		return err
	case KindCompletion:
		return e.mayComplete(o.Amount)
	case KindSale, KindForced, KindPreauth, KindBalance:
	}
	return nil
}

// Of is the first of a kind among what is about it.
func (e Earlier) Of(k Kind) (Sale, bool) {
	i := slices.IndexFunc(e.About, func(s Sale) bool { return s.Kind == k })
	if i < 0 {
		return Sale{}, false
	}
	return e.About[i], true
}

// Sum is what all of a kind among them moved, in minor units.
func (e Earlier) Sum(k Kind) (minor int64) {
	for _, s := range e.About {
		if s.Kind == k {
			minor += s.Taken().Minor
		}
	}
	return minor
}

// mayVoid: a void takes all of it back, as if it had not been, and so only before its batch is closed and nothing was built on it.
func (e Earlier) mayVoid(batch uint32) error {
	s := e.Sale
	switch s.Kind {
	case KindSale, KindForced, KindRefund, KindPreauth, KindCompletion:
	case KindIncrement:
		return Refuse("an increment is not voided by itself: complete with less, or void the pre-authorisation, transaction %s", s.Of)
	case KindVoid, KindBalance:
		return Refuse("transaction %s is %s, and that cannot be voided", s.ID, kindNamed(s.Kind))
	}
	if s.Batch != batch {
		instead := "give the money back with a refund of it"
		switch s.Kind {
		case KindPreauth:
			instead = "complete it, or leave it to its bank to let go of what is held"
		case KindRefund:
			instead = "sell again"
		default:
		}
		return Refuse("transaction %s is of batch %d, which is settled or closed: %s", s.ID, s.Batch, instead)
	}
	if r, ok := e.Of(KindRefund); ok {
		return Refuse("transaction %s was refunded, by transaction %s: refund the rest, or void that refund first", s.ID, r.ID)
	}
	if c, ok := e.Of(KindCompletion); ok {
		return Refuse("transaction %s is completed: void the completion, transaction %s", s.ID, c.ID)
	}
	return nil
}

// mayRefund: all refunds of a transaction together are no more than it took.
func (e Earlier) mayRefund(amount money.Amount) error {
	s := e.Sale
	if !s.Kind.Captured() || s.Kind.Credit() {
		return Refuse("transaction %s is %s, which took no money: there is nothing to refund", s.ID, kindNamed(s.Kind))
	}
	left := money.New(s.Taken().Minor-e.Sum(KindRefund), s.Amount.Currency)
	switch {
	case left.Minor <= 0:
		return Refuse("transaction %s is refunded already, all of its %s", s.ID, s.Taken().Format())
	case amount.Minor > left.Minor:
		return Refuse("of transaction %s only %s are left to refund", s.ID, left.Format())
	case s.Token == "":
		return Refuse("whose card transaction %s was paid with is not known any more: give the money back in another way", s.ID)
	}
	return nil
}

// held is what a pre-authorisation holds with its increments, if it still does.
func (e Earlier) held() (money.Amount, error) {
	s := e.Sale
	if s.Kind != KindPreauth {
		return money.Amount{}, Refuse("transaction %s is %s, and no pre-authorisation", s.ID, kindNamed(s.Kind))
	}
	if c, ok := e.Of(KindCompletion); ok {
		return money.Amount{}, Refuse("transaction %s is completed already, by transaction %s", s.ID, c.ID)
	}
	return money.New(s.Taken().Minor+e.Sum(KindIncrement), s.Amount.Currency), nil
}

func (e Earlier) mayComplete(amount money.Amount) error {
	held, err := e.held()
	if err == nil && amount.Minor > held.Minor {
		err = Refuse("%s is more than the %s that transaction %s holds: increment it first", amount.Format(), held.Format(), e.Sale.ID)
	}
	return err
}

// kindNamed is a kind as its receipt calls it, with its article.
func kindNamed(k Kind) string {
	switch k {
	case KindPreauth:
		return "a pre-authorisation"
	case KindIncrement:
		return "an increment"
	case KindForced:
		return "a forced sale"
	case KindBalance:
		return "a balance inquiry"
	default:
		return "a " + string(k)
	}
}
