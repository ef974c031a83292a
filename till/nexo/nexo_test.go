package nexo

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"tillway/terminal"
	"tillway/terminal/people"
)

func TestPayment(t *testing.T) {
	w := newWorld(t)
	w.ends = approve
	a := w.ask("Payment", "0000000001", paymentOf("12.345"))
	if result(a) != success {
		t.Fatal(a)
	}
	s := w.sales[0]
	if s.Amount.Minor != 12_345 || s.By != "ecr:till-1" || s.Reference != "order-17" || s.Asked.ServiceID != "0000000001" || s.Asked.Type != "Normal" {
		t.Errorf("%+v %+v", s, s.Asked)
	}
	if !strings.HasPrefix(s.Key, "ecr:till-1:nexo:") || len(s.Key) > 64 {
		t.Errorf("key %q", s.Key)
	}
	odoo(t, a)
	r, _ := a["PaymentResult"].(map[string]any)
	amounts, _ := r["AmountsResp"].(map[string]any)
	if fmt.Sprint(amounts) != "map[AuthorizedAmount:12.345 Currency:KWD]" || fmt.Sprintf("%v %v %v", r["OnlineFlag"], r["CustomerLanguage"], r["AuthenticationMethod"]) != "true ar [OnlinePIN]" {
		t.Errorf("%v", r)
	}
}

// odoo reads an answer as a well-known open-source till does (odoo/odoo, addons/pos_adyen): what it finds it uses, what it does not find
// makes it fail.
func odoo(t *testing.T, a map[string]any) url.Values {
	t.Helper()
	response, _ := a["Response"].(map[string]any)
	text, _ := response["AdditionalResponse"].(string)
	q, err := url.ParseQuery(text)
	if err != nil {
		t.Errorf("AdditionalResponse %q: %v", text, err)
	}
	if response["Result"] == failed {
		if q.Get("message") == "" {
			t.Errorf("a failure without message: %q", text)
		}
		return q
	}
	poi, _ := a["POIData"].(map[string]any)
	id, _ := poi["POITransactionID"].(map[string]any)
	if name, _ := id["TransactionID"].(string); name == "" {
		t.Errorf("no POITransactionID in %v", a)
	}
	receipts, ok := a["PaymentReceipt"].([]any)
	if !ok {
		t.Fatalf("PaymentReceipt is no array in %v", a)
	}
	for _, name := range []string{"CashierReceipt", "CustomerReceipt"} {
		found := false
		for _, one := range receipts {
			r, _ := one.(map[string]any)
			if r["DocumentQualifier"] != name {
				continue
			}
			found = true
			content, _ := r["OutputContent"].(map[string]any)
			lines, _ := content["OutputText"].([]any)
			for _, l := range lines {
				m, _ := l.(map[string]any)
				line, _ := m["Text"].(string)
				if v, err := url.ParseQuery(line); err != nil || v.Get("key") == "" {
					t.Errorf("%s: line %q, %v", name, line, err)
				}
			}
			if len(lines) < 10 {
				t.Errorf("%s has %d lines", name, len(lines))
			}
		}
		if !found {
			t.Errorf("there is no %s", name)
		}
	}
	if q.Get("cardType") == "" {
		t.Errorf("no cardType in %q", text)
	}
	return q
}

// A receipt's lines hold what schemes ask for, under the keys that tills know.
func TestReceiptLines(t *testing.T) {
	w := newWorld(t)
	w.ends = approve
	a := w.ask("Payment", "1", paymentOf("10.525"))
	found := map[string]string{}
	arabic := false
	receipts, _ := a["PaymentReceipt"].([]any)
	for _, one := range receipts {
		r, _ := one.(map[string]any)
		content, _ := r["OutputContent"].(map[string]any)
		lines, _ := content["OutputText"].([]any)
		for _, l := range lines {
			m, _ := l.(map[string]any)
			text, _ := m["Text"].(string)
			v, err := url.ParseQuery(text)
			if err != nil {
				t.Fatal(err)
			}
			if r["DocumentQualifier"] == "CashierReceipt" {
				found[v.Get("key")] = strings.TrimSpace(v.Get("name") + " " + v.Get("value"))
			} else if strings.Contains(v.Get("name"), "الدفعة") {
				arabic = true
			}
		}
	}
	for key, want := range map[string]string{
		"header1": "TILLWAY TEST SHOP", "mid": "MERCHANT KW0000000000001", "tid": "TERMINAL TILL0001", "aid": "AID A0000000031010", "pan": "NUMBER ************0119",
		"preferredName": "CARD VISA CREDIT", "txdate": "DATE 2026-11-23", "txtime": "TIME 09:15:07", "authCode": "AUTH CODE A1B2C3", "rrn": "RRN 632709000042",
		"stan": "STAN 000042", "posEntryMode": "ENTRY CHIP", "approved": "APPROVED", "merchantTitle": "MERCHANT COPY", "mref": "REFERENCE order-17", "txRef": "SALE 1042",
	} {
		if found[key] != want {
			t.Errorf("%s: %q, want %q", key, found[key], want)
		}
	}
	if !strings.Contains(found["totalAmount"], "10.525") {
		t.Errorf("total %q", found["totalAmount"])
	}
	if !arabic {
		t.Error("the customer's copy of a card that prefers Arabic has none")
	}
}

