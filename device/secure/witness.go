package secure

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A Witness keeps, away from what it testifies about, the highest value that a few counters have reached. When the state
// folder is put back from a backup, the witness still knows how far the terminal was, and the counters go on from there.
// Its file belongs on another disk, or at least in another folder, and into no backup. One process at a time.
//
// The file is text: a heading, a line for each name with its value, in order, and the CRC-32C of all that. It holds no
// secret. It is no proof against somebody who puts both back: only the host knows better then (Macs.HostSaw).
type Witness struct {
	path string
	lock *os.File
	turn chan struct{} // one slot: who reads or writes values and the file

	fresh  bool
	values map[string]uint64
}

const (
	witnessHeading = "tillway witness 1"
	maxWitness     = 4096 // names
	maxWitnessFile = maxWitness * 160
)

// OpenWitness opens the file at path; where there is none, and in which folder there is none, it is made. Errors:
// ErrFiles, also for a damaged file: what it knew must be known, or given up by hand.
func OpenWitness(path string) (*Witness, error) {
	if err := makeFolder(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("%w: witness: %w", ErrFiles, err)
	}
	lock, err := lockFile(path + ".lock")
	if err != nil {
		return nil, err
	}
	w := &Witness{path: path, lock: lock, turn: make(chan struct{}, 1), values: map[string]uint64{}}
	b, err := read(path, 0o600, maxWitnessFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		w.fresh = true
		return w, nil
	case err != nil:
		return nil, errors.Join(err, lock.Close())
	}
	if w.values, err = parseWitness(b); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %s: %w: take it away only when every key is loaded anew", ErrFiles, path, err), lock.Close())
	}
	return w, nil
}

// Fresh says that there was no file: nothing is known of the past.
func (w *Witness) Fresh() bool { return w.fresh }

// Highest is the value last raised to, 0 for a name that was not.
func (w *Witness) Highest(name string) uint64 {
	w.turn <- struct{}{}
	defer func() { <-w.turn }()
	return w.values[name]
}

// Raise makes sure that name's value is at least n, on disk before it returns.
func (w *Witness) Raise(ctx context.Context, name string, n uint64) error {
	return w.raise(ctx, map[string]uint64{name: n})
}

// Settle says that name's counter has ended in order, and how far it really came: numbers that were leased and not given
// are given later. The counter gives none any more until it is opened again.
func (w *Witness) Settle(ctx context.Context, name string, n uint64) error {
	select {
	case w.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-w.turn }()
	if n >= w.values[name] {
		return nil
	}
	next := maps.Clone(w.values)
	next[name] = n
	if err := replace(w.path, witnessText(next), 0o600); err != nil {
		return fmt.Errorf("witness: %w", err)
	}
	w.values = next
	return nil
}

// raise raises several with one flush.
func (w *Witness) raise(ctx context.Context, to map[string]uint64) error {
	select {
	case w.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-w.turn }()
	next := maps.Clone(w.values)
	for name, n := range to {
		if checkName(name) != nil {
			return fmt.Errorf("witness: %q: %w", name, ErrName)
		}
		next[name] = max(next[name], n)
	}
	if len(next) > maxWitness {
		return fmt.Errorf("witness: %d names: %w", len(next), ErrFull)
	}
	if maps.Equal(next, w.values) && !w.fresh {
		return nil
	}
	if err := replace(w.path, witnessText(next), 0o600); err != nil {
		return fmt.Errorf("witness: %w", err)
	}
	w.values, w.fresh = next, false
	return nil
}

// Close lets go of the file.
func (w *Witness) Close() error { return w.lock.Close() }

func witnessText(values map[string]uint64) []byte {
	var b bytes.Buffer
	fmt.Fprintln(&b, witnessHeading)
	for _, name := range slices.Sorted(maps.Keys(values)) {
		fmt.Fprintf(&b, "%s %d\n", name, values[name])
	}
	fmt.Fprintf(&b, "crc %08x\n", crc32.Checksum(b.Bytes(), crc32.MakeTable(crc32.Castagnoli)))
	return b.Bytes()
}

var errWitness = errors.New("witness damaged")

// parseWitness accepts exactly what witnessText writes.
func parseWitness(b []byte) (map[string]uint64, error) {
	lines := strings.Split(string(b), "\n")
	if len(lines) < 3 || len(lines)-3 > maxWitness || lines[0] != witnessHeading {
		return nil, errWitness
	}
	values := map[string]uint64{}
	for _, line := range lines[1 : len(lines)-2] {
		name, number, _ := strings.Cut(line, " ")
		n, err := strconv.ParseUint(number, 10, 64)
		if err != nil || checkName(name) != nil {
			return nil, errWitness
		}
		values[name] = n
	}
	if !bytes.Equal(witnessText(values), b) {
		return nil, errWitness
	}
	return values, nil
}
