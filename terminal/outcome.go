package terminal

import (
	"fmt"
	"strings"

	"tillway/money"
)

// Outcome codes: stable words for programs.
const (
	CodeApproved      = "approved"
	CodeDeclined      = "declined"          // by the host
	CodeCardDeclined  = "card_declined"     // by the card or the terminal's own rules
	CodeOtherCard     = "other_card"        // not the card of the earlier transaction
	CodeNotTaken      = "not_taken"         // the terminal does not take such a card for this
	CodeCardError     = "card_error"        // the card could not be used
	CodeCardRemoved   = "card_removed"      // pulled out too early
	CodeCancelled     = "cancelled"         // by the cashier
	CodeTimedOut      = "timed_out"         // no card in time
	CodeUnreachable   = "host_unreachable"  // nothing was sent
	CodeNoAnswer      = "no_answer"         // sent, never answered: reversed
	CodeCardRefused   = "card_refused"      // the card refused the host's approval: reversed
	CodeSignature     = "signature_refused" // the signature was not accepted
	CodePartRefused   = "part_refused"      // the host approved a part, and the rest is not paid in another way
	CodePowerLost     = "power_lost"        // found unfinished at start
	CodeTerminalFault = "terminal_fault"    // the terminal could not build the request
)

const (
	notCharged  = "The customer is not charged."
	notAccepted = "The signature was not accepted."
)

func outcome(code, happened, do string, retry bool) Outcome {
	return Outcome{Code: code, Happened: happened, Do: do, MayRetry: retry}
}

// Conclude says what a final state means, for the cashier. row is the transition that made it final, of the sale; cause is the
// outcome that the host's answer or the kernel brought with it, if any; detail is one whole sentence for the cashier about
// card or reader, or empty.
func Conclude(row Row, sale Sale, cause Outcome, detail string) Outcome {
	if row.To == Approved {
		return approved(sale)
	}
	return inWordsOf(sale.Kind, undone(row, cause, detail))
}

// approved says what was done, kind by kind.
func approved(s Sale) Outcome {
	out := outcome(CodeApproved, "Approved.", "Give the customer the receipt.", false)
	switch s.Kind {
	case KindForced:
		out.Happened = "Approved by telephone, and kept for the bank."
	case KindRefund:
		out.Happened = "Refund accepted: " + s.Taken().Format() + "."
	case KindVoid:
		out.Happened = "Voided: " + s.Amount.Format() + " of transaction " + s.Of.String() + "."
	case KindPreauth:
		out.Happened = "Held: " + s.Taken().Format() + "."
	case KindIncrement:
		out.Happened = "Held in addition: " + s.Taken().Format() + "."
	case KindCompletion:
		out.Happened = "Taken: " + s.Taken().Format() + " of what was held."
	case KindBalance:
		out.Happened = "The bank does not say what is available."
		if s.Balance.Currency.Code != "" {
			out.Happened = "Available: " + s.Balance.Format() + "."
		}
	case KindSale:
		switch s.Way {
		case WayOffline:
			out.Happened = "Approved offline, and kept for the bank."
		case WayDeferred:
			out.Happened = "Taken without the bank's word, and kept for the bank, which may still decline it: the money is yours only then."
		case WayOnline, WayVoice:
		}
	}
	if rest := s.Amount.Minor - s.Taken().Minor; rest > 0 {
		out.Happened = "Approved in part: " + s.Approved.Format() + " of " + s.Amount.Format() + "."
		if s.Kind == KindSale {
			out.Do = "Take the other " + money.New(rest, s.Amount.Currency).Format() + " in another way, and give the customer the receipt."
		}
	}
	return out
}

// unmoved is what the customer is told when nothing came of a transaction.
func unmoved(k Kind) string {
	switch k {
	case KindRefund:
		return "Nothing is paid back."
	case KindVoid:
		return "The earlier transaction stands."
	case KindPreauth:
		return "Nothing is held."
	case KindIncrement:
		return "No more is held than before."
	case KindCompletion:
		return "What is held stays held."
	case KindBalance:
		return "Nothing was moved."
	case KindSale, KindForced:
	}
	return notCharged
}

// inWordsOf puts an outcome, whose words are a sale's, into the words of another kind: what did not happen is another thing, and
// where nobody pays there is no other way to pay.
func inWordsOf(k Kind, out Outcome) Outcome {
	if k == KindSale || k == KindForced || k == "" {
		return out
	}
	out.Do = strings.NewReplacer(notCharged, unmoved(k), "Start a new sale.", "Start again.").Replace(out.Do)
	if k == KindPreauth {
		return out
	}
	out.Do = strings.NewReplacer(
		", or ask for another way to pay.", ".", "Ask for another card or another way to pay.", "", "Ask for another way to pay.", "",
		"Ask for another card.", "",
	).Replace(out.Do)
	if out.Code != CodeCancelled && !strings.Contains(out.Do, unmoved(k)) {
		out.Do = unmoved(k) + " " + out.Do
	}
	out.Do = strings.Join(strings.Fields(out.Do), " ")
	return out
}

