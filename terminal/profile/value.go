package profile

import (
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"tillway/money"
)

// str is a text that may be missing.
func (c *checker) str(key string, v any) string {
	if v == nil {
		return ""
	}
	s, ok := v.(string)
	if !ok {
		c.refuse(key, "%v is not text: write it in quotes", v)
	}
	return s
}

// need is a text that may not be missing.
func (c *checker) need(key string, v any) string {
	if v == nil {
		c.refuse(key, "is missing")
	}
	return c.str(key, v)
}

// list is a list of texts; a missing one is empty.
func (c *checker) list(key string, v any) []string {
	if v == nil {
		return nil
	}
	items, ok := v.([]any)
	if !ok {
		c.refuse(key, "is not a list: write it like [\"a\", \"b\"]")
	}
	var out []string
	for _, item := range items {
		out = append(out, c.str(key, item))
	}
	return out
}

func (c *checker) flag(key string, v any, missing bool) bool {
	if v == nil {
		return missing
	}
	b, ok := v.(bool)
	if !ok {
		c.refuse(key, "%v is neither true nor false", v)
	}
	return b
}

// number is a whole number, or its digits in quotes, since TOML writes no number with a zero in front: "036".
func (c *checker) number(key string, v any, minimum, maximum int64) uint16 {
	n, ok := v.(int64)
	if s, text := v.(string); text {
		u, err := strconv.ParseUint(s, 10, 16)
		n, ok = int64(u), err == nil //nolint:gosec // 16 bits
	}
	switch {
	case v == nil:
		c.refuse(key, "is missing")
	case !ok:
		c.refuse(key, "%v is not a whole number", v)
	case n < minimum || n > maximum:
		c.refuse(key, "%d is not %d to %d", n, minimum, maximum)
	default:
		return uint16(n) //nolint:gosec // every maximum here is at most four digits
	}
	return 0
}

// between is a small whole number that may be missing.
func (c *checker) between(key string, v any, missing int, minimum, maximum int64) int {
	if v == nil {
		return missing
	}
	return int(c.number(key, v, minimum, maximum))
}

// currency is an alphabetic or a numeric code of ISO 4217.
func (c *checker) currency(v any) money.Currency {
	const key = "currency"
	if n, ok := v.(int64); ok {
		v = strconv.FormatInt(n, 10)
	}
	code := c.need(key, v)
	cur, err := money.ByCode(code)
	if n, number := strconv.ParseUint(code, 10, 16); number == nil {
		cur, err = money.ByNumeric(uint16(n))
	}
	if err != nil {
		c.refuse(key, "%q is no currency of ISO 4217: write its code, like KWD", code)
	}
	return cur
}

// country is a numeric code of ISO 3166-1.
func (c *checker) country(v any) uint16 {
	const key = "country"
	if s, ok := v.(string); ok && strings.Trim(s, "0123456789") != "" {
		c.refuse(key, "%q is not the country's number of ISO 3166-1: write it like 414 for Kuwait", s)
		return 0
	}
	return c.number(key, v, 1, 999)
}

// hex is bytes in hex; spaces between them are let through.
func (c *checker) hex(key string, v any, minimum, maximum int) []byte {
	if _, number := v.(int64); number {
		c.refuse(key, "is a number: write the hex digits in quotes")
		return nil
	}
	text := c.need(key, v)
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
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

func (c *checker) amount(key string, v any, cur money.Currency) int64 {
	text := c.need(key, v)
	if cur.Code == "" { // refused already
		return 0
	}
	a, err := money.Parse(text, cur)
	if err != nil {
		c.refuse(key, "%v", err)
	}
	return a.Minor
}

func (c *checker) duration(key string, v any, minimum, maximum time.Duration) time.Duration {
	text := c.need(key, v)
	d, err := time.ParseDuration(text)
	if err != nil || d < minimum || d > maximum {
		c.refuse(key, "%q is not a time from %s to %s, written like 60s", text, minimum, maximum)
	}
	return d
}

// text checks printable ASCII: what the tags (ans) and every receipt printer can show.
func (c *checker) text(key string, v any, minimum, maximum int) string {
	s := c.need(key, v)
	for _, r := range s {
		if r < ' ' || r > '~' {
			c.refuse(key, "holds characters other than printable ASCII")
		}
	}
	if len(s) < minimum || len(s) > maximum {
		c.refuse(key, "%q has %d characters: it takes %d to %d", s, len(s), minimum, maximum)
	}
	return s
}

// fixed checks letters and digits of an exact length: a number that the acquirer gave out.
func (c *checker) fixed(key string, v any, length int) string {
	s := c.need(key, v)
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
