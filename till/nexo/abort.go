package nexo

import (
	"cmp"
	"context"

	"tillway/terminal"
	"tillway/terminal/people"
)

// messageReference is how one message names another.
type messageReference struct {
	MessageCategory string `json:"MessageCategory,omitempty"`
	SaleID          string `json:"SaleID,omitempty"`
	ServiceID       string `json:"ServiceID,omitempty"`
	POIID           string `json:"POIID,omitempty"`
}

// abort carries an Abort out. It has no answer but an empty one: the message that it ends is answered by itself, with what became of
// it. What has ended, or is too late to end, goes on as if nothing had come.
func (h *handler) abort(ctx context.Context, c *call) {
	var in struct {
		AbortReason      string           `json:"AbortReason"`
		MessageReference messageReference `json:"MessageReference"`
	}
	if err := c.into(&in); err != nil || c.may(people.Cancel) != nil || in.MessageReference.ServiceID == "" {
		h.cfg.Log.Warn("nexo: an Abort names no message, or its register may not cancel", "register", c.register.Name)
		return
	}
	name := messageName{c.register.Name, cmp.Or(in.MessageReference.SaleID, c.header.SaleID), in.MessageReference.ServiceID}
	h.mu.Lock()
	if p := h.pending[name]; p != nil {
		p.aborted = true
	}
	h.mu.Unlock()
	if sale, running := h.cfg.Lane.Current(); running && name.is(sale) {
		h.cancel(ctx, sale.ID)
	}
}

// cancel asks for a sale to be cancelled, if it is still the one that runs.
func (h *handler) cancel(ctx context.Context, id terminal.SaleID) {
	if err := h.cfg.Lane.CancelSale(context.WithoutCancel(ctx), id); err != nil {
		h.cfg.Log.Info("nexo: an Abort came too late", "sale", id, "err", err)
	}
}
