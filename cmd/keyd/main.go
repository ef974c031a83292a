// Command keyd is the secure module in a process of its own: it alone holds keys and clear PINs. It gives leases and results,
// never a key. Either posd starts it, speaks to it over a socket pair and ends it by hanging up; or, with -listen, it is a service of a
// user of its own, and posd's user alone may speak to it at a named socket.
//
// What the process does for the keys: no core files, no debugger but root's, no new privileges, no swap where the system
// lets it lock its memory; the keys themselves in memory that only it can map (memfd_secret) where the kernel has that.
// What it cannot do: a Linux process is no secure cryptographic device. Root, the kernel and the hardware are trusted.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"

	"tillway/device/secure"
)

// collectAt is by how many per cent of what is in use the heap may grow before it is collected: less than the usual 100, as for posd.
const collectAt = 40

func main() {
	if os.Getenv("GOGC") == "" { // who sets it means it
		debug.SetGCPercent(collectAt)
	}
	debug.SetTraceback("none") // a panic says what broke, not what was on the stack
	crash := make(chan os.Signal, 1)
	signal.Notify(crash, syscall.SIGQUIT, syscall.SIGABRT, syscall.SIGSEGV, syscall.SIGBUS, syscall.SIGFPE, syscall.SIGILL, syscall.SIGSYS, syscall.SIGTRAP)
	go func() { // sent from outside, they would have the runtime print stacks and registers; it runs until the end
		s := <-crash
		fmt.Fprintln(os.Stderr, "keyd: ended by signal:", s)
		os.Exit(exitSignal)
	}()
	if err := run(os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "keyd:", err)
		os.Exit(1)
	}
}

const exitSignal = 3

// flags are keyd's, as posd sets them.
type flags struct {
	options secure.Options
	keys    string // socket for loading keys
	unlock  string // file with the unlock secret
	pad     string // serial port of a PIN pad that enciphers by itself

	listen      string // the named socket; empty: posd left one at secure.SocketFD
	client      string // who may speak there
	group       string // whose members may reach that socket and the one for loading keys
	development bool   // of a service: what -production is not, to one that posd starts
}

func parse(args []string, errOut io.Writer) (flags, error) {
	var f flags
	set := flag.NewFlagSet("keyd", flag.ContinueOnError)
	set.SetOutput(errOut)
	set.StringVar(&f.options.Path, "file", "", "the sealed key file")
	set.BoolVar(&f.options.First, "first", false, "make the key files where there are none")
	set.StringVar(&f.options.Witness, "witness", "", "the file, away from the key file, that knows the highest counters")
	set.BoolVar(&f.options.Production, "production", false, "refuse published keys and the on-screen PIN")
	set.StringVar(&f.options.OnScreen, "on-screen", "", "development: the socket for PINs typed on this machine's screen")
	set.StringVar(&f.keys, "keys", "", "the socket for loading keys")
	set.StringVar(&f.pad, "pad", "", "the serial port of a PIN pad that enciphers PINs itself")
	set.StringVar(&f.unlock, "unlock", "", "the file with the unlock secret")
	set.StringVar(&f.listen, "listen", "", "be a service: the socket where posd speaks to it")
	set.StringVar(&f.client, "client", "", "with -listen: posd's user, by name or number, who alone may speak there")
	set.StringVar(&f.group, "group", "", "with -listen: the group that may reach both sockets; empty: keyd's own user")
	set.BoolVar(&f.development, "development", false, "with -listen: take published keys; never at a till")
	set.Func("weak", "an acquirer that may send less than a key block; repeat for each", func(name string) error {
		f.options.Weak = append(f.options.Weak, name)
		return nil
	})
	set.Usage = func() {
		fmt.Fprintln(errOut, "keyd is the secure module. posd starts it, or, with -listen, the service manager does; it is of no use by itself.")
		set.PrintDefaults()
	}
	if err := set.Parse(args); err != nil {
		return f, err
	}
	if set.NArg() > 0 {
		return f, errors.New("keyd takes no arguments but flags")
	}
	for _, p := range []string{f.options.Path, f.options.Witness, f.options.OnScreen, f.keys, f.unlock, f.pad, f.listen} {
		if p != "" && !filepath.IsAbs(p) {
			return f, fmt.Errorf("path %s must be absolute", p)
		}
	}
	if f.pad != "" && f.options.OnScreen != "" {
		return f, errors.New("a PIN pad and the on-screen PIN at once: choose one")
	}
	if f.options.Path == "" {
		return f, errors.New("no key file: keyd is started by posd")
	}
	return f, f.fit()
}

