package host

import (
	"fmt"
	"time"

	"tillway/money"
)

// fault is what goes wrong on the wire with an answer.
type fault uint8

const (
	faultNone      fault = iota
	faultSilent          // .101: posted, no answer
	faultLate            // .102: posted, the answer comes after Config.Late
	faultReset           // .103: posted, half the answer, then the connection is reset
	faultMAC             // .104: the answer's MAC is wrong
	faultWrongSTAN       // .105: the answer has another STAN
	faultTwice           // .106: the answer comes twice
)

// testAmount reads the last three decimals of an amount in a currency with three: .0RC gives the response code RC, .1xx a
// fault. Only original requests ask it; repeats and reversals are answered in earnest.
func testAmount(a money.Amount) (force string, f fault) {
	if a.Currency.Exponent != 3 {
		return "", faultNone
	}
	switch last := a.Minor % 1000; {
	case last > 0 && last < 100:
		return fmt.Sprintf("%02d", last), faultNone
	case last == 101:
		return "", faultSilent
	case last == 102:
		return "", faultLate
	case last == 103:
		return "", faultReset
	case last == 104:
		return "", faultMAC
	case last == 105:
		return "", faultWrongSTAN
	case last == 106:
		return "", faultTwice
	}
	return "", faultNone
}

// replies turns a decision into what happens on the wire.
func (h *Host) replies(q query, a answer, key *transaction, now time.Time) []Reply {
	m := h.speaks.compose(h, q, a)
	out := q.message(now, "")
	out.Direction, out.MTI = Out, m.MTI()
	out.Code, _ = m.Get(39)
	if a.fault == faultWrongSTAN {
		out.STAN = nextSTAN(q.stan)
		m.Set(11, out.STAN)
	}
	frame, err := h.sign(m, key, a.fault == faultMAC)
	if err != nil {
		out.Note = "not sent: " + err.Error()
		h.note(out)
		return nil
	}
	r := Reply{Frame: frame}
	switch a.fault {
	case faultSilent:
		out.Note = "test amount: not sent"
		h.note(out)
		return nil
	case faultLate:
		out.Note = "test amount: late by " + h.cfg.Late.String()
		r.Delay = h.cfg.Late
	case faultReset:
		out.Note = "test amount: reset in mid-message"
		r.Cut, r.Reset = (len(frame)+2)/2, true
	case faultMAC:
		out.Note = "test amount: wrong MAC"
	case faultWrongSTAN:
		out.Note = "test amount: wrong STAN"
	case faultTwice:
		out.Note = "test amount: twice"
		h.note(out)
		return []Reply{r, r}
	case faultNone:
	}
	h.note(out)
	return []Reply{r}
}

// nextSTAN is another STAN: the next one.
func nextSTAN(stan string) string {
	var n int
	for _, c := range stan {
		n = n*10 + int(c-'0')
	}
	return fmt.Sprintf("%06d", (n+1)%1_000_000)
}
