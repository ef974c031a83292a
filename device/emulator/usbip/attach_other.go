//go:build !linux

package usbip

import (
	"context"
	"errors"
)

// ErrHost says that this machine's kernel takes no virtual device, and what to do.
var ErrHost = errors.New("no virtual USB host controller: Linux has one")

// Attach needs Linux. Error: ErrHost.
func Attach(context.Context, *Device, func(port int)) error { return ErrHost }
