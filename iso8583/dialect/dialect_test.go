package dialect_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tillway/emv"
	"tillway/emv/tlv"
	"tillway/iso8583"
	"tillway/iso8583/dialect"
	"tillway/money"
	"tillway/terminal"
)

// TestChipData: the list's order, what is missing left out or refused, and no two values of one thing.
func TestChipData(t *testing.T) {
	var tags emv.Data
	tags.Put(emv.TagATC, []byte{0, 1})
	tags.Put(emv.TagApplicationCryptogram, make([]byte, 8))
	tags.Put(emv.TagAmountAuthorised, []byte{0, 0, 0, 1, 5, 0x25})
	list := []tlv.Tag{emv.TagAmountAuthorised, emv.TagTerminalType, emv.TagATC}
	for name, c := range map[string]struct {
		list  []tlv.Tag
		same  map[tlv.Tag]string
		whole bool
		want  string // empty: refused
	}{
		"in their order":                 {list, nil, false, "9F02060000000105259F36020001"},
		"of that amount":                 {list, map[tlv.Tag]string{emv.TagAmountAuthorised: "000000010525", emv.TagTerminalType: "22"}, false, "9F02060000000105259F36020001"},
		"of another amount":              {list, map[tlv.Tag]string{emv.TagAmountAuthorised: "000000010526"}, false, ""},
		"without what the issuer checks": {[]tlv.Tag{emv.TagATC, emv.TagUnpredictableNumber}, nil, true, ""},
		"the same where it need not":     {[]tlv.Tag{emv.TagATC, emv.TagUnpredictableNumber}, nil, false, "9F36020001"},
	} {
		got, err := dialect.ChipData(tags, c.list, c.same, c.whole)
		if (err != nil) != (c.want == "") || fmt.Sprintf("%X", got) != c.want {
			t.Errorf("%s: %X, %v", name, got, err)
		}
	}
	tags.Put(emv.TagDFName, make([]byte, 250))
	if got, err := dialect.ChipData(tags, []tlv.Tag{emv.TagDFName, emv.TagATC}, nil, false); err == nil {
		t.Errorf("%d bytes are taken", len(got))
	}
}

// TestCheckTags: card data and a tag twice have no place in a list.
func TestCheckTags(t *testing.T) {
	for want, list := range map[string][]tlv.Tag{
		"":      {emv.TagATC, emv.TagCID},
		"twice": {emv.TagATC, emv.TagCID, emv.TagATC},
		"card":  {emv.TagATC, emv.TagTrack2EquivalentData},
	} {
		if err := dialect.CheckTags(list); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v", list, err)
		}
	}
}

// TestIssuerData: what is TLV comes as it is, repeats and order too; nothing is nothing.
func TestIssuerData(t *testing.T) {
	for text, want := range map[string]string{"": "", "910101" + "710100" + "710101": "910101710100710101", "9102": "error", "710101FF": "error"} {
		m := iso8583.NewMessage("0210")
		m.SetBytes(55, dialect.Hex(text))
		got, err := dialect.IssuerData(m, 55)
		if err != nil {
			got = []byte("error")
			want = fmt.Sprintf("%X", want)
		}
		if fmt.Sprintf("%X", got) != want {
			t.Errorf("%q: %X, %v", text, got, err)
		}
	}
	if got, err := dialect.IssuerData(iso8583.NewMessage("0210"), 55); got != nil || err != nil {
		t.Errorf("no field: %X, %v", got, err)
	}
}

// TestMade: only what the card has made last counts.
func TestMade(t *testing.T) {
	for cid, want := range map[string]emv.Cryptogram{"00": emv.AAC, "40": emv.TC, "80": emv.ARQC} {
		var tags emv.Data
		tags.Put(emv.TagCID, dialect.Hex(cid))
		for _, c := range []emv.Cryptogram{emv.AAC, emv.TC, emv.ARQC} {
			if dialect.Made(tags, c) != (c == want) {
				t.Errorf("%s: made %v is %t", cid, c, c != want)
			}
		}
	}
	if dialect.Made(emv.Data{}, emv.AAC) {
		t.Error("a card that has made nothing has refused")
	}
}

