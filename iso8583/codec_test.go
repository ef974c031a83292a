package iso8583_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	moov "github.com/moov-io/iso8583"

	"tillway/emv"
	"tillway/emv/tlv"
	"tillway/iso8583"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// small is a table with one field of every sort.
func small() iso8583.Table {
	return iso8583.Table{
		Name: "small",
		Fields: []iso8583.Field{
			{Number: 2, Name: "left", Length: iso8583.LLBCD, Padding: iso8583.ZeroLeft, Max: 19, Mask: iso8583.MaskPAN},
			{Number: 3, Name: "six", Max: 6},
			{Number: 22, Name: "three", Padding: iso8583.ZeroLeft, Max: 3},
			{Number: 32, Name: "right", Length: iso8583.LLBCD, Padding: iso8583.FillerRight, Max: 11},
			{Number: 35, Name: "track", Kind: iso8583.Track2, Length: iso8583.LLBCD, Padding: iso8583.FillerRight, Max: 37, Mask: iso8583.MaskTrack},
			{Number: 37, Name: "text", Kind: iso8583.Text, Encoding: iso8583.ASCII, Padding: iso8583.SpaceRight, Max: 12},
			{Number: 39, Name: "code", Kind: iso8583.Text, Encoding: iso8583.ASCII, Max: 2},
			{Number: 48, Name: "long", Kind: iso8583.Text, Encoding: iso8583.ASCII, Length: iso8583.LLLBCD, Max: 400},
			{Number: 52, Name: "bytes", Kind: iso8583.Binary, Encoding: iso8583.Raw, Max: 8, Mask: iso8583.MaskAll},
			{Number: 55, Name: "chip", Kind: iso8583.Binary, Encoding: iso8583.Raw, Length: iso8583.LLLBCD, Max: 255, Mask: iso8583.MaskTags},
			{Number: 70, Name: "second", Padding: iso8583.ZeroLeft, Max: 3},
		},
	}
}

func compile(t testing.TB, table iso8583.Table) *iso8583.Codec {
	t.Helper()
	c, err := iso8583.Compile(table)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestPackAndUnpack(t *testing.T) {
	zero := small()
	zero.Track2Filler = iso8583.FillerZero
	for _, tt := range []struct {
		name  string
		table iso8583.Table
		set   map[int]string
		read  map[int]string // where it differs from set
		wire  string         // behind the MTI
	}{
		{"no fields", small(), nil, nil, "0000000000000000"},
		{"six digits", small(), map[int]string{3: "012345"}, nil, "2000000000000000 012345"},
		{"odd number of digits, zero first", small(), map[int]string{22: "051"}, nil, "0000040000000000 0051"},
		{"short number", small(), map[int]string{22: "5"}, map[int]string{22: "005"}, "0000040000000000 0005"},
		{"zeros are kept", small(), map[int]string{3: "000001", 22: "000"}, nil, "2000040000000000 000001 0000"},
		{"even account number", small(), map[int]string{2: "4761739001010119"}, nil, "4000000000000000 16 4761739001010119"},
		{"odd account number", small(), map[int]string{2: "371449635398431"}, nil, "4000000000000000 15 0371449635398431"},
		{"odd number, filler last", small(), map[int]string{32: "12345"}, nil, "0000000100000000 05 12345F"},
		{"even track", small(), map[int]string{35: "4761739001010119D28122011758989389"}, nil, "0000000020000000 34 4761739001010119D28122011758989389"},
		{"odd track, filler F", small(), map[int]string{35: "12345678D281"}, nil, "0000000020000000 12 12345678D281"},
		{"odd track, filler 0", zero, map[int]string{35: "12345678D28"}, nil, "0000000020000000 11 12345678D280"},
		{"empty variable field", small(), map[int]string{55: ""}, nil, "0000000000000200 0000"},
		{"text with spaces", small(), map[int]string{37: "AB"}, map[int]string{37: "AB          "}, "0000000008000000 414220202020202020202020"},
		{"any bytes are text", small(), map[int]string{39: "\x00\xff"}, nil, "0000000002000000 00FF"},
		{"bytes", small(), map[int]string{52: "\x01\x23\x45\x67\x89\xab\xcd\xef"}, nil, "0000000000001000 0123456789ABCDEF"},
		{"second bitmap", small(), map[int]string{3: "920000", 70: "301"}, nil, "A000000000000000 0400000000000000 920000 0301"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := compile(t, tt.table)
			m := iso8583.NewMessage("0800")
			for n, v := range tt.set {
				m.Set(n, v)
			}
			got, err := c.Pack(m)
			if err != nil {
				t.Fatal(err)
			}
			if want := unhex(t, "0800"+tt.wire); !bytes.Equal(got, want) {
				t.Fatalf("packed\n%X, want\n%X", got, want)
			}
			back, err := c.Unpack(got)
			if err != nil {
				t.Fatal(err)
			}
			if len(back.Fields()) != len(tt.set) {
				t.Errorf("%d fields, want %d", len(back.Fields()), len(tt.set))
			}
			for n, want := range tt.set {
				if w, ok := tt.read[n]; ok {
					want = w
				}
				if got, ok := back.Get(n); !ok || got != want {
					t.Errorf("field %d is %q, want %q", n, got, want)
				}
			}
		})
	}
}

