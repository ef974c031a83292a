package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"

	"tillway/terminal"
)

// strictly makes every object of a description closed, so that a member that is not described is found.
func strictly(v any) {
	switch v := v.(type) {
	case map[string]any:
		if _, has := v["properties"]; has && v["type"] == "object" {
			v["additionalProperties"] = false
		}
		for name, inner := range v {
			if name != "example" {
				strictly(inner)
			}
		}
	case []any:
		for _, inner := range v {
			strictly(inner)
		}
	}
}

// judgeOf makes a judge of a description: a validator that somebody else wrote.
func judgeOf(t *testing.T, description []byte) validator.Validator {
	t.Helper()
	var tree map[string]any
	if err := json.Unmarshal(description, &tree); err != nil {
		t.Fatal(err)
	}
	strictly(tree)
	closed, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := libopenapi.NewDocument(closed)
	if err != nil {
		t.Fatal(err)
	}
	v, errs := validator.NewValidator(doc)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	if ok, found := v.ValidateDocument(); !ok {
		for _, f := range found {
			t.Errorf("the description is no OpenAPI 3.1: %s: %s", f.Message, f.Reason)
		}
	}
	return v
}

// TestDescriptionFitsTheTerminal: what a real terminal answers at the door for cash registers, orders, problems and all, is what its
// description says, member by member.
func TestDescriptionFitsTheTerminal(t *testing.T) {
	w := registers(t)
	r := w.register(t, "till-3")
	session, err := sessionToken(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	res, err := r.try(t.Context(), "GET", "/v1/openapi.json", "")
	if err != nil {
		t.Fatal(err)
	}
	description, err := io.ReadAll(res.Body)
	if err != nil || res.Body.Close() != nil {
		t.Fatal(err)
	}
	judge := judgeOf(t, description)
	asked := 0
	try := func(token, method, path, body string, want int) string {
		t.Helper()
		asked++
		req, err := http.NewRequestWithContext(t.Context(), method, r.url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		if body != "" {
			req.Header.Set("Content-Type", "application/json")
		}
		res, err := r.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(res.Body)
		if err != nil || res.Body.Close() != nil {
			t.Fatal(err)
		}
		if res.StatusCode != want {
			t.Fatalf("%s %s: %d %s", method, path, res.StatusCode, text)
		}
		req.Body, res.Body = io.NopCloser(strings.NewReader(body)), io.NopCloser(bytes.NewReader(text))
		check := judge.ValidateHttpRequestResponse
		if want >= 400 { // the request may be what is wrong
			check = judge.ValidateHttpResponse
		}
		if ok, found := check(req, res); !ok {
			for _, f := range found {
				t.Errorf("%s %s: %s: %s", method, path, f.Message, f.Reason)
				for _, s := range f.SchemaValidationErrors {
					t.Errorf("    %s at %s", s.Reason, s.FieldPath)
				}
			}
			t.Logf("it answered %.2000s", text)
		}
		return string(text)
	}
	for n, order := range []string{
		`{"kind":"sale","amount":{"minor":10525,"currency":"KWD"},"reference":"table 7","key":"k1"}`,
		`{"kind":"sale","amount":{"minor":10051,"currency":"KWD"},"key":"k2"}`,
		`{"kind":"refund","of":1,"amount":{"minor":525,"currency":"KWD"},"key":"k3"}`,
		`{"kind":"void","of":3,"key":"k4"}`,
	} {
		try(r.token, "POST", "/v1/sales", order, 201)
		var sale terminal.Sale
		if err := w.await(t.Context(), "the transaction has ended", func(ctx context.Context) bool {
			err := get(ctx, w.local, fmt.Sprintf("http://posd/v1/sales/%d", n+1), &sale)
			return err == nil && sale.State.Final()
		}); err != nil {
			t.Fatal(n, err)
		}
		if err := w.settled(t.Context()); err != nil { // and the card is out
			t.Fatal(n, err)
		}
	}
	for _, path := range []string{
		"/v1/me", "/v1/status", "/v1/words", "/v1/watch?after=0", "/v1/kernel", "/v1/kernel?format=text", "/v1/sales", "/v1/sales?key=k1", "/v1/sales?last=1&before=3",
		"/v1/sales?state=Approved&kind=sale&pan=0119&from=2026-01-01", "/v1/sales/1", "/v1/sales/2", "/v1/sales/4", "/v1/sales/1/why", "/v1/sales/2/why", "/v1/sales/1/messages",
		"/v1/sales/1/transcript", "/v1/sales/1/receipt", "/v1/sales/2/receipt?copy=merchant", "/v1/sales/1/receipt?format=text&lang=both", "/v1/sales/1/receipt?format=html",
		"/v1/sales/1/receipt?format=png&dots=384", "/v1/journal", "/v1/journal?after=3&limit=2", "/v1/report/x", "/v1/report/x?format=text",
	} {
		try(r.token, "GET", path, "", 200)
	}
	for _, path := range []string{"/v1/queue", "/v1/users", "/v1/ecrs", "/v1/audit", "/v1/me"} {
		try(session, "GET", path, "", 200)
	}
	try(session, "POST", "/v1/audit/verify", "", 200)
	try(session, "POST", "/v1/ecrs", `{"name":"till-9","may":["sale"]}`, 201)
	try(session, "POST", "/v1/ecrs/till-9/rotate", `{"overlap":"1h"}`, 200)
	try(session, "POST", "/v1/ecrs/till-9/nexo-keys", `{}`, 201)
	try(session, "POST", "/v1/ecrs/till-9/nexo-keys/1/retire", `{}`, 200)
	try(session, "POST", "/v1/ecrs/till-9/revoke", `{}`, 200)
	try(session, "POST", "/v1/users/"+supervisor, `{"lock":true}`, 200)
	for _, c := range []struct {
		method, path, body string
		status             int
	}{
		{"POST", "/v1/sales", `{"kind":"sale"}`, 400},
		{"POST", "/v1/sales", `{"kind":"sale","amount":{"minor":1,"currency":"KWD"},"key":"k1"}`, 409},
		{"POST", "/v1/sales", `{"kind":"sale","amount":{"minor":0,"currency":"KWD"}}`, 422},
		{"POST", "/v1/sales", `{"kind":"refund","amount":{"minor":1,"currency":"KWD"}}`, 403},
		{"POST", "/v1/sales", strings.Repeat(" ", 5000), 413},
		{"POST", "/v1/cancel", "", 409},
		{"GET", "/v1/sales/99", "", 404},
		{"GET", "/v1/sales/x", "", 400},
		{"GET", "/v1/sales?keys=k1", "", 400},
		{"GET", "/v1/printer", "", 409},
		{"GET", "/v1/users", "", 403},
		{"GET", "/v1/report/z", "", 404},
	} {
		try(r.token, c.method, c.path, c.body, c.status)
	}
	try(strings.Repeat("0", 64), "GET", "/v1/status", "", 401)
	if asked < 50 {
		t.Errorf("only %d answers were judged", asked)
	}
	fmt.Fprintf(t.Output(), "%d answers were judged\n", asked)
}

// sessionToken is that of whoever is logged in with pos.
func sessionToken(ctx context.Context, w *world) (string, error) {
	var in struct {
		Token string `json:"token"`
	}
	err := post(ctx, w.local, "http://posd/v1/login", map[string]string{"name": administrator, "secret": theirSecret}, &in)
	return in.Token, err
}
