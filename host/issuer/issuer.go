// Package issuer is the card issuer behind the simulated host: accounts by number, balances, and the decision on one
// authorisation with the chip's cryptogram verified under the issuer's key.
//
// It is a simulator: keys lie in memory in the clear, and only published test keys belong in it. It knows no message and
// no terminal (package host has those) and keeps no ledger of its own. It is not safe for concurrent use: its one owner,
// host.Host, calls it under its lock.
// Sources: EMV 4.4 Book 2, 8 (issuer side) and Book 3, Annex C10 (card status update); ISO 8583:1987 DE 39.
package issuer

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tillway/emv"
	"tillway/emv/cryptogram"
	"tillway/emv/tlv"
	"tillway/money"
)

// The response codes that the issuer gives (DE 39).
const (
	Approved     = "00"
	ApprovedPart = "10" // for less than was asked
	OverSum      = "61" // more than the card may spend in a day
	OverCount    = "65" // more often than the card may pay in a day
	DoNotHonour  = "05" // also for a wrong cryptogram: the 1987 list has no code of its own for it
	WrongAmount  = "13" // what the chip signed is not what the message asks for
	NoSuchCard   = "14"
	FormatError  = "30"
	NoFunds      = "51"
	CardExpired  = "54"
	WrongPIN     = "55"
	PINBlocked   = "75"
)

// Bounds of DE 55: twice what terminals send.
const (
	maxChipBytes = 512
	maxChipTags  = 64
)

// maxTries is how many wrong PINs in a row block a card's online PIN; pvki is the index of every PVK here.
const (
	maxTries = 3
	pvki     = "1"
)

// ErrAccount says that an account of the table cannot be used.
var ErrAccount = errors.New("account not usable")

// Account is one row of the issuer's table.
type Account struct {
	Name     string // what the simulator's own listings call it: "credit"
	PAN      emv.PAN
	PSN      string // two digits: PAN sequence number
	Expiry   string // YYMM: good until the end of that month
	Balance  money.Amount
	PVV      string // Visa's PIN verification value, under PVK and its index 1; empty: the card has no PIN
	PVK      []byte // 16 bytes; published test keys only
	CVK      []byte // 16 bytes, of the card verification value on the stripe; none: it is not checked. Published test keys only
	MostADay int    // payments that a day may have; 0: any number
	SumADay  int64  // minor units that a day may sum up to; 0: any
	IMK      []byte // issuer master key for application cryptograms, 16 bytes; published test keys only
}

// Statement is how an account stands; the number masks itself wherever it is written out.
type Statement struct {
	Name    string       `json:"name"`
	PAN     emv.PAN      `json:"pan"`
	Expired bool         `json:"expired"`
	Opening money.Amount `json:"opening"`
	Balance money.Amount `json:"balance"`
}

// account is an Account at work.
type account struct {
	Account

	keys    cryptogram.Keys
	tries   int // PIN tries left
	opening money.Amount
	day     string // that count and sum are of
	count   int
	sum     int64
	seen    map[[10]byte]struct{} // ATC and ARQC of what was answered: the pair may not come a second time
}

// Issuer holds the accounts. One goroutine at a time may use it.
type Issuer struct {
	byPAN map[string]*account
	order []*account
}

