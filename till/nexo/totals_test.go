package nexo

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"strings"
	"testing"
	"time"

	"tillway/terminal"
	"tillway/terminal/people"
)

func TestTotals(t *testing.T) {
	w := newWorld(t)
	w.ends = approve
	w.register(func() { w.may = append(w.may, people.Settle) })
	empty := w.ask("GetTotals", "1", `{}`)
	if result(empty) != success || empty["TransactionTotals"] != nil || empty["POIReconciliationID"] != "7" {
		t.Errorf("%v", empty)
	}
	if a := w.ask("Reconciliation", "2", `{"ReconciliationType":"SaleReconciliation"}`); result(a) != "Failure/NotAllowed" {
		t.Errorf("of nothing: %v", a)
	}
	w.ask("Payment", "3", strings.Replace(paymentOf("1.000"), `"SaleData":{`, `"SaleData":{"OperatorID":"ann",`, 1))
	w.ask("Payment", "4", strings.Replace(paymentOf("2.500"), `"SaleData":{`, `"SaleData":{"OperatorID":"ben",`, 1))
	w.ask("Payment", "5", paymentOf("4.000"))
	w.ask("Reversal", "6", reversalOf("1044", ""))      // voided: counted nowhere
	w.ask("Reversal", "7", reversalOf("1043", "0.500")) // refunded in part
	const all = `[{"AcquirerID":"acquirer","CardBrand":"visa","PaymentCurrency":"KWD","PaymentInstrumentType":"Card","PaymentTotals":[{"TransactionAmount":3.500,"TransactionCount":2,"TransactionType":"Debit"},{"TransactionAmount":0.500,"TransactionCount":1,"TransactionType":"Credit"}]}]`
	marshal := func(a map[string]any) string { return string(must(t)(json.Marshal(a["TransactionTotals"]))) }
	if a := w.ask("GetTotals", "8", `{}`); marshal(a) != all {
		t.Errorf("%s", marshal(a))
	}
	if a := w.ask("GetTotals", "9", `{"TotalFilter":{"OperatorID":"ann"}}`); !strings.Contains(marshal(a), `"TransactionAmount":1.000`) || strings.Contains(marshal(a), "Credit") {
		t.Errorf("%s", marshal(a))
	}
	if a := w.ask("GetTotals", "9", `{"TotalDetails":["OperatorID"]}`); !strings.Contains(marshal(a), `"OperatorID":"ann"`) || !strings.Contains(marshal(a), `"OperatorID":"ben"`) {
		t.Errorf("%s", marshal(a))
	}
	a := w.ask("Reconciliation", "10", `{"ReconciliationType":"SaleReconciliation"}`)
	if result(a) != success || marshal(a) != all || a["POIReconciliationID"] != "7" || a["ReconciliationType"] != "SaleReconciliation" {
		t.Errorf("%v", a)
	}
	if w.closed[0].By != "ecr:till-1" || len(w.audited) < 2 {
		t.Errorf("%+v %+v", w.closed[0], w.audited)
	}
	w.ask("Payment", "11", paymentOf("9.000"))
	if again := w.ask("Reconciliation", "10", `{"ReconciliationType":"SaleReconciliation"}`); marshal(again) != all || len(w.closed) != 1 {
		t.Errorf("the same message again settles again: %v", again)
	}
	for _, body := range []string{`{"ReconciliationType":"PreviousReconciliation"}`, `{"ReconciliationType":"PreviousReconciliation","POIReconciliationID":"7"}`} {
		if a := w.ask("Reconciliation", "12", body); result(a) != success || marshal(a) != all {
			t.Errorf("%s: %v", body, a)
		}
	}
	for id, want := range map[string]string{"8": "Failure/NotFound", "99": "Failure/NotFound", "0": "Failure/MessageFormat"} {
		if a := w.ask("Reconciliation", "12", `{"ReconciliationType":"PreviousReconciliation","POIReconciliationID":"`+id+`"}`); result(a) != want {
			t.Errorf("%s: %v", id, a)
		}
	}
	disputed := terminal.Batch{Number: 3, State: terminal.BatchDisputed}
	for state, want := range map[terminal.BatchState]string{terminal.BatchDisputed: "Failure/Refusal", terminal.BatchUploading: "Failure/InProgress", terminal.BatchClosed: partial} {
		disputed.State = state
		if r := batchResponse(disputed); result(map[string]any{"Response": map[string]any{"Result": r.Result, "ErrorCondition": conditionAny(r.ErrorCondition)}}) != want {
			t.Errorf("%s: %+v", state, r)
		}
	}
}

// A register that counts from 1 every day settles every day.
func TestReconciliationEveryDay(t *testing.T) {
	now := at()
	w := newWorld(t, func(c *Config) { c.Clock = func() time.Time { return now } })
	w.ends = approve
	w.register(func() { w.may = append(w.may, people.Settle) })
	for n := range 3 {
		w.ask("Payment", fmt.Sprint(n+2), paymentOf("1"))
		for range 2 {
			if a := w.ask("Reconciliation", "1", `{"ReconciliationType":"SaleReconciliation"}`); result(a) != success || len(w.closed) != n+1 {
				t.Errorf("day %d: %d closed, %v", n, len(w.closed), a["Response"])
			}
		}
		now = now.Add(24 * time.Hour)
	}
}

func conditionAny(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// Every outcome code has a row, and every condition is one of the protocol's.
func TestEveryOutcome(t *testing.T) {
	file, err := parser.ParseFile(gotoken.NewFileSet(), "../../terminal/outcome.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]bool{}
	for _, r := range outcomeRows() {
		rows[r.code] = true
	}
	codes := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Names) != 1 || !strings.HasPrefix(spec.Names[0].Name, "Code") {
			return true
		}
		value, ok := spec.Values[0].(*ast.BasicLit)
		if !ok {
			return true
		}
		codes++
		if code := strings.Trim(value.Value, `"`); !rows[code] {
			t.Errorf("the outcome %s has no ErrorCondition", code)
		}
		return true
	})
	if codes < 15 || codes != len(rows) {
		t.Errorf("%d codes, %d rows", codes, len(rows))
	}
	valid := " Aborted Busy Cancel DeviceOut InProgress InsertedCard InvalidCard LoggedOut MessageFormat NotAllowed NotFound PaymentRestriction Refusal UnavailableDevice UnavailableService UnreachableHost WrongPIN "
	for _, r := range outcomeRows() {
		if r.condition != "" && !strings.Contains(valid, " "+r.condition+" ") || (r.condition == "") != (r.code == terminal.CodeApproved) {
			t.Errorf("%+v", r)
		}
	}
	for _, r := range errorRows() {
		if !strings.Contains(valid, " "+r.condition+" ") {
			t.Errorf("%+v", r)
		}
	}
	for _, r := range codeRows() {
		if !strings.Contains(valid, " "+r.value+" ") {
			t.Errorf("%+v", r)
		}
	}
}
