package lane

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"tillway/money"
	"tillway/terminal"
)

// OwnerConfig is what an acquirer's owner is made of. Every field is needed unless its comment says otherwise.
type OwnerConfig struct {
	Name       string // of the acquirer, in every row
	Journal    Journal
	Dialect    Dialect
	Link       Link
	Traces     Counter // STANs, for sign-on
	Macs       Macs    // nil: none, and a dialect that wants MACs sends nothing
	TerminalID string
	MerchantID string

	// Where the acquirer has session keys, and may give orders; network.go.
	Sessions    SessionKeys                                       // nil: none, or none that an exchange brings
	KeyLife     time.Duration                                     // new session keys are asked for after this long; 0: never
	KeyMessages int                                               // and after this many messages; 0: never
	Random      io.Reader                                         // challenges of sign-ons; nil: no order is taken
	Destroy     func(ctx context.Context) error                   // erases the acquirer's keys; nil: no such order is taken
	Audit       func(ctx context.Context, done bool, note string) // nil: not audited. done false: refused

	Retry    time.Duration // first back-off after a debt or a connection failed; doubles up to RetryMax
	RetryMax time.Duration
	Check    time.Duration // how often an idle owner looks after its connection

	// ParkAfter is how long the host may put off an advice or a kept request, from its first "not now" on, before it is parked; and never
	// before ten tries. A reversal is not parked so.
	ParkAfter time.Duration

	Window int // most messages of what waits that are sent before the first is answered; 0 counts as 1

	Jitter func(most time.Duration) time.Duration // 0 to most, at random: taken off every back-off, so that tills do not come back in step; nil: none
	Echo   time.Duration                          // an echo test goes out after a connection was idle for this long; 0: none

	// Hosts are the addresses of the link's hosts, and ReadyAt connects to one of them, whichever the link would take; for TestHost. Nil: none.
	Hosts   []string
	ReadyAt func(ctx context.Context, at int) error

	Peer         func() terminal.Peer   // the other end of the link, from any goroutine; nil: nothing is known of it
	Certificates []terminal.Certificate // whose end is warned about before it comes, beside the peer's

	Currency money.Currency // of its batches
	Settle   SettleRules    // when they are settled by themselves

	Clock   func() time.Time
	Debts   []terminal.DebtRow  // nil: terminal.DebtTable()
	Batches []terminal.BatchRow // nil: terminal.BatchTable()
	Log     *slog.Logger
}

// Owner owns one acquirer's link and the order of what goes over it: sign-on, what is owed, the request. Nothing else
// writes to the socket, so "the reversal goes first" is a property of serve alone.
type Owner struct {
	told *pulse // whoever follows the lane; nil before there is one

	cfg    OwnerConfig
	debts  []terminal.DebtRow
	table  []terminal.BatchRow
	ask    chan question
	decide chan decision

	decideBatch chan batchDecision

	echoes chan chan<- error // somebody asks whether the host is there
	trials chan trialCall    // somebody tests one of its addresses
	probes chan probing      // and whether one of its addresses is
	poke   chan struct{}
	free   chan struct{} // a sale has ended
	strays chan terminal.Stray
	done   chan struct{} // closed when Run has ended

	mu     sync.Mutex // guards what follows
	health terminal.Health
	ahead  *time.Duration   // the host's clock, when it was last told
	warned string           // of clock or certificates, in the log
	known  []terminal.Batch // not closed, as last read

	unsent   int           // turns in a row of which nothing left; Run's goroutine only
	failures int           // connection failures in a row; Run's goroutine only
	hurry    bool          // somebody wants everything sent now, whatever its back-off; Run's goroutine only
	lastUsed time.Time     // when an answer last came; Run's goroutine only
	keys     keyState      // Run's goroutine only
	renew    chan bool     // somebody asks for new session keys; true: anew
	quiet    chan struct{} // one slot: a sale runs, or its keys are being changed

	stepDue       bool          // a batch's next step waits for nothing; Run's goroutine only
	settleNow     bool          // somebody asked for it: back-off does not count; Run's goroutine only
	batchFailures int           // of a batch's messages in a row; Run's goroutine only
	upload        upload        // Run's goroutine only
	withdrawn     atomic.Bool   // the host has ordered this terminal's keys destroyed: nothing is approved without it either
	draining      atomic.Bool   // a batch's totals wait for a moment without a sale
	firstTrace    atomic.Uint64 // trace number given out first in this run, never beginning again
	lastTrace     atomic.Uint64 // and last

	generation atomic.Int64 // of the session keys: goes up with each change
}

