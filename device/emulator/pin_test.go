package emulator_test

import (
	"fmt"
	"math/big"
	"strings"
	"testing"

	"tillway/device/emulator"
	"tillway/device/secure/x9"
	"tillway/emv/cryptogram"
)

func plainPIN(t *testing.T, pin string) []byte {
	t.Helper()
	return unhex(t, fmt.Sprintf("2%X%s%s", len(pin), pin, strings.Repeat("F", 14-len(pin))))
}

// Book 3, 6.5.12: tries are counted over resets, a right PIN gives them back, and none is looked at any more when they are
// used up. The issuer reads it in the CVR.
func TestPlaintextPIN(t *testing.T) {
	card := emulator.NewCard(ready(t, "pin-plain"))
	try := func(x *terminal, pin string, want uint16) {
		t.Helper()
		x.send(want, command(0x00, 0x20, 0, 0x80, plainPIN(t, pin))[:13])
	}
	left := func(x *terminal, want string) {
		t.Helper()
		if got := hexOf(x.send(0x9000, command(0x80, 0xCA, 0x9F, 0x17, nil))); got != "9F1701"+want {
			t.Errorf("tries %s, want %s", got, want)
		}
	}
	x := insertCard(t, card)
	x.read(visa)
	left(x, "03")
	try(x, "9999", 0x63C2)
	try(x, "123456", 0x63C1)
	try(x, "1234", 0x9000)
	left(x, "03")
	x.wants(x.ask(arqc, 0x8C), arqc)
	if got := x.cvr(); got != "a40000" {
		t.Errorf("CVR %s, want PIN performed", got)
	}
	for _, want := range []uint16{0x63C2, 0x63C1, 0x63C0} {
		x = insertCard(t, card)
		x.read(visa)
		try(x, "9999", want)
	}
	x.wants(x.ask(arqc, 0x8C), arqc)
	if got := x.cvr(); got != "a64000" {
		t.Errorf("CVR %s, want PIN failed and tries used up", got)
	}
	x = insertCard(t, card)
	x.read(visa)
	try(x, "1234", 0x6983)
	left(x, "00")
	x = insert(t, "pin-plain")
	x.read(visa)
	x.send(0x6700, unhex(t, "0020008007241234FFFFFFFF"))
	left(x, "03")
}

// Book 2, 7.2: the block is enciphered with the PIN key together with the card's challenge, which is good for one try.
func TestEncipheredPIN(t *testing.T) {
	for _, name := range []string{"pin-enciphered", "pin-enciphered-own-key"} {
		t.Run(name, func(t *testing.T) {
			x := insert(t, name)
			x.read(visa)
			_, key, own := chain(t, x)
			if own.modulus != nil {
				key = own
			}
			encipher := func(header byte, challenge []byte, pin string) []byte {
				block := append(append([]byte{header}, plainPIN(t, pin)...), challenge...)
				block = append(block, make([]byte, len(key.modulus)-len(block))...)
				m := new(big.Int).SetBytes(block)
				return m.Exp(m, new(big.Int).SetBytes(key.exponent), new(big.Int).SetBytes(key.modulus)).FillBytes(make([]byte, len(key.modulus)))
			}
			ask := func() []byte { return x.send(0x9000, command(0x00, 0x84, 0, 0, nil)) }
			verify := func(want uint16, data []byte) {
				t.Helper()
				x.send(want, command(0x00, 0x20, 0, 0x88, data)[:5+len(data)])
			}
			challenge := ask()
			verify(0x9000, encipher(0x7F, challenge, "1234"))
			verify(0x6985, encipher(0x7F, challenge, "1234")) // no challenge is open
			ask()
			verify(0x63C2, encipher(0x7F, challenge, "1234")) // an old one
			verify(0x6700, encipher(0x7F, ask(), "1234")[:1])
			verify(0x63C1, encipher(0x7E, ask(), "1234"))
			ask()
			verify(0x63C0, make([]byte, len(key.modulus)))
			verify(0x6983, encipher(0x7F, ask(), "1234"))
		})
	}
}

