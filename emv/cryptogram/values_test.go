package cryptogram_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"tillway/emv/cryptogram"
)

// TestSchemes checks each named recipe against published values: cryptogram, answer and script MAC. For visa22 nothing is
// published: it is held to be visa18's but for the script key.
func TestSchemes(t *testing.T) {
	visa := map[string]string{
		"9F02": "000000004000", "9F03": "000000000000", "9F1A": "0124", "95": "8000048000", "5F2A": "0124",
		"9A": "191105", "9C": "01", "9F37": "52BF4585", "82": "1800", "9F36": "001C",
	}
	other := map[string]string{
		"9F02": "000000009999", "9F03": "000000000000", "9F1A": "0124", "95": "8000000000", "5F2A": "0124",
		"9A": "209906", "9C": "00", "9F37": "ABCDEF12", "82": "1800", "9F36": "001C",
	}
	const cvr = "A00003220000"
	for _, c := range []struct {
		name, tail, answer     string
		tags                   map[string]string
		ac, arpc, header, smac string
	}{
		{"visa10", "03A06010", "3030", visa, "29CCA15AE665FA2E", "28993816AFAE4AEB", "8418000008", "DB56BA60087CEFD3"},
		{"visa18", "06011203A0B800", "00000000", visa, "7A788EA6B8A3E733", "9AF514C1", "8418000008", "04EDE90BC24CC35E"},
		{"visa22", "06011203A0B800", "00000000", visa, "7A788EA6B8A3E733", "9AF514C1", "", ""},
		{"mc16", cvr, "0010", other, "24CCF3DEE3158C70", "73F6BBF389A6586C", "8424000008", "ED0AB162BAB1DE61"},
		{"mc17", cvr + "00000000000322FF", "0010", other, "EAE8A620A75648D8", "29CF11FBDB9CA650", "8424000008", "4D1858456CD0F22A"},
		{"mc20", cvr, "0010", other, "CD29615D6452E70E", "DFD0956606B68D64", "8424000008", "01C0F0DFBF6AA230"},
		{"mc21", cvr + "00000000000322FF", "0010", other, "C30E54BE496CF5E5", "4F51F9CC63CE8B3C", "8424000008", "5E89E990C51CEE94"},
		{"interac133", "1501850440B100000000B00000000000000000000000", "0000", other, "18932FECA2D84326", "4DF171A49396C363", "8424000008", "B574ABB0A485A330"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, ok := cryptogram.ByName(c.name)
			if !ok {
				t.Fatal("not known")
			}
			mk, err := s.MasterKey(unhex(t, "0123456789ABCDEFFEDCBA9876543210"), "1234567890123456", "00")
			if err != nil {
				t.Fatal(err)
			}
			atc := binary.BigEndian.Uint16(unhex(t, c.tags["9F36"]))
			sk, err := s.SessionKey(mk, atc, [4]byte(unhex(t, c.tags["9F37"])))
			if err != nil {
				t.Fatal(err)
			}
			var in []byte
			for _, tag := range [...]string{"9F02", "9F03", "9F1A", "95", "5F2A", "9A", "9C", "9F37", "82", "9F36"} {
				in = append(in, unhex(t, c.tags[tag])...)
			}
			ac, err := cryptogram.AC(sk, append(in, unhex(t, c.tail)...), s.Pad)
			if err != nil || !bytes.Equal(ac[:], unhex(t, c.ac)) {
				t.Fatalf("cryptogram %X (%v), want %s", ac, err, c.ac)
			}
			key := mk
			if s.AnswerKey {
				key = sk
			}
			var arpc []byte
			if s.Method2 {
				a, err := cryptogram.ARPC2(key, ac, [4]byte(unhex(t, c.answer)), nil)
				if err != nil {
					t.Fatal(err)
				}
				arpc = a[:]
			} else {
				a, err := cryptogram.ARPC1(key, ac, [2]byte(unhex(t, c.answer)))
				if err != nil {
					t.Fatal(err)
				}
				arpc = a[:]
			}
			if !bytes.Equal(arpc, unhex(t, c.arpc)) {
				t.Errorf("answer %X, want %s", arpc, c.arpc)
			}
			smi, err := s.MasterKey(unhex(t, "FEDCBA98765432100123456789ABCDEF"), "1234567890123456", "00")
			if err != nil || c.smac == "" {
				return
			}
			mac, err := s.ScriptMAC(smi, unhex(t, c.header), nil, atc, ac)
			if err != nil || !bytes.Equal(mac[:], unhex(t, c.smac)) {
				t.Errorf("script MAC %X (%v), want %s", mac, err, c.smac)
			}
		})
	}
	if _, ok := cryptogram.ByName("visa99"); ok {
		t.Error("a scheme that nobody knows is known")
	}
}

