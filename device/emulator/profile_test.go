package emulator_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"tillway/device/emulator"
	"tillway/emv"
	"tillway/emv/tlv"
)

// mandatory is what a terminal cannot do without (Book 3, 7.2), and what an online sale needs on top.
var mandatory = []tlv.Tag{0x5A, 0x5F24, 0x8C, 0x8D, 0x57, 0x5F34, 0x8E, 0x9F07, 0x9F0D, 0x9F0E, 0x9F0F}

// Every ready card is personalised as a terminal expects: records are EMV templates, mandatory data are there once, account
// numbers hold together and carry a right check digit.
func TestReadyCards(t *testing.T) {
	for _, name := range emulator.ReadyNames() {
		p := ready(t, name)
		if defective(p) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			if p.Name != name || p.Note == "" {
				t.Errorf("name %q, note %q", p.Name, p.Note)
			}
			x := insert(t, name)
			x.read(hexOf(p.Applications[0].AID))
			seen := map[tlv.Tag]int{}
			for e := range bytesOf(x.afl, 4) {
				if sfi := e[0] >> 3; sfi < 1 || sfi > 30 || e[0]&7 != 0 || e[1] < 1 || e[2] < e[1] || e[3] > e[2]-e[1]+1 {
					t.Errorf("AFL entry %X", e)
				}
				for n := e[1]; n <= e[2]; n++ {
					for _, it := range record(t, x, n, e[0]|4) {
						seen[it.Tag]++
					}
				}
				x.send(0x6A83, command(0x00, 0xB2, e[2]+1, e[0]|4, nil)) // the locator names all there are
			}
			for _, tag := range mandatory {
				if seen[tag] != 1 {
					t.Errorf("tag %s %d times", tag, seen[tag])
				}
			}
			numbers(t, &x.data)
		})
	}
}

// defective says that a card is made to be read otherwise than it should.
func defective(p emulator.Profile) bool {
	for _, f := range p.Faults {
		if !strings.HasPrefix(f.At, "generate ac") && !strings.HasPrefix(f.At, "internal") {
			return true
		}
	}
	first := p.Applications[0]
	for _, r := range first.Records {
		if len(r.Raw) > 0 {
			return true
		}
	}
	return p.Blocked || first.Blocked || len(first.Tamper) > 0 || len(first.Data) > 0
}

func record(t *testing.T, x *terminal, n, p2 byte) []tlv.Item {
	t.Helper()
	outer, err := tlv.Parse(x.send(0x9000, command(0x00, 0xB2, n, p2, nil)))
	if err != nil || len(outer) != 1 || outer[0].Tag != 0x70 {
		t.Fatalf("record %d: %d objects, %v", n, len(outer), err)
	}
	items, err := tlv.Parse(outer[0].Value)
	if err != nil {
		t.Fatal(err)
	}
	return items
}

func numbers(t *testing.T, d *emv.Data) {
	t.Helper()
	track, err := emv.NewTrack2(d.Value(0x57))
	if err != nil {
		t.Fatal(err)
	}
	pan := strings.TrimRight(fmt.Sprintf("%x", d.Value(0x5A)), "f")
	if track.PAN().Clear() != pan {
		t.Error("account number in 57 and 5A differ")
	}
	if want := fmt.Sprintf("%x", d.Value(0x5F24)[:2]); track.Expiry() != want {
		t.Errorf("expiry in 57 %s, in 5F24 %s", track.Expiry(), want)
	}
	sum := 0
	for i := range len(pan) {
		n := int(pan[len(pan)-1-i] - '0')
		if i%2 == 1 {
			if n *= 2; n > 9 {
				n -= 9
			}
		}
		sum += n
	}
	if sum%10 != 0 {
		t.Error("account number with a wrong check digit")
	}
}

