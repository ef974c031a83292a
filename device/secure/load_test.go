package secure

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tillway/device/secure/x9"
)

var (
	keyOne = unhex("3B2A19087F6E5D4C5B4A39281706F5E4")
	keyTwo = unhex("5D4C3B2A190807F6E5D4C3B2A1908F7E")
)

// TestUsageMatrix: for every usage that a key block can have, and every use that a key can be loaded for, the pairs that
// are taken are exactly these.
func TestUsageMatrix(t *testing.T) {
	taken := map[string][]Use{
		"P0": {UsePIN}, "M0": {UseMAC}, "M1": {UseMAC}, "M3": {UseMAC}, "M6": {UseMAC}, "D0": {UseData}, "K0": {UseMaster}, "K1": {UseMaster},
	}
	modes := map[string]byte{"P0": 'E', "D0": 'E', "K0": 'D', "K1": 'D', "C0": 'C', "V0": 'V', "V1": 'V', "V2": 'V', "B0": 'X', "D1": 'E', "P1": 'G', "E0": 'X', "E1": 'X'}
	r := newRig(t, Options{Path: filepath.Join(t.TempDir(), "keys"), First: true}, true)
	kek := loadKEK(t, r, "bank", TDES)
	tried := 0
	for _, usage := range []string{"P0", "M0", "M1", "M3", "M6", "D0", "D1", "K0", "K1", "C0", "V0", "V1", "V2", "B0", "P1", "E0", "E1"} {
		mode := modes[usage]
		if mode == 0 {
			mode = 'C'
		}
		h := x9.KeyBlockHeader{Version: 'B', Usage: usage, Algorithm: 'T', Mode: mode, KeyVersion: "00", Exportability: 'N'}
		if h.Check() != nil {
			continue // no such block
		}
		block := wrap(t, kek, h, keyOne)
		for _, use := range []Use{UsePIN, UseMAC, UseData, UseMaster, useKEK, 0} {
			tried++
			_, err := r.Import(t.Context(), "bank", use, block)
			ok := false
			for _, u := range taken[usage] {
				ok = ok || u == use
			}
			switch {
			case ok && err != nil:
				t.Errorf("%s for %s: %v", usage, use, err)
			case ok:
				if err := r.Destroy(t.Context(), "bank"); err != nil {
					t.Fatal(err)
				}
				loadKEK(t, r, "bank", TDES)
			case !errors.Is(err, ErrUsage):
				t.Errorf("%s for %s: %v, want ErrUsage", usage, use, err)
			}
		}
	}
	if tried < 60 {
		t.Errorf("only %d pairs were tried", tried)
	}
}