// An approval without the bank says so to programs and on paper, with the number under which it waits.
func TestOffline(t *testing.T) {
	w := newWorld(t)
	w.ends = func(s *terminal.Sale) {
		approve(s)
		s.Way, s.ResponseCode, s.RRN, s.AuthCode = terminal.WayOffline, "", "", ""
	}
	a := w.ask("Payment", "1", paymentOf("1"))
	q := odoo(t, a)
	r, _ := a["PaymentResult"].(map[string]any)
	text, err := json.Marshal(a["PaymentReceipt"])
	if err != nil || q.Get("offline") != "true" || q.Get("offlineAuthCode") == "" || r["OnlineFlag"] != false || !strings.Contains(string(text), "APPROVED+OFFLINE") || !strings.Contains(string(text), "value=71") {
		t.Errorf("%v %v %s", q, r, text)
	}
}

func TestDeclines(t *testing.T) {
	for _, c := range []struct {
		how  func(*terminal.Sale)
		want string
	}{
		{decline("51", "Not enough money on the card."), "Failure/Refusal"},
		{decline("55", "The PIN was wrong."), "Failure/WrongPIN"},
		{decline("54", "The card has expired."), "Failure/InvalidCard"},
		{decline("57", "Not permitted."), "Failure/PaymentRestriction"},
		{decline("91", "The issuer cannot be reached."), "Failure/UnreachableHost"},
		{cancel, "Failure/Aborted"},
		{func(s *terminal.Sale) {
			s.State, s.Outcome = terminal.Cancelled, terminal.NoPIN(terminal.PINCancelled)
		}, "Failure/Cancel"},
		{func(s *terminal.Sale) { s.State, s.Outcome = terminal.Declined, terminal.Unreachable("") }, "Failure/UnreachableHost"},
	} {
		w := newWorld(t)
		w.ends = c.how
		a := w.ask("Payment", "1", paymentOf("1"))
		q := odoo(t, a)
		if result(a) != c.want || q.Get("message") == "" || q.Get("refusalReason") == "" {
			t.Errorf("%v, want %s", a["Response"], c.want)
		}
		r, _ := a["PaymentResult"].(map[string]any)
		if r["AmountsResp"] != nil {
			t.Errorf("%s has amounts: %v", c.want, r)
		}
		if receipts, ok := a["PaymentReceipt"].([]any); !ok || len(receipts) != 2 {
			t.Errorf("%s: receipts %v", c.want, a["PaymentReceipt"])
		}
	}
}

// The same message again gives the same answer, byte for byte, after a restart too, and never another payment.
func TestSameAnswer(t *testing.T) {
	w := newWorld(t)
	w.ends = approve
	m := message("Payment", "1", paymentOf("1.000"))
	first := w.send(m).Body.String()
	again := w.send(m).Body.String()
	w.restart()
	later := w.send(m).Body.String()
	if first != again || first != later || len(w.sales) != 1 {
		t.Errorf("%d sales:\n%s\n%s\n%s", len(w.sales), first, again, later)
	}
	status := w.ask("TransactionStatus", "2", `{"MessageReference":{"MessageCategory":"Payment","ServiceID":"1"}}`)
	repeated, _ := status["RepeatedMessageResponse"].(map[string]any)
	body, _ := repeated["RepeatedResponseMessageBody"].(map[string]any)
	text, err := json.Marshal(body["PaymentResponse"])
	if err != nil {
		t.Fatal(err)
	}
	want, err := json.Marshal(w.member([]byte(first), "Payment"))
	if err != nil || string(text) != string(want) {
		t.Errorf("the status repeats\n%s\nof\n%s", text, want)
	}
	if other := w.ask("Payment", "1", paymentOf("2.000")); result(other) != "Failure/NotAllowed" || len(w.sales) != 1 {
		t.Errorf("the same ServiceID for another amount: %v", other["Response"])
	}
	if other := w.ask("Reversal", "1", `{"OriginalPOITransaction":{"POITransactionID":{"TransactionID":"1042","TimeStamp":""}},"ReversalReason":"MerchantCancel"}`); result(other) != "Failure/NotAllowed" || len(w.sales) != 1 {
		t.Errorf("the same ServiceID for a reversal: %v", other["Response"])
	}
}

