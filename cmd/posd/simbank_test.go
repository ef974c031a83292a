package main

import (
	"fmt"
	"strconv"
	"strings"

	"tillway/host"
)

// wireBank is what the checker itself makes of the wire: each message that moves money, as the host must have taken it, and so how every
// account must stand. It shares no code with the host.
type wireBank struct {
	entries map[string]*entry // by batch and STAN
	byRRN   map[string]*entry
	first   map[string]bool         // reversed before it came: batch and STAN
	ledger  map[string]host.Posting // by batch and STAN
	closed  map[string]string       // totals by batch
	upload  string                  // batch that is being uploaded
}

// entry is one transaction of the bank's.
type entry struct {
	class  string // sale, refund, void, hold, increment, completion
	pan    string
	batch  string
	amount int64  // that was approved, in minor units
	more   int64  // of a hold, or the void of one: what increments have added
	state  string // posted, held, completed, voided, reversed
	of     *entry // that it voids, completes or refunds

	step     bool // a hold that is the first step of a sale in two
	uploaded bool
}

// stood says whether the transaction came about and was not taken back by a reversal.
func (e *entry) stood() bool { return e.state != "reversed" }

// moves says whether its money is moved now.
func (e *entry) moves() bool {
	return (e.state == "posted" && e.class != "void") || e.state == "held"
}

// sum is what the entry does to the card's account.
func (e *entry) sum() int64 {
	switch {
	case !e.moves():
		return 0
	case e.class == "increment": // the hold has it
		return 0
	case e.class == "refund":
		return e.amount
	}
	return -e.amount - e.more
}

func newWireBank(ledger []host.Posting) *wireBank {
	b := &wireBank{
		entries: map[string]*entry{}, byRRN: map[string]*entry{}, first: map[string]bool{}, ledger: map[string]host.Posting{}, closed: map[string]string{},
	}
	for _, p := range ledger {
		b.ledger[p.Batch+"/"+p.STAN] = p
	}
	return b
}

func (m wireMessage) key() string { return m.said[60] + "/" + m.stan }

func (m wireMessage) rrn() string { return strings.TrimSpace(m.said[37]) }

// class is what a request asks for, from its type and the first two digits of DE 3; empty: it moves no money.
func (m wireMessage) class() string {
	code := m.said[3]
	code = code[:min(2, len(code))]
	switch mti := m.mti[:min(3, len(m.mti))]; {
	case mti == "020" && (code == "00" || code == "09"):
		return "sale"
	case mti == "020" && code == "20":
		return "refund"
	case mti == "020" && (code == "02" || code == "22"):
		return "void"
	case mti == "010" && code != "31" && m.rrn() != "":
		return "increment"
	case mti == "010" && code != "31":
		return "hold"
	case mti == "022" && (m.said[25] == "06" || m.rrn() != ""):
		return "completion"
	case mti == "022":
		return "sale"
	}
	return ""
}

