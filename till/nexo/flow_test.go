package nexo

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"tillway/terminal"
)

func reversalOf(id, amount string) string {
	if amount != "" {
		amount = `,"ReversedAmount":` + amount
	}
	return `{"OriginalPOITransaction":{"POITransactionID":{"TransactionID":"` + id + `","TimeStamp":"2026-11-23T09:15:07.000Z"}},"ReversalReason":"MerchantCancel"` + amount + `}`
}

// All of a sale of the open batch is voided; a part of it, and all of one of an earlier batch, is refunded.
func TestReversal(t *testing.T) {
	for _, c := range []struct {
		name, amount string
		settled      bool
		kind         terminal.Kind
		minor        int64
	}{
		{"all", "", false, terminal.KindVoid, 10_000},
		{"all, said", "10.000", false, terminal.KindVoid, 10_000},
		{"a part", "2.5", false, terminal.KindRefund, 2_500},
		{"all, settled", "", true, terminal.KindRefund, 10_000},
		{"a part, settled", "0.001", true, terminal.KindRefund, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.ends = approve
			w.ask("Payment", "1", paymentOf("10"))
			if c.settled {
				w.batch.Number++
			}
			m := message("Reversal", "2", reversalOf("1042", c.amount))
			first := w.send(m).Body.Bytes()
			a := w.member(first, "Reversal")
			s := w.sales[1]
			if result(a) != success || s.Kind != c.kind || s.Taken().Minor != c.minor || s.Of != 1042 || fmt.Sprint(a["ReversedAmount"]) != kwd(t, c.minor).String() {
				t.Errorf("%+v\n%v", s, a)
			}
			odoo(t, a)
			w.batch.Number++ // the message again, after the batch has ended, is still the same
			if again := w.send(m).Body.Bytes(); string(again) != string(first) || len(w.sales) != 2 {
				t.Errorf("%d sales\n%s\n%s", len(w.sales), first, again)
			}
			if other := w.ask("Reversal", "2", reversalOf("1042", "0.500")); result(other) != "Failure/NotAllowed" || len(w.sales) != 2 {
				t.Errorf("another amount under the same ServiceID: %v", other["Response"])
			}
			status := w.ask("TransactionStatus", "3", `{"MessageReference":{"ServiceID":"2"}}`)
			if text, err := json.Marshal(status); err != nil || !strings.Contains(string(text), `"ReversalResponse"`) {
				t.Errorf("%s", text)
			}
		})
	}
	w := newWorld(t)
	if a := w.ask("Reversal", "1", reversalOf("77", "")); result(a) != "Failure/NotFound" {
		t.Errorf("of nothing: %v", a)
	}
}

func TestStatus(t *testing.T) {
	w := newWorld(t)
	if a := w.ask("TransactionStatus", "9", `{}`); result(a) != "Failure/NotFound" {
		t.Errorf("nothing yet: %v", a)
	}
	done := make(chan map[string]any, 1)
	go func() { done <- w.ask("Payment", "1", paymentOf("1")) }()
	await(t, func() bool { _, runs := w.Current(); return runs })
	for _, body := range []string{`{}`, `{"MessageReference":{"ServiceID":"1"}}`, `{"MessageReference":{"ServiceID":"1","SaleID":"Shop (ID: 3)","MessageCategory":"Payment"}}`} {
		a := w.ask("TransactionStatus", "9", body)
		ref, _ := a["MessageReference"].(map[string]any)
		if result(a) != "Failure/InProgress" || ref["ServiceID"] != "1" {
			t.Errorf("%s: %v", body, a)
		}
	}
	w.finish(approve)
	if a := <-done; result(a) != success {
		t.Errorf("%v", a)
	}
	w.ends = approve
	w.ask("Payment", "2", paymentOf("2"))
	for body, want := range map[string]string{
		`{}`:                                     `"ServiceID":"2"`,
		`{"MessageReference":{"ServiceID":"1"}}`: `"ServiceID":"1"`,
	} {
		a := w.ask("TransactionStatus", "9", body)
		text, err := json.Marshal(a["RepeatedMessageResponse"])
		if err != nil || result(a) != success || !strings.Contains(string(text), want) || strings.Contains(string(text), "DUPLICATE") {
			t.Errorf("%s: %s", body, text)
		}
	}
	for body, want := range map[string]string{
		`{"MessageReference":{"ServiceID":"3"}}`:                    "Failure/NotFound",
		`{"MessageReference":{"ServiceID":"1","SaleID":"another"}}`: "Failure/NotFound",
	} {
		if a := w.ask("TransactionStatus", "9", body); result(a) != want {
			t.Errorf("%s: %v", body, a)
		}
	}
	// A reprint of the last one is the original, of an earlier one a duplicate; one copy where one is asked for.
	reprint := func(service string) string {
		a := w.ask("TransactionStatus", "9", `{"ReceiptReprintFlag":true,"DocumentQualifier":["CustomerReceipt"],"MessageReference":{"ServiceID":"`+service+`"}}`)
		text, err := json.Marshal(a)
		if err != nil || result(a) != success || strings.Contains(string(text), "CashierReceipt") {
			t.Errorf("%s: %s", service, text)
		}
		return string(text)
	}
	if strings.Contains(reprint("2"), "duplicate") || !strings.Contains(reprint("1"), "duplicate") {
		t.Error("original and duplicate are mixed up")
	}
	w.ask("Reversal", "4", reversalOf("1042", ""))
	if text := reprint("1"); !strings.Contains(text, "VOIDED") && !strings.Contains(text, "%D8%AB%D9%85+%D8%A3%D9%8F%D9%84%D8%BA%D9%8A%D8%AA") {
		t.Errorf("a reprint of what was voided does not say so: %s", text)
	}
}