// A register that counts its messages from 1 again gets no old answer for a new purchase: a name stands for its message for two days.
func TestNameComesBack(t *testing.T) {
	now := at()
	w := newWorld(t, func(c *Config) { c.Clock = func() time.Time { return now } })
	w.ends = approve
	m := message("Payment", "1", paymentOf("1.000"))
	first := w.send(m).Body.String()
	for _, later := range []time.Duration{0, time.Hour, 23 * time.Hour, 48 * time.Hour, -12 * time.Hour} { // the last: the clock was put back
		now = at().Add(later)
		if again := w.send(m).Body.String(); again != first || len(w.sales) != 1 {
			t.Errorf("after %s: %d sales", later, len(w.sales))
		}
		if a := w.ask("TransactionStatus", "9", `{"MessageReference":{"ServiceID":"1"}}`); result(a) != success {
			t.Errorf("after %s: %v", later, a)
		}
	}
	now = at().Add(time.Hour)
	other := strings.Replace(m, "2026-11-23T09:15:00.000Z", "2026-11-23T10:15:00.000Z", 1)
	if a := w.member(w.send(other).Body.Bytes(), "Payment"); result(a) != "Failure/NotAllowed" || len(w.sales) != 1 {
		t.Errorf("another purchase for the same amount: %v", a["Response"])
	}
	now = at().Add(96 * time.Hour)
	if a := w.member(w.send(other).Body.Bytes(), "Payment"); result(a) != success || len(w.sales) != 2 {
		t.Errorf("four days later: %v", a["Response"])
	}
}

func TestBusyAndRights(t *testing.T) {
	w := newWorld(t)
	if _, err := w.Start(t.Context(), terminal.Order{Kind: terminal.KindSale, Amount: kwd(t, 1), Key: "another's"}); err != nil {
		t.Fatal(err)
	}
	if a := w.ask("Payment", "1", paymentOf("1")); result(a) != "Failure/Busy" {
		t.Errorf("%v", a["Response"])
	}
	w.finish(approve)
	refund := `{"SaleData":{"SaleTransactionID":{"TransactionID":"r","TimeStamp":""}},"PaymentTransaction":{"AmountsReq":{"Currency":"KWD","RequestedAmount":1}},"PaymentData":{"PaymentType":"Refund"}}`
	if a := w.ask("Payment", "2", refund); result(a) != "Failure/NotAllowed" || len(w.sales) != 1 {
		t.Errorf("a refund of no sale without the right: %v", a["Response"])
	}
	w.register(func() { w.may = append(w.may, people.RefundFree) })
	w.ends = approve
	if a := w.ask("Payment", "3", refund); result(a) != success || w.sales[1].Kind != terminal.KindRefund {
		t.Errorf("with it: %v", a["Response"])
	}
	if len(w.audited) != 2 || w.audited[0].Event != people.EventRefund || w.audited[0].Result != people.Tried || w.audited[1].Result != people.Done || w.audited[0].Actor != "ecr:till-1" {
		t.Errorf("audited %+v", w.audited)
	}
	w.register(func() { w.may = []people.Action{people.Status} })
	for _, m := range []struct{ category, body string }{
		{"Payment", paymentOf("1")},
		{"Reversal", `{"OriginalPOITransaction":{"POITransactionID":{"TransactionID":"1042"}}}`},
		{"GetTotals", `{}`},
		{"Reconciliation", `{"ReconciliationType":"SaleReconciliation"}`},
		{"Reconciliation", `{"ReconciliationType":"PreviousReconciliation"}`},
		{"Display", `{"DisplayOutput":[{"Device":"CustomerDisplay","InfoQualify":"Display","OutputContent":{"OutputFormat":"Text","OutputText":[{"Text":"a"}]}}]}`},
	} {
		a := w.ask(m.category, "4", m.body)
		if outputs, ok := a["OutputResult"].([]any); ok {
			a, _ = outputs[0].(map[string]any)
		}
		if result(a) != "Failure/NotAllowed" {
			t.Errorf("%s without a right: %v", m.category, a)
		}
	}
	if len(w.sales) != 2 {
		t.Errorf("%d sales", len(w.sales))
	}
}

// A long payment keeps its client, whose idle time-out would part the two, and a client that goes away changes nothing.
func TestKeptWaiting(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.KeepAlive = time.Millisecond })
	server := httptest.NewServer(w.h)
	defer server.Close()
	go func() {
		for range 1000 {
			if _, runs := w.Current(); runs {
				time.Sleep(20 * time.Millisecond)
				w.finish(approve)
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/nexo", strings.NewReader(message("Payment", "1", paymentOf("1"))))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Api-Key", token())
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	var text strings.Builder
	buf := make([]byte, 4096)
	for range 100_000 {
		n, err := answer.Body.Read(buf)
		text.Write(buf[:n])
		if err != nil {
			break
		}
	}
	if !strings.HasPrefix(text.String(), "\n") {
		t.Errorf("the client was not kept: %q", text.String()[:min(20, text.Len())])
	}
	if a := w.member([]byte(text.String()), "Payment"); result(a) != success {
		t.Errorf("%v", a)
	}
}
