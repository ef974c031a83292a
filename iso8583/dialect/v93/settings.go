package v93

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"tillway/emv"
	"tillway/emv/tlv"
	"tillway/iso8583"
	"tillway/iso8583/dialect"
)

// ErrSettings is wrapped by every complaint of New.
var ErrSettings = errors.New("settings of the 1993 dialect")

// Settings is what differs from acquirer to acquirer, written as a configuration file writes it. An empty field means what
// Defaults has there.
type Settings struct {
	// How the fields stand on the wire.
	TPDU             string // ten hexadecimal digits; empty: messages have none
	Encoding         string // "bcd" (numbers two digits a byte) or "ascii" (characters, bitmap too); binary fields are bytes in both
	Track2Filler     string // behind an odd number of track-2 digits in BCD: "F" or "0"; both are read
	TerminalIDLength int    // characters of DE 41: 8 or 16

	// What the messages say.
	Acquirer         string // DE 32, at most eleven digits; empty: none
	MerchantCategory string // DE 26, four digits (tag 9F15); empty: none
	OmitCurrency     bool   // no DE 49
	BatchField       int    // private field with the batch number: 60; -1 for none
	InvoiceField     int    // private field with the invoice number: 62; -1 for none
	TextField        int    // field of an answer with text for the receipt: 44, 48 or 63; -1 for none
	SignOn           string // DE 24 of the 1804 that a connection starts with: "801"; "none": there is none
	Echo             string // DE 24 of the 1804 that asks whether the host is there: "831"
	Preauth          string // DE 24 of a pre-authorisation: "101", the amount is estimated, or "100", it is accurate
	Void             string // how a transaction is taken back: "adjustment", a request (1200), or "cancellation", an advice (1420, the customer cancelled)
	TipType          string // amount type of a tip in DE 54: "44"; "none": a tip is told nowhere
	Deferred         bool   // the acquirer takes a sale's request that was kept until it could be reached
	Partial          bool   // the acquirer knows that this terminal takes an approval of a part (002); elsewhere it is reversed

	// DE 22 and DE 55.
	PointOfService PointOfService   // the positions that are the terminal's own; PointOfServiceOf makes them
	Brand          Brand            // how cards are shown to the host
	Brands         map[string]Brand // what is otherwise with a scheme of the profile: an empty field is Brand's

	// Advices, reversals and repeats.
	Reasons       map[Reason]string // DE 25, four digits, where the acquirer has others than the standard
	ReversedAs    Reason            // of a sale's reversal: it is composed with the sale, before anybody knows why it will be sent
	ReversalTags  []tlv.Tag         // DE 55 of a reversal; empty: none
	Original      []int             // DE 56: 0 is the message type, others are fields: 0, 11, 12, 32
	OriginalText  bool              // DE 56 stands in characters, whatever Encoding says
	Repeat        string            // what is sent again: "marked" (1421, 1221, 1521) or "unchanged"
	Booked        bool              // 913 to a repeated advice or reversal says that the host has taken it: nothing is left to send
	AlsoApproved  []string          // action codes that approve a sale besides 000: those the acquirer gives unasked, like 003 or 007
	Reconcile     string            // message type of totals: "1520" or "1524"
	TotalsField   int               // their field: 124 or 127
	TotalsColumns []TotalsColumn    // of each scheme, in this order

	// How messages and PINs are secured, as security.go does it.
	MAC       string // "off", "alg3" (ISO 9797-1 algorithm 3, padding 1) or "cmac": of sales, advices, reversals and totals, both ways
	MACBytes  int    // of the field's eight: 8, or 4 with MACFiller behind
	MACFiller string // hexadecimal digit behind a short MAC: "0" or "F"
	MACField  int    // 64: the last field of the bitmaps that are needed anyway; 128: always that one
	MACSignOn bool   // sign-on has a MAC too
	PINBytes  int    // DE 52: 8, or 16 for PIN blocks of format 4

	Zone *time.Location // of DE 12; nil takes the time as it comes
	Now  func() time.Time
}

// Brand is what a scheme's cards look like to the host: position 7 of DE 22 by way of reading, and the tags of DE 55.
type Brand struct {
	ChipInput     string         // "5"
	StripeInput   string         // "2"
	FallbackInput string         // "2": the standard tells a fallback by its reason in DE 25; some acquirers have a digit for it
	ChipTags      []tlv.Tag      // DE 55 of a request and an advice, in this order; what the card lacks is left out
	Private       map[int]string // fields 48 and 60 to 63 of requests, reversals and advices: text as it is sent; empty leaves one out
	Totals        string         // the acquirer's letters for it in the totals: "VC". Schemes of the same letters and house are added together
	TotalsHouse   string         // and who stands behind it: "BNK1"
}

