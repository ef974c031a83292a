package main

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/fstest"

	"tillway/terminal/provision"
)

// The parameter server gives a terminal its package and no other file, and says when there is nothing else.
func TestParameters(t *testing.T) {
	dir := fstest.MapFS{
		"TILL0001.tillway": {Data: []byte("package one")}, "TILL0002.tillway": {Data: make([]byte, provision.MaxBytes+1)}, "secret": {Data: []byte("x")},
	}
	tag := fmt.Sprintf("\"%x\"", sha256.Sum256([]byte("package one")))
	for name, c := range map[string]struct {
		path, known string
		status      int
		body        string
	}{
		"a package":               {"/params/TILL0001", "", 200, "package one"},
		"another is known":        {"/params/TILL0001", `"0123"`, 200, "package one"},
		"that one is known":       {"/params/TILL0001", tag, 304, ""},
		"several are known":       {"/params/TILL0001", `"0123", ` + tag, 304, ""},
		"no package":              {"/params/TILL0009", "", 404, ""},
		"too large":               {"/params/TILL0002", "", 500, ""},
		"no terminal":             {"/params/secret", "", 404, ""},
		"a path that climbs":      {"/params/..%2F..%2Fetc", "", 404, ""},
		"another path altogether": {"/secret", "", 404, ""},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, c.path, nil)
		if c.known != "" {
			r.Header.Set("If-None-Match", c.known)
		}
		w := httptest.NewRecorder()
		parameters(dir).ServeHTTP(w, r)
		if w.Code != c.status || c.body != "" && w.Body.String() != c.body {
			t.Errorf("%s: %d %q", name, w.Code, w.Body.String())
		}
	}
}
