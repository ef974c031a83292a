package main

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"tillway/device/emulator"
	"tillway/device/emulator/virtualusb"
)

// The local page: buttons for the orders, and what card and terminal say to each other beside them. It is on loopback only, and any
// other web page that the same browser shows could try to reach it: pageGuard lets only itself in.

//go:embed page
var pageFiles embed.FS

// listenPage opens the page's address.
func listenPage(ctx context.Context, addr string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil || !loopback(host) {
		return nil, usageError{fmt.Errorf("--page %s is not a loopback address: use 127.0.0.1:PORT", addr)}
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("page: %w: choose another port with --page", err)
	}
	return l, nil
}

// servePage answers until the context ends.
func servePage(ctx context.Context, l net.Listener, d *desk) error {
	return serveHTTP(ctx, l, pageGuard(l.Addr().String(), d.pageHandler()))
}

func (d *desk) pageHandler() http.Handler {
	mux := http.NewServeMux()
	files, err := fs.Sub(pageFiles, "page")
	if err != nil {
		panic("page: " + err.Error()) // it is in the program
	}
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { pageFile(w, files, "index.html") })
	mux.HandleFunc("GET /page.js", func(w http.ResponseWriter, _ *http.Request) { pageFile(w, files, "page.js") })
	mux.HandleFunc("GET /page.css", func(w http.ResponseWriter, _ *http.Request) { pageFile(w, files, "page.css") })
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("GET /v1/choices", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, d.choices()) })
	mux.HandleFunc("GET /v1/events", d.events)
	mux.HandleFunc("POST /v1/do", d.pageOrder)
	return mux
}

func pageFile(w http.ResponseWriter, files fs.FS, name string) {
	text, err := fs.ReadFile(files, name)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
	_, _ = w.Write(text)
}

// pageGuard refuses every other name of this machine (a page elsewhere whose name was pointed here), every other page's requests, and
// orders that do not say that they come from this page.
func pageGuard(address string, next http.Handler) http.Handler {
	_, port, _ := net.SplitHostPort(address)
	hosts := []string{address, net.JoinHostPort("localhost", port)}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		origin, site := r.Header.Get("Origin"), r.Header.Get("Sec-Fetch-Site")
		switch {
		case !slices.Contains(hosts, r.Host):
			http.Error(w, "this page is at http://"+address+"/ only", http.StatusMisdirectedRequest)
			return
		case origin != "" && origin != "http://"+r.Host,
			site != "" && site != "same-origin" && (site != "none" || r.Method != http.MethodGet),
			r.Method != http.MethodGet && origin == "":
			http.Error(w, "orders come from this page only", http.StatusForbidden)
			return
		}
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// pageOrder carries out an order of the page's. Files are read at the command line's word only.
func (d *desk) pageOrder(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxOrder))
	line := string(body)
	if words := strings.Fields(line); err == nil && len(words) > 0 {
		switch {
		case words[0] == "insert" && (len(words) != 2 || !slices.Contains(emulator.ReadyNames(), words[1])):
			err = fmt.Errorf("%w: the page inserts ready cards only; \"readeremu ctl insert FILE\" takes a profile's file", errOrder)
		case words[0] == "wait":
			err = fmt.Errorf("%w: the page does not wait", errOrder)
		}
	}
	if err == nil {
		err = d.do(r.Context(), line)
	}
	if err != nil {
		http.Error(w, firstLine(err.Error()), http.StatusBadRequest)
		return
	}
	d.status(w)
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return strings.TrimSuffix(line, "; there are")
}

// choice is one thing to choose on the page.
type choice struct {
	Name string `json:"name"`
	Note string `json:"note"`
}

// choices are what the page offers.
type choices struct {
	Kind    string   `json:"kind"`
	Cards   []choice `json:"cards"`
	Stripes []choice `json:"stripes"` // empty: there is no stripe reader
	Faults  []string `json:"faults"`
	Printer bool     `json:"printer"`

	USB       []usbChoice            `json:"usb"` // empty: nothing is on USB
	USBFaults []virtualusb.FaultKind `json:"usbFaults"`
}

// usbChoice is a device on USB and its endpoints, in hexadecimal digits; 00 is the control pipe.
type usbChoice struct {
	Name      string   `json:"name"`
	Endpoints []string `json:"endpoints"`
}

func (d *desk) choices() choices {
	c := choices{Faults: d.reader.Faults(), Stripes: []choice{}, Printer: d.printer != nil, USB: d.usb.choices(), USBFaults: virtualusb.FaultKinds()}
	if s, err := d.reader.State(); err == nil {
		c.Kind = s.Kind
	}
	for _, name := range emulator.ReadyNames() {
		note := ""
		if p, err := emulator.Ready(name); err == nil {
			note = p.Note
		}
		c.Cards = append(c.Cards, choice{name, note})
	}
	if d.stripe == nil {
		return c
	}
	for _, name := range emulator.StripeNames() {
		if _, note, err := emulator.ReadyStripe(name); err == nil {
			c.Stripes = append(c.Stripes, choice{name, note})
		}
	}
	return c
}

const (
	pageLooks  = 200 * time.Millisecond // how often the state is looked at for the page
	pageBeat   = 15 * time.Second       // a line of comment, so that a page that has gone is noticed
	mostStream = 16                     // pages that look on at a time
)

// watching counts the pages that look on.
type watching struct{ n atomic.Int32 }

func (c *watching) enter() bool {
	if c.n.Add(1) > mostStream {
		c.n.Add(-1)
		return false
	}
	return true
}

// events is a stream of server-sent events: "state" whenever it has changed, "line" for each exchange, with its number as the event's id.
func (d *desk) events(w http.ResponseWriter, r *http.Request) {
	if !d.pages.enter() {
		http.Error(w, "too many pages look on: close one", http.StatusServiceUnavailable)
		return
	}
	defer d.pages.n.Add(-1)
	last, err := strconv.Atoi(r.Header.Get("Last-Event-ID"))
	if err != nil {
		last = 0
	}
	w.Header().Set("Content-Type", "text/event-stream")
	look, beat := time.NewTicker(pageLooks), time.NewTicker(pageBeat)
	defer look.Stop()
	defer beat.Stop()
	s := stream{w: w, flush: http.NewResponseController(w)}
	for s.err == nil {
		s.state(d.reader.State())
		lines, more := d.log.follow(last)
		for _, l := range lines {
			s.send("line", l.N, l)
			last = l.N
		}
		s.done()
		select {
		case <-r.Context().Done():
			return
		case <-more:
		case <-look.C:
		case <-beat.C:
			s.write(":\n\n")
		}
	}
}

// stream writes events; the first error stays.
type stream struct {
	w      http.ResponseWriter
	flush  *http.ResponseController
	before string // the last state
	dirty  bool
	err    error
}

func (s *stream) write(text string) {
	if s.err == nil {
		_, s.err = io.WriteString(s.w, text)
		s.dirty = true
	}
}

func (s *stream) send(event string, id int, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		s.err = errors.Join(s.err, err)
		return
	}
	if id > 0 {
		s.write(fmt.Sprintf("id: %d\n", id))
	}
	s.write(fmt.Sprintf("event: %s\ndata: %s\n\n", event, data))
}

func (s *stream) state(now state, err error) {
	if err != nil {
		s.err = err
		return
	}
	text, err := json.Marshal(now)
	if err == nil && string(text) == s.before {
		return
	}
	s.before = string(text)
	s.send("state", 0, now)
}

func (s *stream) done() {
	if s.err == nil && s.dirty {
		s.err = s.flush.Flush()
		s.dirty = false
	}
}
