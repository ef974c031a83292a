package v93_test

import (
	"errors"
	"strings"
	"testing"

	"tillway/emv"
	v93 "tillway/iso8583/dialect/v93"
	"tillway/money"
	"tillway/terminal"
)

// TestAdviceRefused: an advice tells what was approved without the host, or takes what the host has approved, and nothing else.
func TestAdviceRefused(t *testing.T) {
	for name, make := range map[string]func() terminal.Request{
		"offline": func() terminal.Request { return offline(t) }, "forced": func() terminal.Request { return forced(t) },
		"captured":  func() terminal.Request { return captured(t) },
		"completed": func() terminal.Request { return later(t, terminal.KindCompletion, terminal.KindPreauth, 9_000) },
	} {
		for what, c := range map[string]struct {
			edit  func(*terminal.Request)
			taken string // what it is no reason to refuse
		}{
			"an ARQC":                   {func(r *terminal.Request) { r.Tags.Put(emv.TagCID, []byte{0x80}) }, "captured completed"},
			"a refusal":                 {func(r *terminal.Request) { r.Tags.Put(emv.TagCID, []byte{0x00}) }, "captured completed"},
			"no cryptogram information": {func(r *terminal.Request) { r.Tags.Delete(emv.TagCID) }, "captured completed"},
			"no cryptogram":             {func(r *terminal.Request) { r.Tags.Delete(emv.TagApplicationCryptogram) }, "completed"},
			"more than the card signed": {func(r *terminal.Request) { r.Amount.Minor++ }, "completed"},
			"no account number":         {func(r *terminal.Request) { r.Card.PAN = emv.PAN{} }, ""},
			"a trace number of seven":   {func(r *terminal.Request) { r.STAN = 1_000_000 }, ""},
			"a year that does not fit":  {func(r *terminal.Request) { r.Time = r.Time.AddDate(100, 0, 0) }, ""},
			"nothing":                   {func(r *terminal.Request) { r.Amount.Minor = 0 }, ""},
			"a kind that asks":          {func(r *terminal.Request) { r.Kind = terminal.KindRefund }, ""},
		} {
			req := make()
			c.edit(&req)
			if _, err := dialect(t, nil).Advice(req); errors.Is(err, v93.ErrRequest) == strings.Contains(c.taken, name) {
				t.Errorf("%s, %s: %v", name, what, err)
			}
		}
	}
}

// TestOfflineAdvice: of an approval without the host there is a certificate after Y1 or Y3, and no stripe gives one.
func TestOfflineAdvice(t *testing.T) {
	for arc, taken := range map[string]bool{"Y1": true, "Y3": true, "Z1": false, "00": false, "": false} {
		req := offline(t)
		req.Tags.Put(emv.TagAuthorisationResponseCode, []byte(arc))
		if arc == "" {
			req.Tags.Delete(emv.TagAuthorisationResponseCode)
		}
		if _, err := dialect(t, nil).Advice(req); (err == nil) != taken || !taken && !errors.Is(err, v93.ErrRequest) {
			t.Errorf("after %q: %v", arc, err)
		}
	}
	for _, way := range []terminal.Way{"", terminal.WayOnline, terminal.WayDeferred, terminal.WayVoice} {
		req := offline(t)
		if req.Way = way; true {
			if _, err := dialect(t, nil).Advice(req); !errors.Is(err, v93.ErrRequest) {
				t.Errorf("a sale that was approved %q: %v", way, err)
			}
		}
	}
	req := offline(t)
	req.Entry = terminal.EnteredStripe
	if _, err := dialect(t, nil).Advice(req); !errors.Is(err, v93.ErrRequest) {
		t.Errorf("a stripe: %v", err)
	}
}

