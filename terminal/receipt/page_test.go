package receipt

import (
	"strings"
	"testing"
	"unicode"

	"tillway/emv"
	"tillway/money"
	"tillway/terminal"
)

// A page in Arabic has nothing in English but names, codes and what others say: every label, and every line that is the terminal's own.
func TestEverythingHasArabic(t *testing.T) {
	stays := map[string]bool{ // names, and the data of the chip, which have no other form
		"TILLWAY TEST SHOP": true, "Salem Al Mubarak Street, Block 1": true, "Salmiya, Kuwait": true,
		"AC": true, "CID": true, "ATC": true, "TVR": true, "TSI": true, "ARC": true, "IAD": true,
	}
	kwd := approved(t).Amount.Currency
	checked := 0
	for _, kind := range terminal.Kinds() {
		for _, state := range []terminal.State{terminal.Approved, terminal.Declined, terminal.Cancelled, terminal.Reversed, terminal.AgreementOnline} {
			for _, way := range []terminal.Way{"", terminal.WayOffline, terminal.WayDeferred, terminal.WayVoice} {
				for _, code := range reasons {
					for _, copied := range []Copy{Customer, Merchant} {
						sale := ofKind(t, kind, func(s *terminal.Sale) {
							s.State, s.Way, s.Tip, s.Cashback, s.Approved, s.Reference = state, way, money.New(100, kwd), money.New(200, kwd), money.New(300, kwd), ""
							s.Outcome = terminal.Outcome{Code: code}
							if state == terminal.AgreementOnline {
								s.Signature, s.Method = true, emv.Signature
							}
							if kind != terminal.KindSale && kind != terminal.KindForced {
								s.Of = 1041
							}
						})
						r, err := Draw(sale, header, copied, true)
						if err != nil {
							continue // there is no customer's copy of it
						}
						for _, b := range r.About(earlier(t, terminal.KindPreauth)).Since(nil, false).Page() {
							own := b.Label == "" && b.Layout != Rule && b.Layout != Bar && b.Layout != Gap
							for text, ar := range map[string]string{b.Label: b.ArabicLabel, oneOf(own, b.Text): b.ArabicText} {
								if text == "" || stays[text] {
									continue
								}
								checked++
								if !strings.ContainsFunc(ar, func(r rune) bool { return unicode.Is(unicode.Arabic, r) }) {
									t.Errorf("%q has no Arabic", text)
									stays[text] = true // said once
								}
							}
						}
					}
				}
			}
		}
	}
	if checked < 1000 {
		t.Errorf("only %d texts were looked at", checked)
	}
}

// reasons are the outcomes that a receipt words itself.
var reasons = []string{
	terminal.CodeCardDeclined, terminal.CodeCardError, terminal.CodeCardRemoved, terminal.CodeCancelled, terminal.CodeTimedOut, terminal.CodeUnreachable,
	terminal.CodeNoAnswer, terminal.CodeCardRefused, terminal.CodeSignature, terminal.CodePowerLost, terminal.CodeTerminalFault, "another",
}

func oneOf(yes bool, s string) string {
	if yes {
		return s
	}
	return ""
}

// The blocks lay out as Text does, so that a printer's own font shows the same as the screen.
func TestBlocksAreTheText(t *testing.T) {
	r, err := Draw(approved(t), header, Merchant, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, width := range []int{0, 1, 32, 48} {
		var lines []string
		for _, b := range r.Page() {
			lines = append(lines, b.Lines(width)...)
		}
		if got, want := strings.Join(lines, "\n")+"\n", r.Text(width); got != want {
			t.Errorf("width %d:\n%s\nwant\n%s", width, got, want)
		}
	}
}

// The shop's own Arabic stands beside its name, cleaned as everything from outside; nothing of it where there is none.
func TestArabicHeader(t *testing.T) {
	h := header
	h.NameArabic, h.LocationArabic = "متجر\u202e\x1b", []string{"السالمية"}
	r, err := Draw(approved(t), h, Customer, false)
	if err != nil {
		t.Fatal(err)
	}
	p := r.Page()
	if p[0].ArabicText != "متجر??" || p[1].ArabicText != "السالمية" || p[2].ArabicText != "" {
		t.Errorf("%+v", p[:3])
	}
	if r, err = Draw(approved(t), header, Customer, false); err != nil || r.Page()[0].ArabicText != "" {
		t.Errorf("%+v, %v", r.Page()[0], err)
	}
}

func TestLanguages(t *testing.T) {
	for _, good := range []string{"en", "ar", "both"} {
		if _, err := ParseLanguage(good); err != nil {
			t.Error(err)
		}
	}
	if _, err := ParseLanguage("fr"); err == nil {
		t.Error("fr was taken")
	}
}
