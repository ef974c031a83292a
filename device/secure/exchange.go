package secure

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"tillway/device/secure/x9"
)

// The uses of session keys that an exchange has proposed and nobody has confirmed. They lie beside the keys in force, and of
// them all only a MAC can be made, which is how the exchange is confirmed.
const (
	useProposedPIN  Use = 6
	UseProposedMAC  Use = 7
	useProposedData Use = 8
)

// maxProposal is how many keys one exchange brings: one for each use.
const maxProposal = 3

// proposed is the use under which a key waits; 0 for one that no exchange brings.
func (u Use) proposed() Use {
	if u >= UsePIN && u <= UseData {
		return u - UsePIN + useProposedPIN
	}
	return 0
}

// accepted is proposed's inverse, and any other use itself.
func (u Use) accepted() Use {
	if u >= useProposedPIN && u <= useProposedData {
		return u - useProposedPIN + UsePIN
	}
	return u
}

// A Proposal is one session key as the host sent it: in a key block, or, from hosts that have nothing better, enciphered in
// ECB under the master key with its check value. It shows nothing of itself.
type Proposal struct {
	Use        Use        // UsePIN, UseMAC or UseData
	Block      string     // a key block (X9.143, TR-31; ISO 20038); empty: Cryptogram
	Cryptogram []byte     // 16 or 24 bytes
	Check      CheckValue // as the host has it, 4 digits at least; may be empty with a key block
}

func (p Proposal) String() string {
	if p.Block != "" {
		return p.Use.String() + " key in a key block"
	}
	return p.Use.String() + " key enciphered in ECB"
}

// GoString shows nothing.
func (p Proposal) GoString() string { return p.String() }

// Format shows nothing under every verb.
func (p Proposal) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(p.String())) }

// LogValue shows nothing.
func (p Proposal) LogValue() slog.Value { return slog.StringValue(p.String()) }

// MarshalText writes nothing of it.
func (p Proposal) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// SessionKeys changes the session keys of a set as one host exchange brings them: first proposed, then confirmed. Between
// the two the keys in force stay in force; a power cut leaves the one or the other, and never half of either.
type SessionKeys interface {
	// Propose takes all keys of one exchange or none, in the place of what was proposed before, on disk before it returns.
	// Each has to come under the set's master key, and to be another than the one in force. It answers the check values in
	// the order of the proposals. Errors: ErrNoKEK, ErrKeyBlock (also for a check value that differs), ErrUsage, ErrWeak,
	// ErrTestKey, ErrSameKey, ErrRequest.
	Propose(ctx context.Context, set string, keys []Proposal) ([]CheckValue, error)

	// Confirm puts what was proposed in the place of the keys in force, all in one commit; these are wiped. Error: ErrNoKey,
	// when nothing is proposed.
	Confirm(ctx context.Context, set string) error

	// Withdraw forgets what was proposed. Nothing proposed is no error.
	Withdraw(ctx context.Context, set string) error
}

// Propose is SessionKeys'.
func (f *File) Propose(ctx context.Context, set string, keys []Proposal) ([]CheckValue, error) {
	if checkName(set) != nil {
		return nil, fmt.Errorf("set %q: %w", set, ErrName)
	}
	if len(keys) == 0 || len(keys) > maxProposal {
		return nil, fmt.Errorf("%d session keys at once: %w", len(keys), ErrRequest)
	}
	if err := f.begin(ctx); err != nil {
		return nil, err
	}
	defer f.done()
	c := f.content.clone()
	dropProposed(c, set)
	var fresh []*setKey
	var checks []CheckValue
	for _, p := range keys {
		var k *setKey
		var err error
		guarded(func() { k, err = f.fromProposal(set, p) })
		if err == nil {
			fresh = append(fresh, k)
			err = distinct(c, k)
		}
		if err != nil {
			f.releaseAll(fresh)
			return nil, fmt.Errorf("proposed %s key for %q: %w", p.Use, set, err)
		}
		c.keys[keyName(set, k.use)] = k
		checks = append(checks, k.check)
	}
	if len(c.keys) > maxSets {
		f.releaseAll(fresh)
		return nil, fmt.Errorf("%d keys: %w", len(c.keys), ErrFull)
	}
	if err := f.commit(ctx, c, false); err != nil {
		f.releaseAll(fresh)
		return nil, err
	}
	for _, k := range fresh {
		f.event(Event{What: "session key proposed by the host", Set: set, Use: k.use.accepted().String(), Check: string(k.check)})
	}
	return checks, nil
}

func (f *File) releaseAll(keys []*setKey) {
	for _, k := range keys {
		f.memory.release(k.key)
	}
}

// dropProposed takes what was proposed for a set out of c; the commit wipes it.
func dropProposed(c *content, set string) (dropped bool) {
	for name, k := range c.keys {
		if k.set == set && k.use.proposed() == 0 && k.use.accepted() != k.use {
			delete(c.keys, name)
			dropped = true
		}
	}
	return dropped
}

