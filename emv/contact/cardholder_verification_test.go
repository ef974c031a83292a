package contact_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"tillway/emv"
	"tillway/emv/contact"
)

// keypad is a cardholder at a pad. It answers each PIN of the card with the next word: a PIN, "bypass", "no pad" or "cancel".
type keypad struct {
	pad
	words []string
	asks  []emv.CardPINRequest
}

func (k *keypad) CardPIN(ctx context.Context, ask emv.CardPINRequest) (emv.CardPINAnswer, error) {
	k.asks = append(k.asks, ask)
	if len(k.words) == 0 {
		return emv.CardPINAnswer{}, errors.New("nobody is at the pad any more")
	}
	word := k.words[0]
	k.words = k.words[1:]
	switch word {
	case "bypass":
		return emv.CardPINAnswer{Entry: emv.PINBypassed}, nil
	case "no pad":
		return emv.CardPINAnswer{Entry: emv.PINPadMissing}, nil
	case "cancel":
		return emv.CardPINAnswer{}, fmt.Errorf("at the pad: %w", emv.ErrCancelled)
	}
	if ask.Encipherment != nil {
		with, err := ask.Encipherment(ctx)
		if err != nil {
			return emv.CardPINAnswer{}, fmt.Errorf("at the pad: %w", err)
		}
		return emv.CardPINAnswer{Entry: emv.PINEntered, Data: append(with.Challenge[:], with.Modulus[8:]...)}, nil
	}
	block := unhex(fmt.Sprintf("2%X", len(word)) + word + strings.Repeat("F", 14-len(word)))
	response, err := ask.Card.Transmit(ctx, append(unhex("0020008008"), block...))
	return emv.CardPINAnswer{Entry: emv.PINEntered, Response: response}, err
}

// verification is one walk of the CVM list, at a terminal with everything unless 9F33 says otherwise.
type verification struct {
	name    string
	section string
	rules   string // after X and Y, which are 0
	objects string // of the card, beside the list
	fixed   string
	off     []emv.Feature
	answers string
	words   string // at the pad, for the card's PIN
	online  emv.PINEntry
	results string // 9F34
	tvr3    string // byte 3 of the TVR
	method  emv.Method
	due     bool   // signature
	tries   string // shown at each prompt, with ! after a wrong PIN
	sent    string
	never   string
	ends    string // terminated, with this in the reason
}

func (v verification) run(t *testing.T) {
	t.Helper()
	t.Run(v.name, func(t *testing.T) {
		fixed := v.fixed
		if !strings.Contains(fixed, "9F33") {
			fixed += " 9F33=E0F8C8"
		}
		card := newChip("8E=0000000000000000"+v.rules+" "+v.objects, v.answers)
		holder := &keypad{pad: pad{entry: v.online}, words: strings.Fields(v.words)}
		for i, w := range holder.words {
			holder.words[i] = strings.ReplaceAll(w, "_", " ")
		}
		p := fix(terminal(), fixed)
		p.Off = v.off
		_, out := begin(t, card, p, holder)
		if ended := out.Decision == emv.Terminated; ended != (v.ends != "") || !strings.Contains(out.Reason, v.ends) {
			t.Fatalf("%s: %s: %q", v.section, out.Decision, out.Reason)
		}
		card.wantSent(t, v.sent)
		if v.never != "" && card.sent(v.never) > 0 {
			t.Errorf("%s was sent: %v", v.never, card.said)
		}
		var tries string
		for _, a := range holder.asks {
			tries += fmt.Sprintf(" %d", a.Tries)
			if a.Retry {
				tries += "!"
			}
		}
		if got := strings.TrimSpace(tries); got != v.tries {
			t.Errorf("%s: tries shown: %q, want %q", v.section, got, v.tries)
		}
		if v.ends != "" {
			wantTags(t, out.Data, "9B=0000")
			return
		}
		wantTags(t, out.Data, "9F34="+v.results+" 95=80"+"00"+v.tvr3+"8000 9B=6800")
		if out.Method != v.method || out.SignatureDue != v.due {
			t.Errorf("%s: method %q, signature due %t; want %q, %t", v.section, out.Method, out.SignatureDue, v.method, v.due)
		}
		if len(holder.words) > 0 {
			t.Errorf("%v was not asked for", holder.words)
		}
	})
}

