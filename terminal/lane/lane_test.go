package lane

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tillway/device"
	"tillway/emv"
	"tillway/money"
	"tillway/terminal"
)

// memory is a journal in memory that keeps what lane.Journal promises: rows wait until a commit, debts follow duties.
type memory struct {
	mu      sync.Mutex
	rows    []terminal.Entry // committed
	commits []int            // how many rows there were behind each commit
	waiting []terminal.Entry
	fail    error

	bad map[string]bool // which question about an earlier sale meets a row in quarantine: "Sale", "About", "Told", "CardOf"
}

func (m *memory) Append(_ context.Context, commit bool, entries ...terminal.Entry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	for _, e := range entries {
		for _, d := range e.Duties {
			if d == terminal.DischargeReversal && !m.owes(e.Sale.ID) || d != terminal.DischargeReversal && e.Secret == nil {
				return fmt.Errorf("%s %s: no reversal to discharge, or owed without its message", e.Event, d)
			}
		}
		m.waiting = append(m.waiting, e)
	}
	if commit {
		m.rows, m.waiting = append(m.rows, m.waiting...), nil
		m.commits = append(m.commits, len(m.rows))
	}
	return nil
}

// owes says that a reversal of a sale was made owing.
func (m *memory) owes(id terminal.SaleID) bool {
	return slices.ContainsFunc(slices.Concat(m.rows, m.waiting), func(e terminal.Entry) bool {
		return e.Sale != nil && e.Sale.ID == id && slices.Contains(e.Duties, terminal.OweReversal)
	})
}

func (m *memory) sales() map[terminal.SaleID]terminal.Sale {
	out := map[terminal.SaleID]terminal.Sale{}
	for _, e := range m.rows {
		if e.Sale != nil {
			out[e.Sale.ID] = *e.Sale
		}
	}
	return out
}

func (m *memory) Unfinished(context.Context) ([]terminal.Sale, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var open []terminal.Sale
	for _, s := range m.sales() {
		if !s.State.Final() {
			open = append(open, s)
		}
	}
	return open, nil
}

func (m *memory) Due(context.Context, string) ([]terminal.Debt, error) {
	due := m.debts(terminal.Owed, terminal.Sent, terminal.Parked)
	for i := range due {
		due[i].Message = nil
	}
	terminal.MarkBehind(due, nil)
	return slices.DeleteFunc(due, func(d terminal.Debt) bool { return d.State == terminal.Parked }), nil
}

func (m *memory) Message(_ context.Context, id int64) ([]byte, error) {
	for _, d := range m.debts(terminal.Owed, terminal.Sent) {
		if d.ID == id {
			return slices.Clone(d.Message), nil
		}
	}
	return nil, terminal.ErrNoDebt
}

func (m *memory) Parked(_ context.Context, id int64, message bool) (terminal.Debt, error) {
	for _, d := range m.debts(terminal.Owed, terminal.Sent, terminal.Parked) {
		if d.ID != id {
			continue
		}
		if !message || d.State != terminal.Parked {
			d.Message = nil
		}
		if d.State != terminal.Parked {
			return d, terminal.ErrNotParked
		}
		return d, nil
	}
	return terminal.Debt{}, terminal.ErrNoDebt
}

func (m *memory) PutOff(_ context.Context, d terminal.Debt) (time.Time, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.rows {
		if e.Debt != nil && e.Debt.ID == d.ID && e.Event == string(terminal.DebtTryLater) {
			return e.Time, nil
		}
	}
	return time.Time{}, nil
}