// fit refuses flags that are for the other way of being started.
func (f flags) fit() error {
	switch {
	case f.listen == "" && (f.client != "" || f.group != "" || f.development):
		return errors.New("-client, -group and -development go with -listen")
	case f.listen != "" && (f.options.First || f.options.Production):
		return errors.New("-first and -production do not go with -listen: posd says whether the state folder is new, and a service is for production without -development")
	case f.listen != "" && f.options.OnScreen != "":
		return errors.New("-on-screen does not go with -listen: PINs are typed on the screen where posd starts keyd, for development")
	}
	return nil
}

func run(args []string, errOut io.Writer) error {
	f, err := parse(args, errOut)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	if f.listen != "" {
		return runService(f)
	}
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP) // it ends with its socket, after posd
	conn, err := inherited()
	if err != nil {
		return err
	}
	if f.options.Where, err = harden(); err != nil {
		return err
	}
	return serve(context.Background(), f, conn, func(*module) {})
}

// runService is keyd as a service, until the service manager ends it.
func runService(f flags) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	where, err := harden()
	if err != nil {
		return err
	}
	f.options.Where = where + ", as a service of its own"
	s, err := newService(f)
	if err != nil {
		return err
	}
	return s.run(ctx)
}

// inherited is the socket that posd left at SocketFD.
func inherited() (net.Conn, error) {
	file := os.NewFile(secure.SocketFD, "posd")
	if file == nil {
		return nil, errors.New("no socket: keyd is started by posd")
	}
	conn, err := net.FileConn(file)
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, fmt.Errorf("keyd is started by posd: %w", err)
	}
	return conn, nil
}

// serve starts the module, says so, and serves posd until it hangs up. serving is told of the module once it serves.
func serve(ctx context.Context, f flags, conn net.Conn, serving func(*module)) (err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	sweeper := newSweeper(conn)
	m, err := start(ctx, f, sweeper)
	if err != nil {
		return errors.Join(err, secure.Greet(conn, err), conn.Close())
	}
	defer func() { stop(); err = errors.Join(err, m.close()) }()
	if err := secure.Greet(conn, nil); err != nil {
		return errors.Join(err, conn.Close())
	}
	m.group.Go(func() { sweeper.run(ctx) })
	if m.keys != nil {
		m.group.Go(func() { m.serveKeys(ctx) })
	}
	serving(m)
	return m.terminal.Serve(ctx)
}

// unlockSecret reads the unlock secret; a line end behind it does not count.
func unlockSecret(path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("unlock secret: %w", err)
	}
	defer func() { _ = file.Close() }() // only read
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("unlock secret: %w", err)
	}
	if info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("unlock secret: others can read %s: chmod 0400 %s", path, path)
	}
	b := make([]byte, 4096)
	n, err := io.ReadFull(file, b)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("unlock secret: %w", err)
	}
	return bytes.TrimRight(b[:n], "\r\n"), nil
}

// line makes an event one line for the log.
func line(e secure.Event) string {
	var b strings.Builder
	b.WriteString(e.What)
	for _, part := range [][2]string{{"set", e.Set}, {"use", e.Use}, {"holder", e.Holder}, {"check value", e.Check}} {
		if part[1] != "" {
			fmt.Fprintf(&b, ", %s %q", part[0], part[1])
		}
	}
	return b.String()
}
