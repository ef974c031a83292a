package v93

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"tillway/iso8583"
	"tillway/iso8583/dialect"
	"tillway/money"
	"tillway/terminal"
)

// ErrAnswer is wrapped when an answer cannot be used. Whoever waits for it treats it as no answer: a request that it may
// have been an approval of is reversed.
var ErrAnswer = errors.New("host's answer cannot be used")

// answerKind is what an answer belongs to.
type answerKind uint8

const (
	noAnswer  answerKind = iota
	ofRequest            // 1110, 1210, 1211: an approval moves money
	ofAdvice             // 1230
	ofReversal
	ofTotals
	ofNetwork
)

func kindOf(mti string) answerKind {
	switch mti {
	case "1110", "1210", "1211":
		return ofRequest
	case "1230", "1231":
		return ofAdvice
	case "1430", "1431":
		return ofReversal
	case "1530", "1531", "1534", "1535":
		return ofTotals
	case "1814":
		return ofNetwork
	}
	return noAnswer
}

// Response reads the answers to the messages of this dialect: 1110, 1210, 1230, 1430, 1530 or 1534, 1814. Errors: ErrAnswer,
// for anything else, for an answer without an action code, with one that leaves open whether the sale was booked or approves
// something other than what was asked, and for an approval whose DE 55 is no TLV.
func (d *Dialect) Response(answer []byte) (terminal.Response, error) {
	m, err := d.codec.Unpack(answer)
	if err != nil {
		return terminal.Response{}, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	kind := kindOf(m.MTI())
	if kind == noAnswer {
		return terminal.Response{}, fmt.Errorf("%w: message type %s", ErrAnswer, m.MTI())
	}
	code, ok := m.Get(actionCode)
	if !ok {
		return terminal.Response{}, fmt.Errorf("%w: %s: no action code in DE 39", ErrAnswer, m.MTI())
	}
	row := d.meaning(kind, code)
	var part money.Amount
	if kind == ofRequest && code == approvedInPart && d.settings.Partial {
		if part, err = partOf(m); err != nil {
			return terminal.Response{}, err
		}
		row = accepted("The bank approved " + part.Format() + " and no more.")
		row.arc, row.do = "10", "Ask the customer for the rest, or take the whole sale back."
	}
	switch {
	case kind == ofRequest && undecided(code):
		return terminal.Response{}, fmt.Errorf("%w: %s: code %s does not say whether it was booked", ErrAnswer, m.MTI(), code)
	case row.verdict != "":
	case kind == ofRequest:
		return terminal.Response{}, fmt.Errorf("%w: %s: code %s approves something other than what was asked", ErrAnswer, m.MTI(), code)
	default: // it makes no sense there, and people look into it
		row = refusal()
	}
	if row.do == dialect.CallBank && !answersSale(kind, m) { // what a call could bring, a forced sale, is none of the others
		row.do = dialect.AnotherWay
	}
	r := terminal.Response{
		Code: code, ARC: row.responseCode(), Verdict: row.verdict, Advice: row.outcome(code), KeyError: keyError(code), Approved: part,
	}
	if r.Issuer, err = dialect.IssuerData(m, chipData); err != nil && kind == ofRequest && r.Verdict == terminal.VerdictApproved {
		return terminal.Response{}, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	r.RRN, r.AuthCode = dialect.Text(m, retrieval), dialect.Text(m, approval)
	r.Text = dialect.Text(m, d.settings.TextField)
	switch kind {
	case ofTotals:
		r.InBalance, r.Closed, r.HostTotal = code == inBalance, code == inBalance || code == outOfBalance, hostTotals(m)
	case ofRequest:
		if r.Balance, err = balanceOf(m); err != nil && r.Verdict == terminal.VerdictApproved && asksBalance(m) {
			return terminal.Response{}, err
		}
	case ofNetwork:
		r.SeenPIN, r.SeenMAC = seen(m, elementPINSeen), seen(m, elementMACSeen)
	case ofReversal:
		r.Unknown = code == notTraced
	case noAnswer, ofAdvice:
	}
	r.Duplicate = code == duplicate && d.settings.Booked && (kind == ofAdvice || kind == ofReversal)
	r.PINBlocked = kind == ofRequest && code == pinBlocked
	if kind == ofRequest && code == wrongPIN {
		pinTries(m, &r)
	}
	r.Time = d.hostTime(m)
	return r, nil
}

// meaning is the table's, with what a code means only in answers of one kind. A code that accepts another kind of message
// approves nothing here.
func (d *Dialect) meaning(kind answerKind, code string) codeRow {
	accepts := map[answerKind][]string{
		ofRequest:  d.settings.AlsoApproved,
		ofAdvice:   append([]string{adviceNoLiability, adviceLiability}, d.settings.AlsoApproved...),
		ofReversal: {reversalAccepted}, ofTotals: {inBalance}, ofNetwork: {networkAccepted},
	}[kind]
	switch {
	case slices.Contains(accepts, code):
		return accepted("The bank approved.")
	case kind == ofReversal && code == notTraced:
		return nothingToReverse()
	case kind == ofTotals && code == approved: // totals agree with 500 and nothing else
		return refusal()
	}
	return meaning(code)
}

// partOf is what the host approved where it was less than asked for: DE 4 of its answer, beside what was asked for in DE 30. Of
// goods and services only: a part of a sale with cash would leave open which. Error: ErrAnswer.
func partOf(m *iso8583.Message) (money.Amount, error) {
	refuse := func(why string) (money.Amount, error) {
		return money.Amount{}, fmt.Errorf("%w: %s: a part is approved, %s", ErrAnswer, m.MTI(), why)
	}
	code, _ := m.Get(processingCode)
	part, _ := m.Get(amount)
	asked, _ := m.Get(originalAmounts)
	numeric, _ := m.Get(currency)
	if !strings.HasPrefix(code, purchase) {
		return refuse("and DE 3 is not a purchase's")
	}
	if len(asked) < len(part) || part == "" || strings.Trim(part, "0") == "" || part >= asked[:len(part)] {
		return refuse("and DE 4 is no part of DE 30")
	}
	n, err := strconv.ParseUint(numeric, 10, 16)
	if err != nil {
		return refuse("and there is no currency in DE 49")
	}
	c, err := money.ByNumeric(uint16(n))
	if err != nil {
		return refuse("and the currency of DE 49 is not known")
	}
	minor, err := strconv.ParseInt(part, 10, 64)
	if err != nil {
		return refuse("and DE 4 is no amount")
	}
	return money.New(minor, c), nil
}

// answersSale says that an answer is to a request for a purchase.
func answersSale(kind answerKind, m *iso8583.Message) bool {
	code, _ := m.Get(processingCode)
	return kind == ofRequest && (strings.HasPrefix(code, purchase) || strings.HasPrefix(code, purchaseWithCash))
}

func asksBalance(m *iso8583.Message) bool {
	code, _ := m.Get(processingCode)
	return strings.HasPrefix(code, inquiry)
}

// balanceOf is what is available on the account that was asked for, or else what is on it (DE 54). Error: ErrAnswer, also where an
// answer to the question has neither.
func balanceOf(m *iso8583.Message) (money.Amount, error) {
	if !asksBalance(m) {
		return money.Amount{}, nil
	}
	text, _ := m.Get(additional)
	amounts, _ := dialect.ParseAdditional(text)
	for _, what := range []string{dialect.AmountAvailable, dialect.AmountLedger} {
		if a, ok := amounts[what]; ok {
			return a, nil
		}
	}
	return money.Amount{}, fmt.Errorf("%w: %s: no balance in DE 54", ErrAnswer, m.MTI())
}

// hostTime is DE 7, which is in UTC and has no year, in the year that brings it nearest to our own clock. DE 12 is no time of
// the host: answers repeat the terminal's. The zero time when it is not there or is no time.
func (d *Dialect) hostTime(m *iso8583.Message) time.Time {
	sent, _ := m.Get(transmission)
	if d.settings.Now == nil || sent == "" {
		return time.Time{}
	}
	return dialect.NearestYear(sent, d.settings.Now(), time.UTC)
}
