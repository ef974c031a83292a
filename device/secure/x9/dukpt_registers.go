package x9

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
)

// Errors of both kinds of DUKPT.
var (
	ErrKSN       = errors.New("key serial number not valid")
	ErrExhausted = errors.New("all keys of this initial key are used")
	ErrState     = errors.New("saved key registers are not valid")
)

// registers is the terminal's form of DUKPT: one future key for each bit of the transaction counter, and nothing from
// which an earlier key could be had again (X9.24-1:2009, A.3; X9.24-3:2017, 6.5). The key of counter c lies in the register
// of c's lowest one bit; using it makes the keys that hang below it, and erases it.
type registers struct {
	width int    // bits of the counter
	ones  int    // how many of them may be one
	next  uint64 // counter of the next key; beyond width bits when exhausted
	keys  [][]byte
	size  int // bytes of a key

	// child derives the key of counter c from the key of c without its lowest one bit.
	child func(parent []byte, c uint32) ([]byte, error)
}

// fill makes the keys of parent|1, parent|2, parent|4 … for the registers below bit n.
func (r *registers) fill(key []byte, parent uint32, n int) error {
	for i := range n {
		k, err := r.child(key, parent|1<<i)
		if err != nil {
			return err
		}
		clear(r.keys[i])
		r.keys[i] = k
	}
	return nil
}

// take gives out the next key. Not before the keys below it are made, and the register is empty, does it leave.
func (r *registers) take() ([]byte, uint32, error) {
	if r.next == 0 || r.next>>r.width != 0 {
		return nil, 0, ErrExhausted
	}
	c := uint32(r.next)
	at := bits.TrailingZeros32(c)
	key := r.keys[at]
	if len(key) != r.size {
		return nil, 0, fmt.Errorf("register %d is empty: %w", at, ErrState)
	}
	step := uint64(1) << at
	if bits.OnesCount32(c) < r.ones {
		if err := r.fill(key, c, at); err != nil {
			return nil, 0, err
		}
		step = 1
	}
	r.keys[at] = nil
	r.next += step
	return key, c, nil
}

// advance goes forward until no key below counter to is left, erasing what it passes. It never goes back.
func (r *registers) advance(to uint32) error {
	for r.next < uint64(to) {
		if r.next>>r.width != 0 {
			return ErrExhausted
		}
		at := bits.TrailingZeros64(r.next)
		if r.next+1<<at > uint64(to) {
			key, _, err := r.take()
			if err != nil {
				return err
			}
			clear(key)
			continue
		}
		for i := range at + 1 { // the whole subtree is passed
			clear(r.keys[i])
			r.keys[i] = nil
		}
		r.next += 1 << at
	}
	return nil
}

// erase destroys every key.
func (r *registers) erase() {
	for i := range r.keys {
		clear(r.keys[i])
		r.keys[i] = nil
	}
	r.next = 1 << r.width
}

// appendState writes counter and registers: next in eight bytes, then for each register a byte 0 or 1 and its key.
func (r *registers) appendState(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, r.next)
	for _, k := range r.keys {
		if len(k) == 0 {
			b = append(b, 0)
			continue
		}
		b = append(append(b, 1), k...)
	}
	return b
}

// readState undoes appendState; the registers that the counter needs must be there, and no more than that.
func (r *registers) readState(b []byte) error {
	if len(b) < 8 {
		return ErrState
	}
	r.next, b = binary.BigEndian.Uint64(b), b[8:]
	if r.next == 0 || r.next > 1<<r.width {
		return fmt.Errorf("counter: %w", ErrState)
	}
	for i := range r.keys {
		if len(b) == 0 || b[0] > 1 || (b[0] == 1 && len(b) < 1+r.size) {
			return fmt.Errorf("register %d: %w", i, ErrState)
		}
		if b[0] == 1 {
			r.keys[i] = append([]byte(nil), b[1:1+r.size]...)
			b = b[r.size:]
		}
		b = b[1:]
	}
	if len(b) != 0 {
		return fmt.Errorf("%d bytes too many: %w", len(b), ErrState)
	}
	if r.next>>r.width == 0 && bits.OnesCount64(r.next) > r.ones {
		return fmt.Errorf("counter: %w", ErrState)
	}
	if at := bits.TrailingZeros64(r.next); at < r.width && r.keys[at] == nil {
		return fmt.Errorf("register %d is empty: %w", at, ErrState)
	}
	return nil
}
