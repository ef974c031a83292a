package screen

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

func get(t *testing.T, method, at string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, at, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, res *http.Response) string {
	t.Helper()
	from := io.Reader(res.Body)
	if res.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		from = z
	}
	b, err := io.ReadAll(from)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestPages: both pages are there, are asked for anew each time, and all that they name is there, kept for ever, with its type.
func TestPages(t *testing.T) {
	names := regexp.MustCompile(`(?:href|src)="([^"]+)"`)
	for _, page := range []string{"/", "/customer"} {
		res := get(t, http.MethodGet, page)
		text := body(t, res)
		if res.StatusCode != http.StatusOK || res.Header.Get("Cache-Control") != "no-cache" || !strings.HasPrefix(text, "<!doctype html>") {
			t.Fatalf("%s: %s, %s", page, res.Status, res.Header)
		}
		all := names.FindAllStringSubmatch(text, -1)
		if len(all) < 3 {
			t.Errorf("%s names %d files: a script, a style and an icon are wanted", page, len(all))
		}
		for _, m := range all {
			res := get(t, http.MethodGet, m[1])
			if res.StatusCode != http.StatusOK || !strings.Contains(res.Header.Get("Cache-Control"), "immutable") || res.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s names %s: %s, %s", page, m[1], res.Status, res.Header)
			}
			if strings.HasSuffix(m[1], ".js") && res.Header.Get("Content-Type") != "text/javascript; charset=utf-8" {
				t.Errorf("%s is %s", m[1], res.Header.Get("Content-Type"))
			}
		}
		if strings.Contains(text, "<style") || strings.Contains(text, "style=") || regexp.MustCompile(`<script[^>]*>[^<]`).MatchString(text) {
			t.Errorf("%s has style or script in line, which its policy refuses", page)
		}
	}
}

// TestNothingElse: no folder is listed, no source is served, and nothing is changed through a page.
func TestNothingElse(t *testing.T) {
	for _, at := range []string{"/index.html", "/assets/", "/assets", "/assets/../screen.go", "/sources.sha256", "/dist/index.html", "/customer/", "/v1/status"} {
		if res := get(t, http.MethodGet, at); res.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s", at, res.Status)
		}
	}
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions} {
		if res := get(t, method, "/"); res.StatusCode != http.StatusMethodNotAllowed || res.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: %s", method, res.Status)
		}
	}
}

// TestEncodings: the same page in both encodings, each with a tag of its own, by which it is not sent twice.
func TestEncodings(t *testing.T) {
	plain, packed := get(t, http.MethodGet, "/"), get(t, http.MethodGet, "/", "Accept-Encoding", "br, gzip;q=0.8")
	if plain.Header.Get("Content-Encoding") != "" || packed.Header.Get("Content-Encoding") != "gzip" || packed.Header.Get("Vary") != "Accept-Encoding" {
		t.Fatalf("encodings: %s and %s", plain.Header, packed.Header)
	}
	if body(t, plain) != body(t, packed) {
		t.Error("the encodings hold different pages")
	}
	tag, other := plain.Header.Get("ETag"), packed.Header.Get("ETag")
	if tag == other || !strings.HasPrefix(tag, `"`) || !strings.HasPrefix(other, `"`) {
		t.Errorf("tags %s and %s: strong ones, of one encoding each, are wanted", tag, other)
	}
	for _, c := range []struct {
		name, has, accept string
		want              int
	}{
		{"known", tag, "", http.StatusNotModified},
		{"known among others", `"x", W/` + tag, "", http.StatusNotModified},
		{"known, packed", other, "gzip", http.StatusNotModified},
		{"known of the other encoding", other, "", http.StatusOK},
		{"an older one", `"x"`, "", http.StatusOK},
		{"anything", "*", "", http.StatusNotModified},
	} {
		if res := get(t, http.MethodGet, "/", "If-None-Match", c.has, "Accept-Encoding", c.accept); res.StatusCode != c.want {
			t.Errorf("%s: %s", c.name, res.Status)
		}
	}
	if res := get(t, http.MethodHead, "/"); res.ContentLength == 0 || body(t, res) != "" {
		t.Error("HEAD: a length and no body are wanted")
	}
}

func TestTakesGzip(t *testing.T) {
	for accept, want := range map[string]bool{
		"": false, "gzip": true, "GZIP": true, "br": false, "*": true, "gzip;q=0": false, "gzip; q=0.000, *": false, "br, *;q=0": false, "deflate, gzip;q=0.5": true,
	} {
		if got := takesGzip(accept); got != want {
			t.Errorf("%q: %v", accept, got)
		}
	}
}

// TestHalfADist: a build without a page, or with a file that nobody knows the type of, is refused.
func TestHalfADist(t *testing.T) {
	page := &fstest.MapFile{Data: []byte("x")}
	for name, files := range map[string]fstest.MapFS{
		"no customer": {"dist/index.html": page},
		"no cashier":  {"dist/customer.html": page},
		"no type":     {"dist/index.html": page, "dist/customer.html": page, "dist/assets/a.exe": page},
	} {
		if _, err := load(files); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if files, err := load(fstest.MapFS{"dist/index.html": page, "dist/customer.html": page}); err != nil || len(files) != 2 {
		t.Errorf("a whole one: %v", err)
	}
}

// FuzzHeaders: whatever a browser accepts or knows, it gets the page or the word that it has it.
func FuzzHeaders(f *testing.F) {
	f.Add("gzip;q=0.5, br", `W/"a", "b"`)
	f.Add(";;q=,,*", `"`)
	h := Handler()
	f.Fuzz(func(t *testing.T, accept, known string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.Header.Set("Accept-Encoding", accept)
		r.Header.Set("If-None-Match", known)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		switch w.Code {
		case http.StatusOK:
			if strings.Contains(known, w.Header().Get("ETag")) && !strings.Contains(known, ",") && strings.TrimSpace(known) == w.Header().Get("ETag") {
				t.Errorf("%q was known", known)
			}
		case http.StatusNotModified:
			if w.Body.Len() > 0 {
				t.Error("304 has a body")
			}
		default:
			t.Errorf("%d", w.Code)
		}
	})
}
