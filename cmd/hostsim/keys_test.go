package main

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tillway/device/secure/x9"
	"tillway/host"
)

// TestKeySheet: out of components and key blocks alone a terminal comes to the initial keys that the host derives from, and
// no two keys of two terminals are the same.
func TestKeySheet(t *testing.T) {
	for _, algorithm := range []string{keysTDES, keysAES} {
		o := options{state: t.TempDir(), keys: algorithm, terminals: []string{"TILL0001:M", "TILL0002:M"}}
		members, err := o.members()
		if err != nil {
			t.Fatal(err)
		}
		if err := writeKeys(o, members, slog.New(slog.DiscardHandler)); err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for n, folder := range []string{"keys", "keys/2"} {
			k, err := terminalKeys(algorithm, n)
			if err != nil {
				t.Fatal(err)
			}
			read := func(name string) string {
				path := filepath.Join(o.state, folder, name)
				text, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if info, err := os.Stat(path); err != nil || info.Mode() != fs.FileMode(0o600) {
					t.Errorf("%s has mode %v (%v)", path, info.Mode(), err)
				}
				return strings.TrimSpace(string(text))
			}
			var shares [][]byte
			for _, name := range []string{"component-1.hex", "component-2.hex"} {
				b, err := hex.DecodeString(read(name))
				if err != nil {
					t.Fatal(err)
				}
				shares = append(shares, b)
			}
			kek, err := x9.CombineComponents(shares...)
			if err != nil {
				t.Fatal(err)
			}
			for name, want := range map[string]host.Key{"pin.tr31": k.PIN, "mac.tr31": k.MAC} {
				h, initial, err := x9.UnwrapKeyBlock(kek, read(name))
				if err != nil || h.Usage != "B1" {
					t.Fatalf("%s: %v, %v", name, h, err)
				}
				ik, id := initialOf(t, algorithm, want), "KS"
				if algorithm == keysAES {
					id = "IK"
				}
				serial, _ := h.OptionalData(id)
				if !bytes.Equal(initial, ik) || !strings.HasPrefix(strings.ToUpper(hex.EncodeToString(want.KSN)), serial) || seen[serial] {
					t.Errorf("%s of terminal %d: another key, or serial number %q", name, n+1, serial)
				}
				seen[serial] = true
				if check, err := checkValue(algorithm, initial); err != nil || !strings.Contains(read("check-values.txt"), check) {
					t.Errorf("%s: check value %s is not on the sheet (%v)", name, check, err)
				}
			}
		}
	}
}

func initialOf(t *testing.T, algorithm string, k host.Key) []byte {
	t.Helper()
	ik, err := x9.TDESInitialKey(k.BDK, x9.KSN(append(bytes.Clone(k.KSN), 0, 0)[:10]))
	if algorithm == keysAES {
		ik, err = x9.AESInitialKey(k.BDK, [8]byte(k.KSN))
	}
	if err != nil {
		t.Fatal(err)
	}
	return ik
}

// TestMasterKeySheet: out of components and key block a terminal comes to the master key that the host has, for that use and
// no other, and no two terminals share one.
func TestMasterKeySheet(t *testing.T) {
	for _, keys := range []string{keysSession, keysSessionAES, keysSessionECB} {
		seen := map[string]bool{}
		for n := range 3 {
			k, err := terminalKeys(keys, n)
			if err != nil {
				t.Fatal(err)
			}
			s, err := newSheet(keys, k)
			if err != nil {
				t.Fatal(err)
			}
			var shares [][]byte
			for _, name := range []string{"component-1.hex", "component-2.hex"} {
				b, err := hex.DecodeString(s.files[name])
				if err != nil {
					t.Fatal(err)
				}
				shares = append(shares, b)
			}
			kek, err := x9.CombineComponents(shares...)
			if err != nil {
				t.Fatal(err)
			}
			h, key, err := x9.UnwrapKeyBlock(kek, s.files["master.tr31"])
			if err != nil || h.Usage != "K0" || !bytes.Equal(key, k.Master) || seen[string(key)] {
				t.Errorf("%s of terminal %d: usage %s, %v", keys, n+1, h.Usage, err)
			}
			seen[string(key)] = true
			check, err := checkValue(keys, key)
			if err != nil || !strings.Contains(s.files["check-values.txt"], check) || s.files["pin.tr31"] != "" {
				t.Errorf("%s: check value %s is not on the sheet (%v)", keys, check, err)
			}
		}
	}
}

// TestSecurityFlags: what cannot be is said before anything is opened.
func TestSecurityFlags(t *testing.T) {
	one := func(o options) (*host.Host, error) {
		o.terminals, o.zone, o.late, o.memory = append([]string{"TILL0001:KW0000000000001"}, o.terminals...), "Asia/Kuwait", 1, true
		members, err := o.members()
		if err != nil {
			return nil, err
		}
		return newHost(t.Context(), o, members, slog.New(slog.NewTextHandler(io.Discard, nil)))
	}
	for _, o := range []options{
		{keys: "des", mac: "alg3"},
		{keys: keysTDES, mac: "alg1"},
		{keys: keysAES, mac: "alg3"},
		{keys: keysSessionAES, mac: "alg3"},
		{keys: keysTDES, mac: "cmac", terminals: []string{"TILL0002:M:aes"}},
		{keys: keysSession, mac: "alg3", terminals: []string{"TILL0002:M:clear"}},
		{keys: keysSession, mac: "alg3", terminals: []string{"TILL0002:M:tdes:x"}},
	} {
		if _, err := one(o); !errors.Is(err, errUsage) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	if s, err := security(options{}, []terminal{{"T", "M", keysNone}}); s != nil || err != nil {
		t.Errorf("none: %+v, %v", s, err)
	}
	for _, o := range []options{
		{keys: keysAES, mac: "cmac", requireMAC: true},
		{keys: keysTDES, mac: "cmac"},
		{keys: keysSession, mac: "alg3"},
		{keys: keysSessionECB, mac: "cmac"},
		{keys: keysSessionAES, mac: "cmac"},
		{keys: keysTDES, mac: "alg3", terminals: []string{"TILL0002:M:session", "TILL0003:M:session-ecb", "TILL0004:M:none"}},
	} {
		h, err := one(o)
		if err != nil {
			t.Fatalf("%+v: %v", o, err)
		}
		if held := h.Held(); len(held) == 0 || (held[0].Scheme == "session") != strings.HasPrefix(o.keys, "session") {
			t.Errorf("%+v: %+v", o, held)
		}
	}
}
