package nac_test

import (
	"errors"
	"testing"

	"tillway/emv"
	"tillway/iso8583/dialect/nac"
	"tillway/terminal"
)

// swiped is the sale of sale-stripe-0200 and sale-fallback-0200.
func swiped(t *testing.T, entry terminal.Entered) terminal.Request {
	t.Helper()
	track := map[terminal.Entered]string{
		terminal.EnteredStripe: "4761739001010119D2812101123456789F", terminal.EnteredFallback: "4761739001010119D2812201123456789F",
	}[entry]
	t2, err := emv.NewTrack2(unhex(t, track))
	if err != nil {
		t.Fatal(err)
	}
	req := saleRequest(t)
	req.Entry, req.Tags = entry, emv.Data{}
	req.Card = terminal.CardData{PAN: t2.PAN(), Expiry: t2.Expiry(), Track2: t2}
	return req
}

// A swiped card goes to the host as track 2 and nothing of a chip; DE 22 tells a fallback from a card without a chip, in the
// reversal too, which has no track.
func TestSwipedSales(t *testing.T) {
	d := dialect(t, nil)
	request, _, err := d.Request(swiped(t, terminal.EnteredStripe))
	if err != nil {
		t.Fatal(err)
	}
	sameBytes(t, "sale-stripe-0200", request)
	request, reversal, err := d.Request(swiped(t, terminal.EnteredFallback))
	if err != nil {
		t.Fatal(err)
	}
	sameBytes(t, "sale-fallback-0200", request)
	sameBytes(t, "reversal-fallback-0400", reversal)
}

// DE 22, for each way of reading and with and without a PIN.
func TestEntryModes(t *testing.T) {
	for _, c := range []struct {
		entry  terminal.Entered
		pin    bool
		change func(*nac.Settings)
		want   string
	}{
		{"", false, nil, "052"},
		{terminal.EnteredChip, true, nil, "051"},
		{terminal.EnteredStripe, false, nil, "902"},
		{terminal.EnteredStripe, true, nil, "901"},
		{terminal.EnteredFallback, false, nil, "802"},
		{terminal.EnteredFallback, true, nil, "801"},
		{terminal.EnteredStripe, true, func(s *nac.Settings) { s.StripeEntry = "02" }, "021"},
		{terminal.EnteredFallback, false, func(s *nac.Settings) { s.FallbackEntry = "79" }, "792"},
	} {
		req := saleRequest(t)
		if c.entry == terminal.EnteredStripe || c.entry == terminal.EnteredFallback {
			req = swiped(t, c.entry)
		}
		if c.pin {
			req.Method, req.PIN = emv.OnlinePIN, terminal.PINBlock{Block: make([]byte, 8), KSN: make([]byte, 10)}
		}
		d := dialect(t, c.change)
		request, reversal, err := d.Request(req)
		if err != nil {
			t.Fatal(err)
		}
		for _, message := range [][]byte{request, reversal} {
			m, err := d.Codec().Unpack(message)
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := m.Get(22); got != c.want {
				t.Errorf("%q, PIN %v: DE 22 of %s is %s, want %s", c.entry, c.pin, m.MTI(), got, c.want)
			}
			if c.entry != "" && c.entry != terminal.EnteredChip && (m.Has(55) || m.Has(23)) {
				t.Errorf("%s of a stripe has data of a chip", m.MTI())
			}
		}
	}
}

func TestSwipedSaleIsRefused(t *testing.T) {
	for name, edit := range map[string]func(*terminal.Request){
		"no track 2":                  func(r *terminal.Request) { r.Card.Track2 = emv.Track2{} },
		"a sequence number of a chip": func(r *terminal.Request) { r.Card.PSN = "01" },
		"a way nobody knows":          func(r *terminal.Request) { r.Entry = "keyed" },
		"another account number":      func(r *terminal.Request) { r.Card.PAN, _ = emv.NewPAN("5413330089604111") },
	} {
		req := swiped(t, terminal.EnteredFallback)
		edit(&req)
		if _, _, err := dialect(t, nil).Request(req); !errors.Is(err, nac.ErrRequest) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
