package stripehid

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"tillway/device"
	"tillway/device/secure/x9"
)

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// magneSafeExample is the HID report of MagTek's manual (99875475, Appendix D, Security Level 3): its fields, put where the manual's
// table says.
func magneSafeExample(t testing.TB) []byte {
	t.Helper()
	r := make([]byte, 856)
	put := func(at int, text string) { copy(r[at:], unhex(t, text)) }
	put(3, "4028")
	put(7, "C25C1D1197D31CAA87285D59A892047426D9182EC11353C051ADD6D0F072A6CB3436560B3071FC1FD11D9F7E74886742D9BEE0CFD1EA1064C213BB55278B2F12")
	put(119, "724C5DB7D6F901C7F0FEAE7908801093B3DBFE51CCF6D483E789D7D2C007D539499BAADCC8D16CA2")
	put(493, "0006FFFF9876543210E00008")
	put(505, "3C25")
	copy(r[508:], "%B5452000000007189^HOGAN/PAUL      ^08040000000000000000000?")
	copy(r[620:], ";5452000000007189=080400000000000000?")
	put(852, "3C25")
	return r
}

// decipher is what the secure module does, with the base derivation key of the manuals.
func decipher(t testing.TB, e Enciphered) [][]byte {
	t.Helper()
	bdk := unhex(t, "0123456789ABCDEFFEDCBA9876543210")
	ksn := x9.KSN(e.KSN)
	ik, err := x9.TDESInitialKey(bdk, ksn)
	if err != nil {
		t.Fatal(err)
	}
	txn, err := x9.TDESTransactionKey(ik, ksn)
	if err != nil {
		t.Fatal(err)
	}
	use := x9.TDESDataRequest
	if e.PINKey {
		use = x9.TDESPIN
	}
	key, err := x9.TDESWorkingKey(txn, use)
	if err != nil {
		t.Fatal(err)
	}
	var out [][]byte
	for _, b := range e.Blocks {
		text, err := x9.DecryptCBC(key, make([]byte, 8), b)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, text)
	}
	return out
}

func TestPublishedReports(t *testing.T) {
	original, err := os.ReadFile("testdata/ms246-original.hex")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		parse  func([]byte) (pass, error)
		report []byte
		pan    string
		two    string
	}{
		{"MagTek MagneSafe V5", parseMagTek, magneSafeExample(t), "5452300551227189", ";5452300551227189=080432100000007250?"},
		{"ID TECH, original format", parseIDTech, unhex(t, string(original)), "4266841088889999", ";4266841088889999=080910110000046?"},
		{"the same in a longer report", parseIDTech, append(unhex(t, string(original)), make([]byte, 122)...), "4266841088889999", ";4266841088889999=080910110000046?"},
	} {
		p, err := c.parse(c.report)
		if err != nil || p.enciphered == nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		s, err := p.open(decipher(t, *p.enciphered))
		if err != nil || s.Two.PAN() != c.pan || s.Two.Clear() != c.two || s.One.IsZero() {
			t.Errorf("%s: %v", c.name, err)
		}
		p.enciphered.KSN[9] ^= 2
		if _, err := p.open(decipher(t, *p.enciphered)); !errors.Is(err, ErrKey) {
			t.Errorf("%s, another key: %v", c.name, err)
		}
	}
}

