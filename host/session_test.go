package host_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"tillway/device/secure/x9"
	"tillway/host"
	"tillway/iso8583"
	"tillway/iso8583/dialect/nac"
)

// sessionForm is a way in which session keys come.
type sessionForm struct {
	name, method, master string
	aes, ecb             bool
}

func sessionForms() []sessionForm {
	return []sessionForm{
		{"TDES, key blocks, retail MAC", host.MACAlg3, "3B2A19087F6E5D4C5B4A39281706F5E4", false, false},
		{"TDES, key blocks, CMAC", host.MACCMAC, "3B2A19087F6E5D4C5B4A39281706F5E4", false, false},
		{"AES", host.MACCMAC, "5D4C3B2A190807F6E5D4C3B2A1908F7E", true, false},
		{"TDES in ECB", host.MACAlg3, "3B2A19087F6E5D4C5B4A39281706F5E4", false, true},
	}
}

// member is a terminal with a master key, written apart from both the host and the terminal.
type member struct {
	*rig
	sessionForm
	pin, mac []byte
	stan     int
}

func newMember(t testing.TB, f sessionForm) *member {
	t.Helper()
	cfg := secureConfig(t, f.method, f.aes)
	cfg.Security.KeyCode, cfg.Security.KeyField = "920101", 48
	cfg.Terminals[0].Keys = &host.Keys{Master: unhex(t, f.master), AES: f.aes, ECB: f.ecb}
	h, err := host.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return &member{rig: &rig{t: t, h: h, codec: cfg.Codec}, sessionForm: f, stan: 100}
}

func (m *member) network(code, private string) *iso8583.Message {
	m.stan++
	q := iso8583.NewMessage("0800")
	q.TPDU = unhex(m.t, "6000030000")
	for n, v := range map[int]string{3: code, 11: fmt.Sprintf("%06d", m.stan), 24: "003", 41: tid, 42: mid} {
		q.Set(n, v)
	}
	if private != "" {
		q.Set(61, private)
	}
	return q
}

func (m *member) macOf(key, data []byte) []byte {
	m.t.Helper()
	var out []byte
	switch {
	case m.aes:
		long, err := x9.CMACAES(key, data)
		if err != nil {
			m.t.Fatal(err)
		}
		out = long[:8]
	case m.method == host.MACCMAC:
		short, err := x9.CMACTDES(key, data)
		if err != nil {
			m.t.Fatal(err)
		}
		out = short[:]
	default:
		short, err := x9.MAC3(key, data, x9.Pad1)
		if err != nil {
			m.t.Fatal(err)
		}
		out = short[:]
	}
	return out
}

// under sends a message under a key; nil without a MAC. signed says that the answer came under that key.
func (m *member) under(key []byte, q *iso8583.Message) (code string, a *iso8583.Message, signed bool) {
	m.t.Helper()
	frame := m.pack(q)
	if key != nil {
		q.SetBytes(64, make([]byte, 8))
		frame = m.pack(q)
		copy(frame[len(frame)-8:], m.macOf(key, frame[5:len(frame)-8]))
	}
	replies := m.h.Answer(frame)
	if len(replies) != 1 {
		m.t.Fatalf("%d replies", len(replies))
	}
	b := replies[0].Frame
	a, err := m.codec.Unpack(b)
	if err != nil {
		m.t.Fatal(err)
	}
	return get(m.t, a, 39), a, key != nil && a.Has(64) && bytes.Equal(b[len(b)-8:], m.macOf(key, b[5:len(b)-8]))
}

// receive asks for session keys and opens what comes, as a terminal's module does. agree says that the check values are the
// keys'.
func (m *member) receive(under []byte) (pin, mac []byte, agree bool) {
	m.t.Helper()
	code, a, signed := m.under(under, m.network("920101", ""))
	if code != "00" || signed != (under != nil) {
		m.t.Fatalf("key exchange: %s, authenticated %t", code, signed)
	}
	text := get(m.t, a, 48)
	keys, checks := map[string][]byte{}, map[string]string{}
	if m.ecb {
		for i, name := range []string{"P", "M"} {
			part := text[i*38 : (i+1)*38]
			key, err := x9.DecryptECB(unhex(m.t, m.master), unhex(m.t, part[:32]))
			if err != nil {
				m.t.Fatal(err)
			}
			keys[name], checks[name] = key, part[32:]
		}
		text = ""
	}
	for text != "" {
		n, err := strconv.Atoi(text[2:5])
		if err != nil {
			m.t.Fatal(err)
		}
		switch value := text[5 : 5+n]; text[1] {
		case 'B':
			h, key, err := x9.UnwrapKeyBlock(unhex(m.t, m.master), value)
			want := map[string]string{"P": "P0", "M": map[string]string{host.MACAlg3: "M3", host.MACCMAC: "M6"}[m.method]}[text[:1]]
			if err != nil || h.Usage != want {
				m.t.Fatalf("key block of usage %s, want %s: %v", h.Usage, want, err)
			}
			keys[text[:1]] = key
		case 'C':
			checks[text[:1]] = value
		}
		text = text[5+n:]
	}
	agree = true
	for name, key := range keys {
		var own []byte
		if m.aes {
			v, err := x9.KCVAES(key)
			if err != nil {
				m.t.Fatal(err)
			}
			own = v[:]
		} else {
			v, err := x9.KCV(key)
			if err != nil {
				m.t.Fatal(err)
			}
			own = v[:]
		}
		agree = agree && strings.EqualFold(hex.EncodeToString(own), checks[name])
	}
	return keys["P"], keys["M"], agree && len(keys) == 2
}

