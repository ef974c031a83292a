package till

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"tillway/terminal"
	"tillway/terminal/receipt"
	"tillway/terminal/words"
)

// Problem is the body of every answer that is not a success (RFC 9457, application/problem+json). It holds no card data.
type Problem struct {
	Type   string `json:"type"` // "urn:tillway:problem:" and Code
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	Code   string `json:"code"` // stable word for programs: "busy", "no_such_sale", …
	Do     string `json:"do"`   // what to do, for the cashier or the caller's programmer

	// The same in Arabic, where a cashier can meet the problem: filled in as it is answered.
	TitleAR  string `json:"title_ar,omitempty"`
	DetailAR string `json:"detail_ar,omitempty"`
	DoAR     string `json:"do_ar,omitempty"`
}

// arabic fills in what the problem is in Arabic. A text of which a sentence has none is left out.
func (p *Problem) arabic() {
	for _, text := range []struct {
		english string
		to      *string
	}{{p.Title, &p.TitleAR}, {p.Detail, &p.DetailAR}, {p.Do, &p.DoAR}} {
		if a, whole := words.Arabic(text.english); whole {
			*text.to = a
		}
	}
}

// Error makes a Problem an error for clients: its detail, which says all that its title does.
func (p *Problem) Error() string {
	if p.Detail == "" {
		return p.Title
	}
	return p.Detail
}

// problemRow says what one error of the terminal is to a client.
type problemRow struct {
	err    error
	status int
	code   string
	title  string
	do     string
}

// problems is in the order in which it is matched.
func problems() []problemRow {
	return []problemRow{
		{terminal.ErrBusy, http.StatusConflict, "busy", "A sale is running", "Wait for its end, or cancel it. Nothing of this order was taken."},
		{terminal.ErrKeyReused, http.StatusConflict, "key_reused", "The key was used for another order", "Use a new key for a new order. To ask for the first one's outcome, send it unchanged."},
		{terminal.ErrNotCancelable, http.StatusConflict, "not_cancelable", "Too late to cancel", "Wait for the outcome: the bank is being asked."},
		{terminal.ErrAgreement, http.StatusConflict, "no_signature", "This sale waits for no word", "Look at the sale: it waits for no answer, or has had it."},
		{terminal.ErrAgreementDue, http.StatusConflict, "signature_due", "The sale waits for a word", "Give it: whether the signature matches, or the rest is paid in another way. A no is how the sale is given up now: it is reversed."},
		{terminal.ErrConfirm, http.StatusConflict, "no_warning", "Nothing of this sale is to be confirmed", "Look at the sale: it waits for no such answer, or has had it."},
		{terminal.ErrNoParameters, http.StatusConflict, "no_parameters", "The terminal waits for its parameters", "Apply a parameter package: pos provision apply FILE."},
		{terminal.ErrStopping, http.StatusServiceUnavailable, "stopping", "The terminal is stopping or starting anew", "Ask again in a moment. Nothing of this order was taken."},
		{terminal.ErrNothingRuns, http.StatusConflict, "nothing_runs", "No sale is running", "There is nothing to cancel."},
		{terminal.ErrOrder, http.StatusUnprocessableEntity, "order_refused", "The order was refused", "Nothing was sent. Where the order itself was wrong, give it anew."},
		{terminal.ErrNoSale, http.StatusNotFound, "no_such_sale", "There is no such sale", "Look the number up in the journal, or on the receipt."},
		{terminal.ErrNoDebt, http.StatusNotFound, "no_such_debt", "There is no such debt", "Look its number up with pos queue. One that is settled is in the journal of its sale: pos why."},
		{terminal.ErrNotParked, http.StatusConflict, "not_parked", "The debt is not parked", "The terminal sends it by itself; pos queue send makes it try now."},
		{terminal.ErrParked, http.StatusConflict, "parked_already", "The debt is parked already", "Send it again (pos queue retry), or write it off."},
		{terminal.ErrOtherAcquirer, http.StatusConflict, "other_acquirer", "The debt is another acquirer's", "Start posd under that acquirer's name to send it, or write it off."},
		{terminal.ErrSettling, http.StatusConflict, "settling", "The batch of the payment is being settled", "Wait until the batch is closed, then send it again, or write it off."},
		{terminal.ErrAskBank, http.StatusConflict, "ask_bank", "The bank may have this payment already", "Ask the acquirer whether it has the payment, by the STAN and the batch that pos why shows. If it has, write it off; if it has not: pos queue retry ID --asked."},
		{terminal.ErrNote, http.StatusUnprocessableEntity, "note_refused", "The note was refused", "Say in one line, without a card number, how the money is put right. Nothing was written off."},
		{terminal.ErrTraining, http.StatusConflict, "training", "The terminal is in training mode", "Nothing was done: training moves no money. End it first: pos training off."},
		{terminal.ErrNoBatch, http.StatusNotFound, "no_such_batch", "There is no such batch", "pos report x shows the batch that is open, pos report z the last that was closed."},
		{terminal.ErrNoTotals, http.StatusConflict, "no_totals", "There is nothing to settle with this acquirer", "It closes its batches by itself."},
		{terminal.ErrEmptyBatch, http.StatusConflict, "empty_batch", "There is nothing to settle", "Nothing was sent. pos report x shows the open batch."},
		{terminal.ErrParkedItems, http.StatusConflict, "parked", "The bank has refused payments of this batch for good", "Look at them with pos queue: send them again or write them off. pos settle --leave-parked settles without them."},
		{terminal.ErrBatchState, http.StatusConflict, "batch_state", "The batch does not stand where that can be done", "pos status shows where it stands."},
		{terminal.ErrBatchFull, http.StatusConflict, "batch_full", "The batch is full", "Settle it first: pos settle. Nothing of this order was taken."},
		{ErrNoTranscript, http.StatusNotFound, "no_transcript", "There is no transcript of that sale", "See [transcripts] in posd.toml for how many are kept; pos why tells what the journal knows."},
		{receipt.ErrNotFinal, http.StatusConflict, "still_running", "The sale is still running", "Ask for the receipt when it has ended."},
	}
}

