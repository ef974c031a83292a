package till

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"tillway/terminal"
	"tillway/terminal/people"
	"tillway/terminal/receipt"
)

func aBatch(t *testing.T, state terminal.BatchState) terminal.Batch {
	t.Helper()
	at := time.Date(2026, 11, 23, 20, 30, 0, 0, time.UTC)
	b := terminal.Batch{Acquirer: "nac", Number: 7, State: state, Opened: at, Currency: kwd(t)}
	if state != terminal.BatchOpen && state != terminal.BatchDraining {
		b.Fixed = at
	}
	return b
}

func ofNAC(c *Config) { c.Acquirer = "nac" }

// What is wanted of a batch reaches the lane as it was asked and with who asked, is in the audit log before and after, and the answer is
// how the batch stands then.
func TestBatchDecisions(t *testing.T) {
	for _, c := range []struct {
		path, body string
		want       terminal.BatchDecision
		words      string
	}{
		{"/v1/settle", "", terminal.BatchDecision{Event: terminal.BatchSettle}, "has the batch settled"},
		{"/v1/settle", `{"leave_parked":true,"batch":7}`, terminal.BatchDecision{Event: terminal.BatchSettle, LeaveParked: true, Batch: 7}, "has the batch settled"},
		{"/v1/settle/call-off", "", terminal.BatchDecision{Event: terminal.BatchCallOff}, "calls the settlement off"},
		{
			"/v1/settle/7/close", `{"note":"by phone"}`,
			terminal.BatchDecision{Event: terminal.BatchCloseByHand, Batch: 7, Note: "by phone"},
			"closes a batch by hand that the bank disputes; the note is in the journal",
		},
	} {
		c.want.By = "sara"
		d, tokens := staffed(t, newScript(t, call{"DecideBatch", []any{c.want}, []any{aBatch(t, terminal.BatchDraining), nil}}))
		d.book.rows = nil
		w := d.ask(tokens[people.Supervisor], "POST", c.path, c.body)
		if w.Code != http.StatusAccepted || !strings.Contains(w.Body.String(), `"state":"Draining"`) {
			t.Errorf("%s: %d %s", c.path, w.Code, w.Body)
		}
		if want := "sara batch  tried " + c.words + "\nsara batch  done " + c.words; d.book.words() != want {
			t.Errorf("audited: %s", d.book.words())
		}
	}
	for err, code := range map[error]string{
		terminal.ErrEmptyBatch: "empty_batch", terminal.ErrParkedItems: "parked", terminal.ErrNoTotals: "no_totals", terminal.ErrBatchState: "batch_state",
	} {
		wish := terminal.BatchDecision{Event: terminal.BatchSettle, By: "sara"}
		d, tokens := staffed(t, newScript(t, call{"DecideBatch", []any{wish}, []any{terminal.Batch{}, fmt.Errorf("%w: why", err)}}))
		d.refused(tokens[people.Supervisor], "POST", "/v1/settle", "", http.StatusConflict, code)
		if !strings.Contains(d.book.words(), "sara batch  failed has the batch settled") {
			t.Errorf("audited: %s", d.book.words())
		}
	}
	d, tokens := staffed(t, newScript(t))
	for _, c := range []struct{ path, body string }{
		{"/v1/settle", `{"leave_parked":1}`},
		{"/v1/settle", `{"other":true}`},
		{"/v1/settle", `[]`},
		{"/v1/settle", `{"batch":7,"batch":8}`},
		{"/v1/settle", `{"batch":-1}`},
		{"/v1/settle/0/close", `{"note":"x"}`},
		{"/v1/settle/7/close", `{}x`},
	} {
		if w := d.ask(tokens[people.Supervisor], "POST", c.path, c.body); w.Code != http.StatusBadRequest {
			t.Errorf("%s %s: %d", c.path, c.body, w.Code)
		}
	}
	d.book.fail = fmt.Errorf("disk full")
	d.refused(tokens[people.Supervisor], "POST", "/v1/settle", "", 500, "internal") // what cannot be audited is not done
}

