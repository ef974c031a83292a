package people_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tillway/terminal/people"
)

var added = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

func ecr(t *testing.T, token people.Token) people.ECR {
	t.Helper()
	e := people.ECR{V: people.ECRRecordVersion, Name: "till-3", May: people.DefaultGrants(), Token: token.Sum(), Added: added, Changed: added}
	if err := e.Check(); err != nil {
		t.Fatal(err)
	}
	return e
}

// A register's token is taken; nobody else's is, nor a zero one, nor its own after it was replaced, ran out or was revoked.
func TestECRTakesItsTokenOnly(t *testing.T) {
	one, two, other := people.NewToken([32]byte{1}), people.NewToken([32]byte{2}), people.NewToken([32]byte{3})
	e := ecr(t, one)
	if !e.Takes(one.Sum(), added) || e.Takes(other.Sum(), added) || e.Takes(people.TokenSum{}, added) {
		t.Error("another token than its own is taken, or its own is not")
	}
	at := added.Add(time.Hour)
	next, err := e.Rotate(two.Sum(), time.Minute, at)
	if err != nil || !next.Takes(two.Sum(), at) || !next.Takes(one.Sum(), at.Add(59*time.Second)) || next.Takes(one.Sum(), at.Add(time.Minute)) {
		t.Errorf("with an overlap: %v", err)
	}
	if next, err = next.Rotate(other.Sum(), 0, at); err != nil || next.Takes(one.Sum(), at) || next.Takes(two.Sum(), at) || !next.Takes(other.Sum(), at) {
		t.Errorf("without an overlap the tokens before must end: %v", err)
	}
	if gone := next.Revoke(at); gone.Takes(other.Sum(), at) || gone.Takes(people.TokenSum{}, at) || gone.Can(people.Sell) || gone.Check() != nil {
		t.Error("one that was revoked may still do something")
	} else if _, err := gone.Rotate(one.Sum(), 0, at); !errors.Is(err, people.ErrRevoked) {
		t.Errorf("one that was revoked got a token: %v", err)
	}
	for _, overlap := range []time.Duration{-1, people.MaxOverlap + 1} {
		if _, err := e.Rotate(two.Sum(), overlap, at); !errors.Is(err, people.ErrOverlap) {
			t.Errorf("overlap %s: %v", overlap, err)
		}
	}
}

// Rights are what was named, and never what no register may have.
func TestECRGrants(t *testing.T) {
	e := ecr(t, people.NewToken([32]byte{1}))
	for _, a := range []people.Action{people.RefundFree, people.Forced, people.Settle, people.Queue, people.Send} {
		if e.Can(a) {
			t.Errorf("%s is a right by default", a)
		}
		if err := people.CheckGrants([]people.Action{a}); err != nil {
			t.Errorf("%s cannot be named: %v", a, err)
		}
	}
	for _, a := range []people.Action{people.Users, people.Audit, people.Keys, people.WriteOff, people.CloseBatch, people.Drawer, "everything", ""} {
		if err := people.CheckGrants([]people.Action{people.Sell, a}); !errors.Is(err, people.ErrGrant) {
			t.Errorf("%q: %v", a, err)
		}
	}
	if people.CheckGrants(nil) == nil || people.CheckGrants([]people.Action{people.Sell, people.Sell}) == nil {
		t.Error("no right, or one twice, is taken")
	}
	if !e.Can(people.Sell) || !e.Can(people.Refund) || !slices.Equal(e.May, people.DefaultGrants()) {
		t.Error("a register cannot sell")
	}
}

// Versions of nexo keys count up, are never used again, and end when they are retired.
func TestECRNexoKeys(t *testing.T) {
	e := ecr(t, people.NewToken([32]byte{1}))
	var err error
	for n := 1; n <= people.MaxNexoKeys; n++ {
		if e, err = e.WithNexoKey([]byte{byte(n)}, added); err != nil {
			t.Fatal(err)
		}
		if sealed, err := e.Sealed(n); err != nil || sealed[0] != byte(n) {
			t.Errorf("version %d: %v %v", n, sealed, err)
		}
	}
	if _, err := e.WithNexoKey([]byte{9}, added); !errors.Is(err, people.ErrNexoKeys) {
		t.Errorf("one too many: %v", err)
	}
	for n := 1; n <= 40; n++ {
		if e, err = e.Retire(n, added); err != nil {
			t.Fatal(err)
		}
		if e, err = e.WithNexoKey([]byte{1}, added); err != nil || e.Check() != nil {
			t.Fatalf("after %d were retired: %v, %v", n, err, e.Check())
		}
		if last := e.Keys[len(e.Keys)-1].Version; last != n+people.MaxNexoKeys {
			t.Fatalf("version %d after %d: a number is used again", last, n+people.MaxNexoKeys-1)
		}
	}
	if _, err := e.Sealed(40); !errors.Is(err, people.ErrRetired) {
		t.Errorf("retired: %v", err)
	}
	if _, err := e.Sealed(1000); !errors.Is(err, people.ErrNoNexoKey) {
		t.Errorf("never made: %v", err)
	}
	if _, err := e.Revoke(added).Sealed(41); !errors.Is(err, people.ErrRevoked) {
		t.Errorf("revoked: %v", err)
	}
	if record, err := e.Record(); err != nil || len(record) > 8<<10 {
		t.Errorf("a record of %d bytes, %v", len(record), err)
	}
}

