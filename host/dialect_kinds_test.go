package host_test

import (
	"fmt"
	"slices"
	"testing"

	"tillway/emv"
	"tillway/emv/tlv"
	"tillway/host"
	"tillway/iso8583/dialect/nac"
	"tillway/money"
	"tillway/terminal"
)

// spoken is the terminal's own dialect, and a host that it speaks with.
type spoken struct {
	*rig

	t    *testing.T
	d    *nac.Dialect
	stan uint32
}

// settingsOfKinds are acquirers that differ in every setting of the kinds.
func settingsOfKinds() map[string]nac.Kinds {
	return map[string]nac.Kinds{
		"defaults": {Partial: "amount", Deferred: true, HostTotals: true},
		"others": {
			Partial: "amount", Deferred: true, HostTotals: true, CashbackCode: "17", PreauthCode: "00", Balance: "0200", VoidAmount: "zero",
			Amounts: "digits", TotalsDigits: 90, Marked: []string{"0200", "0220", "0320", "0500"},
		},
		"unmarked": {Partial: "amount", Deferred: true, HostTotals: true, Marked: []string{}, TipType: "43"},
	}
}

func speak(t *testing.T, kinds nac.Kinds) *spoken {
	t.Helper()
	d, err := nac.New(nac.Settings{TPDU: "6000030000", NII: "003", Currency: kwd, Kinds: kinds})
	if err != nil {
		t.Fatal(err)
	}
	cfg := config(t)
	cfg.Terminals = []host.Terminal{{ID: "TILL1", Merchant: "KW1", Partial: true}}
	h, err := host.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return &spoken{rig: &rig{t: t, h: h, codec: cfg.Codec}, t: t, d: d}
}

// next is a sale's request of a card that is there, with the tags that a kind changes signed anew.
func (s *spoken) next(kind terminal.Kind, amount int64, tags map[tlv.Tag]string) terminal.Request {
	s.t.Helper()
	s.stan++
	req := s.request(s.t, credit, s.stan, amount)
	req.Kind = kind
	for tag, value := range tags {
		req.Tags.Put(tag, unhex(s.t, value))
	}
	ac, err := credit.keys(s.t).Compute(req.Tags)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Tags.Put(emv.TagApplicationCryptogram, ac[:])
	return req
}

// keptOf is a request about an earlier transaction, whose card is not there.
func (s *spoken) keptOf(kind terminal.Kind, amount int64, of terminal.Request, answered terminal.Response) terminal.Request {
	req := s.next(kind, amount, nil)
	req.Card.Track2, req.Tags = emv.Track2{}, emv.Data{}
	req.Original = original(of, answered)
	return req
}

func original(of terminal.Request, answered terminal.Response) terminal.Original {
	return terminal.Original{
		Kind: of.Kind, STAN: of.STAN, Batch: of.Batch, Invoice: of.Invoice, Time: of.Time, RRN: answered.RRN, AuthCode: answered.AuthCode,
		Amount: of.Amount, Way: of.Way,
	}
}

// ask sends a message, as it is and then as its repeat where it has one, and wants the same both times.
func (s *spoken) ask(what string, code string, balance int64, message []byte, err error) terminal.Response {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("%s: %v", what, err)
	}
	first := s.once(what, message)
	if first.Code != code || s.balance(credit) != balance {
		s.t.Fatalf("%s: %s and balance %d, want %s and %d", what, first.Code, s.balance(credit), code, balance)
	}
	if again, err := s.d.Repeat(message, 2); err == nil {
		if second := s.once(what+", again", again); second.Code != code || second.RRN != first.RRN || s.balance(credit) != balance {
			s.t.Fatalf("%s, again: %s and balance %d, want %s and %d", what, second.Code, s.balance(credit), code, balance)
		}
	}
	s.books()
	return first
}

