package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// session is who is logged in on this side: a file of mode 0600 that belongs to the user who typed the secret. It holds the
// token, and for which daemon it is.
type session struct {
	Socket string `json:"socket"`
	Name   string `json:"name"`
	Token  string `json:"token"`
}

const maxSession = 4 << 10

// sessionPath is the file that TILLWAY_SESSION names, else one in the user's runtime folder, else in the home folder.
func (a *app) sessionPath() string {
	if p := a.env("TILLWAY_SESSION"); p != "" {
		return p
	}
	if d := a.env("XDG_RUNTIME_DIR"); d != "" {
		return filepath.Join(d, "tillway-session")
	}
	if d := a.env("HOME"); d != "" {
		return filepath.Join(d, ".tillway-session")
	}
	return ""
}

// readSession is the session for a daemon's socket; none is no error. A file that others may read is refused: who has the
// token is that person.
func (a *app) readSession(socket string) (session, error) {
	path := a.sessionPath()
	if path == "" {
		return session{}, nil
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW, 0) //nolint:gosec // the user's own file
	if errors.Is(err, fs.ErrNotExist) {
		return session{}, nil
	}
	if err != nil {
		return session{}, fmt.Errorf("session: %w", err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return session{}, fmt.Errorf("session: %w", err)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0 || !ok || int(st.Uid) != os.Geteuid() {
		return session{}, fmt.Errorf("session: %s must be a file of yours that nobody else may read: remove it and log in again", path)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxSession))
	if err != nil {
		return session{}, fmt.Errorf("session: %w", err)
	}
	var s session
	if json.Unmarshal(b, &s) != nil || !sameSocket(s.Socket, socket) {
		return session{}, nil // another daemon's, or nobody's
	}
	return s, nil
}

func sameSocket(a, b string) bool {
	x, err1 := filepath.Abs(a)
	y, err2 := filepath.Abs(b)
	return err1 == nil && err2 == nil && x == y
}

// keepSession writes the session, whole or not at all.
func (a *app) keepSession(s session) error {
	path := a.sessionPath()
	if path == "" {
		return errors.New("session: there is no folder to keep it in: set TILLWAY_SESSION or HOME")
	}
	full, err := filepath.Abs(s.Socket)
	if err != nil {
		return fmt.Errorf("session: %w", err)
	}
	s.Socket = full
	b, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("session: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".tillway-session-*") // mode 0600
	if err != nil {
		return fmt.Errorf("session: %w", err)
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("session: %w", errors.Join(err, os.Remove(f.Name())))
	}
	return nil
}

func (a *app) dropSession() error {
	path := a.sessionPath()
	if path == "" {
		return nil
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("session: %w", err)
	}
	return nil
}
