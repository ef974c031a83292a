//go:build !linux

package usb

import (
	"context"
	"errors"
)

// listen has nobody to hear on this system.
func listen(context.Context, chan<- struct{}) error { return errors.ErrUnsupported }
