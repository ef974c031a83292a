package host_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"tillway/device/secure/x9"
	"tillway/host"
	"tillway/iso8583"
	"tillway/iso8583/dialect/nac"
)

// The base derivation keys of X9.24-1 and X9.24-3, published.
const (
	bdkTDES = "0123456789ABCDEFFEDCBA9876543210"
	bdkAES  = "FEDCBA9876543210F1F1F1F1F1F1F1F1"
)

// registers is the terminal's form of DUKPT.
type registers interface{ next() (key, ksn []byte) }

// till is the terminal's side, with registers of its own for PIN and MAC.
type till struct {
	*rig
	aes      bool
	method   string
	pin, mac registers
}

type tdesKey struct {
	t testing.TB
	d *x9.TDESDevice
}

func (k tdesKey) next() (key, ksn []byte) {
	key, serial, err := k.d.Next()
	if err != nil {
		k.t.Fatal(err)
	}
	return key, serial[:]
}

type aesKey struct {
	t testing.TB
	d *x9.AESDevice
}

func (k aesKey) next() (key, ksn []byte) {
	key, serial, err := k.d.Next()
	if err != nil {
		k.t.Fatal(err)
	}
	return key, serial[:]
}

func device(t testing.TB, k host.Key) registers {
	t.Helper()
	if len(k.KSN) == 12 {
		ik, err := x9.AESInitialKey(k.BDK, [8]byte(k.KSN))
		if err != nil {
			t.Fatal(err)
		}
		d, err := x9.NewAESDevice(ik, [8]byte(k.KSN))
		if err != nil {
			t.Fatal(err)
		}
		return aesKey{t, d}
	}
	ik, err := x9.TDESInitialKey(k.BDK, x9.KSN(k.KSN))
	if err != nil {
		t.Fatal(err)
	}
	d, err := x9.NewTDESDevice(ik, x9.KSN(k.KSN))
	if err != nil {
		t.Fatal(err)
	}
	return tdesKey{t, d}
}

func secureConfig(t testing.TB, method string, aes bool) host.Config {
	t.Helper()
	cfg := config(t)
	bdk, pin, mac := bdkTDES, "FFFF9876543210E00000", "FFFF9876543212000000"
	if aes {
		bdk, pin, mac = bdkAES, "123456789012345600000000", "123456789012345700000000"
		c, err := iso8583.Compile(nac.Table(nac.Settings{PINBytes: 16}))
		if err != nil {
			t.Fatal(err)
		}
		cfg.Codec = c
	}
	cfg.Security = &host.Security{MAC: method, MACBytes: 8, Field: 61, Required: true}
	cfg.Terminals[0].Keys = &host.Keys{
		PIN: host.Key{BDK: unhex(t, bdk), KSN: unhex(t, pin)}, MAC: host.Key{BDK: unhex(t, bdk), KSN: unhex(t, mac)},
	}
	for i := range cfg.Accounts {
		cfg.Accounts[i].PVK = unhex(t, bdkTDES)
		cfg.Accounts[i].PVV = map[string]string{"credit": "0949", "debit": "3500", "expired": "4053"}[cfg.Accounts[i].Name]
	}
	return cfg
}

func newTill(t testing.TB, method string, aes bool) *till {
	t.Helper()
	cfg := secureConfig(t, method, aes)
	h, err := host.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	keys := cfg.Terminals[0].Keys
	return &till{rig: &rig{t: t, h: h, codec: cfg.Codec}, aes: aes, method: method, pin: device(t, keys.PIN), mac: device(t, keys.MAC)}
}

func (s *till) add(m *iso8583.Message, tag string, ksn []byte) {
	before, _ := m.Get(61)
	m.Set(61, before+fmt.Sprintf("%s%02d%X", tag, 2*len(ksn), ksn))
}

