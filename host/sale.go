package host

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"tillway/host/issuer"
	"tillway/host/ledger"
)

// sell answers a request that the issuer decides on with the card's data: a sale, a pre-authorisation or a balance inquiry. The
// caller holds mu.
func (h *Host) sell(q query, now time.Time) answer {
	return h.original(q, now, func(r *record, a *answer) {
		refuse := func(code, why string) {
			*a = answer{code: code, at: now, rrn: h.nextRRN(now), note: why, unasked: true}
		}
		if why := h.refuses(q); why != "" {
			refuse(terminalRefused, why)
			return
		}
		var pin []byte
		var err error
		block, withPIN := q.in.Bytes(52)
		if withPIN = withPIN && h.cfg.Security != nil; withPIN {
			pin, err = h.pin(q, block)
		}
		if errors.Is(err, errForeign) || errors.Is(err, errReplay) || errors.Is(err, errPINKey) {
			refuse(securityViolation, "PIN: "+err.Error())
			return
		}
		defer clear(pin)
		force, fault := testAmount(q.amount)
		step := q.class == preauth && q.condition != "06"
		divisible := q.class == sale || step && q.version == Version1993             // those of 1987 take a part in one message only
		partial := h.partial[q.terminal] && divisible && q.cash == 0 && q.in.Has(35) // of a request that was kept the customer has gone
		if force == issuer.ApprovedPart && h.partial[q.terminal] && !partial {
			force = "" // this terminal would take the code for an approval
		}
		d := h.issuer.Authorise(issuer.Request{
			PAN: q.pan, Expiry: q.expiry, PSN: q.psn, Amount: q.amount, Chip: q.chip, Now: now, Force: force,
			PIN: pin, WithPIN: withPIN, Swiped: q.reading != byChip, Track: q.track,
			Cash: q.cash, Inquiry: q.class == balance, Partial: partial,
		})
		*a = answer{code: d.Code, chip: d.Chip, at: now, rrn: h.nextRRN(now), fault: fault, note: d.Why, wrongPIN: d.WrongPIN, tries: d.Tries}
		r.proof = d.Proof
		if withPIN {
			h.keepTries(r.account, h.issuer.Tries(q.pan))
		}
		switch {
		case q.class == balance:
			if r.kind = KindBalance; d.Code == issuer.Approved {
				a.amounts, r.state = h.balances(r), Inquired
			}
		case d.Part > 0:
			r.approved, a.part, a.amounts = d.Part, d.Part, additional(amountOriginal, q.amount.Minor, h.cfg.Currency)
			if step {
				h.hold(r, step)
				break
			}
			h.take(r, Posted, r.pay(d.Part)...)
		case d.Code != issuer.Approved:
		case q.class == preauth:
			h.hold(r, step)
		default:
			h.take(r, Posted, r.pay(q.amount.Minor)...)
		}
	})
}

// hold holds what was approved of a pre-authorisation, or of the first step of a sale in two.
func (h *Host) hold(r *record, step bool) {
	r.kind, r.step = KindPreauth, step
	h.take(r, OnHold, ledger.Leg{Account: cardAccount + r.account, Minor: -r.approved}, ledger.Leg{Account: heldAccount + r.account, Minor: r.approved})
}

// record begins the record of a request.
func (h *Host) record(q query, now time.Time) *record {
	kind := KindSale
	if q.cash > 0 {
		kind = KindCashback
	}
	return &record{
		key: q.key(), made: q.made, digest: h.mark(q), card: h.markCard(q), account: h.accountOf(q.pan), invoice: q.invoice, pan: q.pan, amount: q.amount, at: now,
		kind: kind, approved: q.amount.Minor, cash: q.cash, merchant: strings.TrimSpace(q.merchant),
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
	case r.stands():
		if a.note = h.blocked(r); a.note != "" {
			a.code = invalidTransaction
			break
		}
		h.undo(entryReverse, r, Reversed, now)
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
