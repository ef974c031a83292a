package till

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"tillway/emv"
	"tillway/money"
	"tillway/terminal"
	"tillway/terminal/explain"
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
	Meaning      string           `json:"meaning,omitempty"` // of rc, in the acquirer's dialect
	HostText     string           `json:"host_text,omitempty"`

	Story explain.Story `json:"story"`

	Amount   money.Amount    `json:"amount"`
	Tip      money.Amount    `json:"tip,omitzero"`
	Cashback money.Amount    `json:"cashback,omitzero"`
	Approved money.Amount    `json:"approved,omitzero"` // where it is less than the amount
	By       string          `json:"by,omitempty"`      // who asked for it
	Of       terminal.SaleID `json:"of,omitempty"`
	Twin     terminal.SaleID `json:"twin,omitempty"` // the same card had paid the same amount a moment before
	Started  time.Time       `json:"started"`
	Ended    time.Time       `json:"ended,omitzero"` // in its final state

	Card     string           `json:"card,omitempty"` // masked
	Entry    terminal.Entered `json:"entry,omitempty"`
	Way      terminal.Way     `json:"way,omitempty"`
	STAN     uint32           `json:"stan,omitempty"`
	Invoice  uint32           `json:"invoice,omitempty"`
	RRN      string           `json:"rrn,omitempty"`
	AuthCode string           `json:"auth,omitempty"`
	Host     string           `json:"host,omitempty"`
	HostTime time.Time        `json:"host_time,omitzero"`

	Messages []WhyMessage    `json:"messages,omitempty"` // between terminal and host, of those that are remembered
	Debts    []terminal.Debt `json:"debts,omitempty"`    // what it owed the host and owes
	Batch    *WhyBatch       `json:"batch,omitempty"`
	Receipts []receipt.Copy  `json:"receipts,omitempty"` // the copies that can be drawn of it

	AID    string     `json:"aid,omitempty"`
	Label  string     `json:"label,omitempty"`
	Method emv.Method `json:"cvm,omitempty"`
	ODA    emv.ODA    `json:"oda,omitzero"`
	Tags   emv.Data   `json:"tags,omitzero"` // what card and terminal made of it: TVR, TSI, CVM Results, cryptogram, …; no card data

	Since   []Since   `json:"since,omitempty"` // what was approved about it later, and stands
	Steps   []Step    `json:"steps"`
	Reasons []emv.Why `json:"why"`
}

// WhyMessage is one message between terminal and host, in short; GET /v1/sales/{id}/messages has its fields.
type WhyMessage struct {
	Time  time.Time `json:"time"` // when its exchange had ended
	From  string    `json:"from"` // terminal or host
	MTI   string    `json:"mti,omitempty"`
	STAN  uint32    `json:"stan"`
	Code  string    `json:"rc,omitempty"` // DE 39 of an answer
	Bytes int       `json:"bytes"`
}

// WhyBatch is how the batch of a sale stands.
type WhyBatch struct {
	Number   uint32              `json:"number"`
	State    terminal.BatchState `json:"state"`
	Closed   time.Time           `json:"closed,omitzero"`
	Balanced bool                `json:"balanced,omitempty"` // closed, and the host has the same
	LeftOut  uint32              `json:"left_out,omitempty"` // the batch that it was made in, where that was settled without it
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
	later, err := h.since(r.Context(), sale)
	if err != nil && !unknown(err) {
		h.fail(w, r, err)
		return
	}
	h.answer(w, http.StatusOK, h.whyOf(r, sale, rows, later))
}

