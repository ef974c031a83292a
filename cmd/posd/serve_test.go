package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"tillway/terminal"
)

// A daemon that cannot start says why in one line, and what to do; it leaves nothing running.
func TestRefusesToStart(t *testing.T) {
	base := func(t *testing.T, dir string) string { return benchConfig(t, dir) }
	for name, c := range map[string]struct {
		arrange func(t *testing.T, dir string) string // the config's text; "-" means no file
		says    []string
	}{
		"no config": {func(*testing.T, string) string { return "-" }, []string{"no config file", "--config"}},
		"broken config": {
			func(t *testing.T, dir string) string { return "state = \n" + base(t, dir) }, []string{"posd.toml", "line 1"},
		},
		"unknown key": {
			func(t *testing.T, dir string) string { return "stat = \"x\"\n" + base(t, dir) }, []string{"unknown key stat"},
		},
		"bad time": {
			func(t *testing.T, dir string) string {
				return strings.Replace(base(t, dir), "ca = ", "retry = \"soon\"\nca = ", 1)
			},
			[]string{"soon", "5s"},
		},
		"a length that no acquirer has": {
			func(t *testing.T, dir string) string {
				return strings.Replace(base(t, dir), "ca = ", "length = \"ebcdic\"\nca = ", 1)
			},
			[]string{"acquirer.length", "ebcdic", "ascii"},
		},
		"a second host without a port": {
			func(t *testing.T, dir string) string {
				return strings.Replace(base(t, dir), "ca = ", "standby = [\"bank.test\"]\nca = ", 1)
			},
			[]string{"acquirer.standby", "bank.test", "host:port"},
		},
		"one host twice": {
			func(t *testing.T, dir string) string {
				return strings.Replace(base(t, dir), "ca = ", "standby = [\"127.0.0.1:1\"]\nca = ", 1)
			},
			[]string{"acquirer.standby", "twice"},
		},
		"bad log level": {
			func(t *testing.T, dir string) string { return strings.Replace(base(t, dir), `"error"`, `"loud"`, 1) }, []string{"loud", "debug, info"},
		},
		"value of another type": {
			func(t *testing.T, dir string) string { return "state = 5\n" + base(t, dir) }, []string{"line 1", "state", "posd.toml for how"},
		},
		"keys without end": {
			func(t *testing.T, dir string) string { return strings.Repeat("a.", 30_000) + "a = 1\n" + base(t, dir) }, []string{"line 1", "at most"},
		},
		"socket's name too long": {
			func(t *testing.T, dir string) string {
				return "socket = \"" + strings.Repeat("x", 120) + "\"\n" + base(t, dir)
			},
			[]string{"socket", "shorter"},
		},
		"unknown reader": {
			func(t *testing.T, dir string) string {
				return strings.Replace(base(t, dir), "[reader]", "[reader]\ndriver = \"abacus\"", 1)
			},
			[]string{"abacus", "gempc", "pcsc", "usb"},
		},
		"a USB reader by a number that is none": {
			func(t *testing.T, dir string) string {
				return strings.Replace(base(t, dir), "[reader]", "[reader]\ndriver = \"usb\"\nallow = [\"8e6:3437\"]", 1)
			},
			[]string{"reader.allow", "8e6:3437", "lsusb"},
		},
		"USB readers for a serial one": {
			func(t *testing.T, dir string) string {
				return strings.Replace(base(t, dir), "[reader]", "[reader]\nallow = [\"08e6:3437\"]", 1)
			},
			[]string{"reader.allow", "usb"},
		},
		"a USB reader without its driver": {
			func(t *testing.T, dir string) string {
				return strings.Replace(base(t, dir), "port = \"no-reader\"", "port = \"08e6:3437\"", 1)
			},
			[]string{"reader.port", "08e6:3437", "reader.driver = \"usb\""},
		},
		"a USB reader by a serial port": {
			func(t *testing.T, dir string) string {
				return strings.Replace(base(t, dir), "[reader]\nport = \"no-reader\"", "[reader]\ndriver = \"usb\"\nport = \"/dev/ttyUSB0\"", 1)
			},
			[]string{"reader.port", "/dev/ttyUSB0", "08e6:3437"},
		},
		"a reader of pcscd's without a name": {
			func(t *testing.T, dir string) string {
				return strings.Replace(base(t, dir), "[reader]\nport = \"no-reader\"", "[reader]\ndriver = \"pcsc\"", 1)
			},
			[]string{"reader.port", "pcscd", "pos readers"},
		},
		"unknown profile": {
			func(t *testing.T, dir string) string { return "profile = \"mars\"\n" + base(t, dir) }, []string{"mars", "kuwait"},
		},
		"the developer's profile": {
			func(t *testing.T, dir string) string { return "profile = \"generic\"\n" + base(t, dir) }, []string{"generic", "terminal.literal_action_codes"},
		},
		"CA keys that are not there": {
			func(t *testing.T, dir string) string { return "ca_keys = \"capk.json\"\n" + base(t, dir) }, []string{"ca_keys", "capk.json", "acquirer"},
		},
		"CA keys that are none": {
			func(t *testing.T, dir string) string {
				write(t, filepath.Join(dir, "capk.json"), "nonsense")
				return "ca_keys = \"capk.json\"\n" + base(t, dir)
			},
			[]string{"ca_keys", "capk.json", "JSON"},
		},
		"address without a port": {
			func(t *testing.T, dir string) string {
				return strings.Replace(base(t, dir), "127.0.0.1:1", "localhost", 1)
			},
			[]string{"acquirer.address", "host:port"},
		},
		"no CA file": {
			func(t *testing.T, dir string) string {
				return strings.Replace(base(t, dir), `"ca.pem"`, `"nowhere.pem"`, 1)
			},
			[]string{"acquirer.ca", "nowhere.pem", "PEM"},
		},
		"CA that is none": {
			func(t *testing.T, dir string) string {
				text := base(t, dir)
				write(t, filepath.Join(dir, "ca.pem"), "not a certificate")
				return text
			},
			[]string{"acquirer.ca", "no certificate"},
		},
		"TPDU that is none": {
			func(t *testing.T, dir string) string { return strings.Replace(base(t, dir), "6000030000", "60", 1) },
			[]string{"acquirer.nac", "TPDU"},
		},
		"another daemon on the socket": {
			func(t *testing.T, dir string) string {
				var lc net.ListenConfig
				ln, err := lc.Listen(t.Context(), "unix", filepath.Join(dir, "posd.sock"))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = ln.Close() })
				return base(t, dir)
			},
			[]string{"in use", "posd.sock"},
		},
		"a file where the socket goes": {
			func(t *testing.T, dir string) string {
				write(t, filepath.Join(dir, "posd.sock"), "precious")
				return base(t, dir)
			},
			[]string{"no socket", "posd.sock"},
		},
		"another daemon on the state": {
			func(t *testing.T, dir string) string {
				unlock, err := lockState(filepath.Join(dir, "state"))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(unlock)
				return base(t, dir)
			},
			[]string{"in use", "another posd"},
		},
		"a journal without its counters": {
			func(t *testing.T, dir string) string {
				text := base(t, dir)
				runFor(t, dir, text)
				if err := os.Remove(filepath.Join(dir, "state", "stan.counter")); err != nil {
					t.Fatal(err)
				}
				return text
			},
			[]string{"stan.counter"},
		},
		"a reversal owed to an acquirer of another name": {
			func(t *testing.T, dir string) string {
				text := base(t, dir)
				runFor(t, dir, text)
				oweReversal(t, filepath.Join(dir, "state"), "acquirer")
				return strings.Replace(text, "[acquirer]", "[acquirer]\nname = \"other\"", 1)
			},
			[]string{"acquirer.name", "reversal of sale 7", "owed to \"acquirer\""},
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			text := c.arrange(t, dir)
			if text != "-" {
				write(t, filepath.Join(dir, "posd.toml"), text)
			}
			ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
			defer stop()
			var out bytes.Buffer
			err := serve(ctx, filepath.Join(dir, "posd.toml"), &out, &out)
			if err == nil {
				t.Fatalf("it started: %s", out.String())
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one line: %v", err)
			}
			for _, word := range c.says {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("%v: does not say %q", err, word)
				}
			}
		})
	}
}

