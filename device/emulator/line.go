package emulator

import (
	"errors"
	"os"
	"sync"
	"time"
)

// ErrUnplugged says that the line is not plugged in.
var ErrUnplugged = errors.New("the line is unplugged")

// Line is the far end of a serial line that a driver opens by a link: a pseudo-terminal that can be pulled out and plugged in again.
// Its methods may be called from anywhere; one goroutine reads.
type Line struct {
	link string
	lock *os.File

	mu   sync.Mutex // guards pair
	pair *terminalPair
}

// StartLine plugs a line in at a link. A link path that is taken is ErrLink with what to do about it.
func StartLine(link string) (*Line, error) {
	lock, err := holdLink(link)
	if err != nil {
		return nil, err
	}
	l := &Line{link: link, lock: lock}
	if err := l.Plug(); err != nil {
		releaseLink(link, lock)
		return nil, err
	}
	return l, nil
}

// Plug makes a fresh pseudo-terminal and points the link at it. One that is plugged in stays.
func (l *Line) Plug() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pair != nil {
		return nil
	}
	pair, err := openPair()
	if err != nil {
		return err
	}
	if err := pointLink(l.link, pair.name); err != nil {
		pair.close()
		return err
	}
	l.pair = pair
	return nil
}

// Unplug takes link and line away: a driver sees the line drop, and a Read ends.
func (l *Line) Unplug() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pair != nil {
		_ = os.Remove(l.link)
		l.pair.close()
		l.pair = nil
	}
}

func (l *Line) current() (*terminalPair, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pair == nil {
		return nil, ErrUnplugged
	}
	return l.pair, nil
}

// Read gives what the driver has written. Error: ErrUnplugged, and the file's when it is pulled out meanwhile.
func (l *Line) Read(b []byte) (int, error) {
	p, err := l.current()
	if err != nil {
		return 0, err
	}
	return p.master.Read(b)
}

// Write sends to whoever has the line open; what nobody reads is lost after a while.
func (l *Line) Write(b []byte) (int, error) {
	p, err := l.current()
	if err != nil {
		return 0, err
	}
	if err := p.master.SetWriteDeadline(time.Now().Add(writeFor)); err != nil {
		return 0, err
	}
	return p.master.Write(b)
}

// Close takes everything away. A second call does nothing.
func (l *Line) Close() error {
	l.Unplug()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lock != nil {
		releaseLink(l.link, l.lock)
		l.lock = nil
	}
	return nil
}
