package host_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tillway/emv"
	"tillway/emv/tlv"
	"tillway/host"
	"tillway/iso8583"
	"tillway/iso8583/dialect/nac"
	v93 "tillway/iso8583/dialect/v93"
	"tillway/money"
	"tillway/terminal"
)

// counter93 is a terminal of the 1993 version: it composes with its own dialect and asks the host, whose books are looked at each time.
type counter93 struct {
	*rig
	d    *v93.Dialect
	stan uint32
}

func newCounter93(t *testing.T, change func(*v93.Settings), more ...func(*host.Config)) *counter93 {
	t.Helper()
	r, d := later(t, func(s *v93.Settings) {
		s.Deferred = true
		if change != nil {
			change(s)
		}
	}, more...)
	return &counter93{rig: r, d: d}
}

// made is a transaction as it was asked for and answered.
type made struct {
	terminal.Request
	terminal.Response

	reversal []byte
}

// of is how a later transaction names it.
func (m made) of() terminal.Original {
	return terminal.Original{
		Kind: m.Kind, STAN: m.STAN, Batch: m.Batch, Invoice: m.Invoice, Time: m.Request.Time, RRN: m.RRN, AuthCode: m.Response.AuthCode,
		Amount: m.Amount, Way: m.Way, TwoStep: m.TwoStep,
	}
}

// asks is a transaction's request under the next number, with the card read.
func (u *counter93) asks(kind terminal.Kind, c card, minor int64, edit func(*terminal.Request)) terminal.Request {
	u.t.Helper()
	u.stan++
	req := u.request(u.t, c, u.stan, minor)
	req.Kind, req.Way, req.Time = kind, terminal.WayOnline, today.Add(time.Duration(u.stan)*time.Second)
	if edit != nil {
		edit(&req)
	}
	if kind.WithoutCard() {
		req.Card.Track2, req.Tags = emv.Track2{}, emv.Data{}
	}
	return req
}

// signed puts tags in place of the rig's, and a cryptogram over them: an ARQC, or with cid 40 a TC.
func (u *counter93) signed(req *terminal.Request, c card, tags map[tlv.Tag]string) {
	u.t.Helper()
	for tag, value := range tags {
		req.Tags.Put(tag, unhex(u.t, value))
	}
	ac, err := c.keys(u.t).Compute(req.Tags)
	if err != nil {
		u.t.Fatal(err)
	}
	req.Tags.Put(emv.TagApplicationCryptogram, ac[:])
}

func (u *counter93) want(what string, got terminal.Response, code string, c card, balance int64) {
	u.t.Helper()
	if got.Code != code || u.balance(c) != balance {
		u.t.Errorf("%s: %s and balance %d, want %s and %d", what, got.Code, u.balance(c), code, balance)
	}
	u.trial()
}

// online asks the host.
func (u *counter93) online(what string, req terminal.Request, code string, c card, balance int64) made {
	u.t.Helper()
	request, reversal, err := u.d.Request(req)
	got := u.ask(u.d, request, err)
	u.want(what, got, code, c, balance)
	if again := u.ask(u.d, request, nil); got.Code == "000" && (again.RRN != got.RRN || u.balance(c) != balance) {
		u.t.Errorf("%s, sent twice: %+v", what, again)
	}
	return made{req, got, reversal}
}

// told tells the host what was done without it, twice.
func (u *counter93) told(what string, req terminal.Request, code string, c card, balance int64) made {
	u.t.Helper()
	b, err := u.d.Advice(req)
	got := u.ask(u.d, b, err)
	u.want(what, got, code, c, balance)
	b, err = u.d.Repeat(b, 2)
	again := u.ask(u.d, b, err)
	u.want(what+" again", again, code, c, balance)
	return made{req, got, nil}
}

// back sends a transaction's reversal, and its repeat.
func (u *counter93) back(what string, m made, code string, c card, balance int64) {
	u.t.Helper()
	for attempt := 1; attempt <= 2; attempt++ {
		b, err := u.d.Repeat(m.reversal, attempt)
		u.want(fmt.Sprintf("%s, sending %d", what, attempt), u.ask(u.d, b, err), code, c, balance)
	}
}

func about(m made) func(*terminal.Request) {
	return func(r *terminal.Request) { r.Original = m.of() }
}

