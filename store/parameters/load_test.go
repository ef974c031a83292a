package parameters

import (
	"slices"
	"testing"

	"tillway/terminal/provision"
)

// keyed is a package with one key block.
func keyed(t *testing.T, version uint32, block string) *provision.Package {
	t.Helper()
	plain := pack(t, version)
	parts := map[string][]byte{}
	for _, p := range plain.Parts {
		parts[p.Name] = plain.Part(p.Name)
	}
	parts["keys/bank.pin.tr31"] = []byte(block)
	m := plain.Manifest
	p, err := provision.Encode(m, parts, key)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Keys that are to be loaded are written down with the package, until somebody says that they are: of a new package those that are new,
// of one that is in force again those that were others meanwhile. Each step is read anew from the disk, as after a power cut.
func TestKeysToLoad(t *testing.T) {
	m := newModel()
	s := open(t, m, m, m)
	is := func(what string, want ...string) {
		t.Helper()
		if s = open(t, m, m, m); !slices.Equal(s.Record().Load, want) {
			t.Errorf("%s: %q, want %q", what, s.Record().Load, want)
		}
	}
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	const part = "keys/bank.pin.tr31"
	do(s.Put(t.Context(), keyed(t, 1, "one"), "amina", at))
	is("the first", part)
	if _, err := s.Starting(t.Context(), at); err != nil {
		t.Fatal(err)
	}
	is("the first, started once more", part)
	do(s.Worked(t.Context()))
	is("the first, working")
	do(s.Put(t.Context(), keyed(t, 2, "one"), "amina", at))
	is("the same key in the second")
	do(s.Worked(t.Context()))
	do(s.Put(t.Context(), keyed(t, 3, "two"), "amina", at))
	is("another key in the third", part)
	do(s.TakeBack(t.Context(), "it does not start", at))
	is("the third taken back", part)
	if s.Untried() || version(s) != 2 {
		t.Errorf("version %d, untried %t: what worked before is on trial", version(s), s.Untried())
	}
	do(s.Worked(t.Context()))
	is("the second, working again")
	do(s.Put(t.Context(), pack(t, 4), "amina", at))
	is("no key in the fourth")
	do(s.Worked(t.Context()))
	do(s.Back(t.Context()))
	is("the second in force again", part)
	do(s.TakeBack(t.Context(), "nor does this", at))
	is("nothing in force")
}