// New makes an issuer with the accounts given. Error: ErrAccount, with the account's name.
func New(accounts []Account) (*Issuer, error) {
	is := &Issuer{byPAN: make(map[string]*account, len(accounts))}
	for _, a := range accounts {
		if len(a.Expiry) != 4 || strings.Trim(a.Expiry, "0123456789") != "" || a.Balance.Minor < 0 || a.PAN.IsZero() {
			return nil, fmt.Errorf("account %q: number, expiry (YYMM) or balance: %w", a.Name, ErrAccount)
		}
		if is.byPAN[a.PAN.Clear()] != nil {
			return nil, fmt.Errorf("account %q: another has its number: %w", a.Name, ErrAccount)
		}
		keys, err := cryptogram.ForCard(a.IMK, a.PAN.Clear(), a.PSN)
		if err != nil {
			return nil, fmt.Errorf("account %q: %w: %w", a.Name, ErrAccount, err)
		}
		if a.PVV != "" {
			if _, err := cryptogram.PVV(a.PVK, pvki, "0000", a.PAN.Clear()); err != nil || len(a.PVV) != 4 {
				return nil, fmt.Errorf("account %q: PIN verification value or its key: %w", a.Name, ErrAccount)
			}
		}
		a.IMK = slices.Clone(a.IMK)
		a.PVK = slices.Clone(a.PVK)
		if a.CVK = slices.Clone(a.CVK); a.CVK != nil {
			if _, err := cryptogram.CVV(a.CVK, a.PAN.Clear(), a.Expiry, iCVV); err != nil {
				return nil, fmt.Errorf("account %q: key of the card verification value: %w", a.Name, ErrAccount)
			}
		}
		acc := &account{Account: a, keys: keys, tries: maxTries, opening: a.Balance, seen: map[[10]byte]struct{}{}}
		is.byPAN[a.PAN.Clear()] = acc
		is.order = append(is.order, acc)
	}
	return is, nil
}

// Statements lists the accounts in the table's order.
func (is *Issuer) Statements(now time.Time) []Statement {
	out := make([]Statement, 0, len(is.order))
	for _, a := range is.order {
		out = append(out, Statement{a.Name, a.PAN, expired(a.Expiry, now), a.opening, a.Balance})
	}
	return out
}

// Request is one authorisation as the issuer sees it.
type Request struct {
	PAN    emv.PAN
	Expiry string // YYMM of track 2
	PSN    string // DE 23, three digits; empty where the message had none
	Amount money.Amount
	Chip   []byte // DE 55
	Now    time.Time
	Force  string // a response code that overrules the decision; empty in earnest

	Cash    int64 // minor units of Amount that are given out in cash
	Inquiry bool  // asks for the balance: no amount, nothing is approved but the card
	Partial bool  // less than Amount may be approved

	Kept   bool   // the card is not there: more is asked for what it was read for before
	Swiped bool   // read by the stripe: there is no chip data
	Track  string // then: track 2 behind the expiry, service code first

	WithPIN bool   // the message had a PIN block
	PIN     []byte // what was in it, ASCII digits; nil where it could not be read. The caller wipes it
}

// Decision is the issuer's answer.
type Decision struct {
	Code string // DE 39
	Chip []byte // DE 55 of the answer: tag 91; nil where no cryptogram was verified
	Why  string // one sentence for the simulator's log, no card data

	Part  int64  // of ApprovedPart: minor units
	Proof []byte // ATC and cryptogram that were answered: they may not come again. None where none was verified

	WrongPIN bool // 55 or 75 because of the PIN
	Tries    int  // left, then
}

// Authorise decides. What an approval takes off the balance the caller books, and says with Move. The order is: account (14), chip data (30),
// amount signed by the chip (13), cryptogram (05), expiry (54), PIN (55, 75), funds (51). A decision behind a good cryptogram carries
// issuer authentication data, also when it declines, so that the card can tell the issuer's "no" from a stranger's.
func (is *Issuer) Authorise(r Request) Decision {
	a := is.byPAN[r.PAN.Clear()]
	if a == nil {
		return forced(r, Decision{Code: NoSuchCard, Why: "no account with this number"})
	}
	if r.Kept {
		code, why := a.decide(r, emv.Data{})
		code, why, _ = a.part(r, code, why)
		return Decision{Code: code, Why: why}
	}
	if r.Swiped {
		return a.authoriseStripe(r)
	}
	chip, err := ReadChip(r.Chip)
	if err != nil {
		return forced(r, Decision{Code: FormatError, Why: err.Error()})
	}
	if d, bad := a.check(r, chip); bad {
		return forced(r, d)
	}
	code, why := a.decide(r, chip)
	wrong := code == WrongPIN || code == PINBlocked
	code, why, part := a.part(r, code, why)
	answer, err := a.keys.Answer(chip, reply(code))
	if err != nil {
		return Decision{Code: DoNotHonour, Why: "issuer authentication: " + err.Error()}
	}
	proof := replayKey(chip)
	a.seen[proof] = struct{}{}
	return Decision{Part: part, Proof: proof[:], Code: code, Chip: tlv.Append(nil, emv.TagIssuerAuthenticationData, answer), Why: why, WrongPIN: wrong && r.Force == "", Tries: a.tries}
}

