package hid

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"tillway/device"
)

// System is the kernel's hidraw. The zero value is ready.
type System struct {
	Sys string // for tests; empty: /sys/class/hidraw
	Dev string // for tests; empty: /dev
}

// busUSB is the only bus whose devices are listed (BUS_USB, linux/input.h): a virtual one says so too.
const busUSB = 3

// List implements Bus.
func (s System) List(ctx context.Context) ([]Info, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(or(s.Sys, "/sys/class/hidraw"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil // no device was ever there: the class comes with the first
	}
	if err != nil {
		return nil, fmt.Errorf("HID devices: %w", err)
	}
	var all []Info
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(or(s.Sys, "/sys/class/hidraw"), e.Name(), "device", "uevent"))
		if err != nil {
			continue // it went in this moment
		}
		if info, ok := parseUevent(text); ok {
			info.Path = filepath.Join(or(s.Dev, "/dev"), e.Name())
			all = append(all, info)
		}
	}
	slices.SortFunc(all, func(a, b Info) int { return strings.Compare(a.Path, b.Path) })
	return all, nil
}

// parseUevent reads HID_ID=0003:00000801:00000002 (bus, vendor, product), HID_NAME and HID_PHYS. ok is false for what is no USB
// device.
func parseUevent(text []byte) (info Info, ok bool) {
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		key, value, _ := strings.Cut(lines.Text(), "=")
		switch key {
		case "HID_ID":
			var bus, vendor, product uint32
			n, err := fmt.Sscanf(value, "%04x:%08x:%08x", &bus, &vendor, &product)
			if err != nil || n != 3 || bus != busUSB || vendor > 0xFFFF || product > 0xFFFF {
				return Info{}, false
			}
			info.ID, ok = ID{uint16(vendor), uint16(product)}, true
		case "HID_NAME":
			info.Name = value
		case "HID_PHYS":
			info.Port = value
		}
	}
	return info, ok
}

// Open implements Bus. The device's ids are asked for again once it is open: a number in /dev may be another device's by now.
func (s System) Open(ctx context.Context, info Info) (Device, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	fd, err := unix.Open(info.Path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, openError(info, err)
	}
	n := &node{name: info.Path, file: os.NewFile(uintptr(fd), info.Path)}
	is, err := unix.IoctlHIDGetRawInfo(fd)
	if err == nil {
		n.descriptor, err = descriptorOf(fd)
	}
	if err != nil {
		return nil, errors.Join(openError(info, err), n.Close())
	}
	if got := (ID{uint16(is.Vendor), uint16(is.Product)}); got != info.ID { //nolint:gosec // the kernel's own type for 16 bits
		return nil, errors.Join(fmt.Errorf("%w: %s is %s by now", device.ErrUnplugged, info.Path, got), n.Close())
	}
	return n, nil
}

// descriptorOf asks for the report descriptor.
func descriptorOf(fd int) ([]byte, error) {
	size, err := unix.IoctlGetInt(fd, unix.HIDIOCGRDESCSIZE)
	if err != nil {
		return nil, err
	}
	if size < 0 || size > MaxDescriptor {
		return nil, fmt.Errorf("%w: %d bytes", ErrDescriptor, size)
	}
	value := unix.HIDRawReportDescriptor{Size: uint32(size)}
	if err := unix.IoctlHIDGetDesc(fd, &value); err != nil {
		return nil, err
	}
	return bytes.Clone(value.Value[:size]), nil
}

// openError words why a node could not be opened, and the fix.
func openError(info Info, err error) error {
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENXIO), errors.Is(err, unix.ENODEV):
		return fmt.Errorf("%w: %s has gone: is the cable in?", device.ErrUnplugged, info.Path)
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return fmt.Errorf("%w: %s (%s) may not be opened: put packaging/udev/70-tillway-stripe.rules into /etc/udev/rules.d and plug the reader in again, "+
			`or write the rule: KERNEL=="hidraw*", ATTRS{idVendor}=="%04x", ATTRS{idProduct}=="%04x", GROUP="dialout", MODE="0660"`,
			device.ErrPermission, info.Path, info.ID, info.ID.Vendor, info.ID.Product)
	case errors.Is(err, unix.EBUSY):
		return fmt.Errorf("%w: %s is in use: stop the other program", device.ErrBusy, info.Path)
	}
	return fmt.Errorf("%w: %s: %w", device.ErrUnplugged, info.Path, err)
}

// node is one open hidraw node. The Go runtime polls it: a device that is idle costs nothing.
type node struct {
	name       string
	file       *os.File
	descriptor []byte

	closing sync.Once
	ended   atomic.Bool
	closed  error
}

// Descriptor implements Device.
func (n *node) Descriptor() []byte { return n.descriptor }

// Read implements Device.
func (n *node) Read(ctx context.Context, report []byte) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if err := n.file.SetReadDeadline(time.Time{}); err != nil {
		return 0, n.fail(ctx, err)
	}
	past := make(chan struct{})
	unwatch := context.AfterFunc(ctx, func() {
		defer close(past)
		_ = n.file.SetReadDeadline(time.Unix(1, 0)) // fails only when the node is closed, and then nothing waits
	})
	defer func() {
		if !unwatch() {
			<-past // or it would cut short the next call
		}
	}()
	got, err := n.file.Read(report)
	if got > 0 {
		return got, nil
	}
	if err == nil {
		err = io.EOF
	}
	return 0, n.fail(ctx, err)
}

// SetFeature implements Device. The kernel bounds the transfer to five seconds.
func (n *node) SetFeature(ctx context.Context, report []byte) error {
	_, err := n.feature(ctx, hidSetFeature, report)
	return err
}

// Feature implements Device.
func (n *node) Feature(ctx context.Context, report []byte) (int, error) {
	return n.feature(ctx, hidGetFeature, report)
}

// The numbers of HIDIOCSFEATURE and HIDIOCGFEATURE, whose length is part of the request (linux/hidraw.h).
const (
	hidSetFeature = 0x06
	hidGetFeature = 0x07
)

func (n *node) feature(ctx context.Context, number uintptr, report []byte) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if len(report) == 0 || len(report) > MaxReport {
		return 0, fmt.Errorf("%w: feature report of %d bytes", device.ErrProtocol, len(report))
	}
	raw, err := n.file.SyscallConn()
	if err != nil {
		return 0, n.fail(ctx, err)
	}
	request := uintptr(3)<<30 | uintptr(len(report))<<16 | 'H'<<8 | number // _IOC(READ|WRITE, 'H', number, length)
	var got uintptr
	var errno unix.Errno
	err = raw.Control(func(fd uintptr) {
		got, _, errno = unix.Syscall(unix.SYS_IOCTL, fd, request, uintptr(unsafe.Pointer(&report[0])))
	})
	switch {
	case err != nil:
		return 0, n.fail(ctx, err)
	case errno == unix.EPIPE:
		return 0, fmt.Errorf("%w: %s refuses a feature report", device.ErrProtocol, n.name)
	case errno != 0:
		return 0, n.fail(ctx, errno)
	}
	return int(got), nil
}

// fail words an error of the node.
func (n *node) fail(ctx context.Context, err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() != nil {
		return ctx.Err()
	}
	if n.ended.Load() {
		return fmt.Errorf("%w: %s", device.ErrClosed, n.name)
	}
	return fmt.Errorf("%w: %s: %w", device.ErrUnplugged, n.name, err)
}

// Close implements Device.
func (n *node) Close() error {
	n.closing.Do(func() {
		n.ended.Store(true)
		n.closed = n.file.Close()
	})
	return n.closed
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
