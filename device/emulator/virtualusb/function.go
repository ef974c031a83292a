package virtualusb

import (
	"context"
	"errors"
)

// ErrStall is what a Function returns to answer with a STALL handshake (USB 2.0, 8.4.5): the request is not supported, or
// the endpoint is halted.
var ErrStall = errors.New("endpoint stalled")

// Descriptors are what a device says of itself. The bus answers the standard requests from them.
type Descriptors struct {
	Device        [18]byte // device descriptor (USB 2.0, 9.6.1)
	Configuration []byte   // the one configuration, whole: with interfaces, endpoints and class descriptors (9.6.3)
	Strings       []string // string descriptors 1, 2, … in English; the bus adds descriptor 0 (9.6.7)
}

// Function plays one USB device. Its methods may be called at once from several goroutines, each endpoint from one at a time.
// The context ends when the host cancels the transfer, resets or unplugs the device, or the function is halted: then the method returns soon with
// its error, and bytes that were not returned are kept for the next transfer.
type Function interface {
	// Descriptors are the same for as long as the device is plugged in.
	Descriptors() Descriptors

	// Control answers a class or vendor request, and a standard one that the descriptors do not answer, as GET_DESCRIPTOR of a HID
	// report. setup is the packet as on the wire (USB 2.0, 9.3; see ParseSetup); data is the data stage of a request to
	// the device, of wLength bytes. What is returned is the data stage of a request to the host; more than wLength is cut. ErrStall refuses.
	Control(ctx context.Context, setup [8]byte, data []byte) ([]byte, error)

	// Out takes the bytes of one transfer to the endpoint (an address without bit 7, as 0x02). ErrStall halts the endpoint. Blocking is
	// answering NAK.
	Out(ctx context.Context, endpoint uint8, data []byte) error

	// In gives the next packet of the endpoint (an address with bit 7, as 0x81) and waits until there is one. max is the endpoint's
	// wMaxPacketSize. A packet of max bytes says that more follows; a shorter one, an empty one included, ends the transfer; a
	// longer one is a babble, and an overflow to the host. Queue cuts messages into packets. ErrStall halts the endpoint.
	In(ctx context.Context, endpoint uint8, maxPacket int) ([]byte, error)
}

// Resetter is a Function that wants to know when it was powered up or reset by the host: all that it kept of the host is gone.
type Resetter interface {
	Reset()
}
