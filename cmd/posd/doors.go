package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"syscall"

	"tillway/till"
	"tillway/till/screen"
)

// screenConfig is where the cashier's screen is.
type screenConfig struct {
	Listen string `toml:"listen"`
}

// address is where the screen's door listens; invalid for none. Only this machine's browser may come in: there is no TLS.
func (s screenConfig) address() (netip.AddrPort, error) {
	if s.Listen == "" {
		return netip.AddrPort{}, nil
	}
	at, err := netip.ParseAddrPort(s.Listen)
	if err != nil || !at.Addr().IsLoopback() || at.Addr().Zone() != "" {
		return netip.AddrPort{}, fmt.Errorf("screen.listen %q: a loopback address and a port, like 127.0.0.1:8580; \"\" for no screen", s.Listen)
	}
	return at, nil
}

// maxConnections bounds the connections of each door on TCP; more wait until one ends.
const maxConnections = 256

// doors are the listeners that the till is behind. The socket is always there.
type doors struct {
	socket net.Listener
	screen net.Listener // nil: there is none
	ecr    net.Listener // that of cash registers, behind TLS; nil: there is none

	metrics net.Listener // that of whoever watches; nil: there is none
	watched http.Handler // what answers there
}

// openDoors opens the listeners; nobody is answered yet. Its error says which key to change.
func openDoors(ctx context.Context, c config, log *slog.Logger) (d doors, err error) {
	if d.socket, err = listen(ctx, c.Socket); err != nil {
		return d, err
	}
	if err := shareSocket(c.Socket, c.SocketGroup); err != nil {
		return d, errors.Join(err, d.close())
	}
	at, err := c.Screen.address()
	if err == nil && at.IsValid() {
		d.screen, err = listenTCP(ctx, "screen", at.String())
	}
	if err == nil && c.ECR.Listen != "" {
		d.ecr, err = openECR(ctx, c, log)
	}
	if err == nil {
		at, err = c.Metrics.address()
	}
	if err == nil && at.IsValid() {
		d.metrics, err = listenTCP(ctx, "metrics", at.String())
	}
	if err != nil {
		return d, errors.Join(err, d.close())
	}
	return d, nil
}

// listenTCP opens a door on TCP. table is its table in the config.
func listenTCP(ctx context.Context, table, address string) (net.Listener, error) {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s is in use: another posd, or another program, listens there; end it, or name another address with listen = in [%s] of the config", address, table)
	case err != nil:
		return nil, fmt.Errorf("[%s] listen: %w", table, err)
	}
	return newLimited(ln, maxConnections), nil
}

func (d doors) all() []net.Listener {
	all := []net.Listener{d.socket}
	if d.screen != nil {
		all = append(all, d.screen)
	}
	if d.ecr != nil {
		all = append(all, d.ecr)
	}
	if d.metrics != nil {
		all = append(all, d.metrics)
	}
	return all
}

// close closes what is open. Those that a server had are closed already.
func (d doors) close() error {
	var errs []error
	for _, ln := range d.all() {
		if err := ln.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// words are the addresses for the ready line.
func (d doors) words() string {
	text := ""
	if d.screen != nil {
		text += fmt.Sprintf(", screen http://%s/", d.screen.Addr())
	}
	if d.ecr != nil {
		text += fmt.Sprintf(", cash registers https://%s/", d.ecr.Addr())
	}
	if d.metrics != nil {
		text += fmt.Sprintf(", figures http://%s/metrics", d.metrics.Addr())
	}
	return text
}

// servers are the till's doors on their listeners; registers answers cash registers.
func (d doors) servers(t *till.Till, registers http.Handler, log *slog.Logger) []*server {
	all := []*server{newServer("socket", d.socket, t.Socket(), log)}
	if d.screen != nil {
		at, err := netip.ParseAddrPort(d.screen.Addr().String())
		if err != nil {
			panic("posd: the screen's own address: " + err.Error())
		}
		all = append(all, newServer("screen", d.screen, t.Screen(at, screen.Handler()), log))
	}
	if d.ecr != nil {
		all = append(all, newServer("ecr", d.ecr, registers, log))
	}
	if d.metrics != nil {
		all = append(all, newServer("metrics", d.metrics, d.watched, log))
	}
	return all
}

// A server is one door while it is open.
type server struct {
	name   string
	ln     net.Listener
	http   *http.Server
	log    *slog.Logger
	failed error // why it ended by itself; for whoever has waited for serve
}

func newServer(name string, ln net.Listener, h http.Handler, log *slog.Logger) *server {
	return &server{name: name, ln: ln, log: log, http: &http.Server{
		Handler: h, ReadHeaderTimeout: till.HeaderTimeout, IdleTimeout: till.IdleTimeout, MaxHeaderBytes: till.MaxHeaderBytes,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug), // what a client did wrong on its connection
	}}
}

// serve answers until end; requests end with ctx.
func (s *server) serve(ctx context.Context) error {
	s.http.BaseContext = func(net.Listener) context.Context { return ctx }
	if err := s.http.Serve(s.ln); !errors.Is(err, http.ErrServerClosed) {
		s.failed = fmt.Errorf("%s door: %w", s.name, err)
	}
	return s.failed
}

// end closes the door, and waits for requests that run until ctx ends.
func (s *server) end(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		s.log.Warn("local interface closed with requests open", "door", s.name, "err", err)
		return s.http.Close()
	}
	return nil
}

// listen opens the local socket, for this user only. A socket that a killed daemon left behind is taken over.
func listen(ctx context.Context, path string) (net.Listener, error) {
	var d net.Dialer
	if c, err := d.DialContext(ctx, "unix", path); err == nil {
		return nil, errors.Join(fmt.Errorf("socket %s is in use: another posd answers there; stop it, or name another with socket = in the config", path), c.Close())
	}
	if fi, err := os.Lstat(path); err == nil {
		if fi.Mode()&os.ModeSocket == 0 {
			return nil, fmt.Errorf("socket %s: a file that is no socket is in the way; move it, or name another with socket = in the config", path)
		}
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("socket: %w", err)
		}
	}
	old := syscall.Umask(0o177)
	defer syscall.Umask(old)
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("socket %s: %w", path, err)
	}
	return ln, nil
}