// MagTek's manual, Security Level 2: the same report, with nothing enciphered.
func TestClearReports(t *testing.T) {
	level2 := magneSafeExample(t)
	one, two := "%B5452300551227189^HOGAN/PAUL      ^08043210000000725000000?", ";5452300551227189=080432100000007250?"
	clear(level2[7:343])
	level2[494] = 2
	level2[3], level2[4] = byte(len(one)), byte(len(two))
	copy(level2[7:], one)
	copy(level2[119:], two)
	short := make([]byte, 337)
	short[3], short[4] = byte(len(one)), byte(len(two))
	copy(short[7:], one)
	copy(short[117:], two)
	own := make([]byte, 509)
	own[7] = byte(copy(own[9:], one+"\r"+two))
	swapped := bytes.Clone(own)
	swapped[7], swapped[8] = 0, own[7]
	for name, c := range map[string]struct {
		parse  func([]byte) (pass, error)
		report []byte
	}{
		"MagneSafe, level 2": {parseMagTek, level2}, "MagTek, clear": {parseMagTek, short}, "ID TECH as MagTek": {parseIDTech, short},
		"ID TECH": {parseIDTech, own}, "ID TECH, length the other way round": {parseIDTech, swapped},
	} {
		p, err := c.parse(c.report)
		if err != nil || p.enciphered != nil || !strings.Contains(p.clear, two) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReportsRefused(t *testing.T) {
	original, err := os.ReadFile("testdata/ms246-original.hex")
	if err != nil {
		t.Fatal(err)
	}
	frame := unhex(t, string(original))
	change := func(b []byte, at int, to byte) []byte {
		c := bytes.Clone(b)
		c[at] = to
		return c
	}
	safe := magneSafeExample(t)
	short := make([]byte, 337)
	for name, c := range map[string]struct {
		parse  func([]byte) (pass, error)
		report []byte
		want   error
	}{
		"nothing":                     {parseMagTek, nil, ErrReport},
		"a keyboard's report":         {parseMagTek, make([]byte, 8), ErrReport},
		"no track":                    {parseMagTek, short, device.ErrMisread},
		"track longer than its field": {parseMagTek, change(short, 4, 111), ErrReport},
		"track 2 not decoded":         {parseMagTek, change(short, 1, 1), device.ErrMisread},
		"MagneSafe, not decoded":      {parseMagTek, change(safe, 1, 1), device.ErrMisread},
		"MagneSafe, no track 2":       {parseMagTek, change(safe, 4, 0), device.ErrMisread},
		"MagneSafe, too long":         {parseMagTek, change(safe, 4, 113), ErrReport},
		"MagneSafe, mask too long":    {parseMagTek, change(safe, 506, 113), ErrReport},
		"MagneSafe, keys exhausted":   {parseMagTek, change(safe, 494, 7), device.ErrProtocol},
		"ID TECH, nothing":            {parseIDTech, nil, ErrReport},
		"ID TECH, too short":          {parseIDTech, make([]byte, 100), ErrReport},
		"ID TECH, empty":              {parseIDTech, make([]byte, 509), device.ErrMisread},
		"frame, a byte changed":       {parseIDTech, change(frame, 100, 0), device.ErrMisread},
		"frame without its end":       {parseIDTech, frame[:len(frame)-1], ErrReport},
		"frame, length changed":       {parseIDTech, change(frame, 1, frame[1]+1), ErrReport},
		"frame alone":                 {parseIDTech, []byte{2, 0, 0}, ErrReport},
		"frame of nothing":            {parseIDTech, []byte{2, 0, 0, 0, 0, 3}, ErrReport},
	} {
		p, err := c.parse(c.report)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if strings.Contains(fmt.Sprint(err), "4266") || p.clear != "" {
			t.Errorf("%s: it shows the card: %v", name, err)
		}
	}
}

func FuzzMagTek(f *testing.F) {
	f.Add(magneSafeExample(f))
	f.Add(make([]byte, 337))
	f.Fuzz(func(t *testing.T, b []byte) { fuzzed(t, b, parseMagTek) })
}

func FuzzIDTech(f *testing.F) {
	if original, err := os.ReadFile("testdata/ms246-original.hex"); err == nil {
		f.Add(unhex(f, string(original)))
	}
	f.Add(make([]byte, 509))
	f.Fuzz(func(t *testing.T, b []byte) { fuzzed(t, b, parseIDTech) })
}

// fuzzed: what is taken is one or the other, and bounded; what is not says nothing of a track.
func fuzzed(t *testing.T, b []byte, parse func([]byte) (pass, error)) {
	t.Helper()
	before := bytes.Clone(b)
	p, err := parse(b)
	if !bytes.Equal(b, before) {
		t.Error("the report was changed")
	}
	switch {
	case err != nil:
		if p.clear != "" || p.enciphered != nil {
			t.Error("an error, and a pass")
		}
	case (p.clear == "") == (p.enciphered == nil):
		t.Error("neither clear nor enciphered, or both")
	case p.enciphered != nil:
		for _, block := range p.enciphered.Blocks {
			if len(block) == 0 || len(block) > 512 {
				t.Errorf("block of %d bytes", len(block))
			}
		}
		if len(p.enciphered.Blocks) == 0 || len(p.enciphered.Blocks) > 2 || fmt.Sprintf("%+v %x", *p.enciphered, *p.enciphered) != strings.Repeat(p.enciphered.String()+" ", 2)[:2*len(p.enciphered.String())+1] {
			t.Error("it shows itself, or has no blocks")
		}
	}
}

// The udev rules name exactly the readers that the driver knows.
func TestUdevRules(t *testing.T) {
	rules, err := os.ReadFile("../../packaging/udev/70-tillway-stripe.rules")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, m := range makers() {
		for _, id := range m.ids {
			n++
			if line := fmt.Sprintf(`KERNEL=="hidraw*", ATTRS{idVendor}=="%04x", ATTRS{idProduct}=="%04x", GROUP="dialout", MODE="0660"`, id.Vendor, id.Product); !strings.Contains(string(rules), line+"\n") {
				t.Errorf("there is no line %s", line)
			}
		}
	}
	if got := strings.Count(string(rules), "\nKERNEL=="); got != n {
		t.Errorf("%d lines for %d readers", got, n)
	}
}