// debts are those in one of the states, of sales that are over.
func (m *memory) debts(states ...terminal.DebtState) []terminal.Debt {
	m.mu.Lock()
	defer m.mu.Unlock()
	sales := m.sales()
	var debts []terminal.Debt // debt n is the nth that came to be owed
	owe := func(s *terminal.Sale, kind terminal.DebtKind, at time.Time, message []byte) {
		if len(message) == 0 {
			panic("owed without its message")
		}
		debts = append(debts, terminal.Debt{
			ID: int64(len(debts) + 1), Sale: s.ID, Acquirer: s.Acquirer, Kind: kind, STAN: s.STAN, State: terminal.Owed, Since: at, Message: message,
		})
	}
	for _, e := range m.rows {
		for _, d := range e.Duties {
			switch d {
			case terminal.OweReversal:
				owe(e.Sale, terminal.ReversalDebt, e.Time, e.Secret.Reversal)
			case terminal.DischargeReversal:
				at := slices.IndexFunc(debts, func(d terminal.Debt) bool { return d.Sale == e.Sale.ID && d.Kind == terminal.ReversalDebt })
				debts[at].State = terminal.Discharged
			case terminal.OweAdvice:
				owe(e.Sale, terminal.AdviceDebt, e.Time, e.Secret.Advice)
			case terminal.OweDeferred:
				owe(e.Sale, terminal.DeferredDebt, e.Time, e.Secret.Advice)
			}
		}
		if e.Debt != nil {
			d := *e.Debt
			d.Message = debts[d.ID-1].Message
			debts[d.ID-1] = d
		}
	}
	var due []terminal.Debt
	for _, d := range debts {
		if sales[d.Sale].State.Final() && slices.Contains(states, d.State) {
			due = append(due, d)
		}
	}
	return due
}

// Exposure knows a card by its masked number.
func (m *memory) Exposure(_ context.Context, _ string, way terminal.Way, card emv.PAN) (terminal.Exposure, error) {
	waits := m.debts(terminal.Owed, terminal.Sent, terminal.Parked)
	m.mu.Lock()
	defer m.mu.Unlock()
	var e terminal.Exposure
	for _, d := range waits {
		s := m.sales()[d.Sale]
		if d.Kind == terminal.ReversalDebt || s.Way != way {
			continue
		}
		e.Count++
		e.Sum += s.Taken().Minor
		if s.MaskedPAN == card.Masked() {
			e.CardCount++
			e.CardSum += s.Taken().Minor
		}
		if d.State != terminal.Parked && (e.Oldest.IsZero() || d.Since.Before(e.Oldest)) {
			e.Oldest = d.Since
		}
	}
	return e, nil
}

func (m *memory) Counts(context.Context) (terminal.Counts, error) {
	owed, parked := m.debts(terminal.Owed, terminal.Sent), m.debts(terminal.Parked)
	m.mu.Lock()
	defer m.mu.Unlock()
	return terminal.Counts{Owed: len(owed), Parked: len(parked), Highest: int64(len(m.rows))}, nil
}

func (m *memory) Batch(context.Context, string) (uint32, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	open := m.batches()
	return open[len(open)-1].Number, nil
}

// batches are those that are not closed, oldest first: the last is open.
func (m *memory) batches() []terminal.Batch {
	all := []terminal.Batch{{Acquirer: "acquirer", Number: 1, State: terminal.BatchOpen}}
	for _, e := range m.rows {
		if e.Batch == nil {
			continue
		}
		for i := range all {
			if all[i].Number == e.Batch.Number {
				all[i] = *e.Batch
			}
		}
		if terminal.BatchEvent(e.Event) == terminal.BatchDrained {
			all = append(all, terminal.Batch{Acquirer: "acquirer", Number: e.Batch.Number + 1, State: terminal.BatchOpen, Opened: e.Time, Traces: e.Batch.Traces})
		}
	}
	return slices.DeleteFunc(all, func(b terminal.Batch) bool { return b.State.Final() })
}

func (m *memory) Batches(context.Context, string) ([]terminal.Batch, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.batches(), m.fail
}

func (m *memory) Items(_ context.Context, _ string, batch uint32) ([]terminal.Item, error) {
	debts := m.debts(terminal.Owed, terminal.Sent, terminal.Parked, terminal.Acknowledged, terminal.WrittenOff)
	m.mu.Lock()
	defer m.mu.Unlock()
	var items []terminal.Item
	for id, s := range m.sales() {
		if s.Batch != batch || s.STAN == 0 || !s.State.Final() {
			continue
		}
		i := terminal.Item{Sale: s}
		for _, v := range m.sales() {
			if v.Kind == terminal.KindVoid && v.Of == id && v.State == terminal.Approved {
				i.Void = v.ID
			}
		}
		for _, d := range debts {
			if d.Sale == id {
				d.Message = nil
				i.Debts = append(i.Debts, d)
			}
		}
		items = append(items, i)
	}
	slices.SortFunc(items, func(a, b terminal.Item) int { return cmp.Compare(a.Sale.ID, b.Sale.ID) })
	return items, m.fail
}