// TestLaterRefund: money back for a sale, never more than it, never to another card; and for none.
func TestLaterRefund(t *testing.T) {
	u := newCounter93(t, nil)
	sold := u.online("sale", u.asks(terminal.KindSale, credit, 10_000, nil), "000", credit, opening-10_000)
	free := u.online("refund of nothing", u.asks(terminal.KindRefund, credit, 500, nil), "000", credit, opening-9_500)
	u.back("its reversal", free, "400", credit, opening-10_000)
	part := u.online("a part", u.asks(terminal.KindRefund, credit, 4_000, about(sold)), "000", credit, opening-6_000)
	u.online("more than is left", u.asks(terminal.KindRefund, credit, 6_200, about(sold)), "110", credit, opening-6_000)
	u.online("to another card", u.asks(terminal.KindRefund, debit, 100, about(sold)), "914", debit, opening)
	u.back("the part's reversal", part, "400", credit, opening-10_000)
	all := u.online("the whole", u.asks(terminal.KindRefund, credit, 10_000, about(sold)), "000", credit, opening)
	u.online("its void", u.asks(terminal.KindVoid, credit, 10_000, about(all)), "000", credit, opening-10_000)
	for name, edit := range map[string]func(*terminal.Original){
		"of another time":       func(o *terminal.Original) { o.Time = o.Time.Add(time.Second) },
		"of another type":       func(o *terminal.Original) { o.TwoStep = true },
		"of another number":     func(o *terminal.Original) { o.STAN = 99 },
		"of two different ones": func(o *terminal.Original) { o.RRN = all.RRN },
	} {
		u.online("a refund "+name, u.asks(terminal.KindRefund, credit, 300, func(r *terminal.Request) { r.Original = sold.of(); edit(&r.Original) }), "914", credit, opening-10_000)
	}
	without := u.asks(terminal.KindRefund, credit, 300, func(r *terminal.Request) { r.Original = sold.of(); r.Original.RRN, r.Original.AuthCode = "", "" })
	u.online("without a reference number", without, "000", credit, opening-9_700)
}

// TestLaterVoid: what stands in the open batch is taken back once; reversed, it stands again.
func TestLaterVoid(t *testing.T) {
	u := newCounter93(t, nil)
	sold := u.online("sale", u.asks(terminal.KindSale, credit, 10_000, nil), "000", credit, opening-10_000)
	u.online("another amount", u.asks(terminal.KindVoid, credit, 9_000, about(sold)), "904", credit, opening-10_000)
	u.online("another card's", u.asks(terminal.KindVoid, debit, 10_000, about(sold)), "904", debit, opening)
	other := u.asks(terminal.KindVoid, credit, 10_000, about(sold))
	other.Batch = 2
	u.online("another batch", other, "914", credit, opening-10_000)
	void := u.online("void", u.asks(terminal.KindVoid, credit, 10_000, about(sold)), "000", credit, opening)
	u.online("a second", u.asks(terminal.KindVoid, credit, 10_000, about(sold)), "902", credit, opening)
	u.back("the void's reversal", void, "400", credit, opening-10_000)
	u.online("void after all", u.asks(terminal.KindVoid, credit, 10_000, about(sold)), "000", credit, opening)
	u.back("the sale's reversal", sold, "400", credit, opening)
}

