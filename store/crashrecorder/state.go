//go:build linux

package crashrecorder

import (
	"encoding/binary"
	"hash/maphash"
	"io/fs"
	"iter"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
)

// Recording is what a program did to its files, from Mount to End.
type Recording struct {
	Marks []any // as they were made

	log []op
}

// Operations is how many writes, names, truncations and flushes were recorded.
func (r *Recording) Operations() int { return len(r.log) - len(r.Marks) }

// Flushes is how many of them were flushes.
func (r *Recording) Flushes() (n int) {
	for _, o := range r.log {
		if o.Kind == opFlush {
			n++
		}
	}
	return n
}

// File is a file or a folder as a power cut left it.
type File struct {
	Data   []byte // shared with other states: not to be changed
	Mode   uint32 // permission bits
	Folder bool
}

// State is what lies on the disk after one power cut.
type State struct {
	Files map[string]File // by path within the mounted folder, folders among them
	Fate  Fate
	After int  // operations that the program had made
	Marks int  // how many of the Recording's marks had been made
	New   bool // no earlier state had these files with this content
}

// rounds bounds how often the whole log is gone through.
const rounds = 200

// States builds crash states between operations, until want of them are different in what lies on the disk. The log is gone
// through again and again: first with nothing and with everything that waits, then with other parts of it each time. Each
// time it stops between all operations, or where fewer states are wanted, between some, all over the log. A state that is there
// already comes again only when more had been promised by then. The same seed gives the same states.
func (r *Recording) States(seed uint64, want int) iter.Seq[State] {
	return func(yield func(State) bool) {
		random, sum := rand.New(rand.NewPCG(seed, 0)), maphash.MakeSeed()
		often := 2 * float64(want) / float64(3*max(1, len(r.log))) // of 1
		known := map[uint64]int{}                                  // content: marks
		for round := range rounds {
			d, marks := newDisk(), 0
			for i, o := range r.log {
				d.take(i, o)
				if o.Kind == opMark {
					marks++
				}
				if random.Float64() > often {
					continue
				}
				for _, fate := range fates(round, d.waits, often, random) {
					s := State{Files: d.state(d.fate(fate, random)), Fate: fate, After: i + 1, Marks: marks}
					key := s.key(sum)
					promised, there := known[key]
					if there && promised >= marks {
						continue
					}
					known[key], s.New = marks, !there
					if !yield(s) || len(known) >= want {
						return
					}
				}
			}
		}
	}
}

// fates are those that a round plays where so many operations wait; where not every place is visited, any of them.
func fates(round, waits int, often float64, r *rand.Rand) []Fate {
	switch {
	case often < 1:
		return []Fate{[]Fate{Killed, Synced, Ordered, Reordered, Reordered}[r.IntN(5)]}
	case round == 0:
		return []Fate{Synced, Killed}
	case waits == 0:
		return nil
	case waits == 1 || r.IntN(3) == 0:
		return []Fate{Ordered}
	}
	return []Fate{Reordered}
}

// key is the state's content in a number.
func (s *State) key(seed maphash.Seed) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	number := func(n int) { _, _ = h.Write(binary.LittleEndian.AppendUint64(nil, uint64(n))) } //nolint:gosec // its bits
	for _, name := range slices.Sorted(maps.Keys(s.Files)) {
		f := s.Files[name]
		number(len(name))
		_, _ = h.WriteString(name)
		number(int(f.Mode))
		number(len(f.Data))
		_, _ = h.Write(f.Data)
	}
	return h.Sum64()
}

// Write puts the state's files into a folder that is there.
func (s *State) Write(dir string) error {
	for _, name := range slices.Sorted(maps.Keys(s.Files)) { // folders come before what is in them
		f, at := s.Files[name], filepath.Join(dir, name)
		if f.Folder {
			if err := os.Mkdir(at, fs.FileMode(f.Mode)); err != nil {
				return err
			}
			continue
		}
		if err := os.WriteFile(at, f.Data, fs.FileMode(f.Mode)); err != nil {
			return err
		}
		if err := os.Chmod(at, fs.FileMode(f.Mode)); err != nil { // whatever the umask
			return err
		}
	}
	return nil
}

func sorted(entries map[string]naming) []string { return slices.Sorted(maps.Keys(entries)) }
