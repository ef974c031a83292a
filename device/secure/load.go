package secure

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"tillway/device/secure/x9"
)

// maxBlock is the longest key block, in characters (X9.143: four digits).
const maxBlock = 9999

// usageRow says which key blocks may become which key (X9.143:2021, Tables 2, 3 and 5).
type usageRow struct {
	usage      string
	use        []Use
	scheme     scheme
	algorithms string
	modes      string
}

// usageTable: whatever is not here is refused. A MAC key has to make and to verify (C); a PIN and a data key encipher; of a pairing
// key others are derived (X9.143 B3).
func usageTable() []usageRow {
	return []usageRow{
		{"B1", []Use{UsePIN, UseMAC, UseData}, dukptScheme, "TA", "XN"},
		{"B1", []Use{UseSwipe}, readerScheme, "TA", "XN"},
		{"B3", []Use{UsePad}, pairingScheme, "A", "XN"},
		{"P0", []Use{UsePIN}, sessionScheme, "TA", "EBN"},
		{"M0", []Use{UseMAC}, sessionScheme, "T", "CN"},
		{"M1", []Use{UseMAC}, sessionScheme, "T", "CN"},
		{"M3", []Use{UseMAC}, sessionScheme, "T", "CN"},
		{"M6", []Use{UseMAC}, sessionScheme, "TA", "CN"},
		{"D0", []Use{UseData}, sessionScheme, "TA", "EBN"},
		{"K0", []Use{UseMaster}, sessionScheme, "TA", "DBN"},
		{"K1", []Use{UseMaster}, sessionScheme, "TA", "DBN"},
	}
}

// Import is Keys'.
func (f *File) Import(ctx context.Context, set string, use Use, block string) (CheckValue, error) {
	return f.blockTo(ctx, set, use, block, f.install)
}

// Try is Keys'.
func (f *File) Try(ctx context.Context, set string, use Use, block string) (CheckValue, error) {
	return f.blockTo(ctx, set, use, block, func(_ context.Context, k *setKey) error {
		f.memory.release(k.key)
		return nil
	})
}

// blockTo opens a key block and hands the key on.
func (f *File) blockTo(ctx context.Context, set string, use Use, block string, then func(context.Context, *setKey) error) (CheckValue, error) {
	if checkName(set) != nil {
		return "", fmt.Errorf("set %q: %w", set, ErrName)
	}
	if len(block) > maxBlock {
		return "", fmt.Errorf("%d characters: %w", len(block), ErrKeyBlock)
	}
	if err := f.begin(ctx); err != nil {
		return "", err
	}
	defer f.done()
	var k *setKey
	var err error
	guarded(func() { k, err = f.fromBlock(set, use, block) })
	if err != nil {
		return "", fmt.Errorf("%s key for %q: %w", use, set, err)
	}
	return k.check, then(ctx, k)
}

// fromBlock takes a key block under the set's master key or its KEK. Within guarded.
func (f *File) fromBlock(set string, use Use, block string) (*setKey, error) {
	under := []Use{UseMaster, useKEK}
	if use == UseMaster {
		under = under[1:]
	}
	k, key, err := f.openBlock(set, use, block, under...)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	return k, f.fill(k, key)
}

// openBlock opens a key block under one of the set's keys and says what its header makes of the key. Within guarded; the
// caller wipes the key.
func (f *File) openBlock(set string, use Use, block string, under ...Use) (k *setKey, key []byte, err error) {
	head, err := x9.ParseKeyBlockHeader(block)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrKeyBlock, err)
	}
	if (head.Version == 'A' || head.Version == 'C') && !slices.Contains(f.options.Weak, set) {
		return nil, nil, fmt.Errorf("key block of version %c: %w", head.Version, ErrWeak)
	}
	h, key, err := f.unwrap(set, block, under)
	if err != nil {
		return nil, nil, err
	}
	if k, err = keyOf(set, use, h, key); err != nil {
		clear(key)
		return nil, nil, err
	}
	return k, key, nil
}

