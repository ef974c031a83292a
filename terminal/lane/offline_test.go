package lane

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tillway/device"
	"tillway/emv"
	"tillway/terminal"
)

// offline is a card that approves without the host: at once, or when the host cannot be asked; it obeys the terminal's gate
// as the kernel does.
type offline struct {
	first emv.Decision
	sign  bool
	pan   []byte
	gone  bool // pulled out before its second cryptogram
	stern bool // refuses a TC that the terminal asks for
	tvr   emv.TVR
}

type offlineTransaction struct {
	card   offline
	closed string
}

func (c offline) outcome(d emv.Decision, arc string) emv.Outcome {
	out := emv.Outcome{Decision: d, SignatureDue: c.sign}
	if c.pan == nil {
		c.pan = []byte{0x47, 0x61, 0x73, 0x90, 0x01, 0x01, 0x01, 0x19}
	}
	out.Data.Put(0x5A, c.pan)
	out.Data.Put(emv.TagTVR, c.tvr[:])
	if arc != "" {
		out.Data.Put(emv.TagAuthorisationResponseCode, []byte(arc))
	}
	return out
}

func (c offline) Begin(ctx context.Context, _ emv.Card, p emv.Params, _ emv.Cardholder) (emv.Transaction, emv.Outcome, error) {
	time.Sleep(time.Second)
	out := c.outcome(c.first, "")
	card, err := cardData(&out.Data)
	if err != nil {
		return nil, out, err
	}
	why, err := p.Offline.Closed(ctx, emv.OfflineQuestion{PAN: card.PAN})
	if err != nil {
		return nil, out, err
	}
	if c.first == emv.Approved && why == "" {
		return nil, c.outcome(emv.Approved, "Y1"), nil
	}
	return offlineTransaction{c, why}, c.outcome(emv.Online, ""), nil
}

func (t offlineTransaction) Complete(_ context.Context, a emv.HostAnswer) (emv.Outcome, error) {
	switch {
	case t.card.gone:
		return emv.Outcome{}, device.ErrRemoved
	case a.Result == emv.HostApproved:
		return t.card.outcome(emv.Approved, "00"), nil
	case a.Result == emv.HostUnable && t.closed == "" && t.card.stern:
		return t.card.outcome(emv.Declined, "Y3"), nil
	case a.Result == emv.HostUnable && t.closed == "":
		return t.card.outcome(emv.Approved, "Y3"), nil
	case a.Result == emv.HostUnable:
		return t.card.outcome(emv.Declined, "Z3"), nil
	}
	return t.card.outcome(emv.Declined, "05"), nil
}

var ample = terminal.OfflineLimits{Count: 100, Sum: 1_000_000, Age: 72 * time.Hour, CardCount: 100, CardSum: 1_000_000}

func keeping(limits terminal.OfflineLimits) func(*Config, *OwnerConfig) {
	return func(c *Config, _ *OwnerConfig) { c.Offline.Approvals = limits }
}

// unreachable is a host that is not there from the start on.
func unreachable(_ *Config, o *OwnerConfig) {
	if w, ok := o.Link.(*wire); ok {
		w.set(true, errors.New("no route"))
	}
}

// messages are what went over the wire but for sign-ons.
func (b *bench) messages() []string {
	return slices.DeleteFunc(b.sent(), func(m string) bool { return m == "signon" })
}