// await waits for what other goroutines do, within a bound.
func await(t *testing.T, is func() bool) {
	t.Helper()
	for range 10_000 {
		if is() {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("never came")
}

func TestAbort(t *testing.T) {
	abort := func(service string) string {
		return `{"AbortReason":"MerchantAbort","MessageReference":{"MessageCategory":"Payment","SaleID":"Shop (ID: 3)","ServiceID":"` + service + `"}}`
	}
	w := newWorld(t)
	done := make(chan map[string]any, 1)
	go func() { done <- w.ask("Payment", "1", paymentOf("1")) }()
	await(t, func() bool { _, runs := w.Current(); return runs })
	if out := w.send(message("Abort", "2", abort("9"))); out.Code != 200 || out.Body.Len() != 0 {
		t.Errorf("of another message: %d %s", out.Code, out.Body)
	}
	if _, runs := w.Current(); !runs {
		t.Fatal("the abort of another message has ended the payment")
	}
	if out := w.send(message("Abort", "3", abort("1"))); out.Code != 200 || out.Body.Len() != 0 {
		t.Errorf("%d %s", out.Code, out.Body)
	}
	if a := <-done; result(a) != "Failure/Aborted" {
		t.Errorf("%v", a["Response"])
	}
	// Too late: the payment completes.
	go func() { done <- w.ask("Payment", "4", paymentOf("1")) }()
	await(t, func() bool { _, runs := w.Current(); return runs })
	w.change(func(s *terminal.Sale) { s.State = terminal.Sending })
	w.send(message("Abort", "5", abort("4")))
	w.finish(approve)
	if a := <-done; result(a) != success {
		t.Errorf("%v", a["Response"])
	}
	// Sealed, its answer is as empty; of nothing that runs too.
	if out := w.send(seal(t, message("Abort", "6", abort("1")), passphrase, 1), nobodys); out.Code != 200 || out.Body.Len() != 0 {
		t.Errorf("%d %s", out.Code, out.Body)
	}
}

// An Abort that comes before the lane has begun the sale is not lost.
func TestAbortBeforeTheStart(t *testing.T) {
	w := newWorld(t)
	h, ok := w.h.(*handler)
	if !ok {
		t.Fatal("no handler")
	}
	name := messageName{registerName, "Shop (ID: 3)", "1"}
	p, _ := h.enter(name) // as the payment's own request does on its way to the lane
	w.send(message("Abort", "2", `{"MessageReference":{"ServiceID":"1"}}`))
	defer h.leave(name, p)
	if a := w.ask("Payment", "1", paymentOf("1")); result(a) != "Failure/Aborted" {
		t.Errorf("%v", a["Response"])
	}
}

// A client that goes away ends nothing: the payment goes on, and its answer waits.
func TestClientGoesAway(t *testing.T) {
	w := newWorld(t)
	gone := make(chan struct{})
	var wait sync.WaitGroup
	wait.Go(func() {
		w.send(message("Payment", "1", paymentOf("1")), func(r *http.Request) {
			ctx, stop := context.WithCancel(r.Context())
			go func() { <-gone; stop() }()
			*r = *r.WithContext(ctx)
		})
	})
	await(t, func() bool { _, runs := w.Current(); return runs })
	close(gone)
	time.Sleep(5 * time.Millisecond)
	if _, runs := w.Current(); !runs {
		t.Error("the payment has ended with its client")
	}
	w.finish(approve)
	wait.Wait()
	if a := w.ask("TransactionStatus", "2", `{"MessageReference":{"ServiceID":"1"}}`); result(a) != success {
		t.Errorf("%v", a)
	}
}

// An approval in part is taken where the message says so and it is enough, and given back by itself where not. A signature is the
// cashier's.
func TestPartial(t *testing.T) {
	part := func(approved int64, signature bool) func(*terminal.Sale) {
		return func(s *terminal.Sale) {
			s.State, s.Signature = terminal.AgreementOnline, signature
			s.Approved = s.Amount
			s.Approved.Minor = approved
		}
	}
	for _, c := range []struct {
		name, amounts, data string
		signature           bool
		takes               string // "yes", "no", "cashier"
	}{
		{"not asked for", `"RequestedAmount":10`, "", false, "no"},
		{"split", `"RequestedAmount":10`, `,"PaymentData":{"SplitPaymentFlag":true}`, false, "yes"},
		{"enough", `"RequestedAmount":10,"MinimumAmountToDeliver":4`, "", false, "yes"},
		{"too little", `"RequestedAmount":10,"MinimumAmountToDeliver":4.001`, "", false, "no"},
		{"with a signature", `"RequestedAmount":10,"MinimumAmountToDeliver":4`, "", true, "cashier"},
		{"too little, with a signature", `"RequestedAmount":10`, "", true, "no"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			done := make(chan map[string]any, 1)
			body := `{"SaleData":{"SaleTransactionID":{"TransactionID":"o","TimeStamp":""}},"PaymentTransaction":{"AmountsReq":{"Currency":"KWD",` + c.amounts + `}}` + c.data + `}`
			go func() { done <- w.ask("Payment", "1", body) }()
			await(t, func() bool { _, runs := w.Current(); return runs })
			w.change(part(4_000, c.signature))
			if c.takes == "cashier" {
				time.Sleep(5 * time.Millisecond)
				if len(w.agreed) != 0 {
					t.Errorf("answered for the cashier: %+v", w.agreed)
				}
				w.finish(approve)
			}
			a := <-done
			want := map[string]string{"yes": partial, "no": "Failure/Refusal", "cashier": partial}[c.takes]
			if result(a) != want {
				t.Errorf("%v, want %s", a["Response"], want)
			}
			if c.takes != "cashier" && (len(w.agreed) != 1 || w.agreed[0].Matches != (c.takes == "yes") || w.agreed[0].By != "ecr:till-1") {
				t.Errorf("%+v", w.agreed)
			}
			if text, err := json.Marshal(a); err != nil || want == partial && !strings.Contains(string(text), `"AuthorizedAmount":4.000`) {
				t.Errorf("%s", text)
			}
		})
	}
}

func TestTipAndCash(t *testing.T) {
	w := newWorld(t)
	w.ends = approve
	a := w.ask("Payment", "1", strings.Replace(paymentOf("10.000"), `"RequestedAmount"`, `"TipAmount":1.5,"CashBackAmount":2,"RequestedAmount"`, 1))
	s := w.sales[0]
	if s.Amount.Minor != 10_000 || s.Tip.Minor != 1_500 || s.Cashback.Minor != 2_000 {
		t.Errorf("%+v", s)
	}
	if text, err := json.Marshal(a["PaymentResult"]); err != nil || !strings.Contains(string(text), `"AuthorizedAmount":10.000,"CashBackAmount":2.000,"Currency":"KWD","TipAmount":1.500`) {
		t.Errorf("%s", text)
	}
}
