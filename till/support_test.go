package till

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"tillway/terminal"
	"tillway/terminal/people"
	"tillway/till/logbook"
	"tillway/till/support"
)

// logged gives a desk's till a log book, with the door that serves it.
func logged(d *desk) (*logbook.Book, *slog.Logger, *bytes.Buffer) {
	var out bytes.Buffer
	log, book := logbook.New(&out, "text", slog.LevelInfo, time.Now)
	d.cfg.Logbook, d.cfg.Log = book, log
	d.h = New(d.cfg).Socket()
	return book, log, &out
}

// A technician sets the level of one area or of all for a while; who sets it is audited before it holds, and whoever may not, sets nothing.
func TestLogLevels(t *testing.T) {
	d, tokens := staffed(t, newScript(t))
	d.refused(tokens[people.Technician], "GET", "/v1/log", "", http.StatusConflict, "no_log")
	book, log, _ := logged(d)
	technician := tokens[people.Technician]
	var state LogState
	read := func(w string) {
		t.Helper()
		state = LogState{}
		if err := json.Unmarshal([]byte(w), &state); err != nil {
			t.Fatalf("%v: %s", err, w)
		}
	}
	read(d.ask(technician, "GET", "/v1/log", "").Body.String())
	if state.Level != "info" || len(state.Areas) != len(logbook.Areas())+1 || len(state.Set) != 0 {
		t.Errorf("%+v", state)
	}
	read(d.ask(technician, "POST", "/v1/log", `{"level":"debug","area":"host","seconds":60}`).Body.String())
	if len(state.Set) != 1 || state.Set[0].Area != "host" || state.Set[0].Level != "debug" || !log.With(logbook.AreaKey, logbook.Host).Enabled(t.Context(), slog.LevelDebug) || log.Enabled(t.Context(), slog.LevelDebug) {
		t.Errorf("%+v", state)
	}
	if words := d.book.words(); !strings.Contains(words, "tariq log  done the log of host at debug for 1m0s") {
		t.Errorf("audited: %s", words)
	}
	for _, body := range []string{
		`{"level":"loud"}`, `{"level":"debug","area":"bank"}`, `{"level":"debug","seconds":-1}`, `{"level":"debug","seconds":86401}`, `{"level":"config","area":"host"}`, `{}`, `{"level":"debug+3"}`,
	} {
		d.refused(technician, "POST", "/v1/log", body, http.StatusBadRequest, "bad_level")
	}
	for _, role := range []people.Role{people.Cashier, people.Supervisor} {
		d.refused(tokens[role], "POST", "/v1/log", `{"level":"debug"}`, http.StatusForbidden, "not_allowed")
	}
	if s := book.State(); len(s.Overrides) != 1 || s.Now[""] != slog.LevelInfo {
		t.Errorf("a refusal set something: %+v", s)
	}
	read(d.ask(technician, "POST", "/v1/log", `{"level":"config"}`).Body.String())
	if len(state.Set) != 0 || len(book.State().Overrides) != 0 {
		t.Errorf("%+v", state)
	}
	d.book.fail = errors.New("the disk is full")
	if w := d.ask(technician, "POST", "/v1/log", `{"level":"debug"}`); w.Code != http.StatusInternalServerError || len(book.State().Overrides) != 0 {
		t.Errorf("set without being audited: %d %+v", w.Code, book.State())
	}
}

// Whatever cannot be read is named in the bundle and ends nothing; what a shop wrote into an order, and the token that finds a card, is
// not in it, and neither is a card number that somebody typed where none belongs.
func TestSupportBundleOfATroubledTerminal(t *testing.T) {
	sale := aSale(t, 6, terminal.Approved)
	sale.Reference, sale.Key, sale.Token = "table of Mr Smith", "key-of-the-shop", "card-token"
	sale.Asked = &terminal.Asked{}
	broken := errors.New("the journal cannot be read")
	snap := terminal.Snapshot{Journal: 400, Last: &sale}
	rows := []terminal.JournalRow{{Seq: 400, Kind: terminal.SaleEntry, Sale: 6, Record: &sale, Note: "typed 4761739001010119 into the wrong field"}}
	for name, c := range map[string]struct {
		calls []call
		want  []string
	}{
		"all there": {[]call{
			{"Snapshot", nil, []any{snap}},
			{"Snapshot", nil, []any{snap}},
			{"Rows", []any{int64(100), 300}, []any{rows, nil}},
			{"Debts", nil, []any{[]terminal.Debt{{ID: 5}}, nil}},
			{"Batches", []any{""}, []any{[]terminal.Batch(nil), nil}},
		}, []string{"terminal/journal.json", "terminal/queue.json", "terminal/batches.json", "476173******0119"}},
		"nothing can be read": {[]call{
			{"Snapshot", nil, []any{snap}},
			{"Snapshot", nil, []any{snap}},
			{"Rows", []any{int64(100), 300}, []any{[]terminal.JournalRow(nil), broken}},
			{"Debts", nil, []any{[]terminal.Debt(nil), broken}},
			{"Batches", []any{""}, []any{[]terminal.Batch(nil), broken}},
		}, []string{"terminal/journal.json.missing", "terminal/queue.json.missing", "terminal/batches.json.missing"}},
	} {
		t.Run(name, func(t *testing.T) {
			d, tokens := staffed(t, newScript(t, c.calls...))
			logged(d)
			d.cfg.Log.Info("the daemon says something")
			d.cfg.Support = func(context.Context) []support.File { return []support.File{{Name: "terminal/more.txt", Text: "more"}} }
			d.h = New(d.cfg).Socket()
			w := d.ask(tokens[people.Technician], "POST", "/v1/support", "{}")
			text := w.Body.String()
			for _, want := range append(c.want, "terminal/status.json", "terminal/log.txt", "the daemon says something", "terminal/audit.json", "terminal/more.txt") {
				if w.Code != http.StatusOK || !strings.Contains(text, want) {
					t.Errorf("%d: %s is not there: %.3000s", w.Code, want, text)
				}
			}
			for _, secret := range []string{"Mr Smith", "key-of-the-shop", "card-token", "4761739001010119", adminSecret, tokens[people.Technician]} {
				if strings.Contains(text, secret) {
					t.Errorf("%s is in it", secret)
				}
			}
			if !strings.Contains(d.book.words(), "tariq support  done a support bundle was made") {
				t.Errorf("audited: %s", d.book.words())
			}
		})
	}
}

// Fields of private use keep their length and nothing else.
func TestWithoutPrivate(t *testing.T) {
	m := Message{Fields: map[string]string{"4": "000000000100", "48": "PASSWORD", "63": "hunter2", "120": "x", "128": "AA", "zz": "?"}}
	got := m.WithoutPrivate().Fields
	if got["4"] != "000000000100" || got["48"] != "(8 characters of private use)" || strings.Contains(got["63"], "hunter2") || got["128"] != "AA" || got["zz"] == "?" || m.Fields["48"] != "PASSWORD" {
		t.Errorf("%v %v", got, m.Fields)
	}
}
