package contact_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // the TC hash is SHA-1 by the book
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"tillway/device/emulator"
	"tillway/device/transcript"
	"tillway/emv"
	"tillway/emv/contact"
	"tillway/emv/cryptogram"
	"tillway/emv/oda"
)

// rehearsal is one of the emulator's cards at an attended terminal that approves offline and online, with every method and
// a floor limit of KWD 20.000. What is expected of it was worked out from the books, and not taken from what the kernel
// does.
type rehearsal struct {
	card    string
	section string // of the rule that decides
	fixed   string // terminal's objects
	params  func(*emv.Params)
	words   string       // at the pad, for the card's PIN: a PIN, bypass or "no-pad"
	online  emv.PINEntry // for the issuer's PIN
	host    emv.HostResult
	auth    string // the issuer's 91: "" right, "forged" or "none"
	scripts string // templates 71 and 72
	want    emv.Decision
	reason  string
	tags    string
	oda     string // method and "ok" or "failed"
	method  emv.Method
	aid     string // "": the first Visa application
	must    string // beginnings of commands, in this order among the others
	never   string // beginnings of commands that are not sent
}

// approvesOffline is what a card has that nothing is wrong with: TVR zero; offline data authentication, cardholder
// verification, card and terminal risk management in the TSI; a TC.
const approvesOffline = "95=0000000000 9B=E800 9F27=40 8A=5931 9F34=1F0002 "

func rehearsalTerminal(t *testing.T) emv.Params {
	t.Helper()
	codes := [5]byte{0xDC, 0x40, 0x00, 0xA8, 0x00}
	app := emv.Application{
		AID: unhex("A0000000031010"), PartialSelect: true, Scheme: "visa", Version: [2]byte{0, 0x8C},
		TACOnline: codes, TACDefault: codes, FloorLimitMinor: 20_000, DefaultDDOL: unhex("9F3704"), DefaultTDOL: unhex("9F0206"),
	}
	other := app
	other.AID, other.Scheme, other.Version = unhex("A0000000041010"), "mastercard", [2]byte{0, 2}
	p := terminal(app, other)
	p.TerminalType, p.Capabilities = 0x22, [3]byte{0xE0, 0xF8, 0xC8}
	p.Random = bytes.NewReader(bytes.Repeat(unhex("D3173A1F"), 16))
	file, err := oda.ParseKeys(emulator.AuthorityKeys(), oda.Test)
	if err != nil {
		t.Fatal(err)
	}
	p.CAKeys = file.CAKeys
	return p
}

// atPad is a cardholder who enters the PINs of a rehearsal, in plaintext or enciphered, as the kernel asks for them.
type atPad struct{ keypad }

func (k *atPad) CardPIN(ctx context.Context, ask emv.CardPINRequest) (emv.CardPINAnswer, error) {
	if len(k.words) > 0 && k.words[0] == "no-pad" {
		k.words = k.words[1:]
		return emv.CardPINAnswer{Entry: emv.PINPadMissing}, nil
	}
	if ask.Encipherment == nil || len(k.words) == 0 || strings.Trim(k.words[0], "0123456789") != "" {
		return k.keypad.CardPIN(ctx, ask)
	}
	word := k.words[0]
	k.words = k.words[1:]
	with, err := ask.Encipherment(ctx)
	if err != nil {
		return emv.CardPINAnswer{}, fmt.Errorf("at the pad: %w", err)
	}
	block := append([]byte{0x7F}, unhex(fmt.Sprintf("2%X", len(word))+word+strings.Repeat("F", 14-len(word)))...)
	block = append(block, with.Challenge[:]...)
	fill := make([]byte, len(with.Modulus)-len(block)) // Book 2, 7.2: random padding
	if _, err := rand.Read(fill); err != nil {
		return emv.CardPINAnswer{}, err
	}
	x := new(big.Int).SetBytes(append(block, fill...))
	x.Exp(x, new(big.Int).SetBytes(with.Exponent), new(big.Int).SetBytes(with.Modulus))
	return emv.CardPINAnswer{Entry: emv.PINEntered, Data: x.FillBytes(make([]byte, len(with.Modulus)))}, nil
}

func (r rehearsal) run(t *testing.T) {
	t.Helper()
	p := fix(rehearsalTerminal(t), r.fixed)
	if r.params != nil {
		r.params(&p)
	}
	holder := &atPad{keypad{pad: pad{entry: r.online}, words: strings.Fields(r.words)}}
	rec := transcript.NewRecorder(insert(t, r.card))
	txn, out, err := contact.New(contact.Config{}).Begin(t.Context(), rec, p, holder)
	if err != nil {
		t.Fatalf("%s: %v", r.section, err)
	}
	if r.host != "" {
		if txn == nil {
			t.Fatalf("%s: %s before the host was asked: %s %v", r.section, out.Decision, out.Reason, out.Why)
		}
		out = complete(t, txn, emv.HostAnswer{Result: r.host, IssuerData: r.issuerData(t, out.Data)})
	}
	r.check(t, out, rec.Transcript())
	if len(holder.words) > 0 {
		t.Errorf("PINs left at the pad: %d", len(holder.words))
	}
}

