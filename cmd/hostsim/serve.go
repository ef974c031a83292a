package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"tillway/host"
	"tillway/host/issuer"
	"tillway/host/ledger"
	"tillway/iso8583"
	"tillway/iso8583/dialect/nac"
	v93 "tillway/iso8583/dialect/v93"
	"tillway/iso8583/link"
	"tillway/money"
)

const (
	defaultHTTP = "127.0.0.1:8584"
	defaultLate = 30 * time.Second // after the 25 s that the ready profiles wait
)

// options is the command line of the server.
type options struct {
	listen, state, http, zone, logLevel string
	params, paramsDir                   string
	length, counts                      string
	dialect                             string

	certificate, certificateKey string
	nii                         string
	ahead                       time.Duration

	late      time.Duration
	terminals []string

	keys, mac  string
	requireMAC bool
	noFallback bool
	memory     bool
	partial    bool
	tables     string
	settleAt   string
}

// serve runs the host until ctx ends. It prints one line when it is ready.
func serve(ctx context.Context, o options, stdout, stderr io.Writer) (err error) {
	if o.state == "" {
		return fmt.Errorf("%w: --state DIR is needed: a folder for the certificate authority", errUsage)
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(o.logLevel)); err != nil {
		return fmt.Errorf("%w: --log %q: write debug, info, warn or error", errUsage, o.logLevel)
	}
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))
	if _, _, _, err := parseTimeOfDay(o.settleAt); err != nil {
		return err
	}
	terminals, err := o.members()
	if err != nil {
		return err
	}
	cert, caPath, err := certificate(o.state, time.Now())
	if err != nil {
		return err
	}
	if o.certificate != "" {
		if cert, err = tls.LoadX509KeyPair(o.certificate, o.certificateKey); err != nil {
			return fmt.Errorf("%w: --certificate and --certificate-key: %w", errUsage, err)
		}
	}
	h, err := newHost(ctx, o, terminals, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	tcp, err := listen(ctx, "--listen", o.listen)
	if err != nil {
		return err
	}
	defer tcp.Close()
	ready := fmt.Sprintf("hostsim ready: terminals %s (TLS), trust %s", tcp.Addr(), caPath)
	var web net.Listener
	if o.http != "" {
		if err := loopback(o.http); err != nil {
			return err
		}
		if web, err = listen(ctx, "--http", o.http); err != nil {
			return err
		}
		defer web.Close()
		ready += fmt.Sprintf(", http %s", web.Addr())
	}
	var packages net.Listener
	if o.params != "" {
		if err := loopback(o.params); err != nil {
			return err
		}
		if packages, err = listen(ctx, "--params", o.params); err != nil {
			return err
		}
		defer packages.Close()
		ready += fmt.Sprintf(", parameters https://%s/params", packages.Addr())
	}
	if err := writeKeys(o, terminals, log); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(stdout, ready); err != nil {
		return fmt.Errorf("ready line: %w", err)
	}
	zone, err := time.LoadLocation(o.zone)
	if err != nil {
		return fmt.Errorf("time zone: %w", err)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}}
	return together(ctx, log,
		func(ctx context.Context) error { return h.Serve(ctx, tls.NewListener(tcp, config)) },
		func(ctx context.Context) error { return serveHTTP(ctx, web, h) },
		func(ctx context.Context) error { return serveParams(ctx, packages, o.paramsDir, cert) },
		func(ctx context.Context) error { return settleDaily(ctx, h, o.settleAt, zone, log) })
}

// together runs services; the first to end ends the others. It waits for all.
func together(ctx context.Context, log *slog.Logger, services ...func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, len(services))
	var all sync.WaitGroup
	for i, s := range services {
		all.Go(func() {
			defer cancel()
			errs[i] = s(ctx)
		})
	}
	all.Wait()
	log.Info("ended")
	return errors.Join(errs...)
}

// terminal is one --terminal.
type terminal struct{ id, merchant, keys string }

// members reads --terminal: TID:MID, or TID:MID:KEYS where it has other keys than --keys says.
func (o options) members() ([]terminal, error) {
	var all []terminal
	for _, text := range o.terminals {
		parts := strings.Split(text, ":")
		if len(parts) == 2 {
			parts = append(parts, o.keys)
		}
		if len(parts) != 3 || parts[0] == "" || len(parts[0]) > 8 || parts[1] == "" || len(parts[1]) > 15 {
			return nil, fmt.Errorf("%w: --terminal %q: write TID:MID with at most 8 and 15 characters, or TID:MID:KEYS", errUsage, text)
		}
		all = append(all, terminal{parts[0], parts[1], parts[2]})
	}
	return all, nil
}