func (s *spoken) once(what string, message []byte) terminal.Response {
	s.t.Helper()
	replies := s.h.Answer(message)
	if len(replies) != 1 {
		s.t.Fatalf("%s: %d replies", what, len(replies))
	}
	r, err := s.d.Response(replies[0].Frame)
	if err != nil {
		s.t.Fatalf("%s: %v", what, err)
	}
	return r
}

// both sends a request, checks its answer, and sends its reversal where undo says so.
func (s *spoken) both(what string, req terminal.Request, balance, reversed int64) terminal.Response {
	s.t.Helper()
	request, reversal, err := s.d.Request(req)
	r := s.ask(what, "00", balance, request, err)
	if reversed >= 0 {
		s.ask("reversal: "+what, "00", reversed, reversal, nil)
	}
	return r
}

const stays = -1 // no reversal

// TestDialectEveryKind: each kind as the terminal's dialect composes it does at the host what it is for, once however often it is
// sent, and its reversal undoes it.
func TestDialectEveryKind(t *testing.T) {
	for name, kinds := range settingsOfKinds() {
		t.Run(name, func(t *testing.T) {
			s := speak(t, kinds)
			all := int64(opening)

			cash := map[tlv.Tag]string{0x9F03: "000000003000", 0x9C: "09"}
			req := s.next(terminal.KindSale, 10_200, cash)
			req.Cashback = money.New(3_000, kwd)
			s.both("cash back", req, all-10_200, all)
			if kinds.Amounts != "digits" {
				req = s.next(terminal.KindSale, 10_200, cash)
				req.Cashback, req.Tip = money.New(3_000, kwd), money.New(1_000, kwd)
				s.both("cash back and tip", req, all-10_200, all)
			}
			req = s.next(terminal.KindSale, 10_200, nil)
			req.Tip = money.New(1_000, kwd)
			s.both("tip", req, all-10_200, all)

			sold := s.next(terminal.KindSale, 9_000, nil)
			answered := s.both("sale", sold, all-9_000, stays)
			refund := s.next(terminal.KindRefund, 2_000, map[tlv.Tag]string{0x9C: "20"})
			refund.Original = original(sold, answered)
			s.both("refund of it", refund, all-7_000, all-9_000)
			free := s.next(terminal.KindRefund, 500, map[tlv.Tag]string{0x9C: "20"})
			given := s.both("refund of nothing", free, all-8_500, stays)
			s.both("void of the refund", s.keptOf(terminal.KindVoid, 500, free, given), all-9_000, stays)
			s.both("void", s.keptOf(terminal.KindVoid, 9_000, sold, answered), all, all-9_000)
			s.both("void again", s.keptOf(terminal.KindVoid, 9_000, sold, answered), all, stays)

			pre := s.next(terminal.KindPreauth, 10_200, nil)
			held := s.both("pre-authorisation", pre, all-10_200, stays)
			s.both("increment", s.keptOf(terminal.KindIncrement, 5_000, pre, held), all-15_200, all-10_200)
			s.both("increment that stays", s.keptOf(terminal.KindIncrement, 2_000, pre, held), all-12_200, stays)
			done := s.keptOf(terminal.KindCompletion, 11_000, pre, held)
			done.Way = terminal.WayOnline
			message, err := s.d.Advice(done)
			s.ask("completion", "00", all-11_000, message, err)
			all -= 11_000
			s.both("another pre-authorisation", s.next(terminal.KindPreauth, 10_200, nil), all-10_200, all)

			two := s.next(terminal.KindSale, 4_200, nil)
			two.TwoStep = true
			s.both("sale in two, reversed", two, all-4_200, all)
			two = s.next(terminal.KindSale, 4_200, nil)
			two.TwoStep, two.Way = true, terminal.WayOnline
			first := s.both("sale in two", two, all-4_200, stays)
			s.stan++
			two.Original, two.STAN = original(two, first), s.stan
			message, err = s.d.Advice(two)
			all -= 4_200
			if a := s.ask("second step", "00", all, message, err); a.AuthCode != first.AuthCode {
				t.Errorf("approval codes %s and %s", first.AuthCode, a.AuthCode)
			}

			two = s.next(terminal.KindSale, 6_200, cash)
			two.TwoStep, two.Way, two.Cashback = true, terminal.WayOnline, money.New(3_000, kwd)
			first = s.both("cash back in two", two, all-6_200, stays)
			s.stan++
			two.Original, two.STAN = original(two, first), s.stan
			message, err = s.d.Advice(two)
			s.ask("its second step", "00", all-6_200, message, err)
			s.both("its void, of both steps", s.keptOf(terminal.KindVoid, 6_200, two, first), all, stays)

			offline := s.next(terminal.KindSale, 700, nil)
			offline.Way = terminal.WayOffline
			offline.Tags.Put(emv.TagCID, []byte{0x40})
			offline.Tags.Put(emv.TagAuthorisationResponseCode, []byte("Y1"))
			message, err = s.d.Advice(offline)
			all -= 700
			s.ask("offline approval", "00", all, message, err)
			if posted := s.h.Ledger(); posted[len(posted)-1].Certificate != host.Verified {
				t.Errorf("the certificate of the offline approval: %+v", posted[len(posted)-1])
			}
			untold := offline
			untold.STAN, untold.Invoice = s.stan+1, s.stan+1
			s.stan++
			message, err = s.d.Advice(untold)
			s.ask("another offline approval", "00", all-700, message, err)
			s.both("its void, without a reference number", s.keptOf(terminal.KindVoid, 700, untold, terminal.Response{}), all, stays)
			voice := s.next(terminal.KindForced, 800, nil)
			voice.Way, voice.AuthCode = terminal.WayVoice, "V12345"
			voice.Tags.Put(emv.TagCID, []byte{0x40})
			message, err = s.d.Advice(voice)
			all -= 800
			if a := s.ask("forced sale", "00", all, message, err); a.AuthCode != "V12345" {
				t.Errorf("approval code %s", a.AuthCode)
			}
			message, err = s.d.Deferred(s.next(terminal.KindSale, 900, nil))
			all -= 900
			s.ask("kept request", "00", all, message, err)
			message, err = s.d.Deferred(s.next(terminal.KindSale, 900_000_000, nil))
			s.ask("kept request, declined", "51", all, message, err)

			inquiry := s.both("balance", s.next(terminal.KindBalance, 0, map[tlv.Tag]string{0x9C: "31"}), all, stays)
			if inquiry.Balance != money.New(all, kwd) {
				t.Errorf("balance %v", inquiry.Balance)
			}
			most := s.next(terminal.KindSale, all+500, nil)
			request, reversal, err := s.d.Request(most)
			if part := s.ask("in part", "10", 0, request, err); part.Approved != money.New(all, kwd) || part.Verdict != terminal.VerdictApproved {
				t.Errorf("%+v", part)
			}
			s.ask("its reversal", "00", all, reversal, nil)
			s.settle(all, 11_000+4_200+700+800+900)
		})
	}
}

