package nexo

import (
	"context"
	"encoding/json"
	"errors"

	"tillway/money"
	"tillway/terminal"
	"tillway/terminal/people"
)

type reversalRequest struct {
	SaleData               saleData     `json:"SaleData"`
	OriginalPOITransaction *original    `json:"OriginalPOITransaction"`
	ReversalReason         string       `json:"ReversalReason"`
	ReversedAmount         *json.Number `json:"ReversedAmount"`
}

// reversal takes back all of an earlier transaction, or a part of it: by a void while its batch is open, and by a refund to its card
// when that is settled, or where it is a part.
func (h *handler) reversal(ctx context.Context, c *call) (any, error) {
	var in reversalRequest
	if err := c.into(&in); err != nil {
		return nil, err
	}
	o, err := h.orderOf(ctx, c, in)
	if err != nil {
		return nil, err
	}
	sale, err := h.sell(ctx, c, wish{order: o})
	if err != nil {
		return nil, err
	}
	return h.reversalOf(ctx, sale, reprint{})
}

// orderOf reads a ReversalRequest.
func (h *handler) orderOf(ctx context.Context, c *call, in reversalRequest) (o terminal.Order, err error) {
	const field = "ReversalRequest.OriginalPOITransaction"
	if o.Of, err = originalOf(in.OriginalPOITransaction, field); err != nil {
		return o, err
	}
	if o.Of == 0 {
		return o, badField(field, "Missing")
	}
	of, err := h.cfg.Journal.Sale(ctx, o.Of)
	if errors.Is(err, terminal.ErrNoSale) {
		return o, fail(notFound, "there is no transaction %s at this terminal", o.Of)
	}
	if err != nil {
		return o, err
	}
	amount := of.Taken().Minor
	if in.ReversedAmount != nil {
		if amount, err = minorOf(*in.ReversedAmount, "ReversalRequest.ReversedAmount", h.cfg.Currency); err != nil {
			return o, err
		}
		if amount == 0 {
			return o, badField("ReversalRequest.ReversedAmount", "is zero")
		}
	}
	if o.Asked, err = h.asked(c, "", in.SaleData.SaleTransactionID); err != nil {
		return o, err
	}
	o.Reference = in.SaleData.SaleTransactionID.TransactionID
	if err := h.caller(c, &o, in.SaleData.OperatorID); err != nil {
		return o, err
	}
	whole := amount == of.Taken().Minor
	if o.Kind, err = h.takesBack(ctx, c.name(), of, whole); err != nil {
		return o, err
	}
	if o.Kind == terminal.KindVoid {
		o.Amount = money.New(0, h.cfg.Currency)
		return o, c.may(people.Void)
	}
	o.Amount = money.New(amount, h.cfg.Currency)
	return o, c.may(people.Refund)
}

// takesBack says how a transaction is taken back. What the same message has become before is what it is, however the batch stands now.
func (h *handler) takesBack(ctx context.Context, name messageName, of terminal.Sale, whole bool) (terminal.Kind, error) {
	switch before, _, err := h.before(ctx, name); {
	case err == nil && before.Kind == terminal.KindVoid && !whole:
		return "", terminal.ErrKeyReused
	case err == nil && (before.Kind == terminal.KindVoid || before.Kind == terminal.KindRefund):
		return before.Kind, nil
	case err != nil && !errors.Is(err, terminal.ErrNoSale):
		return "", err
	}
	captured := of.Kind == terminal.KindSale || of.Kind == terminal.KindForced || of.Kind == terminal.KindCompletion
	if !captured && !whole {
		return "", fail(notAllowed, "only all of transaction %s can be taken back: leave ReversedAmount out", of.ID)
	}
	open, err := h.openBatch(ctx)
	if err != nil {
		return "", err
	}
	if whole && (!captured || of.Batch == open.Number) {
		return terminal.KindVoid, nil
	}
	return terminal.KindRefund, nil
}

// openBatch is the batch that sales go into.
func (h *handler) openBatch(ctx context.Context) (terminal.Batch, error) {
	all, err := h.cfg.Journal.Batches(ctx, h.cfg.Acquirer)
	for _, b := range all {
		if b.Fixed.IsZero() {
			return b, err
		}
	}
	return terminal.Batch{Acquirer: h.cfg.Acquirer, Number: 1, State: terminal.BatchOpen, Currency: h.cfg.Currency}, err // nothing was ever sold
}
