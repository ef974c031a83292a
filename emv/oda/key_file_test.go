package oda_test

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"

	"tillway/device/emulator"
	"tillway/emv/oda"
)

func collection(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/collection.json")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// bits is the length of the key that a terminal has for a RID and index, 0 when it has none.
func bits(f oda.KeyFile, rid string, index byte) int {
	b, err := hex.DecodeString(rid)
	if err != nil {
		panic(err)
	}
	k, _ := f.Find(b, index)
	return 8 * len(k.Modulus)
}

// TestEnvironmentsNeverMix reads public keys of which thirteen RIDs with their index are there twice, once for tests and once
// in earnest or of nobody knows which: a terminal gets those of its own world.
func TestEnvironmentsNeverMix(t *testing.T) {
	test, err := oda.ParseKeys(collection(t), oda.Test)
	if err != nil {
		t.Fatal(err)
	}
	live, err := oda.ParseKeys(collection(t), oda.Live)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []struct {
		rid        string
		index      byte
		test, live int
		why        string
	}{
		{"A000000004", 0x05, 1024, 1408, "the same index, once each"},
		{"A000000004", 0xFA, 1152, 0, "test before unknown"},
		{"A000000004", 0x02, 1536, 0, "test before unknown"},
		{"A000000003", 0x92, 1408, 0, "test"},
		{"A000000003", 0x08, 0, 1408, "live"},
		{"A000000004", 0x06, 0, 1984, "live; the other has 2048 bits"},
		{"A000000333", 0x09, 1408, 0, "unknown: never live"},
		{"A123456789", 0x07, 1152, 0, "mock is test"},
		{"A000000025", 0x0F, 0, 0, "called both"},
		{"A000000003", 0x90, 512, 0, "the shortest"},
		{"A000000010", 0xFB, 0, 0, "exponent 2"},
		{"A000000003", 0x52, 1024, 0, "with a published checksum, before a longer one without"},
		{"A000000004", 0x01, 768, 0, "the longer of two has the modulus of a live key"},
		{"B012345678", 0xF3, 1152, 0, "the longer of two"},
	} {
		if got := bits(test, r.rid, r.index); got != r.test {
			t.Errorf("%s %02X, %s: a test terminal has %d bits, want %d", r.rid, r.index, r.why, got, r.test)
		}
		if got := bits(live, r.rid, r.index); got != r.live {
			t.Errorf("%s %02X, %s: a live terminal has %d bits, want %d", r.rid, r.index, r.why, got, r.live)
		}
	}
	for _, a := range test.Keys {
		for _, b := range live.Keys {
			if string(a.Modulus) == string(b.Modulus) {
				t.Errorf("%X %02X is given to both", a.RID, a.Index)
			}
		}
	}
	if n := len(test.Keys) + len(test.LeftOut); n != 40 || len(live.Keys)+len(live.LeftOut) != 40 {
		t.Errorf("of 40 keys a test terminal hears of %d", n)
	}
	rid := []byte{0xA0, 0, 0, 0, 3}
	if k, _ := live.Find(rid, 8); k.Expiry.Format("2006-01-02") != "2022-12-31" {
		t.Errorf("expiry %s", k.Expiry)
	}
}

// good is a key of a published list, as a terminal's own file has it.
func good(t *testing.T) map[string]any {
	t.Helper()
	var rows []map[string]any
	if err := json.Unmarshal(collection(t), &rows); err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if r["rid"] == "A000000333" {
			return map[string]any{"rid": r["rid"], "index": r["index"], "modulus": r["modulus"], "exponent": r["exponent"], "expiry": "301231", "sha1": r["sha1_computed"]}
		}
	}
	t.Fatal("no key")
	return nil
}