// TestScriptMAC is a command with data (pyemv, tests/test_sm_hsm.py): a PIN change under the common session key.
func TestScriptMAC(t *testing.T) {
	mk, err := cryptogram.MasterKeyA(unhex(t, "0123456789ABCDEFFEDCBA9876543210"), "1234567890123456", "01")
	if err != nil {
		t.Fatal(err)
	}
	key, err := cryptogram.ScriptKeyCommon(mk, [8]byte(unhex(t, "ABCDEF1234567890")))
	if err != nil {
		t.Fatal(err)
	}
	mac, err := cryptogram.ScriptMAC(key, unhex(t, "8424000210"), nil, unhex(t, "28367E05DE3381C2"))
	if err != nil || !bytes.Equal(mac[:], unhex(t, "8C4D10091A093B5B")) {
		t.Errorf("script MAC %X (%v)", mac, err)
	}
	if _, err := cryptogram.ScriptMAC(key[:8], nil, nil, nil); err == nil {
		t.Error("a key of eight bytes signs")
	}
	if _, err := cryptogram.ScriptKeyVisa(mk[:8], 1); !errors.Is(err, cryptogram.ErrInput) {
		t.Errorf("a master key of eight bytes: %v", err)
	}
}

// TestVersion22: both ends of version 22, whose 9F10 has 32 bytes; version 18's recipe, and no other version in that form.
func TestVersion22(t *testing.T) {
	iad := append(unhex(t, "1F220100A0000000005600"), make([]byte, 21)...)
	d := data(t, map[string]string{
		"9F02": "000000004000", "9F03": "000000000000", "9F1A": "0124", "95": "8000048000", "5F2A": "0124",
		"9A": "191105", "9C": "01", "9F37": "52BF4585", "82": "1800", "9F36": "001C",
	})
	d.Put(0x9F10, iad)
	keys, err := cryptogram.ForCard(unhex(t, "0123456789ABCDEFFEDCBA9876543210"), "1234567890123456", "00")
	if err != nil {
		t.Fatal(err)
	}
	in, v, err := cryptogram.Input(d)
	if err != nil || v != cryptogram.Version22 || !bytes.HasSuffix(in, iad) {
		t.Fatalf("version %d, %d bytes (%v)", v, len(in), err)
	}
	ac, err := keys.Compute(d)
	if err != nil {
		t.Fatal(err)
	}
	d.Put(0x9F26, ac[:])
	if err := keys.Verify(d); err != nil {
		t.Errorf("its own cryptogram: %v", err)
	}
	reply := cryptogram.Reply{CSU: [4]byte{0, 0x80, 0, 0}}
	answer, err := keys.Answer(d, reply)
	if err != nil || len(answer) != 8 {
		t.Fatalf("answer %X (%v)", answer, err)
	}
	if got, err := keys.CheckAnswer(d, answer); err != nil || got != reply {
		t.Errorf("answer read as %v (%v)", got, err)
	}
	answer[0] ^= 1
	if _, err := keys.CheckAnswer(d, answer); !errors.Is(err, cryptogram.ErrIssuer) {
		t.Errorf("a changed answer: %v", err)
	}
	iad[1] = 0x43
	if _, err := cryptogram.VersionOf(iad); !errors.Is(err, cryptogram.ErrVersion) {
		t.Errorf("version 43: %v", err)
	}
}

