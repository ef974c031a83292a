// Package receipt draws a transaction's receipt. It is a pure function of its record and the merchant's header, so a
// reprint tells the same as the first print, and besides what has become of it since. A Receipt is a model; Text and HTML lay it out, JSON is the model itself.
//
// No copy shows more of the card number than its last four digits, and none its expiry date. Every form is in English,
// in Arabic or in both; Page has both beside each other, for media that lay it out themselves. It prints nothing itself and keeps nothing.
// Sources: the schemes' published minimum receipt requirements (merchant and terminal, amount with currency, AID and
// application name, cardholder verification, truncated PAN, no expiry date; a failed attempt carries its reason); EMV
// 4.4 Book 4, 11.1 (application preferred name before label; the kernel has chosen already).
package receipt

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"tillway/emv"
	"tillway/emv/tlv"
	"tillway/money"
	"tillway/terminal"
)

// ErrNotFinal says that a sale is still running: what it will come to is not known, so there is no receipt yet.
var ErrNotFinal = errors.New("the sale is still running")

// Header is what stands above every receipt of a shop.
type Header struct {
	Name     string         `json:"name"`
	Location []string       `json:"location"`
	Zone     *time.Location `json:"-"` // of the printed time; nil: as the record has it

	Digits money.Digits `json:"-"` // of amounts and counts in Arabic; empty: Latin

	NameArabic     string   `json:"name_arabic,omitempty"` // for pages in Arabic; empty: there is none
	LocationArabic []string `json:"location_arabic,omitempty"`
}

// Copy says who gets the paper.
type Copy string

// The copies. The merchant's has the chip's data. Of a sale whose signature is still to be compared there is the merchant's
// alone, with the line to sign on.
const (
	Customer Copy = "customer"
	Merchant Copy = "merchant"
)

// ParseCopy reads a copy's name.
func ParseCopy(s string) (Copy, error) {
	switch c := Copy(s); c {
	case Customer, Merchant:
		return c, nil
	}
	return "", fmt.Errorf("%q is no copy: there are customer and merchant", s)
}

// Receipt is one copy, ready to be laid out. All its text is printable and of one line each.
type Receipt struct {
	Copy      Copy `json:"copy"`
	Duplicate bool `json:"duplicate"` // printed before: says so in large letters

	Merchant   Header `json:"merchant"`
	MerchantID string `json:"mid"`
	TerminalID string `json:"tid"`

	Training bool `json:"training,omitempty"` // played: no card was charged and no bank was asked

	Sale      terminal.SaleID `json:"sale"`
	Kind      terminal.Kind   `json:"kind"`
	Type      string          `json:"type"` // "SALE", "REFUND", …
	Time      time.Time       `json:"time"`
	Amount    money.Amount    `json:"amount"`            // that was asked for, with tip and cash
	Tip       money.Amount    `json:"tip,omitzero"`      // of it
	Cashback  money.Amount    `json:"cashback,omitzero"` // of it
	Approved  money.Amount    `json:"approved,omitzero"` // where it was approved for less than Amount
	Rest      money.Amount    `json:"rest,omitzero"`     // with Approved, of a sale: what is left to pay
	Balance   money.Amount    `json:"balance,omitzero"`  // of a balance inquiry, on the customer's copy alone
	Reference string          `json:"reference,omitempty"`
	Of        terminal.SaleID `json:"of,omitempty"`       // the earlier transaction that it is about
	Original  *Original       `json:"original,omitempty"` // and that one's own numbers; About fills them in

	Later   []Later `json:"later,omitempty"`   // on a reprint: what was approved about it since, and stands
	Unknown bool    `json:"unknown,omitempty"` // on a reprint: what has become of it since cannot be read

	Verdict   string       `json:"verdict"`          // "APPROVED", "APPROVED OFFLINE", "DECLINED", "CANCELLED", "REVERSED", "PLEASE SIGN", …
	Way       terminal.Way `json:"way,omitempty"`    // of an approved one: how
	Due       bool         `json:"due,omitempty"`    // the bank approved, and the sale waits for the signature: nothing is final
	Done      bool         `json:"done"`             // approved: what was asked for was done
	Charged   bool         `json:"charged"`          // whether the customer pays; with Way deferred, once the bank approves
	Statement string       `json:"statement"`        // what that means for the money: "NOT CHARGED", "NO MONEY HAS BEEN TAKEN", what was charged
	Code      string       `json:"code"`             // terminal.Outcome's word for programs
	Reason    string       `json:"reason,omitempty"` // when not approved: what happened
	Advice    string       `json:"advice,omitempty"` // what to do (merchant), or to expect (customer), where there is something
	HostText  string       `json:"host_text,omitempty"`

	Card *Card `json:"card,omitempty"` // nil when no card was read

	Stored       int64  `json:"stored,omitempty"` // of one that the bank is told of later: its number among what waits (pos queue); AsStored fills it in
	ResponseCode string `json:"rc,omitempty"`
	AuthCode     string `json:"auth,omitempty"`
	RRN          string `json:"rrn,omitempty"`
	STAN         string `json:"stan,omitempty"`    // six digits
	Invoice      string `json:"invoice,omitempty"` // six digits
	Batch        string `json:"batch,omitempty"`   // six digits

	Chip []Element `json:"chip,omitempty"` // what the chip and the terminal made of the sale; Text prints it on the merchant copy
}

