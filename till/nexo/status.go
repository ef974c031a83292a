package nexo

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"tillway/terminal"
	"tillway/terminal/people"
)

type statusRequest struct {
	MessageReference   *messageReference `json:"MessageReference"`
	ReceiptReprintFlag bool              `json:"ReceiptReprintFlag"`
	DocumentQualifier  []string          `json:"DocumentQualifier"`
}

type repeatedBody struct {
	PaymentResponse  *paymentResponse  `json:"PaymentResponse,omitempty"`
	ReversalResponse *reversalResponse `json:"ReversalResponse,omitempty"`
}

type repeatedMessage struct {
	MessageHeader               header       `json:"MessageHeader"`
	RepeatedResponseMessageBody repeatedBody `json:"RepeatedResponseMessageBody"`
}

type statusResponse struct {
	Response                response          `json:"Response"`
	MessageReference        *messageReference `json:"MessageReference,omitempty"`
	RepeatedMessageResponse *repeatedMessage  `json:"RepeatedMessageResponse,omitempty"`
}

// lastLooked bounds how far back the register's last message is looked for, where it names none.
const lastLooked = 200

// status says what became of a Payment or Reversal: its answer once more, or that it still runs, or that there never was one.
func (h *handler) status(ctx context.Context, c *call) (any, error) {
	var in statusRequest
	if err := c.into(&in); err != nil {
		return nil, err
	}
	if err := c.may(people.Status); err != nil {
		return nil, err
	}
	ref := messageReference{}
	if in.MessageReference != nil {
		ref = *in.MessageReference
	}
	ref.SaleID = cmp.Or(ref.SaleID, c.header.SaleID)
	sale, running, err := h.asking(ctx, c, ref)
	switch {
	case running:
		return h.running(c, ref, sale), nil
	case errors.Is(err, terminal.ErrNoSale):
		return nil, fail(notFound, "no such message has become a transaction: nothing was charged for it")
	case err != nil:
		return nil, err
	}
	if sale.Training && !h.trains(c) {
		return nil, errTrains
	}
	how := reprint{}
	if in.ReceiptReprintFlag {
		if err := c.may(people.Receipt); err != nil {
			return nil, err
		}
		if how, err = h.again(ctx, sale); err != nil {
			return nil, err
		}
		how.only = in.DocumentQualifier
	}
	return h.repeated(ctx, sale, how)
}

// asking is the transaction that a reference means, or that it is still running; with none, the register's last.
func (h *handler) asking(ctx context.Context, c *call, ref messageReference) (s terminal.Sale, running bool, err error) {
	if ref.ServiceID == "" {
		return h.latest(ctx, c, ref.SaleID)
	}
	name := messageName{c.register.Name, ref.SaleID, ref.ServiceID}
	h.mu.Lock()
	carried := h.pending[name] != nil // before the journal is looked at: what ends meanwhile is there then
	h.mu.Unlock()
	if s, _, err = h.before(ctx, name); err == nil {
		return s, !s.State.Final(), nil
	}
	if carried && errors.Is(err, terminal.ErrNoSale) { // it is with the lane, which has not begun it
		return s, true, nil
	}
	return s, false, err
}

// latest is the last transaction that the register asked for under a SaleID.
func (h *handler) latest(ctx context.Context, c *call, saleID string) (s terminal.Sale, running bool, err error) {
	is := func(s terminal.Sale) bool {
		return s.Asked != nil && s.Asked.Register == c.register.Name && s.Asked.SaleID == saleID
	}
	if current, runs := h.cfg.Lane.Current(); runs && is(current) {
		return current, true, nil
	}
	all, err := h.cfg.Journal.Last(ctx, lastLooked)
	if err != nil {
		return s, false, err
	}
	if i := slices.IndexFunc(all, is); i >= 0 {
		return all[i], !all[i].State.Final(), nil
	}
	return s, false, terminal.ErrNoSale
}

// running says that a message is being carried out, and how far it is.
func (h *handler) running(_ *call, ref messageReference, sale terminal.Sale) statusResponse {
	f := &failure{condition: inProgress, message: "it is being carried out"}
	if snap := h.cfg.Lane.Snapshot(); sale.ID != 0 && snap.Sale == sale.ID {
		f.message = cmp.Or(snap.Advice, snap.Text, f.message)
		f.more = []pair{{"state", string(snap.State)}, {"prompt", snap.Text}}
	}
	if a := sale.Asked; a != nil {
		ref = messageReference{a.Category, a.SaleID, a.ServiceID, a.POIID}
	}
	return statusResponse{Response: f.response(), MessageReference: &ref}
}

// repeated is the answer of a message once more.
func (h *handler) repeated(ctx context.Context, s terminal.Sale, how reprint) (any, error) {
	a := s.Asked
	if a == nil {
		return nil, fail(notFound, "that transaction was not asked for by a message")
	}
	out := statusResponse{
		Response:         response{Result: success},
		MessageReference: &messageReference{a.Category, a.SaleID, a.ServiceID, a.POIID},
		RepeatedMessageResponse: &repeatedMessage{MessageHeader: header{
			MessageClass: classOf(a.Category), MessageCategory: a.Category, ServiceID: a.ServiceID, SaleID: a.SaleID, POIID: a.POIID,
		}.answer()},
	}
	body := &out.RepeatedMessageResponse.RepeatedResponseMessageBody
	if a.Category == "Reversal" {
		r, err := h.reversalOf(ctx, s, how)
		body.ReversalResponse = &r
		return out, err
	}
	p, err := h.paymentOf(ctx, s, how)
	body.PaymentResponse = &p
	return out, err
}

// again is how a receipt is drawn that may have been printed before: only the last transaction's is the original, every other one a
// duplicate, which says what has become of the transaction since.
func (h *handler) again(ctx context.Context, s terminal.Sale) (reprint, error) {
	if last := h.cfg.Lane.Snapshot().Last; last != nil && last.ID == s.ID {
		return reprint{}, nil
	}
	how := reprint{again: true, known: true}
	if s.State != terminal.Approved || s.Kind == terminal.KindVoid {
		return how, nil
	}
	about, err := h.approvedAbout(ctx, s.ID)
	for _, a := range about {
		voided := false
		if a.Kind != terminal.KindVoid && err == nil {
			var theirs []terminal.Sale
			theirs, err = h.approvedAbout(ctx, a.ID)
			voided = slices.ContainsFunc(theirs, func(v terminal.Sale) bool { return v.Kind == terminal.KindVoid })
		}
		if !voided {
			how.since = append(how.since, a)
		}
	}
	if errors.Is(err, terminal.ErrQuarantined) {
		how.known, err = false, nil
	}
	return how, err
}

func (h *handler) approvedAbout(ctx context.Context, id terminal.SaleID) ([]terminal.Sale, error) {
	all, err := h.cfg.Journal.About(ctx, id)
	return slices.DeleteFunc(all, func(s terminal.Sale) bool { return s.State != terminal.Approved }), err
}
