package gempc

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"tillway/device/ccid"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What libccid sends we would send byte for byte, and what it got back we read as echo and answer.
func TestFramesOfLibccid(t *testing.T) {
	file, err := os.Open("testdata/libccid.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var sent []byte
	exchanges := 0
	for lines := bufio.NewScanner(file); lines.Scan(); {
		line := lines.Text()
		switch line[0] {
		case '>':
			sent = unhex(t, line[2:])
			k, n, m := next(sent)
			if k != frame || n != len(sent) {
				t.Fatalf("%s: kind %d, %d bytes", line, k, n)
			}
			if out := appendFrame(nil, m); !bytes.Equal(out, sent) {
				t.Errorf("made %X, want %X", out, sent)
			}
		case '<':
			back := unhex(t, line[2:])
			k, n, echo := next(back)
			if k != frame || !bytes.Equal(back[:n], sent) {
				t.Fatalf("%s: kind %d, no echo", line, k)
			}
			k, n, answer := next(back[n:])
			if k != frame || len(sent)+n != len(back) || answer.Seq != echo.Seq || answer.Type < ccid.DataBlock {
				t.Fatalf("%s: kind %d, %+v", line, k, answer)
			}
			exchanges++
		}
	}
	if exchanges < 15 {
		t.Errorf("only %d exchanges", exchanges)
	}
}

func TestNext(t *testing.T) {
	for name, c := range map[string]struct {
		bytes string
		want  kind
		n     int
	}{
		"nothing":               {"", incomplete, 0},
		"half a NAK":            {"0315", incomplete, 0},
		"NAK":                   {"031516 03", refused, 3},
		"NAK, wrong check byte": {"031517", garbage, 1},
		"card out":              {"5002 03", movement, 2},
		"card in":               {"5003", movement, 2},
		"half a movement":       {"50", incomplete, 0},
		"no movement":           {"5004", garbage, 1},
		"time request":          {"80 03", moreTime, 1},
		"another time request":  {"FF", moreTime, 1},
		"a byte":                {"00 03 06", garbage, 1},
		"03 without 06":         {"030303", garbage, 1},
		"half a header":         {"0306 810000", incomplete, 0},
		"half a frame":          {"0306 810000000000 02 010000", incomplete, 0},
		"frame":                 {"0306 810000000000 02 010000 87 5002", frame, 13},
		"wrong check byte":      {"0306 810000000000 02 010000 86", damaged, 13},
		"262 bytes of data":     {"0306 8006010000", garbage, 1},
		"four thousand million": {"0306 80FFFFFFFF", garbage, 1},
		"261 bytes of data":     {"0306 8005010000", incomplete, 0},
	} {
		if k, n, _ := next(unhex(t, c.bytes)); k != c.want || n != c.n {
			t.Errorf("%s: kind %d, %d bytes, want %d, %d", name, k, n, c.want, c.n)
		}
	}
}

// Whatever comes over the line, every byte is accounted for, in order; a frame is made again byte for byte; and once
// enough bytes have come, it does not matter in how many pieces they came.
func FuzzNext(f *testing.F) {
	f.Add([]byte{0x03, 0x06, 0x81, 0, 0, 0, 0, 0, 2, 1, 0, 0, 0x87, 0x50, 0x03}, uint8(4))
	f.Add([]byte{0x03, 0x15, 0x16, 0x80, 0x00, 0x50}, uint8(1))
	f.Fuzz(func(t *testing.T, line []byte, cut uint8) {
		rest := line
		for {
			k, n, m := next(rest)
			if k == incomplete {
				if n != 0 || len(rest) >= maxFrame {
					t.Fatalf("%d bytes taken, %d wait for more", n, len(rest))
				}
				return
			}
			if n < 1 || n > len(rest) {
				t.Fatalf("kind %d of %d bytes in %d", k, n, len(rest))
			}
			if k == frame && !bytes.Equal(appendFrame(nil, m), rest[:n]) {
				t.Fatalf("%X became %X", rest[:n], appendFrame(nil, m))
			}
			if part := rest[:min(int(cut), n-1)]; len(part) > 0 {
				if early, _, _ := next(part); early != incomplete && early != garbage {
					t.Fatalf("kind %d in a part of kind %d", early, k)
				}
			}
			rest = rest[n:]
		}
	})
}
