package link

import (
	"bytes"
	"encoding/hex"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"tillway/iso8583"
)

// stream is a connection whose other end has sent some bytes and left.
type stream struct {
	net.Conn
	*bytes.Reader
}

func (s stream) Read(b []byte) (int, error)      { return s.Reader.Read(b) }
func (s stream) SetReadDeadline(time.Time) error { return nil }

// framings are all that an acquirer can have.
func framings() []Framing {
	var all []Framing
	for _, l := range []Length{BinaryLength, BCDLength, ASCIILength} {
		for _, c := range []Counted{CountMessage, CountBody, CountAll} {
			all = append(all, Framing{l, c})
		}
	}
	return all
}

// Whatever a host sends, in whatever framing, the frames read out of it, framed again, are what it sent up to where reading
// ended; only ErrClosed or ErrFrame ends it; and no whole frame is left behind.
func FuzzFrames(f *testing.F) {
	for kind := range byte(len(framings())) {
		f.Add(kind, []byte{0, 1, 2, 0, 0})
		f.Add(kind, []byte{0, 2, 1, 2, 0, 1, 3})
		f.Add(kind, []byte{0x20, 1})
		f.Add(kind, []byte("0006abcdefghijk0001abcdef"))
		f.Add(kind, []byte{0x00, 0x0A, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16})
		f.Add(kind, []byte{0x00, 0x10, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 0x99, 0x99})
	}
	f.Fuzz(func(t *testing.T, kind byte, sent []byte) {
		framing := framings()[int(kind)%len(framings())]
		c := newConnection(Config{AnswerTimeout: time.Second, Framing: framing}, stream{Reader: bytes.NewReader(sent)})
		var again []byte
		for {
			frame, err := c.frame()
			if err != nil {
				if !errors.Is(err, ErrClosed) && !errors.Is(err, ErrFrame) {
					t.Fatalf("error %v", err)
				}
				break
			}
			if len(frame) == 0 || len(frame) > iso8583.MaxFrame {
				t.Fatalf("a frame of %d bytes", len(frame))
			}
			if again, err = framing.Append(again, frame); err != nil {
				t.Fatalf("%+v: %v", framing, err)
			}
		}
		if !bytes.HasPrefix(sent, again) {
			t.Fatalf("%+v: %X is read as %X", framing, sent, again)
		}
		if rest := sent[len(again):]; len(rest) > framing.Bytes() {
			if n, err := framing.Size(rest[:framing.Bytes()]); err == nil && len(rest) >= framing.Bytes()+n {
				t.Fatalf("%+v: a whole frame of %d bytes is left", framing, n)
			}
		}
	})
}

// The framings as acquirers write them. The message is 60 00 03 00 00 and three bytes.
func TestFramings(t *testing.T) {
	message := []byte{0x60, 0, 3, 0, 0, 8, 0, 0}
	long := append(message[:5:5], make([]byte, 1195)...) // 1200 bytes
	for _, c := range []struct {
		f     Framing
		wire  string // length of the short message
		long  string
		whole bool // counts everything, so that a length of 1 means no frame
	}{
		{Framing{}, "0008", "04B0", false},
		{Framing{BinaryLength, CountBody}, "0003", "04AB", false},
		{Framing{BinaryLength, CountAll}, "000A", "04B2", true},
		{Framing{BCDLength, CountMessage}, "0008", "1200", false},
		{Framing{BCDLength, CountBody}, "0003", "1195", false},
		{Framing{BCDLength, CountAll}, "0010", "1202", true},
		{Framing{ASCIILength, CountMessage}, "30303038", "31323030", false},
		{Framing{ASCIILength, CountBody}, "30303033", "31313935", false},
		{Framing{ASCIILength, CountAll}, "30303132", "31323034", true},
	} {
		for _, m := range []struct {
			message []byte
			head    string
		}{{message, c.wire}, {long, c.long}} {
			frame, err := c.f.Append(nil, m.message)
			if got := strings.ToUpper(hex.EncodeToString(frame[:c.f.Bytes()])); err != nil || got != m.head || !bytes.Equal(frame[c.f.Bytes():], m.message) {
				t.Errorf("%+v: length %s, %v; want %s", c.f, got, err, m.head)
			}
			back, err := c.f.Read(bytes.NewReader(append(frame, 0xFF)), iso8583.MaxFrame)
			if err != nil || !bytes.Equal(back, m.message) {
				t.Errorf("%+v: read %X, %v", c.f, back, err)
			}
		}
		nothing, err := hex.DecodeString(strings.Repeat("00", 10))
		if err != nil {
			t.Fatal(err)
		}
		if c.f.Length == ASCIILength {
			nothing = []byte("0000000000")
		}
		if _, err := c.f.Read(bytes.NewReader(nothing), iso8583.MaxFrame); !errors.Is(err, ErrFrame) {
			t.Errorf("%+v: a frame of nothing: %v", c.f, err)
		}
		if c.whole {
			nothing[c.f.Bytes()-1]++
			if _, err := c.f.Read(bytes.NewReader(nothing), iso8583.MaxFrame); !errors.Is(err, ErrFrame) {
				t.Errorf("%+v: a frame shorter than its length: %v", c.f, err)
			}
		}
	}
}

