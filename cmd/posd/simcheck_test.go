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
		world: w, asking: map[int64]string{}, bank: newWireBank(w.host.Ledger()), sent: map[string]int{}, open: map[string]bool{},
		due: map[string]bool{}, fixed: map[string]string{}, over: map[string]bool{}, serials: map[string]bool{}, under: map[string][]string{},
		believable: map[string]bool{}, saved: map[string]bool{}, turn: map[string]bool{}, parked: map[string]bool{}, requests: map[string]wireMessage{}, agreed: map[string]bool{},
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
	found   []string
	asking  map[int64]string     // STAN of the request that a reversal was owed for, by sale
	left    evidence             // on the disk
	sales   map[string]savedSale // by STAN: what the journal says in the end
	byID    map[int64]savedSale
	owners  map[string]owner // by STAN
	bank    *wireBank
	sent    map[string]int      // requests written, by STAN
	open    map[string]bool     // STANs whose reversal is owed and not yet acknowledged to the terminal
	due     map[string]bool     // of those, the ones whose sale is over
	fixed   map[string]string   // STAN of the message that a batch's row on disk has
	over    map[string]bool     // batches whose totals were fixed
	serials map[string]bool     // key serial numbers that went out
	under   map[string][]string // those of MACs, by STAN
	asked   wireMessage         // the request that the host works on

	saved      map[string]bool        // STANs on disk as Sending so far
	parked     map[string]bool        // STANs whose reversal somebody has to decide about
	turn       map[string]bool        // STANs whose reversal is on disk as Sent and was not written since
	requests   map[string]wireMessage // requests written, by STAN
	asks       string                 // STAN of the last request that left
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
	case 'r':
		c.parked[stan] = e.state == "Parked"
	case 'q':
		c.open[stan] = true
		c.due[stan] = true
	case 'f':
		for stan := range c.open {
			c.due[stan] = c.due[stan] || c.owners[stan].sale.ID == e.sale
		}
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
	c.sales, c.byID, c.owners = map[string]savedSale{}, map[int64]savedSale{}, map[string]owner{}
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
			c.owners[s.stan()] = owner{sale: s}
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
		c.own(d)
		c.states["end debt "+d.kind+" "+d.state]++
	}
	for i, b := range c.left.batches {
		c.states["end batch "+b.state]++
		if b.state != "Closed" && (b.state != "Open" || i != len(c.left.batches)-1) {
			c.say("batch %d is left %s", b.number, b.state)
		}
	}
	c.replay()
	c.queue()
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

// queue replays what waited for the bank: never more than the profile lets wait.
func (c *checker) queue() {
	kinds := map[int64]string{}
	for _, d := range c.left.debts {
		kinds[d.id] = d.kind
	}
	waits := map[string]map[int64]int64{"offline": {}, "deferred": {}}
	for _, r := range c.left.rows {
		if all := waits[r.way]; r.kind == "sale" && all != nil && (strings.Contains(r.duties, "+A") || strings.Contains(r.duties, "+D")) {
			all[r.sale] = r.amount
			c.limit(r.way, all)
		}
		if r.kind != "debt" || kinds[r.debt] == "reversal" {
			continue
		}
		if slices.Contains([]string{"Acknowledged", "WrittenOff"}, r.became) {
			delete(waits["offline"], r.sale)
			delete(waits["deferred"], r.sale)
		}
	}
}

func (c *checker) limit(way string, waits map[int64]int64) {
	count, most := simOfflineCount, int64(simOfflineSum)
	if way == "deferred" {
		count, most = simDeferredCount, simDeferredSum
	}
	sum := int64(0)
	for _, amount := range waits {
		sum += amount
	}
	if len(waits) > count || sum > most {
		c.say("%d approvals of %d wait, %s: %d of %d may", len(waits), sum, way, count, most)
	}
}

// settles are the codes with which a reversal does not hold up the next request any more: done, nothing to reverse, and refused
// for good, which parks it.
var settles = []string{"00", "25", "12", "30"}

