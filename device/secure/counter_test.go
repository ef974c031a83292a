package secure

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tillway/device/secure/x9"
)

// start opens a module on a folder that keeps its key file and its witness apart.
func start(t *testing.T, dir string) *rig {
	t.Helper()
	r := &rig{keypad: NewTyped(), events: &events{}}
	f, err := Start(t.Context(), Options{
		Path: filepath.Join(dir, "state", "keys"), First: true, Witness: filepath.Join(dir, "witness", "keys"), Keypad: r.keypad, Event: r.events.add,
	})
	if err != nil {
		t.Fatal(err)
	}
	r.file, r.Terminal, r.Components = f, f, f
	t.Cleanup(func() { _ = f.Close() })
	return r
}

func stateFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "state"), 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// take leases n MAC keys and fails when one of them was seen before.
func take(t *testing.T, r *rig, seen map[string]bool, n int) (last uint32) {
	t.Helper()
	for range n {
		l, err := r.NextKey(t.Context(), "bank", UseMAC)
		if err != nil {
			t.Fatal(err)
		}
		if seen[string(l.KSN)] {
			t.Fatalf("serial number %X came twice", l.KSN)
		}
		seen[string(l.KSN)] = true
		last = x9.KSN(l.KSN).Counter()
	}
	return last
}

