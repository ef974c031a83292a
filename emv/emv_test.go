package emv_test

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"

	"tillway/emv"
	"tillway/emv/tlv"
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

func TestTable(t *testing.T) {
	var before tlv.Tag
	for _, e := range emv.Elements() {
		switch {
		case e.Tag <= before:
			t.Errorf("%s stands after %s", e.Tag, before)
		case e.Name == "" || e.Book == "" || e.Min < 0 || e.Max < e.Min || e.Max > 261:
			t.Errorf("%s: %+v", e.Tag, e)
		case e.Source != emv.ICC && e.Source != emv.Terminal && e.Source != emv.Issuer:
			t.Errorf("%s: source %q", e.Tag, e.Source)
		}
		before = e.Tag
		if got, ok := emv.Lookup(e.Tag); !ok || got != e {
			t.Errorf("%s is not found", e.Tag)
		}
		if p, err := tlv.ParseTag(e.Tag.String()); err != nil || p != e.Tag {
			t.Errorf("%s is not a tag: %v", e.Tag, err)
		}
		for name := range strings.FieldsSeq(e.Templates) {
			in, err := tlv.ParseTag(name)
			if err != nil || !in.Constructed() && in != emv.TagResponseFormat1 {
				t.Errorf("%s: template %s is none", e.Tag, name)
			}
		}
	}
	if e, ok := emv.Lookup(0x9F7A); ok {
		t.Errorf("9F7A is %v", e)
	}
	if e, _ := emv.Lookup(emv.TagAmountAuthorised); e.Padding() != tlv.PadNumeric || !e.Fits(6) || e.Fits(5) || e.Fits(7) {
		t.Errorf("%+v", e)
	}
	if e, _ := emv.Lookup(emv.TagPAN); e.Padding() != tlv.PadCompressedNumeric {
		t.Errorf("%+v", e)
	}
	if e, _ := emv.Lookup(emv.TagIFDSerialNumber); e.Padding() != tlv.PadOther {
		t.Errorf("%+v", e)
	}
}

// Every tag of a chip message that an acquirer's documentation shows fits its row.
func TestTableAgainstRecordedData(t *testing.T) {
	text, err := os.ReadFile("testdata/kwd-de55.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	items, err := tlv.Parse(unhex(strings.TrimSpace(lines[len(lines)-1])))
	if err != nil || len(items) < 20 {
		t.Fatalf("%d objects, %v", len(items), err)
	}
	for _, it := range items {
		if e, ok := emv.Lookup(it.Tag); !ok || !e.Fits(len(it.Value)) {
			t.Errorf("tag %s of %d bytes: %+v", it.Tag, len(it.Value), e)
		}
	}
}

func TestSecrets(t *testing.T) {
	var secret []string
	for _, e := range emv.Elements() {
		if emv.SecretTag(e.Tag) {
			secret = append(secret, e.Tag.String())
		}
	}
	want := "56 57 5A 99 5F20 5F24 5F30 5F53 9F0B 9F1F 9F20 9F2D 9F46 9F6B"
	if got := strings.Join(secret, " "); got != want {
		t.Errorf("secret: %s", got)
	}
	var d emv.Data
	d.Put(emv.TagPAN, unhex("4761739001010119"))
	d.Put(emv.TagAmountAuthorised, unhex("000000010525"))
	if b, err := json.Marshal(d); err == nil {
		t.Errorf("written: %s", b)
	}
	open := d.Without()
	b, err := json.Marshal(open)
	if err != nil || string(b) != `{"9F02":"000000010525"}` {
		t.Errorf("%s %v", b, err)
	}
	var back emv.Data
	if err := json.Unmarshal(b, &back); err != nil || back.String() != "9F02(6)" {
		t.Errorf("%s %v", back, err)
	}
	for _, bad := range []string{`{"9F":"00"}`, `{"9F02":"0"}`, `[]`} {
		if err := json.Unmarshal([]byte(bad), &back); err == nil {
			t.Errorf("%s was read", bad)
		}
	}
}

func TestDataIsACopy(t *testing.T) {
	var d emv.Data
	value := []byte{1, 2}
	d.Put(emv.TagAIP, value)
	c := d.Clone()
	value[0] = 9
	d.Delete(emv.TagAIP)
	if d.Has(emv.TagAIP) || fmt.Sprintf("%X", c.Value(emv.TagAIP)) != "0102" || len(c.Tags()) != 1 {
		t.Errorf("%v %X", d, c.Value(emv.TagAIP))
	}
}

// No way of printing shows the digits.
func TestMasks(t *testing.T) {
	pan, err := emv.NewPAN("4761739001010119")
	if err != nil {
		t.Fatal(err)
	}
	track, err := emv.NewTrack2(unhex("4761739001010119D28122010000000000"))
	if err != nil {
		t.Fatal(err)
	}
	var d emv.Data
	d.Put(emv.TagPAN, unhex("4761739001010119"))
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("card", "pan", pan, "track", track, "data", d)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("card", "pan", pan, "track", track)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%X", "%q", "%d"} {
		fmt.Fprintf(&log, verb+verb+verb, pan, track, d)
		fmt.Fprintf(&log, verb, struct {
			P emv.PAN
			T emv.Track2
			D emv.Data
		}{pan, track, d})
	}
	b, err := json.Marshal([]any{pan, track})
	if err != nil {
		t.Fatal(err)
	}
	log.Write(b)
	for _, digits := range []string{"4761739001010119", "73900101", "2812", "34373631"} {
		if strings.Contains(log.String(), digits) {
			t.Errorf("%s is printed: %s", digits, log.String())
		}
	}
	if pan.Masked() != "476173******0119" || pan.Last4() != "0119" || track.PAN().Clear() != pan.Clear() || track.Expiry() != "2812" {
		t.Errorf("%s %s %s", pan.Masked(), pan.Last4(), track.Expiry())
	}
}

