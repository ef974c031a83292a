package nac_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"tillway/device/secure/x9"
	"tillway/emv"
	"tillway/iso8583/dialect/nac"
	"tillway/terminal"
)

// retail is ISO 9797-1 algorithm 3 under the golden messages' key.
func retail(t testing.TB) func([]byte) ([]byte, error) {
	t.Helper()
	key := unhex(t, "0123456789ABCDEFFEDCBA9876543210")
	return func(data []byte) ([]byte, error) {
		m, err := x9.MAC3(key, data, x9.Pad1)
		return m[:], err
	}
}

func secured(t testing.TB, change func(*nac.Settings)) *nac.Dialect {
	t.Helper()
	return dialect(t, func(s *nac.Settings) {
		s.MAC = "alg3"
		if change != nil {
			change(s)
		}
	})
}

func pinRequest(t testing.TB) terminal.Request {
	t.Helper()
	req := saleRequest(t)
	req.Method = emv.OnlinePIN
	req.PIN = terminal.PINBlock{Block: unhex(t, "1B9C1845EB993A7A"), KSN: unhex(t, "FFFF9876543210E00001")}
	return req
}

// TestSecuredMessages: byte for byte the golden messages, whose MACs were made by other means.
func TestSecuredMessages(t *testing.T) {
	d := secured(t, nil)
	request, reversal, err := d.Request(pinRequest(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		golden, ksn string
		message     []byte
	}{{"sale-pin-mac-0200", "FFFF9876543211E00007", request}, {"reversal-mac-0400", "FFFF9876543211E00008", reversal}} {
		if !d.MACed(c.message) {
			t.Errorf("%s: wants no MAC", c.golden)
		}
		out, err := d.WithMAC(c.message, unhex(t, c.ksn), retail(t))
		if err != nil {
			t.Fatal(err)
		}
		sameBytes(t, c.golden, out)
		if _, err := d.WithMAC(out, unhex(t, c.ksn), retail(t)); !errors.Is(err, nac.ErrRequest) {
			t.Errorf("%s: a second MAC: %v", c.golden, err)
		}
	}
	if bytes.Contains(reversal, unhex(t, "1B9C1845EB993A7A")) || strings.Contains(string(reversal), "PK") {
		t.Error("the reversal carries the PIN block or its key's number")
	}
}

// TestAnswerMAC: every byte that is flipped between message type and MAC makes another answer or another MAC; the TPDU is
// outside, and is the link's to compare.
func TestAnswerMAC(t *testing.T) {
	d := secured(t, nil)
	verified := func(b []byte) bool {
		a, err := d.AnswerMAC(b)
		if err != nil || len(a.MAC) == 0 {
			return false
		}
		want, err := retail(t)(a.Data)
		return err == nil && bytes.Equal(want, a.MAC)
	}
	for _, name := range []string{"answer-mac-0210", "answer-wrong-pin-0210"} {
		good := wire(t, golden(t, name))
		if !verified(good) {
			t.Fatalf("%s does not verify", name)
		}
		for i := range good {
			for bit := range 8 {
				bad := slices.Clone(good)
				bad[i] ^= 1 << bit
				if verified(bad) != (i < 5) {
					t.Errorf("%s: byte %d, bit %d flipped: verified %t", name, i, bit, i >= 5)
				}
			}
		}
	}
	plain, err := d.AnswerMAC(wire(t, golden(t, "answer-0210")))
	if err != nil || len(plain.MAC) > 0 || plain.Stray.MTI != "0210" || plain.Stray.STAN != "000123" || plain.Stray.Code != "00" {
		t.Errorf("an answer without MAC: %+v, %v", plain, err)
	}
}

func TestWrongPIN(t *testing.T) {
	d := secured(t, nil)
	r, err := d.Response(wire(t, golden(t, "answer-wrong-pin-0210")))
	if err != nil || !r.WrongPIN || r.PINTries != 2 || !strings.Contains(r.Advice.Happened, "2 tries are left") || r.Verdict != terminal.VerdictDeclined {
		t.Errorf("%+v, %v", r, err)
	}
	for text, want := range map[string]int{
		"": -1, "PT010": 0, "PT0212": 12, "PT0": -1, "PT02": -1, "PT01x": -1, "PT03123": -1, "XX02abPT013": 3, "XX99": -1, "PT-1": -1, "XXxx": -1,
	} {
		r, err := d.Response(answer(t, d, "answer-0210", map[int]string{39: "55", 61: text}))
		if err != nil || !r.WrongPIN || r.PINTries != want {
			t.Errorf("%q: %d tries, %v; want %d", text, r.PINTries, err, want)
		}
	}
	if r, err := d.Response(answer(t, d, "answer-0210", map[int]string{61: "PT012"})); err != nil || r.WrongPIN {
		t.Errorf("an approval with PIN tries: %+v, %v", r, err)
	}
}

// TestHostSaw: only a sign-on's answer says which key serial numbers the host has taken, and only whole ones count.
func TestHostSaw(t *testing.T) {
	d := secured(t, nil)
	const both = "PS20FFFF9876543210E00007MS20FFFF9876543211000009"
	r, err := d.Response(answer(t, d, "answer-0810", map[int]string{61: both}))
	if err != nil || !bytes.Equal(r.SeenPIN, unhex(t, "FFFF9876543210E00007")) || !bytes.Equal(r.SeenMAC, unhex(t, "FFFF9876543211000009")) {
		t.Errorf("%X, %X, %v", r.SeenPIN, r.SeenMAC, err)
	}
	for _, text := range []string{"", "PS04FFFF", "PS20FFFF9876543210E0000", "MS20zzzz9876543211000009"} {
		if r, err := d.Response(answer(t, d, "answer-0810", map[int]string{61: text})); err != nil || r.SeenPIN != nil || r.SeenMAC != nil {
			t.Errorf("%q: %X, %X, %v", text, r.SeenPIN, r.SeenMAC, err)
		}
	}
	if r, err := d.Response(answer(t, d, "answer-0210", map[int]string{61: both})); err != nil || r.SeenPIN != nil || r.SeenMAC != nil {
		t.Errorf("a sale's answer: %X, %X, %v", r.SeenPIN, r.SeenMAC, err)
	}
}

func TestShortMAC(t *testing.T) {
	d := secured(t, func(s *nac.Settings) { s.MACBytes = 4 })
	request, _, err := d.Request(saleRequest(t))
	if err != nil {
		t.Fatal(err)
	}
	out, err := d.WithMAC(request, unhex(t, "FFFF9876543211E00007"), retail(t))
	if err != nil {
		t.Fatal(err)
	}
	want, err := retail(t)(out[5 : len(out)-8])
	if tail := out[len(out)-8:]; err != nil || !bytes.Equal(tail, append(slices.Clone(want[:4]), 0, 0, 0, 0)) {
		t.Errorf("DE 64 is %X, want the first four of %X and zeros (%v)", tail, want, err)
	}
	good := answer(t, d, "answer-0210", map[int]string{64: "\x01\x02\x03\x04\x00\x00\x00\x00"})
	if a, err := d.AnswerMAC(good); err != nil || !bytes.Equal(a.MAC, []byte{1, 2, 3, 4}) {
		t.Errorf("%X, %v", a.MAC, err)
	}
	good[len(good)-1] = 1
	if _, err := d.AnswerMAC(good); !errors.Is(err, nac.ErrAnswer) {
		t.Errorf("something behind a short MAC: %v", err)
	}
}

// TestWhatIsMACed: everything but network management; sign-on where the settings say so; nothing where they say off.
func TestWhatIsMACed(t *testing.T) {
	for _, c := range []struct {
		change func(*nac.Settings)
		want   map[string]bool
	}{
		{nil, map[string]bool{"sale-0200": true, "reversal-0400": true, "reversal-0401": true, "preauth-0100": true, "advice-offline-0221": true, "upload-0320": true, "totals-0500": true, "signon-0800": false}},
		{func(s *nac.Settings) { s.MACSignOn = true }, map[string]bool{"sale-0200": true, "signon-0800": true}},
		{func(s *nac.Settings) { s.MAC = "off" }, map[string]bool{"sale-0200": false, "reversal-0400": false}},
	} {
		d := secured(t, c.change)
		for name, want := range c.want {
			if got := d.MACed(wire(t, golden(t, name))); got != want {
				t.Errorf("%s: %t, want %t", name, got, want)
			}
		}
		if d.MACed(nil) || d.MACed([]byte{0x60, 0, 3, 0, 0, 2}) {
			t.Error("a stump wants a MAC")
		}
	}
}

// TestPINRefused: a PIN block goes where a PIN verified the cardholder, whole and in a format for hosts, or nothing goes.
func TestPINRefused(t *testing.T) {
	for name, change := range map[string]func(*nac.Settings, *terminal.Request){
		"verified, no block":          func(_ *nac.Settings, r *terminal.Request) { r.PIN = terminal.PINBlock{} },
		"block, not verified":         func(_ *nac.Settings, r *terminal.Request) { r.Method = emv.NoCVM },
		"format 1":                    func(_ *nac.Settings, r *terminal.Request) { r.PIN.Layout = 1 },
		"format 2":                    func(_ *nac.Settings, r *terminal.Request) { r.PIN.Layout = 2 },
		"format 4 in eight bytes":     func(_ *nac.Settings, r *terminal.Request) { r.PIN.Layout = 4 },
		"format 0 in sixteen bytes":   func(s *nac.Settings, r *terminal.Request) { s.PINBytes = 16 },
		"a block cut short":           func(_ *nac.Settings, r *terminal.Request) { r.PIN.Block = r.PIN.Block[:7] },
		"no field for the key number": func(s *nac.Settings, _ *terminal.Request) { s.SecurityField = -1 },
		"a key number cut short":      func(_ *nac.Settings, r *terminal.Request) { r.PIN.KSN = r.PIN.KSN[:8] },
	} {
		req := pinRequest(t)
		d := secured(t, func(s *nac.Settings) { change(s, &req) })
		if _, _, err := d.Request(req); !errors.Is(err, nac.ErrRequest) {
			t.Errorf("%s: %v", name, err)
		}
	}
	req := pinRequest(t)
	req.PIN = terminal.PINBlock{Block: make([]byte, 16), KSN: make([]byte, 12), Layout: 4}
	aes := secured(t, func(s *nac.Settings) { s.PINBytes = 16 })
	request, _, err := aes.Request(req)
	if err != nil {
		t.Fatal(err)
	}
	if m, err := aes.Codec().Unpack(request); err != nil || !m.Has(52) {
		t.Errorf("format 4: %v", err)
	}
	req.PIN.KSN = nil // a session key has none
	session := secured(t, func(s *nac.Settings) { s.PINBytes, s.SecurityField = 16, -1 })
	if _, _, err := session.Request(req); err != nil {
		t.Errorf("under a session key: %v", err)
	}
}

func TestSecuritySettingsRefused(t *testing.T) {
	for name, change := range map[string]func(*nac.Settings){
		"mac":                   func(s *nac.Settings) { s.MAC = "alg1" },
		"six bytes of MAC":      func(s *nac.Settings) { s.MACBytes = 6 },
		"sign-on without a MAC": func(s *nac.Settings) { s.MACSignOn = true },
		"field 62":              func(s *nac.Settings) { s.SecurityField = 62 },
		"one field for both":    func(s *nac.Settings) { s.SecurityField, s.TextField = 48, 48 },
		"twelve bytes of PIN":   func(s *nac.Settings) { s.PINBytes = 12 },
		"entry mode":            func(s *nac.Settings) { s.PINEntry = "5" },
	} {
		s := nac.Defaults()
		change(&s)
		if _, err := nac.New(s); !errors.Is(err, nac.ErrSettings) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestNoMACNoMessage: what the module cannot authenticate does not come out at all.
func TestNoMACNoMessage(t *testing.T) {
	d, gone := secured(t, nil), errors.New("module gone")
	request, _, err := d.Request(saleRequest(t))
	if err != nil {
		t.Fatal(err)
	}
	out, err := d.WithMAC(request, nil, func([]byte) ([]byte, error) { return nil, gone })
	if out != nil || !errors.Is(err, gone) {
		t.Errorf("%d bytes, %v", len(out), err)
	}
	if out, err = d.WithMAC(request, nil, func([]byte) ([]byte, error) { return []byte{1, 2, 3}, nil }); out != nil || !errors.Is(err, nac.ErrRequest) {
		t.Errorf("short MAC: %d bytes, %v", len(out), err)
	}
}

// FuzzAnswerMAC: what a MAC is over and the MAC together are the frame behind its TPDU, and nothing is left out.
func FuzzAnswerMAC(f *testing.F) {
	for _, name := range []string{"answer-mac-0210", "answer-0210", "answer-wrong-pin-0210"} {
		f.Add(wire(f, golden(f, name)))
	}
	d := secured(f, nil)
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := d.AnswerMAC(b)
		if err != nil || len(a.MAC) == 0 {
			return
		}
		if !bytes.Equal(append(slices.Clone(a.Data), a.MAC...), b[5:]) {
			t.Fatalf("%d bytes under a MAC of %d, the frame has %d", len(a.Data), len(a.MAC), len(b))
		}
	})
}