// keyOf holds a key block's header against what its key is loaded for.
func keyOf(set string, use Use, h x9.KeyBlockHeader, key []byte) (k *setKey, err error) {
	if err := h.Check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	at := slices.IndexFunc(usageTable(), func(r usageRow) bool {
		return r.usage == h.Usage && slices.Contains(r.use, use) &&
			strings.IndexByte(r.algorithms, h.Algorithm) >= 0 && strings.IndexByte(r.modes, h.Mode) >= 0
	})
	if at < 0 {
		return nil, fmt.Errorf("key block of usage %s, algorithm %c, mode %c: %w", h.Usage, h.Algorithm, h.Mode, ErrUsage)
	}
	if (use == UseSwipe) != (set == SwipeSet) || (use == UsePad) != (set == PadSet) {
		return nil, fmt.Errorf("%s key in the set %q: %q takes the stripe reader's (swipe), %q the PIN pad's (pad), an acquirer's neither: %w", use, set, SwipeSet, PadSet, ErrUsage)
	}
	k = &setKey{set: set, use: use, scheme: usageTable()[at].scheme, usage: h.Usage}
	if k.algorithm, err = algorithmOf(h.Algorithm, key); err != nil {
		return nil, err
	}
	if k.counted() {
		if k.base, err = baseOf(h, k.algorithm); err != nil {
			return nil, err
		}
	}
	return k, nil
}

// unwrap tries the keys that a block may be made under.
func (f *File) unwrap(set, block string, under []Use) (x9.KeyBlockHeader, []byte, error) {
	err := ErrNoKEK
	for _, u := range under {
		k := f.content.keys[keyName(set, u)]
		if k == nil {
			continue
		}
		if aes := strings.HasPrefix(block, "D") || strings.HasPrefix(block, "E"); aes != (k.algorithm != TDES) {
			err = fmt.Errorf("its version asks for another cipher than the %s key has: %w", u, ErrKeyBlock)
			continue
		}
		h, key, wrong := x9.UnwrapKeyBlock(k.key, block)
		if wrong == nil {
			return h, key, nil
		}
		err = fmt.Errorf("%w: %w", ErrKeyBlock, wrong)
	}
	return x9.KeyBlockHeader{}, nil, err
}

// algorithmOf names a key's algorithm and refuses triple DES that is single DES in truth.
func algorithmOf(letter byte, key []byte) (Algorithm, error) {
	if letter == 'A' {
		return map[int]Algorithm{16: AES128, 24: AES192, 32: AES256}[len(key)], nil
	}
	if err := x9.CheckTDESKey(key); err != nil {
		return "", fmt.Errorf("%w: %w", ErrTestKey, err)
	}
	return TDES, nil
}

// baseOf takes the initial KSN out of the optional blocks: KS for TDES, IK for AES (X9.143:2021, 6.3.6).
func baseOf(h x9.KeyBlockHeader, a Algorithm) ([]byte, error) {
	id := map[bool]string{true: "KS", false: "IK"}[a == TDES]
	text, ok := h.OptionalData(id)
	if !ok {
		return nil, fmt.Errorf("DUKPT key without its serial number (%s): %w", id, ErrKeyBlock)
	}
	raw, err := hex.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("serial number (%s): %w", id, ErrKeyBlock)
	}
	if a != TDES {
		if len(raw) != 8 {
			return nil, fmt.Errorf("initial key identifier of %d bytes: %w", len(raw), ErrKeyBlock)
		}
		return append(raw, 0, 0, 0, 0), nil
	}
	ksn, err := x9.ParseKSN(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeyBlock, err)
	}
	initial := ksn.Initial()
	return initial[:], nil
}

// fill puts a key into k: itself, or the registers that it makes. Within guarded; the caller wipes key.
func (f *File) fill(k *setKey, key []byte) (err error) {
	if k.check, err = checkValue(k.algorithm, key); err != nil {
		return err
	}
	if err := f.refusable(k, key); err != nil {
		return err
	}
	if k.scheme != dukptScheme {
		k.key, err = f.memory.keep(key)
		return err
	}
	d, err := loadDUKPT(k.algorithm, key, k.base)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrKeyBlock, err)
	}
	defer d.Erase()
	if to := max(f.content.marks[k.markName()], f.highest(k.markName())); to > d.counter() {
		_ = d.advance(to) // exhausted: NextKey says so
	}
	n, err := f.withRegisters(k, d)
	k.key = n.key
	return err
}

// refusable refuses a key that is known to the world, and one that serves another use already.
func (f *File) refusable(k *setKey, key []byte) error {
	if f.options.Production && published(k, key) {
		return fmt.Errorf("check value %s: %w", k.check, ErrTestKey)
	}
	for name, other := range f.content.keys {
		if name != keyName(k.set, k.use) && other.check == k.check && other.algorithm == k.algorithm && string(other.base) == string(k.base) {
			return fmt.Errorf("%s key of %s: %w", other.use, other.set, ErrSameKey)
		}
	}
	return nil
}

