package secure

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"slices"

	"tillway/device/secure/x9"
)

// A transaction is one derived DUKPT key that was not given yet.
type transaction struct{ key, ksn []byte }

// A lease is what stands behind a Lease.
type lease struct {
	of    *setKey
	key   []byte // in the arena: the transaction's, or a copy of the session's
	ksn   []byte
	made  bool // a MAC
	wrong int  // MACs that did not verify
}

const (
	maxLeases = 64
	maxWrong  = 256
	minMAC    = 4
)

// firstID is where leases start: not where those of the process before did.
func firstID() uint64 {
	var b [8]byte
	rand.Read(b[:])
	return binary.BigEndian.Uint64(b[:])
}

// NextKey is Macs'.
func (f *File) NextKey(ctx context.Context, set string, use Use) (Lease, error) {
	if (use < UsePIN || use > UseData) && use != UseProposedMAC {
		return Lease{}, fmt.Errorf("lease for %s: %w", use, ErrUsage)
	}
	for {
		if err := f.enter(ctx); err != nil {
			return Lease{}, err
		}
		l, ok, err := f.take(set, use)
		f.leave()
		if ok || err != nil {
			return l, err
		}
		if err := f.derive(ctx, keyName(set, use)); err != nil {
			return Lease{}, err
		}
	}
}

// take leases a key that is there. ok is false where keys have to be derived first.
func (f *File) take(set string, use Use) (l Lease, ok bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	name := keyName(set, use)
	k := f.content.keys[name]
	if k == nil {
		return l, false, fmt.Errorf("%s key of %q: %w", use, set, ErrNoKey)
	}
	use = use.accepted() // what the lease does is what the key will do
	held := &lease{of: k}
	if k.use != use {
		in := *k
		in.use = use
		held.of = &in
	}
	if k.scheme == dukptScheme {
		pool := f.pools[name]
		if len(pool) == 0 {
			return l, false, nil
		}
		held.key, held.ksn = pool[0].key, pool[0].ksn
		f.pools[name] = pool[1:]
	} else if held.key, err = f.memory.keep(k.key); err != nil {
		return l, false, err
	}
	f.lastID++
	f.leases[f.lastID] = held
	f.order = append(f.order, f.lastID)
	if len(f.order) > maxLeases {
		f.drop(f.order[0])
	}
	return Lease{ID: f.lastID, Set: set, Use: use, KSN: slices.Clone(held.ksn), Algorithm: k.algorithm}, true, nil
}

// drop ends a lease; under mu.
func (f *File) drop(id uint64) {
	if l := f.leases[id]; l != nil {
		f.memory.release(l.key)
		delete(f.leases, id)
	}
	f.order = slices.DeleteFunc(f.order, func(o uint64) bool { return o == id })
}

