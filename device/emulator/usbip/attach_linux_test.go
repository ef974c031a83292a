package usbip

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tillway/device/emulator/virtualusb"
)

// status is what vhci_hcd of Linux 6.1 says with one device in its first port.
const vhciStatus = `hub port sta spd dev      sockfd local_busid
hs  0000 006 002 00010002 000003 1-1
hs  0001 004 000 00000000 000000 0-0
ss  0008 004 000 00000000 000000 0-0
`

func TestFreePort(t *testing.T) {
	if port, err := freePort(vhciStatus); port != 1 || err != nil {
		t.Errorf("%d, %v", port, err)
	}
	for _, full := range []string{"", strings.Replace(vhciStatus, "0001 004", "0001 006", 1), "hs x 004\nhs 1\n"} {
		if port, err := freePort(full); !errors.Is(err, ErrHost) {
			t.Errorf("%q: %d, %v", full, port, err)
		}
	}
}

// TestAttachSocket proves the line that the kernel wants: port, socket, device, speed. That a kernel takes it is proved under QEMU.
func TestAttachSocket(t *testing.T) {
	host := t.TempDir()
	for name, text := range map[string]string{"status": vhciStatus, "attach": "", "detach": ""} {
		if err := os.WriteFile(filepath.Join(host, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ours, theirs, err := pair()
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	defer theirs.Close()
	port, err := AttachSocket(host, theirs, 0x10002, virtualusb.HighSpeed)
	line, read := os.ReadFile(filepath.Join(host, "attach"))
	if words := strings.Fields(string(line)); port != 1 || err != nil || read != nil || len(words) != 4 || words[0] != "1" || words[2] != "65538" || words[3] != "3" {
		t.Errorf("port %d, %q, %v", port, line, errors.Join(err, read))
	}
	if err := Detach(host, 1); err != nil {
		t.Error(err)
	}
	if _, err := AttachSocket(filepath.Join(host, "none"), theirs, 0x10002, virtualusb.HighSpeed); !errors.Is(err, ErrHost) {
		t.Error(err)
	}
}
