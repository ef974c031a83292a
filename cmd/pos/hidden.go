package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

const maxHidden = 256 // bytes of a line that is asked for

var errNoSecret = errors.New("no secret was given: type it, or give it as a line on standard input; never as an argument")

// hidden asks for one line that must not be seen: from a terminal without echo, else the next line of standard input. The
// caller wipes it.
func (a *app) hidden(prompt string) ([]byte, error) { return a.asks(prompt, unix.ECHO) }

// visible asks for one line that may be seen.
func (a *app) visible(prompt string) ([]byte, error) { return a.asks(prompt, 0) }

// asks asks for one line, with what is to be switched off meanwhile of a terminal's local modes.
func (a *app) asks(prompt string, off uint32) ([]byte, error) {
	f, ok := a.in.(*os.File)
	if !ok {
		return hiddenLine(a.in)
	}
	fd := int(f.Fd()) //nolint:gosec // a descriptor is small
	before, err := unix.IoctlGetTermios(fd, getTermios)
	if err != nil { // no terminal
		return hiddenLine(f)
	}
	quiet := *before
	quiet.Lflag &^= off
	if err := unix.IoctlSetTermios(fd, setTermios, &quiet); err != nil {
		return nil, fmt.Errorf("terminal: %w", err)
	}
	restore := func() { _ = unix.IoctlSetTermios(fd, setTermios, before) }
	interrupts := make(chan os.Signal, 1)
	done := make(chan struct{})
	if a.notify != nil {
		a.notify(interrupts)
	}
	stopped := make(chan struct{})
	go func() { // Ctrl-C leaves the terminal as it was
		defer close(stopped)
		select {
		case <-interrupts:
			restore()
			fmt.Fprintln(a.errOut)
			if a.interrupted != nil {
				a.interrupted()
			}
			os.Exit(exitNothingSent)
		case <-done:
		}
	}()
	fmt.Fprint(a.errOut, prompt)
	line, err := hiddenLine(f)
	close(done)
	<-stopped
	signal.Stop(interrupts)
	restore()
	if off != 0 || err != nil { // else the terminal has shown the line's end
		fmt.Fprintln(a.errOut)
	}
	return line, err
}

// hiddenLine reads one line, byte by byte: what follows is for the next question.
func hiddenLine(r io.Reader) ([]byte, error) {
	line := make([]byte, 0, maxHidden)
	one := make([]byte, 1)
	for {
		n, err := r.Read(one)
		if n == 1 && one[0] != '\n' {
			if len(line) == maxHidden {
				clear(line)
				return nil, fmt.Errorf("more than %d bytes: that is no secret", maxHidden)
			}
			line = append(line, one[0])
			continue
		}
		if n == 1 || errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			clear(line)
			return nil, err
		}
	}
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	if len(line) == 0 {
		return nil, errNoSecret
	}
	return line, nil
}

// isTerminal says whether somebody types.
func (a *app) isTerminal() bool {
	f, ok := a.in.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), getTermios) //nolint:gosec // a descriptor is small
	return err == nil
}

// newSecret asks for a new secret; of somebody who types, twice.
func (a *app) newSecret(whose string) ([]byte, error) {
	first, err := a.hidden("New secret of " + whose + ": ")
	if err != nil || !a.isTerminal() {
		return first, err
	}
	again, err := a.hidden("Once more: ")
	defer clear(again)
	if err != nil || string(first) != string(again) {
		clear(first)
		return nil, errors.Join(usage("the two are not the same: nothing was changed"), err)
	}
	return first, nil
}
