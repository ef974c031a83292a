// Package profile reads what one terminal is: its merchant and numbers, the applications it accepts and with which
// action codes and limits, how it verifies cardholders and authenticates cards, its currency, country, time zone and
// deadlines. Everything that belongs to a scheme or a market is data here, one file a market. It is TOML, read strictly: an
// unknown key or a value that is none is refused with its line. docs/profile.md explains every key.
//
// A profile may say all that the kernel does, and has defaults with which a card can be tried. What the daemon of this
// release cannot honour, and what a shop has to say itself, the daemon refuses at its start: that is cmd/posd's, as are
// ports, paths and keys. Two ready profiles are part of the program: "kuwait", for a shop, and "generic", for trying cards.
// Sources: EMV 4.4 Book 4, 5.4, 10.1 and Annex A (terminal data); Book 3, 10.7 (terminal action codes); ISO 4217;
// ISO 3166-1. The action codes in the ready profiles are the schemes' published defaults.
package profile

import (
	"embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tillway/emv"
	"tillway/money"
	"tillway/terminal"
	"tillway/terminal/people"
)

//go:embed ready/*.toml
var ready embed.FS

// Profile is one terminal, checked. Make it with Parse or Ready; the zero value is not usable.
type Profile struct {
	Name         string
	Merchant     Merchant
	Receipt      Receipt
	Terminal     Terminal
	Currency     money.Currency
	Country      uint16         // ISO 3166-1 numeric: 414
	Zone         *time.Location // the terminal's local time
	Applications []Application  // in the file's order, disabled ones too
	Transactions Transactions
	Offline      Offline
	Deadlines    Deadlines
	Settlement   Settlement
	Roles        people.Policy // who may do what

	// For pos card run only; a daemon that finds one of them refuses to start.
	EarlierSales EarlierSales
	Exceptions   Exceptions
	Selection    []int // draws of random selection, 1 to 99
	ForceOnline  bool  // the merchant forces the transaction online

	left []string
}

// LeftOut lists the keys that a shop has to say and that this profile leaves to a developer's defaults: "terminal.id".
// They are no defect where no sale is made.
func (p Profile) LeftOut() []string { return slices.Clone(p.left) }

// The environments of certification authorities' keys. A profile names one: thirteen public keys are known that have the
// same number in both, and a terminal that mixes them believes test cards.
const (
	TestKeys = "test"
	LiveKeys = "live"
)

// Merchant is who sells, as receipt and host know them.
type Merchant struct {
	Name     string   // 9F4E and the receipt's head
	Location []string // lines of the receipt's head: what tells one branch from another

	NameArabic     string   // the same for receipts in Arabic, may be empty
	LocationArabic []string // as many lines as Location has, or none

	Category uint16 // 9F15
	Acquirer string // 9F01, digits, may be empty
}

// Receipt is how papers are drawn, and which are printed where there is a printer.
type Receipt struct {
	Language string   // of the customer's copy: "card" (what the card prefers), "en", "ar" or "both"
	Merchant string   // of the merchant's copy, reports and proofs: "en", "ar" or "both"
	Digits   string   // of amounts in Arabic: "latin" or "arabic"
	Proof    bool     // a settlement's proof is printed when the batch is closed, or disputed
	Copies   []string // "customer", "merchant": in the order in which they are printed
}

// Terminal is the machine.
type Terminal struct {
	ID               string              // 9F1C, 8 characters
	MerchantID       string              // 9F16, 15 characters
	Type             byte                // 9F35 (Book 4, A1)
	Capabilities     emv.Capabilities    // 9F33 (Book 4, A2)
	MoreCapabilities [5]byte             // 9F40 (Book 4, A3)
	IFDSerial        string              // 9F1E, 8 characters
	CDAMode          int                 // 1 to 4: when a combined signature is asked for
	CAKeys           string              // environment of the authorities' keys: TestKeys or LiveKeys
	Without          []emv.Feature       // what this terminal does without
	LiteralTACs      bool                // action codes are taken as they are written; otherwise they have the bits that the book recommends
	PINBypass        bool                // a PIN may be left out with the pad's enter key; never where an application requires it
	Languages        []terminal.Language // of its prompts, its own first
	FallbackAfter    int                 // tries to read a chip, all failed, after which its stripe may be read; 0: never
}

