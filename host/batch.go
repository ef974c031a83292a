package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"tillway/host/issuer"
	"tillway/host/ledger"
)

// The end of a batch: the terminal says its totals (0500, DE 3 92xxxx). Where the host has the same, the batch is closed. Where
// not, the answer is 95: the terminal uploads every transaction (0320), and a second 0500 (96xxxx) closes it with what was
// uploaded. A closed batch takes nothing more, and its number does not come again.

// batch is how a terminal's batch stands. What has no row is open.
type batch struct {
	Terminal  string    `json:"terminal"`
	Batch     string    `json:"batch"`
	Uploading bool      `json:"uploading"` // totals differed, and the terminal was told so
	Closed    bool      `json:"closed"`
	Differs   bool      `json:"differs,omitempty"` // it was closed with the host's totals: the terminal had others
	Totals    string    `json:"totals,omitempty"`  // DE 63 that closed it
	At        time.Time `json:"at"`
}

const batchPrefix = "batch/"

// totals is what a batch comes to. Counts and sums of what went either way.
type totals struct {
	sales, refunds       int
	salesSum, refundsSum int64
}

// parseTotals reads DE 63: counts of three digits and amounts of twelve, in one, two or six pairs. One pair is sales; the
// second is refunds; of six, each odd one is sales and each even one refunds (captured, debit, authorised), which this host
// does not keep apart.
func parseTotals(text string) (totals, error) {
	const pair = 15
	var t totals
	if n := len(text); n != pair && n != 2*pair && n != 6*pair || strings.Trim(text, "0123456789") != "" {
		return t, errors.New("field 63 is not one, two or six totals of fifteen digits")
	}
	for i := 0; i < len(text); i += pair {
		count, _ := strconv.Atoi(text[i : i+3])
		sum, _ := strconv.ParseInt(text[i+3:i+pair], 10, 64)
		if i/pair%2 == 0 {
			t.sales += count
			t.salesSum += sum
		} else {
			t.refunds += count
			t.refundsSum += sum
		}
	}
	return t, nil
}

// text is DE 63 of that many characters: sales; refunds; and of six pairs nothing in the others.
func (t totals) text(size int) string {
	const mostCount, mostSum = 999, 999_999_999_999
	one := func(count int, sum int64) string {
		return fmt.Sprintf("%03d%012d", min(count, mostCount), min(sum, mostSum))
	}
	text := one(t.sales, t.salesSum) + one(t.refunds, t.refundsSum)
	if size < len(text) {
		return text[:size]
	}
	return text + strings.Repeat("0", size-len(text))
}

// batchOf is how a batch stands. The caller holds mu.
func (h *Host) batchOf(terminal, number string) batch {
	if b := h.batches[key{terminal: terminal, batch: number}]; b != nil {
		return *b
	}
	return batch{Terminal: terminal, Batch: number}
}

func (h *Host) keepBatch(b batch) {
	h.batches[key{terminal: b.Terminal, batch: b.Batch}] = &b
	if b.Uploading {
		h.uploading[b.Terminal] = b.Batch
	} else if h.uploading[b.Terminal] == b.Batch {
		delete(h.uploading, b.Terminal)
	}
	if h.cfg.Books == nil {
		return
	}
	body, err := json.Marshal(b)
	if err != nil {
		panic("host: a batch that is no JSON: " + err.Error())
	}
	name := batchPrefix + strings.TrimSpace(b.Terminal) + "/" + b.Batch
	h.work.Records = append(h.work.Records, ledger.Record{Key: name, Body: body})
}

func (h *Host) restoreBatch(body []byte) error {
	var b batch
	if err := json.Unmarshal(body, &b); err != nil {
		return fmt.Errorf("batch: %w", err)
	}
	h.batches[key{terminal: b.Terminal, batch: b.Batch}] = &b
	if b.Uploading {
		h.uploading[b.Terminal] = b.Batch
	}
	return nil
}

// captured says whether a transaction is one that a batch's totals have.
func (r *record) captured() bool {
	return r.state == Posted && r.kind != KindVoid && r.kind != KindBalance
}

// in lists what stands of a batch. The caller holds mu.
func (h *Host) in(terminal, number string) []*record {
	var out []*record
	for _, r := range h.ledger.byBatch[key{terminal: terminal, batch: number}] {
		if r.captured() {
			out = append(out, r)
		}
	}
	return out
}

func sumUp(list []*record) totals {
	var t totals
	for _, r := range list {
		if r.kind == KindRefund {
			t.refunds++
			t.refundsSum += r.approved
		} else {
			t.sales++
			t.salesSum += r.approved
		}
	}
	return t
}

