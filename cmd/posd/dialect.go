package main

import (
	"fmt"
	"strconv"
	"time"

	"tillway/emv"
	"tillway/emv/tlv"
	"tillway/iso8583"
	"tillway/iso8583/dialect/nac"
	v93 "tillway/iso8583/dialect/v93"
	"tillway/terminal/lane"
	"tillway/terminal/profile"
)

// The dialects that posd speaks.
const dialectNAC, dialectV93 = "nac", "v93"

// acquirerDialect is a dialect as it is wired: the lane composes with it, the link matches with its codec.
type acquirerDialect interface {
	lane.Dialect
	Codec() *iso8583.Codec
}

// openDialect is the list of dialects, a line each.
func openDialect(a acquirerConfig, p profile.Profile, now func() time.Time) (acquirerDialect, error) {
	var d acquirerDialect
	var err error
	switch a.Dialect {
	case dialectNAC:
		d, err = nac.New(a.NAC.settings(p, now))
	case dialectV93:
		d, err = v93.New(a.V93.settings(p, now))
	default:
		return nil, fmt.Errorf("acquirer.dialect %q is not known: this release speaks nac and v93", a.Dialect)
	}
	if err != nil {
		return nil, fmt.Errorf("acquirer.%s: %w", a.Dialect, err)
	}
	return d, nil
}

// codeMeaning is what a response code means in the acquirer's dialect.
func (a acquirerConfig) codeMeaning(code string) string {
	if a.Dialect == dialectV93 {
		return v93.Meaning(code)
	}
	return nac.Meaning(code)
}

// mac is how the acquirer's messages are authenticated, in the dialects' word: off, alg3 or cmac.
func (a acquirerConfig) mac() string {
	if a.Dialect == dialectV93 {
		return a.V93.MAC
	}
	return a.NAC.MAC
}

// sessionKeys says whether the acquirer's keys are session keys, which an exchange brings.
func (a acquirerConfig) sessionKeys() bool { return a.Dialect == dialectNAC && a.NAC.sessionKeys() }

// hostOrders says whether the acquirer may give orders.
func (a acquirerConfig) hostOrders() bool { return a.Dialect == dialectNAC && a.NAC.HostOrders }

// defaultNAC is the dialect's own defaults, to be shown and changed.
func defaultNAC() nacConfig {
	d := nac.Defaults()
	return nacConfig{
		Track2Filler: d.Track2Filler, Repeat: d.Repeat, Chip: d.ChipEntry, PIN: d.PINEntry, Stripe: d.StripeEntry, Fallback: d.FallbackEntry, Kept: d.KeptEntry,
		CashbackCode: d.CashbackCode, PreauthCode: d.PreauthCode, Balance: d.Balance, VoidAmount: d.VoidAmount, Amounts: d.Amounts,
		TipType: d.TipType, Partial: d.Partial, Deferred: d.Deferred, Booked: d.Booked, TotalsDigits: d.TotalsDigits, HostTotals: d.HostTotals, Marked: d.Marked,
		MAC: d.MAC, MACBytes: d.MACBytes, SecurityField: d.SecurityField, PINBytes: d.PINBytes,
		KeyExchange: d.KeyExchange, KeyExchangeCode: d.KeyExchangeCode, KeyField: d.KeyField, EchoCode: d.EchoCode,
	}
}

