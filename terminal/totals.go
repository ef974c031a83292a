package terminal

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"tillway/money"
)

// Item is one transaction of a batch that may have reached the host, with what decides whether the host has it.
type Item struct {
	Sale  Sale
	Void  SaleID // the void that took it back, and stands; 0: none
	Debts []Debt // all that was ever owed for it, without messages
}

// Standing is what stands in a batch that sales go into, whether the host knows of it yet or not.
type Standing struct {
	Batch  uint32
	Count  int       // payments that were captured and not voided
	Sum    int64     // what they come to in minor units, refunds negative
	Sales  int       // transactions of any kind that may have reached the host
	Oldest time.Time // when the first of those began; zero: there is none
}

// BatchDecision is what somebody, or the terminal by itself, wants of a batch: BatchSettle, BatchCallOff or BatchCloseByHand.
type BatchDecision struct {
	Batch       uint32 // 0: the one that sales go into, or the one that is being settled
	Event       BatchEvent
	By          string // who, as the journal names them
	LeaveParked bool   // with BatchSettle: leave out what the host has refused for good
	Note        string // with BatchCloseByHand: why, 1 to MaxDecisionNote characters on one line, no card number
}

// BatchStatus is how settlement stands, for the till.
type BatchStatus struct {
	Number  uint32       `json:"number"` // of the batch that sales go into
	Count   int          `json:"count"`  // payments in it
	Sum     money.Amount `json:"sum,omitzero"`
	CutOff  time.Time    `json:"cut_off,omitzero"`  // when it will be settled by itself; zero: when somebody says so
	Warning string       `json:"warning,omitempty"` // one sentence: it is full

	WarningAR string `json:"warning_ar,omitempty"` // in Arabic: filled where it is shown

	Settling []Batch `json:"settling,omitempty"` // those on their way to the bank, and those that a person has to decide about, oldest first
}

// waits says why a debt keeps its transaction out of the totals, or nothing.
func (d Debt) waits() string {
	switch {
	case d.Kind == ReversalDebt || d.State == Acknowledged:
		return ""
	case d.State == Parked && d.Kind == DeferredDebt:
		return "the bank has refused it for good: see pos queue"
	case d.State == Parked:
		return "the bank has refused for good to be told of it: see pos queue"
	case d.State == WrittenOff:
		return "it was written off, and the bank was never told of it"
	}
	return "the bank has not been told of it yet"
}

// Missing says why a transaction is not in the totals of its batch, or nothing when it is: it did not take money, it was taken back, or the
// host does not have it.
func (i Item) Missing() string {
	switch {
	case i.Sale.State != Approved:
		return "it is " + string(i.Sale.State)
	case !i.Sale.Kind.Captured():
		return "a " + string(i.Sale.Kind) + " takes no money"
	case i.Void != 0:
		return "it was voided by sale " + i.Void.String()
	}
	for _, d := range i.Debts {
		if why := d.waits(); why != "" {
			return why
		}
	}
	return ""
}

// Counted are the transactions that the totals of a batch count, in the order in which they were made.
func Counted(items []Item) []Item {
	var all []Item
	for _, i := range items {
		if i.Missing() == "" {
			all = append(all, i)
		}
	}
	slices.SortFunc(all, func(a, b Item) int { return cmp.Compare(a.Sale.ID, b.Sale.ID) })
	return all
}

// ParkedItems are the transactions of a batch for which the host has refused a message for good, with the reason.
func ParkedItems(items []Item) []Difference {
	var all []Difference
	for _, i := range items {
		for _, d := range i.Debts {
			if d.State == Parked {
				all = append(all, Difference{Sale: i.Sale.ID, STAN: d.STAN, Amount: i.Sale.Taken(), Why: fmt.Sprintf("its %s is parked: %s", d.Kind.Words(), d.Reason)})
			}
		}
	}
	return all
}

// TakeBack says of each transaction of a batch which void took it back. A void that the host was to be told of, and that it refused or was
// never told of, took nothing back: the host has what it was about. One that is still owed stands.
func TakeBack(items []Item) {
	at := map[SaleID]int{}
	for i := range items {
		at[items[i].Sale.ID] = i
	}
	for _, v := range items {
		refused := slices.ContainsFunc(v.Debts, func(d Debt) bool { return d.Kind == AdviceDebt && (d.State == Parked || d.State == WrittenOff) })
		of, ok := at[v.Sale.Of]
		if ok && v.Sale.Kind == KindVoid && v.Sale.State == Approved && !refused {
			items[of].Void = v.Sale.ID
		}
	}
}

// LeftOutEvent is the event of the journal row that takes a payment over into the next batch. It is no event of the sale's own table: the
// sale stays what it is.
const LeftOutEvent = "LeftOut"

// GoOver are the payments of a batch that its totals leave out and that the host may still be told of, as they stand in the next batch: what
// is sent of them from then on names that one, because a host takes nothing more for a batch that is closed. Number, time and reference stay,
// by which the host knows them again.
func GoOver(items []Item, next uint32) []Sale {
	var all []Sale
	for _, i := range items {
		tells := slices.ContainsFunc(i.Debts, func(d Debt) bool { return d.Kind != ReversalDebt && !d.State.Final() })
		if i.Missing() == "" || i.Sale.State != Approved || !i.Sale.Kind.Captured() || i.Void != 0 || !tells {
			continue
		}
		s := i.Sale
		s.LeftOut, s.Batch = cmp.Or(s.LeftOut, s.Batch), next
		all = append(all, s)
	}
	return all
}

// TotalsOf is what transactions come to, a line for each scheme, in the schemes' order by name.
func TotalsOf(items []Item) []TotalsLine {
	var lines []TotalsLine
	for _, i := range items {
		at := slices.IndexFunc(lines, func(l TotalsLine) bool { return l.Scheme == i.Sale.Scheme })
		if at < 0 {
			at, lines = len(lines), append(lines, TotalsLine{Scheme: i.Sale.Scheme})
		}
		l, s := &lines[at], i.Sale
		if s.Kind.Credit() {
			l.Refunds++
			l.RefundsSum += s.Taken().Minor
			continue
		}
		l.Sales++
		l.SalesSum += s.Taken().Minor
		l.Tips += s.Tip.Minor
		l.Cashback += s.Cashback.Minor
	}
	slices.SortFunc(lines, func(a, b TotalsLine) int { return cmp.Compare(a.Scheme, b.Scheme) })
	return lines
}

// SumLines is all lines in one, of no scheme.
func SumLines(lines []TotalsLine) TotalsLine {
	var all TotalsLine
	for _, l := range lines {
		all.Sales += l.Sales
		all.SalesSum += l.SalesSum
		all.Refunds += l.Refunds
		all.RefundsSum += l.RefundsSum
		all.Tips += l.Tips
		all.Cashback += l.Cashback
	}
	return all
}

// Net is what the merchant gets, in minor units; it may be below zero.
func (l TotalsLine) Net() int64 { return l.SalesSum - l.RefundsSum }

// Same compares what a host counts: numbers and sums of sales and refunds.
func (l TotalsLine) Same(o TotalsLine) bool {
	return l.Sales == o.Sales && l.SalesSum == o.SalesSum && l.Refunds == o.Refunds && l.RefundsSum == o.RefundsSum
}
