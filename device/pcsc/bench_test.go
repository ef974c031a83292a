package pcsc

import (
	"net"
	"path/filepath"
	"testing"
)

// What driver, socket and the virtual pcscd cost, an APDU; pcscd's own time, its driver's and the card's come on top. The peer is the
// least there could be: as many bytes there and back over a unix socket.
func BenchmarkTransmit(b *testing.B) {
	b.Run("socket", roundTrip)
	for name, atr := range map[string][]byte{
		"ours":    {0x3B, 0x60, 0x00, 0x00},
		"ours-T1": {0x3B, 0xE0, 0x00, 0xFF, 0x81, 0x31, 0x7C, 0x41, 0x92},
	} {
		b.Run(name, func(b *testing.B) {
			p := newPeer(b)
			p.Insert(atr, answerOK)
			r := p.open(b, nil)
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

// From a card in the slot to one that can be talked to, cold reset included, and back.
func BenchmarkPresent(b *testing.B) {
	p := newPeer(b)
	p.Insert([]byte{0x3B, 0x60, 0x00, 0x00}, answerOK)
	r := p.open(b, nil)
	for b.Loop() {
		if _, err := r.Present(b.Context()); err != nil {
			b.Fatal(err)
		}
		if err := r.Release(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// roundTrip is the floor under BenchmarkTransmit.
func roundTrip(b *testing.B) {
	socket := filepath.Join(b.TempDir(), "floor")
	l, err := net.Listen("unix", socket)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	done := make(chan struct{})
	go func() {
		defer close(done)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		for message := make([]byte, 45); ; {
			if _, err := c.Read(message); err != nil {
				return
			}
			if _, err := c.Write(message[:34]); err != nil {
				return
			}
		}
	}()
	c, err := net.Dial("unix", socket)
	if err != nil {
		b.Fatal(err)
	}
	message := make([]byte, 45)
	for b.Loop() {
		if _, err := c.Write(message); err != nil {
			b.Fatal(err)
		}
		if _, err := c.Read(message); err != nil {
			b.Fatal(err)
		}
	}
	_ = c.Close()
	<-done
}
