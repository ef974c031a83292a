package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"tillway/terminal"
)

// wireMessage is a captured frame, read by a parser of the checker's own: the few fields it looks at, from the layout
// that public NAC messages agree on. It shares no code with the codec, the dialect or the host.
type wireMessage struct {
	mti, pan, amount, stan, rc, tid string
	track2                          bool
	expiry                          string // of DE 14, or of track 2
	pinKey, macKey                  string // key serial numbers
	pin, mac                        bool
	said                            map[int]string // every field
}

// layout is one field: how its length is given, and whether its content is packed digits.
type layout struct {
	fixed  int // bytes; 0 where a length stands before
	prefix int // bytes of BCD length
	digits bool
}

var nacLayout = map[int]layout{
	2: {0, 1, true}, 3: {3, 0, true}, 4: {6, 0, true}, 11: {3, 0, true}, 12: {3, 0, true}, 13: {2, 0, true}, 14: {2, 0, true},
	22: {2, 0, true}, 23: {2, 0, true}, 24: {2, 0, true}, 25: {1, 0, true}, 35: {0, 1, true}, 37: {12, 0, false}, 38: {6, 0, false},
	39: {2, 0, false}, 41: {8, 0, false}, 42: {15, 0, false}, 49: {2, 0, true}, 55: {0, 2, false}, 52: {8, 0, false}, 60: {0, 2, false}, 61: {0, 2, false},
	62: {0, 2, false}, 63: {0, 2, false}, 64: {8, 0, false},
}

func readWire(b []byte) (m wireMessage, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("frame %x: %v", b, r)
		}
	}()
	m.said = map[int]string{}
	b = b[5:] // TPDU
	m.mti = hex.EncodeToString(b[:2])
	bitmap := b[2:10]
	b = b[10:]
	for n := 2; n <= 64; n++ {
		if bitmap[(n-1)/8]&(0x80>>((n-1)%8)) == 0 {
			continue
		}
		l, known := nacLayout[n]
		if !known {
			return m, fmt.Errorf("field %d is not in the checker's layout", n)
		}
		size, odd := l.fixed, false
		if l.prefix > 0 {
			count, err := strconv.Atoi(hex.EncodeToString(b[:l.prefix]))
			if err != nil {
				return m, err
			}
			if size = count; l.digits {
				size, odd = (count+1)/2, count%2 == 1
			}
			b = b[l.prefix:]
		}
		value := string(b[:size])
		if l.digits {
			if value = strings.ToUpper(hex.EncodeToString(b[:size])); odd {
				value = strings.TrimSuffix(strings.TrimPrefix(value, "0"), "F")
			}
		}
		b = b[size:]
		m.keep(n, value)
	}
	if len(b) != 0 {
		return m, fmt.Errorf("%d bytes behind the last field", len(b))
	}
	return m, nil
}

func (m *wireMessage) keep(n int, value string) {
	m.said[n] = value
	switch n {
	case 2:
		m.pan = value
	case 4:
		m.amount = value
	case 11:
		m.stan = value
	case 35:
		m.track2 = true
		m.pan, m.expiry, _ = strings.Cut(value, "D")
		m.expiry = m.expiry[:4]
	case 39:
		m.rc = value
	case 41:
		m.tid = value
	case 52:
		m.pin = true
	case 61:
		for i := 0; i+4 <= len(value); {
			n, err := strconv.Atoi(value[i+2 : i+4])
			if err != nil {
				panic(err)
			}
			switch value[i : i+2] {
			case "PK":
				m.pinKey = value[i+4 : i+4+n]
			case "MK":
				m.macKey = value[i+4 : i+4+n]
			}
			i += 4 + n
		}
	case 64:
		m.mac = true
	case 14:
		m.expiry = value
	}
}

// sameSale says whether a reversal says what its request said, and leaves nothing out but track, chip and PIN; its keys
// and MAC are its own.
func sameSale(request, reversal wireMessage) error {
	for n, asked := range request.said {
		switch n {
		case 23, 35, 52, 55, 61, 64: // track, chip, PIN, and the keys and MAC that are each message's own
			continue
		}
		if got := reversal.said[n]; got != asked {
			return fmt.Errorf("field %d is %q, was %q", n, got, asked)
		}
	}
	if request.pan != reversal.pan || request.expiry != reversal.expiry {
		return errors.New("it is for another card")
	}
	return nil
}

// posting is what the checker itself makes of the wire: what must stand at the host.
type posting struct {
	amount, pan string
	reversed    bool
}