// withPIN puts a PIN in as the terminal would. format is ISO 9564's; under AES it is 4.
func (s *till) withPIN(m *iso8583.Message, c card, pin string, format x9.PINFormat) {
	s.t.Helper()
	txn, ksn := s.pin.next()
	s.add(m, "PK", ksn)
	if s.aes {
		key, err := x9.AESWorkingKey(txn, x9.AESPIN, x9.AES128, x9.AESKSN(ksn))
		if err != nil {
			s.t.Fatal(err)
		}
		block, err := x9.EncryptPINBlock4(key, []byte(pin), c.pan, [8]byte{1, 2, 3})
		if err != nil {
			s.t.Fatal(err)
		}
		m.SetBytes(52, block[:])
		return
	}
	key, err := x9.TDESWorkingKey(txn, x9.TDESPIN)
	if err != nil {
		s.t.Fatal(err)
	}
	var fill []byte
	if format == x9.PINFormat1 || format == x9.PINFormat3 {
		fill = bytes.Repeat([]byte{0xA}, 14-len(pin))
	}
	clear, err := x9.EncodePINBlock(format, []byte(pin), c.pan, fill)
	if err != nil {
		s.t.Fatal(err)
	}
	block, err := x9.EncryptECB(key, clear[:])
	if err != nil {
		s.t.Fatal(err)
	}
	m.SetBytes(52, block)
}

// frame packs with MAC; verify checks the answer's.
func (s *till) frame(m *iso8583.Message) (frame []byte, verify func(answer []byte) bool) {
	s.t.Helper()
	txn, ksn := s.mac.next()
	s.add(m, "MK", ksn)
	m.SetBytes(64, make([]byte, 8))
	frame = s.pack(m)
	copy(frame[len(frame)-8:], s.macOf(txn, ksn, false, frame[5:len(frame)-8]))
	return frame, func(answer []byte) bool {
		return bytes.Equal(answer[len(answer)-8:], s.macOf(txn, ksn, true, answer[5:len(answer)-8]))
	}
}