// Card is the card as a receipt may show it.
type Card struct {
	Label        string `json:"label,omitempty"`
	Scheme       string `json:"scheme,omitempty"`
	PAN          string `json:"pan"` // all but the last four digits masked
	AID          string `json:"aid,omitempty"`
	Entry        string `json:"entry"`                  // "CHIP", "SWIPED", "FALLBACK", "NOT READ AGAIN"; ", TEST" behind a stripe that was read in clear
	Verification string `json:"verification,omitempty"` // "NO CARDHOLDER VERIFICATION", …; empty where no card was read
	Sign         bool   `json:"sign"`                   // the copy has a signature line
}

// Original is how an earlier transaction is found: by its own numbers.
type Original struct {
	Type     string    `json:"type"`
	Time     time.Time `json:"time"`
	RRN      string    `json:"rrn,omitempty"`
	STAN     string    `json:"stan,omitempty"`    // six digits
	Invoice  string    `json:"invoice,omitempty"` // six digits
	AuthCode string    `json:"auth,omitempty"`
}

// Element is one data object of the chip.
type Element struct {
	Name  string `json:"name"`
	Tag   string `json:"tag"`
	Value string `json:"value"`
}

// Draw makes one copy of a sale's receipt: when it has ended, and the merchant's while its signature is to be compared.
// Error: ErrNotFinal.
func Draw(sale terminal.Sale, header Header, copied Copy, duplicate bool) (Receipt, error) {
	if !sale.State.Final() && (!due(sale) || copied != Merchant) {
		return Receipt{}, fmt.Errorf("sale %s: %w: a receipt comes when it has ended", sale.ID, ErrNotFinal)
	}
	r := Receipt{
		Copy: copied, Duplicate: duplicate, Training: sale.Training, Merchant: clean(header),
		MerchantID: line(sale.MerchantID), TerminalID: line(sale.TerminalID),
		Sale: sale.ID, Kind: sale.Kind, Type: wordsOf(sale.Kind).title, Time: when(sale, header.Zone),
		Amount: sale.Amount, Tip: sale.Tip, Cashback: sale.Cashback, Reference: line(sale.Reference), Of: sale.Of,
		Code: sale.Outcome.Code, HostText: line(sale.HostText),
		ResponseCode: line(sale.ResponseCode), AuthCode: line(sale.AuthCode), RRN: line(sale.RRN),
		STAN: number(sale.STAN), Invoice: number(sale.Invoice), Batch: number(sale.Batch),
		Card: card(sale), Chip: chip(sale.Tags),
	}
	r.verdict(sale)
	if r.Training {
		r.Charged, r.Statement = false, "NOTHING WAS CHARGED"
	}
	return r, nil
}

// About is the receipt with the numbers of the earlier transaction that it is about: refunds and voids are found by them. A record
// of another one changes nothing.
func (r Receipt) About(of terminal.Sale) Receipt {
	if r.Of == 0 || of.ID != r.Of {
		return r
	}
	r.Original = &Original{
		Type: wordsOf(of.Kind).title, Time: when(of, r.Merchant.Zone), RRN: line(of.RRN), STAN: number(of.STAN),
		Invoice: number(of.Invoice), AuthCode: line(of.AuthCode),
	}
	return r
}

// AsStored is the receipt with the number under which the terminal keeps it for the bank; of one that the bank decided there is none.
func (r Receipt) AsStored(debt int64) Receipt {
	if r.Done && (r.Way == terminal.WayOffline || r.Way == terminal.WayDeferred || r.Way == terminal.WayVoice) {
		r.Stored = debt
	}
	return r
}