type question struct {
	message []byte
	keys    int64 // generation that the PIN in the message is under; keysOfAny: there is none
	behind  bool  // it goes only when nothing is owed any more, advices among it: what it is about may be in there
	reply   chan Reply
}

// keysOfAny says of a request that no PIN ties it to a generation of session keys.
const keysOfAny = -1

// Reply is what came of a request: HostApproved, HostDeclined, NotSent or NoAnswer, and the answer where there is one.
type Reply struct {
	Event    terminal.Event
	Response terminal.Response
	Note     string // for the journal: a technician's words
	Detail   string // for the cashier: one whole sentence, or empty
	Fault    bool   // not sent for the terminal's own fault: the technician's to put right, and no use to try again
	Host     string // that it went to, where the acquirer has several
}

// NewOwner makes an owner. Run starts it.
func NewOwner(cfg OwnerConfig) *Owner {
	o := &Owner{
		cfg: cfg, debts: cfg.Debts, ask: make(chan question), decide: make(chan decision), poke: make(chan struct{}, 1), free: make(chan struct{}, 1),
		strays: make(chan terminal.Stray, 16), done: make(chan struct{}), renew: make(chan bool, 1), quiet: make(chan struct{}, 1),
		echoes: make(chan chan<- error), trials: make(chan trialCall), probes: make(chan probing),
	}
	if cfg.Sessions != nil {
		o.keys.wanted = "the terminal has started"
	}
	if o.debts == nil {
		o.debts = terminal.DebtTable()
	}
	if o.table, o.decideBatch = cfg.Batches, make(chan batchDecision); o.table == nil {
		o.table = terminal.BatchTable()
	}
	o.cfg.Traces = watched{cfg.Traces, o}
	o.cfg.Journal = beating{cfg.Journal, o}
	o.setHealth(false, "not connected yet", "")
	return o
}

// Name is the acquirer's name.
func (o *Owner) Name() string { return o.cfg.Name }

// Run owns the link until ctx ends, and closes it. Its error is never the context's: it says that the journal failed,
// and the process must end.
func (o *Owner) Run(ctx context.Context) (err error) {
	defer close(o.done)
	defer func() {
		if cerr := o.cfg.Link.Close(); cerr != nil && err == nil {
			o.cfg.Log.Warn("closing the link", "err", cerr)
		}
	}()
	pause := time.NewTimer(0) // at start at once: sign on, and send what a power cut left owing
	defer pause.Stop()
	for {
		if ctx.Err() != nil { // the end goes before what else waits
			return nil
		}
		next, stay, err := o.next(ctx, pause.C)(ctx)
		if err != nil {
			return o.ended(ctx, err)
		}
		if !stay {
			pause.Reset(next)
		}
	}
}

// Request sends a request after every reversal that is owed, and waits for what comes of it. keys is the generation of session
// keys that its PIN is under, or keysOfAny: a PIN under keys that have gone is not sent. behind: it is about an earlier
// transaction, and nothing at all may be owed in front of it.
func (o *Owner) Request(ctx context.Context, message []byte, keys int64, behind bool) Reply {
	q := question{message, keys, behind, make(chan Reply, 1)}
	select {
	case o.ask <- q:
	case <-o.done:
		return notSent("the owner has ended", "The terminal is stopping.")
	case <-ctx.Done():
		return notSent("the context has ended", "The terminal is stopping.")
	}
	select {
	case r := <-q.reply:
		return r
	case <-o.done:
		// Run ended in the middle of it, because the journal failed: the process is about to end, and recovery
		// takes the sale from Sending.
		return Reply{Event: terminal.NoAnswer, Note: "the owner ended in the middle of it"}
	}
}

// Poke makes the owner look at what is owed now, whatever its back-off.
func (o *Owner) Poke() {
	select {
	case o.poke <- struct{}{}:
	default: // one is waiting already
	}
}

// Stray takes an answer that nobody waits for. It never blocks: beyond what its buffer holds, strays are only logged.
func (o *Owner) Stray(s terminal.Stray) {
	select {
	case o.strays <- s:
	default:
		o.cfg.Log.Warn("stray answer", "mti", s.MTI, "stan", s.STAN, "reason", s.Reason)
	}
}

func (o *Owner) setHealth(ok bool, state, cause string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.health = terminal.Health{OK: ok, Name: o.cfg.Name, State: state, Cause: cause}
	o.told.beat()
}

func (o *Owner) counts() (terminal.Counts, error) { return o.cfg.Journal.Counts(context.Background()) }

