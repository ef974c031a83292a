//go:build linux

// Package crashrecorder is a file system that writes down what a program does to its files: each write, truncation, new name
// and flush, in order. From that it builds what a power cut could have left: unflushed writes lost, reordered or torn at
// a sector. The program under test is the real one and knows nothing of it. It is for tests only.
//
// What it takes for granted is what fsync(2) and rename(2) promise, and nothing more: the content of a file is durable when
// the file was flushed, a name when its folder was. Between two flushes anything may have reached the disk, in any order; a
// sector of 512 bytes is written whole or not at all; a file may have grown without its new content. A name always
// belongs to some file that it was given to.
//
// It needs Linux, /dev/fuse and the right to mount. Files live in memory. Not here: links, renaming between folders, mmap.
//
// Sources: fsync(2), rename(2), fuse(4); sqlite.org/atomiccommit.html, sections 2 and 9; Pillai et al., "All File Systems Are
// Not Created Equal", OSDI 2014.
package crashrecorder

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// ErrUnable says that this machine does not let this user mount the file system: nothing can be recorded.
var ErrUnable = errors.New("the recording file system cannot be mounted here")

// rootID is the number of the mounted folder (fuse(4)).
const rootID = 1

// Recorder is the mounted file system. Its methods are safe for concurrent use.
type Recorder struct {
	server *fuse.Server
	dir    string    // where it is mounted
	guard  *exec.Cmd // breaks the mount off when this process ends without End
	deaf   func(path string) bool

	mu    sync.Mutex // guards all below
	log   []op
	marks []any
	last  uint64 // number of the newest file
}

// Mount mounts an empty recording file system on the folder dir, which has to be there. deaf, where it is not nil, names files
// (by path within dir, as they were called when they were made) whose flushes do nothing, though they say otherwise: a disk
// that lies, for the test of a test. Error: ErrUnable.
func Mount(dir string, deaf func(path string) bool) (*Recorder, error) {
	if deaf == nil {
		deaf = func(string) bool { return false }
	}
	r := &Recorder{dir: dir, deaf: deaf, last: rootID}
	if err := r.watch(); err != nil {
		return nil, fmt.Errorf("guard of the recording file system: %w", err)
	}
	at := time.Duration(0) // the kernel keeps nothing that it would not ask for again
	server, err := fs.Mount(dir, &folder{rec: r, id: rootID, mode: 0o700, entries: map[string]child{}}, &fs.Options{
		EntryTimeout: &at, AttrTimeout: &at, NegativeTimeout: &at, RootStableAttr: &fs.StableAttr{Ino: rootID},
		MountOptions: fuse.MountOptions{FsName: "crashrecorder", DisableXAttrs: true, DirectMountStrict: true},
	})
	if err != nil {
		r.dismiss()
		return nil, fmt.Errorf("%w: %w", ErrUnable, err)
	}
	r.server = server
	return r, nil
}

// Mark notes in the log that something has been promised by now: a State built behind it counts it.
func (r *Recorder) Mark(promise any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.marks = append(r.marks, promise)
	r.log = append(r.log, op{kind: opMark})
}

// End unmounts and gives what was recorded. Every file must be closed.
func (r *Recorder) End() (*Recording, error) {
	if err := r.server.Unmount(); err != nil {
		return nil, fmt.Errorf("unmount the recording file system: %w", err)
	}
	r.server.Wait()
	r.dismiss()
	r.mu.Lock()
	defer r.mu.Unlock()
	return &Recording{log: r.log, Marks: r.marks}, nil
}

// Drop unmounts after a failure, whatever is still open there. After End it does nothing.
func (r *Recorder) Drop() {
	_ = syscall.Unmount(r.dir, syscall.MNT_DETACH)
	r.dismiss()
}

// guard waits until the process is gone, or a corpse whose last thread waits for an answer of the file system that this very process
// should have given: then nothing but breaking off the mount ends it.
const guard = `while read -r _ _ state _ <"/proc/$1/stat" && [ "$state" != Z ]; do sleep 1; done 2>/dev/null; umount -f "$2"; exec umount -l "$2"`

// watch starts the guard: before the mount, so that it holds nothing open there.
func (r *Recorder) watch() error {
	r.guard = exec.Command("sh", "-c", guard, "sh", strconv.Itoa(os.Getpid()), r.dir) //nolint:noctx,gosec // ended by dismiss; our own words
	return r.guard.Start()
}

// dismiss ends the guard, once.
func (r *Recorder) dismiss() {
	if r.guard == nil {
		return
	}
	_ = r.guard.Process.Kill()
	_ = r.guard.Wait()
	r.guard = nil
}

type opKind uint8

const (
	opWrite    opKind = iota // node: file, at, data
	opTruncate               // node: file, at: the new size
	opMode                   // node: file, mode
	opNames                  // node: folder, names
	opFlush                  // node: file or folder
	opMark
	opBehind // never recorded: what of a write counts behind the durable end of its file alone
)

// op is one line of the log.
type op struct {
	kind  opKind
	node  uint64
	at    int64
	data  []byte
	mode  uint32
	names []naming
}

// naming gives a name in a folder to a file, or with node 0 takes it away.
type naming struct {
	name   string
	node   uint64
	folder bool
	mode   uint32 // of a new file or folder
}

// append adds to the log. The caller holds mu.
func (r *Recorder) append(o op) { r.log = append(r.log, o) }

func (r *Recorder) number() uint64 {
	r.last++
	return r.last
}

// flushed logs a flush, unless the disk is deaf to this file.
func (r *Recorder) flushed(node uint64, named string) {
	if !r.deaf(named) {
		r.append(op{kind: opFlush, node: node})
	}
}

// attributes are owner and times; files belong to whoever runs the test.
func attributes(a *fuse.Attr, id uint64, mode uint32, size int) {
	a.Ino, a.Mode, a.Size, a.Nlink = id, mode, uint64(size), 1 //nolint:gosec // a length
	a.Uid, a.Gid = uint32(os.Getuid()), uint32(os.Getgid())    //nolint:gosec // identities are small
}

func join(dir, name string) string { return path.Join(dir, name) }