// endBatch answers an 0500. The caller holds mu.
func (h *Host) endBatch(q query, now time.Time) answer {
	a := answer{code: issuer.Approved, at: now}
	theirs, err := q.totals()
	b := h.batchOf(q.terminal, q.batch)
	list := h.in(q.terminal, q.batch)
	var uploaded, rest []*record
	for _, r := range list {
		if r.uploaded {
			uploaded = append(uploaded, r)
		} else {
			rest = append(rest, r)
		}
	}
	switch {
	case err != nil:
		a.code, a.note = issuer.FormatError, err.Error()
	case b.Closed && b.Totals == q.reported:
		a.note = "repeat: batch is closed"
		if b.Differs {
			a.code = outOfBalance
		}
	case b.Closed:
		a.code, a.note = batchClosed, "batch was closed with other totals"
	case !q.final && theirs == sumUp(list):
		h.closeBatch(b, q.reported, list, now)
		a.note = "batch closed"
	case q.final && b.Uploading && theirs == sumUp(uploaded):
		// What the terminal does not have never came about there: nobody was told that it was paid.
		for _, r := range rest {
			if h.blocked(r) == "" {
				h.undo("not uploaded", r, Reversed, now)
			}
		}
		h.closeBatch(b, q.reported, uploaded, now)
		a.note = fmt.Sprintf("batch closed after an upload of %d; taken back: %d", len(uploaded), len(rest))
	case q.version == Version1993: // no upload: it ends with the host's totals, and people look into it
		mine := sumUp(list)
		a.code = outOfBalance
		a.note = fmt.Sprintf("batch closed, out of balance: here %d sales of %d and %d refunds of %d", mine.sales, mine.salesSum, mine.refunds, mine.refundsSum)
		b.Differs = true
		h.closeBatch(b, q.reported, list, now)
	default:
		mine := sumUp(list)
		a.code, a.totals = outOfBalance, mine.text(len(q.reported))
		a.note = fmt.Sprintf("out of balance: here %d sales of %d and %d refunds of %d", mine.sales, mine.salesSum, mine.refunds, mine.refundsSum)
		if !q.final { // the one that begins an upload, and may begin it again
			b.Uploading, b.At = true, now
			h.keepBatch(b)
		}
	}
	if mine := sumUp(list); q.version == Version1993 && err == nil {
		a.mine = &mine
	}
	return a
}

// totals is what the terminal says that the batch comes to.
func (q query) totals() (totals, error) {
	if q.version == Version1993 {
		return parseTotals1993(q.reported)
	}
	return parseTotals(q.reported)
}

func (h *Host) closeBatch(b batch, reported string, list []*record, now time.Time) {
	h.clear(list, now)
	b.Uploading, b.Closed, b.Totals, b.At = false, true, reported, now
	h.keepBatch(b)
}

// upload answers one transaction of a batch upload. What the host has already is ticked off; what it has not is posted as the
// terminal says; the same one again changes nothing. The caller holds mu.
func (h *Host) upload(q query, now time.Time) answer {
	a := answer{code: issuer.Approved, at: now, rrn: q.uploadRef[10:]}
	number, ok := h.uploading[q.terminal]
	if !ok {
		a.code, a.note = invalidTransaction, "no batch of this terminal is to be uploaded"
		return a
	}
	original := q
	original.batch, original.stan = number, q.uploadRef[4:10]
	was := h.ledger.byKey[original.key()]
	switch {
	case was == nil && h.ledger.full():
		a.code, a.note = malfunction, "host out of room"
	case was == nil:
		r := h.record(original, now)
		r.kind, r.rrn = KindUpload, strings.TrimSpace(q.uploadRef[10:])
		if q.code == "20" {
			r.kind = KindRefund
		}
		switch {
		case r.account == "":
			a.code, a.note = issuer.NoSuchCard, "no account with this number"
			return a
		case q.code != "00" && q.code != "09" && q.code != "17" && q.code != "20" || q.amount.Minor == 0:
			a.code, a.note = invalidTransaction, "neither a sale nor a refund, or of nothing"
			return a
		case r.kind == KindRefund:
			h.take(r, Posted, negated(r.pay(r.approved))...)
		default:
			h.take(r, Posted, r.pay(r.approved)...)
		}
		r.uploaded, r.answer = true, a
		h.ledger.add(r)
		h.keep(r)
		a.note = "uploaded and posted: it was not here"
	case was.card != h.markCard(q) || q.amount.Minor != was.approved || (q.code == "20") != (was.kind == KindRefund):
		a.code, a.note = mismatch, "upload's card, kind or amount is not the one posted"
	case !was.captured():
		a.code, a.note = mismatch, "it does not stand here: "+string(was.state)
	default:
		was.uploaded = true
		h.keep(was)
		a.note = "uploaded"
	}
	return a
}
