package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"tillway/terminal"
	"tillway/till"
)

// A world is the running stack as the script sees it: cashier, cardholder, bank and power switch.
type world struct {
	*stack
	out   io.Writer
	local *http.Client // to the terminal's socket
	kept  map[string]terminal.SaleID
}

func newWorld(s *stack, out io.Writer) *world {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", s.path("posd.sock"))
	}
	return &world{stack: s, out: out, kept: map[string]terminal.SaleID{}, local: &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}}
}

// cashier runs pos and gives what it printed and its exit status.
func (w *world) cashier(ctx context.Context, args ...string) (printed string, status int, err error) {
	return w.pos(ctx, nil, args...)
}

func (w *world) pos(ctx context.Context, in io.Reader, args ...string) (printed string, status int, err error) {
	cmd := exec.CommandContext(ctx, w.binary("pos"), append(args, "--socket", w.path("posd.sock"))...)
	var both bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, &both, &both
	cmd.Env = append(os.Environ(), "TILLWAY_SESSION="+w.path("session"))
	err = cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() >= 0 {
		return both.String(), exit.ExitCode(), nil
	}
	return both.String(), 0, err
}

// pay runs pos for one transaction. pin is what the customer types at the development keypad, where there is a customer.
func (w *world) pay(ctx context.Context, line, pin string) (printed string, status int, err error) {
	words := strings.Fields(line)
	if slices.Contains([]string{"sale", "refund", "preauth", "balance", "forced"}, words[0]) {
		words = append(words, "--pin-file", "-")
	}
	return w.pos(ctx, strings.NewReader(pin), words...)
}

// cardholder tells the reader emulator what the customer, or whoever trips over the cable, does.
func (w *world) cardholder(ctx context.Context, does ...string) error {
	args := append([]string{"ctl", "--control", w.path("reader.ctl")}, does...)
	out, err := exec.CommandContext(ctx, w.binary("readeremu"), args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("readeremu %s: %w: %s", strings.Join(does, " "), err, bytes.TrimSpace(out))
	}
	return nil
}

// powerCut ends the terminal without a chance to write another byte.
func (w *world) powerCut() error {
	p, err := w.take("posd")
	if err != nil {
		return err
	}
	p.kill()
	return nil
}

// status is the terminal's own word on itself.
func (w *world) status(ctx context.Context) (terminal.Snapshot, error) {
	var s till.Status
	err := get(ctx, w.local, "http://posd/v1/status", &s)
	return s.Snapshot, err
}

// sales are all that the terminal knows of, oldest last.
func (w *world) sales(ctx context.Context) ([]terminal.Sale, error) {
	var s till.Sales
	err := get(ctx, w.local, "http://posd/v1/sales?last=1000", &s)
	return s.Sales, err
}

// journal is every row of the terminal's journal.
func (w *world) journal(ctx context.Context) (rows []terminal.JournalRow, err error) {
	for after := int64(0); ; {
		var page till.Rows
		if err := get(ctx, w.local, fmt.Sprintf("http://posd/v1/journal?limit=1000&after=%d", after), &page); err != nil {
			return nil, err
		}
		if len(page.Rows) == 0 {
			return rows, nil
		}
		rows = append(rows, page.Rows...)
		after = page.Next
	}
}

// await looks again and again until something is so, for as long as a program may take to get ready.
func (w *world) await(ctx context.Context, what string, so func(context.Context) bool) error {
	ctx, stop := context.WithTimeout(ctx, readyWithin)
	defer stop()
	for !so(ctx) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited in vain until %s", what)
		case <-time.After(pollEvery):
		}
	}
	return nil
}

// settled waits until the terminal is at rest: no sale runs, and nothing is owed to the host.
func (w *world) settled(ctx context.Context) error {
	return w.await(ctx, "nothing is owed to the host", func(ctx context.Context) bool {
		s, err := w.status(ctx)
		return err == nil && (s.State == terminal.Ready || s.State.Final()) && !s.CardLeft && s.Owed == 0
	})
}

// get reads one JSON answer of a local interface.
func get(ctx context.Context, client *http.Client, url string, into any) error {
	return call(ctx, client, http.MethodGet, url, nil, into)
}

// post sends one JSON object to a local interface and reads the answer.
func post(ctx context.Context, client *http.Client, url string, what, into any) error {
	body, err := json.Marshal(what)
	if err != nil {
		return err
	}
	return call(ctx, client, http.MethodPost, url, body, into)
}

func call(ctx context.Context, client *http.Client, method, url string, body []byte, into any) error {
	ctx, stop := context.WithTimeout(ctx, lookWithin)
	defer stop()
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	answer, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }() // read to its end or given up
	if answer.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("%s %s: %s", method, url, answer.Status)
	}
	return json.NewDecoder(io.LimitReader(answer.Body, 16<<20)).Decode(into)
}

// freePort is a loopback address that nobody listened on a moment ago.
func freePort(ctx context.Context) (string, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// canary lists the files below the stack's folder that hold a card number in clear.
func (w *world) canary(numbers []string) (found []string, err error) {
	return search(os.DirFS(w.folder), numbers)
}
