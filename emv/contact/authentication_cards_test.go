package contact_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"tillway/device/emulator"
	"tillway/emv"
	"tillway/emv/oda"
)

// heard is a virtual card that keeps the commands it was sent.
type heard struct {
	virtual
	said []string
}

func (h *heard) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	h.said = append(h.said, fmt.Sprintf("%X", command))
	return h.virtual.Transmit(ctx, command)
}

// asked are the commands that begin so, cut to the length.
func (h *heard) asked(begin string, length int) string {
	var out []string
	for _, s := range h.said {
		if strings.HasPrefix(s, begin) {
			out = append(out, s[:min(length, len(s))])
		}
	}
	return strings.Join(out, " ")
}

// offline is a terminal that may approve by itself, does every method, and has the keys of the test authorities.
func offline(t testing.TB) emv.Params {
	t.Helper()
	file, err := oda.ParseKeys(emulator.AuthorityKeys(), oda.Test)
	if err != nil {
		t.Fatal(err)
	}
	p := fix(terminal(), "9F33=E008C8 9F35=22")
	p.TerminalType = 0x22
	p.Applications[0].FloorLimitMinor = 1_000_000
	p.Applications[0].DefaultDDOL = unhex("9F3704")
	p.CAKeys = file.CAKeys
	return p
}

// signed is one transaction with a ready card, and what the books say of it.
type signed struct {
	card     string
	set      string // terminal objects
	params   func(*emv.Params)
	want     emv.Decision
	tvr, tsi string // byte 1 of the TVR and of the TSI, after Begin
	oda      string
	ac       string         // the GENERATE ACs, to their P1
	never    string         // must not have been sent
	second   emv.HostResult // "": the transaction ends with Begin
	then     emv.Decision
	thenTVR  string
}

func (r signed) run(t *testing.T) {
	t.Helper()
	t.Run(strings.TrimSpace(r.card+" "+r.set), r.transaction)
}

func (r signed) transaction(t *testing.T) {
	p := offline(t)
	if r.set != "" {
		p = fix(p, "9F33=E008C8 9F35=22 "+r.set)
	}
	if r.params != nil {
		r.params(&p)
	}
	card := &heard{virtual: insert(t, r.card)}
	txn, out := begin(t, card, p, nil)
	if out.Decision != r.want {
		t.Errorf("%s (%s), want %s: %v", out.Decision, out.Reason, r.want, out.Why)
	}
	if r.tvr != "" {
		wantTags(t, out.Data, "95="+r.tvr)
	}
	if tsi := fmt.Sprintf("%X", out.Data.Value(emv.TagTSI)); r.tsi != "" && tsi[:2] != r.tsi {
		t.Errorf("TSI %s, want %s", tsi, r.tsi)
	}
	if got := fmt.Sprintf("%s %t", out.ODA.Method, out.ODA.OK); r.oda != "" && got != r.oda {
		t.Errorf("ODA %s, want %s", got, r.oda)
	}
	if r.second != "" && txn != nil {
		out = complete(t, txn, emv.HostAnswer{Result: r.second})
		if out.Decision != r.then {
			t.Errorf("in the end %s (%s), want %s", out.Decision, out.Reason, r.then)
		}
		wantTags(t, out.Data, "95="+r.thenTVR)
	}
	if got := card.asked("80AE", 6); r.ac != "" && got != r.ac {
		t.Errorf("sent %s, want %s", got, r.ac)
	}
	if r.never != "" && card.asked(r.never, 8) != "" {
		t.Errorf("%s was sent", card.asked(r.never, 8))
	}
}

// TestKeysAreRecovered: what is wrong with a key, a certificate or the signed data is known before terminal action analysis,
// and no signature is asked for (Book 2, 6.6; Book 4, 6.3.2.1). Cards and certificates were written from the books apart from
// the kernel.
func TestKeysAreRecovered(t *testing.T) {
	for _, card := range []string{
		"oda-cda", "oda-cda-1984", "oda-cda-65537", "oda-cda-remainders", "oda-aip-signed", "oda-issuer-id-short", "oda-issuer-last-month",
	} {
		signed{card: card, want: emv.Approved, tvr: "0000000000", tsi: "E8", oda: "cda true", ac: "80AE50", never: "0088"}.run(t)
	}
	for _, card := range []string{
		"oda-authority-expired", "oda-authority-unknown", "oda-card-expired", "oda-card-hash", "oda-card-pan", "oda-issuer-algorithm",
		"oda-issuer-expired", "oda-issuer-format", "oda-issuer-hash", "oda-issuer-header", "oda-issuer-id-wrong", "oda-issuer-length",
		"oda-issuer-revoked", "oda-issuer-trailer", "oda-static-changed", "oda-tag-list-odd",
	} {
		signed{card: card, want: emv.Online, tvr: "0400000000", tsi: "E8", oda: "cda false", ac: "80AE80"}.run(t)
	}
	for _, card := range []string{
		"oda-no-authority-index", "oda-no-card-certificate", "oda-no-issuer-certificate", "oda-no-issuer-exponent", "oda-no-issuer-remainder",
	} {
		signed{card: card, want: emv.Online, tvr: "2400000000", tsi: "E8", oda: "cda false", ac: "80AE80"}.run(t)
	}
	signed{card: "oda-issuer-last-month", set: "9A=261130", want: emv.Approved, tvr: "0000000000", oda: "cda true"}.run(t)
	signed{card: "oda-issuer-last-month", set: "9A=261201", want: emv.Online, tvr: "0400000000", oda: "cda false"}.run(t)
	signed{card: "oda-none", want: emv.Online, tvr: "8000000000", tsi: "68", oda: "none false", ac: "80AE80"}.run(t)
}

