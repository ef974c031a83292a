package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tillway/store"
	"tillway/terminal"
	"tillway/terminal/people"
)

func putECR(t testing.TB, s *store.Store, name string) people.ECR {
	t.Helper()
	e := people.ECR{
		V: people.ECRRecordVersion, Name: name, May: people.DefaultGrants(), Token: people.NewToken([32]byte{7}).Sum(), Added: time.Now().UTC(), Changed: time.Now().UTC(),
	}
	if err := s.PutECR(t.Context(), e, aboutECR(e)); err != nil {
		t.Fatal(err)
	}
	e, err := s.ECR(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func aboutECR(e people.ECR) people.Entry {
	return people.Entry{Actor: "amal", Event: people.EventECR, Person: e.Actor(), Result: people.Done}
}

// A cash register is kept with the audit row that says why, is found again after a restart, and is written only by who read it last.
func TestECRs(t *testing.T) {
	f := newFolder(t)
	s := f.open()
	ctx := t.Context()
	e := putECR(t, s, "till-3")
	if err := s.PutECR(ctx, people.ECR{V: 1, Name: "till-3", May: e.May, Token: e.Token}, aboutECR(e)); !errors.Is(err, people.ErrExists) {
		t.Errorf("a second one of that name: %v", err)
	}
	if err := s.PutECR(ctx, e); !errors.Is(err, people.ErrEntry) {
		t.Errorf("without saying why: %v", err)
	}
	gone := e.Revoke(time.Now().UTC())
	if err := s.PutECR(ctx, gone, aboutECR(e)); err != nil {
		t.Fatal(err)
	}
	if err := s.PutECR(ctx, e, aboutECR(e)); err == nil {
		t.Error("an older record was written over a newer one")
	}
	if _, err := s.ECR(ctx, "till-4"); !errors.Is(err, people.ErrNoECR) {
		t.Errorf("none: %v", err)
	}
	if there, err := s.HasPeople(ctx); err != nil || there {
		t.Errorf("a cash register is somebody: %v %v", there, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = f.open()
	if all, err := s.ECRs(ctx); err != nil || len(all) != 1 || !all[0].Revoked {
		t.Errorf("after a restart: %v, %v", all, err)
	}
	if found := verify(t, s); len(found) != 0 {
		t.Errorf("found %v", found)
	}
}

// The record from before a revocation, tag and all, put back: it is not the one that was written last. One that is gone is missed.
func TestOldECRIsRefused(t *testing.T) {
	f := newFolder(t)
	s := f.open()
	e := putECR(t, s, "till-3")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	record, seq := query(t, f.path(), "SELECT record FROM ecr"), query(t, f.path(), "SELECT seq FROM ecr")
	tag := query(t, f.path(), "SELECT hex(tag) FROM proof WHERE of = 'ecr/till-3'")
	s = f.open()
	if err := s.PutECR(t.Context(), e.Revoke(time.Now()), aboutECR(e)); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	spoil(t, f.path(), "UPDATE ecr SET record = ?, seq = ?; UPDATE proof SET tag = unhex(?) WHERE of = 'ecr/till-3'", record, seq, tag)
	s = f.open()
	if e, err := s.ECR(t.Context(), "till-3"); !errors.Is(err, terminal.ErrQuarantined) {
		t.Errorf("%+v, %v", e, err)
	}
	if all, err := s.ECRs(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("%v, %v", all, err)
	}
	if got := problems(t, s); !strings.Contains(got, "ecr row till-3: not the record") {
		t.Errorf("found %q", got)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	spoil(t, f.path(), "DELETE FROM ecr")
	if got := problems(t, f.open()); !strings.Contains(got, "ecr row till-3: missing") {
		t.Errorf("found %q", got)
	}
}

// A passphrase opens for its own register and version alone, and is in no file of the folder.
func TestPassphrasesAreSealed(t *testing.T) {
	const planted = "planted passphrase 20"
	f := newFolder(t)
	s := f.open()
	ctx := t.Context()
	e := putECR(t, s, "till-3")
	p, err := people.NewPassphrase([]byte(planted))
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := s.SealPassphrase(ctx, "till-3", 1, p)
	if err != nil {
		t.Fatal(err)
	}
	if e, err = e.WithNexoKey(sealed, time.Now().UTC()); err != nil {
		t.Fatal(err)
	}
	if err := s.PutECR(ctx, e, aboutECR(e)); err != nil {
		t.Fatal(err)
	}
	if got, err := s.OpenPassphrase(ctx, "till-3", 1, sealed); err != nil || string(got.Bytes()) != planted {
		t.Errorf("its own: %v", err)
	}
	spoilt := append([]byte{}, sealed...)
	spoilt[len(spoilt)-1] ^= 1
	for name, open := range map[string]func() (people.Passphrase, error){
		"another register": func() (people.Passphrase, error) { return s.OpenPassphrase(ctx, "till-4", 1, sealed) },
		"another version":  func() (people.Passphrase, error) { return s.OpenPassphrase(ctx, "till-3", 2, sealed) },
		"another bit":      func() (people.Passphrase, error) { return s.OpenPassphrase(ctx, "till-3", 1, spoilt) },
		"nothing":          func() (people.Passphrase, error) { return s.OpenPassphrase(ctx, "till-3", 1, nil) },
	} {
		if p, err := open(); !errors.Is(err, terminal.ErrQuarantined) || len(p.Bytes()) != 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(filepath.Dir(f.path()), "*"))
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	seen := false
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		seen = seen || strings.Contains(string(b), "till-3")
		if strings.Contains(string(b), planted) {
			t.Errorf("%s holds the passphrase", name)
		}
	}
	if !seen {
		t.Error("the register's own name was not found either: the search is broken")
	}
}
