package pinpad

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"tillway/device"
	"tillway/device/secure"
)

// The check value of CRC-16/IBM-3740, as the catalogues of checksums have it.
func TestCRC(t *testing.T) {
	if got := crc16([]byte("123456789")); got != 0x29B1 {
		t.Errorf("%04X", got)
	}
}

func TestFrames(t *testing.T) {
	var stream []byte
	sent := []frame{{frameHello, 0, []byte("hello")}, {frameCommand, 1, bytes.Repeat([]byte{stx}, 300)}, {frameTest, 2, nil}, {frameCommand | fromPad, 0xFFFFFFFF, make([]byte, maxPayload)}}
	for i, f := range sent {
		stream = append(stream, []string{"", "\x00\xFF", "\x02\x02\x02", "\x02\x82\x00\x00\x00\x01\x7F\xFF"}[i]...)
		var err error
		if stream, err = f.append(stream); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []int{1, 7, 512, len(stream)} {
		var d deframer
		var got []frame
		for at := 0; at < len(stream); at += step {
			got = append(got, d.add(stream[at:min(at+step, len(stream))])...)
		}
		if len(got) != len(sent) {
			t.Fatalf("in steps of %d: %d frames", step, len(got))
		}
		for i, f := range got {
			if f.kind != sent[i].kind || f.sequence != sent[i].sequence || !bytes.Equal(f.payload, sent[i].payload) {
				t.Errorf("in steps of %d: frame %d is another", step, i)
			}
		}
	}
	if _, err := (frame{payload: make([]byte, maxPayload+1)}).append(nil); !errors.Is(err, device.ErrProtocol) {
		t.Error(err)
	}
}

// What is found in any bytes is bounded, and writes itself again as it was read.
func FuzzFrames(f *testing.F) {
	b, err := frame{frameCommand, 7, []byte("payload")}.append([]byte{stx, stx})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		var d deframer
		for _, got := range d.add(b) {
			again, err := got.append(nil)
			if err != nil || !bytes.Contains(b, again) {
				t.Errorf("a frame that was not sent: %v", err)
			}
		}
		if len(d.b) >= maxFrame+1 {
			t.Errorf("%d bytes are held", len(d.b))
		}
	})
}

// No answer of a pad makes more than it says.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte("\x01\x00\x0A\xFF\xFF\x98\x76\x54\x32\x10\xE0\x00\x01\x0812345678"), []byte("\x01\x06nonce-nonce-nonc\x01S\x01F"))
	f.Fuzz(func(t *testing.T, end, greeting []byte) {
		p, err := parseEnd(end, secure.PINRequest{Max: 12})
		if err == nil && (p.Status == 0 || len(p.KSN) > 12 || p.Status == secure.PINBypassed || p.Status != secure.PINEntered && len(p.Block) > 0) {
			t.Errorf("%+v", p)
		}
		if h, err := parseHello(greeting); err == nil && (h.Serial == "" || len(h.Serial) > maxSerial || len(h.Firmware) > maxFirmware) {
			t.Errorf("%+v", h)
		}
	})
}

func TestAmounts(t *testing.T) {
	for text, want := range map[string]amount{
		"KWD 10.525": {10525, 3, "KWD"}, "JPY 500": {500, 0, "JPY"}, "USD 0.01": {1, 2, "USD"}, "KWD 999999999.999": {999999999999, 3, "KWD"},
	} {
		if got, err := parseAmount(text); err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "KWD", "KWD ", "10.525", "kwd 1.000", "KWDD 1", "KWD -1", "KWD 1.00000", "KWD 1,000", "KWD .5", "KWD 1e3", "KWD 1000000000.000", "KWD 1.0.0", "KWD 1 "} {
		if got, err := parseAmount(text); !errors.Is(err, secure.ErrRequest) {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}

// The command has what the protocol's page says, at its place.
func TestEnterCommand(t *testing.T) {
	r := secure.PINRequest{PAN: "4761739001010119", Amount: "KWD 10.525", Language: "ar", Retry: true, Tries: -1, Min: 4, Max: 12, Bypass: true, Timeout: 30 * time.Second}
	b, err := enter(r)
	if want := "\x01ar\x02\x01\xFF\x04\x0C\x00\x1E\x00\x00\x00\x00\x00\x00\x29\x1D\x03KWD\xFF\x104761739001010119"; err != nil || string(b) != want {
		t.Errorf("% X, %v", b, err)
	}
	r.Language, r.Tries, r.Card = "fr", 1, &secure.CardPIN{Modulus: make([]byte, 128), Exponent: []byte{3}, Challenge: [8]byte{1, 2, 3, 4, 5, 6, 7, 8}}
	b, err = enter(r)
	if err != nil || !strings.HasPrefix(string(b), "\x01en\x03\x03\x01") || !strings.HasSuffix(string(b), "\x01\x03\x01\x02\x03\x04\x05\x06\x07\x08") {
		t.Errorf("% X, %v", b, err)
	}
}
