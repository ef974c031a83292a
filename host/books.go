package host

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"tillway/emv"
	"tillway/host/ledger"
	"tillway/money"
)

// The accounts of the books. A cardholder's and a merchant's have their name behind it.
const (
	cardAccount  = "card:"             // what a cardholder may still spend
	heldAccount  = "held:"             // what pre-authorisations hold of it
	funding      = "issuer:funding"    // where the opening balances came from
	settlement   = "issuer:settlement" // what the issuer owes for sales that are not cleared yet
	clearing     = "clearing"          // between issuer and acquirer: empty after every clearing
	feeIncome    = "income:fees"
	merchantOwed = ":payable" // behind "merchant:NAME": cleared and not paid out yet
	merchantBank = ":account" // paid out
)

// The kinds of entries, as listings and statements show them.
const (
	entryOpening = "opening"
	entryReverse = "reversal"
)

// restart is where a host that is started again goes on from: what the records of its ledger say.
type restart struct {
	records map[string][]byte // newest by key
	order   []string
}

// openBooks opens the ledger, takes up what stands in it, and opens the accounts that it does not know yet. Accounts that
// it knows keep their balance, whatever the configuration says now.
func (h *Host) openBooks() error {
	r := restart{records: map[string][]byte{}}
	h.book = ledger.InMemory()
	if h.cfg.Books != nil {
		var err error
		h.book, err = h.cfg.Books(func(rec ledger.Record) error {
			if _, known := r.records[rec.Key]; !known {
				r.order = append(r.order, rec.Key)
			}
			r.records[rec.Key] = rec.Body
			return nil
		})
		if err != nil {
			return err
		}
	}
	if err := h.resume(r); err != nil {
		return errors.Join(err, h.book.Close())
	}
	return nil
}

func (h *Host) resume(r restart) error {
	now := h.cfg.Clock()
	for _, key := range r.order {
		if err := h.restore(key, r.records[key]); err != nil {
			return fmt.Errorf("%w: record %s of the ledger: %w", ErrConfig, printable(key), err)
		}
	}
	opened := map[string]int64{}
	for _, e := range h.book.Entries(0) {
		if e.Kind == entryOpening {
			opened[e.Legs[1].Account] = e.Legs[1].Minor
		}
	}
	for _, a := range h.cfg.Accounts {
		name := cardAccount + a.Name
		if opening, known := opened[name]; known {
			h.issuer.Resume(a.PAN, opening, h.book.Balance(name, h.cfg.Currency))
			continue
		}
		if a.Balance.Minor == 0 {
			continue
		}
		h.entry(entryOpening, "", now, []ledger.Leg{{Account: funding, Minor: -a.Balance.Minor}, {Account: name, Minor: a.Balance.Minor}})
	}
	h.post()
	return h.book.Sync()
}

// entry puts an entry into what the present decision writes. The caller holds mu.
func (h *Host) entry(kind, ref string, now time.Time, legs []ledger.Leg) {
	h.work.Entries = append(h.work.Entries, ledger.Entry{At: now, Kind: kind, Ref: ref, Currency: h.cfg.Currency, Legs: legs})
}

// post hands what the present decision writes to the ledger. The caller holds mu, and tells nobody before Sync.
func (h *Host) post() {
	if len(h.work.Entries)+len(h.work.Records) == 0 {
		return
	}
	err := h.book.Append(h.work)
	h.work = ledger.Batch{}
	if errors.Is(err, ledger.ErrUnbalanced) || errors.Is(err, ledger.ErrEntry) {
		panic("host: " + err.Error())
	}
}

// ref names a transaction in the books.
func (k key) ref() string { return strings.TrimSpace(k.terminal) + "/" + k.batch + "/" + k.stan }

// negated is what takes legs back.
func negated(legs []ledger.Leg) []ledger.Leg {
	out := make([]ledger.Leg, len(legs))
	for i, l := range legs {
		out[i] = ledger.Leg{Account: l.Account, Minor: -l.Minor}
	}
	return out
}

