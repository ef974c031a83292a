package nac_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"tillway/emv"
	"tillway/emv/tlv"
	"tillway/iso8583/dialect/nac"
	"tillway/money"
	"tillway/terminal"
	"tillway/terminal/lane"
)

var _ lane.Dialect = (*nac.Dialect)(nil)

// goldenRow is one line of a golden message.
type goldenRow struct{ wire, field, value string }

func golden(t testing.TB, name string) []goldenRow {
	t.Helper()
	text, err := os.ReadFile("testdata/golden/" + name + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	var rows []goldenRow
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		parts := strings.SplitN(line, " | ", 4)
		if len(parts) < 3 {
			t.Fatalf("%s: %q is no row", name, line)
		}
		rows = append(rows, goldenRow{parts[0], parts[1], parts[2]})
	}
	return rows
}

func wire(t testing.TB, rows []goldenRow) []byte {
	t.Helper()
	var b []byte
	for _, r := range rows {
		b = append(b, unhex(t, r.wire)...)
	}
	return b
}

// sameBytes compares with a golden message and names the first field that differs.
func sameBytes(t *testing.T, name string, got []byte) {
	t.Helper()
	rest := got
	for _, r := range golden(t, name) {
		want := unhex(t, r.wire)
		n := min(len(want), len(rest))
		if !bytes.Equal(rest[:n], want) {
			t.Fatalf("%s: %s is %X, want %X", name, r.field, rest[:n], want)
		}
		rest = rest[n:]
	}
	if len(rest) > 0 {
		t.Fatalf("%s: %d bytes too many", name, len(rest))
	}
}

// saleRequest is the sale of sale-0200.txt.
func saleRequest(t testing.TB) terminal.Request {
	t.Helper()
	kwd, err := money.ByCode("KWD")
	if err != nil {
		t.Fatal(err)
	}
	t2, err := emv.NewTrack2(unhex(t, "4761739001010119D2812201123456789F"))
	if err != nil {
		t.Fatal(err)
	}
	req := terminal.Request{
		Sale: 7, Kind: terminal.KindSale, Amount: money.New(10_525, kwd), STAN: 123, Invoice: 42, Batch: 1,
		Time:       time.Date(2026, 7, 23, 10, 15, 0, 0, time.UTC),
		TerminalID: "TILL0001", MerchantID: "KW0000000000001",
		Card: terminal.CardData{PAN: t2.PAN(), Expiry: "2812", PSN: "01", Track2: t2},
	}
	var chip string
	for _, r := range golden(t, "sale-0200") {
		if r.field == "55" {
			chip = r.value
		}
	}
	items, err := tlv.Parse(unhex(t, chip))
	if err != nil {
		t.Fatal(err)
	}
	for _, it := range slices.Backward(items) { // the order is the settings', not the store's
		req.Tags.Put(it.Tag, it.Value)
	}
	req.Tags.Put(emv.TagTrack2EquivalentData, unhex(t, "4761739001010119D2812201123456789F"))
	return req
}

func TestSaleAndReversal(t *testing.T) {
	request, reversal, err := dialect(t, nil).Request(saleRequest(t))
	if err != nil {
		t.Fatal(err)
	}
	sameBytes(t, "sale-0200", request)
	sameBytes(t, "reversal-0400", reversal)
}

func TestSignOn(t *testing.T) {
	b, err := dialect(t, nil).Network(network(terminal.SignOn, 122))
	if err != nil {
		t.Fatal(err)
	}
	sameBytes(t, "signon-0800", b)
}