// TestKeyBlocksAreRefused: what is damaged, under another key, of an old version, without a serial number, clear.
func TestKeyBlocksAreRefused(t *testing.T) {
	bothWays(t, Options{}, func(t *testing.T, r *rig) {
		_, err := r.Import(t.Context(), "bank", UsePIN, strings.Repeat("0", 80))
		want(t, "no key block", err, ErrKeyBlock)
		kek := must(x9.CombineComponents(shareA, shareB))(t)
		tak := wrap(t, kek, x9.KeyBlockHeader{Version: 'B', Usage: "M3", Algorithm: 'T', Mode: 'C'}, keyOne)
		_, err = r.Import(t.Context(), "bank", UseMAC, tak)
		want(t, "before the components", err, ErrNoKEK)
		loadKEK(t, r, "bank", TDES)
		refuse := func(what, block string, target error) {
			t.Helper()
			_, err := r.Import(t.Context(), "bank", UseMAC, block)
			want(t, what, err, target)
		}
		for i := range tak {
			bad := []byte(tak)
			bad[i] ^= 1
			if _, err := r.Import(t.Context(), "bank", UseMAC, string(bad)); err == nil {
				t.Errorf("character %d changed: taken", i)
			}
		}
		refuse("another KEK", wrap(t, keyTwo, x9.KeyBlockHeader{Version: 'B', Usage: "M3", Algorithm: 'T', Mode: 'C'}, keyOne), ErrKeyBlock)
		refuse("version A", wrap(t, kek, x9.KeyBlockHeader{Version: 'A', Usage: "M3", Algorithm: 'T', Mode: 'C'}, keyOne), ErrWeak)
		refuse("version D under a TDES key", wrap(t, kek, x9.KeyBlockHeader{Version: 'D', Usage: "M3", Algorithm: 'T', Mode: 'C'}, keyOne), ErrKeyBlock)
		refuse("a MAC key that only generates", wrap(t, kek, x9.KeyBlockHeader{Version: 'B', Usage: "M3", Algorithm: 'T', Mode: 'G'}, keyOne), ErrUsage)
		refuse("DUKPT without serial number", wrap(t, kek, x9.KeyBlockHeader{Version: 'B', Usage: "B1", Algorithm: 'T', Mode: 'X'}, keyOne), ErrKeyBlock)
		refuse("single DES in truth", wrap(t, kek, x9.KeyBlockHeader{Version: 'B', Usage: "M3", Algorithm: 'T', Mode: 'C'}, bytes.Repeat(keyOne[:8], 2)), ErrTestKey)
		refuse("a clear key", hex.EncodeToString(keyOne), ErrKeyBlock)
		refuse("far too long", strings.Repeat("B", maxBlock+1), ErrKeyBlock)
		refuse("the right one", tak, nil)
		_, err = r.Import(t.Context(), "bank", UsePIN, wrap(t, kek, x9.KeyBlockHeader{Version: 'B', Usage: "P0", Algorithm: 'T', Mode: 'E'}, keyOne))
		want(t, "the MAC key as a PIN key", err, ErrSameKey)
		_, err = r.ImportSession(t.Context(), "bank", UseMAC, make([]byte, 16), "000000")
		want(t, "session key in ECB", err, ErrWeak)
		_, err = r.Import(t.Context(), "no name", UseMAC, tak)
		want(t, "set with a blank", err, ErrName)
	})
}

// A set that is named among the weak ones may send session keys in ECB with their check value; a wrong one is refused.
func TestWeakExchangeByName(t *testing.T) {
	bothWays(t, Options{Weak: []string{"bank"}}, func(t *testing.T, r *rig) {
		kek := loadKEK(t, r, "bank", TDES)
		if _, err := r.Import(t.Context(), "bank", UseMaster, wrap(t, kek, x9.KeyBlockHeader{Version: 'C', Usage: "K0", Algorithm: 'T', Mode: 'D'}, keyOne)); err != nil {
			t.Fatal(err)
		}
		sent := must(x9.EncryptECB(keyOne, keyTwo))(t)
		kcv := must(x9.KCV(keyTwo))(t)
		_, err := r.ImportSession(t.Context(), "bank", UseMAC, sent, "ABCDEF")
		want(t, "wrong check value", err, ErrKeyBlock)
		_, err = r.ImportSession(t.Context(), "bank", UseMAC, sent, "")
		want(t, "no check value", err, ErrKeyBlock)
		_, err = r.ImportSession(t.Context(), "other", UseMAC, sent, CheckValue(hexUpper(kcv[:])))
		want(t, "another acquirer", err, ErrWeak)
		if _, err := r.ImportSession(t.Context(), "bank", UseMAC, sent, CheckValue(hexUpper(kcv[:2]))); err != nil {
			t.Fatal(err)
		}
		l := must(r.NextKey(t.Context(), "bank", UseMAC))(t)
		host := must(x9.MAC3(keyTwo, message, x9.Pad1))(t)
		if err := r.VerifyMAC(t.Context(), l, MACAlg3Pad1, message, host[:]); err != nil {
			t.Error(err)
		}
	})
}