// issuerData is the answer of an issuer who finds the card's cryptogram right.
func (r rehearsal) issuerData(t *testing.T, d emv.Data) []byte {
	t.Helper()
	data := unhex(r.scripts)
	if r.host == emv.HostUnable || r.auth == "none" {
		return data
	}
	imk := testIMK
	if d.Value(emv.TagIssuerApplicationData)[2] == 18 {
		imk = "0123456789ABCDEFFEDCBA9876543210"
	}
	keys, err := cryptogram.ForCard(unhex(imk), fmt.Sprintf("%x", d.Value(emv.TagPAN)), fmt.Sprintf("%x", d.Value(emv.TagPANSequenceNumber)))
	if err == nil {
		err = keys.Verify(d)
	}
	if err != nil {
		t.Fatalf("ARQC: %v", err)
	}
	reply := cryptogram.Reply{ARC: [2]byte{'0', '0'}, CSU: [4]byte{0, 0x80, 0, 0}}
	if r.host == emv.HostDeclined {
		reply = cryptogram.Reply{ARC: [2]byte{'0', '5'}}
	}
	answer, err := keys.Answer(d, reply)
	if err != nil {
		t.Fatal(err)
	}
	if r.auth == "forged" {
		answer[0] ^= 1
	}
	return append(append([]byte{0x91, byte(len(answer))}, answer...), data...)
}

func (r rehearsal) check(t *testing.T, out emv.Outcome, tr transcript.Transcript) {
	t.Helper()
	if out.Decision != r.want || !strings.Contains(out.Reason, r.reason) {
		t.Errorf("%s: %s (%s), want %s %s", r.section, out.Decision, out.Reason, r.want, r.reason)
	}
	wantTags(t, out.Data, r.tags)
	verdict := map[bool]string{true: "ok", false: "failed"}[out.ODA.OK]
	if got := out.ODA.Method + " " + verdict; r.oda != "" && got != r.oda {
		t.Errorf("offline data authentication: %s, want %s", got, r.oda)
	}
	if r.method != "" && out.Method != r.method {
		t.Errorf("method %q, want %q", out.Method, r.method)
	}
	if r.aid != "" && fmt.Sprintf("%X", out.AID) != r.aid {
		t.Errorf("application %X, want %s", out.AID, r.aid)
	}
	var said []string
	for _, e := range tr.Exchanges {
		said = append(said, fmt.Sprintf("%X", e.Command))
	}
	rest := said
	for m := range strings.FieldsSeq(r.must) {
		at := slices.IndexFunc(rest, func(c string) bool { return strings.HasPrefix(c, m) })
		if at < 0 {
			t.Errorf("no command %s in its place: %v", m, said)
			break
		}
		rest = rest[at+1:]
	}
	for n := range strings.FieldsSeq(r.never) {
		if slices.ContainsFunc(said, func(c string) bool { return strings.HasPrefix(c, n) }) {
			t.Errorf("command %s was sent: %v", n, said)
		}
	}
	if t.Failed() {
		for _, w := range out.Why {
			t.Logf("%s: %s (%s)", w.Bit, w.Reason, w.Section)
		}
	}
}

// rehearse runs rows, each by its card's name and what makes it another case.
func rehearse(t *testing.T, rows []rehearsal) {
	t.Helper()
	for _, r := range rows {
		t.Run(strings.TrimSpace(r.card+" "+r.words+" "+string(r.host)+" "+r.auth+" "+r.fixed), r.run)
	}
}

// A card that falls silent in the middle is an error of the world, and no decision.
func TestCardsMute(t *testing.T) {
	_, out, err := contact.New(contact.Config{}).Begin(t.Context(), insert(t, "mute-at-ac"), rehearsalTerminal(t), nil)
	if err == nil || out.Decision != "" || errors.Is(err, contact.ErrParams) {
		t.Errorf("%v, decision %q", err, out.Decision)
	}
}

// Every ready card has its row in one of the tables, but those of other tests.
func TestCardsAreRehearsed(t *testing.T) {
	known := map[string]bool{"credit": true, "debit": true, "declines": true, "expired": true, "pulled": true, "mute-at-ac": true}
	for _, rows := range [][]rehearsal{authenticationRows, combinedRows, pinRows, cvmRows, riskRows, selectionRows, completionRows, malformedRows} {
		for _, r := range rows {
			known[r.card] = true
		}
	}
	for _, name := range emulator.ReadyNames() {
		if !known[name] {
			t.Errorf("card %s is in no table", name)
		}
	}
}

func hashOf(data string) string {
	return fmt.Sprintf("%X", sha1.Sum(unhex(data))) //nolint:gosec // the TC hash is SHA-1 by the book
}
