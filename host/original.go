package host

import (
	"cmp"
	"time"

	"tillway/host/issuer"
	"tillway/host/ledger"
)

// original answers a request that is taken once: its true repeat gets the stored answer, another transaction under its
// terminal, batch and STAN is refused, and a closed batch takes no more. do decides, and says what became of it. The caller
// holds mu.
func (h *Host) original(q query, now time.Time, do func(r *record, a *answer)) answer {
	if known := h.ledger.find(q); known != nil {
		if known.state == Reversed && known.digest == h.mark(q) && h.batchOf(known.key.terminal, known.key.batch).Closed {
			// Taken back, by itself or because the batch's upload did not have it: to say again that it was approved would be untrue for good.
			return answer{code: batchClosed, at: now, rrn: h.nextRRN(now), note: "repeat of what was taken back, in a closed batch"}
		}
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
	if h.batchOf(q.terminal, q.batch).Closed {
		return answer{code: batchClosed, at: now, rrn: h.nextRRN(now), note: "batch is closed: use the next number"}
	}
	authCode = cmp.Or(q.approval, authCode)
	r, a := h.record(q, now), answer{code: issuer.Approved, at: now}
	r.state = Declined
	do(r, &a)
	if a.unasked {
		return a
	}
	r.rrn = a.rrn
	if a.part > 0 || a.code == issuer.Approved && r.kind != KindBalance {
		a.authCode, r.authCode = authCode, authCode
	}
	r.answer = a
	h.ledger.add(r)
	h.keep(r)
	return a
}

// take moves a transaction's money for the first time and says how it stands then.
func (h *Host) take(r *record, state State, legs ...ledger.Leg) {
	r.state = state
	for _, l := range legs {
		if l.Minor != 0 {
			r.legs = append(r.legs, l)
		}
	}
	h.move(string(r.kind), r, r.at, r.legs)
	h.issuer.Count(r.pan, r.at, r.spends(), 1)
}

// spends is what a transaction counts against its card's limits.
func (r *record) spends() int64 {
	if r.kind == KindSale || r.kind == KindCashback || r.kind == KindPreauth || r.kind == KindAdvice || r.kind == KindUpload {
		return r.approved
	}
	return 0
}

// pay is the legs of a sale: from the cardholder to what the issuer owes.
func (r *record) pay(minor int64) []ledger.Leg {
	return []ledger.Leg{{Account: cardAccount + r.account, Minor: -minor}, {Account: settlement, Minor: minor}}
}

// stands says whether a transaction's money is moved.
func (r *record) stands() bool { return r.state == Posted || r.state == OnHold }

// undo takes back what a transaction moved, in the books and in what it referred to. It stands. kind is the entry's.
func (h *Host) undo(kind string, r *record, state State, now time.Time) {
	h.takeBack(r, now)
	h.move(kind, r, now, negated(r.legs))
	h.issuer.Count(r.pan, r.at, r.spends(), -1)
	h.follow(r, state, now)
	r.state, r.reversedAt = state, now
	if other := h.ledger.byKey[r.refers]; other != nil {
		switch r.kind {
		case KindCompletion:
			h.follow(other, OnHold, time.Time{})
			other.state = OnHold
		case KindIncrement:
			h.raise(other, r, -1)
		case KindRefund:
			other.refunded -= r.approved
		case KindVoid:
			h.redo(other)
		default:
		}
		h.keep(other)
	}
	h.keep(r)
}

// redo lets a transaction stand again whose void was reversed: its money has been moved by the void's own legs.
func (h *Host) redo(r *record) {
	state := Posted
	if r.kind == KindPreauth {
		state = OnHold
		h.follow(r, state, time.Time{})
	}
	r.state, r.reversedAt = state, time.Time{}
	h.issuer.Count(r.pan, r.at, r.spends(), 1)
	if other := h.ledger.byKey[r.refers]; other != nil {
		switch r.kind {
		case KindCompletion:
			if other.state == Voided { // the first step, which the void took back too
				h.issuer.Count(other.pan, other.at, other.spends(), 1)
			}
			h.follow(other, Completed, time.Time{})
			other.state, other.reversedAt = Completed, time.Time{}
		case KindRefund:
			other.refunded += r.approved
		default:
		}
		h.keep(other)
	}
}

// blocked says why a transaction that stands cannot be taken back, empty when it can.
func (h *Host) blocked(r *record) string {
	if r.refunded > 0 {
		return "part of it was refunded already"
	}
	if r.kind != KindVoid {
		return ""
	}
	voided := h.ledger.byKey[r.refers]
	if voided == nil {
		return "what it voided is not there"
	}
	switch held := h.ledger.byKey[voided.refers]; {
	case voided.kind == KindCompletion && (held == nil || held.state != OnHold && (!held.step || held.state != Voided)):
		return "what it gave back is held no more"
	case voided.kind == KindRefund && held != nil && held.refunded+voided.approved > held.approved:
		return "what it gave back was refunded again"
	}
	return ""
}

// refund answers a refund: money goes back to the card. With DE 37 it belongs to a sale of the same card at the same merchant, and
// all refunds of a sale together are no more than it.
func (h *Host) refund(q query, now time.Time) answer {
	return h.original(q, now, func(r *record, a *answer) {
		r.kind = KindRefund
		force, fault := testAmount(q.amount)
		a.rrn, a.fault = h.nextRRN(now), fault
		var sold *record
		if q.original != "" {
			sold = h.ledger.named(q.original)
		}
		switch {
		case force != "" && force != issuer.ApprovedPart: // a refund is approved whole
			a.code, a.note = force, "test amount"
		case r.account == "":
			a.code, a.note = issuer.NoSuchCard, "no account with this number"
		case q.amount.Minor == 0:
			a.code, a.note = issuer.WrongAmount, "amount is zero"
		case q.original != "" && (sold == nil || sold.card != r.card || sold.merchant != r.merchant):
			a.code, a.note = notFound, "no sale with this reference number"
		case sold != nil && (sold.state != Posted || sold.kind == KindRefund || sold.kind == KindVoid):
			a.code, a.note = invalidTransaction, "what is to be refunded does not stand"
		case sold != nil && sold.refunded+q.amount.Minor > sold.approved:
			a.code, a.note = issuer.WrongAmount, "more than what was paid"
		default:
			if sold != nil {
				r.refers = sold.key
				sold.refunded += q.amount.Minor
				h.keep(sold)
			}
			h.take(r, Posted, negated(r.pay(q.amount.Minor))...)
			a.note = "refunded"
		}
	})
}

// void answers a void of a transaction of the same terminal's open batch, which DE 37 names, or else DE 62; its amount is what was asked for
// there, what was approved, or zero. It can itself be reversed.
func (h *Host) void(q query, now time.Time) answer {
	return h.original(q, now, func(r *record, a *answer) {
		r.kind = KindVoid
		a.rrn = h.nextRRN(now)
		was := h.ledger.named(q.original)
		if q.original == "" {
			was = h.ledger.invoiced(q)
		}
		switch {
		case was == nil || was.key.terminal != q.terminal || was.key.batch != q.batch:
			a.code, a.note = notFound, "no transaction with this reference number in the batch"
		case was.card != r.card || (q.amount.Minor != 0 && q.amount != was.amount && q.amount.Minor != was.approved):
			a.code, a.note = mismatch, "void's card or amount is not the original's"
		case was.kind == KindVoid || was.kind == KindIncrement || !was.stands() || (q.code == "22") != (was.kind == KindRefund):
			a.code, a.note = invalidTransaction, "nothing stands that this could void: "+string(was.state)
		default:
			if a.note = h.blocked(was); a.note != "" {
				a.code = invalidTransaction
				return
			}
			// The void's own legs are what it took back, so that its reversal moves them again.
			r.refers, r.state, r.legs, r.approved = was.key, Posted, negated(was.legs), was.approved
			h.undo(string(KindVoid), was, Voided, now)
			a.note = "voided"
			if first := h.ledger.byKey[was.refers]; was.kind == KindCompletion && first != nil && first.step {
				r.legs = append(r.legs, negated(first.legs)...)
				h.undo(string(KindVoid), first, Voided, now)
				a.note = "voided, both steps"
			}
		}
	})
}

// advice answers word of what was approved without asking, or of how much of a pre-authorisation was taken (DE 37 names it).
// It is posted once, whatever the balance is: the goods are gone.
func (h *Host) advice(q query, now time.Time) answer {
	return h.original(q, now, func(r *record, a *answer) {
		r.kind = KindAdvice
		a.rrn = h.nextRRN(now)
		held := h.ledger.byRRN[q.original]
		switch {
		case q.said != "" && q.said != issuer.Approved && q.said != "Y1" && q.said != "Y3":
			a.note = "advice of a refusal: nothing to post"
		case r.account == "":
			a.code, a.note = issuer.NoSuchCard, "no account with this number"
		case held != nil && held.kind == KindPreauth || q.condition == "06":
			h.complete(r, held, a)
		case q.amount.Minor == 0:
			a.code, a.note = issuer.WrongAmount, "amount is zero"
		case q.cash > q.amount.Minor:
			a.code, a.note = issuer.WrongAmount, "more cash than the amount"
		case q.code == "20":
			r.kind = KindRefund
			h.take(r, Posted, negated(r.pay(q.amount.Minor))...)
			a.note = "refund that was made already"
		default:
			a.note = "approved offline"
			if len(q.chip) > 0 {
				r.proved = Verified
				if err := h.issuer.Certificate(issuer.Request{PAN: q.pan, Amount: q.amount, Chip: q.chip}); err != nil {
					r.proved, a.note = Wrong, "approved offline, and its certificate is wrong: "+err.Error()
				}
			}
			h.take(r, Posted, r.pay(q.amount.Minor)...)
		}
	})
}

// complete takes what a pre-authorisation held, or part of it, and gives the rest back. With amount zero it gives all back.
func (h *Host) complete(r, held *record, a *answer) {
	r.kind = KindCompletion
	switch {
	case held == nil || held.kind != KindPreauth || held.merchant != r.merchant || held.card != r.card:
		a.code, a.note = notFound, "no pre-authorisation with this reference number"
	case held.state != OnHold:
		a.code, a.note = invalidTransaction, "nothing is held any more: "+string(held.state)
	case r.approved > held.approved:
		a.code, a.note = issuer.WrongAmount, "more than what is held"
	default:
		h.follow(held, Completed, time.Time{})
		r.refers, held.state = held.key, Completed
		h.take(
			r, Posted, ledger.Leg{Account: heldAccount + r.account, Minor: -held.approved}, ledger.Leg{Account: settlement, Minor: r.approved},
			ledger.Leg{Account: cardAccount + r.account, Minor: held.approved - r.approved},
		)
		h.keep(held)
		a.note = "completed"
	}
}

// balances is DE 54 of a balance inquiry: what the books hold for the card, and what of it is available.
func (h *Host) balances(r *record) string {
	available := h.book.Balance(cardAccount+r.account, h.cfg.Currency)
	held := h.book.Balance(heldAccount+r.account, h.cfg.Currency)
	return additional(amountLedger, available+held, h.cfg.Currency) + additional(amountAvailable, available, h.cfg.Currency)
}
