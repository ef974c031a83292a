//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"tillway/rig/initramfs"
	"tillway/rig/qemu"
	"tillway/rig/service"
	"tillway/rig/tunnel"
)

// machine is the virtual machine, with a way to its guest.
type machine struct {
	service.Guest
	qemu        *qemu.Machine
	accelerator string
}

func (m *machine) close() {
	_ = m.Tunnel.Close() // QEMU ends with it
	m.qemu.Close()
}

const (
	memory  = 512              // megabytes of the guest
	bootTCG = 40 * time.Second // from start to the guest's first word, emulated on a busy machine
	bootKVM = 6 * time.Second  // and with the processor's help, where that works at all
)

// boot builds the guest and starts it. A machine may have /dev/kvm that does not work, being virtual itself: then it is emulated.
func boot(ctx context.Context, o options, folder string) (*machine, error) {
	kernel, err := kernelOf(o)
	if err != nil {
		return nil, err
	}
	initrd := filepath.Join(folder, "initrd")
	if err := buildInitrd(o, initrd); err != nil {
		return nil, err
	}
	if o.accelerator != "auto" {
		return start(ctx, folder, kernel, initrd, o.accelerator, bootTCG)
	}
	if kvm, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0); err == nil {
		_ = kvm.Close() // only asked for
		if m, err := start(ctx, folder, kernel, initrd, "kvm", bootKVM); err == nil || ctx.Err() != nil {
			return m, err
		}
		fmt.Println("/dev/kvm is there and does not boot a guest: the processor is emulated")
	}
	return start(ctx, folder, kernel, initrd, "tcg", bootTCG)
}

// start starts QEMU and waits for the guest's first word.
func start(ctx context.Context, folder, kernel, initrd, accelerator string, within time.Duration) (_ *machine, err error) {
	ctx, stop := context.WithTimeoutCause(ctx, within, fmt.Errorf("the guest did not come up within %v", within))
	defer stop()
	folder, err = os.MkdirTemp(folder, accelerator)
	if err != nil {
		return nil, err
	}
	socket := func(name string) string {
		return "socket,id=" + name + ",server=on,wait=off,path=" + filepath.Join(folder, name)
	}
	q, err := qemu.Start(ctx, qemu.Config{
		Folder: folder, Accelerator: accelerator, Kernel: kernel, Initrd: initrd, Memory: memory,
		Devices: []string{
			"-device", "qemu-xhci,id=xhci",
			"-chardev", socket("tunnel"), "-device", "virtio-serial-pci", "-device", "virtserialport,chardev=tunnel,name=tunnel",
			"-chardev", socket("card"), "-chardev", socket("serial"), // of devices that scenarios plug in
		},
	})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("%w\n%s", err, q.Said())
			q.Close()
		}
	}()
	conn, err := q.Dial(ctx, "tunnel")
	if err != nil {
		return nil, err
	}
	m := &machine{qemu: q, Guest: service.Guest{Tunnel: tunnel.New(conn)}, accelerator: accelerator}
	return m, m.Hello(ctx)
}

// modules of the guest's kernel: what a till has for readers, printers and serial lines, and what the rig itself needs.
func modules() []string {
	return []string{
		"virtio_pci", "virtio_console", "xhci_pci", "vhci_hcd",
		"ftdi_sio", "cdc_acm", "usbhid", "hid_generic", "usblp",
	}
}

// buildInitrd writes the guest's file system.
func buildInitrd(o options, file string) (err error) {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	a := initramfs.NewArchive(f)
	libraries := initramfs.Libraries{
		Folders: []string{
			filepath.Join(o.debian, "usr/lib/x86_64-linux-gnu"), filepath.Join(o.debian, "lib/x86_64-linux-gnu"),
			"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/usr/lib",
		},
		Inside: "usr/lib/x86_64-linux-gnu",
	}
	if err := a.Program(libraries, filepath.Join(o.programs, "guest"), "init"); err != nil {
		return fmt.Errorf("%w: make test-usb builds it", err)
	}
	for _, name := range []string{"posd", "keyd", "pos", "hostsim"} {
		if err := a.Program(libraries, filepath.Join(o.programs, name), "bin/"+name); err != nil {
			return fmt.Errorf("%w: make test-usb builds it", err)
		}
	}
	if err := addOracle(a, libraries, o.debian); err != nil {
		return err
	}
	versions, err := filepath.Glob(filepath.Join(o.kernel, "lib/modules/*"))
	if err != nil || len(versions) != 1 {
		return fmt.Errorf("%s holds %d kernels' modules, one is wanted: %w", o.kernel, len(versions), err)
	}
	if err := a.Modules(versions[0], modules()...); err != nil {
		return err
	}
	return a.Close()
}

// kernelOf is what QEMU boots: the kernel taken out of the package's vmlinuz where that is packed with xz, because an emulated
// processor takes seconds to do it; else vmlinuz as it is.
func kernelOf(o options) (string, error) {
	found, err := filepath.Glob(filepath.Join(o.kernel, "boot/vmlinuz-*"))
	if err != nil || len(found) != 1 {
		return "", fmt.Errorf("%s holds %d kernels, one is wanted: make test-usb unpacks it (%w)", o.kernel, len(found), err)
	}
	packed := found[0]
	plain := filepath.Join(filepath.Dir(packed), "vmlinux")
	if _, err := os.Stat(plain); err == nil {
		return plain, nil
	}
	text, err := os.ReadFile(packed)
	if err != nil {
		return "", err
	}
	_, behind, ok := bytes.Cut(text, []byte("\xFD7zXZ\x00"))
	if !ok {
		return packed, nil
	}
	unpack := exec.Command("xz", "-dc", "--single-stream") //nolint:noctx // one file in memory
	unpack.Stdin = bytes.NewReader(append([]byte("\xFD7zXZ\x00"), behind...))
	out, err := unpack.Output() // xz complains of what stands behind the stream, and has unpacked it
	if len(out) == 0 {
		return "", fmt.Errorf("unpacking %s: %w: make deps-usb installs xz-utils", packed, err)
	}
	if !bytes.HasPrefix(out, []byte("\x7fELF")) {
		return packed, nil
	}
	half := plain + ".half"
	if err := os.WriteFile(half, out, 0o600); err != nil {
		return "", err
	}
	return plain, os.Rename(half, plain)
}
