package host_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"tillway/device/secure/x9"
	"tillway/host"
	"tillway/iso8583"
	v93 "tillway/iso8583/dialect/v93"
	"tillway/terminal"
)

// later is a rig whose host speaks the 1993 version, and the terminal's dialect of it.
func later(t *testing.T, change func(*v93.Settings), more ...func(*host.Config)) (*rig, *v93.Dialect) {
	t.Helper()
	s := v93.Settings{Zone: today.Location(), Acquirer: "588847"}
	if change != nil {
		change(&s)
	}
	d, err := v93.New(s)
	if err != nil {
		t.Fatal(err)
	}
	cfg := config(t)
	cfg.Codec, cfg.Version = d.Codec(), host.Version1993
	cfg.Terminals[0] = host.Terminal{ID: "TILL1", Merchant: "KW1", Keys: cfg.Terminals[0].Keys}
	for _, f := range more {
		f(&cfg)
	}
	h, err := host.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return &rig{t: t, h: h, codec: d.Codec()}, d
}

// ask sends a composed message and reads the one answer, if there is one.
func (r *rig) ask(d *v93.Dialect, message []byte, err error) terminal.Response {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
	replies := r.h.Answer(message)
	if len(replies) != 1 {
		r.t.Fatalf("%d replies", len(replies))
	}
	response, err := d.Response(replies[0].Frame)
	if err != nil {
		r.t.Fatal(err)
	}
	return response
}

func (r *rig) signOn(d *v93.Dialect) terminal.Response {
	r.t.Helper()
	b, err := d.Network(terminal.NetworkRequest{Kind: terminal.SignOn, STAN: 1, Time: today, TerminalID: "TILL1", MerchantID: "KW1"})
	return r.ask(d, b, err)
}

// TestLaterDialect lets the terminal's own dialect of the 1993 version speak with the host: two readings of one wire that must
// agree, packed and in characters, with and without a transport header.
func TestLaterDialect(t *testing.T) {
	for name, change := range map[string]func(*v93.Settings){
		"packed":        nil,
		"characters":    func(s *v93.Settings) { s.Encoding = "ascii" },
		"with a TPDU":   func(s *v93.Settings) { s.TPDU = "6000030000" },
		"unmarked":      func(s *v93.Settings) { s.Repeat = "unchanged" },
		"no acquirer":   func(s *v93.Settings) { s.Acquirer = "" },
		"zero filler":   func(s *v93.Settings) { s.Track2Filler = "0" },
		"reversal tags": func(s *v93.Settings) { s.ReversalTags = s.Brand.ChipTags },
	} {
		t.Run(name, func(t *testing.T) {
			r, d := later(t, change)
			if got := r.signOn(d); got.Verdict != terminal.VerdictApproved || got.Code != "800" {
				t.Errorf("sign-on: %+v", got)
			}
			request, reversal, err := d.Request(r.request(t, credit, 2, 10_525))
			sold := r.ask(d, request, err)
			if sold.Verdict != terminal.VerdictApproved || sold.Code != "000" || len(sold.AuthCode) != 6 || len(sold.RRN) != 12 || len(sold.Issuer) != 12 || r.books() != 1 {
				t.Errorf("sale: %+v", sold)
			}
			if again := r.ask(d, request, nil); again.RRN != sold.RRN || r.books() != 1 {
				t.Errorf("sale sent twice: %+v", again)
			}
			for attempt := range 3 {
				b, err := d.Repeat(reversal, attempt+1)
				if got := r.ask(d, b, err); got.Verdict != terminal.VerdictApproved || got.Code != "400" || got.RRN != sold.RRN || r.books() != 0 {
					t.Errorf("reversal, attempt %d: %+v", attempt+1, got)
				}
			}
			request, reversal, err = d.Request(r.request(t, debit, 3, 10_525))
			if got := r.ask(d, reversal, err); got.Verdict != terminal.VerdictApproved || got.Code != "914" {
				t.Errorf("reversal without an original: %+v", got)
			}
			if got := r.ask(d, request, nil); got.Verdict != terminal.VerdictDeclined || got.Code != "913" || r.books() != 0 {
				t.Errorf("original after its reversal: %+v", got)
			}
		})
	}
}