// move posts the legs of a transaction: in the books, and at the issuer, who decides by what is left. The caller holds mu.
func (h *Host) move(kind string, r *record, now time.Time, legs []ledger.Leg) {
	h.entry(kind, r.key.ref(), now, legs)
	for _, l := range legs {
		if l.Account == cardAccount+r.account {
			h.issuer.Move(r.pan, l.Minor)
		}
	}
}

// kept is a record as the ledger keeps it. Card number and message are marks only: see ledger.Mark.
type kept struct {
	Terminal   string       `json:"terminal"`
	Batch      string       `json:"batch"`
	STAN       string       `json:"stan"`
	Made       string       `json:"made,omitempty"`
	Digest     string       `json:"digest"`
	Card       string       `json:"card"`
	Account    string       `json:"account,omitempty"`
	Invoice    string       `json:"invoice,omitempty"`
	Kind       Kind         `json:"kind"`
	Merchant   string       `json:"merchant"`
	Amount     int64        `json:"amount"`
	Approved   int64        `json:"approved"`
	Cash       int64        `json:"cash,omitempty"`
	Refunded   int64        `json:"refunded,omitempty"`
	Step       bool         `json:"step,omitempty"`
	Proved     string       `json:"proved,omitempty"`
	Refers     *[3]string   `json:"refers,omitempty"` // terminal, batch, STAN
	Cleared    bool         `json:"cleared,omitempty"`
	Fee        int64        `json:"fee,omitempty"`
	Uploaded   bool         `json:"uploaded,omitempty"`
	State      State        `json:"state"`
	RRN        string       `json:"rrn"`
	AuthCode   string       `json:"auth_code,omitempty"`
	At         time.Time    `json:"at"`
	ReversedAt *time.Time   `json:"reversed_at,omitempty"`
	Legs       []ledger.Leg `json:"legs,omitempty"`
	Proof      string       `json:"proof,omitempty"` // ATC and cryptogram, which may not come again
	Answer     keptAnswer   `json:"answer,omitzero"`
}

// keptAnswer is the answer that a repeat gets.
type keptAnswer struct {
	Code     string    `json:"code"`
	RRN      string    `json:"rrn"`
	AuthCode string    `json:"auth_code,omitempty"`
	Chip     string    `json:"chip,omitempty"`
	WrongPIN bool      `json:"wrong_pin,omitempty"`
	Tries    int       `json:"tries,omitempty"`
	Amounts  string    `json:"amounts,omitempty"`
	Part     int64     `json:"part,omitempty"`
	At       time.Time `json:"at"`
}

const recordPrefix = "txn/"

// keep writes a record's present state. The caller holds mu.
func (h *Host) keep(r *record) {
	if h.cfg.Books == nil {
		return
	}
	a := r.answer
	k := kept{
		Terminal: r.key.terminal, Batch: r.key.batch, STAN: r.key.stan, Made: r.made, Digest: hex.EncodeToString(r.digest[:]), Card: hex.EncodeToString(r.card[:]),
		Account: r.account, Invoice: r.invoice, Amount: r.amount.Minor, State: r.state, RRN: r.rrn, AuthCode: r.authCode, At: r.at, Legs: r.legs,
		Proof: hex.EncodeToString(r.proof), Answer: keptAnswer{a.code, a.rrn, a.authCode, hex.EncodeToString(a.chip), a.wrongPIN, a.tries, a.amounts, a.part, a.at},
		Kind: r.kind, Merchant: r.merchant, Approved: r.approved, Cash: r.cash, Refunded: r.refunded, Step: r.step, Proved: r.proved, Cleared: r.cleared, Fee: r.fee, Uploaded: r.uploaded,
	}
	if r.refers != (key{}) {
		k.Refers = &[3]string{r.refers.terminal, r.refers.batch, r.refers.stan}
	}
	if !r.reversedAt.IsZero() {
		k.ReversedAt = &r.reversedAt
	}
	body, err := json.Marshal(k)
	if err != nil {
		panic("host: a record that is no JSON: " + err.Error())
	}
	h.work.Records = append(h.work.Records, ledger.Record{Key: recordPrefix + r.key.ref(), Body: body})
}

