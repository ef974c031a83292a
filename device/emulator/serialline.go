package emulator

import (
	"os"
	"sync"
)

// SerialLine is the far end of a serial line for virtual devices that are no card readers: a driver opens the link that points at
// it. Close may be called more than once and ends a Read.
type SerialLine struct {
	pair *terminalPair
	link string
	lock *os.File
	once sync.Once
}

// OpenSerialLine makes a pseudo-terminal and a link to it; the link is taken away by Close. Error: ErrLink, where something else stands at
// the path.
func OpenSerialLine(link string) (*SerialLine, error) {
	lock, err := holdLink(link)
	if err != nil {
		return nil, err
	}
	pair, err := openPair()
	if err != nil {
		releaseLink(link, lock)
		return nil, err
	}
	if err := pointLink(link, pair.name); err != nil {
		pair.close()
		releaseLink(link, lock)
		return nil, err
	}
	return &SerialLine{pair: pair, link: link, lock: lock}, nil
}

// Read waits for what a driver writes.
func (l *SerialLine) Read(b []byte) (int, error) { return l.pair.master.Read(b) }

// Write sends to whoever has the line open. It waits while the line's buffer is full.
func (l *SerialLine) Write(b []byte) (int, error) { return l.pair.master.Write(b) }

// Close takes link and line away, as pulling the cable of a USB converter does.
func (l *SerialLine) Close() error {
	l.once.Do(func() {
		releaseLink(l.link, l.lock)
		l.pair.close()
	})
	return nil
}
