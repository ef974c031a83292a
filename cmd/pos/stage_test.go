package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"tillway/emv"
	"tillway/iso8583/dialect/nac"
	"tillway/money"
	"tillway/terminal"
	"tillway/terminal/people"
	"tillway/terminal/receipt"
	"tillway/terminal/selftest"
	"tillway/till"
)

// stage plays lane and journal behind the real till: it compares the one order it gets, shows its snapshots one after
// another, and has the sale's record in its journal at the end.
type stage struct {
	t     *testing.T
	want  terminal.Order // but for its key
	sale  terminal.Sale  // as it ended
	shows []terminal.Snapshot

	batches   []terminal.Batch // the batch, as whoever looks again and again finds it; the last stays
	settleErr error            // what DecideBatch answers
	settled   []terminal.BatchDecision

	refuse    error  // what Start answers
	cancelErr error  // what Cancel answers
	watchErr  error  // what Watch answers
	onShow    func() // called when the last snapshot is out, before the sale has ended
	hold      chan struct{}

	rows   []terminal.JournalRow // of the sale; nil: journalOf
	about  []terminal.Sale
	access *till.Access // nil: openAccess
	verify func(context.Context) (till.Verified, error)

	mu        sync.Mutex // guards what follows
	at        int
	started   []terminal.Order
	cancelled int
	agreed    []terminal.Agreement
	meant     []bool
	decided   []terminal.DebtDecision
	forgotten bool // the journal does not know the sale
	ended     chan struct{}
}

func newStage(t *testing.T, sale terminal.Sale, shows ...terminal.Snapshot) *stage {
	t.Helper()
	s := &stage{t: t, sale: sale, shows: shows, ended: make(chan struct{})}
	s.want = terminal.Order{Kind: terminal.KindSale, Amount: sale.Amount, Reference: sale.Reference}
	for i := range s.shows {
		s.shows[i].Sale, s.shows[i].Version, s.shows[i].Amount = sale.ID, uint64(i+2), sale.Amount
		s.shows[i].Reader.OK = s.shows[i].Reader.Cause == ""
	}
	return s
}

func (s *stage) Start(_ context.Context, o terminal.Order) (terminal.Sale, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := o.Key
	o.Key = ""
	if o != s.want || len(key) != 32 {
		s.t.Errorf("order %+v with key %q, want %+v", o, key, s.want)
	}
	if len(s.started) > 0 && s.started[0].Key != key {
		s.t.Errorf("the order came again with another key")
	}
	o.Key = key
	s.started = append(s.started, o)
	if s.refuse != nil {
		return terminal.Sale{}, s.refuse
	}
	running := s.sale
	running.State, running.Outcome = terminal.AwaitCard, terminal.Outcome{}
	return running, nil
}

func (s *stage) Cancel(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancelled++
	if s.hold != nil {
		hold := s.hold // the answer to the cancel is there first
		time.AfterFunc(time.Second, func() { close(hold) })
		s.hold = nil
	}
	return s.cancelErr
}

// Agree takes the word on the signature and lets the sale end.
func (s *stage) Agree(_ context.Context, id terminal.SaleID, a terminal.Agreement) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id != s.sale.ID || s.hold == nil {
		return terminal.ErrAgreement
	}
	s.agreed = append(s.agreed, a)
	close(s.hold)
	s.hold = nil
	return nil
}

// Confirm takes the word on the warning and lets the sale end.
func (s *stage) Confirm(_ context.Context, id terminal.SaleID, meant bool, _ string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id != s.sale.ID || s.hold == nil || s.shows[s.at].Warning == "" {
		return terminal.ErrConfirm
	}
	s.meant = append(s.meant, meant)
	close(s.hold)
	s.hold = nil
	return nil
}

// Messages is till.Messages: what was asked for comes back in a message, so that a test sees it.
func (s *stage) Messages(traces []uint32, since time.Time) (found []till.Message) {
	for _, trace := range traces {
		found = append(found, till.Message{Time: since, From: till.FromTerminal, MTI: "0200", STAN: trace, Bytes: 180, Fields: map[string]string{"2": "476173******0119"}})
	}
	return found
}

func (s *stage) Transcript(_ context.Context, id terminal.SaleID) ([]byte, error) {
	if id != s.sale.ID {
		return nil, till.ErrNoTranscript
	}
	return []byte("{\"interface\": \"contact\"}\n"), nil
}

