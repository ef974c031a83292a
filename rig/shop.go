//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"tillway/device/emulator"
	"tillway/terminal"
	"tillway/terminal/profile"
	"tillway/till"
)

// shop is what runs in the guest, posd and a bank, and what is plugged into it.
type shop struct {
	*machine
	options options
	till    *http.Client // to posd
	bank    *http.Client // to the simulated bank's local interface
	reader  string       // the [reader] table that posd was started with; empty: it does not run
	plugged []func()     // what a scenario left to be taken away, in order
	noted   string       // for the scenario's line

	mu         sync.Mutex
	complaints error // of what runs beside the scenario
}

// note adds to the line of the scenario.
func (s *shop) note(format string, values ...any) { s.noted += "; " + fmt.Sprintf(format, values...) }

// complain keeps an error of what runs beside the scenario, which fails by it.
func (s *shop) complain(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.complaints = errors.Join(s.complaints, err)
}

// complained is what was complained of since it was asked last.
func (s *shop) complained() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.complaints
	s.complaints = nil
	return err
}

// config is the demo's shop: short deadlines, a bank on the same machine, no PIN and no MAC.
const config = `development = true
profile = "kuwait"
ca_keys = "capk.json"

[log]
level = "info"

%s

[acquirer]
address = "127.0.0.1:8583"
ca = "host/ca.pem"
answer_timeout = "5s"
retry = "100ms"
retry_max = "500ms"

[acquirer.nac]
tpdu = "6000030000"
nii = "003"
`

// openShop starts the bank.
func openShop(ctx context.Context, m *machine, o options) (*shop, error) {
	s := &shop{machine: m, options: o}
	s.till = client(func(ctx context.Context) (net.Conn, error) { return m.Dial(ctx, "unix", "/shop/posd.sock") })
	s.bank = client(func(ctx context.Context) (net.Conn, error) { return m.Dial(ctx, "tcp", "127.0.0.1:8584") })
	if _, err := profile.Text("kuwait"); err != nil {
		return nil, err
	}
	if err := s.Write(ctx, "/shop/capk.json", 0o600, emulator.AuthorityKeys()); err != nil {
		return nil, err
	}
	if err := s.Start(ctx, "hostsim", "/bin/hostsim", "--listen", "127.0.0.1:8583", "--http", "127.0.0.1:8584", "--state", "/shop/host"); err != nil {
		return nil, err
	}
	return s, s.ready(ctx, "hostsim")
}

func client(dial func(context.Context) (net.Conn, error)) *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) }}}
}

func (s *shop) close() {
	s.till.CloseIdleConnections()
	s.bank.CloseIdleConnections()
}

// log is what a program has said, or why that cannot be told.
func (s *shop) log(ctx context.Context, name string) string {
	ctx, stop := context.WithTimeout(ctx, lookWithin)
	defer stop()
	text, err := s.Log(ctx, name)
	if err != nil {
		return err.Error()
	}
	return text
}

const terminate = int(syscall.SIGTERM)

const (
	lookWithin = 5 * time.Second
	lookEach   = 20 * time.Millisecond
)

// await looks again and again until something is so.
func await(ctx context.Context, what string, so func(context.Context) (bool, error)) error {
	var last error // before the time was over
	for {
		ok, err := so(ctx)
		if ok {
			return nil
		}
		if ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("waiting until %s: %w", what, context.Cause(ctx)), last)
		case <-time.After(lookEach):
		}
	}
}

// ready waits for the line that a program prints when it is ready.
func (s *shop) ready(ctx context.Context, name string) error {
	return await(ctx, name+" is ready", func(ctx context.Context) (bool, error) {
		text, err := s.Log(ctx, name)
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, name) && strings.Contains(line, " ready") {
				return true, err
			}
		}
		return false, errors.Join(err, errors.New(tail(text)))
	})
}

// terminal has posd run with a [reader] table; one that runs with it already stays.
func (s *shop) terminal(ctx context.Context, reader string) error {
	if s.reader == reader {
		if _, err := s.Use(ctx, "posd"); err == nil {
			return nil
		}
	}
	if err := s.stop(ctx); err != nil {
		return err
	}
	if err := s.Write(ctx, "/shop/posd.toml", 0o600, fmt.Appendf(nil, config, reader)); err != nil {
		return err
	}
	if err := s.Start(ctx, "posd", "/bin/posd", "--config", "/shop/posd.toml"); err != nil {
		return err
	}
	s.reader = reader
	return s.ready(ctx, "posd")
}

// stop ends posd, where it runs: a reader that it drives is no other program's.
func (s *shop) stop(ctx context.Context) error {
	if s.reader == "" {
		return nil
	}
	s.reader = ""
	return s.End(ctx, "posd", terminate)
}

// tidy takes away what a scenario left plugged in, and waits until the terminal is at rest.
func (s *shop) tidy(ctx context.Context) error {
	for _, away := range slices.Backward(s.plugged) {
		away()
	}
	s.plugged = nil
	if err := s.complained(); err != nil || s.reader == "" {
		return err
	}
	ctx, stop := context.WithTimeoutCause(ctx, 15*time.Second, errors.New("not at rest within 15 s"))
	defer stop()
	return await(ctx, "the terminal is at rest", func(ctx context.Context) (bool, error) {
		now, err := s.status(ctx)
		return err == nil && (now.State == terminal.Ready || now.State.Final()) && !now.CardLeft && now.Owed == 0, err
	})
}

// status is the terminal's own word on itself.
func (s *shop) status(ctx context.Context) (terminal.Snapshot, error) {
	var st till.Status
	err := get(ctx, s.till, "http://posd/v1/status", &st)
	return st.Snapshot, err
}

func (s *shop) lastSale(ctx context.Context) (terminal.Sale, error) {
	var all till.Sales
	if err := get(ctx, s.till, "http://posd/v1/sales?last=1", &all); err != nil || len(all.Sales) == 0 {
		return terminal.Sale{}, err
	}
	return all.Sales[0], nil
}

// atBank is what the bank's ledger has of a trace number: posted, reversed, or nothing.
func (s *shop) atBank(ctx context.Context, stan uint32) (string, error) {
	var entries []struct {
		STAN  string `json:"stan"`
		State string `json:"state"`
	}
	if err := get(ctx, s.bank, "http://127.0.0.1:8584/ledger", &entries); err != nil {
		return "", err
	}
	state := "nothing"
	for _, e := range entries {
		if n, err := strconv.ParseUint(e.STAN, 10, 32); err == nil && uint32(n) == stan && stan != 0 {
			state = e.State
		}
	}
	return state, nil
}

// get reads one JSON answer of a local interface.
func get(ctx context.Context, c *http.Client, url string, into any) error {
	ctx, stop := context.WithTimeout(ctx, lookWithin)
	defer stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	answer, err := c.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }() // read to its end or given up
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, answer.Status)
	}
	return json.NewDecoder(io.LimitReader(answer.Body, 16<<20)).Decode(into)
}
