package hid

import (
	"context"
	"fmt"
)

// MaxReport is the longest report that is taken, its number included; the kernel's own limit is 16384 (HID_MAX_BUFFER_SIZE).
const MaxReport = 4096

// MaxDescriptor is the longest report descriptor (HID_MAX_DESCRIPTOR_SIZE).
const MaxDescriptor = 4096

// ID is a vendor's and a product's number.
type ID struct{ Vendor, Product uint16 }

func (id ID) String() string { return fmt.Sprintf("%04x:%04x", id.Vendor, id.Product) }

// UnmarshalText reads an ID as lsusb prints it, like 0801:0002.
func (id *ID) UnmarshalText(b []byte) error {
	var v, p uint16
	if n, err := fmt.Sscanf(string(b), "%04x:%04x", &v, &p); err != nil || n != 2 || len(b) != len("0801:0002") {
		return fmt.Errorf("%q is no USB id: write it as lsusb does, like 0801:0002", b)
	}
	*id = ID{v, p}
	return nil
}

// Info says which device it is.
type Info struct {
	ID   ID
	Path string // of its node, like /dev/hidraw0
	Name string // as the device calls itself
	Port string // where it is plugged in, as the kernel writes it, like usb-0000:00:14.0-2/input0
}

// Device is one open device. One goroutine may read while another asks for features; Close may be called from any, more than once,
// and ends a Read.
type Device interface {
	// Read waits for the next input report. The device's own number of it comes first where it numbers its reports. Errors: the
	// context's, device.ErrUnplugged, device.ErrClosed.
	Read(ctx context.Context, report []byte) (int, error)

	// SetFeature sends a feature report; its first byte is its number, 0 where reports are not numbered.
	SetFeature(ctx context.Context, report []byte) error

	// Feature asks for a feature report: the first byte of report says which, and the answer takes its place, behind the same byte.
	Feature(ctx context.Context, report []byte) (int, error)

	// Descriptor is the report descriptor, at most MaxDescriptor bytes.
	Descriptor() []byte

	Close() error
}

// Bus lists devices and opens them.
type Bus interface {
	// List gives the devices that are there, sorted by path. None is no error.
	List(ctx context.Context) ([]Info, error)

	// Open opens one. Errors: device.ErrUnplugged, device.ErrPermission, device.ErrBusy, each with what to do.
	Open(ctx context.Context, info Info) (Device, error)
}