// Decide knows debt 5, which is parked, and debt 3, which waits.
func (s *stage) Decide(_ context.Context, d terminal.DebtDecision) (terminal.Debt, error) {
	from := terminal.Parked
	switch {
	case d.Debt == 3 && d.Event == terminal.DebtPut:
		from = terminal.Owed
	case d.Debt == 5 && d.Event == terminal.DebtPut:
		return terminal.Debt{}, fmt.Errorf("debt 5: %w", terminal.ErrParked)
	case d.Debt == 3:
		return terminal.Debt{}, fmt.Errorf("debt 3: %w", terminal.ErrNotParked)
	case d.Debt != 5:
		return terminal.Debt{}, fmt.Errorf("debt %d: %w", d.Debt, terminal.ErrNoDebt)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.decided = append(s.decided, d)
	row, err := terminal.NextDebt(terminal.DebtTable(), from, d.Event)
	return terminal.Debt{ID: d.Debt, Sale: s.sale.ID, Acquirer: "nac", Kind: terminal.ReversalDebt, STAN: 42, State: row.To, Attempts: 2, Reason: d.By}, err
}

func (s *stage) DecideBatch(_ context.Context, d terminal.BatchDecision) (terminal.Batch, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settled = append(s.settled, d)
	if s.settleErr != nil {
		return terminal.Batch{}, s.settleErr
	}
	return s.batches[0], nil
}

func (s *stage) Batches(context.Context, string) ([]terminal.Batch, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.batches, nil
}

func (s *stage) BatchRecord(context.Context, string, uint32) (terminal.Batch, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.batches) == 0 {
		return terminal.Batch{}, terminal.ErrNoBatch
	}
	b := s.batches[0]
	if len(s.batches) > 1 {
		s.batches = s.batches[1:]
	}
	return b, nil
}

func (s *stage) Items(context.Context, string, uint32) ([]terminal.Item, error) {
	return []terminal.Item{{Sale: s.sale}}, nil
}

func (s *stage) SendQueue(context.Context) error { return nil }

// Current is the sale while its signature is to be compared: before that nobody asks.
func (s *stage) Current() (terminal.Sale, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	running := s.sale
	if s.at >= len(s.shows) || s.shows[s.at].State != terminal.AgreementOnline {
		return terminal.Sale{}, false
	}
	running.State, running.Outcome, running.Method = terminal.AgreementOnline, terminal.Outcome{}, emv.Signature
	running.Signature = running.Signature || running.Approved.Minor == 0
	return running, true
}

func (s *stage) Snapshot() terminal.Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.snapshotLocked()
}

func (s *stage) snapshotLocked() terminal.Snapshot {
	switch {
	case s.at < len(s.shows):
		return s.shows[s.at]
	case len(s.started) == 0:
		return terminal.Snapshot{Version: 1, State: terminal.Ready}
	}
	last := s.sale
	return terminal.Snapshot{Version: uint64(len(s.shows) + 2), Sale: last.ID, State: last.State, Last: &last, Journal: 13}
}

func (s *stage) Watch(ctx context.Context, _ uint64) (terminal.Snapshot, error) {
	s.mu.Lock()
	if s.watchErr != nil {
		s.mu.Unlock()
		return terminal.Snapshot{}, s.watchErr
	}
	hold := s.hold
	last := s.at+1 >= len(s.shows)
	s.mu.Unlock()
	if last && s.onShow != nil {
		s.onShow()
	}
	if last && hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return terminal.Snapshot{}, ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at++
	return s.snapshotLocked(), nil
}

func (s *stage) Sale(_ context.Context, id terminal.SaleID) (terminal.Sale, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id != s.sale.ID || s.forgotten {
		return terminal.Sale{}, terminal.ErrNoSale
	}
	return s.sale, nil
}

func (s *stage) Last(context.Context, int) ([]terminal.Sale, error) {
	return []terminal.Sale{s.sale}, nil
}

func (s *stage) Rows(_ context.Context, after int64, limit int) ([]terminal.JournalRow, error) {
	all := journalOf(s.sale)
	var out []terminal.JournalRow
	for _, r := range all {
		if r.Seq > after && len(out) < limit {
			out = append(out, r)
		}
	}
	return out, nil
}

func (s *stage) SaleRows(context.Context, terminal.SaleID) ([]terminal.JournalRow, error) {
	if s.rows != nil {
		return s.rows, nil
	}
	return journalOf(s.sale)[1:], nil
}

func (s *stage) About(_ context.Context, id terminal.SaleID) ([]terminal.Sale, error) {
	if id != s.sale.ID {
		return nil, nil
	}
	return s.about, nil
}

func (s *stage) Debts(context.Context) ([]terminal.Debt, error) {
	return []terminal.Debt{{ID: 3, Sale: s.sale.ID, Acquirer: "nac", Kind: terminal.ReversalDebt, STAN: 42, State: terminal.Owed, Since: s.sale.Started, Attempts: 2, Reason: "no answer"}}, nil
}

