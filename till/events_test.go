package till

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"tillway/terminal"
	"tillway/terminal/people"
)

// board is a lane's latest value and journal, which change as the test says.
type board struct {
	far

	mu      sync.Mutex
	snap    terminal.Snapshot
	rows    []terminal.JournalRow
	changed chan struct{}
}

func newBoard() *board {
	reached := false
	return &board{far: far{&reached}, snap: terminal.Snapshot{Version: 1, State: terminal.Ready}, changed: make(chan struct{})}
}

func (b *board) Snapshot() terminal.Snapshot {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.snap
}

func (b *board) Watch(ctx context.Context, after uint64) (terminal.Snapshot, error) {
	for {
		b.mu.Lock()
		snap, changed := b.snap, b.changed
		b.mu.Unlock()
		if snap.Version > after {
			return snap, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return snap, ctx.Err()
		}
	}
}

func (b *board) Rows(_ context.Context, after int64, limit int) ([]terminal.JournalRow, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []terminal.JournalRow
	for _, r := range b.rows {
		if r.Seq > after && r.Seq <= after+int64(limit) {
			out = append(out, r)
		}
	}
	return out, nil
}

// happens changes the state and commits so many rows.
func (b *board) happens(state terminal.State, rows int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for range rows {
		b.snap.Journal++
		b.rows = append(b.rows, terminal.JournalRow{Seq: b.snap.Journal, Kind: terminal.SaleEntry})
	}
	b.snap.Version++
	b.snap.State = state
	close(b.changed)
	b.changed = make(chan struct{})
}

// event is one event as it comes.
type event struct{ name, id, data string }

// follower reads a stream. Reads are bounded by the test's own deadline.
type follower struct {
	t   *testing.T
	in  *bufio.Reader
	end func()
}

func follow(t *testing.T, url string, head http.Header) *follower {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = head.Clone()
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if got := res.Header.Get("Content-Type"); res.StatusCode != http.StatusOK || got != "text/event-stream" {
		body, _ := io.ReadAll(res.Body)
		t.Fatalf("%d %s %s", res.StatusCode, got, body)
	}
	end := func() { stop(); _ = res.Body.Close() }
	t.Cleanup(end)
	return &follower{t, bufio.NewReader(res.Body), end}
}

// next is the next event, comments left out; io.EOF at the end.
func (f *follower) next() (e event, err error) {
	for {
		line, err := f.in.ReadString('\n')
		if err != nil {
			return e, err
		}
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch key {
		case "event":
			e.name = value
		case "id":
			e.id = value
		case "data":
			e.data = value
		case "":
			if e.name != "" {
				return e, nil
			}
		}
	}
}

func (f *follower) want(name, id string) event {
	f.t.Helper()
	e, err := f.next()
	if err != nil || e.name != name || e.id != id {
		f.t.Fatalf("event %+v, %v; want %s %s", e, err, name, id)
	}
	return e
}

// screenServer is the screen's door on a port of its own.
func screenServer(t *testing.T, cfg Config) string {
	t.Helper()
	var lc net.ListenConfig
	ln, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: New(cfg).Screen(netip.MustParseAddrPort(ln.Addr().String()), http.NotFoundHandler()), ReadHeaderTimeout: HeaderTimeout}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	}()
	t.Cleanup(func() { _ = srv.Close(); <-ended })
	return "http://" + ln.Addr().String()
}

// TestEvents: the state first, then what is new, each row once and in order; who comes back goes on behind the row that they had.
func TestEvents(t *testing.T) {
	b := newBoard()
	d, tokens := staffed(t, b)
	b.happens(terminal.Ready, 3)
	url := screenServer(t, d.cfg) + "/v1/events"
	head := http.Header{"Authorization": {"Bearer " + tokens[people.Cashier]}}
	f := follow(t, url, head)
	if e := f.want("state", ""); !strings.Contains(e.data, `"state":"Ready"`) || !strings.Contains(e.data, `"training":false`) {
		t.Errorf("first %s", e.data)
	}
	b.happens(terminal.Sending, 2)
	if e := f.want("state", ""); !strings.Contains(e.data, `"state":"Sending"`) {
		t.Errorf("then %s", e.data)
	}
	f.want("row", "4")
	f.want("row", "5")
	f.end()
	b.happens(terminal.Approved, 250) // more than are read at a time
	head.Set("Last-Event-ID", "4")
	f = follow(t, url, head)
	f.want("state", "")
	for id := int64(5); id <= 255; id++ {
		f.want("row", rowID(id))
	}
	head.Del("Last-Event-ID")
	f = follow(t, url+"?after=254", head)
	f.want("state", "")
	f.want("row", "255")
	head.Set("Last-Event-ID", "999999") // another journal's: only what is new
	f = follow(t, url, head)
	f.want("state", "")
	b.happens(terminal.Ready, 1)
	f.want("state", "")
	f.want("row", "256")
}

func rowID(n int64) string { return terminal.SaleID(n).String() } //nolint:gosec // small

// TestEventsPastQuarantine: rows that are left out hold nothing up, however many.
func TestEventsPastQuarantine(t *testing.T) {
	b := newBoard()
	d, tokens := staffed(t, b)
	b.happens(terminal.Ready, 301)
	b.rows = append(b.rows[:2], b.rows[300]) // 3 to 300 do not authenticate
	f := follow(t, screenServer(t, d.cfg)+"/v1/events?after=1", http.Header{"Authorization": {"Bearer " + tokens[people.Cashier]}})
	f.want("state", "")
	f.want("row", "2")
	f.want("row", "301")
}

