package host_test

import (
	"testing"

	"tillway/emv"
	"tillway/emv/tlv"
	"tillway/iso8583"
)

// TestCardPINBlocked: whoever ran the card's tries down gets nothing by another method (TVR byte 3, bit 6).
func TestCardPINBlocked(t *testing.T) {
	for tvr, want := range map[string]string{"0000208000": "05", "0000008000": "00", "0000188000": "00"} {
		r := newRig(t)
		m, _ := r.saleWith(credit, tvr)
		if code := r.code(m); code != want {
			t.Errorf("TVR %s: code %s, want %s", tvr, code, want)
		}
	}
}

// saleWith is a sale whose chip signed another TVR.
func (r *rig) saleWith(c card, tvr string) (*iso8583.Message, emv.Data) {
	r.t.Helper()
	m, d := r.sale(c, 1, 10_525)
	d.Put(0x95, unhex(r.t, tvr))
	ac, err := c.keys(r.t).Compute(d)
	if err != nil {
		r.t.Fatal(err)
	}
	d.Put(0x9F26, ac[:])
	m.SetBytes(55, field55(d))
	return m, d
}

// TestAttackPINWedgeOnline: a terminal that says the card accepted a PIN, and a card whose cryptogram says that it saw none:
// somebody between them answered VERIFY. The issuer declines, and only then (Murdoch and others, 2010; Book 4, 6.3.4.5).
func TestAttackPINWedgeOnline(t *testing.T) {
	const none, accepted, wrong = "06010A03A00000", "06010A03A40000", "06010A03A60000"
	for name, c := range map[string]struct{ iad, results, want string }{
		"PIN accepted, by both words":             {accepted, "010002", "00"},
		"enciphered, by both words":               {accepted, "440302", "00"},
		"no PIN, by both words":                   {none, "1F0002", "00"},
		"the terminal's PIN is not the card's":    {none, "010002", "05"},
		"enciphered":                              {none, "440302", "05"},
		"beside a signature":                      {none, "050000", "05"},
		"the card says it was wrong":              {wrong, "410302", "05"},
		"the terminal says that it failed":        {wrong, "410301", "00"},
		"the terminal says nothing of the card's": {none, "1E0000", "00"},
	} {
		t.Run(name, func(t *testing.T) {
			r, card := newRig(t), credit
			card.iad = c.iad
			m, d := r.sale(card, 1, 10_525)
			d.Put(tlv.Tag(0x9F34), unhex(t, c.results))
			m.SetBytes(55, field55(d))
			if code := r.code(m); code != c.want {
				t.Errorf("code %s, want %s", code, c.want)
			}
		})
	}
}
