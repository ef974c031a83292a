package host

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"tillway/host/issuer"
	"tillway/host/ledger"
)

// sell answers an original request or its repeat. The caller holds mu.
func (h *Host) sell(q query, now time.Time) answer {
	if known := h.ledger.find(q); known != nil {
		if known.state != Forestalled && known.digest == h.mark(q) {
			again := known.answer
			again.fault, again.note = faultNone, "repeat: stored answer"
			return again
		}
		return answer{code: duplicate, at: now, rrn: h.nextRRN(now), note: "terminal, batch and STAN were used before"}
	}
	authCode, err := approvalCode(h.cfg.Random)
	if err != nil || h.ledger.full() {
		return answer{code: malfunction, at: now, rrn: h.nextRRN(now), note: "host out of room or of random numbers"}
	}
	if why := h.refuses(q); why != "" {
		return answer{code: terminalRefused, at: now, rrn: h.nextRRN(now), note: why}
	}
	var pin []byte
	block, withPIN := q.in.Bytes(52)
	if withPIN = withPIN && h.cfg.Security != nil; withPIN {
		pin, err = h.pin(q, block)
	}
	if errors.Is(err, errForeign) || errors.Is(err, errReplay) || errors.Is(err, errPINKey) {
		return answer{code: securityViolation, at: now, rrn: h.nextRRN(now), note: "PIN: " + err.Error()}
	}
	defer clear(pin)
	force, fault := testAmount(q.amount)
	d := h.issuer.Authorise(issuer.Request{
		PAN: q.pan, Expiry: q.expiry, PSN: q.psn, Amount: q.amount, Chip: q.chip, Now: now, Force: force,
		PIN: pin, WithPIN: withPIN, Swiped: q.reading != byChip, Track: q.track,
	})
	a := answer{code: d.Code, chip: d.Chip, at: now, rrn: h.nextRRN(now), fault: fault, note: d.Why, wrongPIN: d.WrongPIN, tries: d.Tries}
	r := h.record(q, now)
	r.rrn, r.state, r.proof = a.rrn, Declined, d.Proof
	if d.Code == issuer.Approved {
		a.authCode, r.authCode, r.state = authCode, authCode, Posted
		r.legs = []ledger.Leg{{Account: cardAccount + r.account, Minor: -q.amount.Minor}, {Account: settlement, Minor: q.amount.Minor}}
		h.move("sale", r, now, r.legs)
	}
	r.answer = a
	h.ledger.add(r)
	h.keep(r)
	return a
}

// record begins the record of a request.
func (h *Host) record(q query, now time.Time) *record {
	return &record{
		key: q.key(), made: q.made, digest: h.mark(q), card: h.markCard(q), account: h.accountOf(q.pan), invoice: q.invoice, pan: q.pan, amount: q.amount, at: now,
	}
}

// mark recognises a message, markCard a card: the books keep neither.
func (h *Host) mark(q query) [sha256.Size]byte { return h.book.Mark("message", q.digest[:]) }

func (h *Host) markCard(q query) [sha256.Size]byte {
	return h.book.Mark("card", []byte(q.pan.Clear()))
}

// refuses says why this way of reading a card is not taken: a chip card is read by its chip, and a fallback is one of a chip card.
func (h *Host) refuses(q query) string {
	chipCard := q.track != "" && (q.track[0] == '2' || q.track[0] == '6')
	switch {
	case q.reading == byChip:
		return ""
	case q.reading == otherReading:
		return "field 22 is a way of reading that is not taken"
	case len(q.chip) > 0:
		return "chip data, and field 22 says stripe"
	case q.reading == byStripe && chipCard:
		return "the service code says chip, and field 22 no fallback"
	case q.reading == byFallback && !chipCard:
		return "field 22 says fallback, and the service code no chip"
	case q.reading == byFallback && h.cfg.NoFallback:
		return "no fallback is taken"
	}
	return ""
}

// approvalCode is six random digits (DE 38).
func approvalCode(random io.Reader) (string, error) {
	var b [4]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", fmt.Errorf("approval code: %w", err)
	}
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(b[:])%1_000_000), nil
}

// reverse gives back what the original took, once, and answers 00 each time. Without an original it answers 25 and
// remembers: an original that comes after its reversal is refused with 94. The caller holds mu.
func (h *Host) reverse(q query, now time.Time) answer {
	a := answer{code: issuer.Approved, at: now}
	r := h.ledger.find(q)
	switch {
	case r == nil && h.ledger.full():
		a.code, a.note = malfunction, "host out of room"
	case r == nil:
		first := h.record(q, now)
		first.rrn, first.state = h.nextRRN(now), Forestalled
		h.ledger.add(first)
		h.keep(first)
		a.code, a.note = notFound, "reversal without an original: remembered"
	case r.card != h.markCard(q) || r.amount != q.amount || r.made != q.made:
		a.code, a.note = mismatch, "reversal's card, amount or time is not the original's"
	case r.state == Posted:
		r.state, r.reversedAt = Reversed, now
		h.move(entryReverse, r, now, negated(r.legs))
		h.keep(r)
		a.note = "reversed"
	case r.state == Forestalled:
		a.code, a.note = notFound, "reversal without an original: repeated"
	default:
		a.note = "nothing stands: " + string(r.state)
	}
	if r != nil && a.code != mismatch {
		a.rrn = r.rrn
	} else {
		a.rrn = h.nextRRN(now)
	}
	return a
}