// derive fills a pool: the keys are in the arena, the registers behind them on disk and their counter with the witness,
// before the first can be leased.
func (f *File) derive(ctx context.Context, name string) error {
	if err := f.begin(ctx); err != nil {
		return err
	}
	defer f.done()
	f.mu.Lock()
	k, full := f.content.keys[name], len(f.pools[name]) > poolKeys/2
	f.mu.Unlock()
	if k == nil || full {
		return nil // somebody else did, or it was destroyed
	}
	pool, next, err := f.ahead(k)
	if err == nil {
		c := f.content.clone()
		c.keys[name] = next
		if c.marks, err = c.counters(); err == nil {
			err = f.commit(ctx, c, false)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		f.wipe(pool)
		if next != nil {
			f.memory.release(next.key)
		}
		return err
	}
	f.pools[name] = append(f.pools[name], pool...)
	return nil
}

// ahead derives the next keys of k, and k as it is behind them.
func (f *File) ahead(k *setKey) (pool []transaction, next *setKey, err error) {
	guarded(func() {
		var d dukpt
		if d, err = readDUKPT(k.algorithm, k.key); err != nil {
			return
		}
		defer d.Erase()
		for len(pool) < poolKeys && err == nil {
			var key, ksn, kept []byte
			if key, ksn, err = d.next(); err != nil {
				break
			}
			kept, err = f.memory.keep(key)
			clear(key)
			if err == nil {
				pool = append(pool, transaction{kept, ksn})
			}
		}
		if len(pool) > 0 && err != nil && d.counter()>>width(k.algorithm) != 0 {
			err = nil // these are the last
		}
		if err == nil {
			next, err = f.withRegisters(k, d)
		}
	})
	return pool, next, err
}

func width(a Algorithm) int {
	if a == TDES {
		return 21
	}
	return 32
}

// wipe gives keys back that nobody will get; under mu.
func (f *File) wipe(pool []transaction) {
	for _, t := range pool {
		f.memory.release(t.key)
	}
}

// Refill is Terminal's: it fills every pool of which half or more is used.
func (f *File) Refill(ctx context.Context) error {
	if err := f.enter(ctx); err != nil {
		return err
	}
	f.mu.Lock()
	var names []string
	for name, k := range f.content.keys {
		if k.scheme == dukptScheme && len(f.pools[name]) <= poolKeys/2 {
			names = append(names, name)
		}
	}
	f.mu.Unlock()
	f.leave()
	slices.Sort(names)
	for _, name := range names {
		if err := f.derive(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// HostSaw is Macs'.
func (f *File) HostSaw(ctx context.Context, set string, use Use, ksn []byte) error {
	if err := f.begin(ctx); err != nil {
		return err
	}
	defer f.done()
	name := keyName(set, use)
	k := f.content.keys[name]
	if k == nil || k.scheme != dukptScheme {
		return fmt.Errorf("%s key of %q: %w", use, set, ErrNoKey)
	}
	seen, err := k.counterOf(ksn)
	if err != nil {
		return err
	}
	f.mu.Lock()
	pool := f.pools[name]
	for len(pool) > 0 {
		if counter, err := k.counterOf(pool[0].ksn); err != nil || counter > seen {
			break
		}
		f.wipe(pool[:1])
		pool = pool[1:]
	}
	f.pools[name] = pool
	f.mu.Unlock()
	var next *setKey
	guarded(func() {
		var d dukpt
		if d, err = readDUKPT(k.algorithm, k.key); err != nil {
			return
		}
		defer d.Erase()
		if seen < d.counter() {
			return
		}
		if err = d.advance(seen + 1); err == nil {
			next, err = f.withRegisters(k, d)
		}
	})
	if err != nil || next == nil {
		return err
	}
	c := f.content.clone()
	c.keys[name] = next
	if c.marks, err = c.counters(); err != nil {
		return err
	}
	f.event(Event{What: "host knows a higher counter: jumped", Set: set, Use: use.String()})
	return f.commit(ctx, c, false)
}

// Release is Macs'.
func (f *File) Release(ctx context.Context, l Lease) error {
	return f.within(ctx, func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.drop(l.ID)
		return nil
	})
}

// lease finds what stands behind a Lease; under mu.
func (f *File) lease(l Lease, use Use) (*lease, error) {
	held := f.leases[l.ID]
	switch {
	case held == nil || held.of.set != l.Set || held.of.use != l.Use || !slices.Equal(held.ksn, l.KSN):
		return nil, fmt.Errorf("%s lease of %q: %w", l.Use, l.Set, ErrLease)
	case l.Use != use:
		return nil, fmt.Errorf("%s lease as a %s lease: %w", l.Use, use, ErrUsage)
	}
	return held, nil
}

// MAC is Macs'.
func (f *File) MAC(ctx context.Context, l Lease, m MACMethod, data []byte) ([]byte, error) {
	if len(data) > maxPlain {
		return nil, fmt.Errorf("%d bytes: %w", len(data), ErrTooLong)
	}
	out := make([]byte, 16)
	n := 0
	err := f.within(ctx, func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		held, err := f.lease(l, UseMAC)
		if err != nil {
			return err
		}
		if held.made {
			return fmt.Errorf("second MAC under one lease of %q: %w", l.Set, ErrLease)
		}
		if n, err = held.mac(m, false, data, out); err == nil {
			held.made = true
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out[:n], nil
}

// VerifyMAC is Macs'.
func (f *File) VerifyMAC(ctx context.Context, l Lease, m MACMethod, data, mac []byte) error {
	if len(data) > maxPlain {
		return fmt.Errorf("%d bytes: %w", len(data), ErrTooLong)
	}
	return f.within(ctx, func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		held, err := f.lease(l, UseMAC)
		if err != nil {
			return err
		}
		if held.wrong >= maxWrong {
			f.drop(l.ID)
			return fmt.Errorf("%d wrong MACs: %w", held.wrong, ErrLease)
		}
		var want [16]byte
		n, err := held.mac(m, true, data, want[:])
		if err != nil {
			return err
		}
		if len(mac) < minMAC || len(mac) > n || subtle.ConstantTimeCompare(want[:len(mac)], mac) != 1 {
			held.wrong++
			return ErrMAC
		}
		return nil
	})
}

// mac writes a MAC to out and says how long it is. Within guarded.
func (l *lease) mac(m MACMethod, response bool, data, out []byte) (n int, err error) {
	if err := l.allows(m); err != nil {
		return 0, err
	}
	key := l.key
	if l.of.scheme == dukptScheme {
		if key, err = l.working(map[bool]x9.TDESUse{false: x9.TDESMACRequest, true: x9.TDESMACResponse}[response],
			map[bool]x9.AESUse{false: x9.AESMACGenerate, true: x9.AESMACVerify}[response]); err != nil {
			return 0, err
		}
		defer clear(key)
	}
	var short [8]byte
	switch m {
	case MACAlg1Pad1, MACAlg1Pad2:
		short, err = x9.MAC1(key, data, map[MACMethod]x9.Padding{MACAlg1Pad1: x9.Pad1, MACAlg1Pad2: x9.Pad2}[m])
	case MACAlg3Pad1, MACAlg3Pad2:
		short, err = x9.MAC3(key, data, map[MACMethod]x9.Padding{MACAlg3Pad1: x9.Pad1, MACAlg3Pad2: x9.Pad2}[m])
	case CMAC:
		if l.of.algorithm != TDES {
			long, err := x9.CMACAES(key, data)
			return copy(out, long[:]), err
		}
		short, err = x9.CMACTDES(key, data)
	}
	return copy(out, short[:]), err
}

// allows refuses a method that the key is not for: AES has CMAC only, and a key that came in a key block has what the
// block says.
func (l *lease) allows(m MACMethod) error {
	one := m == MACAlg1Pad1 || m == MACAlg1Pad2
	three := m == MACAlg3Pad1 || m == MACAlg3Pad2
	ok := false
	switch l.of.usage {
	case "M0", "M1":
		ok = one
	case "M3":
		ok = three
	case "M6":
		ok = m == CMAC
	case "B1", "":
		ok = one || three || m == CMAC
	}
	if !ok || (l.of.algorithm != TDES && m != CMAC) {
		return fmt.Errorf("MAC method %d with a %s key of usage %q: %w", m, l.of.algorithm, l.of.usage, ErrUsage)
	}
	return nil
}

// working derives the key that does the work from a DUKPT transaction key; the caller wipes it. Within guarded.
func (l *lease) working(t x9.TDESUse, a x9.AESUse) ([]byte, error) {
	if l.of.algorithm == TDES {
		return x9.TDESWorkingKey(l.key, t)
	}
	kind := map[Algorithm]x9.KeyType{AES128: x9.AES128, AES192: x9.AES192, AES256: x9.AES256}[l.of.algorithm]
	return x9.AESWorkingKey(l.key, a, kind, x9.AESKSN(l.ksn))
}

// Encipher is Data's.
func (f *File) Encipher(ctx context.Context, l Lease, data []byte) ([]byte, error) {
	if len(data) > maxPlain {
		return nil, fmt.Errorf("%d bytes: %w", len(data), ErrTooLong)
	}
	out := make([]byte, len(data))
	err := f.within(ctx, func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		held, err := f.lease(l, UseData)
		if err != nil {
			return err
		}
		if held.made {
			return fmt.Errorf("second message under one lease of %q: %w", l.Set, ErrLease)
		}
		if err := held.encipher(data, out); err != nil {
			return err
		}
		held.made = true
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// encipher writes to out, which is as long as data. Within guarded.
func (l *lease) encipher(data, out []byte) (err error) {
	key := l.key
	if l.of.scheme == dukptScheme {
		if key, err = l.working(x9.TDESDataRequest, x9.AESDataEncrypt); err != nil {
			return err
		}
		defer clear(key)
	}
	do, block := x9.EncryptCBC, x9.BlockSize
	if l.of.algorithm != TDES {
		do, block = x9.EncryptCBCAES, x9.AESBlockSize
	}
	enciphered, err := do(key, make([]byte, block), data)
	if err != nil {
		return fmt.Errorf("%d bytes in blocks of %d: %w", len(data), block, ErrRequest)
	}
	copy(out, enciphered)
	return nil
}
