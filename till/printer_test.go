package till

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"tillway/terminal/people"
	"tillway/terminal/receipt"
	"tillway/terminal/spool"
)

// tray is a printer that notes what it is asked for.
type tray struct {
	jobs  []spool.Job
	kicks int
	fails error
}

func (y *tray) Status() spool.Status { return spool.Status{Ready: true, Waiting: len(y.jobs)} }

func (y *tray) Add(_ context.Context, j spool.Job) (uint64, error) {
	y.jobs = append(y.jobs, j)
	return uint64(len(y.jobs)), y.fails
}

func (y *tray) Resume(context.Context) error { return spool.ErrJob }

func (y *tray) Drop(context.Context) (spool.Job, error) {
	if len(y.jobs) == 0 {
		return spool.Job{}, spool.ErrJob
	}
	j := y.jobs[0]
	y.jobs = y.jobs[1:]
	return j, nil
}

func (y *tray) Kick(context.Context) error {
	if y.fails == nil {
		y.kicks++
	}
	return y.fails
}

// The drawer is a supervisor's, open roles or not, and every try at it is in the audit log, before it opens and after.
func TestDrawerIsASupervisors(t *testing.T) {
	for _, open := range []bool{false, true} {
		d, tokens := staffed(t, newScript(t), func(p *people.Policy) { p.Open = open })
		y := &tray{}
		d.cfg.Printer, d.h = y, nil
		d.h = New(d.cfg).Socket()
		d.book.rows = nil
		for _, role := range []people.Role{people.Cashier, people.Technician, people.Administrator} {
			d.refused(tokens[role], "POST", "/v1/drawer", "", http.StatusForbidden, "not_allowed")
		}
		d.refused("", "POST", "/v1/drawer", "", http.StatusUnauthorized, "log_in")
		if y.kicks != 0 {
			t.Fatal("the drawer opened for somebody who may not")
		}
		d.book.rows = nil
		d.ok(tokens[people.Supervisor], "POST", "/v1/drawer", "")
		y.fails = errors.New("no paper, and no power")
		d.refused(tokens[people.Supervisor], "POST", "/v1/drawer", "", http.StatusServiceUnavailable, "drawer")
		const want = `sara drawer  tried asks for the cash drawer to be opened
sara drawer  done the cash drawer was opened
sara drawer  tried asks for the cash drawer to be opened
sara drawer  failed the cash drawer was not opened: no paper, and no power`
		if got := d.book.words(); got != want || y.kicks != 1 {
			t.Errorf("%d kicks, audited:\n%s\nwant:\n%s", y.kicks, got, want)
		}
		y.fails = nil
		d.book.fail = errors.New("disk full")
		d.refused(tokens[people.Supervisor], "POST", "/v1/drawer", "", http.StatusInternalServerError, "internal")
		if y.kicks != 1 {
			t.Error("the drawer opened without a row in the audit log")
		}
	}
}

// Who may print what; who gives a paper up is in the audit log.
func TestPrintOrders(t *testing.T) {
	sale := aSale(t, 7, "Approved")
	d, tokens := staffed(t, newScript(t, call{"Sale", []any{sale.ID}, []any{sale, nil}}))
	y := &tray{}
	d.cfg.Printer = y
	d.h = New(d.cfg).Socket()
	d.ok(tokens[people.Cashier], "POST", "/v1/printer/print", `{"what":"receipt","sale":7,"copy":"merchant"}`)
	d.ok(tokens[people.Technician], "POST", "/v1/printer/print", `{"what":"test"}`)
	d.ok(tokens[people.Supervisor], "POST", "/v1/printer/print", `{"what":"report","report":"z","batch":3}`)
	want := []spool.Job{
		{What: spool.Receipt, Sale: 7, Copy: receipt.Merchant, Duplicate: true}, {What: spool.Test}, {What: spool.Report, Report: "z", Batch: 3},
	}
	if !slices.Equal(y.jobs, want) {
		t.Errorf("%+v", y.jobs)
	}
	d.refused(tokens[people.Technician], "POST", "/v1/printer/print", `{"what":"receipt","sale":7,"copy":"merchant"}`, http.StatusForbidden, "not_allowed")
	d.refused(tokens[people.Administrator], "POST", "/v1/printer/print", `{"what":"test"}`, http.StatusForbidden, "not_allowed")
	d.refused("", "POST", "/v1/printer/drop", "", http.StatusUnauthorized, "log_in")
	d.refused(tokens[people.Cashier], "POST", "/v1/printer/print", `{"what":"report","report":"y"}`, http.StatusBadRequest, "bad_print")
	d.book.rows = nil
	d.ok(tokens[people.Cashier], "POST", "/v1/printer/drop", "")
	if got := d.book.words(); got != "carim print  done gave up the merchant receipt of sale 7 that waited for the printer" {
		t.Errorf("audited: %s", got)
	}
	y.fails = spool.ErrFull
	d.refused(tokens[people.Cashier], "POST", "/v1/printer/print", `{"what":"test"}`, http.StatusConflict, "printer_full")
	if text := string(d.ok("", "GET", "/v1/printer", "")); !strings.Contains(text, `"waiting":3`) || !strings.Contains(text, `"ready":true`) {
		t.Error(text)
	}
}

// Without a printer every order says so, and the status has none.
func TestNoPrinter(t *testing.T) {
	d, tokens := staffed(t, newScript(t))
	d.refused(tokens[people.Cashier], "POST", "/v1/printer/print", `{"what":"test"}`, http.StatusConflict, "no_printer")
	d.refused(tokens[people.Supervisor], "POST", "/v1/drawer", "", http.StatusConflict, "no_printer")
	d.refused("", "GET", "/v1/printer", "", http.StatusConflict, "no_printer")
}