// settle ends the batch in balance, with sales and sums, and no refunds that stand.
func (s *spoken) settle(balance, sum int64) {
	s.t.Helper()
	s.stan++
	req := terminal.TotalsRequest{
		STAN: s.stan, Batch: 1, Time: today, Currency: kwd, TerminalID: "TILL1", MerchantID: "KW1",
		Lines: []terminal.TotalsLine{{Scheme: "visa", Sales: 4, SalesSum: sum - 900}, {Scheme: "other", Sales: 1, SalesSum: 900}},
	}
	wrong := req
	wrong.Lines = slices.Clone(req.Lines)
	wrong.Lines[0].SalesSum--
	message, err := s.d.Totals(wrong)
	a := s.ask("other totals", "95", balance, message, err)
	if !a.Upload || a.Closed || len(a.HostTotal) != 1 || a.HostTotal[0].Sales != 5 || a.HostTotal[0].SalesSum != sum {
		s.t.Errorf("other totals: %+v", a)
	}
	s.stan++
	req.STAN = s.stan
	message, err = s.d.Totals(req)
	if a := s.ask("totals", "00", balance, message, err); !a.InBalance || !a.Closed || a.Upload {
		s.t.Errorf("totals: %+v", a)
	}
}

// TestDialectUpload: the host lacks one transaction and has one too many; each kind is uploaded, found or posted, and the batch closed.
func TestDialectUpload(t *testing.T) {
	s := speak(t, nac.Kinds{HostTotals: true})
	type row struct {
		req terminal.Request
		rrn string
	}
	var rows []row
	all, sum, refunds := int64(opening), int64(0), int64(0)
	add := func(what string, req terminal.Request, message []byte, err error) terminal.Response {
		t.Helper()
		if req.Kind == terminal.KindRefund {
			all, refunds = all+req.Amount.Minor, refunds+req.Amount.Minor
		} else {
			all, sum = all-req.Amount.Minor, sum+req.Amount.Minor
		}
		a := s.ask(what, "00", all, message, err)
		req.AuthCode = a.AuthCode
		rows = append(rows, row{req, a.RRN})
		return a
	}
	request := func(what string, req terminal.Request) {
		t.Helper()
		req.Way = terminal.WayOnline
		message, _, err := s.d.Request(req)
		add(what, req, message, err)
	}
	request("sale", s.next(terminal.KindSale, 3_200, nil))
	cash := s.next(terminal.KindSale, 10_200, map[tlv.Tag]string{0x9F03: "000000003000", 0x9C: "09"})
	cash.Cashback = money.New(3_000, kwd)
	request("cash back", cash)
	request("refund", s.next(terminal.KindRefund, 500, map[tlv.Tag]string{0x9C: "20"}))
	offline := s.next(terminal.KindSale, 700, nil)
	offline.Way = terminal.WayOffline
	offline.Tags.Put(emv.TagCID, []byte{0x40})
	offline.Tags.Put(emv.TagAuthorisationResponseCode, []byte("Y1"))
	message, err := s.d.Advice(offline)
	add("offline approval", offline, message, err)
	pre := s.next(terminal.KindPreauth, 2_000, nil)
	held := s.both("pre-authorisation", pre, all-2_000, stays)
	done := s.keptOf(terminal.KindCompletion, 1_500, pre, held)
	done.Way = terminal.WayOnline
	message, err = s.d.Advice(done)
	add("completion", done, message, err)

	strange := s.next(terminal.KindSale, 4_000, nil) // the terminal does not know of it
	message, _, err = s.d.Request(strange)
	all -= 4_000
	s.ask("a sale that only the host has", "00", all, message, err)
	missing := s.next(terminal.KindSale, 600, nil)
	missing.Way = terminal.WayOffline
	rows, sum = append(rows, row{missing, "110718000118"}), sum+600

	totals := terminal.TotalsRequest{
		STAN: 900, Batch: 1, Time: today, Currency: kwd, TerminalID: "TILL1", MerchantID: "KW1",
		Lines: []terminal.TotalsLine{{Sales: 5, SalesSum: sum, Refunds: 1, RefundsSum: refunds}},
	}
	message, err = s.d.Totals(totals)
	if a := s.ask("totals", "95", all, message, err); !a.Upload || a.HostTotal[0].Sales != 5 || a.HostTotal[0].SalesSum != sum-600+4_000 {
		t.Errorf("totals: %+v", a)
	}
	for i, r := range rows {
		message, err := s.d.Upload(terminal.UploadRequest{Request: r.req, Trace: uint32(901 + i), RRN: r.rrn, Code: "00"})
		if r.req.STAN == missing.STAN {
			all -= 600
		}
		s.ask(fmt.Sprintf("upload %d", i+1), "00", all, message, err)
	}
	totals.STAN, totals.Final = 990, true
	message, err = s.d.Totals(totals)
	all += 4_000
	if a := s.ask("closing totals", "00", all, message, err); !a.InBalance || !a.Closed || a.Upload {
		t.Errorf("closing totals: %+v", a)
	}
}
