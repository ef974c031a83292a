package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"tillway/terminal"
)

// check recomputes host and terminal from what went over the wire and what the cashier was shown, and compares.
func (w *world) check(ctx context.Context) []string {
	c := &checker{
		world: w, bank: newWireBank(w.host.Ledger()), sent: map[string]int{}, open: map[string]bool{},
		due: map[string]bool{}, fixed: map[string]string{}, over: map[string]bool{}, serials: map[string]bool{}, under: map[string][]string{},
		believable: map[string]bool{}, saved: map[string]bool{}, turn: map[string]bool{}, requests: map[string]wireMessage{}, agreed: map[string]bool{},
	}
	if w.defect != nil {
		c.say("defect: %v", w.defect)
	}
	c.readSales(ctx)
	for _, e := range w.wire {
		if c.beside(e) {
			continue
		}
		m, err := readWire(e.data)
		if err != nil {
			c.say("%c at %v cannot be read: %v", e.dir, e.at, err)
			continue
		}
		c.event(e, m)
	}
	c.books()
	c.clear()
	return c.found
}

type checker struct {
	*world
	found    []string
	left     evidence             // on the disk
	sales    map[string]savedSale // by STAN: what the journal says in the end
	byID     map[int64]savedSale
	forgiven map[string]bool // STANs whose reversal was written off by hand
	bank     *wireBank
	sent     map[string]int      // requests written, by STAN
	open     map[string]bool     // STANs whose reversal is owed and not yet acknowledged to the terminal
	due      map[string]bool     // of those, the ones whose sale is over
	fixed    map[string]string   // STAN of the message that a batch's row on disk has
	over     map[string]bool     // batches whose totals were fixed
	serials  map[string]bool     // key serial numbers that went out
	under    map[string][]string // those of MACs, by STAN
	asked    wireMessage         // the request that the host works on

	saved      map[string]bool        // STANs on disk as Sending so far
	turn       map[string]bool        // STANs whose reversal is on disk as Sent and was not written since
	requests   map[string]wireMessage // requests written, by STAN
	answered   string                 // STAN of the last approval that was delivered
	believable map[string]bool        // STANs of which an authentic approval was delivered
	agreed     map[string]bool        // STANs whose card gave its certificate after the approval
}

// beside takes what happened beside the wire.
func (c *checker) beside(e wireEvent) bool {
	stan := fmt.Sprintf("%06d", e.stan)
	switch e.dir {
	case 's':
		c.saved[stan] = true
	case 'd':
		c.turn[stan] = true
	case 'q':
		c.open[stan] = true
		c.due[stan] = true
	case 'f':
		c.due[stan] = c.open[stan]
	case 'b':
		number := fmt.Sprintf("%06d", e.stan)
		if c.fixed[number] = ""; e.state == "Totalling" || e.state == "Uploading" || e.state == "Closing" {
			c.fixed[number] = fmt.Sprintf("%06d", e.trace)
			c.over[number] = true
		}
	case 't':
		c.agreed[c.answered] = true
	default:
		return false
	}
	return true
}

func (c *checker) say(format string, args ...any) {
	c.found = append(c.found, fmt.Sprintf("seed %d: ", c.seed)+fmt.Sprintf(format, args...))
}

