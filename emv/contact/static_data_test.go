package contact_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"tillway/device/emulator"
	"tillway/emv"
	"tillway/emv/contact"
	"tillway/emv/tlv"
)

// insertText powers a card that a test describes.
func insertText(t testing.TB, text string) virtual {
	t.Helper()
	p, err := emulator.ParseProfile([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return virtual{emulator.NewCard(p)}
}

// readyText is a ready card's file with one text for another.
func readyText(t testing.TB, name, from, to string) string {
	t.Helper()
	b, err := emulator.ReadyText(name)
	if err != nil || !strings.Contains(string(b), from) {
		t.Fatalf("%s: %v", name, err)
	}
	return strings.ReplaceAll(string(b), from, to)
}

// TestStaticData: what of the records is signed (Book 3, 10.3). The cards' certificates cover it as the book says, so that a
// byte more or less fails.
func TestStaticData(t *testing.T) {
	record := func(line string) string {
		return "like = \"oda-cda\"\n[[application]]\n[[application.record]]\noda = true\n" + line
	}
	for _, r := range []struct {
		name, text string
		oda        string
	}{
		{"a template in file 11, with tag and length", record("sfi = 11\n[application.record.data]\n\"9F0A\" = \"010203\""), "true 00"},
		{"a template in file 30", record("sfi = 30\n[application.record.data]\n\"9F0A\" = \"010203\""), "true 00"},
		{"a template with a tag that nobody has", record("sfi = 10\n[application.record.data]\n\"DF01\" = \"010203\""), "true 00"},
		{"the first of two records of a file", record("sfi = 11\n[application.record.data]\n\"9F0A\" = \"010203\"\n[[application.record]]\nsfi = 11\n[application.record.data]\n\"9F0C\" = \"476173\""), "true 00"},
		{"no template in file 11", record("sfi = 11\nraw = \"7103DF0100\""), "false 04"},
		{"no object in file 11", record("sfi = 11\nraw = \"FFFFFF\""), "false 04"},
		{"two objects in file 11", record("sfi = 11\nraw = \"7003DF01005000\""), "false 04"},
		{"no records at all", readyText(t, "oda-cda", "oda = true", "oda = false"), "true 00"},
	} {
		_, out := begin(t, insertText(t, r.text), offline(t), nil)
		ok := "false"
		if out.ODA.OK {
			ok = "true"
		}
		tvr := out.Data.Value(emv.TagTVR)
		if len(tvr) != 5 || ok != strings.Fields(r.oda)[0] || !bytes.Equal(tvr[:1], unhex(strings.Fields(r.oda)[1])) || out.Data.Value(emv.TagTSI)[0]&0x80 == 0 {
			t.Errorf("%s: %s %+v, TVR %X: %v", r.name, out.Decision, out.ODA, tvr, out.Why)
		}
	}
}

// wedge stands between card and terminal and changes the answers to one instruction.
type wedge struct {
	card   emv.Card
	ins    byte
	change func([]byte) []byte
}

func (w wedge) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	r, err := w.card.Transmit(ctx, command)
	if err == nil && command[1] == w.ins {
		r = w.change(bytes.Clone(r))
	}
	return r, err
}

// FuzzWedge: whatever somebody makes of the answer to GENERATE AC, nothing is approved but what the card signed.
func FuzzWedge(f *testing.F) {
	f.Add(uint16(6), byte(0xC0), []byte{})
	f.Add(uint16(15), byte(1), []byte{})
	f.Add(uint16(0), byte(0), unhex("77149F2701409F360200119F4B009F10060101"))
	p, err := emulator.Ready("oda-cda")
	if err != nil {
		f.Fatal(err)
	}
	params := offline(f)
	f.Fuzz(func(t *testing.T, at uint16, bits byte, instead []byte) {
		var real []byte
		card := wedge{virtual{emulator.NewCard(p)}, 0xAE, func(r []byte) []byte {
			real = bytes.Clone(r)
			if len(instead) > 0 {
				return append(bytes.Clone(instead[:min(len(instead), 256)]), 0x90, 0x00)
			}
			r[int(at)%len(r)] ^= bits
			return r
		}}
		params.Random = bytes.NewReader(make([]byte, 64))
		_, out, err := contact.New(contact.Config{}).Begin(t.Context(), card, params, nil)
		if err != nil {
			t.Fatal(err)
		}
		untouched := len(instead) == 0 && bits == 0
		if out.Decision == emv.Approved && !untouched {
			for _, tag := range []string{"9F27", "9F36", "9F10"} { // zero bytes between objects change nothing
				v := out.Data.Value(tagOf(tag))
				if !bytes.Contains(real, append(append(unhex(tag), byte(len(v))), v...)) {
					t.Fatalf("approved with another %s", tag)
				}
			}
		}
		if untouched && out.Decision != emv.Approved {
			t.Fatalf("%s: %v", out.Decision, out.Why)
		}
		if out.Decision == emv.Online {
			t.Fatal("online where a TC was signed")
		}
	})
}

func tagOf(text string) tlv.Tag {
	tag, err := tlv.ParseTag(text)
	if err != nil {
		panic(err)
	}
	return tag
}

// FuzzAuthentication: whatever a card answers at one point, it is no error, the commands are bounded, and what is approved
// without the issuer is authenticated by a signature of now.
func FuzzAuthentication(f *testing.F) {
	f.Add(uint8(4), false, unhex("77009000"))
	f.Add(uint8(7), true, unhex("7081FB9081F8"))
	f.Add(uint8(9), true, unhex("8081809000"))
	f.Add(uint8(10), false, unhex("801240002911223344556677880601"))
	var profiles []emulator.Profile
	for _, name := range []string{"oda-cda-remainders", "oda-dda"} {
		p, err := emulator.Ready(name)
		if err != nil {
			f.Fatal(err)
		}
		profiles = append(profiles, p)
	}
	params := offline(f)
	f.Fuzz(func(t *testing.T, at uint8, dda bool, answer []byte) {
		p := profiles[0]
		if dda {
			p = profiles[1]
		}
		n := 0
		card := cardFunc(func(real func() ([]byte, error)) ([]byte, error) {
			if n++; n == int(at%16) && len(answer) <= 258 {
				return bytes.Clone(answer), nil
			}
			return real()
		})
		params.Random = bytes.NewReader(make([]byte, 64))
		_, out, err := contact.New(contact.Config{}).Begin(t.Context(), card.over(virtual{emulator.NewCard(p)}), params, nil)
		if err != nil {
			t.Fatal(err)
		}
		if out.Decision == emv.Approved && (!out.ODA.OK || out.ODA.Method == "sda" || out.Data.Value(emv.TagTVR)[0] != 0) {
			t.Fatalf("approved with %+v, TVR %X", out.ODA, out.Data.Value(emv.TagTVR))
		}
		if n > 100 {
			t.Fatalf("%d commands", n)
		}
	})
}

// cardFunc answers in a card's place, or has it answer.
type cardFunc func(real func() ([]byte, error)) ([]byte, error)

func (f cardFunc) over(card emv.Card) emv.Card { return cardOver{card, f} }

type cardOver struct {
	card   emv.Card
	answer cardFunc
}

func (c cardOver) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	return c.answer(func() ([]byte, error) { return c.card.Transmit(ctx, command) })
}
