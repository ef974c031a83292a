package host_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"tillway/host"
	"tillway/iso8583"
)

// TestTestAmounts: each wire fault posts first and then does what it says; a repeat or a reversal is answered in earnest.
func TestTestAmounts(t *testing.T) {
	for _, c := range []struct {
		amount int64
		fault  string
		check  func(t *testing.T, r *rig, replies []host.Reply) bool
	}{
		{10_101, "no answer", func(_ *testing.T, _ *rig, replies []host.Reply) bool { return len(replies) == 0 }},
		{10_102, "late", func(_ *testing.T, _ *rig, p []host.Reply) bool {
			return len(p) == 1 && p[0].Delay == late && p[0].Cut == 0 && !p[0].Reset
		}},
		{10_103, "reset", func(_ *testing.T, _ *rig, p []host.Reply) bool {
			return len(p) == 1 && p[0].Cut > 2 && p[0].Cut < len(p[0].Frame)+2 && p[0].Reset
		}},
		{10_105, "wrong STAN", func(t *testing.T, r *rig, p []host.Reply) bool {
			a, err := r.codec.Unpack(p[0].Frame)
			return err == nil && len(p) == 1 && get(t, a, 11) == "000002" && get(t, a, 39) == "00"
		}},
		{10_106, "twice", func(_ *testing.T, _ *rig, p []host.Reply) bool {
			return len(p) == 2 && bytes.Equal(p[0].Frame, p[1].Frame)
		}},
	} {
		t.Run(c.fault, func(t *testing.T) {
			r := newRig(t)
			m, _ := r.sale(credit, 1, c.amount)
			if p := r.h.Answer(r.pack(m)); !c.check(t, r, p) {
				t.Errorf("replies %+v", p)
			}
			if r.books() != 1 || r.balance(credit) != opening-c.amount {
				t.Error("the host has not posted it")
			}
			if a := r.one(m); get(t, a, 39) != "00" || get(t, a, 11) != "000001" {
				t.Errorf("the repeat is answered %v", a)
			}
			if got := r.code(reversal(m, credit)); got != "00" || r.books() != 0 {
				t.Errorf("the reversal is answered %s", got)
			}
		})
	}
	r := newRig(t)
	for i, c := range []struct {
		amount int64
		want   string
	}{
		{10_051, "51"}, {10_091, "91"}, {10_001, "01"}, {99, "99"}, {10_525, "00"}, {10_000, "00"}, {10_100, "00"}, {10_200, "00"}, {10_999, "00"},
	} {
		m, _ := r.sale(credit, i+1, c.amount)
		a := r.one(m)
		if got := get(t, a, 39); got != c.want || a.Has(38) != (c.want == "00") || !a.Has(55) {
			t.Errorf("amount %d: %s (%v), want %s with the issuer's answer to the card", c.amount, got, a, c.want)
		}
	}
	if r.books() != 5 {
		t.Error("postings are not those of the approvals")
	}
	m, _ := r.sale(unknown, 90, 10_005)
	if a := r.one(m); get(t, a, 39) != "05" || a.Has(55) {
		t.Errorf("test amount with a strange card: %v", a)
	}
}

// TestNetwork: sign-on and echo of known terminals, without a merchant where the dialect sends none.
func TestNetwork(t *testing.T) {
	r := newRig(t)
	for _, c := range []struct{ terminal, want string }{{tid, "00"}, {"TILL0002", "89"}} {
		m := iso8583.NewMessage("0800")
		m.TPDU = unhex(t, "6000030000")
		m.Set(3, "920000")
		m.Set(11, "000042")
		m.Set(24, "003")
		m.Set(41, c.terminal)
		a := r.one(m)
		if a.MTI() != "0810" || get(t, a, 39) != c.want || get(t, a, 11) != "000042" || get(t, a, 3) != "920000" || get(t, a, 41) != c.terminal {
			t.Errorf("terminal %s: %v with %s, want %s", c.terminal, a, get(t, a, 39), c.want)
		}
	}
}

// TestDropped: what is no request, or cannot be read, gets no answer and changes nothing.
func TestDropped(t *testing.T) {
	r := newRig(t)
	m, _ := r.sale(credit, 1, 10_525)
	whole := r.pack(m)
	noRequest := func(mti string) []byte {
		c, _ := r.sale(credit, 1, 10_525)
		c.SetMTI(mti)
		return r.pack(c)
	}
	for name, frame := range map[string][]byte{
		"nothing":        nil,
		"a TPDU alone":   whole[:5],
		"cut":            whole[:len(whole)-1],
		"bytes behind":   append(bytes.Clone(whole), 0),
		"garbage":        []byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
		"zeros":          make([]byte, 200),
		"ones":           bytes.Repeat([]byte{0xFF}, 200),
		"too long":       append(bytes.Clone(whole), make([]byte, host.MaxFrame)...),
		"an answer":      noRequest("0210"),
		"reversal's":     noRequest("0410"),
		"class 9":        noRequest("9200"),
		"issuer's":       noRequest("0204"),
		"notification's": noRequest("0240"),
	} {
		if replies := r.h.Answer(frame); len(replies) != 0 {
			t.Errorf("%s: %d replies", name, len(replies))
		}
	}
	if r.books() != 0 {
		t.Error("posted")
	}
	if got := r.code(m); got != "00" {
		t.Errorf("a good request afterwards: %s", got)
	}
}