// TestLaterCodes: what the host decides in codes of two digits reaches the terminal in those of three.
func TestLaterCodes(t *testing.T) {
	r, d := later(t, nil)
	for i, c := range []struct {
		card    card
		amount  int64
		verdict terminal.Verdict
		code    string
	}{
		{credit, 10_300, terminal.VerdictApproved, "000"},
		{credit, 10_051, terminal.VerdictDeclined, "116"},
		{credit, 10_005, terminal.VerdictDeclined, "100"},
		{credit, 10_041, terminal.VerdictDeclined, "208"},
		{credit, 10_091, terminal.VerdictTryLater, "912"},
		{credit, 10_096, terminal.VerdictTryLater, "909"},
		{credit, 10_077, terminal.VerdictDeclined, "100"},
		{expired, 10_300, terminal.VerdictDeclined, "101"},
		{unknown, 10_300, terminal.VerdictDeclined, "111"},
		{credit, opening + 300, terminal.VerdictDeclined, "116"},
	} {
		request, _, err := d.Request(r.request(t, c.card, uint32(10+i), c.amount))
		if got := r.ask(d, request, err); got.Verdict != c.verdict || got.Code != c.code {
			t.Errorf("%s, %d: %s %s, want %s %s", c.card.name, c.amount, got.Verdict, got.Code, c.verdict, c.code)
		}
	}
	for _, amount := range []int64{10_068, 10_009, 10_010} { // they leave open whether it was booked, or approve in part
		request, _, err := d.Request(r.request(t, credit, uint32(amount), amount))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := d.Response(r.h.Answer(request)[0].Frame); err == nil {
			t.Errorf("%d: %+v", amount, got)
		}
	}
	if r.books() != 1 {
		t.Errorf("%d postings stand, want 1", r.books())
	}
}

