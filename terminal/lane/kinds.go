package lane

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tillway/money"
	"tillway/terminal"
)

// maxKey has room for a cash register's name before its own key of 64 bytes.
const maxReference, maxKey, maxAuthCode = 64, 128, 6

func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{terminal.ErrOrder}, args...)...)
}

// check judges an order by itself: what the terminal does, and what belongs to a kind.
func (l *Lane) check(o terminal.Order) error {
	if err := l.does(o.Kind); err != nil {
		return err
	}
	switch {
	case len(o.Reference) > maxReference || len(o.Key) > maxKey:
		return refuse("reference or key longer than %d bytes", maxReference)
	case strings.ContainsFunc(o.Reference+o.Key, func(r rune) bool { return r < ' ' || r == 0x7F }):
		return refuse("reference or key with control characters")
	case cardNumberIn(o.Reference) || cardNumberIn(o.Key):
		return refuse("the reference looks like a card number, which is never kept: use the shop's own number")
	case slices.ContainsFunc(o.Asked.Words(), cardNumberIn):
		return refuse("one of the cash register's own numbers looks like a card number, which is never kept: use another")
	case o.Of == 0 && o.Kind.WithoutCard():
		return refuse("a %s is about an earlier transaction: give its number", o.Kind)
	case o.Of != 0 && !o.Kind.WithoutCard() && o.Kind != terminal.KindRefund:
		return refuse("a %s is about no earlier transaction: leave its number out", o.Kind)
	case o.Kind == terminal.KindForced && !authCode(o.AuthCode):
		return refuse("a forced sale needs the code that the bank gave by telephone: 1 to %d letters and digits", maxAuthCode)
	case o.Kind != terminal.KindForced && o.AuthCode != "":
		return refuse("only a forced sale has a code that the bank gave by telephone")
	}
	return l.checkAmounts(o)
}

// does says whether profile and dialect have a kind.
func (l *Lane) does(k terminal.Kind) error {
	allowed := l.cfg.Transactions.Kinds
	if len(allowed) == 0 {
		allowed = []terminal.Kind{terminal.KindSale}
	}
	switch {
	case !slices.Contains(allowed, k):
		return refuse("kind %q: this terminal does %s, as its profile says", k, kindWords(allowed))
	case !slices.Contains(l.cfg.Owner.can().Kinds, k):
		return refuse("kind %q: the acquirer has no message for it", k)
	}
	return nil
}

func kindWords(kinds []terminal.Kind) string {
	out := make([]string, len(kinds))
	for i, k := range kinds {
		out[i] = string(k)
	}
	return strings.Join(out, ", ")
}

func authCode(s string) bool {
	return s != "" && len(s) <= maxAuthCode && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
}

func (l *Lane) checkAmounts(o terminal.Order) error {
	t, cur := l.cfg.Transactions, l.cfg.Currency
	none := o.Kind == terminal.KindVoid || o.Kind == terminal.KindBalance
	for _, part := range []struct {
		name string
		money.Amount
	}{{"amount", o.Amount}, {"tip", o.Tip}, {"cashback", o.Cashback}} {
		zero := part.Minor == 0 && (none || part.name != "amount")
		unsaid := zero && part.Amount == money.Amount{}
		switch {
		case part.Currency != cur && !unsaid:
			return refuse("%s in currency %q: this terminal takes %s", part.name, part.Currency.Code, cur.Code)
		case zero:
		case none:
			return refuse("a %s has no amount of its own: leave it out", o.Kind)
		case part.Minor <= 0 || part.Minor > money.MaxMinor:
			return refuse("%s %s: more than zero, at most %s", part.name, part.Amount, money.New(money.MaxMinor, cur))
		case part.name != "amount" && o.Kind != terminal.KindSale:
			return refuse("a %s has no %s: only a sale has", o.Kind, part.name)
		}
	}
	tipMost := money.New(o.Amount.Minor/100*int64(t.TipPercent)+o.Amount.Minor%100*int64(t.TipPercent)/100, cur)
	switch {
	case o.Tip.Minor > 0 && t.TipPercent == 0:
		return refuse("this terminal takes no tips, as its profile says")
	case o.Tip.Minor > tipMost.Minor:
		return refuse("a tip of %s is more than %d percent of the goods, which is %s: check it", o.Tip.Format(), t.TipPercent, tipMost.Format())
	case o.Cashback.Minor > 0 && t.Cashback.Minor == 0:
		return refuse("this terminal gives out no cash, as its profile says")
	case o.Cashback.Minor > t.Cashback.Minor:
		return refuse("%s in cash is more than the %s that this terminal gives out with a sale", o.Cashback.Format(), t.Cashback.Format())
	case o.Total().Minor > money.MaxMinor:
		return refuse("with tip and cash it is %s: at most %s", o.Total().Format(), money.New(money.MaxMinor, cur))
	}
	return nil
}

