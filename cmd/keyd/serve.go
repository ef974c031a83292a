package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime"
	"sync"
	"time"

	"tillway/device/pinpad"
	"tillway/device/secure"
)

// maxKeySockets is how many programs may load keys at once.
const maxKeySockets = 4

// module is the running secure module with its sockets.
type module struct {
	file     *secure.File
	screen   *secure.Screen // nil unless on-screen PIN is on
	pad      *pinpad.Pad    // nil unless there is one
	keys     net.Listener   // nil without a socket for loading keys
	terminal *secure.Server
	sweeper  *sweeper
	shared   bool // the socket for loading keys is its group's, so that its mode says who may
	group    sync.WaitGroup
}

// start opens sockets and key files.
func start(ctx context.Context, f flags, conn *sweeper) (m *module, err error) {
	m = &module{sweeper: conn, shared: f.group != ""}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.close())
		}
	}()
	if f.options.OnScreen != "" && !f.options.Production { // Start says why not
		if m.screen, err = secure.ListenScreen(ctx, f.options.OnScreen); err != nil {
			return m, err
		}
		f.options.Keypad = m.screen
		fmt.Fprintf(os.Stderr, "keyd: WARNING: on-screen PIN is on at %s: for development only, never for a real card's PIN\n", f.options.OnScreen)
	}
	if f.pad != "" {
		if m.pad, err = pinpad.Open(pinpad.Config{Port: f.pad, Log: slog.New(slog.NewTextHandler(os.Stderr, nil))}); err != nil {
			return m, err
		}
		f.options.Pad = m.pad
	}
	f.options.Event = func(e secure.Event) {
		fmt.Fprintln(os.Stderr, "keyd:", line(e))
		if m.terminal != nil {
			m.terminal.Event(e)
		}
	}
	if f.options.Secret, err = unlockSecret(f.unlock); err != nil {
		return m, err
	}
	m.file, err = secure.Start(ctx, f.options)
	clear(f.options.Secret)
	if err != nil {
		return m, err
	}
	m.terminal = secure.NewServer(conn, m.file, secure.RoleTerminal)
	if f.keys != "" {
		if m.keys, err = listenFor(ctx, f.keys, f.group); err != nil {
			return m, fmt.Errorf("socket for loading keys: %w", err)
		}
	}
	return m, nil
}

// close ends the sockets, then the module, and waits for the goroutines.
func (m *module) close() error {
	var errs []error
	if m.keys != nil {
		errs = append(errs, m.keys.Close())
	}
	if m.screen != nil {
		errs = append(errs, m.screen.Close())
	}
	m.group.Wait()
	if m.file != nil {
		errs = append(errs, m.file.Close())
	}
	if m.pad != nil {
		errs = append(errs, m.pad.Close())
	}
	return errors.Join(errs...)
}

// serveKeys serves programs that load keys until the listener is closed.
func (m *module) serveKeys(ctx context.Context) {
	slots := make(chan struct{}, maxKeySockets)
	for {
		conn, err := m.keys.Accept()
		if err != nil {
			return
		}
		select {
		case slots <- struct{}{}:
		default:
			_ = conn.Close() // too many at once: they can come again
			continue
		}
		m.group.Go(func() {
			defer func() { <-slots }()
			if err := allowed(conn); err != nil && !m.shared {
				fmt.Fprintln(os.Stderr, "keyd: socket for loading keys:", err)
				_ = conn.Close()
				return
			}
			if err := secure.Greet(conn, nil); err != nil {
				_ = conn.Close()
				return
			}
			if err := secure.NewServer(&sweeper{Conn: conn, wrote: m.sweeper.wrote}, m.file, secure.RoleKeys).Serve(ctx); err != nil && ctx.Err() == nil {
				fmt.Fprintln(os.Stderr, "keyd: socket for loading keys:", err)
			}
		})
	}
}

// A sweeper collects garbage soon after the module answered, so that what runtime/secret has to erase does not wait for
// the next collection, which in an idle process may be minutes away.
type sweeper struct {
	net.Conn
	wrote chan struct{}
}

// sweepAfter is how long it waits for more of the same sale.
const sweepAfter = 50 * time.Millisecond

func newSweeper(conn net.Conn) *sweeper { return &sweeper{Conn: conn, wrote: make(chan struct{}, 1)} }

// Write notes that there is something to sweep.
func (s *sweeper) Write(b []byte) (int, error) {
	n, err := s.Conn.Write(b)
	select {
	case s.wrote <- struct{}{}:
	default:
	}
	return n, err
}

func (s *sweeper) run(ctx context.Context) {
	for {
		select {
		case <-s.wrote:
		case <-ctx.Done():
			return
		}
		select {
		case <-time.After(sweepAfter):
		case <-ctx.Done():
			return
		}
		runtime.GC()
	}
}
