package people

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Event is what an audit row is about.
type Event string

// The events.
const (
	EventStart    Event = "start"      // the daemon started: configuration and profile, by their hashes
	EventClock    Event = "clock"      // the clock was set back
	EventLogIn    Event = "login"      // log-in, or the failure of one
	EventLogOut   Event = "logout"     // log-out
	EventLock     Event = "lock"       // locked, by five wrong secrets or by an administrator
	EventUnlock   Event = "unlock"     // by an administrator
	EventFirst    Event = "init"       // the first administrator was made
	EventAdd      Event = "add"        // somebody was added
	EventRole     Event = "role"       // a role changed
	EventSecret   Event = "secret"     // a secret changed
	EventKeys     Event = "keys"       // something was done with keys
	EventDebt     Event = "debt"       // somebody decided about a debt that the host had refused
	EventRefund   Event = "refund"     // somebody asked for a refund that is of no sale
	EventDrawer   Event = "drawer"     // the cash drawer was opened: by somebody, or for cash back
	EventTrain    Event = "training"   // training mode was put on or off
	EventPrint    Event = "print"      // somebody gave up a paper that waited for the printer
	EventBatch    Event = "batch"      // somebody wanted a batch settled, or closed it by hand
	EventSupport  Event = "support"    // a support bundle was made
	EventLog      Event = "log"        // the log's level was changed
	EventParams   Event = "parameters" // a parameter package was applied, refused, taken back or gone back from
	EventBackup   Event = "backup"     // a backup was made, or one was put back
	EventOverride Event = "override"   // somebody allowed somebody else what their role may not, and what was done with it
	EventRefused  Event = "refused"    // a command without the role for it
	EventECR      Event = "ecr"        // a cash register was added, its token replaced or revoked, its nexo key added or retired
	EventRow      Event = "quarantine" // a row on disk does not authenticate
)

// Result is how it went.
type Result string

// The results.
const (
	Done   Result = "done"
	Denied Result = "denied"
	Failed Result = "failed"
	Tried  Result = "tried" // a log-in, counted before it is judged; what came of it follows
)

// Entry is what an audit row says. It holds no secret and no card data.
type Entry struct {
	Time   time.Time `json:"time"`
	Actor  string    `json:"actor"` // who: a name, or "terminal", or "nobody"
	Event  Event     `json:"event"`
	Person string    `json:"person,omitempty"` // whose record was written with the row, and only then
	Result Result    `json:"result"`
	Note   string    `json:"note,omitempty"`
}

// Actors who are nobody by name.
const (
	Terminal = "terminal" // the daemon itself
	Nobody   = "nobody"   // somebody who has not logged in
)

// Bounds of an entry.
const (
	maxActor = 64
	maxNote  = 400
)

// ErrEntry says that an entry cannot be an audit row: a defect of the caller.
var ErrEntry = errors.New("audit entry refused")

// Check refuses an entry that is empty, too long, or holds control characters or a run of digits like a card number's.
func (e Entry) Check() error {
	for _, text := range []string{e.Actor, string(e.Event), e.Person, string(e.Result), e.Note} {
		run := 0
		for _, c := range text {
			if run++; c < '0' || c > '9' {
				run = 0
			}
			if c < ' ' || c == 0x7F || run >= 12 {
				return fmt.Errorf("%s: control character or long number: %w", e.Event, ErrEntry)
			}
		}
	}
	if e.Actor == "" || len(e.Actor) > maxActor || e.Event == "" || len(e.Event) > maxActor || len(e.Person) > maxActor ||
		e.Result == "" || len(e.Result) > maxActor || len(e.Note) > maxNote || e.Time.IsZero() {
		return fmt.Errorf("%.32s: %w", e.Event, ErrEntry)
	}
	return nil
}

// Note makes one line of bounded printable text of what may come from outside.
func Note(format string, args ...any) string {
	text := strings.Map(func(c rune) rune {
		if c < ' ' || c >= 0x7F {
			return ' '
		}
		return c
	}, fmt.Sprintf(format, args...))
	out := make([]byte, 0, len(text))
	run := 0
	for i := range len(text) {
		if run++; text[i] < '0' || text[i] > '9' {
			run = 0
		}
		if run < 12 {
			out = append(out, text[i])
		}
	}
	return string(out[:min(len(out), maxNote)])
}

