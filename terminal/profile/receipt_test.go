package profile_test

import (
	"slices"
	"strings"
	"testing"

	"tillway/terminal/profile"
)

const receiptTable = "[receipt]\n"

// Language and copies of receipts, and the shop's name in Arabic: taken, left out, and refused with the key.
func TestReceiptTable(t *testing.T) {
	text, err := profile.Text("kuwait")
	if err != nil {
		t.Fatal(err)
	}
	with := func(lines string) (profile.Profile, error) {
		merchant, receipt, _ := strings.Cut(lines, "|")
		s := strings.Replace(string(text), "[merchant]\n", "[merchant]\n"+merchant+"\n", 1)
		s = strings.Replace(s, "[receipt] ", receiptTable+receipt+"\n#", 1)
		return profile.Parse([]byte(s))
	}
	p, err := with(`name_arabic = "متجر"` + "\n" + `location_arabic = ["شارع سالم المبارك", "السالمية"]|language = "both"` + "\n" + `copies = ["merchant"]`)
	if err != nil {
		t.Fatal(err)
	}
	if p.Receipt.Language != "both" || !slices.Equal(p.Receipt.Copies, []string{"merchant"}) || p.Merchant.NameArabic != "متجر" || len(p.Merchant.LocationArabic) != 2 {
		t.Errorf("%+v, %+v", p.Receipt, p.Merchant)
	}
	if p, err = with("|"); err != nil || p.Receipt.Language != "card" || p.Receipt.Merchant != "en" || p.Receipt.Digits != "latin" || !p.Receipt.Proof || len(p.Receipt.Copies) != 2 || p.Merchant.NameArabic != "" {
		t.Errorf("left out: %+v, %v", p.Receipt, err)
	}
	if p, err = with("|merchant_language = \"ar\"\ndigits = \"arabic\"\nproof = false"); err != nil || p.Receipt.Language != "card" || p.Receipt.Merchant != "ar" || p.Receipt.Digits != "arabic" || p.Receipt.Proof {
		t.Errorf("all given: %+v, %v", p.Receipt, err)
	}
	if p, err = with("|language = \"ar\""); err != nil || p.Receipt.Merchant != "ar" {
		t.Errorf("one language for all: %+v, %v", p.Receipt, err)
	}
	if p, err = with("|copies = []"); err != nil || len(p.Receipt.Copies) != 0 {
		t.Errorf("no copies: %+v, %v", p.Receipt, err)
	}
	for lines, says := range map[string]string{
		`|language = "fr"`: "receipt.language", `|language = 5`: "receipt.language", `|merchant_language = "card"`: "receipt.merchant_language", `|digits = "roman"`: "receipt.digits",
		`|proof = "yes"`: "receipt.proof", `|copies = "customer"`: "receipt.copies",
		`|copies = ["third"]`: "receipt.copies", `|copies = ["customer", "customer"]`: "twice",
		`location_arabic = ["واحد"]|`: "merchant.location_arabic", `name_arabic = "\u202e x"|`: "merchant.name_arabic",
		`name_arabic = "` + strings.Repeat("م", 41) + `"|`: "merchant.name_arabic",
	} {
		if _, err := with(lines); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", lines, err)
		}
	}
}