// Later is a transaction about this one.
type Later struct {
	Sale   terminal.SaleID `json:"sale"`
	Kind   terminal.Kind   `json:"kind"`
	Type   string          `json:"type"`
	Amount money.Amount    `json:"amount"`
}

// Since is the reprint with what became of the transaction after its first print. One that was voided says so where it said
// "approved": nobody is to get goods or money for it again. known is false where that cannot be read.
func (r Receipt) Since(later []terminal.Sale, known bool) Receipt {
	r.Unknown = !known
	for _, s := range later {
		r.Later = append(r.Later, Later{s.ID, s.Kind, wordsOf(s.Kind).title, s.Taken()})
		if s.Kind == terminal.KindVoid {
			r.Verdict, r.Charged, r.Statement, r.Advice = "APPROVED, AND VOIDED LATER", false, wordsOf(r.Kind).undone, ""
		}
	}
	return r
}

// due says that the sale waits for its signature. An approval in part may wait for the cashier's word without one.
func due(sale terminal.Sale) bool {
	waits := sale.State == terminal.AgreementOnline || sale.State == terminal.AgreementOffline
	return waits && (sale.Signature || sale.Approved.Minor == 0)
}

// verdict puts into words what became of the transaction and of the money.
func (r *Receipt) verdict(sale terminal.Sale) {
	words := wordsOf(sale.Kind)
	switch {
	case due(sale):
		r.Verdict, r.Due, r.Statement = "PLEASE SIGN", true, "NOT VALID WITHOUT A MATCHING SIGNATURE"
		r.inPart(sale)
		return
	case sale.State == terminal.Approved:
		r.approved(sale, words)
		return
	}
	r.Verdict = strings.ToUpper(string(sale.State))
	r.Statement = words.undone
	r.Reason = Reason(sale.Outcome)
	switch {
	case r.Copy == Merchant:
		r.Advice = line(sale.Outcome.Do)
	case sale.State == terminal.Reversed && words.held:
		r.Advice = "If your bank shows the amount as held, the reversal releases it."
	}
}

// approved says what was done, and by whose word.
func (r *Receipt) approved(sale terminal.Sale, words phrases) {
	r.Verdict, r.Done, r.Charged, r.Statement, r.Way = "APPROVED", true, words.charges, words.done, sale.Way
	if r.Charged {
		r.Statement = "CHARGED " + sale.Taken().Format()
	}
	r.inPart(sale)
	switch {
	case sale.Way == terminal.WayOffline:
		r.Verdict = "APPROVED OFFLINE"
	case sale.Way == terminal.WayDeferred:
		r.Verdict, r.Statement = "ACCEPTED OFFLINE", "SUBJECT TO THE BANK'S APPROVAL"
		r.Advice = "The bank could not be reached and is asked later. If it says no, nothing is charged, and the shop may ask you to pay in another way."
		if r.Copy == Merchant {
			r.Advice = "The bank could not be reached and is asked later. If it says no, the sale is not paid for: that is the merchant's risk."
		}
	case sale.Way == terminal.WayVoice:
		r.Statement = "AUTHORISED BY TELEPHONE"
	case r.Approved.Minor > 0:
		r.Verdict = "PARTIALLY APPROVED"
	case sale.Kind == terminal.KindVoid && r.Copy == Customer:
		r.Advice = "If your bank shows the amount as held, the void releases it."
	}
	if sale.Kind == terminal.KindBalance && r.Copy == Customer {
		r.Balance = sale.Balance
		if r.Balance.Currency.Code == "" {
			r.Advice = "The bank does not say what is available."
		}
	}
	if sale.Twin != 0 && r.Copy == Merchant {
		r.Advice = strings.TrimSpace(r.Advice + " The same card paid the same amount in sale " + sale.Twin.String() + ".")
	}
}

// inPart is what was approved where it was less than was asked for, and of a sale what is left.
func (r *Receipt) inPart(sale terminal.Sale) {
	if sale.Approved.Minor <= 0 || sale.Approved.Minor >= sale.Amount.Minor {
		return
	}
	r.Approved = sale.Approved
	if sale.Kind == terminal.KindSale {
		r.Rest = money.New(sale.Amount.Minor-sale.Approved.Minor, sale.Amount.Currency)
	}
}

