package secure

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

const canary = "4761739001010119"

func newKeys(t testing.TB, names ...string) (*File, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys")
	f, err := CreateFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if err := f.CreateKey(context.Background(), name); err != nil {
			t.Fatal(err)
		}
	}
	return f, path
}

func reopen(t testing.TB, path string) *File {
	t.Helper()
	f, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func seal(t testing.TB, m Module, name, associated, plain string) []byte {
	t.Helper()
	sealed, err := m.Seal(context.Background(), name, []byte(associated), []byte(plain))
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func TestOpensWhatItSealedAlsoAfterRestart(t *testing.T) {
	f, path := newKeys(t, "batch/nac/000001")
	for _, plain := range []string{"", canary, strings.Repeat("x", maxPlain)} {
		sealed := seal(t, f, "batch/nac/000001", "card 7", plain)
		if len(sealed) != len(plain)+28 || plain != "" && bytes.Contains(sealed, []byte(plain)) {
			t.Errorf("%d bytes became %d, or are still there", len(plain), len(sealed))
		}
		for _, m := range []Module{f, reopen(t, path)} {
			got, err := m.Open(t.Context(), "batch/nac/000001", []byte("card 7"), sealed)
			if err != nil || string(got) != plain {
				t.Errorf("%d bytes: not opened (%v)", len(plain), err)
			}
		}
	}
	if bytes.Equal(seal(t, f, "batch/nac/000001", "a", canary), seal(t, f, "batch/nac/000001", "a", canary)) {
		t.Error("the same sealed twice is the same: a nonce came twice")
	}
	before := seal(t, f, "batch/nac/000001", "a", canary)
	if err := f.CreateKey(t.Context(), "batch/nac/000001"); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Open(t.Context(), "batch/nac/000001", []byte("a"), before); err != nil {
		t.Errorf("creating a key that is there changed it: %v", err)
	}
}

func TestRefusesWhatIsNotWhatItSealed(t *testing.T) {
	f, _ := newKeys(t, "one", "two")
	sealed := seal(t, f, "one", "card 7", canary)
	refuse := func(what, name, associated string, sealed []byte, want error) {
		t.Helper()
		plain, err := f.Open(t.Context(), name, []byte(associated), sealed)
		if !errors.Is(err, want) || plain != nil {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
		if err != nil && strings.Contains(err.Error(), canary) {
			t.Errorf("%s: the error shows the data", what)
		}
	}
	for i := range len(sealed) * 8 {
		bad := slices.Clone(sealed)
		bad[i/8] ^= 1 << (i % 8)
		refuse(fmt.Sprintf("bit %d", i), "one", "card 7", bad, ErrForged)
	}
	for n := range sealed {
		refuse(fmt.Sprintf("cut to %d", n), "one", "card 7", sealed[:n], ErrForged)
	}
	refuse("longer", "one", "card 7", append(slices.Clone(sealed), 0), ErrForged)
	refuse("another row", "one", "card 8", sealed, ErrForged)
	refuse("another key", "two", "card 7", sealed, ErrForged)
	refuse("no such key", "three", "card 7", sealed, ErrNoKey)
	refuse("far too long", "one", "card 7", make([]byte, maxPlain+100), ErrForged)
	if _, err := f.Seal(t.Context(), "one", nil, make([]byte, maxPlain+1)); !errors.Is(err, ErrTooLong) {
		t.Errorf("too long: %v", err)
	}
	for _, name := range []string{"", "with blank", "umlaut ä", "line\n", strings.Repeat("n", 65)} {
		if err := f.CreateKey(t.Context(), name); !errors.Is(err, ErrName) {
			t.Errorf("key named %q: %v, want ErrName", name, err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Seal(ended, "one", nil, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("with an ended context: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	refuse("closed", "one", "card 7", sealed, ErrClosed)
	if err := f.CreateKey(t.Context(), "four"); !errors.Is(err, ErrClosed) {
		t.Errorf("new key in a closed module: %v", err)
	}
}

// A destroyed key is gone, now and after a restart, and an older copy of the sealed file does not bring it back.
func TestDestroyedKeyIsGone(t *testing.T) {
	f, path := newKeys(t, "old", "new")
	old, kept := seal(t, f, "old", "a", canary), seal(t, f, "new", "a", canary)
	backup, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time there is nothing to do
		if err := f.DestroyKey(t.Context(), "old"); err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range []Module{f, reopen(t, path)} {
		if _, err := m.Open(t.Context(), "old", []byte("a"), old); !errors.Is(err, ErrNoKey) {
			t.Errorf("opened under a destroyed key: %v, want ErrNoKey", err)
		}
		if got, err := m.Open(t.Context(), "new", []byte("a"), kept); err != nil || string(got) != canary {
			t.Errorf("the other key went too: %v", err)
		}
	}
	if err := f.CreateKey(t.Context(), "old"); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Open(t.Context(), "old", []byte("a"), old); !errors.Is(err, ErrForged) {
		t.Errorf("a new key of the old name opens: %v, want ErrForged", err)
	}
	if err := os.WriteFile(path, backup, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFile(path); !errors.Is(err, ErrFiles) || !strings.Contains(err.Error(), "older backup") {
		t.Errorf("an older copy of the sealed file: %v, want ErrFiles that says so", err)
	}
}

// The power goes at each step of the replacement of both files: what opens has either all keys or all but the destroyed.
func TestPowerCutWhileDestroying(t *testing.T) {
	f, path := newKeys(t, "old", "new")
	get := func(p string) []byte {
		t.Helper()
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	sealed0, device0 := get(path), get(devicePath(path))
	if err := f.DestroyKey(t.Context(), "old"); err != nil {
		t.Fatal(err)
	}
	sealed1, device1 := get(path), get(devicePath(path))
	wiped := make([]byte, len(device0))
	for _, c := range []struct {
		name                 string
		sealed, device, next []byte
		mode                 fs.FileMode // of the device key
		destroyed            bool
	}{
		{"before", sealed0, device0, nil, 0o400, false},
		{"next device key written", sealed0, device0, device1, 0o400, false},
		{"sealed file replaced", sealed1, device0, device1, 0o400, true},
		{"old device key opened up", sealed1, device0, device1, 0o600, true},
		{"half of it overwritten", sealed1, slices.Concat(wiped[:20], device0[20:]), device1, 0o600, true},
		{"all of it", sealed1, wiped, device1, 0o600, true},
		{"after", sealed1, device1, nil, 0o400, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "keys")
			put := func(p string, content []byte, mode fs.FileMode) {
				t.Helper()
				if err := os.WriteFile(p, content, mode); err != nil {
					t.Fatal(err)
				}
			}
			put(path, c.sealed, 0o600)
			put(devicePath(path), c.device, c.mode)
			if c.next != nil {
				put(nextPath(path), c.next, 0o400)
			}
			for range 2 { // recovery is done once, and holds
				f := reopen(t, path)
				if _, err := f.cipher("new"); err != nil {
					t.Error(err)
				}
				if _, err := f.cipher("old"); errors.Is(err, ErrNoKey) != c.destroyed {
					t.Errorf("old key: %v, destroyed should be %v", err, c.destroyed)
				}
			}
			files, err := filepath.Glob(path + "*")
			if err != nil || len(files) != 3 {
				t.Errorf("files left: %v (%v), want sealed file, device key and lock", files, err)
			}
			if c.destroyed && !bytes.Equal(get(devicePath(path)), device1) {
				t.Error("the old device key is still there")
			}
		})
	}
}

func TestRefusesFilesItCannotTrust(t *testing.T) {
	device := func(path string) string { return path + ".device" }
	itself := func(path string) string { return path }
	chmod := func(mode fs.FileMode) func(*testing.T, string) {
		return func(t *testing.T, p string) {
			if err := os.Chmod(p, mode); err != nil {
				t.Fatal(err)
			}
		}
	}
	remove := func(t *testing.T, p string) {
		if err := os.Remove(p); err != nil {
			t.Fatal(err)
		}
	}
	link := func(t *testing.T, p string) {
		if err := errors.Join(os.Rename(p, p+".else"), os.Symlink(p+".else", p)); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		of    func(string) string
		spoil func(*testing.T, string)
		says  string
	}{
		"device key readable by all":   {device, chmod(0o444), "chmod 0400"},
		"device key writable":          {device, chmod(0o600), "chmod 0400"},
		"sealed file readable by all":  {itself, chmod(0o644), "chmod 0600"},
		"no device key":                {device, remove, "put it back"},
		"no sealed file":               {itself, remove, "put it back"},
		"device key is a link":         {device, link, "link"},
		"sealed file is a link":        {itself, link, "link"},
		"sealed file is a folder":      {itself, func(t *testing.T, p string) { remove(t, p); _ = os.Mkdir(p, 0o700) }, "plain file"},
		"device key of another device": {device, func(t *testing.T, p string) { _, other := newKeys(t); remove(t, p); _ = os.Rename(other+".device", p) }, "another terminal"},
		"device key too long": {device, func(t *testing.T, p string) {
			chmod(0o600)(t, p)
			if err := os.WriteFile(p, make([]byte, maxDeviceFile+1), 0o600); err != nil {
				t.Fatal(err)
			}
			chmod(0o400)(t, p)
		}, "longer than"},
	} {
		t.Run(name, func(t *testing.T) {
			_, path := newKeys(t, "one")
			c.spoil(t, c.of(path))
			_, err := OpenFile(path)
			if !errors.Is(err, ErrFiles) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want ErrFiles and %q in it", err, c.says)
			}
		})
	}
}

// One bit of either file, or one byte less: refused.
func TestRefusesDamagedFiles(t *testing.T) {
	_, path := newKeys(t, "one")
	for _, c := range []struct {
		path string
		mode fs.FileMode
	}{{path, 0o600}, {devicePath(path), 0o400}} {
		good, err := os.ReadFile(c.path)
		if err != nil {
			t.Fatal(err)
		}
		put := func(content []byte) {
			t.Helper()
			if err := errors.Join(os.Remove(c.path), os.WriteFile(c.path, content, c.mode)); err != nil {
				t.Fatal(err)
			}
		}
		for i := range len(good) * 8 {
			bad := slices.Clone(good)
			bad[i/8] ^= 1 << (i % 8)
			put(bad)
			if _, err := OpenFile(path); !errors.Is(err, ErrFiles) {
				t.Fatalf("%s, bit %d: %v, want ErrFiles", filepath.Base(c.path), i, err)
			}
		}
		for n := range good {
			put(good[:n])
			if _, err := OpenFile(path); !errors.Is(err, ErrFiles) {
				t.Fatalf("%s cut to %d: %v, want ErrFiles", filepath.Base(c.path), n, err)
			}
		}
		put(good)
		reopen(t, path)
	}
}

func TestFirstStart(t *testing.T) {
	f, path := newKeys(t, "one")
	sealed := seal(t, f, "one", "a", canary)
	again, err := CreateFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := again.Open(t.Context(), "one", []byte("a"), sealed); err != nil {
		t.Errorf("a second first start lost a key: %v", err)
	}
	// Cut off between the two files: the device key stays as it is.
	before, err := os.ReadFile(devicePath(path))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := CreateFile(path); err != nil {
		t.Fatal(err)
	}
	if after, err := os.ReadFile(devicePath(path)); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the device key changed (%v)", err)
	}
	if _, err := OpenFile(filepath.Join(t.TempDir(), "keys")); !errors.Is(err, ErrFiles) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent files: %v, want ErrFiles and ErrNotExist", err)
	}
	for p, mode := range map[string]fs.FileMode{path: 0o600, devicePath(path): 0o400} {
		if info, err := os.Stat(p); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v (%v), want mode %o", filepath.Base(p), info.Mode(), err, mode)
		}
	}
}

// The named keys stand in no file clear; the device key stands in its own alone.
func TestKeysAreSealed(t *testing.T) {
	_, path := newKeys(t, "one", "two")
	all, err := load(path)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	device, err := os.ReadFile(devicePath(path))
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range all.keys {
		if len(key) != keyBytes || bytes.Contains(sealed, key) || bytes.Contains(device, key) {
			t.Errorf("key %s stands clear in a file", name)
		}
	}
	if key := all.device[idBytes:]; bytes.Contains(sealed, key) || !bytes.Contains(device, key) {
		t.Error("the device key is not where it belongs, or not only there")
	}
	keys := slices.Collect(maps.Values(all.keys))
	keys = append(keys, all.device)
	all.clear()
	for _, key := range keys {
		if !bytes.Equal(key, make([]byte, len(key))) {
			t.Error("cleared key is not zero")
		}
	}
}

func TestKeysAreBounded(t *testing.T) {
	_, path := newKeys(t)
	all, err := load(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range maxKeys {
		key := make([]byte, keyBytes)
		rand.Read(key)
		all.keys[fmt.Sprintf("%s%04d", strings.Repeat("n", maxName-4), i)] = key
	}
	if err := all.save(path); err != nil {
		t.Fatal(err)
	}
	f := reopen(t, path)
	if err := f.CreateKey(t.Context(), "one"); !errors.Is(err, ErrFull) {
		t.Errorf("key %d: %v, want ErrFull", maxKeys+1, err)
	}
	if err := f.DestroyKey(t.Context(), strings.Repeat("n", maxName-4)+"0007"); err != nil {
		t.Fatal(err)
	}
	if err := f.CreateKey(t.Context(), "one"); err != nil {
		t.Errorf("after one was destroyed: %v", err)
	}
}

func TestManyAtOnce(t *testing.T) {
	f, path := newKeys(t, "shared")
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			name := fmt.Sprintf("own%d", i)
			if err := f.CreateKey(t.Context(), name); err != nil {
				t.Error(err)
				return
			}
			for _, key := range []string{name, "shared"} {
				sealed, err := f.Seal(t.Context(), key, nil, []byte(canary))
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := f.Open(t.Context(), key, nil, sealed); err != nil || string(got) != canary {
					t.Errorf("key %s: %v", key, err)
				}
			}
			if i%2 == 0 {
				if err := f.DestroyKey(t.Context(), name); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	all, err := load(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := slices.Sorted(maps.Keys(all.keys)); !slices.Equal(got, []string{"own1", "own3", "own5", "shared"}) {
		t.Errorf("keys on disk %v", got)
	}
}

// A key list that is read is written back to the same bytes.
func FuzzKeyList(f *testing.F) {
	for _, names := range [][]string{nil, {"a"}, {"a", "b/c"}} {
		k := keyring{keys: map[string][]byte{}}
		for i, name := range names {
			k.keys[name] = bytes.Repeat([]byte{byte(i + 1)}, keyBytes)
		}
		f.Add(k.list())
	}
	f.Add([]byte{0, 2, 1, 'b'})
	f.Fuzz(func(t *testing.T, b []byte) {
		keys, err := parseList(b)
		if err != nil {
			return
		}
		if again := (&keyring{keys: keys}).list(); !bytes.Equal(again, b) {
			t.Errorf("%d bytes with %d keys are written back otherwise", len(b), len(keys))
		}
	})
}

// BenchmarkSeal is one card's data.
func BenchmarkSeal(b *testing.B) {
	f, _ := newKeys(b, "batch")
	plain, associated := make([]byte, 64), []byte("tillway 1 card card 7 batch")
	for b.Loop() {
		if _, err := f.Seal(b.Context(), "batch", associated, plain); err != nil {
			b.Fatal(err)
		}
	}
}
