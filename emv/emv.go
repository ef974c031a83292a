// Package emv holds the words that card kernels share with everything above and below them: the tag table, the bits of
// TVR, TSI and AIP by name, the store of data objects, and the shapes of a transaction: Card, Params, Outcome,
// HostAnswer. It runs no transaction itself; the kernels are the folders below it (contact).
// Sources: EMV 4.4 Books 1, 3 and 4.
package emv

import (
	"context"
	"errors"
	"io"
	"time"

	"tillway/emv/tlv"
	"tillway/money"
)

// Card is a powered card, whatever it is read with.
type Card interface {
	// Transmit sends a command APDU and returns response data followed by SW1 SW2 (at least two bytes).
	Transmit(ctx context.Context, command []byte) (response []byte, err error)
}

// Cardholder answers what only the person with the card can.
type Cardholder interface {
	// Choose picks one of several applications by its place in the list (Book 1, 12.4). It is asked only when there is
	// a choice or the card wants a confirmation; ok false means the cardholder refused all.
	Choose(ctx context.Context, candidates []Candidate) (index int, ok bool, err error)

	// OnlinePIN has the PIN pad take the PIN that the issuer will check (Book 3, 10.5.2). Whoever implements it hands the
	// request to a pad or module that owns the PIN key; neither the PIN nor its block ever comes back to the kernel. An
	// error ends the transaction: ErrCancelled (wrapped) when the cardholder or the cashier gave up.
	OnlinePIN(ctx context.Context, ask PINRequest) (PINEntry, error)

	// CardPIN has the PIN pad take one PIN that the card will check (Book 3, 10.5.1). An enciphered PIN comes back as the
	// data field of a VERIFY that the kernel sends. A plaintext PIN never comes back: whoever takes it sends VERIFY
	// 00 20 00 80 through ask.Card himself and reports the card's answer. Called again, with Retry, after a wrong PIN.
	// Errors as for OnlinePIN.
	CardPIN(ctx context.Context, ask CardPINRequest) (CardPINAnswer, error)
}

// ErrCancelled says that the cardholder gave up: the transaction ends, and nothing is sent.
var ErrCancelled = errors.New("cancelled by the cardholder")

// PINRequest is what the pad needs for an online PIN.
type PINRequest struct {
	PAN      PAN          // binds the PIN block to the account
	Amount   money.Amount // shown beside the prompt
	Required bool         // the terminal takes this card with its PIN only: bypass is not offered
	Language string       // the card's languages, two letters each, the best first (tag 5F2D); may be empty
}

// CardPINRequest is what the pad needs for a PIN that the card checks.
type CardPINRequest struct {
	Amount   money.Amount // shown beside the prompt
	Tries    int          // left, this one counted; -1: the card does not say
	Retry    bool         // the PIN before was wrong
	Required bool         // bypass is not offered
	Language string       // as in PINRequest
	Card     Card         // set for plaintext only: takes one VERIFY, and keeps nothing of it

	// Encipherment gives what the PIN is enciphered with: the kernel recovers the card's key and asks the card for a
	// challenge when it is called. Once a PIN. Its error is to come back as CardPIN's, wrapped or as it is. nil: the PIN goes
	// to the card in plaintext, through Card.
	Encipherment func(context.Context) (PINEncipherment, error)
}

// PINEncipherment is what a PIN is enciphered with for the card (Book 2, 7.1 and 7.2).
type PINEncipherment struct {
	Modulus, Exponent []byte  // the card's key, recovered and checked
	Challenge         [8]byte // of GET CHALLENGE, fresh
}

// CardPINAnswer is how the entry of a card's PIN ended.
type CardPINAnswer struct {
	Entry    PINEntry
	Data     []byte // entered and enciphered: the data field of VERIFY 00 20 00 88, as long as the modulus
	Response []byte // entered in plaintext: the card's answer to the pad's VERIFY, SW1 SW2
}

// PINEntry is what became of asking for a PIN.
type PINEntry string