func (o *Owner) compose(req terminal.Request) (request, reversal []byte, err error) {
	return o.cfg.Dialect.Request(req)
}

func (o *Owner) advice(req terminal.Request) ([]byte, error) { return o.cfg.Dialect.Advice(req) }

func (o *Owner) can() terminal.Abilities { return o.cfg.Dialect.Can() }

func notSent(note, detail string) Reply {
	return Reply{Event: terminal.NotSent, Note: note, Detail: detail}
}

// serve brings one request to the host: connection and sign-on, then the reversals that are owed, and only when none is left the
// request. Behind one that the host has answered goes what it is to be told of approvals without it.
func (o *Owner) serve(ctx context.Context, q question) (next time.Duration, err error) {
	reply, err := o.request(ctx, q)
	if err != nil {
		return 0, err // no reply: the process ends, and recovery takes the sale
	}
	if err := o.drainStrays(ctx); err != nil {
		return 0, err
	}
	q.reply <- reply
	if reply.Event == terminal.HostApproved || reply.Event == terminal.HostDeclined {
		if _, _, err := o.advices(ctx, false); err != nil {
			return 0, err
		}
	}
	return o.nextLook(ctx)
}

// nextLook is when an owner without anything to do looks again: after the back-off of what is owed, or of a connection that
// failed.
func (o *Owner) nextLook(ctx context.Context) (time.Duration, error) {
	if o.stepDue {
		return 0, nil
	}
	if o.failures > 0 {
		return min(o.cfg.Check, o.backoff(o.failures)), nil
	}
	next, err := o.nextTry(ctx, o.busy())
	return min(o.cfg.Check, next), err
}

// wantsToSend says that something waited for a sale to end. While the host cannot be reached nothing does: when to try again is
// settled then.
func (o *Owner) wantsToSend(ctx context.Context) (bool, error) {
	if o.failures > 0 {
		return false, nil
	}
	due, err := o.due(ctx, false)
	return len(due) > 0 || o.draining.Load(), err
}

// busy says that a sale runs, or that its keys are being changed.
func (o *Owner) busy() bool {
	select {
	case o.quiet <- struct{}{}:
		<-o.quiet
		return false
	default:
		return true
	}
}

func (o *Owner) request(ctx context.Context, q question) (Reply, error) {
	switch err := o.connect(ctx); {
	case errors.Is(err, errJournal):
		return Reply{}, err
	case !o.keys.destroyed.IsZero() || o.keys.order == terminal.OrderDestroy:
		return notSent("the bank has ordered this terminal's keys destroyed", "The bank takes no sales of this terminal any more: call the acquirer."), nil
	case err != nil:
		return notSent(err.Error(), ""), nil
	case q.keys != keysOfAny && q.keys != o.generation.Load():
		return notSent("the session keys changed after the PIN was entered", "The terminal has just got new keys from the bank: start the sale again."), nil
	}
	left, err := o.reversals(ctx, true)
	if q.behind && left == "" && err == nil {
		if left, err = o.all(ctx); left != "" && err == nil {
			front, err := o.inFront(ctx)
			return notSent("everything that is owed must reach the bank first: "+left, front), err
		}
	}
	switch {
	case err != nil:
		return Reply{}, err
	case left != "":
		return notSent("a reversal must reach the bank first: "+left, "The reversal of an earlier sale has to arrive there first."), nil
	}
	res, sent, err := o.exchange(ctx, q.message)
	switch {
	case errors.Is(err, errJournal):
		return Reply{}, err
	case err != nil && !sent && errors.Is(err, terminal.ErrNoKeys):
		return Reply{Event: terminal.NotSent, Note: err.Error(), Detail: "This terminal's keys are not loaded.", Fault: true}, nil
	case err != nil && !sent:
		return notSent(err.Error(), ""), nil
	case err != nil:
		return Reply{Event: terminal.NoAnswer, Note: err.Error(), Host: o.peer().Host}, nil
	}
	r := Reply{Event: terminal.HostDeclined, Response: res, Note: "response code " + res.Code, Host: o.peer().Host}
	switch {
	case res.Verdict == terminal.VerdictApproved:
		r.Event = terminal.HostApproved
	case res.KeyError && o.cfg.Sessions != nil:
		r.Response.Advice.Do, r.Response.Advice.MayRetry = "The terminal gets new keys from the bank. Try again in a moment.", true
	}
	return r, nil
}