// install puts a key in the place of the one before. Who has the turn calls it.
func (f *File) install(ctx context.Context, k *setKey) (err error) {
	name := keyName(k.set, k.use)
	c := f.content.clone()
	c.keys[name] = k
	if len(c.keys) > maxSets {
		err = fmt.Errorf("%d keys: %w", len(c.keys), ErrFull)
	} else if c.marks, err = c.counters(); err == nil {
		err = f.commit(ctx, c, false)
	}
	if err != nil {
		f.memory.release(k.key)
		return err
	}
	f.mu.Lock()
	f.wipe(f.pools[name])
	delete(f.pools, name)
	f.mu.Unlock()
	f.event(Event{What: "key loaded", Set: k.set, Use: k.use.String(), Check: string(k.check)})
	return nil
}

// ImportSession is Keys'.
func (f *File) ImportSession(ctx context.Context, set string, use Use, cryptogram []byte, check CheckValue) (CheckValue, error) {
	switch {
	case checkName(set) != nil:
		return "", fmt.Errorf("set %q: %w", set, ErrName)
	case !slices.Contains(f.options.Weak, set):
		return "", fmt.Errorf("session key of %q in ECB: %w", set, ErrWeak)
	case use < UsePIN || use > UseData:
		return "", fmt.Errorf("%s key: %w", use, ErrUsage)
	}
	if err := f.begin(ctx); err != nil {
		return "", err
	}
	defer f.done()
	var k *setKey
	var err error
	guarded(func() { k, err = f.fromECB(set, use, cryptogram, check) })
	if err != nil {
		return "", fmt.Errorf("%s key for %q: %w", use, set, err)
	}
	return k.check, f.install(ctx, k)
}

func (f *File) fromECB(set string, use Use, cryptogram []byte, check CheckValue) (*setKey, error) {
	k, key, err := f.openECB(set, use, cryptogram, check)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	return k, f.fill(k, key)
}

// Destroy is Keys'.
func (f *File) Destroy(ctx context.Context, set string) error {
	if checkName(set) != nil {
		return fmt.Errorf("set %q: %w", set, ErrName)
	}
	if err := f.begin(ctx); err != nil {
		return err
	}
	defer f.done()
	c := f.content.clone()
	c.generation++
	for name, k := range c.keys {
		if k.set == set {
			delete(c.keys, name)
		}
	}
	if err := f.commit(ctx, c, true); err != nil {
		return fmt.Errorf("destroy keys: %w", err)
	}
	f.forget(set)
	f.event(Event{What: "keys destroyed", Set: set})
	return nil
}

// DestroyAll is Keys'.
func (f *File) DestroyAll(ctx context.Context) error {
	if err := f.begin(ctx); err != nil {
		return err
	}
	defer f.done()
	f.mu.Lock()
	owes, keys := f.owes, f.keys
	f.mu.Unlock()
	if owes != 0 {
		return ErrOwing
	}
	c := f.content.clone()
	c.generation++
	c.destroyed = true
	clear(c.keys)
	token := c.token
	c.token = nil
	f.mu.Lock()
	f.keys = map[string][]byte{}
	f.mu.Unlock()
	if err := f.commit(ctx, c, true); err != nil {
		f.mu.Lock()
		f.keys = keys
		f.mu.Unlock()
		return fmt.Errorf("destroy all keys: %w", err)
	}
	f.mu.Lock()
	for _, key := range keys {
		f.memory.release(key)
	}
	f.memory.release(token)
	f.mu.Unlock()
	f.forget("")
	f.event(Event{What: "all keys destroyed"})
	return nil
}

// forget ends the leases, pools and shares of a set; of all sets without one.
func (f *File) forget(set string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, l := range f.leases {
		if set == "" || l.of.set == set {
			f.drop(id)
		}
	}
	for name, pool := range f.pools {
		if own, _, _ := strings.Cut(name, " "); set == "" || own == set {
			f.wipe(pool)
			delete(f.pools, name)
		}
	}
	if set == "" || set == PadSet {
		f.dropPadKey()
	}
	for name := range f.pending {
		if set == "" || name == set {
			f.abort(name)
		}
	}
}

// Owes is Terminal's.
func (f *File) Owes(ctx context.Context, n int) error {
	if n < 0 {
		return fmt.Errorf("%d messages owed: %w", n, ErrRequest)
	}
	if err := f.enter(ctx); err != nil {
		return err
	}
	defer f.leave()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.owes = n
	return nil
}

// checkValue is how people compare keys (X9.24-1:2017, Annex A).
func checkValue(a Algorithm, key []byte) (CheckValue, error) {
	if a == TDES {
		v, err := x9.KCV(key)
		return CheckValue(strings.ToUpper(hex.EncodeToString(v[:]))), err
	}
	v, err := x9.KCVAES(key)
	return CheckValue(strings.ToUpper(hex.EncodeToString(v[:]))), err
}
