package nac_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"tillway/iso8583/dialect/nac"
	"tillway/terminal"
)

func network(kind terminal.NetworkKind, stan uint32) terminal.NetworkRequest {
	return terminal.NetworkRequest{Kind: kind, STAN: stan, TerminalID: "TILL0001", MerchantID: "KW0000000000001"}
}

// exchanging is a dialect with session keys and orders.
func exchanging(t testing.TB, form string) *nac.Dialect {
	t.Helper()
	return secured(t, func(s *nac.Settings) { s.MACSignOn, s.KeyExchange, s.HostOrders = true, form, true })
}

func TestKeyExchangeRequest(t *testing.T) {
	d := exchanging(t, "blocks")
	req := network(terminal.KeyExchange, 123)
	req.Challenge = []byte("8 bytes.")
	b, err := d.Network(req)
	if err != nil {
		t.Fatal(err)
	}
	sameBytes(t, "key-exchange-0800", b)
	if !d.MACed(b) {
		t.Error("it may leave without a MAC")
	}
	if _, err := dialect(t, nil).Network(network(terminal.KeyExchange, 123)); !errors.Is(err, nac.ErrRequest) {
		t.Errorf("where there is no key exchange: %v", err)
	}
}

// An echo test is an 0800 of its own code, with the MAC that a sign-on has and without its challenge; its answer is read as one.
func TestEcho(t *testing.T) {
	for code, change := range map[string]func(*nac.Settings){"990000": nil, "990001": func(s *nac.Settings) { s.EchoCode = "990001" }} {
		d := dialect(t, change)
		b, err := d.Network(network(terminal.Echo, 124))
		if err != nil {
			t.Fatal(err)
		}
		m, err := d.Codec().Unpack(b)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := m.Get(3)
		if trace, _ := m.Get(11); m.MTI() != "0800" || got != code || trace != "000124" || m.Has(61) || d.MACed(b) {
			t.Errorf("%s, DE 3 %s, DE 11 %s", m, got, trace)
		}
		m.SetMTI("0810")
		m.Set(39, "00")
		answer, err := d.Codec().Pack(m)
		if err != nil {
			t.Fatal(err)
		}
		if r, err := d.Response(answer); err != nil || r.Verdict != terminal.VerdictApproved {
			t.Errorf("its answer: %s, %v", r.Verdict, err)
		}
	}
	req := network(terminal.Echo, 124)
	if b, err := exchanging(t, "blocks").Network(req); err != nil || !exchanging(t, "blocks").MACed(b) {
		t.Errorf("with MACs: %v", err)
	}
}

// TestChallengeAndOrder: what goes out at sign-on, and which answers are orders.
func TestChallengeAndOrder(t *testing.T) {
	const challenge = "0102030405060708"
	d := exchanging(t, "blocks")
	field61 := func(kind terminal.NetworkKind, order terminal.HostOrder) string {
		req := network(kind, 122)
		req.Challenge, req.Order = unhex(t, challenge), order
		b, err := d.Network(req)
		if err != nil {
			t.Fatal(err)
		}
		m, err := d.Codec().Unpack(b)
		if err != nil {
			t.Fatal(err)
		}
		if code, _ := m.Get(3); code != "920000" {
			t.Errorf("%s has DE 3 %s", kind, code)
		}
		text, _ := m.Get(61)
		return text
	}
	if got := field61(terminal.SignOn, ""); got != "CH16"+challenge {
		t.Errorf("sign-on has %q", got)
	}
	if got := field61(terminal.OrderDone, terminal.OrderDestroy); got != "OA18DK"+challenge {
		t.Errorf("the word that it is done has %q", got)
	}
	for _, req := range []terminal.NetworkRequest{
		{Kind: terminal.OrderDone, STAN: 1, TerminalID: "T", MerchantID: "M", Challenge: unhex(t, challenge), Order: "sing"},
		{Kind: terminal.SignOn, STAN: 1, TerminalID: "T", MerchantID: "M", Challenge: []byte{1}},
	} {
		if _, err := d.Network(req); !errors.Is(err, nac.ErrRequest) {
			t.Errorf("%s, %q: %v", req.Kind, req.Order, err)
		}
	}
	for text, want := range map[string]terminal.HostOrder{
		"OR18DK" + challenge: terminal.OrderDestroy, "OR18XK" + challenge: terminal.OrderExchange,
		"": "", "OR18ZZ" + challenge: "", "OR02DK": "", "OR18DK" + challenge[:15] + "x": "", "OR20DK" + challenge + "00": "",
	} {
		r, err := d.Response(answer(t, d, "answer-0810", map[int]string{61: text}))
		if err != nil || r.Order != want || (want != "") != (string(r.Challenge) == string(unhex(t, challenge))) {
			t.Errorf("%q: %q with %X, %v", text, r.Order, r.Challenge, err)
		}
	}
	plain := secured(t, func(s *nac.Settings) { s.MACSignOn = true })
	if r, err := plain.Response(answer(t, plain, "answer-0810", map[int]string{61: "OR18DK" + challenge})); err != nil || r.Order != "" {
		t.Errorf("where no orders are taken: %q, %v", r.Order, err)
	}
	if r, err := d.Response(answer(t, d, "answer-0210", map[int]string{61: "OR18DK" + challenge})); err != nil || r.Order != "" {
		t.Errorf("in a sale's answer: %q, %v", r.Order, err)
	}
}

