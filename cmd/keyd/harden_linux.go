package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// harden closes the process to others, and says in words how far that went. What must hold and does not is an error.
func harden() (string, error) {
	// It is a thread's: those that run already need it too, and only a program without cgo can reach them.
	privileges := "no new privileges"
	_, _, errno := syscall.AllThreadsSyscall6(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0)
	switch {
	case errors.Is(errno, syscall.ENOTSUP):
		privileges = "warning: built with cgo, so that it may get new privileges (make build builds it without)"
	case errno != 0:
		return "", fmt.Errorf("no new privileges: %w", errno)
	}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return "", fmt.Errorf("no core files: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return "", fmt.Errorf("not dumpable: %w", err)
	}
	unix.Umask(0o077)
	if err := os.Chdir("/"); err != nil {
		return "", err
	}
	parts := []string{"a process of its own", "not dumpable", "no core files", privileges}
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_MEMLOCK, &limit) == nil && (limit.Cur == unix.RLIM_INFINITY || os.Geteuid() == 0) &&
		unix.Mlockall(unix.MCL_CURRENT|unix.MCL_FUTURE|unix.MCL_ONFAULT) == nil {
		parts = append(parts, "all its memory locked")
	} else {
		parts = append(parts, "only its key memory locked (raise ulimit -l for all of it)")
	}
	return strings.Join(parts, ", "), nil
}

// allowed refuses a program of another user, root excepted: the socket's mode says the same, where it is honoured.
func allowed(conn net.Conn) error {
	uid, err := peer(conn)
	if err == nil && uid != 0 && int(uid) != os.Geteuid() {
		err = fmt.Errorf("user %d may not", uid)
	}
	return err
}

// peerIs refuses a program of every user but one, root too. The kernel says who connected, not the program.
func peerIs(conn net.Conn, user uint32) error {
	uid, err := peer(conn)
	if err == nil && uid != user {
		err = fmt.Errorf("user %d may not", uid)
	}
	return err
}

func peer(conn net.Conn) (uint32, error) {
	u, ok := conn.(*net.UnixConn)
	if !ok {
		return 0, fmt.Errorf("a %T is no unix socket", conn)
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Ucred
	var inner error
	if err := raw.Control(func(fd uintptr) { cred, inner = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); err != nil {
		return 0, err
	}
	if inner != nil {
		return 0, inner
	}
	return cred.Uid, nil
}
