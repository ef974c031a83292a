package v93

import (
	"cmp"

	"tillway/iso8583/dialect"
	"tillway/terminal"
)

// codeRow is what one action code means: to the lane, to the card (tag 8A), and in three parts to the cashier. A row without a
// verdict approves something that was not asked for and cannot be taken.
type codeRow struct {
	verdict  terminal.Verdict
	arc      string // of the 1987 version's codes, which cards know (Book 4, A6); empty: 05
	happened string
	do       string
	retry    bool
}

// Action codes that the code asks for by name.
const (
	approved                   = "000"
	approvedInPart             = "002"
	approvedInPartOtherAccount = "006"
	wrongPIN                   = "117"
	pinBlocked                 = "106"
	reversalAccepted           = "400"
	inBalance                  = "500"
	outOfBalance               = "501" // reconciled all the same
	noTotals                   = "503"
	networkAccepted            = "800"
	adviceNoLiability          = "900"
	adviceLiability            = "901"
	notTraced                  = "914"
	duplicate                  = "913"
)

func accepted(happened string) codeRow {
	return codeRow{verdict: terminal.VerdictApproved, arc: "00", happened: happened, do: dialect.GiveReceipt}
}

// nothingToReverse answers a reversal whose original never reached the host: the debt is paid.
func nothingToReverse() codeRow {
	return codeRow{verdict: terminal.VerdictApproved, arc: "00", happened: "The bank has nothing to reverse.", do: dialect.NothingLeft}
}

// undecided says that a code leaves open whether a sale was booked: it is still being worked on, the issuer's answer did not
// come to the one who says so, or the code accepts another kind of message (300 to 899, 900 and 901). Such a sale is reversed.
// A reversal with such an answer is sent again, or looked into.
func undecided(code string) bool {
	switch code {
	case "911", "923", adviceNoLiability, adviceLiability:
		return true
	}
	return code[0] >= '3' && code[0] <= '8'
}

// keyError says that the host could not work with a key: a MAC was wrong, or a key is not the one that it has.
func keyError(code string) bool {
	return code == "128" || code == "916" || code == "917" || code == "918" || code == "919"
}

// refusal is what a code means that is in no table.
func refusal() codeRow {
	return codeRow{verdict: terminal.VerdictDeclined, happened: "The bank declined.", do: dialect.AnotherWay}
}

func (r codeRow) outcome(code string) terminal.Outcome {
	return dialect.Outcome(r.verdict, code, r.happened, r.do, r.retry)
}

func (r codeRow) responseCode() [2]byte {
	arc := cmp.Or(r.arc, "05")
	return [2]byte{arc[0], arc[1]}
}

// meaning is the table of DE 39 (ISO 8583:1993). 0xx approves, 1xx declines, 2xx declines and wants the card, 4xx to 8xx accept
// messages that are no requests, 9xx is the network speaking. A code that is not in it is a refusal, but for one of 0xx, which
// approves with a condition, in part or otherwise: it cannot be taken, and what the host may have posted is reversed.
func meaning(code string) codeRow {
	const declined, later = terminal.VerdictDeclined, terminal.VerdictTryLater
	switch code {
	case approved:
		return accepted("The bank approved.")
	case "101", "125":
		return codeRow{declined, "54", "The card has expired or is not valid yet.", dialect.NoSecondTry, false}
	case "103", "105", "107", "108":
		return codeRow{declined, "01", "The bank wants to be called before it decides.", dialect.CallBank, false}
	case pinBlocked:
		return codeRow{declined, "75", "The PIN was wrong too often.", dialect.NoSecondTry, false}
	case "109", "950":
		return codeRow{declined, "03", "The bank does not know this shop's merchant number.", dialect.CallHelp, false}
	case "110":
		return codeRow{declined, "13", "The bank does not take this amount.", "Check the amount, then try again.", true}
	case "111", "114", "118":
		return codeRow{declined, "14", "The bank does not know this card.", dialect.AnotherWay, false}
	case "112":
		return codeRow{declined, "", "The bank wants a PIN for this.", "Use the chip with its PIN, or " + anotherWayLower, false}
	case "115", "902":
		return codeRow{declined, "12", "The bank does not take this kind of transaction.", dialect.AnotherWay, false}
	case "116":
		return codeRow{declined, "51", "There is not enough money on the account.", dialect.AnotherWay, false}
	case wrongPIN:
		return codeRow{declined, "55", "The PIN was wrong.", "Try again with the right PIN.", true}
	case "126", "127":
		return codeRow{declined, "55", "The bank could not read the PIN.", "Try again with the right PIN.", true}
	case "104", "119", "124":
		return codeRow{declined, "57", "The card may not be used for this.", dialect.AnotherWay, false}
	case "120":
		return codeRow{declined, "58", "This terminal may not do this.", dialect.CallHelp, false}
	case "121":
		return codeRow{declined, "61", "The amount is over the card's limit.", dialect.AnotherWay, false}
	case "123":
		return codeRow{declined, "65", "The card has been used too often for now.", dialect.AnotherWay, false}
	case "122", "128", "916", "917", "918", "919", "920", "921":
		return codeRow{declined, "", "The bank did not accept the security of this message.", dialect.CallHelp, false}
	case "903", "911", "923":
		return codeRow{later, "", "The bank could not finish in time.", dialect.TryOnce, true}
	case "905", "907", "908", "910", "912":
		return codeRow{later, "", "The card's bank cannot be reached.", dialect.TryOnce, true}
	case "906", "909", "915":
		return codeRow{later, "", "The bank has a fault or is closing its day.", dialect.TryOnce, true}
	case "904":
		return codeRow{declined, "", "The bank did not understand the message.", dialect.CallHelp, false}
	case duplicate, "922":
		return codeRow{declined, "", "The bank has had a message with this number already.", dialect.CallHelp, false}
	case notTraced:
		return codeRow{declined, "", "The bank does not find what this refers to.", dialect.CallHelp, false}
	case noTotals:
		return codeRow{later, "", "The bank has no totals yet.", dialect.TryOnce, true}
	case outOfBalance, "502", "504":
		return codeRow{declined, "", "The bank's totals differ from ours.", dialect.CallHelp, false}
	}
	switch code[0] {
	case '0':
		return codeRow{}
	case '2':
		return codeRow{declined, "04", "The bank declined and wants the card back.", dialect.KeepCard, false}
	}
	return refusal()
}

const anotherWayLower = "ask for another card or another way to pay."

// Meaning is what a response code means, in one sentence for people.
func Meaning(code string) string { return meaning(code).happened }
