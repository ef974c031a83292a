package till

import (
	"net/http"
	"strconv"

	"tillway/terminal"
	"tillway/terminal/people"
)

// WriteOff is the body of POST /v1/queue/{id}/write-off.
type WriteOff struct {
	Note string `json:"note"` // why, and how the money is put right: 1 to 200 characters on one line, no card number
}

// retry has a parked debt sent again.
func (h *handler) retry(w http.ResponseWriter, r *http.Request) {
	switch asked := r.URL.Query().Get("asked"); asked {
	case "":
		h.settle(w, r, terminal.DebtDecision{Event: terminal.DebtRequeued}, "has debt %d sent again")
	case "true":
		h.settle(w, r, terminal.DebtDecision{Event: terminal.DebtRequeued, Asked: true}, "has debt %d sent again: the bank was asked and does not have it")
	default:
		h.fail(w, r, request(http.StatusBadRequest, "bad_query", "That is no word on whether the bank was asked", "Write asked=true when it was and does not have the payment; else leave it out.", "asked is %.20q", asked))
	}
}

// park puts aside a debt that waits: it is sent no more until somebody says so.
func (h *handler) park(w http.ResponseWriter, r *http.Request) {
	h.settle(w, r, terminal.DebtDecision{Event: terminal.DebtPut}, "parks debt %d")
}

// writeOff gives a parked debt up: the terminal never sends it again, and its sealed message is deleted.
func (h *handler) writeOff(w http.ResponseWriter, r *http.Request) {
	var in WriteOff
	if err := readBody(w, r, `{"note":"…"}`, &in); err != nil {
		h.fail(w, r, err)
		return
	}
	h.settle(w, r, terminal.DebtDecision{Event: terminal.DebtWrittenOff, Note: in.Note}, "writes off debt %d; the note is in the journal")
}

// settle has a decision carried out. Who decides is in the audit log before that, and what came of it after; the journal has
// both.
func (h *handler) settle(w http.ResponseWriter, r *http.Request, d terminal.DebtDecision, what string) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil || id < 1 {
		h.fail(w, r, request(http.StatusBadRequest, "bad_id", "That is no number of a debt", "Give the number that pos queue shows.", "a whole number from 1 on"))
		return
	}
	who := h.cfg.Access.who(r).name
	d.Debt, d.By = id, signer(who)
	entry := people.Entry{Actor: who, Event: people.EventDebt, Result: people.Tried, Note: people.Note(what, id)}
	if err := h.cfg.Access.Audit(r.Context(), entry); err != nil {
		h.fail(w, r, err)
		return
	}
	debt, err := h.cfg.Lane.Decide(r.Context(), d)
	entry.Result = people.Done
	if err != nil {
		entry.Result = people.Failed
	}
	if err := h.cfg.Access.Audit(r.Context(), entry); err != nil {
		h.cfg.Log.Error("till: what came of a decision about a debt was not audited", "err", err)
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	h.answer(w, http.StatusOK, h.localDebt(debt))
}