// inFront says to the cashier what has to reach the bank before a request about an earlier transaction. The error is the journal's.
func (o *Owner) inFront(ctx context.Context) (string, error) {
	due, err := o.owed(ctx)
	switch {
	case err != nil || len(due) == 0:
		return "What waits for the bank has to arrive there first (pos queue).", err
	case len(due) == 1:
		return fmt.Sprintf("The %s of sale %s has to reach the bank first (pos queue).", due[0].Kind.Words(), due[0].Sale), nil
	}
	return fmt.Sprintf("The %s of sale %s has to reach the bank first, and %d behind it (pos queue).", due[0].Kind.Words(), due[0].Sale, len(due)-1), nil
}

// rest is what an owner does between requests: look after the connection, and send what is due. What the host is to be told
// waits while a sale runs, and goes out a window at a time, so that the next customer's request comes in between.
func (o *Owner) rest(ctx context.Context) (next time.Duration, err error) {
	if err := o.cutOff(ctx); err != nil {
		return 0, err
	}
	switch err := o.connect(ctx); {
	case errors.Is(err, errJournal):
		return 0, err
	case err != nil:
		o.hurry = false
		return o.backoff(max(o.failures, 1)), nil
	}
	left, err := o.reversals(ctx, o.hurry)
	if err != nil {
		return 0, err
	}
	more := false
	switch {
	case left != "": // nothing else before it
		o.hurry = false
	case !o.busy():
		if more, _, err = o.advices(ctx, o.hurry); err != nil {
			return 0, err
		}
		o.hurry = o.hurry && more
	}
	if err := o.manage(ctx); err != nil {
		return 0, err
	}
	if err := o.drainStrays(ctx); err != nil {
		return 0, err
	}
	if more {
		return 0, nil
	}
	step, err := o.settlement(ctx)
	if err != nil || step == 0 {
		return step, err
	}
	look, err := o.echo(ctx)
	if err != nil {
		return 0, err
	}
	if step > 0 {
		look = min(look, step)
	}
	next, err = o.nextLook(ctx)
	return min(next, look), err
}

// backoff doubles with every failure up to RetryMax; up to half of it is taken off at random.
func (o *Owner) backoff(failures int) time.Duration {
	d := min(o.cfg.Retry, o.cfg.RetryMax)
	for range failures - 1 {
		if d *= 2; d >= o.cfg.RetryMax {
			d = o.cfg.RetryMax
			break
		}
	}
	if o.cfg.Jitter != nil {
		d -= min(max(o.cfg.Jitter(d/2), 0), d/2)
	}
	return d
}

// connect makes sure of a connection that is signed on. Its error says why there is none, for journal and log, or wraps
// errJournal.
func (o *Owner) connect(ctx context.Context) error {
	fresh, err := o.cfg.Link.Ready(ctx)
	if err != nil {
		o.failures++
		o.setHealth(false, "not connected", err.Error())
		return err
	}
	if fresh {
		if err := o.signOn(ctx); err != nil {
			o.failures++
			o.setHealth(false, "sign-on failed", err.Error())
			if !o.keys.destroyed.IsZero() {
				o.setHealth(false, keysDestroyed, o.withoutKeys())
			}
			return errors.Join(err, o.cfg.Link.Close())
		}
		o.signedOn()
	}
	if !o.keys.destroyed.IsZero() {
		o.setHealth(false, keysDestroyed, o.withoutKeys())
		return errors.New(o.withoutKeys())
	}
	o.failures = 0
	if o.keys.order == terminal.OrderDestroy {
		o.setHealth(false, "keys withdrawn", "the bank has ordered this terminal's keys destroyed: what is owed to it goes out first")
		return nil
	}
	o.setHealth(true, "connected", "")
	return nil
}

// signedOn notes that the host has taken a sign-on.
func (o *Owner) signedOn() {
	o.keys.destroyed = time.Time{} // others were loaded
	o.withdrawn.Store(o.keys.order == terminal.OrderDestroy)
}

func (o *Owner) lost(err error) { o.setHealth(false, "no answer", err.Error()) }

func (o *Owner) quarantine(ctx context.Context, s terminal.Stray) error {
	e := terminal.Entry{
		Time: s.Time, Kind: terminal.StrayEntry, Event: s.MTI,
		Note: brief(fmt.Sprintf("answer %s, trace %s, code %s, not taken: %s", s.MTI, s.STAN, s.Code, s.Reason)),
	}
	if err := o.cfg.Journal.Append(context.WithoutCancel(ctx), true, e); err != nil {
		return fmt.Errorf("%w: %w", errJournal, err)
	}
	return nil
}

func (o *Owner) drainStrays(ctx context.Context) error {
	for {
		select {
		case s := <-o.strays:
			if err := o.quarantine(ctx, s); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}
