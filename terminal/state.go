// Package terminal holds the words of a sale, its state tables and the shapes that pass between lane, store, dialects
// and till. It is pure: no clock, no I/O, no goroutine. Package lane acts; this package says what follows from what.
package terminal

import (
	"errors"
	"fmt"
)

// State is where a sale stands.
type State string

// The states of a sale, in the order it meets them. The last four are final.
const (
	Ready            State = "Ready"            // no sale yet
	AwaitCard        State = "AwaitCard"        // amount known, no card
	CardTalk         State = "CardTalk"         // kernel's Begin
	Sending          State = "Sending"          // request may be on its way
	Asking           State = "Asking"           // inquiry may be on its way: nothing is owed for it
	FinishApproved   State = "FinishApproved"   // host approved, card not asked yet
	FinishDeclined   State = "FinishDeclined"   // host declined, card not told yet
	FinishUnable     State = "FinishUnable"     // nothing left the terminal
	FinishUnanswered State = "FinishUnanswered" // it left, and nothing came back
	AgreementOnline  State = "AgreementOnline"  // AgreementDue after a host approval
	AgreementOffline State = "AgreementOffline" // AgreementDue after an offline approval
	Approved         State = "Approved"
	Declined         State = "Declined"
	Cancelled        State = "Cancelled"
	Reversed         State = "Reversed"
)

// Final says that nothing follows.
func (s State) Final() bool {
	return s == Approved || s == Declined || s == Cancelled || s == Reversed
}

// Event is what happened to a sale. It carries what was decided: HostApproved, not "answered".
type Event string

// The events.
const (
	Start           Event = "Start"
	Presented       Event = "Presented"
	Cancel          Event = "Cancel"
	TimeOut         Event = "TimeOut"
	GoOnline        Event = "GoOnline"
	OfflineApproved Event = "OfflineApproved"
	Refused         Event = "Refused" // the kernel or the card declined or terminated
	OtherInterface  Event = "OtherInterface"
	Removed         Event = "Removed"
	HostApproved    Event = "HostApproved"
	HostDeclined    Event = "HostDeclined"
	NotSent         Event = "NotSent"  // no byte left
	NoAnswer        Event = "NoAnswer" // bytes may have left, no valid answer came
	CardAgrees      Event = "CardAgrees"
	CardRefuses     Event = "CardRefuses"
	CardApproves    Event = "CardApproves"    // TC without the host (Y3)
	AgreementNeeded Event = "AgreementNeeded" // as CardAgrees, CardApproves or OfflineApproved, and a signature or partial amount must be agreed
	Agreed          Event = "Agreed"          // cashier: it matches
	NotAgreed       Event = "NotAgreed"       // cashier: it does not
	PowerLost       Event = "PowerLost"       // found unfinished at start

	Refer         Event = "Refer"         // void or increment: an earlier transaction's card, no card is read
	Capture       Event = "Capture"       // completion: what is held is taken, and the host told of it
	Inquire       Event = "Inquire"       // balance inquiry: the host is asked, no money moves
	VoiceApproved Event = "VoiceApproved" // the issuer approved by voice, and the card did not refuse
	Deferred      Event = "Deferred"      // nothing left, the card approved nothing, and the request is kept for later
	CaptureDue    Event = "CaptureDue"    // as CardAgrees or Agreed, of an authorisation that a completion advice captures
)

// Duty is what a transition leaves owing to the host, written in its own commit.
type Duty string

// The duties.
const (
	OweReversal       Duty = "+R"
	DischargeReversal Duty = "-R"
	OweAdvice         Duty = "+A"
	OweDeferred       Duty = "+D" // a request that is kept until the host can be reached
)

// Row is one transition. Commit means that the row, and all rows waiting before it, are flushed to disk before the new
// state acts or is shown; a row without it waits in memory for the next one that has it.
type Row struct {
	From   State
	Event  Event
	To     State
	Duties []Duty
	Commit bool
}

