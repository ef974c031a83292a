package x9_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"tillway/device/secure/x9"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestVectors checks every published row in testdata.
func TestVectors(t *testing.T) {
	type row struct {
		ID, Fn string
		In     struct {
			Key, Data string
			Pad       x9.Padding
		}
		Out struct{ MAC, KCV string }
	}
	raw, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var rows []row
	if err := json.Unmarshal(raw, &rows); err != nil {
		t.Fatal(err)
	}
	if len(rows) != 5 {
		t.Fatalf("%d rows, want 5", len(rows))
	}
	for _, r := range rows {
		t.Run(r.ID, func(t *testing.T) {
			key := unhex(t, r.In.Key)
			switch r.Fn {
			case "mac":
				got, err := x9.MAC3(key, unhex(t, r.In.Data), r.In.Pad)
				if err != nil || !bytes.Equal(got[:4], unhex(t, r.Out.MAC)) {
					t.Errorf("MAC %X (%v), want %s", got[:4], err, r.Out.MAC)
				}
			case "kcv":
				got, err := x9.KCV(key)
				if err != nil || !bytes.Equal(got[:], unhex(t, r.Out.KCV)) {
					t.Errorf("check value %X (%v), want %s", got, err, r.Out.KCV)
				}
			default:
				t.Fatalf("function %q", r.Fn)
			}
		})
	}
}

// TestLineEncryption deciphers and enciphers a published terminal message (Castles, htlesrc.c): CBC from zeros.
func TestLineEncryption(t *testing.T) {
	key := unhex(t, "8FD9130B0955F425BF5D6543BE55B54C")
	clearText := unhex(t, "04060000000096201303000266"+"4314375951265724916967D03121011888812312345F"+
		"520F313538303030303030303030303432"+"00000000")
	cipherText := unhex(t, "FCE7A75FEEE40FABE3BB65C2A79085CD5BEC872333334CDE1BEAEDB1ACC416544583E3BC3FAC71CB344FD1603FB118E3"+
		"2AC54629D12FBD5B")
	iv := make([]byte, 8)
	if got, err := x9.DecryptCBC(key, iv, cipherText); err != nil || !bytes.Equal(got, clearText) {
		t.Errorf("deciphered %X (%v)", got, err)
	}
	if got, err := x9.EncryptCBC(key, iv, clearText); err != nil || !bytes.Equal(got, cipherText) {
		t.Errorf("enciphered %X (%v)", got, err)
	}
}

// TestPadding is ISO/IEC 9797-1, 6.3: lengths around a block boundary.
func TestPadding(t *testing.T) {
	for _, c := range []struct {
		data       string
		pad1, pad2 string
	}{
		{"", "0000000000000000", "8000000000000000"},
		{"01", "0100000000000000", "0180000000000000"},
		{"01020304050607", "0102030405060700", "0102030405060780"},
		{"0102030405060708", "0102030405060708", "01020304050607088000000000000000"},
	} {
		for p, want := range map[x9.Padding]string{x9.Pad1: c.pad1, x9.Pad2: c.pad2} {
			if got, err := x9.Pad(unhex(t, c.data), p); err != nil || !bytes.Equal(got, unhex(t, want)) {
				t.Errorf("padding %d of %q: %X (%v), want %s", p, c.data, got, err, want)
			}
		}
	}
}

// TestAlgorithmsAgree ties what is not in a published row to what is: with both halves of a key equal, algorithms 1 and 3
// are the same single-DES chain; a triple-length key with K3 = K1 is the double-length one; ECB of one block is CBC from zeros.
func TestAlgorithmsAgree(t *testing.T) {
	half := unhex(t, "0123456789ABCDEF")
	both := append(append([]byte{}, half...), half...)
	data := []byte("Now is the time for all good men")
	one, err1 := x9.MAC1(both, data, x9.Pad2)
	three, err3 := x9.MAC3(both, data, x9.Pad2)
	if err1 != nil || err3 != nil || one != three {
		t.Errorf("algorithm 1 %X (%v), algorithm 3 %X (%v)", one, err1, three, err3)
	}
	double := unhex(t, "0123456789ABCDEFFEDCBA9876543210")
	triple := append(append([]byte{}, double...), double[:8]...)
	a, errA := x9.MAC1(double, data, x9.Pad1)
	b, errB := x9.MAC1(triple, data, x9.Pad1)
	if errA != nil || errB != nil || a != b || a == one {
		t.Errorf("double length %X (%v), triple length %X (%v)", a, errA, b, errB)
	}
	e, err := x9.EncryptECB(double, data[:8])
	if err != nil {
		t.Fatal(err)
	}
	if m, err := x9.MAC1(double, data[:8], x9.Pad1); err != nil || !bytes.Equal(m[:], e) {
		t.Errorf("MAC over one block %X (%v), the block enciphered %X", m, err, e)
	}
	if d, err := x9.DecryptECB(double, e); err != nil || !bytes.Equal(d, data[:8]) {
		t.Errorf("deciphered %X (%v)", d, err)
	}
}

// TestRefusals: wrong lengths and paddings are errors that can be tested for and never show the key.
func TestRefusals(t *testing.T) {
	secret := unhex(t, "0123456789ABCDEF0123")
	good := make([]byte, 16)
	for name, c := range map[string]struct {
		run  func() error
		want error
	}{
		"ECB key":      {func() error { _, err := x9.EncryptECB(secret, good); return err }, x9.ErrKey},
		"ECB no key":   {func() error { _, err := x9.DecryptECB(nil, good); return err }, x9.ErrKey},
		"ECB block":    {func() error { _, err := x9.EncryptECB(good, good[:7]); return err }, x9.ErrBlock},
		"CBC key":      {func() error { _, err := x9.EncryptCBC(secret, good[:8], good); return err }, x9.ErrKey},
		"CBC start":    {func() error { _, err := x9.DecryptCBC(good, good, good); return err }, x9.ErrBlock},
		"CBC block":    {func() error { _, err := x9.DecryptCBC(good, good[:8], good[:15]); return err }, x9.ErrBlock},
		"MAC1 key":     {func() error { _, err := x9.MAC1(secret, nil, x9.Pad1); return err }, x9.ErrKey},
		"MAC1 padding": {func() error { _, err := x9.MAC1(good, nil, 4); return err }, x9.ErrPadding},
		"MAC3 key":     {func() error { _, err := x9.MAC3(make([]byte, 24), nil, x9.Pad1); return err }, x9.ErrKey},
		"MAC3 padding": {func() error { _, err := x9.MAC3(good, nil, 0); return err }, x9.ErrPadding},
		"KCV key":      {func() error { _, err := x9.KCV(secret); return err }, x9.ErrKey},
	} {
		err := c.run()
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if err != nil && strings.Contains(strings.ToUpper(err.Error()), "0123456789ABCDEF") {
			t.Errorf("%s: the error shows the key", name)
		}
	}
}
