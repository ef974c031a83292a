// Package screen is the cashier's screen and the customer's display: the pages and what they load, embedded as they were bundled.
// It is files and nothing else: what a page may ask of the terminal is package till's, and who may load it is the door's.
//
// The sources are in src, TypeScript with Preact. Package bundle makes dist of them (make screen); dist is committed, so that
// building Tillway needs no Node. Sources: RFC 9110 (entity tags, content negotiation), RFC 8246 (immutable responses).
package screen

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

//go:embed dist
var dist embed.FS

// file is one answer, in both encodings.
type file struct {
	kind    string                 // Content-Type
	caching string                 // Cache-Control
	plain   func() ([]byte, error) // read anew each time: it is in the program's file, and most tills show no screen
	packed  func() []byte          // gzip; nil where that is no shorter; made when it is first asked for
	tag     string                 // of plain, without its quotes
}

// Handler serves the cashier's screen at /, the customer's display at /customer, and what they load below /assets/. It answers GET
// and HEAD; there is no listing of a folder. A name below /assets/ holds a digest of the file, so that a browser may keep it for ever;
// the pages are asked for anew each time. It panics where dist is not whole: that is a fault of the build.
func Handler() http.Handler {
	files, err := load(dist)
	if err != nil {
		panic("screen: " + err.Error())
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, ok := files[r.URL.Path]
		switch {
		case !ok:
			http.Error(w, "There is no such page. The cashier's screen is at /, the customer's display at /customer.", http.StatusNotFound)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "A page is read with GET.", http.StatusMethodNotAllowed)
		default:
			f.serve(w, r)
		}
	})
}

// load reads every file of a folder dist, by the path that it is asked for under.
func load(from fs.FS) (map[string]file, error) {
	files := map[string]file{}
	err := fs.WalkDir(from, "dist", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := fs.ReadFile(from, name)
		if err != nil {
			return err
		}
		at := strings.TrimPrefix(name, "dist")
		switch at {
		case "/index.html":
			at = "/"
		case "/customer.html":
			at = "/customer"
		case "/sources.sha256": // for the test that holds dist to the sources
			return nil
		}
		f, err := newFile(name, body, func() ([]byte, error) { return fs.ReadFile(from, name) })
		files[at] = f
		return err
	})
	for _, page := range []string{"/", "/customer"} {
		if _, ok := files[page]; err == nil && !ok {
			err = fmt.Errorf("the page %s is missing: make screen", page)
		}
	}
	return files, err
}

// kinds are the types of what is served, by the ends of names.
var kinds = map[string]string{
	".html": "text/html; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".svg":  "image/svg+xml",
	".ttf":  "font/ttf",
	".txt":  "text/plain; charset=utf-8",
}

// hashed are the names that hold a digest of the file: another file has another name.
var hashed = regexp.MustCompile(`^dist/assets/[a-z]+-[0-9A-Z]{8}\.[a-z0-9]+$`)

func newFile(name string, body []byte, again func() ([]byte, error)) (file, error) {
	sum := sha256.Sum256(body)
	f := file{kind: kinds[path.Ext(name)], caching: "no-cache", plain: again, tag: hex.EncodeToString(sum[:16])}
	if f.kind == "" {
		return f, fmt.Errorf("%s has no type", name)
	}
	if hashed.MatchString(name) {
		f.caching = "public, max-age=31536000, immutable"
	}
	f.packed = sync.OnceValue(func() []byte { return pack(again) })
	return f, nil
}

// pack is a file as gzip; nil where that is no shorter, or cannot be had: it is then served as it is.
func pack(read func() ([]byte, error)) []byte {
	body, err := read()
	if err != nil {
		return nil
	}
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return nil
	}
	if _, err := z.Write(body); err != nil {
		return nil
	}
	if err := z.Close(); err != nil || packed.Len() >= len(body) {
		return nil
	}
	return packed.Bytes()
}

func (f file) serve(w http.ResponseWriter, r *http.Request) {
	body, err := f.plain()
	if err != nil {
		http.Error(w, "The page cannot be read: "+err.Error(), http.StatusInternalServerError)
		return
	}
	tag, h := `"`+f.tag+`"`, w.Header()
	if packed := f.packed(); packed != nil {
		h.Set("Vary", "Accept-Encoding")
		if takesGzip(r.Header.Get("Accept-Encoding")) {
			body, tag = packed, `"`+f.tag+`-gz"` // a strong tag is one encoding's
			h.Set("Content-Encoding", "gzip")
		}
	}
	h.Set("Content-Type", f.kind)
	h.Set("Cache-Control", f.caching)
	h.Set("ETag", tag)
	h.Set("X-Content-Type-Options", "nosniff")
	if has(r.Header.Get("If-None-Match"), tag) {
		h.Del("Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodGet {
		_, _ = w.Write(body) // a client that went away asks again
	}
}

// takesGzip reads Accept-Encoding as far as it matters: gzip, or anything, that is not weighed with nothing (RFC 9110, 12.5.3).
func takesGzip(accept string) bool {
	takes := false
	for part := range strings.SplitSeq(accept, ",") {
		name, weight, _ := strings.Cut(strings.ToLower(strings.TrimSpace(part)), ";")
		name, weight = strings.TrimSpace(name), strings.ReplaceAll(weight, " ", "")
		_, q, weighed := strings.Cut(weight, "q=")
		if weighed && strings.Trim(q, "0.") == "" {
			if name == "gzip" {
				return false
			}
			continue
		}
		takes = takes || name == "gzip" || name == "*"
	}
	return takes
}

// has says whether If-None-Match names a tag; the weak form of it will do (RFC 9110, 13.1.2).
func has(list, tag string) bool {
	for part := range strings.SplitSeq(list, ",") {
		if t := strings.TrimPrefix(strings.TrimSpace(part), "W/"); t == tag || t == "*" {
			return true
		}
	}
	return false
}