// Reason is what happened in words for a customer. The record's own may end in a technician's detail, which the journal
// keeps and paper does not need; what a host answered is its dialect's to say.
func Reason(o terminal.Outcome) string {
	switch o.Code {
	case terminal.CodeCardDeclined:
		return "The card declined."
	case terminal.CodeCardError:
		return "The card could not be read."
	case terminal.CodeCardRemoved:
		return "The card was taken out too early."
	case terminal.CodeCancelled:
		return "Cancelled."
	case terminal.CodeTimedOut:
		return "No card was presented in time."
	case terminal.CodeUnreachable:
		return "The bank could not be reached."
	case terminal.CodeNoAnswer:
		return "The bank did not answer."
	case terminal.CodeCardRefused:
		return "The card did not accept the bank's approval."
	case terminal.CodeSignature:
		return "The signature was not accepted."
	case terminal.CodePowerLost:
		return "The terminal stopped before it was finished."
	case terminal.CodeTerminalFault:
		return "The terminal could not ask the bank."
	}
	if happened := line(o.Happened); happened != "" {
		return happened
	}
	return "No reason was given."
}

// when is the host's time of its answer, where it told it: the time under which the acquirer finds the sale. Else it is that of
// the request, and before there was one, the start.
func when(sale terminal.Sale, zone *time.Location) time.Time {
	t := sale.HostTime
	if t.IsZero() {
		t = sale.LocalTime
	}
	if t.IsZero() {
		t = sale.Started
	}
	if zone != nil {
		t = t.In(zone)
	}
	return t
}

func card(sale terminal.Sale) *Card {
	if sale.MaskedPAN == "" && sale.AID == "" {
		return nil
	}
	c := &Card{Label: line(sale.Label), Scheme: line(sale.Scheme), PAN: last4(sale.MaskedPAN), AID: line(sale.AID), Sign: due(sale)}
	if sale.Kind.WithoutCard() {
		c.Entry = "NOT READ AGAIN"
		return c
	}
	c.Entry, c.Verification = strings.ToUpper(line(string(sale.Entry))), verification(sale)
	if sale.ClearStripe {
		c.Entry += ", TEST"
	}
	return c
}

// last4 masks again, so that a record that holds more than it should still prints no more than it may.
func last4(masked string) string {
	if len(masked) < 8 {
		return ""
	}
	tail := masked[len(masked)-4:]
	if strings.Trim(tail, "0123456789") != "" {
		return ""
	}
	return "************" + tail
}

// verification says how the cardholder was verified. An online PIN is the issuer's to verify: only its approval says that it
// was; of a signature, only the cashier's word.
func verification(sale terminal.Sale) string {
	switch {
	case due(sale) && sale.Method == emv.OfflinePIN:
		return "PIN VERIFIED, SIGNATURE TO BE COMPARED"
	case due(sale):
		return "SIGNATURE TO BE COMPARED"
	case sale.Outcome.Code == terminal.CodeSignature:
		return "SIGNATURE NOT ACCEPTED"
	case sale.Method == emv.Signature && sale.State != terminal.Approved:
		return "NO SIGNATURE TAKEN"
	case sale.Signature && sale.Method == emv.OfflinePIN:
		return "VERIFIED BY PIN AND SIGNATURE"
	}
	switch sale.Method {
	case emv.NoCVM:
		return "NO CARDHOLDER VERIFICATION"
	case emv.Signature:
		return "VERIFIED BY SIGNATURE"
	case emv.OnlinePIN:
		if sale.State != terminal.Approved {
			return "PIN ENTERED"
		}
		return "VERIFIED BY PIN"
	case emv.OfflinePIN:
		return "VERIFIED BY PIN"
	case emv.NoVerification:
	}
	return "CARDHOLDER NOT VERIFIED"
}

// The chip's data on a receipt, in the order in which it is printed.
var elements = []struct {
	tag  tlv.Tag
	name string
	text bool
}{
	{emv.TagApplicationCryptogram, "AC", false},
	{emv.TagCID, "CID", false},
	{emv.TagATC, "ATC", false},
	{emv.TagTVR, "TVR", false},
	{emv.TagTSI, "TSI", false},
	{emv.TagCVMResults, "CVM RESULTS", false},
	{emv.TagAuthorisationResponseCode, "ARC", true},
	{emv.TagIssuerApplicationData, "IAD", false},
}

func chip(tags emv.Data) []Element {
	var out []Element
	for _, e := range elements {
		v, ok := tags.Get(e.tag)
		if !ok || len(v) == 0 {
			continue
		}
		value := fmt.Sprintf("%X", v)
		if e.tag == emv.TagCID {
			value += " " + emv.CID(v[0]).Cryptogram().String()
		} else if e.text {
			value = line(string(v))
		}
		out = append(out, Element{e.name, e.tag.String(), value})
	}
	return out
}

func number(n uint32) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%06d", n)
}