// An approval without the host owes the host word of it from the same commit on, and the word arrives.
func TestOfflineApprovalIsKept(t *testing.T) {
	down, silent := errors.New("no route"), errors.New("no answer in time")
	for name, c := range map[string]struct {
		card offline
		link error // the connection
		says error // of the request
		want string
	}{
		"first cryptogram":  {offline{first: emv.Approved}, nil, nil, "advice 000001"},
		"nothing was sent":  {offline{first: emv.Online}, down, nil, "advice 000001"},
		"no answer came":    {offline{first: emv.Online}, nil, silent, "sale reversal advice 000002"},
		"with a signature":  {offline{first: emv.Approved, sign: true}, nil, nil, "advice 000001"},
		"signed, not sent":  {offline{first: emv.Online, sign: true}, down, nil, "advice 000001"},
		"signed, no answer": {offline{first: emv.Online, sign: true}, nil, silent, "sale reversal advice 000002"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := start(t, c.card, slot{}, func(m string) (string, bool, error) {
					if m == "sale" && c.says != nil {
						return "", true, c.says
					}
					return "00", true, nil
				}, keeping(ample))
				defer b.end()
				b.wire.set(true, c.link)
				b.sell(1000, "")
				if c.card.sign {
					time.Sleep(time.Minute)
					if err := b.lane.Agree(t.Context(), 1, terminal.Agreement{Matches: true, By: "sara"}); err != nil {
						t.Fatal(err)
					}
				}
				s := b.last()
				if s.State != terminal.Approved || s.Way != terminal.WayOffline || !strings.HasPrefix(s.ResponseCode, "Y") {
					t.Fatalf("%s %q %q: %s", s.State, s.Way, s.ResponseCode, s.Outcome.Happened)
				}
				owed := false
				for _, e := range b.rows() {
					if e.Sale != nil && e.Sale.State == terminal.Approved {
						owed = slices.Contains(e.Duties, terminal.OweAdvice) && len(e.Secret.Advice) > 0
					}
				}
				if !owed {
					t.Error("the approval's own commit owes nothing")
				}
				b.wire.set(false, nil)
				pass(time.Hour)
				if got := strings.Join(b.messages(), " "); got != c.want {
					t.Errorf("on the wire: %s", got)
				}
				if n := b.lane.Snapshot().Owed; n != 0 {
					t.Errorf("%d are still owed", n)
				}
			})
		})
	}
}

// What the cashier does not accept is not approved, and owes no advice.
func TestOfflineApprovalThatIsNotSigned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, offline{first: emv.Approved, sign: true}, slot{}, always("00"), keeping(ample))
		defer b.end()
		b.sell(1000, "")
		time.Sleep(time.Minute)
		if err := b.lane.Agree(t.Context(), 1, terminal.Agreement{By: "sara"}); err != nil {
			t.Fatal(err)
		}
		if s := b.last(); s.State != terminal.Cancelled {
			t.Errorf("%s", s.State)
		}
		pass(time.Hour)
		if got := b.messages(); len(got) != 0 {
			t.Errorf("on the wire: %v", got)
		}
	})
}

// Every limit, at it and past it: a sale that is one too many goes online, and is not approved where the host is away.
func TestLimitsOfTheQueue(t *testing.T) {
	other := []byte{0x54, 0x13, 0x33, 0x00, 0x89, 0x60, 0x41, 0x11}
	for name, c := range map[string]struct {
		change func(*terminal.OfflineLimits)
		wait   time.Duration // between the sales
		says   string
	}{
		"count":           {func(l *terminal.OfflineLimits) { l.Count = 2 }, 0, "2 approvals wait"},
		"sum":             {func(l *terminal.OfflineLimits) { l.Sum = 2_999 }, 0, "more than the KWD 2.999"},
		"age":             {func(l *terminal.OfflineLimits) { l.Age = 2 * time.Hour }, time.Hour, "too long"},
		"count of a card": {func(l *terminal.OfflineLimits) { l.CardCount = 2 }, 0, "2 approvals of this card"},
		"sum of a card":   {func(l *terminal.OfflineLimits) { l.CardSum = 2_999 }, 0, "one card may have"},
		"nothing at all":  {func(l *terminal.OfflineLimits) { l.Count = 0 }, 0, "cannot be reached"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				limits := ample
				c.change(&limits)
				card := &changing{offline{first: emv.Approved}}
				b := start(t, card, slot{}, always("00"), keeping(limits), unreachable)
				defer b.end()
				var ended []terminal.Sale
				for range 3 {
					b.sell(1000, "")
					ended = append(ended, b.last())
					time.Sleep(c.wait)
				}
				if name == "nothing at all" {
					ended = ended[2:]
				} else if ended[0].State != terminal.Approved || ended[1].State != terminal.Approved {
					t.Fatalf("%s, %s", ended[0].State, ended[1].State)
				}
				last := ended[len(ended)-1]
				if last.State != terminal.Declined || !strings.Contains(last.Outcome.Happened, c.says) {
					t.Errorf("%s: %s", last.State, last.Outcome.Happened)
				}
				card.pan = other
				b.sell(1000, "")
				if s := b.last(); (s.State == terminal.Approved) != strings.Contains(name, "of a card") {
					t.Errorf("another card: %s", s.State)
				}
				b.wire.set(true, nil)
				b.owner.Poke()
				pass(time.Hour)
				b.sell(1000, "")
				if s := b.last(); s.State != terminal.Approved || (s.Way == terminal.WayOffline) == (name == "nothing at all") {
					t.Errorf("with the queue empty again: %s %q", s.State, s.Way)
				}
			})
		})
	}
}

