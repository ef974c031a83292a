//go:build !linux || !cgo

package libusb

import (
	"errors"

	"tillway/device/usb"
)

// open cannot: the library is C code.
func open(*usb.Host, usb.Info) (usb.Device, error) {
	return nil, errors.New("this program was built without USB: build it on Linux with CGO_ENABLED=1 and libusb-1.0-0-dev")
}
