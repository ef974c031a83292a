package cryptogram_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"tillway/emv"
	"tillway/emv/cryptogram"
	"tillway/emv/tlv"
)

// inputs are the data objects that a cryptogram covers.
var inputs = []tlv.Tag{0x9F02, 0x9F03, 0x9F1A, 0x95, 0x5F2A, 0x9A, 0x9C, 0x9F37, 0x82, 0x9F36, 0x9F10}

// session is the published row for a version, with its keys and its answer.
func session(t testing.TB, version string) (cryptogram.Keys, emv.Data, cryptogram.Reply) {
	t.Helper()
	var rows []vector
	load(t, "testdata/vectors.json", &rows)
	for _, r := range rows {
		if r.In.CVN != version {
			continue
		}
		d := data(t, r.In.Tags)
		var reply cryptogram.Reply
		d.Put(0x9F10, unhex(t, r.In.IAD))
		if version == "visa10" {
			d.Put(0x9F10, unhex(t, "06010A"+r.In.CVR))
			reply.ARC = [2]byte(unhex(t, r.In.ARPCRC))
		}
		d.Put(0x9F26, unhex(t, r.Out.ARQC))
		keys, err := cryptogram.ForCard(unhex(t, r.In.IMKAC), r.In.PAN, r.In.PSN)
		if err != nil {
			t.Fatal(err)
		}
		return keys, d, reply
	}
	t.Fatalf("no row for %s", version)
	return cryptogram.Keys{}, emv.Data{}, cryptogram.Reply{}
}

// TestEveryBit: whichever bit of whatever the cryptogram covers is changed, it is refused. What is not covered is named
// here: version 10 leaves out length, key index and version of 9F10, which are not the card's word about the transaction.
func TestEveryBit(t *testing.T) {
	for _, version := range []string{"visa10", "visa18"} {
		keys, d, _ := session(t, version)
		if err := keys.Verify(d); err != nil {
			t.Fatalf("%s: %v", version, err)
		}
		for _, tag := range append(slices.Clone(inputs), 0x9F26) {
			for i := range len(d.Value(tag)) * 8 {
				if tag == 0x9F10 && i/8 == 1 && version == "visa10" {
					continue
				}
				bad := d.Clone()
				v := slices.Clone(d.Value(tag))
				v[i/8] ^= 1 << (i % 8)
				bad.Put(tag, v)
				err := keys.Verify(bad)
				want := cryptogram.ErrCryptogram
				if tag == 0x9F10 && i/8 == 0 {
					want = cryptogram.ErrMissing
				} else if tag == 0x9F10 && i/8 == 2 {
					want = cryptogram.ErrVersion
				}
				if !errors.Is(err, want) {
					t.Errorf("%s: bit %d of %s changed: %v, want %v", version, i, tag, err, want)
				}
			}
		}
	}
}

// TestMissing: a data object that is not there, or of another length, is never taken for zeros.
func TestMissing(t *testing.T) {
	for _, version := range []string{"visa10", "visa18"} {
		for _, tag := range append(slices.Clone(inputs), 0x9F26) {
			keys, d, _ := session(t, version)
			whole := d.Value(tag)
			d.Put(tag, append(slices.Clone(whole), 0))
			err := keys.Verify(d)
			if tag == 0x9F10 { // may be longer: the issuer's discretionary data
				if version == "visa18" && !errors.Is(err, cryptogram.ErrCryptogram) || version == "visa10" && err != nil {
					t.Errorf("%s: longer 9F10: %v", version, err)
				}
			} else if !errors.Is(err, cryptogram.ErrMissing) {
				t.Errorf("%s: %s longer: %v", version, tag, err)
			}
			d.Put(tag, whole[:len(whole)-1])
			if err := keys.Verify(d); !errors.Is(err, cryptogram.ErrMissing) {
				t.Errorf("%s: %s shorter: %v", version, tag, err)
			}
			d.Delete(tag)
			if err := keys.Verify(d); !errors.Is(err, cryptogram.ErrMissing) {
				t.Errorf("%s: %s not there: %v", version, tag, err)
			}
		}
	}
}

// TestStranger: another card's key, or another issuer's, verifies nothing and answers nothing that the card takes.
func TestStranger(t *testing.T) {
	imk := unhex(t, "0123456789ABCDEFFEDCBA9876543210")
	for _, version := range []string{"visa10", "visa18"} {
		keys, d, reply := session(t, version)
		for name, other := range map[string]func() (cryptogram.Keys, error){
			"PAN": func() (cryptogram.Keys, error) { return cryptogram.ForCard(imk, "1234567890123457", "00") },
			"PSN": func() (cryptogram.Keys, error) { return cryptogram.ForCard(imk, "1234567890123456", "01") },
			"issuer": func() (cryptogram.Keys, error) {
				return cryptogram.ForCard(slices.Concat(imk[8:], imk[:8]), "1234567890123456", "00")
			},
		} {
			stranger, err := other()
			if err != nil {
				t.Fatal(err)
			}
			if err := stranger.Verify(d); !errors.Is(err, cryptogram.ErrCryptogram) {
				t.Errorf("%s, other %s: %v", version, name, err)
			}
			forged, err := stranger.Answer(d, reply)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := keys.CheckAnswer(d, forged); !errors.Is(err, cryptogram.ErrIssuer) {
				t.Errorf("%s, other %s: forged answer: %v", version, name, err)
			}
		}
	}
}

