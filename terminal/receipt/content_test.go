package receipt

import (
	"encoding/json"
	"strings"
	"testing"

	"tillway/emv"
	"tillway/money"
	"tillway/terminal"
)

// where says on which copies an element has to stand.
type where uint8

const (
	nowhere where = iota
	onMerchants
	onBoth
)

// content is the schemes' published minimum, element by element (Visa's, Mastercard's, American Express's and Discover's receipt
// requirements as their acquirers publish them; Mastercard's Maestro rules 7.15 for failures; EMV 4.4 Book 4, 11.1), and what KNET's hints
// add. Each row is one element: the sale, and what has to stand on which copy.
func content(t *testing.T) []struct {
	element string
	sale    terminal.Sale
	text    []string
	where   where
} {
	t.Helper()
	sale := approved(t)
	with := func(change func(*terminal.Sale)) terminal.Sale {
		s := approved(t)
		change(&s)
		return s
	}
	declined := ended(t, terminal.Declined, "51", terminal.Outcome{Code: "declined", Happened: "There is not enough money on the account. (code 51)"})
	domestic := with(func(s *terminal.Sale) {
		s.AID, s.Label, s.Scheme, s.Method, s.Signature = "A000000999010101", "DOMESTIC DEBIT", "other", emv.OnlinePIN, false
	})
	signed := with(func(s *terminal.Sale) {
		s.State, s.Method, s.Signature = terminal.AgreementOnline, emv.Signature, true
	})
	return []struct {
		element string
		sale    terminal.Sale
		text    []string
		where   where
	}{
		{"application identifier", sale, []string{"A0000000031010"}, onBoth},
		{"application's name", sale, []string{"VISA CREDIT"}, onBoth},
		{"cardholder verification, none", sale, []string{"NO CARDHOLDER VERIFICATION"}, onBoth},
		{"cardholder verification, PIN", domestic, []string{"VERIFIED BY PIN"}, onBoth},
		{"cardholder verification, signature", with(func(s *terminal.Sale) { s.Method, s.Signature = emv.Signature, true }), []string{"VERIFIED BY SIGNATURE"}, onBoth},
		{"last four digits", sale, []string{"************0119"}, onBoth},
		{"more of the card number", sale, []string{"476173", "1739", "0001010119"}, nowhere},
		{"expiry date", sale, []string{"EXP", "12/28", "2812", "28-12", "1228"}, nowhere},
		{"track and discretionary data", sale, []string{"=2812", ";4761", "%B"}, nowhere},
		{"merchant's name and place", sale, []string{"TILLWAY TEST SHOP", "Salem Al Mubarak Street, Block 1", "Salmiya, Kuwait"}, onBoth},
		{"merchant number", sale, []string{"KW0000000000001"}, onBoth},
		{"terminal number", sale, []string{"TILL0001"}, onBoth},
		{"date and time", sale, []string{"2026-11-23", "09:15:07"}, onBoth},
		{"kind", sale, []string{"SALE 1042"}, onBoth},
		{"amount and currency", sale, []string{"AMOUNT KWD 10.525"}, onBoth},
		{"authorisation code", sale, []string{"AUTH CODE A12345"}, onBoth},
		{"how the card was read", sale, []string{"ENTRY CHIP"}, onBoth},
		{"fallback", with(func(s *terminal.Sale) { s.Entry = terminal.EnteredFallback }), []string{"ENTRY FALLBACK"}, onBoth},
		{"trace, reference and batch", sale, []string{"STAN 000042", "RRN 632709000042", "BATCH 000007", "INVOICE 000043"}, onBoth},
		{"cryptogram and its kind", sale, []string{"AC 8CC495A66CACA38E", "CID 40 TC"}, onMerchants},
		{"TVR and TSI", sale, []string{"TVR 8000008000", "TSI 6800"}, onMerchants},
		{"issuer application data", sale, []string{"IAD 06010A03A00000"}, onMerchants},
		{"authorisation response code", sale, []string{"ARC 00"}, onMerchants},
		{"a decline's reason", declined, []string{"DECLINED", "NOT CHARGED", "There is not enough money on the account.", "RESPONSE 51"}, onBoth},
		{"approved offline", with(func(s *terminal.Sale) { s.Way = terminal.WayOffline }), []string{"APPROVED OFFLINE", "STORED AS 17"}, onBoth},
		{"a number in store of what the bank approved", sale, []string{"STORED AS"}, nowhere},
		{"a void's original", with(func(s *terminal.Sale) { s.Kind, s.Of = terminal.KindVoid, 1041 }), []string{"VOID 1042", "ITS RRN 632709000040", "ITS STAN 000040"}, onBoth},
		{"a refund's original", with(func(s *terminal.Sale) { s.Kind, s.Of = terminal.KindRefund, 1041 }), []string{"REFUND 1042", "ITS RRN 632709000040"}, onBoth},
		{"line to sign, where the card wants it", signed, []string{"X ____", "SIGNATURE"}, onMerchants},
		{"line to sign, no signature wanted", sale, []string{"X ____"}, nowhere},
		{"line to sign, domestic debit", domestic, []string{"X ____", "SIGNATURE"}, nowhere},
		{"training", with(func(s *terminal.Sale) { s.Training = true }), []string{"TRAINING, NOT A PAYMENT", "NOTHING WAS CHARGED"}, onBoth},
		{"training, of a real sale", sale, []string{"TRAINING"}, nowhere},
		{"training that says charged", with(func(s *terminal.Sale) { s.Training, s.Way = true, terminal.WayOffline }), []string{"CHARGED KWD"}, nowhere},
		{"surcharge", sale, []string{"SURCHARGE", "FEE"}, nowhere},
	}
}