// TestCheckCard: a message names one account.
func TestCheckCard(t *testing.T) {
	track, err := emv.NewTrack2(dialect.Hex("4761739001010119D2812201123456789F"))
	other, oerr := emv.NewPAN("5413330089604111")
	if err != nil || oerr != nil {
		t.Fatal(err, oerr)
	}
	for name, c := range map[string]struct {
		card terminal.CardData
		ok   bool
	}{
		"number":            {terminal.CardData{PAN: other}, true},
		"number and track":  {terminal.CardData{PAN: track.PAN(), Track2: track}, true},
		"nothing":           {terminal.CardData{}, false},
		"a track alone":     {terminal.CardData{Track2: track}, false},
		"another's account": {terminal.CardData{PAN: other, Track2: track}, false},
	} {
		if err := dialect.CheckCard(c.card); (err == nil) != c.ok || err != nil && strings.Contains(err.Error(), "476173") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestWords: a refusal has its code, an approval none; tries are said where they are known.
func TestWords(t *testing.T) {
	if o := dialect.Outcome(terminal.VerdictApproved, "00", "Done.", "Go.", false); o != (terminal.Outcome{Code: "approved", Happened: "Done.", Do: "Go."}) {
		t.Errorf("%+v", o)
	}
	for _, v := range []terminal.Verdict{terminal.VerdictDeclined, terminal.VerdictTryLater} {
		if o := dialect.Outcome(v, "51", "Not done.", "Stop.", true); o != (terminal.Outcome{Code: "declined", Happened: "Not done. (code 51)", Do: "Stop.", MayRetry: true}) {
			t.Errorf("%+v", o)
		}
	}
	for tries, want := range map[int]string{-3: "wrong", -1: "wrong", 0: "0 tries are left", 1: "one try is left", 2: "2 tries are left"} {
		r := terminal.Response{Code: "55", Advice: terminal.Outcome{Happened: "wrong"}}
		if dialect.WrongPIN(&r, tries); !r.WrongPIN || r.PINTries != max(tries, -1) || !strings.Contains(r.Advice.Happened, want) {
			t.Errorf("%d tries: %+v", tries, r)
		}
	}
}

// TestText: without its padding, and never what a screen would obey.
func TestText(t *testing.T) {
	m := iso8583.NewMessage("0210")
	for text, want := range map[string]string{" THANK YOU ": "THANK YOU", "A\x1b[2J": "", "\xff": "", strings.Repeat("A", 201): ""} {
		if m.Set(63, text); dialect.Text(m, 63) != want {
			t.Errorf("%q: %q", text, dialect.Text(m, 63))
		}
	}
	if dialect.Text(m, -1) != "" || dialect.Text(m, 62) != "" {
		t.Error("a field that is not there has text")
	}
	for text, is := range map[string][3]bool{ // printable, two digits, alphanumeric
		"12": {true, true, true}, "1": {true, false, true}, "": {true, false, false}, "a ": {true, false, false}, "é1": {false, false, false}, "1\n": {false, false, false},
	} {
		if got := [3]bool{dialect.Printable(text), dialect.Digits(text, 2), dialect.Alphanumeric(text)}; got != is {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// TestNearestYear: around new year and on a leap day, as both dialects' hosts say it.
func TestNearestYear(t *testing.T) {
	kuwait := time.FixedZone("KWT", 3*3600)
	for _, c := range []struct {
		text string
		now  time.Time
		want time.Time
	}{
		{"0101000001", time.Date(2026, 12, 31, 23, 59, 0, 0, kuwait), time.Date(2027, 1, 1, 0, 0, 1, 0, kuwait)},
		{"1231235959", time.Date(2027, 1, 1, 0, 0, 0, 0, kuwait), time.Date(2026, 12, 31, 23, 59, 59, 0, kuwait)},
		{"0229120000", time.Date(2027, 3, 1, 0, 0, 0, 0, kuwait), time.Date(2028, 2, 29, 12, 0, 0, 0, kuwait)},
		{"0229120000", time.Date(2026, 3, 1, 0, 0, 0, 0, kuwait), time.Time{}},
		{"0723250000", time.Date(2026, 3, 1, 0, 0, 0, 0, kuwait), time.Time{}},
		{"", time.Date(2026, 3, 1, 0, 0, 0, 0, kuwait), time.Time{}},
	} {
		if got := dialect.NearestYear(c.text, c.now, kuwait); !got.Equal(c.want) {
			t.Errorf("%q seen from %v: %v, want %v", c.text, c.now, got, c.want)
		}
	}
}

// FuzzAdditional: what is read out of a row of amounts, written again, is what stood there, but for the account types; the first of a
// type counts, and a currency that nobody knows says nothing.
func FuzzAdditional(f *testing.F) {
	for _, text := range []string{
		"", "0001414C000001000000" + "0002414C000000990000", "0040840D000000003000", "0057414X000000010525", "000000003000", "0002999C000000000001",
		"1002414C000000000001" + "2002414C000000000002", strings.Repeat("0001414C000001000000", 7),
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		all, ok := dialect.ParseAdditional(text)
		if !ok {
			if all != nil {
				t.Fatalf("%q is refused and read as %v", text, all)
			}
			return
		}
		seen := map[string]bool{}
		for ; text != ""; text = text[20:] {
			one := text[:20]
			a, there := all[one[2:4]]
			if seen[one[2:4]] || !knownCurrency(one[4:7]) {
				continue
			}
			if seen[one[2:4]] = true; !there {
				t.Fatalf("%q is not read", one)
			}
			sign, minor := one[7:8], a.Minor
			if minor < 0 {
				minor = -minor
			}
			if (a.Minor < 0) != (sign == "D" && a.Minor != 0) {
				t.Fatalf("%q is read as %d", one, a.Minor)
			}
			if want := fmt.Sprintf("%s%s%03d%s%012d", one[:2], one[2:4], a.Currency.Numeric, sign, minor); one != want {
				t.Fatalf("%q is read as %q", one, want)
			}
		}
	})
}

func knownCurrency(digits string) bool {
	var n uint16
	if _, err := fmt.Sscanf(digits, "%d", &n); err != nil {
		return false
	}
	_, err := money.ByNumeric(n)
	return err == nil
}

// TestAdditional: written for what a cardholder pays.
func TestAdditional(t *testing.T) {
	kwd, err := money.ByCode("KWD")
	if err != nil {
		t.Fatal(err)
	}
	if got := dialect.Additional(dialect.AmountCash, money.New(5_000, kwd)); got != "0040414D000000005000" {
		t.Errorf("%q", got)
	}
}
