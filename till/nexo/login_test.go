package nexo

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"tillway/terminal"
)

func TestLogin(t *testing.T) {
	var trained []bool
	w := newWorld(t, func(c *Config) { c.NeedsLogin = true })
	w.ends = approve
	if a := w.ask("Payment", "1", paymentOf("1")); result(a) != "Failure/LoggedOut" || w.orders != 0 {
		t.Errorf("without a login: %v", a["Response"])
	}
	if a := w.ask("Logout", "2", `{}`); result(a) != "Failure/LoggedOut" {
		t.Errorf("%v", a)
	}
	a := w.ask("Login", "3", `{"OperatorID":"Maryam K/9","OperatorLanguage":"en","DateTime":"2026-11-23T09:15:07Z","SaleSoftware":{"ManufacturerID":"x"}}`)
	if text, err := json.Marshal(a["POISystemData"]); err != nil || result(a) != success || !strings.Contains(string(text), `"SoftwareVersion":"test"`) || !strings.Contains(string(text), `"GlobalStatus":"OK"`) {
		t.Errorf("%v", a)
	}
	w.ask("Payment", "4", paymentOf("1"))
	if by := w.sales[0].By; by != "ecr:till-1/Maryam_K_9" {
		t.Errorf("by %q", by)
	}
	w.ask("Payment", "5", strings.Replace(paymentOf("1"), `"SaleData":{`, `"SaleData":{"OperatorID":"77",`, 1))
	if by := w.sales[1].By; by != "ecr:till-1/77" {
		t.Errorf("by %q", by)
	}
	if a := w.ask("Login", "6", `{"TrainingModeFlag":true}`); result(a) != "Failure/UnavailableService" {
		t.Errorf("training where there is none: %v", a)
	}
	if a := w.ask("Logout", "7", `{}`); result(a) != success {
		t.Errorf("%v", a)
	}
	on := false
	w = newWorld(t, func(c *Config) {
		c.Trains = func() bool { return on }
		c.Training = func(_ context.Context, to bool, by string) error {
			trained, on = append(trained, to), to
			if by != "ecr:till-1" {
				t.Errorf("by %q", by)
			}
			return nil
		}
	})
	if a := w.ask("Login", "1", `{"TrainingModeFlag":true}`); result(a) != "Failure/NotAllowed" || trained != nil {
		t.Errorf("training without the right: %v", a)
	}
	w.register(func() { w.may = append(w.may, "training") })
	for _, m := range []string{`{"TrainingModeFlag":true}`, `{"TrainingModeFlag":true}`, `{}`, `{"TrainingModeFlag":true}`} {
		w.ask("Login", "1", m)
	}
	w.ask("Logout", "1", `{}`)
	if fmt.Sprint(trained) != "[true false true false]" {
		t.Errorf("%v", trained)
	}
	// A register that sells gets no payment out of a terminal that plays, and one that practises no real one.
	w.ends = func(s *terminal.Sale) { approve(s); s.Training = on }
	on = true
	if a := w.ask("Payment", "20", paymentOf("1")); result(a) != "Failure/NotAllowed" || w.orders != 0 {
		t.Errorf("a played sale for a register that sells: %v", a["Response"])
	}
	w.ends = func(s *terminal.Sale) { approve(s); s.Training = true }
	on = false // and it is switched on in the moment of the order
	if a := w.ask("Payment", "21", paymentOf("1")); result(a) != "Failure/NotAllowed" {
		t.Errorf("switched on meanwhile: %v", a["Response"])
	}
	if a := w.ask("TransactionStatus", "9", `{"MessageReference":{"ServiceID":"21"}}`); result(a) != "Failure/NotAllowed" {
		t.Errorf("its status: %v", a["Response"])
	}
	w.ask("Login", "22", `{"TrainingModeFlag":true}`)
	if a := w.ask("Payment", "23", paymentOf("1")); result(a) != success || !strings.Contains(fmt.Sprint(a), "training=true") {
		t.Errorf("practice: %v", a["Response"])
	}
	on = false // somebody at the terminal has ended it
	if a := w.ask("Payment", "24", paymentOf("1")); result(a) != "Failure/NotAllowed" {
		t.Errorf("a real sale for a register that practises: %v", a["Response"])
	}
	for i := range 2 * maxLogins {
		w.send(strings.Replace(message("Login", "1", `{}`), "Shop (ID: 3)", fmt.Sprint("till ", i), 1))
	}
	if h, ok := w.h.(*handler); !ok || len(h.logins) > maxLogins {
		t.Error("log-ins are without bound")
	}
}

