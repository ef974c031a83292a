package terminal

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"tillway/emv"
	"tillway/money"
)

// SaleID numbers a sale on this terminal, from 1, ascending, never used twice (leased outside the database).
type SaleID uint64

func (id SaleID) String() string { return strconv.FormatUint(uint64(id), 10) }

// ErrNoSale says that the journal has no such sale.
var ErrNoSale = errors.New("no such sale")

// ParseSaleID reads what String wrote.
func ParseSaleID(s string) (SaleID, error) {
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%q is no sale number: it is the number the receipt calls SALE, like 1042", s)
	}
	return SaleID(n), nil
}

// Order is what the cashier asks for.
type Order struct {
	Kind      Kind         `json:"kind"`
	Amount    money.Amount `json:"amount"`              // of goods and services; of a void or a balance inquiry zero
	Tip       money.Amount `json:"tip,omitzero"`        // on top of it; of a sale
	Cashback  money.Amount `json:"cashback,omitzero"`   // cash given out, on top of it; of a sale
	Of        SaleID       `json:"of,omitempty"`        // the earlier transaction: of a void, increment or completion always, of a refund where there is one
	AuthCode  string       `json:"auth,omitempty"`      // of a forced sale: what the issuer said by voice, 1 to 6 letters and digits
	Reference string       `json:"reference,omitempty"` // the shop's own, at most 64 bytes of UTF-8, printed on the receipt
	Key       string       `json:"key,omitempty"`       // idempotency key: the same key gives the same sale again
	By        string       `json:"-"`                   // who asks, for the journal
	Asked     *Asked       `json:"-"`                   // how a cash register named it; nil: it did not
}

// Total is what the card pays: amount, tip and cash.
func (o Order) Total() money.Amount {
	return money.New(o.Amount.Minor+o.Tip.Minor+o.Cashback.Minor, o.Amount.Currency)
}

// Entered is how a card's data came into the terminal.
type Entered string

// The ways. EnteredFallback is a stripe read in place of a chip that could not be used; host, journal and receipt tell it from a
// card without a chip.
const (
	EnteredChip     Entered = "chip"
	EnteredStripe   Entered = "swiped"
	EnteredFallback Entered = "fallback"
)

// Way is how a transaction came to be approved.
type Way string

// The ways.
const (
	WayOnline   Way = "online"   // the host said so
	WayOffline  Way = "offline"  // card and terminal did, and the host is told by an advice (TC)
	WayDeferred Way = "deferred" // nobody yet: the request is kept until the host can be reached, at the merchant's risk
	WayVoice    Way = "voice"    // the issuer did, by telephone
)

// RecordVersion is the version of Sale's and Entry's encoding in the journal.
const RecordVersion = 1

