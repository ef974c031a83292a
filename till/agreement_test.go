package till

import (
	"net/http"
	"strings"
	"testing"

	"tillway/terminal"
)

// The word on a signature and the word on an approval in part are the same to the lane, under two routes.
func TestAgreement(t *testing.T) {
	for body, matches := range map[string]bool{`{"matches":true}`: true, `{"matches":false}`: false, `{"agreed":true}`: true, `{"agreed":false}`: false} {
		path := "/v1/sales/7/signature"
		if strings.Contains(body, "agreed") {
			path = "/v1/sales/7/agreement"
		}
		h := handlerFor(t, newScript(t,
			call{"Agree", []any{terminal.SaleID(7), terminal.Agreement{Matches: matches, By: "somebody who has not logged in"}}, []any{nil}},
			call{"Snapshot", nil, []any{terminal.Snapshot{Version: 3}}},
		))
		if w := ask(t, h, http.MethodPost, path, body); w.Code != http.StatusAccepted {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
	}
	h := handlerFor(t, newScript(t, call{"Agree", []any{terminal.SaleID(7), terminal.Agreement{Matches: true, By: "somebody who has not logged in"}}, []any{terminal.ErrAgreement}}))
	isProblem(t, ask(t, h, http.MethodPost, "/v1/sales/7/signature", `{"matches":true}`), http.StatusConflict, "no_signature")
}

// The word on a warning goes to the lane with who said it, and where nothing waits for it that is said.
func TestConfirmation(t *testing.T) {
	const nobody = "somebody who has not logged in"
	for body, meant := range map[string]bool{`{"meant":true}`: true, `{"meant":false}`: false} {
		h := handlerFor(t, newScript(t, call{"Confirm", []any{terminal.SaleID(7), meant, nobody}, []any{nil}}, call{"Snapshot", nil, []any{terminal.Snapshot{Version: 3}}}))
		if w := ask(t, h, http.MethodPost, "/v1/sales/7/confirmation", body); w.Code != http.StatusAccepted {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
	}
	h := handlerFor(t, newScript(t, call{"Confirm", []any{terminal.SaleID(7), true, nobody}, []any{terminal.ErrConfirm}}))
	isProblem(t, ask(t, h, http.MethodPost, "/v1/sales/7/confirmation", `{"meant":true}`), http.StatusConflict, "no_warning")
	isProblem(t, ask(t, handlerFor(t, newScript(t)), http.MethodPost, "/v1/sales/7/confirmation", `{"agreed":true}`), http.StatusBadRequest, "bad_confirmation")
}

// What is not plainly yes or no is neither.
func TestAgreementIsReadStrictly(t *testing.T) {
	for _, body := range []string{
		`{}`, `{"matches":null}`, `{"matches":1}`, `{"matches":"true"}`, `{"matches":true,"matches":false}`,
		`{"matches":true}{"matches":false}`, `{"matches":true,"by":"sara"}`, `true`, `[]`, `null`, `{"other":true}`, `{"Matches":true}`, `{"matches":tru`,
	} {
		isProblem(t, ask(t, handlerFor(t, newScript(t)), http.MethodPost, "/v1/sales/7/signature", body), http.StatusBadRequest, "bad_signature")
		body = strings.ReplaceAll(body, "matches", "agreed")
		isProblem(t, ask(t, handlerFor(t, newScript(t)), http.MethodPost, "/v1/sales/7/agreement", body), http.StatusBadRequest, "bad_agreement")
	}
	isProblem(t, ask(t, handlerFor(t, newScript(t)), http.MethodPost, "/v1/sales/0/signature", `{"matches":true}`), http.StatusBadRequest, "bad_id")
	isProblem(t, ask(t, handlerFor(t, newScript(t)), http.MethodPost, "/v1/sales/7/signature", ""), http.StatusUnsupportedMediaType, "not_json")
}

// Whatever the body, a yes is read only from one that says it once and says nothing else.
func FuzzAgreement(f *testing.F) {
	for _, s := range []string{`{"matches":true}`, `{"matches":false}`, `{}`, `{"matches":true,"matches":true}`, `{"agreed":true}`, `{"agreed":true,"by":"x"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, q := range []question{signatureQuestion, agreementQuestion} {
			yes, err := q.parse(body)
			if yes && err != nil {
				t.Errorf("%q is refused, and agreed to", body)
			}
			if flat := strings.Join(strings.Fields(string(body)), ""); yes && !strings.Contains(flat, `:true}`) {
				t.Errorf("%q is taken for a yes", body)
			}
		}
	})
}
