package emulator

import (
	"net"

	"golang.org/x/sys/unix"
)

// quick is a connection whose reads are acknowledged at once: vpcd writes each message in two parts and waits, under Nagle's rule, for the
// acknowledgement of the first, which takes 40 ms otherwise.
func quick(c net.Conn) net.Conn {
	if t, ok := c.(*net.TCPConn); ok {
		return quickConn{t}
	}
	return c
}

type quickConn struct{ *net.TCPConn }

func (c quickConn) Read(b []byte) (int, error) {
	if raw, err := c.SyscallConn(); err == nil { // it only makes things faster
		_ = raw.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_QUICKACK, 1) }) //nolint:gosec // a descriptor
	}
	return c.TCPConn.Read(b)
}