// Sale is the record of one sale: everything that receipt, report and recovery need, and nothing that must not be
// kept. It holds no clear PAN, expiry or track.
type Sale struct {
	V         int          `json:"v"` // RecordVersion
	ID        SaleID       `json:"id"`
	Kind      Kind         `json:"kind"`
	State     State        `json:"state"`
	Acquirer  string       `json:"acquirer"`
	Batch     uint32       `json:"batch"`              // 1 to 999999
	LeftOut   uint32       `json:"left_out,omitempty"` // the batch that it was made in, where that was settled without it, and it went over into Batch
	Amount    money.Amount `json:"amount"`             // what the card is asked to pay: with tip and cash
	Tip       money.Amount `json:"tip,omitzero"`       // of it
	Cashback  money.Amount `json:"cashback,omitzero"`  // of it
	Approved  money.Amount `json:"approved,omitzero"`  // where the host approved less than Amount (partial approval): what it approved
	Of        SaleID       `json:"of,omitempty"`       // the earlier transaction that this one is about
	By        string       `json:"by,omitempty"`       // who asked for it, where they were logged in
	Reference string       `json:"reference,omitempty"`
	Key       string       `json:"key,omitempty"`
	Asked     *Asked       `json:"asked,omitempty"` // how a cash register named it, in messages of its own
	Started   time.Time    `json:"started"`
	Updated   time.Time    `json:"updated"`

	TerminalID string    `json:"tid"`
	MerchantID string    `json:"mid"`
	STAN       uint32    `json:"stan,omitempty"`
	Invoice    uint32    `json:"invoice,omitempty"`
	LocalTime  time.Time `json:"local_time,omitzero"` // of the request: DE 12, 13 and tags 9A, 9F21

	MaskedPAN   string     `json:"pan,omitempty"`   // first six and last four
	Token       string     `json:"token,omitempty"` // keyed token of the card, hex: finds its sales without its number; the journal's
	Scheme      string     `json:"scheme,omitempty"`
	Label       string     `json:"label,omitempty"`
	AID         string     `json:"aid,omitempty"`          // hex
	Entry       Entered    `json:"entry,omitempty"`        // how the card was read
	ClearStripe bool       `json:"clear_stripe,omitempty"` // the stripe reader sent it in clear, which is a test
	Method      emv.Method `json:"cvm,omitempty"`
	Signature   bool       `json:"signature,omitempty"` // the cashier compares a signature, or did: alone or beside a PIN
	Language    string     `json:"language,omitempty"`  // tag 5F2D as sent
	ODA         emv.ODA    `json:"oda,omitzero"`
	Tags        emv.Data   `json:"tags,omitzero"` // without secrets
	Why         []emv.Why  `json:"why,omitempty"`

	ResponseCode string `json:"rc,omitempty"`   // DE 39
	RRN          string `json:"rrn,omitempty"`  // DE 37
	AuthCode     string `json:"auth,omitempty"` // DE 38
	HostText     string `json:"host_text,omitempty"`

	Way      Way          `json:"way,omitempty"`      // of an approved one: how
	TwoStep  bool         `json:"two,omitempty"`      // the host was asked for an authorisation; a completion advice takes the money
	Balance  money.Amount `json:"balance,omitzero"`   // of a balance inquiry: what is available
	Training bool         `json:"training,omitempty"` // played in training mode: never in the journal
	Twin     SaleID       `json:"twin,omitempty"`     // the same card has paid the same amount a moment ago, in that sale

	Host     string    `json:"host,omitempty"`     // of several, the one that the request went to
	HostTime time.Time `json:"host_time,omitzero"` // of the answer: the host's DE 12 and 13, beside our own LocalTime

	Outcome Outcome `json:"outcome,omitzero"` // set with the final state
}

// Taken is the money that an approved transaction moved, or holds: what the host approved.
func (s Sale) Taken() money.Amount {
	if s.Approved.Minor > 0 {
		return s.Approved
	}
	return s.Amount
}

// CapturedMinor is what the sale adds to its batch: what was taken, in minor units, below zero what was given. A sale that was not
// approved adds nothing, and neither does a kind that captures nothing. What a void took back is left out by whoever adds up.
func (s Sale) CapturedMinor() int64 {
	switch {
	case s.State != Approved || !s.Kind.Captured():
		return 0
	case s.Kind.Credit():
		return -s.Taken().Minor
	}
	return s.Taken().Minor
}

// Original is the sale as a later message names it.
func (s Sale) Original() Original {
	return Original{
		Kind: s.Kind, STAN: s.STAN, Batch: s.Batch, Invoice: s.Invoice, Time: s.LocalTime, RRN: s.RRN, AuthCode: s.AuthCode,
		Amount: s.Taken(), Way: s.Way, TwoStep: s.TwoStep,
	}
}

// Agreement is what the cashier says of a signature, and of an approval in part: that it matches, and that the customer pays the
// rest in another way.
type Agreement struct {
	Matches bool
	By      string // who says so, for the journal
}

// Outcome says what a final state means: for the cashier, in three parts.
type Outcome struct {
	Code     string `json:"code"`      // stable word for programs: "approved", "declined", "cancelled", "timed_out", "card_removed", "host_unreachable", "no_answer", "card_refused", "power_lost", "card_error"
	Happened string `json:"happened"`  // what happened
	Do       string `json:"do"`        // what to do
	MayRetry bool   `json:"may_retry"` // whether this card may be tried again

	HappenedAR string `json:"happened_ar,omitempty"` // both in Arabic: in answers only, never in the journal
	DoAR       string `json:"do_ar,omitempty"`
}

// EntryKind is what a journal row is about.
type EntryKind string

// The kinds of journal rows.
const (
	SaleEntry   EntryKind = "sale"   // a transition of a sale
	DebtEntry   EntryKind = "debt"   // a transition of a debt
	StrayEntry  EntryKind = "stray"  // an answer nobody waits for: late, twice, or not ours
	SignOnEntry EntryKind = "signon" // sign-on to the acquirer, with its result
	BatchEntry  EntryKind = "batch"  // a transition of a batch
	StartEntry  EntryKind = "start"  // the daemon started
)

