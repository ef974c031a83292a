//go:build linux

package crashrecorder

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"slices"
)

// sector is what a disk writes whole or not at all, in bytes.
const sector = 512

// disk is what is durable, and what waits for a flush, at one moment of the log.
type disk struct {
	files map[uint64]*content
	dirs  map[uint64]*names
	waits int // operations that wait
}

type content struct {
	bytes []byte // durable; never changed in place: states share it
	mode  uint32
	waits []waiting
}

type names struct {
	entries map[string]naming // durable
	waits   []waiting
}

// waiting is an operation without its flush, and where it stands in the log.
type waiting struct {
	op
	index int
}

func newDisk() *disk {
	return &disk{files: map[uint64]*content{}, dirs: map[uint64]*names{rootID: {entries: map[string]naming{}}}}
}

// take goes one line of the log further.
func (d *disk) take(index int, o op) {
	switch o.Kind {
	case opMark, opBehind:
	case opFlush:
		if f := d.files[o.Node]; f != nil {
			d.waits -= len(f.waits)
			f.flush()
			return
		}
		n := d.dirs[o.Node]
		d.waits -= len(n.waits)
		for _, w := range n.waits {
			apply(n.entries, w.Names)
		}
		n.waits = nil
	case opNames:
		for _, n := range o.Names {
			d.know(n)
		}
		d.dirs[o.Node].waits = append(d.dirs[o.Node].waits, waiting{o, index})
		d.waits++
	case opWrite, opTruncate, opMode:
		d.files[o.Node].waits = append(d.files[o.Node].waits, waiting{o, index})
		d.waits++
	}
}

// know makes room for a file or folder that has just got its first name.
func (d *disk) know(n naming) {
	switch {
	case n.Node == 0:
	case n.Folder && d.dirs[n.Node] == nil:
		d.dirs[n.Node] = &names{entries: map[string]naming{}}
	case !n.Folder && d.files[n.Node] == nil:
		d.files[n.Node] = &content{mode: n.Mode}
	}
}

func (c *content) flush() {
	if len(c.waits) == 0 {
		return
	}
	c.bytes, c.mode = c.with(c.waits)
	c.waits = nil
}

// with is the content with operations applied, in a copy.
func (c *content) with(ops []waiting) ([]byte, uint32) {
	b, mode := bytes.Clone(c.bytes), c.mode
	for _, w := range ops {
		switch w.Kind {
		case opWrite:
			b = written(b, w.At, w.Data)
		case opTruncate:
			b = resized(b, w.At)
		case opMode:
			mode = w.Mode
		case opNames, opFlush, opMark, opBehind:
		}
	}
	return b, mode
}

func apply(entries map[string]naming, changes []naming) {
	for _, n := range changes {
		if n.Node == 0 {
			delete(entries, n.Name)
		} else {
			entries[n.Name] = n
		}
	}
}

// A Fate is what the power cut did to what was not flushed.
type Fate string

// The fates.
const (
	Killed    Fate = "killed"    // the program ended, the machine did not: all of it is there
	Synced    Fate = "synced"    // none of it is there
	Ordered   Fate = "ordered"   // all up to some operation, the last perhaps torn
	Reordered Fate = "reordered" // any part of it, in any order, some of it torn
)

// chosen is what of an operation reached the disk; nothing where there is nothing.
type chosen func(w waiting) []waiting

// fate is the choice that a fate makes at one moment of the log.
func (d *disk) fate(f Fate, r *rand.Rand) chosen {
	switch f {
	case Killed:
		return func(w waiting) []waiting { return []waiting{w} }
	case Synced:
		return func(waiting) []waiting { return nil }
	case Ordered:
		order := d.order()
		if len(order) == 0 {
			return func(waiting) []waiting { return nil }
		}
		last := order[r.IntN(len(order))]
		torn := r.IntN(2) == 0
		return func(w waiting) []waiting {
			switch {
			case w.index > last:
				return nil
			case w.index == last && torn && w.Kind == opWrite:
				return prefix(w, r)
			}
			return []waiting{w}
		}
	case Reordered:
	}
	return func(w waiting) []waiting {
		switch {
		case r.IntN(2) == 0:
			return []waiting{w}
		case w.Kind != opWrite:
			return nil
		}
		switch r.IntN(4) {
		case 0:
			return sectors(w, r)
		case 1: // it grew, and what it grew by was never written
			w.Data = make([]byte, len(w.Data))
			return grown(w)
		case 2: // ... and shows what lay there before
			w.Data = bytes.Repeat([]byte{0xA5}, len(w.Data))
			return grown(w)
		}
		return nil
	}
}

// order is where the operations that wait stand in the log.
func (d *disk) order() (at []int) {
	for _, c := range d.files {
		for _, w := range c.waits {
			at = append(at, w.index)
		}
	}
	for _, n := range d.dirs {
		for _, w := range n.waits {
			at = append(at, w.index)
		}
	}
	slices.Sort(at)
	return at
}

// prefix is a write that ended at a sector's boundary.
func prefix(w waiting, r *rand.Rand) []waiting {
	first := sector - int(w.At%sector) // bytes to the first boundary
	if first >= len(w.Data) {
		return nil
	}
	n := first + sector*r.IntN((len(w.Data)-first)/sector+1)
	w.Data = w.Data[:min(n, len(w.Data))]
	return []waiting{w}
}

// sectors is a write of which some sectors are there.
func sectors(w waiting, r *rand.Rand) (there []waiting) {
	for from := 0; from < len(w.Data); {
		to := min(from+sector-int((w.At+int64(from))%sector), len(w.Data))
		if r.IntN(2) == 0 {
			part := w
			part.At, part.Data = w.At+int64(from), w.Data[from:to]
			there = append(there, part)
		}
		from = to
	}
	return there
}

func grown(w waiting) []waiting {
	w.Kind = opBehind
	return []waiting{w}
}

// state is the disk after a choice.
func (d *disk) state(choose chosen) map[string]File {
	out := map[string]File{}
	d.folder(out, rootID, "", choose)
	return out
}

func (d *disk) folder(out map[string]File, id uint64, under string, choose chosen) {
	n := d.dirs[id]
	entries := maps.Clone(n.entries)
	for _, w := range n.waits {
		for _, kept := range choose(w) {
			apply(entries, kept.Names)
		}
	}
	for _, name := range sorted(entries) {
		e, at := entries[name], join(under, name)
		if e.Folder {
			out[at] = File{Folder: true, Mode: e.Mode}
			d.folder(out, e.Node, at, choose)
			continue
		}
		out[at] = d.files[e.Node].choose(choose)
	}
}

func (c *content) choose(choose chosen) File {
	var kept []waiting
	for _, w := range c.waits {
		for _, k := range choose(w) {
			if k.Kind != opBehind {
				kept = append(kept, k)
				continue
			}
			k.Kind = opWrite
			if skip := int64(len(c.bytes)) - k.At; skip > 0 {
				k.At, k.Data = int64(len(c.bytes)), k.Data[min(skip, int64(len(k.Data))):]
			}
			if len(k.Data) > 0 {
				kept = append(kept, k)
			}
		}
	}
	if len(kept) == 0 {
		return File{Data: c.bytes, Mode: c.mode}
	}
	b, mode := c.with(kept)
	return File{Data: b, Mode: mode}
}
