package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func ctlCommand() *cobra.Command {
	var addr string
	cmd := &cobra.Command{
		Use:   "ctl ORDER",
		Short: "give an order to a running virtual reader",
		Long: "Gives one order to a running virtual reader and prints its state as JSON. Orders:\n\n" + orders + `
status            say how the reader is
log               print the exchanges with the card so far`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError{errors.New("which order? \"readeremu ctl --help\" lists them")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			c := client(controlAddress(addr))
			defer c.CloseIdleConnections()
			switch line := strings.Join(fromHere(args), " "); line {
			case "status":
				return ask(cmd.Context(), c, http.MethodGet, "/v1/status", "", copyTo(cmd.OutOrStdout()))
			case "log":
				return ask(cmd.Context(), c, http.MethodGet, "/v1/log", "", printLog(cmd.OutOrStdout()))
			default:
				return ask(cmd.Context(), c, http.MethodPost, "/v1/do", line, copyTo(cmd.OutOrStdout()))
			}
		},
	}
	cmd.Flags().StringVar(&addr, "control", "", "control address of the reader (default: run/reader.ctl here or beside the program)")
	return cmd
}

// fromHere names the file of a card as the reader finds it, which may run in another folder.
func fromHere(order []string) []string {
	if len(order) != 2 || order[0] != "insert" || !strings.HasSuffix(order[1], ".toml") || !exists(order[1]) {
		return order
	}
	path, err := filepath.Abs(order[1])
	if err != nil {
		return order
	}
	return []string{order[0], path}
}

// controlAddress finds the socket of the development stack when none is named.
func controlAddress(addr string) string {
	const usual = "run/reader.ctl"
	if addr != "" {
		return addr
	}
	if _, err := os.Stat(usual); err == nil {
		return usual
	}
	if exe, err := os.Executable(); err == nil {
		if beside := filepath.Join(filepath.Dir(filepath.Dir(exe)), usual); exists(beside) {
			return beside
		}
	}
	return usual
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// clientFor bounds one order, the longest wait included.
const clientFor = maxWait + 10*time.Second

func client(addr string) *http.Client {
	return &http.Client{
		Timeout: clientFor,
		Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			kind, path, err := network(addr)
			if err != nil {
				return nil, err
			}
			var d net.Dialer
			conn, err := d.DialContext(ctx, kind, path)
			if err != nil {
				return nil, fmt.Errorf("no virtual reader at %s: start one (readeremu --help), or name its socket with --control, like run/usb.ctl of readeremu usb", addr)
			}
			return conn, nil
		}},
	}
}

func ask(ctx context.Context, c *http.Client, method, path, body string, use func(io.Reader) error) error {
	req, err := http.NewRequestWithContext(ctx, method, "http://readeremu"+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := c.Do(req)
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok {
			return u.Err // the address around it says nothing
		}
		return err
	}
	defer resp.Body.Close()
	answer := io.LimitReader(resp.Body, 4<<20)
	if resp.StatusCode == http.StatusOK {
		return use(answer)
	}
	text, err := io.ReadAll(io.LimitReader(answer, maxOrder))
	return errors.Join(errors.New(strings.TrimSpace(string(text))), err)
}

func copyTo(w io.Writer) func(io.Reader) error {
	return func(r io.Reader) error {
		_, err := io.Copy(w, r)
		return err
	}
}

func printLog(w io.Writer) func(io.Reader) error {
	return func(r io.Reader) error {
		var lines []logLine
		if err := json.NewDecoder(r).Decode(&lines); err != nil {
			return fmt.Errorf("log: %w", err)
		}
		for _, l := range lines {
			if _, err := fmt.Fprintf(w, "%d %s\n", l.N, l.Line); err != nil {
				return err
			}
		}
		return nil
	}
}