// TestLaterCancellation: a void that is told: the original is taken back once, whatever its kind, and the answer is a reversal's; what
// cannot be is refused, and a reversal with that reason stays one.
func TestLaterCancellation(t *testing.T) {
	u := newCounter93(t, func(s *v93.Settings) { s.Void, s.ReversedAs = "cancellation", v93.CustomerCancellation })
	sold := u.online("sale", u.asks(terminal.KindSale, credit, 10_000, nil), "000", credit, opening-10_000)
	u.told("another card's", u.asks(terminal.KindVoid, debit, 10_000, about(sold)), "904", debit, opening)
	u.told("of another amount", u.asks(terminal.KindVoid, credit, 9_000, about(sold)), "904", credit, opening-10_000)
	u.told("void", u.asks(terminal.KindVoid, credit, 10_000, about(sold)), "400", credit, opening)
	u.told("a second", u.asks(terminal.KindVoid, credit, 10_000, about(sold)), "902", credit, opening)
	free := u.online("refund", u.asks(terminal.KindRefund, credit, 500, nil), "000", credit, opening+500)
	u.told("its void", u.asks(terminal.KindVoid, credit, 500, about(free)), "400", credit, opening)
	held := u.online("pre-authorisation", u.asks(terminal.KindPreauth, credit, 3_000, nil), "000", credit, opening-3_000)
	u.told("its void", u.asks(terminal.KindVoid, credit, 3_000, about(held)), "400", credit, opening)
	u.told("of what never came", u.asks(terminal.KindVoid, credit, 3_000, func(r *terminal.Request) { r.Original = held.of(); r.Original.STAN = 77 }), "914", credit, opening)
	back := u.online("sale", u.asks(terminal.KindSale, credit, 2_000, nil), "000", credit, opening-2_000)
	u.back("its reversal", back, "400", credit, opening)
}

// TestLaterPreauthorisation: held, raised, taken in part, let go; each step only of what stands.
func TestLaterPreauthorisation(t *testing.T) {
	for _, preauth := range []string{"101", "100"} {
		u := newCounter93(t, func(s *v93.Settings) { s.Preauth = preauth })
		held := u.online("pre-authorisation", u.asks(terminal.KindPreauth, credit, 10_000, nil), "000", credit, opening-10_000)
		if u.inBooks("held:credit") != 10_000 || u.inBooks("issuer:settlement") != 0 {
			t.Errorf("held %d, taken %d", u.inBooks("held:credit"), u.inBooks("issuer:settlement"))
		}
		u.told("more than is held", u.asks(terminal.KindCompletion, credit, 12_000, about(held)), "110", credit, opening-10_000)
		more := u.online("increment", u.asks(terminal.KindIncrement, credit, 5_000, about(held)), "000", credit, opening-15_000)
		second := u.online("another", u.asks(terminal.KindIncrement, credit, 2_000, about(held)), "000", credit, opening-17_000)
		u.back("its reversal", second, "400", credit, opening-15_000)
		u.online("more than there is", u.asks(terminal.KindIncrement, credit, opening, about(held)), "116", credit, opening-15_000)
		u.online("another card's", u.asks(terminal.KindIncrement, debit, 200, about(held)), "914", debit, opening)
		u.told("another card's completion", u.asks(terminal.KindCompletion, debit, 200, about(held)), "914", debit, opening)
		done := u.told("completion", u.asks(terminal.KindCompletion, credit, 12_000, about(held)), "000", credit, opening-12_000)
		if u.inBooks("held:credit") != 0 || u.inBooks("issuer:settlement") != 12_000 {
			t.Errorf("held %d, taken %d", u.inBooks("held:credit"), u.inBooks("issuer:settlement"))
		}
		u.told("a second", u.asks(terminal.KindCompletion, credit, 500, about(held)), "902", credit, opening-12_000)
		u.online("increment of what was completed", u.asks(terminal.KindIncrement, credit, 200, about(held)), "902", credit, opening-12_000)
		u.back("reversal of the increment", more, "400", credit, opening-12_000)
		u.back("of the pre-authorisation", held, "400", credit, opening-12_000)
		u.online("refund of the completion", u.asks(terminal.KindRefund, credit, 12_000, about(done)), "000", credit, opening)
		another := u.online("another", u.asks(terminal.KindPreauth, credit, 3_000, nil), "000", credit, opening-3_000)
		u.online("its void", u.asks(terminal.KindVoid, credit, 3_000, about(another)), "000", credit, opening)
		third := u.online("a third", u.asks(terminal.KindPreauth, credit, 3_000, nil), "000", credit, opening-3_000)
		u.back("its reversal", third, "400", credit, opening)
	}
}

// certificate makes the request's cryptogram a TC after the response code given.
func (u *counter93) certificate(c card, arc string) func(*terminal.Request) {
	return func(r *terminal.Request) {
		u.signed(r, c, map[tlv.Tag]string{emv.TagCID: "40", emv.TagAuthorisationResponseCode: fmt.Sprintf("%X", arc)})
	}
}

