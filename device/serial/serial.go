// Package serial opens serial ports for the drivers of serial readers, PIN pads and printers: raw bytes with a context
// on every wait, and errors in the words of package device.
//
// It is a fence around go.bug.st/serial v1.8.0. That library only sets the line (speed, stop bits, modem lines), on a
// descriptor that is closed again at once; the bytes go through one of our own, which the Go runtime polls. Hence its
// hazards do not reach us: a write after Close landing in another file, select panicking on descriptors from 1024 up, a
// write without a time limit that Close does not wake, a descriptor that child processes inherit. Ports are listed from
// /sys, because the library's list opens, and so resets, ports in use. On a pseudo-terminal, which has no modem lines,
// their absence is no error.
//
// It knows no protocol. Linux only, as the library's use of /proc/self/fd is. Sources: tty_ioctl(4), pty(7), termios(3).
package serial

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.bug.st/serial"
	"golang.org/x/sys/unix"

	"tillway/device"
)

// Mode is how the line is set. Data bits are eight, without parity.
type Mode struct {
	Baud     int
	StopBits int  // 1 or 2
	RTS, DTR bool // level of the modem lines after opening
}

// Port is an open serial port. One goroutine may read while another writes; Close may be called from any, more than
// once, and ends both.
type Port struct {
	name string
	file *os.File

	closing sync.Once
	ended   atomic.Bool // Close was called
	closed  error       // what closing the file said
}

// Open opens the port, exclusively among well-behaved programs, and throws away what had arrived before. Errors:
// device.ErrUnplugged when there is no such port, device.ErrPermission, device.ErrBusy, each with what to do.
func Open(name string, mode Mode) (*Port, error) {
	fd, err := unix.Open(name, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, openError(name, err)
	}
	file := os.NewFile(uintptr(fd), name)
	if err := setUp(name, fd, mode); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &Port{name: name, file: file}, nil
}

// setUp claims the port that is open as fd and sets its line. The lock keeps out a second instance, whoever runs it;
// the exclusive mode all others but the superuser. On a pseudo-terminal that mode would outlive us for as long as the
// other end lives, and so the lock alone has to do.
func setUp(name string, fd int, mode Mode) error {
	if _, err := unix.IoctlGetTermios(fd, unix.TCGETS); err != nil {
		if errors.Is(err, unix.ENOTTY) {
			return fmt.Errorf("%w: %s is not a serial port", device.ErrUnplugged, name)
		}
		return ioError(name, err)
	}
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return openError(name, unix.EBUSY)
	}
	if err := setLine(fd, mode); err != nil {
		return openError(name, err)
	}
	if !isPseudo(fd) {
		if err := unix.IoctlSetInt(fd, unix.TIOCEXCL, 0); err != nil {
			return ioError(name, err)
		}
	}
	if err := unix.IoctlSetInt(fd, unix.TCFLSH, unix.TCIOFLUSH); err != nil {
		return ioError(name, err)
	}
	return nil
}

// setLine has the library set the line of the port that is open as fd, by descriptor, so that it is the same device
// whatever happens to the name in between. What it sets stays for as long as fd is open.
func setLine(fd int, mode Mode) (err error) {
	syscall.ForkLock.RLock() // the library's descriptor is not close-on-exec
	defer syscall.ForkLock.RUnlock()
	stop := serial.OneStopBit
	if mode.StopBits == 2 {
		stop = serial.TwoStopBits
	}
	line, err := serial.Open(fmt.Sprintf("/proc/self/fd/%d", fd), &serial.Mode{BaudRate: mode.Baud, DataBits: 8, StopBits: stop})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, line.Close()) }()
	if isPseudo(fd) {
		return nil
	}
	if err := line.SetRTS(mode.RTS); err != nil && !errors.Is(err, unix.ENOTTY) {
		return err
	}
	if err := line.SetDTR(mode.DTR); err != nil && !errors.Is(err, unix.ENOTTY) {
		return err
	}
	return nil
}

// isPseudo tells the slave side of a pseudo-terminal by its major number.
func isPseudo(fd int) bool {
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil {
		return false
	}
	major := unix.Major(st.Rdev)
	return major >= 136 && major <= 143
}

// Read waits for bytes and returns those that have arrived, at least one. Errors: the context's, device.ErrUnplugged,
// device.ErrClosed.
func (p *Port) Read(ctx context.Context, b []byte) (int, error) {
	stop, err := p.watch(ctx, p.file.SetReadDeadline)
	if err != nil {
		return 0, err
	}
	defer stop()
	n, err := p.file.Read(b)
	if n > 0 {
		return n, nil
	}
	if err == nil {
		err = io.EOF
	}
	return 0, p.fail(ctx, err)
}

// Write sends all bytes to the operating system. On an error some may have left. Errors as with Read.
func (p *Port) Write(ctx context.Context, b []byte) error {
	stop, err := p.watch(ctx, p.file.SetWriteDeadline)
	if err != nil {
		return err
	}
	defer stop()
	if _, err := p.file.Write(b); err != nil {
		return p.fail(ctx, err)
	}
	return nil
}

// watch makes the context's end interrupt what follows, until stop is called.
func (p *Port) watch(ctx context.Context, setDeadline func(time.Time) error) (stop func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := setDeadline(time.Time{}); err != nil {
		return nil, p.fail(ctx, err)
	}
	ended := make(chan struct{})
	unwatch := context.AfterFunc(ctx, func() {
		defer close(ended)
		_ = setDeadline(time.Unix(1, 0)) // fails only when the port is closed, and then nothing waits
	})
	return func() {
		if !unwatch() {
			<-ended // or it would cut short the next call
		}
	}, nil
}

// fail words an error of the file.
func (p *Port) fail(ctx context.Context, err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() != nil {
		return ctx.Err()
	}
	if p.ended.Load() {
		return fmt.Errorf("%w: %s", device.ErrClosed, p.name)
	}
	return ioError(p.name, err)
}

// discardOutput throws away what was written and has not left yet.
func (p *Port) discardOutput() {
	raw, err := p.file.SyscallConn()
	if err != nil {
		return // a port that is gone has nothing to throw away
	}
	_ = raw.Control(func(fd uintptr) { _ = unix.IoctlSetInt(int(fd), unix.TCFLSH, unix.TCOFLUSH) })
}

// Close closes the port. What was not sent yet is thrown away, so that closing does not wait for a stuck line.
func (p *Port) Close() error {
	p.closing.Do(func() {
		p.ended.Store(true)
		p.discardOutput()
		p.closed = p.file.Close()
	})
	return p.closed
}