// exchange receives keys and proves them.
func (m *member) exchange() {
	m.t.Helper()
	pin, mac, agree := m.receive(m.mac)
	code, _, signed := m.under(mac, m.network("920000", ""))
	if !agree || code != "00" || !signed {
		m.t.Fatalf("exchange: check values agree %t, sign-on %s, authenticated %t", agree, code, signed)
	}
	m.pin, m.mac = pin, mac
}

// buy makes a sale with a PIN under given keys.
func (m *member) buy(pin, mac []byte, digits string) (code string, signed bool) {
	m.t.Helper()
	m.stan++
	q, _ := m.sale(debit, m.stan, 1_300)
	var block []byte
	if m.aes {
		b, err := x9.EncryptPINBlock4(pin, []byte(digits), debit.pan, [8]byte{1, 2, 3})
		if err != nil {
			m.t.Fatal(err)
		}
		block = b[:]
	} else {
		clear, err := x9.EncodePINBlock(x9.PINFormat0, []byte(digits), debit.pan, nil)
		if err != nil {
			m.t.Fatal(err)
		}
		if block, err = x9.EncryptECB(pin, clear[:]); err != nil {
			m.t.Fatal(err)
		}
	}
	q.SetBytes(52, block)
	code, _, signed = m.under(mac, q)
	return code, signed
}

// TestSessionKeys: exchanged, proved and used; wrong PINs told from wrong keys; changed while the old ones stay in force until
// the new ones are proved, and not a message longer.
func TestSessionKeys(t *testing.T) {
	for _, f := range sessionForms() {
		t.Run(f.name, func(t *testing.T) {
			m := newMember(t, f)
			some := unhex(t, "1F2E3D4C5B6A798897A6B5C4D3E2F10E")
			if code, signed := m.buy(some, some, "1234"); code != "63" || signed {
				t.Errorf("before any exchange: %s, authenticated %t", code, signed)
			}
			m.exchange()
			for _, c := range []struct{ pin, code string }{{"1234", "00"}, {"1111", "55"}, {"1234", "00"}} {
				if code, signed := m.buy(m.pin, m.mac, c.pin); code != c.code || !signed {
					t.Errorf("PIN %s: %s, authenticated %t", c.pin, code, signed)
				}
			}
			if code, signed := m.buy(some, m.mac, "1234"); code != "63" || !signed {
				t.Errorf("PIN under another key: %s, authenticated %t", code, signed)
			}
			if code, signed := m.buy(m.pin, m.pin, "1234"); code != "63" || signed {
				t.Errorf("MAC under the PIN key: %s, authenticated %t", code, signed)
			}
			pin, mac, agree := m.receive(m.mac)
			if !agree || bytes.Equal(pin, m.pin) || bytes.Equal(mac, m.mac) || bytes.Equal(pin, mac) {
				t.Error("the second exchange brings no new keys")
			}
			if code, signed := m.buy(m.pin, m.mac, "1234"); code != "00" || !signed {
				t.Errorf("old keys, before the new ones are proved: %s", code)
			}
			if code, signed := m.buy(pin, mac, "1234"); code != "00" || !signed {
				t.Errorf("new keys: %s", code)
			}
			if code, signed := m.buy(m.pin, m.mac, "1234"); code != "63" || signed {
				t.Errorf("old keys, after the new ones were proved: %s", code)
			}
			if held := m.h.Held(); len(held) != 1 || held[0].Scheme != "session" || held[0].Made != 2 || held[0].Waiting {
				t.Errorf("held: %+v", held)
			}
		})
	}
}

