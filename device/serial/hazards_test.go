package serial

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.bug.st/serial"
	"golang.org/x/sys/unix"

	"tillway/device"
)

// The hazards of go.bug.st/serial v1.8.0, each by the name of the test that keeps it away from us. A hazard without its test, or
// a test that was renamed, fails here.
func TestEveryHazardHasItsTest(t *testing.T) {
	text, err := testText()
	if err != nil {
		t.Fatal(err)
	}
	for hazard, test := range map[string]string{
		"a write after Close lands in the file that was given the descriptor": "TestAfterClose",
		"a write during Close lands there":                                    "TestCloseAgainstWrites",
		"select panics on a descriptor from 1024 up":                          "TestHighDescriptor",
		"a write has no time limit":                                           "TestAStuckLine",
		"Close does not wake a write":                                         "TestAStuckLine",
		"Close does not wake a read":                                          "TestAStuckLine",
		"the list of ports opens every port":                                  "TestPortsAreNeverListedByOpening",
		"a pseudo-terminal has no modem lines, and opening fails for it":      "TestModemLinesOfAPseudoTerminal",
		"an unplugged port reads as closed and writes as EIO":                 "TestUnplug",
		"a port that was unplugged and is back is another one":                "TestPluggedInAgain",
		"the descriptor is inherited by every program that is started":        "TestNotInherited",
		"a descriptor is left open where opening fails":                       "TestNothingLeftOpen",
	} {
		if !regexp.MustCompile(`(?m)^func ` + test + `\(t \*testing\.T\)`).MatchString(text) {
			t.Errorf("%s: no test %s", hazard, test)
		}
	}
}

// testText is this folder's tests.
func testText() (string, error) {
	var all strings.Builder
	names, err := filepath.Glob("*_test.go")
	for _, name := range names {
		b, readErr := os.ReadFile(name)
		err = errors.Join(err, readErr)
		all.Write(b)
	}
	return all.String(), err
}

// Somebody writes without pause while the port is closed and files are opened: nothing of it arrives in them.
func TestCloseAgainstWrites(t *testing.T) {
	dir := t.TempDir()
	for range 30 {
		_, name := pair(t)
		p := open(t, name)
		ended := make(chan error, 2)
		for range 2 {
			go func() {
				for {
					if err := p.Write(t.Context(), []byte("leak")); err != nil {
						ended <- err
						return
					}
				}
			}()
		}
		runtime.Gosched()
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		var victims []*os.File
		for range 8 {
			f, err := os.CreateTemp(dir, "victim")
			if err != nil {
				t.Fatal(err)
			}
			victims = append(victims, f)
		}
		for range 2 {
			if err := <-ended; !errors.Is(err, device.ErrClosed) {
				t.Errorf("Write ended with %v", err)
			}
		}
		for _, f := range victims {
			if at, err := f.Stat(); err != nil || at.Size() != 0 {
				t.Fatalf("%s holds %d bytes, %v", f.Name(), at.Size(), err)
			}
			_ = f.Close()
		}
	}
}

// The library's own list opens every port, which resets what hangs on it: nothing of ours calls it.
func TestPortsAreNeverListedByOpening(t *testing.T) {
	lists := regexp.MustCompile(`\bGet(Detailed)?PortsList\(`)
	looked := 0
	err := filepath.WalkDir("../..", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(name, ".go") {
			return err
		}
		text, err := os.ReadFile(name)
		if looked++; err == nil && lists.Match(text) {
			t.Errorf("%s lists ports by opening them: serial.List reads /sys", name)
		}
		return err
	})
	if err != nil || looked < 100 {
		t.Errorf("%d files, %v", looked, err)
	}
}

// The hazard is still there, and the fence as well.
func TestModemLinesOfAPseudoTerminal(t *testing.T) {
	_, name := pair(t)
	raw, err := serial.Open(name, &serial.Mode{BaudRate: 115200, InitialStatusBits: &serial.ModemOutputBits{RTS: false, DTR: true}})
	if err == nil {
		_ = raw.Close()
		t.Error("the library sets modem lines of a pseudo-terminal by now: the fence may go")
	}
	for _, mode := range []Mode{{Baud: 115200, StopBits: 2, DTR: true}, {Baud: 9600, StopBits: 1, RTS: true}, {Baud: 9600, StopBits: 1}} {
		p, err := Open(name, mode)
		if err != nil {
			t.Fatalf("%+v: %v", mode, err)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A port that is back under its name is another port: the old one stays gone, the new one works.
func TestPluggedInAgain(t *testing.T) {
	link := filepath.Join(t.TempDir(), "port")
	var old *Port
	for range 5 {
		master, name := pair(t)
		if err := os.Symlink(name, link); err != nil {
			t.Fatal(err)
		}
		p := open(t, link)
		if _, err := master.WriteString("x"); err != nil {
			t.Fatal(err)
		}
		if got := readAll(t, p, 1); string(got) != "x" {
			t.Errorf("%q", got)
		}
		if old != nil {
			if _, err := old.Read(t.Context(), make([]byte, 1)); !errors.Is(err, device.ErrUnplugged) {
				t.Errorf("the old port: %v", err)
			}
		}
		old = p
		if err := errors.Join(master.Close(), os.Remove(link)); err != nil {
			t.Fatal(err)
		}
		if err := p.Write(t.Context(), []byte("x")); !errors.Is(err, device.ErrUnplugged) {
			t.Errorf("Write: %v", err)
		}
		if _, err := Open(link, Mode{Baud: 115200, StopBits: 1}); !errors.Is(err, device.ErrUnplugged) {
			t.Errorf("Open: %v", err)
		}
	}
}

// A program that posd starts does not get the reader with it.
func TestNotInherited(t *testing.T) {
	_, name := pair(t)
	p := open(t, name)
	raw, err := p.file.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) {
		if flags, err := unix.FcntlInt(fd, unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("flags %x, %v: it stays open in other programs", flags, err)
		}
	}); err != nil {
		t.Fatal(err)
	}
}

// A hundred times opened, refused, unplugged and given up: no descriptor more than before.
func TestNothingLeftOpen(t *testing.T) {
	count := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	_, name := pair(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	open(t, name)
	before, goroutines := count(), runtime.NumGoroutine()
	for range 100 {
		for what, refused := range map[string]error{name: device.ErrBusy, file: device.ErrUnplugged, "/dev/none": device.ErrUnplugged} {
			if p, err := Open(what, Mode{Baud: 115200, StopBits: 1}); p != nil || !errors.Is(err, refused) {
				t.Fatalf("%s: %v", what, err)
			}
		}
		if _, err := Open(name, Mode{Baud: -1, StopBits: 1}); err == nil {
			t.Fatal("opened at a speed that is none")
		}
	}
	for range 20 {
		master, again := pair(t)
		p := open(t, again)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		if _, err := p.Read(ctx, make([]byte, 1)); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		cancel()
		_ = master.Close()
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
	if now := count(); now > before+20 { // the other ends of the twenty, which the test closes at its end
		t.Errorf("%d descriptors before, %d after", before, now)
	}
	if now := runtime.NumGoroutine(); now > goroutines+2 {
		t.Errorf("%d goroutines before, %d after", goroutines, now)
	}
}