// TestNothingSecretWritten: neither log, message list nor ledger shows a card number, track or chip data.
func TestNothingSecretWritten(t *testing.T) {
	var log bytes.Buffer
	cfg := config(t)
	cfg.Log = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	h, err := host.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, h: h, codec: cfg.Codec}
	for stan, c := range []card{credit, debit, expired, unknown} {
		m, _ := r.sale(c, stan, 10_525)
		r.one(m)
		r.one(reversal(m, c))
		m.Set(22, "x") // does not pack: only its printing is of interest
		written := fmt.Sprintf("%v %+v %#v %v %+v", r.h.Messages(), r.h.Ledger(), r.h.Accounts(), m, c.keys(t)) + log.String()
		if strings.Contains(written, c.pan) || strings.Contains(written, c.pan+"D") || strings.Contains(strings.ToUpper(written), c.imk) {
			t.Errorf("%s: card data or key in what is written", c.name)
		}
		if !strings.Contains(log.String(), c.pan[len(c.pan)-4:]) {
			t.Errorf("%s: the log does not even show the last four digits", c.name)
		}
	}
	if got := len(r.h.Messages()); got != 16 {
		t.Errorf("%d messages kept, want 16", got)
	}
}

// TestNothingForTheScreen: what a stranger sends as its name cannot steer the screen that lists it.
func TestNothingForTheScreen(t *testing.T) {
	r := newRig(t)
	m, _ := r.sale(credit, 1, 10_525)
	m.Set(41, "\x1b[2J\r\n\x00x")
	m.Set(60, "\x1b]0;hello\x07")
	if got := r.code(m); got != "30" {
		t.Errorf("code %s, want 30", got)
	}
	for _, line := range r.h.Messages() {
		if line.Terminal != "?[2J???x" || line.Batch != "?]0;hello?" {
			t.Errorf("listed as %q, %q", line.Terminal, line.Batch)
		}
	}
}

// TestMessagesBounded: the list keeps the latest thousand in their order.
func TestMessagesBounded(t *testing.T) {
	r := newRig(t)
	now := today
	cfg := config(t)
	cfg.Clock = func() time.Time { now = now.Add(time.Second); return now }
	h, err := host.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r.h, now = h, today
	for range 2345 {
		r.h.Answer([]byte("garbage"))
	}
	list := r.h.Messages()
	if len(list) != 1000 || !list[999].Time.Equal(today.Add(2345*time.Second)) || !list[0].Time.Equal(today.Add(1346*time.Second)) {
		t.Errorf("%d messages from %v to %v", len(list), list[0].Time, list[len(list)-1].Time)
	}
}

type noRandom struct{}

var errNoRandom = errors.New("no random numbers")

func (noRandom) Read([]byte) (int, error) { return 0, errNoRandom }

// TestNoRandomNumbers: without an approval code nothing is approved.
func TestNoRandomNumbers(t *testing.T) {
	cfg := config(t)
	cfg.Random = noRandom{}
	h, err := host.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, h: h, codec: cfg.Codec}
	m, _ := r.sale(credit, 1, 10_525)
	if got := r.code(m); got != "96" || r.books() != 0 {
		t.Errorf("code %s, want 96", got)
	}
}

// TestConfigRefused: a host that could not answer is not made.
func TestConfigRefused(t *testing.T) {
	for name, spoil := range map[string]func(*host.Config){
		"no codec":         func(c *host.Config) { c.Codec = nil },
		"no clock":         func(c *host.Config) { c.Clock = nil },
		"no random":        func(c *host.Config) { c.Random = nil },
		"no currency":      func(c *host.Config) { c.Currency.Code, c.Currency.Numeric, c.Currency.Exponent = "", 0, 0 },
		"other currency":   func(c *host.Config) { c.Currency.Code = "BHD" },
		"no terminal":      func(c *host.Config) { c.Terminals[0].ID = "" },
		"long terminal":    func(c *host.Config) { c.Terminals[0].ID = "TILL00001" },
		"long merchant":    func(c *host.Config) { c.Terminals[0].Merchant = "KW00000000000001" },
		"same card twice":  func(c *host.Config) { c.Accounts[1].PAN = c.Accounts[0].PAN },
		"key of 15 bytes":  func(c *host.Config) { c.Accounts[0].IMK = c.Accounts[0].IMK[:15] },
		"expiry not YYMM":  func(c *host.Config) { c.Accounts[0].Expiry = "12/28" },
		"negative balance": func(c *host.Config) { c.Accounts[0].Balance.Minor = -1 },
		"table of others": func(c *host.Config) {
			other, err := iso8583.Compile(iso8583.Table{Name: "short", TPDU: true, Fields: []iso8583.Field{
				{Number: 3, Name: "Processing code", Kind: iso8583.Numeric, Max: 6},
			}})
			if err != nil {
				t.Fatal(err)
			}
			c.Codec = other
		},
	} {
		cfg := config(t)
		spoil(&cfg)
		if _, err := host.New(cfg); !errors.Is(err, host.ErrConfig) {
			t.Errorf("%s: %v, want ErrConfig", name, err)
		}
	}
}
