package contact_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"tillway/emv"
	"tillway/emv/contact"
)

func TestComplete(t *testing.T) {
	const (
		ok       = "1122334455667788" + "9000"
		auth     = "910A11223344556677883030"
		script71 = "710C" + "9F180411223344" + "8603" // a command too short
	)
	approved, declined, unable := emv.HostApproved, emv.HostDeclined, emv.HostUnable
	for _, r := range []struct {
		name    string
		section string
		objects string
		answers string
		fixed   string
		result  emv.HostResult
		arc     string
		issuer  string
		want    emv.Decision
		reason  string
		tags    string
		why     string
		sent    string
		never   string
	}{
		{name: "approved", section: "Book 3, 10.11", result: approved, want: emv.Approved, tags: "8A=3030 9F27=40 9B=6800 95=8000008000 91=-", sent: "80AE80 80AE40", never: "0082"},
		{name: "approved with the issuer's code", section: "Book 4, A6", result: approved, arc: "10", want: emv.Approved, tags: "8A=3130"},
		{name: "declined", section: "Book 3, 10.11", result: declined, want: emv.Declined, reason: "declined by the issuer", tags: "8A=3035 9F27=00", sent: "80AE00", never: "80AE40"},
		{name: "declined with the issuer's code", section: "Book 4, A6", result: declined, arc: "51", want: emv.Declined, tags: "8A=3531"},
		{name: "not reached", section: "Book 4, 12.2.1", result: unable, issuer: auth, want: emv.Declined, reason: "not reached", tags: "8A=5A33 9F27=00 91=-", sent: "80AE00", never: "0082", why: "TAA"},
		{name: "not reached, offline capable, unauthenticated", section: "Book 3, 10.7", fixed: "9F35=22", result: unable, want: emv.Declined, tags: "8A=5A33", sent: "80AE00"},
		{name: "card refuses", section: "Book 3, 10.11", answers: "80AE40=800B000029" + ok, result: approved, want: emv.Declined, reason: "the card declined what was approved", tags: "9F27=00 9F10=-"},
		{name: "card refuses for the authentication", section: "Book 3, 6.5.5.4", answers: "80AE40=800B030029" + ok, result: approved, want: emv.Declined, reason: "issuer authentication failed"},
		{name: "card gives an ARQC", section: "Book 3, 9.3", answers: "80AE40=800B800029" + ok, result: approved, want: emv.Declined, reason: "ARQC where TC"},
		{name: "card approves what was declined", section: "Book 3, 9.3", answers: "80AE00=800B400029" + ok, result: declined, want: emv.Declined, reason: "TC where AAC"},
		{name: "card approves what was not reached", section: "Book 3, 9.3", answers: "80AE00=800B400029" + ok, result: unable, want: emv.Declined, reason: "TC where AAC"},
		{name: "card answers with an error", section: "Book 3, 10.11", answers: "80AE40=6985", result: approved, want: emv.Terminated, reason: "6985", tags: "8A=3030"},

		{name: "issuer authenticated", section: "Book 3, 10.9", result: approved, issuer: auth, want: emv.Approved, tags: "95=8000008000 9B=7800 91=11223344556677883030", sent: "008200000A11223344556677883030 80AE40"},
		{name: "issuer not authenticated", section: "Book 3, 10.9", answers: "00820000=6300", result: approved, issuer: auth, want: emv.Approved, tags: "95=8000008040 9B=7800", why: "TVR byte 5 bit 7"},
		{name: "issuer authentication in an error state", section: "Book 3, F", answers: "00820000=6985", result: approved, issuer: auth, want: emv.Approved, tags: "95=8000008040 9B=7800"},
		{name: "issuer authenticated, declined", section: "Book 3, 10.9", result: declined, issuer: auth, want: emv.Declined, sent: "00820000 80AE00"},
		{name: "card does not support it", section: "Book 3, 10.9", answers: "80A8=80061800080101009000", result: approved, issuer: auth, want: emv.Approved, never: "0082", tags: "91=11223344556677883030 9B=6800"},
		{name: "issuer data in CDOL2", section: "Book 3, 10.9", objects: "8D=910A8A02", answers: "80A8=80061800080101009000", result: approved, issuer: auth, want: emv.Approved, sent: "80AE40000C112233445566778830303030", never: "0082"},
		{name: "91 too short", section: "Book 3, Annex A", result: approved, issuer: "910711223344556677", want: emv.Approved, never: "0082", why: "issuer data"},
		{name: "91 too long", section: "Book 3, Annex A", result: approved, issuer: "91111122334455667788112233445566778811", want: emv.Approved, never: "0082"},
		{name: "91 twice", section: "Book 3, 10.9", result: approved, issuer: auth + "9108AAAAAAAAAAAAAAAA", want: emv.Approved, sent: "008200000A11223344556677883030", never: "0082000008"},
		{name: "a script longer than the answer", section: "Book 3, Annex E1", result: approved, issuer: "7120" + "9F180411223344" + "860484010000", want: emv.Approved, never: "84", tags: "95=8000008020 9F5B=0011223344"},
		{name: "a script longer than the answer, after one that is whole", section: "Book 4, 12.2.4", answers: "84=9000", result: approved, issuer: "7206860484010000" + "7220" + "860484020000", want: emv.Approved, sent: "84010000", never: "8402", tags: "95=8000008010 9F5B=20000000000000000000"},
		{name: "cut", section: "Book 3, 10.9", result: approved, issuer: auth + "72", want: emv.Approved, sent: "00820000", why: "issuer data"},
		{name: "too much", section: "Book 3, 10.9", result: approved, issuer: auth + strings.Repeat("00", 1000), want: emv.Approved, never: "0082", why: "issuer data"},

		{name: "script before", section: "Book 3, 10.10", answers: "8418=9000", result: approved, issuer: "71109F18041122334486078418000002AABB", want: emv.Approved, sent: "8418000002AABB 80AE40", tags: "9F5B=2011223344 9B=6C00 95=8000008000"},
		{name: "script after", section: "Book 3, 10.10", answers: "8424=9000", result: declined, issuer: "7209860784240000021122", want: emv.Declined, sent: "80AE00 84240000021122", tags: "9F5B=2000000000 9B=6C00"},
		{name: "two after and one before, in order", section: "Book 3, 10.10", answers: "84=9000", result: approved, issuer: "7206860484010000" + "7206860484020000" + "7106860484030000", want: emv.Approved, sent: "84030000 80AE40 84010000 84020000", tags: "9F5B=200000000020000000002000000000"},
		{name: "second command fails", section: "Book 3, 10.10", answers: "8401=9000 8402=6A80 8403=9000", result: approved, issuer: "7112860484010000860484020000860484030000", want: emv.Approved, sent: "84010000 84020000", never: "8403", tags: "9F5B=1200000000 95=8000008020", why: "TVR byte 5 bit 6"},
		{name: "a warning is no failure", section: "Book 3, 10.10", answers: "8401=6200 8402=6310", result: approved, issuer: "710C860484010000860484020000", want: emv.Approved, sent: "84010000 84020000", tags: "9F5B=2000000000 95=8000008000"},
		{name: "failure after", section: "Book 3, 10.10", answers: "8401=6A80", result: approved, issuer: "7206860484010000", want: emv.Approved, tags: "9F5B=1100000000 95=8000008010", why: "TVR byte 5 bit 5"},
		{name: "script that makes no sense", section: "Book 3, 10.10", result: approved, issuer: script71 + "842400", want: emv.Approved, tags: "9F5B=0011223344 95=8000008020 9B=6C00", never: "84"},
		{name: "command that is none", section: "ISO/IEC 7816-4, 5.1", answers: "8401=9000", result: approved, issuer: "710F860484010000860784020000031122", want: emv.Approved, sent: "84010000 80AE40", never: "8402", tags: "9F5B=1200000000 95=8000008020"},
		{name: "script too long", section: "Book 4, 12.2.4", result: approved, issuer: "717F" + "867D84240000" + strings.Repeat("11", 121), want: emv.Approved, tags: "9F5B=0000000000 95=8000008020", never: "84"},
		{name: "sixteen scripts of 128 bytes in all are run, and no more", section: "Book 4, 6.3.9 and 12.2.4", answers: "84=9000", result: approved, issuer: strings.Repeat("7206860484010000", 16) + "7206860484020000", want: emv.Approved, sent: "84010000", never: "8402", tags: "95=8000008010 9F5B=" + strings.Repeat("2000000000", 16) + "0000000000"},
		{name: "one too long, the next is run", section: "Book 4, 12.2.4", answers: "84=9000", result: approved, issuer: "717F" + "9F180411223344" + "86768424000070" + strings.Repeat("11", 113) + "7106860484020000", want: emv.Approved, sent: "84020000 80AE40", never: "8424", tags: "95=8000008020 9F5B=0011223344" + "2000000000"},
		{name: "one that does not parse, the next is run", section: "Book 4, 12.2.4", answers: "84=9000", result: approved, issuer: "720A9F180411223344867F84" + "7206860484020000", want: emv.Approved, sent: "80AE40 84020000", tags: "95=8000008010 9F5B=0011223344" + "2000000000"},
		{name: "an error after the first commands", section: "Book 3, E2", answers: "8401=9000 8402=9F00", result: approved, issuer: "710C860484010000860484020000", want: emv.Approved, tags: "9F5B=1200000000 95=8000008020"},
		{name: "sixteenth command fails", section: "Book 4, A5", answers: "8401=9000 8402=6A80", result: approved, issuer: "7266" + strings.Repeat("860484010000", 16) + "860484020000", want: emv.Approved, tags: "9F5B=1F00000000 95=8000008010"},
		{name: "a thousand scripts", section: "Book 3, 10.10", answers: "84=9000", result: approved, issuer: strings.Repeat("7200", 400), want: emv.Approved, why: "issuer script"},
		{name: "no scripts without the issuer", section: "Book 3, 10.10", result: unable, issuer: "7206860484010000", want: emv.Declined, never: "84", tags: "9F5B=-"},
	} {
		t.Run(r.name, func(t *testing.T) {
			card := newChip(r.objects, r.answers)
			txn, out := begin(t, card, fix(terminal(), r.fixed), nil)
			if txn == nil {
				t.Fatalf("%+v", out)
			}
			answer := emv.HostAnswer{Result: r.result, IssuerData: unhex(r.issuer)}
			copy(answer.ARC[:], r.arc)
			out = complete(t, txn, answer)
			if out.Decision != r.want || !strings.Contains(out.Reason, r.reason) {
				t.Errorf("%s: %s: %q, want %s with %q", r.section, out.Decision, out.Reason, r.want, r.reason)
			}
			wantTags(t, out.Data, r.tags)
			if r.why != "" {
				wantWhy(t, out.Why, r.why)
			}
			card.wantSent(t, r.sent)
			if r.never != "" && card.sent(r.never) > 0 {
				t.Errorf("%s was sent", r.never)
			}
			if n := card.sent("0082"); n > 1 {
				t.Errorf("EXTERNAL AUTHENTICATE was sent %d times", n)
			}
		})
	}
}