// TestDualControl: two shares of one person, shares that do not belong together, a share again: refused; and nothing is
// left after an abort.
func TestDualControl(t *testing.T) {
	bothWays(t, Options{}, func(t *testing.T, r *rig) {
		enter := func(number, of int, holder string, a Algorithm, value []byte) error {
			_, err := r.LoadComponent(t.Context(), Component{Set: "bank", Of: of, Number: number, Holder: holder, Algorithm: a, Value: bytes.Clone(value)})
			return err
		}
		if err := enter(1, 2, "Amina  Saleh", TDES, shareA); err != nil {
			t.Fatal(err)
		}
		want(t, "one person twice", enter(2, 2, "amina saleh ", TDES, shareB), ErrDualControl)
		want(t, "nobody", enter(2, 2, " ", TDES, shareB), ErrDualControl)
		want(t, "the same share", enter(1, 2, "Badr", TDES, shareB), ErrComponent)
		want(t, "of three now", enter(2, 3, "Badr", TDES, shareB), ErrComponent)
		want(t, "another algorithm", enter(2, 2, "Badr", AES128, shareB), ErrComponent)
		want(t, "another length", enter(2, 2, "Badr", TDES, append(bytes.Clone(shareB), shareA[:8]...)), ErrComponent)
		want(t, "no length at all", enter(2, 2, "Badr", TDES, shareB[:15]), ErrComponent)
		want(t, "one of one", enter(1, 1, "Badr", TDES, shareB), ErrComponent)
		want(t, "four", enter(4, 4, "Badr", TDES, shareB), ErrComponent)
		want(t, "a share that cancels the other", enter(2, 2, "Badr", TDES, shareA), ErrComponent)
		if st := must(r.Status(t.Context()))(t); len(st.Keys)+len(st.Pending) != 0 {
			t.Errorf("after the sum was refused: %+v", st)
		}
		if err := errors.Join(enter(1, 3, "Amina", TDES, shareA), r.Abort(t.Context(), "bank"), enter(1, 2, "Badr", TDES, shareA)); err != nil {
			t.Fatal(err)
		}
		if st := must(r.Status(t.Context()))(t); len(st.Pending) != 1 || !strings.Contains(st.Pending[0], "1 of 2") {
			t.Errorf("pending %q", st.Pending)
		}
		value := bytes.Clone(shareB)
		if _, err := r.file.LoadComponent(t.Context(), Component{Set: "bank", Of: 2, Number: 2, Holder: "Amina", Algorithm: TDES, Value: value}); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(value, make([]byte, 16)) {
			t.Error("the share was not wiped")
		}
		st := must(r.Status(t.Context()))(t)
		kcv := must(x9.KCV(must(x9.CombineComponents(shareA, shareB))(t)))(t)
		if len(st.Keys) != 1 || st.Keys[0].Use != "KEK" || string(st.Keys[0].Check) != hexUpper(kcv[:]) {
			t.Errorf("keys %+v, want one KEK with %X", st.Keys, kcv)
		}
	})
}

// Shares that wait for others longer than a quarter of an hour are wiped.
func TestComponentsTimeOut(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{Path: filepath.Join(dir, "keys"), First: true}, false)
		enter := func(number int, holder string, value []byte) (Loaded, error) {
			return r.LoadComponent(t.Context(), Component{Set: "bank", Of: 2, Number: number, Holder: holder, Algorithm: TDES, Value: bytes.Clone(value)})
		}
		must(enter(1, "Amina", shareA))(t)
		time.Sleep(componentTime + time.Second)
		if l := must(enter(2, "Badr", shareB))(t); l.Have != 1 || l.KEK != "" {
			t.Errorf("after the time: %+v", l)
		}
		if !r.events.has("components timed out") {
			t.Error("nobody was told")
		}
	})
}