func (m *memory) Standing(ctx context.Context, acquirer string) (out terminal.Standing, err error) {
	if out.Batch, err = m.Batch(ctx, acquirer); err != nil {
		return out, err
	}
	items, err := m.Items(ctx, acquirer, out.Batch)
	for _, i := range items {
		if out.Sales++; out.Oldest.IsZero() {
			out.Oldest = i.Sale.Started
		}
		if i.Sale.State == terminal.Approved && i.Sale.Kind.Captured() && i.Void == 0 {
			out.Count++
			out.Sum += i.Sale.Taken().Minor
		}
	}
	return out, err
}

func (m *memory) ByKey(_ context.Context, key string) (terminal.Sale, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return terminal.Sale{}, m.fail
	}
	for _, s := range m.sales() {
		if s.Key == key {
			return s, nil
		}
	}
	return terminal.Sale{}, terminal.ErrNoSale
}

type counter struct{ n uint64 }

func (c *counter) Next(context.Context) (uint64, error) { c.n++; return c.n, nil }

// wire is a host that answers each message as its script says, and keeps what it was sent.
type wire struct {
	answer func(message string) (string, bool, error)
	fresh  bool

	mu   sync.Mutex // guards all below
	sent []string
	down error
}

func (w *wire) Ready(context.Context) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.fresh, w.down
}

func (w *wire) Exchange(ctx context.Context, message []byte) ([]byte, bool, error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	w.mu.Lock()
	w.sent = append(w.sent, string(message))
	w.mu.Unlock()
	time.Sleep(time.Second)
	a, sent, err := w.answer(string(message))
	return []byte(a), sent, err
}

// Pipeline takes all messages, and then answers them one by one, up to the first that has no answer.
func (w *wire) Pipeline(ctx context.Context, messages [][]byte) (answers [][]byte, sent int, err error) {
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	w.mu.Lock()
	for _, m := range messages {
		w.sent = append(w.sent, string(m))
	}
	w.mu.Unlock()
	for _, m := range messages {
		time.Sleep(time.Second)
		a, _, err := w.answer(string(m))
		if err != nil {
			return answers, len(messages), err
		}
		answers = append(answers, []byte(a))
	}
	return answers, len(messages), nil
}

func (w *wire) Close() error { return nil }

// words is a dialect of plain words: "sale", "reversal"; answers are response codes. With macs a message is followed by
// its key's number and its MAC, "sale#1#m", and an answer by its MAC, "00#m".
type words struct{ macs bool }

func (words) Can() terminal.Abilities {
	return terminal.Abilities{Kinds: terminal.Kinds(), Offline: true, Deferred: true, TwoStep: true, Totals: true, Upload: true}
}

func (words) Advice(r terminal.Request) ([]byte, error) {
	return fmt.Appendf(nil, "advice %06d", r.STAN), nil
}

func (words) Deferred(r terminal.Request) ([]byte, error) {
	return fmt.Appendf(nil, "deferred %06d", r.STAN), nil
}

func (words) Totals(r terminal.TotalsRequest) ([]byte, error) {
	return fmt.Appendf(nil, "totals %06d %d", r.STAN, r.Batch), nil
}

func (words) Upload(r terminal.UploadRequest) ([]byte, error) {
	return fmt.Appendf(nil, "upload %06d %06d", r.Trace, r.STAN), nil
}

func (words) Request(r terminal.Request) (request, reversal []byte, err error) {
	return []byte(string(r.Kind) + string(r.PIN.Block)), []byte("reversal"), nil
}
func (w words) MACed([]byte) bool { return w.macs }
func (words) WithMAC(message, ksn []byte, mac func([]byte) ([]byte, error)) ([]byte, error) {
	data := string(message) + "#" + string(ksn)
	m, err := mac([]byte(data))
	return []byte(data + "#" + string(m)), err
}

