package till

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"tillway/terminal/people"
	"tillway/terminal/provision"
)

// shelf is parameters that keep what they were given and answer an error.
type shelf struct {
	file   []byte
	word   Word
	by     string
	look   bool
	backBy string
	answer error
}

func (s *shelf) State(context.Context) ParametersState {
	return ParametersState{Packaged: true, Works: true, Highest: 7, Current: &PackageState{Version: 7}}
}

func (s *shelf) Apply(_ context.Context, file []byte, word Word, by string, look bool) error {
	s.file, s.word, s.by, s.look = file, word, by, look
	return s.answer
}

func (s *shelf) Back(_ context.Context, by string) error { s.backBy = by; return s.answer }

func (s *shelf) File() []byte { return []byte("package") }

// hand gives a desk a package.
func hand(t *testing.T, h http.Handler, token, path, kind, body string, at net.Addr) *httptest.ResponseRecorder {
	t.Helper()
	ctx := t.Context()
	if at != nil {
		ctx = context.WithValue(ctx, http.LocalAddrContextKey, at)
	}
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, path, strings.NewReader(body))
	r.Host = Host
	r.Header.Set("Content-Type", kind)
	r.Header.Set(FingerprintHeader, "AAAA")
	r.Header.Set(TerminalHeader, "TILL0001")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// A package is handed on whole, with who brought it and what was compared; by a technician or an administrator at this machine, in its own
// media type, and of a bounded size. Going back is an administrator's.
func TestPackages(t *testing.T) {
	reached := false
	d, tokens := staffed(t, far{&reached})
	kept := &shelf{}
	d.cfg.Parameters = kept
	d.h = New(d.cfg).Socket()
	technician, administrator := tokens[people.Technician], tokens[people.Administrator]
	if w := hand(t, d.h, technician, "/v1/provision", PackageType, "a package", nil); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"version":7`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if string(kept.file) != "a package" || kept.by != "tariq" || kept.look || kept.word != (Word{"AAAA", "TILL0001"}) {
		t.Errorf("%+v", kept)
	}
	if w := hand(t, d.h, technician, "/v1/provision?look=true", PackageType, "a package", nil); w.Code != http.StatusOK || !kept.look {
		t.Errorf("%d %+v", w.Code, kept)
	}
	kept.by = ""
	for _, role := range []people.Role{"", people.Cashier, people.Supervisor} {
		for _, path := range []string{"/v1/provision", "/v1/provision/rollback"} {
			if w := hand(t, d.h, tokens[role], path, PackageType, "x", nil); w.Code != http.StatusUnauthorized && w.Code != http.StatusForbidden {
				t.Errorf("%s by %q: %d", path, role, w.Code)
			}
		}
	}
	isProblem(t, hand(t, d.h, technician, "/v1/provision/rollback", "application/json", "", nil), http.StatusForbidden, "not_allowed")
	isProblem(t, hand(t, d.h, technician, "/v1/provision", "application/json", "{}", nil), http.StatusUnsupportedMediaType, "not_package")
	isProblem(t, hand(t, d.h, technician, "/v1/provision", PackageType, strings.Repeat("x", provision.MaxBytes+1), nil), http.StatusRequestEntityTooLarge, "package_malformed")
	afar := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8580}
	isProblem(t, hand(t, d.h, technician, "/v1/provision", PackageType, "x", afar), http.StatusForbidden, "not_local")
	isProblem(t, hand(t, d.h, administrator, "/v1/provision/rollback", "application/json", "", afar), http.StatusForbidden, "not_local")
	if kept.by != "" || kept.backBy != "" || !strings.Contains(d.book.words(), "parameters from afar") {
		t.Errorf("what was refused came through: %+v", kept)
	}
	if w := hand(t, d.h, administrator, "/v1/provision/rollback", "application/json", "", nil); w.Code != http.StatusOK || kept.backBy != "amal" {
		t.Errorf("%d %s by %s", w.Code, w.Body, kept.backBy)
	}
	if w := d.ask(technician, "GET", "/v1/provision/package", ""); w.Body.String() != "package" || w.Header().Get("Content-Type") != PackageType {
		t.Errorf("%s %s", w.Header(), w.Body)
	}
	d.refused(tokens[people.Cashier], "GET", "/v1/provision/package", "", http.StatusForbidden, "not_allowed")
	d.ok("", "GET", "/v1/provision", "")
}

// Every refusal says that nothing was changed, and a terminal whose config names everything itself takes no package.
func TestPackagesRefused(t *testing.T) {
	reached := false
	d, tokens := staffed(t, far{&reached})
	isProblem(t, hand(t, d.h, tokens[people.Technician], "/v1/provision", PackageType, "x", nil), http.StatusConflict, "no_packages")
	if got := string(d.ok("", "GET", "/v1/provision", "")); !strings.Contains(got, `"packaged":false`) {
		t.Error(got)
	}
	kept := &shelf{}
	d.cfg.Parameters = kept
	d.h = New(d.cfg).Socket()
	for _, row := range problemsOfParameters() {
		kept.answer = fmt.Errorf("%w: so it is", row.err)
		p := isProblem(t, hand(t, d.h, tokens[people.Technician], "/v1/provision", PackageType, "x", nil), row.status, row.code)
		if !strings.Contains(p.Do, "Nothing was changed") || !strings.Contains(p.Detail, "so it is") {
			t.Errorf("%+v", p)
		}
	}
}