// Both fillers are read, remembered, and written as they were, whatever the table packs with.
func TestFillerIsRemembered(t *testing.T) {
	c := compile(t, small())
	for _, wire := range []string{"0000000020000000 11 12345678D28F", "0000000020000000 11 12345678D280"} {
		frame := unhex(t, "0200"+wire)
		m, err := c.Unpack(frame)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := m.Get(35); got != "12345678D28" {
			t.Errorf("track is %d long, want 11 without filler", len(got))
		}
		if again, err := c.Pack(m); err != nil || !bytes.Equal(again, frame) {
			t.Errorf("packed again %X (%v), want %X", again, err, frame)
		}
		m.Set(35, "87654321D28")
		if again, err := c.Pack(m); err != nil || !bytes.HasSuffix(again, []byte{0x8F}) {
			t.Errorf("a new value has the old filler: %X (%v)", again, err)
		}
	}
}

// Some hosts always send two bitmaps. It comes back as it came.
func TestSecondBitmapWithoutFields(t *testing.T) {
	c := compile(t, small())
	frame := unhex(t, "0810 A000000002000000 0000000000000000 920000 3030")
	m, err := c.Unpack(frame)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := c.Pack(m); err != nil || !bytes.Equal(again, frame) {
		t.Errorf("packed again %X (%v), want %X", again, err, frame)
	}
	m, err = c.Unpack(unhex(t, "0810 2000000002000000 920000 3030"))
	if err != nil {
		t.Fatal(err)
	}
	if again, err := c.Pack(m); err != nil || len(again) != 15 {
		t.Errorf("the next message is packed with %d bytes (%v), want 15", len(again), err)
	}
}

func TestUnpackRefuses(t *testing.T) {
	for _, tt := range []struct {
		name, wire string
		field      int
		reason     string
	}{
		{"nothing", "", 0, "2"},
		{"half an MTI", "02", 0, "1 bytes left"},
		{"MTI with a letter", "02A0 0000000000000000", 0, "no digit"},
		{"no bitmap", "0200", 1, "8 bytes, 0 left"},
		{"half a bitmap", "0200 20000000", 1, "8 bytes, 4 left"},
		{"half a second bitmap", "0200 A000000000000000 00000000", 1, "16 bytes, 12 left"},
		{"a third bitmap", "0200 A000000000000000 8000000000000000 0000000000000000 000000", 1, "third"},
		{"a field without a row", "0200 0800000000000000 000000", 5, "no such field"},
		{"a high field without a row", "0200 8000000000000000 0000000000000001 00", 128, "no such field"},
		{"short number", "0200 2000000000000000 0123", 3, "6 digits in 3 bytes, 2 bytes left"},
		{"digit that is none", "0200 2000000000000000 01234A", 3, "nibble 6"},
		{"spare nibble not zero", "0200 0000040000000000 1051", 22, "spare nibble"},
		{"account number longer than its row", "0200 4000000000000000 20 00000000000000000000", 2, "length 20, at most 19"},
		{"length that is no number", "0200 4000000000000000 1A 0000000000000000", 2, "not a number"},
		{"length of 0x1234 with a high nibble", "0200 0000000000010000 F001 41", 48, "not a number"},
		{"length over three digits", "0200 0000000000010000 1001 41", 48, "length 1001, at most 400"},
		{"length but no value", "0200 0000000000010000 0100", 48, "100 bytes of value, 0 left"},
		{"no length", "0200 0000000000010000 01", 48, "length prefix of 2 bytes, 1 left"},
		{"filler that is none", "0200 0000000020000000 11 12345678D281", 35, "filler"},
		{"track with two fillers", "0200 0000000020000000 12 12345678D2FF", 35, "no digit"},
		{"track with a letter", "0200 0000000020000000 12 12345678C281", 35, "no digit"},
		{"separator in a number", "0200 2000000000000000 0123D5", 3, "no digit"},
		{"trailing byte", "0200 2000000000000000 012345 00", -1, "1 bytes behind"},
		{"trailing frame", "0200 2000000000000000 012345 0200 2000000000000000 012345", -1, "13 bytes behind"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := compile(t, small()).Unpack(unhex(t, tt.wire))
			refused(t, err, tt.field, tt.reason, iso8583.ErrMalformed)
		})
	}
	_, err := compile(t, small()).Unpack(make([]byte, iso8583.MaxFrame+1))
	refused(t, err, -1, "at most 8192", iso8583.ErrMalformed)
	withTPDU := small()
	withTPDU.TPDU = true
	_, err = compile(t, withTPDU).Unpack([]byte{0x60, 0, 3})
	refused(t, err, -1, "a TPDU has 5", iso8583.ErrMalformed)
}