// oweReversal leaves a sale in the middle, as a power cut does after its request has left.
func oweReversal(t *testing.T, state, acquirer string) {
	t.Helper()
	d, err := openDisk(t.Context(), state, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	batch, err := d.journal.Batch(t.Context(), acquirer)
	if err == nil {
		err = d.journal.Append(t.Context(), true, terminal.Entry{
			Kind: terminal.SaleEntry, From: terminal.Ready, Event: string(terminal.GoOnline), Duties: []terminal.Duty{terminal.OweReversal},
			Sale:   &terminal.Sale{V: terminal.RecordVersion, ID: 7, State: terminal.Sending, Acquirer: acquirer, Batch: batch, STAN: 9},
			Secret: &terminal.Secret{Reversal: []byte("reversal")},
		})
	}
	if err := errors.Join(err, d.close()); err != nil {
		t.Fatal(err)
	}
}

// A socket that a killed daemon left behind is no obstacle, and neither an absent reader nor an absent host keeps the
// daemon from being ready.
func TestStartsOverALeftSocketWithoutReaderAndHost(t *testing.T) {
	dir := t.TempDir()
	var lc net.ListenConfig
	ln, err := lc.Listen(t.Context(), "unix", filepath.Join(dir, "posd.sock"))
	if err != nil {
		t.Fatal(err)
	}
	left, ok := ln.(*net.UnixListener)
	if !ok {
		t.Fatalf("%T", ln)
	}
	left.SetUnlinkOnClose(false)
	if err := left.Close(); err != nil {
		t.Fatal(err)
	}
	runFor(t, dir, benchConfig(t, dir))
	if fi, err := os.Stat(filepath.Join(dir, "state")); err != nil || fi.Mode().Perm() != 0o700 {
		t.Errorf("state folder: %v %v", fi.Mode(), err)
	}
}

// runFor runs the daemon until it is ready, and ends it as SIGTERM does.
func runFor(t *testing.T, dir, text string) {
	t.Helper()
	path := filepath.Join(dir, "posd.toml")
	write(t, path, text)
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	ready := writerFunc(func(b []byte) (int, error) {
		if strings.HasPrefix(string(b), "posd ready") {
			if fi, err := os.Stat(filepath.Join(dir, "posd.sock")); err != nil || fi.Mode().Perm() != 0o600 {
				t.Errorf("socket: %v %v", fi, err)
			}
			stop()
		}
		return len(b), nil
	})
	if err := serve(ctx, path, ready, writerFunc(func(b []byte) (int, error) { return len(b), nil })); err != nil {
		t.Fatal(err)
	}
	if ctx.Err() != context.Canceled {
		t.Fatal("the daemon was not ready in time")
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A name in pcscd is no path, and stays as it is written; the ports of other drivers are paths.
func TestReaderPorts(t *testing.T) {
	for driver, path := range map[string]bool{"gempc": true, "pcsc": false} {
		dir := t.TempDir()
		text := strings.Replace(benchConfig(t, dir), "[reader]\nport = \"no-reader\"", "[reader]\nport = \"PC Twin\"\ndriver = \""+driver+"\"", 1)
		write(t, filepath.Join(dir, "posd.toml"), text)
		c, err := loadConfig(filepath.Join(dir, "posd.toml"))
		if err != nil {
			t.Fatal(err)
		}
		want := "PC Twin"
		if path {
			want = filepath.Join(dir, want)
		}
		if c.Reader.Port != want {
			t.Errorf("%s: port %q, want %q", driver, c.Reader.Port, want)
		}
		reader, err := openReader(c, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if name := reader.Name(); !strings.HasPrefix(name, driver+" ") {
			t.Error(name)
		}
		if err := reader.Close(); err != nil {
			t.Error(err)
		}
	}
}

// The config that is shipped is one that works: every key in it is known, and its commented defaults are the program's.
func TestShippedConfig(t *testing.T) {
	text, err := os.ReadFile("posd.toml")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "shipped.toml"), string(text))
	c, err := loadConfig(filepath.Join(dir, "shipped.toml"))
	if err != nil {
		t.Fatal(err)
	}
	var all []string // with every commented key switched on
	for line := range strings.Lines(string(text)) {
		if key, ok := strings.CutPrefix(line, "# "); ok && strings.Contains(key, " = ") {
			line = key
		}
		all = append(all, line)
	}
	write(t, filepath.Join(dir, "all.toml"), strings.Join(all, ""))
	full, err := loadConfig(filepath.Join(dir, "all.toml"))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(full, c) {
		t.Errorf("the commented keys are not the defaults:\n%+v\n%+v", full, c)
	}
}

func TestUsageErrors(t *testing.T) {
	c := command(&bytes.Buffer{}, &bytes.Buffer{})
	c.SetArgs([]string{"--no-such-flag"})
	if err := c.ExecuteContext(t.Context()); exitStatus(err) != 2 {
		t.Errorf("%v: exit status %d", err, exitStatus(err))
	}
}
