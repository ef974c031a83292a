package terminal

import (
	"fmt"
	"time"

	"tillway/money"
)

// SameCardQuestion asks the cashier about a card that has just paid the same amount.
const SameCardQuestion = "Ask the customer whether it is a second purchase, and say yes or no. Nothing has been sent."

// SameCardWarning is of a card that has paid the same amount a moment ago, in twin.
func SameCardWarning(twin Sale, minutes int) string {
	return fmt.Sprintf("The same card paid the same amount, %s, in transaction %s, %d min ago.", twin.Amount.Format(), twin.ID, minutes)
}

// Question is what the cashier has to agree to before a sale is final: a signature that matches, a part of the amount, or both; and for how
// long it is asked.
func Question(s Sale, wait time.Duration) (prompt Prompt, advice string) {
	prompt, advice = asksFor(s)
	return prompt, advice + " Without an answer within " + inWords(wait) + " nothing is charged."
}

// inWords is a time as a cashier reads it.
func inWords(d time.Duration) string {
	if d%time.Minute != 0 || d == 0 {
		return fmt.Sprintf("%d seconds", int(d.Seconds()))
	}
	return fmt.Sprintf("%d min", int(d.Minutes()))
}

func asksFor(s Sale) (Prompt, string) {
	const signature = "Print the merchant copy and have it signed. Take the card out, compare the signature with the card's, and say whether it matches."
	if s.Approved.Minor == 0 {
		return PromptSign, signature
	}
	rest := money.New(s.Amount.Minor-s.Approved.Minor, s.Amount.Currency)
	advice := fmt.Sprintf("The bank approved only %s of %s. Ask whether the customer pays the other %s in another way, and say yes or no: no takes all of it back.",
		s.Approved.Format(), s.Amount.Format(), rest.Format())
	if s.Kind == KindPreauth {
		advice = fmt.Sprintf("The bank holds only %s of %s. Say whether that is enough: no lets go of all of it.", s.Approved.Format(), s.Amount.Format())
	}
	if !s.Signature {
		return PromptWait, advice
	}
	return PromptSign, advice + " Yes also says that the signature matches. " + signature
}

// FinalPrompt is what cardholder and cashier are shown of a transaction that has ended.
func FinalPrompt(s Sale) Prompt {
	if s.State == Approved {
		if s.Way == WayDeferred {
			return PromptStored
		}
		return PromptApproved
	}
	switch s.Outcome.Code {
	case CodeTimedOut:
		return PromptTimedOut
	case CodeCancelled:
		return PromptCancelled
	case CodeUnreachable, CodeNoAnswer:
		return PromptUnavailable
	case CodeCardError, CodeCardRemoved:
		return PromptCardError
	case CodeOtherCard, CodeNotTaken:
		return PromptNotAccepted
	case CodeTerminalFault, CodePowerLost:
		return PromptProcessError
	}
	return PromptDeclined
}
