package emulator_test

import "testing"

const (
	visa       = "A0000000031010"
	mastercard = "A0000000041010"
	aac        = 0x00
	tc         = 0x40
	arqc       = 0x80
)

// Book 3, 10.8 to 10.9: a sale that goes online and is approved, both ways of issuer authentication.
func TestApproved(t *testing.T) {
	t.Run("EXTERNAL AUTHENTICATE", func(t *testing.T) {
		x := insert(t, "credit")
		x.read(visa)
		if got := x.ask(arqc, 0x8C); got != arqc {
			t.Fatalf("first GENERATE AC: %02X", got)
		}
		x.send(0x9000, command(0x00, 0x82, 0, 0, x.answer("00")))
		if got := x.ask(tc, 0x8D); got != tc {
			t.Fatalf("second GENERATE AC: %02X", got)
		}
		if err := x.issuer().Verify(x.data); err != nil {
			t.Fatalf("TC: %v", err)
		}
	})
	t.Run("second GENERATE AC", func(t *testing.T) {
		x := insert(t, "debit")
		x.read(mastercard)
		if got := x.ask(arqc, 0x8C); got != arqc {
			t.Fatalf("first GENERATE AC: %02X", got)
		}
		x.data.Put(0x91, x.answer("00"))
		if got := x.ask(tc, 0x8D); got != tc {
			t.Fatalf("second GENERATE AC: %02X", got)
		}
		if err := x.issuer().Verify(x.data); err != nil {
			t.Fatalf("TC: %v", err)
		}
	})
}
