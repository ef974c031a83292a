package host_test

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"tillway/emv/tlv"
	"tillway/host"
	"tillway/iso8583"
)

// TestApproved: both cards' cryptograms are accepted, the money moves, and the card accepts the issuer's answer.
func TestApproved(t *testing.T) {
	for _, c := range []card{credit, debit} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			m, d := r.sale(c, 7, 10_525)
			a := r.one(m)
			if a.MTI() != "0210" || !bytes.Equal(a.TPDU, m.TPDU) {
				t.Errorf("answer %s with TPDU %X", a.MTI(), a.TPDU)
			}
			if want := []int{3, 4, 11, 12, 13, 24, 37, 38, 39, 41, 49, 55}; !slices.Equal(a.Fields(), want) {
				t.Errorf("fields %v, want %v", a.Fields(), want)
			}
			for n, want := range map[int]string{
				3: "000000", 4: "000000010525", 11: "000007", 12: "093015", 13: "1123", 24: "003", 37: "632709000001", 39: "00", 41: tid, 49: "414",
			} {
				if got := get(t, a, n); got != want {
					t.Errorf("field %d is %q, want %q", n, got, want)
				}
			}
			if code := get(t, a, 38); len(code) != 6 || strings.Trim(code, "0123456789") != "" {
				t.Errorf("approval code %q", code)
			}
			chip, _ := a.Bytes(55)
			items, err := tlv.Parse(chip)
			if err != nil || len(items) != 1 || items[0].Tag != 0x91 {
				t.Fatalf("chip data of the answer: %v (%v)", items, err)
			}
			reply, err := c.keys(t).CheckAnswer(d, items[0].Value)
			if err != nil {
				t.Errorf("the card refuses the issuer: %v", err)
			}
			if c.name == "credit" && string(reply.ARC[:]) != "00" || c.name == "debit" && reply.CSU != [4]byte{0, 0x80, 0, 0} {
				t.Errorf("the card is told %+v", reply)
			}
			if r.balance(c) != opening-10_525 || r.books() != 1 {
				t.Errorf("balance %d", r.balance(c))
			}
			p := r.h.Ledger()[0]
			if p.Terminal != tid || p.Batch != "000001" || p.STAN != "000007" || p.Invoice != "000007" || p.Amount.Minor != 10_525 ||
				p.RRN != get(t, a, 37) || p.AuthCode != get(t, a, 38) || p.PAN.Clear() != c.pan || !p.At.Equal(today) {
				t.Errorf("posting %+v", p)
			}
		})
	}
}

// TestFlippedBit: one bit changed anywhere in what the cryptogram covers, or in it, and the issuer refuses.
func TestFlippedBit(t *testing.T) {
	for _, c := range []card{credit, debit} {
		r := newRig(t)
		stan := 0
		for _, tag := range []tlv.Tag{0x9F02, 0x9F03, 0x9F1A, 0x95, 0x5F2A, 0x9A, 0x9C, 0x9F37, 0x82, 0x9F36, 0x9F10, 0x9F26} {
			for bit := range 8 {
				stan++
				m, d := r.sale(c, stan, 10_525)
				v := slices.Clone(d.Value(tag))
				v[len(v)-1] ^= 1 << bit
				if tag == 0x9F10 {
					v[len(v)-1] ^= 1 << bit // as it was:
					v[4] ^= 1 << bit        // the card verification results
				}
				d.Put(tag, v)
				m.SetBytes(55, field55(d))
				want := "05"
				if tag == 0x9F02 || tag == 0x5F2A {
					want = "13" // seen before the cryptogram: not what DE 4 says
				}
				a := r.one(m)
				if got := get(t, a, 39); got != want {
					t.Errorf("%s: bit %d of %s changed: %s, want %s", c.name, bit+1, tag, got, want)
				}
				if a.Has(38) || a.Has(55) {
					t.Errorf("%s: refused with an approval code or issuer data", c.name)
				}
			}
		}
		if r.balance(c) != opening || r.books() != 0 {
			t.Errorf("%s: money moved", c.name)
		}
	}
	// A changed amount in both places still has the wrong cryptogram.
	r := newRig(t)
	m, d := r.sale(credit, 1, 10_525)
	d.Put(0x9F02, unhex(t, "000000000525"))
	m.Set(4, "000000000525")
	m.SetBytes(55, field55(d))
	if got := r.code(m); got != "05" {
		t.Errorf("amount changed in DE 4 and 9F02: %s, want 05", got)
	}
}

