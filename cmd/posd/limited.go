package main

import (
	"net"
	"sync"
)

// limited is a listener that has so many connections open at a time; the next waits, and whoever opened it, until one ends.
type limited struct {
	net.Listener

	slots chan struct{}
	done  chan struct{}
	once  sync.Once
}

func newLimited(ln net.Listener, most int) *limited {
	return &limited{Listener: ln, slots: make(chan struct{}, most), done: make(chan struct{})}
}

// Accept waits for a slot, then for a connection.
func (l *limited) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.done:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	return &counted{Conn: c, free: func() { <-l.slots }}, nil
}

// Close ends the listener; connections stay.
func (l *limited) Close() error {
	l.once.Do(func() { close(l.done) })
	return l.Listener.Close()
}

// counted gives its slot back, once.
type counted struct {
	net.Conn

	once sync.Once
	free func()
}

func (c *counted) Close() error {
	c.once.Do(c.free)
	return c.Conn.Close()
}
