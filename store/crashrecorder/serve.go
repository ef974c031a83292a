//go:build linux

package crashrecorder

import (
	"bufio"
	"encoding/gob"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// rootID is the number of the mounted folder (fuse(4)).
const rootID = 1

// Serve returns at once, unless Mount started this process to serve the file system: then it does that, and ends the process.
// TestMain of a package that mounts calls it before anything else.
func Serve() {
	dir := os.Getenv(serveOn)
	if dir == "" {
		return
	}
	os.Exit(serve(dir, os.Getenv(serveDeaf), os.Stdin, os.Stdout))
}

// serve mounts on dir and follows orders until the last, or until whoever gave them is gone.
func serve(dir, deaf string, orders io.Reader, answers io.Writer) (status int) {
	t := &tape{deaf: deaf, last: rootID}
	server, err := t.mount(dir)
	if err != nil {
		_, _ = fmt.Fprintln(answers, err) // nobody is left to tell
		return 1
	}
	_, _ = fmt.Fprintln(answers, done)
	lines := bufio.NewScanner(orders)
	for lines.Scan() {
		if lines.Text() == orderMark {
			t.mark()
			_, _ = fmt.Fprintln(answers, done)
			continue
		}
		if err := server.Unmount(); err != nil {
			_, _ = fmt.Fprintln(answers, err)
			break
		}
		server.Wait()
		_, _ = fmt.Fprintln(answers, done)
		if err := gob.NewEncoder(answers).Encode(t.log); err != nil {
			return 1
		}
		return 0
	}
	_ = syscall.Unmount(dir, syscall.MNT_DETACH)
	return 1
}

// tape is what the file system writes down.
type tape struct {
	deaf string

	mu   sync.Mutex // guards all below, and what the files hold
	log  []op
	last uint64 // number of the newest file
}

func (t *tape) mount(dir string) (*fuse.Server, error) {
	at := time.Duration(0) // the kernel keeps nothing that it would not ask for again
	return fs.Mount(dir, &folder{tape: t, id: rootID, mode: 0o700, entries: map[string]child{}}, &fs.Options{
		EntryTimeout: &at, AttrTimeout: &at, NegativeTimeout: &at, RootStableAttr: &fs.StableAttr{Ino: rootID},
		MountOptions: fuse.MountOptions{FsName: "crashrecorder", DisableXAttrs: true, DirectMountStrict: true},
	})
}

func (t *tape) mark() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.append(op{Kind: opMark})
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

// op is one line of the log. Its fields are exported for encoding/gob.
type op struct {
	Kind  opKind
	Node  uint64
	At    int64
	Data  []byte
	Mode  uint32
	Names []naming
}

// naming gives a name in a folder to a file, or with node 0 takes it away.
type naming struct {
	Name   string
	Node   uint64
	Folder bool
	Mode   uint32 // of a new file or folder
}

// append adds to the log. The caller holds mu.
func (t *tape) append(o op) { t.log = append(t.log, o) }

func (t *tape) number() uint64 {
	t.last++
	return t.last
}

// flushed logs a flush, unless the disk is deaf to this file.
func (t *tape) flushed(node uint64, named string) {
	if t.deaf == "" || !strings.Contains(named, t.deaf) {
		t.append(op{Kind: opFlush, Node: node})
	}
}

// attributes are owner and times; files belong to whoever runs the test.
func attributes(a *fuse.Attr, id uint64, mode uint32, size int) {
	a.Ino, a.Mode, a.Size, a.Nlink = id, mode, uint64(size), 1 //nolint:gosec // a length
	a.Uid, a.Gid = uint32(os.Getuid()), uint32(os.Getgid())    //nolint:gosec // identities are small
}

func join(dir, name string) string { return path.Join(dir, name) }