// Each element of the table stands where it has to, and nowhere else; in text of every width and in HTML.
func TestContent(t *testing.T) {
	for _, row := range content(t) {
		for _, copied := range []Copy{Customer, Merchant} {
			r, err := Draw(row.sale, header, copied, false)
			if err != nil {
				continue // a slip to sign is the merchant's alone
			}
			r = r.About(earlier(t, terminal.KindSale)).AsStored(17)
			wanted := row.where == onBoth || row.where == onMerchants && copied == Merchant
			for form, text := range map[string]string{"wide": r.Text(42), "narrow": r.Text(MinWidth), "html": tagless(r.HTML())} {
				flat := strings.Join(strings.Fields(text), " ")
				for _, element := range row.text {
					if strings.Contains(flat, element) != wanted {
						t.Errorf("%s: %q on the %s copy, %s: want %t", row.element, element, copied, form, wanted)
					}
				}
			}
		}
	}
}

// tagless is a page's text: what stands in its body, a space for each element.
func tagless(page string) string {
	_, body, _ := strings.Cut(page, "<main>")
	body = strings.ReplaceAll(body, `<p class="s">`, "X ____ ") // its line is drawn
	var b strings.Builder
	inside := false
	for _, r := range body {
		switch {
		case r == '<':
			inside = true
			b.WriteByte(' ')
		case r == '>':
			inside = false
		case !inside:
			b.WriteRune(r)
		}
	}
	return strings.ReplaceAll(b.String(), "&#39;", "'")
}

// The e-receipt has the chip's data on either copy, for whoever keeps it; the card's number no more than paper.
func TestContentOfJSON(t *testing.T) {
	r, err := Draw(approved(t), header, Customer, false)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"9F26"`, `"95"`, `"9B"`, `"9F10"`, `"8A"`, `"9F27"`, `"aid":"A0000000031010"`, `"************0119"`} {
		if !strings.Contains(string(b), want) {
			t.Errorf("no %s", want)
		}
	}
	if strings.Contains(string(b), "476173") {
		t.Error("six digits of the card number")
	}
}

// A reprint says so in both languages; a first print does not.
func TestDuplicateInBothLanguages(t *testing.T) {
	for _, again := range []bool{true, false} {
		r, err := Draw(approved(t), header, Customer, again)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(r.TextIn(English, 0), "DUPLICATE"); got != again {
			t.Errorf("English: %t", got)
		}
		if got := strings.Contains(r.TextIn(Arabic, 0), "نسخة مكررة"); got != again {
			t.Errorf("Arabic: %t", got)
		}
	}
}

// Plain text has no marks of direction, HTML has elements in their place, and an amount's digits are in order in both.
func TestMarksStayWhereTheyBelong(t *testing.T) {
	head := header
	for _, digits := range []money.Digits{money.Latin, money.ArabicIndic} {
		head.Digits = digits
		sale := approved(t)
		sale.Approved = money.New(4_000, sale.Amount.Currency)
		r, err := Draw(sale, head, Merchant, true)
		if err != nil {
			t.Fatal(err)
		}
		want := map[money.Digits]string{money.Latin: "10.525 د.ك.", money.ArabicIndic: "١٠٫٥٢٥ د.ك."}[digits]
		for _, lang := range []Language{English, Arabic, Both} {
			for _, text := range []string{r.TextIn(lang, 0), r.TextIn(lang, MinWidth), r.HTMLIn(lang)} {
				if strings.ContainsAny(text, "\u200f\u2066\u2067\u2068\u2069\u202a\u202b\u202c\u202d\u202e") {
					t.Errorf("%s has marks of direction:\n%+q", lang, text)
				}
			}
			if text := r.TextIn(lang, 0); lang == Arabic && !strings.Contains(text, want) {
				t.Errorf("no %s in\n%s", want, text)
			}
			page := r.HTMLIn(lang)
			if strings.Count(page, "<bdi") != strings.Count(page, "</bdi>") || strings.Contains(page, " style=") {
				t.Errorf("%s: isolates that do not close, or a style that the policy forbids", lang)
			}
		}
	}
}

// What a card prefers is taken in its order, in either case; nothing that is not one of ours.
func TestCardLanguage(t *testing.T) {
	for preference, want := range map[string]Language{
		"en": English, "ar": Arabic, "AREN": Arabic, "frENar": English, "enar": English, "fr": "", "": "", "a": "", "frdeitar": Arabic,
		"frdeitesar": "", "xarx": "",
	} {
		if got := CardLanguage(preference); got != want {
			t.Errorf("%q: %q, want %q", preference, got, want)
		}
	}
}

func FuzzIsolated(f *testing.F) {
	f.Add("\u2066<b>\u2069\u2069 &\u2067")
	f.Fuzz(func(t *testing.T, s string) {
		out := isolated(s)
		if strings.Count(out, "<bdi") != strings.Count(out, "</bdi>") || strings.Contains(strings.NewReplacer(`<bdi dir="ltr">`, "", `<bdi dir="rtl">`, "", "<bdi>", "", "</bdi>", "").Replace(out), "<") {
			t.Errorf("%q", out)
		}
	})
}
