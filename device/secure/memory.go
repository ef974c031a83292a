package secure

import (
	"errors"
	"fmt"
	"sync"
	"unsafe"
)

// An arena is the memory that keys and PINs live in: outside Go's heap, so that nothing copies or moves it, not swapped,
// not in core files and, where the kernel has memfd_secret(2), in no other process's reach, root's debugger included.
// Blocks are wiped when they are given back.
type arena struct {
	kind string // what Status says
	done func([]byte) error

	mu     sync.Mutex
	memory []byte
	used   []uint16 // for each unit that begins a block: the block's units
	free   []bool   // per unit
}

const (
	arenaBytes = 512 << 10
	arenaUnit  = 32
)

var errArena = errors.New("key memory is full")

func newArena() (*arena, error) {
	memory, kind, done, err := lockedMemory(arenaBytes)
	if err != nil {
		return nil, fmt.Errorf("key memory: %w", err)
	}
	a := &arena{kind: kind, done: done, memory: memory, used: make([]uint16, arenaBytes/arenaUnit), free: make([]bool, arenaBytes/arenaUnit)}
	for i := range a.free {
		a.free[i] = true
	}
	return a, nil
}

// alloc gives n bytes of zeros, capacity included, so that append never writes into a neighbour.
func (a *arena) alloc(n int) ([]byte, error) {
	units := (n + arenaUnit - 1) / arenaUnit
	a.mu.Lock()
	defer a.mu.Unlock()
	if units == 0 || a.memory == nil {
		return nil, errArena
	}
	run := 0
	for i, free := range a.free {
		if run++; !free {
			run = 0
		}
		if run < units {
			continue
		}
		first := i - units + 1
		for j := first; j <= i; j++ {
			a.free[j] = false
		}
		a.used[first] = uint16(units)
		at := first * arenaUnit
		return a.memory[at : at+n : at+n], nil
	}
	return nil, errArena
}

// keep is alloc and copy; the caller wipes b.
func (a *arena) keep(b []byte) ([]byte, error) {
	k, err := a.alloc(len(b))
	if err != nil {
		return nil, err
	}
	copy(k, b)
	return k, nil
}

// release wipes a block and takes it back. A block of no arena, or nil, is only wiped.
func (a *arena) release(b []byte) {
	clear(b)
	if len(b) == 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	at, ok := offset(a.memory, b)
	if !ok || at%arenaUnit != 0 || a.used[at/arenaUnit] == 0 {
		return
	}
	first := at / arenaUnit
	for j := range int(a.used[first]) {
		a.free[first+j] = true
	}
	a.used[first] = 0
}

// close wipes everything. No block may be touched afterwards.
func (a *arena) close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.memory == nil {
		return nil
	}
	for first, units := range a.used { // the rest was wiped when it was given back, or never used
		clear(a.memory[first*arenaUnit : (first+int(units))*arenaUnit])
	}
	err := a.done(a.memory)
	a.memory = nil
	return err
}

// offset is where b begins in memory.
func offset(memory, b []byte) (int, bool) {
	if len(memory) == 0 {
		return 0, false
	}
	base, at := uintptr(unsafe.Pointer(unsafe.SliceData(memory))), uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	if at < base || at >= base+uintptr(len(memory)) {
		return 0, false
	}
	return int(at - base), true
}
