package main

import (
	"context"
	"fmt"
	"testing"
	"time"

	"tillway/device/emulator"
	"tillway/device/secure"
	"tillway/emv"
	"tillway/emv/oda"
	"tillway/host"
	"tillway/money"
	"tillway/store"
	"tillway/terminal"
)

// verifying is a whole terminal whose Visa application takes signatures and PINs that the card checks, with a card in its
// reader and a customer who types.
func verifying(t *testing.T, card string, typed ...string) (*stack, *store.Store, *secure.Typed) {
	t.Helper()
	p := edited(
		t, `["online_pin", "no_cvm"]`, `["online_pin", "offline_pin_enciphered", "signature", "no_cvm"]`,
		`["no_cvm"] # DEV`, `["offline_pin_enciphered", "signature", "no_cvm"] # DEV`,
	)
	file, err := oda.ParseKeys(emulator.AuthorityKeys(), oda.Test)
	if err != nil {
		t.Fatal(err)
	}
	pad := secure.NewTyped(typed...)
	secured := func(a *acquirerConfig, _ *host.Config) (module, error) {
		return simModule(context.Background(), t.TempDir(), a.Name, pad)
	}
	s, j := quickSecured(t, card, answerAll, secured, func(p2 *parts) { p2.profile, p2.caKeys = p, file.CAKeys })
	return s, j, pad
}

// sold starts a sale and gives the snapshot at which it waits for a signature, or its end.
func sold(t *testing.T, s *stack, minor int64) (terminal.Snapshot, terminal.SaleID) {
	t.Helper()
	kwd, _ := money.ByCode("KWD")
	sale, err := s.lane.Start(t.Context(), terminal.Order{Kind: terminal.KindSale, Amount: money.New(minor, kwd)})
	if err != nil {
		t.Fatal(err)
	}
	for seen := uint64(0); ; {
		snap, err := s.lane.Watch(t.Context(), seen)
		if err != nil {
			t.Fatal(err)
		}
		if seen = snap.Version; snap.Sale == sale.ID && (snap.State == terminal.AgreementOnline || snap.State.Final()) {
			return snap, sale.ID
		}
	}
}

// TestSaleWithTheCardsPIN: the customer's PIN goes from the module's pad, enciphered for the card, to an emulated card that
// deciphers it; the bank sees CVM Results that its card confirms. Book 3, 10.5.1; Book 2, 7.
func TestSaleWithTheCardsPIN(t *testing.T) {
	for name, c := range map[string]struct {
		card    string
		typed   []string
		state   terminal.State
		results string
		method  emv.Method
		tries   []int // shown
	}{
		"right":            {"pin-enciphered", []string{"1234\r"}, terminal.Approved, "440302", emv.OfflinePIN, []int{3}},
		"a key of its own": {"pin-enciphered-own-key", []string{"1234\r"}, terminal.Approved, "440302", emv.OfflinePIN, []int{3}},
		"wrong, right":     {"pin-enciphered", []string{"9999\r", "1234\r"}, terminal.Approved, "440302", emv.OfflinePIN, []int{3, 2}},
		"wrong, to the end": {
			"pin-enciphered", []string{"9999\r", "8888\r", "7777\r"}, terminal.Declined, "1F0002", emv.NoCVM, []int{3, 2, 1},
		},
		"no key to encipher with": {"pin-key-hash", nil, terminal.Approved, "1F0002", emv.NoCVM, nil},
		"in plaintext: not taken": {"pin-plain", nil, terminal.Approved, "1F0002", emv.NoCVM, nil},
		"cancelled":               {"pin-enciphered", []string{"12\x1b"}, terminal.Cancelled, "", "", []int{3}},
	} {
		t.Run(name, func(t *testing.T) {
			s, _, pad := verifying(t, c.card, c.typed...)
			snap, _ := sold(t, s, 1_300)
			sale := *snap.Last
			if got := fmt.Sprintf("%X", sale.Tags.Value(emv.TagCVMResults)); sale.State != c.state || got != c.results || sale.Method != c.method {
				t.Errorf("%s (%+v), CVM Results %s, method %q", sale.State, sale.Outcome, got, sale.Method)
			}
			prompts := pad.Prompts()
			if len(prompts) != len(c.tries) {
				t.Fatalf("%d prompts, want %d", len(prompts), len(c.tries))
			}
			for i, p := range prompts {
				if p.Tries != c.tries[i] || p.Retry != (i > 0) {
					t.Errorf("prompt %d: %+v", i+1, p)
				}
			}
		})
	}
}

// TestSaleWithASignature: the whole terminal waits for the cashier's word, and books what it says.
func TestSaleWithASignature(t *testing.T) {
	for matches, want := range map[bool]terminal.State{true: terminal.Approved, false: terminal.Reversed} {
		s, journal, _ := verifying(t, "cvm-signature")
		snap, id := sold(t, s, 1_300)
		if snap.State != terminal.AgreementOnline || snap.Prompt != terminal.PromptSign {
			t.Fatalf("%s, %q", snap.State, snap.Text)
		}
		if err := s.lane.Agree(t.Context(), id, terminal.Agreement{Matches: matches, By: "sara"}); err != nil {
			t.Fatal(err)
		}
		if _, err := watch(t.Context(), s.lane, id); err != nil {
			t.Fatal(err)
		}
		kept, err := journal.Sale(t.Context(), id)
		if err != nil || kept.State != want || !kept.Signature || fmt.Sprintf("%X", kept.Tags.Value(emv.TagCVMResults)) != "1E0000" {
			t.Errorf("on disk: %s, %v, %v", kept.State, kept.Tags, err)
		}
		for range 200 { // until the reversal is with the bank
			if s.lane.Snapshot().Owed == 0 {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		if n := s.lane.Snapshot().Owed; n != 0 {
			t.Errorf("%d still owed", n)
		}
	}
}