func TestPANRefuses(t *testing.T) {
	for _, s := range []string{"", "1234567", "12345678901234567890", "4761 7390", "476173900101011A"} {
		if _, err := emv.NewPAN(s); !errors.Is(err, emv.ErrPAN) {
			t.Errorf("%q: %v", s, err)
		}
	}
	for _, s := range []string{"", "4761739001010119", "D2812201", "4761739001010119D28D", "4761739001010119D281220100000000000000"} {
		if _, err := emv.NewTrack2(unhex(s)); !errors.Is(err, emv.ErrPAN) {
			t.Errorf("%q: %v", s, err)
		}
	}
	short, err := emv.NewPAN("12345678")
	if err != nil || short.Masked() != "****5678" {
		t.Errorf("%s %v", short.Masked(), err)
	}
	if (emv.PAN{}).Masked() != "" || !(emv.PAN{}).IsZero() || (emv.Track2{}).String() != "" {
		t.Error("zero values")
	}
}

func TestBits(t *testing.T) {
	var tvr emv.TVR
	tvr.Set(emv.TVRDataAuthenticationNotPerformed)
	tvr.Set(emv.TVRFloorLimitExceeded)
	tvr.Set(emv.TVRIssuerAuthenticationFailed)
	if got := fmt.Sprintf("%X", tvr[:]); got != "8000008040" {
		t.Error(got)
	}
	want := []string{"Offline data authentication was not performed", "Transaction exceeds floor limit", "Issuer authentication failed"}
	if got := tvr.Names(); !slices.Equal(got, want) {
		t.Error(got)
	}
	if !tvr.Has(emv.TVRFloorLimitExceeded) || tvr.Has(emv.TVRExpired) {
		t.Error("Has")
	}
	if s := emv.TVRScriptFailedAfterFinalAC; s.String() != "TVR byte 5 bit 5" || s.Name() != "Script processing failed after final GENERATE AC" {
		t.Error(s.String(), s.Name())
	}
	if got := (emv.TVR{0, 0, 0, 0, 1}).Names(); !slices.Equal(got, []string{"reserved for future use"}) {
		t.Error(got)
	}
	var tsi emv.TSI
	for _, b := range []emv.TSIBit{emv.TSIDataAuthenticationPerformed, emv.TSIVerificationPerformed, emv.TSICardRiskManagementPerformed, emv.TSIIssuerAuthenticationPerformed, emv.TSITerminalRiskManagementDone} {
		tsi.Set(b)
	}
	if tsi != (emv.TSI{0xF8, 0x00}) || len(tsi.Names()) != 5 || emv.TSIScriptProcessingPerformed.String() != "TSI byte 1 bit 3" {
		t.Errorf("%X %v", tsi, tsi.Names())
	}
	if a := (emv.AIP{0x1C, 0x00}); !a.Has(emv.AIPCardholderVerification) || !a.Has(emv.AIPExternalAuthenticate) || a.Has(emv.AIPDDA) || len(a.Names()) != 3 {
		t.Error(a.Names())
	}
	if a := (emv.AUC{0x21, 0x80}); !slices.Equal(a.Names(), []string{"Valid for domestic goods", "Valid at terminals other than ATMs", "Domestic cashback allowed"}) {
		t.Error(a.Names())
	}
	if c := (emv.Capabilities{0xE0, 0xB0, 0xC8}); !slices.Equal(c.Names()[3:], []string{"Plaintext PIN for ICC verification", "Signature (paper)", "Enciphered PIN for offline verification", "SDA", "DDA", "CDA"}) {
		t.Error(c.Names())
	}
	var m emv.MoreCapabilities
	m.Set(emv.MoreCodeTable1)
	m.Set(emv.MoreCodeTable6)
	m.Set(emv.MoreCodeTable10)
	for i := range byte(20) {
		if m.CodeTable(i) != (i == 1 || i == 6 || i == 0x10) {
			t.Errorf("code table %d", i)
		}
	}
}