// The terminal that supports every method but those that a row takes from it: 9F33 byte 2 is plaintext 80, online 40,
// signature 20, enciphered 10, none 08.
const (
	gives3 = "80CA9F17=9F1701039000"
	verify = "00200080"
)

func TestOfflinePINInPlaintext(t *testing.T) {
	const pin, orNone = "0100", "41001F00"
	for _, v := range []verification{
		{name: "right", section: "Book 3, 10.5.1", rules: pin, answers: gives3 + " 00200080=9000", words: "1234", results: "010002", tvr3: "00", method: emv.OfflinePIN, tries: "3", sent: "80CA9F17 00200080082412" + "34FFFFFFFFFF 80AE80"},
		{name: "twelve digits", section: "Book 3, 6.5.12.2", rules: pin, answers: gives3 + " 00200080=9000", words: "123456789012", results: "010002", tvr3: "00", method: emv.OfflinePIN, tries: "3", sent: "00200080082C123456789012FF"},
		{name: "the card does not say its tries", section: "Book 4, 6.3.4.1", rules: pin, answers: "00200080=9000", words: "1234", results: "010002", tvr3: "00", method: emv.OfflinePIN, tries: "-1", sent: "80CA9F17 00200080"},
		{name: "another object for its tries", section: "Book 3, 6.5.7.4", rules: pin, answers: "80CA9F17=9F3601009000 00200080=9000", words: "1234", results: "010002", tvr3: "00", method: emv.OfflinePIN, tries: "-1"},
		{name: "its tries of two bytes", section: "Book 3, 6.5.7.4", rules: pin, answers: "80CA9F17=9F170200009000 00200080=9000", words: "1234", results: "010002", tvr3: "00", method: emv.OfflinePIN, tries: "-1"},
		{name: "wrong, then right", section: "Book 3, 10.5.1", rules: pin, answers: gives3 + " 00200080=63C2,9000", words: "9999 1234", results: "010002", tvr3: "00", method: emv.OfflinePIN, tries: "3 2!"},
		{name: "wrong to the last", section: "Book 3, 10.5.1", rules: pin, answers: gives3 + " 00200080=63C2,63C1,63C0", words: "9 9 9", results: "010001", tvr3: "A0", tries: "3 2! 1!"},
		{name: "wrong to the last, else none", section: "Book 3, 10.5.1", rules: orNone, answers: gives3 + " 00200080=63C2,63C1,63C0", words: "9 9 9", results: "1F0002", tvr3: "20", method: emv.NoCVM, tries: "3 2! 1!"},
		{name: "the last try", section: "Book 4, 6.3.4.1", rules: pin, answers: "80CA9F17=9F1701019000 00200080=9000", words: "1234", results: "010002", tvr3: "00", method: emv.OfflinePIN, tries: "1"},
		{name: "no tries left", section: "Book 4, 6.3.4.1", rules: pin, answers: "80CA9F17=9F1701009000", results: "010001", tvr3: "A0", never: verify},
		{name: "no tries left, else none", section: "Book 4, 6.3.4.1", rules: orNone, answers: "80CA9F17=9F1701009000", results: "1F0002", tvr3: "20", method: emv.NoCVM, never: verify},
		{name: "no tries left, else online", section: "Book 4, 6.3.4.2", rules: "41004200", answers: "80CA9F17=9F1701009000", online: emv.PINEntered, results: "420000", tvr3: "24", method: emv.OnlinePIN, never: verify},
		{name: "blocked when it is tried", section: "Book 3, 10.5.1", rules: pin, answers: "00200080=6983", words: "1234", results: "010001", tvr3: "A0", tries: "-1"},
		{name: "invalidated when it is tried", section: "Book 3, 10.5.1", rules: pin, answers: "00200080=6984", words: "1234", results: "010001", tvr3: "A0", tries: "-1"},
		{name: "another answer", section: "Book 3, 10.5.5", rules: orNone, answers: "00200080=6A80", words: "1234", ends: "VERIFY", tries: "-1", never: "80AE"},
		{name: "a warning that counts nothing", section: "Book 3, 10.5.5", rules: orNone, answers: "00200080=6300", words: "1234", ends: "VERIFY", tries: "-1"},
		{name: "tries without end", section: "Book 3, 10.5.1", rules: pin, answers: "00200080=63CF", words: strings.Repeat("1 ", 16), ends: "tries do not come to an end", tries: "-1" + strings.Repeat(" 15!", 15)},
		{name: "left out", section: "Book 4, 6.3.4.3", rules: pin, answers: gives3, words: "bypass", results: "010001", tvr3: "88", tries: "3", never: verify},
		{name: "left out, else none", section: "Book 4, 6.3.4.3", rules: orNone, answers: gives3, words: "bypass", results: "1F0002", tvr3: "08", method: emv.NoCVM, tries: "3"},
		{name: "left out after wrong ones", section: "Book 4, 6.3.4.3", rules: orNone, answers: gives3 + " 00200080=63C2,63C1", words: "9 9 bypass", results: "1F0002", tvr3: "08", method: emv.NoCVM, tries: "3 2! 1!"},
		{name: "left out: no other PIN is asked for", section: "Book 4, 6.3.4.3", rules: "410042004400" + "0100", answers: gives3, words: "bypass", online: emv.PINEntered, results: "010001", tvr3: "88", tries: "3", never: verify},
		{name: "no pad", section: "Book 3, 10.5.1", rules: orNone, answers: gives3, words: "no_pad", results: "1F0002", tvr3: "10", method: emv.NoCVM, tries: "3"},
		{name: "no pad, fail", section: "Book 4, 6.3.4.5", rules: pin, answers: gives3, words: "no_pad", results: "010001", tvr3: "90", tries: "3"},
	} {
		v.run(t)
	}
}

