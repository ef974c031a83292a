package host

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"tillway/iso8583/link"
)

// Bounds of one connection and of their number.
const (
	maxConnections = 64
	maxPending     = 64               // answers that wait for their time
	handshakeTime  = 10 * time.Second // TLS
	frameTime      = 10 * time.Second // from a frame's first byte to its last
	idleTime       = 30 * time.Minute // between frames
	writeTime      = 10 * time.Second
)

// Connection is one open connection.
type Connection struct {
	ID     uint64    `json:"id"`
	Remote string    `json:"remote"`
	Since  time.Time `json:"since"`
	Frames int       `json:"frames"` // read so far
}

// connections is the open ones by number.
type connections struct {
	open   map[uint64]*Connection
	lastID uint64
}

// Connections lists the open connections, oldest first.
func (h *Host) Connections() []Connection {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := make([]Connection, 0, len(h.open))
	for _, c := range h.open {
		out = append(out, *c)
	}
	slices.SortFunc(out, func(a, b Connection) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// Serve takes connections from l until ctx ends, then closes l and every connection, waits for their goroutines and
// returns nil. It returns an error when the listener fails by itself.
func (h *Host) Serve(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	for {
		conn, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("accept: %w", err)
		}
		all.Go(func() { h.ServeConn(ctx, conn) })
	}
}

// ServeConn speaks on one connection until the peer or ctx ends it, and closes it. It is for tests and simulations that
// bring their own connections; Serve calls it too.
func (h *Host) ServeConn(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	me, ok := h.enter(conn)
	if !ok {
		h.cfg.Log.Warn("connection refused: too many are open", slog.Int("open", maxConnections))
		return
	}
	defer h.leave(me)
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	log := h.cfg.Log.With(slog.Uint64("connection", me))
	if err := handshake(ctx, conn); err != nil {
		log.Warn("connection refused", slog.String("remote", conn.RemoteAddr().String()), slog.Any("error", err))
		return
	}
	log.Info("connected", slog.String("remote", conn.RemoteAddr().String()))
	replies := make(chan Reply)
	w := writer{conn: conn, log: log, framing: h.cfg.Framing, gone: make(chan struct{})}
	var writing sync.WaitGroup
	writing.Go(func() { w.run(replies) })
	err := h.readFrames(conn, me, replies, w.gone)
	close(replies)
	writing.Wait()
	log.Info("disconnected", slog.Any("reason", err))
}

func (h *Host) enter(conn net.Conn) (uint64, bool) {
	now := h.cfg.Clock()
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.open) >= maxConnections {
		return 0, false
	}
	if h.open == nil {
		h.open = map[uint64]*Connection{}
	}
	h.lastID++
	h.open[h.lastID] = &Connection{ID: h.lastID, Remote: conn.RemoteAddr().String(), Since: now}
	return h.lastID, true
}

func (h *Host) leave(id uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.open, id)
}

func (h *Host) count(id uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open[id].Frames++
}

// handshake does TLS at once, where it is TLS, so that a peer that never speaks cannot hold the place.
func handshake(ctx context.Context, conn net.Conn) error {
	t, ok := conn.(interface {
		HandshakeContext(ctx context.Context) error
	})
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, handshakeTime)
	defer cancel()
	if err := t.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("TLS: %w", err)
	}
	return nil
}

// readFrames reads frames and hands their replies to the writer, in order, until the connection ends; it says why.
func (h *Host) readFrames(conn net.Conn, id uint64, replies chan<- Reply, gone <-chan struct{}) error {
	r := bufio.NewReaderSize(conn, MaxFrame+h.cfg.Framing.Bytes())
	for {
		frame, err := readFrame(conn, r, h.cfg.Framing)
		if err != nil {
			return err
		}
		h.count(id)
		for _, reply := range h.Answer(frame) {
			select {
			case replies <- reply:
			case <-gone:
				return errWriter
			}
		}
	}
}

var errWriter = errors.New("writing ended")

// readFrame reads one frame in the acquirer's framing.
func readFrame(conn net.Conn, r *bufio.Reader, framing link.Framing) ([]byte, error) {
	if err := conn.SetReadDeadline(time.Now().Add(idleTime)); err != nil {
		return nil, fmt.Errorf("waiting: %w", err)
	}
	if _, err := r.Peek(1); err != nil {
		return nil, fmt.Errorf("waiting: %w", err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(frameTime)); err != nil {
		return nil, fmt.Errorf("reading: %w", err)
	}
	frame, err := framing.Read(r, MaxFrame)
	if err != nil {
		return nil, fmt.Errorf("reading: %w", err)
	}
	return frame, nil
}
