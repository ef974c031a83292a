package training_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tillway/money"
	"tillway/terminal"
	"tillway/till/training"
)

func kwd(t *testing.T, minor int64) money.Amount {
	t.Helper()
	c, err := money.ByCode("KWD")
	if err != nil {
		t.Fatal(err)
	}
	return money.New(minor, c)
}

// realLane is the terminal beside training: it takes an order as slowly as a lane may, and notes what reached it. Everything that it does not
// have fails the test, as a call of nil.
type realLane struct {
	training.Lane

	mu      sync.Mutex
	version uint64
	sale    terminal.Sale
	runs    bool
	asked   []string
	changed chan struct{}
	during  func() // what is looked at while an order is taken
}

func newReal() *realLane { return &realLane{version: 7, changed: make(chan struct{})} }

func (l *realLane) note(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked = append(l.asked, what)
}

func (l *realLane) Start(_ context.Context, o terminal.Order) (terminal.Sale, error) {
	l.note("start")
	time.Sleep(10 * time.Millisecond)
	if l.during != nil {
		l.during()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.runs {
		return terminal.Sale{}, terminal.ErrBusy
	}
	l.sale, l.runs = terminal.Sale{ID: l.sale.ID + 1, Kind: o.Kind, Amount: o.Amount}, true
	return l.sale, nil
}

func (l *realLane) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.runs = false
	l.version++
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *realLane) Current() (terminal.Sale, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sale, l.runs
}

func (l *realLane) Snapshot() terminal.Snapshot {
	l.mu.Lock()
	defer l.mu.Unlock()
	return terminal.Snapshot{Version: l.version, State: terminal.Ready, Owed: 3}
}

func (l *realLane) Watch(ctx context.Context, after uint64) (terminal.Snapshot, error) {
	for {
		l.mu.Lock()
		changed, version := l.changed, l.version
		l.mu.Unlock()
		if version > after {
			return l.Snapshot(), nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return l.Snapshot(), ctx.Err()
		}
	}
}

func (l *realLane) Cancel(context.Context) error    { l.note("cancel"); return terminal.ErrNothingRuns }
func (l *realLane) SendQueue(context.Context) error { l.note("send"); return nil }

// realJournal has one sale, 41, and rows.
type realJournal struct{ training.Journal }

func (realJournal) Sale(_ context.Context, id terminal.SaleID) (terminal.Sale, error) {
	if id == 41 {
		return terminal.Sale{ID: 41, State: terminal.Approved, Kind: terminal.KindSale}, nil
	}
	return terminal.Sale{}, terminal.ErrNoSale
}

func (realJournal) ByKey(_ context.Context, key string) (terminal.Sale, error) {
	if key == "real" {
		return terminal.Sale{ID: 41, Kind: terminal.KindSale, Key: key, State: terminal.Approved, Amount: money.Amount{Minor: 5_000}}, nil
	}
	return terminal.Sale{}, terminal.ErrNoSale
}

func (j realJournal) Search(ctx context.Context, want terminal.Search) (terminal.Found, error) {
	s, err := j.ByKey(ctx, want.Key)
	if err != nil {
		return terminal.Found{}, nil //nolint:nilerr // a search that finds nothing is no error
	}
	return terminal.Found{Sales: []terminal.Sale{s}}, nil
}

func (realJournal) Last(context.Context, int) ([]terminal.Sale, error) {
	return []terminal.Sale{{ID: 41}}, nil
}

func (realJournal) Rows(context.Context, int64, int) ([]terminal.JournalRow, error) {
	return []terminal.JournalRow{{Seq: 1}}, nil
}

// practice is a terminal with training on, that plays until the test ends.
func practice(t *testing.T, real *realLane, change func(*training.Config)) *training.Terminal {
	t.Helper()
	cfg := training.Config{
		Lane: real, Journal: realJournal{}, Rules: terminal.OrderRules{Kinds: terminal.Kinds(), Host: terminal.Kinds(), TipPercent: 50, Cashback: kwd(t, 20_000), Currency: kwd(t, 0).Currency},
		Languages: []terminal.Language{terminal.Arabic, terminal.English}, Acquirer: "bank", TerminalID: "TILL0001", MerchantID: "000000000000001",
		AgreementWait: time.Minute, CardWait: time.Minute, Clock: time.Now,
	}
	if change != nil {
		change(&cfg)
	}
	term := training.New(cfg)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		term.Run(ctx)
	}()
	t.Cleanup(func() { stop(); <-done })
	if err := term.Switch(true); err != nil {
		t.Fatal(err)
	}
	return term
}

