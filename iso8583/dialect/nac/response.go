package nac

import (
	"errors"
	"fmt"
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

// family is what a message type answers.
type family uint8

const (
	strange    family = iota
	asked             // a request
	told              // an advice
	uploaded          // a transaction of an upload
	reversed          // a reversal
	totalled          // totals
	networking        // network management
)

// families is the answers that this dialect reads. Some hosts answer a repeat as a repeat.
func families(mti string) family {
	switch mti {
	case "0110", "0111", "0210", "0211":
		return asked
	case "0230", "0231":
		return told
	case "0330", "0331":
		return uploaded
	case "0410", "0411":
		return reversed
	case "0510", "0511":
		return totalled
	case "0810":
		return networking
	}
	return strange
}

// Response reads an answer: 0110, 0210, 0230, 0330, 0410, 0510, 0810 and those to repeats. Errors: ErrAnswer, for anything else,
// for a response code that is none, and, of a request's answer, for a code that leaves open whether it was booked or approves
// something other than what was asked, and for an approval whose DE 55 is no TLV.
func (d *Dialect) Response(answer []byte) (terminal.Response, error) {
	m, err := d.codec.Unpack(answer)
	if err != nil {
		return terminal.Response{}, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	of := families(m.MTI())
	if of == strange {
		return terminal.Response{}, fmt.Errorf("%w: message type %s", ErrAnswer, m.MTI())
	}
	code, ok := m.Get(responseCode)
	if !ok || !isCode(code) {
		return terminal.Response{}, fmt.Errorf("%w: %s: no response code in DE 39", ErrAnswer, m.MTI())
	}
	r := terminal.Response{Code: code, ARC: [2]byte{code[0], code[1]}, KeyError: code == keyError}
	if err := d.decide(m, of, &r); err != nil {
		return terminal.Response{}, err
	}
	if r.Issuer, err = dialect.IssuerData(m, chipData); err != nil && of == asked && r.Verdict == terminal.VerdictApproved {
		return terminal.Response{}, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	r.RRN, r.AuthCode = dialect.Text(m, retrieval), dialect.Text(m, authorisation)
	if of != totalled || d.settings.TextField != totals {
		r.Text = dialect.Text(m, d.settings.TextField)
	}
	r.Time = d.hostTime(m)
	switch of {
	case asked:
		d.readBalance(m, &r)
		r.PINBlocked = code == pinBlocked
		if code == wrongPIN {
			d.pinTries(m, &r)
		}
	case totalled:
		d.readTotals(m, &r)
	case networking:
		if err := d.readNetwork(m, &r); err != nil {
			return terminal.Response{}, err
		}
	case strange, told, uploaded, reversed:
	}
	return r, nil
}

// decide is what the code means in the answer to a message of that family.
func (d *Dialect) decide(m *iso8583.Message, of family, r *terminal.Response) error {
	row, code := meaning(r.Code), r.Code
	switch {
	case of == asked && undecided(code):
		return fmt.Errorf("%w: %s: code %s does not say whether it was booked", ErrAnswer, m.MTI(), code)
	case of == asked && code == inPart && d.settings.Partial != partialOff:
		part, err := d.partial(m)
		if err != nil {
			return err
		}
		r.Approved, row = part, approvedInPart(part)
	case of == asked && row.verdict == "":
		return fmt.Errorf("%w: %s: code %s approves something other than what was asked", ErrAnswer, m.MTI(), code)
	case row.verdict == "": // it makes no sense there, and people look into it
		row = refusal()
	case of == reversed && code == notFound:
		row = nothingToReverse()
	case of == totalled && code == outOfBalance:
		row = totalsDiffer()
	case of != asked && row.verdict == terminal.VerdictApproved:
		row = taken()
	case row.do == dialect.CallBank && !d.answersSale(m): // what a call could bring, a forced sale, is none of the others
		row.do = dialect.AnotherWay
	}
	r.Duplicate = code == duplicate && d.settings.Booked && (of == told || of == reversed)
	r.Verdict, r.Advice = row.verdict, row.outcome(code)
	return nil
}

// answersSale says that an answer is to a sale, as its DE 3 has it.
func (d *Dialect) answersSale(m *iso8583.Message) bool {
	code, _ := m.Get(processingCode)
	return strings.HasPrefix(code, purchase[:2]) || strings.HasPrefix(code, d.settings.CashbackCode)
}

// isCode says that text is a response code: two letters or digits.
func isCode(s string) bool { return len(s) == 2 && dialect.Alphanumeric(s) }

// partial is how much of what was asked for was approved, as the settings have it. It is taken of a sale alone: of a
// pre-authorisation nobody would see that less is held. Errors: ErrAnswer, where the answer does not say, or says no less than all.
func (d *Dialect) partial(m *iso8583.Message) (money.Amount, error) {
	code, _ := m.Get(processingCode)
	if code == "" || code[:2] != purchase[:2] || code[:2] == d.settings.PreauthCode && families(m.MTI()) == asked && m.MTI()[1] == '1' {
		return money.Amount{}, fmt.Errorf("%w: %s: an approval in part of something other than a sale", ErrAnswer, m.MTI())
	}
	whole := amountOf(m, dialect.AmountOriginal)
	part := amountOf(m, d.settings.Partial)
	if d.settings.Partial == partialAmount {
		part = d.amountInAnswer(m)
	}
	if part.Minor <= 0 || part.Currency == (money.Currency{}) || whole.Minor != 0 && (whole.Currency != part.Currency || part.Minor >= whole.Minor) {
		return money.Amount{}, fmt.Errorf("%w: %s: an approval in part that does not say of how much", ErrAnswer, m.MTI())
	}
	return part, nil
}

// amountInAnswer is DE 4, in the currency of DE 49 or, where the answer has none, of the settings.
func (d *Dialect) amountInAnswer(m *iso8583.Message) money.Amount {
	currencyOf := d.settings.Currency
	if text, ok := m.Get(currency); ok {
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			return money.Amount{}
		}
		if currencyOf, err = money.ByNumeric(uint16(n)); err != nil {
			return money.Amount{}
		}
	}
	text, _ := m.Get(amount)
	minor, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return money.Amount{}
	}
	return money.New(minor, currencyOf)
}

// readBalance takes what can be spent, or else what is on the account, from the answer to a balance inquiry.
func (d *Dialect) readBalance(m *iso8583.Message, r *terminal.Response) {
	code, _ := m.Get(processingCode)
	if len(code) < 2 || code[:2] != balanceInquiry[:2] || r.Verdict != terminal.VerdictApproved {
		return
	}
	if r.Balance = amountOf(m, dialect.AmountAvailable); r.Balance.Currency == (money.Currency{}) {
		r.Balance = amountOf(m, dialect.AmountLedger)
	}
}

// readTotals is what an 0510 says of the batch: the same totals close it; other totals want its upload, unless that was made.
func (d *Dialect) readTotals(m *iso8583.Message, r *terminal.Response) {
	code, _ := m.Get(processingCode)
	r.InBalance = r.Verdict == terminal.VerdictApproved
	r.Closed = r.InBalance
	r.Upload = r.Code == outOfBalance && !strings.HasPrefix(code, totalsClosing[:2])
	if text, _ := m.Get(totals); d.settings.HostTotals {
		r.HostTotal = parseTotals(text)
	}
}

// hostTime is DE 13 and 12 in the year that brings them nearest to our own clock: around new year the host may be in
// another year than we are. The zero time when they are not there or are no time.
func (d *Dialect) hostTime(m *iso8583.Message) time.Time {
	clock, _ := m.Get(localTime)
	date, _ := m.Get(localDate)
	if d.settings.Zone == nil || d.settings.Now == nil || clock == "" || date == "" {
		return time.Time{}
	}
	return dialect.NearestYear(date+clock, d.settings.Now(), d.settings.Zone)
}
