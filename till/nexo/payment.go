package nexo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"tillway/money"
	"tillway/terminal"
	"tillway/terminal/people"
)

// identification is how a transaction is named: a number, and when it was.
type identification struct {
	TransactionID string `json:"TransactionID"`
	TimeStamp     string `json:"TimeStamp"`
}

type saleData struct {
	OperatorID        string         `json:"OperatorID"`
	SaleTransactionID identification `json:"SaleTransactionID"`
}

type original struct {
	POITransactionID *identification `json:"POITransactionID"`
}

type amountsReq struct {
	Currency               string       `json:"Currency"`
	RequestedAmount        *json.Number `json:"RequestedAmount"`
	CashBackAmount         *json.Number `json:"CashBackAmount"`
	TipAmount              *json.Number `json:"TipAmount"`
	MinimumAmountToDeliver *json.Number `json:"MinimumAmountToDeliver"`
}

type paymentRequest struct {
	SaleData           saleData `json:"SaleData"`
	PaymentTransaction struct {
		AmountsReq             amountsReq `json:"AmountsReq"`
		OriginalPOITransaction *original  `json:"OriginalPOITransaction"`
	} `json:"PaymentTransaction"`
	PaymentData struct {
		PaymentType      string `json:"PaymentType"`
		SplitPaymentFlag bool   `json:"SplitPaymentFlag"`
	} `json:"PaymentData"`
}

// kindRow is what a PaymentType is to the terminal, and which right it needs.
type kindRow struct {
	payment string
	kind    terminal.Kind
	needs   people.Action
}

func kindRows() []kindRow {
	return []kindRow{
		{"Normal", terminal.KindSale, people.Sell},
		{"Refund", terminal.KindRefund, people.Refund},
		{"FirstReservation", terminal.KindPreauth, people.Preauth},
		{"OneTimeReservation", terminal.KindPreauth, people.Preauth},
		{"UpdateReservation", terminal.KindIncrement, people.Increment},
		{"Completion", terminal.KindCompletion, people.Completion},
	}
}

// wish is what a register asks for, read and judged: an order, and what it says of an approval in part.
type wish struct {
	order terminal.Order
	split bool  // an approval in part is taken
	least int64 // and what it has to come to, in minor units
}

// payment carries a Payment out. It answers when the payment has ended.
func (h *handler) payment(ctx context.Context, c *call) (any, error) {
	var in paymentRequest
	if err := c.into(&in); err != nil {
		return nil, err
	}
	w, err := h.wishOf(c, in)
	if err != nil {
		return nil, err
	}
	sale, err := h.sell(ctx, c, w)
	if err != nil {
		return nil, err
	}
	return h.paymentAnswer(ctx, sale)
}

// wishOf reads a PaymentRequest.
func (h *handler) wishOf(c *call, in paymentRequest) (w wish, err error) {
	kind := in.PaymentData.PaymentType
	if kind == "" {
		kind = "Normal"
	}
	row, ok := kindRow{}, false
	for _, r := range kindRows() {
		if r.payment == kind {
			row, ok = r, true
		}
	}
	if !ok {
		return w, fail(unavailableService, "this terminal does no payment of type %.30s", kind)
	}
	w.order = terminal.Order{Kind: row.kind, Reference: in.SaleData.SaleTransactionID.TransactionID}
	if w.order.Of, err = originalOf(in.PaymentTransaction.OriginalPOITransaction, "PaymentRequest.PaymentTransaction.OriginalPOITransaction"); err != nil {
		return w, err
	}
	needs := row.needs
	switch {
	case row.kind == terminal.KindRefund && w.order.Of == 0:
		needs = people.RefundFree
	case (row.kind == terminal.KindIncrement || row.kind == terminal.KindCompletion) && w.order.Of == 0:
		return w, badField("PaymentRequest.PaymentTransaction.OriginalPOITransaction", "Missing")
	case (row.kind == terminal.KindSale || row.kind == terminal.KindPreauth) && w.order.Of != 0:
		return w, badField("PaymentRequest.PaymentTransaction.OriginalPOITransaction", "not with a payment of type "+kind)
	}
	if err := c.may(needs); err != nil {
		return w, err
	}
	if err := h.amounts(&w, in.PaymentTransaction.AmountsReq); err != nil {
		return w, err
	}
	w.split = w.split || in.PaymentData.SplitPaymentFlag
	w.order.Asked, err = h.asked(c, kind, in.SaleData.SaleTransactionID)
	if err != nil {
		return w, err
	}
	return w, h.caller(c, &w.order, in.SaleData.OperatorID)
}

