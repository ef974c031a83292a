package training

import (
	"context"
	"fmt"
	"slices"
	"time"

	"tillway/emv"
	"tillway/money"
	"tillway/terminal"
)

// How long things take: a customer with a card, a card, a PIN, a bank.
const (
	forCard    = 2 * time.Second // until the pretend card is in
	forChip    = 700 * time.Millisecond
	forDigit   = 400 * time.Millisecond // of the PIN
	forBank    = 1200 * time.Millisecond
	forNobody  = 4 * time.Second // until an answer that never comes is given up
	forRemoval = 2 * time.Second // until the card is out again
)

// A card is a pretend one. Its number is a published test number, masked.
type card struct{ pan, label, scheme, aid, languages string }

// cards take turns, so that prompts are seen in both languages.
func cards() []card {
	return []card{
		{"476173******0119", "VISA CREDIT", "visa", "A0000000031010", "aren"},
		{"541333******4111", "MASTERCARD", "mastercard", "A0000000041010", "en"},
	}
}

// run is a sale that is played.
type run struct {
	rec     terminal.Sale
	earlier *terminal.Earlier
	stopped context.Context
	stop    context.CancelFunc // the cashier cancels
	late    bool               // and is not heard any more
	code    string             // of the pretend bank
	cause   terminal.Outcome
	detail  string

	agreement chan bool // nil: nothing is to be agreed, or somebody has answered
	answer    chan bool // where the answer comes, also one that was quicker than the player
	warning   chan bool // nil: nothing is to be confirmed
}

// Run plays the sales that are begun, until ctx ends. It is the one goroutine that plays.
func (t *Terminal) Run(ctx context.Context) {
	removal := time.NewTimer(forRemoval)
	removal.Stop()
	defer removal.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-removal.C:
			t.takeOut()
		case r := <-t.work:
			removal.Stop()
			if !t.play(ctx, r) {
				return
			}
			removal.Reset(forRemoval)
		}
	}
}

// takeOut is the customer, who takes the card.
func (t *Terminal) takeOut() {
	t.change(func(s *terminal.Snapshot) {
		s.CardLeft = false
		if s.State.Final() {
			s.Prompt, s.Advice, s.Language = terminal.PromptWelcome, "", ""
		}
	})
}

// play brings one sale to its end; false when ctx ended before.
func (t *Terminal) play(ctx context.Context, r *run) bool {
	defer r.stop()
	for !r.rec.State.Final() {
		event, ok := t.act(ctx, r)
		if !ok {
			return false
		}
		t.step(r, event)
	}
	return true
}

// step takes the table's row for an event, keeps it, and shows it.
func (t *Terminal) step(r *run, event terminal.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	rec := r.rec
	row, err := terminal.Next(terminal.Table(), rec.State, event)
	if err != nil {
		panic("training: " + err.Error()) // a defect: act gives only what the table has
	}
	rec.State, rec.Updated = row.To, t.cfg.Clock()
	if row.To == terminal.Approved && rec.Way == "" {
		rec.Way = terminal.WayOnline
	}
	if row.To.Final() {
		rec.Outcome = terminal.Conclude(row, rec, r.cause, r.detail)
		t.running = nil
	}
	r.rec, r.agreement = rec, nil
	if rec.State == terminal.AgreementOnline {
		r.agreement = make(chan bool, 1)
		r.answer = r.agreement
	}
	t.keep(row, event, rec)
	prompt, advice := t.words(r)
	t.changeLocked(func(s *terminal.Snapshot) {
		s.Sale, s.State, s.Amount, s.Prompt, s.Advice, s.PIN = rec.ID, rec.State, rec.Amount, prompt, advice, nil
		if rec.State.Final() {
			last := rec
			s.Last, s.Confirm, s.CardLeft = &last, false, !rec.Kind.WithoutCard() && rec.Entry != "" && event != terminal.Removed
		}
	})
}

// words are prompt and advice of a state, as the lane has them.
func (t *Terminal) words(r *run) (terminal.Prompt, string) {
	leave := "Leave the card in the reader."
	if r.rec.Kind.WithoutCard() {
		leave = ""
	}
	switch r.rec.State {
	case terminal.AwaitCard:
		return terminal.PromptInsertCard, "Ask the customer to insert the card."
	case terminal.Sending, terminal.Asking:
		return terminal.PromptAuthorising, leave
	case terminal.AgreementOnline, terminal.AgreementOffline:
		return terminal.Question(r.rec, t.cfg.AgreementWait)
	case terminal.Approved, terminal.Declined, terminal.Cancelled, terminal.Reversed:
		return terminal.FinalPrompt(r.rec), r.rec.Outcome.Do
	case terminal.CardTalk, terminal.FinishApproved, terminal.FinishDeclined, terminal.FinishUnable, terminal.FinishUnanswered, terminal.Ready:
	}
	return terminal.PromptWait, leave
}

