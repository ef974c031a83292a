//go:build linux

package crashrecorder

import (
	"bytes"
	"context"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// child is what a name stands for: one of the two.
type child struct {
	file *file
	dir  *folder
}

func (c child) inode() *fs.Inode {
	if c.dir != nil {
		return &c.dir.Inode
	}
	return &c.file.Inode
}

func (c child) naming(name string) naming {
	if c.dir != nil {
		return naming{name, c.dir.id, true, c.dir.mode}
	}
	return naming{name, c.file.id, false, 0}
}

func (c child) attributes(a *fuse.Attr) {
	if c.dir != nil {
		attributes(a, c.dir.id, syscall.S_IFDIR|c.dir.mode, 0)
		return
	}
	attributes(a, c.file.id, syscall.S_IFREG|c.file.mode, len(c.file.data))
}

// folder is one folder as the program sees it.
type folder struct {
	fs.Inode
	tape *tape
	id   uint64
	path string
	mode uint32

	entries map[string]child // guarded by the tape's lock
}

// file is one file as the program sees it.
type file struct {
	fs.Inode
	tape *tape
	id   uint64
	path string // when it was made

	mode uint32 // guarded by the tape's lock, as is data
	data []byte
}

var (
	_ fs.NodeLookuper  = (*folder)(nil)
	_ fs.NodeGetattrer = (*folder)(nil)
	_ fs.NodeReaddirer = (*folder)(nil)
	_ fs.NodeCreater   = (*folder)(nil)
	_ fs.NodeMkdirer   = (*folder)(nil)
	_ fs.NodeUnlinker  = (*folder)(nil)
	_ fs.NodeRmdirer   = (*folder)(nil)
	_ fs.NodeRenamer   = (*folder)(nil)
	_ fs.NodeFsyncer   = (*folder)(nil)
	_ fs.NodeOpener    = (*file)(nil)
	_ fs.NodeGetattrer = (*file)(nil)
	_ fs.NodeSetattrer = (*file)(nil)
	_ fs.NodeReader    = (*file)(nil)
	_ fs.NodeWriter    = (*file)(nil)
	_ fs.NodeFsyncer   = (*file)(nil)
)

// Lookup is fs.NodeLookuper's.
func (f *folder) Lookup(_ context.Context, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	f.tape.mu.Lock()
	defer f.tape.mu.Unlock()
	c, ok := f.entries[name]
	if !ok {
		return nil, syscall.ENOENT
	}
	c.attributes(&out.Attr)
	return c.inode(), 0
}

// Getattr is fs.NodeGetattrer's.
func (f *folder) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	f.tape.mu.Lock()
	defer f.tape.mu.Unlock()
	child{dir: f}.attributes(&out.Attr)
	return 0
}

// Readdir is fs.NodeReaddirer's.
func (f *folder) Readdir(context.Context) (fs.DirStream, syscall.Errno) {
	f.tape.mu.Lock()
	defer f.tape.mu.Unlock()
	var list []fuse.DirEntry
	for name, c := range f.entries {
		mode := uint32(syscall.S_IFREG)
		if c.dir != nil {
			mode = syscall.S_IFDIR
		}
		list = append(list, fuse.DirEntry{Name: name, Mode: mode, Ino: c.naming(name).Node})
	}
	return fs.NewListDirStream(list), 0
}

// Create is fs.NodeCreater's.
func (f *folder) Create(ctx context.Context, name string, _, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	f.tape.mu.Lock()
	made := &file{tape: f.tape, id: f.tape.number(), path: join(f.path, name), mode: mode & 0o7777}
	c := child{file: made}
	f.tape.append(op{Kind: opNames, Node: f.id, Names: []naming{{name, made.id, false, made.mode}}})
	c.attributes(&out.Attr)
	f.tape.mu.Unlock()
	inode := f.NewInode(ctx, made, fs.StableAttr{Mode: syscall.S_IFREG, Ino: made.id}) // calls back: not under the lock
	f.put(name, c)
	return inode, nil, 0, 0
}

// Mkdir is fs.NodeMkdirer's.
func (f *folder) Mkdir(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	f.tape.mu.Lock()
	made := &folder{tape: f.tape, id: f.tape.number(), path: join(f.path, name), mode: mode & 0o7777, entries: map[string]child{}}
	c := child{dir: made}
	f.tape.append(op{Kind: opNames, Node: f.id, Names: []naming{c.naming(name)}})
	c.attributes(&out.Attr)
	f.tape.mu.Unlock()
	inode := f.NewInode(ctx, made, fs.StableAttr{Mode: syscall.S_IFDIR, Ino: made.id})
	f.put(name, c)
	return inode, 0
}

