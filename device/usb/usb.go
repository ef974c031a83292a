package usb

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// ID is a vendor's and its product's number.
type ID struct{ Vendor, Product uint16 }

// String is the number as it is written everywhere: "08e6:3437".
func (i ID) String() string { return fmt.Sprintf("%04x:%04x", i.Vendor, i.Product) }

// ParseID reads a number like "08e6:3437": four hexadecimal digits, a colon, four more.
func ParseID(text string) (ID, error) {
	vendor, product, found := strings.Cut(text, ":")
	v, errV := strconv.ParseUint(vendor, 16, 16)
	p, errP := strconv.ParseUint(product, 16, 16)
	if !found || len(vendor) != 4 || len(product) != 4 || errV != nil || errP != nil {
		return ID{}, fmt.Errorf("%q is no USB id: write it like 08e6:3437, as lsusb does", text)
	}
	return ID{uint16(v), uint16(p)}, nil
}

// Interface is one interface of a device, in one of its alternate settings (USB 2.0, 9.6.5).
type Interface struct {
	Number, Alternate         uint8
	Class, SubClass, Protocol uint8
	Driver                    string // kernel driver that has it, "usbfs" for another program; empty for none, or not known
}

// Info is what is known of a device without opening it.
type Info struct {
	ID
	Bus, Address int    // the kernel's numbers; the address is another after each plugging in
	Path         string // the socket it is in: bus, a dash, the ports of the hubs on the way: "1-2.4". Stays with the socket

	Manufacturer, Product, Serial string // the device's own words, printable and at most 126 characters; empty where it has none

	Interfaces []Interface // of the active configuration
}

// Device is an open device. One goroutine at a time may transfer with one endpoint; Close may be called from any, more
// than once, and ends transfers that wait with device.ErrClosed.
//
// Errors of all methods: device.ErrUnplugged when the device is gone, ErrStall when it refuses, device.ErrProtocol when it
// sends more than was asked for or its signals are damaged, the context's error when that ends, device.ErrClosed.
type Device interface {
	// Info is what List said of the device.
	Info() Info

	// Configuration is the active configuration descriptor with all that belongs to it, as the device sends it: at least 9
	// and at most MaxConfiguration bytes, of which nothing has been checked but the length.
	Configuration(ctx context.Context) ([]byte, error)

	// Claim takes an interface, in an alternate setting, for this program alone. A kernel driver that has it is told to let
	// go and gets it back at Close; another program is not. Errors: device.ErrBusy, and who holds it where that can be told.
	Claim(ctx context.Context, number, alternate uint8) error

	// Control is one transfer with endpoint 0 (USB 2.0, 9.3). Bit 7 of the request's type says which way data goes: into
	// data, or out of it. It takes ControlTimeout at most. n is how many bytes went.
	Control(ctx context.Context, requestType, request uint8, value, index uint16, data []byte) (n int, err error)

	// Read is one transfer from a bulk or interrupt endpoint of a claimed interface, bit 7 of whose address is set. It ends
	// with a packet shorter than the endpoint's, an empty one perhaps (n is 0 then), or when b is full; b should be a
	// multiple of the endpoint's packet. n counts also with an error.
	Read(ctx context.Context, endpoint uint8, b []byte) (n int, err error)

	// Write is one transfer to an endpoint of a claimed interface. No empty packet is added after a full last one. n counts
	// also with an error.
	Write(ctx context.Context, endpoint uint8, data []byte) (n int, err error)

	// Close gives the interfaces back and frees the device.
	Close() error
}

// Bus is where devices come and go.
type Bus interface {
	// List is all devices that are there, hubs left out, in the order of their sockets.
	List(ctx context.Context) ([]Info, error)

	// Open opens the device that List gave. Errors: device.ErrUnplugged when it is there no more, device.ErrPermission,
	// device.ErrBusy, each with what to do.
	Open(ctx context.Context, info Info) (Device, error)

	// Changes gets a value soon after devices came or went; several changes may be one value. The channel is closed
	// after the context's end. Where the kernel tells nothing, a value comes every few seconds.
	Changes(ctx context.Context) <-chan struct{}
}