// TestRefused is one row for each reason to refuse.
func TestRefused(t *testing.T) {
	set := func(n int, v string) func(*rig, *iso8583.Message) {
		return func(_ *rig, m *iso8583.Message) { m.Set(n, v) }
	}
	without := func(n int) func(*rig, *iso8583.Message) {
		return func(_ *rig, m *iso8583.Message) { m.Delete(n) }
	}
	chip := func(hex string) func(*rig, *iso8583.Message) {
		return func(r *rig, m *iso8583.Message) { m.SetBytes(55, unhex(r.t, hex)) }
	}
	tag := func(tag tlv.Tag, hex string) func(*rig, *iso8583.Message) {
		return func(r *rig, m *iso8583.Message) {
			d := r.chip(credit, 10_525)
			d.Put(tag, unhex(r.t, hex))
			m.SetBytes(55, field55(d))
		}
	}
	for _, c := range []struct {
		name   string
		card   card
		amount int64
		change func(*rig, *iso8583.Message)
		want   string
		data91 bool // the card is answered
	}{
		{"card not known", unknown, 10_525, nil, "14", false},
		{"card expired", expired, 10_525, nil, "54", true},
		{"expiry not the card's", credit, 10_525, set(35, "4761739001010119D29122010000000000"), "54", true},
		{"balance too low", credit, opening + 500, nil, "51", true},
		{"amount zero", credit, 0, nil, "13", true},
		{"amount not what the chip signed", credit, 10_525, set(4, "000000010526"), "13", false},
		{"currency of another country", credit, 10_525, set(49, "840"), "30", false},
		{"sequence number of another card", credit, 10_525, set(23, "002"), "14", false},
		{"sequence number in the chip of another card", credit, 10_525, tag(0x5F34, "02"), "14", false},
		{"chip declined already", credit, 10_525, tag(0x9F27, "00"), "05", false},
		{"chip approved already", credit, 10_525, tag(0x9F27, "40"), "05", false},
		{"cryptogram version not known", credit, 10_525, tag(0x9F10, "06011103A0B800"), "05", false},
		{"no issuer application data", credit, 10_525, tag(0x9F10, ""), "05", false},
		{"chip data with a tag twice", credit, 10_525, chip("9F0206000000010525" + "9F0206000000010525"), "30", false},
		{"chip data with an endless tag", credit, 10_525, chip("1F81818181818181"), "30", false},
		{"chip data with a length of eight bytes", credit, 10_525, chip("918880000000000000000102"), "30", false},
		{"chip data with a length of a gigabyte", credit, 10_525, chip("9F3684400000000102"), "30", false},
		{"chip data of 999 bytes", credit, 10_525, chip("DF0183000003E1" + strings.Repeat("00", 900)), "30", false},
		{"chip data of many objects", credit, 10_525, chip(manyTags()), "30", false},
		{"no chip data", credit, 10_525, without(55), "30", false},
		{"no batch", credit, 10_525, without(60), "30", false},
		{"batch not a number", credit, 10_525, set(60, "00\x1b[2J"), "30", false},
		{"batch too long", credit, 10_525, set(60, "0000001"), "30", false},
		{"invoice not a number", credit, 10_525, set(62, "INV001"), "30", false},
		{"no merchant", credit, 10_525, without(42), "30", false},
		{"no amount", credit, 10_525, without(4), "30", false},
		{"no STAN", credit, 10_525, without(11), "30", false},
		{"no card", credit, 10_525, without(35), "30", false},
		{"card number too short", credit, 10_525, set(35, "4761739D2812201"), "30", false},
		{"no expiry", credit, 10_525, set(35, "4761739001010119D28"), "30", false},
		{"stripe", credit, 10_525, set(22, "021"), "58", false},
		{"terminal not known", credit, 10_525, set(41, "TILL0002"), "89", false},
		{"terminal of another merchant", credit, 10_525, set(42, "KW0000000000002"), "58", false},
		{"a void that names nothing there is", credit, 10_525, set(3, "020000"), "25", false},
		{"a void that names nothing", credit, 10_525, func(_ *rig, m *iso8583.Message) { m.Set(3, "020000"); m.Delete(62) }, "30", false},
		{"cash alone", credit, 10_525, set(3, "010000"), "12", false},
		{"a transfer", credit, 10_525, set(3, "400000"), "12", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			m, _ := r.sale(c.card, 1, c.amount)
			if c.change != nil {
				c.change(r, m)
			}
			a := r.one(m)
			if got := get(t, a, 39); got != c.want || a.MTI() != "0210" {
				t.Errorf("%s with code %s, want 0210 with %s", a.MTI(), got, c.want)
			}
			if a.Has(55) != c.data91 || a.Has(38) {
				t.Errorf("answer %v: issuer data %t, want %t; no approval code", a, a.Has(55), c.data91)
			}
			if len(r.h.Ledger()) != 0 || r.books() != 0 {
				t.Error("posted")
			}
		})
	}
}

