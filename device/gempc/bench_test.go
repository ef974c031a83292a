package gempc

import (
	"io"
	"testing"

	"github.com/creack/pty"

	"tillway/device/serial"
)

// What the driver adds to an APDU over its wire: ours is driver, frame, pseudo-terminal and emulated reader, pty the same bytes
// over a pseudo-terminal and nothing else. On a real line the 115200 baud come on top of both (2.4 ms for the 28 bytes
// of a short command and its echo).
func BenchmarkTransmit(b *testing.B) {
	b.Run("pty", roundTrip)
	for name, atr := range map[string][]byte{
		"ours":    {0x3B, 0x60, 0x00, 0x00},
		"ours-T1": {0x3B, 0xE0, 0x00, 0xFF, 0x81, 0x31, 0x7C, 0x41, 0x92},
	} {
		b.Run(name, func(b *testing.B) {
			p := newPeer(b)
			p.Insert(atr, func([]byte) []byte { return []byte{0x90, 0x00} })
			r, err := Open(Config{Port: p.link})
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = r.Close() }()
			presented, err := r.Present(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := presented.Card.Transmit(b.Context(), []byte{0x00, 0xA4, 0x00, 0x00}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// roundTrip is the floor: a command of that length there, its echo and an answer back, over the port as the driver has it.
func roundTrip(b *testing.B) {
	master, slave, err := pty.Open()
	if err != nil {
		b.Fatal(err)
	}
	port, err := serial.Open(slave.Name(), serial.Mode{Baud: 115200, StopBits: 2})
	if err != nil {
		b.Fatal(err)
	}
	const out, back = 3 + 10 + 5, 3 + 10 + 5 + 3 + 10 + 2
	left := make(chan struct{})
	go func() {
		defer close(left)
		for command := make([]byte, out); ; {
			if _, err := io.ReadFull(master, command); err != nil {
				return
			}
			if _, err := master.Write(make([]byte, back)); err != nil {
				return
			}
		}
	}()
	command, answer := make([]byte, out), make([]byte, back)
	for b.Loop() {
		if err := port.Write(b.Context(), command); err != nil {
			b.Fatal(err)
		}
		for got := 0; got < back; {
			n, err := port.Read(b.Context(), answer[got:])
			if err != nil {
				b.Fatal(err)
			}
			got += n
		}
	}
	_, _ = port.Close(), slave.Close()
	<-left // the last slave's end is the master's
	_ = master.Close()
}

// From a card in the slot to a card that can be talked to, and back.
func BenchmarkPresent(b *testing.B) {
	p := newPeer(b)
	p.Insert([]byte{0x3B, 0x60, 0x00, 0x00}, func([]byte) []byte { return []byte{0x90, 0x00} })
	r, err := Open(Config{Port: p.link})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	for b.Loop() {
		if _, err := r.Present(b.Context()); err != nil {
			b.Fatal(err)
		}
		if err := r.Release(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
