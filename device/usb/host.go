package usb

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"tillway/device"
)

// Host is the USB of this machine without its transfers, which package libusb adds. It holds nothing open; its methods may be
// called from anywhere.
type Host struct {
	sys  fs.FS  // /sys
	proc fs.FS  // /proc
	dev  string // /dev
}

// NewHost is this machine's bus. It does no I/O.
func NewHost() *Host { return &Host{sys: os.DirFS("/sys"), proc: os.DirFS("/proc"), dev: "/dev"} }

// List is all devices but hubs; see Bus.
func (h *Host) List(ctx context.Context) ([]Info, error) { return list(ctx, h.sys) }

// Changes tells that devices came or went; see Bus. Its goroutine ends with the context.
func (h *Host) Changes(ctx context.Context) <-chan struct{} {
	changes := make(chan struct{}, 1)
	go func() {
		defer close(changes)
		if err := listen(ctx, changes); err != nil {
			poll(ctx, changes)
		}
	}()
	return changes
}

// Ready says whether a device that List gave can be opened, by what the system lets be seen. Errors as Bus.Open's, each with
// what to do.
func (h *Host) Ready(info Info) error {
	if !h.There(info) {
		return Gone(info)
	}
	return h.permitted(info)
}

// There says that the device is still the one in its socket.
func (h *Host) There(info Info) bool {
	address, ok := number(h.sys, path.Join(devicesAt, info.Path, "devnum"), 10, 16)
	return ok && int(address) == info.Address //nolint:gosec // read with 16 bits
}

// node is the device's file.
func (h *Host) node(info Info) string {
	return filepath.Join(h.dev, "bus", "usb", fmt.Sprintf("%03d", info.Bus), fmt.Sprintf("%03d", info.Address))
}

// permitted looks whether the device's file can be opened, so that the reason is told in full.
func (h *Host) permitted(info Info) error {
	node := h.node(info)
	file, err := os.OpenFile(node, os.O_RDWR, 0)
	switch {
	case err == nil:
		return file.Close()
	case os.IsPermission(err):
		return fmt.Errorf("%w: %s (%s) may not be opened: install packaging/udev/60-tillway.rules in /etc/udev/rules.d with a line for %s, run \"udevadm control --reload\", and plug it in again",
			device.ErrPermission, node, Named(info), info.ID)
	case os.IsNotExist(err) && h.There(info):
		return fmt.Errorf("%w: %s is missing for %s: give the container the folder /dev/bus/usb", device.ErrPermission, node, Named(info))
	case os.IsNotExist(err):
		return Gone(info)
	}
	return fmt.Errorf("%w: %w", device.ErrUnplugged, err)
}

// Named tells a technician which device is meant.
func Named(info Info) string {
	return strings.TrimSpace(fmt.Sprintf("%s at %s %s", info.ID, info.Path, info.Product))
}

// Gone is the error for a device that is there no more: a device.ErrUnplugged.
func Gone(info Info) error {
	return fmt.Errorf("%w: %s is not on the bus any more", device.ErrUnplugged, Named(info))
}

// HeldError is another program having an interface. It is a device.ErrBusy.
type HeldError struct {
	Info      Info
	Interface uint8
	Program   string // its name; empty when that cannot be told
	PID       int    // 0 when that cannot be told
}

func (e *HeldError) Error() string {
	who := "another program has it"
	switch {
	case e.PID != 0:
		who = fmt.Sprintf("%s (process %d) has it: stop that program", e.Program, e.PID)
	case e.Program != "":
		who = "probably " + e.Program + " has it: stop that program"
	}
	return fmt.Sprintf("%v: interface %d of %s: %s", device.ErrBusy, e.Interface, Named(e.Info), who)
}

// Unwrap is device.ErrBusy.
func (*HeldError) Unwrap() error { return device.ErrBusy }

// Driver is who has an interface now, in the kernel's words: "usbfs" is a program; empty: nobody.
func (h *Host) Driver(ctx context.Context, info Info, number uint8) string {
	all, err := h.List(ctx)
	if err != nil {
		return ""
	}
	for _, other := range all {
		if other.Bus != info.Bus || other.Address != info.Address {
			continue
		}
		for _, one := range other.Interfaces {
			if one.Number == number {
				return one.Driver
			}
		}
	}
	return ""
}

// pcscdSocket is where pcscd listens; that it is there is a hint only.
const pcscdSocket = "/run/pcscd/pcscd.comm"

// Held is the error for an interface that another program has: a HeldError, with who has the device open besides us. Of other
// users' processes only root is told.
func (h *Host) Held(info Info, number uint8) error {
	e := &HeldError{Info: info, Interface: number}
	node, own := h.node(info), strconv.Itoa(os.Getpid())
	entries, err := fs.ReadDir(h.proc, ".")
	if err != nil {
		entries = nil
	}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || entry.Name() == own || !h.holds(entry.Name(), node) {
			continue
		}
		name, err := fs.ReadFile(h.proc, path.Join(entry.Name(), "comm"))
		if err != nil {
			continue // it ended meanwhile
		}
		e.PID, e.Program = pid, Printable(string(name))
		return e
	}
	if _, err := os.Stat(pcscdSocket); err == nil {
		e.Program = "pcscd"
	}
	return e
}

// holds says that a process has a file open.
func (h *Host) holds(pid, node string) bool {
	at := path.Join(pid, "fd")
	files, err := fs.ReadDir(h.proc, at)
	if err != nil {
		return false
	}
	for _, file := range files {
		if target, err := fs.ReadLink(h.proc, path.Join(at, file.Name())); err == nil && target == node {
			return true
		}
	}
	return false
}
