package metrics

import (
	"context"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"

	"tillway/terminal"
)

// gauge is one figure of a look at the terminal.
type gauge struct{ desc *prometheus.Desc }

func newGauge(name, help string, labels ...string) gauge {
	return gauge{prometheus.NewDesc("tillway_"+name, help, labels, nil)}
}

func (g gauge) is(v float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(g.desc, prometheus.GaugeValue, v, labels...)
}

// The figures of a look.
var (
	buildInfo = newGauge("build_info", "Version of the program and of its card kernel; always 1.", "version", "kernel", "goversion")
	readerUp  = newGauge("reader_up", "Whether the card reader works.")
	stripeUp  = newGauge("stripe_reader_up", "Whether the stripe reader works.")
	hostUp    = newGauge("host_up", "Whether the acquirer's host can be reached.")
	keysUp    = newGauge("keys_up", "Whether the acquirer's keys are there.")
	printerUp = newGauge("printer_up", "Whether the receipt printer prints.")
	papers    = newGauge("printer_waiting", "Papers that are not printed yet.")
	running   = newGauge("transaction_running", "Whether a transaction runs.")
	cardLeft  = newGauge("card_left", "Whether a card was left in the reader after its transaction.")

	owed   = newGauge("queue_items", "What the host has not acknowledged: waiting, or parked until somebody decides.", "state")
	oldest = newGauge("queue_oldest_timestamp_seconds", "When the oldest item of the queue came to be, Unix time; 0: the queue is empty.")
	sum    = newGauge("queue_amount_minor", "Money that the host has not acknowledged, in minor units; below zero what was given.", "currency")

	batch     = newGauge("batch_payments", "Payments in the open batch.")
	batchFull = newGauge("batch_warning", "Whether the open batch is nearly full, or full.")
	settling  = newGauge("batches", "Batches that are closed for sales and not settled, by state.", "state")

	room        = newGauge("disk_free_bytes", "Bytes free for the journal.")
	ballast     = newGauge("disk_ballast", "Whether the file is there that is given up when the disk is full.")
	sequence    = newGauge("journal_sequence", "Highest committed row of the journal.")
	quarantined = newGauge("quarantined_rows", "Rows on disk that do not authenticate.")
	clockBack   = newGauge("clock_warning", "Whether the clock was set back.")
	skew        = newGauge("host_clock_ahead_seconds", "By how much the host's clock is ahead of this terminal's.")
	expiry      = newGauge("certificate_expiry_timestamp_seconds", "When a certificate that the link needs ends, Unix time.", "certificate")
)

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(out chan<- *prometheus.Desc) {
	for _, g := range []gauge{
		buildInfo, readerUp, stripeUp, hostUp, keysUp, printerUp, papers, running, cardLeft, owed, oldest, sum, batch, batchFull, settling, room, ballast,
		sequence, quarantined, clockBack, skew, expiry,
	} {
		out <- g.desc
	}
}

// Collect implements prometheus.Collector: one look at the terminal.
func (m *Metrics) Collect(out chan<- prometheus.Metric) {
	ctx, stop := context.WithTimeout(context.Background(), lookTime)
	defer stop()
	s := m.cfg.Snapshot()
	out <- buildInfo.is(1, m.cfg.Version, m.cfg.Kernel, runtime.Version())
	m.parts(ctx, s, out)
	m.queue(s, out)
	m.disk(ctx, s, out)
	if s.Host.ClockSeconds != nil {
		out <- skew.is(float64(*s.Host.ClockSeconds))
	}
	if m.cfg.Certificates != nil {
		for _, c := range m.cfg.Certificates() {
			out <- expiry.is(float64(c.Ends.Unix()), c.Whose)
		}
	}
}

// parts are what the terminal is made of.
func (m *Metrics) parts(ctx context.Context, s terminal.Snapshot, out chan<- prometheus.Metric) {
	out <- readerUp.is(truth(s.Reader.OK))
	if s.Stripe != nil {
		out <- stripeUp.is(truth(s.Stripe.OK))
	}
	out <- hostUp.is(truth(s.Host.OK))
	if m.cfg.Keys != nil {
		out <- keysUp.is(truth(m.cfg.Keys(ctx).OK))
	}
	if m.cfg.Printer != nil {
		ready, waiting, _ := m.cfg.Printer()
		out <- printerUp.is(truth(ready))
		out <- papers.is(float64(waiting))
	}
	out <- running.is(truth(runs(s)))
	out <- cardLeft.is(truth(s.CardLeft))
}

func runs(s terminal.Snapshot) bool { return s.State != terminal.Ready && !s.State.Final() }

// queue is what is owed to the host, and the batches.
func (m *Metrics) queue(s terminal.Snapshot, out chan<- prometheus.Metric) {
	out <- owed.is(float64(s.Owed), "waiting")
	out <- owed.is(float64(s.Parked), "parked")
	since := 0.0
	if !s.Oldest.IsZero() {
		since = float64(s.Oldest.Unix())
	}
	out <- oldest.is(since)
	if s.OwedSum.Currency.Code != "" {
		out <- sum.is(float64(s.OwedSum.Minor), s.OwedSum.Currency.Code)
	}
	if s.Batch == nil {
		return
	}
	out <- batch.is(float64(s.Batch.Count))
	out <- batchFull.is(truth(s.Batch.Warning != ""))
	states := map[terminal.BatchState]int{terminal.BatchDraining: 0, terminal.BatchTotalling: 0, terminal.BatchUploading: 0, terminal.BatchClosing: 0, terminal.BatchDisputed: 0}
	for _, b := range s.Batch.Settling {
		if _, known := states[b.State]; known {
			states[b.State]++
		}
	}
	for state, n := range states {
		out <- settling.is(float64(n), string(state))
	}
}

// disk is what the journal lies on, and how it is.
func (m *Metrics) disk(ctx context.Context, s terminal.Snapshot, out chan<- prometheus.Metric) {
	if free, err := m.cfg.Room(ctx); err != nil {
		m.cfg.Log.Error("metrics: the room on the disk is not known", "err", err)
	} else {
		out <- room.is(float64(free))
	}
	if m.cfg.Ballast != nil {
		out <- ballast.is(truth(m.cfg.Ballast()))
	}
	out <- sequence.is(float64(s.Journal))
	out <- quarantined.is(float64(s.Quarantined))
	out <- clockBack.is(truth(s.Clock != ""))
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