// TestEventsEnd: a stream ends with the session, says so, and says nothing more; following keeps no session alive.
func TestEventsEnd(t *testing.T) {
	for name, end := range map[string]func(d *desk, token string){
		"log-out": func(d *desk, token string) { d.ok(token, "POST", "/v1/logout", "") },
		"locked":  func(d *desk, _ string) { d.cfg.Access.endSessions("carim") },
		"idle": func(d *desk, _ string) {
			d.cfg.Access.mu.Lock() // under which the clock is read
			defer d.cfg.Access.mu.Unlock()
			d.now = d.now.Add(people.DefaultIdle)
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBoard()
			d, tokens := staffed(t, b)
			url := screenServer(t, d.cfg)
			f := follow(t, url+"/v1/events", http.Header{"Cookie": {cookieName + "=" + tokens[people.Cashier]}})
			f.want("state", "")
			end(d, tokens[people.Cashier])
			b.happens(terminal.Sending, 1)
			e, err := f.next()
			for ; err == nil && e.name != "bye"; e, err = f.next() { // the change may have been told just before
			}
			if err != nil {
				t.Fatalf("no bye: %v", err)
			}
			if e, err := f.next(); !errors.Is(err, io.EOF) {
				t.Errorf("after the bye: %+v %v", e, err)
			}
		})
	}
}

// TestEventsShowNobodyTheSales: who has not logged in at a closed till sees that it is there, and no sale and no row.
func TestEventsShowNobodyTheSales(t *testing.T) {
	b := newBoard()
	d, _ := staffed(t, b)
	b.snap.Sale, b.snap.Advice = 1042, "Ask the customer to insert the card."
	f := follow(t, screenServer(t, d.cfg)+"/v1/events?after=0", http.Header{})
	if e := f.want("state", ""); strings.Contains(e.data, "1042") || strings.Contains(e.data, "customer") {
		t.Errorf("nobody sees %s", e.data)
	}
	b.happens(terminal.Sending, 2)
	f.want("state", "")
	b.happens(terminal.Ready, 0)
	f.want("state", "")
}

// TestEventsAreBounded: one stream too many is refused in words, and a place that came free is taken.
func TestEventsAreBounded(t *testing.T) {
	b := newBoard()
	d, _ := staffed(t, b, func(p *people.Policy) { p.Open = true })
	url := screenServer(t, d.cfg) + "/v1/events"
	var open []*follower
	for range MaxStreams {
		f := follow(t, url, http.Header{})
		f.want("state", "")
		open = append(open, f)
	}
	ask := func() int {
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		return res.StatusCode
	}
	if got := ask(); got != http.StatusServiceUnavailable {
		t.Errorf("stream %d: %d", MaxStreams+1, got)
	}
	open[0].end()
	b.happens(terminal.Ready, 0) // the dropped stream is found at its next word
	for range 200 {
		if got := ask(); got == http.StatusOK {
			return
		}
		b.happens(terminal.Ready, 0)
	}
	t.Error("no place came free")
}

// TestPlacesForStreams: registers cannot take all places, and a place that is left is free for each.
func TestPlacesForStreams(t *testing.T) {
	h, register, person := &handler{}, caller{ecr: "till3"}, caller{name: "maryam"}
	var leave []func()
	take := func(c caller, most int) (taken int) {
		for range most {
			l, err := h.place(c)
			if err != nil {
				return taken
			}
			leave = append(leave, l)
			taken++
		}
		return taken
	}
	if got := take(register, MaxStreams); got != ecrStreams {
		t.Errorf("registers have %d", got)
	}
	if got := take(person, MaxStreams); got != MaxStreams-ecrStreams {
		t.Errorf("people have %d", got)
	}
	for _, l := range leave {
		l()
	}
	if h.streams.Load() != 0 || h.theirs.Load() != 0 {
		t.Errorf("%d and %d are still taken", h.streams.Load(), h.theirs.Load())
	}
	if got := take(person, 2*MaxStreams); got != MaxStreams {
		t.Errorf("people alone have %d", got)
	}
}

// BenchmarkTenStreams is how many events a second ten open streams are told: one change, and its row, to each of them, again and again.
func BenchmarkTenStreams(b *testing.B) {
	const streams = 10
	lane := newBoard()
	srv := httptest.NewUnstartedServer(nil)
	p := people.DefaultPolicy()
	p.Open = true
	access := NewAccess(AccessConfig{People: nobody{}, Policy: p, Log: slog.New(slog.DiscardHandler)})
	srv.Config.Handler = New(Config{Lane: lane, Journal: lane, Access: access, Log: slog.New(slog.DiscardHandler)}).
		Screen(netip.MustParseAddrPort(srv.Listener.Addr().String()), http.NotFoundHandler())
	srv.Start()
	defer srv.Close()
	var all []*bufio.Reader
	for range streams {
		res, err := srv.Client().Get(srv.URL + "/v1/events")
		if err != nil {
			b.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		all = append(all, bufio.NewReader(res.Body))
	}
	until := func(in *bufio.Reader, begin string) {
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				b.Fatal(err)
			}
			if strings.HasPrefix(line, begin) {
				return
			}
		}
	}
	for _, in := range all {
		until(in, "event: state")
	}
	for b.Loop() {
		lane.happens(terminal.Sending, 1)
		for _, in := range all {
			until(in, "id: ")
		}
	}
	b.ReportMetric(2*streams*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