func (f *folder) put(name string, c child) {
	f.tape.mu.Lock()
	defer f.tape.mu.Unlock()
	f.entries[name] = c
}

// Unlink is fs.NodeUnlinker's.
func (f *folder) Unlink(_ context.Context, name string) syscall.Errno {
	f.tape.mu.Lock()
	defer f.tape.mu.Unlock()
	if _, ok := f.entries[name]; !ok {
		return syscall.ENOENT
	}
	delete(f.entries, name)
	f.tape.append(op{Kind: opNames, Node: f.id, Names: []naming{{Name: name}}})
	return 0
}

// Rmdir is fs.NodeRmdirer's.
func (f *folder) Rmdir(ctx context.Context, name string) syscall.Errno { return f.Unlink(ctx, name) }

// Rename is fs.NodeRenamer's, within one folder.
func (f *folder) Rename(_ context.Context, name string, to fs.InodeEmbedder, newName string, _ uint32) syscall.Errno {
	f.tape.mu.Lock()
	defer f.tape.mu.Unlock()
	if other, ok := to.(*folder); !ok || other != f {
		return syscall.EXDEV
	}
	c, ok := f.entries[name]
	if !ok {
		return syscall.ENOENT
	}
	delete(f.entries, name)
	f.entries[newName] = c
	f.tape.append(op{Kind: opNames, Node: f.id, Names: []naming{c.naming(newName), {Name: name}}})
	return 0
}

// Fsync is fs.NodeFsyncer's: the folder's names are durable.
func (f *folder) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno {
	f.tape.mu.Lock()
	defer f.tape.mu.Unlock()
	f.tape.flushed(f.id, f.path)
	return 0
}

// Open is fs.NodeOpener's.
func (f *file) Open(context.Context, uint32) (fs.FileHandle, uint32, syscall.Errno) { return nil, 0, 0 }

// Getattr is fs.NodeGetattrer's.
func (f *file) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	f.tape.mu.Lock()
	defer f.tape.mu.Unlock()
	child{file: f}.attributes(&out.Attr)
	return 0
}

// Setattr is fs.NodeSetattrer's: size and mode. Owner and times are not recorded.
func (f *file) Setattr(_ context.Context, _ fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	f.tape.mu.Lock()
	defer f.tape.mu.Unlock()
	if size, ok := in.GetSize(); ok {
		f.tape.append(op{Kind: opTruncate, Node: f.id, At: int64(size)}) //nolint:gosec // the kernel's, never negative
		f.data = resized(f.data, int64(size))                            //nolint:gosec // as above
	}
	if mode, ok := in.GetMode(); ok {
		f.mode = mode & 0o7777
		f.tape.append(op{Kind: opMode, Node: f.id, Mode: f.mode})
	}
	child{file: f}.attributes(&out.Attr)
	return 0
}

// Read is fs.NodeReader's.
func (f *file) Read(_ context.Context, _ fs.FileHandle, into []byte, at int64) (fuse.ReadResult, syscall.Errno) {
	f.tape.mu.Lock()
	defer f.tape.mu.Unlock()
	if at >= int64(len(f.data)) {
		return fuse.ReadResultData(nil), 0
	}
	return fuse.ReadResultData(bytes.Clone(f.data[at:min(at+int64(len(into)), int64(len(f.data)))])), 0
}

// Write is fs.NodeWriter's.
func (f *file) Write(_ context.Context, _ fs.FileHandle, data []byte, at int64) (uint32, syscall.Errno) {
	f.tape.mu.Lock()
	defer f.tape.mu.Unlock()
	f.tape.append(op{Kind: opWrite, Node: f.id, At: at, Data: bytes.Clone(data)})
	f.data = written(f.data, at, data)
	return uint32(len(data)), 0 //nolint:gosec // the kernel's own, far smaller
}

// Fsync is fs.NodeFsyncer's: content, size and mode are durable.
func (f *file) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno {
	f.tape.mu.Lock()
	defer f.tape.mu.Unlock()
	f.tape.flushed(f.id, f.path)
	return 0
}

// resized is content with another length, zeros behind the old end.
func resized(content []byte, size int64) []byte {
	if more := size - int64(len(content)); more > 0 {
		return append(content, make([]byte, more)...)
	}
	return content[:size]
}

func written(content []byte, at int64, data []byte) []byte {
	if end := at + int64(len(data)); end > int64(len(content)) {
		content = resized(content, end)
	}
	copy(content[at:], data)
	return content
}
