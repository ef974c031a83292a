package secure

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestPowerCutWhileLoading: the power goes at any byte that loading a key writes. What opens then has the keys of before or the new one
// as well, whole; a component without the others is gone; and whoever was told that a key is loaded has it.
func TestPowerCutWhileLoading(t *testing.T) {
	dir := stateFolder(t)
	r := start(t, dir)
	ctx := t.Context()
	file := filepath.Join(dir, "state", "keys")
	read := func() []byte { return must(os.ReadFile(file))(t) }
	component := func(n int, share []byte, holder string) error {
		_, err := r.LoadComponent(ctx, Component{Set: "bank", Of: 2, Number: n, Holder: holder, Algorithm: TDES, Value: bytes.Clone(share)})
		return err
	}
	kek := loadKEK(t, r, "other", TDES) // what is there already stays, whatever happens
	before := statusOf(t, r)
	if err := component(1, shareA, "Amina"); err != nil {
		t.Fatal(err)
	}
	if r = start(t, dir); statusOf(t, r) != before || len(must(r.Status(ctx))(t).Pending) != 0 {
		t.Errorf("one component, and the power is cut: %s", statusOf(t, r))
	}
	states := 0
	for _, step := range []struct {
		what string
		do   func() error
	}{
		{"the second component", func() error {
			if err := component(1, shareA, "Amina"); err != nil {
				return err
			}
			return component(2, shareC, "Badr")
		}},
		{"a PIN key", func() error {
			_, err := r.Import(ctx, "other", UsePIN, tdesBlock(t, kek, ksnPIN))
			return err
		}},
		{"a MAC key", func() error {
			_, err := r.Import(ctx, "other", UseMAC, tdesBlock(t, kek, ksnMAC))
			return err
		}},
	} {
		old, before := read(), statusOf(t, r)
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.what, err)
		}
		fresh, after := read(), statusOf(t, r)
		if before == after || bytes.Equal(old, fresh) {
			t.Fatalf("%s changed nothing: %s", step.what, after)
		}
		for n := 0; ; n = min(n+13, len(fresh)) { // so much of the new file is there, and its name is not
			put(t, file, old)
			put(t, file+".new", fresh[:n])
			if got := statusOf(t, start(t, dir)); got != before {
				t.Fatalf("%s, cut behind %d of %d bytes: %s, want %s", step.what, n, len(fresh), got, before)
			}
			if states++; n == len(fresh) {
				break
			}
		}
		put(t, file, fresh)
		if r = start(t, dir); statusOf(t, r) != after {
			t.Errorf("%s, cut when it was done: %s, want %s", step.what, statusOf(t, r), after)
		}
	}
	if states < 100 {
		t.Errorf("only %d states", states)
	}
}

// statusOf is every key by its set, use and check value.
func statusOf(t *testing.T, m Keys) string {
	t.Helper()
	var all string
	for _, k := range must(m.Status(t.Context()))(t).Keys {
		all += k.Set + " " + k.Use + " " + string(k.Check) + "; "
	}
	return all
}

// put writes a file of the module's as it would.
func put(t *testing.T, name string, content []byte) {
	t.Helper()
	if err := os.RemoveAll(name); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
}
