package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"tillway/device/emulator"
	"tillway/terminal"
	"tillway/terminal/profile"
)

// The demo's terminal takes one application with signatures and PINs that the card checks, and has the authorities' keys for
// the latter; everything else of its profile is the shop's in Kuwait.

const (
	profileFile = "demo.toml"
	keysFile    = "capk.json"
)

// Cards of that application: the emulator's, under another of the scheme's names.
var verificationCards = map[string]string{
	"signature":      "cvm-signature",
	"enciphered-pin": "pin-enciphered",
}

// writeProfile makes the profile, the key file and the cards in the stack's folder.
func (s *stack) writeProfile() error {
	text, err := profile.Text("kuwait")
	if err != nil {
		return err
	}
	var bad error
	change := func(in, old, replacement string) string {
		if !strings.Contains(in, old) {
			bad = fmt.Errorf("the ready profile has no %q any more", old)
		}
		return strings.Replace(in, old, replacement, 1)
	}
	whole := change(string(text), `["online_pin", "no_cvm"]`, `["online_pin", "offline_pin_enciphered", "signature", "no_cvm"]`)
	if s.stripe {
		whole = change(whole, "\nadditional_capabilities", "\ncard_data_input = [\"chip\", \"stripe\"]\nadditional_capabilities")
	}
	before, electron, found := strings.Cut(whole, `"A0000000032010"`)
	if !found {
		bad = errors.New("the ready profile has no A0000000032010 any more")
	}
	whole = before + `"A0000000032010"` + change(electron, `["no_cvm"]`, `["offline_pin_enciphered", "signature", "no_cvm"]`)
	if bad != nil {
		return bad
	}
	files := map[string]string{profileFile: whole, keysFile: string(emulator.AuthorityKeys())}
	for name, like := range verificationCards {
		files[name+".toml"] = fmt.Sprintf("like = %q\nname = %q\nnote = \"of the demo\"\n[[application]]\naid = \"A0000000032010\"\n", like, name)
	}
	for name, text := range files {
		if err := os.WriteFile(s.path(name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// insertOwn puts in one of the demo's own cards.
func insertOwn(card string) func(context.Context, *world) error {
	return func(ctx context.Context, w *world) error { return w.cardholder(ctx, "insert", w.path(card+".toml")) }
}

// compare is the cashier's word on a signature, once the sale waits for it.
func compare(word string) func(context.Context, *world) error {
	return func(ctx context.Context, w *world) error {
		if err := w.awaitState(ctx, terminal.AgreementOnline); err != nil {
			return err
		}
		now, err := w.status(ctx)
		if err != nil {
			return err
		}
		said, status, err := w.cashier(ctx, "signature", now.Sale.String(), word)
		if err == nil && status != 0 {
			err = fmt.Errorf("pos signature: exit %d: %s", status, said)
		}
		return err
	}
}

// verification is the part of the script about signatures and PINs that the card checks.
func verification() []scene {
	approved := result{0, terminal.Approved, terminal.CodeApproved, posted}
	return []scene{
		{title: "Signature, and it matches", amount: "12.500", before: insertOwn("signature"), during: compare("matches"), want: approved, says: "VERIFIED BY SIGNATURE"},
		{title: "Signature, and it differs: the approval is reversed", amount: "12.750", before: insertOwn("signature"), during: compare("differs"), want: result{5, terminal.Reversed, terminal.CodeSignature, reversed}, says: "PLEASE SIGN"},
		{title: "PIN enciphered for the card, wrong once, then right", amount: "13.250", before: insertOwn("enciphered-pin"), want: approved, pin: "9999\n1234\n", says: "tries left: 2"},
		{title: "PIN enciphered for the card, wrong three times: the bank declines", amount: "13.500", before: insertOwn("enciphered-pin"), want: result{1, terminal.Declined, terminal.CodeDeclined, nothing}, pin: "9999\n8888\n7777\n", says: "LAST TRY"},
	}
}
