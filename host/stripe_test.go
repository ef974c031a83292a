package host_test

import (
	"fmt"
	"testing"

	"tillway/host"
	"tillway/host/issuer"
	"tillway/iso8583"
	"tillway/money"
)

// swipe is a swiped sale, track as DE 35 has it.
func swipe(t *testing.T, track, mode string, stan int, amount int64) *iso8583.Message {
	t.Helper()
	m := iso8583.NewMessage("0200")
	m.TPDU = unhex(t, "6000030000")
	for n, v := range map[int]string{
		3: "000000", 4: fmt.Sprintf("%012d", amount), 11: fmt.Sprintf("%06d", stan), 22: mode, 24: "003", 25: "00", 35: track, 41: tid, 42: mid,
		49: "414", 60: "000001", 62: fmt.Sprintf("%06d", stan),
	} {
		m.Set(n, v)
	}
	return m
}

// Tracks of the test cards, with their verification values under the published key: of the card without a chip, of one with a
// chip, and what a thief makes of the latter.
const (
	noChip      = "4761739001010150D28121011517219200000"
	withChip    = "4761739001010119D28122011094947900000"
	codeChanged = "4761739001010119D28121011094947900000" // so that nobody asks for the chip
	chipsImage  = "4761739001010119D28122011094932400000" // the chip's data, written to a stripe
)

// What the host makes of swiped cards: the service code against the terminal's word for how it read the card, and the
// verification value against a stripe that is not the issuer's.
func TestSwipedCards(t *testing.T) {
	for _, c := range []struct {
		name, track, mode string
		amount            int64
		change            func(*iso8583.Message)
		refuseFallback    bool
		want              string
	}{
		{"no chip", noChip, "902", 10_525, nil, false, "00"},
		{"no chip, as older terminals say it", noChip, "022", 10_525, nil, false, "00"},
		{"a fallback", withChip, "802", 10_525, nil, false, "00"},
		{"a chip card without a word of fallback", withChip, "902", 10_525, nil, false, "58"},
		{"a fallback that the host does not take", withChip, "802", 10_525, nil, true, "58"},
		{"a fallback of a card without a chip", noChip, "802", 10_525, nil, false, "58"},
		{"the service code changed", codeChanged, "902", 10_525, nil, false, "05"},
		{"the chip's data on a stripe", chipsImage, "802", 10_525, nil, false, "05"},
		{"wrong verification value", "4761739001010150D28121011517219300000", "902", 10_525, nil, false, "05"},
		{"no verification value", "4761739001010150D281210115172", "902", 10_525, nil, false, "05"},
		{"no service code", "4761739001010150D2812", "902", 10_525, nil, false, "30"},
		{"expiry changed", "4761739001010150D29121011517219200000", "902", 10_525, nil, false, "05"},
		{"a PIN is asked for, and none comes", "4761739001010150D28121201517284500000", "902", 10_525, nil, false, "05"},
		{"expired", "4761739001010127D20122011405360800000", "802", 10_525, nil, false, "54"},
		{"balance too low", noChip, "902", 2_000_000_000, nil, false, "51"},
		{"chip data with a stripe", noChip, "902", 10_525, func(m *iso8583.Message) { m.SetBytes(55, []byte{0x82, 2, 0x1C, 0}) }, false, "58"},
		{"no track", noChip, "902", 10_525, func(m *iso8583.Message) { m.Delete(35); m.Set(2, "4761739001010150"); m.Set(14, "2812") }, false, "30"},
		{"keyed in", noChip, "012", 10_525, func(m *iso8583.Message) { m.SetBytes(55, []byte{0x82, 2, 0x1C, 0}) }, false, "58"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := config(t)
			var err error
			if cfg.Accounts, err = issuer.TestCards(money.New(1_000_000_000, cfg.Currency)); err != nil {
				t.Fatal(err)
			}
			cfg.NoFallback = c.refuseFallback
			h, err := host.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			r := &rig{t: t, h: h, codec: cfg.Codec}
			m := swipe(t, c.track, c.mode, 1, c.amount)
			if c.change != nil {
				c.change(m)
			}
			a := r.one(m)
			if got := get(t, a, 39); got != c.want || a.Has(55) || a.Has(38) != (c.want == "00") {
				t.Errorf("code %s, want %s; answer %v", got, c.want, a)
			}
			posted := 0
			if c.want == "00" {
				posted = 1
			}
			if r.books() != posted {
				t.Errorf("%d postings, want %d", r.books(), posted)
			}
			if c.want != "00" {
				return
			}
			back := reversal(m, card{pan: c.track[:16], expiry: c.track[17:21]})
			if code := r.code(back); code != "00" || r.books() != 0 {
				t.Errorf("reversal: code %s, %d postings stand", code, r.books())
			}
		})
	}
}
