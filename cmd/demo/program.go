package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	readyWithin = 20 * time.Second      // from start to ready; a cold disk and a first database included
	endWithin   = 15 * time.Second      // from SIGTERM to the end; posd waits out its host deadline
	pollEvery   = 10 * time.Millisecond // how often a condition is looked at
	tailBytes   = 4096                  // of a program's log, shown when it fails
	lookWithin  = 5 * time.Second       // one look at a program over its local interface
)

// A program is one child process. Its output goes to a file; it is ended by its own process id and by no other means.
type program struct {
	name  string
	log   string // path of its output
	from  int64  // where this run's output begins in it
	cmd   *exec.Cmd
	ended chan struct{} // closed by the goroutine that waits for the process
	err   error         // of the process; read after ended
}

// launch starts a program. On Linux the kernel ends the child when this process dies; that is tied to the thread that
// starts it, so launch is called from the main goroutine, which main locks to its thread.
func launch(folder, name, binary string, args ...string) (*program, error) {
	p := &program{name: name, log: filepath.Join(folder, name+".log"), ended: make(chan struct{})}
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	defer func() { _ = out.Close() }() // the child has its own descriptor
	info, err := out.Stat()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	p.from = info.Size()
	p.cmd = exec.Command(binary, args...) //nolint:noctx // ended by end, in its own time, not by a context's kill
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.SysProcAttr = childAttributes()
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w: run make build first", name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// until waits for a condition. It fails when the program ends before, when the time is over, or with the context.
func (p *program) until(ctx context.Context, what string, ok func(context.Context) bool) error {
	ctx, stop := context.WithTimeoutCause(ctx, readyWithin, errors.New("out of time"))
	defer stop()
	for {
		if ok(ctx) {
			return nil
		}
		select {
		case <-p.ended:
			return p.failure()
		case <-ctx.Done():
			return fmt.Errorf("%s: %s: %w\n%s", p.name, what, context.Cause(ctx), p.tail())
		case <-time.After(pollEvery):
		}
	}
}

// failure says that the program ended though nobody told it to, in the program's own words.
func (p *program) failure() error {
	said := p.tail()
	if strings.HasPrefix(said, p.name+": ") && !strings.Contains(said, "\n") {
		return errors.New(said) // one line that says it all
	}
	how := "without an error"
	if p.err != nil {
		how = p.err.Error()
	}
	return fmt.Errorf("%s ended by itself (%s); it said:\n%s", p.name, how, said)
}

// tail is the end of what the program wrote in this run.
func (p *program) tail() string {
	text := p.output()
	if len(text) > tailBytes {
		text = text[len(text)-tailBytes:]
	}
	return strings.TrimSpace(text)
}

// output is all that the program wrote in this run.
func (p *program) output() string {
	text, err := os.ReadFile(p.log)
	if err != nil || int64(len(text)) < p.from {
		return ""
	}
	return string(text[p.from:])
}

// end asks the program to end, and insists after a while.
func (p *program) end() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
	select {
	case <-p.ended:
	case <-time.After(endWithin):
		p.kill()
	}
}

// kill ends the program as a power cut would.
func (p *program) kill() {
	_ = p.cmd.Process.Kill() // it may have ended already
	<-p.ended
}
