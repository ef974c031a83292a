package v93_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"tillway/emv"
	"tillway/emv/tlv"
	"tillway/iso8583"
	v93 "tillway/iso8583/dialect/v93"
	"tillway/money"
	"tillway/terminal"
)

// composed is a sale's request and reversal, unpacked.
func composed(t *testing.T, d *v93.Dialect, req terminal.Request) (request, reversal *iso8583.Message) {
	t.Helper()
	b, r, err := d.Request(req)
	if err != nil {
		t.Fatal(err)
	}
	request, err = d.Codec().Unpack(b)
	reversal, rerr := d.Codec().Unpack(r)
	if err != nil || rerr != nil {
		t.Fatal(err, rerr)
	}
	return request, reversal
}

// TestPointOfService: DE 22, position by position, for each way of reading and verifying, in the sale and in its reversal.
func TestPointOfService(t *testing.T) {
	brands := func(s *v93.Settings) {
		s.Brands = map[string]v93.Brand{"mada": {FallbackInput: "9"}, "visa": {ChipInput: "C"}}
	}
	stripeOnly := func(s *v93.Settings) {
		s.PointOfService = v93.PointOfServiceOf(emv.Capabilities{0x40, 0x20, 0}, emv.MoreCapabilities{0, 0, 0, 0x20}, 0x25)
	}
	for _, c := range []struct {
		name   string
		entry  terminal.Entered
		method emv.Method
		scheme string
		change func(*v93.Settings)
		want   string
	}{
		{"chip", "", emv.NoCVM, "", nil, "51010150034C"},
		{"chip, PIN for the host", terminal.EnteredChip, emv.OnlinePIN, "", nil, "51010151334C"},
		{"chip, PIN for the chip", terminal.EnteredChip, emv.OfflinePIN, "", nil, "51010151134C"},
		{"chip, signature", terminal.EnteredChip, emv.Signature, "", nil, "51010155434C"},
		{"stripe", terminal.EnteredStripe, emv.NoVerification, "", nil, "51010120034C"},
		{"stripe, PIN", terminal.EnteredStripe, emv.OnlinePIN, "", nil, "51010121334C"},
		{"fallback", terminal.EnteredFallback, emv.Signature, "", nil, "51010125434C"},
		{"fallback of a brand with a digit of its own", terminal.EnteredFallback, emv.NoCVM, "mada", brands, "51010190034C"},
		{"stripe of that brand", terminal.EnteredStripe, emv.NoCVM, "mada", brands, "51010120034C"},
		{"chip of another brand", "", emv.NoCVM, "visa", brands, "510101C0034C"},
		{"fallback of a brand without one", terminal.EnteredFallback, emv.NoCVM, "visa", brands, "51010120034C"},
		{"unattended, stripe only, no PIN, display", terminal.EnteredStripe, emv.NoCVM, "", stripeOnly, "200201200130"},
	} {
		t.Run(c.name, func(t *testing.T) {
			req := saleRequest(t)
			if c.entry == terminal.EnteredStripe || c.entry == terminal.EnteredFallback {
				req = swiped(t, c.entry)
			}
			req.Entry, req.Method, req.Scheme = c.entry, c.method, c.scheme
			if c.method == emv.OnlinePIN {
				req.PIN = terminal.PINBlock{Block: make([]byte, 8), KSN: make([]byte, 10)}
			}
			request, reversal := composed(t, dialect(t, c.change), req)
			for _, m := range []*iso8583.Message{request, reversal} {
				if got, _ := m.Get(22); got != c.want {
					t.Errorf("DE 22 of %s is %s, want %s", m.MTI(), got, c.want)
				}
			}
		})
	}
}

