package escpos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"tillway/device"
	"tillway/device/serial"
	"tillway/device/usb"
)

// Line is the way to a printer. One goroutine may read while another writes; Close ends both.
type Line interface {
	// Read waits for bytes and returns those that have come, at least one, or the context's error.
	Read(ctx context.Context, b []byte) (int, error)
	// Write sends all bytes; on an error some may have left.
	Write(ctx context.Context, b []byte) error
	Close() error
}

// Defaults of a port.
const (
	DefaultBaud = 38400 // of Epson's printers with a serial interface, by their DIP switches
	rawPort     = "9100"
	dialFor     = 5 * time.Second
)

// usbClass is where the kernel's usblp driver puts printers.
const usbClass = "/dev/usb/lp*"

// CheckPort says what is wrong with a port as a config has it.
func CheckPort(port string) error {
	switch rest, isTCP := strings.CutPrefix(port, "tcp://"); {
	case isTCP:
		host, _, err := net.SplitHostPort(withPort(rest))
		if err != nil || host == "" {
			return fmt.Errorf("printer port %q: write it as tcp://192.0.2.1:9100", port)
		}
	case strings.HasPrefix(port, "usb:"):
		if _, err := usbPort(port); err != nil {
			return fmt.Errorf("printer port %q: %w", port, err)
		}
	case port == "usb", strings.HasPrefix(port, "/"):
	default:
		return fmt.Errorf("printer port %q: a serial port like /dev/ttyUSB2, usb, usb:04b8:0202, /dev/usb/lp0 or tcp://192.0.2.1:9100", port)
	}
	return nil
}

func withPort(address string) string {
	if _, _, err := net.SplitHostPort(address); err != nil {
		return net.JoinHostPort(strings.Trim(address, "[]"), rawPort)
	}
	return address
}

// open opens a port: "tcp://host[:port]", "usb" (the first printer that usblp has, or else the first on the bus), "usb:04b8:0202",
// "/dev/usb/lpN", or a serial port. bus may be nil.
func open(ctx context.Context, port string, baud int, bus usb.Bus) (Line, error) {
	if address, ok := strings.CutPrefix(port, "tcp://"); ok {
		ctx, stop := context.WithTimeout(ctx, dialFor)
		defer stop()
		var d net.Dialer
		c, err := d.DialContext(ctx, "tcp", withPort(address))
		if err != nil {
			return nil, fmt.Errorf("%w: no receipt printer answers at %s: is it switched on, and in the network? %w", device.ErrUnplugged, port, err)
		}
		return &stream{port, c}, nil
	}
	if port == "usb" {
		found, err := filepath.Glob(usbClass)
		if len(found) == 0 && bus != nil {
			return openBus(ctx, bus, usb.ID{})
		}
		if err != nil || len(found) == 0 {
			return nil, fmt.Errorf("%w: no receipt printer on USB (%s): is it switched on, its cable in, and the module usblp loaded?", device.ErrUnplugged, usbClass)
		}
		slices.Sort(found)
		port = found[0]
	}
	if strings.HasPrefix(port, "usb:") {
		id, err := usbPort(port)
		switch {
		case err != nil:
			return nil, fmt.Errorf("%w: receipt printer: %w", device.ErrUnplugged, err)
		case bus == nil:
			return nil, fmt.Errorf("%w: receipt printer %s: this program has no USB", device.ErrUnplugged, port)
		}
		return openBus(ctx, bus, id)
	}
	if strings.HasPrefix(port, strings.TrimSuffix(usbClass, "*")) {
		return openFile(port)
	}
	if baud == 0 {
		baud = DefaultBaud
	}
	return serial.Open(port, serial.Mode{Baud: baud, StopBits: 1, RTS: true, DTR: true})
}

// openFile opens a printer of the kernel's usblp driver, which is read and written like a file that can be waited for.
func openFile(name string) (Line, error) {
	f, err := os.OpenFile(name, os.O_RDWR|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0) //nolint:gosec // the technician names the file
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENODEV), errors.Is(err, syscall.ENXIO):
		return nil, fmt.Errorf("%w: no receipt printer at %s: is it switched on, and its cable in?", device.ErrUnplugged, name)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%w: %s may not be opened: add the user to the group lp and start again", device.ErrPermission, name)
	case errors.Is(err, syscall.EBUSY):
		return nil, fmt.Errorf("%w: %s is in use: stop the other program (cupsd?)", device.ErrBusy, name)
	case err != nil:
		return nil, fmt.Errorf("%w: receipt printer at %s: %w", device.ErrUnplugged, name, err)
	}
	return &stream{name, f}, nil
}

// deadlines is what a connection and a file have in common.
type deadlines interface {
	io.ReadWriteCloser
	SetReadDeadline(t time.Time) error
	SetWriteDeadline(t time.Time) error
}

// stream is a Line on a connection or a file.
type stream struct {
	name string
	rwc  deadlines
}

// NewLine makes a Line of a connection: for printers behind something else than the ports above.
func NewLine(name string, c net.Conn) Line { return &stream{name, c} }

// emptyPause is how long a read that brought nothing waits before the next: usblp returns at once with a packet of no bytes.
const emptyPause = 20 * time.Millisecond

func (s *stream) Read(ctx context.Context, b []byte) (int, error) {
	for {
		n, err := s.within(ctx, s.rwc.SetReadDeadline, func() (int, error) { return s.rwc.Read(b) })
		if _, isFile := s.rwc.(*os.File); n > 0 || !isFile || !errors.Is(err, io.EOF) {
			return n, err
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(emptyPause):
		}
	}
}

func (s *stream) Write(ctx context.Context, b []byte) error {
	_, err := s.within(ctx, s.rwc.SetWriteDeadline, func() (int, error) { return s.rwc.Write(b) })
	return err
}

// within lets the context's end interrupt what is done.
func (s *stream) within(ctx context.Context, set func(time.Time) error, do func() (int, error)) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if err := set(time.Time{}); err != nil {
		return 0, lineError(s.name, err)
	}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		_ = set(time.Unix(1, 0)) // fails only when it is closed, and then nothing waits
	})
	n, err := do()
	if !stop() {
		<-ended
	}
	switch {
	case err == nil || n > 0 && errors.Is(err, io.EOF):
		return n, nil
	case errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() != nil:
		return n, ctx.Err()
	}
	return n, lineError(s.name, err)
}

func (s *stream) Close() error { return s.rwc.Close() }