func TestCVMCombinations(t *testing.T) {
	for _, v := range []verification{
		{name: "signature", section: "Book 3, 10.5.3", rules: "1E00", results: "1E0000", tvr3: "00", method: emv.Signature, due: true},
		{name: "signature, bit 7", section: "Book 4, 6.3.4.5", rules: "5E031F00", results: "5E0300", tvr3: "00", method: emv.Signature, due: true},
		{name: "PIN and signature", section: "Book 3, 10.5.4", rules: "0300", answers: "00200080=9000", words: "1234", results: "030000", tvr3: "00", method: emv.OfflinePIN, due: true, tries: "-1"},
		{name: "PIN and signature, the PIN fails", section: "Book 4, 6.3.4.5", rules: "0300", answers: "00200080=63C0", words: "1234", results: "030001", tvr3: "A0", tries: "-1"},
		{name: "PIN and signature, the PIN fails, else signature", section: "Book 4, 6.3.4.5", rules: "43001E00", answers: "00200080=63C0", words: "1234", results: "1E0000", tvr3: "20", method: emv.Signature, due: true, tries: "-1"},
		{name: "PIN and signature, without signature", section: "Book 4, 6.3.4", rules: "43001F00", fixed: "9F33=E0D8C8", results: "1F0002", tvr3: "00", method: emv.NoCVM, never: "80CA9F17"},
		{name: "PIN and signature, with signature alone", section: "Book 3, 10.5", rules: "43001F00", fixed: "9F33=E028C8", results: "1F0002", tvr3: "10", method: emv.NoCVM},
		{name: "PIN and signature, if supported: half is not", section: "Book 3, C3", rules: "03031F00", fixed: "9F33=E088C8", results: "1F0002", tvr3: "00", method: emv.NoCVM},
	} {
		v.run(t)
	}
}

