package emulator_test

import (
	"bytes"
	"testing"

	"tillway/device/emulator"
	"tillway/emv/tlv"
)

// Book 1, 12.3.2: the environment names its directory, whose records name the applications.
func TestPSE(t *testing.T) {
	x := insert(t, "debit")
	x.absorb(x.send(0x9000, command(0x00, 0xA4, 4, 0, []byte("1PAY.SYS.DDF01"))))
	if sfi := x.data.Value(0x88); !bytes.Equal(sfi, []byte{1}) {
		t.Fatalf("directory in file %X", sfi)
	}
	x.absorb(x.send(0x9000, command(0x00, 0xB2, 1, 0x0C, nil)))
	if got := x.data.Value(0x4F); !bytes.Equal(got, unhex(t, mastercard)) {
		t.Errorf("4F %X", got)
	}
	if got := x.data.Value(0x50); string(got) != "DEBIT MASTERCARD" {
		t.Errorf("50 %q", got)
	}
	x.send(0x6A83, command(0x00, 0xB2, 2, 0x0C, nil))
	x.send(0x6A82, command(0x00, 0xB2, 1, 0x14, nil))
	x.send(0x6985, command(0x80, 0xA8, 0, 0, unhex(t, "8300")))
}

// Book 1, 12.3.3: partial names and the next occurrence; blocked applications and cards answer as 12.3.2 says.
func TestSelect(t *testing.T) {
	p := ready(t, "credit")
	second := p.Applications[0]
	second.AID, second.Label, second.Blocked = unhex(t, visa+"02"), "SECOND", true
	p.Applications = append(p.Applications, second)
	x := insertCard(t, emulator.NewCard(p))
	for _, row := range []struct {
		name string
		p2   byte
		want uint16
		aid  string
	}{
		{visa, 0, 0x9000, visa},
		{visa, 2, 0x6283, visa + "02"},
		{visa, 2, 0x6A82, ""},
		{visa, 0, 0x9000, visa},
		{"A000000004", 2, 0x6A82, ""}, // another name than the last
		{"A000000003", 2, 0x6A82, ""},
		{"A000000003", 0, 0x9000, visa},
		{visa + "02", 0, 0x6283, visa + "02"},
		{mastercard, 0, 0x6A82, ""},
	} {
		r := x.send(row.want, command(0x00, 0xA4, 4, row.p2, unhex(t, row.name)))
		if row.aid == "" {
			continue
		}
		x.absorb(r)
		if got := x.data.Value(0x84); !bytes.Equal(got, unhex(t, row.aid)) {
			t.Errorf("%s, P2 %02X: %X", row.name, row.p2, got)
		}
	}
	x.send(0x6985, command(0x80, 0xA8, 0, 0, unhex(t, "8300"))) // blocked
	p.Blocked = true
	insertCard(t, emulator.NewCard(p)).send(0x6A81, command(0x00, 0xA4, 4, 0, unhex(t, visa)))
}

