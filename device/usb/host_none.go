//go:build !linux || !cgo

package usb

import "errors"

// open cannot: the library that carries transfers is C code.
func (*Host) open(Info) (Device, error) {
	return nil, errors.New("this program was built without USB: build it on Linux with CGO_ENABLED=1 and libusb-1.0-0-dev")
}