// sell plays an order to its end.
func sell(t *testing.T, term *training.Terminal, o terminal.Order) terminal.Sale {
	t.Helper()
	sale, err := term.Start(t.Context(), o)
	if err != nil {
		t.Fatalf("%+v: %v", o, err)
	}
	return ended(t, term, sale.ID)
}

func ended(t *testing.T, term *training.Terminal, id terminal.SaleID) terminal.Sale {
	t.Helper()
	for range 200 {
		if sale, err := term.Journal().Sale(t.Context(), id); err != nil {
			t.Fatal(err)
		} else if sale.State.Final() {
			return sale
		}
		time.Sleep(200 * time.Millisecond)
	}
	t.Fatalf("sale %s does not end", id)
	return terminal.Sale{}
}

// Every kind is played, from the tables that real ones follow, and none of it is anybody's money.
func TestEveryKind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		real := newReal()
		term := practice(t, real, nil)
		order := func(k terminal.Kind, minor int64, of terminal.SaleID) terminal.Order {
			return terminal.Order{Kind: k, Amount: kwd(t, minor), Of: of}
		}
		played := map[terminal.Kind]terminal.Sale{}
		play := func(o terminal.Order) {
			t.Helper()
			s := sell(t, term, o)
			if s.State != terminal.Approved || !s.Training || s.ID < training.First || s.STAN == 0 {
				t.Errorf("%s: %s, training %t, %s, STAN %d", o.Kind, s.State, s.Training, s.ID, s.STAN)
			}
			played[o.Kind] = s
		}
		play(order(terminal.KindSale, 10_000, 0))
		play(order(terminal.KindRefund, 4_000, played[terminal.KindSale].ID))
		play(order(terminal.KindVoid, 0, played[terminal.KindRefund].ID))
		play(order(terminal.KindPreauth, 20_000, 0))
		play(order(terminal.KindIncrement, 5_000, played[terminal.KindPreauth].ID))
		play(order(terminal.KindCompletion, 25_000, played[terminal.KindPreauth].ID))
		play(order(terminal.KindBalance, 0, 0))
		play(terminal.Order{Kind: terminal.KindForced, Amount: kwd(t, 3_000), AuthCode: "A1"})
		if b := played[terminal.KindBalance].Balance; b.Minor == 0 {
			t.Errorf("balance %s", b)
		}
		if v := played[terminal.KindVoid]; v.Amount != kwd(t, 4_000) || v.MaskedPAN != played[terminal.KindSale].MaskedPAN {
			t.Errorf("the void is of %s, card %s", v.Amount, v.MaskedPAN)
		}
		items, err := term.Journal().Items(t.Context(), "bank", 1)
		if err != nil {
			t.Fatal(err)
		}
		sum := int64(0)
		for _, i := range terminal.Counted(items) {
			sum += i.Sale.CapturedMinor()
		}
		if snap := term.Snapshot(); sum != 38_000 || snap.Batch.Sum.Minor != sum || snap.Owed != 3 || !snap.Training {
			t.Errorf("report %d, snapshot %+v", sum, snap.Batch)
		}
		if len(real.asked) != 0 {
			t.Errorf("the real lane was asked: %v", real.asked)
		}
	})
}

