package emulator_test

import (
	"errors"
	"testing"

	"tillway/device/emulator"
)

// The amounts that stand for a card's fault, in dinars and only there.
func TestTestAmounts(t *testing.T) {
	for _, row := range []struct {
		name, amount, currency string
		step                   string
	}{
		{"leaves before the first cryptogram", "000000010201", "0414", "first"},
		{"leaves before the second", "000000010202", "0414", "second"},
		{"refuses at the second", "000000000203", "0414", "refused"},
		{"another amount", "000000010204", "0414", "approved"},
		{"not the last digits", "000000201000", "0414", "approved"},
		{"another currency", "000000010201", "0840", "approved"},
	} {
		t.Run(row.name, func(t *testing.T) {
			card := emulator.NewCard(ready(t, "credit"))
			x := insertCard(t, card)
			x.data.Put(0x9F02, unhex(t, row.amount))
			x.data.Put(0x5F2A, unhex(t, row.currency))
			if got := walk(x, card); got != row.step {
				t.Errorf("ends with %q, want %q", got, row.step)
			}
		})
	}
	t.Run("switched off", func(t *testing.T) {
		p := ready(t, "credit")
		p.TestAmounts = false
		card := emulator.NewCard(p)
		x := insertCard(t, card)
		x.data.Put(0x9F02, unhex(t, "000000010201"))
		if got := walk(x, card); got != "approved" {
			t.Errorf("ends with %q", got)
		}
	})
}

// walk does a sale that the issuer approves, and says where it ended.
func walk(x *terminal, card *emulator.Card) string {
	x.t.Helper()
	x.read(visa)
	if x.transmit(command(0x80, 0xAE, arqc, 0, x.fill(0x8C))) == nil && card.Left() {
		return "first"
	}
	card.Reset() // the same once more, so that the answer is taken apart
	x.read(visa)
	x.wants(x.ask(arqc, 0x8C), arqc)
	x.send(0x9000, command(0x00, 0x82, 0, 0, x.answer("00")))
	r := x.transmit(command(0x80, 0xAE, tc, 0, x.fill(0x8D)))
	switch {
	case r == nil && card.Left():
		return "second"
	case r != nil && r[2] == tc:
		return "approved"
	case r != nil && r[2] == aac:
		return "refused"
	}
	return "no answer"
}

// The ready cards that do not go through.
func TestReadyMisbehaviour(t *testing.T) {
	t.Run("declines", func(t *testing.T) {
		x := insert(t, "declines")
		x.read(visa)
		x.wants(x.ask(arqc, 0x8C), aac)
	})
	t.Run("pulled", func(t *testing.T) {
		card := emulator.NewCard(ready(t, "pulled"))
		x := insertCard(t, card)
		if got := walk(x, card); got != "second" {
			t.Fatalf("ends with %q", got)
		}
		if card.Transmit(command(0x00, 0xA4, 4, 0, unhex(t, visa))) != nil {
			t.Fatal("answers outside the slot")
		}
		card.Reset()
		if card.Left() {
			t.Fatal("still outside after it was put back")
		}
		x.read(visa)
	})
	t.Run("expired", func(t *testing.T) {
		x := online(t, "expired", visa)
		if got := x.data.Value(0x5F24); got[0] != 0x20 || got[1] != 0x12 {
			t.Errorf("expires %X", got)
		}
	})
}

// Faults of a profile come at their command, each time the card is used that far.
func TestFaults(t *testing.T) {
	for _, row := range []struct {
		at, do string
		want   string
	}{
		{"select 1", "6A82", "6A82"},
		{"exchange 1", "6A82", "6A82"},
		{"select 1", "mute", "mute"},
		{"select 1", "leave", "left"},
		{"select 2", "leave", "9000"},
		{"read record 1", "mute", "9000"},
	} {
		p := ready(t, "credit")
		p.Faults = []emulator.Fault{{At: row.at, Do: row.do}}
		card := emulator.NewCard(p)
		for range 2 {
			card.Reset()
			r := card.Transmit(command(0x00, 0xA4, 4, 0, unhex(t, visa)))
			got := ""
			switch {
			case card.Left():
				got = "left"
			case r == nil:
				got = "mute"
			default:
				got = hexOf(r[len(r)-2:])
			}
			if got != row.want {
				t.Errorf("%s %s: %s, want %s", row.at, row.do, got, row.want)
			}
			if again := card.Transmit(command(0x80, 0xCA, 0x9F, 0x36, nil)); (again == nil) != (row.want == "mute" || row.want == "left") {
				t.Errorf("%s %s: then %X", row.at, row.do, again)
			}
		}
	}
	for _, bad := range []emulator.Fault{
		{At: "select", Do: "mute"},
		{At: "select 0", Do: "mute"},
		{At: "select x", Do: "mute"},
		{At: "dance 1", Do: "mute"},
		{At: "select 1", Do: "sulk"},
		{At: "select 1", Do: "6A"},
		{At: "select 1", Do: "1234"},
	} {
		p := ready(t, "credit")
		p.Faults = []emulator.Fault{bad}
		if err := p.Check(); !errors.Is(err, emulator.ErrProfile) {
			t.Errorf("%v: %v", bad, err)
		}
	}
}
