package hid

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"tillway/device"
)

// The report descriptor of the MagTek USB HID swipe reader, as its manual prints it (99875191, Report Descriptor).
const magtekDescriptor = "\x06\x00\xFF\x09\x01\xA1\x01\x15\x00\x26\xFF\x00\x75\x08\x09\x20\x09\x21\x09\x22\x09\x28\x09\x29\x09\x2A\x09\x38\x95\x07\x81\x02" +
	"\x09\x30\x95\x6E\x82\x02\x01\x09\x31\x95\x6E\x82\x02\x01\x09\x32\x95\x6E\x82\x02\x01\x09\x20\x95\x18\xB2\x02\x01\xC0"

func TestDescriptor(t *testing.T) {
	got, err := ParseDescriptor([]byte(magtekDescriptor))
	if err != nil || got != (Reports{UsagePage: 0xFF00, Usage: 1, Input: 337, Feature: 24}) {
		t.Errorf("%+v, %v", got, err)
	}
	numbered := "\x06\x00\xFF\x09\x01\xA1\x01\x85\x01\x75\x08\x95\x10\x81\x02\x85\x02\x95\x20\x81\x02\xC0"
	if got, err := ParseDescriptor([]byte(numbered)); err != nil || got.Input != 32 || !got.Numbered {
		t.Errorf("%+v, %v", got, err)
	}
	for name, text := range map[string]string{
		"nothing": "", "cut short": magtekDescriptor[:2], "long item": "\xFE\x01\x02\x03", "popped": "\xB4",
		"far too long": "\x75\x20\x96\xFF\xFF\x81\x02", "pushed without end": strings.Repeat("\xA4", 17), "very long": strings.Repeat("\xC0", 5000),
	} {
		if got, err := ParseDescriptor([]byte(text)); !errors.Is(err, ErrDescriptor) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func FuzzDescriptor(f *testing.F) {
	f.Add([]byte(magtekDescriptor))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := ParseDescriptor(b)
		if err == nil && (got.Input > MaxReport || got.Feature > MaxReport || got.Input < 0) {
			t.Errorf("%+v", got)
		}
	})
}

// tree is a /sys/class/hidraw of a test.
func tree(t *testing.T, nodes map[string]string) System {
	t.Helper()
	dir := t.TempDir()
	for name, uevent := range nodes {
		at := filepath.Join(dir, "sys", name, "device")
		if err := errors.Join(os.MkdirAll(at, 0o700), os.WriteFile(filepath.Join(at, "uevent"), []byte(uevent), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return System{Sys: filepath.Join(dir, "sys"), Dev: filepath.Join(dir, "dev")}
}

func TestList(t *testing.T) {
	s := tree(t, map[string]string{
		"hidraw1": "DRIVER=hid-generic\nHID_ID=0003:00000801:00000002\nHID_NAME=Mag-Tek USB Swipe Reader\nHID_PHYS=usb-0000:00:14.0-2/input0\nHID_UNIQ=\n",
		"hidraw0": "HID_ID=0003:0000046D:0000C52B\n", "hidraw2": "HID_ID=0005:00000801:00000002\n", "hidraw3": "HID_ID=nonsense\n", "hidraw4": "",
	})
	all, err := s.List(t.Context())
	if err != nil || len(all) != 2 || all[1].ID != (ID{0x0801, 2}) || all[1].Name != "Mag-Tek USB Swipe Reader" || filepath.Base(all[1].Path) != "hidraw1" || all[1].Port == "" {
		t.Errorf("%+v, %v", all, err)
	}
	if all, err := (System{Sys: filepath.Join(t.TempDir(), "none")}).List(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("without the class: %v, %v", all, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.List(ended); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// What is no hidraw node does not open, and the error says what to do.
func TestOpenRefuses(t *testing.T) {
	plain := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{filepath.Join(t.TempDir(), "none"): "is the cable in", plain: "inappropriate ioctl"} {
		if _, err := (System{}).Open(t.Context(), Info{Path: path}); !errors.Is(err, device.ErrUnplugged) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
	info := Info{ID: ID{0x0801, 2}, Path: "/dev/hidraw0"}
	if err := openError(info, os.ErrPermission); !errors.Is(err, device.ErrUnplugged) {
		t.Error(err)
	}
}

// The udev rules name the same readers and group as the error does, and every reader of the list stands in them.
func TestPermissionNamesTheRule(t *testing.T) {
	err := openError(Info{ID: ID{0x0801, 2}, Path: "/dev/hidraw0"}, unix.EACCES)
	if !errors.Is(err, device.ErrPermission) || !strings.Contains(err.Error(), `ATTRS{idVendor}=="0801", ATTRS{idProduct}=="0002"`) {
		t.Error(err)
	}
}

// A node is read, interrupted and closed like a hidraw node; a pipe stands in for it, the kernel's own is in the USB/IP tests.
func TestNode(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	n := &node{name: "pipe", file: r}
	if _, err := w.Write([]byte("report")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 16)
	if got, err := n.Read(t.Context(), buf); err != nil || !bytes.Equal(buf[:got], []byte("report")) {
		t.Errorf("%q, %v", buf[:got], err)
	}
	soon, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := n.Read(soon, buf); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Read(t.Context(), buf); !errors.Is(err, device.ErrUnplugged) {
		t.Error(err)
	}
	if _, err := n.Feature(t.Context(), []byte{0, 1}); !errors.Is(err, device.ErrUnplugged) {
		t.Error(err)
	}
	if err := n.SetFeature(t.Context(), nil); !errors.Is(err, device.ErrProtocol) {
		t.Error(err)
	}
	if err := errors.Join(n.Close(), n.Close()); err != nil {
		t.Error(err)
	}
	if _, err := n.Read(t.Context(), buf); !errors.Is(err, device.ErrClosed) {
		t.Error(err)
	}
}

func TestID(t *testing.T) {
	var id ID
	if err := id.UnmarshalText([]byte("0acd:2010")); err != nil || id.String() != "0acd:2010" {
		t.Errorf("%v, %v", id, err)
	}
	for _, text := range []string{"", "0acd", "0acd:20100", "x:y", "0acd-2010"} {
		if err := id.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