// Test amounts decide, as at hostsim.
func TestAmountsDecide(t *testing.T) {
	for minor, want := range map[int64]struct {
		state terminal.State
		code  string
	}{
		10_000: {terminal.Approved, terminal.CodeApproved},
		10_525: {terminal.Approved, terminal.CodeApproved},
		10_051: {terminal.Declined, terminal.CodeDeclined},
		10_055: {terminal.Declined, terminal.CodeDeclined},
		10_077: {terminal.Declined, terminal.CodeDeclined},
		10_101: {terminal.Reversed, terminal.CodeNoAnswer},
		10_105: {terminal.Reversed, terminal.CodeNoAnswer},
		10_106: {terminal.Approved, terminal.CodeApproved},
		10_201: {terminal.Cancelled, terminal.CodeCardRemoved},
		10_202: {terminal.Reversed, terminal.CodeCardRemoved},
		10_203: {terminal.Reversed, terminal.CodeCardRefused},
	} {
		synctest.Test(t, func(t *testing.T) {
			term := practice(t, newReal(), nil)
			if s := sell(t, term, terminal.Order{Kind: terminal.KindSale, Amount: kwd(t, minor)}); s.State != want.state || s.Outcome.Code != want.code {
				t.Errorf("%d: %s, %s", minor, s.State, s.Outcome.Code)
			}
		})
	}
}

// The rules for voids and refunds are the real ones, and a real sale's number is nobody's here.
func TestRulesHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		term := practice(t, newReal(), nil)
		sale := sell(t, term, terminal.Order{Kind: terminal.KindSale, Amount: kwd(t, 10_000), Key: "a"})
		for name, o := range map[string]terminal.Order{
			"a refund of more":     {Kind: terminal.KindRefund, Amount: kwd(t, 10_001), Of: sale.ID},
			"a void of a real one": {Kind: terminal.KindVoid, Of: 41},
			"no amount":            {Kind: terminal.KindSale, Amount: kwd(t, 0)},
			"a completion of it":   {Kind: terminal.KindCompletion, Amount: kwd(t, 1_000), Of: sale.ID},
		} {
			if _, err := term.Start(t.Context(), o); !errors.Is(err, terminal.ErrOrder) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if again, err := term.Start(t.Context(), terminal.Order{Kind: terminal.KindSale, Amount: kwd(t, 10_000), Key: "a"}); err != nil || again.ID != sale.ID {
			t.Errorf("the same key gives %s, %v", again.ID, err)
		}
		if _, err := term.Start(t.Context(), terminal.Order{Kind: terminal.KindSale, Amount: kwd(t, 9_000), Key: "a"}); !errors.Is(err, terminal.ErrKeyReused) {
			t.Errorf("another order under that key: %v", err)
		}
		sell(t, term, terminal.Order{Kind: terminal.KindVoid, Of: sale.ID})
		if _, err := term.Start(t.Context(), terminal.Order{Kind: terminal.KindVoid, Of: sale.ID}); !errors.Is(err, terminal.ErrOrder) {
			t.Errorf("a second void: %v", err)
		}
	})
}

// A cancel is heard until the bank is asked; then it is too late, as in earnest.
func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		term := practice(t, newReal(), nil)
		sale, err := term.Start(t.Context(), terminal.Order{Kind: terminal.KindSale, Amount: kwd(t, 1_000)})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if err := term.Cancel(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s := ended(t, term, sale.ID); s.State != terminal.Cancelled || term.Snapshot().Prompt != terminal.PromptCancelled {
			t.Errorf("%s, prompt %q", s.State, term.Snapshot().Prompt)
		}
		if sale, err = term.Start(t.Context(), terminal.Order{Kind: terminal.KindSale, Amount: kwd(t, 1_000)}); err != nil {
			t.Fatal(err)
		}
		await(t, term, func(s terminal.Snapshot) bool { return s.State == terminal.Sending })
		if err := term.Cancel(t.Context()); !errors.Is(err, terminal.ErrNotCancelable) {
			t.Errorf("at the bank: %v", err)
		}
		if err := term.Switch(false); !errors.Is(err, terminal.ErrBusy) {
			t.Errorf("a switch in mid-sale: %v", err)
		}
		ended(t, term, sale.ID)
		if err := term.Cancel(t.Context()); !errors.Is(err, terminal.ErrNothingRuns) {
			t.Errorf("after its end: %v", err)
		}
	})
}

