// Package explain says in sentences how a transaction stands: what follows by itself, what somebody has to do, and what the customer is
// told. It is pure: the facts are the journal's, and nothing is looked up here. It explains no card and no bit; those reasons are in the
// sale's record.
package explain

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"tillway/money"
	"tillway/terminal"
)

// Standing is how a transaction stands, all that came after it included: a stable word for programs.
type Standing string

// The standings.
const (
	Running        Standing = "running"   // it has not ended
	Practice       Standing = "practice"  // of training: nothing was moved
	Approved       Standing = "approved"  // and nothing came after it
	InPart         Standing = "in part"   // approved for less than was asked for
	Held           Standing = "held"      // an amount is held, nothing taken
	Completed      Standing = "completed" // what was held was taken
	Voided         Standing = "voided"    // taken back as a whole
	Refunded       Standing = "refunded"  // all of it was given back
	RefundedInPart Standing = "refunded in part"
	Waiting        Standing = "waiting"  // approved without the host, which was not told yet
	Deferred       Standing = "deferred" // kept for the host, which may still decline it
	Parked         Standing = "parked"   // the host has refused the word of it: somebody has to decide
	WrittenOff     Standing = "written off"
	Declined       Standing = "declined"
	Cancelled      Standing = "cancelled" // nothing was sent
	Unknown        Standing = "unknown"   // reversed here, and the host has not confirmed the reversal: it may have booked the payment
	Reversed       Standing = "reversed"  // and the host has confirmed it
	Stuck          Standing = "stuck"     // the host has refused the reversal: it may have booked the payment, and somebody has to decide
)

// Facts are what the journal knows of a transaction.
type Facts struct {
	Sale  terminal.Sale
	Debts []terminal.Debt // what it owed and owes, each as it stands now, in the order of owing
	Since []terminal.Sale // what was approved about it later, and stands
	Batch terminal.Batch  // its batch; the zero value: not known
}

// Story is what there is to say. Every sentence is whole.
type Story struct {
	Standing Standing `json:"standing"`
	Now      string   `json:"now"`            // how it stands
	Next     string   `json:"next,omitempty"` // what follows by itself
	Do       string   `json:"do,omitempty"`   // what somebody of the shop has to do
	Tell     string   `json:"tell"`           // what the customer is told
}

// clock is how times stand in sentences: the shop's, which the facts bring.
const clock = "2006-01-02 15:04"

// Tell makes the story.
func Tell(f Facts) Story {
	s := f.Sale
	switch {
	case s.Training:
		return Story{Practice, "It was practice: no card was charged, and no bank was asked.", "", "", "Nothing was paid. It was practice."}
	case !s.State.Final():
		return Story{Running, "It has not ended: " + stateWords(s.State) + ".", "It ends by itself, or with the word that the terminal asks for.", "", "Please wait: it is not decided yet."}
	case s.State == terminal.Declined:
		return declined(s)
	case s.State == terminal.Cancelled:
		return Story{Cancelled, "Nothing was sent: " + lower(s.Outcome.Happened), "", s.Outcome.Do, "Nothing was paid, and the bank was not asked."}
	case s.State == terminal.Reversed:
		return reversed(f)
	}
	return approved(f)
}

// stateWords is what a transaction that runs is doing.
func stateWords(s terminal.State) string {
	switch s {
	case terminal.AwaitCard:
		return "it waits for a card"
	case terminal.CardTalk:
		return "the card is being read"
	case terminal.Sending, terminal.Asking:
		return "the bank is being asked"
	case terminal.FinishApproved, terminal.FinishDeclined, terminal.FinishUnable, terminal.FinishUnanswered:
		return "the card is told what the bank said"
	case terminal.AgreementOnline, terminal.AgreementOffline:
		return "it waits for the cashier's word"
	case terminal.Ready, terminal.Approved, terminal.Declined, terminal.Cancelled, terminal.Reversed:
	}
	return "it is between two steps"
}

func declined(s terminal.Sale) Story {
	by := "The bank declined it"
	if s.Outcome.Code != terminal.CodeDeclined {
		by = "It was declined without the bank"
	}
	return Story{
		Declined, by + ": " + lower(s.Outcome.Happened), "", s.Outcome.Do,
		unmoved(s.Kind) + " If your bank shows the amount as held, it lets it go by itself; ask the bank that issued the card why it declined.",
	}
}

