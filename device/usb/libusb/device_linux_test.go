//go:build cgo

package libusb

import (
	"bytes"
	"context"
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/google/gousb"

	"tillway/device"
	"tillway/device/usb"
)

var info = usb.Info{ID: usb.ID{Vendor: 0x08E6, Product: 0x3437}, Bus: 1, Address: 250, Path: "1-9"}

// The library starts, or says in words why not: it does not end the program. And it leaves nothing behind.
func TestContexts(t *testing.T) {
	held := func() int {
		open, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return runtime.NumGoroutine() + len(open)
	}
	before := held()
	for range 5 {
		c, err := newContext()
		if err != nil {
			if !errors.Is(err, device.ErrPermission) || !strings.Contains(err.Error(), "libusb") {
				t.Fatal(err)
			}
			continue
		}
		if _, err := openIn(c, info); !errors.Is(err, device.ErrUnplugged) {
			t.Errorf("a device that is not there: %v", err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	if now := held(); now > before+3 {
		t.Errorf("%d goroutines and descriptors became %d", before, now)
	}
}

// A device that is gone is not opened, and an ended context opens nothing.
func TestOpenNothing(t *testing.T) {
	if _, err := New().Open(t.Context(), info); !errors.Is(err, device.ErrUnplugged) {
		t.Errorf("%v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := New().Open(ended, info); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// Interfaces with gaps in their numbers stand where the library looks for them.
func TestStretch(t *testing.T) {
	c := gousb.ConfigDesc{Interfaces: []gousb.InterfaceDesc{{Number: 3}, {Number: 1}}}
	stretch(&c)
	if len(c.Interfaces) != 4 || c.Interfaces[1].Number != 1 || c.Interfaces[3].Number != 3 || c.Interfaces[0].Number != -1 || c.Interfaces[2].Number != -1 {
		t.Errorf("%+v", c.Interfaces)
	}
}

// The library's words become ours, each with the device's name.
func TestErrors(t *testing.T) {
	for from, want := range map[error]error{
		gousb.ErrorNoDevice: device.ErrUnplugged, gousb.TransferNoDevice: device.ErrUnplugged, gousb.ErrorAccess: device.ErrPermission,
		gousb.ErrorBusy: device.ErrBusy, gousb.TransferStall: usb.ErrStall, gousb.ErrorPipe: usb.ErrStall, gousb.TransferTimedOut: device.ErrTimeout,
		gousb.TransferOverflow: device.ErrProtocol, gousb.TransferError: device.ErrProtocol,
	} {
		if err := hostError(from, info); !errors.Is(err, want) || !strings.Contains(err.Error(), "08e6:3437 at 1-9") {
			t.Errorf("%v became %v", from, err)
		}
	}
	other := errors.New("of another kind")
	if err := hostError(other, info); !errors.Is(err, other) {
		t.Errorf("%v", err)
	}
}

// says is a device that answers requests for its configuration.
type says struct {
	usb.Device
	configuration []byte
	sends         int // bytes of it; 0: all that are asked for
}

func (says) Info() usb.Info { return info }

func (s says) Control(_ context.Context, _, _ uint8, _, _ uint16, data []byte) (int, error) {
	b := s.configuration
	if s.sends > 0 {
		b = b[:s.sends]
	}
	return copy(data, b), nil
}

// The length that a device gives is bounded before it is believed.
func TestReadConfiguration(t *testing.T) {
	good := append([]byte{9, 2, 25, 0, 1, 1, 0, 0x80, 50}, bytes.Repeat([]byte{16}, 16)...)
	if b, err := readConfiguration(t.Context(), says{configuration: good}); err != nil || !bytes.Equal(b, good) {
		t.Errorf("%X, %v", b, err)
	}
	for name, s := range map[string]says{
		"64 KB":       {configuration: []byte{9, 2, 0xFF, 0xFF, 1, 1, 0, 0x80, 50}},
		"nothing":     {configuration: []byte{9, 2, 0, 0, 1, 1, 0, 0x80, 50}},
		"eight bytes": {configuration: good, sends: 8},
	} {
		if b, err := readConfiguration(t.Context(), s); !errors.Is(err, usb.ErrDescriptor) {
			t.Errorf("%s: %X, %v", name, b, err)
		}
	}
}
