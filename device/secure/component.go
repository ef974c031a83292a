package secure

import (
	"context"
	"fmt"
	"strings"
	"time"

	"tillway/device/secure/x9"
)

// componentTime is how long the shares of a key may take: what is incomplete then is wiped.
const componentTime = 15 * time.Minute

// maxHolder bounds a holder's name, in bytes.
const maxHolder = 64

// loading is a key-encrypting key of which some shares are there.
type loading struct {
	algorithm Algorithm
	shares    [][]byte // by number less one; in the arena
	holders   []string
	timer     *time.Timer
}

// LoadComponent is Components'.
func (f *File) LoadComponent(ctx context.Context, c Component) (Loaded, error) {
	defer clear(c.Value)
	if err := c.wellFormed(); err != nil {
		return Loaded{}, err
	}
	if err := f.begin(ctx); err != nil {
		return Loaded{}, err
	}
	defer f.done()
	var check CheckValue
	var err error
	guarded(func() { check, err = checkValue(c.Algorithm, c.Value) })
	if err != nil {
		return Loaded{}, fmt.Errorf("%w: %w", ErrComponent, err)
	}
	p, err := f.share(c)
	if err != nil {
		return Loaded{}, fmt.Errorf("%s: %w", c, err)
	}
	f.event(Event{What: fmt.Sprintf("component %d of %d entered", c.Number, c.Of), Set: c.Set, Use: "KEK", Holder: c.Holder, Check: string(check)})
	l := Loaded{Of: c.Of, Check: check}
	for _, s := range p.shares {
		if s != nil {
			l.Have++
		}
	}
	if l.Have < l.Of {
		return l, nil
	}
	defer func() { _ = f.forgetShares(c.Set) }()
	k := &setKey{set: c.Set, use: useKEK, scheme: componentScheme, algorithm: c.Algorithm}
	guarded(func() { err = f.combine(k, p) })
	if err != nil {
		return Loaded{}, fmt.Errorf("key of %d components for %s: %w", c.Of, c.Set, err)
	}
	l.KEK = k.check
	return l, f.install(ctx, k)
}

func (c Component) wellFormed() error {
	size := map[Algorithm][]int{TDES: {16, 24}, AES128: {16}, AES192: {24}, AES256: {32}}[c.Algorithm]
	ok := false
	for _, n := range size {
		ok = ok || n == len(c.Value)
	}
	holder := strings.TrimSpace(c.Holder)
	switch {
	case checkName(c.Set) != nil:
		return fmt.Errorf("set %q: %w", c.Set, ErrName)
	case !ok:
		return fmt.Errorf("%s component of %d bytes, and it has to have %s: %w", c.Algorithm, len(c.Value), strings.Trim(strings.Join(strings.Fields(fmt.Sprint(size)), " or "), "[]"), ErrComponent)
	case c.Of < 2 || c.Of > 3 || c.Number < 1 || c.Number > c.Of:
		return fmt.Errorf("component %d of %d, two or three make a key: %w", c.Number, c.Of, ErrComponent)
	case holder == "" || len(holder) > maxHolder:
		return fmt.Errorf("component without its holder's name: %w", ErrDualControl)
	}
	return nil
}

// share adds a share to those that are there, after holding it against them.
func (f *File) share(c Component) (*loading, error) {
	holder := strings.ToLower(strings.Join(strings.Fields(c.Holder), " "))
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.pending[c.Set]
	if p == nil {
		if len(f.pending) >= maxSets {
			return nil, ErrFull
		}
		p = &loading{algorithm: c.Algorithm, shares: make([][]byte, c.Of), holders: make([]string, c.Of)}
		p.timer = time.AfterFunc(componentTime, func() { f.expire(c.Set, p) })
		f.pending[c.Set] = p
	}
	if len(p.shares) != c.Of || p.algorithm != c.Algorithm || p.shares[c.Number-1] != nil {
		return nil, ErrComponent
	}
	for i, s := range p.shares {
		switch {
		case s == nil:
		case p.holders[i] == holder:
			return nil, ErrDualControl
		case len(s) != len(c.Value):
			return nil, ErrComponent
		}
	}
	kept, err := f.memory.keep(c.Value)
	if err != nil {
		return nil, err
	}
	p.shares[c.Number-1], p.holders[c.Number-1] = kept, holder
	return p, nil
}

// combine makes the key. Within guarded.
func (f *File) combine(k *setKey, p *loading) error {
	key, err := x9.CombineComponents(p.shares...)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrComponent, err)
	}
	defer clear(key)
	letter := byte('A')
	if k.algorithm == TDES {
		letter = 'T'
	}
	if _, err := algorithmOf(letter, key); err != nil {
		return err
	}
	return f.fill(k, key)
}

// Abort is Components'.
func (f *File) Abort(ctx context.Context, set string) error {
	if err := f.begin(ctx); err != nil {
		return err
	}
	defer f.done()
	if f.forgetShares(set) {
		f.event(Event{What: "components given up", Set: set, Use: "KEK"})
	}
	if set == PadSet && f.forgetPadKey() {
		f.event(Event{What: "key for the PIN pad given up", Set: set, Use: UsePIN.String()})
	}
	return nil
}

func (f *File) forgetShares(set string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.abort(set)
}

// abort wipes the shares of a set; under mu.
func (f *File) abort(set string) bool {
	p := f.pending[set]
	if p == nil {
		return false
	}
	p.timer.Stop()
	for _, s := range p.shares {
		f.memory.release(s)
	}
	delete(f.pending, set)
	return true
}

// expire is the timer's.
func (f *File) expire(set string, p *loading) {
	f.mu.Lock()
	gone := f.closed || f.pending[set] != p
	if !gone {
		f.abort(set)
	}
	f.mu.Unlock()
	if !gone {
		f.event(Event{What: "components timed out", Set: set, Use: "KEK"})
	}
}
