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

// Host is the USB of this machine. It holds nothing open by itself; its methods may be called from anywhere.
type Host struct {
	sys  fs.FS  // /sys
	proc fs.FS  // /proc
	dev  string // /dev
}

var _ Bus = (*Host)(nil)

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

// Open opens a device; see Bus.
func (h *Host) Open(ctx context.Context, info Info) (Device, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !h.there(info) {
		return nil, gone(info)
	}
	if err := h.permitted(info); err != nil {
		return nil, err
	}
	return h.open(info)
}

// there says that the device is still the one in its socket.
func (h *Host) there(info Info) bool {
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
			device.ErrPermission, node, named(info), info.ID)
	case os.IsNotExist(err) && h.there(info):
		return fmt.Errorf("%w: %s is missing for %s: give the container the folder /dev/bus/usb", device.ErrPermission, node, named(info))
	case os.IsNotExist(err):
		return gone(info)
	}
	return fmt.Errorf("%w: %w", device.ErrUnplugged, err)
}

// named tells a technician which device is meant.
func named(info Info) string {
	return strings.TrimSpace(fmt.Sprintf("%s at %s %s", info.ID, info.Path, info.Product))
}

// gone is the error for a device that is there no more.
func gone(info Info) error {
	return fmt.Errorf("%w: %s is not on the bus any more", device.ErrUnplugged, named(info))
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
	return fmt.Sprintf("%v: interface %d of %s: %s", device.ErrBusy, e.Interface, named(e.Info), who)
}

// Unwrap is device.ErrBusy.
func (*HeldError) Unwrap() error { return device.ErrBusy }

// pcscdSocket is where pcscd listens; that it is there is a hint only.
const pcscdSocket = "/run/pcscd/pcscd.comm"

// held finds out who has the device open besides us. Of processes of other users only root is told.
func (h *Host) held(info Info, number uint8) error {
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
