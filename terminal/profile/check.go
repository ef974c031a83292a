package profile

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"tillway/emv"
	"tillway/emv/tlv"
	"tillway/money"
	"tillway/terminal"
)

// What a profile has that does not say otherwise: a developer's terminal, which supports all that the kernel does.
const (
	defaultCurrency = "EUR"
	defaultCountry  = 276
	defaultType     = "22"
	defaultMore     = "F000F0F001"
	defaultFallback = 3
)

// defaultCapabilities is E0F8C8 without what this release cannot read (Book 4, A2): every way to verify a cardholder, and
// every kind of offline data authentication.
var defaultCapabilities = emv.Capabilities{0x20, 0xF8, 0xC8}

// terminalTypes are those of Book 4, A1.
var terminalTypes = []byte{0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x34, 0x35, 0x36}

func (c *checker) terminal(t terminalTable) Terminal {
	out := Terminal{
		ID:            c.fixed("terminal.id", c.or("terminal.id", t.ID, "TILL0001"), 8),
		MerchantID:    c.fixed("terminal.merchant_id", c.or("terminal.merchant_id", t.MerchantID, "000000000000001"), 15),
		Type:          c.terminalType(c.or("terminal.type", t.Type, defaultType)),
		IFDSerial:     c.fixed("terminal.ifd_serial", c.or("terminal.ifd_serial", t.IFDSerial, "TILLWAY1"), 8),
		CDAMode:       c.between("terminal.cda_mode", t.CDAMode, 1, 1, 4),
		CAKeys:        TestKeys,
		Without:       c.without("terminal.without", t.Without),
		LiteralTACs:   c.flag("terminal.literal_action_codes", c.or("terminal.literal_action_codes", t.Literal, true), true),
		PINBypass:     c.flag("terminal.pin_bypass", t.PINBypass, false),
		Languages:     c.languages("terminal.languages", t.Languages),
		FallbackAfter: c.between("terminal.fallback_after", t.Fallback, defaultFallback, 0, 9),
	}
	copy(out.MoreCapabilities[:], c.hex("terminal.additional_capabilities", c.or("terminal.additional_capabilities", t.More, defaultMore), 5, 5))
	if t.Capabilities == nil && t.CVM == nil {
		c.left = append(c.left, "terminal.cardholder_verification")
	}
	out.Capabilities = c.capabilities("terminal.capabilities", t.Capabilities, parts{
		{"terminal.card_data_input", t.Input, inputWords},
		{"terminal.cardholder_verification", t.CVM, verificationWords},
		{"terminal.offline_data_authentication", t.ODA, authenticationWords},
	}, defaultCapabilities)
	if t.CAKeys != nil {
		out.CAKeys = c.str("terminal.ca_keys", t.CAKeys)
		if out.CAKeys != TestKeys && out.CAKeys != LiveKeys {
			c.refuse("terminal.ca_keys", "%q: there are test and live, and a terminal has one of them", out.CAKeys)
		}
	}
	if t.Referral != nil {
		if word := c.str("terminal.referral", t.Referral); word != "decline" {
			c.refuse("terminal.referral", `%q: a referral needs a call to the bank and its code typed in, which this release does not do: write "decline"`, word)
		}
	}
	return out
}

func (c *checker) terminalType(v any) byte {
	const key = "terminal.type"
	b := c.hex(key, v, 1, 1)
	if c.err != nil {
		return 0
	}
	if !slices.Contains(terminalTypes, b[0]) {
		c.refuse(key, "%X is no terminal type (Book 4, A1): a merchant's attended terminal is 21, online only, 22, offline with online capability, or 23, offline only", b)
	}
	return b[0]
}

// languages are those of the prompts; without the key English, then Arabic.
func (c *checker) languages(key string, v any) []terminal.Language {
	if v == nil {
		return []terminal.Language{terminal.English, terminal.Arabic}
	}
	var out []terminal.Language
	for _, name := range c.list(key, v) {
		l := terminal.Language(name)
		switch {
		case l != terminal.English && l != terminal.Arabic:
			c.refuse(key, "has %q: there are en and ar", name)
		case slices.Contains(out, l):
			c.refuse(key, "names %q twice", name)
		}
		out = append(out, l)
	}
	if len(out) == 0 && c.err == nil {
		c.refuse(key, "is empty: prompts are in one language at least, en or ar")
	}
	return out
}

// without are the features that the terminal does without. Their words are the kernel's, with _ between.
func (c *checker) without(key string, v any) []emv.Feature {
	var out []emv.Feature
	for _, name := range c.list(key, v) {
		f := emv.Feature(strings.ReplaceAll(name, "_", " "))
		switch {
		case !slices.Contains(emv.Features(), f):
			c.refuse(key, "has %q: there are %s", name, strings.Join(features(), ", "))
			return nil
		case slices.Contains(out, f):
			c.refuse(key, "names %q twice", name)
		}
		out = append(out, f)
	}
	return out
}

// features are the kernel's, as a profile writes them.
func features() []string {
	var out []string
	for _, f := range emv.Features() {
		out = append(out, strings.ReplaceAll(string(f), " ", "_"))
	}
	return out
}

func indexed(list string, i int) string { return fmt.Sprintf("%s[%d]", list, i) }