// TestLaterTwoSteps: what the first step holds the second takes; a void takes back both.
func TestLaterTwoSteps(t *testing.T) {
	u := newCounter93(t, nil)
	first := u.online("authorisation", u.asks(terminal.KindSale, credit, 10_000, func(r *terminal.Request) { r.TwoStep = true }), "000", credit, opening-10_000)
	capture := u.asks(terminal.KindSale, credit, 10_000, func(r *terminal.Request) {
		u.certificate(credit, "00")(r)
		r.TwoStep, r.AuthCode, r.Original, r.Time = true, first.Response.AuthCode, first.of(), first.Request.Time
	})
	took := u.told("capture", capture, "000", credit, opening-10_000)
	if u.inBooks("held:credit") != 0 || u.inBooks("issuer:settlement") != 10_000 {
		t.Errorf("held %d, taken %d", u.inBooks("held:credit"), u.inBooks("issuer:settlement"))
	}
	void := u.online("void", u.asks(terminal.KindVoid, credit, 10_000, about(took)), "000", credit, opening)
	u.back("its reversal", void, "400", credit, opening-10_000)
	u.online("refund of a part", u.asks(terminal.KindRefund, credit, 3_000, about(took)), "000", credit, opening-7_000)
	cash := u.asks(terminal.KindSale, credit, 5_000, func(r *terminal.Request) {
		r.TwoStep, r.Cashback = true, money.New(2_000, kwd)
		u.signed(r, credit, map[tlv.Tag]string{emv.TagAmountOther: "000000002000"})
	})
	again := u.online("with cash", cash, "000", credit, opening-12_000)
	u.back("its reversal", again, "400", credit, opening-7_000)
}

// TestLaterAdvices: offline approvals and forced sales are posted once, whatever is on the account; a refusal is not, and a voice has
// a code.
func TestLaterAdvices(t *testing.T) {
	u := newCounter93(t, nil)
	offline := u.told("offline approval", u.asks(terminal.KindSale, credit, opening+500, func(r *terminal.Request) {
		u.certificate(credit, "Y1")(r)
		r.Way = terminal.WayOffline
	}), "000", credit, -500)
	offline.RRN, offline.Response.AuthCode = "", "" // the terminal has none of it
	u.online("its void", u.asks(terminal.KindVoid, credit, opening+500, about(offline)), "000", credit, opening)
	forced := u.told("forced sale", u.asks(terminal.KindForced, credit, 1_051, func(r *terminal.Request) {
		u.certificate(credit, "00")(r)
		r.Way, r.AuthCode = terminal.WayVoice, "V12345"
	}), "000", credit, opening-1_051)
	if forced.Response.AuthCode != "V12345" {
		t.Errorf("approval code %q", forced.Response.AuthCode)
	}
	b, err := u.d.Advice(forced.Request)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		edit func(*iso8583.Message)
		code string
	}{
		"a refusal":           {func(m *iso8583.Message) { m.Set(39, "100"); m.Set(11, "000900") }, "000"},
		"approved by nobody":  {func(m *iso8583.Message) { m.Delete(38); m.Set(11, "000901") }, "904"},
		"with a track":        {func(m *iso8583.Message) { m.Set(35, credit.pan+"D2812"); m.Set(11, "000902") }, "904"},
		"of another function": {func(m *iso8583.Message) { m.Set(24, "203"); m.Set(11, "000903") }, "904"},
		"a request's reason":  {func(m *iso8583.Message) { m.Set(25, "1510"); m.Set(11, "000904") }, "904"},
		"that says nothing":   {func(m *iso8583.Message) { m.Delete(39); m.Set(11, "000905") }, "904"},
		"of a stump":          {func(m *iso8583.Message) { m.Set(56, "1100000001"); m.Set(11, "000906") }, "904"},
		"of a reversal":       {func(m *iso8583.Message) { m.Set(56, "1420000001261123093015"); m.Set(11, "000907") }, "904"},
		"under that number":   {func(m *iso8583.Message) { m.Set(38, "V12346") }, "913"},
	} {
		m, err := u.codec.Unpack(b)
		if err != nil {
			t.Fatal(err)
		}
		c.edit(m)
		if got := u.code(m); got != c.code || u.balance(credit) != opening-1_051 {
			t.Errorf("an advice %s: %s, balance %d", name, got, u.balance(credit))
		}
	}
}