// TestPointOfServiceOfTerminal: what a terminal tells cards of itself, in the host's words.
func TestPointOfServiceOfTerminal(t *testing.T) {
	for _, c := range []struct {
		capabilities emv.Capabilities
		more         emv.MoreCapabilities
		kind         byte
		want         v93.PointOfService
	}{
		{emv.Capabilities{0xE0, 0x78, 0xE8}, emv.MoreCapabilities{0, 0, 0, 0xF0}, 0x22, v93.PointOfService{"5", "1", "1", "1", "3", "4", "C"}},
		{emv.Capabilities{0x20, 0x08, 0xC8}, emv.MoreCapabilities{0, 0, 0, 0x80}, 0x22, v93.PointOfService{"5", "0", "0", "1", "3", "2", "0"}},
		{emv.Capabilities{0x40, 0x40, 0x00}, emv.MoreCapabilities{}, 0x24, v93.PointOfService{"2", "1", "0", "2", "1", "1", "C"}},
		{emv.Capabilities{0x80, 0x00, 0x00}, emv.MoreCapabilities{0, 0, 0, 0x10}, 0x34, v93.PointOfService{"6", "0", "0", "5", "1", "3", "0"}},
		{emv.Capabilities{}, emv.MoreCapabilities{}, 0x21, v93.PointOfService{"0", "0", "0", "1", "1", "1", "0"}},
	} {
		if got := v93.PointOfServiceOf(c.capabilities, c.more, c.kind); got != c.want {
			t.Errorf("%X %X %X: %+v, want %+v", c.capabilities, c.more, c.kind, got, c.want)
		}
	}
}

// TestWhyOnline: DE 25 of a request is what terminal risk management found.
func TestWhyOnline(t *testing.T) {
	for tvr, want := range map[string]string{
		"0000000000": "1508", "0000008000": "1510", "0000001000": "1503", "0000000800": "1506", "0000009800": "1506", "8000000000": "1508",
	} {
		req := saleRequest(t)
		req.Tags.Put(emv.TagTVR, unhex(t, tvr))
		if m, _ := composed(t, dialect(t, nil), req); get(t, m, 25) != want {
			t.Errorf("TVR %s: DE 25 is %s, want %s", tvr, get(t, m, 25), want)
		}
	}
	own := dialect(t, func(s *v93.Settings) {
		s.Reasons = map[v93.Reason]string{v93.OverFloorLimit: "1599", v93.MACFailure: "4351", v93.UnableToComplete: "4444"}
	})
	request, reversal := composed(t, own, saleRequest(t))
	if get(t, request, 25) != "1599" || get(t, reversal, 25) != "4444" {
		t.Errorf("the acquirer's own reasons: %s and %s", get(t, request, 25), get(t, reversal, 25))
	}
}

