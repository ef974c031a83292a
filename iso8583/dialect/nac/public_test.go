package nac_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"tillway/iso8583/dialect/nac"
)

// publicMessages reads testdata/public: bytes by file name.
func publicMessages(t testing.TB) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob("testdata/public/*.hex")
	if err != nil || len(paths) != 25 {
		t.Fatalf("%d public messages, want 25 (%v)", len(paths), err)
	}
	out := map[string][]byte{}
	for _, p := range paths {
		text, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		out[strings.TrimSuffix(filepath.Base(p), ".hex")] = unhex(t, strings.TrimSpace(string(text)))
	}
	return out
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func dialect(t testing.TB, change func(*nac.Settings)) *nac.Dialect {
	t.Helper()
	s := nac.Defaults()
	if change != nil {
		change(&s)
	}
	d, err := nac.New(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Every public message is read as another parser read it, and packs again to the same bytes, whatever filler our own
// packing uses.
func TestPublicMessagesComeBackByteForByte(t *testing.T) {
	for name, frame := range publicMessages(t) {
		for _, filler := range []string{"F", "0"} {
			c := dialect(t, func(s *nac.Settings) { s.Track2Filler = filler }).Codec()
			d, err := c.Describe(frame, true)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if got := unhex(t, d.Reencoded); !bytes.Equal(got, frame) {
				t.Errorf("%s (filler %s): reencoded\n%X, want\n%X", name, filler, got, frame)
			}
		}
	}
}

func TestPublicMessagesAreReadAsOthersReadThem(t *testing.T) {
	c := dialect(t, nil).Codec()
	for name, frame := range publicMessages(t) {
		d, err := c.Describe(frame, true)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		text, err := os.ReadFile("testdata/public/" + name + ".fields.json")
		if err != nil {
			t.Fatal(err)
		}
		var want map[string]string
		if err := json.Unmarshal(text, &want); err != nil {
			t.Fatal(err)
		}
		if d.MTI != want["mti"] || d.TPDU != strings.ToUpper(want["tpdu"]) {
			t.Errorf("%s: MTI %s, TPDU %s; want %s, %s", name, d.MTI, d.TPDU, want["mti"], want["tpdu"])
		}
		delete(want, "mti")
		delete(want, "tpdu")
		if len(d.Fields) != len(want) {
			t.Errorf("%s: %d fields, want %d", name, len(d.Fields), len(want))
		}
		for field, value := range want {
			if got := d.Fields[field]; got != theirs(t, field, value, got) {
				t.Errorf("%s: field %s is %q, want %q", name, field, got, value)
			}
		}
	}
}

// theirs is the other parser's value in our notation: it keeps the spare nibble of numbers and of track 2, and writes
// some text in hexadecimal.
func theirs(t *testing.T, field, value, ours string) string {
	t.Helper()
	switch field {
	case "22", "23", "24", "49", "70":
		return strings.TrimPrefix(value, "0")
	case "35":
		return strings.ToUpper(value)[:37]
	case "63":
		if b, err := hex.DecodeString(value); err == nil && string(b) == ours {
			return ours
		}
	}
	if strings.EqualFold(value, ours) { // hexadecimal in lower case
		return ours
	}
	return value
}

// Without clear no account number, expiry or discretionary data is shown; the fields that say nothing are as they were.
func TestPublicMessagesDescribedWithoutSecrets(t *testing.T) {
	c := dialect(t, nil).Codec()
	for name, frame := range publicMessages(t) {
		open, err := c.Describe(frame, true)
		if err != nil {
			t.Fatal(name, err)
		}
		d, err := c.Describe(frame, false)
		if err != nil {
			t.Fatal(name, err)
		}
		js, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		shown := string(js) + d.String()
		if d.Reencoded != "" || strings.Contains(shown, "reencoded") {
			t.Errorf("%s: shows the message's bytes", name)
		}
		pan := open.Fields["2"]
		if t2, ok := open.Fields["35"]; ok {
			pan, _, _ = strings.Cut(t2, "D")
			if strings.Contains(shown, t2) {
				t.Errorf("%s: shows track 2", name)
			}
		}
		if pan != "" && strings.Contains(shown, pan) {
			t.Errorf("%s: shows the account number", name)
		}
		if e := open.Fields["14"]; e != "" && d.Fields["14"] != "****" {
			t.Errorf("%s: shows the expiry", name)
		}
		for _, n := range []int{3, 4, 11, 39, 41, 62} {
			if f := strconv.Itoa(n); open.Fields[f] != d.Fields[f] {
				t.Errorf("%s: field %d is hidden", name, n)
			}
		}
	}
}

// Every public message cut short at any byte is refused, with a reason that has none of its contents.
func TestPublicMessagesCutShort(t *testing.T) {
	c := dialect(t, nil).Codec()
	for name, frame := range publicMessages(t) {
		d, err := c.Describe(frame, true)
		if err != nil {
			t.Fatal(name, err)
		}
		if d.Prefixed {
			frame = frame[2:]
		}
		for n := range len(frame) {
			_, err := c.Unpack(frame[:n])
			if err == nil {
				t.Fatalf("%s: the first %d of %d bytes are taken for a message", name, n, len(frame))
			}
			for _, secret := range []string{d.Fields["2"], d.Fields["35"], d.Fields["41"]} {
				if secret != "" && strings.Contains(err.Error(), secret) {
					t.Fatalf("%s: error shows contents: %v", name, err)
				}
			}
		}
		if _, err := c.Unpack(append(bytes.Clone(frame), 0)); err == nil {
			t.Errorf("%s: a byte behind the last field is taken", name)
		}
	}
}

func FuzzUnpack(f *testing.F) {
	for _, frame := range publicMessages(f) {
		f.Add(frame)
	}
	c := dialect(f, nil).Codec()
	f.Fuzz(func(t *testing.T, frame []byte) {
		if m, err := c.Unpack(frame); err == nil {
			if again, err := c.Pack(m); err != nil || !bytes.Equal(again, frame) {
				t.Fatalf("%X packs again to %X (%v)", frame, again, err)
			}
		}
		d, err := c.Describe(frame, true)
		if err != nil {
			return
		}
		if got, err := hex.DecodeString(d.Reencoded); err != nil || !bytes.Equal(got, frame) {
			t.Fatalf("%X is described as %s", frame, d.Reencoded)
		}
		masked, err := c.Describe(frame, false)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []string{"2", "35"} {
			if v := d.Fields[n]; len(v) > 4 && masked.Fields[n] == v {
				t.Fatalf("field %s is not masked", n)
			}
		}
	})
}