// A malformed or misplaced command gets the status word that says why (ISO/IEC 7816-4, 5.1.3), and changes nothing.
func TestRefusals(t *testing.T) {
	x := insert(t, "debit")
	refuse := func(rows ...struct {
		want uint16
		apdu string
	},
	) {
		t.Helper()
		for _, r := range rows {
			x.send(r.want, unhex(t, r.apdu))
		}
	}
	type row = struct {
		want uint16
		apdu string
	}
	refuse(
		row{0x6700, "00A404"},                                       // cut short
		row{0x6700, "00A4040007A00000000310"},                       // Lc says more
		row{0x6700, "00A4040005A0000000031010"},                     // Lc says less
		row{0x6700, "00A40400"},                                     // no name
		row{0x6700, "00A404000000000003"},                           // extended length
		row{0x6A86, "00A4000007A000000003101000"},                   // not by name
		row{0x6A86, "00A4040107A000000003101000"},                   // P2
		row{0x6A82, "00A4040010FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00"}, // not there
		row{0x6E00, "C0A4040007A000000003101000"},                   // class
		row{0x6E00, "80A4040007A000000003101000"},                   // class of another command
		row{0x6D00, "0088000004D3173A1F00"},                         // INTERNAL AUTHENTICATE: no DDA
		row{0x6D00, "8016000000"},                                   // CARD BLOCK: no scripts
		row{0x6985, "80CA9F3600"},                                   // nothing selected
		row{0x6985, "0084000000"},
		row{0x6985, "0020008008241234FFFFFFFFFF"},
		row{0x6985, "80AE80000000"[:10]},
		row{0x6A82, "00B2010C00"},
	)
	x.absorb(x.send(0x9000, command(0x00, 0xA4, 4, 0, unhex(t, mastercard))))
	refuse(
		row{0x6985, "00B2011400"},       // records before GET PROCESSING OPTIONS
		row{0x6985, "80AE8000022B0000"}, // and cryptograms
		row{0x6A80, "80A8000002840000"}, // not template 83
		row{0x6700, "80A8000002830000"}, // the PDOL wants six bytes
		row{0x6A86, "80A8010008830600000000000000"},
	)
	x.start()
	refuse(
		row{0x6985, "80A8000008830600000000000000"}, // once a selection
		row{0x6A82, "00B2012400"},                   // no such file
		row{0x6A83, "00B2021400"},                   // no such record
		row{0x6A86, "00B2001400"},                   // record 0
		row{0x6A86, "00B2011000"},                   // not by number
		row{0x6A86, "00B2010400"},                   // file 0
		row{0x6A88, "80CA9F4F00"},                   // no log
		row{0x6A88, "80CA9F1700"},                   // no PIN
		row{0x6984, "0020008008241234FFFFFFFFFF"},   // none can be verified
		row{0x6A86, "0020000008241234FFFFFFFFFF"},
		row{0x6A86, "80AEC0000100"},               // RFU kind
		row{0x6A86, "80AE90000100"},               // with a signature
		row{0x6700, "80AE80000100"},               // not what CDOL1 asks for
		row{0x6D00, "00820000081122334455667788"}, // not in this card's AIP
	)
	x.read(mastercard) // all that did no harm
	x.wants(x.ask(arqc, 0x8C), arqc)
	x.send(0x6A86, command(0x80, 0xAE, arqc, 0, nil)) // a second ARQC
	x.wants(x.ask(aac, 0x8D), aac)
}

// GET CHALLENGE differs each time, and is the same for the same card and history (Book 3, 6.5.6).
func TestChallenge(t *testing.T) {
	ask := func(x *terminal) []byte { return x.send(0x9000, command(0x00, 0x84, 0, 0, nil)) }
	a, b := insert(t, "credit"), insert(t, "credit")
	for _, x := range []*terminal{a, b} {
		x.send(0x9000, command(0x00, 0xA4, 4, 0, unhex(t, visa)))
	}
	first := ask(a)
	if len(first) != 8 || !bytes.Equal(first, ask(b)) {
		t.Fatalf("challenge %X", first)
	}
	if bytes.Equal(first, ask(a)) {
		t.Fatal("the same challenge twice")
	}
}

// The answers' two formats say the same (Book 3, 6.5.5.4 and 6.5.8.4).
func TestFormats(t *testing.T) {
	var got [2][]string
	for format := 1; format <= 2; format++ {
		p := ready(t, "credit")
		p.Applications[0].Format = format
		x := insertCard(t, emulator.NewCard(p))
		x.read(visa)
		x.wants(x.ask(arqc, 0x8C), arqc)
		for _, tag := range []tlv.Tag{0x82, 0x9F26, 0x9F27, 0x9F36, 0x9F10} {
			got[format-1] = append(got[format-1], string(x.data.Value(tag)))
		}
	}
	for i := range got[0] {
		if got[0][i] == "" || got[0][i] != got[1][i] {
			t.Errorf("value %d: %X and %X", i, got[0][i], got[1][i])
		}
	}
}