// TestMethodIsTheStrongest: CDA before DDA before SDA, as far as card and terminal go (Book 3, 10.3).
func TestMethodIsTheStrongest(t *testing.T) {
	literal := func(p *emv.Params) { p.LiteralActionCodes = true }
	off := func(p *emv.Params) { p.Off = []emv.Feature{emv.FeatureSDA} }
	for _, r := range []signed{
		{card: "oda-cda", set: "9F33=E008C0", want: emv.Approved, tvr: "0000000000", tsi: "E8", oda: "dda true", ac: "80AE40"},
		{card: "oda-cda", set: "9F33=E00880", params: literal, want: emv.Approved, tvr: "0200000000", tsi: "E8", oda: "sda true", ac: "80AE40", never: "0088"},
		{card: "oda-cda", set: "9F33=E00880", want: emv.Online, tvr: "0200000000", oda: "sda true", ac: "80AE80"},
		{card: "oda-cda", set: "9F33=E00848", want: emv.Approved, tvr: "0000000000", oda: "cda true"},
		{card: "oda-cda", set: "9F33=E00800", want: emv.Online, tvr: "8000000000", tsi: "68", oda: "none false"},
		{card: "oda-cda", set: "9F33=E00880", params: off, want: emv.Online, tvr: "8000000000", tsi: "68", oda: "none false"},
		{card: "oda-dda", want: emv.Approved, tvr: "0000000000", tsi: "E8", oda: "dda true", ac: "80AE40"},
		{card: "oda-dda", set: "9F33=E00808", want: emv.Online, tvr: "8000000000", tsi: "68", oda: "none false"},
		{card: "oda-sda", want: emv.Online, tvr: "0200000000", tsi: "E8", oda: "sda true", ac: "80AE80"},
		{card: "oda-sda", set: "9F33=E00848", want: emv.Online, tvr: "8000000000", tsi: "68", oda: "none false"},
		{card: "oda-sda-changed", want: emv.Online, tvr: "4200000000", tsi: "E8", oda: "sda false"},
		{card: "oda-sda-hash", want: emv.Online, tvr: "4200000000", tsi: "E8", oda: "sda false"},
		{card: "oda-sda-no-signature", want: emv.Online, tvr: "6200000000", tsi: "E8", oda: "sda false"},
		{card: "oda-aip-changed", want: emv.Online, tvr: "0800000000", tsi: "E8", oda: "dda false", never: "0088"},
	} {
		r.run(t)
	}
}

// TestDDA: Book 2, 6.5.
func TestDDA(t *testing.T) {
	none := func(p *emv.Params) { p.Applications[0].DefaultDDOL = nil }
	off := func(p *emv.Params) { p.Off = []emv.Feature{emv.FeatureDefaultDDOL} }
	timeless := func(p *emv.Params) { p.Applications[0].DefaultDDOL = unhex("9A03") }
	part := func(p *emv.Params) { p.Applications[0].DefaultDDOL = unhex("9F3703") }
	for _, r := range []signed{
		{card: "oda-dda-format1", want: emv.Approved, tvr: "0000000000", oda: "dda true"},
		{card: "oda-dda-long-ddol", want: emv.Approved, tvr: "0000000000", oda: "dda true"},
		{card: "oda-dda-no-ddol", want: emv.Approved, tvr: "0000000000", oda: "dda true"},
		{card: "oda-dda-no-ddol", params: none, want: emv.Online, tvr: "0800000000", tsi: "E8", oda: "dda false", never: "0088"},
		{card: "oda-dda-no-ddol", params: off, want: emv.Online, tvr: "0800000000", tsi: "E8", oda: "dda false", never: "0088"},
		{card: "oda-dda-no-ddol", params: timeless, want: emv.Online, tvr: "0800000000", tsi: "E8", oda: "dda false", never: "0088"},
		{card: "oda-dda-no-ddol", params: part, want: emv.Online, tvr: "0800000000", tsi: "E8", oda: "dda false", never: "0088"},
		{card: "oda-dda-ddol-no-number", want: emv.Online, tvr: "0800000000", tsi: "E8", oda: "dda false", never: "0088"},
		{card: "oda-dda-hash", want: emv.Online, tvr: "0800000000", tsi: "E8", oda: "dda false", ac: "80AE80"},
		{card: "oda-dda-format", want: emv.Online, tvr: "0800000000", tsi: "E8", oda: "dda false"},
		{card: "oda-dda-refused", want: emv.Terminated, never: "80AE"},
	} {
		r.run(t)
	}
}

