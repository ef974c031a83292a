package till

import (
	"net/http"
	"testing"

	"tillway/terminal"
)

func TestSignature(t *testing.T) {
	for body, matches := range map[string]bool{`{"matches":true}`: true, `{"matches":false}`: false} {
		h := handlerFor(t, newScript(t,
			call{"Agree", []any{terminal.SaleID(7), terminal.Agreement{Matches: matches, By: "somebody who has not logged in"}}, []any{nil}},
			call{"Snapshot", nil, []any{terminal.Snapshot{Version: 3}}},
		))
		if w := ask(t, h, http.MethodPost, "/v1/sales/7/signature", body); w.Code != http.StatusAccepted {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
	}
	h := handlerFor(t, newScript(t, call{"Agree", []any{terminal.SaleID(7), terminal.Agreement{Matches: true, By: "somebody who has not logged in"}}, []any{terminal.ErrAgreement}}))
	isProblem(t, ask(t, h, http.MethodPost, "/v1/sales/7/signature", `{"matches":true}`), http.StatusConflict, "no_signature")
}

// What is not plainly yes or no is neither.
func TestSignatureIsReadStrictly(t *testing.T) {
	for _, body := range []string{
		`{}`, `{"matches":null}`, `{"matches":1}`, `{"matches":"true"}`, `{"matches":true,"matches":false}`,
		`{"matches":true}{"matches":false}`, `{"matches":true,"by":"sara"}`, `true`, `[]`, `{"matches":tru`,
	} {
		isProblem(t, ask(t, handlerFor(t, newScript(t)), http.MethodPost, "/v1/sales/7/signature", body), http.StatusBadRequest, "bad_signature")
	}
	isProblem(t, ask(t, handlerFor(t, newScript(t)), http.MethodPost, "/v1/sales/0/signature", `{"matches":true}`), http.StatusBadRequest, "bad_id")
	isProblem(t, ask(t, handlerFor(t, newScript(t)), http.MethodPost, "/v1/sales/7/signature", ""), http.StatusUnsupportedMediaType, "not_json")
}

func FuzzSignature(f *testing.F) {
	for _, s := range []string{`{"matches":true}`, `{"matches":false}`, `{}`, `{"matches":true,"matches":true}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		matches, err := parseSignature(body)
		if matches && err != nil {
			t.Errorf("%q is refused, and matches", body)
		}
	})
}
