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
	baud int    // of the far end; 0: whatever the port is set to
	rest []byte // heard at another speed, for which a Read had no room
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
func (l *SerialLine) Read(b []byte) (int, error) {
	for {
		if len(l.rest) > 0 {
			n := copy(b, l.rest)
			l.rest = l.rest[n:]
			return n, nil
		}
		n, err := l.pair.master.Read(b)
		if n == 0 || l.baud == 0 || l.near() == l.baud {
			return n, err
		}
		if l.rest = resampled(b[:n], l.near(), l.baud); err != nil {
			return 0, err
		}
	}
}

// Write sends to whoever has the line open. It waits while the line's buffer is full.
func (l *SerialLine) Write(b []byte) (int, error) {
	if near := l.near(); l.baud != 0 && near != l.baud {
		if _, err := l.pair.master.Write(resampled(b, l.baud, near)); err != nil {
			return 0, err
		}
		return len(b), nil
	}
	return l.pair.master.Write(b)
}

// Close takes link and line away, as pulling the cable of a USB converter does.
func (l *SerialLine) Close() error {
	l.once.Do(func() {
		releaseLink(l.link, l.lock)
		l.pair.close()
	})
	return nil
}
