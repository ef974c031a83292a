package secure

import (
	"context"
	"fmt"
	"maps"
)

// compare holds what the files say against what the witness knows, and puts right what an older copy of the files would
// do wrong: counters go on from where the terminal was, and what was destroyed since stays destroyed.
func (f *File) compare(ctx context.Context, fresh bool) error {
	c := f.content.clone()
	if f.witness == nil {
		f.warn("no witness: a state folder put back from a backup is not noticed")
	}
	if c.destroyed || f.highest(c.destroyedName()) != 0 {
		return fmt.Errorf("%s: %w: a new module needs new files", f.path, ErrDestroyed)
	}
	changed := fresh
	if known := f.highest(c.generationName()); known > c.generation {
		f.warn("the key files are older than a destruction of keys: every acquirer's keys were dropped and have to be loaded again")
		f.event(Event{What: "older key files found: keys dropped"})
		clear(c.keys) // commit wipes them
		c.generation, changed = known, true
	}
	lost := f.witness != nil && f.witness.Fresh() && c.witnessed
	if lost {
		f.warn("the witness is lost: key counters jumped ahead")
		f.event(Event{What: "witness lost: counters jumped"})
	}
	for name, k := range c.keys {
		if k.scheme != dukptScheme {
			continue
		}
		moved, err := f.forward(k, c.marks[k.markName()], lost)
		if err != nil {
			return err
		}
		if moved != nil {
			c.keys[name], changed = moved, true
		}
	}
	if f.witness != nil && !c.witnessed {
		c.witnessed, changed = true, true
	}
	marks, err := c.counters()
	if err != nil {
		return err
	}
	changed = changed || !maps.Equal(marks, c.marks)
	c.marks = marks
	if !changed && !lost {
		f.content = c
		return nil
	}
	return f.commit(ctx, c, false)
}

// forward brings one key's registers to where mark or witness say that it was. nil: it is there.
func (f *File) forward(k *setKey, mark uint64, lost bool) (moved *setKey, err error) {
	guarded(func() {
		var d dukpt
		if d, err = readDUKPT(k.algorithm, k.key); err != nil {
			err = fmt.Errorf("%w: %s: key registers of %s: %w", ErrFiles, f.path, k.set, err)
			return
		}
		defer d.Erase()
		to := max(mark, f.highest(k.markName()))
		if to > d.counter() {
			f.warn(fmt.Sprintf("the key files are older than the witness: the %s key of %s jumped ahead by %d", k.use, k.set, to-d.counter()))
			f.event(Event{What: "older key files found: counter jumped", Set: k.set, Use: k.use.String()})
		}
		if lost {
			to = max(to, d.counter()) + margin(k.algorithm)
		}
		if to <= d.counter() {
			return
		}
		_ = d.advance(to) // exhausted: NextKey says so
		moved, err = f.withRegisters(k, d)
	})
	return moved, err
}

// withRegisters is k with other registers. Within guarded.
func (f *File) withRegisters(k *setKey, d dukpt) (*setKey, error) {
	state := d.state()
	defer clear(state)
	n := *k
	var err error
	n.key, err = f.memory.keep(state)
	return &n, err
}

// counters are the marks as the registers give them.
func (c *content) counters() (marks map[string]uint64, err error) {
	marks = maps.Clone(c.marks)
	guarded(func() {
		for _, k := range c.keys {
			if k.scheme != dukptScheme {
				continue
			}
			var d dukpt
			if d, err = readDUKPT(k.algorithm, k.key); err != nil {
				return
			}
			marks[k.markName()] = max(marks[k.markName()], d.counter())
			d.Erase()
		}
	})
	if len(marks) > maxMarks {
		return nil, fmt.Errorf("%d initial keys were loaded: %w", len(marks), ErrFull)
	}
	return marks, err
}

// commit makes c the module's content: with the witness, on disk, then in memory. Who has the turn calls it. The witness
// is first: a power cut between leaves it ahead, which costs keys; behind, it could cost a repetition.
func (f *File) commit(ctx context.Context, c *content, anew bool) error {
	if f.witness != nil {
		know := map[string]uint64{c.generationName(): c.generation}
		for _, k := range c.keys {
			if k.scheme == dukptScheme {
				know[k.markName()] = c.marks[k.markName()]
			}
		}
		if c.destroyed {
			know[c.destroyedName()] = 1
		}
		if err := f.witness.raise(ctx, know); err != nil {
			return err
		}
	}
	if err := f.save(f.sealingKeys(), c, anew); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for name, old := range f.content.keys {
		if c.keys[name] != old {
			f.memory.release(old.key)
		}
	}
	f.content = c
	return nil
}

func (f *File) highest(name string) uint64 {
	if f.witness == nil {
		return 0
	}
	return f.witness.Highest(name)
}

func (f *File) warn(text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.warnings = append(f.warnings, text)
}