// event takes one frame in the order of the wire.
func (c *checker) event(e wireEvent, m wireMessage) {
	if e.dir == '>' {
		c.keys(m)
	}
	switch {
	case m.mti == "0800" || m.mti == "0810":
	case e.dir == '>' && (m.mti[:3] == "050" || m.mti[:3] == "032"):
		c.ending(m)
	case e.dir == '>' && (m.mti == "0200" || m.mti == "0100"):
		c.request(m)
	case e.dir == '>' && (m.mti[:3] == "040" || m.mti[:3] == "022"):
		c.owed(m)
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
	case e.dir == '<' && (m.mti == "0210" || m.mti == "0110") && (m.rc == "00" || m.rc == "10") && c.requests[m.stan].stan != "":
		if m.stan == c.asks { // and not one that comes late
			c.answered = m.stan
		}
		c.believable[m.stan] = c.believable[m.stan] || authentic(e.data, c.under[m.stan])
	}
}

// owed looks at a message of a debt: its turn is on disk, and a reversal says what its request said.
func (c *checker) owed(m wireMessage) {
	o, request := c.owners[m.stan], c.requests[m.stan]
	if !c.turn[m.stan] {
		c.say("%s of STAN %s left before its turn was on disk", m.mti, m.stan)
	}
	c.turn[m.stan] = false
	if m.track2 || m.pan == "" || m.pin {
		c.say("%s of STAN %s: PAN there %t, track 2 %t, PIN %t", m.mti, m.stan, m.pan != "", m.track2, m.pin)
	}
	if m.mti[:3] != "040" {
		if asked := c.asking[int64(o.sale.ID)]; c.parked[asked] { //nolint:gosec // sale numbers stay below 2^63
			c.say("%s of STAN %s left while the reversal of %s, of the same sale, was parked", m.mti, m.stan, asked)
		}
		if c.over[m.said[60]] {
			c.say("%s of STAN %s left for batch %s, whose totals were fixed", m.mti, m.stan, m.said[60])
		}
		if o.advice.id == 0 || minor(m.amount) != o.sale.taken() {
			c.say("advice %s says %s, and is owed as %v of a sale of %d", m.stan, m.amount, o.advice, o.sale.taken())
		}
		return
	}
	if !o.reverses() || o.sale.State == "Declined" || (o.sale.State == "Approved" && o.sale.asked()) {
		c.say("STAN %s is reversed and the sale is %s", m.stan, o.sale.State)
	}
	if request.stan == "" {
		return
	}
	if err := sameSale(request, m); err != nil {
		c.say("the reversal of STAN %s: %v", m.stan, err)
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
	if !m.mac || m.macKey == "" || (m.pin && m.mti != "0200" && m.mti != "0100") || m.pin != (m.pinKey != "") {
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

// request looks at a message that asks the bank. One that was kept goes out like a debt, and as often as it takes.
func (c *checker) request(m wireMessage) {
	o := c.owners[m.stan]
	if o.advice.kind == "deferred" {
		c.owed(m)
		return
	}
	if !c.saved[m.stan] {
		c.say("request %s left before Sending was on disk", m.stan)
	}
	c.requests[m.stan], c.answered, c.asks = m, "", m.stan
	if c.over[m.said[60]] {
		c.say("request %s left for batch %s, whose totals were fixed", m.stan, m.said[60])
	}
	if c.sent[m.stan]++; c.sent[m.stan] > 1 {
		c.say("request %s was sent %d times", m.stan, c.sent[m.stan])
	}
	for old := range c.open {
		c.say("request %s left while the reversal of %s was owed", m.stan, old)
	}
	switch {
	case o.sale.ID == 0:
		c.say("request %s is of no sale", m.stan)
	case m.tid != "TILL0001", o.sale.Kind != "balance" && minor(m.amount) != o.sale.Amount.Minor:
		c.say("request %s: amount %s, terminal %s", m.stan, m.amount, m.tid)
	}
	if o.reverses() {
		c.open[m.stan] = true
	}
}

// owner is what the terminal has to do with one trace number: of a request with its reversal, of an advice, or of both.
type owner struct {
	sale             savedSale
	reversal, advice savedDebt
}

// own notes what was ever owed under a trace number.
func (c *checker) own(d savedDebt) {
	stan := fmt.Sprintf("%06d", d.stan)
	o := c.owners[stan]
	if o.sale.ID != 0 && int64(o.sale.ID) != d.sale { //nolint:gosec // sale numbers stay below 2^63
		c.say("sales %d and %d share STAN %s", o.sale.ID, d.sale, stan)
	}
	o.sale = c.byID[d.sale]
	if d.kind == "reversal" {
		o.reversal = d
		c.asking[d.sale] = stan
	} else {
		o.advice = d
	}
	c.owners[stan] = o
}

// reverses says that a reversal under a trace number has to reach the bank, or had to.
func (o owner) reverses() bool { return o.reversal.id != 0 && o.reversal.state != "Discharged" }

// requestOf is the trace number under which a sale asked the bank.
func (c *checker) requestOf(s savedSale) string {
	if stan := c.asking[int64(s.ID)]; stan != "" { //nolint:gosec // as above
		return stan
	}
	return s.stan()
}

// books compares the three books: the checker's from the wire, the host's ledger, the terminal's journal.
func (c *checker) books() {
	c.found = append(c.found, c.bank.compare(c.seed, c.host)...)
	c.batchesAgree()
	voided := map[int64]bool{}
	for _, s := range c.left.sales {
		if s.Kind == "void" && s.State == "Approved" {
			voided[s.Of] = true
		}
	}
	known, unsure := map[string]bool{}, c.settledByHand()
	for stan, o := range c.owners {
		batch := o.sale.Batch
		if o.advice.id == 0 && o.sale.LeftOut != 0 { // the request stays where it was made
			batch = o.sale.LeftOut
		}
		key := fmt.Sprintf("%06d/%s", batch, stan)
		known[key] = true
		if o.sale.LeftOut != 0 && o.advice.state == "WrittenOff" { // with the acquirer, whichever batch it has it in
			for n := o.sale.LeftOut; n <= o.sale.Batch; n++ {
				known[fmt.Sprintf("%06d/%s", n, stan)] = true
			}
		}
		id, e := int64(o.sale.ID), c.bank.entries[key] //nolint:gosec // sale numbers stay below 2^63
		gone := voided[id] || unsure[id] && e != nil && e.state == "voided"
		if why := c.wrong(o, stan, e, gone); why != "" {
			c.say("%s of sale %d (%s, %s, %s): %s; the host has %v", key, o.sale.ID, o.sale.Kind, o.sale.State, o.advice.kind, why, e)
		}
	}
	for key, e := range c.bank.entries {
		if !known[key] && e.moves() {
			c.say("%s stands at the host with %d, and the terminal knows nothing of it", key, e.amount)
		}
	}
	for id, s := range c.shown {
		saved := c.byID[int64(id)] //nolint:gosec // as above
		if s.State == terminal.Approved && saved.asked() && !c.believable[c.requestOf(saved)] {
			c.say("sale %s was shown approved and no approval ever reached the terminal", id)
		}
	}
}

// wrong says what host and terminal do not agree on for one trace number, once nothing is owed any more.
func (c *checker) wrong(o owner, stan string, e *entry, voided bool) string {
	stands, approved := e != nil && e.stood(), o.sale.State == "Approved"
	switch {
	case o.reversal.state == "WrittenOff", o.advice.state == "WrittenOff": // the supervisor has settled it with the acquirer
		return ""
	case o.reverses() || !approved:
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
	case e.class != "hold" && e.class != "increment" && voided != (e.state == "voided"):
		return fmt.Sprintf("voided at the terminal: %t", voided)
	case o.sale.asked() && o.sale.reads() && stan == c.requestOf(o.sale) && !c.agreed[stan]:
		return "its card never agreed"
	}
	return ""
}

// clear looks for the cards' numbers in the clear, as text and packed, in everything that was written.
func (c *checker) clear() {
	var numbers [][]byte
	for _, a := range c.host.Accounts() {
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
