package till

import (
	"net/http"
	"strings"
	"testing"

	"tillway/terminal"
	"tillway/terminal/people"
)

// switchboard is a training mode that a sale may hold.
type switchboard struct {
	on    bool
	holds error
}

func (s *switchboard) On() bool { return s.on }
func (s *switchboard) Switch(on bool) error {
	if s.holds == nil {
		s.on = on
	}
	return s.holds
}

// Training is a cashier's and a supervisor's to put on, every switch is audited before it counts, and the drawer stays shut meanwhile.
func TestTrainingRoute(t *testing.T) {
	d, tokens := staffed(t, newScript(t))
	board, y := &switchboard{}, &tray{}
	d.cfg.Training, d.cfg.Printer = board, y
	d.h = New(d.cfg).Socket()
	d.refused("", "POST", "/v1/training", `{"on":true}`, http.StatusUnauthorized, "log_in")
	d.refused(tokens[people.Technician], "POST", "/v1/training", `{"on":true}`, http.StatusForbidden, "not_allowed")
	d.book.rows = nil
	cashier := tokens[people.Cashier]
	if got := string(d.ok(cashier, "POST", "/v1/training", `{"on":true}`)); !board.on || !strings.Contains(got, `{"on":true}`) {
		t.Errorf("on %t, %s", board.on, got)
	}
	d.refused(tokens[people.Supervisor], "POST", "/v1/drawer", "", http.StatusConflict, "training")
	if y.kicks != 0 {
		t.Error("the drawer opened for practice")
	}
	board.holds = terminal.ErrBusy
	d.refused(cashier, "POST", "/v1/training", `{"on":false}`, http.StatusConflict, "busy")
	board.holds = nil
	for _, body := range []string{`{}`, `{"on":"no"}`, `{"on":false,"on":true}`, `{"on":false,"x":1}`, `[]`} {
		d.refused(cashier, "POST", "/v1/training", body, http.StatusBadRequest, "bad_body")
	}
	if got := string(d.ok(cashier, "GET", "/v1/training", "")); !strings.Contains(got, `{"on":true}`) {
		t.Error(got)
	}
	d.ok(tokens[people.Supervisor], "POST", "/v1/training", `{"on":false}`)
	words := d.book.words()
	for _, want := range []string{"training  tried training mode on", "training  done training mode on", "training  failed training mode off", "sara training  done training mode off"} {
		if !strings.Contains(words, want) {
			t.Errorf("%q is not in the audit log:\n%s", want, words)
		}
	}
}

func TestNoTraining(t *testing.T) {
	d, tokens := staffed(t, newScript(t))
	d.refused(tokens[people.Cashier], "POST", "/v1/training", `{"on":true}`, http.StatusConflict, "no_training")
}
