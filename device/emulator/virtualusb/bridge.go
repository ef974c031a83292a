package virtualusb

import (
	"context"
	"errors"
	"io"
	"sync"
)

// ErrLineClosed says that what is behind a bridged function has ended.
var ErrLineClosed = errors.New("what is behind the virtual USB device has ended")

// bridge joins two bulk endpoints to a stream of bytes: what the host sends is written to it, what is read from it goes to the host.
type bridge struct {
	line io.ReadWriteCloser
	in   Queue

	out     chan []byte
	ended   chan struct{} // closed when the line is at its end
	closing chan struct{} // closed by Close
	once    sync.Once
	working sync.WaitGroup
}

func startBridge(line io.ReadWriteCloser) *bridge {
	b := &bridge{line: line, out: make(chan []byte), ended: make(chan struct{}), closing: make(chan struct{})}
	b.working.Go(b.read)
	b.working.Go(b.write)
	return b
}

// lineBuffer is what is read from the line at a time, in bytes.
const lineBuffer = 4096

func (b *bridge) read() {
	defer close(b.ended)
	buf := make([]byte, lineBuffer)
	for {
		n, err := b.line.Read(buf)
		if n > 0 {
			b.in.Put(buf[:n])
		}
		if err != nil {
			return
		}
	}
}

func (b *bridge) write() {
	for {
		select {
		case data := <-b.out:
			if _, err := b.line.Write(data); err != nil {
				_ = b.line.Close() // the reading side notices
				return
			}
		case <-b.ended:
			return
		case <-b.closing:
			return
		}
	}
}

// send gives the line what the host sent; while the line is busy the host waits.
func (b *bridge) send(ctx context.Context, data []byte) error {
	select {
	case b.out <- data:
		return nil
	case <-b.ended:
		return ErrLineClosed
	case <-b.closing:
		return ErrLineClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close closes what is behind the function and waits for its goroutines. A second call does nothing.
func (b *bridge) Close() error {
	var err error
	b.once.Do(func() {
		close(b.closing)
		err = b.line.Close()
	})
	b.working.Wait()
	return err
}
