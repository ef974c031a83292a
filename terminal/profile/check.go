package profile

import (
	"encoding/hex"
	"fmt"
	"slices"
	"time"

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
func (c *checker) terminalType(text string) byte {
	const key = "terminal.type"
	b := c.hex(key, text, 1, 1)
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
func (c *checker) methods(names []string) []emv.Method {
	const key = "terminal.cardholder_verification"
	if len(names) == 0 {
		c.refuse(key, `is missing or empty: write ["no_cvm"]`)
	}
	var out []emv.Method
	for _, n := range names {
		switch {
		case n == "no_cvm" && !slices.Contains(out, emv.NoCVM):
			out = append(out, emv.NoCVM)
		case n == "no_cvm":
			c.refuse(key, "names %q twice", n)
		case slices.Contains([]string{"signature", "online_pin", "offline_pin"}, n):
			c.refuse(key, `%q is not performed by this release: write ["no_cvm"]`, n)
		default:
			c.refuse(key, `%q is no method: write ["no_cvm"]`, n)
		}
	}
	return out
}

func (c *checker) applications(rows []application, cur money.Currency) []Application {
	if len(rows) > MaxApplications {
		c.refuse("application", "%d are more than the %d a profile may have", len(rows), MaxApplications)
		return nil
	}
	var out []Application
	enabled := 0
	for i, row := range rows {
		a := c.application(fmt.Sprintf("application[%d]", i), row, cur)
		for _, b := range out {
			if len(a.AID) > 0 && slices.Equal(a.AID, b.AID) {
				c.refuse(fmt.Sprintf("application[%d].aid", i), "%s is there twice", row.AID)
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

func (c *checker) application(key string, row application, cur money.Currency) Application {
	a := Application{Enabled: row.Enabled == nil || *row.Enabled, Placeholder: row.Placeholder}
	c.text(key+".scheme", row.Scheme, 1, 24)
	if a.Placeholder && a.Enabled {
		c.refuse(key+".enabled", "%s is a placeholder: put in the AID and action codes your acquirer gives you, take placeholder out, then enable it", row.Scheme)
	}
	a.Application = emv.Application{Scheme: row.Scheme, PartialSelect: row.Partial}
	if a.Placeholder {
		return a
	}
	a.AID = c.hex(key+".aid", row.AID, 5, 16)
	copy(a.Version[:], c.hex(key+".version", row.Version, 2, 2))
	copy(a.TACDenial[:], c.hex(key+".tac_denial", row.TACDenial, 5, 5))
	copy(a.TACOnline[:], c.hex(key+".tac_online", row.TACOnline, 5, 5))
	copy(a.TACDefault[:], c.hex(key+".tac_default", row.TACDefault, 5, 5))
	a.FloorLimitMinor = c.amount(key+".floor_limit", row.FloorLimit, cur)
	a.DefaultDDOL = c.dol(key+".default_ddol", row.DDOL)
	a.DefaultTDOL = c.dol(key+".default_tdol", row.TDOL)
	if r := row.Random; r != nil {
		a.RandomThreshold = c.amount(key+".random_selection.threshold", r.Threshold, cur)
		a.RandomTarget, a.RandomMaximum = r.Target, r.Maximum
		if r.Target < 0 || r.Target > 99 || r.Maximum < r.Target || r.Maximum > 99 {
			c.refuse(key+".random_selection", "target_percent %d and maximum_percent %d: both are 0 to 99, the maximum not below the target (Book 3, 10.6.2)", r.Target, r.Maximum)
		}
		if a.RandomThreshold > a.FloorLimitMinor {
			c.refuse(key+".random_selection", "threshold %s is above the floor limit (Book 3, 10.6.2)", r.Threshold)
		}
	}
	return a
}

func (c *checker) dol(key, text string) []byte {
	if text == "" {
		return nil
	}
	b := c.hex(key, text, 2, 252)
	if _, err := tlv.ParseDOL(b); err != nil {
		c.refuse(key, "is no data object list: %v", err)
	}
	return b
}

func (c *checker) hex(key, text string, minimum, maximum int) []byte {
	b, err := hex.DecodeString(text)
	switch {
	case err == nil && len(b) >= minimum && len(b) <= maximum:
		return b
	case minimum == maximum:
		c.refuse(key, "%q is not %d hex digits", text, 2*minimum)
	default:
		c.refuse(key, "%q is not %d to %d hex digits", text, 2*minimum, 2*maximum)
	}
	return nil
}

func (c *checker) number(key string, n, minimum, maximum int) uint16 {
	if n < minimum || n > maximum {
		c.refuse(key, "%d is not %d to %d", n, minimum, maximum)
		return 0
	}
	return uint16(n) //nolint:gosec // in range: every maximum here is four digits
}

func (c *checker) amount(key, text string, cur money.Currency) int64 {
	if cur.Code == "" {
		return 0
	}
	a, err := money.Parse(text, cur)
	if err != nil {
		c.refuse(key, "%v", err)
	}
	return a.Minor
}

func (c *checker) duration(key, text string, minimum, maximum time.Duration) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil || d < minimum || d > maximum {
		c.refuse(key, "%q is not a time from %s to %s, written like 60s", text, minimum, maximum)
	}
	return d
}

// text checks printable ASCII: what the tags (ans) and every receipt printer can show.
func (c *checker) text(key, s string, minimum, maximum int) {
	if !printable(s) {
		c.refuse(key, "holds characters other than printable ASCII")
	}
	if len(s) < minimum || len(s) > maximum {
		c.refuse(key, "%q has %d characters: it takes %d to %d", s, len(s), minimum, maximum)
	}
}

// fixed checks letters and digits of an exact length: a number that the acquirer gave out.
func (c *checker) fixed(key, s string, length int) string {
	for _, r := range s {
		if (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') {
			c.refuse(key, "%q holds something other than letters and digits", s)
		}
	}
	if len(s) != length {
		c.refuse(key, "%q has %d characters: it takes exactly %d", s, len(s), length)
	}
	return s
}

func printable(s string) bool {
	for _, r := range s {
		if r < ' ' || r > '~' {
			return false
		}
	}
	return true
}