// Book 2, 9.2, and Book 3, 6.5: a command of a script counts only with the issuer's MAC over its header, the transaction and
// its data, and does then what it says.
func TestScripts(t *testing.T) {
	scheme, ok := cryptogram.ByName("visa10")
	if !ok {
		t.Fatal("no scheme")
	}
	card := emulator.NewCard(ready(t, "script-mac"))
	mk, err := scheme.MasterKey(unhex(t, "00112233445566778899AABBCCDDEEFF"), "4761739001010119", "01")
	if err != nil {
		t.Fatal(err)
	}
	open := func() (*terminal, func(cla, ins, p1, p2 byte, data string) []byte) {
		x := insertCard(t, card)
		x.read(visa)
		x.wants(x.ask(arqc, 0x8C), arqc)
		q := [8]byte(x.data.Value(0x9F26))
		atc := uint16(x.data.Value(0x9F36)[0])<<8 | uint16(x.data.Value(0x9F36)[1])
		return x, func(cla, ins, p1, p2 byte, data string) []byte {
			body := unhex(t, data)
			header := []byte{cla, ins, p1, p2, byte(len(body) + 8)}
			mac, err := scheme.ScriptMAC(mk, header, body, atc, q)
			if err != nil {
				t.Fatal(err)
			}
			return append(append(header, body...), mac[:]...)
		}
	}
	x, signed := open()
	put := signed(0x04, 0xDA, 0x9F, 0x58, "07")
	for i := range put {
		if i > 0 && i != 4 { // the class and the length make it another command
			wrong := append([]byte(nil), put...)
			wrong[i] ^= 1
			if r := x.transmit(wrong); len(r) != 2 || r[0] == 0x90 {
				t.Fatalf("byte %d changed, and the card answers %X", i, r)
			}
		}
	}
	x.send(0x9000, put)
	if got := hexOf(x.send(0x9000, command(0x80, 0xCA, 0x9F, 0x58, nil))); got != "9F580107" {
		t.Errorf("9F58 is %s after the script", got)
	}
	x.send(0x9000, signed(0x04, 0xDC, 1, 0x14, "70039F0700")) // UPDATE RECORD
	if got := hexOf(x.send(0x9000, command(0x00, 0xB2, 1, 0x14, nil))); got != "70039F0700" {
		t.Errorf("record %s after the script", got)
	}
	sm, err := scheme.MasterKey(unhex(t, "FFEEDDCCBBAA99887766554433221100"), "4761739001010119", "01")
	if err != nil {
		t.Fatal(err)
	}
	sk, err := cryptogram.ScriptKeyCommon(sm, [8]byte(x.data.Value(0x9F26)))
	if err != nil {
		t.Fatal(err)
	}
	newPIN := func(block string) string {
		b, err := x9.EncryptCBC(sk, make([]byte, 8), unhex(t, block))
		if err != nil {
			t.Fatal(err)
		}
		return hexOf(b)
	}
	x.send(0x6A80, signed(0x84, 0x24, 0, 2, newPIN("24987FFFFFFFFFFF8000000000000000"))) // three digits that say four
	x.send(0x6A80, signed(0x84, 0x24, 0, 2, newPIN("249876FFFFFFFFFF8000000000000001")))
	x.send(0x6A86, signed(0x84, 0x24, 0, 1, newPIN("249876FFFFFFFFFF8000000000000000")))
	x.send(0x6700, signed(0x84, 0x24, 0, 2, "249876FFFFFFFFFF"))
	x.send(0x9000, command(0x00, 0x20, 0, 0x80, plainPIN(t, "1234"))[:13])
	x.send(0x9000, signed(0x84, 0x24, 0, 2, newPIN("249876FFFFFFFFFF8000000000000000")))
	x.send(0x63C2, command(0x00, 0x20, 0, 0x80, plainPIN(t, "1234"))[:13])
	x.send(0x9000, signed(0x84, 0x24, 0, 0, ""))
	x.send(0x9000, command(0x00, 0x20, 0, 0x80, plainPIN(t, "9876"))[:13])
	x.send(0x6988, command(0x84, 0x1E, 0, 0, nil)[:4])
	x.send(0x9000, signed(0x84, 0x1E, 0, 0, ""))
	insertCard(t, card).send(0x6283, command(0x00, 0xA4, 4, 0, unhex(t, visa)))

	card = emulator.NewCard(ready(t, "script-mac"))
	x, signed = open()
	x.send(0x9000, signed(0x84, 0x16, 0, 0, ""))
	insertCard(t, card).send(0x6A81, command(0x00, 0xA4, 4, 0, unhex(t, visa)))
	x = insert(t, "script-mac")
	x.read(visa)
	x.send(0x6985, put) // before any ARQC
}
