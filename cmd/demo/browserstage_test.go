package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"tillway/device/secure"
	"tillway/terminal"
	"tillway/till"
)

// A browserStage is a whole stack with a screen, and a local interface by which a script does what is not done at the
// screen: the customer's hands, the cable, the bank's and the terminal's power switch, and a look into the books.
type browserStage struct {
	*world
	name    string
	control *httptest.Server

	mu sync.Mutex // one thing is done to the stack at a time
}

// newBrowserStage starts a stack; prepare changes what it is made of before it starts, and says what is done once it is up.
func newBrowserStage(tb testing.TB, name string, prepare func(*world) (after func(context.Context) error, err error)) *browserStage {
	tb.Helper()
	programs, err := built()
	if err != nil {
		tb.Fatal(err)
	}
	w, err := stage(tb.Context(), programs, tb.TempDir(), io.Discard)
	if err != nil {
		tb.Fatal(err)
	}
	s := &browserStage{world: w, name: name}
	if err := s.ownCards(); err != nil {
		tb.Fatal(err)
	}
	after, err := prepare(w)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(w.end)
	if err := w.startAll(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	if err := w.loadKeys(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	if after != nil {
		if err := after(tb.Context()); err != nil {
			tb.Fatal(err)
		}
	}
	s.control = httptest.NewServer(http.HandlerFunc(s.serve))
	tb.Cleanup(s.control.Close)
	return s
}

// ownCards are the stage's own, beside the demo's: one whose holder reads English.
func (s *browserStage) ownCards() error {
	const english = `like = "credit"
name = "english"
note = "of the browser tests"
[[application]]
aid = "A0000000031010"
languages = "en"
`
	return os.WriteFile(s.path("english.toml"), []byte(english), 0o600)
}

// edit changes a text file: pairs of what stands there and what is to stand there, and what is put behind.
func (w *world) edit(path string, changes [][2]string, more string) error {
	text, err := os.ReadFile(path) //nolint:gosec // of the test's own folder
	if err != nil {
		return err
	}
	whole := string(text)
	for _, c := range changes {
		if !strings.Contains(whole, c[0]) {
			return fmt.Errorf("%s has no %q any more", path, c[0])
		}
		whole = strings.Replace(whole, c[0], c[1], 1)
	}
	return os.WriteFile(path, []byte(whole+more), 0o600)
}

// openShop is a shop where anybody sells, and that goes on without its bank.
func openShop(w *world) (func(context.Context) error, error) { return nil, w.mayWait() }

// closedShop is one with people, whose sessions end after a minute; it asks before a card pays the same again, and its customers
// leave their cards in.
func closedShop(w *world) (func(context.Context) error, error) {
	w.hand = "still"
	w.local.Transport = &supervising{base: w.local.Transport, name: supervisor}
	err := w.edit(w.path(profileFile), [][2]string{
		{"open         = true", "open         = false"},
		{`# session_idle = "15m"`, `session_idle = "1m"`},
		{`same_card     = "warn"`, `same_card     = "ask"`},
	}, "")
	return func(ctx context.Context) error {
		if err := logIn(ctx, w); err != nil {
			return err
		}
		if _, err := w.must(ctx, theirSecret+"\n", "login", administrator); err != nil {
			return err
		}
		_, err := w.must(ctx, theirSecret+"\n", "users", "add", "carim", "cashier")
		return err
	}, err
}

// serve does one thing: POST /WORD with the further words as a JSON list.
func (s *browserStage) serve(rw http.ResponseWriter, r *http.Request) {
	var words []string
	err := json.NewDecoder(io.LimitReader(r.Body, 64<<10)).Decode(&words)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	var answer any
	if err == nil {
		answer, err = s.do(r.Context(), strings.TrimPrefix(r.URL.Path, "/"), words)
	}
	if err != nil {
		http.Error(rw, err.Error(), http.StatusInternalServerError)
		return
	}
	rw.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(rw).Encode(answer)
}

var errNoSuchThing = errors.New("the stage does no such thing")

func (s *browserStage) do(ctx context.Context, what string, words []string) (any, error) {
	switch what { // looks, and what waits for something
	case "address":
		return "http://" + s.screen, nil
	case "status":
		return s.status(ctx)
	case "sales":
		return s.sales(ctx)
	case "journal":
		return s.journal(ctx)
	case "ledger":
		return s.ledger(ctx)
	case "order":
		var sale terminal.Sale
		err := post(ctx, s.local, "http://posd/v1/sales", json.RawMessage(strings.Join(words, "")), &sale)
		return sale, err
	case "cancel":
		return nil, post(ctx, s.local, "http://posd/v1/cancel", struct{}{}, &terminal.Snapshot{})
	case "settled":
		return nil, s.settled(ctx)
	case "audit":
		var rows till.AuditRows
		look, ok := s.local.Transport.(*supervising)
		if !ok {
			return nil, errNoSuchThing // an open shop has no people
		}
		err := get(ctx, &http.Client{Transport: &supervising{base: look.base, name: administrator}}, "http://posd/v1/audit?limit=1000", &rows)
		return rows.Rows, err
	case "pin":
		return s.typePIN(ctx, strings.Join(words, ""))
	case "memory":
		return s.memory()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch what {
	case "reader":
		for i, word := range words {
			words[i] = strings.Replace(word, "OWN/", s.folder+"/", 1) // a card of the stage's folder
		}
		return nil, s.cardholder(ctx, words...)
	case "pos":
		printed, status, err := s.pos(ctx, strings.NewReader(theirSecret+"\n"), words...)
		return map[string]any{"printed": printed, "exit": status}, err
	case "host", "posd":
		return nil, s.power(ctx, what, strings.Join(words, " "))
	}
	return nil, fmt.Errorf("%w: %s", errNoSuchThing, what)
}

// power switches the bank or the terminal on, off, or off without warning.
func (s *browserStage) power(ctx context.Context, what, how string) error {
	name, start := "posd", s.startTerminal
	if what == "host" {
		name, start = "hostsim", s.startHost
	}
	if how == "on" {
		if _, err := s.pid(name); err == nil {
			return nil // it is
		}
		return start(ctx)
	}
	p, err := s.take(name)
	if err != nil {
		return err
	}
	if how == "kill" {
		p.kill()
	} else {
		p.end()
	}
	return nil
}

// typePIN is the customer at the development keypad: each key when it is pressed, e for Enter, x for Cancel. Without either
// the keypad is left as it is, with the digits on it, until the next call.
func (s *browserStage) typePIN(ctx context.Context, keys string) (string, error) {
	desk, err := s.desk(ctx)
	if err != nil {
		return "", err
	}
	defer func() { _ = desk.Close() }() // the entry has ended, or ends with it
	for _, key := range []byte(keys) {
		switch key {
		case 'e':
			key = secure.KeyEnter
		case 'x':
			key = secure.KeyCancel
		case '.': // the customer hesitates
			select {
			case <-time.After(300 * time.Millisecond):
			case <-ctx.Done():
				return "", ctx.Err()
			}
			continue
		}
		if err := desk.Press(key); err != nil {
			return "", err
		}
	}
	ctx, stop := context.WithTimeout(ctx, lookWithin)
	defer stop()
	return desk.Wait(ctx)
}

// desk waits until a PIN is asked for.
func (s *browserStage) desk(ctx context.Context) (desk *secure.Desk, err error) {
	werr := s.await(ctx, "a PIN is asked for", func(ctx context.Context) bool {
		now, serr := s.status(ctx)
		if serr != nil || now.PIN == nil || now.PIN.Socket == "" {
			return false
		}
		desk, err = secure.OpenDesk(ctx, now.PIN.Socket)
		return err == nil
	})
	if werr != nil {
		return nil, errors.Join(werr, err)
	}
	return desk, nil
}

// memory is what the daemon holds of the machine's memory, in bytes.
func (s *browserStage) memory() (int64, error) {
	pid, err := s.pid("posd")
	if err != nil {
		return 0, err
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		var kilobytes int64
		if n, _ := fmt.Sscanf(line, "VmRSS: %d kB", &kilobytes); n == 1 {
			return kilobytes << 10, nil
		}
	}
	return 0, errGone
}

// A supervising transport looks into a closed terminal as somebody, and logs in again when a session has ended.
type supervising struct {
	base  http.RoundTripper
	name  string
	mu    sync.Mutex // guards token
	token string
}

// RoundTrip is http.RoundTripper's.
func (t *supervising) RoundTrip(r *http.Request) (*http.Response, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for try := 0; ; try++ {
		again := r.Clone(r.Context())
		if r.GetBody != nil {
			body, err := r.GetBody()
			if err != nil {
				return nil, err
			}
			again.Body = body
		}
		again.Header.Set("Authorization", "Bearer "+t.token)
		answer, err := t.base.RoundTrip(again)
		if err != nil || answer.StatusCode != http.StatusUnauthorized || try > 0 {
			return answer, err
		}
		_ = answer.Body.Close() // a problem, and which one is known
		var session till.LoggedIn
		if err := post(r.Context(), &http.Client{Transport: t.base}, "http://posd/v1/login", till.Credentials{Name: t.name, Secret: theirSecret}, &session); err != nil {
			return nil, err
		}
		t.token = session.Token
	}
}