// A card that leaves is an error that the caller can tell, until the card has decided.
func TestCardLeaves(t *testing.T) {
	const issuer = "91081122334455667788" + "7106860484010000" + "7206860484020000"
	whole := newChip("", "84=9000")
	txn, _ := begin(t, whole, terminal(), nil)
	atAnswer := len(whole.said)
	complete(t, txn, emv.HostAnswer{Result: emv.HostApproved, IssuerData: unhex(issuer)})
	for n := 1; n < len(whole.said); n++ {
		card := newChip("", "84=9000")
		card.gone = n
		txn, out, err := contact.New(contact.Config{}).Begin(t.Context(), card, terminal(), nil)
		if n < atAnswer {
			if !errors.Is(err, errGone) || txn != nil || out.Decision != "" {
				t.Errorf("gone after %d commands: %v, %v", n, out.Decision, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		out, err = txn.Complete(t.Context(), emv.HostAnswer{Result: emv.HostApproved, IssuerData: unhex(issuer)})
		switch {
		case n < len(whole.said)-1 && !errors.Is(err, errGone):
			t.Errorf("gone after %d commands: %v, %v", n, out.Decision, err)
		case n == len(whole.said)-1 && (err != nil || out.Decision != emv.Approved):
			t.Errorf("gone after the TC: %v, %v: the TC stands", out.Decision, err)
		case n == len(whole.said)-1:
			wantTags(t, out.Data, "9F5B=20000000001100000000 95=8000008010 9F27=40")
		}
	}
}

func TestErrors(t *testing.T) {
	kernel := contact.New(contact.Config{})
	p := terminal()
	p.Random = failing{}
	card := newChip("", "")
	txn, out, err := kernel.Begin(t.Context(), card, p, nil)
	if !errors.Is(err, errNoRandom) || txn != nil || out.Decision != "" || card.sent("80AE") > 0 {
		t.Errorf("no random numbers: %v %v", out.Decision, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := kernel.Begin(ctx, newChip("", ""), terminal(), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	txn, _ = begin(t, newChip("", ""), terminal(), nil)
	if _, err := txn.Complete(t.Context(), emv.HostAnswer{Result: "perhaps"}); !errors.Is(err, contact.ErrParams) {
		t.Errorf("unknown result: %v", err)
	}
	for name, spoil := range map[string]func(*emv.Params){
		"no applications":      func(p *emv.Params) { p.Applications = nil },
		"too many":             func(p *emv.Params) { p.Applications = make([]emv.Application, 65) },
		"AID too short":        func(p *emv.Params) { p.Applications[0].AID = []byte{1, 2, 3, 4} },
		"AID too long":         func(p *emv.Params) { p.Applications[0].AID = make([]byte, 17) },
		"floor limit":          func(p *emv.Params) { p.Applications[0].FloorLimitMinor = -1 },
		"target over maximum":  func(p *emv.Params) { p.Applications[0].RandomTarget = 1 },
		"threshold":            func(p *emv.Params) { p.Applications[0].RandomThreshold = 1 },
		"negative amount":      func(p *emv.Params) { p.Amount.Minor = -1 },
		"amount over 81":       func(p *emv.Params) { p.Amount.Minor = 1 << 32 },
		"no currency":          func(p *emv.Params) { p.Amount.Currency.Code = "" },
		"cashback over all":    func(p *emv.Params) { p.AmountOther = p.Amount; p.AmountOther.Minor++ },
		"two currencies":       func(p *emv.Params) { p.AmountOther.Minor = 1 },
		"no random source":     func(p *emv.Params) { p.Random = nil },
		"type no digits":       func(p *emv.Params) { p.TransactionType = 0x0A },
		"counter":              func(p *emv.Params) { p.SequenceCounter = 100_000_000 },
		"acquirer no digits":   func(p *emv.Params) { p.AcquirerID = "12A" },
		"acquirer too long":    func(p *emv.Params) { p.AcquirerID = "1234567890123" },
		"card's object fixed":  func(p *emv.Params) { *p = fix(*p, "5A=4761739001010119") },
		"fixed amount over 81": func(p *emv.Params) { *p = fix(*p, "9F02=999999999999") },
		"fixed too short":      func(p *emv.Params) { *p = fix(*p, "9F37=010203") },
		"fixed no digits":      func(p *emv.Params) { *p = fix(*p, "9A=FFFFFF") },
	} {
		p := terminal()
		spoil(&p)
		card := newChip("", "")
		if _, _, err := kernel.Begin(t.Context(), card, p, nil); !errors.Is(err, contact.ErrParams) || len(card.said) > 0 {
			t.Errorf("%s: %v after %d commands", name, err, len(card.said))
		}
	}
}
