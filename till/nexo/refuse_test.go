package nexo

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"tillway/terminal/people"
)

// Messages that nobody can answer: each is refused by name, and nothing is sold.
func TestRefused(t *testing.T) {
	good := message("Payment", "1", paymentOf("1"))
	swap := func(old, with string) string { return strings.Replace(good, old, with, 1) }
	deep := message("Payment", "1", strings.Repeat(`{"a":`, 40)+"1"+strings.Repeat("}", 40))
	for _, c := range []struct {
		name, body string
		status     int
		says       string
	}{
		{"empty", "", 400, "no JSON object"},
		{"no JSON", "hello", 400, "no JSON object"},
		{"a list", "[1]", 400, "no SaleToPOIRequest"},
		{"a string", `"x"`, 400, "no JSON object"},
		{"cut off", good[:len(good)-5], 400, "ends early"},
		{"two messages", good + good, 400, "something follows"},
		{"no header", `{"SaleToPOIRequest":{}}`, 400, "no MessageHeader"},
		{"header that is none", `{"SaleToPOIRequest":{"MessageHeader":5}}`, 400, "no MessageHeader"},
		{"request that is none", `{"SaleToPOIRequest":5}`, 400, "no SaleToPOIRequest"},
		{"member twice", swap(`"ServiceID":"1"`, `"ServiceID":"1","ServiceID":"2"`), 400, "is there twice"},
		{"member twice, in other letters", swap(`"ServiceID":"1"`, `"ServiceID":"1","serviceid":"2"`), 400, "is there twice"},
		{"member twice, by a letter that folds", swap(`"ServiceID":"1"`, `"ServiceID":"1","\u017FerviceID":"2"`), 400, "is there twice"},
		{"amount twice", swap(`"RequestedAmount":1`, `"RequestedAmount":1,"RequestedAmount":100`), 400, "is there twice"},
		{"deep", deep, 400, "nests deeper"},
		{"not UTF-8", swap("order-17", "order-\xff"), 400, "not UTF-8"},
		{"large", swap("order-17", strings.Repeat("x", 1<<20)), 413, "larger than"},
		{"other version", swap(`"3.0"`, `"2.0"`), 400, "ProtocolVersion"},
		{"other class", swap(`"MessageClass":"Service"`, `"MessageClass":"Device"`), 400, "MessageClass"},
		{"a response", swap(`"MessageType":"Request"`, `"MessageType":"Response"`), 400, "MessageType"},
		{"unknown category", swap(`"MessageCategory":"Payment"`, `"MessageCategory":"Robbery"`), 400, "MessageCategory"},
		{"no ServiceID", swap(`"ServiceID":"1"`, `"ServiceID":""`), 400, "ServiceID"},
		{"long ServiceID", swap(`"ServiceID":"1"`, `"ServiceID":"12345678901"`), 400, "ServiceID"},
		{"no SaleID", swap(`"SaleID":"Shop (ID: 3)"`, `"SaleID":""`), 400, "SaleID"},
		{"control characters", swap(`"SaleID":"Shop (ID: 3)"`, `"SaleID":"a\u0000"`), 400, "SaleID"},
		{"marks of direction", swap(`"SaleID":"Shop (ID: 3)"`, `"SaleID":"a\u202eb"`), 400, "SaleID"},
		{"half an envelope", swap(`"PaymentRequest"`, `"NexoBlob":"AAAA","PaymentRequest"`), 400, "belong together"},
	} {
		w := newWorld(t)
		out := w.send(c.body)
		var e struct {
			Errors []string `json:"errors"`
		}
		if err := json.Unmarshal(out.Body.Bytes(), &e); err != nil || out.Code != c.status || len(e.Errors) != 1 || !strings.Contains(e.Errors[0], c.says) {
			t.Errorf("%s: %d %.200s", c.name, out.Code, out.Body)
		}
		if w.orders != 0 {
			t.Errorf("%s: an order was given", c.name)
		}
	}
}

// Requests that are no POST of JSON to one of the paths.
func TestRefusedRequests(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		name   string
		change func(*http.Request)
		status int
	}{
		{"GET", func(r *http.Request) { r.Method = http.MethodGet }, 405},
		{"a form", func(r *http.Request) { r.Header.Set("Content-Type", "application/x-www-form-urlencoded") }, 415},
		{"plain text", func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, 415},
		{"no type", func(r *http.Request) { r.Header.Del("Content-Type") }, 415},
		{"another path", func(r *http.Request) { r.URL.Path = "/nexo/other" }, 404},
		{"no token", func(r *http.Request) { r.Header.Del("X-Api-Key") }, 401},
		{"a wrong token", func(r *http.Request) { r.Header.Set("X-Api-Key", "any") }, 401},
	} {
		if out := w.send(message("Payment", "1", paymentOf("1")), c.change); out.Code != c.status || !strings.Contains(out.Body.String(), `{"errors":["tillway: `) {
			t.Errorf("%s: %d %s", c.name, out.Code, out.Body)
		}
	}
	if len(w.audited) != 2 || w.audited[0].Event != people.EventRefused || w.audited[0].Actor != people.Nobody || w.audited[0].Result != people.Denied || w.orders != 0 {
		t.Errorf("audited %+v, %d orders", w.audited, w.orders)
	}
	for range 100 {
		w.send(message("Payment", "1", paymentOf("1")), func(r *http.Request) { r.Header.Del("X-Api-Key") })
	}
	if len(w.audited) != maxRefusals {
		t.Errorf("%d refusals in a minute were audited one by one", len(w.audited))
	}
}

