package terminal

import (
	"fmt"
	"strings"
)

// Outcome codes: stable words for programs.
const (
	CodeApproved      = "approved"
	CodeDeclined      = "declined"          // by the host
	CodeCardDeclined  = "card_declined"     // by the card or the terminal's own rules
	CodeCardError     = "card_error"        // the card could not be used
	CodeCardRemoved   = "card_removed"      // pulled out too early
	CodeCancelled     = "cancelled"         // by the cashier
	CodeTimedOut      = "timed_out"         // no card in time
	CodeUnreachable   = "host_unreachable"  // nothing was sent
	CodeNoAnswer      = "no_answer"         // sent, never answered: reversed
	CodeCardRefused   = "card_refused"      // the card refused the host's approval: reversed
	CodeSignature     = "signature_refused" // the signature was not accepted
	CodePowerLost     = "power_lost"        // found unfinished at start
	CodeTerminalFault = "terminal_fault"    // the terminal could not build the request
)

const (
	notCharged  = "The customer is not charged."
	notAccepted = "The signature was not accepted."
)

// Conclude says what a final state means, for the cashier. row is the transition that made it final; cause is the
// outcome that the host's answer or the kernel brought with it, if any; detail is one whole sentence for the cashier about
// card or reader, or empty.
func Conclude(row Row, cause Outcome, detail string) Outcome {
	switch row.To {
	case Approved:
		return Outcome{CodeApproved, "Approved.", "Give the customer the receipt.", false}
	case Declined:
		if cause.Code != "" {
			return cause
		}
		return Outcome{CodeCardDeclined, "Declined by the card.", notCharged + " Ask for another card.", false}
	case Cancelled:
		if cause.Code != "" {
			return cause
		}
		return cancelled(row, detail)
	case Reversed:
		return reversed(row, detail)
	case Ready, AwaitCard, CardTalk, Sending, Asking, FinishApproved, FinishDeclined, FinishUnable, FinishUnanswered,
		AgreementOnline, AgreementOffline:
	}
	panic(fmt.Sprintf("terminal: %s is not final", row.To))
}

func cancelled(row Row, detail string) Outcome {
	switch row.Event {
	case TimeOut:
		if row.From == CardTalk {
			return Outcome{CodeTimedOut, "The card took too long.", "Nothing was sent. Take the card out and try again.", true}
		}
		return Outcome{CodeTimedOut, say("No card in time.", detail), "Nothing was sent. Start again when the customer is ready.", true}
	case Removed:
		return Outcome{CodeCardRemoved, say("The card was taken out too early.", detail), "Nothing was sent. Start again and leave the card in.", true}
	case NotAgreed:
		return Outcome{CodeSignature, say(notAccepted, detail), notCharged + " Ask for another way to pay.", false}
	case PowerLost:
		return Outcome{CodePowerLost, "The terminal stopped before anything was sent.", "Start again.", true}
	default:
		return Outcome{CodeCancelled, "Cancelled.", "Nothing was sent.", true}
	}
}

func reversed(row Row, detail string) Outcome {
	const reversal = notCharged + " A reversal is on its way to the bank. "
	switch {
	case row.Event == PowerLost:
		return Outcome{CodePowerLost, "The terminal stopped while the bank was asked.", reversal + "Start a new sale.", true}
	case row.From == FinishUnanswered:
		return Outcome{CodeNoAnswer, say("The bank did not answer.", detail), reversal + "Try again, or ask for another way to pay.", true}
	case row.Event == Removed:
		return Outcome{CodeCardRemoved, say("The card was taken out before the sale was finished.", detail), reversal + "Start again and leave the card in.", true}
	case row.Event == NotAgreed:
		return Outcome{CodeSignature, say(notAccepted, detail), reversal + "Ask for another way to pay.", false}
	}
	return Outcome{CodeCardRefused, say("The bank approved, the card refused.", detail), reversal + "Ask for another card.", false}
}

// Refusal is the outcome of a card or a terminal that ended a sale before the host was asked.
func Refusal(code, happened string) Outcome {
	do := notCharged + " Ask for another card."
	if code == CodeTerminalFault {
		do = notCharged + " Call the technician: the terminal's set-up is not right."
	}
	return Outcome{Code: code, Happened: happened, Do: do, MayRetry: code == CodeCardError}
}

// NoPIN is the outcome of a sale that ended at the PIN pad: cancelled there, or no PIN in time.
func NoPIN(end PINEnd) Outcome {
	if end == PINTimedOut {
		return Outcome{CodeTimedOut, "No PIN in time.", "Nothing was sent. Start again when the customer is ready.", true}
	}
	return Outcome{CodeCancelled, "Cancelled at the PIN pad.", "Nothing was sent.", true}
}

// say puts a second sentence behind the first, where there is one.
func say(happened, detail string) string { return strings.TrimSpace(happened + " " + detail) }

// Unreachable is the outcome of a request that never left. detail is one whole sentence for the cashier, or empty.
func Unreachable(detail string) Outcome {
	return Outcome{
		Code: CodeUnreachable, Happened: say("The bank cannot be reached.", detail), MayRetry: true,
		Do: notCharged + " Nothing was sent. Try again in a moment, or ask for another way to pay.",
	}
}