func (words) AnswerMAC(answer []byte) (terminal.Authentication, error) {
	data, mac, _ := strings.Cut(string(answer), "#")
	return terminal.Authentication{Data: []byte(data), MAC: []byte(mac), Stray: terminal.Stray{MTI: "answer", Code: data}}, nil
}
func (words) Repeat(first []byte, _ int) ([]byte, error) { return first, nil }
func (words) InBatch(message []byte, batch uint32) ([]byte, error) {
	return fmt.Appendf(nil, "%s in %d", message, batch), nil
}

func (words) Network(r terminal.NetworkRequest) ([]byte, error) {
	return []byte(map[terminal.NetworkKind]string{terminal.SignOn: "signon", terminal.KeyExchange: "keys", terminal.OrderDone: "done", terminal.Echo: "echo"}[r.Kind]), nil
}

func (words) Response(answer []byte) (terminal.Response, error) {
	if string(answer) == "garbage" {
		return terminal.Response{}, errors.New("no response code")
	}
	code, _, _ := strings.Cut(string(answer), "#")
	r := terminal.Response{Verdict: terminal.VerdictDeclined, Code: code, Advice: terminal.Outcome{Code: terminal.CodeDeclined}}
	r.SeenPIN = []byte("seen")
	switch code {
	case "00":
		r.Verdict = terminal.VerdictApproved
	case "balanced":
		r.Verdict, r.InBalance, r.Closed = terminal.VerdictApproved, true, true
	case "differs":
		r.Closed, r.HostTotal = true, []terminal.TotalsLine{{Sales: 1, SalesSum: 1000}}
	case "upload":
		r.Upload = true
	case "short": // and the host says what it has
		r.Upload, r.HostTotal = true, []terminal.TotalsLine{{Sales: 1, SalesSum: 1000}}
	case "55":
		r.WrongPIN, r.PINTries = true, 2
	}
	if string(answer) == "91" {
		r.Verdict = terminal.VerdictTryLater
	}
	return r, nil
}

// slot is a reader with a card always at hand.
type slot struct{ none bool }

func (slot) Name() string                       { return "slot" }
func (slot) Status() device.Status              { return device.Status{Condition: device.CardIn} }
func (slot) AwaitRemoval(context.Context) error { return nil }
func (slot) Release(context.Context) error      { return nil }
func (slot) Close() error                       { return nil }
func (s slot) Present(ctx context.Context) (device.Presented, error) {
	if s.none {
		<-ctx.Done()
		return device.Presented{}, ctx.Err()
	}
	return device.Presented{Technology: device.Contact, Card: silent{}}, nil
}

type silent struct{}

func (silent) Transmit(context.Context, []byte) ([]byte, error) { return nil, device.ErrMute }

// chip is a kernel whose card says what the test wants; it takes its time, so that cancels can come in between.
type chip struct {
	first, second emv.Decision
	reason        string
	err           error
	complete      error  // of Complete
	pan           []byte // nil: a good one
	deaf          bool   // does not look at its context
	sign          bool   // an approval waits for a signature
	tvr           emv.TVR
}

func (c chip) Begin(ctx context.Context, _ emv.Card, _ emv.Params, _ emv.Cardholder) (emv.Transaction, emv.Outcome, error) {
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
		if !c.deaf {
			return nil, emv.Outcome{}, ctx.Err()
		}
	}
	out := emv.Outcome{Decision: c.first, Reason: c.reason}
	if c.pan == nil {
		c.pan = []byte{0x47, 0x61, 0x73, 0x90, 0x01, 0x01, 0x01, 0x19}
	}
	out.Data.Put(0x5A, c.pan)
	out.Data.Put(emv.TagTVR, c.tvr[:])
	return c, out, c.err
}

func (c chip) Complete(context.Context, emv.HostAnswer) (emv.Outcome, error) {
	return emv.Outcome{Decision: c.second, Reason: c.reason, Method: emv.Signature, SignatureDue: c.sign}, c.complete
}