func refused(t *testing.T, err error, field int, reason string, kind error) {
	t.Helper()
	e, ok := errors.AsType[*iso8583.Error](err)
	if !ok || !errors.Is(err, kind) {
		t.Fatalf("error %v, want an *Error that is %v", err, kind)
	}
	if e.Field != field || !strings.Contains(e.Reason, reason) {
		t.Fatalf("field %d: %s; want field %d: …%s…", e.Field, e.Reason, field, reason)
	}
}

func TestPackRefuses(t *testing.T) {
	for _, tt := range []struct {
		name   string
		mti    string
		field  int
		value  string
		want   int
		reason string
	}{
		{"MTI too short", "200", 3, "000000", 0, "length 3, must be 4"},
		{"MTI with a letter", "02x0", 3, "000000", 0, "no digit"},
		{"no such row", "0200", 4, "000000", 4, "no such field"},
		{"short number without padding", "0200", 3, "12345", 3, "length 5, must be 6"},
		{"long number", "0200", 3, "1234567", 3, "length 7, must be 6"},
		{"long number with padding", "0200", 22, "1234", 22, "length 4, must be 3"},
		{"empty number", "0200", 22, "", 22, "length 0, must be 3"},
		{"letter in a number", "0200", 3, "12345A", 3, "character 6 of 6"},
		{"separator in a number", "0200", 3, "12345D", 3, "character 6 of 6"},
		{"account number too long", "0200", 2, "12345678901234567890", 2, "length 20, at most 19"},
		{"track with the other separator", "0200", 35, "12345678=2812", 35, "character 9 of 13"},
		{"track with filler", "0200", 35, "12345678D281F", 35, "character 13 of 13"},
		{"text too long", "0200", 37, "1234567890123", 37, "length 13, must be 12"},
		{"text too short, no padding", "0200", 39, "0", 39, "length 1, must be 2"},
		{"bytes too few", "0200", 52, "1234567", 52, "length 7, must be 8"},
		{"long text too long", "0200", 48, strings.Repeat("A", 401), 48, "length 401, at most 400"},
		{"more than any frame", "0200", 48, strings.Repeat("A", iso8583.MaxFrame), -1, "at most 8192"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := compile(t, small())
			m := iso8583.NewMessage(tt.mti)
			m.Set(tt.field, tt.value)
			_, err := c.Pack(m)
			refused(t, err, tt.want, tt.reason, iso8583.ErrValue)
			// What was refused leaves nothing behind.
			good := iso8583.NewMessage("0200")
			good.Set(3, "012345")
			if got, err := c.Pack(good); err != nil || !bytes.Equal(got, unhex(t, "0200 2000000000000000 012345")) {
				t.Errorf("the next message is %X (%v)", got, err)
			}
		})
	}
	c := compile(t, small())
	m := iso8583.NewMessage("0200")
	m.TPDU = make([]byte, 5)
	_, err := c.Pack(m)
	refused(t, err, -1, "TPDU of 5 bytes, the table wants 0", iso8583.ErrValue)
}