func TestDiagnosis(t *testing.T) {
	fails := errorString("echo test: no answer in time")
	asked := 0
	w := newWorld(t, func(c *Config) {
		c.PINPad, c.Printer = true, func() string { return "NoPaper" }
		c.Echo = func(context.Context) error {
			if asked++; asked > 1 {
				return fails
			}
			return nil
		}
	})
	w.ask("Login", "1", `{}`)
	for _, c := range []struct{ body, want string }{
		{`{}`, `"POIStatus":{"CardReaderOKFlag":true,"CommunicationOKFlag":true,"GlobalStatus":"OK","PEDOKFlag":true,"PrinterStatus":"NoPaper","SecurityOKFlag":true}`},
		{`{"HostDiagnosisFlag":true}`, `"HostStatus":[{"AcquirerID":"acquirer","IsReachableFlag":true}]`},
		{`{"HostDiagnosisFlag":true}`, `"HostStatus":[{"AcquirerID":"acquirer","IsReachableFlag":false}]`},
		{`{}`, `"LoggedSaleID":["Shop (ID: 3)"]`},
		{`{}`, `unconfirmedBatchCount=3`},
	} {
		a := w.ask("Diagnosis", "2", c.body)
		plain := strings.ReplaceAll(string(must(t)(json.Marshal(a))), `\u0026`, "&")
		if result(a) != success || !strings.Contains(plain, c.want) {
			t.Errorf("%s: %s", c.body, plain)
		}
	}
	if asked != 2 {
		t.Errorf("%d echo tests", asked)
	}
}

type errorString string

func (e errorString) Error() string { return string(e) }

func must(t *testing.T) func([]byte, error) []byte {
	return func(b []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
}

func TestDisplay(t *testing.T) {
	w := newWorld(t)
	output := func(lines string) string {
		return `{"DisplayOutput":[{"Device":"CustomerDisplay","InfoQualify":"Display","OutputContent":{"OutputFormat":"Text","OutputText":[` + lines + `]}}]}`
	}
	if a := w.ask("Display", "1", output(`{"Text":"Coffee","EndOfLineFlag":false},{"Text":" 1.250","EndOfLineFlag":true},{"Text":"قهوة ١٫٢٥٠"}`)); result(outcomeOf(a)) != success {
		t.Errorf("%v", a)
	}
	if fmt.Sprint(w.shown) != "[{Coffee 1.250 en} {قهوة ١٫٢٥٠ ar}]" {
		t.Errorf("shown %v", w.shown)
	}
	long := strings.Repeat(`{"Text":"x","EndOfLineFlag":true},`, terminal.MaxDisplayLines)
	for _, lines := range []string{`{"Text":"` + strings.Repeat("x", 65) + `"}`, `{"Text":"a\u0007"}`, `{"Text":"a\u202e"}`, long + `{"Text":"y"}`} {
		if a := w.ask("Display", "2", output(lines)); result(outcomeOf(a)) != "Failure/MessageFormat" || len(w.shown) != 2 {
			t.Errorf("%.40s: %v", lines, a)
		}
	}
	if a := w.ask("Display", "3", strings.Replace(output(`{"Text":"a"}`), "CustomerDisplay", "CashierDisplay", 1)); result(outcomeOf(a)) != "Failure/UnavailableDevice" || len(w.shown) != 2 {
		t.Errorf("%v", a)
	}
	if w.ask("Display", "4", output("")); len(w.shown) != 0 {
		t.Errorf("shown %v", w.shown)
	}
}

func outcomeOf(a map[string]any) map[string]any {
	all, _ := a["OutputResult"].([]any)
	if len(all) == 0 {
		return nil
	}
	m, _ := all[0].(map[string]any)
	return m
}