// TestLaterRefusals: what a message of the 1993 version must say, each thing by itself; nothing is posted or given back.
func TestLaterRefusals(t *testing.T) {
	r, d := later(t, nil)
	sold, _, err := d.Request(r.request(t, credit, 2, 10_525))
	if got := r.ask(d, sold, err); got.Code != "000" {
		t.Fatalf("sale: %+v", got)
	}
	for i, c := range []struct {
		name     string
		reversal bool
		edit     func(*iso8583.Message)
		code     string
	}{
		{"no reason", false, func(m *iso8583.Message) { m.Delete(25) }, "904"},
		{"a reversal's reason", false, func(m *iso8583.Message) { m.Set(25, "4000") }, "904"},
		{"another function", false, func(m *iso8583.Message) { m.Set(24, "100") }, "904"},
		{"no positions", false, func(m *iso8583.Message) { m.Delete(22) }, "904"},
		{"a PIN that nobody sent", false, func(m *iso8583.Message) { m.Set(22, "51010151334C") }, "904"},
		{"a PIN that was not verified", false, func(m *iso8583.Message) { m.Set(52, "12345678") }, "904"},
		{"read by nothing", false, func(m *iso8583.Message) { m.Set(22, "51010100034C") }, "120"},
		{"read by stripe, with a chip", false, func(m *iso8583.Message) { m.Set(22, "51010120034C") }, "120"},
		{"a chip without data", false, func(m *iso8583.Message) { m.Delete(55) }, "904"},
		{"an authorisation", false, func(m *iso8583.Message) { m.SetMTI("1100") }, "904"},
		{"an advice", false, func(m *iso8583.Message) { m.SetMTI("1220") }, "904"},
		{"a cheque", false, func(m *iso8583.Message) { m.Set(3, "030000") }, "902"},
		{"another merchant", false, func(m *iso8583.Message) { m.Set(42, "KW2            ") }, "120"},
		{"another terminal", false, func(m *iso8583.Message) { m.Set(41, "TILL2   ") }, "120"},
		{"another currency", false, func(m *iso8583.Message) { m.Set(49, "840") }, "904"},
		{"the number of another sale", false, func(m *iso8583.Message) { m.Set(11, "000002") }, "913"},
		{"of nothing", true, func(m *iso8583.Message) { m.Delete(56) }, "904"},
		{"of another number", true, func(m *iso8583.Message) { m.Set(56, "1200000003"+get(t, m, 12)+"00") }, "904"},
		{"of another time", true, func(m *iso8583.Message) { m.Set(56, "1200000002261123000000"+"00") }, "904"},
		{"of an authorisation", true, func(m *iso8583.Message) { m.Set(56, "1100000002"+get(t, m, 12)+"00") }, "904"},
		{"of a stump", true, func(m *iso8583.Message) { m.Set(56, "1200000002") }, "904"},
		{"a request's reason", true, func(m *iso8583.Message) { m.Set(25, "1510") }, "904"},
		{"with a track", true, func(m *iso8583.Message) { m.Set(35, "4761739001010119D2812201123456789") }, "904"},
		{"of another amount", true, func(m *iso8583.Message) { m.Set(4, "000000010526") }, "904"},
	} {
		stan := uint32(100 + i)
		if c.reversal {
			stan = 2
		}
		request, reversal, err := d.Request(r.request(t, credit, stan, 10_525))
		if err != nil {
			t.Fatal(err)
		}
		if c.reversal {
			request = reversal
		}
		m, err := r.codec.Unpack(request)
		if err != nil {
			t.Fatal(err)
		}
		c.edit(m)
		if got := r.code(m); got != c.code {
			t.Errorf("%s: code %s, want %s", c.name, got, c.code)
		}
	}
	for _, mti := range []string{"0200", "1210", "1430", "1204", "2200"} {
		m, err := r.codec.Unpack(sold)
		if err != nil {
			t.Fatal(err)
		}
		m.SetMTI(mti)
		if replies := r.h.Answer(r.pack(m)); mti != "1204" && len(replies) != 0 {
			t.Errorf("%s is answered", mti)
		}
	}
	if r.books() != 1 {
		t.Errorf("%d postings stand, want 1", r.books())
	}
}

// TestLaterStripe: the host tells a fallback by the reason in field 25.
func TestLaterStripe(t *testing.T) {
	r, d := later(t, nil)
	for i, c := range []struct {
		entry terminal.Entered
		code  string
	}{{terminal.EnteredStripe, "120"}, {terminal.EnteredFallback, "000"}} {
		req := r.request(t, credit, uint32(2+i), 10_525)
		req.Entry, req.Card.PSN = c.entry, ""
		request, _, err := d.Request(req)
		if got := r.ask(d, request, err); got.Code != c.code {
			t.Errorf("a chip card, %s: code %s, want %s", c.entry, got.Code, c.code)
		}
	}
}