// TestCDAModes: when a signature is asked for, and what the TVR says while it is not (Book 2, 6.6).
func TestCDAModes(t *testing.T) {
	mode := func(n int) func(*emv.Params) {
		return func(p *emv.Params) { p.CDAMode = n }
	}
	forced := func(n int) func(*emv.Params) {
		return func(p *emv.Params) { p.CDAMode, p.ForceOnline = n, true }
	}
	denied := func(p *emv.Params) {
		p.Applications[0].FloorLimitMinor, p.Applications[0].TACDenial = 0, [5]byte{3: 0x80}
	}
	const onlineOnly = "9F35=21"
	for _, r := range []signed{
		{card: "cda-online", set: onlineOnly, params: mode(1), want: emv.Online, tvr: "0000000000", tsi: "E8", oda: "cda true", ac: "80AE90 80AE50", second: emv.HostApproved, then: emv.Approved, thenTVR: "0000000000"},
		{card: "cda-online", set: onlineOnly, params: mode(0), want: emv.Online, tvr: "0000000000", oda: "cda true", ac: "80AE90 80AE50", second: emv.HostApproved, then: emv.Approved, thenTVR: "0000000000"},
		{card: "cda-online", set: onlineOnly, params: mode(2), want: emv.Online, tvr: "0000000000", oda: "cda true", ac: "80AE90 80AE40", second: emv.HostApproved, then: emv.Approved, thenTVR: "0000000000"},
		{card: "cda-online", set: onlineOnly, params: mode(3), want: emv.Online, tvr: "8000000000", tsi: "68", oda: "cda false", ac: "80AE80 80AE40", second: emv.HostApproved, then: emv.Approved, thenTVR: "0000000000"},
		{card: "cda-online", set: onlineOnly, params: mode(4), want: emv.Online, tvr: "8000000000", tsi: "68", oda: "cda false", ac: "80AE80 80AE50", second: emv.HostApproved, then: emv.Approved, thenTVR: "0000000000"},
		{card: "cda-online", set: onlineOnly, params: mode(3), want: emv.Online, tvr: "8000000000", ac: "80AE80 80AE00", second: emv.HostDeclined, then: emv.Declined, thenTVR: "0000000000"},
		// Whatever the mode, a TC that the terminal decides on has a signature.
		{card: "oda-cda", params: mode(3), want: emv.Approved, tvr: "0000000000", oda: "cda true", ac: "80AE50"},
		{card: "oda-cda", params: forced(1), want: emv.Online, tvr: "0000000800", oda: "cda true", ac: "80AE90 80AE50", second: emv.HostUnable, then: emv.Approved, thenTVR: "0000000800"},
		{card: "oda-cda", params: forced(2), want: emv.Online, tvr: "0000000800", oda: "cda true", ac: "80AE90 80AE50", second: emv.HostUnable, then: emv.Approved, thenTVR: "0000000800"},
		{card: "oda-cda", params: forced(3), want: emv.Online, tvr: "8000000800", oda: "cda false", ac: "80AE80 80AE50", second: emv.HostUnable, then: emv.Approved, thenTVR: "0000000800"},
		{card: "cda-online", params: mode(3), want: emv.Online, tvr: "0000000000", oda: "cda true", ac: "80AE50 80AE50", second: emv.HostUnable, then: emv.Declined, thenTVR: "0000000000"},
		// An AAC has none.
		{card: "oda-cda", params: denied, want: emv.Declined, tvr: "8000008000", tsi: "68", oda: "cda false", ac: "80AE00"},
		{card: "cda-declines", want: emv.Declined, tvr: "0000000000", tsi: "68", oda: "cda false", ac: "80AE50"},
		{card: "cda-online", want: emv.Online, ac: "80AE50 80AE00", second: emv.HostDeclined, then: emv.Declined, thenTVR: "0000000000"},
		// A failure before action analysis ends it for good.
		{card: "oda-card-hash", want: emv.Online, tvr: "0400000000", ac: "80AE80 80AE40", second: emv.HostApproved, then: emv.Approved, thenTVR: "0400000000"},
	} {
		r.run(t)
	}
}