// A batch is closed by hand by nobody who has not logged in, also where roles are open.
func TestCloseByHandAsksForALogIn(t *testing.T) {
	d, _ := staffed(t, newScript(t), func(p *people.Policy) { p.Open = true })
	d.refused("", "POST", "/v1/settle/7/close", `{"note":"x"}`, http.StatusUnauthorized, "log_in")
}

// Reports are of the batch that is asked for: X of the one that sales go into, Z of the last that was closed, the proof of the one on its
// way; in each format.
func TestBatchPapers(t *testing.T) {
	sale := aSale(t, 1042, terminal.Approved)
	sale.Scheme = "visa"
	items := call{"Items", []any{"nac", uint32(7)}, []any{[]terminal.Item{{Sale: sale}}, nil}}
	open, way, closed := aBatch(t, terminal.BatchOpen), aBatch(t, terminal.BatchUploading), aBatch(t, terminal.BatchClosed)
	next := open
	next.Number = 8
	batches := func(all ...terminal.Batch) call { return call{"Batches", []any{"nac"}, []any{all, nil}} }
	record := func(n uint32, b terminal.Batch, err error) call {
		return call{"BatchRecord", []any{"nac", n}, []any{b, err}}
	}
	for _, c := range []struct {
		path  string
		calls []call
		says  string
	}{
		{"/v1/report/x?format=text", []call{batches(open), items}, "X REPORT"},
		{"/v1/report/x?format=html", []call{batches(open), items}, "<title>X REPORT</title>"},
		{"/v1/report/z?format=text", []call{record(0, closed, nil), items}, "Z REPORT"},
		{"/v1/report/z?batch=7&format=text", []call{record(7, closed, nil), items}, "Z REPORT"},
		{"/v1/settle?format=text", []call{batches(way, next), items}, "NOT CLOSED YET"},
		{"/v1/settle?format=text", []call{batches(next), record(0, closed, nil), items}, "CLOSED, NOT IN BALANCE"},
		{"/v1/settle?batch=7&format=text", []call{record(7, way, nil), items}, "SETTLEMENT"},
	} {
		w := ask(t, handlerFor(t, newScript(t, c.calls...), ofNAC), "GET", c.path, "")
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), c.says) || !strings.Contains(w.Body.String(), "KWD 10.525") {
			t.Errorf("%s: %d %s", c.path, w.Code, w.Body)
		}
	}
	w := ask(t, handlerFor(t, newScript(t, batches(open), items), ofNAC), "GET", "/v1/report/x", "")
	var slip receipt.BatchSlip
	if err := json.Unmarshal(w.Body.Bytes(), &slip); err != nil || slip.Report.Proof.Total.Journal.SalesSum != 10_525 || slip.Report.Type != "X" {
		t.Errorf("%v: %s", err, w.Body)
	}
	first := call{"Items", []any{"nac", uint32(1)}, []any{[]terminal.Item(nil), nil}}
	if w := ask(t, handlerFor(t, newScript(t, batches(), first), ofNAC), "GET", "/v1/report/x?format=text", ""); !strings.Contains(w.Body.String(), "0 SALES") {
		t.Errorf("before the first sale: %s", w.Body)
	}
	isProblem(t, ask(t, handlerFor(t, newScript(t, batches(open)), ofNAC), "GET", "/v1/report/x?batch=9", ""), http.StatusNotFound, "no_such_batch")
	isProblem(t, ask(t, handlerFor(t, newScript(t, record(9, terminal.Batch{}, terminal.ErrNoBatch)), ofNAC), "GET", "/v1/report/z?batch=9", ""), http.StatusNotFound, "no_such_batch")
	isProblem(t, ask(t, handlerFor(t, newScript(t, record(7, open, nil)), ofNAC), "GET", "/v1/report/z?batch=7", ""), http.StatusConflict, "batch_state")
	isProblem(t, ask(t, handlerFor(t, newScript(t), ofNAC), "GET", "/v1/report/z?batch=x", ""), http.StatusBadRequest, "bad_query")
}