// readSales takes the disk as it lies there after the last boot.
func (c *checker) readSales(ctx context.Context) {
	c.sales, c.byID, c.forgiven = map[string]savedSale{}, map[int64]savedSale{}, map[string]bool{}
	var err error
	if c.left, err = c.disk.evidence(ctx); err != nil {
		c.say("the journal cannot be read: %v", err)
	}
	keys := map[string]uint64{}
	for _, s := range c.left.sales {
		c.byID[int64(s.ID)] = s //nolint:gosec // sale numbers stay below 2^63
		c.states["end "+s.State+" "+s.Outcome.Code]++
		if !s.final() || s.projected != s.State {
			c.say("sale %d is left in %s, and its projection in %s", s.ID, s.State, s.projected)
		}
		if s.STAN != 0 {
			if old, twice := c.sales[s.stan()]; twice {
				c.say("sales %d and %d share STAN %s", old.ID, s.ID, s.stan())
			}
			c.sales[s.stan()] = s
		}
		if old, twice := keys[s.Key]; twice {
			c.say("order %s was sold twice: sales %d and %d", s.Key, old, s.ID)
		}
		keys[s.Key] = s.ID
	}
	for id, s := range c.shown {
		if now := c.byID[int64(id)]; now.State != string(s.State) || now.Outcome.Code != s.Outcome.Code { //nolint:gosec // as above
			c.say("sale %s was shown %s (%s) and is %s (%s) in the journal", id, s.State, s.Outcome.Code, now.State, now.Outcome.Code)
		}
	}
	for _, d := range c.left.debts {
		if !d.final() {
			c.say("debt %d of sale %d, a %s, is left %s", d.id, d.sale, d.kind, d.state)
		}
		if d.state == "WrittenOff" {
			c.forgiven[fmt.Sprintf("%06d", d.stan)] = true
		}
		c.states["end debt "+d.kind+" "+d.state]++
	}
	for i, b := range c.left.batches {
		c.states["end batch "+b.state]++
		if b.state != "Closed" && (b.state != "Open" || i != len(c.left.batches)-1) {
			c.say("batch %d is left %s", b.number, b.state)
		}
	}
	c.replay()
	if n := c.left.messages(); n != 0 {
		c.say("%d sealed messages are kept for nothing: %v", n, c.left.sealed)
	}
}

// replay compares the projections with the journal's rows.
func (c *checker) replay() {
	last := map[int64]string{}
	for _, r := range c.left.rows {
		if r.kind == "sale" {
			last[r.sale] = r.became
		}
	}
	for id, state := range last {
		if c.byID[id].State != state {
			c.say("sale %d is %s by the journal and %q by its projection", id, state, c.byID[id].State)
		}
	}
	if len(last) != len(c.byID) {
		c.say("%d sales in the journal, %d projections", len(last), len(c.byID))
	}
}

// settles are the codes with which a reversal does not hold up the next request any more: done, nothing to reverse, and refused
// for good, which parks it.
var settles = []string{"00", "25", "12", "30"}

// event takes one frame in the order of the wire.
func (c *checker) event(e wireEvent, m wireMessage) {
	sale, known := c.sales[m.stan]
	if e.dir == '>' {
		c.keys(m)
	}
	switch {
	case m.mti == "0800" || m.mti == "0810":
	case e.dir == '>' && (m.mti[:3] == "050" || m.mti[:3] == "032"):
		c.ending(m)
	case e.dir == '>' && (m.mti == "0200" || m.mti == "0100"):
		c.request(m, sale, known)
	case e.dir == '>' && m.mti == "0400":
		if sale.State != "Reversed" {
			c.say("STAN %s is reversed and the sale is %s", m.stan, sale.State)
		}
		if !c.turn[m.stan] {
			c.say("the reversal of STAN %s left before its turn was on disk", m.stan)
		}
		c.turn[m.stan] = false
		if m.track2 || m.pan == "" || (known && m.amount != fmt.Sprintf("%012d", sale.Amount.Minor)) {
			c.say("the reversal of STAN %s is not its request's: amount %s, PAN there %v, track 2 %v", m.stan, m.amount, m.pan != "", m.track2)
		}
		if request, left := c.requests[m.stan]; left {
			if err := sameSale(request, m); err != nil {
				c.say("the reversal of STAN %s: %v", m.stan, err)
			}
		}
	case e.dir == '>':
		c.say("the terminal wrote a %s", m.mti)
	case e.dir == 'h':
		c.asked = m
		c.bank.hears(m)
	case e.dir == 'a':
		if why := c.bank.says(c.asked, m); why != "" {
			c.say("%s", why)
		}
	case e.dir == '<' && m.mti == "0410" && slices.Contains(settles, m.rc) && authentic(e.data, c.under[m.stan]):
		delete(c.open, m.stan)
		delete(c.due, m.stan)
	case e.dir == '<' && m.mti == "0210" && m.rc == "00" && c.requests[m.stan].stan != "":
		c.answered = m.stan
		c.believable[m.stan] = c.believable[m.stan] || authentic(e.data, c.under[m.stan])
	}
}