// act does the one action of the sale's state. Waits end with ctx, and those before the request also with the cashier's cancel.
func (t *Terminal) act(ctx context.Context, r *run) (event terminal.Event, ok bool) {
	switch r.rec.State {
	case terminal.Ready:
		switch {
		case r.rec.Kind == terminal.KindCompletion:
			return terminal.Capture, true
		case r.rec.Kind.WithoutCard():
			return terminal.Refer, true
		}
		return terminal.Start, true
	case terminal.AwaitCard:
		if !wait(ctx, r.stopped, forCard) {
			return terminal.Cancel, ctx.Err() == nil
		}
		return terminal.Presented, true
	case terminal.CardTalk:
		return t.cardTalk(ctx, r)
	case terminal.Sending, terminal.Asking:
		return t.bank(ctx, r)
	case terminal.FinishApproved:
		return t.finish(ctx, r)
	case terminal.AgreementOnline, terminal.AgreementOffline:
		return t.agreed(ctx, r)
	case terminal.FinishDeclined, terminal.FinishUnable, terminal.FinishUnanswered:
	case terminal.Approved, terminal.Declined, terminal.Cancelled, terminal.Reversed:
	}
	return terminal.CardRefuses, wait(ctx, ctx, forChip)
}

// wait is false when one of the contexts ended first.
func wait(ctx, stopped context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-stopped.Done():
	case <-ctx.Done():
	}
	return false
}