// copyFolder puts from in the place of to, as a backup tool does.
func copyFolder(t *testing.T, from, to string) {
	t.Helper()
	if err := errors.Join(os.RemoveAll(to), os.CopyFS(to, os.DirFS(from))); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(to, func(path string, d fs.DirEntry, err error) error { // CopyFS widens modes
		switch {
		case err != nil:
			return err
		case d.IsDir():
			return os.Chmod(path, 0o700)
		case strings.HasSuffix(path, ".device"):
			return os.Chmod(path, 0o400)
		}
		return os.Chmod(path, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestCounterSurvivesEnds: whether the module is closed, or simply gone, its counter goes on.
func TestCounterSurvivesEnds(t *testing.T) {
	dir, seen := stateFolder(t), map[string]bool{}
	r := start(t, dir)
	loadTDES(t, r, "bank")
	last := take(t, r, seen, 5)
	for i := range 12 {
		if i%2 == 0 {
			if err := r.file.Close(); err != nil {
				t.Fatal(err)
			}
		} // else: it is gone without a word, as after kill -9; nothing in memory reaches the next
		r = start(t, dir)
		next := take(t, r, seen, 1+i*3)
		if next <= last {
			t.Fatalf("after %d the counter is %d", last, next)
		}
		last = next
	}
}

// TestCounterNeverGoesBack: the whole state folder is put back from a backup, and no serial number comes again.
func TestCounterNeverGoesBack(t *testing.T) {
	dir, seen := stateFolder(t), map[string]bool{}
	state, backup := filepath.Join(dir, "state"), filepath.Join(dir, "backup")
	r := start(t, dir)
	loadTDES(t, r, "bank")
	take(t, r, seen, 3)
	copyFolder(t, state, backup) // while it runs
	take(t, r, seen, 200)
	if err := r.file.Close(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		copyFolder(t, backup, state)
		r = start(t, dir)
		if !r.events.has("older key files found: counter jumped") {
			t.Error("nobody was told that the files are older")
		}
		take(t, r, seen, 100)
		st := must(r.Status(t.Context()))(t)
		if !strings.Contains(strings.Join(st.Warnings, "\n"), "older than the witness") {
			t.Errorf("status does not say so: %q", st.Warnings)
		}
		if err := r.file.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// The witness is lost as well: the counter jumps by a margin that no till uses up between two backups.
func TestLostWitnessJumps(t *testing.T) {
	dir, seen := stateFolder(t), map[string]bool{}
	state, backup := filepath.Join(dir, "state"), filepath.Join(dir, "backup")
	r := start(t, dir)
	loadTDES(t, r, "bank")
	copyFolder(t, state, backup)
	take(t, r, seen, 500)
	if err := errors.Join(r.file.Close(), os.RemoveAll(filepath.Join(dir, "witness"))); err != nil {
		t.Fatal(err)
	}
	copyFolder(t, backup, state)
	r = start(t, dir)
	if last := take(t, r, seen, 1); last < marginTDES {
		t.Errorf("counter %d, want more than %d", last, marginTDES)
	}
	if !r.events.has("witness lost: counters jumped") {
		t.Error("nobody was told")
	}
	before := take(t, r, seen, 1)
	if err := r.file.Close(); err != nil {
		t.Fatal(err)
	}
	if after := take(t, start(t, dir), seen, 1); after > before+2*poolKeys {
		t.Errorf("it jumped again, from %d to %d", before, after)
	}
}

// A key that is loaded again from the same key block goes on where it was, also on a module that is new.
func TestReloadedKeyGoesOn(t *testing.T) {
	dir, seen := stateFolder(t), map[string]bool{}
	r := start(t, dir)
	loadTDES(t, r, "bank")
	take(t, r, seen, 20)
	if err := r.Destroy(t.Context(), "bank"); err != nil {
		t.Fatal(err)
	}
	loadTDES(t, r, "bank")
	take(t, r, seen, 20)
	if err := errors.Join(r.file.Close(), os.RemoveAll(filepath.Join(dir, "state")), os.Mkdir(filepath.Join(dir, "state"), 0o700)); err != nil {
		t.Fatal(err)
	}
	r = start(t, dir)
	loadTDES(t, r, "bank")
	take(t, r, seen, 20)
}

func TestHostSaw(t *testing.T) {
	bothWays(t, Options{}, func(t *testing.T, r *rig) {
		loadTDES(t, r, "bank")
		seen := map[string]bool{}
		first := take(t, r, seen, 1)
		saw := func(ksn x9.KSN) error { return r.HostSaw(t.Context(), "bank", UseMAC, ksn[:]) }
		for _, c := range []struct{ host, next uint32 }{{first + 4, first + 5}, {first, first + 6}, {5000, 5001}, {100, 5002}} {
			if err := saw(ksnMAC.WithCounter(c.host)); err != nil {
				t.Fatal(err)
			}
			if got := take(t, r, seen, 1); got != c.next {
				t.Errorf("the host saw %d: the next is %d, want %d", c.host, got, c.next)
			}
		}
		want(t, "another key's serial number", saw(ksnPIN.WithCounter(7)), ErrUsage)
		want(t, "no serial number", r.HostSaw(t.Context(), "bank", UseMAC, []byte("short")), ErrUsage)
		want(t, "no such key", r.HostSaw(t.Context(), "bank", UseData, ksnMAC[:]), ErrNoKey)
	})
}

// TestExhaustedCounterStops: the last key is given, and after it none, now and after a restart.
func TestExhaustedCounterStops(t *testing.T) {
	dir, seen := stateFolder(t), map[string]bool{}
	r := start(t, dir)
	loadTDES(t, r, "bank")
	near := ksnMAC.WithCounter(0x1FF000)
	if err := r.HostSaw(t.Context(), "bank", UseMAC, near[:]); err != nil {
		t.Fatal(err)
	}
	remaining := func() uint64 {
		for _, k := range must(r.Status(t.Context()))(t).Keys {
			if k.Use == "MAC" {
				return k.Left
			}
		}
		t.Fatal("no MAC key")
		return 0
	}
	given, before := uint64(0), remaining()
	for {
		_, err := r.NextKey(t.Context(), "bank", UseMAC)
		if err != nil {
			want(t, "behind the last", err, ErrExhausted)
			break
		}
		given++
	}
	if given != before || given == 0 || remaining() != 0 {
		t.Errorf("%d keys were given, status said %d and says %d", given, before, remaining())
	}
	if err := r.file.Close(); err != nil {
		t.Fatal(err)
	}
	r = start(t, dir)
	_, err := r.NextKey(t.Context(), "bank", UseMAC)
	want(t, "after a restart", err, ErrExhausted)
	take(t, &rig{Terminal: otherUse{r.Terminal}}, seen, 1) // the PIN key is another
}

// otherUse leases PIN keys where a test asks for MAC keys.
type otherUse struct{ Terminal }

func (o otherUse) NextKey(ctx context.Context, set string, _ Use) (Lease, error) {
	return o.Terminal.NextKey(ctx, set, UsePIN)
}

// A key is on disk as used before it is given: when the disk refuses, none is given.
func TestNoKeyWithoutTheDisk(t *testing.T) {
	dir := stateFolder(t)
	r := start(t, dir)
	loadTDES(t, r, "bank")
	for range 2 { // a folder in the way of the new file
		blocked := filepath.Join(dir, "state", "keys.new")
		if err := os.MkdirAll(filepath.Join(blocked, "x"), 0o700); err != nil {
			t.Fatal(err)
		}
		if _, err := r.NextKey(t.Context(), "bank", UseMAC); !errors.Is(err, ErrFiles) {
			t.Errorf("key file cannot be written: %v", err)
		}
		if err := os.RemoveAll(blocked); err != nil {
			t.Fatal(err)
		}
	}
	take(t, r, map[string]bool{}, 1)
	blocked := filepath.Join(dir, "witness", "keys.new")
	if err := os.MkdirAll(filepath.Join(blocked, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	var err error
	for range 2 * poolKeys { // those that were derived before are given
		if _, err = r.NextKey(t.Context(), "bank", UseMAC); err != nil {
			break
		}
	}
	if !errors.Is(err, ErrFiles) {
		t.Errorf("witness cannot be written: %v", err)
	}
	if err := os.RemoveAll(blocked); err != nil {
		t.Fatal(err)
	}
	take(t, r, map[string]bool{}, 40)
}

// left counts what the rule of the one bits leaves.
func TestLeft(t *testing.T) {
	for _, c := range []struct {
		a       Algorithm
		counter uint64
		want    uint64
	}{{TDES, 0, 0}, {TDES, 0x1FF800, 1}, {TDES, 0x1FF801, 0}, {TDES, 1 << 21, 0}, {AES128, 1 << 32, 0}, {AES128, 0xFFFF0000, 1}} {
		if c.counter == 0 {
			n := uint64(0)
			for i := range uint64(1 << 21) {
				if ones(i) <= 10 {
					n++
				}
			}
			c.want = n
		}
		if got := left(c.a, c.counter); got != c.want {
			t.Errorf("%s from %X: %d left, want %d", c.a, c.counter, got, c.want)
		}
	}
}

func ones(n uint64) (count int) {
	for ; n != 0; n &= n - 1 {
		count++
	}
	return count
}

func TestWitness(t *testing.T) {
	path := filepath.Join(t.TempDir(), "far", "witness")
	w, err := OpenWitness(path)
	if err != nil || !w.Fresh() {
		t.Fatalf("new witness: %v", err)
	}
	ctx := t.Context()
	for _, n := range []uint64{5, 3, 9} {
		if err := w.Raise(ctx, "stan", n); err != nil {
			t.Fatal(err)
		}
	}
	want(t, "name with a blank", w.Raise(ctx, "a b", 1), ErrName)
	again, err := OpenWitness(path)
	if err != nil || again.Fresh() || again.Highest("stan") != 9 || again.Highest("sale") != 0 {
		t.Fatalf("read again: %v, stan %d", err, again.Highest("stan"))
	}
	if err := again.Settle(ctx, "stan", 7); err != nil || again.Highest("stan") != 7 {
		t.Errorf("settled: %v, %d", err, again.Highest("stan"))
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range good {
		bad := append([]byte(nil), good...)
		bad[i] ^= 1
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenWitness(path); !errors.Is(err, ErrFiles) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
	}
}

// What is read is written back to the same bytes.
func FuzzWitness(f *testing.F) {
	f.Add(witnessText(map[string]uint64{"stan": 5, "ksn/ffff/ab": 1 << 40}))
	f.Add([]byte(witnessHeading + "\ncrc 00000000\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		values, err := parseWitness(b)
		if err == nil && string(witnessText(values)) != string(b) {
			t.Errorf("%q is written back otherwise", b)
		}
	})
}