// ending looks at a message that ends a batch: the batch's own state and the message's number are on disk, and no reversal waits.
func (c *checker) ending(m wireMessage) {
	number := m.said[60]
	if m.mti[:3] == "032" {
		for n, stan := range c.fixed {
			if stan == m.stan {
				number = n
			}
		}
	}
	if c.fixed[number] != m.stan {
		c.say("%s with STAN %s left, and batch %s has %q on disk", m.mti, m.stan, number, c.fixed[number])
	}
	for old, due := range c.due {
		if due {
			c.say("%s of batch %s left while the reversal of %s was owed", m.mti, number, old)
		}
	}
}

// keys looks at a message of the terminal's: it has a MAC, under a key that no other has; a PIN block, likewise, in a request
// and only there.
func (c *checker) keys(m wireMessage) {
	if !m.mac || m.macKey == "" || (m.pin && m.mti != "0200") || m.pin != (m.pinKey != "") {
		c.say("%s of STAN %s: MAC %t under %q, PIN block %t under %q", m.mti, m.stan, m.mac, m.macKey, m.pin, m.pinKey)
	}
	for _, serial := range []string{m.macKey, m.pinKey} {
		if serial != "" && c.serials[serial] {
			c.say("key serial number %s went out twice", serial)
		}
		c.serials[serial] = true
	}
	c.under[m.stan] = append(c.under[m.stan], m.macKey)
}

func (c *checker) request(m wireMessage, sale savedSale, known bool) {
	if !c.saved[m.stan] {
		c.say("request %s left before Sending was on disk", m.stan)
	}
	c.requests[m.stan], c.answered = m, ""
	if c.over[m.said[60]] {
		c.say("request %s left for batch %s, whose totals were fixed", m.stan, m.said[60])
	}
	if c.sent[m.stan]++; c.sent[m.stan] > 1 {
		c.say("request %s was sent %d times", m.stan, c.sent[m.stan])
	}
	for old := range c.open {
		c.say("request %s left while the reversal of %s was owed", m.stan, old)
	}
	if !known {
		c.say("request %s is of no sale", m.stan)
		return
	}
	if m.amount != fmt.Sprintf("%012d", sale.Amount.Minor) || m.tid != "TILL0001" {
		c.say("request %s: amount %s, terminal %s", m.stan, m.amount, m.tid)
	}
	if sale.State == "Reversed" {
		c.open[m.stan] = true
	}
}

// owner is what the terminal has to do with one trace number.
type owner struct {
	sale savedSale
	debt savedDebt
}

// owners finds who used each trace number, by the debts that were ever owed under it.
func (c *checker) owners() map[string]owner {
	all := map[string]owner{}
	for _, s := range c.left.sales {
		if s.STAN != 0 {
			all[s.key(s.STAN)] = owner{sale: s}
		}
	}
	for _, d := range c.left.debts {
		s := c.byID[d.sale]
		all[s.key(d.stan)] = owner{s, d}
	}
	return all
}