// forced lets a test amount's code stand for whatever a request without a good cryptogram would have got.
func forced(r Request, d Decision) Decision {
	if r.Force != "" {
		return Decision{Code: r.Force, Why: "test amount"}
	}
	return d
}

// ReadChip reads the data objects of DE 55: one level, bounded, no tag twice.
func ReadChip(de55 []byte) (emv.Data, error) {
	var d emv.Data
	if len(de55) == 0 || len(de55) > maxChipBytes {
		return d, fmt.Errorf("chip data of %d bytes, 1 to %d are taken: %w", len(de55), maxChipBytes, tlv.ErrMalformed)
	}
	items, err := tlv.Parse(de55)
	if err != nil {
		return d, fmt.Errorf("chip data: %w", err)
	}
	if len(items) > maxChipTags {
		return d, fmt.Errorf("chip data of %d objects, at most %d: %w", len(items), maxChipTags, tlv.ErrMalformed)
	}
	for _, it := range items {
		if d.Has(it.Tag) {
			return emv.Data{}, fmt.Errorf("chip data: tag %s twice: %w", it.Tag, tlv.ErrMalformed)
		}
		d.Put(it.Tag, it.Value)
	}
	return d, nil
}

// check compares what the chip signed with what the message says, then the cryptogram itself.
func (a *account) check(r Request, chip emv.Data) (Decision, bool) {
	n12, err := r.Amount.N12()
	if err != nil || fmt.Sprintf("%x", chip.Value(emv.TagAmountAuthorised)) != n12 {
		return Decision{Code: WrongAmount, Why: "tag 9F02 is not the amount of DE 4"}, true
	}
	if fmt.Sprintf("%x", chip.Value(emv.TagTransactionCurrencyCode)) != fmt.Sprintf("%04d", r.Amount.Currency.Numeric) {
		return Decision{Code: WrongAmount, Why: "tag 5F2A is not the currency of the account"}, true
	}
	psn, inChip := chip.Get(emv.TagPANSequenceNumber)
	if (inChip && fmt.Sprintf("%x", psn) != a.PSN) || (r.PSN != "" && r.PSN != "0"+a.PSN) {
		return Decision{Code: NoSuchCard, Why: "sequence number is not the card's"}, true
	}
	if r.Cash > 0 && fmt.Sprintf("%x", chip.Value(emv.TagAmountOther)) != fmt.Sprintf("%012d", r.Cash) {
		return Decision{Code: WrongAmount, Why: "tag 9F03 is not the cash of DE 54"}, true
	}
	if cid := chip.Value(emv.TagCID); len(cid) != 1 || emv.CID(cid[0]).Cryptogram() != emv.ARQC {
		return Decision{Code: DoNotHonour, Why: "tag 9F27 does not name an ARQC"}, true
	}
	if err := a.keys.Verify(chip); err != nil {
		return Decision{Code: DoNotHonour, Why: err.Error()}, true
	}
	if _, twice := a.seen[replayKey(chip)]; twice {
		return Decision{Code: DoNotHonour, Why: "cryptogram was used before"}, true
	}
	return Decision{}, false
}

// Certificate checks the transaction certificate (TC) of what was approved without asking: its amount and currency are the message's, and
// the cryptogram is the card's. The error says what is wrong; what follows from it is the caller's to say.
func (is *Issuer) Certificate(r Request) error {
	a := is.byPAN[r.PAN.Clear()]
	if a == nil {
		return errors.New("no account with this number")
	}
	chip, err := ReadChip(r.Chip)
	if err != nil {
		return err
	}
	n12, err := r.Amount.N12()
	cid := chip.Value(emv.TagCID)
	switch {
	case err != nil || fmt.Sprintf("%x", chip.Value(emv.TagAmountAuthorised)) != n12:
		return errors.New("tag 9F02 is not the amount of DE 4")
	case fmt.Sprintf("%x", chip.Value(emv.TagTransactionCurrencyCode)) != fmt.Sprintf("%04d", r.Amount.Currency.Numeric):
		return errors.New("tag 5F2A is not the currency of the account")
	case len(cid) != 1 || emv.CID(cid[0]).Cryptogram() != emv.TC:
		return errors.New("tag 9F27 does not name a TC")
	}
	return a.keys.Verify(chip)
}