func sub(tag, text string) string { return fmt.Sprintf("%s%03d%s", tag, len(text), text) }

func TestSessionKeysInBlocks(t *testing.T) {
	d := exchanging(t, "blocks")
	pin, mac := "B0080P0TE00N0000"+strings.Repeat("1", 64), "D0112M6AC00N0000"+strings.Repeat("2", 96)
	good := sub("PB", pin) + sub("PC", "ABCDEF") + sub("ZZ", "") + sub("MB", mac)
	read := func(fields map[int]string) (terminal.Response, error) {
		return d.Response(answer(t, d, "answer-0810", fields))
	}
	r, err := read(map[int]string{3: "920101", 48: good})
	if err != nil || len(r.Keys) != 2 || r.Keys[0].Block != pin || r.Keys[0].Check != "ABCDEF" || r.Keys[0].Use != terminal.KeyForPIN ||
		r.Keys[1].Block != mac || r.Keys[1].Check != "" || r.Keys[1].Use != terminal.KeyForMAC || r.Keys[1].Cryptogram != nil {
		t.Errorf("%d keys, %v", len(r.Keys), err)
	}
	if text := fmt.Sprintf("%v %+v %#v %x", r.Keys, r.Keys[0], r.Keys[1], r.Keys); strings.Contains(text, "11111") || strings.Contains(text, "3131") {
		t.Errorf("a session key prints as %s", text)
	}
	for what, text := range map[string]string{
		"nothing": "", "no MAC key": sub("PB", pin), "no PIN key": sub("MB", mac), "an empty one": sub("PB", "") + sub("MB", mac),
		"twice": good + sub("PB", pin), "cut short": good[:len(good)-1], "no length": "PBxyz", "something behind": good + "0",
		"in ECB": "EC9DF695353FA075BFFA610000000000",
	} {
		if r, err := read(map[int]string{3: "920101", 48: text}); !errors.Is(err, nac.ErrAnswer) || r.Keys != nil {
			t.Errorf("%s: %d keys, %v", what, len(r.Keys), err)
		}
	}
	for what, fields := range map[string]map[int]string{
		"refused": {3: "920101", 39: "96"}, "of a sign-on": {3: "920000", 48: good}, "refused, with keys": {3: "920101", 39: "05", 48: good},
	} {
		if r, err := read(fields); err != nil || r.Keys != nil {
			t.Errorf("%s: %d keys, %v", what, len(r.Keys), err)
		}
	}
}

func TestSessionKeysInECB(t *testing.T) {
	d := exchanging(t, "ecb")
	pin, mac := "0123456789ABCDEFFEDCBA9876543210", "FEDCBA98765432100123456789abcdef"
	good := pin + "ABCDEF" + mac + "012345" + "0000000000"
	r, err := d.Response(answer(t, d, "answer-0810", map[int]string{3: "920101", 48: good}))
	if err != nil || len(r.Keys) != 2 || fmt.Sprintf("%X", r.Keys[0].Cryptogram) != pin || r.Keys[0].Check != "ABCDEF" ||
		fmt.Sprintf("%x", r.Keys[1].Cryptogram) != strings.ToLower(mac) || r.Keys[1].Check != "012345" || r.Keys[0].Block != "" {
		t.Errorf("%d keys, %v", len(r.Keys), err)
	}
	for what, text := range map[string]string{
		"nothing": "", "one key": pin + "ABCDEF", "no digits": "x" + good[1:], "no check value": pin + "ABCDEF" + mac + "01234x", "something behind": good + "1",
	} {
		if r, err := d.Response(answer(t, d, "answer-0810", map[int]string{3: "920101", 48: text})); !errors.Is(err, nac.ErrAnswer) || r.Keys != nil {
			t.Errorf("%s: %d keys, %v", what, len(r.Keys), err)
		}
	}
}

