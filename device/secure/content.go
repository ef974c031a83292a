package secure

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// useKEK is a key-encrypting key of components. It has no name outside: nothing imports or leases it.
const useKEK Use = 5

// A scheme is how keys follow one another.
type scheme byte

const (
	dukptScheme     scheme = iota + 1 // a key a message, from registers
	sessionScheme                     // one key until the next is sent
	componentScheme                   // of people
	readerScheme                      // a stripe reader's initial key: the reader has the counter
	pairingScheme                     // one key, of which session keys are derived
)

func (s scheme) String() string {
	switch s {
	case dukptScheme:
		return "DUKPT"
	case sessionScheme:
		return "session"
	case componentScheme:
		return "components"
	case readerScheme:
		return "DUKPT of a reader"
	case pairingScheme:
		return "pairing"
	}
	return "unknown"
}

// A setKey is one key of a set. It does not change: what follows it takes its place.
type setKey struct {
	set       string
	use       Use
	scheme    scheme
	algorithm Algorithm
	usage     string // in its key block, like "P0"; empty where it came without
	check     CheckValue
	base      []byte // DUKPT: the KSN with its counter at zero
	key       []byte // in the arena; under DUKPT the registers behind the keys that are derived already
}

// content is what the module keeps besides the sealing keys. It is replaced as a whole, never changed in place.
type content struct {
	id         [16]byte // of the module: two copies of its files are one module
	token      []byte   // in the arena
	generation uint64   // counts destructions
	destroyed  bool
	witnessed  bool              // a witness has known it once
	marks      map[string]uint64 // for each initial key ever loaded: the lowest counter that was never given
	keys       map[string]*setKey
}

const (
	maxSets     = 128 // keys of sets
	maxMarks    = 1024
	maxState    = 2048 // bytes of registers
	tokenBytes  = 32
	contentForm = 1
)

func keyName(set string, use Use) string { return fmt.Sprintf("%s %d", set, use) }

// markName names a DUKPT key's mark, in the module's content and with the witness.
func (k *setKey) markName() string {
	return "ksn/" + hex.EncodeToString(k.base) + "/" + strings.ToLower(string(k.check))
}

func (c *content) generationName() string { return "generation/" + hex.EncodeToString(c.id[:]) }
func (c *content) destroyedName() string  { return "destroyed/" + hex.EncodeToString(c.id[:]) }

func (c *content) clone() *content {
	n := *c
	n.marks, n.keys = maps.Clone(c.marks), maps.Clone(c.keys)
	return &n
}

func newContent(a *arena) (*content, error) {
	c := &content{marks: map[string]uint64{}, keys: map[string]*setKey{}}
	rand.Read(c.id[:])
	var err error
	if c.token, err = a.alloc(tokenBytes); err != nil {
		return nil, err
	}
	rand.Read(c.token)
	return c, nil
}

// encode writes the content clear: the caller seals and wipes it.
func (c *content) encode() []byte {
	w := make(writer, 0, c.size()) // whole from the start: growing would leave copies behind
	w.u8(contentForm)
	w = append(w, c.id[:]...)
	w.bytes(c.token)
	w.u64(c.generation)
	w.yes(c.destroyed)
	w.yes(c.witnessed)
	w.u32(uint32(len(c.marks)))
	for _, name := range slices.Sorted(maps.Keys(c.marks)) {
		w.text(name)
		w.u64(c.marks[name])
	}
	w.u32(uint32(len(c.keys)))
	for _, name := range slices.Sorted(maps.Keys(c.keys)) {
		k := c.keys[name]
		w.text(k.set)
		w.u8(byte(k.use))
		w.u8(byte(k.scheme))
		w.text(string(k.algorithm))
		w.text(k.usage)
		w.text(string(k.check))
		w.bytes(k.base)
		w.bytes(k.key)
	}
	return w
}

// size is at least what encode writes.
func (c *content) size() int {
	n := 128 + tokenBytes + len(c.marks)*(4+maxName+8)
	for _, k := range c.keys {
		n += 64 + maxName + len(k.key)
	}
	return n
}

// decodeContent takes exactly what encode writes; keys go to the arena.
func decodeContent(b []byte, a *arena) (_ *content, err error) {
	r := &reader{b: b}
	c := &content{marks: map[string]uint64{}, keys: map[string]*setKey{}}
	defer func() {
		if err != nil {
			for _, k := range c.keys {
				a.release(k.key)
			}
		}
	}()
	if r.u8() != contentForm {
		return nil, errList
	}
	copy(c.id[:], r.take(len(c.id)))
	token := r.bytes(tokenBytes)
	c.generation, c.destroyed, c.witnessed = r.u64(), r.yes(), r.yes()
	n := r.u32()
	for last := ""; n > 0 && !r.bad; n-- {
		name := r.text(maxName)
		if checkName(name) != nil || name <= last || len(c.marks) >= maxMarks {
			return nil, errList
		}
		c.marks[name], last = r.u64(), name
	}
	n = r.u32()
	for last := ""; n > 0 && !r.bad; n-- {
		k, key := readSetKey(r)
		name := keyName(k.set, k.use)
		if !k.wellFormed(key) || name <= last || len(c.keys) >= maxSets {
			return nil, errList
		}
		if k.key, err = a.keep(key); err != nil {
			return nil, err
		}
		c.keys[name], last = k, name
	}
	if r.end() != nil || (len(token) != tokenBytes && !c.destroyed) {
		return nil, errList
	}
	if len(token) == 0 {
		return c, nil
	}
	c.token, err = a.keep(token)
	return c, err
}

func readSetKey(r *reader) (*setKey, []byte) {
	k := &setKey{set: r.text(maxName), use: Use(r.u8()), scheme: scheme(r.u8()), algorithm: Algorithm(r.text(8))}
	k.usage, k.check, k.base = r.text(2), CheckValue(r.text(10)), slices.Clone(r.bytes(12))
	return k, r.bytes(maxState)
}

func (k *setKey) wellFormed(key []byte) bool {
	return checkName(k.set) == nil && k.use >= UsePIN && k.use <= UsePad && k.scheme >= dukptScheme && k.scheme <= pairingScheme &&
		len(key) > 0 && k.counted() == (len(k.base) != 0)
}

// counted says that the key's own serial number goes with it: DUKPT, the terminal's or a reader's.
func (k *setKey) counted() bool { return k.scheme == dukptScheme || k.scheme == readerScheme }
