package secure

import (
	"bytes"
	"context"
	"crypto/cipher"
	"crypto/des" //nolint:gosec // the published vector is single DES
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"tillway/device/secure/x9"
)

var (
	keyThree = unhex("7C6B5A4938271605F4E3D2C1B0A09F8E")
	keyFour  = unhex("1F2E3D4C5B6A798897A6B5C4D3E2F10E")
	keyFive  = unhex("26354453627180918FAEBDCCDBEAF908")
)

// master loads a key-encrypting key by components and keyOne as the set's master key under it.
func master(t testing.TB, r *rig, set string) (kek []byte) {
	t.Helper()
	kek = loadKEK(t, r, set, TDES)
	must(r.Import(t.Context(), set, UseMaster, wrap(t, kek, x9.KeyBlockHeader{Version: 'B', Usage: "K0", Algorithm: 'T', Mode: 'D'}, keyOne)))(t)
	return kek
}

func sessionBlock(t testing.TB, under []byte, use Use, key []byte) string {
	t.Helper()
	h := map[Use]x9.KeyBlockHeader{
		UsePIN: {Version: 'B', Usage: "P0", Algorithm: 'T', Mode: 'E'}, UseMAC: {Version: 'B', Usage: "M3", Algorithm: 'T', Mode: 'C'},
		UseData: {Version: 'B', Usage: "D0", Algorithm: 'T', Mode: 'E'},
	}[use]
	return wrap(t, under, h, key)
}

func pair(t testing.TB, pin, mac []byte) []Proposal {
	t.Helper()
	return []Proposal{{Use: UsePIN, Block: sessionBlock(t, keyOne, UsePIN, pin)}, {Use: UseMAC, Block: sessionBlock(t, keyOne, UseMAC, mac)}}
}

func check(t testing.TB, key []byte) CheckValue {
	t.Helper()
	return must(checkValue(TDES, key))(t)
}

// inForce says by which keys PIN and MAC are made, proposed ones behind, as the status has it.
func inForce(t testing.TB, m Keys, set string) (out [4]CheckValue) {
	t.Helper()
	for _, k := range must(m.Status(t.Context()))(t).Keys {
		if i := slices.Index([]string{"PIN", "MAC", "PIN, proposed", "MAC, proposed"}, k.Use); k.Set == set && i >= 0 {
			out[i] = k.Check
		}
	}
	return out
}

// makes says under which of the keys a lease makes its MAC.
func makes(t testing.TB, m Macs, l Lease, keys ...[]byte) int {
	t.Helper()
	got := must(m.MAC(t.Context(), l, MACAlg3Pad1, message))(t)
	return slices.IndexFunc(keys, func(key []byte) bool {
		want := must(x9.MAC3(key, message, x9.Pad1))(t)
		return bytes.Equal(got, want[:])
	})
}

