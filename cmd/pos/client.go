package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"tillway/till"
)

const (
	socketName    = "posd.sock"
	systemSocket  = "/run/tillway/posd.sock"
	maxAnswer     = 16 << 20 // bytes
	requestLimit  = 20 * time.Second
	watchLimit    = 60 * time.Second // longer than the daemon keeps a watch open
	typeOfProblem = "application/problem+json"
)

// errLost says that the daemon cannot be talked with: not there, gone, or no permission. The text says which.
var errLost = errors.New("the terminal's daemon is not reachable")

// client talks with the daemon.
type client struct {
	socket  string
	http    *http.Client
	session func() (session, error) // who is logged in
}

// findSocket is the path at which the daemon's socket is looked for.
func (a *app) findSocket() string {
	if a.socket != "" {
		return a.socket
	}
	if s := a.env("TILLWAY_SOCKET"); s != "" {
		return s
	}
	places := []string{filepath.Join("run", socketName)}
	if a.executable != "" {
		places = append(places, filepath.Join(filepath.Dir(a.executable), "..", "run", socketName))
	}
	for _, p := range places {
		if _, err := os.Stat(p); err == nil {
			return p
		}
	}
	return systemSocket
}

func (a *app) client() *client {
	path := a.findSocket()
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) { return a.dial(ctx, path) }
	return &client{socket: path, session: func() (session, error) { return a.readSession(path) }, http: &http.Client{Transport: &http.Transport{DialContext: dial, MaxIdleConns: 2}}}
}

func dialSocket(ctx context.Context, path string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "unix", path)
}

// close ends the connections that are kept open.
func (c *client) close() { c.http.CloseIdleConnections() }

// get asks for path and reads the JSON answer into v.
func (c *client) get(ctx context.Context, path string, v any) error {
	return c.call(ctx, requestLimit, http.MethodGet, path, nil, v)
}

func (c *client) post(ctx context.Context, path string, body, v any) error {
	return c.call(ctx, requestLimit, http.MethodPost, path, body, v)
}

func (c *client) watch(ctx context.Context, path string, v any) error {
	return c.call(ctx, watchLimit, http.MethodGet, path, nil, v)
}

func (c *client) call(ctx context.Context, limit time.Duration, method, path string, body, v any) error {
	answer, err := c.raw(ctx, limit, method, path, body)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(answer, v); err != nil {
		return &exit{exitUnreachable, fmt.Errorf("the daemon's answer to %s cannot be read: is it of another release? %w", path, err)}
	}
	return nil
}

// raw makes one request and returns a successful answer's body. Errors: *till.Problem, errLost, the context's.
func (c *client) raw(ctx context.Context, limit time.Duration, method, path string, body any) ([]byte, error) {
	var in []byte
	header := map[string]string{}
	if body != nil {
		var err error
		if in, err = json.Marshal(body); err != nil {
			return nil, fmt.Errorf("request: %w", err)
		}
		header["Content-Type"] = "application/json"
	}
	return c.exchange(ctx, limit, method, path, in, header)
}

// send posts what is not JSON.
func (c *client) send(ctx context.Context, path string, body []byte, kind string, header map[string]string) ([]byte, error) {
	header["Content-Type"] = kind
	return c.exchange(ctx, requestLimit, http.MethodPost, path, body, header)
}

func (c *client) exchange(ctx context.Context, limit time.Duration, method, path string, body []byte, header map[string]string) ([]byte, error) {
	ctx, stop := context.WithTimeout(ctx, limit)
	defer stop()
	resp, err := c.ask(ctx, method, path, body, header)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, c.lost(err)
	}
	return answer, nil
}

// stream is raw for an answer of any length. The caller closes it, and reads it within the limit.
func (c *client) stream(ctx context.Context, limit time.Duration, method, path string) (io.ReadCloser, error) {
	ctx, stop := context.WithTimeout(ctx, limit)
	resp, err := c.ask(ctx, method, path, nil, nil)
	if err != nil {
		stop()
		return nil, err
	}
	return streamed{resp.Body, stop}, nil
}

type streamed struct {
	io.ReadCloser

	stop context.CancelFunc
}

func (s streamed) Close() error {
	defer s.stop()
	return s.ReadCloser.Close()
}

// ask makes one request; the caller closes the body of what is a success.
func (c *client) ask(ctx context.Context, method, path string, body []byte, header map[string]string) (*http.Response, error) {
	var in io.Reader
	if body != nil {
		in = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://posd"+path, in)
	if err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	who, err := c.session()
	if err != nil {
		return nil, err
	}
	if who.Token != "" {
		req.Header.Set("Authorization", "Bearer "+who.Token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.lost(err)
	}
	if resp.StatusCode < 300 {
		return resp, nil
	}
	defer func() { _ = resp.Body.Close() }()
	var p till.Problem
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, c.lost(err)
	}
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), typeOfProblem) || json.Unmarshal(answer, &p) != nil {
		return nil, &exit{exitUnreachable, fmt.Errorf("%s answered %s: is this socket really the daemon's?", c.socket, resp.Status)}
	}
	return nil, &p
}

// lost says in one line why the daemon cannot be talked with and what to do.
func (c *client) lost(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	why := "the connection broke; is posd still running?"
	switch {
	case errors.Is(err, fs.ErrNotExist):
		why = "there is no such socket: start posd (make run, to try it), or name its socket with --socket or TILLWAY_SOCKET"
	case errors.Is(err, syscall.ECONNREFUSED):
		why = "nobody listens on that socket: posd has stopped; start it"
	case errors.Is(err, fs.ErrPermission):
		why = "no permission: run pos as the user that posd runs as, or join its group"
	case errors.Is(err, context.DeadlineExceeded):
		why = "it did not answer in time: see posd's log"
	}
	return &exit{exitUnreachable, fmt.Errorf("%w at %s: %s", errLost, c.socket, why)}
}
