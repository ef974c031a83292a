package host

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"tillway/money"
)

// Kind is what a transaction did.
type Kind string

// The kinds. A void, an increment, a completion and a refund may name an earlier transaction; the others stand alone.
const (
	KindSale       Kind = "sale"
	KindCashback   Kind = "cashback" // a sale with cash given out, which DE 4 includes
	KindRefund     Kind = "refund"
	KindVoid       Kind = "void"
	KindPreauth    Kind = "preauth"    // an amount held, nothing taken yet
	KindIncrement  Kind = "increment"  // more of it held, for the same pre-authorisation
	KindCompletion Kind = "completion" // takes what a pre-authorisation held, or part of it
	KindAdvice     Kind = "advice"     // a sale that was approved without asking
	KindUpload     Kind = "upload"     // a sale that the host learnt of in a batch upload only
	KindBalance    Kind = "balance"    // moves nothing
)

// classOf reads message type and processing code (DE 3, first two digits).
func classOf(mti, code string) class {
	if len(mti) != 4 || mti[3] > '1' {
		return otherClass
	}
	code = code[:min(2, len(code))]
	one := func(of ...string) bool { return slices.Contains(of, code) }
	switch mti[:3] {
	case "010":
		switch {
		case one("00", "09", "17", "30"):
			return preauth
		case one("31"):
			return balance
		}
	case "020":
		switch {
		case one("00", "09", "17"):
			return sale
		case one("20"):
			return refund
		case one("02", "22"):
			return void
		case one("31"):
			return balance
		}
	case "022":
		if one("00", "09", "17", "20") {
			return advice
		}
	case "032":
		return upload
	case "040":
		if one("00", "02", "09", "17", "20", "22", "30") {
			return reversal
		}
	case "050":
		if one("92", "96") {
			return batchEnd
		}
	case "080":
		return network
	}
	return otherClass
}

// needs is the fields without which a class of request is malformed; a sale's way of reading asks for more.
func (c class) needs() []int {
	switch c {
	case sale, preauth:
		return []int{3, 4, 11, 22, 25, 41, 42, 60}
	case balance:
		return []int{3, 11, 22, 41, 42, 60}
	case refund, advice:
		return []int{3, 4, 11, 22, 41, 42, 60}
	case void:
		return []int{3, 4, 11, 41, 42, 60, 62}
	case increment:
		return []int{3, 4, 11, 37, 41, 42, 60}
	case reversal:
		return []int{3, 4, 11, 41, 42}
	case upload:
		return []int{3, 4, 11, 41, 42, 60}
	case batchEnd:
		return []int{3, 11, 41, 42, 60, 63}
	case network:
		return []int{11, 41}
	case otherClass:
	}
	return nil
}

// asks says whether the issuer decides on it with the card's data: there must be chip data or a stripe.
func (c class) asks() bool { return c == sale || c == preauth || c == balance }

// readMore takes what the kinds beyond a plain sale bring: an original's reference, cash, totals.
func (q *query) readMore(text func(int) string, currency money.Currency) {
	q.said, q.condition = text(39), text(25)
	q.original = strings.TrimSpace(text(37))
	code := text(3)
	q.code = code[:min(2, len(code))]
	if q.class == advice {
		q.approval = strings.TrimSpace(text(38))
	}
	cash := q.code == "09" || q.code == "17"
	switch {
	case q.class == upload:
		// The batch is the one being settled: DE 60 names the original.
		if q.uploadRef = q.batch; len(q.batch) != 22 || strings.Trim(q.batch[:10], "0123456789") != "" {
			q.refuse("field 60 is not the original's type, STAN and reference number")
		}
		q.batch = ""
	case q.class == batchEnd:
		q.reported, q.final = text(63), q.code == "96"
	case cash && (q.class == sale || q.class == preauth || q.class == advice || q.class == upload):
		q.readCash(text(54), currency)
	}
}

// readCash reads the cash of DE 54: twelve digits, or among additional amounts in the account's currency the one of type 40 (cash
// back). Others may stand beside it: tips.
func (q *query) readCash(amounts string, currency money.Currency) {
	const each, most = 20, 6
	digits := amounts
	if n := len(amounts); n > 0 && n%each == 0 && n <= most*each {
		digits = ""
		for ; amounts != ""; amounts = amounts[each:] {
			if amounts[4:7] != fmt.Sprintf("%03d", currency.Numeric) || amounts[7] != 'D' {
				q.refuse("field 54 is not in the host's currency")
				return
			}
			if amounts[2:4] != "40" {
				continue
			}
			if digits != "" {
				q.refuse("field 54 has cash back twice")
				return
			}
			digits = amounts[8:each]
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if len(digits) != 12 || strings.Trim(digits, "0123456789") != "" || err != nil || n == 0 {
		q.refuse("field 54 is no amount of cash")
		return
	}
	q.cash = n
}

// additional is one amount of DE 54 (ISO 8583:1987): account type, amount type, currency, sign, twelve digits.
func additional(amountType string, minor int64, currency money.Currency) string {
	sign := "C"
	if minor < 0 {
		sign, minor = "D", -minor
	}
	return fmt.Sprintf("00%s%03d%s%012d", amountType, currency.Numeric, sign, minor)
}

// The types of additional amounts that the host answers with.
const (
	amountLedger    = "01"
	amountAvailable = "02"
	amountOriginal  = "57" // what was asked for, where less was approved
)
