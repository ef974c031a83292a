package main

import (
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
	if told.OK || !strings.Contains(told.Cause, "MAC and PIN") || !strings.Contains(told.Cause, "pos keys component bank") {
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
