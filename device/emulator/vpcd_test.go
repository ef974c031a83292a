package emulator_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"

	"tillway/device/emulator"
)

// vpcd is a client of the wire protocol, written for these tests.
type vpcd struct {
	t    *testing.T
	conn net.Conn
}

func (v vpcd) say(message ...byte) {
	v.t.Helper()
	if _, err := v.conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(message))), message...)); err != nil {
		v.t.Fatal(err)
	}
}

func (v vpcd) hear() ([]byte, error) {
	var head [2]byte
	if _, err := io.ReadFull(v.conn, head[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint16(head[:]))
	_, err := io.ReadFull(v.conn, b)
	return b, err
}

func (v vpcd) transmit(apdu []byte) []byte {
	v.t.Helper()
	v.say(apdu...)
	b, err := v.hear()
	if err != nil {
		v.t.Fatal(err)
	}
	return b
}

// A card over TCP: a sale, one client after the other, and everything that ends a connection.
func TestServe(t *testing.T) {
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- emulator.Serve(ctx, l, emulator.NewCard(ready(t, "pulled")), func(string) {}) }()
	dial := func() vpcd {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		return vpcd{t, conn}
	}

	v := dial()
	v.say(0x01)
	v.say(0x04)
	if atr, err := v.hear(); err != nil || atr[0] != 0x3B {
		t.Fatalf("ATR %X, %v", atr, err)
	}
	x := newTerminal(t, v.transmit)
	x.read(visa)
	v.say(0x02) // reset
	x.send(0x6985, command(0x80, 0xAE, arqc, 0, x.fill(0x8C)))
	v.say(0x02)
	x.read(visa)
	x.wants(x.ask(arqc, 0x8C), arqc)
	v.say(command(0x80, 0xAE, tc, 0, make([]byte, 31))...)
	if _, err := v.hear(); !errors.Is(err, io.EOF) {
		t.Fatalf("the card left: %v", err)
	}

	for name, bytes := range map[string][]byte{
		"empty message": {0, 0},
		"long message":  {0xFF, 0xFF},
		"no power":      {0, 1, 0x00, 0, 4, 0x00, 0xA4, 0x04, 0x00},
	} {
		v := dial()
		if _, err := v.conn.Write(bytes); err != nil {
			t.Fatal(err)
		}
		if b, err := v.hear(); !errors.Is(err, io.EOF) {
			t.Errorf("%s: %X, %v", name, b, err)
		}
		closeIt(t, v.conn)
	}

	last := dial() // the next client finds the card back in its place
	newTerminal(t, last.transmit).read(visa)
	cancel()
	if err := <-served; err != nil {
		t.Fatal(err)
	}
	if _, err := last.hear(); err == nil {
		t.Error("still connected after the end")
	}
	closeIt(t, v.conn)
	closeIt(t, last.conn)
}

// A card at T=0 without a driver before it announces its data and corrects lengths (Book 1, annex A).
func TestBare(t *testing.T) {
	card := emulator.Bare(emulator.NewCard(ready(t, "oda-dda")))
	card.Reset()
	x := newTerminal(t, card.Transmit)
	r := card.Transmit(command(0x00, 0xA4, 4, 0, unhex(t, visa)))
	if len(r) != 2 || r[0] != 0x61 {
		t.Fatalf("SELECT: %X", r)
	}
	x.absorb(x.send(0x9000, []byte{0x00, 0xC0, 0, 0, r[1]}))
	r = card.Transmit(command(0x80, 0xA8, 0, 0, unhex(t, "8300")))
	x.send(0x9000, []byte{0x00, 0xC0, 0, 0, r[1]})
	r = card.Transmit(command(0x00, 0xB2, 1, 0x14, nil))
	if len(r) != 2 || r[0] != 0x6C {
		t.Fatalf("READ RECORD: %X", r)
	}
	if got := x.send(0x9000, []byte{0x00, 0xB2, 1, 0x14, r[1]}); len(got) != int(r[1]) {
		t.Errorf("%d bytes, %d were announced", len(got), r[1])
	}
	x.send(0x6A86, []byte{0x00, 0x20, 0, 0})
}
