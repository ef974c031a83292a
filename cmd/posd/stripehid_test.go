package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"tillway/device/emulator"
	"tillway/device/emulator/hidstripe"
	"tillway/device/secure"
	"tillway/device/secure/x9"
	"tillway/device/stripehid"
	"tillway/emv"
	"tillway/host"
	"tillway/money"
	"tillway/terminal"
)

// swipeModule is a module with the key of an emulated reader.
func swipeModule(t *testing.T, key, ksn []byte) *secure.File {
	t.Helper()
	f, err := secure.Start(context.Background(), secure.Options{Path: filepath.Join(t.TempDir(), "swipe"), First: true})
	if err != nil {
		t.Fatal(err)
	}
	shares := [][]byte{bytes.Repeat([]byte{0x10, 0x32, 0x54, 0x76}, 4), []byte("\xA1\xB2\xC3\xD4\xE5\xF6\x07\x18\x29\x3A\x4B\x5C\x6D\x7E\x8F\x90")}
	for i, s := range shares {
		if _, err := f.LoadComponent(context.Background(), secure.Component{Set: secure.SwipeSet, Of: 2, Number: i + 1, Holder: fmt.Sprint(i), Algorithm: secure.TDES, Value: bytes.Clone(s)}); err != nil {
			t.Fatal(err)
		}
	}
	kek, err := x9.CombineComponents(shares...)
	if err != nil {
		t.Fatal(err)
	}
	block, err := x9.WrapKeyBlock(kek, x9.KeyBlockHeader{
		Version: 'B', Usage: "B1", Algorithm: 'T', Mode: 'X', KeyVersion: "00", Exportability: 'N', Optional: []x9.OptionalBlock{{ID: "KS", Data: fmt.Sprintf("%X", ksn)}},
	}, key, 0, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Import(context.Background(), secure.SwipeSet, secure.UseSwipe, block); err != nil {
		t.Fatal(err)
	}
	return f
}

// TestSwipedOnUSB: whole sales of cards that are swiped at readers on USB. What the reader enciphers sells as any swipe does; what it
// sends in clear sells in development, marked as a test; and without development nothing is sent to the bank.
func TestSwipedOnUSB(t *testing.T) {
	ksn := []byte("\xFF\xFF\x98\x76\x54\x32\x10\xE0\x00\x00")
	key, err := hidstripe.Key([]byte("\x01\x23\x45\x67\x89\xAB\xCD\xEF\xFE\xDC\xBA\x98\x76\x54\x32\x10"), ksn)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		model       hidstripe.Model
		maker       string
		development bool
		state       terminal.State
		test        bool
	}{
		"MagneSafe":                  {hidstripe.MagneSafe, "magtek", false, terminal.Approved, false},
		"SecureMag":                  {hidstripe.SecureMag, "idtech", false, terminal.Approved, false},
		"in clear, development":      {hidstripe.SureSwipe, "magtek", true, terminal.Approved, true},
		"in clear, at a till":        {hidstripe.MiniMag, "idtech", false, terminal.Cancelled, false},
		"enciphered, in development": {hidstripe.Enhanced, "idtech", true, terminal.Approved, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bus := hidstripe.NewBus()
				reader, err := hidstripe.New(hidstripe.Config{Model: c.model, Key: key, KSN: ksn})
				if err != nil {
					t.Fatal(err)
				}
				bus.Plug(reader)
				swipes := swipeModule(t, key, ksn)
				stripe, err := stripehid.Open(stripehid.Config{Maker: c.maker, Bus: bus, Clear: c.development, Decipher: decipherOf(swipes)})
				if err != nil {
					t.Fatal(err)
				}
				secured := func(a *acquirerConfig, h *host.Config) (module, error) {
					simSecurity(h)
					a.NAC.MAC = "alg3"
					return simModule(t.Context(), t.TempDir(), a.Name, always{})
				}
				none := 0
				s, _ := quickSecured(t, "credit", answerAll, secured, func(p *parts) { p.reader, p.stripe = worn{mutes: &none}, stripe })
				kwd, _ := money.ByCode("KWD")
				sale, err := s.lane.Start(t.Context(), terminal.Order{Kind: terminal.KindSale, Amount: money.New(1_300, kwd)})
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(5 * time.Second)
				tracks, _, err := emulator.ReadyStripe("stripe")
				if err != nil {
					t.Fatal(err)
				}
				if err := reader.Swipe(tracks); err != nil {
					t.Fatal(err)
				}
				if sale, err = watch(t.Context(), s.lane, sale.ID); err != nil {
					t.Fatal(err)
				}
				if sale.State != c.state || sale.ClearStripe != c.test || c.state == terminal.Approved && (sale.Entry != terminal.EnteredStripe || sale.Method != emv.OnlinePIN) {
					t.Errorf("%s (%+v), entered %q, test %v", sale.State, sale.Outcome, sale.Entry, sale.ClearStripe)
				}
				if err := errors.Join(stripe.Close(), swipes.Close()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
