package parameters

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tillway/device/secure"
	"tillway/terminal/provision"
)

// sealer is a secure module's part in this: an HMAC under a key of its own.
type sealer string

func (s sealer) Tag(_ context.Context, text []byte) ([]byte, error) {
	m := hmac.New(sha256.New, []byte(s))
	m.Write(text)
	return m.Sum(nil), nil
}

func (s sealer) Check(ctx context.Context, text, tag []byte) error {
	if want, _ := s.Tag(ctx, text); !hmac.Equal(want, tag) {
		return errors.New("its tag is not the secure module's")
	}
	return nil
}

var (
	key = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	at  = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
)

func pack(tb testing.TB, version uint32) *provision.Package {
	tb.Helper()
	p, err := provision.Encode(provision.Manifest{
		Terminal: "TILL0001", Merchant: "KW0000000000001", Version: version,
		Trust: []provision.Signer{{Name: "office", Key: provision.Key(key[ed25519.SeedSize:]), Expires: "2028-12-31"}},
	}, map[string][]byte{provision.Config: fmt.Appendf(nil, "# version %d", version)}, key)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func open(tb testing.TB, d Disk, beside Disk, w Witness) *Shelf {
	tb.Helper()
	c, err := OpenCounter(beside, "parameters.counter", w)
	if err != nil {
		tb.Fatal(err)
	}
	s, err := Open(tb.Context(), d, sealer("this terminal"), c)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// put puts versions in force, each of which works.
func put(tb testing.TB, s *Shelf, versions ...uint32) {
	tb.Helper()
	for _, v := range versions {
		if err := errors.Join(s.Put(tb.Context(), pack(tb, v), "amina", at), s.Worked(tb.Context())); err != nil {
			tb.Fatal(err)
		}
	}
}

func version(s *Shelf) uint32 {
	if s.Current() == nil {
		return 0
	}
	return s.Current().Version
}

// A power cut at any byte of applying a package leaves the old one in force or the new one, whole, and whoever was told that the
// new one is in force has it. The next one can be applied, and nothing older than what was acknowledged can.
func TestPowerCutAtAnyByte(t *testing.T) {
	states := 0
	for name, act := range map[string]struct {
		act func(*Shelf) error
		old uint32
		new uint32
	}{
		"applying":    {func(s *Shelf) error { return s.Put(t.Context(), pack(t, 9), "amina", at) }, 8, 9},
		"working":     {func(s *Shelf) error { return s.Worked(t.Context()) }, 8, 8},
		"going back":  {func(s *Shelf) error { return s.Back(t.Context()) }, 8, 7},
		"taking back": {func(s *Shelf) error { return s.TakeBack(t.Context(), "it does not start", at) }, 8, 7},
	} {
		m := newModel()
		s := open(t, m, m, m)
		put(t, s, 3, 7)
		if err := s.Put(t.Context(), pack(t, 8), "amina", at); err != nil {
			t.Fatal(err)
		}
		from := len(m.ops)
		if err := act.act(s); err != nil {
			t.Fatal(err)
		}
		for cut := from; cut <= len(m.ops); cut++ {
			for part := 0; part <= m.unflushed(cut); part++ {
				for stay := range uint(1) << m.loose(cut) {
					for _, zeros := range []bool{false, true} {
						states++
						left := m.left(cut, stay, part, zeros)
						again := open(t, left, left, left)
						got := version(again)
						if got != act.old && got != act.new || cut == len(m.ops) && got != act.new {
							t.Fatalf("%s, cut behind operation %d of %d, %d bytes, names %b: version %d is in force: %s", name, cut-from, len(m.ops)-from, part, stay, got, again.Why())
						}
						if part%97 > 0 {
							continue
						}
						if cut == len(m.ops) && act.new == 9 && again.State().Judge(pack(t, 8), at) == nil {
							t.Fatalf("%s: the old one is taken after the new one was acknowledged", name)
						}
						if err := again.State().Judge(pack(t, 10), at); err != nil {
							t.Fatalf("%s: the next one is not taken: %v", name, err)
						}
						if put(t, again, 10); version(open(t, left, left, left)) != 10 {
							t.Fatalf("%s: the next one is not in force", name)
						}
					}
				}
			}
		}
	}
	t.Logf("%d states after power cuts", states)
}

// The first package of a terminal: none or the first, and a cut leaves nothing that stands in the way of the next try.
func TestPowerCutAtTheFirst(t *testing.T) {
	m := newModel()
	s := open(t, m, m, m)
	if err := s.Put(t.Context(), pack(t, 1), "amina", at); err != nil {
		t.Fatal(err)
	}
	for cut := range len(m.ops) + 1 {
		for part := 0; part <= m.unflushed(cut); part += 7 {
			for stay := range uint(1) << m.loose(cut) {
				left := m.left(cut, stay, part, false)
				again := open(t, left, left, left)
				if got := version(again); got > 1 || cut == len(m.ops) && got != 1 || got == 0 && again.Why() == "" {
					t.Fatalf("cut %d: version %d: %s", cut, got, again.Why())
				}
				if version(again) == 0 {
					again.State()
					put(t, again, 1)
				}
			}
		}
	}
}

// A disk that refuses at any step leaves the old package in force, in memory and after the next start, or the new one.
func TestDiskRefuses(t *testing.T) {
	for fail := range 40 {
		m := newModel()
		put(t, open(t, m, m, m), 7)
		s := open(t, &failing{model: m, after: fail}, m, m)
		err := s.Put(t.Context(), pack(t, 8), "amina", at)
		if err == nil && version(s) != 8 {
			t.Fatalf("step %d: no error, and version %d", fail, version(s))
		}
		if got := version(open(t, m, m, m)); got != 7 && got != 8 || err == nil && got != 8 {
			t.Fatalf("step %d: %v, and version %d", fail, err, got)
		}
	}
}

// failing refuses everything that changes the disk from a step on.
type failing struct {
	*model
	after int
}

var errFull = errors.New("no space left on device")

func (f *failing) step() error {
	if f.after--; f.after < 0 {
		return errFull
	}
	return nil
}

func (f *failing) Write(name string, b []byte) error {
	if err := f.step(); err != nil {
		_ = f.model.Write(name, b[:len(b)/2]) // as much as there was room for
		return err
	}
	return f.model.Write(name, b)
}

func (f *failing) Rename(from, to string) error {
	if err := f.step(); err != nil {
		return err
	}
	return f.model.Rename(from, to)
}

func (f *failing) Remove(name string) error {
	if err := f.step(); err != nil {
		return err
	}
	return f.model.Remove(name)
}

func (f *failing) Sync() error {
	if err := f.step(); err != nil {
		return err
	}
	return f.model.Sync()
}

// A real folder, and the real witness.
func real(t *testing.T, dir string) (*Shelf, func()) {
	t.Helper()
	packages, err := OpenFolder(filepath.Join(dir, "state", "parameters"))
	if err != nil {
		t.Fatal(err)
	}
	beside, err := OpenFolder(filepath.Join(dir, "state"))
	if err != nil {
		t.Fatal(err)
	}
	w, err := secure.OpenWitness(filepath.Join(dir, "witness", "counters"))
	if err != nil {
		t.Fatal(err)
	}
	return open(t, packages, beside, w), func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}
}

func copyFolder(t *testing.T, from, to string) {
	t.Helper()
	if err := os.RemoveAll(to); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

// Whatever is put back, changed, swapped or taken away on disk: the terminal does not run on it, and says why.
func TestAttackParametersOnDisk(t *testing.T) {
	dir := t.TempDir()
	state := filepath.Join(dir, "state")
	s, done := real(t, dir)
	put(t, s, 7)
	done()
	copyFolder(t, state, filepath.Join(dir, "backup"))
	s, done = real(t, dir)
	put(t, s, 8)
	done()
	copyFolder(t, state, filepath.Join(dir, "good"))
	record := filepath.Join(state, "parameters", recordName)
	inForce, err := filepath.Glob(filepath.Join(state, "parameters", "8-*"))
	if err != nil || len(inForce) != 1 {
		t.Fatal(inForce, err)
	}
	stranger := open(t, newModel(), newModel(), nil)
	stranger.seal = sealer("another terminal")
	foreign := newModel()
	stranger.disk = foreign
	put(t, stranger, 8)
	foreignRecord, err := foreign.Read(recordName, maxRecord)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		do   func(t *testing.T)
		says string
	}{
		"the whole state folder put back": {func(t *testing.T) { copyFolder(t, filepath.Join(dir, "backup"), state) }, "older"},
		"the packages put back": {func(t *testing.T) {
			copyFolder(t, filepath.Join(dir, "backup", "parameters"), filepath.Join(state, "parameters"))
		}, "older"},
		"the record gone":             {func(t *testing.T) { remove1(t, record) }, "are gone"},
		"the package gone":            {func(t *testing.T) { remove1(t, inForce[0]) }, "cannot be read"},
		"the package another, signed": {func(t *testing.T) { writeFile(t, inForce[0], pack(t, 7).File()) }, "changed on disk"},
		"a byte of the package":       {func(t *testing.T) { flip(t, inForce[0], -3) }, "changed on disk"},
		"a byte of the record":        {func(t *testing.T) { flip(t, record, 60) }, "does not authenticate"},
		"another terminal's record":   {func(t *testing.T) { writeFile(t, record, foreignRecord) }, "does not authenticate"},
		"a record without a tag":      {func(t *testing.T) { writeFile(t, record, []byte(recordHeading+"{}\n\n")) }, "does not authenticate"},
	} {
		t.Run(name, func(t *testing.T) {
			copyFolder(t, filepath.Join(dir, "good"), state)
			c.do(t)
			s, done := real(t, dir)
			defer done()
			if version(s) != 0 || !strings.Contains(s.Why(), c.says) {
				t.Fatalf("version %d is in force: %q", version(s), s.Why())
			}
			state := s.State()
			state.Fingerprint, state.Terminal = pack(t, 8).Signer().Fingerprint(), "TILL0001"
			if err := state.Judge(pack(t, 7), at); !errors.Is(err, provision.ErrOlder) {
				t.Errorf("the older one: %v", err)
			}
			if err := state.Judge(pack(t, 8), at); err != nil {
				t.Errorf("the one that was in force: %v", err)
			}
			if put(t, s, 8); version(s) != 8 {
				t.Error("it is not in force again")
			}
		})
	}
	copyFolder(t, filepath.Join(dir, "good"), state)
	s, done = real(t, dir)
	defer done()
	if version(s) != 8 {
		t.Errorf("nothing was done, and version %d is in force: %s", version(s), s.Why())
	}
}

func remove1(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func writeFile(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func flip(t *testing.T, path string, at int) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if at < 0 {
		at += len(b)
	}
	b[at] ^= 1
	writeFile(t, path, b)
}

// Going back leads to the package before, once, and the version does not go back with it.
func TestBack(t *testing.T) {
	m := newModel()
	s := open(t, m, m, m)
	if err := s.Back(t.Context()); !errors.Is(err, ErrNoPrevious) {
		t.Error(err)
	}
	put(t, s, 3, 7)
	if err := s.Back(t.Context()); err != nil || version(s) != 3 {
		t.Fatalf("version %d: %v", version(s), err)
	}
	if err := s.Back(t.Context()); !errors.Is(err, ErrNoPrevious) {
		t.Error(err)
	}
	again := open(t, m, m, m)
	if version(again) != 3 || again.State().Highest != 7 {
		t.Errorf("version %d, highest %d", version(again), again.State().Highest)
	}
	for v, want := range map[uint32]error{5: provision.ErrOlder, 7: provision.ErrOlder, 8: nil} {
		if err := again.State().Judge(pack(t, v), at); !errors.Is(err, want) {
			t.Errorf("version %d: %v", v, err)
		}
	}
	if names, _ := m.List(); strings.Contains(strings.Join(names, " "), "7-") {
		t.Errorf("the one that nobody can go back to is still there: %v", names)
	}
}

// A package that never gets the terminal ready is taken back after a few starts, and one that does is not.
func TestStarts(t *testing.T) {
	m := newModel()
	put(t, open(t, m, m, m), 7)
	if err := open(t, m, m, m).Put(t.Context(), pack(t, 8), "amina", at); err != nil {
		t.Fatal(err)
	}
	for start := range maxStarts {
		s := open(t, m, m, m)
		if back, err := s.Starting(t.Context(), at); back || err != nil || version(s) != 8 {
			t.Fatalf("start %d: %v %v version %d", start, back, err, version(s))
		}
	}
	s := open(t, m, m, m)
	if back, err := s.Starting(t.Context(), at); !back || err != nil || version(s) != 7 {
		t.Fatalf("%v %v version %d", back, err, version(s))
	}
	if f := open(t, m, m, m).Record().Failed; f == nil || f.Version != 8 || !strings.Contains(f.Reason, "never got ready") {
		t.Errorf("%+v", f)
	}
	if err := s.State().Judge(pack(t, 8), at); !errors.Is(err, provision.ErrOlder) {
		t.Errorf("what did not work comes again: %v", err)
	}
	put(t, s, 9)
	for range 2 * maxStarts {
		if back, err := open(t, m, m, m).Starting(t.Context(), at); back || err != nil {
			t.Fatal(back, err)
		}
	}
	if err := s.TakeBack(t.Context(), strings.Repeat("long\n", 1000), at); err != nil {
		t.Fatal(err)
	}
	if again := open(t, m, m, m); version(again) != 7 {
		t.Errorf("version %d: %s", version(again), again.Why())
	}
}

// Where the package before cannot be read either, the terminal is without one, and starts.
func TestTakeBackToNone(t *testing.T) {
	m := newModel()
	s := open(t, m, m, m)
	put(t, s, 7)
	before := s.Record().Current.fileName()
	if err := errors.Join(s.Put(t.Context(), pack(t, 8), "amina", at), m.Remove(before)); err != nil {
		t.Fatal(err)
	}
	if err := s.Back(t.Context()); err == nil || version(s) != 8 {
		t.Errorf("somebody's order led to version %d: %v", version(s), err)
	}
	if err := s.TakeBack(t.Context(), "it does not start", at); err != nil || version(s) != 0 {
		t.Fatalf("version %d: %v", version(s), err)
	}
	again := open(t, m, m, m)
	if f := again.Record().Failed; version(again) != 0 || f == nil || f.Version != 8 || !strings.Contains(f.Reason, "it does not start; and the parameter package") || again.State().Highest != 8 {
		t.Errorf("%+v %+v", again.Record(), f)
	}
}

// A damaged counter is not guessed at.
func TestCounterDamaged(t *testing.T) {
	for _, text := range []string{"", "x", "tillway parameters 1 highest 0000000007 crc 00000000\n", string(counterText(7)) + "\n", strings.ToUpper(string(counterText(7)))} {
		m := newModel()
		if err := m.Write("parameters.counter", []byte(text)); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenCounter(m, "parameters.counter", nil); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

// FuzzRecord: what is taken is what is written.
func FuzzRecord(f *testing.F) {
	text, err := Record{Current: &Entry{Version: 7, By: "amina", Since: at}, Highest: 7}.text()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(join(text, []byte("tag")))
	f.Add([]byte(recordHeading))
	f.Fuzz(func(t *testing.T, file []byte) {
		r, text, tag, err := split(file)
		if err != nil {
			return
		}
		again, err := r.text()
		if err != nil || !bytes.Equal(again, text) || !bytes.Equal(join(again, tag), file) {
			t.Errorf("%q: %v", file, err)
		}
	})
}

// FuzzCounter: only what is written is taken.
func FuzzCounter(f *testing.F) {
	f.Add([]byte(counterText(7)))
	f.Fuzz(func(t *testing.T, b []byte) {
		if n, ok := parseCounter(b); ok && !bytes.Equal(counterText(n), b) {
			t.Errorf("%q is %d", b, n)
		}
	})
}
