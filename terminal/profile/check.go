package profile

import (
	"fmt"
	"slices"

	"tillway/emv"
	"tillway/emv/tlv"
	"tillway/money"
)

func (c *checker) terminal(f file) Terminal {
	t := f.Terminal
	out := Terminal{
		ID:         c.fixed("terminal.id", t.ID, 8),
		MerchantID: c.fixed("terminal.merchant_id", t.MerchantID, 15),
		Type:       c.terminalType(t.Type),
		IFDSerial:  c.fixed("terminal.ifd_serial", t.IFDSerial, 8),
	}
	copy(out.MoreCapabilities[:], c.hex("terminal.additional_capabilities", t.More, 5, 5))
	return out
}

// terminalType is 9F35 (Book 4, A1). Only 21 is honest today: whoever says that a terminal can approve offline promises to
// keep and deliver what it approved, and whoever says unattended promises that nobody is needed.
func (c *checker) terminalType(v any) byte {
	const key = "terminal.type"
	text := c.need(key, v)
	b := c.hex(key, v, 1, 1)
	if c.err != nil {
		return 0
	}
	switch b[0] {
	case 0x21:
		return b[0]
	case 0x12, 0x13, 0x15, 0x16, 0x22, 0x23, 0x25, 0x26, 0x35, 0x36:
		c.refuse(key, "%s may approve without the host, which needs store-and-forward, and that is not in this release: use 21 (attended, online only)", text)
	case 0x11, 0x14, 0x24, 0x34:
		c.refuse(key, "%s is not a merchant's attended terminal: use 21 (attended, online only)", text)
	default:
		c.refuse(key, "%s is no terminal type (Book 4, A1): use 21 (attended, online only)", text)
	}
	return 0
}

// methods are the ways to verify a cardholder. A method that is not performed is refused here: were it in 9F33, cards
// would choose it.
func (c *checker) methods(key string, v any) []emv.Method {
	const example = `["online_pin", "no_cvm"]`
	names := c.list(key, v)
	if len(names) == 0 {
		c.refuse(key, `is missing or empty: write %s`, example)
	}
	performed := map[string]emv.Method{"no_cvm": emv.NoCVM, "online_pin": emv.OnlinePIN}
	var out []emv.Method
	for _, n := range names {
		m, known := performed[n]
		switch {
		case known && slices.Contains(out, m):
			c.refuse(key, "names %q twice", n)
		case known:
			out = append(out, m)
		case slices.Contains([]string{"signature", "offline_pin"}, n):
			c.refuse(key, `%q is not performed by this release: write %s`, n, example)
		default:
			c.refuse(key, `%q is no method: write %s`, n, example)
		}
	}
	return out
}

// pin is how an application is verified where it differs from the terminal: its own methods, a part of the terminal's,
// and whether it is taken with an online PIN only.
func (c *checker) pin(key string, row application, a *Application, terminal []emv.Method) {
	methods := terminal
	if row.CVM != nil {
		methods = c.methods(key+".cardholder_verification", row.CVM)
		for _, m := range methods {
			if !slices.Contains(terminal, m) {
				c.refuse(key+".cardholder_verification", "has %q, which terminal.cardholder_verification lacks", m)
			}
		}
		a.Capabilities = capabilities(methods)
	}
	if a.PINRequired = c.flag(key+".pin_required", row.PINRequired, false); a.PINRequired && !slices.Contains(methods, emv.OnlinePIN) {
		c.refuse(key+".pin_required", `needs "online_pin" among the methods of cardholder_verification`)
	}
}

func (c *checker) applications(rows []application, cur money.Currency, methods []emv.Method) []Application {
	if len(rows) > MaxApplications {
		c.refuse("application", "%d are more than the %d a profile may have", len(rows), MaxApplications)
		return nil
	}
	var out []Application
	enabled := 0
	for i, row := range rows {
		a := c.application(fmt.Sprintf("application[%d]", i), row, cur, methods)
		for _, b := range out {
			if len(a.AID) > 0 && slices.Equal(a.AID, b.AID) {
				c.refuse(fmt.Sprintf("application[%d].aid", i), "%X is there twice", a.AID)
			}
		}
		if a.Enabled {
			enabled++
		}
		out = append(out, a)
	}
	if enabled == 0 {
		c.refuse("application", "none is enabled: without one no card can be read")
	}
	return out
}

func (c *checker) application(key string, row application, cur money.Currency, methods []emv.Method) Application {
	a := Application{Enabled: c.flag(key+".enabled", row.Enabled, true), Placeholder: c.flag(key+".placeholder", row.Placeholder, false)}
	a.Scheme = c.text(key+".scheme", row.Scheme, 1, 24)
	a.PartialSelect = c.flag(key+".partial_selection", row.Partial, false)
	if a.Placeholder && a.Enabled {
		c.refuse(key+".enabled", "%s is a placeholder: put in the AID and action codes your acquirer gives you, take placeholder out, then enable it", a.Scheme)
	}
	if a.Placeholder {
		return a
	}
	a.AID = c.hex(key+".aid", row.AID, 5, 16)
	copy(a.Version[:], c.hex(key+".version", row.Version, 2, 2))
	copy(a.TACDenial[:], c.hex(key+".tac_denial", row.TACDenial, 5, 5))
	copy(a.TACOnline[:], c.hex(key+".tac_online", row.TACOnline, 5, 5))
	copy(a.TACDefault[:], c.hex(key+".tac_default", row.TACDefault, 5, 5))
	a.FloorLimitMinor = c.amount(key+".floor_limit", row.FloorLimit, cur)
	c.pin(key, row, &a, methods)
	a.DefaultDDOL = c.dol(key+".default_ddol", row.DDOL)
	a.DefaultTDOL = c.dol(key+".default_tdol", row.TDOL)
	if row.Random != nil {
		c.random(key+".random_selection", *row.Random, &a, cur)
	}
	return a
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

func (c *checker) dol(key string, v any) []byte {
	if v == nil {
		return nil
	}
	b := c.hex(key, v, 2, 252)
	if _, err := tlv.ParseDOL(b); err != nil {
		c.refuse(key, "is no data object list: %v", err)
	}
	return b
}