func TestECRNames(t *testing.T) {
	for name, want := range map[string]bool{"till-3": true, "shop.front": true, "t": false, "Till": false, "ecr:x": false, "a/b": false, strings.Repeat("a", 24): true, strings.Repeat("a", 25): false, "": false, "t1234567": false} {
		if err := people.CheckECRName(name); (err == nil) != want {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// An idempotency key is its caller's: no two callers meet in one, and nobody sees another's.
func TestScopedKeys(t *testing.T) {
	kept := people.ScopedKey("ecr:till-3", "order-7")
	if kept != "ecr:till-3:order-7" || people.ScopedKey("maryam", "order-7") != "order-7" || people.ScopedKey("ecr:till-3", "") != "" {
		t.Errorf("kept as %q", kept)
	}
	for _, c := range []struct{ actor, kept, shown string }{
		{"ecr:till-3", kept, "order-7"},
		{"ecr:till-4", kept, ""},
		{"ecr:till", kept, ""},
		{"maryam", kept, "order-7"},
		{"maryam", "mine", "mine"},
		{"ecr:till-3", "mine", ""},
		{"ecr:till-3", "ecr:till-3:a:b", "a:b"},
		{"maryam", "ecr:till-3:a:b", "a:b"},
	} {
		if got := people.ShownKey(c.actor, c.kept); got != c.shown {
			t.Errorf("%s sees %q of %q, want %q", c.actor, got, c.kept, c.shown)
		}
	}
}

// A passphrase prints as nothing.
func TestPassphraseIsMasked(t *testing.T) {
	const text = "correct horse battery"
	p, err := people.NewPassphrase([]byte(text))
	if err != nil || string(p.Bytes()) != text {
		t.Fatal(err)
	}
	b, err := json.Marshal(map[string]any{"p": p})
	if out := fmt.Sprintf("%v %+v %#v %s %q %x %s", p, p, p, p, p, p, b); err != nil || strings.Contains(out, "horse") || strings.Contains(out, "686f72") {
		t.Errorf("shows %s, %v", out, err)
	}
	for _, bad := range []string{"", "short", strings.Repeat("x", 129), "tab\tin the middle of it", " blank before it.....", "blank behind it..... ", "عربي عربي عربي عربي"} {
		if _, err := people.NewPassphrase([]byte(bad)); !errors.Is(err, people.ErrPassphrase) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// Whatever a record says: what is read is sound, and is written as it was read.
func FuzzParseECR(f *testing.F) {
	e := people.ECR{V: 1, Name: "till-3", May: people.DefaultGrants(), Token: people.NewToken([32]byte{1}).Sum(), Added: added, Changed: added}
	e, _ = e.WithNexoKey([]byte("sealed"), added)
	e, _ = e.Rotate(people.NewToken([32]byte{2}).Sum(), time.Hour, added)
	for _, seed := range []people.ECR{e, e.Revoke(added)} {
		text, _ := seed.Record()
		f.Add(text)
	}
	f.Add([]byte(`{"v":1,"name":"x"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := people.ParseECR(text)
		if err != nil {
			return
		}
		again, err := e.Record()
		if err != nil {
			t.Fatal(err)
		}
		twice, err := people.ParseECR(again)
		if err != nil {
			t.Fatal(err)
		}
		if third, _ := twice.Record(); !bytes.Equal(again, third) {
			t.Errorf("%s becomes %s", again, third)
		}
		if e.Takes(people.TokenSum{}, added) || e.Can(people.Users) || e.Can(people.Drawer) {
			t.Errorf("%s takes no token, or may too much", text)
		}
	})
}
