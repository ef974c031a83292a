package host

import (
	"slices"
	"time"

	"tillway/host/issuer"
	"tillway/host/ledger"
)

// increment answers a request to hold more for a pre-authorisation, which DE 37 names. The card is not there: its number and
// expiry decide, and what is on the account. What is held is then one sum, which a completion takes, or a void or reversal of the
// pre-authorisation gives back, as a whole.
func (h *Host) increment(q query, now time.Time) answer {
	return h.original(q, now, func(r *record, a *answer) {
		r.kind = KindIncrement
		force, fault := testAmount(q.amount)
		if force == issuer.ApprovedPart { // more is held whole
			force = ""
		}
		a.rrn, a.fault = h.nextRRN(now), fault
		held := h.ledger.byRRN[q.original]
		switch {
		case held == nil || held.kind != KindPreauth || held.merchant != r.merchant || held.card != r.card:
			a.code, a.note = notFound, "no pre-authorisation with this reference number"
			return
		case held.state != OnHold:
			a.code, a.note = invalidTransaction, "nothing is held any more: "+string(held.state)
			return
		}
		d := h.issuer.Authorise(issuer.Request{PAN: q.pan, Expiry: q.expiry, Amount: q.amount, Now: now, Force: force, Kept: true})
		if a.code, a.note = d.Code, d.Why; d.Code != issuer.Approved {
			return
		}
		r.refers = held.key
		h.take(r, OnHold, ledger.Leg{Account: cardAccount + r.account, Minor: -r.approved}, ledger.Leg{Account: heldAccount + r.account, Minor: r.approved})
		h.raise(held, r, 1)
		a.note = "more is held"
	})
}

// raise adds an increment to what its pre-authorisation holds (by is 1), or takes it off (-1). Against the card's limits the sum
// counts as one payment, on the day of the pre-authorisation.
func (h *Host) raise(held, more *record, by int64) {
	h.issuer.Count(held.pan, held.at, held.spends(), -1)
	held.approved += by * more.approved
	legs := slices.Clone(held.legs)
	for i, l := range legs {
		for _, m := range more.legs {
			if m.Account == l.Account {
				legs[i].Minor += by * m.Minor
			}
		}
	}
	held.legs = legs
	h.issuer.Count(held.pan, held.at, held.spends(), 1)
	h.keep(held)
}

// follow lets the increments of a pre-authorisation stand as it will, before its state is changed; those that were taken back by
// themselves stay so. at is when, of a state in which nothing stands.
func (h *Host) follow(held *record, state State, at time.Time) {
	if held.kind != KindPreauth {
		return
	}
	for _, r := range h.ledger.about[held.key] {
		if r.kind == KindIncrement && r.state == held.state {
			r.state, r.reversedAt = state, at
			h.keep(r)
		}
	}
}

// named is the transaction with a reference number; where that is a pre-authorisation, or the first step of a sale in two, that was
// completed, what completed it.
func (l *records) named(rrn string) *record {
	r := l.byRRN[rrn]
	if r == nil || r.kind != KindPreauth || r.state != Completed {
		return r
	}
	for _, c := range l.about[r.key] {
		if c.kind == KindCompletion && c.state == Posted {
			return c
		}
	}
	return r
}

// invoiced is the latest transaction of a terminal's batch with an invoice number that stands, but for voids; nil where there is
// none.
func (l *records) invoiced(q query) *record {
	for _, r := range slices.Backward(l.byBatch[key{terminal: q.terminal, batch: q.batch}]) {
		if r.invoice == q.invoice && r.kind != KindVoid && r.kind != KindIncrement && r.stands() {
			return r
		}
	}
	return nil
}
