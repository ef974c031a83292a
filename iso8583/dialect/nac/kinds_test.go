package nac_test

import (
	"errors"
	"testing"
	"time"

	"tillway/emv"
	"tillway/emv/tlv"
	"tillway/iso8583/dialect/nac"
	"tillway/money"
	"tillway/terminal"
)

// earlier is the transaction that the golden messages name.
func earlier(kind terminal.Kind) terminal.Original {
	return terminal.Original{
		Kind: kind, STAN: 61, Batch: 1, Invoice: 41, Time: time.Date(2026, 7, 23, 9, 45, 0, 0, time.UTC),
		RRN: "620409000061", AuthCode: "A1B2C3", Way: terminal.WayOnline,
	}
}

// put sets a tag in a request's store.
func put(t testing.TB, r *terminal.Request, tag tlv.Tag, value string) {
	t.Helper()
	r.Tags.Put(tag, unhex(t, value))
}

// kept takes away what is not there when the card is not.
func kept(r *terminal.Request) {
	r.Card.Track2, r.Tags = emv.Track2{}, emv.Data{}
}

// kindCase is a golden message and what it is composed of.
type kindCase struct {
	name, reversal string // golden messages; reversal empty: there is none
	advice         bool
	deferred       bool
	edit           func(t testing.TB, r *terminal.Request)
}

func kindCases() []kindCase {
	amount := func(r *terminal.Request, minor int64, text string) {
		r.Amount.Minor = minor
		r.Tags.Put(emv.TagAmountAuthorised, []byte(text))
	}
	refund := func(t testing.TB, r *terminal.Request) {
		r.Kind = terminal.KindRefund
		amount(r, 4_000, "\x00\x00\x00\x00\x40\x00")
		put(t, r, emv.TagTransactionType, "20")
	}
	return []kindCase{
		{name: "advice-offline-0220", advice: true, edit: func(t testing.TB, r *terminal.Request) {
			r.Way = terminal.WayOffline
			put(t, r, emv.TagCID, "40")
			put(t, r, emv.TagAuthorisationResponseCode, "5931")
		}},
		{name: "advice-forced-0220", advice: true, edit: func(t testing.TB, r *terminal.Request) {
			r.Kind, r.Way, r.AuthCode = terminal.KindForced, terminal.WayVoice, "V12345"
			put(t, r, emv.TagCID, "40")
			put(t, r, emv.TagAuthorisationResponseCode, "3030")
		}},
		{name: "advice-completion-0220", advice: true, edit: func(_ testing.TB, r *terminal.Request) {
			r.Kind, r.Way, r.Original = terminal.KindCompletion, terminal.WayOnline, earlier(terminal.KindPreauth)
			r.Amount.Minor = 7_000
			kept(r)
		}},
		{name: "advice-capture-0220", advice: true, edit: func(_ testing.TB, r *terminal.Request) {
			r.Way, r.TwoStep, r.Original, r.AuthCode, r.STAN = terminal.WayOnline, true, earlier(terminal.KindSale), "A1B2C3", 124
		}},
		{name: "refund-0200", reversal: "refund-reversal-0400", edit: func(t testing.TB, r *terminal.Request) {
			refund(t, r)
			r.Original = earlier(terminal.KindSale)
		}},
		{name: "refund-free-0200", edit: refund},
		{name: "void-0200", reversal: "void-reversal-0400", edit: func(_ testing.TB, r *terminal.Request) {
			r.Kind, r.Original = terminal.KindVoid, earlier(terminal.KindSale)
			kept(r)
		}},
		{name: "preauth-0100", reversal: "preauth-reversal-0400", edit: func(_ testing.TB, r *terminal.Request) { r.Kind = terminal.KindPreauth }},
		{name: "increment-0100", reversal: "increment-reversal-0400", edit: func(_ testing.TB, r *terminal.Request) {
			r.Kind, r.Original, r.Amount.Minor = terminal.KindIncrement, earlier(terminal.KindPreauth), 2_500
			kept(r)
		}},
		{name: "balance-0100", edit: func(t testing.TB, r *terminal.Request) {
			r.Kind = terminal.KindBalance
			amount(r, 0, "\x00\x00\x00\x00\x00\x00")
			put(t, r, emv.TagTransactionType, "31")
		}},
		{name: "sale-cashback-0200", reversal: "sale-cashback-reversal-0400", edit: func(t testing.TB, r *terminal.Request) {
			r.Tip, r.Cashback = money.New(1_000, r.Amount.Currency), money.New(3_000, r.Amount.Currency)
			put(t, r, emv.TagAmountOther, "000000003000")
			put(t, r, emv.TagTransactionType, "09")
		}},
		{name: "two-step-0100", reversal: "reversal-0400", edit: func(_ testing.TB, r *terminal.Request) { r.TwoStep = true }},
		{name: "deferred-0200", deferred: true, edit: func(_ testing.TB, r *terminal.Request) { r.Way = terminal.WayDeferred }},
	}
}