// books compares the three books: the checker's from the wire, the host's ledger, the terminal's journal.
func (c *checker) books() {
	c.found = append(c.found, c.bank.compare(c.seed, c.world.host)...)
	c.batchesAgree()
	owners := c.owners()
	voided := map[int64]bool{}
	for _, s := range c.left.sales {
		if s.Kind == "void" && s.State == "Approved" {
			voided[s.Of] = true
		}
	}
	for key, e := range c.bank.entries {
		if _, known := owners[key]; !known && e.moves() {
			c.say("%s stands at the host with %d, and the terminal knows nothing of it", key, e.amount)
		}
	}
	for key, o := range owners {
		if why := c.wrong(o, c.bank.entries[key], voided[int64(o.sale.ID)]); why != "" { //nolint:gosec // sale numbers stay below 2^63
			c.say("%s of sale %d (%s, %s, %s %s): %s; the host has %v", key, o.sale.ID, o.sale.Kind, o.sale.State, o.debt.kind, o.debt.state, why, c.bank.entries[key])
		}
	}
	for id, s := range c.shown {
		saved := c.byID[int64(id)] //nolint:gosec // as above
		if s.State == terminal.Approved && saved.asked() && !c.believable[saved.stan()] {
			c.say("sale %s was shown approved and no approval ever reached the terminal", id)
		}
	}
}

// batchesAgree compares the batches that were closed with the host's word: there they are closed, with the same totals.
func (c *checker) batchesAgree() {
	for _, b := range c.left.batches {
		if b.state != "Closed" || !b.balanced {
			continue
		}
		number, theirs := fmt.Sprintf("%06d", b.number), ""
		for _, h := range c.world.host.Batches() {
			if h.Batch == number {
				theirs = h.State
			}
		}
		if mine := b.totals(); theirs != "closed" || !strings.HasPrefix(c.bank.closed[number], mine) {
			c.say("batch %s is closed in balance with %s; the host has it %q, closed on the wire with %q", number, mine, theirs, c.bank.closed[number])
		}
	}
	for number := range c.bank.closed {
		if !slices.ContainsFunc(c.left.batches, func(b savedBatch) bool { return fmt.Sprintf("%06d", b.number) == number && b.state == "Closed" }) {
			c.say("batch %s is closed at the host and not here", number)
		}
	}
}

// wrong says what host and terminal do not agree on for one trace number, once nothing is owed any more.
func (c *checker) wrong(o owner, e *entry, voided bool) string {
	stands, approved := e != nil && e.stood(), o.sale.State == "Approved"
	switch {
	case o.debt.state == "WrittenOff": // the supervisor has settled it with the acquirer
		return ""
	case o.debt.kind == "reversal" && o.debt.state == "Acknowledged":
		if stands {
			return "it was reversed, and stands"
		}
		return ""
	case !approved:
		if stands {
			return "it stands"
		}
		return ""
	case o.sale.Kind == "balance":
		return ""
	case !stands:
		return "it does not stand"
	case e.amount != o.sale.taken():
		return fmt.Sprintf("its amount is not %d", o.sale.taken())
	case voided != (e.state == "voided"):
		return fmt.Sprintf("voided at the terminal: %t", voided)
	case o.sale.asked() && o.sale.reads() && !c.agreed[o.sale.stan()]:
		return "its card never agreed"
	}
	return ""
}

// clear looks for the cards' numbers in the clear, as text and packed, in everything that was written.
func (c *checker) clear() {
	var numbers [][]byte
	for _, a := range c.world.host.Accounts() {
		pan := a.PAN.Clear()
		packed, err := hex.DecodeString(pan)
		if err != nil {
			c.say("%v", err)
		}
		numbers = append(numbers, []byte(pan), packed, []byte(hex.EncodeToString([]byte(pan))))
	}
	look := func(where string, b []byte) {
		for _, n := range numbers {
			if bytes.Contains(b, n) {
				c.say("%s holds a card number in the clear", where)
			}
		}
	}
	for _, text := range c.left.text {
		look("the journal", text)
	}
	err := filepath.WalkDir(c.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		look(filepath.Base(path), b)
		return err
	})
	if err != nil {
		c.say("reading the state folder: %v", err)
	}
}