// A profile that makes no card is refused with a word on what is wrong.
func TestProfileRefused(t *testing.T) {
	good, err := emulator.ReadyText("credit")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ name, from, to, says string }{
		{"not TOML", `name = "credit"`, `name = `, "line 5"},
		{"unknown key", `note =`, `notes =`, `"notes"`},
		{"no name", `name = "credit"`, ``, "name"},
		{"name of two words", `name = "credit"`, `name = "credit card"`, "name"},
		{"no hex", `aip = "1C00"`, `aip = "1CZZ"`, "hex"},
		{"odd hex", `aip = "1C00"`, `aip = "1C0"`, "hex"},
		{"ATR", `atr = "3B68`, `atr = "3C68`, "atr"},
		{"ATR of T=14", `atr = "3B68000054494C4C57415930"`, `atr = "3BE000008E0E60"`, "atr"},
		{"AIP", `aip = "1C00"`, `aip = "1C"`, "aip"},
		{"AID", `aid = "A0000000031010"`, `aid = "A000"`, "aid"},
		{"long label", `label = "VISA CREDIT"`, `label = "VISA CREDIT FOR EVERYBODY"`, "label"},
		{"format", `format = 1`, `format = 3`, "format"},
		{"languages", `languages = "aren"`, `languages = "are"`, "languages"},
		{"key", `imk_ac = "2315`, `imk_ac = "231599`, "imk_ac"},
		{"version", `cvn = 10`, `cvn = 17`, "cvn"},
		{"first", `first = "tc"`, `first = "maybe"`, "risk.first"},
		{"second", `second = "tc"`, `second = "arqc"`, "risk.second"},
		{"authentication", `"optional"`, `"sometimes"`, "issuer_authentication"},
		{"no account number", `"5A" = "4761739001010119"`, ``, "5A"},
		{"account number", `"5A" = "4761739001010119"`, `"5A" = "476F"`, "5A"},
		{"not a tag", `"5F20" =`, `"5F" =`, "tag"},
		{"tag twice", `"9F1F" =`, `"9f1f" = "31"` + "\n" + `"9F1F" =`, "9F1F"},
		{"list twice", `"9F0E" = "0000000000"`, `"9F0E" = "0000000000"` + "\n[[application.record]]\nsfi = 3\n[application.record.data]\n\"8C\" = \"9F0206\"", "8C"},
		{"list cut off", `"8D" = "8A 02 `, `"8D" = "9F" # `, "8D"},
		{"list too short", `9F02 06 9F03 06 9F1A 02 95 05`, `9F02 06 9F03 06 9F1A 02`, "95"},
		{"file", `sfi = 2`, `sfi = 31`, "sfi"},
		{"authenticated record last", "sfi = 2\noda = true", "sfi = 2", ""},
		{"directory's file", `sfi = 1`, `sfi = 11`, "sfi"},
		{"record too long", `"9F0E" = "0000000000"`, `"9F0E" = "` + strings.Repeat("00", 255) + `"`, "bytes"},
	} {
		t.Run(row.name, func(t *testing.T) {
			if !bytes.Contains(good, []byte(row.from)) {
				t.Fatalf("the ready card has no %q", row.from)
			}
			_, err := emulator.ParseProfile(bytes.Replace(good, []byte(row.from), []byte(row.to), 1))
			if row.says == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if !errors.Is(err, emulator.ErrProfile) || !strings.Contains(err.Error(), row.says) {
				t.Fatalf("%v, want a word on %s", err, row.says)
			}
			if strings.Contains(err.Error(), "4761739001010119") || strings.Contains(err.Error(), "2315208C9110AD40") {
				t.Fatalf("card data in %v", err)
			}
		})
	}
	if _, err := emulator.ParseProfile(make([]byte, emulator.MaxProfileBytes+1)); !errors.Is(err, emulator.ErrProfile) {
		t.Errorf("too long: %v", err)
	}
	for name, text := range map[string]string{ // each would cost the reader gigabytes
		"deep key":     strings.Repeat("a.", 30_000) + "a = 1",
		"deep table":   "[" + strings.Repeat("a.", 100) + "a]",
		"deep by line": strings.Repeat(strings.Repeat("a.", 16)+"a = {\n", 1000),
	} {
		if _, err := emulator.ParseProfile([]byte(text)); !errors.Is(err, emulator.ErrProfile) || len(err.Error()) > 200 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := emulator.Ready("platinum"); !errors.Is(err, emulator.ErrProfile) || !strings.Contains(err.Error(), "credit") {
		t.Errorf("unknown ready card: %v", err)
	}
}

// Neither profile nor its error shows what is in it.
func TestProfileMasked(t *testing.T) {
	p := ready(t, "credit")
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		if got := fmt.Sprintf(verb, p); strings.Contains(got, "4761739001010119") || strings.Contains(strings.ToUpper(got), "2315208C") {
			t.Errorf("%s shows %s", verb, got)
		}
	}
	if got := emulator.Describe(command(0x00, 0xB2, 1, 0x0C, nil), unhex(t, "70044761739001010119"+"9000")); strings.Contains(got, "4761") {
		t.Errorf("a record in the log: %s", got)
	}
	if got := emulator.Describe(unhex(t, "0020008008241234FFFFFFFFFF"), unhex(t, "6984")); strings.Contains(got, "1234") {
		t.Errorf("a PIN in the log: %s", got)
	}
	if got := emulator.Describe(command(0x80, 0xCA, 0x9F, 0x36, nil), unhex(t, "9F360200119000")); !strings.Contains(got, "9F36020011") {
		t.Errorf("a counter is not in the log: %s", got)
	}
}

// A profile that is accepted makes a card whose locator names records that are there, and which answers everything.
func FuzzParseProfile(f *testing.F) {
	for _, name := range emulator.ReadyNames() {
		text, err := emulator.ReadyText(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte("name = \"empty\"\natr = \"3B00\"\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := emulator.ParseProfile(text)
		if err != nil {
			if !errors.Is(err, emulator.ErrProfile) {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		card := emulator.NewCard(p)
		for _, a := range p.Applications {
			if len(a.Tamper) > 0 {
				continue // its locator may lie
			}
			card.Reset()
			if card.Transmit(command(0x00, 0xA4, 4, 0, a.AID)) == nil {
				continue // a fault of the profile's
			}
			dol, err := tlv.ParseDOL(a.PDOL)
			if err != nil {
				t.Fatal(err)
			}
			size := 0
			for _, w := range dol {
				size += w.Length
			}
			r := card.Transmit(command(0x80, 0xA8, 0, 0, tlv.Append(nil, 0x83, make([]byte, size))))
			readAll(t, card, r)
		}
	})
}

func readAll(t *testing.T, card *emulator.Card, r []byte) {
	t.Helper()
	if len(r) < 4 || r[len(r)-2] != 0x90 {
		return
	}
	var afl []byte
	if r[0] == 0x80 {
		items, err := tlv.Parse(r[:len(r)-2])
		if err != nil {
			t.Fatal(err)
		}
		afl = items[0].Value[2:]
	} else if err := tlv.Walk(r[:len(r)-2], func(_ int, it tlv.Item) error {
		if it.Tag == 0x94 {
			afl = it.Value
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for e := range bytesOf(afl, 4) {
		for n := int(e[1]); n <= int(e[2]); n++ {
			got := card.Transmit(command(0x00, 0xB2, byte(n), e[0]|4, nil))
			if len(got) == 2 && got[0] == 0x6A && got[1] == 0x83 {
				t.Fatalf("the locator names record %d of file %d, which is not there", n, e[0]>>3)
			}
		}
	}
}