// What a length cannot be is refused before anything is read or sent by it.
func TestFramingsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		f    Framing
		wire string
	}{
		"BCD with a letter": {Framing{Length: BCDLength}, "\x00\x0Aabcdefghij"}, "BCD with a letter in front": {Framing{Length: BCDLength}, "\xA0\x00abcdefghij"},
		"ASCII with a letter": {Framing{Length: ASCIILength}, "00A0abcdefghij"}, "ASCII with a sign": {Framing{Length: ASCIILength}, "+010abcdefghij"},
		"too long in ASCII": {Framing{Length: ASCIILength}, "9999"}, "too long in BCD": {Framing{Length: BCDLength}, "\x99\x99"}, "too long in binary": {Framing{}, "\x20\x01"},
		"too long with its TPDU": {Framing{BinaryLength, CountBody}, "\x1F\xFC"},
	} {
		if _, err := c.f.Read(strings.NewReader(c.wire), iso8583.MaxFrame); !errors.Is(err, ErrFrame) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := (Framing{Length: BCDLength}).Append(nil, nil); !errors.Is(err, ErrFrame) {
		t.Errorf("an empty message: %v", err)
	}
	if _, err := (Framing{Counts: CountBody}).Append(nil, make([]byte, 5)); !errors.Is(err, ErrFrame) {
		t.Errorf("a TPDU and nothing behind it: %v", err)
	}
	if _, err := (Framing{}).Append(nil, make([]byte, iso8583.MaxFrame+1)); !errors.Is(err, ErrFrame) {
		t.Errorf("a message that no host reads: %v", err)
	}
	for _, f := range []Framing{{Length: "ebcdic"}, {Counts: "everything"}} {
		if err := f.Check(); !errors.Is(err, ErrFraming) {
			t.Errorf("%+v: %v", f, err)
		}
	}
	if err := TPDUAnswer("turned").Check(); !errors.Is(err, ErrFraming) {
		t.Error(err)
	}
}

// A host whose TPDUs come back in one way only is held to it.
func TestTPDUOfAnswers(t *testing.T) {
	request, back := []byte{0x60, 0x10, 0x70, 0x36, 0x0B}, []byte{0x60, 0x36, 0x0B, 0x10, 0x70}
	for _, c := range []struct {
		how    TPDUAnswer
		answer []byte
		taken  bool
	}{
		{TPDUEither, request, true},
		{TPDUEither, back, true},
		{TPDUKept, request, true},
		{TPDUKept, back, false},
		{TPDUSwapped, back, true},
		{TPDUSwapped, request, false},
		{"", back, true},
	} {
		if got := c.how.mismatch(request, c.answer) == ""; got != c.taken {
			t.Errorf("%q, TPDU %X: taken %v", c.how, c.answer, got)
		}
	}
}