// restore takes up one record of the ledger.
func (h *Host) restore(name string, body []byte) error {
	if strings.HasPrefix(name, batchPrefix) {
		return h.restoreBatch(body)
	}
	if terminal, ok := strings.CutPrefix(name, keysPrefix); ok {
		return h.restoreKeys(terminal, body)
	}
	if account, ok := strings.CutPrefix(name, triesPrefix); ok {
		return h.restoreTries(account, body)
	}
	if !strings.HasPrefix(name, recordPrefix) {
		return errors.New("of a kind that this program does not know")
	}
	var k kept
	if err := json.Unmarshal(body, &k); err != nil {
		return err
	}
	if h.ledger.full() {
		return errors.New("more transactions than a host remembers")
	}
	r := &record{
		key: key{k.Terminal, k.Batch, k.STAN}, made: k.Made, account: k.Account, invoice: k.Invoice, amount: money.New(k.Amount, h.cfg.Currency), state: k.State,
		rrn: k.RRN, authCode: k.AuthCode, at: k.At, legs: k.Legs,
		answer: answer{code: k.Answer.Code, rrn: k.Answer.RRN, authCode: k.Answer.AuthCode, wrongPIN: k.Answer.WrongPIN, tries: k.Answer.Tries, amounts: k.Answer.Amounts, part: k.Answer.Part, at: k.Answer.At},
		kind:   k.Kind, merchant: k.Merchant, approved: k.Approved, cash: k.Cash, refunded: k.Refunded, step: k.Step, proved: k.Proved, cleared: k.Cleared, fee: k.Fee, uploaded: k.Uploaded,
	}
	if k.Refers != nil {
		r.refers = key{k.Refers[0], k.Refers[1], k.Refers[2]}
	}
	if k.ReversedAt != nil {
		r.reversedAt = *k.ReversedAt
	}
	digest, err := hex.DecodeString(k.Digest)
	card, cerr := hex.DecodeString(k.Card)
	if err := errors.Join(err, cerr); err != nil || len(digest) != len(r.digest) || len(card) != len(r.card) {
		return errors.New("marks that are none")
	}
	r.digest, r.card = [32]byte(digest), [32]byte(card)
	r.answer.chip, err = hex.DecodeString(k.Answer.Chip)
	if r.proof, cerr = hex.DecodeString(k.Proof); errors.Join(err, cerr) != nil {
		return errors.New("chip data that are none")
	}
	r.pan = h.panOf(r.account)
	if len(r.legs) > 0 && r.pan.IsZero() {
		return fmt.Errorf("account %q is gone: start with the accounts of before, or with an empty folder", printable(r.account))
	}
	h.issuer.Used(r.pan, r.proof)
	if r.stands() || r.state == Completed {
		h.issuer.Count(r.pan, r.at, r.spends(), 1)
	}
	if n := len(r.rrn); n == 12 {
		count, _ := strconv.ParseUint(r.rrn[6:], 10, 32)
		h.rrn = max(h.rrn, uint32(count))
	}
	h.ledger.add(r)
	if r.state == Lost {
		h.ledger.forget(r)
	}
	return nil
}

// panOf is the number of one of the issuer's accounts, zero where there is none.
func (h *Host) panOf(account string) emv.PAN {
	for _, a := range h.cfg.Accounts {
		if a.Name == account {
			return a.PAN
		}
	}
	return emv.PAN{}
}

// accountOf is the name of the account that has a number, empty where there is none.
func (h *Host) accountOf(pan emv.PAN) string {
	for _, a := range h.cfg.Accounts {
		if a.PAN == pan {
			return a.Name
		}
	}
	return ""
}

// Trial is the trial balance of the books: every currency adds up to zero.
func (h *Host) Trial() []ledger.Trial { return h.book.Trial() }

// Entries lists the entries of the books after a number, oldest first.
func (h *Host) Entries(after int64) []ledger.Entry { return h.book.Entries(after) }

// Close ends the books. Whoever made the host closes it, when nobody asks it any more.
func (h *Host) Close() error { return h.book.Close() }