// cardTalk is the pretend card: it is read, warned about where it has just paid the same, and its PIN is entered.
func (t *Terminal) cardTalk(ctx context.Context, r *run) (terminal.Event, bool) {
	cancelled := func() (terminal.Event, bool) { return terminal.Cancel, ctx.Err() == nil }
	t.present(r)
	if !wait(ctx, r.stopped, forChip) {
		return cancelled()
	}
	if r.code == cardOut {
		r.detail = "Card removed."
		return terminal.Removed, true
	}
	if event, ok := t.warned(ctx, r); event != "" || !ok {
		return event, ok
	}
	if r.rec.Kind != terminal.KindForced {
		for digits := range 5 {
			t.change(func(s *terminal.Snapshot) {
				s.Prompt, s.PIN = terminal.PromptEnterPIN, &terminal.PINProgress{Entry: 1, Digits: digits}
				s.Advice = "Let the customer enter the PIN, and look away."
			})
			if !wait(ctx, r.stopped, forDigit) {
				return cancelled()
			}
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if r.stopped.Err() != nil { // cancelled while the last digit was entered
		return cancelled()
	}
	r.late = true
	r.rec.STAN, r.rec.Invoice = t.trace(), t.traces
	switch r.rec.Kind {
	case terminal.KindForced:
		r.rec.Way = terminal.WayVoice
		return terminal.VoiceApproved, true
	case terminal.KindBalance:
		return terminal.Inquire, true
	default:
		return terminal.GoOnline, true
	}
}

// trace is the next trace number; the caller holds mu.
func (t *Terminal) trace() uint32 {
	t.traces++
	return t.traces
}

// present puts a pretend card in: the earlier sale's, where there is one, else one of the two in turn.
func (t *Terminal) present(r *run) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := cards()[int(r.rec.ID-First)%len(cards())]
	if r.earlier != nil {
		for _, other := range cards() {
			if other.pan == r.earlier.Sale.MaskedPAN {
				c = other
			}
		}
	}
	s := &r.rec
	s.MaskedPAN, s.Label, s.Scheme, s.AID, s.Language, s.Entry, s.Token = c.pan, c.label, c.scheme, c.aid, c.languages, terminal.EnteredChip, c.aid
	s.LocalTime = t.cfg.Clock()
	if s.Kind != terminal.KindForced {
		s.Method = emv.OnlinePIN
	}
	t.changeLocked(func(n *terminal.Snapshot) { n.Language = terminal.ChooseLanguage(c.languages, t.cfg.Languages) })
}

// warned says that the card has just paid the same, and waits for a word where the profile wants one. No event: the sale goes on.
func (t *Terminal) warned(ctx context.Context, r *run) (terminal.Event, bool) {
	twin, found := t.twin(r)
	if !found {
		return "", true
	}
	minutes := max(t.cfg.Clock().Sub(twin.Started).Round(time.Minute), time.Minute).Minutes()
	asked := make(chan bool, 1)
	t.mu.Lock()
	r.rec.Twin = twin.ID
	if t.cfg.AskSame {
		r.warning = asked
	}
	t.changeLocked(func(s *terminal.Snapshot) {
		s.Warning, s.Confirm = terminal.SameCardWarning(twin, int(minutes)), t.cfg.AskSame
		if s.Confirm {
			s.Advice = terminal.SameCardQuestion
		}
	})
	t.mu.Unlock()
	if !t.cfg.AskSame {
		return "", true
	}
	timer := time.NewTimer(t.cfg.CardWait)
	defer timer.Stop()
	event := terminal.Cancel
	select {
	case meant := <-asked:
		if event = ""; !meant {
			event, r.cause = terminal.Cancel, terminal.Unconfirmed(false)
		}
	case <-timer.C:
		event, r.cause = terminal.TimeOut, terminal.Unconfirmed(true)
	case <-r.stopped.Done():
	case <-ctx.Done():
		return "", false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	r.warning = nil
	t.changeLocked(func(s *terminal.Snapshot) { s.Confirm = false })
	return event, true
}

// twin is the newest training sale of the same card and amount.
func (t *Terminal) twin(r *run) (terminal.Sale, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := r.rec.Kind
	if t.cfg.SameCard <= 0 || k != terminal.KindSale && k != terminal.KindForced && k != terminal.KindPreauth {
		return terminal.Sale{}, false
	}
	for _, kept := range slices.Backward(t.sales) {
		s := *kept
		same := s.ID != r.rec.ID && s.State == terminal.Approved && s.MaskedPAN == r.rec.MaskedPAN && s.Amount == r.rec.Amount
		if same && (s.Kind == terminal.KindSale || s.Kind == terminal.KindForced || s.Kind == k) && t.cfg.Clock().Sub(s.Started) < t.cfg.SameCard && !t.voided(s.ID) {
			return s, true
		}
	}
	return terminal.Sale{}, false
}

// bank is the pretend bank.
func (t *Terminal) bank(ctx context.Context, r *run) (terminal.Event, bool) {
	takes := forBank
	if silent(r.code) {
		takes = forNobody
	}
	if !wait(ctx, ctx, takes) {
		return "", false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	s := &r.rec
	if s.STAN == 0 { // of what reads no card
		s.STAN, s.Invoice = t.trace(), t.traces
	}
	event := terminal.HostApproved
	switch code := bankCode(r.code); {
	case silent(r.code) && s.State == terminal.Asking:
		r.cause, event = terminal.Unanswered(""), terminal.NoAnswer
	case silent(r.code):
		return terminal.NoAnswer, true
	case code == inPart && (s.Kind == terminal.KindSale || s.Kind == terminal.KindPreauth):
		s.Approved, s.ResponseCode = money.New(s.Amount.Minor/2, s.Amount.Currency), code
	case code != approved:
		s.ResponseCode, r.cause, event = code, declined(code), terminal.HostDeclined
	default:
		s.ResponseCode = code
	}
	s.RRN = fmt.Sprintf("%012d", s.ID-First+1)
	if event == terminal.HostApproved {
		s.AuthCode = fmt.Sprintf("T%05d", s.ID-First+1)
		if s.Kind == terminal.KindBalance {
			s.Balance = money.New(250_000, s.Amount.Currency)
		}
	}
	return event, true
}

// finish is the card's last word on an approval.
func (t *Terminal) finish(ctx context.Context, r *run) (terminal.Event, bool) {
	if r.rec.Kind.WithoutCard() {
		return terminal.CardAgrees, true
	}
	if !wait(ctx, ctx, forChip) {
		return "", false
	}
	switch {
	case r.code == cardOutLate:
		r.detail = "Card removed."
		return terminal.Removed, true
	case r.code == cardNo:
		return terminal.CardRefuses, true
	case r.rec.Approved.Minor > 0:
		return terminal.AgreementNeeded, true
	}
	return t.captures(r, terminal.CardAgrees), true
}

func (t *Terminal) captures(r *run, agreed terminal.Event) terminal.Event {
	if t.cfg.TwoStep && r.rec.Kind == terminal.KindSale {
		return terminal.CaptureDue
	}
	return agreed
}

// agreed waits for the cashier's word on a part of the amount.
func (t *Terminal) agreed(ctx context.Context, r *run) (terminal.Event, bool) {
	timer := time.NewTimer(t.cfg.AgreementWait)
	defer timer.Stop()
	yes := false
	select {
	case yes = <-r.answer:
	case <-timer.C:
	case <-ctx.Done():
		return "", false
	}
	if yes {
		return t.captures(r, terminal.Agreed), true
	}
	r.cause = terminal.PartRefused(r.rec)
	return terminal.NotAgreed, true
}
