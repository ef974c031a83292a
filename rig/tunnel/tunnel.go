// Package tunnel carries many streams over one byte channel, such as a virtio-serial port between a test and its guest. A
// stream that one side closes ends at the other in its place among the bytes, which closing the channel itself would not do:
// a pulled cable and the next plugging in must not be mistaken for each other.
//
// A frame is the stream's number (four bytes, big-endian), its kind (one byte), a length (four bytes) and that many bytes. The
// dialling side numbers the streams; the other accepts them. There is no flow control: what nobody reads is kept, up to a
// bound, after which the stream is closed. It is made for tests and not for networks: nobody is authenticated.
package tunnel

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Limits.
const (
	maxFrame  = 32 << 10 // bytes of one frame's data
	maxKept   = 32 << 20 // bytes of a stream that nobody has read
	maxWaits  = 64       // streams that nobody has accepted
	headBytes = 9
)

// The kinds of frames.
const (
	kindOpen byte = 1 + iota
	kindData
	kindClose
)

// Errors.
var (
	ErrFrame  = errors.New("tunnel: not a frame")
	ErrClosed = errors.New("tunnel closed")
)

// Session is one channel with its streams. Its methods may be called from any goroutine.
type Session struct {
	channel  io.ReadWriteCloser
	accepted chan *Stream
	ended    chan struct{} // closed when the channel is no more

	writing sync.Mutex // held over one frame

	mu      sync.Mutex
	streams map[uint32]*Stream
	next    uint32
	err     error // why it ended
}

// New starts to read the channel, which it closes at its end: when Close is called, when the channel ends, or after a frame that is
// none.
func New(channel io.ReadWriteCloser) *Session {
	s := &Session{channel: channel, accepted: make(chan *Stream, maxWaits), ended: make(chan struct{}), streams: map[uint32]*Stream{}}
	go s.read()
	return s
}

// Open begins a stream. Error: ErrClosed, with why.
func (s *Session) Open() (*Stream, error) {
	s.mu.Lock()
	if s.err != nil {
		defer s.mu.Unlock()
		return nil, s.err
	}
	s.next++
	st := newStream(s, s.next)
	s.streams[st.id] = st
	s.mu.Unlock()
	return st, s.send(st.id, kindOpen, nil)
}

// Accept waits for a stream that the other side opened. Errors: ErrClosed, or the context's.
func (s *Session) Accept(ctx context.Context) (*Stream, error) {
	select {
	case st := <-s.accepted:
		return st, nil
	case <-s.ended:
		return nil, s.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Ended is closed when the channel is no more.
func (s *Session) Ended() <-chan struct{} { return s.ended }

// Close ends the channel and all streams, and waits for the goroutine that reads.
func (s *Session) Close() error {
	err := s.channel.Close()
	<-s.ended
	return err
}

func (s *Session) send(id uint32, kind byte, data []byte) error {
	frame := binary.BigEndian.AppendUint32(make([]byte, 0, headBytes+len(data)), id)
	frame = append(frame, kind)
	frame = binary.BigEndian.AppendUint32(frame, uint32(len(data))) //nolint:gosec // at most maxFrame
	s.writing.Lock()
	defer s.writing.Unlock()
	if _, err := s.channel.Write(append(frame, data...)); err != nil {
		return fmt.Errorf("%w: %w", ErrClosed, err)
	}
	return nil
}

func (s *Session) read() {
	var err error
	for err == nil {
		err = s.frame()
	}
	_ = s.channel.Close() // it has ended already, or is of no use any more
	s.mu.Lock()
	s.err = fmt.Errorf("%w: %w", ErrClosed, err)
	for _, st := range s.streams {
		st.end(s.err)
	}
	s.streams = nil
	s.mu.Unlock()
	close(s.ended)
}

// frame reads one frame and hands it over.
func (s *Session) frame() error {
	var head [headBytes]byte
	if _, err := io.ReadFull(s.channel, head[:]); err != nil {
		return err
	}
	id, kind, length := binary.BigEndian.Uint32(head[:]), head[4], binary.BigEndian.Uint32(head[5:])
	if length > maxFrame || kind != kindData && length > 0 {
		return fmt.Errorf("%w: kind %d with %d bytes", ErrFrame, kind, length)
	}
	data := make([]byte, length)
	if _, err := io.ReadFull(s.channel, data); err != nil {
		return err
	}
	switch kind {
	case kindOpen:
		return s.take(id)
	case kindData, kindClose:
	default:
		return fmt.Errorf("%w: kind %d", ErrFrame, kind)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.streams[id]
	if st == nil {
		return nil // we closed it while this was on the way
	}
	if kind == kindClose {
		delete(s.streams, id)
		st.end(io.EOF)
		return nil
	}
	st.push(data)
	return nil
}

func (s *Session) take(id uint32) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.streams[id] != nil {
		return fmt.Errorf("%w: stream %d is open already", ErrFrame, id)
	}
	st := newStream(s, id)
	select {
	case s.accepted <- st:
		s.streams[id] = st
		return nil
	default:
		return fmt.Errorf("%w: %d streams wait to be accepted", ErrFrame, maxWaits)
	}
}