// TestExchange: keys that are proposed change nothing but that a MAC can be made with them; confirmed, they take the place
// of those in force, all at once.
func TestExchange(t *testing.T) {
	bothWays(t, Options{}, func(t *testing.T, r *rig) {
		ctx := t.Context()
		master(t, r, "bank")
		_, err := r.NextKey(ctx, "bank", UseProposedMAC)
		want(t, "a proposed key before any exchange", err, ErrNoKey)
		want(t, "confirming nothing", r.Confirm(ctx, "bank"), ErrNoKey)
		checks := must(r.Propose(ctx, "bank", pair(t, keyTwo, keyThree)))(t)
		if !slices.Equal(checks, []CheckValue{check(t, keyTwo), check(t, keyThree)}) {
			t.Errorf("check values %v", checks)
		}
		_, err = r.NextKey(ctx, "bank", UseMAC)
		want(t, "the MAC key before it is confirmed", err, ErrNoKey)
		_, err = r.EnterPIN(ctx, PINRequest{Set: "bank", PAN: "5413330089604111", Timeout: 1})
		want(t, "a PIN before it is confirmed", err, ErrNoKey)
		for _, use := range []Use{useProposedPIN, useProposedData} {
			_, err = r.NextKey(ctx, "bank", use)
			want(t, "a lease of "+use.String(), err, ErrUsage)
		}
		l := must(r.NextKey(ctx, "bank", UseProposedMAC))(t)
		answer := must(x9.MAC3(keyThree, []byte("answer"), x9.Pad1))(t)
		if makes(t, r, l, keyThree) != 0 {
			t.Error("the proposed key makes another MAC")
		}
		if err := r.VerifyMAC(ctx, l, MACAlg3Pad1, []byte("answer"), answer[:]); err != nil {
			t.Error(err)
		}
		if err := r.Confirm(ctx, "bank"); err != nil {
			t.Fatal(err)
		}
		if got := inForce(t, r, "bank"); got != [4]CheckValue{check(t, keyTwo), check(t, keyThree)} {
			t.Errorf("after the first exchange %q", got)
		}
		old := must(r.NextKey(ctx, "bank", UseMAC))(t)
		must(r.Propose(ctx, "bank", pair(t, shareA, keyFive)))(t)
		must(r.Propose(ctx, "bank", pair(t, keyFour, shareB)))(t) // a repeated exchange replaces what waits
		if l := must(r.NextKey(ctx, "bank", UseMAC))(t); makes(t, r, l, keyThree, shareB) != 0 {
			t.Error("the old key is not in force until the new one is confirmed")
		}
		if err := r.Confirm(ctx, "bank"); err != nil {
			t.Fatal(err)
		}
		if got := inForce(t, r, "bank"); got != [4]CheckValue{check(t, keyFour), check(t, shareB)} {
			t.Errorf("after the second exchange %q", got)
		}
		if l := must(r.NextKey(ctx, "bank", UseMAC))(t); makes(t, r, l, shareB) != 0 {
			t.Error("the new key is not in force")
		}
		if makes(t, r, old, keyThree) != 0 { // the lease of a message that is under way
			t.Error("a lease of before changed its key")
		}
		must(r.Propose(ctx, "bank", pair(t, keyTwo, keyThree)))(t)
		if err := r.Withdraw(ctx, "bank"); err != nil {
			t.Fatal(err)
		}
		want(t, "confirming what was withdrawn", r.Confirm(ctx, "bank"), ErrNoKey)
		must(r.Propose(ctx, "bank", pair(t, keyTwo, keyThree)))(t)
		if err := r.Destroy(ctx, "bank"); err != nil {
			t.Fatal(err)
		}
		want(t, "confirming what was destroyed", r.Confirm(ctx, "bank"), ErrNoKey)
		for _, what := range []string{"session key proposed by the host", "session key in force", "proposed session keys withdrawn"} {
			if r.file != nil && !r.events.has(what) {
				t.Errorf("nobody was told: %s", what)
			}
		}
	})
}