func TestKeyError(t *testing.T) {
	d := exchanging(t, "blocks")
	for code, want := range map[string]bool{"63": true, "00": false, "55": false} {
		for _, name := range []string{"answer-0210", "answer-0810"} {
			if r, err := d.Response(answer(t, d, name, map[int]string{39: code})); err != nil || r.KeyError != want {
				t.Errorf("%s with %s: key error %t, %v", name, code, r.KeyError, err)
			}
		}
	}
}

func TestNetworkSettings(t *testing.T) {
	for what, change := range map[string]func(*nac.Settings){
		"a form that is none":               func(s *nac.Settings) { s.KeyExchange = "clear" },
		"without MAC":                       func(s *nac.Settings) { s.MAC, s.MACSignOn = "off", false },
		"sign-on without MAC":               func(s *nac.Settings) { s.MACSignOn = false },
		"the code of signing on":            func(s *nac.Settings) { s.KeyExchangeCode = "920000" },
		"a code of five digits":             func(s *nac.Settings) { s.KeyExchangeCode = "92010" },
		"the field of serial numbers":       func(s *nac.Settings) { s.KeyField = 61 },
		"the field of text":                 func(s *nac.Settings) { s.KeyField, s.TextField = 48, 48 },
		"a field for something else":        func(s *nac.Settings) { s.KeyField = 55 },
		"an echo that is a sign-on":         func(s *nac.Settings) { s.EchoCode = "920000" },
		"an echo that asks for keys":        func(s *nac.Settings) { s.EchoCode = "920101" },
		"an echo code that is none":         func(s *nac.Settings) { s.EchoCode = "99" },
		"orders without a field":            func(s *nac.Settings) { s.SecurityField, s.HostOrders = -1, true },
		"orders, and sign-on without a MAC": func(s *nac.Settings) { s.KeyExchange, s.MACSignOn, s.HostOrders = "off", false, true },
	} {
		s := nac.Settings{TPDU: "6000030000", NII: "003", MAC: "alg3", MACSignOn: true, KeyExchange: "blocks"}
		change(&s)
		if _, err := nac.New(s); !errors.Is(err, nac.ErrSettings) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// FuzzNetworkAnswer: whatever an answer says, keys come whole or not at all, and an order with its challenge.
func FuzzNetworkAnswer(f *testing.F) {
	f.Add("PB004B0PCMB002D0", "OR18DK0102030405060708", true)
	f.Add(strings.Repeat("0", 80), "", false)
	f.Add("EC9DF695353FA075BFFA61"+strings.Repeat("0", 42), "PS04FFFF", false)
	blocks, ecb := exchanging(f, "blocks"), exchanging(f, "ecb")
	base := answer(f, blocks, "answer-0810", map[int]string{3: "920101"})
	f.Fuzz(func(t *testing.T, keys, private string, inBlocks bool) {
		d := ecb
		if inBlocks {
			d = blocks
		}
		m, err := d.Codec().Unpack(base)
		if err != nil {
			t.Fatal(err)
		}
		m.Set(48, keys)
		m.Set(61, private)
		b, err := d.Codec().Pack(m)
		if err != nil {
			return // no such field
		}
		r, err := d.Response(b)
		switch {
		case err != nil:
			if !errors.Is(err, nac.ErrAnswer) || r.Keys != nil {
				t.Fatalf("%d keys with %v", len(r.Keys), err)
			}
		case len(r.Keys) != 2 || (r.Order != "") != (len(r.Challenge) == terminal.ChallengeBytes):
			t.Fatalf("%d keys, order %q with %d bytes", len(r.Keys), r.Order, len(r.Challenge))
		}
		for _, k := range r.Keys {
			if inBlocks != (k.Block != "") || inBlocks == (len(k.Cryptogram) == 16) {
				t.Fatalf("a %s key of %d characters, %d bytes", k.Use, len(k.Block), len(k.Cryptogram))
			}
		}
	})
}
