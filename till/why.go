package till

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"tillway/emv"
	"tillway/money"
	"tillway/terminal"
	"tillway/terminal/receipt"
)

// Why is the answer to GET /v1/sales/{id}/why: what came of a sale, by which steps, and why card and terminal decided
// as they did.
type Why struct {
	Sale         terminal.SaleID  `json:"sale"`
	Kind         terminal.Kind    `json:"kind"`
	State        terminal.State   `json:"state"`
	Outcome      terminal.Outcome `json:"outcome,omitzero"`
	ResponseCode string           `json:"rc,omitempty"`
	HostText     string           `json:"host_text,omitempty"`

	AID    string     `json:"aid,omitempty"`
	Label  string     `json:"label,omitempty"`
	Method emv.Method `json:"cvm,omitempty"`
	ODA    emv.ODA    `json:"oda,omitzero"`
	Tags   emv.Data   `json:"tags,omitzero"` // what card and terminal made of it: TVR, TSI, CVM Results, cryptogram, …; no card data

	Since   []Since   `json:"since,omitempty"` // what was approved about it later, and stands
	Steps   []Step    `json:"steps"`
	Reasons []emv.Why `json:"why"`
}

// Since is a later transaction that is about this one: its void, a refund, an increment, a completion.
type Since struct {
	Sale   terminal.SaleID `json:"sale"`
	Kind   terminal.Kind   `json:"kind"`
	Amount money.Amount    `json:"amount"`
	Time   time.Time       `json:"time"`
}

// Step is one row of the journal that concerns the sale.
type Step struct {
	Seq    int64              `json:"seq"`
	Time   time.Time          `json:"time"`
	Kind   terminal.EntryKind `json:"kind"`
	From   terminal.State     `json:"from,omitempty"`
	Event  string             `json:"event,omitempty"`
	To     string             `json:"to,omitempty"`
	Duties []terminal.Duty    `json:"duties,omitempty"`
	Debt   terminal.DebtKind  `json:"debt,omitempty"` // of a debt: which
	Note   string             `json:"note,omitempty"`
}

// rows are the sale that a request names, and the journal's rows of it.
func (h *handler) rows(r *http.Request) (sale terminal.Sale, rows []terminal.JournalRow, err error) {
	if sale, err = h.find(r); err != nil {
		return sale, nil, err
	}
	rows, err = h.cfg.Journal.SaleRows(r.Context(), sale.ID)
	return sale, rows, err
}

func (h *handler) why(w http.ResponseWriter, r *http.Request) {
	sale, rows, err := h.rows(r)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	out := Why{
		Sale: sale.ID, Kind: sale.Kind, State: sale.State, Outcome: bothLanguages(sale.Outcome), ResponseCode: sale.ResponseCode, HostText: sale.HostText,
		AID: sale.AID, Label: sale.Label, Method: sale.Method, ODA: sale.ODA, Tags: sale.Tags,
		Steps: []Step{}, Reasons: append([]emv.Why{}, sale.Why...),
	}
	for _, row := range rows {
		row = h.localRow(h.cfg.Access.who(r), row)
		step := Step{Seq: row.Seq, Time: row.Time, Kind: row.Kind, From: row.From, Event: row.Event, To: row.To, Duties: row.Duties, Note: row.Note}
		if row.Debt != nil {
			step.Debt = row.Debt.Kind
		}
		out.Steps = append(out.Steps, step)
	}
	later, err := h.since(r.Context(), sale)
	if err != nil && !unknown(err) {
		h.fail(w, r, err)
		return
	}
	for _, s := range later {
		out.Since = append(out.Since, Since{s.ID, s.Kind, s.Taken(), h.local(s.Updated)})
	}
	h.answer(w, http.StatusOK, out)
}

// transcript is what terminal and card said to each other in a sale, as the terminal keeps it.
func (h *handler) transcript(w http.ResponseWriter, r *http.Request) {
	sale, err := h.find(r)
	if err == nil && !sale.State.Final() {
		err = fmt.Errorf("sale %s: %w: its transcript comes when it has ended", sale.ID, receipt.ErrNotFinal)
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	text, err := h.cfg.Transcripts.Transcript(r.Context(), sale.ID)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	h.text(w, http.StatusOK, "application/json", text)
}

// messages are those of a sale and of what it owed: its trace and theirs, since it began.
func (h *handler) messages(w http.ResponseWriter, r *http.Request) {
	sale, rows, err := h.rows(r)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	var traces []uint32
	if sale.STAN != 0 {
		traces = append(traces, sale.STAN)
	}
	for _, row := range rows {
		if row.Debt != nil && row.Debt.STAN != 0 && !slices.Contains(traces, row.Debt.STAN) {
			traces = append(traces, row.Debt.STAN)
		}
	}
	out := SaleMessages{Messages: []Message{}}
	for _, m := range h.cfg.Messages.Messages(traces, sale.Started) {
		m.Time = h.local(m.Time)
		out.Messages = append(out.Messages, m)
	}
	h.answer(w, http.StatusOK, out)
}