// The same files the other way: every value is read as the file says.
func TestGoldenMessagesAreRead(t *testing.T) {
	c := dialect(t, nil).Codec()
	files, err := filepath.Glob("testdata/golden/*.txt")
	if err != nil || len(files) < 40 {
		t.Fatalf("%d golden messages (%v)", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		rows := golden(t, name)
		m, err := c.Unpack(wire(t, rows))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		fields := 0
		for _, r := range rows {
			var got string
			switch r.field {
			case "TPDU":
				got = strings.ToUpper(hex.EncodeToString(m.TPDU))
			case "MTI":
				got = m.MTI()
			case "bitmap":
				var list []string
				for _, n := range m.Fields() {
					list = append(list, strconv.Itoa(n))
				}
				got = strings.Join(list, " ")
			default:
				n, err := strconv.Atoi(r.field)
				if err != nil {
					t.Fatal(err)
				}
				fields++
				if got, _ = m.Get(n); n == 52 || n == 55 || n == 64 {
					got = strings.ToUpper(hex.EncodeToString([]byte(got)))
				}
			}
			if got != r.value {
				t.Errorf("%s: %s is %q, want %q", name, r.field, got, r.value)
			}
		}
		if fields != len(m.Fields()) {
			t.Errorf("%s: %d fields, want %d", name, len(m.Fields()), fields)
		}
	}
}

func TestRepeat(t *testing.T) {
	marked := []string{"0200", "0220", "0320", "0500"}
	for _, tt := range []struct {
		name, first string
		rule        string   // of reversals
		marked      []string // of the others; nil: the default
		attempt     int
		want        string // golden, or a message type
	}{
		{"first sending", "reversal-0400", "0401", nil, 1, "reversal-0400"},
		{"second sending, marked", "reversal-0400", "0401", nil, 2, "reversal-0401"},
		{"tenth sending, marked", "reversal-0400", "0401", nil, 10, "reversal-0401"},
		{"second sending, unchanged", "reversal-0400", "0400", marked, 2, "reversal-0400"},
		{"advice, first", "advice-offline-0220", "0400", nil, 1, "advice-offline-0220"},
		{"advice", "advice-offline-0220", "0400", nil, 2, "advice-offline-0221"},
		{"advice, unchanged", "advice-offline-0220", "0401", []string{}, 2, "advice-offline-0220"},
		{"upload", "upload-0320", "0400", nil, 2, "0321"},
		{"upload, unchanged", "upload-0320", "0400", []string{"0220"}, 2, "upload-0320"},
		{"totals", "totals-0500", "0400", nil, 3, "totals-0500"},
		{"totals, marked", "totals-0500", "0400", marked, 3, "0501"},
		{"deferred request", "deferred-0200", "0400", nil, 2, "deferred-0200"},
		{"deferred request, marked", "deferred-0200", "0400", marked, 2, "0201"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := dialect(t, func(s *nac.Settings) { s.Repeat, s.Marked = tt.rule, tt.marked })
			first := wire(t, golden(t, tt.first))
			b, err := d.Repeat(first, tt.attempt)
			if err != nil {
				t.Fatal(err)
			}
			if len(tt.want) > 4 {
				sameBytes(t, tt.want, b)
				return
			}
			copy(first[5:], unhex(t, tt.want))
			if !bytes.Equal(b, first) {
				t.Errorf("%X, want %X", b, first)
			}
		})
	}
	d := dialect(t, nil)
	for name, bad := range map[string][]byte{
		"a sale, with its track": wire(t, golden(t, "sale-0200")), "a sale with a PIN": wire(t, golden(t, "sale-pin-mac-0200")), "a sign-on": wire(t, golden(t, "signon-0800")),
		"an answer": wire(t, golden(t, "answer-0210")), "nothing": nil, "cut off": wire(t, golden(t, "reversal-0400"))[:40],
	} {
		if _, err := d.Repeat(bad, 2); !errors.Is(err, nac.ErrRequest) {
			t.Errorf("%s is repeated (%v)", name, err)
		}
	}
}

// brands is an acquirer with a table by brand.
func brands(s *nac.Settings) {
	s.Private = map[int]string{63: "ALL"}
	s.Brands = map[string]nac.Brand{"amex": {
		ChipEntry: "950", StripeEntry: "02", ChipTags: []tlv.Tag{emv.TagCID, emv.TagATC}, Private: map[int]string{48: "AX", 63: ""},
	}}
}

func TestSettingsChangeTheMessage(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*nac.Settings)
		edit   func(*terminal.Request)
		has    map[int]string // value wanted, "" for a field that must not be there
	}{
		{"no currency", func(s *nac.Settings) { s.OmitCurrency = true }, nil, map[int]string{49: ""}},
		{"entry mode", func(s *nac.Settings) { s.ChipEntry = "051" }, nil, map[int]string{22: "051"}},
		{"network", func(s *nac.Settings) { s.NII = "010" }, nil, map[int]string{24: "010"}},
		{"no sequence number", nil, func(r *terminal.Request) { r.Card.PSN = "" }, map[int]string{23: ""}},
		{
			"no track", nil, func(r *terminal.Request) { r.Card.Track2 = emv.Track2{} },
			map[int]string{35: "", 2: "4761739001010119", 14: "2812"},
		},
		{"short identifiers", nil, func(r *terminal.Request) { r.TerminalID, r.MerchantID = "T1", "M1" }, map[int]string{41: "T1      ", 42: "M1             "}},
		{
			"tags and their order", func(s *nac.Settings) { s.ChipTags = []tlv.Tag{emv.TagCID, emv.TagATC} }, nil,
			map[int]string{55: "\x9F\x27\x01\x80\x9F\x36\x02\x00\x01"},
		},
		{
			"a brand's own", brands, func(r *terminal.Request) { r.Scheme = "amex" },
			map[int]string{22: "950", 48: "AX", 63: "", 55: "\x9F\x27\x01\x80\x9F\x36\x02\x00\x01"},
		},
		{"no brand's own", brands, func(r *terminal.Request) { r.Scheme = "visa" }, map[int]string{22: "052", 48: "", 63: "ALL"}},
		{
			"a brand's stripe", brands, func(r *terminal.Request) {
				r.Scheme, r.Entry, r.Card.PSN, r.Tags = "amex", terminal.EnteredStripe, "", emv.Data{}
			},
			map[int]string{22: "020", 48: "AX", 55: ""},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, req := dialect(t, tt.change), saleRequest(t)
			if tt.edit != nil {
				tt.edit(&req)
			}
			b, _, err := d.Request(req)
			if err != nil {
				t.Fatal(err)
			}
			m, err := d.Codec().Unpack(b)
			if err != nil {
				t.Fatal(err)
			}
			for n, want := range tt.has {
				if got, ok := m.Get(n); got != want || ok != (want != "") {
					t.Errorf("field %d is %q (%v), want %q", n, got, ok, want)
				}
			}
		})
	}
}