// TestAnswerChanged: whichever bit of the issuer's answer is changed, and whatever its length, the card refuses it; so it
// does with an answer to another transaction.
func TestAnswerChanged(t *testing.T) {
	for _, version := range []string{"visa10", "visa18"} {
		keys, d, reply := session(t, version)
		good, err := keys.Answer(d, reply)
		if err != nil {
			t.Fatal(err)
		}
		refused := func(what string, d emv.Data, answer []byte) {
			t.Helper()
			if _, err := keys.CheckAnswer(d, answer); !errors.Is(err, cryptogram.ErrIssuer) {
				t.Errorf("%s: %s: %v", version, what, err)
			}
		}
		for i := range len(good) * 8 {
			bad := slices.Clone(good)
			bad[i/8] ^= 1 << (i % 8)
			refused(fmt.Sprintf("bit %d changed", i), d, bad)
		}
		for _, n := range []int{0, 1, len(good) - 1} {
			refused("cut", d, good[:n])
		}
		refused("longer", d, append(slices.Clone(good), 0))
		next := d.Clone()
		next.Put(0x9F26, unhex(t, "0102030405060708"))
		refused("another cryptogram", next, good)
	}
}

// TestInputRefused: what the derivations are not defined for.
func TestInputRefused(t *testing.T) {
	imk := unhex(t, "0123456789ABCDEFFEDCBA9876543210")
	for name, run := range map[string]func() error{
		"key short":     func() error { _, err := cryptogram.MasterKey(imk[:15], "1234567890123456", "00"); return err },
		"no key, B":     func() error { _, err := cryptogram.MasterKey(nil, "12345678901234567", "00"); return err },
		"PAN short":     func() error { _, err := cryptogram.MasterKey(imk, "1234567", "00"); return err },
		"PAN long":      func() error { _, err := cryptogram.MasterKey(imk, "12345678901234567890", "00"); return err },
		"PAN letters":   func() error { _, err := cryptogram.MasterKeyA(imk, "12345678901234D6", "00"); return err },
		"PSN of three":  func() error { _, err := cryptogram.MasterKey(imk, "1234567890123456", "001"); return err },
		"session key":   func() error { _, err := cryptogram.SessionKey(imk[:8], 1); return err },
		"method 2 data": func() error { _, err := cryptogram.ARPC2(imk, [8]byte{}, [4]byte{}, make([]byte, 9)); return err },
	} {
		if err := run(); !errors.Is(err, cryptogram.ErrInput) || strings.Contains(err.Error(), "1234567") {
			t.Errorf("%s: %v", name, err)
		}
	}
	a, errA := cryptogram.MasterKey(imk, "1234567890123456", "")
	b, errB := cryptogram.MasterKey(imk, "1234567890123456", "00")
	if errA != nil || errB != nil || !bytes.Equal(a, b) {
		t.Errorf("no sequence number is not 00 (%v, %v)", errA, errB)
	}
}

// TestKeysHidden: a card's key cannot be printed by mistake.
func TestKeysHidden(t *testing.T) {
	imk := unhex(t, "0123456789ABCDEFFEDCBA9876543210")
	mk, err := cryptogram.MasterKey(imk, "1234567890123456", "00")
	if err != nil {
		t.Fatal(err)
	}
	keys, err := cryptogram.ForCard(imk, "1234567890123456", "00")
	if err != nil {
		t.Fatal(err)
	}
	asJSON, err := json.Marshal(keys)
	if err != nil {
		t.Fatal(err)
	}
	shown := strings.ToUpper(fmt.Sprintf("%v %+v %#v %x %s %s", keys, keys, keys, keys, keys, asJSON))
	if strings.Contains(shown, fmt.Sprintf("%X", mk[:4])) || !strings.Contains(shown, "CARD KEY") {
		t.Errorf("shown as %s", shown)
	}
}

// FuzzVerify: whatever 9F10 and cryptogram are, the recipe reads them within bounds; a cryptogram that Compute makes over
// them is verified, and the answer to it is taken by the card.
func FuzzVerify(f *testing.F) {
	f.Add(unhex(f, "06011203A0B800"), []byte("0000"), byte(1))
	f.Add(unhex(f, "06010A03A4B8000F112233445566778899AABBCCDDEEFF"), []byte("1234"), byte(0))
	f.Add([]byte{6}, []byte(""), byte(9))
	keys, base, _ := session(f, "visa18")
	f.Fuzz(func(t *testing.T, iad, un []byte, csu byte) {
		d := base.Clone()
		d.Put(0x9F10, iad)
		d.Put(0x9F37, un)
		ac, err := keys.Compute(d)
		if err != nil {
			if !errors.Is(err, cryptogram.ErrMissing) && !errors.Is(err, cryptogram.ErrVersion) {
				t.Fatalf("error of another kind: %v", err)
			}
			return
		}
		d.Put(0x9F26, ac[:])
		if err := keys.Verify(d); err != nil {
			t.Fatalf("own cryptogram refused: %v", err)
		}
		want := cryptogram.Reply{ARC: [2]byte{'0', csu}, CSU: [4]byte{csu, csu}}
		answer, err := keys.Answer(d, want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := keys.CheckAnswer(d, answer)
		if err != nil || got.ARC != want.ARC && got.CSU != want.CSU {
			t.Fatalf("own answer read as %+v (%v), want %+v", got, err, want)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	for _, version := range []string{"visa10", "visa18"} {
		b.Run(version, func(b *testing.B) {
			keys, d, _ := session(b, version)
			b.ReportAllocs()
			for b.Loop() {
				if err := keys.Verify(d); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
