package parameters

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"slices"
)

// A model is a disk that remembers everything that was done to it, and builds every state in which a power cut could have left it:
// names that were not flushed are there or not, each for itself; a file that was not flushed has any part of its bytes, or zeros.
type model struct {
	ops   []op
	names map[string]int // of the running system: name to file
	files [][]byte
}

type opKind int

const (
	create  opKind = iota // a name for a new file
	write                 // its bytes
	flush                 // of the bytes
	rename                // of a name to another
	remove                // of a name
	sync                  // of all names
	witness               // a number that is with the witness
)

type op struct {
	kind opKind
	name string
	to   string
	file int
	n    uint64
}

func newModel() *model { return &model{names: map[string]int{}} }

func (m *model) Read(name string, most int) ([]byte, error) {
	at, ok := m.names[name]
	if !ok {
		return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	if len(m.files[at]) > most {
		return nil, fmt.Errorf("%s: too long", name)
	}
	return bytes.Clone(m.files[at]), nil
}

func (m *model) Write(name string, content []byte) error {
	at := len(m.files)
	m.files = append(m.files, bytes.Clone(content))
	m.names[name] = at
	m.ops = append(m.ops, op{kind: create, name: name, file: at}, op{kind: write, file: at}, op{kind: flush, file: at})
	return nil
}

func (m *model) Rename(from, to string) error {
	at, ok := m.names[from]
	if !ok {
		return fmt.Errorf("%s: %w", from, fs.ErrNotExist)
	}
	delete(m.names, from)
	m.names[to] = at
	m.ops = append(m.ops, op{kind: rename, name: from, to: to, file: at})
	return nil
}

func (m *model) Remove(name string) error {
	if _, ok := m.names[name]; !ok {
		return fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	delete(m.names, name)
	m.ops = append(m.ops, op{kind: remove, name: name})
	return nil
}

func (m *model) List() ([]string, error) { return slices.Sorted(maps.Keys(m.names)), nil }

func (m *model) Sync() error {
	m.ops = append(m.ops, op{kind: sync})
	return nil
}

// Highest and Raise make the model the witness too, whose numbers are durable at once.
func (m *model) Highest(string) uint64 {
	var n uint64
	for _, o := range m.ops {
		if o.kind == witness {
			n = max(n, o.n)
		}
	}
	return n
}

func (m *model) Raise(_ context.Context, _ string, n uint64) error {
	m.ops = append(m.ops, op{kind: witness, n: n})
	return nil
}

// left is one state after a power cut behind the first cut operations, as a disk that runs again. Of the names that were not flushed
// those stay whose bit is set; of a file that was not flushed the first part bytes are there, and where zeros is set the rest is
// zeros.
func (m *model) left(cut int, stay uint, part int, zeros bool) *model {
	after := newModel()
	flushed := map[int]bool{}
	lastSync := -1
	for i, o := range m.ops[:cut] {
		switch o.kind {
		case flush:
			flushed[o.file] = true
		case sync:
			lastSync = i
		case witness:
			after.ops = append(after.ops, o)
		case create, write, rename, remove:
		}
	}
	loose := 0
	for i, o := range m.ops[:cut] {
		if o.kind == write || o.kind == flush || o.kind == sync || o.kind == witness {
			continue
		}
		if i > lastSync {
			loose++
			if stay&(1<<(loose-1)) == 0 {
				continue
			}
		}
		switch o.kind {
		case create:
			after.names[o.name] = o.file
		case rename:
			delete(after.names, o.name)
			after.names[o.to] = o.file
		case remove:
			delete(after.names, o.name)
		case write, flush, sync, witness:
		}
	}
	for i, content := range m.files {
		content = bytes.Clone(content)
		if !flushed[i] {
			if part < len(content) {
				clear(content[part:])
				if !zeros {
					content = content[:part]
				}
			}
		}
		after.files = append(after.files, content)
	}
	return after
}

// loose is how many changes of names a cut behind so many operations may lose.
func (m *model) loose(cut int) int {
	n := 0
	for _, o := range m.ops[:cut] {
		switch o.kind {
		case create, rename, remove:
			n++
		case sync:
			n = 0
		case write, flush, witness:
		}
	}
	return n
}

// unflushed is how many bytes the last file has that was not flushed at a cut; 0: there is none.
func (m *model) unflushed(cut int) int {
	n := 0
	for _, o := range m.ops[:cut] {
		switch o.kind {
		case write, create:
			n = len(m.files[o.file])
		case flush:
			n = 0
		case rename, remove, sync, witness:
		}
	}
	return n
}
