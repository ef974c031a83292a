package issuer_test

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"tillway/emv"
	"tillway/emv/tlv"
	"tillway/host/issuer"
	"tillway/money"
)

var kwd = money.Currency{Code: "KWD", Numeric: 414, Exponent: 3}

func account(t *testing.T) issuer.Account {
	t.Helper()
	pan, err := emv.NewPAN("4761739001010119")
	if err != nil {
		t.Fatal(err)
	}
	imk, err := hex.DecodeString("2315208C9110AD402315208C9110AD40")
	if err != nil {
		t.Fatal(err)
	}
	return issuer.Account{Name: "credit", PAN: pan, PSN: "01", Expiry: "2812", Balance: money.New(1000, kwd), IMK: imk}
}

// TestExpiry: a card is good to the last moment of its month, in the clock's own zone.
func TestExpiry(t *testing.T) {
	is, err := issuer.New([]issuer.Account{account(t)})
	if err != nil {
		t.Fatal(err)
	}
	zone := time.FixedZone("+03", 3*60*60)
	for _, c := range []struct {
		now  time.Time
		want bool
	}{
		{time.Date(2028, 12, 31, 23, 59, 59, 0, zone), false},
		{time.Date(2029, 1, 1, 0, 0, 0, 0, zone), true},
		{time.Date(2029, 1, 1, 0, 0, 0, 0, zone).UTC(), false},
		{time.Date(2026, 11, 23, 0, 0, 0, 0, zone), false},
	} {
		if got := is.Statements(c.now)[0].Expired; got != c.want {
			t.Errorf("at %v: expired %t, want %t", c.now, got, c.want)
		}
	}
}

// TestMoveOfStranger: moving money of an account that is not there is a defect of the host, not an event.
func TestMoveOfStranger(t *testing.T) {
	is, err := issuer.New([]issuer.Account{account(t)})
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := emv.NewPAN("5413330089604111")
	if err != nil {
		t.Fatal(err)
	}
	for name, move := range map[string]func(){
		"move":   func() { is.Move(stranger, 1) },
		"resume": func() { is.Resume(stranger, 1, 1) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			move()
		}()
	}
	if got := is.Statements(time.Now())[0].Balance.Minor; got != 1000 {
		t.Errorf("balance %d", got)
	}
}

// TestAccountsRefused: the table is checked before it is used.
func TestAccountsRefused(t *testing.T) {
	good := account(t)
	for name, spoil := range map[string]func(*issuer.Account){
		"no number":  func(a *issuer.Account) { a.PAN = emv.PAN{} },
		"expiry":     func(a *issuer.Account) { a.Expiry = "12-8" },
		"balance":    func(a *issuer.Account) { a.Balance.Minor = -1 },
		"key":        func(a *issuer.Account) { a.IMK = nil },
		"sequence":   func(a *issuer.Account) { a.PSN = "001" },
		"same again": func(*issuer.Account) {},
	} {
		bad := good
		spoil(&bad)
		table := []issuer.Account{bad}
		if name == "same again" {
			table = append(table, good)
		}
		if _, err := issuer.New(table); !errors.Is(err, issuer.ErrAccount) || strings.Contains(err.Error(), good.PAN.Clear()) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzReadChip: what is read is bounded, and written out again it is read as the same objects.
func FuzzReadChip(f *testing.F) {
	for _, seed := range []string{
		"9F36880000000000000000", "918880000000000000000102", "9F3684400000000102", "1F81818181818181", "7184FFFFFFFF", "",
		"5F2A0204149A032611239C01009F02060000000105259F2701809F26081122334455667788", "9F02009F0200",
	} {
		b, err := hex.DecodeString(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := issuer.ReadChip(b)
		if err != nil {
			if len(d.Tags()) != 0 {
				t.Fatal("an error and data")
			}
			return
		}
		var again []byte
		total := 0
		for _, tag := range d.Tags() {
			again = tlv.Append(again, tag, d.Value(tag))
			total += len(d.Value(tag))
		}
		if total > len(b) || len(d.Tags()) > 64 {
			t.Fatalf("%d bytes in %d objects out of %d", total, len(d.Tags()), len(b))
		}
		if len(again) == 0 {
			return // padding alone
		}
		e, err := issuer.ReadChip(again)
		if err != nil || e.String() != d.String() {
			t.Fatalf("%v, read again %v (%v)", d, e, err)
		}
	})
}