// await follows the snapshots by Watch.
func await(t *testing.T, term *training.Terminal, is func(terminal.Snapshot) bool) terminal.Snapshot {
	t.Helper()
	s := term.Snapshot()
	for range 100 {
		if is(s) {
			return s
		}
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		var err error
		s, err = term.Watch(ctx, s.Version)
		stop()
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Fatalf("it never comes: %+v", s)
	return s
}

// What a new cashier sees: every prompt of a sale, the card's language, the PIN's digits, and the card that stays in.
func TestWhatIsSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		term := practice(t, newReal(), nil)
		if _, err := term.Start(t.Context(), terminal.Order{Kind: terminal.KindSale, Amount: kwd(t, 1_000)}); err != nil {
			t.Fatal(err)
		}
		if s := await(t, term, func(s terminal.Snapshot) bool { return s.State == terminal.AwaitCard }); s.Prompt != terminal.PromptInsertCard || s.Language != "" {
			t.Errorf("%q, %q", s.Prompt, s.Language)
		}
		if s := await(t, term, func(s terminal.Snapshot) bool { return s.PIN != nil && s.PIN.Digits == 4 }); s.Prompt != terminal.PromptEnterPIN || s.Language != terminal.Arabic {
			t.Errorf("%q, %q", s.Prompt, s.Language)
		}
		if s := await(t, term, func(s terminal.Snapshot) bool { return s.State.Final() }); s.Last == nil || !s.CardLeft || s.Prompt != terminal.PromptApproved {
			t.Errorf("%+v", s)
		}
		if s := await(t, term, func(s terminal.Snapshot) bool { return !s.CardLeft }); s.Prompt != terminal.PromptWelcome {
			t.Errorf("%q", s.Prompt)
		}
	})
}

// Half of the amount is approved: the cashier says yes or no, and nobody's silence is a yes.
func TestPart(t *testing.T) {
	for _, c := range []struct {
		answer func(*training.Terminal, terminal.SaleID) error
		want   terminal.State
	}{
		{func(term *training.Terminal, id terminal.SaleID) error {
			return term.Agree(t.Context(), id, terminal.Agreement{Matches: true})
		}, terminal.Approved},
		{func(term *training.Terminal, id terminal.SaleID) error {
			return term.Agree(t.Context(), id, terminal.Agreement{})
		}, terminal.Reversed},
		{func(*training.Terminal, terminal.SaleID) error { return nil }, terminal.Reversed},
	} {
		synctest.Test(t, func(t *testing.T) {
			term := practice(t, newReal(), nil)
			sale, err := term.Start(t.Context(), terminal.Order{Kind: terminal.KindSale, Amount: kwd(t, 10_010)})
			if err != nil {
				t.Fatal(err)
			}
			await(t, term, func(s terminal.Snapshot) bool { return s.State == terminal.AgreementOnline })
			if err := term.Agree(t.Context(), sale.ID+1, terminal.Agreement{Matches: true}); !errors.Is(err, terminal.ErrAgreement) {
				t.Errorf("another sale's answer: %v", err)
			}
			if err := c.answer(term, sale.ID); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				time.Sleep(time.Minute)
			}
			if s := ended(t, term, sale.ID); s.State != c.want || s.Approved != kwd(t, 5_005) {
				t.Errorf("%s with %s, want %s", s.State, s.Approved, c.want)
			}
		})
	}
}

// The same card pays the same again: it is warned about and, where the profile wants it, asked.
func TestSameCard(t *testing.T) {
	for _, meant := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			term := practice(t, newReal(), func(c *training.Config) { c.SameCard, c.AskSame = time.Hour, true })
			order := terminal.Order{Kind: terminal.KindSale, Amount: kwd(t, 1_000)}
			sell(t, term, order)
			sell(t, term, order) // the other card
			sale, err := term.Start(t.Context(), order)
			if err != nil {
				t.Fatal(err)
			}
			if s := await(t, term, func(s terminal.Snapshot) bool { return s.Confirm }); s.Warning == "" {
				t.Error("no warning is shown")
			}
			if err := term.Confirm(t.Context(), sale.ID, meant, "maryam"); err != nil {
				t.Fatal(err)
			}
			want := terminal.Cancelled
			if meant {
				want = terminal.Approved
			}
			if s := ended(t, term, sale.ID); s.State != want {
				t.Errorf("meant %t: %s", meant, s.State)
			}
		})
	}
}
