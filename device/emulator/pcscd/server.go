package pcscd

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// The messages.
const (
	cmdEstablish  = 0x01
	cmdRelease    = 0x02
	cmdConnect    = 0x04
	cmdReconnect  = 0x05
	cmdDisconnect = 0x06
	cmdTransmit   = 0x09
	cmdVersion    = 0x11
	cmdStates     = 0x12
	cmdWait       = 0x13
	cmdStopWait   = 0x14
)

// The sizes of the protocol.
const (
	nameSize   = 128
	atrSize    = 33
	stateSize  = nameSize + 12 + atrSize + 3 + 8
	maxReaders = 16
	maxMessage = 65548
)

// Config is what a Server needs to know.
type Config struct {
	Socket   string            // path to listen at
	Minor    uint32            // of the protocol's version 4; 0: 4, as pcsc-lite 1.9.9 has
	Refuse   bool              // lets nobody in, as pcscd does where polkit says so
	NoCards  bool              // lets nobody at a card, as it does where polkit says that
	Complain func(line string) // about a client that breaks the protocol; nil: nobody
}

// Server is a running daemon.
type Server struct {
	config   Config
	listener net.Listener
	running  sync.WaitGroup

	mu      sync.Mutex
	slots   []*Slot
	clients map[net.Conn]*client
	next    uint32 // context or handle
	closed  bool
}

// client is one connection.
type client struct {
	conn    net.Conn
	context uint32
	handles map[uint32]*handle
	waiting bool
}

// Listen starts a daemon without readers. A socket that is left over at the path is replaced. Close ends it.
func Listen(config Config) (*Server, error) {
	if config.Minor == 0 {
		config.Minor = 4
	}
	if config.Complain == nil {
		config.Complain = func(string) {}
	}
	if err := os.Remove(config.Socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("virtual pcscd: %w", err)
	}
	s := &Server{config: config, clients: map[net.Conn]*client{}, next: 0x1000}
	if err := s.Start(); err != nil {
		return nil, err
	}
	return s, nil
}

// Start listens again after Stop; readers and cards are as they were, without power.
func (s *Server) Start() error {
	l, err := net.Listen("unix", s.config.Socket) //nolint:noctx // it listens at once or not at all
	if err != nil {
		return fmt.Errorf("virtual pcscd: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listener, s.closed = l, false
	for _, slot := range s.slots {
		slot.events, slot.holder = 0, 0
		slot.powerUp(false)
	}
	s.running.Go(func() { s.accept(l) })
	return nil
}

// Stop ends the daemon as a kill does: every connection breaks off. Its socket is gone.
func (s *Server) Stop() {
	s.mu.Lock()
	s.stop()
	s.mu.Unlock()
	s.running.Wait()
}

// Close is Stop.
func (s *Server) Close() error {
	s.Stop()
	return nil
}

func (s *Server) stop() {
	if s.closed {
		return
	}
	s.closed = true
	_ = s.listener.Close()
	for conn := range s.clients {
		_ = conn.Close()
	}
}

// AddReader plugs a reader in, with an empty slot.
func (s *Server) AddReader(name string) *Slot {
	s.mu.Lock()
	defer s.mu.Unlock()
	slot := &Slot{server: s, name: name, plugged: true, bits: absent, handles: map[uint32]*handle{}, faults: map[int]Fault{}}
	s.slots = append(s.slots, slot)
	s.tell()
	return slot
}

func (s *Server) accept(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		c := &client{conn: conn, handles: map[uint32]*handle{}}
		s.mu.Lock()
		if s.closed || s.config.Refuse {
			_ = conn.Close()
		} else {
			s.clients[conn] = c
			s.running.Go(func() { s.serve(c) })
		}
		s.mu.Unlock()
	}
}

// serve answers one client until it leaves.
func (s *Server) serve(c *client) {
	defer s.leave(c)
	for {
		var head [8]byte
		if _, err := io.ReadFull(c.conn, head[:]); err != nil {
			return
		}
		size, command := get(head[:], 0), get(head[:], 1)
		if size > maxMessage {
			s.config.Complain(fmt.Sprintf("message %02X of %d bytes", command, size))
			return
		}
		body := make([]byte, size)
		if _, err := io.ReadFull(c.conn, body); err != nil {
			return
		}
		answer, wait, ok := s.answer(c, command, body)
		if !ok {
			return
		}
		if wait > 0 && !s.pause(c, wait) {
			return
		}
		if _, err := c.conn.Write(answer); err != nil {
			return
		}
	}
}

// pause waits, unless the client leaves.
func (s *Server) pause(c *client, d time.Duration) bool {
	_ = c.conn.SetReadDeadline(time.Now().Add(d))
	n, err := c.conn.Read(make([]byte, 1))
	_ = c.conn.SetReadDeadline(time.Time{})
	if n > 0 {
		s.config.Complain("a message before the answer to the last one")
	}
	return n == 0 && errors.Is(err, os.ErrDeadlineExceeded)
}

// leave takes back what a client had.
func (s *Server) leave(c *client) {
	_ = c.conn.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.clients, c.conn)
	for id, h := range c.handles {
		h.slot.giveBack(id, warmReset)
	}
}

// tell wakes the clients that wait for a change; mu is held.
func (s *Server) tell() {
	for _, c := range s.clients {
		if c.waiting {
			c.waiting = false
			_, _ = c.conn.Write(make([]byte, 8)) // eight bytes fit a socket's buffer
		}
	}
}

// states is the table of all readers; mu is held.
func (s *Server) states() []byte {
	table := make([]byte, maxReaders*stateSize)
	at := 0
	for _, slot := range s.slots {
		if !slot.plugged || at == maxReaders {
			continue
		}
		b := table[at*stateSize:][:stateSize]
		copy(b[:nameSize-1], slot.name)
		sharing := uint32(len(slot.handles)) //nolint:gosec // a handful
		if slot.holder != 0 {
			sharing = ^uint32(0)
		}
		put(b[nameSize:], slot.events, slot.bits, sharing)
		copy(b[nameSize+12:], slot.atr)
		put(b[nameSize+12+atrSize+3:], uint32(len(slot.atr)), slot.protocol) //nolint:gosec // at most 33
		at++
	}
	return table
}

func get(b []byte, word int) uint32 { return binary.NativeEndian.Uint32(b[4*word:]) }

func put(b []byte, v ...uint32) {
	for i, one := range v {
		binary.NativeEndian.PutUint32(b[4*i:], one)
	}
}