// replayKey is the ATC and the cryptogram; both have been verified to be there.
func replayKey(chip emv.Data) [10]byte {
	return [10]byte(append(slices.Clone(chip.Value(emv.TagATC)), chip.Value(emv.TagApplicationCryptogram)...))
}

// wedged compares what the terminal says of a PIN that the card checks (9F34, Book 4, A4) with what the card says under its
// cryptogram: they differ where somebody between the two answered VERIFY.
func wedged(chip emv.Data) bool {
	results := chip.Value(emv.TagCVMResults)
	if len(results) != 3 || results[2] == 1 {
		return false
	}
	switch results[0] & 0x3F {
	case 1, 3, 4, 5: // plaintext and enciphered, alone and beside a signature
		accepted, known := emv.CardSaysPIN(chip.Value(emv.TagDFName), chip.Value(emv.TagIssuerApplicationData))
		return known && !accepted
	}
	return false
}

func (a *account) decide(r Request, chip emv.Data) (code, why string) {
	switch {
	case r.Expiry != a.Expiry:
		return CardExpired, "expiry is not the card's"
	case expired(a.Expiry, r.Now):
		return CardExpired, "card expired"
	}
	if tvr := chip.Value(emv.TagTVR); len(tvr) == len(emv.TVR{}) && emv.TVR(tvr).Has(emv.TVRPINTryLimitExceeded) {
		return DoNotHonour, "the card's own PIN tries are used up"
	}
	if wedged(chip) {
		return DoNotHonour, "the terminal says that the card accepted a PIN, and the card knows of none"
	}
	if code, why := a.checkPIN(r, chip); code != "" {
		return code, why
	}
	switch {
	case r.Amount.Currency != a.Balance.Currency:
		return WrongAmount, "account has another currency"
	case r.Inquiry && r.Amount.Minor == 0:
		return Approved, "balance asked for"
	case r.Amount.Minor <= 0 || r.Inquiry:
		return WrongAmount, "amount is zero, or it is none of an inquiry"
	case r.Cash > r.Amount.Minor:
		return WrongAmount, "more cash than the amount"
	}
	if count, sum := a.spent(r.Now); a.MostADay > 0 && count >= a.MostADay {
		return OverCount, "as many payments today as the card may make"
	} else if a.SumADay > 0 && r.Amount.Minor > a.SumADay-sum {
		return OverSum, "more today than the card may spend"
	}
	switch {
	case r.Partial && r.Amount.Minor > a.Balance.Minor && a.Balance.Minor > 0:
		return ApprovedPart, "approved for what is left"
	case r.Amount.Minor > a.Balance.Minor:
		return NoFunds, "balance too low"
	}
	return Approved, "approved"
}

// checkPIN counts tries: three wrong in a row, and no PIN is taken any more. A request whose chip data say that an online
// PIN was entered, and that brings none, was tampered with: it is refused, and costs no try.
func (a *account) checkPIN(r Request, chip emv.Data) (code, why string) {
	said := len(chip.Value(emv.TagCVMResults)) == 3 && chip.Value(emv.TagCVMResults)[0]&0x3F == onlinePIN
	switch {
	case !r.WithPIN && !said:
		return "", ""
	case a.tries == 0:
		return PINBlocked, "PIN tries used up"
	case !r.WithPIN:
		return WrongPIN, "tag 9F34 says online PIN, and there is none"
	case a.pinIs(r.PIN):
		a.tries = maxTries
		return "", ""
	}
	if a.tries--; a.tries == 0 {
		return PINBlocked, "wrong PIN, the last"
	}
	return WrongPIN, "wrong PIN"
}