// TestLaterDeferred: a request that was kept is decided on like any other, by number, expiry and cryptogram; its repeat is answered
// from memory.
func TestLaterDeferred(t *testing.T) {
	u := newCounter93(t, nil)
	for _, c := range []struct {
		minor   int64
		code    string
		balance int64
	}{{2_000, "000", opening - 2_000}, {opening, "116", opening - 2_000}} {
		b, err := u.d.Deferred(u.asks(terminal.KindSale, credit, c.minor, nil))
		u.want("kept", u.ask(u.d, b, err), c.code, credit, c.balance)
		again, err := u.d.Repeat(b, 2)
		u.want("kept, sent again", u.ask(u.d, again, err), c.code, credit, c.balance)
	}
}

// TestLaterBalance: what is available, less what is held; nothing moves.
func TestLaterBalance(t *testing.T) {
	u := newCounter93(t, nil)
	u.online("pre-authorisation", u.asks(terminal.KindPreauth, credit, 10_000, nil), "000", credit, opening-10_000)
	got := u.online("balance", u.asks(terminal.KindBalance, credit, 0, nil), "000", credit, opening-10_000)
	if got.Balance != money.New(opening-10_000, kwd) || got.reversal != nil {
		t.Errorf("balance %+v, reversal of %d bytes", got.Balance, len(got.reversal))
	}
	if got := u.online("of no account", u.asks(terminal.KindBalance, unknown, 0, nil), "111", credit, opening-10_000); got.Balance.Minor != 0 {
		t.Errorf("told %+v", got.Balance)
	}
}

// TestLaterCash: cash and tip beside the goods; the card has signed the cash.
func TestLaterCash(t *testing.T) {
	u := newCounter93(t, nil)
	sale := func(signed string) terminal.Request {
		return u.asks(terminal.KindSale, credit, 10_000, func(r *terminal.Request) {
			r.Cashback, r.Tip = money.New(3_000, kwd), money.New(1_000, kwd)
			u.signed(r, credit, map[tlv.Tag]string{emv.TagAmountOther: signed})
		})
	}
	sold := u.online("sale with cash", sale("000000003000"), "000", credit, opening-10_000)
	if u.h.Ledger()[0].Kind != host.KindCashback {
		t.Errorf("posted as %s", u.h.Ledger()[0].Kind)
	}
	u.back("its reversal", sold, "400", credit, opening)
	if _, _, err := u.d.Request(sale("000000003001")); !errors.Is(err, v93.ErrRequest) {
		t.Errorf("other cash than was signed: %v", err)
	}
}

// TestLaterPartial: where both know of it a part is approved, taken, and given back; where the terminal does not, it is no answer.
func TestLaterPartial(t *testing.T) {
	takes := func(c *host.Config) { c.Terminals[0].Partial = true }
	u := newCounter93(t, func(s *v93.Settings) { s.Partial = true }, takes)
	got := u.online("too much", u.asks(terminal.KindSale, credit, opening+500, nil), "002", credit, 0)
	if got.Approved != money.New(opening, kwd) || got.Verdict != terminal.VerdictApproved || string(got.ARC[:]) != "10" {
		t.Errorf("approved %+v, %s, ARC %s", got.Approved, got.Verdict, got.ARC)
	}
	u.back("its reversal", got, "400", credit, opening)
	got = u.online("again", u.asks(terminal.KindSale, credit, opening+500, nil), "002", credit, 0)
	u.online("its void, of what was taken", u.asks(terminal.KindVoid, credit, opening, about(got)), "000", credit, opening)
	blind := newCounter93(t, nil, takes)
	request, _, err := blind.d.Request(blind.asks(terminal.KindSale, credit, opening+500, nil))
	if err != nil {
		t.Fatal(err)
	}
	if r, err := blind.d.Response(blind.h.Answer(request)[0].Frame); !errors.Is(err, v93.ErrAnswer) {
		t.Errorf("a part that nobody asked for: %+v, %v", r, err)
	}
}