// settings are those of the dialect: currency and time zone come from the profile.
func (n nacConfig) settings(p profile.Profile, now func() time.Time) nac.Settings {
	s := nac.Settings{
		TPDU: n.TPDU, NII: n.NII, Track2Filler: n.Track2Filler, Repeat: n.Repeat, StripeEntry: n.Stripe, FallbackEntry: n.Fallback, KeptEntry: n.Kept,
		ChipEntry: n.Chip, PINEntry: n.PIN, ChipTags: n.Tags, Private: privateFields(n.Private), Brands: map[string]nac.Brand{},
		Currency: p.Currency, Zone: p.Zone, Now: now,
		MAC: n.MAC, MACBytes: n.MACBytes, MACSignOn: n.MACSignOn, SecurityField: n.SecurityField, PINBytes: n.PINBytes,
		KeyExchange: n.KeyExchange, KeyExchangeCode: n.KeyExchangeCode, KeyField: n.KeyField, EchoCode: n.EchoCode, HostOrders: n.HostOrders,
		Kinds: nac.Kinds{
			CashbackCode: n.CashbackCode, PreauthCode: n.PreauthCode, Balance: n.Balance, VoidAmount: n.VoidAmount, Amounts: n.Amounts,
			TipType: n.TipType, Partial: n.Partial, Deferred: n.Deferred, Booked: n.Booked, TotalsDigits: n.TotalsDigits, HostTotals: n.HostTotals, Marked: n.Marked,
		},
	}
	for name, b := range n.Brands {
		s.Brands[name] = nac.Brand{
			ChipEntry: b.Chip, PINEntry: b.PIN, StripeEntry: b.Stripe, FallbackEntry: b.Fallback, ChipTags: b.Tags, Private: privateFields(b.Private),
		}
	}
	return s
}

// v93Config is acquirer.v93. What is left out is the dialect's default.
type v93Config struct {
	TPDU             string `toml:"tpdu"`
	Encoding         string `toml:"encoding"`
	Track2Filler     string `toml:"track2_filler"`
	TerminalIDLength int    `toml:"terminal_id_length"`

	Acquirer     string `toml:"acquirer"`
	OmitCurrency bool   `toml:"omit_currency"`
	BatchField   int    `toml:"batch_field"`
	InvoiceField int    `toml:"invoice_field"`
	TextField    int    `toml:"text_field"`
	SignOn       string `toml:"sign_on"`
	Echo         string `toml:"echo"`
	Preauth      string `toml:"preauth"`
	Void         string `toml:"void"`
	TipType      string `toml:"tip_type"`
	Deferred     bool   `toml:"deferred"`
	Booked       bool   `toml:"duplicate_is_booked"`
	Partial      bool   `toml:"partial"`

	Reasons      map[string]string `toml:"reasons"`
	ReversedAs   string            `toml:"reversed_as"`
	ReversalTags []tlv.Tag         `toml:"reversal_tags"`
	Original     []int             `toml:"original"`
	OriginalText bool              `toml:"original_text"`
	Repeat       string            `toml:"repeat"`
	AlsoApproved []string          `toml:"also_approved"`
	Reconcile    string            `toml:"reconcile"`
	TotalsField  int               `toml:"totals_field"`
	Totals       []columnConfig    `toml:"totals"`

	Brand  brandConfig            `toml:"brand"`
	Brands map[string]brandConfig `toml:"brands"`

	MAC       string `toml:"mac"`
	MACBytes  int    `toml:"mac_bytes"`
	MACFiller string `toml:"mac_filler"`
	MACField  int    `toml:"mac_field"`
	MACSignOn bool   `toml:"mac_sign_on"`
	PINBytes  int    `toml:"pin_bytes"`
}

// defaultV93 is the dialect's own defaults, to be shown and changed.
func defaultV93() v93Config {
	d := v93.Defaults()
	return v93Config{
		Encoding: d.Encoding, Track2Filler: d.Track2Filler, TerminalIDLength: d.TerminalIDLength, BatchField: d.BatchField,
		InvoiceField: d.InvoiceField, TextField: d.TextField, SignOn: d.SignOn, Echo: d.Echo, Preauth: d.Preauth, Void: d.Void, TipType: d.TipType, Repeat: d.Repeat, ReversedAs: string(d.ReversedAs),
		ReversalTags: []tlv.Tag{}, Original: d.Original, AlsoApproved: []string{}, Reconcile: d.Reconcile, TotalsField: d.TotalsField,
		MAC: d.MAC, MACBytes: d.MACBytes, MACFiller: d.MACFiller, MACField: d.MACField, PINBytes: d.PINBytes,
	}
}