// Entry is one journal row to be appended, and with it what changes in the projections.
type Entry struct {
	Time   time.Time
	Kind   EntryKind
	From   State   // SaleEntry
	Event  string  // Event, DebtEvent or BatchEvent
	Duties []Duty  // SaleEntry
	Sale   *Sale   // SaleEntry: the record after the transition
	Debt   *Debt   // DebtEntry: the debt after the transition
	Batch  *Batch  // BatchEntry: the batch after the transition
	Secret *Secret // with the transition into Sending: what is sealed
	Erase  bool    // the host has answered or will not: the request with its track 2 goes for good in this commit
	Note   string  // one sentence; no card data
}

// Secret is what is sealed apart from the journal under the batch key. However it is printed, logged or marshalled, it
// shows none of it.
type Secret struct {
	Card     CardData // the zero value where the sale's was sealed before
	Request  []byte   // the request's bytes as composed (holds track 2): erased with the answer
	Reversal []byte   // the reversal's bytes as composed: the debt's message
	Advice   []byte   // the bytes of the advice that the transition owes, or of the request that it keeps for later
}

// String keeps the bytes out of every log.
func (Secret) String() string { return "sealed card data" }

// Format keeps every verb from printing the bytes.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// LogValue keeps the bytes out of log/slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText keeps the bytes out of JSON, the logger's too.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// CardData is the clear card data of one sale, in memory only while the sale runs; on disk only sealed.
type CardData struct {
	PAN    emv.PAN
	Expiry string // YYMM
	PSN    string // PAN sequence number, two digits, or empty
	Track2 emv.Track2
}

type cardDataWire struct {
	PAN    string `json:"pan"`
	Expiry string `json:"expiry,omitempty"`
	PSN    string `json:"psn,omitempty"`
}

// String masks.
func (c CardData) String() string { return c.PAN.Masked() }

// Format masks under every verb.
func (c CardData) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(c.PAN.Masked())) }

// LogValue masks in log/slog.
func (c CardData) LogValue() slog.Value { return slog.StringValue(c.PAN.Masked()) }

// MarshalText masks in JSON, the logger's too: no expiry stands beside the number. Plain is the clear form.
func (c CardData) MarshalText() ([]byte, error) { return []byte(c.PAN.Masked()), nil }

// Plain is the clear form for the sealing module, and for nothing else: PAN, expiry and sequence number. Track 2 is
// not part of it.
func (c CardData) Plain() ([]byte, error) {
	return json.Marshal(cardDataWire{c.PAN.Clear(), c.Expiry, c.PSN})
}

// errCardData says that bytes are not what Plain made. It quotes none of them.
var errCardData = errors.New("not the card data that was sealed")

// ParseCardData reads what Plain wrote. Its error holds none of it.
func ParseCardData(plain []byte) (CardData, error) {
	var w cardDataWire
	if err := json.Unmarshal(plain, &w); err != nil {
		return CardData{}, errCardData
	}
	pan, err := emv.NewPAN(w.PAN)
	if err != nil || !digits(w.Expiry, 4) || !digits(w.PSN, 2) {
		return CardData{}, errCardData
	}
	return CardData{PAN: pan, Expiry: w.Expiry, PSN: w.PSN}, nil
}

// digits says that s is empty or n digits.
func digits(s string, n int) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s == "" || len(s) == n
}

// JournalRow is one journal row as the till and `pos journal` read it.
type JournalRow struct {
	Seq    int64     `json:"seq"` // ascending from 1, without gaps
	Time   time.Time `json:"time"`
	Kind   EntryKind `json:"kind"`
	Sale   SaleID    `json:"sale,omitempty"`
	From   State     `json:"from,omitempty"`
	Event  string    `json:"event,omitempty"`
	To     string    `json:"to,omitempty"` // State, DebtState or BatchState
	Duties []Duty    `json:"duties,omitempty"`
	Note   string    `json:"note,omitempty"`
	Record *Sale     `json:"record,omitempty"` // SaleEntry: the record after the row
	Debt   *Debt     `json:"debt,omitempty"`
	Batch  *Batch    `json:"batch,omitempty"` // BatchEntry: the batch after the row
}