// TestApprovalCodes: a forced sale has one, of one to six letters and digits; a completion where there is one.
func TestApprovalCodes(t *testing.T) {
	d := dialect(t, nil)
	for code, taken := range map[string]bool{"": false, "1": true, "A1b2C3": true, "A1B2C34": false, "A B": false, "Ä1": false} {
		req := forced(t)
		req.AuthCode = code
		if _, err := d.Advice(req); (err == nil) != taken || !taken && !errors.Is(err, v93.ErrRequest) {
			t.Errorf("approval code %q: %v", code, err)
		}
	}
	stripe := swiped(t, terminal.EnteredStripe)
	stripe.Kind, stripe.Way, stripe.AuthCode = terminal.KindForced, terminal.WayVoice, "17"
	b, err := d.Advice(stripe)
	m, uerr := d.Codec().Unpack(b)
	if err := errors.Join(err, uerr); err != nil {
		t.Fatal(err)
	}
	if m.Has(35) || m.Has(55) || get(t, m, 38) != "17    " || get(t, m, 22) != "51010120034C" {
		t.Errorf("forced by stripe: %v, %q, %s", m, get(t, m, 38), get(t, m, 22))
	}
}

// TestCapture: the second step names the first by its number, also where it is its own; of less than was asked for DE 30 says what
// that was, and the card has signed it; a completion is of a pre-authorisation.
func TestCapture(t *testing.T) {
	d := dialect(t, nil)
	advice := func(edit func(*terminal.Request)) (map[int]string, error) {
		req := captured(t)
		edit(&req)
		b, err := d.Advice(req)
		if err != nil {
			return nil, err
		}
		m, err := d.Codec().Unpack(b)
		if err != nil {
			t.Fatal(err)
		}
		out := map[int]string{}
		for _, n := range []int{4, 24, 30, 37, 38, 54, 56} {
			out[n], _ = m.Get(n)
		}
		return out, nil
	}
	own, err := advice(func(r *terminal.Request) { r.Original = terminal.Original{} })
	if err != nil || own[24] != "201" || own[56] != "110000012426072313150006588847" || own[38] != "A1B2C3" || own[37] != "" {
		t.Errorf("authorised under its own number: %v, %v", own, err)
	}
	part, err := advice(func(r *terminal.Request) { // approved in part: that part is taken, and the card has signed the whole
		r.Amount.Minor, r.Original.Amount.Minor, r.Tip = 4_000, 4_000, money.New(5_000, r.Amount.Currency)
	})
	if err != nil || part[4] != "000000004000" || part[24] != "201" || part[30] != "" || part[54] != "" {
		t.Errorf("approved in part: %v, %v", part, err)
	}
	less, err := advice(func(r *terminal.Request) { r.Amount.Minor = 4_000 })
	if err != nil || less[4] != "000000004000" || less[24] != "202" || less[30] != "000000010525000000000000" {
		t.Errorf("less than was approved: %v, %v", less, err)
	}
	if _, err := advice(func(r *terminal.Request) { r.Amount.Minor = 11_000 }); !errors.Is(err, v93.ErrRequest) {
		t.Errorf("more than the card signed: %v", err)
	}
	if _, err := advice(func(r *terminal.Request) { r.Original.AuthCode = "A1B2C34" }); !errors.Is(err, v93.ErrRequest) {
		t.Errorf("an approval code of seven: %v", err)
	}
	for name, edit := range map[string]func(*terminal.Request){
		"of a sale":  func(r *terminal.Request) { r.Original.Kind = terminal.KindSale },
		"of nothing": func(r *terminal.Request) { r.Original = terminal.Original{} },
		"in dollars": func(r *terminal.Request) { r.Original.Amount = money.New(10_525, dollars(t)) },
		"of a track": func(r *terminal.Request) {
			r.Card.Track2 = swiped(t, terminal.EnteredStripe).Card.Track2
			r.Card.PAN = emv.PAN{}
		},
		"of a minute": func(r *terminal.Request) { r.Original.Time = r.Original.Time.AddDate(-100, 0, 0) },
	} {
		req := later(t, terminal.KindCompletion, terminal.KindPreauth, 9_000)
		edit(&req)
		if _, err := d.Advice(req); !errors.Is(err, v93.ErrRequest) {
			t.Errorf("a completion %s: %v", name, err)
		}
	}
}

