package lane

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tillway/device"
	"tillway/emv"
	"tillway/money"
	"tillway/terminal"
)

var signs = chip{first: emv.Online, second: emv.Approved, sign: true}

// due waits until the sale's signature is to be compared.
func (b *bench) due() terminal.Snapshot {
	b.t.Helper()
	for seen := uint64(0); ; {
		s, err := b.lane.Watch(b.t.Context(), seen)
		if err != nil {
			b.t.Fatal(err)
		}
		if seen = s.Version; s.State == terminal.AgreementOnline {
			return s
		}
		if s.State.Final() {
			b.t.Fatalf("ended as %s", s.State)
		}
	}
}

// A sale with a signature is approved by the cashier's word alone; whatever else ends the wait reverses it (ARCHITECTURE.md,
// The sale).
func TestSignature(t *testing.T) {
	for name, c := range map[string]struct {
		does     func(*bench, terminal.SaleID)
		state    terminal.State
		code     string
		happened string
		note     string
		reversed bool
	}{
		"matches":                     {func(b *bench, id terminal.SaleID) { b.agree(id, true) }, terminal.Approved, terminal.CodeApproved, "Approved.", "sara says that the signature matches", false},
		"differs":                     {func(b *bench, id terminal.SaleID) { b.agree(id, false) }, terminal.Reversed, terminal.CodeSignature, "does not match", "sara says that the signature does not match", true},
		"nobody answers":              {func(*bench, terminal.SaleID) { time.Sleep(5*time.Minute + time.Second) }, terminal.Reversed, terminal.CodeSignature, "Nobody said in time", "no answer in 5m0s", true},
		"answered at the last moment": {func(b *bench, id terminal.SaleID) { time.Sleep(5*time.Minute - time.Second); b.agree(id, true) }, terminal.Approved, terminal.CodeApproved, "", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := start(t, signs, slot{}, always("00"))
				defer b.end()
				id := b.sell(1000, "").ID
				s := b.due()
				if s.Prompt != terminal.PromptSign || s.Text != "APPROVED, PLEASE SIGN" || !strings.Contains(s.Advice, "compare") || s.Last != nil {
					t.Errorf("the cashier sees %+v", s)
				}
				if rows := b.rows(); rows[len(rows)-1].Sale.State != terminal.Sending {
					t.Errorf("on disk it is %s already", rows[len(rows)-1].Sale.State)
				}
				c.does(b, id)
				sale := b.last()
				if sale.State != c.state || sale.Outcome.Code != c.code || !strings.Contains(sale.Outcome.Happened, c.happened) || !sale.Signature {
					t.Errorf("%s: %+v", sale.State, sale.Outcome)
				}
				rows := b.rows()
				if end := rows[slices.IndexFunc(rows, func(e terminal.Entry) bool { return e.Sale != nil && e.Sale.State.Final() })]; !strings.Contains(end.Note, c.note) {
					t.Errorf("journal: %q", end.Note)
				}
				time.Sleep(time.Minute)
				if got := slices.Contains(b.sent(), "reversal"); got != c.reversed {
					t.Errorf("reversal sent: %t", got)
				}
			})
		})
	}
}

func (b *bench) agree(id terminal.SaleID, matches bool) {
	b.t.Helper()
	if err := b.lane.Agree(b.t.Context(), id, terminal.Agreement{Matches: matches, By: "sara"}); err != nil {
		b.t.Error(err)
	}
}

