package till

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"tillway/terminal"
	"tillway/terminal/people"
	"tillway/terminal/selftest"
)

// TestSelftestRoute: the test is a supervisor's and a technician's, is refused while a sale runs, and its answer has the faults.
func TestSelftestRoute(t *testing.T) {
	idle := call{name: "Current", ret: []any{terminal.Sale{}, false}}
	d, tokens := staffed(t, newScript(t, idle, idle, call{name: "Current", ret: []any{aSale(t, 7, terminal.Sending), true}}))
	tests := 0
	d.cfg.Selftest = func(context.Context) selftest.Report {
		tests++
		return selftest.NewReport(time.Now(), time.Second, "test", true, []selftest.Finding{selftest.Bad("host_closed", "bank:1", "Nobody listens.")})
	}
	d.h = New(d.cfg).Socket()
	d.refused("", "POST", "/v1/selftest", "", http.StatusUnauthorized, "log_in")
	d.refused(tokens[people.Cashier], "POST", "/v1/selftest", "", http.StatusForbidden, "not_allowed")
	if tests != 0 {
		t.Error("it was made for somebody who may not")
	}
	for _, role := range []people.Role{people.Supervisor, people.Technician} {
		if got := string(d.ok(tokens[role], "POST", "/v1/selftest", "")); !strings.Contains(got, `"fault":"host_closed"`) || !strings.Contains(got, `"faults":1`) {
			t.Error(got)
		}
	}
	d.refused(tokens[people.Technician], "POST", "/v1/selftest", "", http.StatusConflict, "busy")
	if tests != 2 {
		t.Errorf("made %d times", tests)
	}
}