func (c *checker) applications(rows []application, cur money.Currency, terminal emv.Capabilities) []Application {
	if len(rows) > MaxApplications {
		c.refuse("application", "%d are more than the %d a profile may have", len(rows), MaxApplications)
		return nil
	}
	var out []Application
	enabled := 0
	for i, row := range rows {
		a := c.application(indexed("application", i), row, cur, terminal)
		for _, b := range out {
			if len(a.AID) > 0 && slices.Equal(a.AID, b.AID) {
				c.refuse(indexed("application", i)+".aid", "%X is there twice", a.AID)
			}
		}
		if a.Enabled {
			enabled++
		}
		out = append(out, a)
	}
	if enabled == 0 {
		c.refuse("application", `none is enabled: without one no card can be read. Write [[application]] and under it aid = "A0000000031010"`)
	}
	return out
}

func (c *checker) application(key string, row application, cur money.Currency, terminal emv.Capabilities) Application {
	a := Application{Enabled: c.flag(key+".enabled", row.Enabled, true), Placeholder: c.flag(key+".placeholder", row.Placeholder, false)}
	if a.Placeholder && a.Enabled {
		c.refuse(key+".enabled", "%s is a placeholder: put in the AID and action codes your acquirer gives you, take placeholder out, then enable it", a.Scheme)
	}
	if a.Placeholder {
		a.Scheme = c.text(key+".scheme", row.Scheme, 1, 24)
		return a
	}
	a.AID = c.hex(key+".aid", row.AID, 5, 16)
	said := func(name string, v, missing any) any {
		if v == nil && !a.Enabled {
			return missing // nobody uses it
		}
		return c.or(key+"."+name, v, missing)
	}
	const none = "0000000000" // of an action code that is not there (Book 3, 10.7)
	a.Scheme = c.text(key+".scheme", said("scheme", row.Scheme, schemeOf(a.AID)), 1, 24)
	a.PartialSelect = c.flag(key+".partial_selection", row.Partial, false)
	copy(a.Version[:], c.hex(key+".version", said("version", row.Version, "0000"), 2, 2))
	copy(a.TACDenial[:], c.hex(key+".tac_denial", said("tac_denial", row.TACDenial, none), 5, 5))
	copy(a.TACOnline[:], c.hex(key+".tac_online", said("tac_online", row.TACOnline, none), 5, 5))
	copy(a.TACDefault[:], c.hex(key+".tac_default", said("tac_default", row.TACDefault, none), 5, 5))
	if a.FloorLimitMinor = c.amount(key+".floor_limit", said("floor_limit", row.FloorLimit, "0"), cur); a.FloorLimitMinor > math.MaxUint32 {
		c.refuse(key+".floor_limit", "does not fit the four bytes of 9F1B: at most %s", money.New(math.MaxUint32, cur))
	}
	c.verification(key, row, &a, terminal)
	a.DefaultDDOL = c.dol(key+".default_ddol", row.DDOL, "9F3704")
	a.DefaultTDOL = c.dol(key+".default_tdol", row.TDOL, "")
	if row.Random != nil {
		c.random(key+".random_selection", *row.Random, &a, cur)
	}
	return a
}

// verification is how an application is verified and authenticated where it differs from the terminal: its own 9F33, within the
// terminal's, and whether it is taken with an online PIN only, or with the issuer's word only.
func (c *checker) verification(key string, row application, a *Application, terminal emv.Capabilities) {
	own := terminal
	if row.Capabilities != nil || row.CVM != nil || row.ODA != nil {
		own = c.capabilities(key+".capabilities", row.Capabilities, parts{
			1: {key + ".cardholder_verification", row.CVM, verificationWords},
			2: {key + ".offline_data_authentication", row.ODA, authenticationWords},
		}, terminal)
		a.Capabilities = own
	}
	if more := beyond(own, terminal); len(more) > 0 {
		at := key + ".capabilities"
		if row.Capabilities == nil {
			at = key + ".cardholder_verification"
			if slices.ContainsFunc(authenticationWords, func(w word) bool { return w.name == more[0] }) {
				at = key + ".offline_data_authentication"
			}
		}
		c.refuse(at, "has %s, which the terminal lacks", strings.Join(more, " and "))
	}
	if a.PINRequired = c.flag(key+".pin_required", row.PINRequired, false); a.PINRequired && !own.Has(emv.CapabilityEncipheredOnlinePIN) {
		c.refuse(key+".pin_required", `needs "online_pin" among the methods of cardholder_verification`)
	}
	a.OnlineOnly = c.flag(key+".online_only", row.OnlineOnly, false)
}

// random is biased random selection (Book 3, 10.6.2).
func (c *checker) random(key string, r random, a *Application, cur money.Currency) {
	a.RandomThreshold = c.amount(key+".threshold", r.Threshold, cur)
	a.RandomTarget = int(c.number(key+".target_percent", r.Target, 0, 99))
	a.RandomMaximum = int(c.number(key+".maximum_percent", r.Maximum, 0, 99))
	if a.RandomMaximum < a.RandomTarget {
		c.refuse(key, "maximum_percent %d is below target_percent %d (Book 3, 10.6.2)", a.RandomMaximum, a.RandomTarget)
	}
	if a.RandomThreshold > a.FloorLimitMinor {
		c.refuse(key, "threshold is above the floor limit (Book 3, 10.6.2)")
	}
}

// dol is a data object list; one that is left out is the standard one, and an empty text is none.
func (c *checker) dol(key string, v any, standard string) []byte {
	if v == nil {
		v = standard
	}
	if v == "" {
		return nil
	}
	b := c.hex(key, v, 2, 252)
	if _, err := tlv.ParseDOL(b); err != nil {
		c.refuse(key, "is no data object list: %v", err)
	}
	return b
}