func dollars(t testing.TB) money.Currency {
	t.Helper()
	c, err := money.ByCode("USD")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestNothingKeptIsSecret: what is kept to be sent later has neither track nor PIN block.
func TestNothingKeptIsSecret(t *testing.T) {
	d := dialect(t, func(s *v93.Settings) { s.Deferred = true })
	for name, compose := range map[string]func() ([]byte, error){
		"offline": func() ([]byte, error) { return d.Advice(offline(t)) }, "forced": func() ([]byte, error) { return d.Advice(forced(t)) },
		"captured": func() ([]byte, error) { return d.Advice(captured(t)) }, "deferred": func() ([]byte, error) { return d.Deferred(saleRequest(t)) },
	} {
		b, err := compose()
		m, uerr := d.Codec().Unpack(b)
		if err := errors.Join(err, uerr); err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{35, 45, 52, 53} {
			if m.Has(n) {
				t.Errorf("%s has field %d", name, n)
			}
		}
	}
}

// TestDeferred: only where the acquirer takes it, and only what nobody but the host's own cryptogram check has to decide.
func TestDeferred(t *testing.T) {
	d := dialect(t, func(s *v93.Settings) { s.Deferred = true })
	if !d.Can().Deferred || dialect(t, nil).Can().Deferred {
		t.Error("the settings do not say whether a request is kept")
	}
	if _, err := dialect(t, nil).Deferred(saleRequest(t)); !errors.Is(err, v93.ErrRequest) {
		t.Errorf("where the acquirer takes none: %v", err)
	}
	for name, edit := range map[string]func(*terminal.Request){
		"a stripe":        func(r *terminal.Request) { *r = swiped(t, terminal.EnteredStripe) },
		"a PIN":           func(r *terminal.Request) { *r = pinRequest(t) },
		"two steps":       func(r *terminal.Request) { r.TwoStep = true },
		"a refund":        func(r *terminal.Request) { r.Kind = terminal.KindRefund },
		"a balance":       func(r *terminal.Request) { *r = inquiry(t) },
		"a forced sale":   func(r *terminal.Request) { *r = forced(t) },
		"cash":            func(r *terminal.Request) { *r = cashAndTip(t) },
		"a certificate":   func(r *terminal.Request) { r.Tags.Put(emv.TagCID, []byte{0x40}) },
		"a refused one":   func(r *terminal.Request) { r.Tags.Put(emv.TagCID, []byte{0x00}) },
		"no cryptogram":   func(r *terminal.Request) { r.Tags.Delete(emv.TagApplicationCryptogram) },
		"no trace number": func(r *terminal.Request) { r.STAN = 0 },
	} {
		req := saleRequest(t)
		edit(&req)
		if _, err := d.Deferred(req); !errors.Is(err, v93.ErrRequest) {
			t.Errorf("%s is kept: %v", name, err)
		}
	}
}

// TestVoidIsOne: a void is a request or an advice, as the settings say, and never both; the advice takes back what it names, by its own code.
func TestVoidIsOne(t *testing.T) {
	told := dialect(t, func(s *v93.Settings) { s.Void = "cancellation" })
	asked := dialect(t, nil)
	void := later(t, terminal.KindVoid, terminal.KindRefund, 10_525)
	if asked.Can().VoidTold || !told.Can().VoidTold {
		t.Error("the settings do not say how a void goes")
	}
	if _, _, err := told.Request(void); !errors.Is(err, v93.ErrRequest) {
		t.Errorf("a request where it is told: %v", err)
	}
	if _, err := asked.Advice(void); !errors.Is(err, v93.ErrRequest) {
		t.Errorf("an advice where it is asked for: %v", err)
	}
	b, err := told.Advice(void)
	m, uerr := told.Codec().Unpack(b)
	if err := errors.Join(err, uerr); err != nil {
		t.Fatal(err)
	}
	if got := []string{m.MTI(), get(t, m, 3), get(t, m, 11), get(t, m, 25), get(t, m, 56)}; strings.Join(got, " ") != "1420 200000 000125 4000 120000012326072313150006588847" {
		t.Errorf("the void of a refund: %s", got)
	}
	again, err := told.Repeat(b, 2)
	if m, uerr := told.Codec().Unpack(again); err != nil || uerr != nil || m.MTI() != "1421" {
		t.Errorf("sent again: %v, %v", err, uerr)
	}
	void.Original = terminal.Original{}
	if _, err := told.Advice(void); !errors.Is(err, v93.ErrRequest) {
		t.Errorf("of nothing: %v", err)
	}
}