// TestLaterTotals: in balance the batch is closed with 500, otherwise with 501 and the host's own totals, for good either way; the
// repeat is answered alike, other totals are not, and the next batch goes on. The money goes to the merchant.
func TestLaterTotals(t *testing.T) {
	for _, c := range []struct {
		name, mti string
		off       int64
		code      string
	}{{"in balance", "1520", 0, "500"}, {"out of balance", "1520", 500, "501"}, {"as a notice", "1524", 0, "500"}, {"a notice that differs", "1524", 1, "501"}} {
		t.Run(c.name, func(t *testing.T) {
			u := newCounter93(t, func(s *v93.Settings) {
				s.Reconcile = c.mti
				s.Brands = map[string]v93.Brand{"visa": {Totals: "VC"}, "mastercard": {Totals: "MC"}}
			})
			sold := u.online("sale", u.asks(terminal.KindSale, credit, 10_000, nil), "000", credit, opening-10_000)
			u.online("sale", u.asks(terminal.KindSale, debit, 7_000, nil), "000", debit, opening-7_000)
			gone := u.online("sale", u.asks(terminal.KindSale, debit, 2_000, nil), "000", debit, opening-9_000)
			u.online("void", u.asks(terminal.KindVoid, debit, 2_000, about(gone)), "000", debit, opening-7_000)
			u.online("refund", u.asks(terminal.KindRefund, credit, 1_000, about(sold)), "000", credit, opening-9_000)
			u.online("held", u.asks(terminal.KindPreauth, credit, 4_000, nil), "000", credit, opening-13_000)
			u.online("balance", u.asks(terminal.KindBalance, credit, 0, nil), "000", credit, opening-13_000)
			totals := terminal.TotalsRequest{
				STAN: 900, Batch: 1, Time: today, Day: today, Currency: kwd, TerminalID: "TILL1", MerchantID: "KW1", Lines: []terminal.TotalsLine{
					{Scheme: "visa", Sales: 1, SalesSum: 10_000 + c.off, Refunds: 1, RefundsSum: 1_000}, {Scheme: "mastercard", Sales: 1, SalesSum: 7_000},
				},
			}
			first, err := u.d.Totals(totals)
			for attempt := 1; attempt <= 3 && err == nil; attempt++ {
				var b []byte
				b, err = u.d.Repeat(first, attempt)
				got := u.ask(u.d, b, err)
				has := terminal.TotalsLine{Sales: 2, SalesSum: 17_000, Refunds: 1, RefundsSum: 1_000}
				if got.Code != c.code || !got.Closed || got.InBalance != (c.off == 0) || len(got.HostTotal) != 1 || got.HostTotal[0] != has {
					t.Errorf("sending %d: %+v", attempt, got)
				}
				u.trial()
			}
			if owed := u.inBooks("merchant:KW1:payable"); owed != 16_000 {
				t.Errorf("the merchant is owed %d", owed)
			}
			totals.Lines[0].Sales++
			other, err := u.d.Totals(totals)
			if got := u.ask(u.d, other, err); got.Code != "504" || got.Closed {
				t.Errorf("other totals of a closed batch: %+v", got)
			}
			u.online("a sale in the closed batch", u.asks(terminal.KindSale, debit, 500, nil), "902", debit, opening-7_000)
			u.online("and in the next", u.asks(terminal.KindSale, debit, 500, func(r *terminal.Request) { r.Batch = 2 }), "000", debit, opening-7_500)
			if b := u.h.Batches(); len(b) != 2 || b[0].State != "closed" {
				t.Errorf("batches %+v", b)
			}
		})
	}
}