// accept checks an order and gives it its number. known says that the key belongs to a sale that exists already. What an order
// without a card sends is composed here: what cannot be is refused while nothing is on disk.
func (l *Lane) accept(ctx context.Context, o terminal.Order) (r *run, known bool, err error) {
	none := &run{rec: &terminal.Sale{}}
	if err := l.check(o); err != nil {
		return none, false, err
	}
	if o.Key != "" {
		old, err := l.cfg.Journal.ByKey(ctx, o.Key)
		switch {
		case err == nil:
			return &run{rec: &old}, true, sameOrder(old, o)
		case !errors.Is(err, terminal.ErrNoSale):
			return none, false, fmt.Errorf("%w: looking for the key: %w", errJournal, err)
		}
	}
	if err := l.cfg.Owner.room(ctx, o.Kind); err != nil {
		return none, false, err
	}
	batch, err := l.cfg.Journal.Batch(ctx, l.cfg.Owner.Name())
	if err != nil {
		return none, false, fmt.Errorf("%w: no open batch: %w", errJournal, err)
	}
	before, err := l.earlier(ctx, o, batch)
	if err != nil {
		return none, false, err
	}
	n, err := l.cfg.Sales.Next(ctx)
	if err != nil {
		return none, false, fmt.Errorf("no sale number: %w", err)
	}
	now := l.cfg.Clock()
	r = &run{pinKeys: keysOfAny, earlier: before, rec: &terminal.Sale{
		V: terminal.RecordVersion, ID: terminal.SaleID(n), Kind: o.Kind, State: terminal.Ready,
		Acquirer: l.cfg.Owner.Name(), Batch: batch, Amount: money.New(o.Total().Minor, l.cfg.Currency), Tip: o.Tip, Cashback: o.Cashback,
		Of: o.Of, By: o.By, AuthCode: o.AuthCode, Reference: o.Reference, Key: o.Key, Asked: o.Asked,
		Started: now, Updated: now, TerminalID: l.cfg.TerminalID, MerchantID: l.cfg.MerchantID,
	}}
	if o.Kind.WithoutCard() {
		if err := l.refer(ctx, r); err != nil {
			return none, false, err
		}
	}
	return r, false, nil
}

func sameOrder(old terminal.Sale, o terminal.Order) error {
	same := old.Kind == o.Kind && old.Of == o.Of && old.Reference == o.Reference && (o.Kind != terminal.KindForced || old.AuthCode == o.AuthCode)
	if same && old.Kind == terminal.KindVoid { // its amounts are those of what it takes back
		return nil
	}
	if same && old.Tip.Minor == o.Tip.Minor && old.Cashback.Minor == o.Cashback.Minor && old.Amount.Minor == o.Total().Minor {
		return nil
	}
	return fmt.Errorf("%w: sale %s, %s", terminal.ErrKeyReused, old.ID, old.Amount.Format())
}

// order is what was asked for, as the kernel's parameters are made from it.
func (r *run) order() terminal.Order {
	s := r.rec
	return terminal.Order{
		Kind: s.Kind, Amount: money.New(s.Amount.Minor-s.Tip.Minor-s.Cashback.Minor, s.Amount.Currency), Tip: s.Tip, Cashback: s.Cashback,
		Of: s.Of, AuthCode: s.AuthCode, Reference: s.Reference,
	}
}

// asks is what the dialect composes the running transaction's messages from.
func (r *run) asks() terminal.Request {
	s := r.rec
	req := terminal.Request{
		Sale: s.ID, Kind: s.Kind, Amount: s.Amount, Tip: s.Tip, Cashback: s.Cashback, TwoStep: s.TwoStep, AuthCode: s.AuthCode,
		STAN: s.STAN, Invoice: s.Invoice, Batch: s.Batch, Time: s.LocalTime, TerminalID: s.TerminalID, MerchantID: s.MerchantID,
		Card: r.data, Entry: s.Entry, Scheme: s.Scheme, Method: s.Method, Tags: r.kernel.Data,
	}
	if r.earlier != nil {
		req.Original = r.earlier.original()
	}
	return req
}

// tells says that a kind without a card asks nothing: the host is told of it, by an advice. A completion always, a void where the
// acquirer has it so.
func (l *Lane) tells(k terminal.Kind) bool {
	return k == terminal.KindCompletion || k == terminal.KindVoid && l.cfg.Owner.can().VoidTold
}

// refer gives a transaction without a card what the earlier one has, and composes what it sends: an increment's or a void's
// request with its reversal, a completion's advice, or that of a void that is told.
func (l *Lane) refer(ctx context.Context, r *run) error {
	s, of := r.rec, r.earlier.sale
	s.MaskedPAN, s.Token, s.Scheme, s.Label, s.AID, s.Entry = of.MaskedPAN, of.Token, of.Scheme, of.Label, of.AID, of.Entry
	s.LocalTime = l.cfg.Clock()
	if s.Kind == terminal.KindVoid {
		s.Amount, s.Tip, s.Cashback = of.Taken(), of.Tip, of.Cashback
	}
	var err error
	if r.data, err = l.cfg.Journal.CardOf(ctx, of.ID); err != nil {
		switch {
		case errors.Is(err, terminal.ErrNoCard), errors.Is(err, terminal.ErrQuarantined):
			return refuse("the card data of transaction %s cannot be read any more (%w): ask the acquirer", of.ID, err)
		}
		return fmt.Errorf("%w: card data of sale %s: %w", errJournal, of.ID, err)
	}
	if l.tells(s.Kind) {
		s.AuthCode, s.Way = of.AuthCode, of.Way
		if err = l.owe(ctx, r, l.cfg.Owner.advice); err == nil {
			return nil
		}
	} else if err = l.number(ctx, r); err == nil {
		var request, reversal []byte
		if request, reversal, err = l.cfg.Owner.compose(r.asks()); err == nil {
			r.request, r.secret = request, &terminal.Secret{Card: r.data, Request: request, Reversal: reversal}
			return nil
		}
	}
	l.cfg.Log.Error("composing a message without a card", "kind", s.Kind, "of", s.Of, "err", err)
	return refuse("its message cannot be composed: call the technician (%w)", err)
}

// number gives the transaction the STAN of its next message.
func (l *Lane) number(ctx context.Context, r *run) error {
	n, err := l.cfg.Traces.Next(ctx)
	if err != nil {
		return err
	}
	r.rec.STAN = stan(n)
	if r.rec.Invoice == 0 {
		r.rec.Invoice = r.rec.STAN
	}
	return nil
}