func (s *till) macOf(txn, ksn []byte, response bool, data []byte) []byte {
	s.t.Helper()
	if s.aes {
		key, err := x9.AESWorkingKey(txn, map[bool]x9.AESUse{false: x9.AESMACGenerate, true: x9.AESMACVerify}[response], x9.AES128, x9.AESKSN(ksn))
		if err != nil {
			s.t.Fatal(err)
		}
		m, err := x9.CMACAES(key, data)
		if err != nil {
			s.t.Fatal(err)
		}
		return m[:8]
	}
	key, err := x9.TDESWorkingKey(txn, map[bool]x9.TDESUse{false: x9.TDESMACRequest, true: x9.TDESMACResponse}[response])
	if err != nil {
		s.t.Fatal(err)
	}
	m, err := x9.MAC3(key, data, x9.Pad1)
	if s.method == host.MACCMAC {
		m, err = x9.CMACTDES(key, data)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return m[:]
}

// ask sends a frame and returns code and answer; signed says that the answer's MAC is right.
func (s *till) ask(frame []byte, verify func([]byte) bool) (code string, a *iso8583.Message, signed bool) {
	s.t.Helper()
	replies := s.h.Answer(frame)
	if len(replies) != 1 {
		s.t.Fatalf("%d replies", len(replies))
	}
	a, err := s.codec.Unpack(replies[0].Frame)
	if err != nil {
		s.t.Fatal(err)
	}
	return get(s.t, a, 39), a, a.Has(64) && verify(replies[0].Frame)
}

// TestPINAndMAC: with every way of securing, a sale with its PIN is approved, the answer authenticated, and the reversal
// too.
func TestPINAndMAC(t *testing.T) {
	for _, c := range []struct {
		method string
		aes    bool
		format x9.PINFormat
	}{{host.MACAlg3, false, x9.PINFormat0}, {host.MACAlg3, false, x9.PINFormat3}, {host.MACCMAC, false, x9.PINFormat0}, {host.MACCMAC, true, 0}} {
		s := newTill(t, c.method, c.aes)
		m, _ := s.sale(debit, 1, 10_525)
		s.withPIN(m, debit, "1234", c.format)
		code, a, signed := s.ask(s.frame(m))
		if code != "00" || !signed || a.Has(61) || s.books() != 1 {
			t.Errorf("%+v: %s, authenticated %t", c, code, signed)
		}
		if code, _, signed := s.ask(s.frame(reversal(m, debit))); code != "00" || !signed || s.books() != 0 {
			t.Errorf("%+v: reversal %s, authenticated %t", c, code, signed)
		}
	}
}

// TestWrongPINs: tries are counted and said; three wrong ones block; a right one in time starts the count anew.
func TestWrongPINs(t *testing.T) {
	s := newTill(t, host.MACAlg3, false)
	for i, c := range []struct{ pin, code, tries string }{
		{"1111", "55", "PT012"}, {"1234", "00", ""}, {"123456", "55", "PT012"}, {"2222", "55", "PT011"}, {"3333", "75", "PT010"}, {"1234", "75", "PT010"},
	} {
		m, _ := s.sale(debit, i+1, 1_300)
		s.withPIN(m, debit, c.pin, x9.PINFormat0)
		code, a, signed := s.ask(s.frame(m))
		got, _ := a.Get(61)
		if code != c.code || got != c.tries || !signed {
			t.Errorf("try %d: %s %q, want %s %q", i+1, code, got, c.code, c.tries)
		}
		if text, _ := a.Get(63); (c.tries != "") != strings.HasPrefix(text, "INCORRECT PIN, TRIES LEFT: ") {
			t.Errorf("try %d: text %q", i+1, text)
		}
	}
	if s.books() != 1 {
		t.Error("a wrong PIN was posted")
	}
	m, _ := s.sale(credit, 20, 1_300)
	if code, _, _ := s.ask(s.frame(m)); code != "00" {
		t.Errorf("a card without PIN entry: %s", code)
	}
}

// TestPINBlocksRefused: of another account, in a format that is not for hosts, under a key that was used, or in a reversal.
func TestPINBlocksRefused(t *testing.T) {
	for name, c := range map[string]struct {
		of     card
		format x9.PINFormat
	}{"of another account": {credit, x9.PINFormat0}, "format 1": {debit, x9.PINFormat1}, "format 2": {debit, x9.PINFormat2}} {
		s := newTill(t, host.MACAlg3, false)
		m, _ := s.sale(debit, 1, 1_300)
		s.withPIN(m, c.of, "1234", c.format)
		if code, _, _ := s.ask(s.frame(m)); code != "55" || s.books() != 0 {
			t.Errorf("%s: %s, want 55", name, code)
		}
	}
	s := newTill(t, host.MACAlg3, false)
	first, _ := s.sale(debit, 1, 1_300)
	s.withPIN(first, debit, "1234", x9.PINFormat0)
	block, _ := first.Bytes(52)
	serial, _ := first.Get(61)
	s.ask(s.frame(first))
	again, _ := s.sale(debit, 2, 1_300)
	again.SetBytes(52, block)
	again.Set(61, serial)
	if code, _, _ := s.ask(s.frame(again)); code != "63" || s.books() != 1 {
		t.Errorf("a PIN block a second time: %s", code)
	}
	r := reversal(first, debit)
	s.withPIN(r, debit, "1234", x9.PINFormat0)
	if code, _, _ := s.ask(s.frame(r)); code != "30" || s.books() != 1 {
		t.Errorf("a reversal with a PIN block: %s", code)
	}
}

// TestRequestMAC: a request with any byte changed on its way, without its MAC, replayed, or under another key's number
// changes nothing and is answered without a MAC, or not at all.
func TestRequestMAC(t *testing.T) {
	s := newTill(t, host.MACAlg3, false)
	m, _ := s.sale(debit, 1, 10_525)
	good, verify := s.frame(m)
	for i := 5; i < len(good); i++ {
		bad := slices.Clone(good)
		bad[i] ^= 0x01
		for _, r := range s.h.Answer(bad) {
			a, err := s.codec.Unpack(r.Frame)
			if err != nil {
				t.Fatal(err)
			}
			if code, _ := a.Get(39); code == "00" || a.Has(64) {
				t.Errorf("byte %d changed: %s", i, code)
			}
		}
	}
	if s.books() != 0 {
		t.Fatal("a changed request was posted")
	}
	bare, _ := s.sale(debit, 2, 10_525)
	if code, _, _ := s.ask(s.pack(bare), verify); code != "63" {
		t.Errorf("without MAC: %s", code)
	}
	if code, _, signed := s.ask(good, verify); code != "00" || !signed {
		t.Errorf("the good one, after all that: %s", code)
	}
	if code, _, signed := s.ask(good, verify); code != "63" || signed || s.books() != 1 {
		t.Errorf("replayed: %s", code)
	}
	s.mac = s.pin
	m, _ = s.sale(debit, 3, 10_525)
	if code, _, _ := s.ask(s.frame(m)); code != "63" {
		t.Errorf("another key's number: %s", code)
	}
}

// TestRepeatUnderItsOwnKey: a true repeat has a key serial number and a MAC of its own, and gets the stored answer.
func TestRepeatUnderItsOwnKey(t *testing.T) {
	s := newTill(t, host.MACAlg3, false)
	m, _ := s.sale(debit, 1, 10_525)
	_, first, _ := s.ask(s.frame(m))
	m.Delete(61)
	code, a, signed := s.ask(s.frame(m))
	if code != "00" || !signed || get(t, a, 37) != get(t, first, 37) || s.books() != 1 {
		t.Errorf("repeat: %s, authenticated %t", code, signed)
	}
}

// TestWrongMACOnRequest: amount .104 posts and answers under a wrong MAC; the reversal is answered in earnest.
func TestWrongMACOnRequest(t *testing.T) {
	s := newTill(t, host.MACAlg3, false)
	m, _ := s.sale(debit, 1, 10_104)
	if code, a, signed := s.ask(s.frame(m)); code != "00" || signed || !a.Has(64) || s.books() != 1 {
		t.Errorf("%s, authenticated %t", code, signed)
	}
	if code, _, signed := s.ask(s.frame(reversal(m, debit))); code != "00" || !signed || s.books() != 0 {
		t.Errorf("reversal: %s, authenticated %t", code, signed)
	}
}

// TestSignOnSaysWhatWasSeen: under a MAC, the highest serial numbers; without one, nothing.
func TestSignOnSaysWhatWasSeen(t *testing.T) {
	s := newTill(t, host.MACAlg3, false)
	m, _ := s.sale(debit, 1, 1_300)
	s.withPIN(m, debit, "1234", x9.PINFormat0)
	s.ask(s.frame(m))
	signOn := func() *iso8583.Message {
		m := iso8583.NewMessage("0800")
		m.TPDU = unhex(t, "6000030000")
		for n, v := range map[int]string{3: "920000", 11: "000042", 24: "003", 41: tid, 42: mid} {
			m.Set(n, v)
		}
		return m
	}
	code, a, signed := s.ask(s.frame(signOn()))
	if text := get(t, a, 61); code != "00" || !signed || !strings.Contains(text, "PS20FFFF9876543210E00001") || !strings.Contains(text, "MS20FFFF9876543212000002") {
		t.Errorf("%s, authenticated %t, %q", code, signed, text)
	}
	if _, a, _ := s.ask(s.pack(signOn()), func([]byte) bool { return true }); a.Has(61) || a.Has(64) {
		t.Errorf("without MAC: %v", a)
	}
}

// TestOnlinePINWithoutBlock: the card was told of an online PIN and the message has none: refused, and no try is lost.
func TestOnlinePINWithoutBlock(t *testing.T) {
	s := newTill(t, host.MACAlg3, false)
	for stan := 1; stan < 6; stan++ {
		d := s.chip(debit, 1_300)
		d.Put(0x9F34, []byte{0x42, 0x03, 0x00})
		m, _ := s.sale(debit, stan, 1_300)
		m.SetBytes(55, field55(d))
		if code, a, _ := s.ask(s.frame(m)); code != "55" || get(t, a, 61) != "PT013" {
			t.Errorf("%s, %s tries", code, get(t, a, 61))
		}
	}
}

func TestSecurityRefused(t *testing.T) {
	for name, spoil := range map[string]func(*host.Config){
		"keys without security": func(c *host.Config) { c.Security = nil },
		"no such MAC":           func(c *host.Config) { c.Security.MAC = "alg9" },
		"six bytes":             func(c *host.Config) { c.Security.MACBytes = 6 },
		"no field":              func(c *host.Config) { c.Security.Field = 0 },
		"short key":             func(c *host.Config) { c.Terminals[0].Keys.MAC.BDK = make([]byte, 8) },
		"short serial number":   func(c *host.Config) { c.Terminals[0].Keys.PIN.KSN = make([]byte, 4) },
		"PVK":                   func(c *host.Config) { c.Accounts[0].PVK = nil },
	} {
		cfg := secureConfig(t, host.MACAlg3, false)
		spoil(&cfg)
		if _, err := host.New(cfg); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