func TestFillerSettingChangesTrack2(t *testing.T) {
	d := dialect(t, func(s *nac.Settings) { s.Track2Filler = "0" })
	b, _, err := d.Request(saleRequest(t))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(b, unhex(t, "334761739001010119D28122011234567890")) {
		t.Error("track 2 does not end with a zero nibble")
	}
}

func TestSaleIsRefused(t *testing.T) {
	usd, err := money.ByCode("USD")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		edit func(*terminal.Request)
	}{
		{"no trace number", func(r *terminal.Request) { r.STAN = 0 }},
		{"trace number of seven digits", func(r *terminal.Request) { r.STAN = 1_000_000 }},
		{"no batch", func(r *terminal.Request) { r.Batch = 0 }},
		{"invoice of seven digits", func(r *terminal.Request) { r.Invoice = 1_000_000 }},
		{"negative amount", func(r *terminal.Request) { r.Amount.Minor = -1 }},
		{"another amount than the card saw", func(r *terminal.Request) { r.Amount.Minor++ }},
		{"another currency than the card saw", func(r *terminal.Request) { r.Amount = money.New(10_525, usd) }},
		{"no cryptogram", func(r *terminal.Request) { r.Tags.Delete(emv.TagApplicationCryptogram) }},
		{"no unpredictable number", func(r *terminal.Request) { r.Tags.Delete(emv.TagUnpredictableNumber) }},
		{"too much chip data", func(r *terminal.Request) { r.Tags.Put(emv.TagDFName, make([]byte, 200)) }},
		{"no account number", func(r *terminal.Request) { r.Card.PAN = emv.PAN{} }},
		{"another account number than track 2", func(r *terminal.Request) {
			pan, err := emv.NewPAN("5413330089604111")
			if err != nil {
				t.Fatal(err)
			}
			r.Card.PAN = pan
		}},
		{"expiry of three digits", func(r *terminal.Request) { r.Card.Expiry = "281" }},
		{"no terminal", func(r *terminal.Request) { r.TerminalID = "" }},
		{"terminal too long", func(r *terminal.Request) { r.TerminalID = "TILL00011" }},
		{"merchant with a line break", func(r *terminal.Request) { r.MerchantID = "KW\n" }},
		{"another kind", func(r *terminal.Request) { r.Kind = "donation" }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req := saleRequest(t)
			tt.edit(&req)
			_, _, err := dialect(t, nil).Request(req)
			if !errors.Is(err, nac.ErrRequest) {
				t.Fatalf("error %v, want ErrRequest", err)
			}
			if strings.Contains(err.Error(), "4761739001010119") {
				t.Errorf("error shows the account number: %v", err)
			}
		})
	}
	for name, id := range map[string]string{"empty": "", "long": "TILL00011"} {
		if _, err := dialect(t, nil).Network(terminal.NetworkRequest{Kind: terminal.SignOn, STAN: 1, TerminalID: id, MerchantID: "M"}); !errors.Is(err, nac.ErrRequest) {
			t.Errorf("sign-on with %s terminal: %v", name, err)
		}
	}
	if _, err := dialect(t, nil).Network(terminal.NetworkRequest{Kind: terminal.SignOn, TerminalID: "T", MerchantID: "M"}); !errors.Is(err, nac.ErrRequest) {
		t.Errorf("sign-on without trace number: %v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	for name, change := range map[string]func(*nac.Settings){
		"TPDU of four bytes":                   func(s *nac.Settings) { s.TPDU = "60000300" },
		"TPDU not hex":                         func(s *nac.Settings) { s.TPDU = "60000300ZZ" },
		"no NII":                               func(s *nac.Settings) { s.NII = "" },
		"NII not digits":                       func(s *nac.Settings) { s.NII = "0x3" },
		"filler":                               func(s *nac.Settings) { s.Track2Filler = "E" },
		"entry mode":                           func(s *nac.Settings) { s.ChipEntry = "52" },
		"stripe's entry":                       func(s *nac.Settings) { s.StripeEntry = "902" },
		"fallback's entry":                     func(s *nac.Settings) { s.FallbackEntry = "x0" },
		"a fallback that looks like any swipe": func(s *nac.Settings) { s.FallbackEntry = "90" },
		"repeat":                               func(s *nac.Settings) { s.Repeat = "0420" },
		"text field":                           func(s *nac.Settings) { s.TextField = 55 },
		"track in DE 55":                       func(s *nac.Settings) { s.ChipTags = append(s.ChipTags, emv.TagTrack2EquivalentData) },
		"kept entry":                           func(s *nac.Settings) { s.KeptEntry = "012" },
		"cashback code":                        func(s *nac.Settings) { s.CashbackCode = "01" },
		"pre-authorisation code":               func(s *nac.Settings) { s.PreauthCode = "31" },
		"type of balance inquiries":            func(s *nac.Settings) { s.Balance = "0800" },
		"amount of voids":                      func(s *nac.Settings) { s.VoidAmount = "half" },
		"amounts":                              func(s *nac.Settings) { s.Amounts = "tlv" },
		"type of a tip":                        func(s *nac.Settings) { s.TipType = "4" },
		"tips as cash":                         func(s *nac.Settings) { s.TipType = "40" },
		"partial":                              func(s *nac.Settings) { s.Partial = "de4" },
		"totals":                               func(s *nac.Settings) { s.TotalsDigits = 60 },
		"marked repeat of a reversal":          func(s *nac.Settings) { s.Marked = []string{"0400"} },
		"a brand's entry mode":                 func(s *nac.Settings) { s.Brands = map[string]nac.Brand{"visa": {PINEntry: "51"}} },
		"a brand's track in DE 55": func(s *nac.Settings) {
			s.Brands = map[string]nac.Brand{"visa": {ChipTags: []tlv.Tag{emv.TagTrack2EquivalentData}}}
		},
		"private field that is another's": func(s *nac.Settings) { s.Private = map[int]string{60: "000002"} },
		"private field of the keys":       func(s *nac.Settings) { s.Private = map[int]string{61: "KS"} },
		"private field with a line end":   func(s *nac.Settings) { s.Brands = map[string]nac.Brand{"visa": {Private: map[int]string{48: "A\n"}}} },
		"tag twice":                       func(s *nac.Settings) { s.ChipTags = append(s.ChipTags, emv.TagATC) },
	} {
		s := nac.Defaults()
		change(&s)
		if _, err := nac.New(s); !errors.Is(err, nac.ErrSettings) {
			t.Errorf("%s: error %v, want ErrSettings", name, err)
		}
	}
	if _, err := nac.New(nac.Settings{TPDU: "6000030000", NII: "003"}); err != nil {
		t.Errorf("settings with defaults left out: %v", err)
	}
}