func minor(n12 string) int64 {
	n, err := strconv.ParseInt(n12, 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// hears takes a request that the host has. Where a test amount keeps the answer back, only the ledger can say that it was posted.
func (b *wireBank) hears(asked wireMessage) {
	p, posted := b.ledger[asked.key()]
	if asked.class() == "" || !posted || b.entries[asked.key()] != nil || minor(asked.amount)%1000 != 101 {
		return
	}
	b.book(asked, p.Amount.Minor, p.RRN)
}

// says takes the host's answer to a request.
func (b *wireBank) says(asked, answer wireMessage) string {
	switch {
	case asked.mti[:2] == "05":
		return b.ends(asked, answer)
	case asked.mti[:3] == "032":
		b.uploads(asked, answer)
	case asked.mti[:2] == "04" && answer.rc != "63": // not believed: nothing happened
		return b.takesBack(asked, answer)
	case asked.class() != "" && (answer.rc == "00" || answer.rc == "10") && b.entries[asked.key()] == nil && !b.first[asked.key()]:
		approved := minor(asked.amount)
		if answer.rc == "10" {
			approved = minor(answer.amount)
		}
		b.book(asked, approved, answer.rrn())
	}
	return ""
}

func (b *wireBank) book(asked wireMessage, amount int64, rrn string) {
	e := &entry{class: asked.class(), pan: asked.pan, batch: asked.said[60], amount: amount, state: "posted", of: b.byRRN[asked.rrn()]}
	b.entries[asked.key()] = e
	if b.byRRN[rrn] == nil {
		b.byRRN[rrn] = e
	}
	switch {
	case e.class == "hold":
		e.state, e.step = "held", asked.said[25] == "00"
	case e.class == "increment" && e.of != nil:
		e.state = "held"
		e.of.more += e.amount
	case e.class == "completion" && e.of != nil:
		b.become(e.of, "completed")
	case e.class == "void" && e.of != nil:
		e.amount, e.more = e.of.amount, e.of.more
		b.become(e.of, "voided")
		if held := e.of.of; e.of.class == "completion" && held != nil {
			if b.become(held, "held"); held.step {
				b.become(held, "voided")
			}
		}
	}
}

// takesBack takes an answered reversal.
func (b *wireBank) takesBack(asked, answer wireMessage) string {
	e := b.entries[asked.key()]
	if e == nil {
		b.first[asked.key()] = true
		return ""
	}
	if e.pan != asked.pan {
		return fmt.Sprintf("reversal of %s has another card than its request", asked.key())
	}
	if answer.rc != "00" || e.state == "reversed" {
		return ""
	}
	b.become(e, "reversed")
	switch {
	case e.of == nil:
	case e.class == "increment":
		e.of.more -= e.amount
	case e.class == "void" && e.of.class == "hold":
		b.become(e.of, "held")
	case e.class == "void":
		b.become(e.of, "posted")
		if e.of.class == "completion" && e.of.of != nil {
			b.become(e.of.of, "completed")
		}
	}
	return ""
}

// become changes how a transaction stands; what was added to a hold goes with it.
func (b *wireBank) become(e *entry, state string) {
	if e.class == "hold" {
		for _, i := range b.entries {
			if i.class == "increment" && i.of == e && i.state == e.state {
				i.state = state
			}
		}
	}
	e.state = state
}

// captured are the transactions that a batch's totals have.
func (b *wireBank) totals(batch string, uploaded bool) string {
	var n, refunds int
	var sum, refunded int64
	for _, e := range b.entries {
		switch {
		case e.batch != batch || e.state != "posted" || e.class == "void" || (uploaded && !e.uploaded):
		case e.class == "refund":
			refunds++
			refunded += e.amount
		default:
			n++
			sum += e.amount
		}
	}
	return fmt.Sprintf("%03d%012d%03d%012d", n, sum, refunds, refunded)
}

// ends takes the answer to a batch's totals.
func (b *wireBank) ends(asked, answer wireMessage) string {
	batch, reported := asked.said[60], asked.said[63]
	switch {
	case answer.rc == "95":
		b.upload = batch
		return ""
	case answer.rc != "00":
		return ""
	}
	if was, closed := b.closed[batch]; closed {
		if was != reported {
			return fmt.Sprintf("batch %s was closed with %s, and again with %s", batch, was, reported)
		}
		return ""
	}
	final := strings.HasPrefix(asked.said[3], "96")
	if mine := b.totals(batch, final); !strings.HasPrefix(reported, mine) {
		return fmt.Sprintf("batch %s is closed with %s, and comes to %s", batch, reported, mine)
	}
	b.closed[batch] = reported
	for _, e := range b.entries {
		if final && e.batch == batch && !e.uploaded && e.state == "posted" && e.class != "void" && !b.refunded(e) {
			b.become(e, "reversed") // nobody was told that it was paid
			if e.class == "completion" && e.of != nil {
				b.become(e.of, "held")
			}
		}
	}
	return ""
}

// refunded says that a part of it was given back: then it cannot be taken back.
func (b *wireBank) refunded(e *entry) bool {
	for _, r := range b.entries {
		if r.class == "refund" && r.of == e && r.state == "posted" {
			return true
		}
	}
	return false
}

// uploads takes one transaction of a batch upload. DE 60 names it.
func (b *wireBank) uploads(asked, answer wireMessage) {
	ref := asked.said[60]
	if answer.rc != "00" || len(ref) != 22 {
		return
	}
	key := b.upload + "/" + ref[4:10]
	e := b.entries[key]
	if e == nil {
		e = &entry{class: "sale", pan: asked.pan, batch: b.upload, amount: minor(asked.amount), state: "posted"}
		if strings.HasPrefix(asked.said[3], "20") {
			e.class = "refund"
		}
		b.entries[key] = e
	}
	e.uploaded = true
}

// compare holds the host's own books to the wire.
func (b *wireBank) compare(seed uint64, h *host.Host) (found []string) {
	say := func(format string, args ...any) {
		found = append(found, fmt.Sprintf("seed %d: ", seed)+fmt.Sprintf(format, args...))
	}
	for key, p := range b.ledger {
		e := b.entries[key]
		switch {
		case e == nil:
			say("the host's ledger has %s, which it never answered", key)
		case e.amount+e.more != p.Amount.Minor || e.state != string(p.State):
			say("%s: the ledger says %s %s, the wire %+v", key, p.Amount.Format(), p.State, *e)
		}
	}
	stands := map[string]int64{}
	for key, e := range b.entries {
		if _, there := b.ledger[key]; !there {
			say("%s was approved on the wire and is not in the ledger", key)
		}
		stands[e.pan] += e.sum()
	}
	for _, a := range h.Accounts() {
		if a.Balance.Minor-a.Opening.Minor != stands[a.PAN.Clear()] {
			say("account %s moved by %d, by the wire %d", a.Name, a.Balance.Minor-a.Opening.Minor, stands[a.PAN.Clear()])
		}
	}
	return found
}