// unmoved is what a customer is told when nothing came of a transaction.
func unmoved(k terminal.Kind) string {
	switch k {
	case terminal.KindRefund:
		return "Nothing was paid back."
	case terminal.KindVoid:
		return "The earlier payment stands."
	case terminal.KindPreauth, terminal.KindIncrement:
		return "Nothing more is held."
	case terminal.KindCompletion:
		return "What is held stays held."
	case terminal.KindBalance:
		return "Nothing was moved."
	case terminal.KindSale, terminal.KindForced:
	}
	return "Nothing was charged."
}

// reversed tells a reversal by what the host says of it.
func reversed(f Facts) Story {
	why := lower(f.Sale.Outcome.Happened)
	debt, ok := last(f.Debts, terminal.ReversalDebt)
	switch {
	case ok && debt.State == terminal.Acknowledged:
		return Story{Reversed, "It was taken back: " + why + " The bank has confirmed the reversal.", "", "", unmoved(f.Sale.Kind) + " If your bank shows the amount as held, the reversal releases it."}
	case ok && debt.State == terminal.Parked:
		return Story{
			Stuck, "It was taken back here: " + why + " The bank has refused the reversal" + because(debt.Reason) + ". It may have booked the payment.", "",
			fmt.Sprintf("Ask the acquirer whether it has the payment (STAN %06d, batch %06d). Then: pos queue retry %d to send the reversal again, or pos queue write-off %d.", f.Sale.STAN, f.Sale.Batch, debt.ID, debt.ID),
			"This payment does not count here. If the amount is on your statement, we put it right with the bank.",
		}
	case ok && debt.State == terminal.WrittenOff:
		return Story{WrittenOff, "It was taken back here; the reversal was written off: it was put right with the bank by hand.", "", "", "This payment does not count here. If the amount is on your statement, we put it right with the bank."}
	}
	return Story{
		Unknown, "It was taken back here: " + why + " The bank has not confirmed the reversal yet, and may have booked it.",
		"The terminal sends the reversal by itself, before anything else, until the bank confirms it" + tries(debt) + ".", "See pos queue. Do not count it as paid; a new payment is a new sale.",
		"This payment does not count. If your bank shows the amount as held, it is released within days.",
	}
}

func tries(d terminal.Debt) string {
	switch d.Attempts {
	case 0:
		return ""
	case 1:
		return "; it was sent once so far" + because(d.Reason)
	}
	return fmt.Sprintf("; it was sent %d times so far%s", d.Attempts, because(d.Reason))
}

// approved tells first what came after it, then what the host has yet to hear, then what it is.
func approved(f Facts) Story {
	s := f.Sale
	if story, ok := undone(f); ok {
		return story
	}
	for _, kind := range []terminal.DebtKind{terminal.DeferredDebt, terminal.AdviceDebt} {
		if d, ok := last(f.Debts, kind); ok {
			if story, open := owed(s, d); open {
				return story
			}
		}
	}
	next := payment(f.Batch)
	paid := fmt.Sprintf("You paid %s.", s.Taken().Format())
	switch s.Kind {
	case terminal.KindBalance:
		return Story{Approved, s.Outcome.Happened, "", "", "Nothing was moved."}
	case terminal.KindVoid:
		return Story{Approved, fmt.Sprintf("It took back transaction %s.", s.Of), "", "", "The earlier payment was taken back. Depending on your bank it is gone at once or comes back within days."}
	case terminal.KindRefund:
		return Story{Approved, s.Taken().Format() + " is paid back.", next, "", "The money goes back to the card. Depending on your bank it is there within days."}
	case terminal.KindPreauth, terminal.KindIncrement:
		return Story{
			Held, s.Taken().Format() + " is held, and nothing is taken.", "The bank lets it go by itself when nothing is done, mostly after days; the terminal can take it for 31 days.",
			fmt.Sprintf("pos completion %s AMOUNT takes it, pos void %s lets it go.", held(s), held(s)), "The amount is held on your card, and not taken yet.",
		}
	case terminal.KindCompletion:
		return Story{Approved, fmt.Sprintf("%s of what was held in %s is taken.", s.Taken().Format(), s.Of), next, "", paid}
	case terminal.KindSale, terminal.KindForced:
	}
	if rest := s.Amount.Minor - s.Taken().Minor; rest > 0 {
		return Story{
			InPart, fmt.Sprintf("The bank approved %s of %s.", s.Taken().Format(), s.Amount.Format()), next,
			fmt.Sprintf("%s of it had to be paid in another way.", money.New(rest, s.Amount.Currency).Format()), fmt.Sprintf("%s was charged to this card, and no more.", s.Taken().Format()),
		}
	}
	return Story{Approved, "It is approved" + by(s) + ".", next, "", paid}
}

