package usb

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// classHub is the class of hubs, which are no devices to anybody here.
const classHub = 0x09

// maxText is how much of a device's own words is kept.
const maxText = 126

// maxDevices bounds a list: a bus has 127 addresses, and a machine a few buses.
const maxDevices = 4096

// list reads the devices from the file system below /sys. A machine without USB has none.
func list(ctx context.Context, sys fs.FS) ([]Info, error) {
	entries, err := fs.ReadDir(sys, devicesAt)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing USB devices: %w", err)
	}
	if len(entries) > maxDevices {
		entries = entries[:maxDevices]
	}
	var all []Info
	for _, entry := range entries {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if strings.Contains(entry.Name(), ":") {
			continue // an interface
		}
		if info, ok := describe(sys, entry.Name()); ok {
			info.Interfaces = interfaces(sys, entry.Name(), entries)
			all = append(all, info)
		}
	}
	slices.SortFunc(all, func(a, b Info) int {
		return cmp.Or(cmp.Compare(a.Bus, b.Bus), slices.Compare(ports(a.Path), ports(b.Path)), cmp.Compare(a.Address, b.Address))
	})
	return all, nil
}

// devicesAt is where the kernel lists devices and their interfaces.
const devicesAt = "bus/usb/devices"

// describe reads one device. One that is gone meanwhile, and a hub, is none.
func describe(sys fs.FS, name string) (Info, bool) {
	at := path.Join(devicesAt, name)
	bus, okBus := number(sys, path.Join(at, "busnum"), 10, 16)
	address, okAddress := number(sys, path.Join(at, "devnum"), 10, 16)
	vendor, okVendor := number(sys, path.Join(at, "idVendor"), 16, 16)
	product, okProduct := number(sys, path.Join(at, "idProduct"), 16, 16)
	class, okClass := number(sys, path.Join(at, "bDeviceClass"), 16, 8)
	if !okBus || !okAddress || !okVendor || !okProduct || !okClass || class == classHub {
		return Info{}, false
	}
	return Info{
		ID: ID{uint16(vendor), uint16(product)}, Bus: int(bus), Address: int(address), Path: name, //nolint:gosec // read with 16 bits
		Manufacturer: text(sys, path.Join(at, "manufacturer")), Product: text(sys, path.Join(at, "product")), Serial: text(sys, path.Join(at, "serial")),
	}, true
}

// interfaces reads those of the active configuration of one device: they stand beside it as "1-2.4:1.0".
func interfaces(sys fs.FS, device string, entries []fs.DirEntry) (all []Interface) {
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), device+":") {
			continue
		}
		at := path.Join(devicesAt, entry.Name())
		var values [5]uint8
		complete := true
		for i, file := range []string{"bInterfaceNumber", "bAlternateSetting", "bInterfaceClass", "bInterfaceSubClass", "bInterfaceProtocol"} {
			base := 16
			if file == "bAlternateSetting" {
				base = 10 // the one number here that the kernel prints in decimal
			}
			n, ok := number(sys, path.Join(at, file), base, 8)
			values[i], complete = uint8(n), complete && ok //nolint:gosec // read with 8 bits
		}
		if !complete {
			continue
		}
		one := Interface{Number: values[0], Alternate: values[1], Class: values[2], SubClass: values[3], Protocol: values[4]}
		if driver, err := fs.ReadLink(sys, path.Join(at, "driver")); err == nil {
			one.Driver = path.Base(driver)
		}
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b Interface) int { return cmp.Compare(a.Number, b.Number) })
	return all
}

// ports are the numbers in a path, for ordering "1-10" behind "1-9".
func ports(p string) (all []int) {
	for _, word := range strings.FieldsFunc(p, func(c rune) bool { return c == '-' || c == '.' }) {
		n, err := strconv.Atoi(word)
		if err != nil {
			n = 0
		}
		all = append(all, n)
	}
	return all
}

// number reads a file with one number in it.
func number(sys fs.FS, file string, base, bits int) (uint64, bool) {
	b, err := fs.ReadFile(sys, file)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(b)), base, bits)
	return n, err == nil
}

// text reads a device's own words. They may be anything: what is not printable is left out, and what is long is cut.
func text(sys fs.FS, file string) string {
	b, err := fs.ReadFile(sys, file)
	if err != nil {
		return ""
	}
	return Printable(string(b))
}

// Printable is what a device says of itself, as it may be shown and logged: printable ASCII, at most 126 characters, no
// space at the ends.
func Printable(s string) string {
	s = strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return -1
		}
		return c
	}, s[:min(len(s), 4*maxText)])
	return strings.TrimSpace(s[:min(len(s), maxText)])
}
