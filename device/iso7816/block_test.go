package iso7816

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
)

// unhex reads hexadecimal digits; blanks are free.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Blocks that others put on the wire: libccid 1.5.2 (gempc/testdata), and a card behind a Gemalto reader
// (LudovicRousseau/PCSC, issue 71).
func TestBlocksOfOthers(t *testing.T) {
	for _, c := range []struct {
		wire string
		want Block
		kind Kind
	}{
		{"00C101FE3E", S(PCBIFSRequest, 254), IFSRequest},
		{"00E101FE1E", S(PCBIFSResponse, 254), IFSResponse},
		{"0000029000 92", I(0, false, []byte{0x90, 0x00}), Information},
		{"00000C00A40400076276 01FF00000041", I(0, false, []byte{0, 0xA4, 4, 0, 7, 0x62, 0x76, 1, 0xFF, 0, 0, 0}), Information},
		{"00400B00A4040006A000000001014D", I(1, false, []byte{0, 0xA4, 4, 0, 6, 0xA0, 0, 0, 0, 1, 1}), Information},
	} {
		wire := unhex(t, c.wire)
		got, err := ParseBlock(wire)
		if err != nil {
			t.Errorf("%X: %v", wire, err)
			continue
		}
		if got.NAD != 0 || got.PCB != c.want.PCB || !bytes.Equal(got.INF, c.want.INF) || got.Kind() != c.kind {
			t.Errorf("%X: %+v, kind %d", wire, got, got.Kind())
		}
		if out := c.want.Append(nil); !bytes.Equal(out, wire) {
			t.Errorf("made %X, want %X", out, wire)
		}
	}
}

func TestParseBlockRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		wire string
		want error
	}{
		"empty":        {"", ErrBlock},
		"three bytes":  {"000000", ErrBlock},
		"wrong LRC":    {"00C101FE3F", ErrLRC},
		"LEN too big":  {"00C102FE3D", ErrBlock},
		"LEN too low":  {"00C10000C1FE", ErrBlock},
		"LEN 255":      {"0000FF" + strings.Repeat("00", 255) + "FF", ErrBlock},
		"trailing one": {"00C101FE3E00", ErrBlock},
	} {
		if _, err := ParseBlock(unhex(t, c.wire)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// Every PCB has one meaning or none (ISO/IEC 7816-3, 11.3.2.2), and a wrong length takes it away.
func TestKinds(t *testing.T) {
	kinds := map[Kind]int{}
	for pcb := range 256 {
		var allowed []int
		for n := range 3 {
			b := Block{PCB: byte(pcb), INF: make([]byte, n)}
			if k := b.Kind(); k != Unknown {
				kinds[k]++
				allowed = append(allowed, n)
			}
		}
		if information := pcb&0x80 == 0; information != (len(allowed) == 3) && len(allowed) > 1 {
			t.Errorf("PCB %02X takes lengths %v", pcb, allowed)
		}
	}
	want := map[Kind]int{
		Information: 4 * 3, Receipt: 6, ResynchRequest: 1, ResynchResponse: 1, IFSRequest: 1,
		IFSResponse: 1, AbortRequest: 1, AbortResponse: 1, WTXRequest: 1, WTXResponse: 1,
	}
	if len(kinds) != len(want) {
		t.Fatalf("%v", kinds)
	}
	for k, n := range want {
		if kinds[k] != n {
			t.Errorf("kind %d: %d blocks, want %d", k, kinds[k], n)
		}
	}
}

func TestAppendPanicsOnLongINF(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a block of 255 bytes was made")
		}
	}()
	I(0, false, make([]byte, MaxINF+1)).Append(nil)
}

// What parses is made again byte for byte; one changed byte is always noticed.
func FuzzParseBlock(f *testing.F) {
	f.Add([]byte{0, 0xC1, 1, 0xFE, 0x3E}, uint16(0), byte(1))
	f.Add([]byte{0, 0, 2, 0x90, 0, 0x92}, uint16(3), byte(0x80))
	f.Fuzz(func(t *testing.T, wire []byte, at uint16, flip byte) {
		b, err := ParseBlock(wire)
		if err != nil {
			return
		}
		if out := b.Append(nil); !bytes.Equal(out, wire) {
			t.Fatalf("%X became %X", wire, out)
		}
		if flip == 0 {
			return
		}
		wrong := bytes.Clone(wire)
		wrong[int(at)%len(wrong)] ^= flip
		if _, err := ParseBlock(wrong); err == nil {
			t.Fatalf("%X taken for %X", wrong, wire)
		}
	})
}