// TestDisagreements: each is done once, on request.
func TestDisagreements(t *testing.T) {
	m := newMember(t, sessionForms()[0])
	m.exchange()
	for _, order := range []string{host.DisagreeCheck, host.DisagreeMAC, host.DisagreeReplay} {
		if err := m.h.Order(tid, order); err != nil {
			t.Fatal(err)
		}
		switch order {
		case host.DisagreeCheck:
			if _, _, agree := m.receive(m.mac); agree {
				t.Error("the check values are right")
			}
		case host.DisagreeMAC:
			if _, _, signed := m.under(m.mac, m.network("920000", "")); signed {
				t.Error("the MAC is right")
			}
		}
		m.exchange()
	}
	if err := m.h.Order(tid, host.DisagreeForget); err != nil {
		t.Fatal(err)
	}
	if code, _, signed := m.under(m.mac, m.network("920000", "")); code != "63" || signed {
		t.Errorf("keys that were forgotten: %s", code)
	}
	m.mac = nil
	m.exchange()
	for _, c := range [][2]string{{tid, "sing"}, {"TILL0009", host.OrderDestroy}} {
		if err := m.h.Order(c[0], c[1]); !errors.Is(err, host.ErrOrder) {
			t.Errorf("%q: %v", c, err)
		}
	}
}

// TestOrders: they ride on the answer to a sign-on under its MAC with a challenge, repeat it, and end when they are done.
func TestOrders(t *testing.T) {
	const first, second = "CH160102030405060708", "CH161112131415161718"
	m := newMember(t, sessionForms()[0])
	m.exchange()
	said := func(key []byte, private string) string {
		_, a, _ := m.under(key, m.network("920000", private))
		text, _ := a.Get(61)
		return text
	}
	if got := said(m.mac, first); got != "" {
		t.Errorf("without an order: %q", got)
	}
	for order, two := range map[string]string{host.OrderDestroy: "DK", host.OrderExchange: "XK"} {
		if err := m.h.Order(tid, order); err != nil {
			t.Fatal(err)
		}
		for private, want := range map[string]string{first: "OR18" + two + first[4:], second: "OR18" + two + second[4:], "": "", "CH04AAAA": "", "CH16zz02030405060708": ""} {
			if got := said(m.mac, private); got != want {
				t.Errorf("%s, challenge %q: %q", order, private, got)
			}
		}
		if got := said(nil, first); got != "" {
			t.Errorf("%s without a MAC: %q", order, got)
		}
	}
	_ = said(m.mac, first)
	if err := errors.Join(m.h.Order(tid, host.OrderDestroy), m.h.Order(tid, host.DisagreeReplay)); err != nil {
		t.Fatal(err)
	}
	if got := said(m.mac, second); !strings.HasPrefix(got, "OR18DK") || strings.Contains(got, second[4:]) {
		t.Errorf("played again: %q", got)
	}
	_ = said(m.mac, "OA18DK"+second[4:])
	if got := said(m.mac, first); got != "" || m.h.Held()[0].Done != host.OrderDestroy {
		t.Errorf("after it was done: %q, %+v", got, m.h.Held())
	}
}

// TestSessionConfig: what a host with session keys cannot be set up with.
func TestSessionConfig(t *testing.T) {
	for what, change := range map[string]func(*host.Config){
		"a short master key":       func(c *host.Config) { c.Terminals[0].Keys.Master = []byte{1, 2, 3} },
		"AES in ECB":               func(c *host.Config) { c.Terminals[0].Keys.AES, c.Terminals[0].Keys.ECB = true, true },
		"keys where numbers stand": func(c *host.Config) { c.Security.KeyField = 61 },
	} {
		cfg := secureConfig(t, host.MACAlg3, false)
		cfg.Security.KeyCode, cfg.Security.KeyField = "920101", 48
		cfg.Terminals[0].Keys = &host.Keys{Master: unhex(t, sessionForms()[0].master)}
		change(&cfg)
		if _, err := host.New(cfg); !errors.Is(err, host.ErrConfig) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// FuzzNetwork feeds one network message to a host with session keys and an order, authenticated or not. What is not under the
// terminal's MAC learns no order and puts no key in force.
func FuzzNetwork(f *testing.F) {
	f.Add("920101", "", true)
	f.Add("920000", "CH160102030405060708", true)
	f.Add("920000", "OA18DK0102030405060708", false)
	form := sessionForms()[0]
	dialect, err := nac.New(nac.Settings{TPDU: "6000030000", NII: "003"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, code, private string, authentic bool) {
		m := newMember(t, form)
		m.exchange()
		if err := m.h.Order(tid, host.OrderDestroy); err != nil {
			t.Fatal(err)
		}
		before := m.h.Held()[0]
		q := m.network(code, private)
		if authentic {
			q.SetBytes(64, make([]byte, 8))
		}
		frame, err := dialect.Codec().Pack(q)
		if err != nil {
			return
		}
		if authentic {
			copy(frame[len(frame)-8:], m.macOf(m.mac, frame[5:len(frame)-8]))
		}
		replies := m.h.Answer(frame)
		after := m.h.Held()[0]
		if before.MAC != after.MAC || before.PIN != after.PIN {
			t.Fatal("other keys are in force")
		}
		if !authentic && (after.Order != before.Order || slices.ContainsFunc(replies, func(r host.Reply) bool { return bytes.Contains(r.Frame, []byte("DK")) })) {
			t.Fatal("an order without a MAC")
		}
	})
}