// The ways that asking for a PIN ends without ending the transaction.
const (
	PINEntered    PINEntry = "entered"
	PINBypassed   PINEntry = "bypassed"   // the pad is there, the PIN was not entered
	PINPadMissing PINEntry = "no pin pad" // not there, or not working: also without a PIN key
)

// Candidate is one application that terminal and card both support (Book 1, 12.3).
type Candidate struct {
	AID           []byte // DF name, 5 to 16 bytes
	Label         string // preferred name (9F12) if its code table is supported, else label (50)
	Priority      byte   // 1 highest to 15, 0 none: tag 87, bits 4-1
	MustConfirm   bool   // tag 87, bit 8
	Language      string // tag 5F2D as sent, may be empty
	CodeTable     byte   // tag 9F11
	PreferredName []byte // tag 9F12 as sent
}

// Application is what the terminal's profile says of one AID.
type Application struct {
	AID             []byte  // 5 to 16 bytes
	PartialSelect   bool    // application selection indicator (Book 1, 12.3.1)
	Scheme          string  // for receipts and reports: "visa", "mastercard", …
	Version         [2]byte // 9F09; zero: none, and versions are not compared
	TACDenial       [5]byte
	TACOnline       [5]byte
	TACDefault      [5]byte
	FloorLimitMinor int64  // 9F1B, in minor units of the terminal's currency
	DefaultDDOL     []byte // where the card brings no DDOL (Book 2, 6.5.1)
	DefaultTDOL     []byte
	RandomThreshold int64 // biased random selection (Book 3, 10.6.2), minor units
	RandomTarget    int   // percent 0 to 99
	RandomMaximum   int   // percent, at least RandomTarget

	Capabilities [3]byte // 9F33 for this application; zero: Params.Capabilities
	PINRequired  bool    // taken with an online PIN only: anything else is declined before the host is asked
	OnlineOnly   bool    // never approved without the issuer, whatever the terminal's type
}

// OfflineGate says whether the terminal may approve a transaction without the issuer, beyond what action codes and application
// say: what it approves so has to be kept until the acquirer is told, and that has limits. Where it may not, the terminal acts in
// this transaction as one that is online only (Book 4, 6.3.6 leaves a terminal to be stricter than the codes).
type OfflineGate interface {
	// Closed says why not, in one sentence; empty: it may. The error is the world failing, and ends the transaction.
	Closed(ctx context.Context, ask OfflineQuestion) (why string, err error)
}

// OfflineQuestion is what an OfflineGate is told of the transaction.
type OfflineQuestion struct {
	PAN    PAN
	Method Method // how the cardholder was verified
}

// Params is everything the terminal brings to one transaction.
type Params struct {
	Applications []Application

	Amount          money.Amount // amount, authorised: 9F02, 81
	AmountOther     money.Amount // cashback: 9F03, 9F04; zero value means none
	TransactionType byte         // 9C: 00 sale, 01 cash, 09 cashback, 20 refund
	Time            time.Time    // terminal's local time: 9A, 9F21
	SequenceCounter uint32       // 9F41, 1 to 99999999

	TerminalCountry  uint16  // 9F1A, ISO 3166 numeric: 414
	TerminalType     byte    // 9F35 (Book 4, A1): 21 attended, online only
	Capabilities     [3]byte // 9F33 (Book 4, A2)
	MoreCapabilities [5]byte // 9F40 (Book 4, A3)
	TerminalID       string  // 9F1C, 8 characters
	MerchantID       string  // 9F16, 15 characters
	AcquirerID       string  // 9F01, digits, may be empty
	MerchantCategory uint16  // 9F15
	MerchantName     string  // 9F4E
	IFDSerial        string  // 9F1E, 8 characters
	ForceOnline      bool    // merchant forced the transaction online (Book 3, 10.6)

	Offline OfflineGate // asked before anything is approved without the issuer; nil: action codes and application alone decide

	CAKeys        CAKeys        // certification authorities' keys: one environment's, test or live
	CDAMode       int           // 1 to 4, when a combined signature is asked for; 0 counts as 1
	History       History       // earlier sales, for the floor limit; nil: none are known
	ExceptionFile ExceptionFile // listed cards; nil: there is no file
	Selection     []int         // 1 to 99: draws of random selection to use before Random's. Empty in production

	// Off lists the features that this terminal does without.
	Off []Feature

	// LiteralActionCodes takes the profile's Terminal Action Codes as they are written. Otherwise Online and Default have in
	// addition the bits that Book 3, 10.7 strongly recommends (offline data authentication not performed, SDA, DDA and CDA
	// failed) and "SDA selected": no card is approved offline that could be a copy.
	// With the codes as they are written a TC also stands where the card's signed results know of no PIN that it accepted.
	LiteralActionCodes bool

	// Random gives unpredictable numbers (9F37) and the number for random selection. In production it is
	// crypto/rand.Reader; when it fails the transaction ends (facts: never a clock, never a counter).
	Random io.Reader

	// Fixed overrides any terminal-side data object, for repeating a recorded session. Empty in production.
	Fixed map[tlv.Tag][]byte
}