// TestLaterSecurity: MACs both ways over the bytes of the wire, their serial numbers in field 53, and a key that is used once.
func TestLaterSecurity(t *testing.T) {
	bdk := unhex(t, "0123456789ABCDEFFEDCBA9876543210")
	ksn := unhex(t, "FFFF9876543211E00000")
	for name, change := range map[string]func(*v93.Settings){
		"packed":     func(*v93.Settings) {},
		"characters": func(s *v93.Settings) { s.Encoding, s.TPDU = "ascii", "6000030000" },
		"field 128":  func(s *v93.Settings) { s.MACField = 128 },
	} {
		t.Run(name, func(t *testing.T) {
			r, d := later(t, func(s *v93.Settings) { s.MAC, s.MACSignOn = "alg3", true; change(s) }, func(c *host.Config) {
				c.Security = &host.Security{MAC: host.MACAlg3, MACBytes: 8, Field: 53, Required: true}
				c.Terminals[0].Keys = &host.Keys{PIN: host.Key{BDK: bdk, KSN: unhex(t, "FFFF9876543210E00000")}, MAC: host.Key{BDK: bdk, KSN: ksn}}
			})
			initial, err := x9.TDESInitialKey(bdk, x9.KSN(ksn))
			if err != nil {
				t.Fatal(err)
			}
			use := func(counter byte, kind x9.TDESUse) func([]byte) ([]byte, error) {
				serial := slices.Clone(ksn)
				serial[9] |= counter
				return func(data []byte) ([]byte, error) {
					key, err := x9.TDESTransactionKey(initial, x9.KSN(serial))
					if err != nil {
						return nil, err
					}
					if key, err = x9.TDESWorkingKey(key, kind); err != nil {
						return nil, err
					}
					m, err := x9.MAC3(key, data, x9.Pad1)
					return m[:], err
				}
			}
			send := func(message []byte, counter byte) (terminal.Response, []byte) {
				t.Helper()
				serial := slices.Clone(ksn)
				serial[9] |= counter
				message, err := d.WithMAC(message, serial, use(counter, x9.TDESMACRequest))
				if err != nil {
					t.Fatal(err)
				}
				frame := r.h.Answer(message)[0].Frame
				a, err := d.AnswerMAC(frame)
				if err != nil {
					t.Fatal(err)
				}
				if len(a.MAC) > 0 {
					if want, err := use(counter, x9.TDESMACResponse)(a.Data); err != nil || string(want) != string(a.MAC) {
						t.Errorf("the answer's MAC is %X, want %X (%v)", a.MAC, want, err)
					}
				}
				response, err := d.Response(frame)
				if err != nil {
					t.Fatal(err)
				}
				return response, a.MAC
			}
			request, reversal, err := d.Request(r.request(t, credit, 2, 10_525))
			if err != nil {
				t.Fatal(err)
			}
			if got, mac := send(request, 1); got.Code != "000" || len(mac) == 0 {
				t.Errorf("sale: %+v, MAC %X", got, mac)
			}
			if got, mac := send(reversal, 1); got.Code != "916" || !got.KeyError || len(mac) > 0 || r.books() != 1 {
				t.Errorf("a serial number that was used: %+v, MAC %X", got, mac)
			}
			if got := r.ask(d, reversal, nil); got.Code != "916" || r.books() != 1 {
				t.Errorf("without a MAC: %+v", got)
			}
			if got, mac := send(reversal, 2); got.Code != "400" || len(mac) == 0 || r.books() != 0 {
				t.Errorf("reversal: %+v, MAC %X", got, mac)
			}
			hello, err := d.Network(terminal.NetworkRequest{Kind: terminal.SignOn, STAN: 9, Time: today, TerminalID: "TILL1", MerchantID: "KW1"})
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := send(hello, 3); got.Code != "800" || fmt.Sprintf("%X", got.SeenMAC) != "FFFF9876543211E00003" || got.SeenPIN != nil {
				t.Errorf("sign-on: %+v", got)
			}
		})
	}
}

// TestLaterRestart: a host that is started again still tells an original from another of the same number by its time.
func TestLaterRestart(t *testing.T) {
	dialect, err := v93.New(v93.Settings{Zone: today.Location()})
	if err != nil {
		t.Fatal(err)
	}
	d := newDurable(t, func(c *host.Config) {
		c.Codec, c.Version = dialect.Codec(), host.Version1993
		c.Terminals[0] = host.Terminal{ID: "TILL1", Merchant: "KW1"}
	})
	d.codec = dialect.Codec()
	request, reversal, err := dialect.Request(d.request(t, credit, 2, 10_525))
	if got := d.ask(dialect, request, err); got.Code != "000" {
		t.Fatalf("sale: %+v", got)
	}
	d.again()
	m, err := d.codec.Unpack(reversal)
	if err != nil {
		t.Fatal(err)
	}
	m.Set(56, "120000000226112309301600")
	if got := d.code(m); got != "904" || d.books() != 1 {
		t.Errorf("a reversal of another time: code %s", got)
	}
	if got := d.ask(dialect, reversal, nil); got.Code != "400" || d.books() != 0 {
		t.Errorf("reversal: %+v", got)
	}
}

