package metrics

import (
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tillway/terminal"
)

// counters are what journal rows add up to.
type counters struct {
	sales, outcomes, debts, signOns, batches *prometheus.CounterVec

	strays prometheus.Counter
	phase  *prometheus.HistogramVec
}

const other = "other" // the label of what is in no list: a later release's word must not make a new series

func newCounters() counters {
	vec := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tillway_" + name, Help: help}, labels)
	}
	c := counters{
		sales:    vec("transactions_total", "Transactions that have ended, by kind, final state and way of approval.", "kind", "state", "way"),
		outcomes: vec("outcomes_total", "Transactions that have ended, by the code of their outcome.", "code"),
		debts:    vec("debt_events_total", "What happened to reversals, advices and kept requests.", "kind", "event"),
		strays:   prometheus.NewCounter(prometheus.CounterOpts{Name: "tillway_stray_answers_total", Help: "Answers of the host that nobody waited for: late, twice, or another's."}),
		signOns:  vec("sign_ons_total", "Sign-ons to the acquirer that are in the journal."),
		batches:  vec("batch_events_total", "What happened to batches.", "event"),
		phase: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "tillway_phase_seconds", Help: "How long the phases of a transaction took: card (until the host is asked), host (until it has answered), total.",
			Buckets: []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 20, 30, 60, 120},
		}, []string{"phase"}),
	}
	for _, k := range terminal.Kinds() { // a rate needs the zero before the first
		for _, s := range finals() {
			c.sales.WithLabelValues(string(k), string(s), "")
		}
	}
	for _, k := range debtKinds() {
		for _, e := range debtEvents() {
			c.debts.WithLabelValues(string(k), string(e))
		}
	}
	for _, p := range []string{"card", "host", "total"} {
		c.phase.WithLabelValues(p)
	}
	return c
}

func finals() []terminal.State {
	return []terminal.State{terminal.Approved, terminal.Declined, terminal.Cancelled, terminal.Reversed}
}

func ways() []terminal.Way {
	return []terminal.Way{"", terminal.WayOnline, terminal.WayOffline, terminal.WayDeferred, terminal.WayVoice}
}

func debtKinds() []terminal.DebtKind {
	return []terminal.DebtKind{terminal.ReversalDebt, terminal.AdviceDebt, terminal.DeferredDebt}
}

func debtEvents() []terminal.DebtEvent {
	return []terminal.DebtEvent{
		terminal.DebtTurn, terminal.DebtDischarge, terminal.DebtAccepted, terminal.DebtRefused, terminal.DebtTryLater, terminal.DebtNoAnswer,
		terminal.DebtPowerLost, terminal.DebtPut, terminal.DebtRequeued, terminal.DebtWrittenOff,
	}
}

func codes() []string {
	return []string{
		terminal.CodeApproved, terminal.CodeDeclined, terminal.CodeCardDeclined, terminal.CodeOtherCard, terminal.CodeNotTaken, terminal.CodeCardError,
		terminal.CodeCardRemoved, terminal.CodeCancelled, terminal.CodeTimedOut, terminal.CodeUnreachable, terminal.CodeNoAnswer, terminal.CodeCardRefused,
		terminal.CodeSignature, terminal.CodePartRefused, terminal.CodePowerLost, terminal.CodeTerminalFault,
	}
}

// label is a word of a closed list, or other.
func label[T ~string](list []T, word T) string {
	if slices.Contains(list, word) {
		return string(word)
	}
	return other
}

// phases are when a running transaction's phases began.
type phases struct{ started, sent time.Time }

// mostRunning bounds what is remembered of transactions whose end was never seen: one runs at a time.
const mostRunning = 16

// count adds one row. The caller holds the lock.
func (m *Metrics) count(row terminal.JournalRow) {
	switch row.Kind {
	case terminal.SaleEntry:
		m.countSale(row)
	case terminal.DebtEntry:
		if row.Debt != nil {
			m.rows.debts.WithLabelValues(label(debtKinds(), row.Debt.Kind), label(debtEvents(), terminal.DebtEvent(row.Event))).Inc()
		}
	case terminal.StrayEntry:
		m.rows.strays.Inc()
	case terminal.SignOnEntry:
		m.rows.signOns.WithLabelValues().Inc()
	case terminal.BatchEntry:
		m.rows.batches.WithLabelValues(label(batchEvents(), row.Event)).Inc()
	case terminal.StartEntry:
	}
}

func batchEvents() []string {
	var all []string
	for _, r := range terminal.BatchTable() {
		if !slices.Contains(all, string(r.Event)) {
			all = append(all, string(r.Event))
		}
	}
	return all
}

// countSale follows one transaction through its rows. What is committed together has times of its own all the same.
func (m *Metrics) countSale(row terminal.JournalRow) {
	at, known := m.begun[row.Sale]
	if row.Event == string(terminal.Start) {
		if len(m.begun) >= mostRunning {
			clear(m.begun)
		}
		at, known = phases{started: row.Time}, true
	}
	to := terminal.State(row.To)
	switch {
	case !known:
	case to == terminal.Sending || to == terminal.Asking:
		at.sent = row.Time
		m.took("card", at.started, row.Time)
	case !at.sent.IsZero() && strings.HasPrefix(string(row.Event), "Host"):
		m.took("host", at.sent, row.Time)
	}
	if known {
		m.begun[row.Sale] = at
	}
	if !to.Final() || row.Record == nil || row.Event == "" {
		return
	}
	if known {
		m.took("total", at.started, row.Time)
		delete(m.begun, row.Sale)
	}
	way := terminal.Way("")
	if to == terminal.Approved {
		way = row.Record.Way
	}
	m.rows.sales.WithLabelValues(label(terminal.Kinds(), row.Record.Kind), label(finals(), to), label(ways(), way)).Inc()
	m.rows.outcomes.WithLabelValues(label(codes(), row.Record.Outcome.Code)).Inc()
}

// took notes a duration. A clock that was set back in between says nothing.
func (m *Metrics) took(phase string, from, to time.Time) {
	if d := to.Sub(from); d >= 0 {
		m.rows.phase.WithLabelValues(phase).Observe(d.Seconds())
	}
}