// check recomputes host and terminal from what went over the wire and what the cashier was shown, and compares.
func (w *world) check(ctx context.Context) []string {
	c := &checker{
		world: w, posted: map[string]*posting{}, rejected: map[string]bool{}, sent: map[string]int{}, open: map[string]bool{},
		serials: map[string]bool{}, under: map[string][]string{},
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
	forgiven map[string]bool     // STANs whose reversal was written off by hand
	posted   map[string]*posting // by STAN
	rejected map[string]bool     // STANs whose reversal the host took before their request
	sent     map[string]int      // requests written, by STAN
	open     map[string]bool     // STANs whose reversal is owed and not yet acknowledged to the terminal
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
	case e.dir == '>' && m.mti == "0200":
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
	case e.dir == 'a':
		c.host(m)
	case e.dir == '<' && m.mti == "0410" && slices.Contains(settles, m.rc) && authentic(e.data, c.under[m.stan]):
		delete(c.open, m.stan)
	case e.dir == '<' && m.mti == "0210" && m.rc == "00" && c.requests[m.stan].stan != "":
		c.answered = m.stan
		c.believable[m.stan] = c.believable[m.stan] || authentic(e.data, c.under[m.stan])
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

// host books what the host said, as the host should have.
func (c *checker) host(m wireMessage) {
	stan := c.asked.stan // an answer may carry a wrong one on purpose
	switch c.asked.mti {
	case "0200":
		if m.rc == "00" && c.posted[stan] == nil && !c.rejected[stan] {
			c.posted[stan] = &posting{amount: c.asked.amount, pan: c.asked.pan}
		}
	case "0400":
		if m.rc == "63" { // not believed: nothing happened
			return
		}
		if p := c.posted[stan]; p != nil {
			if p.amount != c.asked.amount || p.pan != c.asked.pan {
				c.say("reversal of %s has another amount or card than its request", stan)
			}
			p.reversed = true
		} else {
			c.rejected[stan] = true
		}
	}
}

// books compares the three books: the checker's from the wire, the host's ledger, the terminal's journal.
func (c *checker) books() {
	ledger := map[string]string{}
	for _, p := range c.world.host.Ledger() {
		ledger[p.STAN] = string(p.State)
		mine := c.posted[p.STAN]
		// An answer that the test amounts keep back never passes the wire: the ledger alone knows it was posted.
		if mine == nil {
			mine = &posting{amount: fmt.Sprintf("%012d", p.Amount.Minor), pan: p.PAN.Clear(), reversed: p.ReversedAt != nil}
			c.posted[p.STAN] = mine
			if s, ok := c.sales[p.STAN]; !ok || s.Amount.Minor%1000 != 101 {
				c.say("the host's ledger has STAN %s, which it never answered", p.STAN)
			}
		}
		if mine.amount != fmt.Sprintf("%012d", p.Amount.Minor) || mine.reversed != (p.ReversedAt != nil) {
			c.say("STAN %s: the ledger says %s %s, the wire %+v", p.STAN, p.Amount.Format(), p.State, *mine)
		}
	}
	stands := map[string]int64{}
	for stan, p := range c.posted {
		if ledger[stan] == "" {
			c.say("STAN %s was approved on the wire and is not in the ledger", stan)
		}
		sale, known := c.sales[stan]
		if !p.reversed {
			n, _ := strconv.ParseInt(p.amount, 10, 64)
			stands[p.pan] += n
			if c.forgiven[stan] { // the supervisor has settled it with the acquirer
				continue
			}
			if !known || sale.State != "Approved" {
				c.say("STAN %s stands at the host with %s, the terminal says %q", stan, p.amount, sale.State)
			}
		}
	}
	for stan, s := range c.sales {
		p := c.posted[stan]
		if s.State == "Approved" && (p == nil || p.reversed || p.amount != fmt.Sprintf("%012d", s.Amount.Minor)) {
			c.say("sale %d is approved with %d, the host has %+v", s.ID, s.Amount.Minor, p)
		}
		if s.State == "Approved" && !c.agreed[stan] {
			c.say("sale %d is approved, and its card never agreed", s.ID)
		}
	}
	for _, a := range c.world.host.Accounts() {
		if a.Opening.Minor-a.Balance.Minor != stands[a.PAN.Clear()] {
			c.say("account %s lost %d, the wire says %d", a.Name, a.Opening.Minor-a.Balance.Minor, stands[a.PAN.Clear()])
		}
	}
	for id, s := range c.shown {
		if s.State == terminal.Approved && !c.believable[fmt.Sprintf("%06d", s.STAN)] {
			c.say("sale %s was shown approved and no approval ever reached the terminal", id)
		}
	}
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
