package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// keep runs a service until it ends, and writes down what it says of itself: the parent of the program, as systemd is.
func keep(name string) error {
	u, err := readUnit(name)
	if err != nil {
		return err
	}
	state := "exit status 0"
	if err := u.run(); err != nil {
		state = err.Error()
	}
	return os.WriteFile(file(name, "ended"), []byte(state+"\n"), 0o644) //nolint:gosec // a test's
}

func (u *unit) run() error {
	who, err := u.credential()
	if err != nil {
		return err
	}
	if err := own("/run", u.runtime, u.runtimeMode, who); err != nil {
		return err
	}
	for _, name := range u.states {
		if err := own("/var/lib", name, u.stateMode, who); err != nil {
			return err
		}
	}
	at := file(u.name, "notify")
	_ = os.Remove(at) // of the run before
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: at, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer socket.Close()
	if err := os.Chmod(at, 0o666); err != nil { //nolint:gosec // the service is another user
		return err
	}
	syscall.Umask(u.umask)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	c := exec.CommandContext(ctx, u.exec[0], u.exec[1:]...) //nolint:gosec // the package's unit
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
	c.WaitDelay = u.stopWithin
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	c.Dir = "/"
	c.SysProcAttr = &syscall.SysProcAttr{Credential: who}
	c.Env = append([]string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "NOTIFY_SOCKET=" + at}, u.environment...)
	if u.watchdog > 0 {
		c.Env = append(c.Env, "WATCHDOG_USEC="+strconv.FormatInt(u.watchdog.Microseconds(), 10))
	}
	if err := c.Start(); err != nil {
		return err
	}
	go u.hear(socket, c.Process)
	if !u.notifies {
		u.note("ready", "started")
	}
	err = c.Wait()
	if errors.Is(err, context.Canceled) && c.ProcessState.Success() {
		return nil
	}
	return err
}

// hear takes the service's signs, and kills it where one is missing for longer than it promised, as systemd does.
func (u *unit) hear(socket *net.UnixConn, program *os.Process) {
	ready := false
	for b := make([]byte, 4096); ; {
		if ready && u.watchdog > 0 {
			_ = socket.SetReadDeadline(time.Now().Add(u.watchdog)) //nolint:forbidigo // it watches the clock; an open socket takes a deadline
		}
		n, err := socket.Read(b)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			fmt.Fprintln(os.Stderr, "keeper: no sign of life:", u.name)
			_ = program.Signal(syscall.SIGABRT) // it may have ended
			return
		}
		if err != nil {
			return
		}
		for line := range strings.Lines(string(b[:n])) {
			switch line = strings.TrimSpace(line); {
			case line == "READY=1":
				ready = true
				u.note("ready", "ready\n")
			case line == "WATCHDOG=1":
				u.note("alive", "x")
			case strings.HasPrefix(line, "STATUS="):
				u.note("status", line[len("STATUS="):]+"\n")
			}
		}
	}
}

// note adds to one of the service's files.
func (u *unit) note(kind, text string) {
	f, err := os.OpenFile(file(u.name, kind), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644) //nolint:gosec // a test's
	if err == nil {
		_, err = f.WriteString(text)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "keeper:", err)
	}
}

// own makes a folder of the service's user.
func own(root, name string, mode os.FileMode, who *syscall.Credential) error {
	if name == "" {
		return nil
	}
	path := filepath.Join(root, name)
	if err := os.MkdirAll(path, mode); err != nil {
		return err
	}
	return errors.Join(os.Chown(path, int(who.Uid), int(who.Gid)), os.Chmod(path, mode))
}

// credential is the service's user, group and further groups.
func (u *unit) credential() (*syscall.Credential, error) {
	who, err := user.Lookup(u.user)
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(who.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	main := who.Gid
	if u.group != "" {
		g, err := user.LookupGroup(u.group)
		if err != nil {
			return nil, err
		}
		main = g.Gid
	}
	gid, err := strconv.ParseUint(main, 10, 32)
	if err != nil {
		return nil, err
	}
	ids, err := who.GroupIds()
	if err != nil {
		return nil, err
	}
	for _, name := range u.groups {
		g, err := user.LookupGroup(name)
		if err != nil {
			return nil, err
		}
		ids = append(ids, g.Gid)
	}
	c := &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	for _, id := range ids {
		n, err := strconv.ParseUint(id, 10, 32)
		if err != nil {
			return nil, err
		}
		c.Groups = append(c.Groups, uint32(n))
	}
	return c, nil
}
