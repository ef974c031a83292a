package metrics

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"tillway/terminal"
)

// Journal is what is read of the journal (store.Store).
type Journal interface {
	// Rows are the rows with a sequence above after, ascending, at most limit.
	Rows(ctx context.Context, after int64, limit int) ([]terminal.JournalRow, error)
}

// Config is what the figures come from. Every field is needed unless its comment says otherwise.
type Config struct {
	Snapshot func() terminal.Snapshot
	Journal  Journal
	After    int64 // rows up to this one are not counted: the journal's highest at the start

	Room    func(context.Context) (uint64, error)          // bytes free for the journal
	Ballast func() bool                                    // whether the disk still has the file that is given up when it is full; nil: not told
	Keys    func(context.Context) terminal.Health          // the acquirer's keys; nil: it wants none
	Printer func() (ready bool, waiting int, cause string) // nil: there is no receipt printer

	Certificates func() []terminal.Certificate // that the link needs, the host's own among them where it has shown one; nil: none

	Waiting string // why the terminal sells nothing: it waits for its parameters; empty: it has them

	Version string // of the program
	Kernel  string // version of the card kernel
	Clock   func() time.Time
	Log     *slog.Logger
}

// Bounds of one look.
const (
	rowsOnce = 1000
	mostRows = 100_000 // journal rows that one scrape counts: the rest with the next
	lookTime = 5 * time.Second
)

// Metrics is the exporter. Safe for concurrent use; it starts no goroutine.
type Metrics struct {
	cfg      Config
	registry *prometheus.Registry

	mu    sync.Mutex // guards what follows
	after int64      // the last row that was counted
	begun map[terminal.SaleID]phases
	rows  counters
}

// New makes the exporter.
func New(cfg Config) *Metrics {
	m := &Metrics{cfg: cfg, registry: prometheus.NewRegistry(), after: cfg.After, begun: map[terminal.SaleID]phases{}, rows: newCounters()}
	m.registry.MustRegister(
		m, m.rows.sales, m.rows.outcomes, m.rows.debts, m.rows.strays, m.rows.signOns, m.rows.batches, m.rows.phase,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

// Handler answers GET /metrics, /healthz and /readyz.
func (m *Metrics) Handler() http.Handler {
	mux := http.NewServeMux()
	scrape := promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 2, Timeout: 2 * lookTime, ErrorHandling: promhttp.HTTPErrorOnError})
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		ctx, stop := context.WithTimeout(r.Context(), lookTime)
		defer stop()
		if err := m.follow(ctx); err != nil { // the gauges are worth telling all the same
			m.cfg.Log.Error("metrics: the journal could not be counted", "err", err)
		}
		scrape.ServeHTTP(w, r)
	})
	mux.HandleFunc("GET /healthz", m.alive)
	mux.HandleFunc("GET /readyz", m.ready)
	return mux
}

// follow counts the rows that were committed since it was last called.
func (m *Metrics) follow(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for counted := 0; counted < mostRows; {
		rows, err := m.cfg.Journal.Rows(ctx, m.after, rowsOnce)
		if err != nil {
			return err
		}
		for _, row := range rows {
			m.count(row)
			m.after = row.Seq
		}
		if counted += len(rows); len(rows) < rowsOnce {
			return nil
		}
	}
	return nil
}