type bench struct {
	t       *testing.T
	journal *memory
	wire    *wire
	lane    *Lane
	owner   *Owner
	clock   atomic.Int64 // how far the wall clock is off, in nanoseconds
	stop    context.CancelFunc
	ended   chan error
}

var kwd, _ = money.ByCode("KWD")

func start(t *testing.T, k Kernel, r device.Reader, answer func(string) (string, bool, error), change ...func(*Config, *OwnerConfig)) *bench {
	t.Helper()
	b := &bench{t: t, journal: &memory{}, wire: &wire{answer: answer, fresh: true}, ended: make(chan error, 1)}
	log := slog.New(slog.DiscardHandler)
	clock := func() time.Time { return time.Now().Add(time.Duration(b.clock.Load())) }
	owning := OwnerConfig{
		Name: "acquirer", Journal: b.journal, Dialect: words{}, Link: b.wire, Traces: &counter{}, Retry: 2 * time.Second, RetryMax: time.Minute,
		Check: time.Hour, Clock: clock, Log: log,
	}
	cfg := Config{
		Journal: b.journal, Kernel: k, Reader: r, Sales: &counter{}, Traces: &counter{},
		Params:   func(terminal.Order, time.Time, terminal.SaleID) emv.Params { return emv.Params{} },
		Currency: kwd, CardWait: time.Minute, CardTalk: time.Minute, AgreementWait: 5 * time.Minute, Clock: clock, Log: log,
	}
	for _, f := range change {
		f(&cfg, &owning)
	}
	o := NewOwner(owning)
	b.owner, cfg.Owner = o, o
	b.lane = New(cfg)
	ctx, stop := context.WithCancel(t.Context())
	b.stop = stop
	go func() {
		owning, release := context.WithCancel(context.WithoutCancel(ctx))
		owned := make(chan error, 1)
		go func() {
			err := o.Run(owning)
			stop()
			owned <- err
		}()
		err := b.lane.Run(ctx)
		release()
		b.ended <- errors.Join(err, <-owned)
	}()
	return b
}

func (b *bench) sell(minor int64, key string) terminal.Sale {
	b.t.Helper()
	s, err := b.lane.Start(b.t.Context(), terminal.Order{Kind: terminal.KindSale, Amount: money.New(minor, kwd), Key: key})
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

func (b *bench) last() terminal.Sale {
	b.t.Helper()
	for seen := uint64(0); ; {
		s, err := b.lane.Watch(b.t.Context(), seen)
		if err != nil {
			b.t.Fatal(err)
		}
		if seen = s.Version; s.State.Final() {
			return *s.Last
		}
	}
}

func (b *bench) end() {
	b.t.Helper()
	b.stop()
	if err := <-b.ended; err != nil {
		b.t.Error(err)
	}
}

// sent is what went over the wire so far.
func (b *bench) sent() []string {
	b.wire.mu.Lock()
	defer b.wire.mu.Unlock()
	return slices.Clone(b.wire.sent)
}

// rows is the journal so far.
func (b *bench) rows() []terminal.Entry {
	b.journal.mu.Lock()
	defer b.journal.mu.Unlock()
	return slices.Clone(b.journal.rows)
}

// hasEnded says that the terminal ended by itself, with an error, within two hours.
func (b *bench) hasEnded() {
	b.t.Helper()
	time.Sleep(2 * time.Hour)
	select {
	case err := <-b.ended:
		if err == nil {
			b.t.Error("ended without an error")
		}
	default:
		b.t.Error("it goes on")
	}
}

func always(code string) func(string) (string, bool, error) {
	return func(string) (string, bool, error) { return code, true, nil }
}

var approves = chip{first: emv.Online, second: emv.Approved}

func TestOrdersThatAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, approves, slot{}, always("00"))
		defer b.end()
		usd, _ := money.ByCode("USD")
		for name, o := range map[string]terminal.Order{
			"nothing":               {},
			"kind":                  {Kind: "loan", Amount: money.New(1, kwd)},
			"zero":                  {Kind: terminal.KindSale, Amount: money.New(0, kwd)},
			"negative":              {Kind: terminal.KindSale, Amount: money.New(-1, kwd)},
			"too much":              {Kind: terminal.KindSale, Amount: money.New(money.MaxMinor+1, kwd)},
			"other currency":        {Kind: terminal.KindSale, Amount: money.New(100, usd)},
			"control character":     {Kind: terminal.KindSale, Amount: money.New(1, kwd), Reference: "a\nb"},
			"card number":           {Kind: terminal.KindSale, Amount: money.New(1, kwd), Reference: "card 4761 7390-0101 0119"},
			"card number by a till": {Kind: terminal.KindSale, Amount: money.New(1, kwd), Asked: &terminal.Asked{SaleID: "till 4761739001010119"}},
			"card number as a key":  {Kind: terminal.KindSale, Amount: money.New(1, kwd), Key: "4761739001010119"},
			"long reference":        {Kind: terminal.KindSale, Amount: money.New(1, kwd), Reference: strings.Repeat("r", 65)},
			"long key":              {Kind: terminal.KindSale, Amount: money.New(1, kwd), Key: strings.Repeat("k", 129)},
		} {
			if s, err := b.lane.Start(t.Context(), o); !errors.Is(err, terminal.ErrOrder) {
				t.Errorf("%s: %+v, %v", name, s, err)
			}
		}
		if len(b.rows()) != 0 {
			t.Errorf("refused orders left %d rows", len(b.rows()))
		}
	})
}