// Tries is how many PIN tries a card has left; none where the issuer has no such card.
func (is *Issuer) Tries(pan emv.PAN) int {
	if a := is.byPAN[pan.Clear()]; a != nil {
		return a.tries
	}
	return 0
}

// ResumeTries takes up how many PIN tries a card had left; more than there are at most is as many.
func (is *Issuer) ResumeTries(pan emv.PAN, left int) {
	if a := is.byPAN[pan.Clear()]; a != nil {
		a.tries = min(left, maxTries)
	}
}

// onlinePIN is the method in bits 6 to 1 of the CVM results' first byte (Book 3, C3).
const onlinePIN = 0x02

func (a *account) pinIs(pin []byte) bool {
	if a.PVV == "" || len(pin) != 4 {
		return false
	}
	got, err := cryptogram.PVV(a.PVK, pvki, string(pin), a.PAN.Clear())
	return err == nil && subtle.ConstantTimeCompare([]byte(got), []byte(a.PVV)) == 1
}

// expired says whether the month YYMM has ended; years are 2000 to 2099.
func expired(yymm string, now time.Time) bool { return now.Format("0601") > yymm }

// reply is what tag 91 tells the card: the code itself (method 1), or in the card status update whether the issuer
// approves (byte 2, bit 8: method 2).
func reply(code string) cryptogram.Reply {
	r := cryptogram.Reply{ARC: [2]byte([]byte(code))}
	if code == Approved || code == ApprovedPart {
		r.CSU[1] = 0x80
	}
	return r
}

// Move changes an account's balance by what the host's books moved: below zero for what was taken. The host books every
// approval once and takes it back once. A balance may fall below zero only by what was approved without asking.
func (is *Issuer) Move(pan emv.PAN, minor int64) {
	a := is.byPAN[pan.Clear()]
	if a == nil {
		panic("issuer: moving money of an account that is not there")
	}
	a.Balance.Minor += minor
}

// Resume sets what an account was opened with and has now: for a host that is started again.
func (is *Issuer) Resume(pan emv.PAN, opening, balance int64) {
	a := is.byPAN[pan.Clear()]
	if a == nil {
		panic("issuer: resuming an account that is not there")
	}
	a.opening.Minor, a.Balance.Minor = opening, balance
}

// Used tells of a cryptogram that was answered before the host was started again: Decision.Proof of then.
func (is *Issuer) Used(pan emv.PAN, proof []byte) {
	if a := is.byPAN[pan.Clear()]; a != nil && len(proof) == len([10]byte{}) {
		a.seen[[10]byte(proof)] = struct{}{}
	}
}

// part lets a test amount's code stand for what was decided, and says how much of the amount is approved where that is less:
// what is left, or half of it where the test amount asks for that.
func (a *account) part(r Request, code, why string) (string, string, int64) {
	half := r.Amount.Minor / 2
	switch {
	case r.Force == ApprovedPart && r.Partial && code == Approved && half > 0:
		return ApprovedPart, "test amount: half of it", half
	case r.Force == ApprovedPart && r.Partial && code != ApprovedPart:
		return code, why, 0 // there is no part of it: what was decided stands
	case r.Force != "" && r.Force != code:
		return r.Force, "test amount", 0
	case code == ApprovedPart:
		return code, why, a.Balance.Minor
	}
	return code, why, 0
}

// Count adds a payment to what its card spent on its day (by is 1), or takes it off (-1). A zero amount does not count. What is of an
// earlier day than the latest is over.
func (is *Issuer) Count(pan emv.PAN, at time.Time, minor int64, by int) {
	a := is.byPAN[pan.Clear()]
	if a == nil || minor == 0 {
		return
	}
	day := at.Format(time.DateOnly)
	if day > a.day {
		a.day, a.count, a.sum = day, 0, 0
	}
	if day == a.day {
		a.count += by
		a.sum += int64(by) * minor
	}
}

// spent is how often and how much the card paid on the day of now.
func (a *account) spent(now time.Time) (count int, sum int64) {
	if now.Format(time.DateOnly) != a.day {
		return 0, 0
	}
	return a.count, a.sum
}
