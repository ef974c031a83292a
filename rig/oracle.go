//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"

	"tillway/rig/initramfs"
)

// The folder of pcscd's driver for USB readers, as Debian has it.
const bundle = "usr/lib/pcsc/drivers/ifd-ccid.bundle/Contents"

// addOracle adds Debian's programs that read smart cards: what this project's readers, and its driver for pcscd, are compared with.
func addOracle(a *initramfs.Archive, l initramfs.Libraries, debian string) error {
	for _, p := range []struct{ from, name string }{
		{"usr/sbin/pcscd", "usr/sbin/pcscd"},
		{"usr/bin/opensc-tool", "usr/bin/opensc-tool"},
		{"usr/bin/pcsc_scan", "usr/bin/pcsc_scan"},
		{bundle + "/Linux/libccid.so", bundle + "/Linux/libccid.so"},
	} {
		if err := a.Program(l, filepath.Join(debian, p.from), p.name); err != nil {
			return fmt.Errorf("%w: remove %s and make test-usb again: it is fetched anew", err, debian)
		}
	}
	// Opened by name: by opensc, and by the C library where a thread ends; without that one pcscd ends too.
	for _, name := range []string{"libpcsclite.so.1", "libgcc_s.so.1"} {
		if err := a.Library(l, name); err != nil {
			return err
		}
	}
	for _, f := range []struct{ from, name string }{
		{"etc/libccid_Info.plist", bundle + "/Info.plist"},
		{"etc/opensc/opensc.conf", "etc/opensc/opensc.conf"},
	} {
		text, err := os.ReadFile(filepath.Join(debian, f.from))
		if err != nil {
			return err
		}
		a.File(f.name, 0o644, text)
	}
	return nil
}
