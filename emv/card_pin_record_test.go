package emv_test

import (
	"encoding/hex"
	"testing"

	"tillway/emv"
)

func TestCardSaysPIN(t *testing.T) {
	const visa, mastercard, other = "A0000000031010", "A0000000041010", "A0000000651010"
	for name, c := range map[string]struct {
		aid, iad        string
		accepted, known bool
	}{
		"Visa, PIN verified":                     {visa, "06010A03A4B800", true, true},
		"Visa, PIN wrong":                        {visa, "06010A03A6B800", false, true},
		"Visa, no PIN":                           {visa, "06010A03A00000", false, true},
		"Visa, with issuer's discretionary data": {visa, "06010A03A4B8000F112233445566778899AABBCCDDEEFF", true, true},
		"Visa, another form":                     {visa, "1F4A1234203400000000000000000000", false, false},
		"Visa, cut":                              {visa, "06010A03A4B8", false, false},
		"M/Chip, plaintext PIN verified":         {mastercard, "0110A5000000000000000000000000000000", true, true},
		"M/Chip, PIN wrong":                      {mastercard, "0110A4000000000000000000000000000000", false, true},
		"M/Chip, no PIN":                         {mastercard, "0110A0000000000000000000000000000000", false, true},
		"M/Chip, another length":                 {mastercard, "0110A500000000000000000000000000", false, false},
		"common core, PIN verified":              {other, "0FA50100080000000000000000000000" + "0F000000000000000000000000000000", true, true},
		"common core, PIN performed and wrong":   {other, "0FA501000C0000000000000000000000" + "0F000000000000000000000000000000", false, true},
		"common core, no PIN":                    {other, "0FA50100000000000000000000000000" + "0F000000000000000000000000000000", false, true},
		"of a scheme that nobody here knows":     {other, "06010A03A4B800", false, false},
		"nothing":                                {visa, "", false, false},
	} {
		aid, _ := hex.DecodeString(c.aid)
		iad, err := hex.DecodeString(c.iad)
		if err != nil {
			t.Fatal(name, err)
		}
		if accepted, known := emv.CardSaysPIN(aid, iad); accepted != c.accepted || known != c.known {
			t.Errorf("%s: accepted %t, known %t", name, accepted, known)
		}
	}
}

func FuzzCardSaysPIN(f *testing.F) {
	f.Add([]byte{0xA0, 0, 0, 0, 3}, []byte{6, 1, 10, 3, 0xA4, 0xB8, 0})
	f.Fuzz(func(t *testing.T, aid, iad []byte) {
		if accepted, known := emv.CardSaysPIN(aid, iad); accepted && !known {
			t.Error("accepted in a form that is not known")
		}
	})
}
