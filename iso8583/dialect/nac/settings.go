package nac

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
	"tillway/money"
)

// ErrSettings is wrapped by every complaint of New.
var ErrSettings = errors.New("settings of the NAC dialect")

// Settings is what differs from acquirer to acquirer, written as a configuration file writes it. TPDU and NII must be
// given; an empty field of the others means what Defaults has there.
type Settings struct {
	TPDU         string    // ten hexadecimal digits: "6000030000"
	NII          string    // DE 24, three digits: "003"
	Track2Filler string    // behind an odd number of track-2 digits: "F" or "0"; both are read
	ChipEntry    string    // DE 22 of a chip transaction: "052" without PIN entry, "051" with
	ChipTags     []tlv.Tag // DE 55 of a request, in this order; what the card lacks is left out
	OmitCurrency bool      // no DE 49
	Repeat       string    // message type of a reversal sent again: "0400" (unchanged) or "0401"
	TextField    int       // field of an answer with text for the receipt: 48 or 63; -1 for none

	// How messages and PINs are secured, as security.go does it.
	MAC           string // "off", "alg3" (ISO 9797-1 algorithm 3, padding 1) or "cmac": DE 64 of everything but network management, both ways
	MACBytes      int    // of DE 64's eight: 8, or 4 with zeros behind
	MACSignOn     bool   // sign-on has a MAC too
	SecurityField int    // private field of key serial numbers and PIN tries: 48 or 61; -1 for none (session keys)
	PINBytes      int    // DE 52: 8, or 16 for PIN blocks of format 4
	PINEntry      string // DE 22 of a chip transaction with a PIN: "051"

	// How session keys come, where the acquirer has them, and whether it may give orders, as network.go does it.
	KeyExchange     string // "off", "blocks" (X9.143) or "ecb"
	KeyExchangeCode string // DE 3 of the 0800 that asks for keys: "920101"
	KeyField        int    // field of the 0810 that brings them: 48, 61 or 62
	EchoCode        string // DE 3 of the 0800 that asks whether the host is there: "990000"
	HostOrders      bool   // sign-on carries a challenge, and its answer may carry an order

	// How the card was read, the first two digits of DE 22, where it was not by chip; the third, whether a PIN can be entered, is
	// the chip's own.
	StripeEntry   string // a stripe, read whole: "90"; "02" where the host makes nothing of its verification value
	FallbackEntry string // the stripe of a card whose chip failed: "80"

	Private   map[int]string   // fields 48, 61 and 63 of requests, reversals and advices: text as it is sent
	Brands    map[string]Brand // what is otherwise with a scheme of the profile
	KeptEntry string           // of a void, increment or completion, which has no card but the number that was kept: "01"

	Kinds

	Currency money.Currency // of amounts in answers that have no DE 49

	// The host's DE 12 and 13 are read when both are given: the zone that they are in, and a clock for the year, which
	// DE 13 lacks.
	Zone *time.Location
	Now  func() time.Time
}

// Defaults is what most public messages agree on; TPDU and NII are those of the host simulator.
func Defaults() Settings {
	return Settings{
		TPDU: "6000030000", NII: "003", Track2Filler: "F", ChipEntry: "052", Repeat: reversalRequest, TextField: 63,
		MAC: macOff, MACBytes: macField, SecurityField: 61, PINBytes: 8, PINEntry: "051", StripeEntry: "90", FallbackEntry: "80",
		KeptEntry: "01", Kinds: defaultKinds(),
		KeyExchange: exchangeOff, KeyExchangeCode: "920101", KeyField: 48, EchoCode: "990000",
		ChipTags: []tlv.Tag{
			emv.TagTransactionCurrencyCode, emv.TagPANSequenceNumber, emv.TagAIP, emv.TagDFName, emv.TagTVR,
			emv.TagTransactionDate, emv.TagTransactionType, emv.TagAmountAuthorised, emv.TagAmountOther,
			emv.TagApplicationVersionTerminal, emv.TagIssuerApplicationData, emv.TagTerminalCountryCode,
			emv.TagIFDSerialNumber, emv.TagApplicationCryptogram, emv.TagCID, emv.TagTerminalCapabilities,
			emv.TagCVMResults, emv.TagTerminalType, emv.TagATC, emv.TagUnpredictableNumber,
			emv.TagTransactionSequenceCounter,
		},
	}
}

// filled puts the defaults where nothing is said.
func (s Settings) filled() Settings {
	d := Defaults()
	s.Track2Filler = cmp.Or(s.Track2Filler, d.Track2Filler)
	s.ChipEntry = cmp.Or(s.ChipEntry, d.ChipEntry)
	s.Repeat = cmp.Or(s.Repeat, d.Repeat)
	s.TextField = cmp.Or(s.TextField, d.TextField)
	s.MAC = cmp.Or(s.MAC, d.MAC)
	s.MACBytes = cmp.Or(s.MACBytes, d.MACBytes)
	s.SecurityField = cmp.Or(s.SecurityField, d.SecurityField)
	s.PINBytes = cmp.Or(s.PINBytes, d.PINBytes)
	s.PINEntry = cmp.Or(s.PINEntry, d.PINEntry)
	s.KeyExchange = cmp.Or(s.KeyExchange, d.KeyExchange)
	s.KeyExchangeCode = cmp.Or(s.KeyExchangeCode, d.KeyExchangeCode)
	s.EchoCode = cmp.Or(s.EchoCode, d.EchoCode)
	s.KeyField = cmp.Or(s.KeyField, d.KeyField)
	s.StripeEntry = cmp.Or(s.StripeEntry, d.StripeEntry)
	s.FallbackEntry = cmp.Or(s.FallbackEntry, d.FallbackEntry)
	s.KeptEntry = cmp.Or(s.KeptEntry, d.KeptEntry)
	s.Kinds = s.filledKinds()
	if len(s.ChipTags) == 0 {
		s.ChipTags = d.ChipTags
	}
	s.ChipTags, s.Private = slices.Clone(s.ChipTags), maps.Clone(s.Private)
	s.Brands = s.filledBrands()
	return s
}

// check says what is wrong and how it should look.
func (s Settings) check() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrSettings, fmt.Sprintf(format, args...))
	}
	if b, err := hex.DecodeString(s.TPDU); err != nil || len(b) != 5 {
		return bad("TPDU %q is not ten hexadecimal digits like 6000030000", s.TPDU)
	}
	if !dialect.Digits(s.NII, 3) {
		return bad("NII %q is not three digits like 003", s.NII)
	}
	if s.Track2Filler != "F" && s.Track2Filler != "0" {
		return bad("track-2 filler %q is not F or 0", s.Track2Filler)
	}
	if err := s.checkBrands(); err != nil {
		return bad("%s", err)
	}
	if !dialect.Digits(s.KeptEntry, 2) {
		return bad("entry mode %q of a number that was kept is not two digits like 01", s.KeptEntry)
	}
	if err := s.checkKinds(); err != nil {
		return bad("%s", err)
	}
	if s.Repeat != reversalRequest && s.Repeat != reversalRepeat {
		return bad("repeat %q is not 0400 or 0401", s.Repeat)
	}
	if s.TextField != 48 && s.TextField != 63 && s.TextField != -1 {
		return bad("text field %d is not 48, 63 or -1", s.TextField)
	}
	if err := s.checkSecurity(); err != nil {
		return bad("%s", err)
	}
	if err := s.checkNetwork(); err != nil {
		return bad("%s", err)
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
