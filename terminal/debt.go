package terminal

import "time"

// DebtKind is what is owed to the host.
type DebtKind string

// The kinds.
const (
	ReversalDebt DebtKind = "reversal"
	AdviceDebt   DebtKind = "advice"   // word of what was approved without the host, or captured
	DeferredDebt DebtKind = "deferred" // a request that is kept: the host may still decline it, and it is parked then
)

// Words is what is owed, as a person reads it.
func (k DebtKind) Words() string {
	if k == DeferredDebt {
		return "kept request"
	}
	return string(k)
}

// DebtState is where a debt stands.
type DebtState string

// The states of a debt. Discharged is a reversal that is no longer owed because the sale went well; it never left.
const (
	Owed         DebtState = "Owed"
	Sent         DebtState = "Sent"
	Parked       DebtState = "Parked"
	Acknowledged DebtState = "Acknowledged"
	Discharged   DebtState = "Discharged"
	WrittenOff   DebtState = "WrittenOff"
)

// Final says that nothing follows.
func (s DebtState) Final() bool { return s == Acknowledged || s == Discharged || s == WrittenOff }

// DebtEvent is what happened to a debt.
type DebtEvent string

// The events of a debt.
const (
	DebtTurn       DebtEvent = "Turn" // its turn on the link
	DebtDischarge  DebtEvent = "Discharge"
	DebtAccepted   DebtEvent = "Accepted"
	DebtRefused    DebtEvent = "RefusedForGood"
	DebtTryLater   DebtEvent = "TryLater" // host up, cannot take it now (91, 96, …)
	DebtNoAnswer   DebtEvent = "NoAnswer"
	DebtPowerLost  DebtEvent = "PowerLost"
	DebtPut        DebtEvent = "Park"     // aside, by a supervisor, audited
	DebtRequeued   DebtEvent = "Requeue"  // by a supervisor
	DebtWrittenOff DebtEvent = "WriteOff" // by a supervisor, audited
)

// DebtRow is one transition of a debt. Every one is committed.
type DebtRow struct {
	From  DebtState
	Event DebtEvent
	To    DebtState
}

// DebtTable is the debts' state table.
func DebtTable() []DebtRow {
	return []DebtRow{
		{Owed, DebtTurn, Sent},
		{Owed, DebtDischarge, Discharged},
		{Owed, DebtPut, Parked},
		{Sent, DebtAccepted, Acknowledged},
		{Sent, DebtRefused, Parked},
		{Sent, DebtTryLater, Owed},
		{Sent, DebtNoAnswer, Owed},
		{Sent, DebtPowerLost, Owed},
		{Parked, DebtRequeued, Owed},
		{Parked, DebtWrittenOff, WrittenOff},
	}
}

// NextDebt finds the row for a debt's state and an event. Error: ErrNoRow.
func NextDebt(table []DebtRow, s DebtState, e DebtEvent) (DebtRow, error) {
	for _, r := range table {
		if r.From == s && r.Event == e {
			return r, nil
		}
	}
	return DebtRow{}, noRow(string(e), string(s))
}

// DebtDecision is what somebody decides about a debt. Of one that waits: DebtPut, to have it sent no more until somebody says so. Of a parked
// one: DebtRequeued, to send it again, or DebtWrittenOff, never to.
type DebtDecision struct {
	Debt  int64
	Event DebtEvent
	By    string // who, as the journal names them
	Note  string // with DebtWrittenOff: why, 1 to MaxDecisionNote characters on one line, no card number
	Asked bool   // with DebtRequeued, of a payment from another batch: the bank was asked, and does not have it
}

// MaxDecisionNote is the most characters of a decision's note.
const MaxDecisionNote = 200

// Debt is one message owed to one acquirer. Message is opened (clear) and never leaves memory but for the wire.
type Debt struct {
	ID        int64     `json:"id"` // given by the journal, ascending in the order of owing
	Sale      SaleID    `json:"sale"`
	Acquirer  string    `json:"acquirer"`
	Kind      DebtKind  `json:"kind"`
	STAN      uint32    `json:"stan"`
	State     DebtState `json:"state"`
	Since     time.Time `json:"since,omitzero"`      // when it came to be owed
	Attempts  int       `json:"attempts"`            // times it was Sent
	NotBefore time.Time `json:"not_before,omitzero"` // back-off: not on the link before this instant
	Reason    string    `json:"reason,omitempty"`    // why it still waits, one sentence
	RRN       string    `json:"rrn,omitempty"`       // DE 37 of the acknowledgement: how the host calls it from then on
	AuthCode  string    `json:"auth,omitempty"`      // of a kept request: DE 38 of its approval
	Code      string    `json:"rc,omitempty"`        // of a kept request: DE 39 of its approval
	Behind    int64     `json:"behind,omitempty"`    // of one that waits: the reversal of its sale that somebody has to decide about first
	Message   []byte    `json:"-"`                   // first message as composed, framed without length prefix
}

// Acknowledgement is what the host called a transaction when it heard of it afterwards. AuthCode and Code are there where it also
// decided then: of a kept request.
type Acknowledgement struct {
	RRN      string // DE 37
	AuthCode string // DE 38
	Code     string // DE 39
}

// Acknowledged is what the acknowledgement of a debt said.
func (d Debt) Acknowledged() Acknowledgement { return Acknowledgement{d.RRN, d.AuthCode, d.Code} }

// MarkBehind says of each debt which reversal it has to wait for: one of the same sale that is stuck, because the host has refused it for
// good or because it does not authenticate. The host may have booked the request that the reversal is of, and word of the same sale would
// book it a second time. Debts are those that wait or are parked; stuck says of a debt whether it is stuck though not Parked, nil: none is.
func MarkBehind(debts []Debt, stuck func(Debt) bool) {
	first := map[SaleID]int64{}
	for _, d := range debts {
		if d.Kind == ReversalDebt && first[d.Sale] == 0 && (d.State == Parked || stuck != nil && stuck(d)) {
			first[d.Sale] = d.ID
		}
	}
	for i := range debts {
		if d := &debts[i]; d.Kind != ReversalDebt && d.State != Parked {
			d.Behind = first[d.Sale]
		}
	}
}
