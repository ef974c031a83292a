//go:build linux

package service

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"tillway/rig/tunnel"
)

// guest is the guest's side: the programs that it has started.
type guest struct {
	folder string // of the programs' output
	usb    ports

	mu       sync.Mutex
	programs map[string]*program
}

type program struct {
	log   string
	cmd   *exec.Cmd
	ended chan struct{}
}

// Serve carries out orders until the tunnel ends. folder keeps what started programs print.
func Serve(ctx context.Context, s *tunnel.Session, folder string) error {
	g := &guest{folder: folder, programs: map[string]*program{}}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for {
		st, err := s.Accept(ctx)
		if err != nil {
			return err
		}
		go g.serve(ctx, st)
	}
}

func (g *guest) serve(ctx context.Context, st *tunnel.Stream) {
	defer func() { _ = st.Close() }() // the other side reads what was written first
	o, rest, err := readOrder(st)
	if err == nil && (o.Do == "dial" || o.Do == "plug") {
		if err := g.connect(ctx, o, rest, st); err != nil {
			fmt.Fprintln(os.Stderr, "guest:", o.Do, err) // on the console, which a failing test shows
		}
		return
	}
	var r reply
	if err == nil {
		r, err = g.do(ctx, o)
	}
	if err != nil {
		r.Error = err.Error()
	}
	_ = json.NewEncoder(st).Encode(r) // who asked may have gone
}

var errOrder = errors.New("no such order")

func (g *guest) do(ctx context.Context, o order) (r reply, err error) {
	switch o.Do {
	case "hello":
	case "run":
		r.Output, r.Status, err = run(ctx, o)
	case "start":
		err = g.start(o)
	case "log":
		r.Output, err = os.ReadFile(filepath.Join(g.folder, o.Name))
	case "end":
		err = g.end(o)
	case "use":
		r.Use, err = g.use(o.Name)
	case "write":
		if err = os.MkdirAll(filepath.Dir(o.Path), 0o755); err == nil {
			err = os.WriteFile(o.Path, o.Data, o.Mode)
		}
	case "read":
		r.Output, err = os.ReadFile(o.Path)
	case "glob":
		r.Names, err = filepath.Glob(o.Path)
	default:
		err = fmt.Errorf("%w: %q", errOrder, o.Do)
	}
	return r, err
}

func run(ctx context.Context, o order) (printed []byte, status int, err error) {
	if len(o.Args) == 0 {
		return nil, 0, errOrder
	}
	cmd := exec.CommandContext(ctx, o.Args[0], o.Args[1:]...)
	cmd.Env = append(os.Environ(), o.Env...)
	cmd.Stdin = strings.NewReader(o.Input)
	printed, err = cmd.CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return printed, exit.ExitCode(), nil
	}
	return printed, 0, err
}

func (g *guest) start(o order) error {
	if len(o.Args) == 0 {
		return errOrder
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if p := g.programs[o.Name]; p != nil && p.running() {
		return fmt.Errorf("%s runs already", o.Name)
	}
	p := &program{log: filepath.Join(g.folder, o.Name), ended: make(chan struct{})}
	out, err := os.Create(p.log)
	if err != nil {
		return err
	}
	defer func() { _ = out.Close() }()             // the program has its own descriptor
	p.cmd = exec.Command(o.Args[0], o.Args[1:]...) //nolint:noctx // ended by an order, or with the guest
	p.cmd.Stdout, p.cmd.Stderr = out, out
	if err := p.cmd.Start(); err != nil {
		return err
	}
	g.programs[o.Name] = p
	go func() {
		_ = p.cmd.Wait() // what it says is in its log
		close(p.ended)
	}()
	return nil
}

func (p *program) running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

var errNotRunning = errors.New("does not run")

func (g *guest) program(name string) (*program, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.programs[name]
	if p == nil {
		return nil, fmt.Errorf("%s %w", name, errNotRunning)
	}
	if !p.running() {
		said, _ := os.ReadFile(p.log) // what there is
		return nil, fmt.Errorf("%s %w; it said:\n%s", name, errNotRunning, said)
	}
	return p, nil
}

func (g *guest) end(o order) error {
	p, err := g.program(o.Name)
	if err != nil {
		return err
	}
	if err := p.cmd.Process.Signal(syscall.Signal(o.Signal)); err != nil {
		return err
	}
	<-p.ended
	return nil
}

func (g *guest) use(name string) (Use, error) {
	p, err := g.program(name)
	if err != nil {
		return Use{}, err
	}
	u := Use{PID: p.cmd.Process.Pid}
	folder := filepath.Join("/proc", fmt.Sprint(u.PID))
	handles, err := os.ReadDir(filepath.Join(folder, "fd"))
	if err != nil {
		return u, err
	}
	u.Handles = len(handles)
	status, err := os.ReadFile(filepath.Join(folder, "status"))
	for line := range bytes.Lines(status) {
		_, _ = fmt.Sscanf(string(line), "Threads: %d", &u.Threads) // other lines
		_, _ = fmt.Sscanf(string(line), "VmRSS: %d", &u.Memory)
	}
	return u, err
}

// connect joins the stream with what was asked for until either ends.
func (g *guest) connect(ctx context.Context, o order, rest io.Reader, st *tunnel.Stream) error {
	var conn io.ReadWriteCloser
	var err error
	if o.Do == "plug" {
		conn, err = g.usb.plug(o.Speed)
	} else {
		d := net.Dialer{Timeout: 5 * time.Second}
		conn, err = d.DialContext(ctx, o.Network, o.Address)
	}
	if err != nil {
		return err
	}
	var both sync.WaitGroup
	both.Go(func() {
		_, _ = io.Copy(conn, rest) // an end like any other
		_ = conn.Close()
	})
	both.Go(func() {
		_, _ = io.Copy(st, conn)
		_ = st.Close()
	})
	both.Wait()
	return nil
}