// Decision is what a kernel ended with.
type Decision string

// The decisions of Begin and Complete.
const (
	Online         Decision = "online"          // ask the issuer: an ARQC is in the data
	Approved       Decision = "approved"        // TC
	Declined       Decision = "declined"        // AAC, or the kernel's own refusal
	Terminated     Decision = "terminated"      // processing ended by an error of card or data: no cryptogram decides
	OtherInterface Decision = "other interface" // not this way: try another reader or stripe
)

// Method is how the cardholder was verified, for receipt and message.
type Method string

// The methods a kernel can end with.
const (
	NoVerification Method = ""
	NoCVM          Method = "no cvm"
	Signature      Method = "signature"
	OnlinePIN      Method = "online pin"
	OfflinePIN     Method = "offline pin"
)

// Why explains one bit, result or decision: what, the reason, and the section that says so.
type Why struct {
	Bit     string `json:"bit"`    // "TVR byte 1 bit 8", "9F34", "TAA", …
	Reason  string `json:"reason"` // one sentence
	Section string `json:"section"`
	Step    string `json:"step,omitempty"` // of the transaction, as the books name it: "Terminal Risk Management"
}

// Outcome is the result of Begin or Complete. Data is the kernel's store at that moment, a copy.
type Outcome struct {
	Decision Decision
	Reason   string // one sentence for cashier and log; no card data
	AID      []byte // selected application, nil before selection
	Label    string // what the receipt calls it
	Scheme   string // of the profile's Application
	Method   Method
	// SignatureDue says that an approval holds only once the cashier has compared a signature: with method Signature, or
	// beside a PIN that the card checked (Book 3, 10.5.3 and 10.5.4).
	SignatureDue bool
	ODA          ODA
	Data         Data
	Why          []Why
}

// ODA is what became of offline data authentication.
type ODA struct {
	Method string `json:"method"` // "none", "sda", "dda", "cda"
	OK     bool   `json:"ok"`
}

// HostResult is what came of going online.
type HostResult string

// The results that Complete is told.
const (
	HostApproved HostResult = "approved"
	HostDeclined HostResult = "declined"
	HostUnable   HostResult = "unable" // no answer, or nothing could be sent: Y3/Z3 (Book 4, 12.2)
)

// HostAnswer is what the kernel needs of the host's answer to finish with the card.
type HostAnswer struct {
	Result     HostResult
	ARC        [2]byte // 8A; zero: the kernel takes 00, 05, Y3 or Z3 as Result says
	IssuerData []byte  // TLV string of 91, 71, 72 as DE 55 of the answer had it, order and repeats kept
}

// Transaction is a session that Begin left open because it wants the issuer's answer.
type Transaction interface {
	// Complete finishes with the card (Book 3, 10.9 to 10.11). Call it once. A card that is gone shows as
	// device.ErrRemoved (wrapped); every other error of the card is an Outcome.
	Complete(ctx context.Context, answer HostAnswer) (Outcome, error)
}