// undone is Conclude for what was not approved, in the words of a sale.
func undone(row Row, cause Outcome, detail string) Outcome {
	switch row.To {
	case Declined:
		if cause.Code != "" {
			return cause
		}
		return outcome(CodeCardDeclined, "Declined by the card.", notCharged+" Ask for another card.", false)
	case Cancelled:
		if cause.Code != "" {
			return cause
		}
		return cancelled(row, detail)
	case Reversed:
		return reversed(row, cause, detail)
	case Ready, AwaitCard, CardTalk, Sending, Asking, FinishApproved, FinishDeclined, FinishUnable, FinishUnanswered,
		AgreementOnline, AgreementOffline, Approved:
	}
	panic(fmt.Sprintf("terminal: %s is not final", row.To))
}

func cancelled(row Row, detail string) Outcome {
	switch row.Event {
	case TimeOut:
		if row.From == CardTalk {
			return outcome(CodeTimedOut, "The card took too long.", "Nothing was sent. Take the card out and try again.", true)
		}
		return outcome(CodeTimedOut, say("No card in time.", detail), "Nothing was sent. Start again when the customer is ready.", true)
	case Removed:
		return outcome(CodeCardRemoved, say("The card was taken out too early.", detail), "Nothing was sent. Start again and leave the card in.", true)
	case NotAgreed:
		return outcome(CodeSignature, say(notAccepted, detail), notCharged+" Ask for another way to pay.", false)
	case PowerLost:
		if row.From == Asking { // it may have been, and moves nothing
			return outcome(CodePowerLost, "The terminal stopped while the bank was asked.", "Nothing was moved. Start again.", true)
		}
		return outcome(CodePowerLost, "The terminal stopped before anything was sent.", "Start again.", true)
	default:
		return outcome(CodeCancelled, "Cancelled.", "Nothing was sent.", true)
	}
}

func reversed(row Row, cause Outcome, detail string) Outcome {
	const reversal = notCharged + " A reversal is on its way to the bank. "
	switch {
	case row.Event == PowerLost:
		return outcome(CodePowerLost, "The terminal stopped while the bank was asked.", reversal+"Start a new sale.", true)
	case (row.From == FinishApproved || row.From == AgreementOnline) && cause.Code != "" && row.Event != Removed:
		cause.Do = strings.Replace(cause.Do, notCharged+" ", reversal, 1)
		return cause
	case row.From == FinishUnanswered:
		return outcome(CodeNoAnswer, say("The bank did not answer.", detail), reversal+"Try again, or ask for another way to pay.", true)
	case row.Event == Removed:
		return outcome(CodeCardRemoved, say("The card was taken out before the sale was finished.", detail), reversal+"Start again and leave the card in.", true)
	case row.Event == NotAgreed:
		return outcome(CodeSignature, say(notAccepted, detail), reversal+"Ask for another way to pay.", false)
	}
	return outcome(CodeCardRefused, say("The bank approved, the card refused.", detail), reversal+"Ask for another card.", false)
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
		return outcome(CodeTimedOut, "No PIN in time.", "Nothing was sent. Start again when the customer is ready.", true)
	}
	return outcome(CodeCancelled, "Cancelled at the PIN pad.", "Nothing was sent.", true)
}

// PartRefused is the outcome of a sale of which the host approved a part that is not taken.
func PartRefused(s Sale) Outcome {
	return Outcome{
		Code: CodePartRefused, Happened: "The bank approved only " + s.Approved.Format() + " of " + s.Amount.Format() + ", and that was not taken.",
		Do: notCharged + " Ask for another way to pay.",
	}
}

// Unconfirmed is the outcome of a sale whose card had paid the same amount a moment ago, and that nobody confirmed; late: in time.
func Unconfirmed(late bool) Outcome {
	if late {
		return outcome(CodeTimedOut, "Nobody said in time that the card is meant to pay the same again.", "Nothing was sent. Start again if it is.", true)
	}
	return outcome(CodeCancelled, "Not confirmed: the same card has paid the same amount already.", "Nothing was sent.", true)
}

// Unanswered is the outcome of an inquiry that the host did not answer.
func Unanswered(detail string) Outcome {
	return Outcome{Code: CodeNoAnswer, Happened: say("The bank did not answer.", detail), Do: "Try again in a moment.", MayRetry: true}
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