func TestCompileRefuses(t *testing.T) {
	for _, tt := range []struct {
		name string
		row  iso8583.Field
		want string
	}{
		{"the bitmap", iso8583.Field{Number: 1, Max: 2}, "2 to 128"},
		{"the third bitmap", iso8583.Field{Number: 65, Max: 2}, "2 to 128"},
		{"beyond", iso8583.Field{Number: 129, Max: 2}, "2 to 128"},
		{"twice", iso8583.Field{Number: 3, Max: 6}, "twice"},
		{"no length", iso8583.Field{Number: 4}, "length 0"},
		{"two digits cannot say 100", iso8583.Field{Number: 4, Length: iso8583.LLBCD, Padding: iso8583.ZeroLeft, Max: 100}, "1 to 99"},
		{"three digits cannot say 1000", iso8583.Field{Number: 4, Kind: iso8583.Text, Encoding: iso8583.ASCII, Length: iso8583.LLLASCII, Max: 1000}, "1 to 999"},
		{"odd digits without padding", iso8583.Field{Number: 4, Max: 3}, "needs a padding"},
		{"text in BCD", iso8583.Field{Number: 4, Kind: iso8583.Text, Max: 4}, "no such encoding"},
		{"bytes in ASCII", iso8583.Field{Number: 4, Kind: iso8583.Binary, Encoding: iso8583.ASCII, Max: 4}, "no such encoding"},
		{"zeros before text", iso8583.Field{Number: 4, Kind: iso8583.Text, Encoding: iso8583.ASCII, Padding: iso8583.ZeroLeft, Max: 4}, "for numbers"},
		{"spaces behind a number", iso8583.Field{Number: 4, Padding: iso8583.SpaceRight, Max: 4}, "for fixed text"},
		{"filler in ASCII", iso8583.Field{Number: 4, Encoding: iso8583.ASCII, Padding: iso8583.FillerRight, Max: 4}, "for BCD"},
		{"a kind that is none", iso8583.Field{Number: 4, Kind: 9, Max: 4}, "no such encoding"},
		{"a length that is none", iso8583.Field{Number: 4, Length: 9, Padding: iso8583.ZeroLeft, Max: 4}, "such length"},
		{"a padding that is none", iso8583.Field{Number: 4, Padding: 9, Max: 4}, "such padding"},
	} {
		table := small()
		table.Fields = append(table.Fields, tt.row)
		if _, err := iso8583.Compile(table); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want …%s…", tt.name, err, tt.want)
		}
	}
}

// moov's own table of ISO 8583:1987 in ASCII, which we did not write, packs and reads the same messages as ours does.
func TestCharacterTableAgreesWithMoov(t *testing.T) {
	number := func(n, most int) iso8583.Field {
		return iso8583.Field{Number: n, Encoding: iso8583.ASCII, Padding: iso8583.ZeroLeft, Max: most}
	}
	text := func(n, most int, l iso8583.Length) iso8583.Field {
		return iso8583.Field{Number: n, Kind: iso8583.Text, Encoding: iso8583.ASCII, Length: l, Max: most}
	}
	table := iso8583.Table{Name: "ascii", CharacterHeader: true, Fields: []iso8583.Field{
		{Number: 2, Encoding: iso8583.ASCII, Length: iso8583.LLASCII, Max: 19},
		number(3, 6), number(4, 12), number(11, 6), number(22, 3),
		{Number: 35, Kind: iso8583.Track2, Encoding: iso8583.ASCII, Length: iso8583.LLASCII, Max: 37},
		text(37, 12, iso8583.Fixed), text(48, 999, iso8583.LLLASCII), number(70, 3),
	}}
	values := map[int]string{
		2: "4761739001010119", 3: "201234", 4: "000000010525", 11: "000123", 22: "051", 37: "620410000123",
		48: "PRIVATE", 70: "301",
	}
	ours, peer := iso8583.NewMessage("0200"), moov.NewMessage(moov.Spec87)
	peer.MTI("0200")
	for n, v := range values {
		ours.Set(n, v)
		if err := peer.Field(n, v); err != nil {
			t.Fatal(err)
		}
	}
	c := compile(t, table)
	got, err := c.Pack(ours)
	if err != nil {
		t.Fatal(err)
	}
	want, err := peer.Pack()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("packed\n%s, moov packs\n%s", got, want)
	}
	back, err := c.Unpack(want)
	if err != nil {
		t.Fatal(err)
	}
	for n, v := range values {
		if got, _ := back.Get(n); got != v {
			t.Errorf("field %d is %q, want %q", n, got, v)
		}
	}
	for name, bad := range map[string]string{
		"lower-case bitmap":     "0200200000000000000a000000",
		"bitmap of other signs": "0200G000000000000000",
		"third bitmap":          "0200A0000000000000008000000000000000000000",
		"letter in a number":    "0200200000000000000000000A",
		"length with a sign":    "02004000000000000000-112",
	} {
		if _, err := c.Unpack([]byte(bad)); !errors.Is(err, iso8583.ErrMalformed) {
			t.Errorf("%s: error %v, want ErrMalformed", name, err)
		}
	}
}