// TestCardValues is psec's tests of CVV, PVV and IBM 3624.
func TestCardValues(t *testing.T) {
	if v, err := cryptogram.CVV(unhex(t, "99999999999999998888888888888888"), "2222222222222222", "3333", "111"); err != nil || v != "361" {
		t.Errorf("CVV %s (%v)", v, err)
	}
	key := unhex(t, "0123456789ABCDEFFEDCBA9876543210")
	for _, c := range [][4]string{
		{"1", "4524", "1122334455667788", "8523"},
		{"2", "1912", "1122334455667788", "3244"},
		{"1", "0570", "1122334455667718", "3144"},
		{"1", "8299", "1122334455667708", "4422"}, // digits out of letters
	} {
		if v, err := cryptogram.PVV(key, c[0], c[1], c[2]); err != nil || v != c[3] {
			t.Errorf("PVV %s (%v), want %s", v, err, c[3])
		}
	}
	for _, c := range []struct {
		start, length int
		fill          byte
		offset, pin   string
	}{
		{0, 16, 'F', "0000", "4524"},
		{0, 16, 'f', "1111", "5635"},
		{0, 16, 'F', "6586", "0000"},
		{0, 16, 'F', "7710", "1234"},
		{0, 14, 'F', "0000", "5518"},
		{1, 14, '1', "0000", "3675"},
		{2, 14, '1', "0000", "5550"},
	} {
		v := cryptogram.Validation{PAN: "1122334455667788", Start: c.start, Length: c.length, Fill: c.fill, Table: "1234567890123456"}
		if pin, err := cryptogram.IBM3624PIN(key, v, c.offset); err != nil || pin != c.pin {
			t.Errorf("PIN %s (%v), want %s", pin, err, c.pin)
		}
		if offset, err := cryptogram.IBM3624Offset(key, v, c.pin); err != nil || offset != c.offset {
			t.Errorf("offset %s (%v), want %s", offset, err, c.offset)
		}
	}
}

// TestCardValueRefusals is psec's lists of refusals.
func TestCardValueRefusals(t *testing.T) {
	key := unhex(t, "0123456789ABCDEFFEDCBA9876543210")
	const pan = "5555555551234567"
	for _, c := range [][3]string{
		{pan + "1234", "2012", "220"},
		{"555555555123456A", "2012", "220"},
		{pan, "201", "220"},
		{pan, "20120", "220"},
		{pan, "201A", "220"},
		{pan, "2012", "2202"},
		{pan, "2012", "22"},
		{pan, "2012", "22A"},
		{"", "2012", "220"},
	} {
		if v, err := cryptogram.CVV(key, c[0], c[1], c[2]); !errors.Is(err, cryptogram.ErrInput) || v != "" {
			t.Errorf("CVV of %v: %v", c[1:], err)
		}
	}
	if _, err := cryptogram.CVV(append(key, key[:8]...), pan, "2012", "220"); !errors.Is(err, cryptogram.ErrInput) {
		t.Errorf("CVV with 24 bytes: %v", err)
	}
	for _, c := range [][3]string{
		{"A", "0000", pan},
		{"11", "0000", pan},
		{"", "0000", pan},
		{"1", "000", pan},
		{"1", "00000", pan},
		{"1", "A000", pan},
		{"1", "", pan},
		{"1", "0000", "11223344556"},
		{"1", "0000", "1122334455A"},
		{"1", "0000", ""},
	} {
		if v, err := cryptogram.PVV(key, c[0], c[1], c[2]); !errors.Is(err, cryptogram.ErrInput) || v != "" {
			t.Errorf("PVV of index %q: %v", c[0], err)
		}
	}
	for _, v := range []cryptogram.Validation{
		{pan, 0, 16, 'F', "123456789012345"},
		{pan, 0, 16, 'F', "12345678901234567"},
		{pan, 0, 16, 'F', "123456789012345A"},
		{pan + "0900", 0, 16, 'F', "1234567890123456"},
		{"112233445566778A", 0, 16, 'F', "1234567890123456"},
		{pan, 0, 14, 'X', "1234567890123456"},
		{pan, 1, 16, 'F', "1234567890123456"},
		{pan, 0, 17, 'F', "1234567890123456"},
		{pan, -1, 4, 'F', "1234567890123456"},
		{pan, 0, -1, 'F', "1234567890123456"},
	} {
		if _, err := cryptogram.IBM3624PIN(key, v, "0000"); !errors.Is(err, cryptogram.ErrInput) {
			t.Errorf("validation data %d to %d: %v", v.Start, v.Length, err)
		}
	}
	for _, offset := range []string{"000", "00000000000000000", "000A"} {
		v := cryptogram.Validation{PAN: pan, Length: 16, Fill: 'F', Table: "1234567890123456"}
		if _, err := cryptogram.IBM3624Offset(key, v, offset); !errors.Is(err, cryptogram.ErrInput) {
			t.Errorf("PIN of %d: %v", len(offset), err)
		}
	}
}