func TestCVMSupport(t *testing.T) {
	for _, v := range []verification{
		{name: "plaintext where only enciphered is taken", section: "Book 3, 10.5.1, note 14", rules: "41001F00", fixed: "9F33=E018C8", results: "1F0002", tvr3: "00", method: emv.NoCVM, never: "80CA9F17"},
		{name: "enciphered where only plaintext is taken", section: "Book 3, 10.5.1, note 14", rules: "04001F00", fixed: "9F33=E088C8", results: "3F0001", tvr3: "80"},
		{name: "plaintext where none is taken", section: "Book 3, 10.5.1", rules: "41001F00", fixed: "9F33=E048C8", results: "1F0002", tvr3: "10", method: emv.NoCVM},
		{name: "enciphered where none is taken", section: "Book 3, 10.5.1", rules: "0400", fixed: "9F33=E048C8", results: "3F0001", tvr3: "90"},
		{name: "online where only the card's is taken", section: "Book 3, 10.5.2", rules: "02001F00", fixed: "9F33=E098C8", results: "3F0001", tvr3: "90"},
		{name: "signature where none is taken", section: "Book 3, 10.5", rules: "5E001F00", fixed: "9F33=E0D8C8", results: "1F0002", tvr3: "00", method: emv.NoCVM},
		{name: "none where one is wanted", section: "Book 3, 10.5", rules: "1F00", fixed: "9F33=E0F0C8", results: "3F0001", tvr3: "80"},
		{name: "no method is supported, to the end", section: "Book 4, table 2", rules: "42015E005F00", fixed: "9F33=E090C8", results: "3F0001", tvr3: "80"},
		{name: "a method fails and the next is not supported", section: "Book 4, 6.3.4.5", rules: "41005E00", fixed: "9F33=E098C8", answers: gives3, words: "bypass", results: "410001", tvr3: "88", tries: "3"},
		{name: "a method fails and the next is not recognised", section: "Book 4, 6.3.4.5", rules: "41006000", answers: gives3, words: "bypass", results: "410001", tvr3: "C8", tries: "3"},
		{name: "a method fails and no other condition holds", section: "Book 4, table 2", rules: "42005E04", online: emv.PINBypassed, results: "420001", tvr3: "88"},
		{name: "a method fails and the next is performed", section: "Book 4, 6.3.4.5", rules: "42004000", online: emv.PINBypassed, results: "400001", tvr3: "88"},
		{name: "fail is supported everywhere", section: "Book 4, 6.3.4", rules: "00031F00", fixed: "9F33=E008C8", results: "000301", tvr3: "80"},
		{name: "fail, whatever bit 7 says", section: "Book 3, 10.5", rules: "40001F00", results: "400001", tvr3: "80"},
		{name: "biometric is not recognised", section: "Book 3, 10.5", rules: "46001F00", results: "1F0002", tvr3: "40", method: emv.NoCVM},
		{name: "reserved code", section: "Book 3, C3", rules: "5D001F00", results: "1F0002", tvr3: "40", method: emv.NoCVM},
		{name: "payment system's code", section: "Book 3, C3", rules: "6000", results: "3F0001", tvr3: "C0"},
		{name: "issuer's code", section: "Book 3, C3", rules: "7E005E00", results: "5E0000", tvr3: "40", method: emv.Signature, due: true},
		{name: "unknown code, if supported: passed over", section: "Book 3, 10.5", rules: "20031F00", results: "1F0002", tvr3: "00", method: emv.NoCVM},
		{name: "payment system's condition", section: "Book 3, C3", rules: "1E801F00", results: "1F0002", tvr3: "00", method: emv.NoCVM},
		{name: "plaintext switched off", section: "Specification Bulletin 308", rules: "41001F00", off: []emv.Feature{emv.FeaturePlaintextPIN}, results: "1F0002", tvr3: "00", method: emv.NoCVM, never: "80CA9F17"},
		{name: "plaintext switched off, and no other is taken", section: "Specification Bulletin 308", rules: "41001F00", fixed: "9F33=E088C8", off: []emv.Feature{emv.FeaturePlaintextPIN}, results: "1F0002", tvr3: "10", method: emv.NoCVM},
		{name: "PIN and signature switched off", section: "Specification Bulletin 308", rules: "43001E00", off: []emv.Feature{emv.FeaturePINAndSignature}, results: "1E0000", tvr3: "00", method: emv.Signature, due: true, never: "80CA9F17"},
		{name: "online PIN is taken though the card's tries are used up", section: "Book 4, 6.3.4.2", rules: "0200", answers: "80CA9F17=9F1701009000", online: emv.PINEntered, results: "020000", tvr3: "04", method: emv.OnlinePIN, never: "80CA9F17"},
	} {
		v.run(t)
	}
}

