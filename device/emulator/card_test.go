package emulator_test

import (
	"bytes"
	"encoding/hex"
	"testing"

	"tillway/device/emulator"
)

const (
	visa       = "A0000000031010"
	mastercard = "A0000000041010"
	aac        = 0x00
	tc         = 0x40
	arqc       = 0x80
)

// wants fails unless a cryptogram is of the kind.
func (x *terminal) wants(got, want byte) {
	x.t.Helper()
	if got != want {
		x.t.Fatalf("cryptogram of kind %02X, want %02X", got, want)
	}
}

// cvr is the three bytes of card verification results.
func (x *terminal) cvr() string {
	return hex.EncodeToString(x.data.Value(0x9F10)[4:7])
}

// online brings a card to its ARQC.
func online(t *testing.T, name, aid string) *terminal {
	t.Helper()
	x := insert(t, name)
	x.read(aid)
	x.wants(x.ask(arqc, 0x8C), arqc)
	return x
}

// Book 3, 10.8, 10.9, 10.11: a sale that goes online and is approved, with the issuer's answer either way.
func TestApproved(t *testing.T) {
	t.Run("EXTERNAL AUTHENTICATE", func(t *testing.T) {
		x := online(t, "credit", visa)
		if got := x.cvr(); got != "a00000" {
			t.Errorf("CVR %s", got)
		}
		x.send(0x9000, command(0x00, 0x82, 0, 0, x.answer("00")))
		x.wants(x.ask(tc, 0x8D), tc)
		if err := x.issuer().Verify(x.data); err != nil {
			t.Fatalf("TC: %v", err)
		}
		if got := x.cvr(); got != "600000" {
			t.Errorf("CVR %s", got)
		}
	})
	t.Run("second GENERATE AC", func(t *testing.T) {
		x := online(t, "debit", mastercard)
		x.data.Put(0x91, x.answer("00"))
		x.wants(x.ask(tc, 0x8D), tc)
		if err := x.issuer().Verify(x.data); err != nil {
			t.Fatalf("TC: %v", err)
		}
	})
}

// Book 2, 8.2, and Book 3, 10.9: an answer that is not the issuer's, one that says no, and none.
func TestIssuerAuthenticationFails(t *testing.T) {
	t.Run("wrong ARPC by EXTERNAL AUTHENTICATE", func(t *testing.T) {
		x := online(t, "credit", visa)
		answer := x.answer("00")
		answer[0] ^= 1
		x.send(0x6300, command(0x00, 0x82, 0, 0, answer))
		answer[0] ^= 1
		x.send(0x6985, command(0x00, 0x82, 0, 0, answer)) // once only
		x.wants(x.ask(tc, 0x8D), aac)
		if got := x.cvr(); got != "280000" {
			t.Errorf("CVR %s", got)
		}
	})
	t.Run("wrong ARPC in the second GENERATE AC", func(t *testing.T) {
		x := online(t, "debit", mastercard)
		answer := x.answer("00")
		answer[3] ^= 0x80
		x.data.Put(0x91, answer)
		x.wants(x.ask(tc, 0x8D), aac)
	})
	t.Run("card status update does not approve", func(t *testing.T) {
		x := online(t, "debit", mastercard)
		x.data.Put(0x91, x.answer("05"))
		x.wants(x.ask(tc, 0x8D), aac)
	})
	for _, row := range []struct {
		name, rule, cvr string
		want            byte
	}{
		{"none where it is mandatory", "mandatory", "200400", aac},
		{"none where it is optional", "optional", "600400", tc},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := ready(t, "credit")
			p.Applications[0].Risk.IssuerAuthentication = row.rule
			x := insertCard(t, emulator.NewCard(p))
			x.read(visa)
			x.wants(x.ask(arqc, 0x8C), arqc)
			x.data.Put(0x8A, []byte("00"))
			x.wants(x.ask(tc, 0x8D), row.want)
			if got := x.cvr(); got != row.cvr {
				t.Errorf("CVR %s, want %s", got, row.cvr)
			}
		})
	}
	t.Run("wrong length", func(t *testing.T) {
		x := online(t, "credit", visa)
		x.send(0x6700, command(0x00, 0x82, 0, 0, unhex(t, "1122334455667788")))
		x.send(0x9000, command(0x00, 0x82, 0, 0, x.answer("00"))) // that was no attempt
	})
	t.Run("the card does not know the command", func(t *testing.T) {
		x := online(t, "debit", mastercard)
		x.send(0x6D00, command(0x00, 0x82, 0, 0, x.answer("00")))
	})
}