// nacBrandConfig is how a scheme's cards are shown to the host in dialect nac.
type nacBrandConfig struct {
	Chip     string            `toml:"chip_entry"`
	PIN      string            `toml:"pin_entry"`
	Stripe   string            `toml:"stripe_entry"`
	Fallback string            `toml:"fallback_entry"`
	Tags     []tlv.Tag         `toml:"tags"`
	Private  map[string]string `toml:"private"`
}

// privateFields are fields by number. A key that is no number becomes field 0, which every dialect refuses.
func privateFields(fields map[string]string) map[int]string {
	all := make(map[int]string, len(fields))
	for key, text := range fields {
		n, err := strconv.Atoi(key)
		if err != nil {
			n = 0
		}
		all[n] = text
	}
	return all
}

// brandConfig is how a scheme's cards are shown to the host.
type brandConfig struct {
	Chip     string            `toml:"chip"`
	Stripe   string            `toml:"stripe"`
	Fallback string            `toml:"fallback"`
	Tags     []tlv.Tag         `toml:"tags"`
	Private  map[string]string `toml:"private"`

	Totals      string `toml:"totals"`
	TotalsHouse string `toml:"totals_house"`
}

// columnConfig is one element of a scheme's totals.
type columnConfig struct {
	What   string `toml:"what"`
	Length int    `toml:"length"`
}

func (b brandConfig) brand() v93.Brand {
	return v93.Brand{
		ChipInput: b.Chip, StripeInput: b.Stripe, FallbackInput: b.Fallback, ChipTags: b.Tags, Private: privateFields(b.Private), Totals: b.Totals, TotalsHouse: b.TotalsHouse,
	}
}

// settings are those of the dialect: what the terminal is comes from its profile.
func (c v93Config) settings(p profile.Profile, now func() time.Time) v93.Settings {
	s := v93.Settings{
		TPDU: c.TPDU, Encoding: c.Encoding, Track2Filler: c.Track2Filler, TerminalIDLength: c.TerminalIDLength,
		Acquirer: c.Acquirer, OmitCurrency: c.OmitCurrency, BatchField: c.BatchField, InvoiceField: c.InvoiceField, TextField: c.TextField,
		SignOn: c.SignOn, Echo: c.Echo, Preauth: c.Preauth, Void: c.Void, TipType: c.TipType, Deferred: c.Deferred, Partial: c.Partial, Reconcile: c.Reconcile,
		TotalsField: c.TotalsField, ReversedAs: v93.Reason(c.ReversedAs), ReversalTags: c.ReversalTags, Original: c.Original, OriginalText: c.OriginalText,
		Repeat: c.Repeat, Booked: c.Booked, AlsoApproved: c.AlsoApproved, Brand: c.Brand.brand(), Brands: map[string]v93.Brand{}, Reasons: map[v93.Reason]string{},
		MAC: c.MAC, MACBytes: c.MACBytes, MACFiller: c.MACFiller, MACField: c.MACField, MACSignOn: c.MACSignOn, PINBytes: c.PINBytes,
		PointOfService: v93.PointOfServiceOf(p.Terminal.Capabilities, emv.MoreCapabilities(p.Terminal.MoreCapabilities), p.Terminal.Type),
		Zone:           p.Zone, Now: now,
	}
	if p.Merchant.Category != 0 {
		s.MerchantCategory = fmt.Sprintf("%04d", p.Merchant.Category)
	}
	for name, b := range c.Brands {
		s.Brands[name] = b.brand()
	}
	for _, column := range c.Totals {
		s.TotalsColumns = append(s.TotalsColumns, v93.TotalsColumn(column))
	}
	for reason, code := range c.Reasons {
		s.Reasons[v93.Reason(reason)] = code
	}
	return s
}
