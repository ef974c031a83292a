//go:build linux

package service

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"tillway/device/emulator/usbip"
	"tillway/device/emulator/virtualusb"
)

// ports is held from choosing a port of the virtual controller to taking it: the kernel has one controller.
type ports struct{ sync.Mutex }

// plug gives the controller one end of a pair of sockets; the other end is the device's.
func (p *ports) plug(speed virtualusb.Speed) (io.ReadWriteCloser, error) {
	p.Lock()
	defer p.Unlock()
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	ours, theirs := os.NewFile(uintptr(ends[0]), "device"), os.NewFile(uintptr(ends[1]), "controller")
	defer func() { _ = ours.Close() }()   // FileConn has its own
	defer func() { _ = theirs.Close() }() // the kernel has its own
	conn, err := net.FileConn(ours)
	if err != nil {
		return nil, err
	}
	const number = 0x00010002 // bus and device at the other end, which nobody looks at
	if _, err := usbip.AttachSocket(usbip.VirtualHost, theirs, number, speed); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}