// TestReversalReasons: every reason of a reversal has its code, and no other is taken for one.
func TestReversalReasons(t *testing.T) {
	for why, want := range map[v93.Reason]string{
		v93.CustomerCancellation: "4000", v93.Unspecified: "4001", v93.SuspectedMalfunction: "4002", v93.FormatError: "4003",
		v93.ResponseTooLate: "4006", v93.UnableToComplete: "4007", v93.UnableToDeliver: "4013", v93.InvalidResponse: "4020",
		v93.TimeOut: "4021", v93.MACFailure: "4020", v93.OverFloorLimit: "", v93.ICCProcessed: "", "because": "",
	} {
		s := settings()
		s.ReversedAs = why
		d, err := v93.New(s)
		if want == "" {
			if !errors.Is(err, v93.ErrSettings) {
				t.Errorf("%q reverses: %v", why, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, m := composed(t, d, saleRequest(t)); get(t, m, 25) != want || get(t, m, 24) != "400" {
			t.Errorf("%q: %s, want %s", why, get(t, m, 25), want)
		}
	}
}

// TestReversalHasNoSecret: neither track nor PIN block nor chip data goes into what is kept to be sent later; of the chip only
// the tags that the settings name.
func TestReversalHasNoSecret(t *testing.T) {
	req := pinRequest(t)
	_, reversal := composed(t, dialect(t, nil), req)
	for _, n := range []int{35, 45, 52, 53, 55} {
		if reversal.Has(n) {
			t.Errorf("the reversal has field %d", n)
		}
	}
	d := dialect(t, func(s *v93.Settings) { s.ReversalTags = []tlv.Tag{emv.TagTVR, emv.TagATC, emv.TagIssuerScriptResults} })
	_, reversal = composed(t, d, req)
	if got, _ := reversal.Bytes(55); !bytes.Equal(got, unhex(t, "950580000080009F36020001")) {
		t.Errorf("DE 55 of the reversal: %X", got)
	}
	if _, reversal = composed(t, d, swiped(t, terminal.EnteredStripe)); reversal.Has(55) {
		t.Error("the reversal of a stripe has chip data")
	}
}

func TestSettingsChangeTheMessage(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*v93.Settings)
		edit   func(*terminal.Request)
		has    map[int]string // value wanted, "" for a field that must not be there
	}{
		{"no currency", func(s *v93.Settings) { s.OmitCurrency = true }, nil, map[int]string{49: ""}},
		{"no acquirer", func(s *v93.Settings) { s.Acquirer = "" }, nil, map[int]string{32: ""}},
		{"merchant category", func(s *v93.Settings) { s.MerchantCategory = "5411" }, nil, map[int]string{26: "5411"}},
		{"no batch, invoice elsewhere", func(s *v93.Settings) { s.BatchField, s.InvoiceField = -1, 61 }, nil, map[int]string{60: "", 61: "000042", 62: ""}},
		{"no sequence number", nil, func(r *terminal.Request) { r.Card.PSN = "" }, map[int]string{23: ""}},
		{
			"no track", nil, func(r *terminal.Request) { r.Card.Track2 = emv.Track2{} },
			map[int]string{35: "", 2: "4761739001010119", 14: "2812"},
		},
		{"short identifiers", nil, func(r *terminal.Request) { r.TerminalID, r.MerchantID = "T1", "M1" }, map[int]string{41: "T1      ", 42: "M1             "}},
		{
			"tags and private fields of a brand", func(s *v93.Settings) {
				s.Brand.Private = map[int]string{48: "ALL", 61: "ALL"}
				s.Brands = map[string]v93.Brand{"visa": {ChipTags: []tlv.Tag{emv.TagCID, emv.TagATC}, Private: map[int]string{48: "", 63: "VC"}}}
			}, func(r *terminal.Request) { r.Scheme = "visa" },
			map[int]string{48: "", 61: "ALL", 63: "VC", 55: "\x9F\x27\x01\x80\x9F\x36\x02\x00\x01"},
		},
		{
			"cash besides the goods", nil, func(r *terminal.Request) { *r = cashAndTip(t); r.Tip.Minor = 0 },
			map[int]string{3: "090000", 4: "000000010525", 54: "0040414D000000005000"},
		},
		{
			"a tip of another type", func(s *v93.Settings) { s.TipType = "53" }, func(r *terminal.Request) { r.Tip = money.New(1_000, r.Amount.Currency) },
			map[int]string{3: "000000", 54: "0053414D000000001000"},
		},
		{
			"a tip that is told nowhere", func(s *v93.Settings) { s.TipType = "none" }, func(r *terminal.Request) { r.Tip = money.New(1_000, r.Amount.Currency) },
			map[int]string{3: "000000", 54: ""},
		},
		{
			"an accurate amount", func(s *v93.Settings) { s.Preauth = "100" }, func(r *terminal.Request) { r.Kind = terminal.KindPreauth },
			map[int]string{3: "000000", 24: "100"},
		},
		{
			"more of an accurate amount", func(s *v93.Settings) { s.Preauth = "100" },
			func(r *terminal.Request) { *r = later(t, terminal.KindIncrement, terminal.KindPreauth, 2_000) },
			map[int]string{3: "000000", 24: "106"},
		},
		{
			"a refund is taken back", nil, func(r *terminal.Request) { *r = later(t, terminal.KindVoid, terminal.KindRefund, 10_525) },
			map[int]string{3: "220000", 56: "120000012326072313150006588847"},
		},
		{
			"an offline approval is taken back", nil, func(r *terminal.Request) {
				*r = later(t, terminal.KindVoid, terminal.KindSale, 10_525)
				r.Original.Way, r.Original.RRN = terminal.WayOffline, ""
			}, map[int]string{3: "020000", 37: "", 56: "122000012326072313150006588847"},
		},
		{
			"a sale in two steps is taken back", nil, func(r *terminal.Request) {
				*r = later(t, terminal.KindVoid, terminal.KindSale, 10_525)
				r.Original.TwoStep = true
			}, map[int]string{56: "122000012326072313150006588847"},
		},
		{
			"a completion is taken back", nil, func(r *terminal.Request) { *r = later(t, terminal.KindVoid, terminal.KindCompletion, 10_525) },
			map[int]string{56: "122000012326072313150006588847"},
		},
		{
			"a pre-authorisation is let go", nil, func(r *terminal.Request) { *r = later(t, terminal.KindVoid, terminal.KindPreauth, 10_525) },
			map[int]string{56: "110000012326072313150006588847"},
		},
		{
			"money back for nothing in particular", nil, func(r *terminal.Request) { r.Kind = terminal.KindRefund },
			map[int]string{3: "200000", 37: "", 38: "", 56: ""},
		},
		{"no zone: the time as it comes", func(s *v93.Settings) { s.Zone = nil }, nil, map[int]string{7: "0723101500", 12: "260723101500"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, req := dialect(t, tt.change), saleRequest(t)
			if tt.edit != nil {
				tt.edit(&req)
			}
			m, _ := composed(t, d, req)
			for n, want := range tt.has {
				if got, ok := m.Get(n); got != want || ok != (want != "") {
					t.Errorf("field %d is %q (%v), want %q", n, got, ok, want)
				}
			}
		})
	}
	d := dialect(t, func(s *v93.Settings) { s.Track2Filler = "0" })
	if b, _, err := d.Request(saleRequest(t)); err != nil || !bytes.Contains(b, unhex(t, "334761739001010119D28122011234567890")) {
		t.Errorf("track 2 does not end with a zero nibble (%v)", err)
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
		{"another day than the card saw", func(r *terminal.Request) { r.Time = r.Time.Add(12 * time.Hour) }},
		{"more cash than the whole", func(r *terminal.Request) { r.Cashback.Minor = 10_526; r.Tags.Delete(emv.TagAmountOther) }},
		{"cash and a tip above the whole", func(r *terminal.Request) { *r = cashAndTip(t); r.Tip.Minor = 5_526 }},
		{"less than no cash", func(r *terminal.Request) { r.Cashback.Minor = -1; r.Tags.Delete(emv.TagAmountOther) }},
		{"cash that the card does not know of", func(r *terminal.Request) { r.Cashback.Minor = 5_000 }},
		{"cash of which the card has another amount", func(r *terminal.Request) { r.Tags.Put(emv.TagAmountOther, unhex(t, "000000005000")) }},
		{"cash of another currency", func(r *terminal.Request) { *r = cashAndTip(t); r.Cashback.Currency = usd }},
		{"a tip of another currency", func(r *terminal.Request) { *r = cashAndTip(t); r.Tip.Currency = usd }},
		{"a tip with a refund", func(r *terminal.Request) { r.Kind, r.Tip = terminal.KindRefund, money.New(100, r.Amount.Currency) }},
		{"the balance of an amount", func(r *terminal.Request) { r.Kind = terminal.KindBalance }},
		{"cash with a refund", func(r *terminal.Request) { *r = cashAndTip(t); r.Kind = terminal.KindRefund }},
		{"a sale of nothing", func(r *terminal.Request) { r.Amount.Minor = 0; r.Tags.Delete(emv.TagAmountAuthorised) }},
		{"a void of nothing", func(r *terminal.Request) { r.Kind = terminal.KindVoid }},
		{"more of nothing", func(r *terminal.Request) { r.Kind = terminal.KindIncrement }},
		{"more of a sale", func(r *terminal.Request) { *r = later(t, terminal.KindIncrement, terminal.KindSale, 500) }},
		{"money back for a pre-authorisation", func(r *terminal.Request) {
			r.Kind, r.Original = terminal.KindRefund, originally(t, terminal.KindPreauth)
		}},
		{"an original without a number", func(r *terminal.Request) {
			*r = later(t, terminal.KindVoid, terminal.KindSale, 10_525)
			r.Original.STAN = 0
		}},
		{"an original without a time", func(r *terminal.Request) {
			*r = later(t, terminal.KindVoid, terminal.KindSale, 10_525)
			r.Original.Time = time.Time{}
		}},
		{"a reference number of thirteen", func(r *terminal.Request) {
			*r = later(t, terminal.KindVoid, terminal.KindSale, 10_525)
			r.Original.RRN += "4"
		}},
		{"a completion that asks", func(r *terminal.Request) { *r = later(t, terminal.KindCompletion, terminal.KindPreauth, 500) }},
		{"a forced sale that asks", func(r *terminal.Request) { r.Kind = terminal.KindForced }},
		{"no time", func(r *terminal.Request) { r.Time = time.Time{} }},
		{"no cryptogram", func(r *terminal.Request) { r.Tags.Delete(emv.TagApplicationCryptogram) }},
		{"no unpredictable number", func(r *terminal.Request) { r.Tags.Delete(emv.TagUnpredictableNumber) }},
		{"too much chip data", func(r *terminal.Request) { r.Tags.Put(emv.TagDFName, make([]byte, 200)) }},
		{"no account number", func(r *terminal.Request) { r.Card.PAN = emv.PAN{} }},
		{"another account number than track 2", func(r *terminal.Request) { r.Card.PAN, _ = emv.NewPAN("5413330089604111") }},
		{"expiry of three digits", func(r *terminal.Request) { r.Card.Expiry = "281" }},
		{"sequence number of one digit", func(r *terminal.Request) { r.Card.PSN = "1" }},
		{"no terminal", func(r *terminal.Request) { r.TerminalID = "" }},
		{"terminal too long", func(r *terminal.Request) { r.TerminalID = "TILL00011" }},
		{"merchant with a line break", func(r *terminal.Request) { r.MerchantID = "KW\n" }},
		{"another kind", func(r *terminal.Request) { r.Kind = "gift" }},
		{"a stripe without a track", func(r *terminal.Request) { r.Entry, r.Card.Track2 = terminal.EnteredStripe, emv.Track2{} }},
		{"a stripe with a sequence number", func(r *terminal.Request) { r.Entry = terminal.EnteredFallback }},
		{"a way of reading nobody knows", func(r *terminal.Request) { r.Entry = "keyed" }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req := saleRequest(t)
			tt.edit(&req)
			_, _, err := dialect(t, nil).Request(req)
			if !errors.Is(err, v93.ErrRequest) {
				t.Fatalf("error %v, want ErrRequest", err)
			}
			if strings.Contains(err.Error(), "4761739001010119") {
				t.Errorf("error shows the account number: %v", err)
			}
		})
	}
}