// TestLaterTotalsRefused: what is no totals closes nothing.
func TestLaterTotalsRefused(t *testing.T) {
	u := newCounter93(t, nil)
	u.online("sale", u.asks(terminal.KindSale, credit, 10_000, nil), "000", credit, opening-10_000)
	first, err := u.d.Totals(terminal.TotalsRequest{
		STAN: 900, Batch: 1, Time: today, Day: today, Currency: kwd, TerminalID: "TILL1", MerchantID: "KW1",
		Lines: []terminal.TotalsLine{{Sales: 1, SalesSum: 10_000}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string]func(*iso8583.Message){
		"no totals":           func(m *iso8583.Message) { m.Delete(124) },
		"a stump":             func(m *iso8583.Message) { m.Set(124, get(t, m, 124)[:60]) },
		"one scheme too many": func(m *iso8583.Message) { m.Set(124, "02"+get(t, m, 124)[2:]) },
		"no number":           func(m *iso8583.Message) { m.Set(124, strings.Replace(get(t, m, 124), "0000000001", "000000000x", 1)) },
		"no day":              func(m *iso8583.Message) { m.Delete(28) },
		"another currency":    func(m *iso8583.Message) { m.Set(50, "840") },
		"no batch":            func(m *iso8583.Message) { m.Delete(60) },
		"a checkpoint":        func(m *iso8583.Message) { m.Set(24, "501") },
		"no count at all":     func(m *iso8583.Message) { m.Set(124, ":0") },
	} {
		m, err := u.codec.Unpack(first)
		if err != nil {
			t.Fatal(err)
		}
		edit(m)
		if got := u.code(m); got != "904" {
			t.Errorf("%s: %s", name, got)
		}
	}
	if got := u.ask(u.d, first, nil); got.Code != "500" {
		t.Errorf("afterwards: %+v", got)
	}
}

// TestLaterTotalsUnderMAC: an answer with fields above 64 has its MAC in field 128, behind them.
func TestLaterTotalsUnderMAC(t *testing.T) {
	bdk := unhex(t, "0123456789ABCDEFFEDCBA9876543210")
	u := newCounter93(t, func(s *v93.Settings) { s.MAC = "alg3" }, func(c *host.Config) {
		c.Security = &host.Security{MAC: host.MACAlg3, MACBytes: 8, Field: 53, Required: true}
		c.Terminals[0].Keys = &host.Keys{PIN: host.Key{BDK: bdk, KSN: unhex(t, "FFFF9876543210E00000")}, MAC: host.Key{BDK: bdk, KSN: unhex(t, "FFFF9876543211E00000")}}
	})
	b, err := u.d.Totals(terminal.TotalsRequest{STAN: 900, Batch: 1, Time: today, Day: today, Currency: kwd, TerminalID: "TILL1", MerchantID: "KW1"})
	if err != nil {
		t.Fatal(err)
	}
	b, err = u.d.WithMAC(b, unhex(t, "FFFF9876543211E00001"), macUnder(t, bdk, unhex(t, "FFFF9876543211E00001"), false))
	if err != nil {
		t.Fatal(err)
	}
	frame := u.h.Answer(b)[0].Frame
	a, err := u.d.AnswerMAC(frame)
	if err != nil {
		t.Fatal(err)
	}
	want, err := macUnder(t, bdk, unhex(t, "FFFF9876543211E00001"), true)(a.Data)
	if got, rerr := u.d.Response(frame); err != nil || rerr != nil || got.Code != "500" || !bytes.Equal(want, a.MAC) {
		t.Errorf("%+v with MAC %X, want %X (%v, %v)", got, a.MAC, want, err, rerr)
	}
}

// TestLaterCodesMean: each code of two digits reaches the terminal as one of three that means the same to the lane, and to the card
// no more than that.
func TestLaterCodesMean(t *testing.T) {
	older, err := nac.New(nac.Defaults())
	if err != nil {
		t.Fatal(err)
	}
	r, younger := later(t, nil)
	two := newRig(t)
	for n := range 100 {
		code := fmt.Sprintf("%02d", n)
		if code == "00" {
			continue
		}
		m, _ := two.sale(credit, 100+n, 10_000+int64(n))
		request, _, err := younger.Request(r.request(t, credit, uint32(100+n), 10_000+int64(n)))
		if err != nil {
			t.Fatal(err)
		}
		was, werr := older.Response(two.h.Answer(two.pack(m))[0].Frame)
		is, ierr := younger.Response(r.h.Answer(request)[0].Frame)
		if (werr == nil) != (ierr == nil) {
			t.Errorf("%s: %s (%v), and in the later version %s (%v)", code, was.Verdict, werr, is.Code, ierr)
			continue
		}
		if was.Verdict != is.Verdict && !unnamed(code) {
			t.Errorf("%s: %s, and in the later version %s %s", code, was.Verdict, is.Code, is.Verdict)
		}
	}
}

// unnamed is a code that the later version has no word for, so that it becomes a refusal.
func unnamed(code string) bool { return code == "90" }
