package training

import (
	"fmt"

	"tillway/money"
	"tillway/terminal"
)

// What a test amount decides, beside the bank's codes.
const (
	approved    = "00"
	inPart      = "10"
	cardOut     = "201"
	cardOutLate = "202"
	cardNo      = "203"
)

// testAmount is what the last three decimals of an amount ask for, in a currency that has three: three digits, or 000 for nothing.
func testAmount(a money.Amount) string {
	if a.Currency.Exponent != 3 || a.Minor < 0 {
		return "000"
	}
	return fmt.Sprintf("%03d", a.Minor%1000)
}

// silent says that no answer comes that could be used: none, late, cut off, with a wrong MAC or another's trace number.
func silent(test string) bool { return test >= "101" && test <= "105" }

// bankCode is the bank's code: that of .0RC, else an approval.
func bankCode(test string) string {
	if test[0] != '0' {
		return approved
	}
	return test[1:]
}

// declined is what the pretend bank's code means, in the words of the dialects for the codes that a cashier meets.
func declined(code string) terminal.Outcome {
	const another, never = "Ask for another card or another way to pay.", "Do not try this card again. Ask for another card or another way to pay."
	out := terminal.Outcome{Code: terminal.CodeDeclined, Happened: "The bank declined.", Do: another}
	switch code {
	case "01", "02":
		out.Happened = "The bank wants to be called before it decides."
		out.Do = "Call the card's bank. With the approval code that it gives, enter a forced sale; without one, ask for another card or another way to pay."
	case "04", "41", "43":
		out.Happened = "The bank declined and wants the card back."
		out.Do = "Do not try again and do not argue. Follow the shop's rule for cards that the bank wants back."
	case "13":
		out.Happened, out.Do, out.MayRetry = "The bank does not take this amount.", "Check the amount, then try again.", true
	case "14":
		out.Happened = "The bank does not know this card."
	case "51":
		out.Happened = "There is not enough money on the account."
	case "54":
		out.Happened, out.Do = "The card has expired.", never
	case "55":
		out.Happened, out.Do, out.MayRetry = "The PIN was wrong: 2 tries are left.", "Try again with the right PIN.", true
	case "57", "62":
		out.Happened = "The card may not be used for this."
	case "61":
		out.Happened = "The amount is over the card's limit."
	case "65":
		out.Happened = "The card has been used too often for now."
	case "75":
		out.Happened, out.Do = "The PIN was wrong too often.", never
	case "91", "92":
		out.Happened, out.Do, out.MayRetry = "The card's bank cannot be reached.", "Wait a moment and try again.", true
	case "90", "96":
		out.Happened, out.Do, out.MayRetry = "The bank has a fault or is closing its day.", "Wait a moment and try again.", true
	}
	out.Happened += " (code " + code + ")"
	return out
}