func TestNetworkRefused(t *testing.T) {
	for name, edit := range map[string]func(*terminal.NetworkRequest){
		"a key exchange":    func(r *terminal.NetworkRequest) { r.Kind = terminal.KeyExchange },
		"an order":          func(r *terminal.NetworkRequest) { r.Kind = terminal.OrderDone },
		"no trace number":   func(r *terminal.NetworkRequest) { r.STAN = 0 },
		"no terminal":       func(r *terminal.NetworkRequest) { r.TerminalID = "" },
		"no time":           func(r *terminal.NetworkRequest) { r.Time = time.Time{} },
		"a merchant's name": func(r *terminal.NetworkRequest) { r.MerchantID = "The Shop at the Corner" },
	} {
		req := signOn()
		edit(&req)
		if _, err := dialect(t, nil).Network(req); !errors.Is(err, v93.ErrRequest) {
			t.Errorf("%s: %v", name, err)
		}
	}
	none := dialect(t, func(s *v93.Settings) { s.SignOn = "none" })
	if b, err := none.Network(signOn()); b != nil || err != nil {
		t.Errorf("where there is no sign-on: %X, %v", b, err)
	}
}

func TestNewRefuses(t *testing.T) {
	for name, change := range map[string]func(*v93.Settings){
		"TPDU of four bytes":          func(s *v93.Settings) { s.TPDU = "60000300" },
		"TPDU not hex":                func(s *v93.Settings) { s.TPDU = "60000300ZZ" },
		"encoding":                    func(s *v93.Settings) { s.Encoding = "ebcdic" },
		"filler":                      func(s *v93.Settings) { s.Track2Filler = "E" },
		"terminal identification":     func(s *v93.Settings) { s.TerminalIDLength = 12 },
		"acquirer not digits":         func(s *v93.Settings) { s.Acquirer = "BANK" },
		"acquirer of twelve":          func(s *v93.Settings) { s.Acquirer = "123456789012" },
		"merchant category":           func(s *v93.Settings) { s.MerchantCategory = "541" },
		"batch and invoice in one":    func(s *v93.Settings) { s.InvoiceField = 60 },
		"batch in the amount":         func(s *v93.Settings) { s.BatchField = 4 },
		"text field":                  func(s *v93.Settings) { s.TextField = 55 },
		"sign-on":                     func(s *v93.Settings) { s.SignOn = "yes" },
		"echo":                        func(s *v93.Settings) { s.Echo = "83" },
		"an echo that is a sign-on":   func(s *v93.Settings) { s.Echo = "801" },
		"repeat":                      func(s *v93.Settings) { s.Repeat = "1421" },
		"position of DE 22":           func(s *v93.Settings) { s.PointOfService.Environment = "11" },
		"input of a brand":            func(s *v93.Settings) { s.Brands = map[string]v93.Brand{"visa": {ChipInput: "-"}} },
		"track in DE 55":              func(s *v93.Settings) { s.Brand.ChipTags = append(s.Brand.ChipTags, emv.TagTrack2EquivalentData) },
		"tag twice":                   func(s *v93.Settings) { s.Brand.ChipTags = append(s.Brand.ChipTags, emv.TagATC) },
		"number in a reversal":        func(s *v93.Settings) { s.ReversalTags = []tlv.Tag{emv.TagPAN} },
		"reason nobody has":           func(s *v93.Settings) { s.Reasons = map[v93.Reason]string{"because": "4000"} },
		"reason of three digits":      func(s *v93.Settings) { s.Reasons = map[v93.Reason]string{v93.TimeOut: "402"} },
		"reversed because of a limit": func(s *v93.Settings) { s.ReversedAs = v93.OverFloorLimit },
		"a refusal that approves":     func(s *v93.Settings) { s.AlsoApproved = []string{"100"} },
		"a part that approves":        func(s *v93.Settings) { s.AlsoApproved = []string{"002"} },
		"element of DE 56":            func(s *v93.Settings) { s.Original = []int{0, 35} },
		"element of DE 56 twice":      func(s *v93.Settings) { s.Original = []int{0, 11, 11} },
		"reconciliation":              func(s *v93.Settings) { s.Reconcile = "1500" },
		"totals field":                func(s *v93.Settings) { s.TotalsField = 63 },
		"column of totals":            func(s *v93.Settings) { s.TotalsColumns = []v93.TotalsColumn{{"tips", 10}} },
		"column twice":                func(s *v93.Settings) { s.TotalsColumns = []v93.TotalsColumn{{"debits", 10}, {"debits", 10}} },
		"column without room":         func(s *v93.Settings) { s.TotalsColumns = []v93.TotalsColumn{{"debits", 0}} },
		"mac":                         func(s *v93.Settings) { s.MAC = "alg1" },
		"six bytes of MAC":            func(s *v93.Settings) { s.MACBytes = 6 },
		"filler of a MAC":             func(s *v93.Settings) { s.MACFiller = "A" },
		"pre-authorisation":           func(s *v93.Settings) { s.Preauth = "200" },
		"void":                        func(s *v93.Settings) { s.Void = "reversal" },
		"a tip that is cash":          func(s *v93.Settings) { s.TipType = "40" },
		"a tip of three digits":       func(s *v93.Settings) { s.TipType = "044" },
		"MAC in field 63":             func(s *v93.Settings) { s.MACField = 63 },
		"sign-on without a MAC":       func(s *v93.Settings) { s.MACSignOn = true },
		"twelve bytes of PIN":         func(s *v93.Settings) { s.PINBytes = 12 },
		"private field of a brand that is the batch's": func(s *v93.Settings) {
			s.Brands = map[string]v93.Brand{"visa": {Private: map[int]string{60: "000001"}}}
		},
		"private field with a line end": func(s *v93.Settings) { s.Brand.Private = map[int]string{63: "A\n"} },
	} {
		s := settings()
		change(&s)
		if _, err := v93.New(s); !errors.Is(err, v93.ErrSettings) {
			t.Errorf("%s: error %v, want ErrSettings", name, err)
		}
	}
	if _, err := v93.New(v93.Settings{}); err != nil {
		t.Errorf("settings with everything left out: %v", err)
	}
}

func get(t testing.TB, m *iso8583.Message, n int) string {
	t.Helper()
	v, ok := m.Get(n)
	if !ok {
		t.Fatalf("%v has no field %d", m, n)
	}
	return v
}
