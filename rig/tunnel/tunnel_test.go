package tunnel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

func pair(t *testing.T) (dials, accepts *Session) {
	t.Helper()
	a, b := net.Pipe()
	dials, accepts = New(a), New(b)
	t.Cleanup(func() { _, _ = dials.Close(), accepts.Close() })
	return dials, accepts
}

func TestStreams(t *testing.T) {
	dials, accepts := pair(t)
	long := bytes.Repeat([]byte("tillway "), 3*maxFrame/8)
	var ours, theirs [3]*Stream
	for i := range ours {
		var err error
		if ours[i], err = dials.Open(); err != nil {
			t.Fatal(err)
		}
		if theirs[i], err = accepts.Accept(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := ours[0].Write(long); err != nil { // nobody reads it yet
		t.Fatal(err)
	}
	if _, err := theirs[1].Write([]byte("second")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 6)
	if _, err := io.ReadFull(ours[1], got); err != nil || string(got) != "second" {
		t.Errorf("%q, %v", got, err)
	}
	if err := errors.Join(ours[0].Close(), ours[0].Close()); err != nil {
		t.Error(err)
	}
	if all, err := io.ReadAll(theirs[0]); err != nil || !bytes.Equal(all, long) {
		t.Errorf("%d bytes, %v: what was written before the close is to be read", len(all), err)
	}
	if _, err := theirs[0].Write([]byte{1}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("writing to a stream that the other side closed: %v", err)
	}
	if _, err := ours[0].Read(got); !errors.Is(err, net.ErrClosed) {
		t.Errorf("reading a closed stream: %v", err)
	}
	if _, err := ours[2].Write([]byte("third")); err != nil {
		t.Errorf("the others go on: %v", err)
	}
}

func TestReadDeadline(t *testing.T) {
	dials, accepts := pair(t)
	ours, err := dials.Open()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := accepts.Accept(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := ours.SetReadDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if _, err := ours.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
}

func TestChannelEnds(t *testing.T) {
	dials, accepts := pair(t)
	ours, err := dials.Open()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := accepts.Accept(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := accepts.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := ours.Read(make([]byte, 1)); !errors.Is(err, ErrClosed) {
		t.Errorf("read: %v", err)
	}
	<-dials.Ended()
	if _, err := dials.Open(); !errors.Is(err, ErrClosed) {
		t.Errorf("open: %v", err)
	}
	if _, err := accepts.Accept(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("accept: %v", err)
	}
}

func frameBytes(id uint32, kind byte, length uint32, data string) []byte {
	b := append(binary.BigEndian.AppendUint32(nil, id), kind)
	return append(binary.BigEndian.AppendUint32(b, length), data...)
}

type feed struct{ io.Reader }

func (feed) Write(b []byte) (int, error) { return len(b), nil }
func (feed) Close() error                { return nil }

func TestBadFramesEndTheSession(t *testing.T) {
	open := frameBytes(1, kindOpen, 0, "")
	for name, b := range map[string][]byte{
		"too long":       frameBytes(1, kindData, maxFrame+1, ""),
		"unknown kind":   frameBytes(1, 9, 0, ""),
		"open with data": frameBytes(1, kindOpen, 1, "x"),
		"open twice":     append(bytes.Clone(open), open...),
	} {
		s := New(feed{bytes.NewReader(b)})
		<-s.Ended()
		if _, err := s.Open(); !errors.Is(err, ErrFrame) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzFrames: whatever comes, the session ends with the channel, and a stream holds no more than came.
func FuzzFrames(f *testing.F) {
	f.Add(append(frameBytes(1, kindOpen, 0, ""), frameBytes(1, kindData, 3, "abc")...))
	f.Add(frameBytes(7, kindClose, 0, ""))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := New(feed{bytes.NewReader(b)})
		<-s.Ended()
		for range maxWaits {
			select {
			case st := <-s.accepted:
				if got, err := io.ReadAll(st); err == nil && len(got) > len(b) {
					t.Fatalf("%d bytes of %d", len(got), len(b))
				}
			default:
			}
		}
	})
}