// The amount at which a rule begins is the card's, in the card's currency: a transaction in another one, or a card that
// names none, is under no limit, and the PIN is asked for (Book 3, C3; attack of 2014 on limits in foreign currency).
func TestAttackForeignCurrency(t *testing.T) {
	const list = "8E=000F4240000000001F060200" // none under 1000.000, else online PIN
	for name, c := range map[string]struct {
		objects, fixed, results string
		method                  emv.Method
	}{
		"own currency":             {"", "", "1F0602", emv.NoCVM},
		"terminal in another":      {"", "5F2A=0840", "020000", emv.OnlinePIN},
		"card in another":          {"9F42=0840", "", "020000", emv.OnlinePIN},
		"card does not say":        {"9F42=-", "", "020000", emv.OnlinePIN},
		"transaction's is unknown": {"9F42=0999", "5F2A=0998", "020000", emv.OnlinePIN},
	} {
		t.Run(name, func(t *testing.T) {
			_, out := begin(t, newChip(list+" "+c.objects, ""), fix(terminal(), "9F33=E0F8C8 "+c.fixed), &pad{entry: emv.PINEntered})
			wantTags(t, out.Data, "9F34="+c.results)
			if out.Method != c.method {
				t.Errorf("method %q, want %q", out.Method, c.method)
			}
		})
	}
}

// TestCVMListForm: a list that is cut short ends the transaction, one without rules counts as none (Book 3, 10.5 and 7.5).
func TestCVMListForm(t *testing.T) {
	for _, r := range []row{
		{name: "half a rule", section: "Book 3, 10.5", objects: "8E=00000000000000001F", want: emv.Terminated, reason: "CVM list of 9 bytes"},
		{name: "a rule and a half", section: "Book 3, 10.5", objects: "8E=00000000000000001F001F", want: emv.Terminated, reason: "CVM list of 11 bytes"},
		{name: "half its amounts", section: "Book 3, 10.5", objects: "8E=00000000", want: emv.Terminated, reason: "4 bytes"},
		{name: "amounts alone", section: "Book 3, 10.5", objects: "8E=0000000000000000", want: emv.Online, tags: "9F34=3F0000 95=A000008000 9B=2800"},
		{name: "the AIP says no verification: the list is not looked at", section: "Book 3, 10.5", answers: "80A8=80060C00080101009000", objects: "8E=00000000000000000000", want: emv.Online, tags: "9F34=3F0000 95=8000008000 9B=2800"},
	} {
		r.run(t)
	}
}

// TestCardPINGivenUp: whoever cancels at the pad ends the transaction, before a cryptogram; a pad that sends the card
// anything but VERIFY, or says nonsense, is a defect and reaches no card.
func TestCardPINGivenUp(t *testing.T) {
	card := newChip("8E=000000000000000041001F00", "")
	_, out, err := contact.New(contact.Config{}).Begin(t.Context(), card, fix(terminal(), "9F33=E0F8C8"), &keypad{words: []string{"cancel"}})
	if !errors.Is(err, emv.ErrCancelled) || out.Decision != "" || card.sent("80AE") > 0 {
		t.Errorf("%v, decision %q", err, out.Decision)
	}
	for _, command := range []string{"80AE4000" + "00", "0020008008", "00200088082412" + "34FFFFFFFFFF", "00200080082412" + "34FFFFFFFFFF00"} {
		card := newChip("8E=000000000000000041001F00", "")
		_, _, err := contact.New(contact.Config{}).Begin(t.Context(), card, fix(terminal(), "9F33=E0F8C8"), &rogue{command: unhex(command)})
		if !errors.Is(err, contact.ErrParams) || slices.Contains(card.said, command) {
			t.Errorf("%s: %v, the card heard %v", command, err, card.said)
		}
	}
}

// rogue is a pad that sends the card something else.
type rogue struct {
	pad
	command []byte
}

func (r *rogue) CardPIN(ctx context.Context, ask emv.CardPINRequest) (emv.CardPINAnswer, error) {
	response, err := ask.Card.Transmit(ctx, r.command)
	return emv.CardPINAnswer{Entry: emv.PINEntered, Response: response}, err
}

