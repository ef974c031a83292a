//go:build linux

// Command guest is the first process of the test guest: it mounts what Linux programs expect, loads the kernel modules that the
// archive brings, carries out orders that come over a virtio-serial port, and switches the machine off when that ends.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"tillway/rig/initramfs"
	"tillway/rig/service"
	"tillway/rig/tunnel"
)

func main() {
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "guest: this is the first process of a test's virtual machine and does nothing elsewhere")
		os.Exit(2)
	}
	fmt.Fprintln(os.Stderr, "guest:", serve())
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF) // the kernel panics if it does not, and QEMU ends too
}

// serve carries out orders until the other side is gone, and says why it ended.
func serve() error {
	for _, step := range []func() error{mount, environment, loopback, modules} {
		if err := step(); err != nil {
			return err
		}
	}
	port, err := openPort()
	if err != nil {
		return err
	}
	return service.Serve(context.Background(), tunnel.New(port), "/log")
}

func mount() error {
	for _, m := range []struct{ what, where string }{
		{"proc", "/proc"}, {"sysfs", "/sys"}, {"devtmpfs", "/dev"}, {"tmpfs", "/run"}, {"tmpfs", "/tmp"}, {"devpts", "/dev/pts"},
	} {
		if err := os.MkdirAll(m.where, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(m.what, m.where, m.what, 0, ""); err != nil {
			return fmt.Errorf("mount %s: %w", m.where, err)
		}
	}
	return os.MkdirAll("/dev/shm", 0o777)
}

func environment() error {
	return errors.Join(os.Setenv("PATH", "/bin:/sbin:/usr/bin:/usr/sbin"), os.Setenv("HOME", "/tmp"))
}

// loopback brings 127.0.0.1 up (netdevice(7)).
func loopback() error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(s) }()
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, lo)
}

func modules() error {
	list, err := os.ReadFile("/" + initramfs.ModuleList)
	if err != nil {
		return err
	}
	for name := range strings.FieldsSeq(string(list)) {
		f, err := os.Open("/modules/" + name + ".ko")
		if err != nil {
			return err
		}
		err = unix.FinitModule(int(f.Fd()), "", 0)
		_ = f.Close() // read only
		if err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("module %s: %w", name, err)
		}
	}
	return nil
}

// openPort opens the virtio-serial port, as soon as the kernel has found it and the other side has connected: until then, reading gives
// nothing.
func openPort() (io.ReadWriteCloser, error) {
	const tries, pause = 1000, 10 * time.Millisecond
	for range tries {
		found, _ := filepath.Glob("/dev/vport*p*") // the pattern is right
		if len(found) > 0 {
			f, err := os.OpenFile(found[0], os.O_RDWR, 0)
			if err != nil {
				return nil, err
			}
			return patient{f}, nil
		}
		time.Sleep(pause)
	}
	return nil, errors.New("no virtio-serial port came up")
}

// patient reads on when the other side has not connected yet; it is gone for good when it does not come for a while.
type patient struct{ *os.File }

func (p patient) Read(b []byte) (int, error) {
	const tries, pause = 300, 10 * time.Millisecond
	for range tries {
		n, err := p.File.Read(b)
		if n > 0 || err != nil && !errors.Is(err, io.EOF) {
			return n, err
		}
		time.Sleep(pause)
	}
	return 0, io.EOF
}