// An answer counts for the sale that waits for it, once, and no sale is cancelled or begun beside it.
func TestSignatureIsAskedForOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, signs, slot{}, always("00"))
		defer b.end()
		yes := terminal.Agreement{Matches: true}
		if err := b.lane.Agree(t.Context(), 1, yes); !errors.Is(err, terminal.ErrAgreement) {
			t.Errorf("before a sale: %v", err)
		}
		id := b.sell(1000, "").ID
		if err := b.lane.Agree(t.Context(), id, yes); !errors.Is(err, terminal.ErrAgreement) {
			t.Errorf("before the bank's answer: %v", err)
		}
		b.due()
		if err := b.lane.Agree(t.Context(), id+1, yes); !errors.Is(err, terminal.ErrAgreement) {
			t.Errorf("for another sale: %v", err)
		}
		if err := b.lane.Cancel(t.Context()); !errors.Is(err, terminal.ErrAgreementDue) {
			t.Errorf("cancel: %v", err)
		}
		if _, err := b.lane.Start(t.Context(), terminal.Order{Kind: terminal.KindSale, Amount: money.New(5, kwd)}); !errors.Is(err, terminal.ErrBusy) {
			t.Errorf("another sale: %v", err)
		}
		b.agree(id, false)
		if err := b.lane.Agree(t.Context(), id, yes); !errors.Is(err, terminal.ErrAgreement) {
			t.Errorf("a second answer: %v", err)
		}
		if s := b.last(); s.State != terminal.Reversed {
			t.Errorf("%s", s.State)
		}
		if err := b.lane.Agree(t.Context(), id, yes); !errors.Is(err, terminal.ErrAgreement) {
			t.Errorf("after its end: %v", err)
		}
	})
}

// A daemon that is asked to stop while a signature is compared approves nothing: the sale is reversed, on disk.
func TestStopDuringASignature(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, signs, slot{}, always("00"))
		b.sell(1000, "")
		b.due()
		b.end()
		rows := b.rows()
		if end := rows[len(rows)-1]; end.Sale.State != terminal.Reversed || !strings.Contains(end.Sale.Outcome.Happened, "stopped") || len(end.Duties) != 0 {
			t.Errorf("%s %v: %+v", end.Sale.State, end.Duties, end.Sale.Outcome)
		}
	})
}

// A declined or refused sale asks for no signature.
func TestNoSignatureWithoutAnApproval(t *testing.T) {
	for name, c := range map[string]struct {
		kernel chip
		code   string
		want   terminal.State
	}{
		"declined by the bank": {chip{first: emv.Online, second: emv.Declined, sign: true}, "51", terminal.Declined},
		"refused by the card":  {chip{first: emv.Online, second: emv.Declined, sign: true}, "00", terminal.Reversed},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := start(t, c.kernel, slot{}, always(c.code))
				defer b.end()
				b.sell(1000, "")
				if s := b.last(); s.State != c.want {
					t.Errorf("%s", s.State)
				}
			})
		})
	}
}

// signedSale plays one sale with a signature under a table and says what is wrong with its end: what is on disk, what was sent, and
// whether the lane lives.
func signedSale(t *testing.T, table []terminal.Row, matches bool) (wrong string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := start(t, signs, slot{}, always("00"), func(c *Config, _ *OwnerConfig) { c.Table = table })
		id := b.sell(1000, "").ID
		time.Sleep(30 * time.Second)
		_ = b.lane.Agree(t.Context(), id, terminal.Agreement{Matches: matches}) // a lane that has ended takes none
		time.Sleep(10 * time.Minute)
		b.stop()
		if err := <-b.ended; err != nil {
			wrong = err.Error()
			return
		}
		want := terminal.Reversed
		if matches {
			want = terminal.Approved
		}
		due, err := b.journal.Due(t.Context(), "")
		rows := b.rows()
		switch last := rows[slices.IndexFunc(rows, func(e terminal.Entry) bool { return e.Sale != nil })].Sale.ID; {
		case err != nil || last != id:
			wrong = "another sale"
		case b.journal.sales()[id].State != want:
			wrong = "on disk as " + string(b.journal.sales()[id].State)
		case slices.Contains(b.sent(), "reversal") == matches:
			wrong = "reversal of what was agreed, or none of what was not"
		case len(due) > 0:
			wrong = "still owed"
		}
	})
	return wrong
}

