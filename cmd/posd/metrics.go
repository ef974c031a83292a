package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"tillway/emv/contact"
	"tillway/terminal"
	"tillway/till"
	"tillway/till/metrics"
	"tillway/till/support"
)

// metricsConfig is where whoever watches over the terminal asks.
type metricsConfig struct {
	Listen string `toml:"listen"`
}

// address is where the door of figures listens; invalid for none. Nobody logs in there and there is no TLS, so that an address beyond this
// machine has to be written out: never all addresses at once, and no name that could come to mean another.
func (m metricsConfig) address() (netip.AddrPort, error) {
	if m.Listen == "" {
		return netip.AddrPort{}, nil
	}
	at, err := netip.ParseAddrPort(m.Listen)
	if err != nil || at.Addr().IsUnspecified() || at.Addr().IsMulticast() || at.Addr().Zone() != "" || at.Addr().Is4In6() {
		return netip.AddrPort{}, fmt.Errorf("metrics.listen %q: a loopback address and a port, like 127.0.0.1:9580, or one address of this machine, written out; \"\" for none", m.Listen)
	}
	return at, nil
}

// watched are the figures of a terminal that has its parameters. Practice is not counted: they come from the real lane and journal.
func (r settled) watched(s *stack, d *disk, keys func(context.Context) terminal.Health, log *slog.Logger) metrics.Config {
	return metrics.Config{
		Snapshot: s.lane.Snapshot, Journal: d.journal, After: s.lane.Snapshot().Journal, Room: roomIn(d.folder), Ballast: hasBallast(d.folder), Keys: keys,
		Certificates: func() []terminal.Certificate { return r.trust.certificates },
		Version:      version(), Kernel: contact.Version, Clock: time.Now, Log: log,
	}
}

// printsOn adds the receipt printer, where there is one.
func printsOn(c metrics.Config, p *printing) metrics.Config {
	if p != nil {
		c.Printer = func() (bool, int, string) {
			st := p.spool.Status()
			return st.Ready, st.Waiting, st.Cause
		}
	}
	return c
}

// watchedWaiting are those of one that waits for them.
func watchedWaiting(d *disk, lane till.Lane, why string, log *slog.Logger) metrics.Config {
	return metrics.Config{
		Snapshot: lane.Snapshot, Journal: d.journal, Room: roomIn(d.folder), Ballast: hasBallast(d.folder), Waiting: why,
		Version: version(), Kernel: contact.Version, Clock: time.Now, Log: log,
	}
}

func hasBallast(dir string) func() bool {
	return func() bool {
		_, err := os.Stat(filepath.Join(dir, ballastName))
		return !errors.Is(err, fs.ErrNotExist)
	}
}

// longFraction is a fraction whose digits could be taken for a card number, and be masked; nobody needs so many.
var longFraction = regexp.MustCompile(`(\.\d{8})\d+`)

// figures is what a scrape would say now, for a support bundle.
func (s supported) figures(ctx context.Context) support.File {
	const name = "terminal/metrics.txt"
	text, err := s.metrics.Text(ctx)
	if err != nil {
		return support.Missing(name, err)
	}
	return support.File{Name: name, Text: longFraction.ReplaceAllString(text, "$1")}
}