// Book 3, 10.8: the card may give less than it is asked for, never more.
func TestDowngrade(t *testing.T) {
	for _, row := range []struct {
		first     string
		asked     byte
		want      byte
		lastATC   uint16
		offlines  uint16
		explained string
	}{
		{"tc", tc, tc, 16, 0, "granted"},
		{"tc", arqc, arqc, 16, 0, "granted"},
		{"tc", aac, aac, 16, 0, "granted"},
		{"arqc", tc, arqc, 16, 0, "wants to go online"},
		{"arqc", aac, aac, 16, 0, "refusal stays one"},
		{"aac", tc, aac, 16, 0, "declines by itself"},
		{"aac", arqc, aac, 16, 0, "declines by itself"},
		{"tc", tc, tc, 16, 1, "the first since it was online"},
		{"tc", tc, arqc, 15, 1, "one too many offline"},
		{"tc", tc, arqc, 0, 100, "a new card"},
	} {
		t.Run(row.first+" "+row.explained, func(t *testing.T) {
			p := ready(t, "credit")
			a := &p.Applications[0]
			a.LastOnlineATC, a.Risk.First, a.Risk.OfflineLimit = row.lastATC, row.first, row.offlines
			x := insertCard(t, emulator.NewCard(p))
			x.read(visa)
			x.wants(x.ask(row.asked, 0x8C), row.want)
			if row.want != arqc {
				x.send(0x6985, command(0x80, 0xAE, tc, 0, x.fill(0x8D))) // the transaction is over
			}
		})
	}
}

// Book 4, A6: the terminal could not go online and says so in the response code.
func TestUnableToGoOnline(t *testing.T) {
	for _, row := range []struct {
		arc  string
		ask  byte
		want byte
		wish string
	}{
		{"Y3", tc, tc, "tc"},
		{"Y3", tc, aac, "arqc"},
		{"Z3", aac, aac, "tc"},
	} {
		p := ready(t, "credit")
		p.Applications[0].Risk.First = row.wish
		card := emulator.NewCard(p)
		x := insertCard(t, card)
		x.read(visa)
		x.wants(x.ask(arqc, 0x8C), arqc)
		x.data.Put(0x8A, []byte(row.arc))
		x.wants(x.ask(row.ask, 0x8D), row.want)
		if x.data.Value(0x9F10)[4]&1 == 0 {
			t.Errorf("%s: CVR %s does not say that it was offline", row.arc, x.cvr())
		}
		if got := x.send(0x9000, command(0x80, 0xCA, 0x9F, 0x13, nil)); !bytes.Equal(got, unhex(t, "9F13020010")) {
			t.Errorf("last online ATC %X moved", got)
		}
	}
}

// What a card remembers from one transaction to the next (9F36, 9F13 and the CVR).
func TestMemory(t *testing.T) {
	p := ready(t, "credit")
	p.Applications[0].LastOnlineATC = 0
	card := emulator.NewCard(p)
	for _, row := range []struct {
		name, atc, lastOnline, cvr string
		end                        func(x *terminal)
	}{
		{"new, then pulled out after the ARQC", "0011", "0000", "a01000", func(*terminal) {}},
		{"unfinished before, then a wrong answer", "0012", "0000", "a09000", func(x *terminal) {
			x.send(0x6300, command(0x00, 0x82, 0, 0, make([]byte, 10)))
			x.wants(x.ask(tc, 0x8D), aac)
		}},
		{"authentication failed before, then approved", "0013", "0013", "a01800", func(x *terminal) {
			x.send(0x9000, command(0x00, 0x82, 0, 0, x.answer("00")))
			x.wants(x.ask(tc, 0x8D), tc)
		}},
		{"all well before, then no authentication", "0014", "0013", "a00000", func(x *terminal) { x.wants(x.ask(aac, 0x8D), aac) }},
		{"no authentication before", "0015", "0013", "a00400", func(*terminal) {}},
	} {
		x := insertCard(t, card)
		x.read(visa)
		x.wants(x.ask(arqc, 0x8C), arqc)
		if got := x.cvr(); got != row.cvr {
			t.Errorf("%s: CVR %s, want %s", row.name, got, row.cvr)
		}
		row.end(x)
		if got := x.send(0x9000, command(0x80, 0xCA, 0x9F, 0x36, nil)); !bytes.Equal(got, unhex(t, "9F3602"+row.atc)) {
			t.Errorf("%s: ATC %X, want %s", row.name, got, row.atc)
		}
		if got := x.send(0x9000, command(0x80, 0xCA, 0x9F, 0x13, nil)); !bytes.Equal(got, unhex(t, "9F1302"+row.lastOnline)) {
			t.Errorf("%s: last online ATC %X, want %s", row.name, got, row.lastOnline)
		}
	}
}

// A card whose counter is used up refuses to start (Book 3, 6.5.8).
func TestCounterEnds(t *testing.T) {
	p := ready(t, "credit")
	p.Applications[0].ATC = 0xFFFE
	card := emulator.NewCard(p)
	insertCard(t, card).read(visa)
	x := insertCard(t, card)
	x.send(0x9000, command(0x00, 0xA4, 4, 0, unhex(t, visa)))
	x.send(0x6985, command(0x80, 0xA8, 0, 0, unhex(t, "8300")))
}
