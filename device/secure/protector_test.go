package secure

import (
	"bytes"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A chip stands for what a TPM or a token would do: it keeps device keys itself, and gives handles.
type chip struct {
	held   map[string][]byte
	broken error
}

func (c *chip) Protect(device []byte) ([]byte, error) {
	handle := append([]byte("handle "), byte('a'+len(c.held)))
	c.held[string(handle)] = bytes.Clone(device)
	return handle, c.broken
}

func (c *chip) Recover(file []byte) ([]byte, error) {
	return bytes.Clone(c.held[string(file)]), c.broken
}

func (c *chip) Storage() string { return "a chip" }

// TestProtectorOfHardware: another protector takes the place of those of software, through destruction and restart.
func TestProtectorOfHardware(t *testing.T) {
	c := &chip{held: map[string][]byte{}}
	o := Options{Path: filepath.Join(t.TempDir(), "keys"), First: true, Protect: c}
	f := must(Start(t.Context(), o))(t)
	ctx := t.Context()
	if err := errors.Join(f.CreateKey(ctx, "batch"), f.CreateKey(ctx, "gone")); err != nil {
		t.Fatal(err)
	}
	sealed := seal(t, f, "batch", "a", canary)
	if st := must(f.Status(ctx))(t); st.Storage != "a chip" {
		t.Errorf("storage %q", st.Storage)
	}
	if err := errors.Join(f.DestroyKey(ctx, "gone"), f.Close()); err != nil {
		t.Fatal(err)
	}
	if len(c.held) != 2 {
		t.Errorf("the chip was given %d device keys, want one and the one after the destruction", len(c.held))
	}
	f = must(Start(ctx, o))(t)
	if got, err := f.Open(ctx, "batch", []byte("a"), sealed); err != nil || string(got) != canary {
		t.Errorf("after a restart: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	c.broken = errors.New("chip gone")
	_, err := Start(ctx, o)
	want(t, "a chip that fails", err, c.broken)
	c.broken = nil
	for handle := range c.held {
		c.held[handle] = []byte("short")
	}
	_, err = Start(ctx, o)
	want(t, "a chip that returns something else", err, ErrFiles)
	o.Protect = nil
	_, err = Start(ctx, o)
	want(t, "without the chip", err, ErrFiles)
}

// TestDeviceKeyFilesAreNotMixedUp: each protector refuses the other's file, and a damaged one of its own.
func TestDeviceKeyFilesAreNotMixedUp(t *testing.T) {
	device := bytes.Repeat([]byte{0x5A}, idBytes+keyBytes)
	secret := &unlockSecret{secret: []byte("correct horse battery")}
	plain, locked := must(deviceFile{}.Protect(device))(t), must(secret.Protect(device))(t)
	for _, p := range []Protector{deviceFile{}, secret} {
		own := plain
		if p == Protector(secret) {
			own = locked
		}
		if got := must(p.Recover(own))(t); !bytes.Equal(got, device) {
			t.Errorf("%T recovers something else", p)
		}
		for n := range own {
			if _, err := p.Recover(own[:n]); !errors.Is(err, ErrFiles) {
				t.Fatalf("%T, cut to %d: %v", p, n, err)
			}
		}
	}
	_, err := deviceFile{}.Recover(locked)
	want(t, "a locked file without a secret", err, ErrLocked)
	if _, err := secret.Recover(plain); !errors.Is(err, ErrFiles) || !strings.Contains(err.Error(), "needs no unlock secret") {
		t.Errorf("an open file with a secret: %v", err)
	}
	for _, i := range []int{0, 9, lockedHeader - 1, lockedHeader, lockedBytes - 1} {
		bad := slices.Clone(locked)
		bad[i] ^= 1
		if _, err := secret.Recover(bad); !errors.Is(err, ErrFiles) {
			t.Errorf("byte %d changed: %v", i, err)
		}
	}
}