// held is the transaction that a completion or a void is given.
func held(s terminal.Sale) terminal.SaleID {
	if s.Kind == terminal.KindIncrement {
		return s.Of
	}
	return s.ID
}

func by(s terminal.Sale) string {
	switch s.Way {
	case terminal.WayOffline:
		return " by card and terminal, and the bank was told"
	case terminal.WayDeferred:
		return ": the bank was asked afterwards, and has approved it"
	case terminal.WayVoice:
		return " by telephone, and the bank was told"
	case terminal.WayOnline:
	}
	return " by the bank"
}

// undone is the story of what was voided, completed or refunded since.
func undone(f Facts) (Story, bool) {
	s := f.Sale
	var back int64
	var by []string
	for _, one := range f.Since {
		switch one.Kind {
		case terminal.KindVoid:
			return Story{Voided, fmt.Sprintf("It was approved, and taken back as a whole by void %s.", one.ID), "", "", "This payment was taken back. Depending on your bank it is gone at once or comes back within days."}, true
		case terminal.KindCompletion:
			return Story{Completed, fmt.Sprintf("What was held was taken by completion %s: %s.", one.ID, one.Taken().Format()), "", "", fmt.Sprintf("%s was taken of what was held; the rest is let go.", one.Taken().Format())}, true
		case terminal.KindRefund:
			back += one.Taken().Minor
			by = append(by, one.ID.String())
		case terminal.KindSale, terminal.KindForced, terminal.KindPreauth, terminal.KindIncrement, terminal.KindBalance:
		}
	}
	if back == 0 {
		return Story{}, false
	}
	numbers := strings.Join(by, ", ")
	given := money.New(back, s.Taken().Currency).Format()
	if back >= s.Taken().Minor {
		return Story{Refunded, fmt.Sprintf("It was approved, and all of it was paid back (%s).", numbers), "", "", given + " went back to the card. Depending on your bank it is there within days."}, true
	}
	return Story{RefundedInPart, fmt.Sprintf("It was approved, and %s of %s was paid back (%s).", given, s.Taken().Format(), numbers), payment(f.Batch), "", given + " went back to the card. Depending on your bank it is there within days."}, true
}

// owed is the story of a payment of which the host has to be told, or was and would not have it.
func owed(s terminal.Sale, d terminal.Debt) (Story, bool) {
	decide := fmt.Sprintf("Ask the acquirer whether it has the payment (STAN %06d, batch %06d). Then: pos queue retry %d, or pos queue write-off %d when the money is put right in another way.", s.STAN, s.Batch, d.ID, d.ID)
	paid := fmt.Sprintf("You paid %s.", s.Taken().Format())
	switch {
	case d.State.Final() && d.State != terminal.WrittenOff:
		return Story{}, false
	case d.State == terminal.WrittenOff:
		return Story{WrittenOff, "It was approved here, and written off: the bank has not taken it, and the money was to be put right by hand.", "", "See pos queue and the note in the steps.", "Ask the shop: this payment was put right by hand."}, true
	case d.State == terminal.Parked && d.Kind == terminal.DeferredDebt:
		return Story{Parked, "It was taken without the bank's word, and the bank has declined it since" + because(d.Reason) + ". The money is not the shop's.", "", decide, "Your bank declined this payment afterwards. Please pay in another way."}, true
	case d.State == terminal.Parked:
		return Story{Parked, "It was approved without the bank, and the bank has refused the word of it" + because(d.Reason) + ".", "", decide, paid}, true
	case d.Kind == terminal.DeferredDebt:
		return Story{Deferred, "It was taken without the bank's word. The bank may still decline it: the money is the shop's only then.", "The terminal asks the bank as soon as it can be reached" + tries(d) + ".", "", "Your bank is asked later. If it declines, the shop will ask you."}, true
	}
	return Story{Waiting, "It was approved" + without(s) + ", and the bank has not been told yet.", "The terminal tells the bank as soon as it can be reached" + tries(d) + ".", "", paid}, true
}

