package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"tillway/till/support"
)

// Bounds of what is asked of the machine.
const (
	programLimit  = 10 * time.Second
	programOutput = 512 << 10 // bytes
)

// machineFiles is what a support desk asks of the machine, by its own files and programs. A program that is missing says so.
func machineFiles(ctx context.Context) (files []support.File) {
	for name, path := range map[string]string{
		"kernel.txt": "/proc/version", "uptime.txt": "/proc/uptime", "memory.txt": "/proc/meminfo", "load.txt": "/proc/loadavg",
		"system.txt": "/etc/os-release", "modules.txt": "/proc/modules",
	} {
		if text, err := readFile(path); err != nil {
			files = append(files, support.Missing("machine/"+name, err))
		} else {
			files = append(files, support.File{Name: "machine/" + name, Text: string(text)})
		}
	}
	units := []string{"tillway-posd.service", "tillway-keyd.service", "pcscd.service", "pcscd.socket"}
	const shown = "--property=Id,LoadState,ActiveState,SubState,Result,ExecMainStatus,NRestarts,ActiveEnterTimestamp,InactiveEnterTimestamp,FragmentPath,MemoryCurrent"
	for name, argv := range map[string][]string{
		"disks.txt":    {"df", "-h", "-T"},
		"services.txt": append([]string{"systemctl", "show", "--no-pager", shown}, units...),
		"journal.txt":  {"journalctl", "--no-pager", "--output=short-iso", "--lines=500", "--unit=tillway-posd.service", "--unit=tillway-keyd.service"},
		"usb.txt":      {"lsusb"},
		"clock.txt":    {"timedatectl", "show"},
	} {
		files = append(files, support.File{Name: "machine/" + name, Text: outputOf(ctx, argv)})
	}
	slices.SortFunc(files, func(x, y support.File) int { return strings.Compare(x.Name, y.Name) })
	return files
}

// outputOf runs a program of the machine, for what it prints.
func outputOf(ctx context.Context, argv []string) string {
	ctx, stop := context.WithTimeout(ctx, programLimit)
	defer stop()
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return argv[0] + " is not there\n"
	}
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, path, argv[1:]...) //nolint:gosec // a program of the list above
	cmd.Env = append(os.Environ(), "LC_ALL=C", "SYSTEMD_COLORS=0")
	kept := &bounded{w: &out, left: programOutput}
	cmd.Stdout, cmd.Stderr = kept, kept // one writer: exec writes to it from one goroutine then
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		fmt.Fprintf(&out, "%s: %v\n", strings.Join(argv[:min(2, len(argv))], " "), err)
	}
	return out.String()
}

// bounded takes so many bytes, and throws the rest away.
type bounded struct {
	w    io.Writer
	left int
}

func (b *bounded) Write(p []byte) (int, error) {
	take := min(len(p), b.left)
	b.left -= take
	if _, err := b.w.Write(p[:take]); err != nil {
		return 0, err
	}
	return len(p), nil
}
