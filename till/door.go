package till

import (
	"context"
	"mime"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"tillway/terminal/people"
)

// Host is the name that every request at the socket must be for: another one was led here by somebody else's page.
const Host = "posd"

// Bounds that every server of a door keeps, and what a door itself does.
const (
	HeaderTimeout  = 5 * time.Second  // a request's header has to arrive within
	IdleTimeout    = 2 * time.Minute  // a connection without a request ends after
	MaxHeaderBytes = 16 << 10         // of a request
	bodyWithin     = 10 * time.Second // a request's body has to arrive
	answerWithin   = 30 * time.Second // an answer has to be taken
)

// door is one way into the till: how it judges where a request comes from, and whose it is.
type door struct {
	name    string                         // for the log
	refuses func(r *http.Request) *Problem // a request that has no business here; nil: it may go on
	cookie  bool                           // a browser's session is in a cookie, and no token is told
	first   bool                           // the first administrator may be made here, without a log-in
	ecrs    bool                           // registers come in with their tokens
	closed  bool                           // nobody comes in without a token, whatever the roles say
	pages   http.Handler                   // what is not under /v1; nil: nothing
}

// visit is a request's door and caller.
type visit struct {
	door   *door
	caller caller
}

type visitKey struct{}

// doorOf is the door that a request came in by.
func doorOf(r *http.Request) *door {
	v, ok := r.Context().Value(visitKey{}).(visit)
	if !ok {
		return &door{}
	}
	return v.door
}

// Socket is the door of the unix socket: for programs of this machine's user, and no browser.
func (t *Till) Socket() http.Handler {
	return t.open(&door{name: "socket", first: true, refuses: func(r *http.Request) *Problem {
		if r.Host != Host || r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != "" {
			return request(http.StatusForbidden, "not_local", "This interface is for programs of this machine",
				"Use pos, or send Host: "+Host+" and no Origin.", "the request names another host or comes from a web page")
		}
		return nil
	}})
}

// Screen is the door of the cashier's browser: plain HTTP on a loopback address, with a session in a cookie. It serves pages at
// every path that is not under /v1. What another page sends is refused before anything is read of it.
func (t *Till) Screen(address netip.AddrPort, pages http.Handler) http.Handler {
	hosts := []string{address.String(), "localhost:" + strconv.Itoa(int(address.Port()))}
	return t.open(&door{name: "screen", cookie: true, ecrs: true, pages: pages, refuses: func(r *http.Request) *Problem {
		return foreign(r, hosts)
	}})
}

// ECR is the door of cash registers, for a listener that speaks TLS: nobody comes in without a register's token or a person's, and
// no browser does.
func (t *Till) ECR() http.Handler {
	return t.open(&door{
		name: "ecr", ecrs: true, closed: true,
		refuses: func(r *http.Request) *Problem {
			if len(r.Header.Values("Origin")) > 0 || len(r.Header.Values("Sec-Fetch-Site")) > 0 {
				return request(http.StatusForbidden, "not_local", "This interface is for programs",
					"Send no Origin; the cashier's screen has an address of its own.", "the request comes from a web page")
			}
			return nil
		},
	})
}

// openAPIPath is the description of the interface, which anybody may read.
const openAPIPath = "/v1/openapi.json"

