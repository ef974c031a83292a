package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// The control interface: POST /v1/do with one order as text, GET /v1/status, GET /v1/log?after=N. Local only.

const maxOrder = 4096

// network tells a socket's path from a loopback address.
func network(addr string) (string, string, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || strings.ContainsRune(addr, '/') {
		path := strings.TrimPrefix(addr, "unix:")
		if len(path) > 100 {
			return "", "", fmt.Errorf("control socket: %q is too long for the system: choose a shorter path with --control", path)
		}
		return "unix", path, nil
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return "", "", usageError{fmt.Errorf("control address %s is not a loopback address: use 127.0.0.1:%s", addr, port)}
	}
	return "tcp", addr, nil
}

// listen opens the control socket; one that an ended program left behind is taken over.
func listen(ctx context.Context, addr string) (net.Listener, error) {
	kind, path, err := network(addr)
	if err != nil {
		return nil, err
	}
	if kind == "unix" {
		if err := clearSocket(ctx, path); err != nil {
			return nil, err
		}
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, kind, path)
	if err != nil {
		return nil, fmt.Errorf("control address: %w: make its folder, or choose another with --control", err)
	}
	if kind == "unix" {
		if err := os.Chmod(path, 0o600); err != nil {
			return nil, errors.Join(fmt.Errorf("control socket: %w", err), l.Close())
		}
	}
	return l, nil
}

func clearSocket(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("control socket: %w", err)
	}
	if info.Mode()&os.ModeSocket == 0 {
		return fmt.Errorf("control socket: %s is there and is no socket: choose another path with --control", path)
	}
	dialer := net.Dialer{Timeout: time.Second}
	if c, err := dialer.DialContext(ctx, "unix", path); err == nil {
		return errors.Join(fmt.Errorf("control socket: %s is in use by another readeremu: end it, or choose another path with --control", path), c.Close())
	}
	return os.Remove(path)
}

// serveControl answers until the context ends, and waits for the orders that are being carried out.
func serveControl(ctx context.Context, l net.Listener, d *desk) error {
	return serveHTTP(ctx, l, d.handler())
}

func serveHTTP(ctx context.Context, l net.Listener, h http.Handler) error {
	s := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		MaxHeaderBytes:    16 << 10,
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		if s.Shutdown(grace) != nil {
			_ = s.Close()
		}
	})
	err := s.Serve(l)
	if !stop() {
		<-ended
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("%s: %w", l.Addr(), err)
}

func (d *desk) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/do", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxOrder))
		if err == nil {
			err = d.do(r.Context(), string(body))
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		d.status(w)
	})
	mux.HandleFunc("GET /v1/status", func(w http.ResponseWriter, _ *http.Request) { d.status(w) })
	mux.HandleFunc("GET /v1/log", func(w http.ResponseWriter, r *http.Request) {
		after, err := strconv.Atoi(r.FormValue("after"))
		if err != nil {
			after = 0
		}
		writeJSON(w, d.log.after(after))
	})
	return noBrowser(mux)
}

// noBrowser refuses what a web page sends: the control socket may be a TCP port that every page can reach.
func noBrowser(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != "" {
			http.Error(w, "not for web pages", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (d *desk) status(w http.ResponseWriter) {
	s, err := d.reader.State()
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	writeJSON(w, s)
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}