// TestPublishedKeysInProduction: what the world knows is refused, as it is, as what it derives, and as a pattern.
func TestPublishedKeysInProduction(t *testing.T) {
	for name, production := range map[string]bool{"production": true, "development": false} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, Options{Path: filepath.Join(t.TempDir(), "keys"), First: true, Production: production}, true)
			kek := loadKEK(t, r, "bank", TDES)
			h := x9.KeyBlockHeader{Version: 'B', Usage: "M3", Algorithm: 'T', Mode: 'C'}
			for what, block := range map[string]string{
				"a published base key":    wrap(t, kek, h, bdkT),
				"with other parity":       wrap(t, kek, h, unhex("0022446688AACCEEFFDDBB9977553311")),
				"derived from it":         tdesBlock(t, kek, ksnMAC),
				"counting":                wrap(t, kek, h, unhex("000102030405060708090A0B0C0D0E0F")),
				"counting by the doubles": wrap(t, kek, h, unhex("00112233445566778899AABBCCDDEEFF")),
			} {
				_, err := r.Import(t.Context(), "bank", UseMAC, block)
				if production != errors.Is(err, ErrTestKey) || (!production && err != nil) {
					t.Errorf("%s: %v", what, err)
				}
			}
			_, err := r.Import(t.Context(), "bank", UseMAC, wrap(t, kek, h, keyTwo))
			want(t, "a key of nobody's", err, nil)
			shares := [][]byte{unhex("A1B2C3D4E5F60718293A4B5C6D7E8F90"), nil}
			shares[1] = must(xor(shares[0], bdkT), nil)(t)
			for i, share := range shares {
				_, err = r.LoadComponent(t.Context(), Component{Set: "other", Of: 2, Number: i + 1, Holder: []string{"A", "B"}[i], Algorithm: TDES, Value: share})
			}
			if errors.Is(err, ErrTestKey) != production {
				t.Errorf("a published key of components: %v", err)
			}
		})
	}
	_, err := Start(t.Context(), Options{Path: filepath.Join(t.TempDir(), "keys"), First: true, Production: true, OnScreen: "/run/pin.sock"})
	want(t, "on-screen PIN in production", err, ErrRequest)
}

func xor(a, b []byte) []byte {
	out := make([]byte, len(a))
	for i := range a {
		out[i] = a[i] ^ b[i]
	}
	return out
}

// TestDestroyAll: refused while messages are owed, or nobody said; afterwards nothing works, also from a copy of the files.
func TestDestroyAll(t *testing.T) {
	dir := stateFolder(t)
	state, backup := filepath.Join(dir, "state"), filepath.Join(dir, "backup")
	r := start(t, dir)
	loadTDES(t, r, "bank")
	ctx := t.Context()
	if err := r.CreateKey(ctx, "batch"); err != nil {
		t.Fatal(err)
	}
	sealed := must(r.Seal(ctx, "batch", nil, []byte(canary)))(t)
	want(t, "nobody said what is owed", r.DestroyAll(ctx), ErrOwing)
	want(t, "two are owed", errors.Join(r.Owes(ctx, 2), r.DestroyAll(ctx)), ErrOwing)
	if _, err := r.Open(ctx, "batch", nil, sealed); err != nil {
		t.Fatalf("refused, and yet: %v", err)
	}
	copyFolder(t, state, backup)
	if err := errors.Join(r.Owes(ctx, 0), r.DestroyAll(ctx)); err != nil {
		t.Fatal(err)
	}
	_, err := r.Open(ctx, "batch", nil, sealed)
	want(t, "opening", err, ErrDestroyed)
	_, err = r.NextKey(ctx, "bank", UseMAC)
	want(t, "next key", err, ErrDestroyed)
	if err := r.file.Close(); err != nil {
		t.Fatal(err)
	}
	reopen := func() error {
		_, err := Start(ctx, Options{Path: filepath.Join(state, "keys"), First: true, Witness: filepath.Join(dir, "witness", "keys")})
		return err
	}
	want(t, "opened again", reopen(), ErrDestroyed)
	copyFolder(t, backup, state)
	want(t, "put back from a backup", reopen(), ErrDestroyed)
}

// Keys that were destroyed do not come back with an older copy of the files: every set is dropped, the journal's keys stay.
func TestDestroyedSetStaysAway(t *testing.T) {
	dir := stateFolder(t)
	state, backup := filepath.Join(dir, "state"), filepath.Join(dir, "backup")
	r := start(t, dir)
	loadTDES(t, r, "bank")
	if err := r.CreateKey(t.Context(), "batch"); err != nil {
		t.Fatal(err)
	}
	sealed := must(r.Seal(t.Context(), "batch", nil, []byte(canary)))(t)
	l := must(r.NextKey(t.Context(), "bank", UseMAC))(t)
	copyFolder(t, state, backup)
	if err := r.Destroy(t.Context(), "bank"); err != nil {
		t.Fatal(err)
	}
	_, err := r.MAC(t.Context(), l, MACAlg3Pad1, message)
	want(t, "a lease of before", err, ErrLease)
	if err := r.file.Close(); err != nil {
		t.Fatal(err)
	}
	copyFolder(t, backup, state)
	r = start(t, dir)
	_, err = r.NextKey(t.Context(), "bank", UseMAC)
	want(t, "next key", err, ErrNoKey)
	if got, err := r.Open(t.Context(), "batch", nil, sealed); err != nil || string(got) != canary {
		t.Errorf("the journal's key went too: %v", err)
	}
}