// Every kind composes its golden message, and the reversal of it.
func TestKinds(t *testing.T) {
	d := dialect(t, func(s *nac.Settings) { s.Deferred = true })
	for _, c := range kindCases() {
		t.Run(c.name, func(t *testing.T) {
			req := saleRequest(t)
			c.edit(t, &req)
			var message, reversal []byte
			var err error
			switch {
			case c.advice:
				message, err = d.Advice(req)
			case c.deferred:
				message, err = d.Deferred(req)
			default:
				message, reversal, err = d.Request(req)
			}
			if err != nil {
				t.Fatal(err)
			}
			sameBytes(t, c.name, message)
			if c.reversal != "" {
				sameBytes(t, c.reversal, reversal)
			}
			if (reversal == nil) != (c.advice || c.deferred || req.Kind == terminal.KindBalance) {
				t.Errorf("a reversal of %d bytes", len(reversal))
			}
		})
	}
}

// What is refused of one kind, and would be a payment that nobody asked for, or one that the host cannot place.
func TestKindsRefused(t *testing.T) {
	d := dialect(t, func(s *nac.Settings) { s.Deferred = true })
	base := map[string]kindCase{}
	for _, c := range kindCases() {
		base[c.name] = c
	}
	for _, c := range []struct {
		of, name string
		edit     func(r *terminal.Request)
	}{
		{"advice-offline-0220", "of an ARQC", func(r *terminal.Request) { r.Tags.Put(emv.TagCID, []byte{0x80}) }},
		{"advice-offline-0220", "without a cryptogram", func(r *terminal.Request) { r.Tags.Delete(emv.TagApplicationCryptogram) }},
		{"advice-offline-0220", "with the code of a refusal", func(r *terminal.Request) { r.Tags.Put(emv.TagAuthorisationResponseCode, []byte("Z1")) }},
		{"advice-offline-0220", "without a code", func(r *terminal.Request) { r.Tags.Delete(emv.TagAuthorisationResponseCode) }},
		{"advice-offline-0220", "of a stripe", func(r *terminal.Request) { r.Entry = terminal.EnteredStripe }},
		{"advice-offline-0220", "of a sale that the host has approved", func(r *terminal.Request) { r.Way = terminal.WayOnline }},
		{"advice-offline-0220", "of a refund", func(r *terminal.Request) { r.Kind = terminal.KindRefund }},
		{"advice-offline-0220", "of a pre-authorisation", func(r *terminal.Request) { r.Kind = terminal.KindPreauth }},
		{"advice-offline-0220", "without a time", func(r *terminal.Request) { r.Time = time.Time{} }},
		{"advice-offline-0220", "of another amount", func(r *terminal.Request) { r.Amount.Minor++ }},
		{"advice-forced-0220", "without the code by voice", func(r *terminal.Request) { r.AuthCode = "" }},
		{"advice-forced-0220", "with a code of seven", func(r *terminal.Request) { r.AuthCode = "1234567" }},
		{"advice-forced-0220", "with cash", func(r *terminal.Request) { r.Cashback = money.New(1_000, r.Amount.Currency) }},
		{"advice-completion-0220", "of nothing", func(r *terminal.Request) { r.Original = terminal.Original{} }},
		{"advice-completion-0220", "of what has no reference number", func(r *terminal.Request) { r.Original.RRN = "" }},
		{"advice-completion-0220", "with a tip", func(r *terminal.Request) { r.Tip = money.New(1, r.Amount.Currency) }},
		{"advice-capture-0220", "of a sale in one", func(r *terminal.Request) { r.TwoStep = false }},
		{"advice-capture-0220", "of a request that was kept", func(r *terminal.Request) { r.Way = terminal.WayDeferred }},
		{"advice-capture-0220", "of nothing", func(r *terminal.Request) { r.Original = terminal.Original{} }},
		{"refund-0200", "of another amount than the card saw", func(r *terminal.Request) { r.Amount.Minor++ }},
		{"void-0200", "of nothing", func(r *terminal.Request) { r.Original = terminal.Original{} }},
		{"void-0200", "of what has no invoice", func(r *terminal.Request) { r.Original.Invoice = 0 }},
		{"void-0200", "of what has no time", func(r *terminal.Request) { r.Original.Time = time.Time{} }},
		{"void-0200", "with a PIN", func(r *terminal.Request) { r.PIN = terminal.PINBlock{Block: make([]byte, 8)} }},
		{"void-0200", "with a track", func(r *terminal.Request) {
			r.Card.Track2, _ = emv.NewTrack2(unhex(t, "4761739001010119D2812201123456789F"))
		}},
		{"increment-0100", "of nothing", func(r *terminal.Request) { r.Original = terminal.Original{} }},
		{"balance-0100", "with an amount", func(r *terminal.Request) { r.Amount.Minor = 1 }},
		{"sale-cashback-0200", "with more cash than all", func(r *terminal.Request) { r.Cashback.Minor = 10_526 }},
		{"sale-cashback-0200", "with cash below zero", func(r *terminal.Request) { r.Cashback.Minor = -1 }},
		{"sale-cashback-0200", "with other cash than the card saw", func(r *terminal.Request) { r.Cashback.Minor-- }},
		{"sale-cashback-0200", "with a tip that leaves too little", func(r *terminal.Request) { r.Tip.Minor = 7_526 }},
		{"sale-cashback-0200", "in two currencies", func(r *terminal.Request) {
			r.Cashback.Currency = money.Currency{Code: "USD", Numeric: 840, Exponent: 2}
		}},
		{"deferred-0200", "of a TC", func(r *terminal.Request) { r.Tags.Put(emv.TagCID, []byte{0x40}) }},
		{"deferred-0200", "of a stripe", func(r *terminal.Request) { r.Entry = terminal.EnteredStripe }},
		{"deferred-0200", "with a PIN", func(r *terminal.Request) { r.Method = emv.OnlinePIN }},
		{"deferred-0200", "with cash", func(r *terminal.Request) { r.Cashback = money.New(1_000, r.Amount.Currency) }},
		{"deferred-0200", "of a refund", func(r *terminal.Request) { r.Kind = terminal.KindRefund }},
	} {
		req := saleRequest(t)
		base[c.of].edit(t, &req)
		c.edit(&req)
		var message []byte
		var err error
		switch {
		case base[c.of].advice:
			message, err = d.Advice(req)
		case base[c.of].deferred:
			message, err = d.Deferred(req)
		default:
			message, _, err = d.Request(req)
		}
		if !errors.Is(err, nac.ErrRequest) || message != nil {
			t.Errorf("%s %s: %d bytes, %v; want ErrRequest", c.of, c.name, len(message), err)
		}
	}
	deferred := saleRequest(t)
	if _, err := dialect(t, nil).Deferred(deferred); !errors.Is(err, nac.ErrRequest) || dialect(t, nil).Can().Deferred {
		t.Errorf("kept for later without the setting: %v", err)
	}
	for _, k := range terminal.Kinds() {
		req := saleRequest(t)
		req.Kind, req.Way = k, terminal.WayOnline
		_, _, rerr := d.Request(req)
		_, aerr := d.Advice(req)
		if k != terminal.KindSale && k != terminal.KindPreauth && k != terminal.KindRefund && (rerr == nil || aerr == nil) {
			t.Errorf("%s is composed as a sale", k)
		}
	}
}

