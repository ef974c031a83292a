package parameters

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"math"
)

// Witness remembers, away from the state folder, how far numbers have come (device/secure.Witness).
type Witness interface {
	Highest(name string) uint64
	Raise(ctx context.Context, name string, n uint64) error
}

// WitnessName is the highest version's name with the witness.
const WitnessName = "parameters"

// Counter knows the highest version that was ever in force: in a file that is no part of the folder of packages, and with the
// witness. It only goes up.
type Counter struct {
	disk    Disk
	name    string
	witness Witness // nil: none
	highest uint32
}

// counterForm is the whole file: the number, and the CRC-32C of the text before it.
const counterForm = "tillway parameters 1 highest %010d crc "

func counterText(n uint32) []byte {
	text := fmt.Sprintf(counterForm, n)
	return fmt.Appendf(nil, "%s%08x\n", text, crc32.Checksum([]byte(text), crc32.MakeTable(crc32.Castagnoli)))
}

// parseCounter accepts exactly what counterText writes.
func parseCounter(b []byte) (uint32, bool) {
	var n uint32
	_, err := fmt.Sscanf(string(b), "tillway parameters 1 highest %d crc", &n)
	return n, err == nil && string(counterText(n)) == string(b)
}

// OpenCounter reads the file of that name; without one the witness alone knows. A file that is damaged is an error: to guess
// would be to let something old back in.
func OpenCounter(disk Disk, name string, witness Witness) (*Counter, error) {
	c := &Counter{disk: disk, name: name, witness: witness}
	b, err := disk.Read(name, 128)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("counter of the parameters: %w", err)
	default:
		n, ok := parseCounter(b)
		if !ok {
			return nil, fmt.Errorf("%s is damaged, and says which parameters are too old: put back the one that belongs to this terminal, or ask support", name)
		}
		c.highest = n
	}
	if witness != nil {
		c.highest = max(c.highest, uint32(min(witness.Highest(WitnessName), math.MaxUint32))) //nolint:gosec // bounded beside it
	}
	return c, nil
}

// Highest is the highest version that was ever in force; 0 before the first.
func (c *Counter) Highest() uint32 { return c.highest }

// Raise has at least n on disk and with the witness when it returns nil.
func (c *Counter) Raise(ctx context.Context, n uint32) error {
	to := max(n, c.highest)
	if c.witness != nil {
		if err := c.witness.Raise(ctx, WitnessName, uint64(to)); err != nil {
			return fmt.Errorf("counter of the parameters: %w", err)
		}
	}
	if have, err := c.disk.Read(c.name, 128); err == nil && string(have) == string(counterText(to)) {
		c.highest = to
		return nil
	}
	if err := replace(c.disk, c.name, counterText(to)); err != nil {
		return fmt.Errorf("counter of the parameters: %w", err)
	}
	c.highest = to
	return nil
}