// macUnder is ISO 9797-1 algorithm 3 under the key of a DUKPT serial number, of a request or an answer.
func macUnder(t *testing.T, bdk, ksn []byte, response bool) func([]byte) ([]byte, error) {
	t.Helper()
	return func(data []byte) ([]byte, error) {
		initial, err := x9.TDESInitialKey(bdk, x9.KSN(ksn))
		if err != nil {
			return nil, err
		}
		key, err := x9.TDESTransactionKey(initial, x9.KSN(ksn))
		if err != nil {
			return nil, err
		}
		use := x9.TDESMACRequest
		if response {
			use = x9.TDESMACResponse
		}
		if key, err = x9.TDESWorkingKey(key, use); err != nil {
			return nil, err
		}
		m, err := x9.MAC3(key, data, x9.Pad1)
		return m[:], err
	}
}

func TestVersionIsChecked(t *testing.T) {
	cfg := config(t)
	cfg.Version = "2003"
	if _, err := host.New(cfg); err == nil || !strings.Contains(err.Error(), "1993") {
		t.Errorf("another version: %v", err)
	}
	cfg.Version = host.Version1993 // with the table of the other
	if _, err := host.New(cfg); err == nil {
		t.Error("a table without room for its answers")
	}
}

// FuzzLaterMessages: whatever comes, the host answers at most once, its answer is one that the terminal's table reads, and the
// books add up.
func FuzzLaterMessages(f *testing.F) {
	d, err := v93.New(v93.Settings{Zone: today.Location()})
	if err != nil {
		f.Fatal(err)
	}
	cfg := config(f)
	cfg.Codec, cfg.Version = d.Codec(), host.Version1993
	r := &rig{t: f, codec: d.Codec()}
	if r.h, err = host.New(cfg); err != nil {
		f.Fatal(err)
	}
	m := iso8583.NewMessage("1200")
	for n, v := range map[int]string{
		3: "000000", 4: "000000010525", 7: "1123063015", 11: "000002", 12: "261123093015", 22: "51010150034C", 24: "200", 25: "1510",
		35: credit.pan + "D28122010000000000", 41: tid, 42: mid, 49: "414", 60: "000001", 62: "000002",
	} {
		m.Set(n, v)
	}
	m.SetBytes(55, field55(r.chip(credit, 10_525)))
	f.Add(r.pack(m))
	m.SetMTI("1420")
	m.Delete(35)
	m.Delete(55)
	for n, v := range map[int]string{2: credit.pan, 24: "400", 25: "4007", 56: "120000000226112309301500"} {
		m.Set(n, v)
	}
	f.Add(r.pack(m))
	for _, seed := range []struct {
		mti    string
		fields map[int]string
	}{
		{"1220", map[int]string{24: "202", 25: "1004", 37: "632709000001", 38: "A1B2C3", 39: "000", 56: "110000000226112309301500"}},
		{"1100", map[int]string{24: "107", 25: "1506"}},
		{"1200", map[int]string{3: "020000", 24: "200", 25: "1506"}},
	} {
		m.SetMTI(seed.mti)
		for n, v := range seed.fields {
			m.Set(n, v)
		}
		f.Add(r.pack(m))
	}
	totals, err := d.Totals(terminal.TotalsRequest{
		STAN: 9, Batch: 1, Time: today, Day: today, Currency: kwd, TerminalID: tid, MerchantID: mid, Lines: []terminal.TotalsLine{{Sales: 1, SalesSum: 10_525}},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(totals)
	f.Fuzz(func(t *testing.T, frame []byte) {
		r := &rig{t: t, h: r.h, codec: r.codec}
		for _, reply := range r.h.Answer(frame) {
			if _, err := r.codec.Unpack(reply.Frame); err != nil {
				t.Fatalf("%X: %v", reply.Frame, err)
			}
		}
		r.books()
	})
}
