package till

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"tillway/terminal"
	"tillway/terminal/people"
	"tillway/terminal/receipt"
)

// Settle is the body of POST /v1/settle; it may be left out.
type Settle struct {
	Batch       uint32 `json:"batch"`        // a batch that the bank disputes, to send its totals again; 0: the one that sales go into
	LeaveParked bool   `json:"leave_parked"` // leave out what the bank has refused for good
}

// CloseBatch is the body of POST /v1/settle/{batch}/close.
type CloseBatch struct {
	Note string `json:"note"` // how it was settled with the acquirer: 1 to 200 characters on one line, no card number
}

// settleBatch wants a batch settled. It answers as soon as that is on disk: how far it is, GET /v1/settle tells.
func (h *handler) settleBatch(w http.ResponseWriter, r *http.Request) {
	var in Settle
	if r.ContentLength != 0 {
		if err := readBody(w, r, `{"leave_parked":false}`, &in); err != nil {
			h.fail(w, r, err)
			return
		}
	}
	h.decideBatch(w, r, terminal.BatchDecision{Event: terminal.BatchSettle, Batch: in.Batch, LeaveParked: in.LeaveParked}, "has the batch settled")
}

// callOff takes the wish back while nothing of the batch is with the bank.
func (h *handler) callOff(w http.ResponseWriter, r *http.Request) {
	h.decideBatch(w, r, terminal.BatchDecision{Event: terminal.BatchCallOff}, "calls the settlement off")
}

// closeBatch closes a disputed batch by hand.
func (h *handler) closeBatch(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.ParseUint(r.PathValue("batch"), 10, 32)
	if err != nil || n < 1 {
		h.fail(w, r, badBatch())
		return
	}
	var in CloseBatch
	if err := readBody(w, r, `{"note":"…"}`, &in); err != nil {
		h.fail(w, r, err)
		return
	}
	h.decideBatch(w, r, terminal.BatchDecision{Event: terminal.BatchCloseByHand, Batch: uint32(n), Note: in.Note},
		"closes a batch by hand that the bank disputes; the note is in the journal")
}

func badBatch() *Problem {
	return request(http.StatusBadRequest, "bad_batch", "That is no number of a batch", "Give the number that the report shows.", "a whole number from 1 on")
}

// decideBatch has a decision carried out. Who decides is in the audit log before that, and what came of it after; the journal has both.
func (h *handler) decideBatch(w http.ResponseWriter, r *http.Request, d terminal.BatchDecision, what string) {
	who := h.cfg.Access.who(r).name
	d.By = signer(who)
	entry := people.Entry{Actor: who, Event: people.EventBatch, Result: people.Tried, Note: people.Note("%s", what)}
	if err := h.cfg.Access.Audit(r.Context(), entry); err != nil {
		h.fail(w, r, err)
		return
	}
	b, err := h.cfg.Lane.DecideBatch(r.Context(), d)
	entry.Result = people.Done
	if err != nil {
		entry.Result = people.Failed
	}
	if err := h.cfg.Access.Audit(r.Context(), entry); err != nil {
		h.cfg.Log.Error("till: what came of a decision about a batch was not audited", "err", err)
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	h.answer(w, http.StatusAccepted, h.localBatch(b))
}

// settlement is how a batch stands, with its proof: the one that is on its way to the bank, else the last that was closed; or the one
// that is asked for.
func (h *handler) settlement(w http.ResponseWriter, r *http.Request) {
	h.slip(w, r, receipt.DrawProof, h.settled)
}

func (h *handler) settled(ctx context.Context, n uint32) (terminal.Batch, error) {
	if n != 0 {
		return h.cfg.Journal.BatchRecord(ctx, h.cfg.Acquirer, n)
	}
	all, err := h.cfg.Journal.Batches(ctx, h.cfg.Acquirer)
	for _, b := range all {
		if b.State != terminal.BatchOpen {
			return b, err
		}
	}
	if err != nil {
		return terminal.Batch{}, err
	}
	return h.cfg.Journal.BatchRecord(ctx, h.cfg.Acquirer, 0)
}

// xReport is what the batch holds that sales go into. It changes nothing.
func (h *handler) xReport(w http.ResponseWriter, r *http.Request) {
	h.slip(w, r, receipt.DrawReport, h.xBatch)
}

func (h *handler) xBatch(ctx context.Context, n uint32) (terminal.Batch, error) {
	all, err := h.cfg.Journal.Batches(ctx, h.cfg.Acquirer)
	for _, b := range all {
		if n == b.Number || n == 0 && b.Fixed.IsZero() {
			return b, err
		}
	}
	if err == nil && n != 0 {
		err = terminal.ErrNoBatch
	}
	return terminal.Batch{Acquirer: h.cfg.Acquirer, Number: 1, State: terminal.BatchOpen}, err // nothing was ever sold: the first one
}

// zReport is what a batch held when its totals were fixed: the last that was closed, or the one that is asked for.
func (h *handler) zReport(w http.ResponseWriter, r *http.Request) {
	h.slip(w, r, receipt.DrawReport, h.zBatch)
}

func (h *handler) zBatch(ctx context.Context, n uint32) (terminal.Batch, error) {
	b, err := h.cfg.Journal.BatchRecord(ctx, h.cfg.Acquirer, n)
	if err == nil && b.Fixed.IsZero() {
		err = terminal.ErrBatchState
	}
	return b, err
}

// slip draws the paper of the batch that find finds.
func (h *handler) slip(
	w http.ResponseWriter, r *http.Request, draw func(terminal.Report, receipt.Header, string, string) receipt.BatchSlip,
	find func(context.Context, uint32) (terminal.Batch, error),
) {
	l, err := readLook(r)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	n, err := number(r, "batch", 1, 999_999, 0)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	b, err := find(r.Context(), uint32(n)) //nolint:gosec // bounded above
	if err != nil {
		h.fail(w, r, err)
		return
	}
	slip, err := h.batchSlip(r.Context(), b, draw)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	h.show(w, r, struct {
		receipt.BatchSlip
		Lines []Line `json:"lines"`
	}{slip, Lines(slip.Page())}, l, h.cfg.Languages.Of(receipt.Merchant, ""))
}

// batchSlip draws the paper of a batch.
func (h *handler) batchSlip(
	ctx context.Context, b terminal.Batch, draw func(terminal.Report, receipt.Header, string, string) receipt.BatchSlip,
) (receipt.BatchSlip, error) {
	items, err := h.cfg.Journal.Items(ctx, b.Acquirer, b.Number)
	if err != nil {
		return receipt.BatchSlip{}, err
	}
	if b = h.localBatch(b); b.Currency.Code == "" {
		b.Currency = h.cfg.Currency
	}
	return draw(terminal.MakeReport(b, items, h.local(time.Now())), h.cfg.Header, h.cfg.MerchantID, h.cfg.TerminalID), nil
}

func (h *handler) localBatch(b terminal.Batch) terminal.Batch {
	b.Opened, b.Fixed, b.Closed = h.local(b.Opened), h.local(b.Fixed), h.local(b.Closed)
	b.NotBefore, b.CalledOff = h.local(b.NotBefore), h.local(b.CalledOff)
	return b
}