// changing is a card that a test changes between sales.
type changing struct{ offline }

// What a limit of the journal cannot say is no yes.
func TestLimitsThatNobodyCanSay(t *testing.T) {
	for name, c := range map[string]struct {
		room  func(context.Context) (uint64, error)
		says  string
		taken bool
	}{
		"room":       {func(context.Context) (uint64, error) { return 100, nil }, "", true},
		"no room":    {func(context.Context) (uint64, error) { return 99, nil }, "nearly full", false},
		"who knows?": {func(context.Context) (uint64, error) { return 0, fmt.Errorf("no such disk") }, "Nobody can say", false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := start(t, offline{first: emv.Approved}, slot{}, always("00"), keeping(ample), func(c2 *Config, _ *OwnerConfig) {
					c2.Offline.Room, c2.Offline.MinRoom = c.room, 100
				})
				defer b.end()
				b.wire.set(true, errors.New("no route"))
				b.sell(1000, "")
				if s := b.last(); (s.State == terminal.Approved) != c.taken || !strings.Contains(s.Outcome.Happened, c.says) {
					t.Errorf("%s: %s", s.State, s.Outcome.Happened)
				}
			})
		})
	}
}

// A request that could not leave is kept where profile and acquirer let it: the host hears of it later, and may decline it then.
func TestDeferredRequest(t *testing.T) {
	bit := func(b emv.TVRBit) (v emv.TVR) { v.Set(b); return v }
	for name, c := range map[string]struct {
		card   offline
		silent bool // the request leaves, and nothing comes back
		change func(*Config, *OwnerConfig)
		want   terminal.State
		says   string
	}{
		"kept":                      {offline{first: emv.Online}, false, nil, terminal.Approved, "may still decline"},
		"it may have left":          {offline{first: emv.Online}, true, nil, terminal.Reversed, ""},
		"the card was pulled out":   {offline{first: emv.Online, gone: true}, false, nil, terminal.Declined, ""},
		"with a signature":          {offline{first: emv.Online, sign: true}, false, nil, terminal.Declined, ""},
		"a card that may be a copy": {offline{first: emv.Online, tvr: bit(emv.TVRCDAFailed)}, false, nil, terminal.Declined, ""},
		"nobody proved to be it":    {offline{first: emv.Online, tvr: bit(emv.TVRVerificationNotSuccessful)}, false, nil, terminal.Declined, ""},
		"the card itself refuses":   {offline{first: emv.Online, stern: true}, false, keeping(ample), terminal.Declined, ""},
		"one too many":              {offline{first: emv.Online}, false, func(c *Config, _ *OwnerConfig) { c.Offline.Deferred.Sum = 999 }, terminal.Declined, "KWD 0.999"},
		"none at all":               {offline{first: emv.Online}, false, func(c *Config, _ *OwnerConfig) { c.Offline.Deferred.Count = 0 }, terminal.Declined, "cannot be reached"},
		"not this acquirer":         {offline{first: emv.Online}, false, func(_ *Config, o *OwnerConfig) { o.Dialect = curt{} }, terminal.Declined, "cannot be reached"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &answers{}
				changes := []func(*Config, *OwnerConfig){func(c *Config, _ *OwnerConfig) { c.Offline.Deferred = ample }}
				if c.change != nil {
					changes = append(changes, c.change)
				}
				if !c.silent {
					changes = append(changes, unreachable)
				}
				b := start(t, c.card, slot{}, a.answer, changes...)
				defer b.end()
				a.set("sale", "")
				b.sell(1000, "")
				s := b.last()
				if s.State != c.want || !strings.Contains(s.Outcome.Happened, c.says) {
					t.Fatalf("%s: %s", s.State, s.Outcome.Happened)
				}
				b.wire.set(true, nil)
				pass(time.Hour)
				if kept := s.State == terminal.Approved; kept != slices.Contains(b.messages(), "deferred 000001") || kept != (s.Way == terminal.WayDeferred) {
					t.Errorf("way %q, on the wire: %v", s.Way, b.messages())
				}
			})
		})
	}
}

