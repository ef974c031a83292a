package ccid

import (
	"bytes"
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

// Messages that others put on the wire: libccid 1.5.2 to us (device/gempc/testdata), and a Gemalto reader to libccid
// (LudovicRousseau/PCSC, issue 71).
func TestMessagesOfOthers(t *testing.T) {
	for _, c := range []struct {
		wire string
		want Message
	}{
		{"6B 03 00 00 00 00 01 00 00 00 01 01 01", Message{Type: Escape, Seq: 1, Data: []byte{1, 1, 1}}},
		{"65 00 00 00 00 00 02 00 00 00", Message{Type: GetSlotStatus, Seq: 2}},
		{"62 00 00 00 00 00 08 01 00 00", Message{Type: PowerOn, Seq: 8, Params: [3]byte{1}}},
		{"63 00 00 00 00 00 0B 00 00 00", Message{Type: PowerOff, Seq: 0x0B}},
		{"61 05 00 00 00 00 16 00 00 00 11 00 00 0A 00", Message{Type: SetParameters, Seq: 0x16, Data: []byte{0x11, 0, 0, 0x0A, 0}}},
		{"6F 05 00 00 00 00 17 00 00 00 00 C1 01 FE 3E", Message{Type: XfrBlock, Seq: 0x17, Data: []byte{0, 0xC1, 1, 0xFE, 0x3E}}},
		{"80 06 00 00 00 00 16 00 00 00 00 00 02 90 00 92", Message{Type: DataBlock, Seq: 0x16, Data: []byte{0, 0, 2, 0x90, 0, 0x92}}},
	} {
		wire := unhex(t, c.wire)
		got, err := Parse(wire)
		if err != nil || got.Type != c.want.Type || got.Slot != 0 || got.Seq != c.want.Seq ||
			got.Params != c.want.Params || !bytes.Equal(got.Data, c.want.Data) {
			t.Errorf("%X: %+v, %v", wire, got, err)
		}
		if out := Append(nil, c.want); !bytes.Equal(out, wire) {
			t.Errorf("made %X, want %X", out, wire)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for name, wire := range map[string]string{
		"empty":            "",
		"nine bytes":       "650000000000020000",
		"length too big":   "80 07 00 00 00 00 16 00 00 00 00 00 02 90 00 92",
		"length too small": "80 05 00 00 00 00 16 00 00 00 00 00 02 90 00 92",
		"length huge":      "80 06 00 00 80 00 16 00 00 00 00 00 02 90 00 92",
		"272 bytes":        "80 06 01 00 00 00 16 00 00 00" + strings.Repeat("00", 262),
	} {
		if m, err := Parse(unhex(t, wire)); !errors.Is(err, ErrMessage) {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
	if _, err := Parse(unhex(t, "80 05 01 00 00 00 16 00 00 00"+strings.Repeat("00", 261))); err != nil {
		t.Errorf("271 bytes: %v", err)
	}
}

// Status bytes as readers send them: CCID 1.1, 6.2.6, and libccid's reading of them.
func TestStatus(t *testing.T) {
	for _, c := range []struct {
		params [3]byte
		want   Status
	}{
		{[3]byte{0x00}, Status{Active, Done, 0}},
		{[3]byte{0x01}, Status{Inactive, Done, 0}},
		{[3]byte{0x02}, Status{NoICC, Done, 0}},
		{[3]byte{0x41, 0xFE}, Status{Inactive, Failed, ICCMute}},
		{[3]byte{0x42, 0xFE}, Status{NoICC, Failed, ICCMute}},
		{[3]byte{0x80, 0x05}, Status{Active, TimeExtension, 5}},
	} {
		if got := (Message{Params: c.params}).Status(); got != c.want {
			t.Errorf("% X: %+v", c.params, got)
		}
		if out := c.want.Params(0); out != c.params {
			t.Errorf("%+v: % X", c.want, out)
		}
	}
}

// What parses is made again byte for byte.
func FuzzParse(f *testing.F) {
	f.Add(unhex(f, "80 06 00 00 00 00 16 00 00 00 00 00 02 90 00 92"))
	f.Add(unhex(f, "65 00 00 00 00 00 02 00 00 00"))
	f.Fuzz(func(t *testing.T, wire []byte) {
		m, err := Parse(wire)
		if err != nil {
			return
		}
		if out := Append(nil, m); !bytes.Equal(out, wire) {
			t.Fatalf("%X became %X", wire, out)
		}
		if p := m.Status().Params(m.Params[2]); p[0]|0x3C != m.Params[0]|0x3C || p[1] != m.Params[1] {
			t.Fatalf("% X became % X", m.Params, p)
		}
	})
}
