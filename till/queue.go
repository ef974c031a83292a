package till

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"tillway/money"
	"tillway/terminal"
)

// Queue is the answer to GET /v1/queue: what the bank has not acknowledged yet, reversals among it.
type Queue struct {
	Waiting int          `json:"waiting"`
	Parked  int          `json:"parked"`          // refused for good: they wait for a person
	Sum     money.Amount `json:"sum"`             // of the money that the bank has not acknowledged: approvals without it, and what was taken
	Oldest  time.Time    `json:"oldest,omitzero"` // since when the oldest is owed
	Debts   []Queued     `json:"debts"`           // in the order of owing
}

// Queued is one debt, with what its sale says.
type Queued struct {
	terminal.Debt

	SaleKind terminal.Kind `json:"sale_kind,omitempty"`
	Amount   money.Amount  `json:"amount,omitzero"` // what the sale moved or, of a reversal, would have
	Way      terminal.Way  `json:"way,omitempty"`
	PAN      string        `json:"pan,omitempty"` // masked
	Waits    string        `json:"waits"`         // why it is still owed, one sentence
}

// queue lists what is owed, what it comes to, and why each of it waits.
func (h *handler) queue(w http.ResponseWriter, r *http.Request) {
	debts, err := h.cfg.Journal.Debts(r.Context())
	if err != nil {
		h.fail(w, r, err)
		return
	}
	out := Queue{Debts: []Queued{}, Sum: money.New(0, h.cfg.Currency)}
	var link terminal.LinkHealth
	if len(debts) > 0 {
		link = h.cfg.Lane.Snapshot().Host
	}
	head := map[bool]bool{} // whether one of this rank, reversals or the rest, stands before
	for _, d := range debts {
		q := Queued{Debt: h.localDebt(d)}
		switch sale, err := h.cfg.Journal.Sale(r.Context(), d.Sale); {
		case errors.Is(err, terminal.ErrNoSale), errors.Is(err, terminal.ErrQuarantined): // its debt is there all the same
		case err != nil:
			h.fail(w, r, err)
			return
		default:
			q.SaleKind, q.Amount, q.Way, q.PAN = sale.Kind, sale.Taken(), sale.Way, sale.MaskedPAN
			if d.Kind != terminal.ReversalDebt {
				out.Sum.Minor += sale.CapturedMinor()
			}
		}
		reversal := d.Kind == terminal.ReversalDebt
		q.Waits = waits(d, link, head[reversal])
		if d.State == terminal.Parked {
			out.Parked++
		} else {
			out.Waiting++
			head[reversal] = head[reversal] || d.Behind == 0
		}
		if out.Oldest.IsZero() || !d.Since.IsZero() && d.Since.Before(out.Oldest) {
			out.Oldest = q.Since
		}
		out.Debts = append(out.Debts, q)
	}
	h.answer(w, http.StatusOK, out)
}

// waits says why a debt is still owed; behind: another of its rank goes first.
func waits(d terminal.Debt, link terminal.LinkHealth, behind bool) string {
	switch {
	case d.State == terminal.Parked:
		return "Somebody has to decide" + because(d.Reason) + "."
	case d.State == terminal.Sent:
		return "It is with the bank now."
	case d.Behind != 0:
		return fmt.Sprintf("The reversal of the same sale is stuck (debt %d): it goes when that one is sent again and taken, or written off.", d.Behind)
	case !link.OK:
		return "No connection to the bank" + because(orElse(link.Cause, link.State)) + "."
	case behind:
		return "It goes after those before it."
	case d.Reason != "":
		return "The last try failed" + because(d.Reason) + "."
	}
	return "It goes when no sale runs."
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}
