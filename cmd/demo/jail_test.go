//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// jailVariable makes this test program shut itself in, and then become the program that its arguments name.
const jailVariable = "TILLWAY_TEST_JAIL"

// A jail is what a unit says of its service, as far as it can be had without systemd: user, groups, no capabilities, no new privileges, a
// root that is read-only but for some folders, the system calls and address families of the unit, and no memory that is written and run.
type jail struct {
	UID, GID int
	Groups   []int
	Writable []string
	Calls    []uint32
	Families []uint32
}

// enterJail is the child's: it does not return.
func enterJail(text string) error {
	runtime.LockOSThread()
	var j jail
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		return err
	}
	free := unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY} // LimitMEMLOCK; posd has no use for it
	if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &free); err != nil {
		fmt.Fprintln(os.Stderr, "NOT CHECKED on this machine: LimitMEMLOCK:", err)
	}
	if err := j.mounts(); err != nil {
		return fmt.Errorf("mounts: %w", err)
	}
	for c := uintptr(0); c <= 63; c++ {
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil && !errors.Is(err, unix.EINVAL) {
			return fmt.Errorf("capability %d: %w", c, err)
		}
	}
	if err := errors.Join(syscall.Setgroups(j.Groups), syscall.Setresgid(j.GID, j.GID, j.GID), syscall.Setresuid(j.UID, j.UID, j.UID)); err != nil {
		return fmt.Errorf("user: %w", err)
	}
	const setMDWE, refuseGain = 65, 1
	if err := unix.Prctl(setMDWE, refuseGain, 0, 0, 0); err != nil {
		fmt.Fprintln(os.Stderr, "NOT CHECKED on this kernel: MemoryDenyWriteExecute:", err)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	filter := j.filter()
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]} //nolint:gosec // some hundred
	if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0); err != nil {
		return fmt.Errorf("system calls: %w", err)
	}
	return syscall.Exec(os.Args[1], os.Args[1:], []string{"PATH=/nowhere"}) //nolint:gosec // our own programs
}

// mounts makes everything read-only but for the folders that the service owns.
func (j jail) mounts() error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	for _, path := range j.Writable {
		if err := unix.Mount(path, path, "", unix.MS_BIND, ""); err != nil {
			return err
		}
	}
	if err := unix.MountSetattr(unix.AT_FDCWD, "/", unix.AT_RECURSIVE, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}); err != nil {
		return err
	}
	for _, path := range j.Writable {
		if err := unix.MountSetattr(unix.AT_FDCWD, path, 0, &unix.MountAttr{Attr_clr: unix.MOUNT_ATTR_RDONLY}); err != nil {
			return err
		}
	}
	return nil
}

// filter allows the unit's system calls and socket families; everything else fails with EPERM, and EAFNOSUPPORT, as systemd has it.
func (j jail) filter() []unix.SockFilter {
	const number, argument0 = 0, 16 // offsets in struct seccomp_data
	load := func(at uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
	}
	give := func(what uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: what}
	}
	same := func(k uint32, otherwise uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: otherwise, K: k}
	}
	out := []unix.SockFilter{load(number), same(unix.SYS_SOCKET, uint8(2+2*len(j.Families))), load(argument0)} //nolint:gosec // four
	for _, family := range j.Families {
		out = append(out, same(family, 1), give(unix.SECCOMP_RET_ALLOW))
	}
	out = append(out, give(unix.SECCOMP_RET_ERRNO|uint32(unix.EAFNOSUPPORT)))
	for _, call := range j.Calls {
		out = append(out, same(call, 1), give(unix.SECCOMP_RET_ALLOW))
	}
	return append(out, give(unix.SECCOMP_RET_ERRNO|uint32(unix.EPERM)))
}

// jailOf reads a unit; false where systemd-analyze, which knows the sets of system calls, is not there.
func jailOf(t *testing.T, unit string) (jail, bool) {
	t.Helper()
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Log("NOT CHECKED: there is no systemd-analyze, which knows the sets of system calls")
		return jail{}, false
	}
	text, err := os.ReadFile(filepath.Join("..", "..", "packaging", "systemd", unit))
	if err != nil {
		t.Fatal(err)
	}
	var j jail
	numbers, allowed := callNumbers(t), map[string]bool{}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch key {
		case "SystemCallFilter":
			names, deny := strings.CutPrefix(value, "~")
			for name := range callNames(t, strings.Fields(names)) {
				allowed[name] = !deny
			}
		case "RestrictAddressFamilies":
			for name := range strings.FieldsSeq(value) {
				j.Families = append(j.Families, map[string]uint32{"AF_UNIX": unix.AF_UNIX, "AF_INET": unix.AF_INET, "AF_INET6": unix.AF_INET6, "AF_NETLINK": unix.AF_NETLINK}[name])
			}
		}
	}
	for name, yes := range allowed {
		if number, known := numbers[name]; known && yes && name != "socket" {
			j.Calls = append(j.Calls, number)
		}
	}
	if len(j.Calls) < 100 || len(j.Families) == 0 {
		t.Fatalf("%s: %d system calls, %d families", unit, len(j.Calls), len(j.Families))
	}
	return j, true
}

// callNames opens systemd's sets.
func callNames(t *testing.T, words []string) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, word := range words {
		if !strings.HasPrefix(word, "@") {
			names[word] = true
			continue
		}
		out, err := exec.CommandContext(t.Context(), "systemd-analyze", "--no-pager", "syscall-filter", word).Output()
		if err != nil {
			t.Fatalf("%s: %v", word, err)
		}
		var inner []string
		for line := range strings.Lines(string(out)) {
			if name := strings.TrimSpace(line); strings.HasPrefix(line, "    ") && !strings.HasPrefix(name, "#") {
				inner = append(inner, name)
			}
		}
		for name := range callNames(t, inner) {
			names[name] = true
		}
	}
	return names
}

// callNumbers are this machine's, out of golang.org/x/sys.
func callNumbers(t *testing.T) map[string]uint32 {
	t.Helper()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "golang.org/x/sys").Output()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "unix", "zsysnum_linux_"+runtime.GOARCH+".go"))
	if err != nil {
		t.Fatal(err)
	}
	numbers := map[string]uint32{}
	for _, m := range regexp.MustCompile(`(?m)^\tSYS_(\w+)\s+= (\d+)`).FindAllStringSubmatch(string(text), -1) {
		n, err := strconv.ParseUint(m[2], 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		numbers[strings.ToLower(m[1])] = uint32(n)
	}
	return numbers
}
