package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"tillway/device/secure"
)

// As a service keyd is started by the service manager, not by posd, and listens at a named socket. One user may speak there, one
// connection at a time, and a connection is what a whole life is to a keyd that posd started: the key files are opened for it, and
// leases, tickets and components that were entered in part end with it.
const (
	helloWithin = 5 * time.Second
	freeWithin  = 2 * time.Second // how long posd, started again, waits for the end of the connection before
	maxWaiting  = 4               // connections that wait or say hello
	refusalsAt  = time.Minute     // how often refusals are told
)

// A service is keyd at its named socket.
type service struct {
	flags   flags
	client  uint32 // the one user who may
	program string
	slot    chan struct{} // one: whoever is served
	waiting chan struct{}
	group   sync.WaitGroup

	mu      sync.Mutex // guards what follows
	module  *module    // that is served; nil: none
	refused int        // since told
	told    time.Time
}

// newService looks up who may speak at the socket.
func newService(f flags) (*service, error) {
	if f.client == "" {
		return nil, errors.New("-listen takes -client: the name or number of posd's user, who alone may speak there")
	}
	uid, err := userID(f.client)
	if err != nil {
		return nil, err
	}
	f.options.Production = !f.development
	return &service{flags: f, client: uid, program: version(), slot: make(chan struct{}, 1), waiting: make(chan struct{}, maxWaiting)}, nil
}

func userID(name string) (uint32, error) {
	if n, err := strconv.ParseUint(name, 10, 32); err == nil {
		return uint32(n), nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return 0, fmt.Errorf("-client: %w", err)
	}
	n, err := strconv.ParseUint(u.Uid, 10, 32)
	return uint32(n), err
}

// listenFor opens a socket for this user and, where group names one, for its members.
func listenFor(ctx context.Context, path, group string) (net.Listener, error) {
	ln, err := secure.ListenLocal(ctx, path)
	if err != nil || group == "" {
		return ln, err
	}
	gid, err := groupID(group)
	if err == nil {
		err = os.Chown(path, -1, gid)
	}
	if err == nil {
		err = os.Chmod(path, 0o660) //nolint:gosec // its group may: that is what -group is for
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("-group: %w: keyd's user has to be in that group", err), ln.Close())
	}
	return ln, nil
}

func groupID(name string) (int, error) {
	if n, err := strconv.ParseUint(name, 10, 31); err == nil {
		return int(n), nil
	}
	g, err := user.LookupGroup(name)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(g.Gid)
}

// run serves until ctx ends, and waits for whoever is served, whose requests under way are cancelled.
func (s *service) run(ctx context.Context) error {
	ln, err := listenFor(ctx, s.flags.listen, s.flags.group)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = ln.Close() })() // its end shows at Accept
	manager := s.ready()
	watch, stop := context.WithCancel(ctx)
	defer func() { stop(); s.group.Wait(); _ = manager.Close() }()
	s.group.Go(func() { s.watch(watch, manager) })
	fmt.Fprintf(os.Stderr, "keyd: %s: serving user %d at %s\n", s.program, s.client, s.flags.listen)
	for {
		conn, err := ln.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("socket: %w", err)
		}
		if err := peerIs(conn, s.client); err != nil { // before a byte is read or written
			s.refuse(err)
			_ = conn.Close()
			continue
		}
		select {
		case s.waiting <- struct{}{}:
			s.group.Go(func() { s.attend(ctx, conn) })
		default:
			_ = conn.Close()
		}
	}
}

// refuse tells the log, and posd's audit log, of connections by others: once a minute, with how many there were.
func (s *service) refuse(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused++
	if now := time.Now(); s.told.IsZero() || now.Sub(s.told) >= refusalsAt {
		what := fmt.Sprintf("connection refused: %v (%d since this was last said)", why, s.refused)
		s.told, s.refused = now, 0
		fmt.Fprintln(os.Stderr, "keyd:", what)
		if s.module != nil {
			m := s.module
			s.group.Go(func() { m.terminal.Event(secure.Event{What: what}) })
		}
	}
}

// attend is one connection, from hello to its end.
func (s *service) attend(ctx context.Context, conn net.Conn) {
	defer func() { _ = conn.Close() }() // closed twice it does no harm
	h, err := s.hello(conn)
	if err == nil {
		err = s.take(ctx)
	}
	<-s.waiting
	if err != nil {
		_ = secure.Greet(conn, err) // whoever said no hello understands it or not
		fmt.Fprintln(os.Stderr, "keyd:", err)
		return
	}
	defer func() { <-s.slot }()
	f := s.flags
	f.options.First = h.First
	fmt.Fprintf(os.Stderr, "keyd: posd %s is connected\n", h.Program)
	err = serve(ctx, f, conn, s.serving)
	s.serving(nil)
	runtime.GC() // what is to be erased does not wait for the next connection
	if err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, "keyd:", err)
	}
	fmt.Fprintln(os.Stderr, "keyd: posd is no longer connected")
}

func (s *service) hello(conn net.Conn) (secure.Hello, error) {
	if err := conn.SetDeadline(time.Now().Add(helloWithin)); err != nil {
		return secure.Hello{}, err
	}
	h, err := secure.ReadHello(conn, s.program)
	return h, errors.Join(err, conn.SetDeadline(time.Time{}))
}

// take waits a little for the end of the connection before.
func (s *service) take(ctx context.Context) error {
	select {
	case s.slot <- struct{}{}:
		return nil
	case <-time.After(freeWithin):
		return fmt.Errorf("another posd is connected: %w", secure.ErrBusy)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// serving notes which module is served, for events of the socket.
func (s *service) serving(m *module) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.module = m
}

// version is what the build stamped.
func version() string {
	if b, ok := debug.ReadBuildInfo(); ok && b.Main.Version != "" && b.Main.Version != "(devel)" {
		return b.Main.Version
	}
	return "development"
}