// Application is one row of the list of applications.
type Application struct {
	emv.Application
	Enabled     bool
	Placeholder bool // its values are not the scheme's: it cannot be enabled
}

// Deadlines are how long the terminal waits.
type Deadlines struct {
	Card   time.Duration // for a card, from the start of the sale
	Answer time.Duration // for the host's answer, from the last byte sent
	PIN    time.Duration // for the PIN, from its prompt

	// Signature is for the cashier to compare a signature and say whether it matches. After it the sale is reversed.
	Signature time.Duration
}

// ErrNoProfile says that no ready profile has that name.
var ErrNoProfile = errors.New("no such ready profile")

// ReadyNames lists the profiles that are part of the program.
func ReadyNames() []string {
	entries, err := ready.ReadDir("ready")
	if err != nil {
		panic("profile: embedded profiles are not readable: " + err.Error())
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".toml"))
	}
	return names
}

// Text is a ready profile's TOML, to start an own one from. Error: ErrNoProfile.
func Text(name string) ([]byte, error) {
	if !slices.Contains(ReadyNames(), name) {
		return nil, fmt.Errorf("profile %q: %w: there are %s", name, ErrNoProfile, strings.Join(ReadyNames(), ", "))
	}
	return ready.ReadFile("ready/" + name + ".toml")
}

// Ready is one of the ready profiles by name. Error: ErrNoProfile.
func Ready(name string) (Profile, error) {
	text, err := Text(name)
	if err != nil {
		return Profile{}, err
	}
	return Parse(text)
}

// Params is what the terminal brings to one transaction. at is the wall clock, in any zone; sequence is 9F41, 1 to
// 99999999. The caller sets Random.
func (p Profile) Params(order terminal.Order, at time.Time, sequence uint32) emv.Params {
	params := emv.Params{
		Amount:           order.Total(),
		AmountOther:      order.Cashback,
		TransactionType:  transactionType(order),
		ForceOnline:      forceOnline(order.Kind),
		Time:             at.In(p.Zone),
		SequenceCounter:  sequence,
		TerminalCountry:  p.Country,
		TerminalType:     p.Terminal.Type,
		Capabilities:     p.Terminal.Capabilities,
		MoreCapabilities: p.Terminal.MoreCapabilities,
		TerminalID:       p.Terminal.ID,
		MerchantID:       p.Terminal.MerchantID,
		AcquirerID:       p.Merchant.Acquirer,
		MerchantCategory: p.Merchant.Category,
		MerchantName:     p.Merchant.Name,
		IFDSerial:        p.Terminal.IFDSerial,
		CDAMode:          p.Terminal.CDAMode,
		Off:              slices.Clone(p.Terminal.Without),

		LiteralActionCodes: p.Terminal.LiteralTACs,
	}
	for _, a := range p.Applications {
		if a.Enabled {
			params.Applications = append(params.Applications, a.clone())
		}
	}
	return params
}

// clone keeps the profile's slices out of the kernel's hands.
func (a Application) clone() emv.Application {
	e := a.Application
	e.AID, e.DefaultDDOL, e.DefaultTDOL = slices.Clone(e.AID), slices.Clone(e.DefaultDDOL), slices.Clone(e.DefaultTDOL)
	return e
}

// transactionType is tag 9C: the first two digits of the processing code (ISO 8583:1987, DE 3).
func transactionType(o terminal.Order) byte {
	switch o.Kind {
	case terminal.KindSale:
		if o.Cashback.Minor > 0 {
			return 0x09
		}
		return 0x00
	case terminal.KindForced, terminal.KindPreauth, terminal.KindIncrement, terminal.KindCompletion:
		return 0x00
	case terminal.KindRefund:
		return 0x20
	case terminal.KindBalance:
		return 0x31
	case terminal.KindVoid: // reads no card
	}
	panic("profile: no transaction type for kind " + string(o.Kind))
}

// forceOnline says of which kinds no card may answer for the issuer: those that give money, hold it or ask for it, and those for
// which the issuer has spoken already.
func forceOnline(k terminal.Kind) bool { return k != terminal.KindSale }