// TestAttackWedge: somebody between card and terminal changes an answer to GENERATE AC, or leaves the signature out. The CID
// that counts is the signed one: a TC is declined at once, an ARQC with an AAC and without the bank (Book 4, 6.3.2.1).
func TestAttackWedge(t *testing.T) {
	for _, r := range []signed{
		{card: "cda-wedge-iad", want: emv.Declined, tvr: "0400000000", tsi: "E8", oda: "cda false", ac: "80AE50"},
		{card: "cda-wedge-cid-arqc", want: emv.Declined, tvr: "0400000000", tsi: "E8", oda: "cda false", ac: "80AE50"},
		{card: "cda-wedge-cid", want: emv.Declined, tvr: "0400000000", tsi: "E8", oda: "cda false", ac: "80AE50 80AE00"},
		{card: "cda-wedge-cid", set: "9F35=21", want: emv.Declined, tvr: "0400000000", oda: "cda false", ac: "80AE90 80AE00"},
		{card: "cda-wedge-online", want: emv.Declined, tvr: "0400000000", tsi: "E8", oda: "cda false", ac: "80AE50 80AE00"},
		{card: "cda-no-signature", want: emv.Declined, tvr: "0400000000", tsi: "E8", oda: "cda false", ac: "80AE50"},
		{card: "cda-hash", want: emv.Declined, tvr: "0400000000", tsi: "E8", oda: "cda false", ac: "80AE50"},
		{card: "cda-transaction-hash", want: emv.Declined, tvr: "0400000000", tsi: "E8", oda: "cda false", ac: "80AE50"},
		{card: "cda-second-wedge", want: emv.Online, tvr: "0000000000", oda: "cda true", ac: "80AE50 80AE50", second: emv.HostApproved, then: emv.Declined, thenTVR: "0400000000"},
		{card: "cda-second-no-signature", want: emv.Online, tvr: "0000000000", ac: "80AE50 80AE50", second: emv.HostApproved, then: emv.Declined, thenTVR: "0400000000"},
	} {
		r.run(t)
	}
}

// keyAsker is a cardholder at a pad that asks for the card's key and enters nothing.
type keyAsker struct {
	second
	modulus []byte
	err     error
}

func (k *keyAsker) CardPIN(ctx context.Context, ask emv.CardPINRequest) (emv.CardPINAnswer, error) {
	with, err := ask.Encipherment(ctx)
	k.modulus, k.err = with.Modulus, err
	return emv.CardPINAnswer{Entry: emv.PINBypassed}, err
}

// TestPINEnciphermentKey: the card's own, where it brings every object of one, else the card's key for dynamic
// authentication; without a valid one the method fails, and the TVR's first byte does not change (Book 2, 7.1; Book 3, 7.5).
func TestPINEnciphermentKey(t *testing.T) {
	const ownKey = "pin-enciphered-own-key"
	cards := map[string]virtual{
		"card's key":  insert(t, "pin-enciphered"),
		"own key":     insert(t, ownKey),
		"expired":     insert(t, "pin-key-expired"),
		"hash":        insert(t, "pin-key-hash"),
		"no exponent": insertText(t, "like = \""+ownKey+"\"\n[[application]]\n[application.tamper]\n\"9F2E\" = \"-\""),
		"revoked":     insertText(t, "like = \""+ownKey+"\"\n[[application]]\n[application.rsa]\nissuer_serial = \"0BAD01\""),
	}
	find := func(name string) (modulus []byte, tvr byte) {
		holder := &keyAsker{}
		p := fix(offline(t), "9F33=E0B8C8 9F35=22")
		_, out := begin(t, cards[name], p, holder)
		return holder.modulus, out.Data.Value(emv.TagTVR)[0]
	}
	card, _ := find("card's key")
	own, tvr := find("own key")
	if len(card) == 0 || len(own) == 0 || bytes.Equal(card, own) || tvr != 0 {
		t.Errorf("keys of %d and %d bytes, TVR %02X", len(card), len(own), tvr)
	}
	if got, _ := find("no exponent"); !bytes.Equal(got, card) {
		t.Errorf("without an exponent for its own key: a key of %d bytes", len(got))
	}
	for name, want := range map[string]byte{"expired": 0, "hash": 0, "revoked": 0x04} {
		if got, tvr := find(name); len(got) != 0 || tvr != want {
			t.Errorf("%s: key of %d bytes, TVR %02X", name, len(got), tvr)
		}
	}
}