// Table is the sale's state table, one row a transition. It is read by tests and by ARCHITECTURE.md's checker; nothing
// changes it.
//
// R is owed from the commit of Sending on, so recovery creates nothing: PowerLost before Sending is Cancelled, after
// it Reversed, and the debt was already there.
func Table() []Row {
	return []Row{
		{Ready, Start, AwaitCard, nil, false},
		{Ready, Refer, Sending, []Duty{OweReversal}, true},
		{Ready, Capture, Approved, []Duty{OweAdvice}, true},

		{AwaitCard, Presented, CardTalk, nil, false},
		{AwaitCard, Cancel, Cancelled, nil, true},
		{AwaitCard, TimeOut, Cancelled, nil, true},
		{AwaitCard, PowerLost, Cancelled, nil, true},

		{CardTalk, GoOnline, Sending, []Duty{OweReversal}, true},
		{CardTalk, Inquire, Asking, nil, true},
		{CardTalk, OfflineApproved, Approved, []Duty{OweAdvice}, true},
		{CardTalk, VoiceApproved, Approved, []Duty{OweAdvice}, true},
		{CardTalk, AgreementNeeded, AgreementOffline, nil, false},
		{CardTalk, Refused, Declined, nil, true},
		{CardTalk, OtherInterface, AwaitCard, nil, false},
		{CardTalk, Removed, Cancelled, nil, true},
		{CardTalk, Cancel, Cancelled, nil, true},
		{CardTalk, TimeOut, Cancelled, nil, true},
		{CardTalk, PowerLost, Cancelled, nil, true},

		{Sending, HostApproved, FinishApproved, nil, false},
		{Sending, HostDeclined, FinishDeclined, []Duty{DischargeReversal}, false},
		{Sending, NotSent, FinishUnable, []Duty{DischargeReversal}, false},
		{Sending, NoAnswer, FinishUnanswered, nil, false},
		{Sending, PowerLost, Reversed, nil, true},

		{Asking, HostApproved, Approved, nil, true},
		{Asking, HostDeclined, Declined, nil, true},
		{Asking, NotSent, Declined, nil, true},
		{Asking, NoAnswer, Declined, nil, true},
		{Asking, PowerLost, Cancelled, nil, true},

		{FinishApproved, CardAgrees, Approved, []Duty{DischargeReversal}, true},
		{FinishApproved, CaptureDue, Approved, []Duty{DischargeReversal, OweAdvice}, true},
		{FinishApproved, AgreementNeeded, AgreementOnline, nil, false},
		{FinishApproved, CardRefuses, Reversed, nil, true},
		{FinishApproved, Removed, Reversed, nil, true},
		{FinishApproved, PowerLost, Reversed, nil, true},

		{FinishDeclined, CardRefuses, Declined, nil, true},
		{FinishDeclined, CardAgrees, Declined, nil, true},
		{FinishDeclined, Removed, Declined, nil, true},
		{FinishDeclined, PowerLost, Declined, nil, true},

		{FinishUnable, CardApproves, Approved, []Duty{OweAdvice}, true},
		{FinishUnable, Deferred, Approved, []Duty{OweDeferred}, true},
		{FinishUnable, AgreementNeeded, AgreementOffline, nil, false},
		{FinishUnable, CardRefuses, Declined, nil, true},
		{FinishUnable, Removed, Declined, nil, true},
		{FinishUnable, PowerLost, Cancelled, nil, true},

		{FinishUnanswered, CardApproves, Approved, []Duty{OweAdvice}, true},
		{FinishUnanswered, AgreementNeeded, AgreementOffline, nil, false},
		{FinishUnanswered, CardRefuses, Reversed, nil, true},
		{FinishUnanswered, Removed, Reversed, nil, true},
		{FinishUnanswered, PowerLost, Reversed, nil, true},

		{AgreementOnline, Agreed, Approved, []Duty{DischargeReversal}, true},
		{AgreementOnline, CaptureDue, Approved, []Duty{DischargeReversal, OweAdvice}, true},
		{AgreementOnline, NotAgreed, Reversed, nil, true},
		{AgreementOnline, PowerLost, Reversed, nil, true},

		{AgreementOffline, Agreed, Approved, []Duty{OweAdvice}, true},
		{AgreementOffline, NotAgreed, Cancelled, nil, true},
		{AgreementOffline, PowerLost, Cancelled, nil, true},
	}
}

// ErrNoRow says that the table has no row for a state and an event: a defect of the caller.
var ErrNoRow = errors.New("no such transition")

// Next finds the row for a state and an event in a table. Error: ErrNoRow.
func Next(table []Row, s State, e Event) (Row, error) {
	for _, r := range table {
		if r.From == s && r.Event == e {
			return r, nil
		}
	}
	return Row{}, noRow(string(e), string(s))
}

func noRow(event, state string) error { return fmt.Errorf("%s in %s: %w", event, state, ErrNoRow) }
