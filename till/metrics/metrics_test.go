package metrics_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"tillway/money"
	"tillway/terminal"
	"tillway/till/metrics"
)

// rows is a journal of rows in memory, ascending without gaps.
type rows []terminal.JournalRow

func (r *rows) Rows(_ context.Context, after int64, limit int) ([]terminal.JournalRow, error) {
	var out []terminal.JournalRow
	for _, row := range *r {
		if row.Seq > after && len(out) < limit {
			out = append(out, row)
		}
	}
	return out, nil
}

func (r *rows) add(row terminal.JournalRow) {
	row.Seq = int64(len(*r)) + 1
	*r = append(*r, row)
}

// sale adds the rows of a whole transaction, a second apart.
func (r *rows) sale(id terminal.SaleID, end terminal.State) {
	at := time.Unix(1000*int64(id), 0) //nolint:gosec // small
	record := terminal.Sale{ID: id, Kind: terminal.KindSale, State: end, Way: terminal.WayOnline, Outcome: terminal.Outcome{Code: terminal.CodeApproved}}
	for i, step := range []struct{ from, event, to string }{
		{"Ready", "Start", "AwaitCard"},
		{"AwaitCard", "Presented", "CardTalk"},
		{"CardTalk", "GoOnline", "Sending"},
		{"Sending", "HostApproved", "FinishApproved"},
		{"FinishApproved", "CardAgrees", string(end)},
	} {
		r.add(terminal.JournalRow{
			Time: at.Add(time.Duration(i) * time.Second), Kind: terminal.SaleEntry, Sale: id,
			From: terminal.State(step.from), Event: step.event, To: step.to, Record: &record,
		})
	}
}

var kwd, _ = money.ByCode("KWD")

func healthy() terminal.Snapshot {
	ahead := 3
	return terminal.Snapshot{
		State: terminal.Ready, Reader: terminal.Health{OK: true}, Stripe: &terminal.Health{OK: true},
		Host: terminal.LinkHealth{Health: terminal.Health{OK: true}, ClockSeconds: &ahead}, OwedSum: money.New(0, kwd),
		Batch: &terminal.BatchStatus{Number: 1, Count: 3},
	}
}

// sick is a terminal of which nothing is well. Alerts are tested from the epoch on, which is when it began.
func sick() terminal.Snapshot {
	behind := -4000
	return terminal.Snapshot{
		State: terminal.Approved, CardLeft: true, Owed: 7, Parked: 2, Oldest: time.Unix(60, 0), OwedSum: money.New(10525, kwd),
		Host: terminal.LinkHealth{ClockSeconds: &behind}, Quarantined: 4, Clock: "The clock was set back.",
		Batch: &terminal.BatchStatus{
			Number: 2, Count: 980, Warning: "nearly full", Settling: []terminal.Batch{{State: terminal.BatchDisputed}, {State: terminal.BatchTotalling}},
		},
	}
}

// terminalOf is an exporter whose terminal can fall sick.
type terminalOf struct {
	*metrics.Metrics

	sick    bool
	journal rows
	room    error
}

