package nac

import (
	"tillway/iso8583/dialect"
	"tillway/money"
	"tillway/terminal"
)

// codeRow is what one response code means: to the lane, and in three parts to the cashier. A row without a verdict
// approves something that was not asked for and cannot be taken.
type codeRow struct {
	verdict  terminal.Verdict
	happened string
	do       string
	retry    bool
}

// Codes that the code asks for by name.
const (
	inPart       = "10" // less is approved than was asked for
	notFound     = "25" // of a reversal: its original never reached the host, there is nothing to reverse, and the debt is paid
	duplicate    = "94"
	pinBlocked   = "75"
	outOfBalance = "95"
)

func nothingToReverse() codeRow {
	return codeRow{terminal.VerdictApproved, "The bank has nothing to reverse.", dialect.NothingLeft, false}
}

// taken is an approval of what asks for none: an advice, a reversal, an upload, totals, network management.
func taken() codeRow {
	return codeRow{terminal.VerdictApproved, "The bank has taken it.", dialect.NothingLeft, false}
}

func approvedInPart(part money.Amount) codeRow {
	return codeRow{terminal.VerdictApproved, "The bank approved " + part.Format() + " and no more.", "Ask the customer for the rest, or take the whole sale back.", false}
}

func totalsDiffer() codeRow {
	return codeRow{terminal.VerdictDeclined, "The bank's totals differ from ours.", "The batch is compared transaction by transaction.", false}
}

// undecided says that a code leaves open whether a sale was booked: it is still being worked on, or its answer came too late
// to the one who says so. Such a sale is reversed. A reversal with such an answer is sent again.
func undecided(code string) bool { return code == "09" || code == "68" }

// refusal is what a code means that is in no table.
func refusal() codeRow {
	return codeRow{terminal.VerdictDeclined, "The bank declined.", dialect.AnotherWay, false}
}

func (r codeRow) outcome(code string) terminal.Outcome {
	return dialect.Outcome(r.verdict, code, r.happened, r.do, r.retry)
}

// meaning is the table of DE 39 (ISO 8583:1987 with the additions that terminal dialects share). A code that is not in it is a
// refusal. Codes 08, 10, 11, 16, 32 and 87 approve with a condition, in part or otherwise: but for 10, where the settings have
// it, nobody asked for that, so they cannot be taken, and what the host may have posted is reversed.
func meaning(code string) codeRow {
	const approved, declined, later = terminal.VerdictApproved, terminal.VerdictDeclined, terminal.VerdictTryLater
	switch code {
	case "00":
		return codeRow{approved, "The bank approved.", dialect.GiveReceipt, false}
	case "08", inPart, "11", "16", "32", "87":
		return codeRow{}
	case "01", "02", "60":
		return codeRow{declined, "The bank wants to be called before it decides.", dialect.CallBank, false}
	case "03":
		return codeRow{declined, "The bank does not know this shop's merchant number.", dialect.CallHelp, false}
	case "04", "07", "33", "34", "35", "36", "37", "38", "41", "43", "67":
		return codeRow{declined, "The bank declined and wants the card back.", dialect.KeepCard, false}
	case "05":
		return refusal()
	case "12", "40":
		return codeRow{declined, "The bank does not take this kind of transaction.", dialect.AnotherWay, false}
	case "13", "64":
		return codeRow{declined, "The bank does not take this amount.", "Check the amount, then try again.", true}
	case "14", "15", "56":
		return codeRow{declined, "The bank does not know this card.", dialect.AnotherWay, false}
	case "31":
		return codeRow{declined, "The card's bank is not one that can be asked.", dialect.AnotherWay, false}
	case "39", "42", "44", "52", "53":
		return codeRow{declined, "The card has no account of this kind.", dialect.AnotherWay, false}
	case "51":
		return codeRow{declined, "There is not enough money on the account.", dialect.AnotherWay, false}
	case "54":
		return codeRow{declined, "The card has expired.", dialect.NoSecondTry, false}
	case "55":
		return codeRow{declined, "The PIN was wrong.", "Try again with the right PIN.", true}
	case "57", "62":
		return codeRow{declined, "The card may not be used for this.", dialect.AnotherWay, false}
	case "58":
		return codeRow{declined, "This terminal may not do this.", dialect.CallHelp, false}
	case "59", "93":
		return codeRow{declined, "The bank declined: it suspects that something is wrong.", dialect.NoSecondTry, false}
	case "61":
		return codeRow{declined, "The amount is over the card's limit.", dialect.AnotherWay, false}
	case "63":
		return codeRow{declined, "The bank did not accept the security of this message.", dialect.CallHelp, false}
	case "65":
		return codeRow{declined, "The card has been used too often for now.", dialect.AnotherWay, false}
	case pinBlocked:
		return codeRow{declined, "The PIN was wrong too often.", dialect.NoSecondTry, false}
	case "09", "19", "68":
		return codeRow{later, "The bank could not finish in time.", dialect.TryOnce, true}
	case "91", "92":
		return codeRow{later, "The card's bank cannot be reached.", dialect.TryOnce, true}
	case "90", "96":
		return codeRow{later, "The bank has a fault or is closing its day.", dialect.TryOnce, true}
	case notFound, "21", "76", "77", "80":
		return codeRow{declined, "The bank does not find what this refers to.", dialect.CallHelp, false}
	case "30":
		return codeRow{declined, "The bank did not understand the message.", dialect.CallHelp, false}
	case "88", duplicate:
		return codeRow{declined, "The bank has had a message with this number already.", dialect.CallHelp, false}
	case "89":
		return codeRow{declined, "The bank does not know this terminal.", dialect.CallHelp, false}
	case outOfBalance:
		return codeRow{declined, "The bank's totals differ from ours.", dialect.CallHelp, false}
	case "Z1", "Z3": // of Book 4, A6: of the terminal's own making, and no host's; a host that repeats one has refused
		return codeRow{declined, "The card was declined without the bank.", dialect.AnotherWay, false}
	}
	return refusal()
}

// Meaning is what a response code means, in one sentence for people.
func Meaning(code string) string { return meaning(code).happened }
