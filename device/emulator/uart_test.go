package emulator

import (
	"bytes"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"tillway/device/serial"
)

// At one speed a receiver hears what was sent; at twice the speed each bit of a capital U (01010101) is two, which begins with 66; at a
// quarter of the speed characters melt together.
func TestResampled(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a test's bytes
	sent := make([]byte, 200)
	for i := range sent {
		sent[i] = byte(random.Uint32())
	}
	for _, baud := range []int{1200, 9600, 38400, 115200} {
		if got := resampled(sent, baud, baud); !bytes.Equal(got, sent) {
			t.Errorf("at %d baud %x arrived as %x", baud, sent, got)
		}
	}
	if got := resampled([]byte("U"), 9600, 19200); len(got) < 2 || got[0] != 0x66 {
		t.Errorf("U at twice its speed is %x", got)
	}
	if got := resampled(sent, 38400, 9600); len(got) >= len(sent) || bytes.Equal(got, sent[:len(got)]) {
		t.Errorf("%d bytes arrived as %d at a quarter of the speed", len(sent), len(got))
	}
}

// A line whose ends have different speeds carries noise, and the right bytes once they agree.
func TestLineAtBaud(t *testing.T) {
	link := filepath.Join(t.TempDir(), "line")
	l, err := OpenSerialLine(link)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	l.AtBaud(9600)
	for baud, right := range map[int]bool{9600: true, 38400: false, 115200: false} {
		p, err := serial.Open(link, serial.Mode{Baud: baud, StopBits: 1})
		if err != nil {
			t.Fatal(err)
		}
		text := []byte("tillway")
		if _, err := l.Write(text); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 64)
		n, err := p.Read(t.Context(), got)
		if err != nil || slices.Equal(got[:n], text) != right {
			t.Errorf("at %d baud: %q, %v", baud, got[:n], err)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}