// distinct refuses a key that is there already, in force, proposed beside it, or another set's: an exchange that brings the
// key in force is none, and may be an old one played again.
func distinct(c *content, k *setKey) error {
	if c.keys[keyName(k.set, k.use)] != nil {
		return fmt.Errorf("two keys for one use: %w", ErrRequest)
	}
	for _, other := range c.keys {
		if other.check == k.check && other.algorithm == k.algorithm {
			return fmt.Errorf("%s key of %s: %w", other.use, other.set, ErrSameKey)
		}
	}
	return nil
}

// fromProposal opens one session key under the set's master key. Within guarded.
func (f *File) fromProposal(set string, p Proposal) (k *setKey, err error) {
	var key []byte
	switch {
	case p.Use.proposed() == 0:
		return nil, ErrUsage
	case len(p.Block) > maxBlock:
		return nil, fmt.Errorf("%d characters: %w", len(p.Block), ErrKeyBlock)
	case p.Block != "":
		k, key, err = f.openBlock(set, p.Use, p.Block, UseMaster)
	default:
		k, key, err = f.openECB(set, p.Use, p.Cryptogram, p.Check)
	}
	if err != nil {
		return nil, err
	}
	defer clear(key)
	if k.scheme != sessionScheme {
		return nil, fmt.Errorf("a key block of usage %s is no session key: %w", k.usage, ErrUsage)
	}
	k.use = p.Use.proposed()
	if err := f.fill(k, key); err != nil {
		return nil, err
	}
	if p.Check != "" && !sameCheck(k.check, p.Check) {
		f.memory.release(k.key)
		return nil, fmt.Errorf("its check value is %s, the host says otherwise: %w", k.check, ErrKeyBlock)
	}
	return k, nil
}

// sameCheck compares a check value with one that may be shortened, to 4 digits at least.
func sameCheck(own, told CheckValue) bool {
	return len(told) >= minCheck && strings.HasPrefix(string(own), strings.ToUpper(string(told)))
}

// minCheck is the shortest check value, in digits.
const minCheck = 4

// openECB opens a session key that came in plain ECB, where the configuration names the set. Within guarded; the caller
// wipes the key.
func (f *File) openECB(set string, use Use, cryptogram []byte, check CheckValue) (*setKey, []byte, error) {
	switch {
	case !slices.Contains(f.options.Weak, set):
		return nil, nil, fmt.Errorf("session key of %q in ECB: %w", set, ErrWeak)
	case len(cryptogram) != 16 && len(cryptogram) != 24, len(check) < minCheck:
		return nil, nil, fmt.Errorf("session key of %d bytes, check value of %d digits: %w", len(cryptogram), len(check), ErrKeyBlock)
	}
	master := f.content.keys[keyName(set, UseMaster)]
	if master == nil || master.algorithm != TDES {
		return nil, nil, ErrNoKEK
	}
	key, err := x9.DecryptECB(master.key, cryptogram)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrKeyBlock, err)
	}
	if own, err := checkValue(TDES, key); err != nil || !sameCheck(own, check) {
		clear(key)
		return nil, nil, fmt.Errorf("check value differs: %w", ErrKeyBlock)
	}
	if _, err := algorithmOf('T', key); err != nil {
		clear(key)
		return nil, nil, err
	}
	return &setKey{set: set, use: use, scheme: sessionScheme, algorithm: TDES}, key, nil
}

// Confirm is SessionKeys'.
func (f *File) Confirm(ctx context.Context, set string) error {
	if checkName(set) != nil {
		return fmt.Errorf("set %q: %w", set, ErrName)
	}
	if err := f.begin(ctx); err != nil {
		return err
	}
	defer f.done()
	c := f.content.clone()
	dropProposed(c, set)
	var in []*setKey
	for use := UsePIN; use <= UseData; use++ {
		k := f.content.keys[keyName(set, use.proposed())]
		if k == nil {
			continue
		}
		n := *k
		n.use = use
		// The arena's room goes with the key that is wiped: the one in force has its own.
		var err error
		if n.key, err = f.memory.keep(k.key); err != nil {
			f.releaseAll(in)
			return err
		}
		in = append(in, &n)
		c.keys[keyName(set, use)] = &n
	}
	if len(in) == 0 {
		return fmt.Errorf("proposed keys of %q: %w", set, ErrNoKey)
	}
	var err error
	if c.marks, err = c.counters(); err == nil {
		err = f.commit(ctx, c, false)
	}
	if err != nil {
		f.releaseAll(in)
		return err
	}
	f.mu.Lock()
	for _, k := range in { // of a DUKPT key that a session key follows
		name := keyName(set, k.use)
		f.wipe(f.pools[name])
		delete(f.pools, name)
	}
	f.mu.Unlock()
	for _, k := range in {
		f.event(Event{What: "session key in force", Set: set, Use: k.use.String(), Check: string(k.check)})
	}
	return nil
}

// Withdraw is SessionKeys'.
func (f *File) Withdraw(ctx context.Context, set string) error {
	if checkName(set) != nil {
		return fmt.Errorf("set %q: %w", set, ErrName)
	}
	if err := f.begin(ctx); err != nil {
		return err
	}
	defer f.done()
	c := f.content.clone()
	if !dropProposed(c, set) {
		return nil
	}
	if err := f.commit(ctx, c, false); err != nil {
		return err
	}
	f.event(Event{What: "proposed session keys withdrawn", Set: set})
	return nil
}
