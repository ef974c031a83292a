package emulator

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// port is the line while the reader is plugged in. Its goroutine reads and hands over to the reader's loop.
type port struct {
	pair *terminalPair
	line deframer
	gone chan struct{}
	done sync.WaitGroup
}

func (p *port) name() string { return p.pair.name }

// writeFor bounds a write to a line that nobody reads.
const writeFor = time.Second

// open makes a pseudo-terminal, points the link at it and starts to read.
func (g *GemPC) open() (*port, error) {
	pair, err := openPair()
	if err != nil {
		return nil, err
	}
	if err := pointLink(g.cfg.Link, pair.name); err != nil {
		pair.close()
		return nil, err
	}
	p := &port{pair: pair, gone: make(chan struct{})}
	p.done.Go(func() { p.read(g.input) })
	g.cfg.Log.Info("reader plugged in", "link", g.cfg.Link, "port", pair.name)
	return p, nil
}

// read ends when the port is shut.
func (p *port) read(input chan<- arrival) {
	buf := make([]byte, 1024)
	for {
		n, err := p.pair.master.Read(buf)
		if n > 0 {
			select {
			case input <- arrival{p, append([]byte(nil), buf[:n]...)}:
			case <-p.gone:
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// shut takes the link and the port away and waits for the reading goroutine.
func (g *GemPC) shut() {
	if g.port == nil {
		return
	}
	_ = os.Remove(g.cfg.Link)
	close(g.port.gone)
	g.port.pair.close()
	g.port.done.Wait()
	g.port = nil
}

// write sends bytes to whoever has the port open. Nobody need to: what does not fit the line's buffer is lost, as on a
// cable.
func (g *GemPC) write(b []byte) {
	if g.port == nil || len(b) == 0 {
		return
	}
	err := g.port.pair.master.SetWriteDeadline(time.Now().Add(writeFor))
	if err == nil {
		_, err = g.port.pair.master.Write(b)
	}
	if err != nil {
		g.cfg.Log.Warn("line does not take what the reader says", "bytes", len(b), "cause", err)
	}
}

// pointLink makes the link, or points it elsewhere, in one step: a driver never sees it half made.
func pointLink(link, target string) error {
	next := link + ".new"
	_ = os.Remove(next)
	if err := os.Symlink(target, next); err != nil {
		return fmt.Errorf("%w: %w: choose a path in a folder that can be written to", ErrLink, err)
	}
	if err := os.Rename(next, link); err != nil {
		_ = os.Remove(next)
		return fmt.Errorf("%w: %w", ErrLink, err)
	}
	return nil
}

// holdLink makes sure that the path is ours: nothing else than a link of an earlier run stands there, and no other
// virtual reader has it. The lock is a file beside it, which the system frees when the process ends in whatever way.
func holdLink(link string) (*os.File, error) {
	if link == "" {
		return nil, fmt.Errorf("%w: no path given", ErrLink)
	}
	switch at, err := os.Lstat(link); {
	case err == nil && at.Mode()&os.ModeSymlink == 0:
		return nil, fmt.Errorf("%w: %s is there and is not a link: choose another path, or move it away", ErrLink, link)
	case err != nil && !errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("%w: %w", ErrLink, err)
	}
	lock, err := lockFile(link + ".lock")
	if err != nil {
		return nil, err
	}
	return lock, nil
}

// releaseLink takes link and lock away.
func releaseLink(link string, lock *os.File) {
	_ = os.Remove(link)
	_ = os.Remove(lock.Name())
	_ = lock.Close()
}
