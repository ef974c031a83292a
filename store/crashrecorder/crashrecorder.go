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
// It needs Linux, /dev/fuse and the right to mount. Files live in the memory of a process of its own, which Mount starts: a program
// that maps a file (SQLite does) waits in the kernel for the answer, and could not give it itself. Not here: links, renaming
// between folders.
//
// Sources: fsync(2), rename(2), fuse(4); sqlite.org/atomiccommit.html, sections 2 and 9; Pillai et al., "All File Systems Are
// Not Created Equal", OSDI 2014.
package crashrecorder

import (
	"bufio"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
)

// ErrUnable says that this machine does not let this user mount the file system: nothing can be recorded.
var ErrUnable = errors.New("the recording file system cannot be mounted here")

// What the process that serves the file system is told by its environment.
const (
	serveOn   = "TILLWAY_CRASHRECORDER"      // the folder to mount on
	serveDeaf = "TILLWAY_CRASHRECORDER_DEAF" // Mount's deaf
)

// The lines that go between the two processes: orders down, one answer each up.
const (
	orderMark = "mark"
	orderEnd  = "end" // the answer is the log
	done      = "done"
)

// Recorder is the mounted file system. Its methods are safe for concurrent use.
type Recorder struct {
	server *exec.Cmd

	mu     sync.Mutex // guards all below
	orders io.WriteCloser
	answer *bufio.Reader
	marks  []any
	broken error // the first failure to speak with the server
}

// Mount mounts an empty recording file system on the folder dir, which has to be there. Flushes of files whose path within
// dir, as they were called when they were made, contains deaf do nothing, though they say otherwise: a disk that lies, for the
// test of a test; empty: no file's. TestMain has to call Serve. Error: ErrUnable.
func Mount(dir, deaf string) (*Recorder, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	r := &Recorder{server: exec.Command(self, "-test.run=^$")} //nolint:noctx,gosec // ended by End or Drop; this very program
	r.server.Env = append(os.Environ(), serveOn+"="+dir, serveDeaf+"="+deaf)
	r.server.Stderr = os.Stderr
	if r.orders, err = r.server.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := r.server.StdoutPipe()
	if err != nil {
		return nil, err
	}
	r.answer = bufio.NewReader(out)
	if err := r.server.Start(); err != nil {
		return nil, fmt.Errorf("start the recording file system: %w", err)
	}
	line, err := r.answer.ReadString('\n')
	if err == nil && line == done+"\n" {
		return r, nil
	}
	r.Drop()
	if err != nil || line == "PASS\n" {
		return nil, errors.New("the recording file system did not start: TestMain has to call crashrecorder.Serve first")
	}
	return nil, fmt.Errorf("%w: %s", ErrUnable, strings.TrimSpace(line))
}

// Mark notes in the log that something has been promised by now: a State built behind it counts it.
func (r *Recorder) Mark(promise any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.marks = append(r.marks, promise)
	r.order(orderMark)
	line, err := r.answer.ReadString('\n')
	if err == nil && line != done+"\n" {
		err = fmt.Errorf("recording file system: %s", strings.TrimSpace(line))
	}
	r.fail(err)
}

// End unmounts and gives what was recorded. Every file must be closed.
func (r *Recorder) End() (*Recording, error) {
	defer r.Drop()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.order(orderEnd)
	line, err := r.answer.ReadString('\n')
	if err == nil && line != done+"\n" {
		err = fmt.Errorf("unmount the recording file system: %s", strings.TrimSpace(line))
	}
	if r.fail(err); r.broken != nil {
		return nil, r.broken
	}
	recording := &Recording{Marks: r.marks}
	if err := gob.NewDecoder(r.answer).Decode(&recording.log); err != nil {
		return nil, fmt.Errorf("log of the recording file system: %w", err)
	}
	return recording, nil
}

// Drop unmounts after a failure, whatever is still open there. After End it does nothing.
func (r *Recorder) Drop() {
	_ = r.orders.Close() // the server takes that for the end
	_ = r.server.Wait()  // its status says no more than the answers did
}

// order writes one line to the server. The caller holds mu.
func (r *Recorder) order(text string) {
	_, err := io.WriteString(r.orders, text+"\n")
	r.fail(err)
}

// fail keeps the first error. The caller holds mu.
func (r *Recorder) fail(err error) {
	if r.broken == nil {
		r.broken = err
	}
}