func journalOf(sale terminal.Sale) []terminal.JournalRow {
	at := sale.Started
	return []terminal.JournalRow{
		{Seq: 10, Time: at, Kind: terminal.StartEntry, Note: "release test"},
		{Seq: 11, Time: at, Kind: terminal.SaleEntry, Sale: sale.ID, From: terminal.CardTalk, Event: string(terminal.GoOnline), To: string(terminal.Sending), Duties: []terminal.Duty{terminal.OweReversal}},
		{Seq: 12, Time: at, Kind: terminal.SaleEntry, Sale: sale.ID, From: terminal.FinishApproved, Event: string(terminal.CardAgrees), To: string(sale.State), Duties: []terminal.Duty{terminal.DischargeReversal}},
		{Seq: 13, Time: at, Kind: terminal.DebtEntry, Sale: sale.ID, Event: "Accepted", To: string(terminal.Acknowledged), Debt: &terminal.Debt{ID: 3, Sale: sale.ID, Kind: terminal.ReversalDebt}},
	}
}

// wire is the daemon's socket without an operating system: connections are pipes, so that time can be the test's own.
type wire struct {
	mu     sync.Mutex // guards what follows
	server *http.Server
	conns  chan net.Conn
	dials  int
}

type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "posd.sock", Net: "unix"} }

// nobody is a terminal without people, which audits all the same.
type nobody struct{ keeper }

type keeper = till.People // under another name, since People has a method of its own

func (nobody) Audit(_ context.Context, entries ...people.Entry) error {
	for _, e := range entries {
		e.Time = time.Unix(1, 0)
		if err := e.Check(); err != nil {
			return err
		}
	}
	return nil
}

// openAccess is a till without log-in, as in development, and without people.
func openAccess() *till.Access {
	p := people.DefaultPolicy()
	p.Open = true
	return till.NewAccess(till.AccessConfig{People: nobody{}, Policy: p, Log: slog.New(slog.DiscardHandler)})
}

func (s *stage) Search(context.Context, terminal.Search) (terminal.Found, error) {
	return terminal.Found{Sales: []terminal.Sale{s.sale}}, nil
}

func (s *stage) OfCard(context.Context, terminal.SaleID, int) ([]terminal.Sale, error) {
	return []terminal.Sale{s.sale}, nil
}

// serve starts the daemon; stop ends it, connections and all.
func (w *wire) serve(t *testing.T, s *stage) (stop func()) {
	t.Helper()
	access := s.access
	if access == nil {
		access = openAccess()
	}
	ln := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
	srv := &http.Server{Handler: till.New(till.Config{
		Lane: s, Journal: s, Access: access, Verify: s.verify, Currency: s.sale.Amount.Currency, Kinds: []terminal.Kind{terminal.KindSale, terminal.KindPreauth}, TerminalID: "TILL0001", MerchantID: "KW0000000000001",
		Header:  receipt.Header{Name: "TILLWAY TEST SHOP", Location: []string{"Salmiya, Kuwait"}},
		Profile: "kuwait", Version: "test", Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
		CAKeys:      till.CAKeys{Environment: "test", Keys: 12, Revoked: 1},
		Transcripts: s, Messages: s, Meaning: nac.Meaning,
		Selftest: func(context.Context) selftest.Report { return selftest.NewReport(s.sale.Started, 0, "test", true, nil) },
		Kernel:   receipt.Kernel{Name: "contact", Version: "1.0.0", Checksum: strings.Repeat("0123456789abcdef", 4)},
	}).Socket()}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = srv.Serve(ln)
	}()
	w.mu.Lock()
	w.server, w.conns = srv, ln.conns
	w.mu.Unlock()
	return func() {
		w.mu.Lock()
		w.server = nil
		w.mu.Unlock()
		_ = srv.Close()
		<-ended
	}
}

func (w *wire) dial(ctx context.Context, _ string) (net.Conn, error) {
	w.mu.Lock()
	srv, conns := w.server, w.conns
	w.dials++
	w.mu.Unlock()
	if srv == nil {
		return nil, &net.OpError{Op: "dial", Net: "unix", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	}
	here, there := net.Pipe()
	select {
	case conns <- there:
		return here, nil
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), here.Close(), there.Close())
	}
}

// result is what one command line did.
type result struct {
	code        int
	out, errOut string
}

// posRun runs one command line against a wire.
func posRun(t *testing.T, w *wire, signals chan<- chan<- os.Signal, args ...string) result {
	t.Helper()
	var out, errOut bytes.Buffer
	code := run(t.Context(), app{
		in: bytes.NewReader(nil), out: &out, errOut: &errOut, env: func(string) string { return "" }, dial: w.dial,
		notify: func(c chan<- os.Signal) {
			if signals != nil {
				signals <- c
			}
		},
	}, args)
	return result{code, out.String(), errOut.String()}
}

func kwd(t *testing.T, minor int64) money.Amount {
	t.Helper()
	c, err := money.ByCode("KWD")
	if err != nil {
		t.Fatal(err)
	}
	return money.New(minor, c)
}