// TestExchangeRefused: one bad key of two leaves everything as it was, and what waited before.
func TestExchangeRefused(t *testing.T) {
	bothWays(t, Options{Production: true}, func(t *testing.T, r *rig) {
		ctx := t.Context()
		kek := master(t, r, "bank")
		must(r.Propose(ctx, "bank", pair(t, keyTwo, keyThree)))(t)
		if err := r.Confirm(ctx, "bank"); err != nil {
			t.Fatal(err)
		}
		good := Proposal{Use: UsePIN, Block: sessionBlock(t, keyOne, UsePIN, keyFour)}
		must(r.Propose(ctx, "bank", []Proposal{good}))(t)
		before := inForce(t, r, "bank")
		mac := func(p Proposal) Proposal { p.Use = UseMAC; return p }
		ksn := x9.KeyBlockHeader{Version: 'B', Usage: "B1", Algorithm: 'T', Mode: 'X', Optional: []x9.OptionalBlock{{ID: "KS", Data: ksnMAC.String()}}}
		m3 := x9.KeyBlockHeader{Version: 'B', Usage: "M3", Algorithm: 'T', Mode: 'C'}
		damaged := []byte(sessionBlock(t, keyOne, UseMAC, shareB))
		damaged[40] ^= 1
		for _, c := range []struct {
			what   string
			keys   []Proposal
			target error
		}{
			{"a damaged block", []Proposal{good, mac(Proposal{Block: string(damaged)})}, ErrKeyBlock},
			{"under the key of components, not the master key", []Proposal{good, mac(Proposal{Block: sessionBlock(t, kek, UseMAC, shareB)})}, ErrKeyBlock},
			{"the PIN key's block as MAC key", []Proposal{mac(good)}, ErrUsage},
			{"a check value that differs", []Proposal{good, mac(Proposal{Block: sessionBlock(t, keyOne, UseMAC, shareB), Check: "ABCDEF"})}, ErrKeyBlock},
			{"a check value of two digits", []Proposal{good, mac(Proposal{Block: sessionBlock(t, keyOne, UseMAC, shareB), Check: check(t, shareB)[:2]})}, ErrKeyBlock},
			{"the key in force again", []Proposal{good, mac(Proposal{Block: sessionBlock(t, keyOne, UseMAC, keyThree)})}, ErrSameKey},
			{"the PIN key in force as MAC key", []Proposal{good, mac(Proposal{Block: sessionBlock(t, keyOne, UseMAC, keyTwo)})}, ErrSameKey},
			{"one key for both", []Proposal{good, mac(Proposal{Block: sessionBlock(t, keyOne, UseMAC, keyFour)})}, ErrSameKey},
			{"two PIN keys", []Proposal{good, {Use: UsePIN, Block: sessionBlock(t, keyOne, UsePIN, shareB)}}, ErrRequest},
			{"a DUKPT key", []Proposal{good, mac(Proposal{Block: wrap(t, keyOne, ksn, must(x9.TDESInitialKey(shareB, ksnMAC))(t))})}, ErrUsage},
			{"a master key", []Proposal{good, {Use: UseMaster, Block: sessionBlock(t, keyOne, UseMAC, shareB)}}, ErrUsage},
			{"a published key", []Proposal{good, mac(Proposal{Block: wrap(t, keyOne, m3, bdkT)})}, ErrTestKey},
			{"plain ECB", []Proposal{good, mac(Proposal{Cryptogram: must(x9.EncryptECB(keyOne, shareB))(t), Check: check(t, shareB)})}, ErrWeak},
			{"nothing at all", []Proposal{good, mac(Proposal{})}, ErrWeak},
			{"no key", nil, ErrRequest},
			{"four", []Proposal{good, good, good, good}, ErrRequest},
		} {
			_, err := r.Propose(ctx, "bank", c.keys)
			want(t, c.what, err, c.target)
			if after := inForce(t, r, "bank"); after != before {
				t.Errorf("%s: %q, was %q", c.what, after, before)
			}
		}
		_, err := r.Propose(ctx, "other", []Proposal{good})
		want(t, "a set without a master key", err, ErrNoKEK)
	})
}

// TestExchangeInECB: a set that is named among the weak ones may send its keys enciphered in ECB, with their check values.
func TestExchangeInECB(t *testing.T) {
	bothWays(t, Options{Weak: []string{"bank"}}, func(t *testing.T, r *rig) {
		ctx := t.Context()
		master(t, r, "bank")
		ecb := func(use Use, key []byte, kcv CheckValue) Proposal {
			return Proposal{Use: use, Cryptogram: must(x9.EncryptECB(keyOne, key))(t), Check: kcv}
		}
		for what, kcv := range map[string]CheckValue{"wrong": "ABCDEF", "none": "", "short": check(t, keyThree)[:2]} {
			_, err := r.Propose(ctx, "bank", []Proposal{ecb(UsePIN, keyTwo, check(t, keyTwo)), ecb(UseMAC, keyThree, kcv)})
			want(t, "check value "+what, err, ErrKeyBlock)
		}
		must(r.Propose(ctx, "bank", []Proposal{ecb(UsePIN, keyTwo, check(t, keyTwo)), ecb(UseMAC, keyThree, check(t, keyThree))}))(t)
		if err := r.Confirm(ctx, "bank"); err != nil {
			t.Fatal(err)
		}
		if l := must(r.NextKey(ctx, "bank", UseMAC))(t); makes(t, r, l, keyThree) != 0 {
			t.Error("another MAC key came out")
		}
		single := unhex("EC9DF695353FA075")
		_, err := r.Propose(ctx, "bank", []Proposal{{Use: UsePIN, Cryptogram: single, Check: "BFFA61"}})
		want(t, "a key of single DES", err, ErrKeyBlock)
	})
}

