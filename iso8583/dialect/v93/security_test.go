package v93_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"tillway/device/secure/x9"
	"tillway/emv"
	v93 "tillway/iso8583/dialect/v93"
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

func secured(t testing.TB, change func(*v93.Settings)) *v93.Dialect {
	t.Helper()
	return dialect(t, func(s *v93.Settings) {
		s.MAC = "alg3"
		words(s)
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

// TestSecuredMessages: byte for byte the golden messages, whose MACs were made by other means: in DE 64, in DE 128 behind the
// totals, and four bytes with F behind in characters.
func TestSecuredMessages(t *testing.T) {
	d, text := secured(t, nil), dialect(t, characters)
	request, reversal, err := d.Request(pinRequest(t))
	totals, terr := d.Totals(batch(t))
	_, inCharacters, cerr := text.Request(saleRequest(t))
	if err := errors.Join(err, terr, cerr); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		d           *v93.Dialect
		golden, ksn string
		message     []byte
	}{
		{d, "sale-pin-mac-1200", "FFFF9876543211E00007", request},
		{d, "reversal-mac-1420", "FFFF9876543211E00008", reversal},
		{d, "reconciliation-mac-1520", "FFFF9876543211E00009", totals},
		{text, "reversal-ascii-1420", "FFFF9876543211E00007", inCharacters},
	} {
		if !c.d.MACed(c.message) {
			t.Errorf("%s: wants no MAC", c.golden)
		}
		out, err := c.d.WithMAC(c.message, unhex(t, c.ksn), retail(t))
		if err != nil {
			t.Fatal(err)
		}
		sameBytes(t, c.golden, out)
		if _, err := c.d.WithMAC(out, unhex(t, c.ksn), retail(t)); !errors.Is(err, v93.ErrRequest) {
			t.Errorf("%s: a second MAC: %v", c.golden, err)
		}
	}
	if bytes.Contains(reversal, unhex(t, "1B9C1845EB993A7A")) || bytes.Contains(reversal, unhex(t, "FFFF9876543210E00001")) {
		t.Error("the reversal carries the PIN block or its key's number")
	}
}

// TestAlwaysField128: the same MAC rule where the acquirer has it in DE 128 whatever else is there.
func TestAlwaysField128(t *testing.T) {
	d := secured(t, func(s *v93.Settings) { s.MACField = 128 })
	request, _, err := d.Request(saleRequest(t))
	if err != nil {
		t.Fatal(err)
	}
	out, err := d.WithMAC(request, nil, retail(t))
	if err != nil {
		t.Fatal(err)
	}
	m, err := d.Codec().Unpack(out)
	want, merr := retail(t)(out[:len(out)-8])
	if got, _ := m.Bytes(128); err != nil || merr != nil || m.Has(64) || !bytes.Equal(got, want) {
		t.Errorf("DE 128 is %X, want %X (%v, %v)", got, want, err, merr)
	}
}

// TestAnswerMAC: every byte that is flipped between message type and MAC makes another answer or another MAC.
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
	for _, name := range []string{"answer-mac-1210", "answer-wrong-pin-1210", "reconciliation-mac-1520"} {
		good := wire(t, golden(t, name))
		if !verified(good) {
			t.Fatalf("%s does not verify", name)
		}
		for i := range good {
			for bit := range 8 {
				bad := slices.Clone(good)
				bad[i] ^= 1 << bit
				if verified(bad) {
					t.Errorf("%s: byte %d, bit %d flipped: verified", name, i, bit)
				}
			}
		}
	}
	plain, err := d.AnswerMAC(wire(t, golden(t, "answer-1210")))
	if err != nil || len(plain.MAC) > 0 || plain.Stray.MTI != "1210" || plain.Stray.STAN != "000123" || plain.Stray.Code != "000" {
		t.Errorf("an answer without MAC: %+v, %v", plain, err)
	}
	for name, change := range map[string]map[int]string{
		"something behind DE 64": {64: "12345678", 124: "x"}, "two MACs": {64: "12345678", 128: "12345678"},
	} {
		if a, err := d.AnswerMAC(answer(t, d, "answer-1210", change)); !errors.Is(err, v93.ErrAnswer) || a.MAC != nil {
			t.Errorf("%s: %X, %v", name, a.MAC, err)
		}
	}
	short := secured(t, func(s *v93.Settings) { s.MACBytes, s.MACFiller = 4, "F" })
	for text, ok := range map[string]bool{"\x01\x02\x03\x04\xFF\xFF\xFF\xFF": true, "\x01\x02\x03\x04\x00\x00\x00\x00": false, "\x01\x02\x03\x04\xFF\xFF\xFF\xFE": false} {
		if a, err := short.AnswerMAC(answer(t, d, "answer-1210", map[int]string{64: text})); (err == nil) != ok || (ok && !bytes.Equal(a.MAC, []byte{1, 2, 3, 4})) {
			t.Errorf("short MAC %X: %X, %v", text, a.MAC, err)
		}
	}
}

func TestWrongPIN(t *testing.T) {
	d := secured(t, nil)
	r, err := d.Response(wire(t, golden(t, "answer-wrong-pin-1210")))
	if err != nil || !r.WrongPIN || r.PINTries != 2 || !strings.Contains(r.Advice.Happened, "2 tries are left") || r.Verdict != terminal.VerdictDeclined || r.Text != "INCORRECT PIN" {
		t.Errorf("%+v, %v", r, err)
	}
	for text, want := range map[string]int{
		"": -1, "\x03\x01\x00": 0, "\x03\x01\x01": 1, "\x03\x01": -1, "\x03": -1, "\x03\x02\x00\x01": -1, "\x99\x01x\x03\x01\x03": 3,
		"\x99\x7f\x03\x01\x03": -1, "\x03\x01\xff": -1,
	} {
		r, err := d.Response(answer(t, d, "answer-1210", map[int]string{39: "117", 53: text}))
		if err != nil || !r.WrongPIN || r.PINTries != want {
			t.Errorf("%X: %d tries, %v; want %d", text, r.PINTries, err, want)
		}
	}
	if r, err := d.Response(answer(t, d, "answer-1210", map[int]string{53: "\x03\x01\x02"})); err != nil || r.WrongPIN {
		t.Errorf("an approval with PIN tries: %+v, %v", r, err)
	}
}

// TestHostSaw: only a sign-on's answer says which key serial numbers the host has taken, and only whole ones count.
func TestHostSaw(t *testing.T) {
	d := secured(t, nil)
	r, err := d.Response(wire(t, golden(t, "answer-1814")))
	if err != nil || !bytes.Equal(r.SeenPIN, unhex(t, "FFFF9876543210E00001")) || !bytes.Equal(r.SeenMAC, unhex(t, "FFFF9876543211E00007")) {
		t.Errorf("%X, %X, %v", r.SeenPIN, r.SeenMAC, err)
	}
	both := string(unhex(t, "110AFFFF9876543210E00001120AFFFF9876543211E00007"))
	for _, text := range []string{"", "\x11\x02\xff\xff", both[:11]} {
		if r, err := d.Response(answer(t, d, "answer-1814", map[int]string{53: text})); err != nil || r.SeenPIN != nil || r.SeenMAC != nil {
			t.Errorf("%X: %X, %X, %v", text, r.SeenPIN, r.SeenMAC, err)
		}
	}
	if r, err := d.Response(answer(t, d, "answer-1210", map[int]string{53: both})); err != nil || r.SeenPIN != nil || r.SeenMAC != nil {
		t.Errorf("a sale's answer: %X, %X, %v", r.SeenPIN, r.SeenMAC, err)
	}
}

// TestWhatIsMACed: all that moves money or counts it, and its repeats; sign-on where the settings say so; nothing where they say off.
func TestWhatIsMACed(t *testing.T) {
	for _, c := range []struct {
		change func(*v93.Settings)
		want   map[string]bool
	}{
		{nil, map[string]bool{
			"sale-1200": true, "authorisation-1100": true, "reversal-1420": true, "reversal-1421": true, "advice-1220": true,
			"reconciliation-1520": true, "signon-1804": false,
		}},
		{func(s *v93.Settings) { s.MACSignOn = true }, map[string]bool{"sale-1200": true, "signon-1804": true}},
		{func(s *v93.Settings) { s.MAC = "off" }, map[string]bool{"sale-1200": false, "reversal-1420": false}},
	} {
		d := secured(t, c.change)
		for name, want := range c.want {
			if got := d.MACed(wire(t, golden(t, name))); got != want {
				t.Errorf("%s: %t, want %t", name, got, want)
			}
		}
		if d.MACed(nil) || d.MACed([]byte{0x12}) {
			t.Error("a stump wants a MAC")
		}
	}
	if d := dialect(t, characters); !d.MACed(wire(t, golden(t, "sale-ascii-1200"))) || d.MACed([]byte("`\x00\x03\x00\x00120")) {
		t.Error("in characters")
	}
}

// TestPINRefused: a PIN block goes where a PIN verified the cardholder, whole and in a format for hosts, or nothing goes.
func TestPINRefused(t *testing.T) {
	for name, change := range map[string]func(*v93.Settings, *terminal.Request){
		"verified, no block":        func(_ *v93.Settings, r *terminal.Request) { r.PIN = terminal.PINBlock{} },
		"block, not verified":       func(_ *v93.Settings, r *terminal.Request) { r.Method = emv.NoCVM },
		"format 1":                  func(_ *v93.Settings, r *terminal.Request) { r.PIN.Layout = 1 },
		"format 2":                  func(_ *v93.Settings, r *terminal.Request) { r.PIN.Layout = 2 },
		"format 4 in eight bytes":   func(_ *v93.Settings, r *terminal.Request) { r.PIN.Layout = 4 },
		"format 0 in sixteen bytes": func(s *v93.Settings, _ *terminal.Request) { s.PINBytes = 16 },
		"a block cut short":         func(_ *v93.Settings, r *terminal.Request) { r.PIN.Block = r.PIN.Block[:7] },
		"a key number cut short":    func(_ *v93.Settings, r *terminal.Request) { r.PIN.KSN = r.PIN.KSN[:8] },
	} {
		req := pinRequest(t)
		d := secured(t, func(s *v93.Settings) { change(s, &req) })
		if _, _, err := d.Request(req); !errors.Is(err, v93.ErrRequest) {
			t.Errorf("%s: %v", name, err)
		}
	}
	req := pinRequest(t)
	req.PIN = terminal.PINBlock{Block: make([]byte, 16), KSN: make([]byte, 12), Layout: 4}
	aes := secured(t, func(s *v93.Settings) { s.PINBytes = 16 })
	request, _, err := aes.Request(req)
	if err != nil {
		t.Fatal(err)
	}
	out, err := aes.WithMAC(request, make([]byte, 12), retail(t))
	if m, uerr := aes.Codec().Unpack(out); err != nil || uerr != nil || len(get(t, m, 52)) != 16 || len(get(t, m, 53)) != 28 {
		t.Errorf("format 4 and two serial numbers of AES: %v, %v", err, uerr)
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
	if out, err = d.WithMAC(request, nil, func([]byte) ([]byte, error) { return []byte{1, 2, 3}, nil }); out != nil || !errors.Is(err, v93.ErrRequest) {
		t.Errorf("short MAC: %d bytes, %v", len(out), err)
	}
}

// FuzzAnswerMAC: what a MAC is over and the MAC together are the whole frame, and nothing is left out.
func FuzzAnswerMAC(f *testing.F) {
	for _, name := range []string{"answer-mac-1210", "answer-1210", "reconciliation-mac-1520"} {
		f.Add(wire(f, golden(f, name)))
	}
	d := secured(f, nil)
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := d.AnswerMAC(b)
		if err != nil || len(a.MAC) == 0 {
			return
		}
		if !bytes.Equal(append(slices.Clone(a.Data), a.MAC...), b) {
			t.Fatalf("%d bytes under a MAC of %d, the frame has %d", len(a.Data), len(a.MAC), len(b))
		}
	})
}