// The unlock secret: needed, the right one, and nothing of the device key is in the files without it.
func TestUnlockSecret(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	open := func(secret string, first bool) (*File, error) {
		return Start(t.Context(), Options{Path: path, First: first, Secret: []byte(secret)})
	}
	_, err := open("too short", true)
	want(t, "short secret", err, ErrRequest)
	f := must(open("correct horse battery", true))(t)
	if err := f.CreateKey(t.Context(), "batch"); err != nil {
		t.Fatal(err)
	}
	sealed := seal(t, f, "batch", "a", canary)
	file, err := os.ReadFile(devicePath(path))
	if err != nil || bytes.Contains(file, f.device[idBytes:]) {
		t.Errorf("the device key stands clear in its file (%v)", err)
	}
	for range 2 { // a destruction makes a new device key, under the same secret
		if err := errors.Join(f.CreateKey(t.Context(), "gone"), f.DestroyKey(t.Context(), "gone"), f.Close()); err != nil {
			t.Fatal(err)
		}
		for _, wrong := range []string{"", "correct horse batterY"} {
			_, err = open(wrong, false)
			want(t, "secret "+wrong, err, ErrLocked)
		}
		f = must(open("correct horse battery", false))(t)
		if got, err := f.Open(t.Context(), "batch", []byte("a"), sealed); err != nil || string(got) != canary {
			t.Errorf("opened again: %v", err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// What the module keeps is read back to the same bytes, and nothing else is read.
func FuzzContent(f *testing.F) {
	a, err := newArena()
	if err != nil {
		f.Fatal(err)
	}
	c, err := newContent(a)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(c.encode())
	c.marks["ksn/ffff/ab"] = 7
	c.keys[keyName("bank", UseMAC)] = &setKey{set: "bank", use: UseMAC, scheme: sessionScheme, algorithm: TDES, usage: "M3", check: "ABCDEF", key: keyOne}
	f.Add(c.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := decodeContent(b, a)
		if err != nil {
			return
		}
		if !bytes.Equal(c.encode(), b) {
			t.Errorf("%d bytes are written back otherwise", len(b))
		}
		for _, k := range c.keys {
			a.release(k.key)
		}
		a.release(c.token)
	})
}

// TestTry: a key block is judged as Import judges it, and nothing is kept: neither the key, nor a counter, nor an event.
func TestTry(t *testing.T) {
	bothWays(t, Options{}, func(t *testing.T, r *rig) {
		kek := loadKEK(t, r, "bank", TDES)
		block := tdesBlock(t, kek, ksnMAC)
		before := must(r.Status(t.Context()))(t)
		for range 3 {
			if _, err := r.Try(t.Context(), "bank", UseMAC, block); err != nil {
				t.Fatal(err)
			}
		}
		changed := []byte(block)
		changed[len(changed)-1] ^= 1
		_, err := r.Try(t.Context(), "bank", UseMAC, string(changed))
		want(t, "a changed block", err, ErrKeyBlock)
		_, err = r.Try(t.Context(), "other", UseMAC, block)
		want(t, "no key to open it", err, ErrNoKEK)
		if after := must(r.Status(t.Context()))(t); len(after.Keys) != len(before.Keys) {
			t.Errorf("%d keys before, %d after", len(before.Keys), len(after.Keys))
		}
		if _, err := r.NextKey(t.Context(), "bank", UseMAC); !errors.Is(err, ErrNoKey) {
			t.Errorf("a key that was only looked at is in use: %v", err)
		}
		tried := must(r.Try(t.Context(), "bank", UseMAC, block))(t)
		if taken := must(r.Import(t.Context(), "bank", UseMAC, block))(t); taken != tried {
			t.Errorf("check value %s, then %s", tried, taken)
		}
	})
}
