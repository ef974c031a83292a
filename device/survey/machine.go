package survey

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/user"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"tillway/device/pcsc"
	"tillway/device/usb"
	"tillway/device/usb/libusb"
)

// Kind is what sort of device is meant.
type Kind string

// The kinds.
const (
	Reader  Kind = "reader"  // of cards, chips or stripes
	Pad     Kind = "pad"     // for PINs
	Printer Kind = "printer" // for receipts
)

// Place is one device, in the words of posd.toml.
type Place struct {
	Kind   Kind
	Driver string   // of a reader: gempc, usb, pcsc, tcp (a card at the end of a network line), text, magtek, idtech; else empty
	Port   string   // as the driver's configuration has it
	Baud   int      // of a serial printer or stripe reader; 0: the driver's own
	Allow  []usb.ID // readers on USB that are driven besides the list
	Socket string   // of pcscd; empty: the usual one
}

// String names the device for a technician: "reader gempc /dev/ttyUSB0".
func (p Place) String() string {
	return strings.TrimSpace(strings.Join(strings.Fields(string(p.Kind)+" "+p.Driver+" "+p.Port), " "))
}

// Machine is what is looked at. Its methods may be called from anywhere; they hold nothing open behind them.
type Machine struct {
	Sys    fs.FS    // /sys
	Proc   fs.FS    // /proc
	USB    usb.Bus  // nil: none
	Ready  USBReady // whether a USB device may be opened; nil: not known
	Held   USBHeld  // who has an interface of one; nil: not known
	Socket string   // of pcscd
	Wait   Wait     // the zero Wait is the usual one
	LP     string   // pattern of the files of the kernel's own printer driver
}

// USBReady says whether a device could be opened, and why not.
type USBReady func(usb.Info) error

// USBHeld is who has an interface.
type USBHeld func(info usb.Info, number uint8) error

// Wait is how long things are waited for.
type Wait struct {
	Answer time.Duration // for one question on a serial line; 0: 400 ms
	Device time.Duration // for a driver to find out how its device is; 0: 6 s
	Card   time.Duration // for a card that is in to be powered; 0: 8 s
}

// Local is this machine.
func Local() Machine {
	bus := libusb.New()
	return Machine{
		Sys: os.DirFS("/sys"), Proc: os.DirFS("/proc"), USB: bus, Ready: bus.Ready, Held: bus.Held, Socket: pcsc.Socket, LP: "/dev/usb/lp*",
	}
}

func (m Machine) socket(p Place) string {
	for _, s := range []string{p.Socket, m.Socket} {
		if s != "" {
			return s
		}
	}
	return pcsc.Socket
}

func (m Machine) answerWait() time.Duration { return orElse(m.Wait.Answer, 400*time.Millisecond) }
func (m Machine) deviceWait() time.Duration { return orElse(m.Wait.Device, 6*time.Second) }
func (m Machine) cardWait() time.Duration   { return orElse(m.Wait.Card, 8*time.Second) }

func orElse(d, usual time.Duration) time.Duration {
	if d == 0 {
		return usual
	}
	return d
}

// Holder is a process that has a file open.
type Holder struct {
	PID     int
	Program string // printable
}

// holder finds another process than this one that has a file open. Of other users' processes only root is told.
func (m Machine) holder(file string) (Holder, bool) {
	real, err := filepath.EvalSymlinks(file)
	if err != nil || m.Proc == nil {
		return Holder{}, false
	}
	entries, err := fs.ReadDir(m.Proc, ".")
	if err != nil {
		return Holder{}, false
	}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == os.Getpid() || !m.hasOpen(entry.Name(), real) {
			continue
		}
		name, err := fs.ReadFile(m.Proc, path.Join(entry.Name(), "comm"))
		if err != nil {
			continue // it ended meanwhile
		}
		return Holder{pid, usb.Printable(string(name))}, true
	}
	return Holder{}, false
}

func (m Machine) hasOpen(pid, file string) bool {
	at := path.Join(pid, "fd")
	files, err := fs.ReadDir(m.Proc, at)
	if err != nil {
		return false
	}
	for _, f := range files {
		if target, err := fs.ReadLink(m.Proc, path.Join(at, f.Name())); err == nil && target == file {
			return true
		}
	}
	return false
}

// may says whether this process may open a file for reading and writing. Errors: fs.ErrNotExist, fs.ErrPermission, others.
func may(file string) error {
	err := unix.Faccessat(unix.AT_FDCWD, file, unix.R_OK|unix.W_OK, unix.AT_EACCESS)
	if errors.Is(err, unix.ENXIO) || errors.Is(err, unix.ENODEV) {
		return fs.ErrNotExist
	}
	return err
}

// groupOf is the group whose members may open a file; empty where the file's rights let none.
func groupOf(file string) string {
	var st unix.Stat_t
	if err := unix.Stat(file, &st); err != nil || st.Mode&0o060 != 0o060 || st.Gid == 0 {
		return ""
	}
	g, err := user.LookupGroupId(strconv.FormatUint(uint64(st.Gid), 10))
	if err != nil {
		return ""
	}
	return g.Name
}

// listUSB is the bus, without an error where there is none.
func (m Machine) listUSB(ctx context.Context) ([]usb.Info, error) {
	if m.USB == nil {
		return nil, nil
	}
	return m.USB.List(ctx)
}