// Settings of the kinds and what becomes of the fields.
func TestKindsBySettings(t *testing.T) {
	base := map[string]kindCase{}
	for _, c := range kindCases() {
		base[c.name] = c
	}
	for _, c := range []struct {
		of, name string
		change   func(s *nac.Settings)
		edit     func(r *terminal.Request)
		has      map[int]string
	}{
		{"void-0200", "of nothing", func(s *nac.Settings) { s.VoidAmount = "zero" }, nil, map[int]string{4: "000000000000"}},
		{"void-0200", "of a refund", nil, func(r *terminal.Request) { r.Original.Kind = terminal.KindRefund }, map[int]string{3: "220000"}},
		{"void-0200", "of what was told to the host", nil, func(r *terminal.Request) { r.Original.RRN, r.Original.AuthCode = "", "" }, map[int]string{37: "", 38: "", 12: "094500", 62: "000041"}},
		{"void-0200", "of a sale with tip and cash", nil, func(r *terminal.Request) { r.Tip, r.Cashback = r.Amount, r.Amount }, map[int]string{3: "020000", 4: "000000010525", 54: ""}},
		{"refund-0200", "of what was told to the host", nil, func(r *terminal.Request) { r.Original.RRN = "" }, map[int]string{3: "200000", 37: "", 38: ""}},
		{"void-0200", "of an approval without a code", nil, func(r *terminal.Request) { r.Original.AuthCode = "" }, map[int]string{38: ""}},
		{"void-0200", "with another entry", func(s *nac.Settings) { s.KeptEntry, s.ChipEntry = "10", "051" }, nil, map[int]string{22: "101"}},
		{"preauth-0100", "as a purchase", func(s *nac.Settings) { s.PreauthCode = "00" }, nil, map[int]string{3: "000000", 25: "06"}},
		{"balance-0100", "as a financial request", func(s *nac.Settings) { s.Balance = "0200" }, nil, map[int]string{0: "0200"}},
		{"sale-cashback-0200", "with 17", func(s *nac.Settings) { s.CashbackCode = "17" }, nil, map[int]string{3: "170000"}},
		{"sale-cashback-0200", "with another type of tip", func(s *nac.Settings) { s.TipType = "43" }, nil, map[int]string{54: "0043414D0000000010000040414D000000003000"}},
		{
			"sale-cashback-0200", "in twelve digits", func(s *nac.Settings) { s.Amounts = "digits" },
			func(r *terminal.Request) { r.Tip.Minor = 0 },
			map[int]string{3: "090000", 54: "000000003000"},
		},
		{
			"sale-cashback-0200", "tip in twelve digits", func(s *nac.Settings) { s.Amounts = "digits" },
			func(r *terminal.Request) { r.Cashback.Minor = 0; r.Tags.Put(emv.TagAmountOther, make([]byte, 6)) },
			map[int]string{3: "000000", 54: "000000001000"},
		},
		{"sale-cashback-0200", "both in twelve digits", func(s *nac.Settings) { s.Amounts = "digits" }, nil, nil},
		{"sale-cashback-0200", "not told", func(s *nac.Settings) { s.Amounts = "none" }, nil, nil},
		{
			"sale-cashback-0200", "tip not told", func(s *nac.Settings) { s.Amounts = "none" },
			func(r *terminal.Request) { r.Cashback.Minor = 0; r.Tags.Put(emv.TagAmountOther, make([]byte, 6)) },
			map[int]string{3: "000000", 54: ""},
		},
	} {
		d, req := dialect(t, c.change), saleRequest(t)
		base[c.of].edit(t, &req)
		if c.edit != nil {
			c.edit(&req)
		}
		b, _, err := d.Request(req)
		if c.has == nil {
			if !errors.Is(err, nac.ErrRequest) {
				t.Errorf("%s %s: %v, want ErrRequest", c.of, c.name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s %s: %v", c.of, c.name, err)
			continue
		}
		m, err := d.Codec().Unpack(b)
		if err != nil {
			t.Fatal(err)
		}
		for n, want := range c.has {
			got, _ := m.Get(n)
			if n == 0 {
				got = m.MTI()
			}
			if got != want {
				t.Errorf("%s %s: field %d is %q, want %q", c.of, c.name, n, got, want)
			}
		}
	}
}
