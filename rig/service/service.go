//go:build linux

// Package service is what a test orders in its guest: run and watch programs, read and write files, dial sockets, and plug a USB
// device in whose other end is the test. Guest is the test's side; Serve runs in the guest, as root.
//
// Each order is a stream of a tunnel: one line of JSON, then either a reply, one line too, or the bytes of the connection that
// was asked for. It is made for tests and asks nobody who they are.
package service

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"strings"
	"time"

	"tillway/device/emulator/virtualusb"
	"tillway/rig/tunnel"
)

// order is the first line of a stream.
type order struct {
	Do      string           `json:"do"`
	Name    string           `json:"name,omitempty"` // of a started program
	Args    []string         `json:"args,omitempty"`
	Env     []string         `json:"env,omitempty"`
	Input   string           `json:"input,omitempty"`
	Path    string           `json:"path,omitempty"`
	Data    []byte           `json:"data,omitempty"`
	Mode    fs.FileMode      `json:"mode,omitempty"`
	Signal  int              `json:"signal,omitempty"`
	Network string           `json:"network,omitempty"`
	Address string           `json:"address,omitempty"`
	Speed   virtualusb.Speed `json:"speed,omitempty"`
}

// reply is what comes back, for all orders but those for a connection.
type reply struct {
	Error  string   `json:"error,omitempty"`
	Status int      `json:"status,omitempty"` // exit status; -1: ended by a signal
	Output []byte   `json:"output,omitempty"`
	Use    Use      `json:"use"`
	Names  []string `json:"names,omitempty"`
}

// Use is what a program holds of the guest.
type Use struct {
	PID     int `json:"pid"`
	Handles int `json:"handles"` // open file descriptors
	Threads int `json:"threads"`
	Memory  int `json:"memory"` // kilobytes resident
}

// ErrGuest says that the guest could not do what was ordered.
var ErrGuest = errors.New("guest")

// Guest gives orders to the guest at the other end of a tunnel. Its methods may be called from any goroutine.
type Guest struct{ Tunnel *tunnel.Session }

// ask sends an order and reads its reply. The context ends the wait, not what the guest does.
func (g Guest) ask(ctx context.Context, o order) (reply, error) {
	st, err := g.begin(o)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = st.Close() }() // the reply is there, or the wait was given up
	stop := context.AfterFunc(ctx, func() { _ = st.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	var r reply
	if err := json.NewDecoder(st).Decode(&r); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return r, fmt.Errorf("%w: %s %s: %w", ErrGuest, o.Do, strings.Join(append([]string{o.Name, o.Path}, o.Args...), " "), err)
	}
	if r.Error != "" {
		return r, fmt.Errorf("%w: %s", ErrGuest, r.Error)
	}
	return r, nil
}

func (g Guest) begin(o order) (*tunnel.Stream, error) {
	line, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	st, err := g.Tunnel.Open()
	if err != nil {
		return nil, err
	}
	if _, err := st.Write(append(line, '\n')); err != nil {
		_ = st.Close()
		return nil, err
	}
	return st, nil
}

// Hello is the guest's sign of life.
func (g Guest) Hello(ctx context.Context) error {
	_, err := g.ask(ctx, order{Do: "hello"})
	return err
}

// Run runs a program to its end. What it printed, on both outputs, comes with its exit status. env is added to the guest's.
func (g Guest) Run(ctx context.Context, env []string, input string, args ...string) (printed string, status int, err error) {
	r, err := g.ask(ctx, order{Do: "run", Args: args, Env: env, Input: input})
	return string(r.Output), r.Status, err
}

// Start starts a program under a name; its output is kept, for Log.
func (g Guest) Start(ctx context.Context, name string, args ...string) error {
	_, err := g.ask(ctx, order{Do: "start", Name: name, Args: args})
	return err
}

// Log is what a started program has printed so far.
func (g Guest) Log(ctx context.Context, name string) (string, error) {
	r, err := g.ask(ctx, order{Do: "log", Name: name})
	return string(r.Output), err
}

// End sends a program a signal and waits for its end.
func (g Guest) End(ctx context.Context, name string, signal int) error {
	_, err := g.ask(ctx, order{Do: "end", Name: name, Signal: signal})
	return err
}

// Use is what a started program holds. Error: ErrGuest also when it runs no more.
func (g Guest) Use(ctx context.Context, name string) (Use, error) {
	r, err := g.ask(ctx, order{Do: "use", Name: name})
	return r.Use, err
}

// Write writes a file, and the folders above it.
func (g Guest) Write(ctx context.Context, path string, mode fs.FileMode, data []byte) error {
	_, err := g.ask(ctx, order{Do: "write", Path: path, Mode: mode, Data: data})
	return err
}

// Read reads a file.
func (g Guest) Read(ctx context.Context, path string) ([]byte, error) {
	r, err := g.ask(ctx, order{Do: "read", Path: path})
	return r.Output, err
}

// Glob lists the files that match a pattern.
func (g Guest) Glob(ctx context.Context, pattern string) ([]string, error) {
	r, err := g.ask(ctx, order{Do: "glob", Path: pattern})
	return r.Names, err
}

// Dial connects to a socket in the guest.
func (g Guest) Dial(_ context.Context, network, address string) (net.Conn, error) {
	return g.begin(order{Do: "dial", Network: network, Address: address})
}

// Plug plugs a USB device into the guest. What comes and goes on the connection is USB/IP behind its import (CMD_SUBMIT and what
// follows): whoever answers it is the device. Closing it pulls the cable.
func (g Guest) Plug(_ context.Context, speed virtualusb.Speed) (net.Conn, error) {
	return g.begin(order{Do: "plug", Speed: speed})
}

// readOrder reads the first line of a stream.
func readOrder(r io.Reader) (order, *bufio.Reader, error) {
	const most = 64 << 20 // a program that is written may be large
	lines := bufio.NewReader(r)
	line, err := readLine(lines, most)
	if err != nil {
		return order{}, nil, err
	}
	var o order
	err = json.Unmarshal(line, &o)
	return o, lines, err
}

func readLine(r *bufio.Reader, most int) (line []byte, err error) {
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		if err == nil || !errors.Is(err, bufio.ErrBufferFull) || len(line) > most {
			return line, err
		}
	}
}
