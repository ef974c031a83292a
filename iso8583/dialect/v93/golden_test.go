package v93_test

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
	v93 "tillway/iso8583/dialect/v93"
	"tillway/money"
	"tillway/terminal"
	"tillway/terminal/lane"
)

var _ lane.Dialect = (*v93.Dialect)(nil)

// kuwait is where the terminal of the golden messages stands.
var kuwait = time.FixedZone("KWT", 3*3600)

// settings are those of the golden messages.
func settings() v93.Settings {
	s := v93.Defaults()
	s.Acquirer, s.Zone = "588847", kuwait
	return s
}

func dialect(t testing.TB, change func(*v93.Settings)) *v93.Dialect {
	t.Helper()
	s := settings()
	if change != nil {
		change(&s)
	}
	d, err := v93.New(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// characters are the settings of the golden messages in characters.
func characters(s *v93.Settings) {
	s.Encoding, s.TPDU, s.TerminalIDLength, s.Acquirer = "ascii", "6000030000", 16, ""
	s.Original, s.OriginalText, s.ReversedAs = []int{0, 11, 7, 12, 32, 33}, true, v93.TimeOut
	s.MAC, s.MACBytes, s.MACFiller = "alg3", 4, "F"
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

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
		line = strings.Trim(line, "\n")
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

// saleRequest is the sale of sale-1200.txt.
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
	for _, r := range golden(t, "sale-1200") {
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

// certified is a request whose card has made a transaction certificate after the response code given.
func certified(t testing.TB, arc string) terminal.Request {
	t.Helper()
	req := saleRequest(t)
	req.Tags.Put(emv.TagCID, []byte{0x40})
	req.Tags.Put(emv.TagAuthorisationResponseCode, []byte(arc))
	return req
}

// offline is the approval that advice-1220.txt tells.
func offline(t testing.TB) terminal.Request {
	t.Helper()
	req := certified(t, "Y1")
	req.Way = terminal.WayOffline
	return req
}

// captured is the second step of capture-1220, forced the sale of forced-1220.
func captured(t testing.TB) terminal.Request {
	t.Helper()
	req := certified(t, "00")
	req.TwoStep, req.Way, req.STAN, req.AuthCode = true, terminal.WayOnline, 124, "A1B2C3"
	req.Original = originally(t, terminal.KindSale)
	return req
}

func forced(t testing.TB) terminal.Request {
	t.Helper()
	req := certified(t, "00")
	req.Kind, req.Way, req.AuthCode = terminal.KindForced, terminal.WayVoice, "V12345"
	return req
}

// originally is what sale-1200, authorisation-1100 and their answers said.
func originally(t testing.TB, kind terminal.Kind) terminal.Original {
	t.Helper()
	req := saleRequest(t)
	return terminal.Original{
		Kind: kind, STAN: req.STAN, Batch: req.Batch, Invoice: req.Invoice, Time: req.Time, RRN: "620410000123", AuthCode: "A1B2C3",
		Amount: req.Amount, Way: terminal.WayOnline,
	}
}

// later is a transaction about an earlier one of that kind, five minutes later, with the card data that was kept.
func later(t testing.TB, kind, of terminal.Kind, minor int64) terminal.Request {
	t.Helper()
	req := saleRequest(t)
	req.Kind, req.Amount.Minor, req.Original = kind, minor, originally(t, of)
	req.STAN, req.Invoice, req.Time = 125, 43, req.Time.Add(5*time.Minute)
	req.Card.Track2 = emv.Track2{}
	return req
}

// edited is a sale's request with tags of its own.
func edited(t testing.TB, tags map[tlv.Tag]string, change func(*terminal.Request)) terminal.Request {
	t.Helper()
	req := saleRequest(t)
	for tag, value := range tags {
		req.Tags.Put(tag, unhex(t, value))
	}
	change(&req)
	return req
}

// batch is the totals of reconciliation-1520.txt.
func batch(t testing.TB) terminal.TotalsRequest {
	t.Helper()
	kwd, err := money.ByCode("KWD")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 7, 23, 10, 15, 0, 0, time.UTC)
	return terminal.TotalsRequest{
		STAN: 124, Batch: 1, Time: at, Day: at, Currency: kwd, TerminalID: "TILL0001", MerchantID: "KW0000000000001",
		Lines: []terminal.TotalsLine{
			{Scheme: "visa", Sales: 12, SalesSum: 126_300, Refunds: 1, RefundsSum: 5_000},
			{Scheme: "mada", Sales: 1, SalesSum: 10_525},
			{Scheme: "mada debit", Sales: 2, SalesSum: 21_050, Cashback: 1_000, Tips: 500},
		},
	}
}

// words are an acquirer's words for schemes, as those of the golden totals; two of the profile's are one to it.
func words(s *v93.Settings) {
	s.Brand.TotalsHouse = "BNK1"
	s.Brands = map[string]v93.Brand{"visa": {Totals: "VC"}, "mada": {Totals: "P1"}, "mada debit": {Totals: "P1"}}
}

// swiped is the sale of sale-stripe-1200 and sale-fallback-1200.
func swiped(t testing.TB, entry terminal.Entered) terminal.Request {
	t.Helper()
	track := map[terminal.Entered]string{
		terminal.EnteredStripe: "4761739001010119D2812101123456789F", terminal.EnteredFallback: "4761739001010119D2812201123456789F",
	}[entry]
	t2, err := emv.NewTrack2(unhex(t, track))
	if err != nil {
		t.Fatal(err)
	}
	req := saleRequest(t)
	req.Entry, req.Tags = entry, emv.Data{}
	req.Card = terminal.CardData{PAN: t2.PAN(), Expiry: t2.Expiry(), Track2: t2}
	return req
}

func signOn() terminal.NetworkRequest {
	return terminal.NetworkRequest{
		Kind: terminal.SignOn, STAN: 122, Time: time.Date(2026, 7, 23, 10, 15, 0, 0, time.UTC), TerminalID: "TILL0001", MerchantID: "KW0000000000001",
	}
}

// TestComposed: byte for byte the golden messages, which were encoded by other means.
func TestComposed(t *testing.T) {
	d := dialect(t, words)
	request := func(d *v93.Dialect, req terminal.Request) func() ([]byte, error) {
		return func() ([]byte, error) { b, _, err := d.Request(req); return b, err }
	}
	reversal := func(d *v93.Dialect, req terminal.Request) func() ([]byte, error) {
		return func() ([]byte, error) { _, b, err := d.Request(req); return b, err }
	}
	advice := func(req terminal.Request) func() ([]byte, error) {
		return func() ([]byte, error) { return d.Advice(req) }
	}
	preauth, echo := saleRequest(t), signOn()
	preauth.Kind, echo.Kind = terminal.KindPreauth, terminal.Echo
	refund := edited(t, map[tlv.Tag]string{emv.TagTransactionType: "20"}, func(r *terminal.Request) {
		r.Kind, r.STAN, r.Invoice, r.Original = terminal.KindRefund, 125, 43, originally(t, terminal.KindSale)
	})
	void := later(t, terminal.KindVoid, terminal.KindSale, 10_525)
	for name, compose := range map[string]func() ([]byte, error){
		"sale-1200":               request(d, saleRequest(t)),
		"reversal-1420":           reversal(d, saleRequest(t)),
		"sale-stripe-1200":        request(d, swiped(t, terminal.EnteredStripe)),
		"sale-fallback-1200":      request(d, swiped(t, terminal.EnteredFallback)),
		"sale-ascii-1200":         request(dialect(t, characters), saleRequest(t)),
		"sale-1100":               request(d, edited(t, nil, func(r *terminal.Request) { r.TwoStep = true })),
		"capture-1220":            advice(captured(t)),
		"cash-tip-1200":           request(d, cashAndTip(t)),
		"refund-1200":             request(d, refund),
		"void-1200":               request(d, void),
		"reversal-void-1420":      reversal(d, void),
		"authorisation-1100":      request(d, preauth),
		"reversal-cancelled-1420": reversal(dialect(t, func(s *v93.Settings) { s.ReversedAs = v93.CustomerCancellation }), preauth),
		"increment-1100":          request(d, later(t, terminal.KindIncrement, terminal.KindPreauth, 2_000)),
		"void-1420": func() ([]byte, error) {
			return dialect(t, func(s *v93.Settings) { s.Void = "cancellation" }).Advice(void)
		},
		"completion-1220": advice(later(t, terminal.KindCompletion, terminal.KindPreauth, 9_000)),
		"balance-1100":    request(d, inquiry(t)),
		"advice-1220":     advice(offline(t)),
		"forced-1220":     advice(forced(t)),
		"deferred-1200": func() ([]byte, error) {
			return dialect(t, func(s *v93.Settings) { s.Deferred = true }).Deferred(saleRequest(t))
		},
		"reconciliation-1520": func() ([]byte, error) { return d.Totals(batch(t)) },
		"signon-1804":         func() ([]byte, error) { return d.Network(signOn()) },
		"echo-1804":           func() ([]byte, error) { return d.Network(echo) },
	} {
		t.Run(name, func(t *testing.T) {
			b, err := compose()
			if err != nil {
				t.Fatal(err)
			}
			sameBytes(t, name, b)
		})
	}
}

// cashAndTip is the sale of cash-tip-1200, inquiry the question of balance-1100.
func cashAndTip(t testing.TB) terminal.Request {
	t.Helper()
	return edited(t, map[tlv.Tag]string{emv.TagTransactionType: "09", emv.TagAmountOther: "000000005000"}, func(r *terminal.Request) {
		r.Cashback, r.Tip = money.New(5_000, r.Amount.Currency), money.New(1_000, r.Amount.Currency)
	})
}

func inquiry(t testing.TB) terminal.Request {
	t.Helper()
	return edited(t, map[tlv.Tag]string{emv.TagTransactionType: "31", emv.TagAmountAuthorised: "000000000000"}, func(r *terminal.Request) {
		r.Kind, r.Amount.Minor = terminal.KindBalance, 0
	})
}

// The same files the other way: every value is read as the file says.
func TestGoldenMessagesAreRead(t *testing.T) {
	files, err := filepath.Glob("testdata/golden/*.txt")
	if err != nil || len(files) != 39 {
		t.Fatalf("%d golden messages, %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		c := dialect(t, nil).Codec()
		if strings.Contains(name, "ascii") {
			c = dialect(t, characters).Codec()
		}
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
				got, _ = m.Get(n)
				if slices.Contains([]int{52, 53, 55, 64, 128}, n) {
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
		if again, err := c.Pack(m); err != nil || !bytes.Equal(again, wire(t, rows)) {
			t.Errorf("%s packs again to %X, %v", name, again, err)
		}
	}
}

func TestRepeat(t *testing.T) {
	for _, tt := range []struct {
		first, rule string
		attempt     int
		want        string
	}{
		{"reversal-1420", "marked", 1, "reversal-1420"},
		{"reversal-1420", "marked", 2, "reversal-1421"},
		{"reversal-1420", "marked", 10, "reversal-1421"},
		{"reversal-1420", "unchanged", 2, "reversal-1420"},
		{"advice-1220", "marked", 2, "advice-1221"},
		{"advice-1220", "unchanged", 3, "advice-1220"},
		{"reconciliation-1520", "marked", 1, "reconciliation-1520"},
		{"deferred-1200", "marked", 1, "deferred-1200"},
	} {
		d := dialect(t, func(s *v93.Settings) { s.Repeat = tt.rule })
		b, err := d.Repeat(wire(t, golden(t, tt.first)), tt.attempt)
		if err != nil {
			t.Fatalf("%+v: %v", tt, err)
		}
		sameBytes(t, tt.want, b)
	}
	d := dialect(t, func(s *v93.Settings) { s.Reconcile = "1524" })
	totals, err := d.Totals(batch(t))
	if err != nil {
		t.Fatal(err)
	}
	again, err := d.Repeat(totals, 2)
	if m, uerr := d.Codec().Unpack(again); err != nil || uerr != nil || m.MTI() != "1525" {
		t.Errorf("totals sent again: %v, %v", err, uerr)
	}
	first := wire(t, golden(t, "reversal-1420"))
	for name, bad := range map[string][]byte{"a sale": wire(t, golden(t, "sale-1200")), "nothing": nil, "cut off": first[:40], "a repeat": wire(t, golden(t, "reversal-1421"))} {
		if _, err := d.Repeat(bad, 2); !errors.Is(err, v93.ErrRequest) {
			t.Errorf("%s is repeated (%v)", name, err)
		}
	}
}

// An advice or a kept request that names another batch is otherwise as it was; a reversal names its request's for ever, and an acquirer
// without batch numbers has nothing to change.
func TestInBatch(t *testing.T) {
	d := dialect(t, nil)
	for name, moves := range map[string]bool{"advice-1220": true, "completion-1220": true, "deferred-1200": true, "reversal-1420": false} {
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
		for n := 2; n <= 128; n++ {
			a, _ := was.Get(n)
			b, _ := m.Get(n)
			if n != 60 && a != b {
				t.Errorf("%s: DE %d changes", name, n)
			}
		}
		if _, err := d.InBatch(first, 0); moves && !errors.Is(err, v93.ErrRequest) {
			t.Errorf("%s in no batch: %v", name, err)
		}
	}
	none := dialect(t, func(s *v93.Settings) { s.BatchField = -1 })
	if first := wire(t, golden(t, "advice-1220")); true {
		if m, err := d.Codec().Unpack(first); err == nil {
			m.Delete(60)
			if first, err = none.Codec().Pack(m); err != nil {
				t.Fatal(err)
			}
		}
		if there, err := none.InBatch(first, 43); err != nil || !bytes.Equal(there, first) {
			t.Errorf("without batch numbers: %v", err)
		}
	}
}