// whyOf puts together what is known of a sale.
func (h *handler) whyOf(r *http.Request, sale terminal.Sale, rows []terminal.JournalRow, later []terminal.Sale) Why {
	s := h.localSale(h.cfg.Access.who(r), sale)
	out := Why{
		Sale: s.ID, Kind: s.Kind, State: s.State, Outcome: s.Outcome, ResponseCode: s.ResponseCode, HostText: s.HostText,
		Amount: s.Amount, Tip: s.Tip, Cashback: s.Cashback, Approved: s.Approved, By: s.By, Of: s.Of, Twin: s.Twin, Started: s.Started,
		Card: s.MaskedPAN, Entry: s.Entry, Way: s.Way, STAN: s.STAN, Invoice: s.Invoice, RRN: s.RRN, AuthCode: s.AuthCode, Host: s.Host, HostTime: h.local(s.HostTime),
		AID: s.AID, Label: s.Label, Method: s.Method, ODA: s.ODA, Tags: s.Tags,
		Steps: []Step{}, Reasons: append([]emv.Why{}, s.Why...),
	}
	if s.State.Final() {
		out.Ended = s.Updated
		if s.Kind != terminal.KindBalance && (s.State != terminal.Cancelled || s.MaskedPAN != "") {
			out.Receipts = []receipt.Copy{receipt.Customer, receipt.Merchant}
		}
	}
	if c := s.ResponseCode; h.cfg.Meaning != nil && c != "" && c[0] != 'Y' && c[0] != 'Z' { // those are the terminal's own, to the card
		out.Meaning = h.cfg.Meaning(s.ResponseCode)
	}
	rows = slices.Clone(rows)
	for i, row := range rows {
		row = h.localRow(h.cfg.Access.who(r), row)
		rows[i] = row
		step := Step{Seq: row.Seq, Time: row.Time, Kind: row.Kind, From: row.From, Event: row.Event, To: row.To, Duties: row.Duties, Note: row.Note}
		if row.Debt != nil {
			step.Debt = row.Debt.Kind
		}
		out.Steps = append(out.Steps, step)
	}
	out.Debts = explain.Debts(rows)
	for _, l := range later {
		out.Since = append(out.Since, Since{l.ID, l.Kind, l.Taken(), h.local(l.Updated)})
	}
	for _, m := range h.messagesOf(sale, rows) {
		out.Messages = append(out.Messages, WhyMessage{m.Time, m.From, m.MTI, m.STAN, m.Fields["39"], m.Bytes})
	}
	batch := h.batchOf(r.Context(), s)
	if batch.Number != 0 {
		out.Batch = &WhyBatch{batch.Number, batch.State, batch.Closed, batch.Balanced, s.LeftOut}
	}
	out.Story = explain.Tell(explain.Facts{Sale: s, Debts: out.Debts, Since: later, Batch: batch})
	return out
}

// batchOf is the batch of a sale that is counted in one; the zero value where that is not known.
func (h *handler) batchOf(ctx context.Context, s terminal.Sale) terminal.Batch {
	if s.Training || s.State != terminal.Approved || !s.Kind.Captured() {
		return terminal.Batch{}
	}
	b, err := h.cfg.Journal.BatchRecord(ctx, s.Acquirer, s.Batch)
	if err != nil { // one that was opened in memory alone, or that does not authenticate: the sale is explained without
		return terminal.Batch{}
	}
	b.Opened, b.Fixed, b.Closed = h.local(b.Opened), h.local(b.Fixed), h.local(b.Closed)
	return b
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
	h.answer(w, http.StatusOK, SaleMessages{Messages: append([]Message{}, h.messagesOf(sale, rows)...)})
}

// messagesOf are the messages of a sale and of what it owed: those that are remembered.
func (h *handler) messagesOf(sale terminal.Sale, rows []terminal.JournalRow) []Message {
	var traces []uint32
	if sale.STAN != 0 {
		traces = append(traces, sale.STAN)
	}
	for _, row := range rows {
		if row.Debt != nil && row.Debt.STAN != 0 && !slices.Contains(traces, row.Debt.STAN) {
			traces = append(traces, row.Debt.STAN)
		}
	}
	if h.cfg.Messages == nil {
		return nil
	}
	all := h.cfg.Messages.Messages(traces, sale.Started)
	for i := range all {
		all[i].Time = h.local(all[i].Time)
	}
	return all
}