// Defaults is the standard's own way where it has one.
func Defaults() Settings {
	return Settings{
		Encoding: encodingBCD, Track2Filler: "F", TerminalIDLength: 8, BatchField: 60, InvoiceField: 62, TextField: 44, SignOn: functionSignOn, Echo: functionEcho,
		Preauth: functionEstimated, Void: voidAdjusts, TipType: amountTip,
		PointOfService: PointOfService{
			CardInput: "5", Authentication: "1", Capture: "0", Environment: "1", CardOutput: "3", TerminalOutput: "4", PINCapture: "C",
		},
		Brand: Brand{ChipInput: "5", StripeInput: "2", FallbackInput: "2", Totals: "00", TotalsHouse: "0000", ChipTags: []tlv.Tag{
			emv.TagTransactionCurrencyCode, emv.TagPANSequenceNumber, emv.TagAIP, emv.TagDFName, emv.TagTVR,
			emv.TagTransactionDate, emv.TagTransactionType, emv.TagAmountAuthorised, emv.TagAmountOther,
			emv.TagApplicationVersionTerminal, emv.TagIssuerApplicationData, emv.TagTerminalCountryCode,
			emv.TagIFDSerialNumber, emv.TagApplicationCryptogram, emv.TagCID, emv.TagTerminalCapabilities,
			emv.TagCVMResults, emv.TagTerminalType, emv.TagATC, emv.TagUnpredictableNumber,
			emv.TagTransactionSequenceCounter,
		}},
		ReversedAs: UnableToComplete, Original: []int{0, stan, localTime, acquirerID}, Repeat: repeatMarked,
		Reconcile: reconcileRequest, TotalsField: 124, TotalsColumns: defaultColumns(),
		MAC: macOff, MACBytes: macField, MACFiller: "0", MACField: 64, PINBytes: 8,
	}
}

const (
	encodingBCD, encodingASCII    = "bcd", "ascii"
	repeatMarked, repeatUnchanged = "marked", "unchanged"
	voidAdjusts, voidCancels      = "adjustment", "cancellation"
	noSignOn, noTip               = "none", "none"
)

// filled puts the defaults where nothing is said.
func (s Settings) filled() Settings {
	d := Defaults()
	for _, text := range []struct {
		is *string
		or string
	}{
		{&s.Encoding, d.Encoding},
		{&s.Track2Filler, d.Track2Filler},
		{&s.SignOn, d.SignOn},
		{&s.Echo, d.Echo},
		{&s.Preauth, d.Preauth},
		{&s.Void, d.Void},
		{&s.TipType, d.TipType},
		{&s.Repeat, d.Repeat},
		{&s.Reconcile, d.Reconcile},
		{&s.MAC, d.MAC},
		{&s.MACFiller, d.MACFiller},
		{(*string)(&s.ReversedAs), string(d.ReversedAs)},
	} {
		*text.is = cmp.Or(*text.is, text.or)
	}
	for _, number := range []struct {
		is *int
		or int
	}{
		{&s.TerminalIDLength, d.TerminalIDLength},
		{&s.BatchField, d.BatchField},
		{&s.InvoiceField, d.InvoiceField},
		{&s.TextField, d.TextField},
		{&s.TotalsField, d.TotalsField},
		{&s.MACBytes, d.MACBytes},
		{&s.MACField, d.MACField},
		{&s.PINBytes, d.PINBytes},
	} {
		*number.is = cmp.Or(*number.is, number.or)
	}
	s.PointOfService = s.PointOfService.or(d.PointOfService)
	s.Brand = s.Brand.or(d.Brand)
	brands := make(map[string]Brand, len(s.Brands))
	for name, b := range s.Brands {
		brands[name] = b.or(s.Brand)
	}
	s.Brands = brands
	if len(s.Original) == 0 {
		s.Original = d.Original
	}
	if len(s.TotalsColumns) == 0 {
		s.TotalsColumns = d.TotalsColumns
	}
	s.Original, s.TotalsColumns = slices.Clone(s.Original), slices.Clone(s.TotalsColumns)
	s.ReversalTags, s.AlsoApproved, s.Reasons = slices.Clone(s.ReversalTags), slices.Clone(s.AlsoApproved), maps.Clone(s.Reasons)
	return s
}

func (b Brand) or(d Brand) Brand {
	b.ChipInput, b.StripeInput, b.FallbackInput = cmp.Or(b.ChipInput, d.ChipInput), cmp.Or(b.StripeInput, d.StripeInput), cmp.Or(b.FallbackInput, d.FallbackInput)
	b.Totals, b.TotalsHouse = cmp.Or(b.Totals, d.Totals), cmp.Or(b.TotalsHouse, d.TotalsHouse)
	if len(b.ChipTags) == 0 {
		b.ChipTags = d.ChipTags
	}
	b.ChipTags = slices.Clone(b.ChipTags)
	own := b.Private
	b.Private = map[int]string{}
	maps.Copy(b.Private, d.Private)
	maps.Copy(b.Private, own)
	return b
}

