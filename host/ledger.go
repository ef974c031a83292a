package host

import (
	"crypto/sha256"
	"time"

	"tillway/emv"
	"tillway/host/issuer"
	"tillway/host/ledger"
	"tillway/money"
)

// State is what became of a transaction at the host.
type State string

// The states. Only what is Posted or OnHold stands; from there it can go to Reversed or Voided, and from OnHold to Completed.
const (
	Posted      State = "posted"
	Reversed    State = "reversed"
	Declined    State = "declined"
	OnHold      State = "held"
	Completed   State = "completed"   // a pre-authorisation, by another transaction
	Voided      State = "voided"      // by another transaction
	Inquired    State = "inquired"    // answered, and nothing moved
	Forestalled State = "forestalled" // its reversal came first: it will not be taken any more
)

// Posting is one transaction that moved money, now or once. The card number masks itself.
type Posting struct {
	Terminal   string       `json:"terminal"`
	Batch      string       `json:"batch"`
	STAN       string       `json:"stan"`
	Invoice    string       `json:"invoice"`
	Amount     money.Amount `json:"amount"`
	Kind       Kind         `json:"kind"`
	State      State        `json:"state"` // Posted, Reversed, Voided, OnHold or Completed
	Cleared    bool         `json:"cleared"`
	RRN        string       `json:"rrn"`
	AuthCode   string       `json:"auth_code"`
	PAN        emv.PAN      `json:"pan"`
	At         time.Time    `json:"at"`
	ReversedAt *time.Time   `json:"reversed_at,omitempty"`

	Certificate string `json:"certificate,omitempty"` // of an advice with chip data: Verified or Wrong
}

// What the issuer finds of the transaction certificate of an advice. One that is wrong is posted all the same, for the goods are gone; who
// bears the loss is not decided here.
const (
	Verified = "verified"
	Wrong    = "wrong"
)

// key is what makes an original unique: the host refuses a second one.
type key struct{ terminal, batch, stan string }

// record is all the host keeps of one transaction; of its message only the digest.
type record struct {
	key        key
	made       string
	digest     [sha256.Size]byte
	invoice    string
	pan        emv.PAN
	amount     money.Amount
	state      State
	rrn        string
	authCode   string
	at         time.Time
	reversedAt time.Time
	answer     answer
	card       [sha256.Size]byte // the number's mark
	account    string            // the issuer's account, empty where it has none
	legs       []ledger.Leg      // what it moved in the books, when it did
	proof      []byte            // ATC and cryptogram
	kind       Kind
	merchant   string
	approved   int64 // minor units: the amount, or what of it was approved
	cash       int64 // of it
	refunded   int64 // by linked refunds
	step       bool  // of a pre-authorisation: it is the first step of a sale in two, and goes with it
	refers     key   // the transaction that it voids, raises, completes or refunds
	cleared    bool
	fee        int64  // of the clearing
	proved     string // of an advice: what its certificate is worth
	uploaded   bool   // the terminal's batch upload has it
}

// records holds them. Its owner is the Host, under its lock.
type records struct {
	byKey   map[key]*record
	latest  map[key]*record // by terminal and STAN alone, for reversals that name no batch
	order   []*record
	byRRN   map[string]*record
	byBatch map[key][]*record // by terminal and batch
	about   map[key][]*record // what refers to a transaction, by its key
}

func newRecords() records {
	return records{byKey: map[key]*record{}, latest: map[key]*record{}, byRRN: map[string]*record{}, byBatch: map[key][]*record{}, about: map[key][]*record{}}
}

func (l *records) full() bool { return len(l.order) >= maxRecords }

func (q query) key() key { return key{q.terminal, q.batch, q.stan} }

func (l *records) add(r *record) {
	l.byKey[r.key] = r
	l.latest[key{terminal: r.key.terminal, stan: r.key.stan}] = r
	l.order = append(l.order, r)
	of := key{terminal: r.key.terminal, batch: r.key.batch}
	l.byBatch[of] = append(l.byBatch[of], r)
	if r.rrn != "" {
		l.byRRN[r.rrn] = r
	}
	if r.refers != (key{}) {
		l.about[r.refers] = append(l.about[r.refers], r)
	}
}

// find looks a transaction up by terminal, batch and STAN. A reversal that names no batch means the latest with its
// STAN, if invoice and amount are the same too; and such a reversal that came first is found by its original in the same way.
func (l *records) find(q query) *record {
	if r := l.byKey[q.key()]; r != nil {
		return r
	}
	r := l.latest[key{terminal: q.terminal, stan: q.stan}]
	if r == nil || (q.batch != "" && r.key.batch != "") || r.invoice != q.invoice || r.amount != q.amount {
		return nil
	}
	return r
}

// Ledger lists the postings in the order in which they were made.
func (h *Host) Ledger() []Posting {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := make([]Posting, 0, len(h.ledger.order))
	for _, r := range h.ledger.order {
		if len(r.legs) == 0 {
			continue
		}
		p := Posting{
			Terminal: r.key.terminal, Batch: r.key.batch, STAN: r.key.stan, Invoice: r.invoice, Amount: money.New(r.approved, r.amount.Currency), State: r.state, Kind: r.kind, Cleared: r.cleared,
			RRN: r.rrn, AuthCode: r.authCode, PAN: r.pan, At: r.at, Certificate: r.proved,
		}
		if !r.reversedAt.IsZero() {
			at := r.reversedAt
			p.ReversedAt = &at
		}
		out = append(out, p)
	}
	return out
}

// Accounts lists how the issuer's accounts stand.
func (h *Host) Accounts() []issuer.Statement {
	now := h.cfg.Clock()
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.issuer.Statements(now)
}
