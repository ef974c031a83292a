package host

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"tillway/host/ledger"
)

// The kinds of entries of clearing and settlement.
const (
	entryClearing = "clearing"   // the issuer pays for what is cleared together
	entryCapture  = "capture"    // one transaction's part of it, less its fee, is owed to the merchant
	entryTakeBack = "taken back" // a transaction that was cleared is reversed or voided
)

func payable(merchant string) string { return "merchant:" + merchant + merchantOwed }

// gross is what a transaction brings its merchant before the fee, below zero for a refund.
func (r *record) gross() int64 {
	if r.kind == KindRefund {
		return -r.approved
	}
	return r.approved
}

// feeOf is the merchant's fee: on the purchase without the cash, none on a refund, and none is given back for one.
func (h *Host) feeOf(r *record) int64 {
	if r.kind == KindRefund {
		return 0
	}
	return ledger.FeeOf(h.cfg.Fees, ledger.Brand(r.pan.Clear()), r.approved-r.cash)
}

// some leaves out legs of nothing.
func some(legs ...ledger.Leg) []ledger.Leg {
	return slices.DeleteFunc(legs, func(l ledger.Leg) bool { return l.Minor == 0 })
}

// clear lets the issuer pay for what stands and is not cleared, and owes it to the merchants less the fees. The caller holds mu.
func (h *Host) clear(list []*record, now time.Time) {
	var sum int64
	var captures []*record
	for _, r := range list {
		if r.captured() && !r.cleared {
			captures = append(captures, r)
			sum += r.gross()
		}
	}
	if sum != 0 {
		h.entry(entryClearing, "", now, []ledger.Leg{{Account: settlement, Minor: -sum}, {Account: clearing, Minor: sum}})
	}
	for _, r := range captures {
		r.cleared, r.fee = true, h.feeOf(r)
		h.entry(entryCapture, r.key.ref(), now, some(
			ledger.Leg{Account: clearing, Minor: -r.gross()}, ledger.Leg{Account: payable(r.merchant), Minor: r.gross() - r.fee},
			ledger.Leg{Account: feeIncome, Minor: r.fee},
		))
		h.keep(r)
	}
}

// takeBack undoes the clearing of a transaction: the merchant owes the amount, and gets its fee back.
func (h *Host) takeBack(r *record, now time.Time) {
	if !r.cleared {
		return
	}
	h.entry(entryTakeBack, r.key.ref(), now, some(
		ledger.Leg{Account: settlement, Minor: r.gross()}, ledger.Leg{Account: payable(r.merchant), Minor: r.fee - r.gross()},
		ledger.Leg{Account: feeIncome, Minor: -r.fee},
	))
	r.cleared, r.fee = false, 0
}

// Settle ends the host's day: whatever stands is cleared, also of batches that are still open, and each merchant is paid what
// it is owed. A merchant that owes is left owing: the next settlement takes it off. An error is the ledger's, and for good.
func (h *Host) Settle() error {
	now := h.cfg.Clock()
	h.mu.Lock()
	h.clear(h.ledger.order, now)
	h.post()
	for _, merchant := range h.merchants() {
		if owed := h.book.Balance(payable(merchant), h.cfg.Currency); owed > 0 {
			h.entry(ledger.Paid, "", now, []ledger.Leg{{Account: payable(merchant), Minor: -owed}, {Account: "merchant:" + merchant + merchantBank, Minor: owed}})
		}
	}
	h.post()
	h.mu.Unlock()
	return h.book.Sync()
}

// merchants lists the merchants of the configuration by name.
func (h *Host) merchants() []string {
	var out []string
	for _, m := range h.terminals {
		out = append(out, strings.TrimSpace(m))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Statements lists every merchant's statements, oldest first; the last of each is open.
func (h *Host) Statements() []ledger.Statement {
	var out []ledger.Statement
	for _, m := range h.merchants() {
		out = append(out, h.book.Statements(m, payable(m), feeIncome, h.cfg.Currency)...)
	}
	return out
}

// Batch is how a terminal's batch stands at the host.
type Batch struct {
	Terminal string `json:"terminal"`
	Batch    string `json:"batch"`
	State    string `json:"state"` // open, uploading or closed
	Sales    int    `json:"sales"`
	Refunds  int    `json:"refunds"`
	Totals   string `json:"totals"` // DE 63 with sales and refunds
}

// Batches lists the batches that have transactions or were closed, by terminal and number.
func (h *Host) Batches() []Batch {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := map[key]bool{}
	for k := range h.ledger.byBatch {
		all[k] = true
	}
	for k := range h.batches {
		all[k] = true
	}
	out := make([]Batch, 0, len(all))
	for k := range all {
		t, state := sumUp(h.in(k.terminal, k.batch)), "open"
		switch b := h.batchOf(k.terminal, k.batch); {
		case b.Closed:
			state = "closed"
		case b.Uploading:
			state = "uploading"
		}
		out = append(out, Batch{
			strings.TrimSpace(k.terminal), k.batch, state, t.sales, t.refunds,
			fmt.Sprintf("%03d%012d%03d%012d", t.sales, t.salesSum, t.refunds, t.refundsSum),
		})
	}
	slices.SortFunc(out, func(a, b Batch) int { return strings.Compare(a.Terminal+"/"+a.Batch, b.Terminal+"/"+b.Batch) })
	return out
}