// Sum is a SHA-256.
type Sum [sha256.Size]byte

// Row is one row of the audit log. Rows count from 1 without gaps; each holds the hash of the one before.
type Row struct {
	Seq int64 `json:"seq"`
	Entry
	Previous Sum `json:"-"`
	Hash     Sum `json:"-"`
}

// After makes the row that follows a row (the zero Row before the first).
func (r Row) After(e Entry) Row {
	next := Row{Seq: r.Seq + 1, Entry: e, Previous: r.Hash}
	next.Hash = next.Sum()
	return next
}

// Sum is the hash that a row must have: over its number, every field with its length, and the hash before.
func (r Row) Sum() Sum {
	b := append(make([]byte, 0, 256), "tillway audit 1\n"...)
	b = append(b, r.Previous[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(r.Seq)) //nolint:gosec // the bits, not the number
	for _, text := range []string{r.Time.UTC().Format(time.RFC3339Nano), r.Actor, string(r.Event), r.Person, string(r.Result), r.Note} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(text))) //nolint:gosec // bounded by Check
		b = append(b, text...)
	}
	return sha256.Sum256(b)
}

// Finding is one thing that is wrong with a log or a table: where, and what.
type Finding struct {
	Table   string `json:"table"`
	Row     string `json:"row,omitempty"` // its number or name; empty where the table as a whole is meant
	Problem string `json:"problem"`
}

func (f Finding) String() string {
	if f.Row == "" {
		return f.Table + ": " + f.Problem
	}
	return f.Table + " row " + f.Row + ": " + f.Problem
}

// AuditTable is the audit log's name in findings.
const AuditTable = "audit"

// Chain checks rows in the order in which they stand. Feed every row from the first on to Next, then call End.
type Chain struct {
	last  Row
	found []Finding
}

// Next takes the next row; authentic says whether its own tag is right.
func (c *Chain) Next(r Row, authentic bool) {
	say := func(format string, args ...any) {
		c.found = append(c.found, Finding{AuditTable, fmt.Sprint(r.Seq), fmt.Sprintf(format, args...)})
	}
	switch want := c.last.Seq + 1; {
	case r.Seq == want+1:
		c.found = append(c.found, Finding{AuditTable, fmt.Sprint(want), "missing"})
	case r.Seq > want:
		c.found = append(c.found, Finding{AuditTable, fmt.Sprintf("%d to %d", want, r.Seq-1), "missing"})
	case r.Seq < want:
		say("out of order, behind row %d", c.last.Seq)
	}
	switch {
	case r.Sum() != r.Hash:
		say("changed: its hash is another")
	case !authentic:
		say("forged: its tag is not the secure module's")
	}
	if r.Seq == c.last.Seq+1 && r.Previous != c.last.Hash {
		say("does not follow the row before: one of the two was changed, put in or moved")
	}
	c.last = r
}

// Last is the row that came last.
func (c *Chain) Last() Row { return c.last }

// End compares the end of the log with an anchor: the number and hash of a row that was the last one when the anchor was
// made. whose names the anchor. A longer log is right only where later rows may have come: exact says that they may not.
func (c *Chain) End(whose string, seq int64, hash Sum, at func(int64) (Sum, bool), exact bool) {
	got, there := at(seq)
	switch {
	case seq > c.last.Seq:
		c.found = append(c.found, Finding{AuditTable, fmt.Sprintf("%d to %d", c.last.Seq+1, seq), "missing at the end: " + whose + " knows them"})
	case exact && seq < c.last.Seq:
		c.found = append(c.found, Finding{AuditTable, fmt.Sprintf("%d to %d", seq+1, c.last.Seq), "put in: " + whose + " ends before"})
	case seq > 0 && (!there || got != hash):
		c.found = append(c.found, Finding{AuditTable, fmt.Sprint(seq), "is not the row that " + whose + " knows"})
	}
}

// Found is what was found.
func (c *Chain) Found() []Finding { return c.found }