// TestSignatureRows switches each rule of the table about signatures off, one at a time: a sale with a signature notices.
func TestSignatureRows(t *testing.T) {
	for _, matches := range []bool{true, false} {
		if wrong := signedSale(t, terminal.Table(), matches); wrong != "" {
			t.Fatalf("matches %t: %s", matches, wrong)
		}
	}
	noticed := func(name string, table []terminal.Row) {
		if signedSale(t, table, true) == "" && signedSale(t, table, false) == "" {
			t.Errorf("%s: nobody notices", name)
		}
	}
	broken := 0
	for i, r := range terminal.Table() {
		if r.Event == terminal.PowerLost || r.Event == terminal.CaptureDue || r.From != terminal.AgreementOnline && (r.From != terminal.FinishApproved || r.Event != terminal.AgreementNeeded) {
			continue
		}
		broken++
		name := string(r.Event) + " in " + string(r.From)
		noticed(name+": no row", slices.Delete(terminal.Table(), i, i+1))
		if len(r.Duties) > 0 {
			table := terminal.Table()
			table[i].Duties = nil
			noticed(name+": no duty", table)
		}
		if r.Commit {
			table := terminal.Table()
			table[i].Commit = false
			noticed(name+": no commit", table)
		}
	}
	if broken != 3 {
		t.Errorf("%d rows were switched off", broken)
	}
}

// TestWordAtTheLastMoment: a word that was taken counts, also when the time ran out or the terminal was stopped at the same
// moment; one that comes later is refused.
func TestWordAtTheLastMoment(t *testing.T) {
	for range 50 {
		synctest.Test(t, func(t *testing.T) {
			b := start(t, signs, slot{}, always("00"))
			defer b.end()
			id := b.sell(1000, "").ID
			b.due()
			time.Sleep(5 * time.Minute)
			err := b.lane.Agree(t.Context(), id, terminal.Agreement{Matches: true, By: "sara"})
			if s := b.last(); (err == nil) != (s.State == terminal.Approved) {
				t.Fatalf("the word was answered with %v, and the sale ended as %s", err, s.State)
			}
		})
	}
}

// handed is a reader whose customer takes the card out as soon as it has no power, and puts it in again a second later. Only
// who asks at the right time sees that the slot was empty.
type handed struct {
	slot
	mu sync.Mutex
	in chan struct{} // closed while a card is in
	on bool
}

func (h *handed) state() (in chan struct{}, on bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.in, h.on
}

func (h *handed) set(in, on bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.in, h.on = make(chan struct{}), on
	if in {
		close(h.in)
	}
}

func (h *handed) Present(ctx context.Context) (device.Presented, error) {
	for {
		select {
		case <-ctx.Done():
			return device.Presented{}, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
		select {
		case <-func() chan struct{} { in, _ := h.state(); return in }():
			h.set(true, true)
			return device.Presented{Technology: device.Contact, Card: silent{}}, nil
		default:
		}
	}
}

func (h *handed) Release(context.Context) error {
	if _, on := h.state(); !on {
		return nil
	}
	h.set(true, false)
	time.AfterFunc(300*time.Millisecond, func() { h.set(false, false) })
	time.AfterFunc(1300*time.Millisecond, func() { h.set(true, false) })
	return nil
}

func (h *handed) AwaitRemoval(ctx context.Context) error {
	for {
		select {
		case <-func() chan struct{} { in, _ := h.state(); return in }():
		default:
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// A card that was taken out while its holder signed is not waited for once more, however long the signing took: the one that is
// in the slot by then is the next customer's.
func TestCardTakenOutWhileSigning(t *testing.T) {
	for name, signing := range map[string]time.Duration{"signed at once": 0, "after a long pause": 2 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &handed{}
				h.set(true, false)
				b := start(t, signs, h, always("00"), func(c *Config, _ *OwnerConfig) { c.CardWait = time.Minute })
				defer b.end()
				for range 2 {
					id := b.sell(1000, "").ID
					b.due()
					time.Sleep(signing)
					b.agree(id, true)
					if s := b.last(); s.State != terminal.Approved {
						t.Fatalf("%s: %+v", s.State, s.Outcome)
					}
				}
			})
		})
	}
}
