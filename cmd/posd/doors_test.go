package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tillway/till"
)

// TestScreenAddress: the screen is this machine's alone.
func TestScreenAddress(t *testing.T) {
	for listen, ok := range map[string]bool{
		"": true, "127.0.0.1:8580": true, "127.9.9.9:0": true, "[::1]:8580": true,
		"0.0.0.0:8580": false, "[::]:8580": false, "192.0.2.1:8580": false, ":8580": false, "localhost:8580": false, "127.0.0.1": false,
		"127.0.0.1:99999": false, "[::1%lo]:8580": false, "[::ffff:192.0.2.1]:80": false,
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "posd.toml")
		write(t, path, strings.Replace(benchConfig(t, dir), "127.0.0.1:0", listen, 1))
		if _, err := loadConfig(path); (err == nil) != ok || err != nil && !strings.Contains(err.Error(), "screen.listen") {
			t.Errorf("%q: %v", listen, err)
		}
	}
}

// TestPortInUse: posd says whose key is to be changed, and leaves no socket behind.
func TestPortInUse(t *testing.T) {
	var lc net.ListenConfig
	ln, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	dir := t.TempDir()
	path := filepath.Join(dir, "posd.toml")
	write(t, path, strings.Replace(benchConfig(t, dir), "127.0.0.1:0", ln.Addr().String(), 1))
	err = serve(t.Context(), path, io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), ln.Addr().String()+" is in use") || !strings.Contains(err.Error(), "[screen]") {
		t.Errorf("it said %v", err)
	}
	if _, err := net.DialTimeout("unix", filepath.Join(dir, "posd.sock"), time.Second); err == nil {
		t.Error("the socket is open")
	}
}

// TestScreenIsUp: the ready line has the address, and there are the page, its assets' policy and the interface; posd ends while a
// stream is open.
func TestScreenIsUp(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "posd.toml")
	write(t, path, benchConfig(t, dir))
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	ready, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		ended <- serve(ctx, path, writerFunc(func(b []byte) (int, error) { ready <- string(b); return len(b), nil }), io.Discard)
	}()
	line := <-ready
	_, url, ok := strings.Cut(strings.TrimSpace(line), ", screen ")
	if !ok || !strings.HasPrefix(url, "http://127.0.0.1:") {
		t.Fatalf("ready line %q", line)
	}
	for _, p := range []struct{ path, kind, says string }{
		{"", "text/html; charset=utf-8", "<html"}, {"customer", "text/html; charset=utf-8", "<html"}, {"v1/me", "application/json", `"may"`},
	} {
		res := fetch(ctx, t, url+p.path)
		body, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != p.kind || !strings.Contains(string(body), p.says) {
			t.Errorf("%s: %d %s %.100s %v", p.path, res.StatusCode, res.Header.Get("Content-Type"), body, err)
		}
	}
	res := fetch(ctx, t, url+"v1/events")
	first := make([]byte, len("event: state"))
	if _, err := io.ReadFull(res.Body, first); err != nil || string(first) != "event: state" {
		t.Errorf("stream began with %q, %v", first, err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("it ended with %v", err)
	}
}

func fetch(ctx context.Context, t *testing.T, url string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(context.WithoutCancel(ctx), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	return res
}

// TestEveryDoorIsBounded: no door waits for ever for a header or the next request, or takes a header of any length.
func TestEveryDoorIsBounded(t *testing.T) {
	s := newServer("any", nil, http.NotFoundHandler(), slog.New(slog.DiscardHandler)).http
	if s.ReadHeaderTimeout != till.HeaderTimeout || s.IdleTimeout != till.IdleTimeout || s.MaxHeaderBytes != till.MaxHeaderBytes ||
		till.HeaderTimeout <= 0 || till.IdleTimeout <= 0 || till.MaxHeaderBytes <= 0 {
		t.Errorf("%+v", s)
	}
}

// TestLimited: no more connections are open than may be, one that ends makes room, and closing wakes who waits.
func TestLimited(t *testing.T) {
	var lc net.ListenConfig
	inner, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln := newLimited(inner, 2)
	accepted, failed := make(chan net.Conn, 3), make(chan error, 1)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				failed <- err
				return
			}
			accepted <- c
		}
	}()
	var d net.Dialer
	var clients []net.Conn
	for range 3 {
		c, err := d.DialContext(t.Context(), "tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		clients = append(clients, c)
	}
	first, second := <-accepted, <-accepted
	if len(accepted) != 0 || len(ln.slots) != 2 {
		t.Errorf("a third is open: %d", len(ln.slots))
	}
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	_ = first.Close() // gives nothing back twice
	third := <-accepted
	if err := ln.Close(); err != nil {
		t.Error(err)
	}
	if err := <-failed; err == nil {
		t.Error("it accepts when closed")
	}
	for _, c := range append(clients, second, third) {
		if err := c.Close(); err != nil {
			t.Error(fmt.Errorf("close: %w", err))
		}
	}
}

// TestMetricsAddress: the figures are off, or at one address that is written out.
func TestMetricsAddress(t *testing.T) {
	for listen, ok := range map[string]bool{
		"": true, "127.0.0.1:0": true, "[::1]:9580": true, "192.0.2.1:9580": true,
		"0.0.0.0:9580": false, "[::]:9580": false, ":9580": false, "localhost:9580": false, "127.0.0.1": false, "224.0.0.1:9580": false,
		"[fe80::1%lo]:9580": false, "[::ffff:192.0.2.1]:80": false,
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "posd.toml")
		write(t, path, benchConfig(t, dir)+fmt.Sprintf("[metrics]\nlisten = %q\n", listen))
		if _, err := loadConfig(path); (err == nil) != ok || err != nil && !strings.Contains(err.Error(), "metrics.listen") {
			t.Errorf("%q: %v", listen, err)
		}
	}
	if defaults().Metrics.Listen != "" {
		t.Error("figures are on by default")
	}
}