func TestMessage(t *testing.T) {
	m := iso8583.NewMessage("0200")
	for _, n := range []int{39, 3, 128, 11, 3} {
		m.Set(n, fmt.Sprint(n))
	}
	m.SetBytes(2, []byte("12345678"))
	if got, want := m.Fields(), []int{2, 3, 11, 39, 128}; !slices.Equal(got, want) {
		t.Errorf("fields %v, want %v", got, want)
	}
	m.Delete(11)
	m.Delete(12)
	if m.Has(11) || !m.Has(39) {
		t.Error("field 11 is there, or 39 is not")
	}
	if _, ok := m.Get(11); ok {
		t.Error("field 11 has a value")
	}
	b, ok := m.Bytes(2)
	if !ok || string(b) != "12345678" {
		t.Errorf("field 2 is %q", b)
	}
	b[0] = 'X'
	if got, _ := m.Get(2); got != "12345678" {
		t.Error("Bytes gives the message's own memory")
	}
	if _, ok := m.Bytes(11); ok {
		t.Error("field 11 has bytes")
	}
	m.SetMTI("0201")
	if m.MTI() != "0201" {
		t.Errorf("MTI %s", m.MTI())
	}
	for _, n := range []int{0, 1, 129, -1} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("field %d can be set", n)
				}
			}()
			m.Set(n, "")
		}()
	}
}

// A message shows numbers and lengths, however it is printed.
func TestMessagePrintsNoValues(t *testing.T) {
	m := iso8583.NewMessage("0200")
	m.Set(2, "4761739001010119")
	m.Set(35, "4761739001010119D2812")
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "m", *m, "p", m)
	shown := fmt.Sprint(m, *m) + fmt.Sprintf("%v %+v %#v %s %q %x %d %#v", m, m, m, m, m, m, m, *m) + log.String()
	if strings.Contains(shown, "4761739") || strings.Contains(shown, hex.EncodeToString([]byte("4761739"))) {
		t.Errorf("shows the account number: %s", shown)
	}
	if !strings.Contains(m.String(), "0200 2(16) 35(21)") {
		t.Errorf("String is %q", m.String())
	}
}

// One codec serves many goroutines, each with its own values.
func TestCodecIsSafeForConcurrentUse(t *testing.T) {
	c := compile(t, small())
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 200 {
				m := iso8583.NewMessage("0200")
				want := fmt.Sprintf("%03d%03d", i, j)
				m.Set(3, want)
				if j%3 == 0 {
					m.Set(35, want+"99D2812")
				}
				b, err := c.Pack(m)
				if err != nil {
					t.Error(err)
					return
				}
				back, err := c.Unpack(b)
				if err != nil {
					t.Error(err)
					return
				}
				if got, _ := back.Get(3); got != want || back.Has(35) != (j%3 == 0) {
					t.Errorf("field 3 is %s, want %s", got, want)
				}
			}
		})
	}
	wg.Wait()
}