func without(s terminal.Sale) string {
	switch s.Way {
	case terminal.WayOffline:
		return " by card and terminal"
	case terminal.WayVoice:
		return " by telephone"
	case terminal.WayOnline, terminal.WayDeferred:
	}
	return ""
}

// payment is what becomes of the money with its batch.
func payment(b terminal.Batch) string {
	switch {
	case b.Number == 0:
		return ""
	case b.State == terminal.BatchOpen:
		return fmt.Sprintf("It is in batch %06d, which is open: the bank pays it out after that is settled.", b.Number)
	case b.State == terminal.BatchDisputed:
		return fmt.Sprintf("It is in batch %06d, over whose totals terminal and bank differ: pos status says what to do.", b.Number)
	case b.State == terminal.BatchClosed && b.Balanced:
		return fmt.Sprintf("It is in batch %06d, settled %s: the bank has the same totals.", b.Number, at(b.Closed))
	case b.State == terminal.BatchClosed:
		return fmt.Sprintf("It is in batch %06d, closed %s without the same totals at the bank: see pos report z --batch %d.", b.Number, at(b.Closed), b.Number)
	}
	return fmt.Sprintf("It is in batch %06d, which is being settled.", b.Number)
}

func at(t time.Time) string { return t.Format(clock) }

// last is the newest debt of a kind.
func last(all []terminal.Debt, kind terminal.DebtKind) (terminal.Debt, bool) {
	for _, d := range slices.Backward(all) {
		if d.Kind == kind {
			return d, true
		}
	}
	return terminal.Debt{}, false
}

// Debts are a transaction's debts as its rows leave them, in the order of owing. A row that owes has no debt in it: what was never
// touched since is Owed, without its number.
func Debts(rows []terminal.JournalRow) (all []terminal.Debt) {
	index := func(kind terminal.DebtKind) int {
		return slices.IndexFunc(all, func(d terminal.Debt) bool { return d.Kind == kind && !d.State.Final() })
	}
	for _, row := range rows {
		for _, duty := range row.Duties {
			kind := map[terminal.Duty]terminal.DebtKind{terminal.OweReversal: terminal.ReversalDebt, terminal.OweAdvice: terminal.AdviceDebt, terminal.OweDeferred: terminal.DeferredDebt}[duty]
			if duty == terminal.DischargeReversal {
				if i := index(terminal.ReversalDebt); i >= 0 {
					all[i].State = terminal.Discharged
				}
				continue
			}
			all = append(all, terminal.Debt{Sale: row.Sale, Kind: kind, State: terminal.Owed, Since: row.Time})
		}
		if row.Debt == nil {
			continue
		}
		debt := *row.Debt
		if row.To != "" {
			debt.State = terminal.DebtState(row.To)
		}
		i := slices.IndexFunc(all, func(d terminal.Debt) bool { return d.ID == debt.ID && debt.ID != 0 })
		if i < 0 {
			i = index(debt.Kind)
		}
		if i < 0 {
			all = append(all, debt)
			continue
		}
		if debt.Since.IsZero() {
			debt.Since = all[i].Since
		}
		all[i] = debt
	}
	return all
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	if n := len(reason) - 1; reason[n] == '.' {
		reason = reason[:n]
	}
	return ": " + reason
}

// lower is a sentence behind a colon.
func lower(s string) string {
	if s == "" {
		return "no reason was kept."
	}
	if s[0] >= 'A' && s[0] <= 'Z' && (len(s) < 2 || s[1] < 'A' || s[1] > 'Z') {
		return string(s[0]+'a'-'A') + s[1:]
	}
	return s
}
