package tlv_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"tillway/emv/tlv"
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

func show(items []tlv.Item) string {
	var out []string
	for _, it := range items {
		out = append(out, fmt.Sprintf("%s=%X", it.Tag, it.Value))
	}
	return strings.Join(out, " ")
}

func TestParse(t *testing.T) {
	for _, r := range []struct{ name, in, want string }{
		{"nothing", "", ""},
		{"one", "5A 02 1234", "5A=1234"},
		{"empty value", "5A 00", "5A="},
		{"two bytes of tag", "9F02 01 FF", "9F02=FF"},
		{"three bytes of tag", "DF8101 01 FF", "DF8101=FF"},
		{"order and repeats are kept", "72 01 01 71 01 02 72 01 03", "72=01 71=02 72=03"},
		{"zeros around objects", "00 00 5A 01 01 00 50 01 02 00", "5A=01 50=02"},
		{"length in 81 form", "5A 81 02 1234", "5A=1234"},
		{"length in 82 form", "5A 82 00 02 1234", "5A=1234"},
		{"long value", "5A 81 80" + strings.Repeat("AA", 128), "5A=" + strings.Repeat("AA", 128)},
		{"a template is not opened", "70 04 5A 02 1234", "70=5A021234"},
		{"a list inside is not opened", "8C 03 9F0206", "8C=9F0206"},
	} {
		items, err := tlv.Parse(unhex(r.in))
		if err != nil || show(items) != r.want {
			t.Errorf("%s: %s, %v", r.name, show(items), err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, r := range []struct{ name, in, before string }{
		{"tag alone", "5A", ""},
		{"half a tag", "9F", ""},
		{"tag of four bytes", "DF818101 01 FF", ""},
		{"value cut", "5A 02 12", ""},
		{"no length", "5A 01 01 9F02", "5A=01"},
		{"length of 83 form", "5A 83 000001 FF", ""},
		{"length of 80 form", "5A 80 0000", ""},
		{"length cut", "5A 82 00", ""},
		{"length past the end", "5A 82 FFFF 00", ""},
		{"the first object is kept", "50 01 41 5A 05 12", "50=41"},
	} {
		items, err := tlv.Parse(unhex(r.in))
		if !errors.Is(err, tlv.ErrMalformed) || show(items) != r.before {
			t.Errorf("%s: %s, %v", r.name, show(items), err)
		}
	}
}

func TestWalk(t *testing.T) {
	var got []string
	visit := func(depth int, it tlv.Item) error {
		got = append(got, fmt.Sprintf("%d%s", depth, it.Tag))
		return nil
	}
	if err := tlv.Walk(unhex("6F 10 84 02 A000 A5 0A 50 01 41 BF0C 04 9F4D 01 0B"), visit); err != nil {
		t.Fatal(err)
	}
	if s := strings.Join(got, " "); s != "06F 184 1A5 250 2BF0C 39F4D" {
		t.Error(s)
	}
	deep := unhex("5A0101")
	for range tlv.MaxDepth {
		deep = tlv.Append(nil, 0x70, deep)
	}
	if err := tlv.Walk(deep, visit); err != nil {
		t.Errorf("at the deepest: %v", err)
	}
	if err := tlv.Walk(tlv.Append(nil, 0x70, deep), visit); !errors.Is(err, tlv.ErrMalformed) {
		t.Errorf("one deeper: %v", err)
	}
	stop := errors.New("stop")
	if err := tlv.Walk(unhex("7003500141"), func(int, tlv.Item) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("visit's error: %v", err)
	}
	if err := tlv.Walk(unhex("7003500241"), visit); !errors.Is(err, tlv.ErrMalformed) {
		t.Errorf("malformed within: %v", err)
	}
}

func TestTag(t *testing.T) {
	for _, s := range []string{"5A", "9F02", "DF8101", "BF0C"} {
		tag, err := tlv.ParseTag(s)
		if err != nil || tag.String() != s {
			t.Errorf("%s: %s %v", s, tag, err)
		}
		var back map[tlv.Tag]int
		b, err := json.Marshal(map[tlv.Tag]int{tag: 1})
		if err == nil {
			err = json.Unmarshal(b, &back)
		}
		if err != nil || back[tag] != 1 {
			t.Errorf("%s as a key: %s %v", s, b, err)
		}
	}
	for _, s := range []string{"", "5", "GG", "9F", "5A00", "9F0201", "DF818101"} {
		if _, err := tlv.ParseTag(s); !errors.Is(err, tlv.ErrMalformed) {
			t.Errorf("%q: %v", s, err)
		}
	}
	if tlv.Tag(0x5A).Constructed() || !tlv.Tag(0xBF0C).Constructed() || !tlv.Tag(0x70).Constructed() {
		t.Error("constructed")
	}
}

func TestAppend(t *testing.T) {
	for _, n := range []int{0, 1, 127, 128, 255, 256, 65535} {
		b := tlv.Append(nil, 0x9F10, make([]byte, n))
		items, err := tlv.Parse(b)
		if err != nil || len(items) != 1 || len(items[0].Value) != n {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("65536 bytes were written")
		}
	}()
	tlv.Append(nil, 0x9F10, make([]byte, 65536))
}

// Book 3, 5.4: how a value is fitted to the length asked for. 9F02 at lengths 4 and 8 is the case kernels get wrong.
func TestFill(t *testing.T) {
	values := map[tlv.Tag]struct {
		v   string
		pad tlv.Padding
	}{
		0x9F02: {"000000010525", tlv.PadNumeric},
		0x5A:   {"476173900101", tlv.PadCompressedNumeric},
		0x9F1E: {"31323334", tlv.PadOther},
		0x70:   {"5A01FF", tlv.PadOther},
		0x9F03: {"", tlv.PadNumeric},
	}
	for _, r := range []struct{ name, dol, want string }{
		{"as it is", "9F0206", "000000010525"},
		{"numeric, shorter", "9F0204", "00010525"},
		{"numeric, longer", "9F0208", "0000000000010525"},
		{"compressed numeric, shorter", "5A04", "47617390"},
		{"compressed numeric, longer", "5A08", "476173900101FFFF"},
		{"other, shorter", "9F1E02", "3132"},
		{"other, longer", "9F1E06", "313233340000"},
		{"unknown", "9F7A03", "000000"},
		{"constructed", "7003", "000000"},
		{"empty value", "9F0302", "0000"},
		{"length 0", "9F0200", ""},
		{"in the list's order, repeats too", "9F1E01 9F0201 9F1E01", "312531"},
	} {
		dol, err := tlv.ParseDOL(unhex(r.dol))
		if err != nil {
			t.Errorf("%s: %v", r.name, err)
		}
		got := dol.Fill(func(tag tlv.Tag) ([]byte, tlv.Padding, bool) {
			v, ok := values[tag]
			return unhex(v.v), v.pad, ok
		})
		if !bytes.Equal(got, unhex(r.want)) {
			t.Errorf("%s: %X, want %s", r.name, got, r.want)
		}
	}
}

func TestParseDOLRefuses(t *testing.T) {
	for _, in := range []string{"9F", "9F02", "9F0206 5A", "9F02FD", "9F0280 9F0380", "DF81810101"} {
		if _, err := tlv.ParseDOL(unhex(in)); !errors.Is(err, tlv.ErrMalformed) {
			t.Errorf("%s: %v", in, err)
		}
	}
	dol, err := tlv.ParseDOL(unhex("9F02FC"))
	if err != nil || !dol.Has(0x9F02) || dol.Has(0x9F03) {
		t.Errorf("252 bytes: %v %v", dol, err)
	}
}

// What is parsed and written again has the same objects; and written with the shortest lengths, it is the same bytes
// from then on.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"6F168407A0000000031010A50B5009564953412054455354", "00005A021234", "5A8102123400", "DF810101FF", "9F"} {
		f.Add(unhex(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		items, err := tlv.Parse(b)
		if err != nil && !errors.Is(err, tlv.ErrMalformed) {
			t.Fatal(err)
		}
		var out []byte
		for _, it := range items {
			out = tlv.Append(out, it.Tag, it.Value)
		}
		again, err := tlv.Parse(out)
		if err != nil || show(again) != show(items) {
			t.Fatalf("%X: %s became %s, %v", b, show(items), show(again), err)
		}
		if len(out) > len(b) {
			t.Fatalf("%X grew to %X", b, out)
		}
		objects := 0
		if err := tlv.Walk(b, func(depth int, _ tlv.Item) error {
			objects++
			if depth > tlv.MaxDepth || objects > len(b) {
				t.Fatalf("%d objects, depth %d out of %d bytes", objects, depth, len(b))
			}
			return nil
		}); err != nil && !errors.Is(err, tlv.ErrMalformed) {
			t.Fatal(err)
		}
	})
}

// A list gives the bytes it was read from, and asks for exactly as many as its lengths say.
func FuzzParseDOL(f *testing.F) {
	for _, s := range []string{"9F02069F03069F1A0295055F2A029A039C019F3704", "", "9F", "5A08"} {
		f.Add(unhex(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		dol, err := tlv.ParseDOL(b)
		if err != nil {
			if !errors.Is(err, tlv.ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		var back []byte
		total := 0
		for _, w := range dol {
			back = append(append(back, w.Tag.Bytes()...), byte(w.Length))
			total += w.Length
		}
		if !bytes.Equal(back, b) {
			t.Fatalf("%X became %X", b, back)
		}
		value := []byte{1, 2, 3, 4, 5, 6, 7}
		for _, pad := range []tlv.Padding{tlv.PadOther, tlv.PadNumeric, tlv.PadCompressedNumeric} {
			out := dol.Fill(func(tlv.Tag) ([]byte, tlv.Padding, bool) { return value, pad, true })
			if len(out) != total || total > tlv.MaxDOLBytes {
				t.Fatalf("%d bytes of %d", len(out), total)
			}
		}
	})
}

// TestErrorsHoldNoContents: bytes that are no tag may be a piece of an account number.
func TestErrorsHoldNoContents(t *testing.T) {
	_, _, err := tlv.ReadTag([]byte{0x5F, 0x84, 0x96, 0x17})
	if !errors.Is(err, tlv.ErrMalformed) || strings.Contains(err.Error(), "84") {
		t.Errorf("%v", err)
	}
}