func TestTerminalType(t *testing.T) {
	for _, r := range []struct {
		kind                             emv.TerminalType
		online, offline, unattended, atm bool
	}{
		{0x21, true, false, false, false},
		{0x22, false, false, false, false},
		{0x23, false, true, false, false},
		{0x24, true, false, true, false},
		{0x14, true, false, true, true},
		{0x36, false, true, true, false},
	} {
		cash := emv.MoreCapabilities{0x80}
		if r.kind.OnlineOnly() != r.online || r.kind.OfflineOnly() != r.offline || r.kind.Unattended() != r.unattended || r.kind.ATM(cash) != r.atm {
			t.Errorf("%02X", byte(r.kind))
		}
	}
	if emv.TerminalType(0x14).ATM(emv.MoreCapabilities{}) {
		t.Error("an ATM without cash")
	}
}

func TestCID(t *testing.T) {
	for cid, want := range map[emv.CID]string{
		0x00: "AAC", 0x40: "TC", 0x80: "ARQC", 0xC0: "RFU",
		0x09: "AAC,Advice required,service not allowed", 0x02: "AAC,PIN Try Limit exceeded",
		0x03: "AAC,issuer authentication failed", 0x87: "ARQC,reserved for future use",
	} {
		if got := strings.Join(cid.Names(), ","); got != want {
			t.Errorf("%02X: %s", byte(cid), got)
		}
	}
}

func TestStatus(t *testing.T) {
	for _, r := range []struct {
		response string
		data     int
		want     error
	}{
		{"9000", 0, nil},
		{"5A019000", 2, nil},
		{"6283", 0, emv.ErrBlocked},
		{"016283", 1, emv.ErrBlocked},
		{"6300", 0, emv.ErrAuthentication},
		{"6700", 0, emv.ErrLength},
		{"6983", 0, emv.ErrMethodBlocked},
		{"6984", 0, emv.ErrDataInvalidated},
		{"6985", 0, emv.ErrConditions},
		{"6A81", 0, emv.ErrCardBlocked},
		{"6A82", 0, emv.ErrNotFound},
		{"6A83", 0, emv.ErrRecordNotFound},
		{"6A88", 0, emv.ErrDataNotFound},
		{"6D00", 0, emv.ErrStatus},
		{"9001", 0, emv.ErrStatus},
		{"", 0, emv.ErrShortResponse},
		{"90", 0, emv.ErrShortResponse},
	} {
		data, err := emv.SplitResponse(unhex(r.response))
		if !errors.Is(err, r.want) || len(data) != r.data {
			t.Errorf("%s: %d bytes, %v", r.response, len(data), err)
		}
		var status *emv.StatusError
		if errors.As(err, &status) && !strings.HasSuffix(r.response, fmt.Sprintf("%02X%02X", status.SW1, status.SW2)) {
			t.Errorf("%s: %v", r.response, err)
		}
	}
	if !(&emv.StatusError{SW1: 0x63, SW2: 0xC2}).Warning() || (&emv.StatusError{SW1: 0x69, SW2: 0x85}).Warning() {
		t.Error("warning")
	}
}