// caller puts into an order who asks.
func (h *handler) caller(c *call, o *terminal.Order, operator string) error {
	by, err := h.by(c, operator)
	if err != nil {
		return err
	}
	o.By = by
	return nil
}

// asked is how the register names what it asks for.
func (h *handler) asked(c *call, kind string, named identification) (*terminal.Asked, error) {
	field := c.header.MessageCategory + "Request.SaleData.SaleTransactionID."
	if utf8.RuneCountInString(named.TransactionID) > 64 || len(named.TransactionID) > 64 || !printable(named.TransactionID) {
		return nil, badField(field+"TransactionID", "longer than 64 bytes, or not printable")
	}
	if len(named.TimeStamp) > 40 || strings.Trim(named.TimeStamp, "0123456789-:.+TZ ") != "" {
		return nil, badField(field+"TimeStamp", "is no time like 2026-11-23T09:15:07Z")
	}
	return &terminal.Asked{
		Register: c.register.Name, Category: c.header.MessageCategory, Type: kind, SaleID: c.header.SaleID, ServiceID: c.header.ServiceID,
		POIID: c.header.POIID, Transaction: named.TransactionID, Time: named.TimeStamp,
	}, nil
}

// originalOf is the number of the earlier transaction; 0: none is named.
func originalOf(o *original, field string) (terminal.SaleID, error) {
	if o == nil || o.POITransactionID == nil || o.POITransactionID.TransactionID == "" {
		return 0, nil
	}
	id, err := terminal.ParseSaleID(o.POITransactionID.TransactionID)
	if err != nil {
		return 0, badField(field+".POITransactionID.TransactionID", "is not one that this terminal gave")
	}
	return id, nil
}

// amounts reads AmountsReq. RequestedAmount is all that the card pays: tip and cash are parts of it.
func (h *handler) amounts(w *wish, in amountsReq) error {
	const at = "PaymentRequest.PaymentTransaction.AmountsReq."
	own := h.cfg.Currency
	if in.Currency != own.Code {
		return badField(at+"Currency", "is not "+own.Code)
	}
	if in.RequestedAmount == nil {
		return badField(at+"RequestedAmount", "Missing")
	}
	var requested, tip, cash, least int64
	for _, f := range []struct {
		name string
		in   *json.Number
		to   *int64
	}{
		{"RequestedAmount", in.RequestedAmount, &requested},
		{"TipAmount", in.TipAmount, &tip},
		{"CashBackAmount", in.CashBackAmount, &cash},
		{"MinimumAmountToDeliver", in.MinimumAmountToDeliver, &least},
	} {
		if f.in == nil {
			continue
		}
		minor, err := minorOf(*f.in, at+f.name, own)
		if err != nil {
			return err
		}
		*f.to = minor
	}
	switch {
	case requested == 0:
		return badField(at+"RequestedAmount", "is zero")
	case tip+cash >= requested:
		return badField(at+"RequestedAmount", "is not more than TipAmount and CashBackAmount, which are parts of it")
	case least > requested:
		return badField(at+"MinimumAmountToDeliver", "is more than RequestedAmount")
	}
	w.order.Amount = money.New(requested-tip-cash, own)
	if tip > 0 {
		w.order.Tip = money.New(tip, own)
	}
	if cash > 0 {
		w.order.Cashback = money.New(cash, own)
	}
	w.least, w.split = least, least > 0
	return nil
}

// sell has an order carried out, or finds the transaction that it has become already, and waits for its end.
func (h *handler) sell(ctx context.Context, c *call, w wish) (terminal.Sale, error) {
	name := c.name()
	p, first := h.enter(name)
	defer h.leave(name, p)
	before, key, err := h.before(ctx, name)
	switch {
	case err == nil && !same(before, w.order.Asked):
		return before, terminal.ErrKeyReused
	case err != nil && !errors.Is(err, terminal.ErrNoSale):
		return before, err
	}
	mine := first && err != nil
	w.order.Key = key
	trains := h.trains(c)
	if err != nil { // it is a new one
		if err := h.asLoggedIn(c); err != nil {
			return before, err
		}
	}
	sale, err := h.start(ctx, w.order, mine)
	if err != nil {
		return sale, err
	}
	if mine && sale.Training != trains { // it was switched at this very moment
		h.cancel(ctx, sale.ID)
	}
	if !same(sale, w.order.Asked) { // another one was quicker
		return sale, terminal.ErrKeyReused
	}
	if h.wasAborted(p) {
		h.cancel(ctx, sale.ID)
	}
	if mine { // whoever asked first sees it through, whatever becomes of the connection
		lasting, stop := context.WithCancel(context.WithoutCancel(ctx))
		defer stop()
		defer context.AfterFunc(h.cfg.Context, stop)()
		ctx = lasting
	}
	sale, err = h.await(ctx, c, sale.ID, w, mine)
	if err == nil && sale.Training && !trains {
		return sale, errTrains
	}
	return sale, err
}