// check says what is wrong and how it should look.
func (s Settings) check() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrSettings, fmt.Sprintf(format, args...))
	}
	tpdu, err := hex.DecodeString(s.TPDU)
	switch {
	case err != nil || (len(tpdu) != 5 && len(tpdu) != 0):
		return bad("TPDU %q is not ten hexadecimal digits like 6000030000, nor empty for none", s.TPDU)
	case s.Encoding != encodingBCD && s.Encoding != encodingASCII:
		return bad("encoding %q is not bcd or ascii", s.Encoding)
	case s.Track2Filler != "F" && s.Track2Filler != "0":
		return bad("track-2 filler %q is not F or 0", s.Track2Filler)
	case s.TerminalIDLength != 8 && s.TerminalIDLength != 16:
		return bad("terminal identification of %d characters: 8 or 16", s.TerminalIDLength)
	case len(s.Acquirer) > 11 || !dialect.Digits(s.Acquirer, len(s.Acquirer)):
		return bad("acquirer %q is not at most eleven digits", s.Acquirer)
	case s.MerchantCategory != "" && !dialect.Digits(s.MerchantCategory, 4):
		return bad("merchant category %q is not four digits like 5411", s.MerchantCategory)
	case !private(s.BatchField) || !private(s.InvoiceField) || (s.BatchField > 0 && s.BatchField == s.InvoiceField):
		return bad("batch field %d and invoice field %d are not two of 60 to 63, or -1 for none", s.BatchField, s.InvoiceField)
	case s.TextField != 44 && s.TextField != 48 && s.TextField != 63 && s.TextField != -1:
		return bad("text field %d is not 44, 48, 63 or -1", s.TextField)
	case s.SignOn != noSignOn && !dialect.Digits(s.SignOn, 3):
		return bad("sign-on %q is not a function code of three digits like 801, nor none", s.SignOn)
	case !dialect.Digits(s.Echo, 3) || s.Echo == s.SignOn:
		return bad("echo %q is not a function code of three digits like 831, or is that of signing on", s.Echo)
	case s.Preauth != functionAccurate && s.Preauth != functionEstimated:
		return bad("pre-authorisation %q is not the function code 101 (estimated) or 100 (accurate)", s.Preauth)
	case s.Void != voidAdjusts && s.Void != voidCancels:
		return bad("void %q is not adjustment or cancellation", s.Void)
	case s.TipType != noTip && (!dialect.Digits(s.TipType, 2) || s.TipType == dialect.AmountCash):
		return bad("tip %q is not an amount type of two digits like 44, nor none", s.TipType)
	case s.Repeat != repeatMarked && s.Repeat != repeatUnchanged:
		return bad("repeat %q is not marked or unchanged", s.Repeat)
	}
	for _, err := range []error{s.PointOfService.check(), s.checkBrands(), s.checkReasons(), s.checkOriginal(), s.checkTotals(), s.checkSecurity()} {
		if err != nil {
			return bad("%s", err)
		}
	}
	return nil
}

func (s Settings) checkBrands() error {
	all := maps.Clone(s.Brands)
	all[""] = s.Brand
	for name, b := range all {
		for _, input := range []string{b.ChipInput, b.StripeInput, b.FallbackInput} {
			if len(input) != 1 || !dialect.Alphanumeric(input) {
				return fmt.Errorf("brand %q: %q is no one character for position 7 of DE 22", name, input)
			}
		}
		if err := dialect.CheckTags(b.ChipTags); err != nil {
			return fmt.Errorf("brand %q: %w", name, err)
		}
		for _, n := range slices.Sorted(maps.Keys(b.Private)) {
			switch text := b.Private[n]; {
			case n != 48 && (n < 60 || n > 63) || n == s.BatchField || n == s.InvoiceField:
				return fmt.Errorf("brand %q: private field %d is not 48 or 60 to 63, or is the batch's or the invoice's", name, n)
			case len(text) > 999 || !dialect.Printable(text):
				return fmt.Errorf("brand %q: private field %d is not at most 999 printable characters", name, n)
			}
		}
	}
	return dialect.CheckTags(s.ReversalTags)
}

func (s Settings) checkOriginal() error {
	for i, part := range s.Original {
		if !slices.Contains([]int{0, transmission, stan, localTime, acquirerID, forwarderID}, part) || slices.Contains(s.Original[:i], part) {
			return fmt.Errorf("DE 56 has no element %d, or has it twice: 0 (message type), 7, 11, 12, 32 and 33", part)
		}
	}
	return nil
}

// Dialect composes and reads the messages of one acquirer. It is safe for concurrent use.
type Dialect struct {
	settings Settings
	tpdu     []byte
	codec    *iso8583.Codec
}

// New checks the settings and makes the dialect. Error: ErrSettings.
func New(s Settings) (*Dialect, error) {
	s = s.filled()
	if err := s.check(); err != nil {
		return nil, err
	}
	codec, err := iso8583.Compile(Table(s))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSettings, err)
	}
	return &Dialect{settings: s, tpdu: dialect.Hex(s.TPDU), codec: codec}, nil
}

// Codec packs and unpacks this dialect's messages: the link's.
func (d *Dialect) Codec() *iso8583.Codec { return d.codec }

// private says whether a field number is one of those that the standard leaves to the parties, or none.
func private(field int) bool { return field == -1 || (field >= 60 && field <= 63) }