func TestDescribeFindsTheFraming(t *testing.T) {
	table := small()
	table.TPDU = true
	c := compile(t, table)
	body := "0800 2000000000000000 920000"
	for name, wire := range map[string]string{
		"bare":                 body,
		"with TPDU":            "6000030000" + body,
		"with length":          "000D" + body,
		"with length and TPDU": "0012 6000030000" + body,
	} {
		frame := unhex(t, wire)
		d, err := c.Describe(frame, true)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := unhex(t, d.Reencoded); !bytes.Equal(got, frame) || d.Fields["3"] != "920000" {
			t.Errorf("%s: reencoded %X, want %X", name, got, frame)
		}
		if d.Prefixed != strings.Contains(name, "length") || (d.TPDU != "") != strings.Contains(name, "TPDU") {
			t.Errorf("%s: prefixed %v, TPDU %q", name, d.Prefixed, d.TPDU)
		}
	}
	for name, wire := range map[string]string{
		"nothing": "", "a byte": "60", "wrong length": "0011 6000030000" + body, "garbage": "FFFFFFFFFFFFFFFFFFFF",
		"one byte too many": "6000030000" + body + "00",
	} {
		if _, err := c.Describe(unhex(t, wire), false); !errors.Is(err, iso8583.ErrMalformed) {
			t.Errorf("%s: error %v, want ErrMalformed", name, err)
		}
	}
	if _, err := c.Describe(make([]byte, 70_000), false); !errors.Is(err, iso8583.ErrMalformed) {
		t.Errorf("70000 bytes: error %v", err)
	}
}

func TestDescribeMasks(t *testing.T) {
	c := compile(t, small())
	for _, tt := range []struct {
		name  string
		field int
		value string
		want  string
	}{
		{"account number of 16", 2, "4761739001010119", "476173******0119"},
		{"account number of 12", 2, "476173900101", "********0101"},
		{"account number of 3", 2, "476", "***"},
		{"track", 35, "4761739001010119D2812201", "476173******0119D***"},
		{"track without separator", 35, "47617390", "********"},
		{"PIN data", 52, "\x01\x23\x45\x67\x89\xab\xcd\xef", "****************"},
		{"code of printable text", 39, "00", "00"},
		{"code of other bytes", 39, "\x00\xff", "00FF"},
		{"chip: PAN, track and name", 55, "\x5A\x02\x47\x61\x9A\x01\x26\x57\x01\x11\x5F\x20\x01\x41", "5A02****9A01265701**5F2001**"},
		{"chip: in a template", 55, "\x70\x04\x5A\x02\x47\x61\x9A\x01\x26", "70045A02****9A0126"},
		{"chip: zeros between", 55, "\x00\x5A\x02\x47\x61\x00", "005A02****00"},
		{"chip: cut off", 55, "\x9A\x01\x26\x57\x10\x47\x61", "9A0126********"},
		{"chip: length of four bytes", 55, "\x57\x84\x00\x00\x00\x01\x47", "**************"},
		{"chip: length of two bytes", 55, "\x5A\x82\x00\x01\x47\x9A\x00", "5A820001**9A00"},
		{"chip: tag without end", 55, "\x9F\xFF\xFF\xFF\xFF", "**********"},
	} {
		m := iso8583.NewMessage("0200")
		m.Set(tt.field, tt.value)
		frame, err := c.Pack(m)
		if err != nil {
			t.Fatal(err)
		}
		d, err := c.Describe(frame, false)
		if err != nil {
			t.Fatal(err)
		}
		if got := d.Fields[fmt.Sprint(tt.field)]; got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
		if !strings.Contains(d.String(), tt.want) {
			t.Errorf("%s: not in the text\n%s", tt.name, d)
		}
	}
}

// DE 55 is masked by the same list of tags that the journal and the log go by.
func TestMaskedTagsAreTheSecretTags(t *testing.T) {
	c := compile(t, small())
	for tag := range tlv.Tag(0x9FFF) {
		b := tag.Bytes()
		if got, n, err := tlv.ReadTag(b); err != nil || n != len(b) || got != tag || tag == 0 || tag.Constructed() {
			continue
		}
		m := iso8583.NewMessage("0200")
		m.SetBytes(55, tlv.Append(nil, tag, []byte{0x12}))
		frame, err := c.Pack(m)
		if err != nil {
			t.Fatal(err)
		}
		d, err := c.Describe(frame, false)
		if err != nil {
			t.Fatal(err)
		}
		if masked := strings.HasSuffix(d.Fields["55"], "**"); masked != emv.SecretTag(tag) {
			t.Errorf("tag %s masked %v, secret %v", tag, masked, emv.SecretTag(tag))
		}
	}
}