// An advice or a kept request that names another batch is otherwise as it was; a reversal names its request's for ever.
func TestInBatch(t *testing.T) {
	d := dialect(t, nil)
	for name, moves := range map[string]bool{"advice-offline-0220": true, "advice-completion-0220": true, "deferred-0200": true, "reversal-0400": false, "upload-0320": false} {
		first := wire(t, golden(t, name))
		there, err := d.InBatch(first, 43)
		if err != nil {
			t.Fatal(err)
		}
		m, err := d.Codec().Unpack(there)
		if got, _ := m.Get(60); err != nil || (got == "000043") != moves || bytes.Equal(there, first) == moves {
			t.Errorf("%s: DE 60 %q (%v)", name, got, err)
		}
		was, err := d.Codec().Unpack(first)
		if err != nil {
			t.Fatal(err)
		}
		for n := 2; n <= 64; n++ {
			a, _ := was.Get(n)
			b, _ := m.Get(n)
			if n != 60 && a != b {
				t.Errorf("%s: DE %d changes", name, n)
			}
		}
		if _, err := d.InBatch(first, 0); moves && !errors.Is(err, nac.ErrRequest) {
			t.Errorf("%s in no batch: %v", name, err)
		}
	}
	if _, err := d.InBatch(nil, 2); !errors.Is(err, nac.ErrRequest) {
		t.Errorf("nothing: %v", err)
	}
}
