package usb

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestParseID(t *testing.T) {
	id, err := ParseID("08E6:3437")
	if err != nil || id != (ID{0x08E6, 0x3437}) || id.String() != "08e6:3437" {
		t.Errorf("%v, %v", id, err)
	}
	for _, bad := range []string{"", "08e6", "08e6:", "8e6:3437", "08e6:34370", "08e6:343g", "+8e6:3437", "08e6:3437:1"} {
		if id, err := ParseID(bad); err == nil {
			t.Errorf("%q: %v", bad, id)
		}
	}
}

const twoInterfaces = "09 02 20 00 02 01 00 A0 32" + "09 04 00 00 01 0B 00 00 00" + "07 05 81 03 08 00 18" + "07 24 01 02 03 04 05"

func TestParseConfiguration(t *testing.T) {
	b := unhex(t, twoInterfaces)
	settings, err := ParseConfiguration(b)
	if err != nil || len(settings) != 1 {
		t.Fatalf("%+v, %v", settings, err)
	}
	s := settings[0]
	if s.Class != 0x0B || len(s.Endpoints) != 1 || s.Endpoints[0] != (Endpoint{0x81, Interrupt, 8, 0x18}) || len(s.Extra) != 1 || len(s.Extra[0]) != 7 {
		t.Errorf("%+v", s)
	}
	for name, change := range map[string]func([]byte) []byte{
		"cut short":                func(b []byte) []byte { return b[:len(b)-1] },
		"empty":                    func([]byte) []byte { return nil },
		"another type":             func(b []byte) []byte { b[1] = 1; return b },
		"total length too big":     func(b []byte) []byte { b[3] = 0xFF; return b },
		"length 0, for ever":       func(b []byte) []byte { b[9] = 0; return b },
		"length 1":                 func(b []byte) []byte { b[9] = 1; return b },
		"length past the end":      func(b []byte) []byte { b[25] = 8; return b },
		"interface of 8 bytes":     func(b []byte) []byte { b[9] = 8; return b },
		"endpoint without packets": func(b []byte) []byte { b[22], b[23] = 0, 0; return b },
		"endpoint 0":               func(b []byte) []byte { b[20] = 0x80; return b },
	} {
		if settings, err := ParseConfiguration(change(unhex(t, twoInterfaces))); !errors.Is(err, ErrDescriptor) {
			t.Errorf("%s: %+v, %v", name, settings, err)
		}
	}
}

// What is taken lies inside the descriptor and inside the limits.
func FuzzParseConfiguration(f *testing.F) {
	f.Add(unhex(f, twoInterfaces))
	f.Fuzz(func(t *testing.T, b []byte) {
		settings, err := ParseConfiguration(b)
		if err != nil {
			if !errors.Is(err, ErrDescriptor) {
				t.Fatal(err)
			}
			return
		}
		kept := 9
		for _, s := range settings {
			kept += 9 + 7*len(s.Endpoints)
			for _, x := range s.Extra {
				kept += len(x)
				if len(x) < 2 || int(x[0]) != len(x) {
					t.Fatalf("extra %X", x)
				}
			}
		}
		if kept > len(b) {
			t.Fatalf("%d bytes kept of %d", kept, len(b))
		}
	})
}
