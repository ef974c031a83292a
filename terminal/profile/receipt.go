package profile

import (
	"slices"
	"unicode"
)

// CardLanguage is the language of receipts that are in the customer's own.
const CardLanguage = "card"

// receipt is what is printed of a sale.
func (c *checker) receipt(r receiptTable) Receipt {
	out := Receipt{Language: CardLanguage, Merchant: "en", Digits: "latin", Proof: true, Copies: []string{"customer", "merchant"}}
	if r.Language != nil {
		out.Language = c.str("receipt.language", r.Language)
		if !slices.Contains([]string{CardLanguage, "en", "ar", "both"}, out.Language) {
			c.refuse("receipt.language", "%q is no language of receipts: there are card (the customer's own), en, ar and both", out.Language)
		}
		if out.Language != CardLanguage {
			out.Merchant = out.Language
		}
	}
	if r.Merchant != nil {
		out.Merchant = c.str("receipt.merchant_language", r.Merchant)
		if !slices.Contains([]string{"en", "ar", "both"}, out.Merchant) {
			c.refuse("receipt.merchant_language", "%q is no language of papers: there are en, ar and both", out.Merchant)
		}
	}
	if r.Digits != nil {
		out.Digits = c.str("receipt.digits", r.Digits)
		if out.Digits != "latin" && out.Digits != "arabic" {
			c.refuse("receipt.digits", "%q is no kind of digits: there are latin and arabic", out.Digits)
		}
	}
	out.Proof = c.flag("receipt.proof", r.Proof, true)
	if r.Copies == nil {
		return out
	}
	out.Copies = c.list("receipt.copies", r.Copies)
	for i, name := range out.Copies {
		switch {
		case name != "customer" && name != "merchant":
			c.refuse("receipt.copies", "has %q: there are customer and merchant", name)
		case slices.Contains(out.Copies[:i], name):
			c.refuse("receipt.copies", "names %q twice", name)
		}
	}
	return out
}

// arabic is the shop's head for receipts in Arabic.
func (c *checker) arabic(f merchant, lines int) (name string, location []string) {
	name, location = c.str("merchant.name_arabic", f.NameArabic), c.list("merchant.location_arabic", f.LocationArabic)
	if n := len(location); n > 0 && n != lines {
		c.refuse("merchant.location_arabic", "has %d lines, and location %d: each has one in the other language", n, lines)
	}
	c.printable("merchant.name_arabic", name)
	for _, line := range location {
		c.printable("merchant.location_arabic", line)
	}
	return name, location
}

// printable checks text of any language that goes on paper only: no control or format characters, which could turn it around.
func (c *checker) printable(key, s string) {
	const most = 40
	n := 0
	for _, r := range s {
		if n++; !unicode.IsPrint(r) {
			c.refuse(key, "holds a character that does not print")
		}
	}
	if n > most {
		c.refuse(key, "%q has %d characters: it takes at most %d", s, n, most)
	}
}