func own(t *testing.T, top map[string]any, edits ...map[string]any) []byte {
	t.Helper()
	keys := []map[string]any{}
	for _, e := range edits {
		k := good(t)
		for name, v := range e {
			k[name] = v
			if v == nil {
				delete(k, name)
			}
		}
		keys = append(keys, k)
	}
	file := map[string]any{"keys": keys}
	maps.Copy(file, top)
	b, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

type object = map[string]any

func TestOwnKeyFile(t *testing.T) {
	b := own(t, object{"revoked": []object{{"rid": "A000000333", "index": "09", "serial": "001a2B"}}, "environment": "live"}, object{})
	f, err := oda.ParseKeys(b, oda.Live)
	if err != nil || bits(f, "A000000333", 9) != 1408 || len(f.LeftOut) != 0 {
		t.Fatalf("%v %v", f.LeftOut, err)
	}
	if rid := []byte{0xA0, 0, 0, 3, 0x33}; !f.IsRevoked(rid, 9, [3]byte{0, 0x1A, 0x2B}) || f.IsRevoked(rid, 9, [3]byte{0, 0x1A, 0x2C}) || f.IsRevoked(rid, 8, [3]byte{0, 0x1A, 0x2B}) {
		t.Error("revocation list")
	}
	for text, want := range map[string]string{
		"301231": "2030-12-31", "20301231": "2030-12-31", "2030-12-31": "2030-12-31", "1230": "2030-12-31", "2030-02": "2030-02-28",
		"300215": "2030-02-15", "": "0001-01-01",
	} {
		f, err := oda.ParseKeys(own(t, nil, object{"expiry": text}), oda.Test)
		if err != nil || f.Keys[0].Expiry.Format("2006-01-02") != want {
			t.Errorf("expiry %q: %v %v", text, f.Keys, err)
		}
	}
}

// TestPublishedTestKeys: a key that is known to be for tests is no live terminal's, even when its file calls it live.
func TestPublishedTestKeys(t *testing.T) {
	var known struct{ Keys []map[string]any }
	if err := json.Unmarshal(emulator.AuthorityKeys(), &known); err != nil || len(known.Keys) == 0 {
		t.Fatal(err)
	}
	var rows []map[string]any
	if err := json.Unmarshal(collection(t), &rows); err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if kinds := fmt.Sprint(r["kind"]); kinds == "[test]" {
			known.Keys = append(known.Keys, r)
		}
	}
	for _, k := range known.Keys {
		key := object{"rid": k["rid"], "index": k["index"], "modulus": k["modulus"], "exponent": k["exponent"], "expiry": nil, "kind": "live"}
		key["sha1"] = checksum(t, k)
		file := own(t, nil, key)
		if f, err := oda.ParseKeys(file, oda.Live); !errors.Is(err, oda.ErrKeyFile) || !strings.Contains(err.Error(), "public lists know it") || len(f.Keys) != 0 {
			t.Errorf("%s %s: %v", k["rid"], k["index"], err)
		}
		delete(key, "kind")
		if _, err := oda.ParseKeys(own(t, nil, key), oda.Test); err != nil {
			t.Errorf("%s %s: %v", k["rid"], k["index"], err)
		}
	}
}