// request makes the problem of a request that is wrong in itself.
func request(status int, code, title, do, format string, args ...any) *Problem {
	return &Problem{Title: title, Status: status, Code: code, Do: do, Detail: fmt.Sprintf(format, args...)}
}

// problem finds what to answer to an error. What it does not know is the terminal's own trouble: the client gets no
// detail, the log does.
func (h *handler) problem(r *http.Request, err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	for _, row := range slices.Concat(problems(), problemsOfPeople(), problemsOfECRs(), problemsOfPrinter(), problemsOfParameters()) {
		if errors.Is(err, row.err) {
			return &Problem{Title: row.title, Status: row.status, Code: row.code, Do: row.do, Detail: err.Error()}
		}
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return &Problem{
			Title: "The terminal is stopping, or the request was given up", Status: http.StatusServiceUnavailable, Code: "stopping",
			Do: "Ask again. A sale that was started goes on: ask for it by its number or its key.",
		}
	}
	h.cfg.Log.Error("till: request failed", "method", r.Method, "path", r.URL.Path, "err", err)
	return &Problem{
		Title: "The terminal has an internal fault", Status: http.StatusInternalServerError, Code: "internal",
		Do: "See the terminal's log. Look the last sale up in the journal before you repeat it.",
	}
}

func (h *handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := h.problem(r, err)
	p.Type = "urn:tillway:problem:" + p.Code
	p.arabic()
	h.write(w, p.Status, "application/problem+json", p)
}

func (h *handler) answer(w http.ResponseWriter, status int, v any) {
	h.write(w, status, "application/json", v)
}

func (h *handler) write(w http.ResponseWriter, status int, kind string, v any) {
	body, err := json.Marshal(v)
	if err != nil { // a record with card data among its tags is refused by its own encoding: never answered in part
		h.cfg.Log.Error("till: answer cannot be written", "err", err)
		status, kind = http.StatusInternalServerError, "application/problem+json"
		body = []byte(`{"type":"urn:tillway:problem:internal","title":"The terminal has an internal fault","status":500,"code":"internal","do":"See the terminal's log."}`)
	}
	h.text(w, status, kind, append(body, '\n'))
}

func (h *handler) text(w http.ResponseWriter, status int, kind string, body []byte) {
	h.within(w, answerWithin)
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	if _, err := w.Write(body); err != nil {
		h.cfg.Log.Debug("till: client went away", "err", err)
	}
}