func manyTags() string {
	var b strings.Builder
	for n := range 70 {
		fmt.Fprintf(&b, "DF%02X00", n+1)
	}
	return b.String()
}

// TestCryptogramUsedTwice: the same card data under a new STAN is a replay.
func TestCryptogramUsedTwice(t *testing.T) {
	r := newRig(t)
	m, _ := r.sale(credit, 1, 10_525)
	first := r.code(m)
	m.Set(11, "000002")
	if second := r.code(m); first != "00" || second != "05" {
		t.Errorf("codes %s and %s, want 00 and 05", first, second)
	}
	if r.books() != 1 {
		t.Error("posted twice")
	}
}

// TestPublicMessages answers messages that others published, with their terminals let in: the fields of the answers are
// those that a real host gave to the same kind of request.
func TestPublicMessages(t *testing.T) {
	read := func(name string) []byte {
		raw, err := os.ReadFile("testdata/" + name + ".hex")
		if err != nil {
			t.Fatal(err)
		}
		b := unhex(t, strings.TrimSpace(string(raw)))
		if strings.HasPrefix(name, "hpdh-") || strings.HasPrefix(name, "mn-") {
			b = b[2:]
		}
		return b
	}
	cfg := config(t)
	cfg.Terminals = append(
		cfg.Terminals,
		host.Terminal{ID: "60060060", Merchant: "600600600600600"}, host.Terminal{ID: "98709803", Merchant: "987013001300001"},
		host.Terminal{ID: "60060004", Merchant: "600600600600600"}, host.Terminal{ID: "12345678", Merchant: "000000000000000"}, host.Terminal{ID: "00000011", Merchant: "000000000000011"},
	)
	for _, c := range []struct{ name, mti, code, like string }{
		{"hpdh-sales-req", "0210", "14", "hpdh-sales-resp"},
		{"hpdh-sales-reversal-req", "0410", "25", "hpdh-sales-reversal-resp"},
		{"hpdh-log-on-req", "0810", "00", ""},
		{"hpdh-settlement-req", "0510", "95", "hpdh-settlement-resp"},
		{"hpdh-void-req", "0210", "25", ""},
		{"hpdh-batch-upload-req", "0330", "12", ""}, // nothing is to be uploaded
		{"hpdh-final-settlement-req", "0510", "95", "hpdh-final-settlement-resp"},
		{"chip-sale-cvn10-a", "0210", "30", ""}, // no batch in DE 60
		{"chip-sale-vn", "0210", "30", ""},
		{"mn-reversal-req", "0410", "89", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, err := host.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			request := read(c.name)
			replies := h.Answer(request)
			if len(replies) != 1 || !bytes.Equal(replies[0].Frame[:5], request[:5]) {
				t.Fatalf("replies %+v, want one with the request's TPDU", replies)
			}
			a, err := cfg.Codec.Unpack(replies[0].Frame)
			if err != nil {
				t.Fatal(err)
			}
			if a.MTI() != c.mti || get(t, a, 39) != c.code {
				t.Errorf("answer %s with code %s, want %s with %s", a.MTI(), get(t, a, 39), c.mti, c.code)
			}
			if c.like == "" {
				return
			}
			theirs, err := cfg.Codec.Unpack(read(c.like))
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range theirs.Fields() {
				if private := n == 48 || n == 55 || n == 60 || n == 64; !private && !a.Has(n) {
					t.Errorf("answer %v lacks field %d, which the real host's has", a, n)
				}
			}
			for _, n := range []int{3, 4, 11, 24, 41} {
				asked, err := cfg.Codec.Unpack(request)
				if n == 4 && err == nil && !asked.Has(4) {
					continue
				}
				if err != nil || get(t, a, n) != get(t, asked, n) {
					t.Errorf("field %d is not the request's (%v)", n, err)
				}
			}
		})
	}
}