func checksum(t *testing.T, k map[string]any) string {
	t.Helper()
	part := func(name string) []byte {
		text, _ := k[name].(string)
		b, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	sum := oda.CheckSum([5]byte(part("rid")), part("index")[0], oda.Key{Modulus: part("modulus"), Exponent: part("exponent")})
	return hex.EncodeToString(sum[:])
}

// TestKeyFileRefusals: each error says which key, and a file with one bad key gives none.
func TestKeyFileRefusals(t *testing.T) {
	for _, r := range []struct {
		name string
		file []byte
		env  oda.Environment
		say  string
	}{
		{"empty", nil, oda.Test, "not a JSON list"},
		{"nonsense", []byte("nonsense"), oda.Test, "not a JSON list"},
		{"no keys", []byte("[]"), oda.Test, "0 keys"},
		{"no keys in it", []byte("{}"), oda.Test, "0 keys"},
		{"too long", []byte(strings.Repeat(" ", 5<<20)), oda.Test, "more than"},
		{"too many keys", []byte("[" + strings.Repeat("{},", 1000) + "{}]"), oda.Test, "1001 keys"},
		{"misspelt", own(t, object{"revokd": []object{}}, object{}), oda.Test, `"revokd"`},
		{"of the other world", own(t, object{"environment": "test"}, object{}), oda.Live, "the file is for test, the terminal is live"},
		{"of no world", own(t, nil, object{}), "production", "neither test nor live"},
		{"wrong checksum", own(t, nil, object{"sha1": strings.Repeat("00", 20)}), oda.Test, "A000000333 index 09: the checksum"},
		{"wrong modulus", own(t, nil, object{}, object{"index": "10"}), oda.Test, "A000000333 index 10: the checksum"},
		{"checksum cut", own(t, nil, object{"sha1": "A075"}), oda.Test, "checksum"},
		{"rid", own(t, nil, object{"rid": "A0000003"}), oda.Test, "rid is not"},
		{"index", own(t, nil, object{"index": "9"}), oda.Test, "index is not"},
		{"modulus", own(t, nil, object{"modulus": "XY"}), oda.Test, "modulus is not hex"},
		{"exponent", own(t, nil, object{"exponent": "XY"}), oda.Test, "exponent is not hex"},
		{"bits", own(t, nil, object{"bits": 1024}), oda.Test, "1408 bits, not 1024"},
		{"expiry", own(t, nil, object{"expiry": "301331"}), oda.Test, "expiry is no day"},
		{"outside the limits", own(t, nil, object{"exponent": "02", "sha1": ""}), oda.Test, "outside the limits"},
		{"live without checksum", own(t, nil, object{"sha1": nil}), oda.Live, "needs the sha1"},
		{"a test key", own(t, nil, object{"kind": "test"}), oda.Live, "it is a test key, and this terminal is live"},
		{"a live key", own(t, nil, object{"kind": "live"}), oda.Test, "it is a live key, and this terminal is test"},
		{"called both", own(t, nil, object{"kind": []string{"live", "test"}}), oda.Test, "a test key and a live key"},
		{"of an unknown kind", own(t, nil, object{"kind": "demo"}), oda.Test, `"demo"`},
		{"twice", own(t, nil, object{}, object{}), oda.Test, "there 2 times"},
		{"revoked rid", own(t, object{"revoked": []object{{"rid": "A0"}}}, object{}), oda.Test, "revocation 1 of the list: rid"},
		{"revoked index", own(t, object{"revoked": []object{{"rid": "A000000003", "index": "1"}}}, object{}), oda.Test, "index is not"},
		{"revoked serial", own(t, object{"revoked": []object{{"rid": "A000000003", "index": "01", "serial": "0102"}}}, object{}), oda.Test, "serial is not"},
	} {
		f, err := oda.ParseKeys(r.file, r.env)
		if !errors.Is(err, oda.ErrKeyFile) || !strings.Contains(err.Error(), r.say) || len(f.Keys) != 0 {
			t.Errorf("%s: %d keys, %v", r.name, len(f.Keys), err)
		}
	}
}

// TestCollectionWithAWrongChecksum: one wrong byte in a public list refuses the list.
func TestCollectionWithAWrongChecksum(t *testing.T) {
	b := []byte(strings.Replace(string(collection(t)), `"modulus": "AC`, `"modulus": "AD`, 1))
	if _, err := oda.ParseKeys(b, oda.Test); !errors.Is(err, oda.ErrKeyFile) || !strings.Contains(err.Error(), "index") {
		t.Errorf("%v", err)
	}
}

// FuzzParseKeys: whatever a file says, every key that comes out of it is one, and none comes out for both worlds of a list.
func FuzzParseKeys(f *testing.F) {
	var list []json.RawMessage
	if err := json.Unmarshal(collection(f), &list); err != nil {
		f.Fatal(err)
	}
	b, err := json.Marshal(list[:2]) // all of them would keep the fuzzer busy with reading alone
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(fmt.Appendf(nil, `{"keys":%s,"revoked":[{"rid":"A000000003","index":"01","serial":"000001"}]}`, b))
	f.Add([]byte(`{"keys":[{"rid":"A000000003","index":"01","modulus":"80","exponent":"03","expiry":["1230"]}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, env := range []oda.Environment{oda.Test, oda.Live} {
			file, err := oda.ParseKeys(b, env)
			if err != nil {
				if !errors.Is(err, oda.ErrKeyFile) || len(file.Keys) != 0 {
					t.Fatalf("%d keys with %v", len(file.Keys), err)
				}
				continue
			}
			for i, k := range file.Keys {
				if err := (oda.Key{Modulus: k.Modulus, Exponent: k.Exponent}).Check(); err != nil {
					t.Fatal(err)
				}
				if i > 0 && k.RID == file.Keys[i-1].RID && k.Index == file.Keys[i-1].Index {
					t.Fatal("two keys of one RID and index")
				}
			}
		}
	})
}
