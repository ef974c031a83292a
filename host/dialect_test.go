package host_test

import (
	"testing"

	"tillway/emv"
	"tillway/host"
	"tillway/iso8583/dialect/nac"
	"tillway/money"
	"tillway/terminal"
)

// TestTerminalDialect lets the terminal's own dialect speak with the host: two readings of one wire that must agree. The
// ids are shorter than their fields here, so that the filling is agreed on too.
func TestTerminalDialect(t *testing.T) {
	for _, repeat := range []string{"0400", "0401"} {
		for _, filler := range []string{"F", "0"} {
			d, err := nac.New(nac.Settings{TPDU: "6000030000", NII: "003", Repeat: repeat, Track2Filler: filler})
			if err != nil {
				t.Fatal(err)
			}
			cfg := config(t)
			cfg.Terminals = []host.Terminal{{ID: "TILL1", Merchant: "KW1"}}
			h, err := host.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			r := &rig{t: t, h: h, codec: cfg.Codec}
			ask := func(message []byte, err error) terminal.Response {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
				replies := h.Answer(message)
				if len(replies) != 1 {
					t.Fatalf("%d replies", len(replies))
				}
				response, err := d.Response(replies[0].Frame)
				if err != nil {
					t.Fatal(err)
				}
				return response
			}
			if got := ask(d.Network(terminal.NetworkRequest{Kind: terminal.SignOn, STAN: 1, TerminalID: "TILL1", MerchantID: "KW1"})); got.Verdict != terminal.VerdictApproved {
				t.Errorf("sign-on: %+v", got)
			}
			request, reversal, err := d.Request(r.request(t, credit, 2, 10_525))
			sold := ask(request, err)
			if sold.Verdict != terminal.VerdictApproved || len(sold.AuthCode) != 6 || len(sold.RRN) != 12 || len(sold.Issuer) != 12 || r.books() != 1 {
				t.Errorf("sale: %+v", sold)
			}
			for attempt := range 3 {
				if got := ask(d.Repeat(reversal, attempt+1)); got.Verdict != terminal.VerdictApproved || got.Code != "00" || got.RRN != sold.RRN || r.books() != 0 {
					t.Errorf("reversal, attempt %d: %+v", attempt+1, got)
				}
			}
			request, reversal, err = d.Request(r.request(t, debit, 3, 10_525))
			if got := ask(reversal, err); got.Verdict != terminal.VerdictApproved || got.Code != "25" {
				t.Errorf("reversal without an original: %+v", got)
			}
			if got := ask(request, nil); got.Verdict != terminal.VerdictDeclined || got.Code != "94" || r.books() != 0 {
				t.Errorf("original after its reversal: %+v", got)
			}
		}
	}
}

// request is what the lane would hand to the dialect.
func (r *rig) request(t testing.TB, c card, stan uint32, amount int64) terminal.Request {
	t.Helper()
	track, err := emv.NewTrack2(unhex(t, c.pan+"D"+c.expiry+"20100000000000F"))
	if err != nil {
		t.Fatal(err)
	}
	return terminal.Request{
		Kind: terminal.KindSale, Amount: money.New(amount, kwd), STAN: stan, Invoice: stan, Batch: 1, Time: today, TerminalID: "TILL1",
		MerchantID: "KW1", Tags: r.chip(c, amount),
		Card: terminal.CardData{PAN: track.PAN(), Track2: track, Expiry: c.expiry, PSN: c.psn},
	}
}
