package main

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// The local socket is its user's alone, until a group is named.
func TestSocketGroup(t *testing.T) {
	gid := os.Getegid()
	if os.Geteuid() == 0 {
		gid = 64502
	}
	for group, want := range map[string]os.FileMode{"": 0o600, strconv.Itoa(gid): 0o660} {
		path := filepath.Join(t.TempDir(), "s")
		ln, err := listen(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		defer func(ln net.Listener) { _ = ln.Close() }(ln)
		if err := shareSocket(path, group); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("group %q: %v, %v", group, info.Mode(), err)
		}
		if got := info.Sys().(*syscall.Stat_t).Gid; group != "" && int(got) != gid { //nolint:errcheck,forcetypeassert // as it is on unix
			t.Errorf("its group is %d", got)
		}
	}
	if err := shareSocket(filepath.Join(t.TempDir(), "s"), "no group of that name"); err == nil || !strings.Contains(err.Error(), "socket_group") {
		t.Errorf("%v", err)
	}
}
