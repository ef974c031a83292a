// Package initramfs builds the file system that a Linux kernel starts a test guest from: programs with the shared libraries
// that they need, kernel modules with those that they depend on, and files. It needs no root, no cpio, no ldd and no depmod.
//
// It writes the newc format alone, uncompressed: an emulated processor takes longer to unpack than the disk to read. Sources:
// Linux's Documentation/driver-api/early-userspace/buffer-format.rst; System V ABI, chapter 5 (dynamic section);
// kmod's .modinfo section.
package initramfs

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
)

// Archive writes a newc archive. Paths are relative to the root. The first error stays, and Close gives it.
type Archive struct {
	w    *bufio.Writer
	ino  int
	seen map[string]bool
	err  error
}

// NewArchive writes to w, which stays the caller's.
func NewArchive(w io.Writer) *Archive {
	return &Archive{w: bufio.NewWriterSize(w, 1<<20), seen: map[string]bool{}}
}

// The kinds of entries (stat.h).
const (
	modeFolder = 0o040000
	modeFile   = 0o100000
	modeLink   = 0o120000
)

var errPath = errors.New("initramfs: not a path inside the archive")

// Has reports whether the path is in the archive already.
func (a *Archive) Has(name string) bool { return a.seen[clean(name)] }

func clean(name string) string { return strings.TrimPrefix(path.Clean("/"+name), "/") }

// Folder adds a folder, and those above it, where they are not there yet.
func (a *Archive) Folder(name string) { a.add(name, modeFolder|0o755, nil) }

// File adds a file; one that is there already stays as it is.
func (a *Archive) File(name string, mode fs.FileMode, data []byte) {
	a.add(name, modeFile|uint32(mode.Perm()), data)
}

// Link adds a symbolic link.
func (a *Archive) Link(name, target string) { a.add(name, modeLink|0o777, []byte(target)) }

func (a *Archive) add(name string, mode uint32, data []byte) {
	name = clean(name)
	if a.err == nil && (name == "" || strings.ContainsRune(name, 0)) {
		a.err = fmt.Errorf("%w: %q", errPath, name)
	}
	if a.err != nil || a.seen[name] {
		return
	}
	if above := path.Dir(name); above != "." {
		a.Folder(above)
	}
	a.seen[name] = true
	a.entry(name, mode, data)
}

const trailer = "TRAILER!!!"

// entry writes the header, thirteen numbers of eight hexadecimal digits behind the magic, then name and data, each filled to
// four bytes.
func (a *Archive) entry(name string, mode uint32, data []byte) {
	a.ino++
	ino := a.ino
	if name == trailer {
		ino, mode = 0, 0
	}
	fields := []int{ino, int(mode), 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0}
	head := []byte("070701")
	for _, f := range fields {
		head = fmt.Appendf(head, "%08x", f)
	}
	head = append(append(head, name...), 0)
	for _, part := range [][]byte{head, data} {
		if a.err == nil {
			_, a.err = a.w.Write(part)
		}
		if a.err == nil {
			_, a.err = a.w.Write(make([]byte, (4-len(part)%4)%4))
		}
	}
}

// Close writes the end of the archive. Error: the first that there was.
func (a *Archive) Close() error {
	if a.err == nil {
		a.entry(trailer, 0, nil)
	}
	return errors.Join(a.err, a.w.Flush())
}
