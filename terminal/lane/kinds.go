package lane

import (
	"context"
	"errors"
	"fmt"

	"tillway/money"
	"tillway/terminal"
)

// Rules are what orders are checked by.
func (l *Lane) Rules() terminal.OrderRules {
	t := l.cfg.Transactions
	return terminal.OrderRules{Kinds: t.Kinds, Host: l.cfg.Owner.can().Kinds, TipPercent: t.TipPercent, Cashback: t.Cashback, Currency: l.cfg.Currency}
}

// accept checks an order and gives it its number. known says that the key belongs to a sale that exists already. What an order
// without a card sends is composed here: what cannot be is refused while nothing is on disk.
func (l *Lane) accept(ctx context.Context, o terminal.Order) (r *run, known bool, err error) {
	none := &run{rec: &terminal.Sale{}}
	if err := terminal.CheckOrder(o, l.Rules()); err != nil {
		return none, false, err
	}
	if o.Key != "" {
		old, err := l.cfg.Journal.ByKey(ctx, o.Key)
		switch {
		case err == nil:
			return &run{rec: &old}, true, terminal.SameOrder(old, o)
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
	s, of := r.rec, r.earlier.Sale
	s.MaskedPAN, s.Token, s.Scheme, s.Label, s.AID, s.Entry = of.MaskedPAN, of.Token, of.Scheme, of.Label, of.AID, of.Entry
	s.LocalTime = l.cfg.Clock()
	if s.Kind == terminal.KindVoid {
		s.Amount, s.Tip, s.Cashback = of.Taken(), of.Tip, of.Cashback
	}
	var err error
	if r.data, err = l.cfg.Journal.CardOf(ctx, of.ID); err != nil {
		switch {
		case errors.Is(err, terminal.ErrNoCard), errors.Is(err, terminal.ErrQuarantined):
			return terminal.Refuse("the card data of transaction %s cannot be read any more (%w): ask the acquirer", of.ID, err)
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
	return terminal.Refuse("its message cannot be composed: call the technician (%w)", err)
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
