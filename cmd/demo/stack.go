package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// A stack is the three programs that make a terminal: the host it asks, the reader it reads, and the daemon itself.
type stack struct {
	programs   string // folder of the binaries
	folder     string // folder of everything that they write
	config     string // posd's, in folder
	host       string // host:port of the host simulator
	hostHTTP   string // host:port of its local interface
	screen     string // host:port of the cashier's screen; empty: none
	ecr        string // host:port of the door for cash registers; empty: none
	late       string // how late the host's late answers are; empty is the host's own default
	requireMAC bool   // the host refuses messages without a MAC
	keys       string // what keys the host gives its terminals; empty is the host's own default
	hand       string // what the emulated customer does by itself
	stripe     bool   // there is a stripe reader too
	page       string // host:port of the virtual reader's local page; empty: none
	running    []*program
}

func (s *stack) path(name string) string { return filepath.Join(s.folder, name) }

func (s *stack) binary(name string) string { return filepath.Join(s.programs, name) }

// start starts one program and waits until it says that it is ready.
func (s *stack) start(ctx context.Context, name string, args ...string) error {
	p, err := launch(s.folder, name, s.binary(name), args...)
	if err != nil {
		return err
	}
	s.running = append(s.running, p)
	return p.until(ctx, "waiting for it to be ready", func(context.Context) bool { return saysReady(p.output(), name) })
}

// saysReady finds the line that each program prints when it is ready: its name first.
func saysReady(output, name string) bool {
	for line := range strings.Lines(output) {
		if strings.HasPrefix(line, name) && strings.Contains(line, " ready") && strings.HasSuffix(line, "\n") {
			return true
		}
	}
	return false
}

func (s *stack) startHost(ctx context.Context) error {
	args := []string{"--listen", s.host, "--http", s.hostHTTP, "--state", s.path("host"), "--partial"}
	if s.late != "" {
		args = append(args, "--late", s.late)
	}
	if s.requireMAC {
		args = append(args, "--require-mac")
	}
	if s.keys != "" {
		args = append(args, "--keys", s.keys)
	}
	return s.start(ctx, "hostsim", args...)
}

func (s *stack) startReader(ctx context.Context) error {
	args := []string{"gempc", "--link", s.path("reader"), "--card", "credit", "--hand", s.hand, "--control", s.path("reader.ctl")}
	if s.stripe {
		args = append(args, "--stripe", s.path("stripe"))
	}
	if s.page != "" {
		args = append(args, "--page", s.page)
	}
	return s.start(ctx, "readeremu", args...)
}

func (s *stack) startTerminal(ctx context.Context) error {
	return s.start(ctx, "posd", "--config", s.config)
}

// startAll starts what the terminal needs before the terminal.
func (s *stack) startAll(ctx context.Context) error {
	for _, start := range []func(context.Context) error{s.startHost, s.startReader, s.startTerminal} {
		if err := start(ctx); err != nil {
			return err
		}
	}
	return nil
}

// take removes a program from those that run: the caller ends it.
func (s *stack) take(name string) (*program, error) {
	i := slices.IndexFunc(s.running, func(p *program) bool { return p.name == name })
	if i < 0 {
		return nil, fmt.Errorf("%s does not run", name)
	}
	p := s.running[i]
	s.running = slices.Delete(s.running, i, i+1)
	return p, nil
}

// end ends everything that this stack started and that still runs: the terminal first, while host and reader are there.
func (s *stack) end() {
	for _, p := range slices.Backward(s.running) {
		p.end()
	}
	s.running = nil
}

// firstToEnd waits until a program ends by itself, and says so, or until the context ends.
func (s *stack) firstToEnd(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	var watching sync.WaitGroup
	defer func() { stop(); watching.Wait() }()
	ended := make(chan *program, len(s.running))
	for _, p := range s.running {
		watching.Go(func() {
			select {
			case <-p.ended:
				ended <- p
			case <-ctx.Done():
			}
		})
	}
	select {
	case p := <-ended:
		return p.failure()
	case <-ctx.Done():
		return nil
	}
}

// free makes sure that an address is nobody's, before anything is started.
func free(ctx context.Context, address string) error {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s is in use, probably by a terminal that is up already: use that one, or end it (Ctrl-C in its window) and try again", address)
	}
	if err != nil {
		return err
	}
	return l.Close()
}

// short is a path as a person in this folder would write it.
func short(path string) string {
	here, err := os.Getwd()
	if err != nil {
		return path
	}
	near, err := filepath.Rel(here, path)
	if err != nil || strings.HasPrefix(near, "..") {
		return path
	}
	return near
}