// Fields that are not what they should be are named in a Failure, MessageFormat.
func TestBadFields(t *testing.T) {
	good := paymentOf("1.000")
	swap := func(old, with string) string { return strings.Replace(good, old, with, 1) }
	original := func(id string) string {
		return swap(`"PaymentTransaction":{`, `"PaymentTransaction":{"OriginalPOITransaction":{"POITransactionID":{"TransactionID":"`+id+`","TimeStamp":""}},`)
	}
	for _, c := range []struct{ name, category, body, field string }{
		{"no amount", "Payment", swap(`,"RequestedAmount":1.000`, ""), "RequestedAmount"},
		{"zero", "Payment", paymentOf("0"), "RequestedAmount"},
		{"too many decimals", "Payment", paymentOf("1.2345"), "RequestedAmount"},
		{"below zero", "Payment", paymentOf("-5"), "RequestedAmount"},
		{"a word", "Payment", paymentOf(`"much"`), "PaymentRequest"},
		{"an object", "Payment", paymentOf(`{}`), "PaymentRequest"},
		{"huge", "Payment", paymentOf("1e300"), "RequestedAmount"},
		{"another currency", "Payment", swap(`"KWD"`, `"USD"`), "Currency"},
		{"no currency", "Payment", swap(`"KWD"`, `""`), "Currency"},
		{"tip as large", "Payment", swap(`"RequestedAmount"`, `"TipAmount":1,"RequestedAmount"`), "RequestedAmount"},
		{"a minimum above it", "Payment", swap(`"RequestedAmount"`, `"MinimumAmountToDeliver":2,"RequestedAmount"`), "MinimumAmountToDeliver"},
		{"no number of ours", "Payment", original("abc"), "TransactionID"},
		{"a sale of an earlier one", "Payment", original("1042"), "OriginalPOITransaction"},
		{"long reference", "Payment", swap("order-17", strings.Repeat("x", 65)), "TransactionID"},
		{"no time", "Payment", swap("2026-11-23T09:15:00.000Z", "yesterday"), "TimeStamp"},
		{"no payment", "Payment", "5", "PaymentRequest"},
		{"no original", "Reversal", `{}`, "OriginalPOITransaction"},
		{"no reconciliation", "Reconciliation", `{}`, "ReconciliationType"},
		{"no batch", "Reconciliation", `{"ReconciliationType":"PreviousReconciliation","POIReconciliationID":"x"}`, "POIReconciliationID"},
		{"long operator", "Login", `{"OperatorID":"` + strings.Repeat("x", 25) + `"}`, "OperatorID"},
		{"operator like a card", "Login", `{"OperatorID":"4761739001010119"}`, "OperatorID"},
		{"completion of nothing", "Payment", strings.TrimSuffix(good, "}") + `,"PaymentData":{"PaymentType":"Completion"}}`, "OriginalPOITransaction"},
	} {
		w := newWorld(t)
		a := w.ask(c.category, "1", c.body)
		text, err := json.Marshal(a["Response"])
		if err != nil || result(a) != "Failure/MessageFormat" || !strings.Contains(string(text), c.field) || w.orders != 0 {
			t.Errorf("%s: %s", c.name, text)
		}
	}
	w := newWorld(t)
	missing := strings.Replace(message("Payment", "1", paymentOf("1")), "PaymentRequest", "Payments", 1)
	if a := w.member(w.send(missing).Body.Bytes(), "Payment"); result(a) != "Failure/MessageFormat" {
		t.Errorf("%v", a)
	}
	if a := w.member(w.send(strings.Replace(message("Payment", "1", paymentOf("1")), "Tillway-TILL0001", "P400Plus-1", 1)).Body.Bytes(), "Payment"); result(a) != "Failure/MessageFormat" {
		t.Errorf("another terminal's: %v", a)
	}
}

// What this terminal does not do it says, in every category of the protocol, and never answers with nothing.
func TestUnavailable(t *testing.T) {
	w := newWorld(t)
	does := map[string]bool{"Payment": true, "Reversal": true, "TransactionStatus": true, "Login": true, "Logout": true, "Diagnosis": true, "Reconciliation": true, "GetTotals": true, "Display": true, "Abort": true}
	for _, category := range categories() {
		if does[category] {
			continue
		}
		if a := w.ask(category, "1", `{}`); result(a) != "Failure/UnavailableService" {
			t.Errorf("%s: %v", category, a)
		}
	}
	body := strings.TrimSuffix(paymentOf("1"), "}") + `,"PaymentData":{"PaymentType":"CashAdvance"}}`
	if a := w.ask("Payment", "1", body); result(a) != "Failure/UnavailableService" {
		t.Errorf("cash advance: %v", a)
	}
	if a := w.ask("Reconciliation", "1", `{"ReconciliationType":"AcquirerSynchronisation"}`); result(a) != "Failure/UnavailableService" {
		t.Errorf("synchronisation: %v", a)
	}
}
