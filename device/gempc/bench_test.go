package gempc

import "testing"

// What driver, frame, pseudo-terminal and emulated reader cost; on a real line the 115200 baud come on top (2.4 ms for
// the 28 bytes of a short command and its echo).
func BenchmarkTransmit(b *testing.B) {
	for name, atr := range map[string][]byte{
		"T0": {0x3B, 0x60, 0x00, 0x00},
		"T1": {0x3B, 0xE0, 0x00, 0xFF, 0x81, 0x31, 0x7C, 0x41, 0x92},
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
