package pinpad

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"tillway/device/emulator"
)

func TestChecksum(t *testing.T) {
	if got := checksum([]byte("123456789")); got != 0x29B1 {
		t.Errorf("%04X", got)
	}
}

// What is scanned writes itself again, and hostile lengths hold nothing up for ever.
func FuzzScan(f *testing.F) {
	f.Add(packet{0x02, 7, []byte("payload")}.encode())
	f.Add(append([]byte{start, 1, 0, 0, 0, 0, 0xFF, 0xFF}, packet{0x01, 0, make([]byte, 17)}.encode()...))
	f.Fuzz(func(t *testing.T, b []byte) {
		for rest := b; ; {
			p, found, left, more := scan(rest)
			if found && !bytes.Contains(rest, p.encode()) {
				t.Error("a packet that was not sent")
			}
			if more && len(left) > 8+mostPayload+2 {
				t.Errorf("%d bytes are held", len(left))
			}
			if !found {
				return
			}
			rest = left
		}
	})
}

// No order has the pad show what it has no text for.
func FuzzOrder(f *testing.F) {
	f.Add([]byte("en\x01\x00\xFF\x04\x0C\x00\x1E\x00\x00\x00\x00\x00\x00\x29\x1D\x03KWD\xFF\x104761739001010119"))
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := parseOrder(b)
		if err == nil && (texts[o.language][o.prompt] == "" || o.least < 4 || o.most > 12 || len(o.modulus) > 255) {
			t.Errorf("%+v", o)
		}
		if err != nil && !errors.Is(err, errOrder) {
			t.Error(err)
		}
	})
}

func TestOrdersRefused(t *testing.T) {
	good := "en\x01\x00\xFF\x04\x0C\x00\x1E\x00\x00\x00\x00\x00\x00\x29\x1D\x03KWD\xFF\x104761739001010119"
	o, err := parseOrder([]byte(good))
	if err != nil || o.amount != "10.525 KWD" || o.pan != "4761739001010119" {
		t.Fatalf("%+v, %v", o, err)
	}
	for at, to := range map[int]byte{0: 'x', 2: 9, 5: 3, 6: 13, 17: 5, 18: 'k', 22: 0x11, 23: 'A'} {
		b := []byte(good)
		b[at] = to
		if o, err := parseOrder(b); err == nil {
			t.Errorf("byte %d as %X is taken: %+v", at, to, o)
		}
	}
	for i := range good {
		if _, err := parseOrder([]byte(good[:i])); err == nil {
			t.Errorf("cut at %d it is taken", i)
		}
	}
}

// The line comes and goes with its link, and only one has it.
func TestLine(t *testing.T) {
	link := filepath.Join(t.TempDir(), "pad")
	p, err := Start(link, Config{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Start(link, Config{}); !errors.Is(err, emulator.ErrLink) {
		t.Errorf("a second one: %v", err)
	}
	for range 20 {
		p.Unplug()
		if _, err := os.Lstat(link); !errors.Is(err, os.ErrNotExist) {
			t.Error(err)
		}
		if err := errors.Join(p.Plug(), p.Plug()); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(p.Close(), p.Close()); err != nil {
		t.Error(err)
	}
	if _, err := Start(filepath.Join(t.TempDir(), "other"), Config{PINKey: make([]byte, 16), KSN: []byte{1}}); err == nil {
		t.Error("a pad with half a serial number starts")
	}
}
