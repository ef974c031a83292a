package usb

import (
	"context"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// maxEvent is the longest message of the kernel that is read: its own limit is 2048 bytes of keys and values, and the path.
const maxEvent = 8192

// listen hears the kernel's messages until the context ends. It works with and without a udevd, and in containers.
func listen(ctx context.Context, changes chan<- struct{}) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		return err
	}
	file := os.NewFile(uintptr(fd), "kernel events") //nolint:gosec // a descriptor
	defer file.Close()
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1}); err != nil {
		return err
	}
	conn, err := file.SyscallConn()
	if err != nil {
		return err
	}
	woken := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(woken)
		_ = file.SetReadDeadline(time.Unix(1, 0))
	})
	defer func() {
		if !stop() {
			<-woken
		}
	}()
	signal(changes) // what changed before the socket was there
	buffer := make([]byte, maxEvent)
	for ctx.Err() == nil {
		var n int
		var from unix.Sockaddr
		var failure error
		err := conn.Read(func(fd uintptr) bool {
			n, from, failure = unix.Recvfrom(int(fd), buffer, 0) //nolint:gosec // a descriptor
			return !errors.Is(failure, unix.EAGAIN)
		})
		switch sender, ok := from.(*unix.SockaddrNetlink); {
		case err != nil:
			return err
		case errors.Is(failure, unix.ENOBUFS):
			signal(changes) // there was more than fits: something of it may have been ours
		case errors.Is(failure, unix.EINTR):
		case failure != nil:
			return failure
		case ok && sender.Pid == 0 && usbChange(buffer[:n]): // only the kernel is number 0
			signal(changes)
		}
	}
	return nil
}
