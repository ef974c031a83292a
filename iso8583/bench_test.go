package iso8583_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	moov "github.com/moov-io/iso8583"
	"github.com/moov-io/iso8583/encoding"
	"github.com/moov-io/iso8583/field"
	"github.com/moov-io/iso8583/prefix"

	"tillway/iso8583"
	"tillway/iso8583/dialect/nac"
)

// The benchmarks pack and unpack one 0100 of 18 fields and 225 bytes: ours (a NAC table over moov with our own fields)
// and moov as it is used when only its BCD is replaced by a plain one, which is the peer to beat. Both packs start from
// values and build the message; both unpacks end with fields that can be asked for.

type benchField struct {
	number int
	text   string
}

func benchFields(t testing.TB) []benchField {
	raw := func(s string) string {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	chip := "5F2A02041482023900" + "8407A0000000031010" + "95050080008000" + "9A03260115" + "9C0100" + "9F0206000000012345" +
		"9F0306000000000000" + "9F100706010A03A0A000" + "9F1A020414" + "9F1E083132333435363738" + "9F26088A3B5C7D9E0F1122" +
		"9F270180" + "9F3303E0F0C8" + "9F3403420300" + "9F350122" + "9F360201A7" + "9F3704DEADBEEF"
	return []benchField{
		{3, "000000"},
		{4, "000000012345"},
		{11, "000123"},
		{12, "104500"},
		{13, "0115"},
		{14, "2812"},
		{22, "051"},
		{23, "001"},
		{24, "003"},
		{25, "00"},
		{35, "4761739001010119D28122011758989389"},
		{41, "TERM0001"},
		{42, "MERCHANT0000012"},
		{49, "414"},
		{52, raw("0123456789ABCDEF")},
		{55, raw(chip)},
		{62, "000042"},
		{64, raw("1122334455667788")},
	}
}

func benchCodec(t testing.TB) *iso8583.Codec {
	table := nac.Table(nac.Settings{})
	table.TPDU = false
	c, err := iso8583.Compile(table)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func packOurs(c *iso8583.Codec, fields []benchField) ([]byte, error) {
	m := iso8583.NewMessage("0100")
	for _, f := range fields {
		m.Set(f.number, f.text)
	}
	return c.Pack(m)
}

func packMoov(spec *moov.MessageSpec, fields []benchField) ([]byte, error) {
	m := moov.NewMessage(spec)
	m.MTI("0100")
	for _, f := range fields {
		if err := m.Field(f.number, f.text); err != nil {
			return nil, err
		}
	}
	return m.Pack()
}

func TestBenchmarkedMessagesAreTheSame(t *testing.T) {
	fields := benchFields(t)
	ours, err := packOurs(benchCodec(t), fields)
	if err != nil {
		t.Fatal(err)
	}
	peer, err := packMoov(peerSpec(), fields)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(ours, peer) || len(ours) != 225 {
		t.Errorf("ours %d bytes, moov %d bytes, want the same 225:\n%X\n%X", len(ours), len(peer), ours, peer)
	}
}

func BenchmarkPack(b *testing.B) {
	fields := benchFields(b)
	b.Run("ours", func(b *testing.B) {
		c := benchCodec(b)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := packOurs(c, fields); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("moov", func(b *testing.B) {
		spec := peerSpec()
		b.ReportAllocs()
		for b.Loop() {
			if _, err := packMoov(spec, fields); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkUnpack(b *testing.B) {
	frame, err := packMoov(peerSpec(), benchFields(b))
	if err != nil {
		b.Fatal(err)
	}
	b.Run("ours", func(b *testing.B) {
		c := benchCodec(b)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.Unpack(frame); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("moov", func(b *testing.B) {
		spec := peerSpec()
		b.ReportAllocs()
		for b.Loop() {
			m := moov.NewMessage(spec)
			if err := m.Unpack(frame); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// plainBCD is moov's BCD without the hash tables that its own builds on every call.
type plainBCD struct{}

func (plainBCD) Encode(digits []byte) ([]byte, error) {
	out := make([]byte, (len(digits)+1)/2)
	at := len(digits) % 2
	for _, c := range digits {
		if c < '0' || c > '9' {
			return nil, errors.New("no digit")
		}
		out[at/2] = out[at/2]<<4 | (c - '0')
		at++
	}
	return out, nil
}

func (plainBCD) Decode(data []byte, n int) ([]byte, int, error) {
	size := (n + 1) / 2
	if size > len(data) {
		return nil, 0, errors.New("too short")
	}
	out := make([]byte, 2*size)
	for i, c := range data[:size] {
		if c>>4 > 9 || c&15 > 9 {
			return nil, 0, errors.New("no digit")
		}
		out[2*i], out[2*i+1] = '0'+c>>4, '0'+c&15
	}
	return out[2*size-n:], size, nil
}

// plainTrack packs an even track 2.
type plainTrack struct{}

func (plainTrack) Encode(b []byte) ([]byte, error) {
	out := make([]byte, len(b)/2)
	_, err := hex.Decode(out, b)
	return out, err
}

func (plainTrack) Decode(data []byte, n int) ([]byte, int, error) {
	if n/2 > len(data) {
		return nil, 0, errors.New("too short")
	}
	return []byte(strings.ToUpper(hex.EncodeToString(data[:n/2]))), n / 2, nil
}

type plainLength struct{ digits int }

func (p plainLength) EncodeLength(most, n int) ([]byte, error) {
	if n > most {
		return nil, fmt.Errorf("length %d over %d", n, most)
	}
	return plainBCD{}.Encode(fmt.Appendf(nil, "%0*d", p.digits, n))
}

func (p plainLength) DecodeLength(most int, data []byte) (length, read int, err error) {
	digits, read, err := plainBCD{}.Decode(data, p.digits)
	if err != nil {
		return 0, 0, err
	}
	for _, c := range digits {
		length = length*10 + int(c-'0')
	}
	if length > most {
		return 0, 0, fmt.Errorf("length %d over %d", length, most)
	}
	return length, read, nil
}

func (plainLength) Inspect() string { return "plain" }

func peerSpec() *moov.MessageSpec {
	n := func(l int) field.Field {
		return field.NewString(&field.Spec{Length: l, Enc: plainBCD{}, Pref: prefix.BCD.Fixed})
	}
	an := func(l int) field.Field {
		return field.NewString(&field.Spec{Length: l, Enc: encoding.ASCII, Pref: prefix.ASCII.Fixed})
	}
	b := func(l int) field.Field {
		return field.NewBinary(&field.Spec{Length: l, Enc: encoding.Binary, Pref: prefix.Binary.Fixed})
	}
	return &moov.MessageSpec{Fields: map[int]field.Field{
		0: n(4), 1: field.NewBitmap(&field.Spec{Enc: encoding.Binary, Pref: prefix.Binary.Fixed}),
		3: n(6), 4: n(12), 11: n(6), 12: n(6), 13: n(4), 14: n(4), 22: n(3), 23: n(3), 24: n(3), 25: n(2),
		35: field.NewString(&field.Spec{Length: 37, Enc: plainTrack{}, Pref: plainLength{2}}),
		41: an(8), 42: an(15), 49: n(3), 52: b(8),
		55: field.NewBinary(&field.Spec{Length: 255, Enc: encoding.Binary, Pref: plainLength{3}}),
		62: field.NewString(&field.Spec{Length: 999, Enc: encoding.ASCII, Pref: plainLength{3}}),
		64: b(8),
	}}
}
