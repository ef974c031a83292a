package serial

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// List names the serial ports of the machine, as /dev/ttyUSB0. sys is the file system below /sys (os.DirFS("/sys")): no
// port is opened. Legacy ports without hardware behind them (type 0 of the 8250 driver) are left out.
func List(sys fs.FS) ([]string, error) {
	entries, err := fs.ReadDir(sys, "class/tty")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // a container without /sys/class/tty has no serial ports
	}
	if err != nil {
		return nil, fmt.Errorf("listing serial ports: %w", err)
	}
	var ports []string
	for _, entry := range entries {
		at := path.Join("class/tty", entry.Name())
		// Consoles and pseudo-terminals have no device behind them.
		if _, err := fs.Stat(sys, path.Join(at, "device")); err != nil {
			continue
		}
		if kind, err := fs.ReadFile(sys, path.Join(at, "type")); err == nil && strings.TrimSpace(string(kind)) == "0" {
			continue
		}
		ports = append(ports, "/dev/"+entry.Name())
	}
	return ports, nil
}
