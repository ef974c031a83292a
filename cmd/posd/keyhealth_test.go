package main

import (
	"context"
	"strings"
	"testing"

	"tillway/device/secure"
	"tillway/terminal/profile"
)

// TestKeysHealth: a terminal without the keys that it sells with says so and says what to do, step by step; with them, and after
// everything was erased, it says that.
func TestKeysHealth(t *testing.T) {
	p, err := profile.Ready("kuwait")
	if err != nil {
		t.Fatal(err)
	}
	a := defaults().Acquirer
	a.Name = "bank"
	if uses := keysWanted(a, p); len(uses) != 1 || uses[0] != secure.UsePIN {
		t.Errorf("without MACs it wants %v", uses)
	}
	a.NAC.MAC = "alg3"
	empty, err := simModule(t.Context(), t.TempDir(), "another", always{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = empty.Close() }()
	loaded, err := simModule(t.Context(), t.TempDir(), "bank", always{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = loaded.Close() }()
	told := keysTold(empty, a, p)(t.Context())
	if told.OK || !strings.Contains(told.Cause, "MAC and PIN") || !strings.Contains(told.Cause, "pos keys component bank 1 2") {
		t.Errorf("nothing is loaded, and it says %+v", told)
	}
	if told = keysTold(loaded, a, p)(t.Context()); !told.OK || told.State != "loaded" {
		t.Errorf("all is loaded, and it says %+v", told)
	}
	if err := loaded.Owes(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if err := loaded.DestroyAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if told = keysTold(loaded, a, p)(t.Context()); told.OK || told.State != "destroyed" {
		t.Errorf("all is erased, and it says %+v", told)
	}
}

// padded is a module with a PIN pad.
type padded struct {
	secure.Keys
	pad secure.PadState
}

func (p padded) Status(ctx context.Context) (secure.Status, error) {
	st, err := p.Keys.Status(ctx)
	st.Pad = &p.pad
	return st, err
}

// With a pad the key for PINs is the pad's own: it is not missed, and the pad's state counts.
func TestPadHealth(t *testing.T) {
	p, err := profile.Ready("kuwait")
	if err != nil {
		t.Fatal(err)
	}
	m, err := simModule(t.Context(), t.TempDir(), "another", always{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	a := defaults().Acquirer
	if told := keysTold(padded{m, secure.PadState{Ready: true}}, a, p)(t.Context()); !told.OK {
		t.Errorf("%+v", told)
	}
	if told := keysTold(padded{m, secure.PadState{Cause: "is the cable in"}}, a, p)(t.Context()); told.OK || told.State != "PIN pad not ready" || told.Cause != "is the cable in" {
		t.Errorf("%+v", told)
	}
}
