package secure

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tillway/device/secure/x9"
)

// padBlocks are two key blocks for a pad, and some that are for none.
func padBlocks(t testing.TB) (one, other string, bad map[string]string) {
	t.Helper()
	transport := unhex("C0D1E2F30415263748596A7B8C9DAEBF")
	block := func(h x9.KeyBlockHeader, last byte) string {
		return wrap(t, transport, h, append(unhex("3C0A17E23C1B17E23C2C17E23C3D17"), last))
	}
	h := x9.KeyBlockHeader{Version: 'D', Usage: "B1", Algorithm: 'A', Mode: 'X', Optional: []x9.OptionalBlock{{ID: "IK", Data: "1234567890123456"}}}
	pin, bare := h, h
	pin.Usage, pin.Mode, bare.Optional = "P0", 'E', nil
	return block(h, 1), block(h, 2), map[string]string{"for PIN keys": block(pin, 1), "without its serial number": block(bare, 1), "no key block": "D0", "nothing": ""}
}

// padKeys is what a socket, or the module itself, has for loading a pad's key.
func padKeys(t *testing.T, at any) PadKeys {
	t.Helper()
	k, ok := at.(PadKeys)
	if !ok {
		t.Fatalf("%T loads no pad", at)
	}
	return k
}

// Two people bring the same key block, and then the pad has it; before, and for anything else, nothing reaches the pad.
func TestLoadPad(t *testing.T) {
	one, other, bad := padBlocks(t)
	h := &hostile{}
	bothWays(t, Options{Pad: h}, func(t *testing.T, r *rig) {
		h.loaded, h.refuse = nil, nil
		load := padKeys(t, r.Components).LoadPad
		for name, block := range bad {
			if l, err := load(t.Context(), PadKey{Holder: "Amina", Block: block}); err == nil || l.Have != 0 {
				t.Errorf("%s: %+v, %v", name, l, err)
			}
		}
		_, err := load(t.Context(), PadKey{Block: one})
		want(t, "nobody", err, ErrDualControl)
		first, err := load(t.Context(), PadKey{Holder: "Amina", Block: one})
		if err != nil || first.Have != 1 || first.Of != 2 || first.Check != "" || len(first.Fingerprint) != 16 || hexUpper(first.KSN) != "123456789012345600000000" {
			t.Fatalf("%+v, %v", first, err)
		}
		st, err := r.Status(t.Context())
		if err != nil || !slices.ContainsFunc(st.Pending, func(p string) bool { return strings.Contains(p, "1 of 2 people") }) {
			t.Errorf("%+v, %v", st.Pending, err)
		}
		_, err = load(t.Context(), PadKey{Holder: " AMINA ", Block: one})
		want(t, "the same person", err, ErrDualControl)
		_, err = load(t.Context(), PadKey{Holder: "Badr", Block: other})
		want(t, "another block", err, ErrComponent)
		if len(h.loaded) != 0 {
			t.Fatalf("%d blocks reached the pad", len(h.loaded))
		}
		done, err := load(t.Context(), PadKey{Holder: "Badr", Block: one})
		if err != nil || done.Have != 2 || done.Check != "A1B2C3" || done.Fingerprint != first.Fingerprint || !slices.Equal(h.loaded, []string{one}) {
			t.Errorf("%+v, %v, %d blocks", done, err, len(h.loaded))
		}
		if !r.events.has("key loaded into the PIN pad") {
			t.Error("nobody was told of it")
		}
	})
}

// What the pad refuses, what is given up and what takes too long takes two people again.
func TestLoadPadAnew(t *testing.T) {
	one, _, _ := padBlocks(t)
	synctest.Test(t, func(t *testing.T) {
		h := &hostile{refuse: ErrKeyBlock}
		r := newRig(t, Options{Path: t.TempDir() + "/keys", First: true, Pad: h}, false)
		bring := func(holder string) (PadLoaded, error) {
			return r.file.LoadPad(t.Context(), PadKey{Holder: holder, Block: one})
		}
		ends := map[string]func(){
			"refused":  func() { _, err := bring("Badr"); want(t, "the pad's refusal", err, ErrKeyBlock) },
			"given up": func() { _ = r.Abort(t.Context(), PadSet) },
			"too late": func() { time.Sleep(componentTime + time.Second); synctest.Wait() },
		}
		for name, end := range ends {
			if l, err := bring("Amina"); err != nil || l.Have != 1 {
				t.Errorf("before it is %s: %+v, %v", name, l, err)
			}
			end()
		}
		h.refuse = nil
		if l, err := bring("Badr"); err != nil || l.Have != 1 {
			t.Errorf("%+v, %v", l, err)
		}
		if l, err := bring("Amina"); err != nil || l.Have != 2 || len(h.loaded) != 2 {
			t.Errorf("%+v, %v, %d blocks", l, err, len(h.loaded))
		}
		if err := r.file.Close(); err != nil {
			t.Error(err)
		}
	})
}

// A module without a pad says so, and the daemon's own socket has no way to load one.
func TestLoadNoPad(t *testing.T) {
	one, _, _ := padBlocks(t)
	r := newRig(t, Options{Path: t.TempDir() + "/keys", First: true}, true)
	_, err := padKeys(t, r.Components).LoadPad(t.Context(), PadKey{Holder: "Amina", Block: one})
	want(t, "no pad", err, ErrNoPad)
	_, err = padKeys(t, r.Terminal).LoadPad(t.Context(), PadKey{Holder: "Amina", Block: one})
	want(t, "the daemon", err, ErrDenied)
}