// foreign says what is wrong with a request at the screen's door that another page could have sent. hosts are the door's own
// names: a browser that was led here by a name of somebody else's sends that one (DNS rebinding).
func foreign(r *http.Request, hosts []string) *Problem {
	no := func(detail string) *Problem {
		return request(http.StatusForbidden, "not_local", "This interface is for the cashier's screen",
			"Open http://"+hosts[0]+"/ in a browser of this machine.", "%s", detail)
	}
	if !slices.Contains(hosts, r.Host) {
		return no("the request is for another host")
	}
	origin, site := r.Header.Values("Origin"), r.Header.Values("Sec-Fetch-Site")
	if len(origin) > 1 || len(origin) == 1 && origin[0] != "http://"+r.Host {
		return no("the request comes from another page")
	}
	looks := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch {
	case len(site) == 0, len(site) == 1 && site[0] == "same-origin":
	case len(site) == 1 && site[0] == "none" && looks && !api(r.URL.Path): // its address was typed in
	default:
		return no("the request comes from another site")
	}
	if looks || r.Header.Get("Authorization") != "" { // no page can send that header here unasked
		return nil
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return request(http.StatusUnsupportedMediaType, "not_json", "The body is not declared as JSON",
			"Send Content-Type: application/json, with every POST.", "Content-Type is %q", r.Header.Get("Content-Type"))
	}
	if r.Header.Get("Cookie") != "" && len(origin) == 0 && len(site) == 0 {
		return no("the request has a cookie and does not say which page it comes from")
	}
	return nil
}

// api says whether a path is the local interface's, and no page.
func api(path string) bool { return path == "/v1" || strings.HasPrefix(path, "/v1/") }

// Policies of what a browser may do with an answer of the interface, and with a page.
const (
	answerPolicy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
	pagePolicy   = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; " +
		"connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)

// open is the handler of a door.
func (t *Till) open(d *door) http.Handler {
	h := t.h
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		head := w.Header()
		head.Set("X-Content-Type-Options", "nosniff")
		head.Set("X-Frame-Options", "DENY")
		head.Set("Referrer-Policy", "no-referrer")
		head.Set("Cross-Origin-Opener-Policy", "same-origin")
		head.Set("Cross-Origin-Resource-Policy", "same-origin")
		head.Set("Content-Security-Policy", answerPolicy)
		head.Set("Cache-Control", "no-store")
		conn := http.NewResponseController(w)
		_ = conn.SetWriteDeadline(time.Time{}) // of the answer before on this connection; refused where there is none, as in tests
		if r.ContentLength != 0 {
			_ = conn.SetReadDeadline(time.Now().Add(bodyWithin))
		}
		slow(w, r)
		if p := d.refuses(r); p != nil {
			h.fail(w, r, p)
			return
		}
		if d.pages != nil && !api(r.URL.Path) {
			h.page(w, r, d.pages)
			return
		}
		c := h.cfg.Access.identify(r, d)
		r = r.WithContext(context.WithValue(r.Context(), visitKey{}, visit{d, c}))
		if d.closed && c.unknown() && r.URL.Path != openAPIPath {
			head.Set("WWW-Authenticate", "Bearer")
			h.fail(w, r, h.cfg.Access.stranger(r.Context(), d, r))
			return
		}
		t.routes.ServeHTTP(w, r)
	})
}

// page has a page served, which is asked for and never sent anything.
func (h *handler) page(w http.ResponseWriter, r *http.Request, pages http.Handler) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", http.MethodGet)
		h.fail(w, r, request(http.StatusMethodNotAllowed, "method", "Not with this method", "Use GET.", "%s %s", r.Method, r.URL.Path))
		return
	}
	w.Header().Set("Content-Security-Policy", pagePolicy)
	h.within(w, answerWithin)
	pages.ServeHTTP(w, r)
}

// within bounds how long a client may take to take an answer.
func (h *handler) within(w http.ResponseWriter, d time.Duration) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(d)) // refused where there is no connection, as in tests
}

// stranger is the answer to who comes to a closed door without a token that is anybody's. It is audited.
func (a *Access) stranger(ctx context.Context, d *door, r *http.Request) *Problem {
	asked := r.Method + " " + r.URL.Path
	a.note(ctx, people.Nobody, people.Note("came to the %s door from %s without a token that is good: %.100s", d.name, r.RemoteAddr, asked))
	return request(http.StatusUnauthorized, "log_in", "This needs a token",
		"Send Authorization: Bearer TOKEN, with the token that pos ecr add printed, or a new one of pos ecr rotate.", "no token, or one that is not good")
}
