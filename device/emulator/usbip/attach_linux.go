package usbip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"tillway/device/emulator/virtualusb"
)

// VirtualHost is where vhci_hcd has its attributes.
const VirtualHost = "/sys/devices/platform/vhci_hcd.0"

// ErrHost says that this machine's kernel takes no virtual device, and what to do.
var ErrHost = errors.New("no virtual USB host controller")

// Attach plugs a device into this machine's kernel and carries it until the context ends or the device is pulled; then it is gone from the kernel too.
// It needs root and the module vhci_hcd. ready, when there, is told the port of the virtual hub. Errors: ErrHost, ErrTaken, ErrProtocol.
func Attach(ctx context.Context, d *Device, ready func(port int)) error {
	c, err := d.Plug()
	if err != nil {
		return err
	}
	defer c.Disconnect()
	ours, theirs, err := pair()
	if err != nil {
		return err
	}
	port, err := AttachSocket(VirtualHost, theirs, d.number|busNumber<<16, c.Speed())
	if closed := theirs.Close(); err == nil { // the kernel has its own reference
		err = closed
	}
	if err != nil {
		return errors.Join(err, ours.Close())
	}
	if ready != nil {
		ready(port)
	}
	return Carry(ctx, ours, c)
}

// pair is a connection to this process and the kernel's end of it.
func pair() (net.Conn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("socket pair: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "usbip"), os.NewFile(uintptr(fds[1]), "usbip kernel")
	conn, err := net.FileConn(ours)
	if closed := ours.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return nil, nil, errors.Join(err, theirs.Close())
	}
	return conn, theirs, nil
}

// AttachSocket gives the controller at host (VirtualHost) a connected stream socket, behind which somebody carries a device. The kernel keeps the
// socket; the caller may close its own. Error: ErrHost.
func AttachSocket(host string, socket *os.File, id uint32, speed virtualusb.Speed) (port int, err error) {
	status, err := os.ReadFile(filepath.Join(host, "status"))
	if err != nil {
		return 0, fmt.Errorf("%w: %w: load the module (modprobe vhci_hcd) and run as root", ErrHost, err)
	}
	if port, err = freePort(string(status)); err != nil {
		return 0, err
	}
	line := fmt.Sprintf("%d %d %d %d", port, socket.Fd(), id, kernelSpeed(speed))
	if err := os.WriteFile(filepath.Join(host, "attach"), []byte(line), 0); err != nil {
		return 0, fmt.Errorf("%w: port %d: %w: run as root", ErrHost, port, err)
	}
	return port, nil
}

// Detach pulls whatever is in a port of the controller at host. Error: ErrHost.
func Detach(host string, port int) error {
	if err := os.WriteFile(filepath.Join(host, "detach"), []byte(strconv.Itoa(port)), 0); err != nil {
		return fmt.Errorf("%w: port %d: %w", ErrHost, port, err)
	}
	return nil
}

// portFree is VDEV_ST_NULL in the controller's status.
const portFree = 4

// freePort finds a free port for USB 2.0 in the controller's status: lines of hub, port, state and more, under a heading.
func freePort(status string) (int, error) {
	for line := range strings.Lines(status) {
		words := strings.Fields(line)
		if len(words) < 3 || words[0] != "hs" {
			continue
		}
		port, errPort := strconv.Atoi(words[1])
		state, errState := strconv.Atoi(words[2])
		if errPort == nil && errState == nil && state == portFree {
			return port, nil
		}
	}
	return 0, fmt.Errorf("%w: every port is taken: unplug a virtual device", ErrHost)
}
