package iso7816

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// Answers to reset that others published. Sources: EMV Contact Interface Specification 8.2 (basic answers) and the tests
// of openemv/emv-utils (all but the last two); LudovicRousseau/CCID issue 27 (CardOS); a Visa card of ISO/IEC 7816-3
// without TB1, as in many lists.
func TestPublishedATRs(t *testing.T) {
	for _, c := range []struct {
		name, atr            string
		protocol             byte
		speed, wi, bwi, cwi  byte
		ifsc, historical     int
		cold, warm, checkByt bool
	}{
		{"basic T=0", "3B600000", 0, 0x11, 10, 4, 13, 32, 0, true, true, false},
		{"basic T=1", "3BE000FF81317C4192", 1, 0x11, 10, 4, 1, 124, 0, true, true, true},
		{"T=0 with all", "3BF41300FFD0000A3F0300DEADBEEFDC", 0, 0x13, 10, 4, 13, 32, 4, true, true, true},
		{"T=1 with all", "3BF41300FF9101717C4100DEADBEEFE6", 1, 0x13, 10, 4, 1, 124, 4, true, true, true},
		{"Java card", "3BDA18FF81B1FE751F030031F573C78A40009000B0", 1, 0x11, 10, 7, 5, 254, 10, false, false, true},
		{"CardOS V4.3B", "3BF2180002C10A31FE58C80874", 1, 0x11, 10, 5, 8, 254, 2, false, false, true},
		{"no interface bytes", "3B021450", 0, 0x11, 10, 4, 13, 32, 2, false, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			wire := unhex(t, c.atr)
			a, err := ParseATR(wire)
			if err != nil {
				t.Fatal(err)
			}
			if a.Protocol() != c.protocol || a.Speed() != c.speed || a.WI() != c.wi || a.BWI() != c.bwi ||
				a.CWI() != c.cwi || a.IFSC() != c.ifsc || len(a.Historical) != c.historical || a.TCK.Present != c.checkByt {
				t.Errorf("T=%d speed %02X WI %d BWI %d CWI %d IFSC %d historical %d TCK %v", a.Protocol(), a.Speed(),
					a.WI(), a.BWI(), a.CWI(), a.IFSC(), len(a.Historical), a.TCK.Present)
			}
			if out := a.Append(nil); !bytes.Equal(out, wire) {
				t.Errorf("made %X", out)
			}
			if err := a.CheckEMV(false); (err == nil) != c.cold {
				t.Errorf("cold: %v", err)
			}
			if err := a.CheckEMV(true); (err == nil) != c.warm {
				t.Errorf("warm: %v", err)
			}
		})
	}
}

// The rules of section 8.3, one changed byte each. at and value change a published answer; TCK is made right again.
func TestCheckEMVRefuses(t *testing.T) {
	const t0, t1 = "3BF41300FFD0000A3F0300DEADBEEFDC", "3BF41300FF9101717C4100DEADBEEFE6"
	for _, c := range []struct {
		name  string
		atr   string
		at    int
		value byte
		want  string // in the error; empty when it is accepted after all
	}{
		{"TA1 14 in specific mode", t0, 2, 0x14, "TA1"},
		{"TA1 12 in specific mode", t0, 2, 0x12, ""},
		{"TA1 23 in specific mode", t1, 2, 0x23, "TA1"},
		{"TB1 not 00", t0, 3, 0x25, "TB1"},
		{"TC1 any", t0, 4, 0x01, ""},
		{"TD1 T=2", t0, 5, 0xD2, "TD1"},
		{"TA2 leaves the speed open", t0, 6, 0x10, "TA2"},
		{"TA2 names T=1", t0, 6, 0x01, "TA2"},
		{"TA2 names T=0 for T=1", t1, 6, 0x00, "TA2"},
		{"TC2 00", t0, 7, 0x00, "TC2"},
		{"TC2 11", t0, 7, 0x0B, "TC2"},
		{"TD2 T=0 again", t0, 8, 0x30, "TD2"},
		{"TD2 T=14 after T=0", t0, 8, 0x3E, ""},
		{"TD2 T=0 after T=1", t1, 7, 0x70, "TD2"},
		{"TA3 0F", t1, 8, 0x0F, "TA3"},
		{"TA3 FF", t1, 8, 0xFF, "TA3"},
		{"TA3 10", t1, 8, 0x10, ""},
		{"TA3 FE", t1, 8, 0xFE, ""},
		{"BWI 5", t1, 9, 0x51, "TB3"},
		{"BWI 4, CWI 5", t1, 9, 0x45, ""},
		{"CWI 6", t1, 9, 0x46, "TB3"},
		{"TC3 CRC", t1, 10, 0x01, "TC3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			wire := unhex(t, c.atr)
			wire[len(wire)-1] ^= wire[c.at] ^ c.value
			wire[c.at] = c.value
			a, err := ParseATR(wire)
			if err != nil {
				t.Fatal(err)
			}
			err = a.CheckEMV(false)
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (!errors.Is(err, ErrNotEMV) || !strings.Contains(err.Error(), c.want)):
				t.Errorf("%v, want one about %s", err, c.want)
			}
		})
	}
}