// TestNoPINIsShown: neither log nor outcome holds what went to the card in VERIFY.
func TestNoPINIsShown(t *testing.T) {
	var shown strings.Builder
	log := slog.New(slog.NewJSONHandler(&shown, &slog.HandlerOptions{Level: slog.LevelDebug}))
	card := newChip("8E=000000000000000041001F00", "00200080=63C1,9000")
	_, out, err := contact.New(contact.Config{Log: log}).Begin(t.Context(), card, fix(terminal(), "9F33=E0F8C8"), &keypad{words: []string{"975318", "864209"}})
	if err != nil || out.Method != emv.OfflinePIN {
		t.Fatalf("%v by %q", err, out.Method)
	}
	fmt.Fprintf(&shown, "%v %+v %#v %v", out, out, out, out.Why)
	for _, tag := range out.Data.Tags() {
		fmt.Fprintf(&shown, " %X", out.Data.Value(tag))
	}
	if !strings.Contains(shown.String(), `"name":"VERIFY"`) {
		t.Error("VERIFY is not in the log at all")
	}
	for _, pin := range []string{"975318", "864209"} {
		if strings.Contains(shown.String(), pin) {
			t.Errorf("PIN %s is shown", pin)
		}
	}
}

// FuzzCVMList: whatever list a card signs and whatever the terminal supports, a walk ends with results that agree with
// each other: what failed is in TVR and CVM Results, and nothing is called verified that was not (Book 4, table 2).
func FuzzCVMList(f *testing.F) {
	f.Add(unhex("000000000000000041034203020301031F00"), byte(0xF8))
	f.Add(unhex("0000291D0000291D4406420744085E091F00"), byte(0x08))
	f.Add(unhex("0000000000000000000040002000600300FF"), byte(0xFF))
	f.Add(unhex("00000000000000001F"), byte(0x00))
	f.Add([]byte{}, byte(0x40))
	f.Fuzz(func(t *testing.T, list []byte, supported byte) {
		if len(list) > 80 { // more does not go into one record beside the rest
			return
		}
		card := newChip(fmt.Sprintf("8E=%X", list), "00200080=63C2,63C1,9000 80CA9F17=9F1701039000")
		p := terminal()
		p.Capabilities[1] = supported
		holder := &keypad{pad: pad{entry: emv.PINEntered}, words: []string{"1", "2", "3", "bypass"}}
		_, out, err := contact.New(contact.Config{}).Begin(t.Context(), card, p, holder)
		if err != nil {
			t.Fatalf("a card's list became an error: %v", err)
		}
		if whole := len(list)%2 == 0 && (len(list) == 0 || len(list) >= 8); !whole { // one without a value is absent
			if out.Decision != emv.Terminated || card.sent("80AE") > 0 {
				t.Fatalf("a list of %d bytes: %s", len(list), out.Decision)
			}
			return
		}
		results, tvr, tsi := out.Data.Value(emv.TagCVMResults), emv.TVR(out.Data.Value(emv.TagTVR)), emv.TSI(out.Data.Value(emv.TagTSI))
		if len(results) != 3 || results[2] > 2 {
			t.Fatalf("CVM results %X", results)
		}
		if failed := tvr.Has(emv.TVRVerificationNotSuccessful); failed != (results[2] == 1) || failed != (out.Method == emv.NoVerification && len(list) > 8) {
			t.Errorf("failed %t, CVM results %X, method %q", failed, results, out.Method)
		}
		if walked := tsi.Has(emv.TSIVerificationPerformed); walked != (len(list) > 8) || walked == tvr.Has(emv.TVRICCDataMissing) {
			t.Errorf("list of %d bytes, TSI %X", len(list), tsi)
		}
		if results[0] != 0x3F && !bytes.Contains(list[8:], results[:2]) {
			t.Errorf("CVM results %X name a rule that is not in the list %X", results, list)
		}
		if entered := out.Method == emv.OfflinePIN; entered != (card.sent(verify) == 3) {
			t.Errorf("method %q after %d VERIFYs", out.Method, card.sent(verify))
		}
		if out.SignatureDue && supported&0x20 == 0 {
			t.Error("a signature is due that the terminal does not take")
		}
	})
}
