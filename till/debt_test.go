package till

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"tillway/terminal"
	"tillway/terminal/people"
)

// Who decides about a parked debt goes to the lane by name, and is in the audit log before and after.
func TestDecisionsAboutAParkedDebt(t *testing.T) {
	retry := terminal.DebtDecision{Debt: 3, Event: terminal.DebtRequeued, By: "tariq"}
	asked := retry
	asked.Asked = true
	writeOff := terminal.DebtDecision{Debt: 3, Event: terminal.DebtWrittenOff, By: "sara", Note: "by phone, أحمد"}
	park := terminal.DebtDecision{Debt: 3, Event: terminal.DebtPut, By: "sara"}
	owed, gone := terminal.Debt{ID: 3, Sale: 7, State: terminal.Owed, Message: []byte("4761739001010119")}, terminal.Debt{ID: 3, Sale: 7, State: terminal.WrittenOff}
	d, tokens := staffed(t, newScript(t,
		call{"Decide", []any{retry}, []any{owed, nil}},
		call{"Decide", []any{retry}, []any{terminal.Debt{}, fmt.Errorf("debt 3: %w", terminal.ErrAskBank)}},
		call{"Decide", []any{asked}, []any{owed, nil}},
		call{"Decide", []any{park}, []any{terminal.Debt{ID: 3, Sale: 7, State: terminal.Parked}, nil}},
		call{"Decide", []any{writeOff}, []any{gone, nil}},
		call{"Decide", []any{writeOff}, []any{terminal.Debt{}, fmt.Errorf("debt 3: %w", terminal.ErrNoDebt)}},
	))
	d.book.rows = nil
	for i, c := range []struct {
		role       people.Role
		path, body string
		want       terminal.DebtState
	}{
		{people.Technician, "/v1/queue/3/retry", "", terminal.Owed},
		{people.Technician, "/v1/queue/3/retry?asked=true", "", terminal.Owed},
		{people.Supervisor, "/v1/queue/3/park", "", terminal.Parked},
		{people.Supervisor, "/v1/queue/3/write-off", `{"note":"by phone, أحمد"}`, terminal.WrittenOff},
	} {
		if i == 1 {
			d.refused(tokens[c.role], "POST", "/v1/queue/3/retry", "", 409, "ask_bank")
		}
		body := d.ok(tokens[c.role], "POST", c.path, c.body)
		var got terminal.Debt
		if err := json.Unmarshal(body, &got); err != nil || got.ID != 3 || got.State != c.want || strings.Contains(string(body), "47617") {
			t.Errorf("%s: %s (%v)", c.path, body, err)
		}
	}
	d.refused(tokens[people.Supervisor], "POST", "/v1/queue/3/write-off", `{"note":"by phone, أحمد"}`, 404, "no_such_debt")
	d.refused(tokens[people.Supervisor], "POST", "/v1/queue/3/retry?asked=yes", "", 400, "bad_query")
	const want = `tariq debt  tried has debt 3 sent again
tariq debt  done has debt 3 sent again
tariq debt  tried has debt 3 sent again
tariq debt  failed has debt 3 sent again
tariq debt  tried has debt 3 sent again: the bank was asked and does not have it
tariq debt  done has debt 3 sent again: the bank was asked and does not have it
sara debt  tried parks debt 3
sara debt  done parks debt 3
sara debt  tried writes off debt 3; the note is in the journal
sara debt  done writes off debt 3; the note is in the journal
sara debt  tried writes off debt 3; the note is in the journal
sara debt  failed writes off debt 3; the note is in the journal`
	if got := d.book.words(); got != want {
		t.Errorf("audited:\n%s\nwant:\n%s", got, want)
	}
}

// A decision that cannot be audited is not carried out.
func TestDecisionIsAuditedFirst(t *testing.T) {
	d, tokens := staffed(t, newScript(t))
	d.book.fail = fmt.Errorf("disk full")
	d.refused(tokens[people.Supervisor], "POST", "/v1/queue/3/retry", "", 500, "internal")
}

func TestDecisionsThatAreRefused(t *testing.T) {
	for err, want := range map[error]struct {
		status int
		code   string
	}{
		terminal.ErrNoDebt:        {404, "no_such_debt"},
		terminal.ErrNotParked:     {409, "not_parked"},
		terminal.ErrOtherAcquirer: {409, "other_acquirer"},
		terminal.ErrNote:          {422, "note_refused"},
		terminal.ErrQuarantined:   {500, "quarantined"},
	} {
		d, tokens := staffed(t, newScript(t, call{"Decide", []any{terminal.DebtDecision{Debt: 123456789012345, Event: terminal.DebtRequeued, By: "sara"}}, []any{terminal.Debt{}, err}}))
		d.refused(tokens[people.Supervisor], "POST", "/v1/queue/123456789012345/retry", "", want.status, want.code)
	}
	d, tokens := staffed(t, newScript(t))
	sara := tokens[people.Supervisor]
	for _, id := range []string{"0", "-3", "x", "9223372036854775808"} {
		d.refused(sara, "POST", "/v1/queue/"+id+"/retry", "", http.StatusBadRequest, "bad_id")
		d.refused(sara, "POST", "/v1/queue/"+id+"/write-off", `{"note":"x"}`, http.StatusBadRequest, "bad_id")
	}
	for _, body := range []string{`{"note":1}`, `{"note":"a","note":"b"}`, `{"note":"a","by":"me"}`, `{"note":"a"}{}`, `[]`, `"a"`, `{"note":`} {
		d.refused(sara, "POST", "/v1/queue/3/write-off", body, http.StatusBadRequest, "bad_body")
	}
	d.refused(sara, "POST", "/v1/queue/3/write-off", "", http.StatusUnsupportedMediaType, "not_json")
}
