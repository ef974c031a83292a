package secure

import (
	"context"
	"fmt"
	"maps"
	"slices"
)

// Status is Keys'.
func (f *File) Status(ctx context.Context) (Status, error) {
	if err := f.enter(ctx); err != nil {
		return Status{}, err
	}
	defer f.leave()
	f.mu.Lock()
	defer f.mu.Unlock()
	s := Status{
		Where: f.where(), Memory: f.memory.kind, Storage: f.protect.Storage(), Production: f.options.Production,
		OnScreen: f.options.OnScreen, Warnings: slices.Clone(f.warnings),
	}
	if f.options.OnScreen != "" {
		s.Warnings = append(s.Warnings, "on-screen PIN is on: for development only, never for a real card's PIN")
	}
	if f.options.Pad != nil {
		state := f.options.Pad.State()
		s.Pad = &state
	}
	if !erasing {
		s.Warnings = append(s.Warnings, "built without GOEXPERIMENT=runtimesecret: copies of keys may stay in memory after use")
	}
	for _, set := range slices.Sorted(maps.Keys(f.pending)) {
		p := f.pending[set]
		have := 0
		for _, share := range p.shares {
			if share != nil {
				have++
			}
		}
		s.Pending = append(s.Pending, fmt.Sprintf("%s: %d of %d components", set, have, len(p.shares)))
	}
	if f.padKey != nil {
		s.Pending = append(s.Pending, fmt.Sprintf("%s: a key for the pad itself, brought by 1 of %d people", PadSet, padKeyPeople))
	}
	for _, name := range slices.Sorted(maps.Keys(f.content.keys)) {
		s.Keys = append(s.Keys, f.keyStatus(name, f.content.keys[name]))
	}
	return s, nil
}

func (f *File) where() string {
	if f.options.Where != "" {
		return f.options.Where
	}
	return "within the calling process: for development and tests"
}

// keyStatus is one key's line; under mu.
func (f *File) keyStatus(name string, k *setKey) KeyStatus {
	ks := KeyStatus{Set: k.set, Use: k.use.String(), Scheme: k.scheme.String(), Algorithm: k.algorithm, Check: k.check}
	if k.scheme != dukptScheme {
		return ks
	}
	counter := f.content.marks[k.markName()]
	ks.Left = left(k.algorithm, counter) + uint64(len(f.pools[name]))
	if pool := f.pools[name]; len(pool) > 0 {
		ks.KSN = slices.Clone(pool[0].ksn)
	} else if counter>>width(k.algorithm) == 0 {
		ks.KSN = k.ksn(counter)
	}
	return ks
}