// start hands an order to the lane, which keeps it whatever becomes of the connection. A refund that is of no sale is in the audit log
// before that, and what came of it after.
func (h *handler) start(ctx context.Context, o terminal.Order, first bool) (terminal.Sale, error) {
	ctx = context.WithoutCancel(ctx)
	audited := first && o.Kind == terminal.KindRefund && o.Of == 0
	entry := people.Entry{Actor: actorOf(o.By), Event: people.EventRefund, Result: people.Tried, Note: people.Note("asks for a refund of %s that is of no sale", o.Amount.Format())}
	if audited {
		if err := h.cfg.Audit(ctx, entry); err != nil {
			return terminal.Sale{}, err
		}
	}
	sale, err := h.cfg.Lane.Start(ctx, o)
	if !audited {
		return sale, err
	}
	if entry.Result, entry.Note = people.Done, people.Note("refund %s of %s, of no sale, was begun; the journal has its end", sale.ID, o.Amount.Format()); err != nil {
		entry.Result, entry.Note = people.Failed, people.Note("the refund of %s, of no sale, was not taken", o.Amount.Format())
	}
	if err := h.cfg.Audit(ctx, entry); err != nil {
		h.cfg.Log.Error("nexo: what came of a refund of no sale was not audited", "err", err)
	}
	return sale, err
}

// actorOf is the register of a By: without its operator.
func actorOf(by string) string {
	actor, _, _ := strings.Cut(by, "/")
	return actor
}

// errLeft says that a payment was left where nothing of it is on disk: the daemon stopped before its request could leave.
var errLeft = &failure{condition: aborted, message: "the terminal stopped before anything was sent: start again"}

// await waits until a transaction has ended, and keeps the client waiting meanwhile.
func (h *handler) await(ctx context.Context, c *call, id terminal.SaleID, w wish, mine bool) (terminal.Sale, error) {
	beat := time.Now().Add(h.cfg.KeepAlive)
	for said := false; ; {
		if !time.Now().Before(beat) { // also where there is news again and again: a PIN that is typed slowly
			c.out.beat()
			beat = time.Now().Add(h.cfg.KeepAlive)
		}
		snap := h.cfg.Lane.Snapshot()
		sale, running := h.cfg.Lane.Current()
		if !running || sale.ID != id {
			sale, err := h.cfg.Journal.Sale(ctx, id)
			switch {
			case errors.Is(err, terminal.ErrNoSale):
				return sale, errLeft
			case err != nil:
				return sale, err
			case sale.State.Final():
				return sale, nil
			case ctx.Err() != nil:
				return sale, ctx.Err()
			}
		} else if mine && !said {
			said = h.partial(ctx, c, sale, w)
		}
		look, stop := context.WithDeadline(ctx, beat)
		_, err := h.cfg.Lane.Watch(look, snap.Version)
		stop()
		switch {
		case ctx.Err() != nil:
			return terminal.Sale{}, fmt.Errorf("waiting for sale %s: %w", id, ctx.Err())
		case err != nil && !errors.Is(err, context.DeadlineExceeded):
			return terminal.Sale{}, err
		}
	}
}

// partial answers for an approval in part, where nothing else is asked of the cashier: the order says whether it is taken. It reports
// whether it has.
func (h *handler) partial(ctx context.Context, c *call, s terminal.Sale, w wish) bool {
	if s.State != terminal.AgreementOnline && s.State != terminal.AgreementOffline || s.Approved.Minor <= 0 {
		return false
	}
	takes := w.split && s.Approved.Minor >= w.least
	if takes && s.Signature || !c.register.Can(people.Agree) {
		return false // a signature is the cashier's to compare
	}
	if err := h.cfg.Lane.Agree(ctx, s.ID, terminal.Agreement{Matches: takes, By: c.register.Actor()}); err != nil {
		h.cfg.Log.Warn("nexo: the word on an approval in part came too late", "sale", s.ID, "err", err)
	}
	return true
}
