package link

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
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

// Whatever a host sends, the frames read out of it, framed again, are what it sent up to where reading ended; and only
// ErrClosed or ErrFrame ends it.
func FuzzFrames(f *testing.F) {
	f.Add([]byte{0, 1, 2, 0, 0})
	f.Add([]byte{0, 2, 1, 2, 0, 1, 3})
	f.Add([]byte{0x20, 1})
	f.Fuzz(func(t *testing.T, sent []byte) {
		c := newConnection(Config{AnswerTimeout: time.Second}, stream{Reader: bytes.NewReader(sent)})
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
			again = binary.BigEndian.AppendUint16(again, uint16(len(frame)))
			again = append(again, frame...)
		}
		if !bytes.HasPrefix(sent, again) {
			t.Fatalf("%X is read as %X", sent, again)
		}
		if rest := sent[len(again):]; len(rest) >= 2 {
			if n := int(binary.BigEndian.Uint16(rest)); n > 0 && n <= iso8583.MaxFrame && len(rest) >= 2+n {
				t.Fatalf("a whole frame of %d bytes is left", n)
			}
		}
	})
}
