package emulator_test

import (
	"testing"

	"tillway/device/emulator"
)

// BenchmarkSale is a whole sale with a card, from SELECT to TC, as the seeded simulation runs thousands of.
func BenchmarkSale(b *testing.B) {
	p := ready(b, "credit")
	p.Applications[0].ATC = 0
	card := emulator.NewCard(p)
	for b.Loop() {
		x := insertCard(b, card)
		x.read(visa)
		x.wants(x.ask(arqc, 0x8C), arqc)
		x.send(0x9000, command(0x00, 0x82, 0, 0, x.answer("00")))
		x.wants(x.ask(tc, 0x8D), tc)
		if x.data.Value(0x9F36)[0] == 0xFF { // the counter ends at FFFF
			card = emulator.NewCard(p)
		}
	}
}

// BenchmarkLoad is a card from its name to its first SELECT, where the certificates with the longest keys are computed.
func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		p, err := emulator.Ready("oda-cda-1984")
		if err != nil {
			b.Fatal(err)
		}
		card := emulator.NewCard(p)
		card.Reset()
		if r := card.Transmit(unhex(b, "00A4040007A000000003101000")); len(r) < 3 {
			b.Fatalf("SELECT: %X", r)
		}
	}
}