func newTerminal() *terminalOf {
	t := &terminalOf{}
	t.Metrics = metrics.New(metrics.Config{
		Snapshot: func() terminal.Snapshot {
			if t.sick {
				return sick()
			}
			return healthy()
		},
		Journal: &t.journal,
		Room: func(context.Context) (uint64, error) {
			if t.sick {
				return 1 << 20, t.room
			}
			return 1 << 34, t.room
		},
		Ballast: func() bool { return !t.sick },
		Keys: func(context.Context) terminal.Health {
			return terminal.Health{OK: !t.sick, Cause: "The MAC key is missing: load it with pos keys import."}
		},
		Printer: func() (bool, int, string) { return !t.sick, 3, "no paper" },
		Certificates: func() []terminal.Certificate {
			ends := time.Unix(400*86400, 0)
			if t.sick {
				ends = time.Unix(10*86400, 0)
			}
			return []terminal.Certificate{{Whose: "the acquirer's CA certificate", Ends: ends}}
		},
		Version: "1.0", Kernel: "1", Clock: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	return t
}

func (t *terminalOf) get(tb testing.TB, path string) (int, string) {
	tb.Helper()
	w := httptest.NewRecorder()
	t.Handler().ServeHTTP(w, httptest.NewRequestWithContext(tb.Context(), http.MethodGet, path, nil))
	return w.Code, w.Body.String()
}

// What was sold since the start is counted once, whoever asks how often; what was there before is not.
func TestTransactionsAreCountedOnce(t *testing.T) {
	x := newTerminal()
	x.journal.sale(1, terminal.Approved)
	x.journal.sale(2, terminal.Reversed)
	x.journal.add(terminal.JournalRow{Kind: terminal.StrayEntry})
	x.journal.add(terminal.JournalRow{Kind: terminal.DebtEntry, Event: "Accepted", Debt: &terminal.Debt{Kind: terminal.ReversalDebt}})
	x.journal.add(terminal.JournalRow{Kind: terminal.DebtEntry, Event: "FromALaterRelease", Debt: &terminal.Debt{Kind: "loan"}})
	for range 2 {
		code, text := x.get(t, "/metrics")
		for _, line := range []string{
			`tillway_transactions_total{kind="sale",state="Approved",way="online"} 1`, `tillway_transactions_total{kind="sale",state="Reversed",way=""} 1`,
			`tillway_transactions_total{kind="void",state="Approved",way=""} 0`, "tillway_stray_answers_total 1",
			`tillway_debt_events_total{event="Accepted",kind="reversal"} 1`, `tillway_debt_events_total{event="other",kind="other"} 1`,
			`tillway_phase_seconds_sum{phase="card"} 4`, `tillway_phase_seconds_sum{phase="host"} 2`, `tillway_phase_seconds_sum{phase="total"} 8`,
			`tillway_phase_seconds_count{phase="host"} 2`, "tillway_reader_up 1", `tillway_queue_items{state="parked"} 0`, "tillway_batch_payments 3",
			`tillway_build_info{goversion="`,
		} {
			if code != http.StatusOK || !strings.Contains(text, line) {
				t.Errorf("%d: %s is not in\n%s", code, line, text)
			}
		}
	}
}

// No label grows with cards, people or sales.
func TestLabelsAreOfClosedLists(t *testing.T) {
	x := newTerminal()
	_, before := x.get(t, "/metrics")
	for i := range 500 {
		x.journal.sale(terminal.SaleID(i+1), terminal.Approved) //nolint:gosec // small
	}
	_, after := x.get(t, "/metrics")
	if a, b := len(series(before)), len(series(after)); b > a+2 { // approved online, and its code
		t.Errorf("%d series, and %d after 500 sales", a, b)
	}
}

func TestHealth(t *testing.T) {
	x := newTerminal()
	if code, text := x.get(t, "/readyz"); code != http.StatusOK || text != "{\"ok\":true,\"reasons\":[]}\n" {
		t.Errorf("healthy: %d %s", code, text)
	}
	x.sick = true
	code, text := x.get(t, "/readyz")
	for _, part := range []string{`"reader: `, `"host: `, `"keys: The MAC key is missing: load it`, "only 1 MiB are free"} {
		if code != http.StatusServiceUnavailable || !strings.Contains(text, part) {
			t.Errorf("sick: %d, %s is not in %s", code, part, text)
		}
	}
	x.room = errors.New("the disk does not answer")
	if _, text := x.get(t, "/readyz"); !strings.Contains(text, "disk: the disk does not answer") {
		t.Errorf("no disk: %s", text)
	}
	if code, _ := x.get(t, "/healthz"); code != http.StatusOK {
		t.Errorf("a sick terminal is alive all the same: %d", code)
	}
	if code, text := x.get(t, "/metrics"); code != http.StatusOK || strings.Contains(text, "tillway_disk_free_bytes") {
		t.Errorf("room that is not known is told: %d", code)
	}
}

var line = regexp.MustCompile(`(?m)^(tillway_\w+(?:\{[^}]*\})?) (\S+)$`)

// series are the terminal's own figures of a scrape.
func series(text string) map[string]string {
	out := map[string]string{}
	for _, m := range line.FindAllStringSubmatch(text, -1) {
		out[m[1]] = m[2]
	}
	return out
}

// tool runs promtool, Prometheus' own.
func tool(t *testing.T, stdin string, args ...string) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv("CI_NEEDS_PROMTOOL") != "" {
			t.Fatal("promtool is missing: make deps-ops installs it")
		}
		t.Skip("NOT CHECKED: promtool is not on this machine (Debian: prometheus; make deps-ops installs it)")
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Stdin = strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}