// The published example of such an exchange, of single DES, which the module refuses: evenN2S/iso8583-custom, DE 48 of a
// key exchange. It shows that ECB under the master key and the check value are what these hosts mean.
func TestPublishedExchange(t *testing.T) {
	zmk, err := des.NewCipher(unhex("10213A4B5C6D7E8F")) //nolint:gosec // see above
	if err != nil {
		t.Fatal(err)
	}
	key, kcv := make([]byte, 8), make([]byte, 8)
	zmk.Decrypt(key, unhex("EC9DF695353FA075"))
	if hex.EncodeToString(key) != "a87fa53383c75bb5" {
		t.Errorf("the working key is %x", key)
	}
	var working cipher.Block
	if working, err = des.NewCipher(key); err != nil { //nolint:gosec // see above
		t.Fatal(err)
	}
	working.Encrypt(kcv, kcv)
	if hexUpper(kcv[:3]) != "BFFA61" {
		t.Errorf("its check value is %x", kcv[:3])
	}
	// Written twice, it is triple DES by length alone: the same arithmetic, and refused for what it is.
	twice := bytes.Repeat(unhex("10213A4B5C6D7E8F"), 2)
	if got := must(x9.DecryptECB(twice, unhex("EC9DF695353FA075")))(t); !bytes.Equal(got, key) {
		t.Errorf("under the key written twice %x", got)
	}
}

// TestPowerCutInAnExchange: at every step of an exchange the module's files are what they were or what they shall be, both
// keys together.
func TestPowerCutInAnExchange(t *testing.T) {
	dir := stateFolder(t)
	r := start(t, dir)
	ctx := t.Context()
	master(t, r, "bank")
	must(r.Propose(ctx, "bank", pair(t, keyTwo, keyThree)))(t)
	if err := r.Confirm(ctx, "bank"); err != nil {
		t.Fatal(err)
	}
	old, fresh := [2]CheckValue{check(t, keyTwo), check(t, keyThree)}, [2]CheckValue{check(t, keyFour), check(t, shareB)}
	as := func(in, waits [2]CheckValue) [4]CheckValue { return [4]CheckValue{in[0], in[1], waits[0], waits[1]} }
	steps := []struct {
		what string
		do   func(context.Context) error
		want [4]CheckValue
	}{
		{"proposed", func(ctx context.Context) error {
			_, err := r.Propose(ctx, "bank", pair(t, keyFour, shareB))
			return err
		}, as(old, fresh)},
		{"confirmed", func(ctx context.Context) error { return r.Confirm(ctx, "bank") }, as(fresh, [2]CheckValue{})},
	}
	before := as(old, [2]CheckValue{})
	for _, s := range steps {
		blocked := filepath.Join(dir, "state", "keys.new") // the disk fails: nothing changes, in memory neither
		if err := os.MkdirAll(filepath.Join(blocked, "x"), 0o700); err != nil {
			t.Fatal(err)
		}
		want(t, s.what+" without the disk", s.do(ctx), ErrFiles)
		if got := inForce(t, r, "bank"); got != before {
			t.Errorf("%s without the disk: %q", s.what, got)
		}
		if err := os.RemoveAll(blocked); err != nil {
			t.Fatal(err)
		}
		r = start(t, dir) // the one before is gone without a word
		if got := inForce(t, r, "bank"); got != before {
			t.Errorf("before %s, after a power cut: %q", s.what, got)
		}
		if err := s.do(ctx); err != nil {
			t.Fatal(err)
		}
		r = start(t, dir)
		if got := inForce(t, r, "bank"); got != s.want {
			t.Errorf("%s, after a power cut: %q, want %q", s.what, got, s.want)
		}
		before = s.want
	}
	if l := must(r.NextKey(ctx, "bank", UseMAC))(t); makes(t, r, l, shareB) != 0 {
		t.Error("the new MAC key is not in force after the power cuts")
	}
}