func newHost(ctx context.Context, o options, terminals []terminal, log *slog.Logger) (*host.Host, error) {
	zone, err := time.LoadLocation(o.zone)
	if err != nil {
		return nil, fmt.Errorf("%w: --zone %q is no time zone: write its name, like Asia/Kuwait", errUsage, o.zone)
	}
	if o.late <= 0 {
		return nil, fmt.Errorf("%w: --late must be longer than nothing", errUsage)
	}
	if err := (link.Framing{Length: link.Length(o.length), Counts: link.Counted(o.counts)}).Check(); err != nil {
		return nil, fmt.Errorf("%w: --length and --length-counts: %w", errUsage, err)
	}
	secured, err := security(o, terminals)
	if err != nil {
		return nil, err
	}
	pinBytes := 8
	if secured != nil && isAES(terminals[0].keys) {
		pinBytes = 16 // format 4
	}
	version, codec, err := speaks(o.dialect, pinBytes)
	if err != nil {
		return nil, err
	}
	kwd, err := money.ByCode("KWD")
	if err != nil {
		return nil, fmt.Errorf("currency of the accounts: %w", err)
	}
	accounts, err := issuer.TestCards(money.New(1_000_000, kwd))
	if err != nil {
		return nil, fmt.Errorf("accounts: %w", err)
	}
	fees, err := readTables(o.tables, accounts, kwd)
	if err != nil {
		return nil, err
	}
	cfg := host.Config{
		Codec: codec, Version: version, Clock: func() time.Time { return time.Now().Add(o.ahead).In(zone) }, NII: o.nii, Random: rand.Reader,
		Accounts: accounts, Currency: kwd, Late: o.late, Log: log,
		Security: secured, NoFallback: o.noFallback, Fees: fees, Framing: link.Framing{Length: link.Length(o.length), Counts: link.Counted(o.counts)},
	}
	for n, t := range terminals {
		member := host.Terminal{ID: t.id, Merchant: t.merchant, Partial: o.partial}
		if t.keys != keysNone {
			if member.Keys, err = terminalKeys(t.keys, n); err != nil {
				return nil, err
			}
		}
		cfg.Terminals = append(cfg.Terminals, member)
	}
	if !o.memory {
		cfg.Books = func(records func(ledger.Record) error) (*ledger.Ledger, error) {
			return ledger.Open(ctx, filepath.Join(o.state, "ledger"), records)
		}
	}
	h, err := host.New(cfg)
	if err != nil {
		return nil, fmt.Errorf("host: %w", err)
	}
	return h, nil
}

// The dialects.
const dialectNAC, dialectV93 = "nac", "v93"

// speaks is the version and the field table of a dialect, a line each.
func speaks(dialect string, pinBytes int) (host.Version, *iso8583.Codec, error) {
	var version host.Version
	var table iso8583.Table
	switch dialect {
	case dialectNAC, "":
		version, table = host.Version1987, nac.Table(nac.Settings{PINBytes: pinBytes})
	case dialectV93:
		version, table = host.Version1993, v93.Table(v93.Settings{PINBytes: pinBytes})
	default:
		return "", nil, fmt.Errorf("%w: --dialect %q: write nac or v93", errUsage, dialect)
	}
	codec, err := iso8583.Compile(table)
	if err != nil {
		return "", nil, fmt.Errorf("field table: %w", err)
	}
	return version, codec, nil
}

// listen opens a TCP port; its errors say what to do.
func listen(ctx context.Context, flag, address string) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s is in use: end the program that has it (perhaps another hostsim), or give another %s", address, flag)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("no permission to listen on %s: give %s a port above 1023", address, flag)
	case err != nil:
		return nil, fmt.Errorf("%s %s cannot be listened on: write HOST:PORT of this machine: %w", flag, address, err)
	}
	return l, nil
}

// loopback refuses an address that other machines could reach: the listings are not protected.
func loopback(address string) error {
	name, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%w: --http %q: write HOST:PORT", errUsage, address)
	}
	if ip := net.ParseIP(name); name != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("%w: --http %s is not a loopback address: write %s", errUsage, address, defaultHTTP)
	}
	return nil
}
