package usb

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"tillway/device"
)

// tree writes files below a folder; a name that ends in "@" is a link.
func tree(t *testing.T, root string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		at := filepath.Join(root, strings.TrimSuffix(name, "@"))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil { //nolint:gosec // a test's own folder
			t.Fatal(err)
		}
		var err error
		if strings.HasSuffix(name, "@") {
			err = os.Symlink(content, at)
		} else {
			err = os.WriteFile(at, []byte(content), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// machine is a host with a root hub, a hub, a GemPC Twin behind it that pcscd has, and a keyboard with a card slot.
func machine(t *testing.T) *Host {
	t.Helper()
	root := t.TempDir()
	files := map[string]string{}
	add := func(name string, lines ...string) {
		for _, line := range lines {
			file, value, _ := strings.Cut(line, "=")
			at := "sys/devices/pci0/" + name + "/" + file
			if file == "driver" {
				files[at+"@"] = "../../../bus/usb/drivers/" + value
				continue
			}
			files[at] = value + "\n"
		}
		files["sys/bus/usb/devices/"+name+"@"] = "../../../devices/pci0/" + name
	}
	add("usb1", "busnum=1", "devnum=1", "idVendor=1d6b", "idProduct=0002", "bDeviceClass=09")
	add("1-0:1.0", "bInterfaceNumber=00", "bAlternateSetting= 0", "bInterfaceClass=09", "bInterfaceSubClass=00", "bInterfaceProtocol=00", "driver=hub")
	add("1-2", "busnum=1", "devnum=2", "idVendor=05e3", "idProduct=0608", "bDeviceClass=09")
	add("1-2.10", "busnum=1", "devnum=12", "idVendor=046a", "idProduct=0070", "bDeviceClass=00", "product=Smartcard Keyboard")
	add("1-2.10:1.0", "bInterfaceNumber=00", "bAlternateSetting= 0", "bInterfaceClass=03", "bInterfaceSubClass=01", "bInterfaceProtocol=01", "driver=usbhid")
	add("1-2.10:1.1", "bInterfaceNumber=01", "bAlternateSetting= 0", "bInterfaceClass=0b", "bInterfaceSubClass=00", "bInterfaceProtocol=00")
	add("1-2.4", "busnum=1", "devnum=7", "idVendor=08e6", "idProduct=3437", "bDeviceClass=00", "manufacturer=Gemalto", "product=USB SmartCard\x1b[31m Reader", "serial="+strings.Repeat("7", 400))
	add("1-2.4:1.0", "bInterfaceNumber=00", "bAlternateSetting= 0", "bInterfaceClass=0b", "bInterfaceSubClass=00", "bInterfaceProtocol=00", "driver=usbfs")
	add("1-3", "busnum=1", "devnum=x", "idVendor=08e6", "idProduct=3437", "bDeviceClass=00")
	files["proc/77/comm"] = "pcscd\n"
	files["proc/77/fd/9@"] = filepath.Join(root, "dev/bus/usb/001/007")
	files["proc/78/comm"] = "other\n"
	files["proc/78/fd/9@"] = "/dev/null"
	files["dev/bus/usb/001/007"] = ""
	tree(t, root, files)
	return &Host{sys: os.DirFS(filepath.Join(root, "sys")), proc: os.DirFS(filepath.Join(root, "proc")), dev: filepath.Join(root, "dev")}
}

func TestList(t *testing.T) {
	h := machine(t)
	all, err := h.List(t.Context())
	if err != nil || len(all) != 2 {
		t.Fatalf("%+v, %v", all, err)
	}
	twin, keyboard := all[0], all[1] // socket 4 before socket 10
	if twin.String() != "08e6:3437" || twin.Bus != 1 || twin.Address != 7 || twin.Path != "1-2.4" || twin.Manufacturer != "Gemalto" ||
		twin.Product != "USB SmartCard[31m Reader" || len(twin.Serial) != maxText {
		t.Errorf("%+v", twin)
	}
	if want := (Interface{Class: 0x0B, Driver: "usbfs"}); len(twin.Interfaces) != 1 || twin.Interfaces[0] != want {
		t.Errorf("%+v", twin.Interfaces)
	}
	if len(keyboard.Interfaces) != 2 || keyboard.Interfaces[0].Driver != "usbhid" || keyboard.Interfaces[1].Class != 0x0B || keyboard.Interfaces[1].Number != 1 {
		t.Errorf("%+v", keyboard)
	}
	none := &Host{sys: os.DirFS(t.TempDir())}
	if all, err := none.List(t.Context()); len(all) != 0 || err != nil {
		t.Errorf("a machine without USB: %v, %v", all, err)
	}
}

func TestHeld(t *testing.T) {
	h := machine(t)
	all, err := h.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	err = h.Held(all[0], 0)
	held, ok := errors.AsType[*HeldError](err)
	if !ok || held.Program != "pcscd" || held.PID != 77 || !errors.Is(err, device.ErrBusy) || !strings.Contains(err.Error(), "pcscd (process 77)") {
		t.Errorf("%v", err)
	}
	if err := h.Held(all[1], 0); !errors.Is(err, device.ErrBusy) || strings.Contains(err.Error(), "process") {
		t.Errorf("nobody has it: %v", err)
	}
}

func TestOpenSaysWhy(t *testing.T) {
	h := machine(t)
	all, err := h.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	moved := all[0]
	moved.Address = 8
	if err := h.Ready(moved); !errors.Is(err, device.ErrUnplugged) {
		t.Errorf("another address: %v", err)
	}
	if err := h.Ready(all[1]); !errors.Is(err, device.ErrPermission) || !strings.Contains(err.Error(), "container") {
		t.Errorf("no file: %v", err)
	}
	// A file that may not be opened. Root may open all but a folder: the words are the same there.
	if err := os.Chmod(h.node(all[0]), 0); err != nil {
		t.Fatal(err)
	}
	if err := h.permitted(all[0]); os.Getuid() != 0 && (!errors.Is(err, device.ErrPermission) || !strings.Contains(err.Error(), "60-tillway.rules")) {
		t.Errorf("no permission: %v", err)
	}
	if d := h.Driver(t.Context(), all[0], 0); d != "usbfs" {
		t.Errorf("the driver is %q", d)
	}
	if d := h.Driver(t.Context(), moved, 0); d != "" {
		t.Errorf("a device that is not there has the driver %q", d)
	}
}

// Messages of Linux 6.1, as they come from the socket.
func TestUSBChange(t *testing.T) {
	event := func(lines ...string) []byte { return []byte(strings.Join(lines, "\x00") + "\x00") }
	path := "/devices/pci0000:00/0000:00:02.0/usb1/1-1"
	plugged := event("add@"+path, "ACTION=add", "DEVPATH="+path, "SUBSYSTEM=usb", "MAJOR=189", "MINOR=1", "DEVNAME=bus/usb/001/002",
		"DEVTYPE=usb_device", "PRODUCT=8e6/4433/0", "TYPE=0/0/0", "BUSNUM=001", "DEVNUM=002", "SEQNUM=1001")
	for name, c := range map[string]struct {
		message []byte
		want    bool
	}{
		"plugged":      {plugged, true},
		"unplugged":    {event("remove@"+path, "ACTION=remove", "SUBSYSTEM=usb", "DEVTYPE=usb_device"), true},
		"an interface": {event("add@"+path+":1.0", "ACTION=add", "SUBSYSTEM=usb", "DEVTYPE=usb_interface"), false},
		"a disk":       {event("add@/devices/x", "ACTION=add", "SUBSYSTEM=block", "DEVTYPE=disk"), false},
		"of udevd":     {event("libudev", "ACTION=add", "SUBSYSTEM=usb", "DEVTYPE=usb_device"), false},
		"nothing":      {nil, false},
	} {
		if got := usbChange(c.message); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// The channel is closed after the context, and nothing is left behind.
func TestChangesEnd(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		changes := NewHost().Changes(ctx)
		cancel()
		for range changes {
		}
	}
	for range 1000 { // a goroutine that has closed its channel still has to leave
		runtime.Gosched()
	}
	if now := runtime.NumGoroutine(); now > before+2 {
		t.Errorf("%d goroutines became %d", before, now)
	}
}

// FuzzUSBChange: only the kernel's own words for a device that came or went are taken for one.
func FuzzUSBChange(f *testing.F) {
	f.Add([]byte("add@/devices/x\x00ACTION=add\x00SUBSYSTEM=usb\x00DEVTYPE=usb_device\x00"))
	f.Fuzz(func(t *testing.T, message []byte) {
		if usbChange(message) && (!strings.Contains(string(message), "\x00SUBSYSTEM=usb") || !strings.Contains(string(message), "\x00DEVTYPE=usb_device")) {
			t.Fatalf("%q", message)
		}
	})
}
