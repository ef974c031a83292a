package main

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"tillway/device"
	"tillway/device/emulator"
	"tillway/device/magstripe"
	"tillway/emv"
	"tillway/host"
	"tillway/money"
	"tillway/terminal"
)

// worn is a chip reader whose cards do not answer to reset so many times; then none comes.
type worn struct {
	quick
	mutes *int
}

func (w worn) Present(ctx context.Context) (device.Presented, error) {
	if *w.mutes > 0 {
		*w.mutes--
		return device.Presented{}, device.ErrMute
	}
	<-ctx.Done()
	return device.Presented{}, ctx.Err()
}

// swiper is a stripe reader at which one ready stripe is swiped half a minute after it was asked for.
type swiper struct {
	quick
	stripe string
}

func (s swiper) Present(ctx context.Context) (device.Presented, error) {
	select {
	case <-time.After(30 * time.Second):
	case <-ctx.Done():
		return device.Presented{}, ctx.Err()
	}
	tracks, _, err := emulator.ReadyStripe(s.stripe)
	if err != nil {
		return device.Presented{}, err
	}
	swipe, err := magstripe.Parse(tracks)
	return device.Presented{Technology: device.MagStripe, Stripe: swipe}, err
}

// TestSwipedSales: a whole terminal sells to swiped cards of the emulator, PIN and MAC included, and the host looks at what it gets:
// a fallback says so, a copy of the chip's data and a stripe whose service code was changed are refused by the issuer.
func TestSwipedSales(t *testing.T) {
	for _, c := range []struct {
		stripe string
		mutes  int
		state  terminal.State
		code   string
		entry  terminal.Entered
		rc     string
	}{
		{"stripe", 0, terminal.Approved, terminal.CodeApproved, terminal.EnteredStripe, "00"},
		{"stripe-pin", 0, terminal.Approved, terminal.CodeApproved, terminal.EnteredStripe, "00"},
		{"credit", 0, terminal.Cancelled, terminal.CodeTimedOut, "", ""},
		{"credit", 3, terminal.Approved, terminal.CodeApproved, terminal.EnteredFallback, "00"},
		{"debit", 3, terminal.Approved, terminal.CodeApproved, terminal.EnteredFallback, "00"},
		{"copied", 3, terminal.Declined, terminal.CodeDeclined, terminal.EnteredFallback, "05"},
		{"disguised", 0, terminal.Declined, terminal.CodeDeclined, terminal.EnteredStripe, "05"},
	} {
		t.Run(c.stripe, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				secured := func(a *acquirerConfig, h *host.Config) (module, error) {
					simSecurity(h)
					a.NAC.MAC = "alg3"
					return simModule(t.Context(), t.TempDir(), a.Name, always{})
				}
				s, _ := quickSecured(t, "credit", answerAll, secured, func(p *parts) {
					p.reader, p.stripe = worn{mutes: &c.mutes}, swiper{stripe: c.stripe}
				})
				kwd, _ := money.ByCode("KWD")
				sale, err := s.lane.Start(t.Context(), terminal.Order{Kind: terminal.KindSale, Amount: money.New(1_300, kwd)})
				if err != nil {
					t.Fatal(err)
				}
				if sale, err = watch(t.Context(), s.lane, sale.ID); err != nil {
					t.Fatal(err)
				}
				if sale.State != c.state || sale.Outcome.Code != c.code || sale.Entry != c.entry || sale.ResponseCode != c.rc {
					t.Errorf("%s (%+v), entered %q, code %q", sale.State, sale.Outcome, sale.Entry, sale.ResponseCode)
				}
				if c.rc != "" && (sale.Method != emv.OnlinePIN || sale.AID != "" || sale.Scheme == "") {
					t.Errorf("method %q, AID %q, scheme %q", sale.Method, sale.AID, sale.Scheme)
				}
			})
		})
	}
}
