// Package libusb is this machine's USB bus with transfers, through gousb v1.1.3 and libusb. What is known to go wrong in that
// library is fenced at the top of device_linux.go. Without cgo the package builds, lists, and says at Open that it cannot.
//
// Sources: libusb 1.0's manual; gousb's source; USB 2.0, chapter 9.
package libusb

import (
	"context"

	"tillway/device/usb"
)

// Bus is this machine's USB. Its methods may be called from anywhere.
type Bus struct{ *usb.Host }

var _ usb.Bus = Bus{}

// New is this machine's bus. It does no I/O.
func New() Bus { return Bus{usb.NewHost()} }

// Open opens a device; see usb.Bus.
func (b Bus) Open(ctx context.Context, info usb.Info) (usb.Device, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := b.Ready(info); err != nil {
		return nil, err
	}
	return open(b.Host, info)
}