func TestReferenceMayHoldNumbersThatAreNoCards(t *testing.T) {
	for _, ref := range []string{"", "ORDER 20261123-0001", "4761739001010118", "12345678901234567890123"} {
		if terminal.CardNumberIn(ref) {
			t.Errorf("%q taken for a card number", ref)
		}
	}
}

func TestSameKeySameSale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, approves, slot{}, always("00"))
		defer b.end()
		first := b.sell(1000, "k1")
		if again := b.sell(1000, "k1"); again.ID != first.ID {
			t.Errorf("while it runs: sale %s and %s", first.ID, again.ID)
		}
		if _, err := b.lane.Start(t.Context(), terminal.Order{Kind: terminal.KindSale, Amount: money.New(5, kwd)}); !errors.Is(err, terminal.ErrBusy) {
			t.Errorf("a second sale beside it: %v", err)
		}
		b.last()
		if again := b.sell(1000, "k1"); again.ID != first.ID || again.State != terminal.Approved {
			t.Errorf("after its end: sale %s %s", again.ID, again.State)
		}
		if _, err := b.lane.Start(t.Context(), terminal.Order{Kind: terminal.KindSale, Amount: money.New(2000, kwd), Key: "k1"}); !errors.Is(err, terminal.ErrKeyReused) {
			t.Errorf("same key, other amount: %v", err)
		}
	})
}

func TestCancelIsHeardUntilTheRequestLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, approves, slot{}, always("00"))
		defer b.end()
		if err := b.lane.Cancel(t.Context()); !errors.Is(err, terminal.ErrNothingRuns) {
			t.Errorf("nothing runs: %v", err)
		}
		b.sell(1000, "")
		time.Sleep(500 * time.Millisecond) // the kernel is at work
		if err := b.lane.Cancel(t.Context()); err != nil {
			t.Error(err)
		}
		if s := b.last(); s.State != terminal.Cancelled || s.Outcome.Code != terminal.CodeCancelled {
			t.Errorf("%s %s", s.State, s.Outcome.Code)
		}
		b.sell(2000, "")
		time.Sleep(1500 * time.Millisecond) // the request is with the host
		if err := b.lane.Cancel(t.Context()); !errors.Is(err, terminal.ErrNotCancelable) {
			t.Errorf("after the request left: %v", err)
		}
		if s := b.last(); s.State != terminal.Approved {
			t.Errorf("%s", s.State)
		}
	})
}

func TestReversalGoesBeforeTheNextRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silent := true
		b := start(t, approves, slot{}, func(m string) (string, bool, error) {
			if m == "sale" && silent {
				return "", true, errors.New("no answer in time")
			}
			return "00", true, nil
		})
		defer b.end()
		b.sell(1000, "")
		if s := b.last(); s.State != terminal.Reversed || s.Outcome.Code != terminal.CodeNoAnswer {
			t.Fatalf("%s %s", s.State, s.Outcome.Code)
		}
		silent = false
		b.sell(2000, "")
		if s := b.last(); s.State != terminal.Approved {
			t.Fatalf("%s: %s", s.State, s.Outcome.Happened)
		}
		var order []string
		for _, m := range b.sent() {
			if m != "signon" {
				order = append(order, m)
			}
		}
		if len(order) != 3 || order[0] != "sale" || order[1] != "reversal" || order[2] != "sale" {
			t.Errorf("on the wire: %v", order)
		}
	})
}

func TestNoRequestWhileTheReversalIsRefusedAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, approves, slot{}, func(m string) (string, bool, error) {
			if m == "signon" {
				return "00", true, nil
			}
			return "", true, errors.New("no answer in time")
		})
		defer b.end()
		b.sell(1000, "")
		b.last()
		b.sell(2000, "")
		if s := b.last(); s.State != terminal.Declined || s.Outcome.Code != terminal.CodeUnreachable {
			t.Errorf("%s %s", s.State, s.Outcome.Code)
		}
		n := 0
		for _, m := range b.sent() {
			if m == "sale" {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%d requests left, the second while the first one's reversal was owed", n)
		}
	})
}

func TestStopWaitsForTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, approves, slot{}, always("00"))
		s := b.sell(1000, "")
		time.Sleep(1500 * time.Millisecond) // the request is with the host
		b.end()
		if got := b.journal.sales()[s.ID]; got.State != terminal.Approved {
			t.Errorf("stopped in mid-answer: %s", got.State)
		}
	})
}

func TestStopLeavesASaleWithoutACardOffTheDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, approves, slot{none: true}, always("00"))
		b.sell(1000, "")
		time.Sleep(time.Second)
		b.end()
		if n := len(b.journal.sales()); n != 0 {
			t.Errorf("%d sales on disk", n)
		}
	})
}

func TestNoCardInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, approves, slot{none: true}, always("00"))
		defer b.end()
		b.sell(1000, "")
		if s := b.last(); s.State != terminal.Cancelled || s.Outcome.Code != terminal.CodeTimedOut {
			t.Errorf("%s %s", s.State, s.Outcome.Code)
		}
	})
}

// An online-only terminal never takes an approval that the host did not give.
func TestOfflineApprovalIsRefused(t *testing.T) {
	for name, k := range map[string]chip{
		"TC at the first cryptogram": {first: emv.Approved},
		"TC after no answer":         {first: emv.Online, second: emv.Approved},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := start(t, k, slot{}, func(m string) (string, bool, error) {
					if m == "sale" {
						return "", true, errors.New("no answer in time")
					}
					return "00", true, nil
				})
				defer b.end()
				b.sell(1000, "")
				if s := b.last(); s.State == terminal.Approved {
					t.Errorf("approved: %+v", s.Outcome)
				}
			})
		})
	}
}

func TestAFailedJournalEndsTheLaneAndShowsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, approves, slot{}, always("00"))
		defer b.stop()
		b.sell(1000, "")
		time.Sleep(500 * time.Millisecond)
		b.journal.mu.Lock()
		b.journal.fail = errors.New("disk full")
		b.journal.mu.Unlock()
		if err := <-b.ended; err == nil {
			t.Error("the lane went on without its journal")
		}
		if s := b.lane.Snapshot(); s.State.Final() || len(b.sent()) > 1 {
			t.Errorf("shown %s, on the wire %v", s.State, b.sent())
		}
	})
}

// The receipt of a card that declined by itself shows which card it was, by its last digits.
func TestDeclinedByTheCardIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, chip{first: emv.Declined}, slot{}, always("00"))
		defer b.end()
		b.sell(1000, "")
		if s := b.last(); s.State != terminal.Declined || s.MaskedPAN != "476173******0119" {
			t.Errorf("%s, card %q", s.State, s.MaskedPAN)
		}
	})
}
