// Command keeper stands in for systemctl and systemd in a test's file tree, where no systemd can run: it starts services as their files
// say, as their users, and holds them to what they promise (ready, alive, ended in time). It confines nothing: that is systemd's part.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

const folder = "/run/keeper"

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "keeper:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	all := args
	args = slices.DeleteFunc(slices.Clone(args), func(a string) bool { return strings.HasPrefix(a, "-") })
	if len(args) == 0 {
		return errors.New("say what to do")
	}
	if err := os.MkdirAll(folder, 0o755); err != nil { //nolint:gosec // a test's
		return err
	}
	what, units := args[0], args[1:]
	switch what {
	case "keep":
		return keep(units[0])
	case "daemon-reload":
		return nil
	case "preset", "enable", "disable", "mask", "unmask", "is-enabled", "show": // links alone: systemctl itself does that without systemd
		return syscall.Exec("/usr/bin/systemctl", append([]string{"systemctl"}, all...), append(os.Environ(), "SYSTEMD_OFFLINE=1"))
	}
	for _, name := range units {
		if err := act(what, name); err != nil {
			return err
		}
	}
	return nil
}

// act does one thing to one service.
func act(what, name string) error {
	switch what {
	case "start":
		return start(name)
	case "stop":
		return stop(name)
	case "restart":
		if err := stop(name); err != nil {
			return err
		}
		return start(name)
	case "try-restart":
		if pidOf(name) == 0 {
			return nil
		}
		return act("restart", name)
	case "is-active":
		if pidOf(name) == 0 {
			return fmt.Errorf("%s is not active", name)
		}
		return nil
	case "watched":
		return watched(name)
	}
	return fmt.Errorf("%s is not known here", what)
}

func file(name, kind string) string { return filepath.Join(folder, name+"."+kind) }

// said is the content of one of a service's files.
func said(name, kind string) string {
	text, _ := os.ReadFile(file(name, kind)) // none: nothing was said
	return strings.TrimSpace(string(text))
}

// pidOf is the keeper's process of a service that runs, or 0.
func pidOf(name string) int {
	var pid int
	if _, err := fmt.Sscan(said(name, "pid"), &pid); err != nil || syscall.Kill(pid, 0) != nil {
		return 0
	}
	return pid
}

// start starts a service, after those it wants, and waits until it says that it is ready.
func start(name string) error {
	u, err := readUnit(name)
	if err != nil {
		return err
	}
	for _, other := range u.wantedBefore {
		if err := start(other); err != nil {
			return err
		}
	}
	if pidOf(name) != 0 {
		return nil
	}
	for _, kind := range []string{"ready", "alive", "ended"} {
		_ = os.Remove(file(name, kind)) // of the run before
	}
	log, err := os.OpenFile(file(name, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644) //nolint:gosec // a test's
	if err != nil {
		return err
	}
	defer log.Close()
	c := exec.Command("/proc/self/exe", "keep", name) //nolint:noctx // it outlives this process on purpose
	c.Stdout, c.Stderr = log, log
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := c.Start(); err != nil {
		return err
	}
	if err := os.WriteFile(file(name, "pid"), fmt.Appendln(nil, c.Process.Pid), 0o644); err != nil { //nolint:gosec // a test's
		return err
	}
	go func() { _ = c.Wait() }() // its end is told in its file
	for range 600 {
		switch {
		case said(name, "ready") != "":
			return nil
		case said(name, "ended") != "":
			return fmt.Errorf("%s ended before it was ready (%s): %s", name, said(name, "ended"), said(name, "log"))
		}
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("%s never said READY=1: %s", name, said(name, "log"))
}

// stop ends a service with SIGTERM and says when it did not end by itself.
func stop(name string) error {
	pid := pidOf(name)
	if pid == 0 {
		return nil
	}
	u, err := readUnit(name)
	if err != nil {
		return err
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		return err
	}
	for range int(u.stopWithin/(100*time.Millisecond)) + 50 {
		if ended := said(name, "ended"); ended != "" {
			_ = os.Remove(file(name, "pid")) // it is over
			if ended != "exit status 0" {
				return fmt.Errorf("%s did not end as it should: %s: %s", name, ended, said(name, "log"))
			}
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("%s did not end", name)
}

// watched waits until a service has given two signs of life.
func watched(name string) error {
	u, err := readUnit(name)
	if err != nil || u.watchdog == 0 {
		return errors.Join(err, fmt.Errorf("%s has no WatchdogSec, or cannot be read", name))
	}
	for range int(2*u.watchdog/(100*time.Millisecond)) + 50 {
		if len(said(name, "alive")) > 1 {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("%s gave %d signs of life, want two", name, len(said(name, "alive")))
}