// 2^CWI must not be below N + 1, where N is TC1 and FF stands for -1 (section 8.3.3.10); TB2 and a missing TB3 are refused.
func TestCheckEMVCombinations(t *testing.T) {
	for _, c := range []struct {
		atr  string
		want bool
	}{
		{"3BE0000081314041", true},  // N 0, CWI 1
		{"3BE0000181314041", true},  // N 1, CWI 1: 2 and 2
		{"3BE0000281314041", false}, // N 2, CWI 1: 2 and 3
		{"3BE000FF81314040", true},  // N -1, CWI 0
		{"3BE000FE81314045", false},
		{"3BE00000811140", false},      // TB3 absent
		{"3BE0000001", false},          // TD2 absent
		{"3BE00000A1003140 41", false}, // TB2 present
	} {
		wire := unhex(t, c.atr)
		a, err := ParseATR(append(wire, LRC(wire[1:])))
		if err != nil {
			t.Errorf("%s: %v", c.atr, err)
			continue
		}
		if err := a.CheckEMV(true); (err == nil) != c.want {
			t.Errorf("%s: %v", c.atr, err)
		}
	}
}

func TestParseATRRefuses(t *testing.T) {
	for name, atr := range map[string]string{
		"empty":                 "",
		"TS alone":              "3B",
		"TS 03":                 "03600000",
		"interface bytes short": "3B6000",
		"historical short":      "3B6200004D",
		"no TCK for T=1":        "3BE000FF81317C41",
		"wrong TCK":             "3BE000FF81317C4193",
		"wrong TCK for T=0":     "3B60000061",
		"two too many":          "3B6000006000",
		"34 bytes":              "3B6F0000" + strings.Repeat("11", 30),
		"TD chain without end":  "3B80" + strings.Repeat("80", 31),
	} {
		if a, err := ParseATR(unhex(t, atr)); !errors.Is(err, ErrATR) {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
	if _, err := ParseATR(unhex(t, "3B60000060")); err != nil {
		t.Errorf("T=0 alone with its TCK: %v", err)
	}
}

// What parses is made again byte for byte, and what the methods tell stays within what the bytes can say.
func FuzzParseATR(f *testing.F) {
	for _, s := range []string{
		"3B600000", "3BE000FF81317C4192", "3BF41300FFD0000A3F0300DEADBEEFDC", "3F021450", "3BF2180002C10A31FE58C80874",
		"3BF41300FFD0000A6103FFDEAD00FCD0", // T=0 first: what it says of T=1 and its CRC is not used
	} {
		f.Add(unhex(f, s))
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		a, err := ParseATR(wire)
		if err != nil {
			return
		}
		if out := a.Append(nil); !bytes.Equal(out, wire) {
			t.Fatalf("%X became %X", wire, out)
		}
		cold, warm := a.CheckEMV(false), a.CheckEMV(true)
		if cold == nil && warm != nil {
			t.Fatalf("%X: accepted cold, refused warm: %v", wire, warm)
		}
		if warm == nil && (a.Protocol() > 1 || a.Speed() < 0x11 || a.Speed() > 0x13 ||
			a.Protocol() == 1 && (a.CRC() || a.IFSC() < 16 || a.IFSC() > MaxINF || a.BWI() > 4 || a.CWI() > 5)) {
			t.Fatalf("%X accepted", wire)
		}
	})
}
