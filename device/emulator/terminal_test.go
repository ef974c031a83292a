package emulator_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"

	"tillway/device/emulator"
	"tillway/emv"
	"tillway/emv/cryptogram"
	"tillway/emv/tlv"
)

// terminal is the smallest terminal that can bring a card through a sale, written for these tests: it follows the lists
// that the card gives out and knows nothing of the emulator.
type terminal struct {
	t        testing.TB
	transmit func(apdu []byte) []byte
	data     emv.Data
	afl      []byte
	static   []byte // static data to be authenticated (Book 3, 10.3), of files 1 to 10
}

func insert(t testing.TB, name string) *terminal {
	t.Helper()
	return insertCard(t, emulator.NewCard(ready(t, name)))
}

func insertCard(t testing.TB, card *emulator.Card) *terminal {
	t.Helper()
	card.Reset()
	return newTerminal(t, card.Transmit)
}

func newTerminal(t testing.TB, transmit func([]byte) []byte) *terminal {
	t.Helper()
	term := &terminal{t: t, transmit: transmit}
	for tag, value := range map[tlv.Tag]string{
		0x9F02: "000000010525", 0x9F03: "000000000000", 0x9F1A: "0414", 0x95: "8000008000", 0x5F2A: "0414",
		0x9A: "261123", 0x9C: "00", 0x9F37: "D3173A1F", 0x9F33: "E0F8C8", 0x9F35: "21", 0x9F34: "1F0002",
	} {
		term.data.Put(tag, unhex(t, value))
	}
	return term
}

func ready(t testing.TB, name string) emulator.Profile {
	t.Helper()
	p, err := emulator.Ready(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// send gives the response data and demands the status word.
func (x *terminal) send(want uint16, apdu []byte) []byte {
	x.t.Helper()
	r := x.transmit(apdu)
	if len(r) < 2 {
		x.t.Fatalf("%X: no answer", apdu[:min(5, len(apdu))])
	}
	if sw := binary.BigEndian.Uint16(r[len(r)-2:]); sw != want {
		x.t.Fatalf("%X: status %04X, want %04X", apdu[:min(5, len(apdu))], sw, want)
	}
	return r[:len(r)-2]
}

func hexOf(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) }

// command is a short command APDU with Le 00.
func command(cla, ins, p1, p2 byte, data []byte) []byte {
	c := []byte{cla, ins, p1, p2}
	if len(data) > 0 {
		c = append(append(c, byte(len(data))), data...)
	}
	return append(c, 0)
}

// absorb keeps every primitive data object of an answer, opening templates.
func (x *terminal) absorb(b []byte) {
	x.t.Helper()
	err := tlv.Walk(b, func(_ int, it tlv.Item) error {
		if !it.Tag.Constructed() {
			x.data.Put(it.Tag, it.Value)
		}
		return nil
	})
	if err != nil {
		x.t.Fatal(err)
	}
}

func (x *terminal) fill(list tlv.Tag) []byte {
	x.t.Helper()
	dol, err := tlv.ParseDOL(x.data.Value(list))
	if err != nil {
		x.t.Fatal(err)
	}
	return dol.Fill(func(tag tlv.Tag) ([]byte, tlv.Padding, bool) {
		v, ok := x.data.Get(tag)
		return v, tlv.PadOther, ok
	})
}

// read selects the application, starts the transaction and reads all records.
func (x *terminal) read(aid string) {
	x.t.Helper()
	x.absorb(x.send(0x9000, command(0x00, 0xA4, 4, 0, unhex(x.t, aid))))
	x.start()
	for e := range bytesOf(x.afl, 4) {
		for n := e[1]; n <= e[2]; n++ {
			r := x.send(0x9000, command(0x00, 0xB2, n, e[0]|4, nil))
			x.absorb(r)
			if items, err := tlv.Parse(r); err == nil && n < e[1]+e[3] {
				x.static = append(x.static, items[0].Value...)
			}
		}
	}
	if bytes.Equal(x.data.Value(0x9F4A), []byte{0x82}) {
		x.static = append(x.static, x.data.Value(0x82)...)
	}
}

func bytesOf(b []byte, n int) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for ; len(b) >= n; b = b[n:] {
			if !yield(b[:n]) {
				return
			}
		}
	}
}

func (x *terminal) start() {
	x.t.Helper()
	r := x.send(0x9000, command(0x80, 0xA8, 0, 0, tlv.Append(nil, 0x83, x.fill(0x9F38))))
	if r[0] == 0x80 {
		x.data.Put(0x82, r[2:4])
		x.afl = bytes.Clone(r[4:])
		return
	}
	x.absorb(r)
	x.afl = x.data.Value(0x94)
}

// ask sends GENERATE AC and takes the answer apart.
func (x *terminal) ask(kind byte, list tlv.Tag) byte {
	x.t.Helper()
	r := x.send(0x9000, command(0x80, 0xAE, kind, 0, x.fill(list)))
	if r[0] == 0x77 {
		x.absorb(r)
	} else {
		x.data.Put(0x9F27, r[2:3])
		x.data.Put(0x9F36, r[3:5])
		x.data.Put(0x9F26, r[5:13])
		x.data.Put(0x9F10, r[13:])
	}
	return x.data.Value(0x9F27)[0]
}

// issuer is the other holder of the key.
func (x *terminal) issuer() cryptogram.Keys {
	x.t.Helper()
	imk := "2315208C9110AD402315208C9110AD40"
	if x.data.Value(0x9F10)[2] == 0x12 {
		imk = "0123456789ABCDEFFEDCBA9876543210"
	}
	keys, err := cryptogram.ForCard(unhex(x.t, imk), hex.EncodeToString(x.data.Value(0x5A)), hex.EncodeToString(x.data.Value(0x5F34)))
	if err != nil {
		x.t.Fatal(err)
	}
	return keys
}

// answer is what the issuer says to this ARQC, which must be right.
func (x *terminal) answer(arc string) []byte {
	x.t.Helper()
	if err := x.issuer().Verify(x.data); err != nil {
		x.t.Fatalf("ARQC: %v", err)
	}
	reply := cryptogram.Reply{ARC: [2]byte([]byte(arc))}
	if arc == "00" {
		reply.CSU[1] = 0x80
	}
	b, err := x.issuer().Answer(x.data, reply)
	if err != nil {
		x.t.Fatal(err)
	}
	x.data.Put(0x8A, []byte(arc))
	return b
}
