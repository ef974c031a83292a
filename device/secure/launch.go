package secure

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// SocketFD is where a module's process finds the socket of the one who started it.
const SocketFD = 3

// endWithin is how long a module may take to end once its socket is closed.
const endWithin = 5 * time.Second

// Process is a module in a process of its own, and its client.
type Process struct {
	*Client
	command *exec.Cmd
	ended   chan struct{} // closed when the process has been waited for
}

// Launch starts program with args as a module at the other end of a socket pair, and waits until it is ready. Its standard
// error goes to log. It inherits no environment. Errors: the module's own, so ErrFiles, ErrLocked, ErrDestroyed.
func Launch(ctx context.Context, program string, args []string, log io.Writer, event func(Event)) (*Process, error) {
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, fmt.Errorf("secure module: %w", err)
	}
	p := &Process{ended: make(chan struct{})}
	p.command = exec.Command(program, args...) //nolint:noctx,gosec // it ends with its socket; the configuration names the program
	p.command.Env = []string{}
	p.command.ExtraFiles = []*os.File{theirs}
	p.command.Stderr = log
	err = errors.Join(p.command.Start(), theirs.Close())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("secure module: %w: build cmd/keyd, and put keyd beside posd or name it with keys.program in the config", err), ours.Close())
	}
	p.Client = NewClient(ours, event)
	go func() {
		defer close(p.ended)
		_ = p.command.Wait() // its end shows at the socket
	}()
	if err := p.Greeting(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("secure module: %w", err), p.Close())
	}
	return p, nil
}

// PID is the process's.
func (p *Process) PID() int { return p.command.Process.Pid }

// Close hangs up and waits for the process's end, which it enforces after a while.
func (p *Process) Close() error {
	err := p.Client.Close()
	insist := time.AfterFunc(endWithin, func() { _ = p.command.Process.Kill() }) // it may have ended
	defer insist.Stop()
	<-p.ended
	return err
}

// socketPair is a connection and, for the child, the file of its other end.
func socketPair() (net.Conn, *os.File, error) {
	syscall.ForkLock.RLock()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fds[0])
		syscall.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, fmt.Errorf("socket pair: %w", err)
	}
	own, theirs := os.NewFile(uintptr(fds[0]), "module"), os.NewFile(uintptr(fds[1]), "posd")
	conn, err := net.FileConn(own)
	if err = errors.Join(err, own.Close()); err != nil {
		return nil, nil, errors.Join(err, theirs.Close())
	}
	return conn, theirs, nil
}