// curt is a dialect without kept requests.
type curt struct{ words }

func (curt) Can() terminal.Abilities {
	return terminal.Abilities{Kinds: terminal.Kinds(), Offline: true}
}

// The host declines what was kept: nobody has paid, and it stays in sight until somebody deals with it.
func TestDeferredRequestThatIsDeclined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &answers{}
		a.set("deferred 000001", "51")
		b := start(t, offline{first: emv.Online}, slot{}, a.answer, func(c *Config, _ *OwnerConfig) {
			c.Offline.Deferred = ample
			c.Offline.Deferred.CardSum = 1_500
		})
		defer b.end()
		b.wire.set(true, errors.New("no route"))
		b.sell(1000, "")
		b.last()
		b.wire.set(true, nil)
		pass(time.Hour)
		e := lastDebt(t, b)
		if s := b.lane.Snapshot(); s.Parked != 1 || s.Owed != 0 || e.Debt.State != terminal.Parked || !strings.Contains(e.Note, "51") || e.Debt.Kind != terminal.DeferredDebt {
			t.Errorf("%d parked, %d owed, %+v", s.Parked, s.Owed, e.Debt)
		}
		b.wire.set(true, errors.New("no route"))
		b.sell(1000, "")
		if s := b.last(); s.State != terminal.Declined || !strings.Contains(s.Outcome.Happened, "of this card") { // what is not paid counts
			t.Errorf("%s: %s", s.State, s.Outcome.Happened)
		}
		b.wire.set(true, nil)
		if d, err := b.lane.Decide(t.Context(), terminal.DebtDecision{Debt: e.Debt.ID, Event: terminal.DebtWrittenOff, By: "sara", Note: "paid in cash"}); err != nil || d.State != terminal.WrittenOff {
			t.Fatalf("%+v, %v", d, err)
		}
		if s := b.journal.sales()[1]; s.State != terminal.Approved { // what was, was: the write-off moves no money
			t.Errorf("the sale became %s", s.State)
		}
	})
}

// splits is a card whose kernel asks for the sale before.
type splits struct {
	offline
	before *[]int64
}

func (c splits) Begin(ctx context.Context, card emv.Card, p emv.Params, h emv.Cardholder) (emv.Transaction, emv.Outcome, error) {
	if p.History != nil {
		out := c.outcome("", "")
		data, err := cardData(&out.Data)
		if err != nil {
			return nil, out, err
		}
		minor, err := p.History.LastSale(ctx, data.PAN, -1)
		if *c.before = append(*c.before, minor); err != nil {
			return nil, out, err
		}
	}
	return c.offline.Begin(ctx, card, p, h)
}

// The kernel hears of the card's newest sale within a day, for the floor limit; a terminal that approves nothing by itself has no need.
func TestSplitSalesAreSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var before []int64
		b := start(t, splits{offline{first: emv.Approved}, &before}, slot{}, always("00"), keeping(ample))
		defer b.end()
		for _, minor := range []int64{1000, 2000} {
			b.sell(minor, "")
			b.last()
		}
		pass(25 * time.Hour)
		b.sell(3000, "")
		b.last()
		if !slices.Equal(before, []int64{0, 1000, 0}) {
			t.Errorf("the kernel heard of %v", before)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		var before []int64
		b := start(t, splits{offline{first: emv.Online}, &before}, slot{}, always("00"))
		defer b.end()
		b.sell(1000, "")
		if b.last(); len(before) != 0 {
			t.Errorf("asked: %v", before)
		}
	})
}

// A journal that cannot say what waits ends the terminal; it is no matter of the card.
func TestAJournalThatFailsUnderTheLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, offline{first: emv.Approved}, slot{}, always("00"), keeping(ample), func(c *Config, _ *OwnerConfig) {
			c.Journal = forgetful{c.Journal}
		})
		b.sell(1000, "")
		b.hasEnded()
	})
}

type forgetful struct{ Journal }

func (forgetful) Exposure(context.Context, string, terminal.Way, emv.PAN) (terminal.Exposure, error) {
	return terminal.Exposure{}, errors.New("disk gone")
}
