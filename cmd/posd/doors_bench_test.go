package main

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"tillway/money"
	"tillway/terminal/people"
	"tillway/till"
)

// screens is how many event streams the measures of several have.
const screens = 10

// BenchmarkCommandToEvent is from the order's first byte, over HTTP, to the last byte of the first state event that has the sale: the
// terminal whole, with a real journal, and no delay in card and host. ms is what a screen waits.
func BenchmarkCommandToEvent(b *testing.B) {
	s, journal := quickTerminal(b)
	sellOne(b, s, 1000)
	kwd, err := money.ByCode("KWD")
	if err != nil {
		b.Fatal(err)
	}
	roles := people.DefaultPolicy()
	roles.Open = true
	access := till.NewAccess(till.AccessConfig{People: journal, Policy: roles, Log: slog.New(slog.DiscardHandler)})
	t := till.New(till.Config{Lane: s.lane, Journal: journal, Access: access, Currency: kwd, Acquirer: "acquirer", Log: slog.New(slog.DiscardHandler)})
	var lc net.ListenConfig
	ln, err := lc.Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	srv := newServer("screen", ln, t.Screen(netip.MustParseAddrPort(ln.Addr().String()), http.NotFoundHandler()), slog.New(slog.DiscardHandler))
	ctx, stop := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- srv.serve(ctx) }()
	defer func() {
		stop()
		_ = srv.end(context.WithoutCancel(ctx))
		if err := <-ended; err != nil {
			b.Error(err)
		}
	}()
	url := "http://" + ln.Addr().String()
	events := streamOf(ctx, b, url)
	var waited time.Duration
	for b.Loop() {
		began := time.Now()
		id := orderOne(ctx, b, url)
		waitFor(b, events, `"snapshot":{"version":`, `"sale":`+id+`,`)
		waited += time.Since(began)
		b.StopTimer()
		waitFor(b, events, `"last":{"v":1,"id":`+id+`,`)
		b.StartTimer()
	}
	b.ReportMetric(float64(waited.Microseconds())/1000/float64(b.N), "ms")
}

// streamOf opens an event stream.
func streamOf(ctx context.Context, b *testing.B, url string) *bufio.Reader {
	b.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/v1/events", nil)
	if err != nil {
		b.Fatal(err)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = res.Body.Close() })
	in := bufio.NewReaderSize(res.Body, 64<<10)
	waitFor(b, in, "event: state")
	return in
}

// waitFor reads on to a line that has all of some words.
func waitFor(b *testing.B, in *bufio.Reader, words ...string) {
	b.Helper()
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			b.Fatal(err)
		}
		found := true
		for _, w := range words {
			found = found && strings.Contains(line, w)
		}
		if found {
			return
		}
	}
}

// orderOne orders a sale and gives its number.
func orderOne(ctx context.Context, b *testing.B, url string) string {
	b.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/sales", strings.NewReader(`{"kind":"sale","amount":{"minor":1000,"currency":"KWD"}}`))
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusCreated {
		b.Fatalf("%d %v", res.StatusCode, err)
	}
	return strings.TrimPrefix(res.Header.Get("Location"), "/v1/sales/")
}

// BenchmarkStreams is the daemon as it is shipped with ten event streams open: its resident memory then.
func BenchmarkStreams(b *testing.B) {
	_, program, config := shipped(b)
	startOnce(b, program, config) // makes the journal
	var resident float64
	for b.Loop() {
		resident = withStreams(b, program, config)
	}
	b.ReportMetric(resident, "resident-kB")
}

func withStreams(b *testing.B, program, config string) float64 {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, program, "--config", config)
	out, err := c.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := c.Start(); err != nil {
		b.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	_, url, ok := strings.Cut(strings.TrimSpace(line), ", screen ")
	if err != nil || !ok {
		b.Fatalf("%q, %v", line, err)
	}
	for range screens {
		streamOf(ctx, b, strings.TrimSuffix(url, "/"))
	}
	resident := residentOf(b, c.Process.Pid)
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		b.Error(err)
	}
	if _, err := io.Copy(io.Discard, out); err != nil {
		b.Error(err)
	}
	if err := c.Wait(); err != nil {
		b.Error(err)
	}
	return resident
}
