package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"tillway/host"
	"tillway/money"
	"tillway/terminal"
	"tillway/terminal/lane"
)

// cashier sells until orders are used up: order after order, each watched to its end, now and then cancelled, and
// asked for again with the same key after a power cut.
type cashier struct {
	w     *world
	rand  *rand.Rand
	aside *rand.Rand // for what is put aside by hand
	next  int        // orders begun
	total int
	order terminal.Order
	open  bool // the order's end was not seen

	earlier []terminal.SaleID // approved ones, as the receipts in the drawer have them
	settled bool              // the last batch's end was wanted, in a calm world
}

func (c *cashier) work(ctx context.Context, s *stack) bool {
	for c.open || c.next < c.total {
		if pause(ctx, actorCashier, time.Duration(200+c.rand.IntN(8000))*time.Millisecond) != nil {
			return false
		}
		if !c.open {
			c.next++
			c.order = c.newOrder()
			c.open = true
		}
		cancels := c.rand.IntN(5) == 0 && !c.w.calm.Load()
		if cancels {
			c.w.fault("cashier cancels")
		}
		if c.w.mishap(c.rand, 30, "clock set while it runs") {
			order := c.next
			c.w.hosts.Go(func() {
				if pause(ctx, actorClock, 3*time.Second) == nil {
					c.w.setClock(c.w.rand(uint64(90_000 + order)))
				}
			})
		}
		if c.rand.IntN(3) == 0 && c.decide(ctx, s) != nil {
			return false
		}
		if c.rand.IntN(8) == 0 && c.settle(ctx, s) != nil {
			return false
		}
		c.w.cardless.Store(c.order.Kind.WithoutCard())
		sale, err := s.lane.Start(ctx, c.order)
		if errors.Is(err, terminal.ErrOrder) || errors.Is(err, terminal.ErrBatchFull) {
			c.w.refused(c.order, err)
			c.open = false
			continue
		}
		if err != nil {
			if ctx.Err() == nil && !c.w.expected(err) {
				c.w.fail(fmt.Errorf("order %+v: %w", c.order, err))
			}
			return false
		}
		if cancels {
			wait, cut := time.Duration(c.rand.IntN(9000))*time.Millisecond, c.w.cut
			c.w.hosts.Go(func() {
				if pause(ctx, actorCancel, wait) != nil {
					return
				}
				if wait.Milliseconds()%4 == 0 {
					cut.soon(2)
				}
				_ = s.lane.Cancel(ctx) // too late is an answer too
			})
		}
		if !sale.State.Final() {
			if sale, err = watch(ctx, s.lane, sale.ID, c.compare(ctx, s.lane, sale.ID)); err != nil {
				return false
			}
		}
		c.w.show(sale)
		if c.rand.IntN(6) == 0 && !c.w.calm.Load() { // what was shown has to be on disk
			c.w.cut.soon(1)
		}
		if sale.State == terminal.Approved {
			c.earlier = append(c.earlier, sale.ID)
		}
		c.open = false
	}
	return c.drain(ctx, s)
}

// newOrder is what is wanted next: mostly a sale, with tip or cash now and then, and everything else that a cashier does. What is about an
// earlier transaction may be about one of which it cannot be: then the terminal has to say so.
func (c *cashier) newOrder() terminal.Order {
	kwd, _ := money.ByCode("KWD")
	o := terminal.Order{Kind: terminal.KindSale, Amount: simAmount(c.rand, c.w.calm.Load(), c.w.alone()), Key: fmt.Sprintf("order-%d", c.next)}
	if len(c.earlier) > 0 {
		o.Of = c.earlier[len(c.earlier)-1-c.rand.IntN(min(5, len(c.earlier)))]
	}
	small := money.New(int64(1+c.rand.IntN(4000)), kwd)
	switch n := c.rand.IntN(24); {
	case n == 0:
		o.Tip = money.New(min(small.Minor, o.Amount.Minor/5), kwd)
	case n == 1:
		o.Cashback = small
	case n < 4:
		o.Kind = terminal.KindRefund
		if c.rand.IntN(2) == 0 {
			o.Of = 0
		}
		o.Amount = small
		return o
	case n < 6:
		o.Kind, o.Amount = terminal.KindVoid, money.Amount{}
		return o
	case n < 9:
		o.Kind = terminal.KindPreauth
	case n == 9:
		o.Kind, o.Amount = terminal.KindIncrement, small
		return o
	case n < 12:
		o.Kind = terminal.KindCompletion
		if c.rand.IntN(2) == 0 {
			o.Amount = small
		}
		return o
	case n == 12:
		o.Kind, o.Amount = terminal.KindBalance, money.Amount{}
	case n == 13:
		o.Kind, o.AuthCode = terminal.KindForced, "VOICE1"
	}
	o.Of = 0
	return o
}

// refused counts an order that the terminal does not take.
func (w *world) refused(o terminal.Order, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.states["refused "+string(o.Kind)]++
	w.lines = append(w.lines, fmt.Sprintf("%v order %s: %s of %d: %v", w.now(), o.Key, o.Kind, o.Of, err))
}

// watch follows a sale on the screen until it ends there; each sees what the screen shows.
func watch(ctx context.Context, l *lane.Lane, id terminal.SaleID, each ...func(terminal.Snapshot) error) (terminal.Sale, error) {
	for seen := uint64(0); ; {
		snap, err := l.Watch(ctx, seen)
		if err != nil {
			return terminal.Sale{}, err
		}
		if seen = snap.Version; snap.Last != nil && snap.Last.ID == id {
			return *snap.Last, nil
		}
		for _, f := range each {
			if err := f(snap); err != nil {
				return terminal.Sale{}, err
			}
		}
	}
}

// compare says whether a signature matches: mostly it does, now and then not, and now and then nobody looks.
func (c *cashier) compare(ctx context.Context, l *lane.Lane, id terminal.SaleID) func(terminal.Snapshot) error {
	said, confirmed := false, false
	return func(snap terminal.Snapshot) error {
		if snap.Confirm && !confirmed {
			confirmed = true
			if err := pause(ctx, actorCashier, time.Duration(500+c.rand.IntN(3000))*time.Millisecond); err != nil {
				return err
			}
			_ = l.Confirm(ctx, id, !c.w.mishap(c.rand, 4, "not meant twice"), "cashier") // too late is an answer too
		}
		if said || (snap.State != terminal.AgreementOnline && snap.State != terminal.AgreementOffline) {
			return nil
		}
		said = true
		if c.w.mishap(c.rand, 6, "nobody compares the signature") {
			return nil
		}
		if c.rand.IntN(5) == 0 && !c.w.calm.Load() {
			c.w.cut.soon(1 + c.rand.IntN(3))
		}
		if err := pause(ctx, actorCashier, time.Duration(500+c.rand.IntN(6000))*time.Millisecond); err != nil {
			return err
		}
		_ = l.Agree(ctx, id, terminal.Agreement{Matches: !c.w.mishap(c.rand, 4, "signature does not match"), By: "cashier"}) // too late is an answer too
		return nil
	}
}

// decide takes the parked debts in hand, as a supervisor does: mostly they go out again, now and then one is written off.
func (c *cashier) decide(ctx context.Context, s *stack) error {
	debts, err := c.w.journal.Debts(ctx)
	if err != nil {
		return err
	}
	for _, d := range debts {
		if d.State == terminal.Owed && d.Kind != terminal.ReversalDebt && d.Attempts > 0 && c.w.mishap(c.aside, 3, "debt put aside") {
			if err := c.putAside(ctx, s, d.ID); err != nil {
				return err
			}
		}
		if d.State != terminal.Parked {
			continue
		}
		const tries = 12 // then the acquirer is called: of a closed batch the bank takes nothing more
		given := d.Attempts > tries || c.w.mishap(c.rand, 4, "debt written off")
		decision := terminal.DebtDecision{Debt: d.ID, Event: terminal.DebtRequeued, By: "supervisor"}
		if !given {
			decision.Asked, given = c.askBank(ctx, d)
		}
		if given {
			decision = terminal.DebtDecision{Debt: d.ID, Event: terminal.DebtWrittenOff, By: "supervisor", Note: "settled by telephone"}
		}
		if _, err := s.lane.Decide(ctx, decision); err != nil && ctx.Err() != nil {
			return err
		}
		if err := pause(ctx, actorCashier, 700*time.Millisecond); err != nil { // what it sets going has instants of its own
			return err
		}
	}
	return nil
}

// askBank is what the acquirer says when it is asked, which it is about a payment that went over into another batch: it has booked it in one that came
// before. Sent again under the new one's number it would be booked twice, for this host knows a payment by batch and trace number.
func (c *cashier) askBank(ctx context.Context, d terminal.Debt) (asked, has bool) {
	s, err := c.w.journal.Sale(ctx, d.Sale)
	if err != nil || s.LeftOut == 0 || d.Kind == terminal.ReversalDebt {
		return false, false
	}
	stan := fmt.Sprintf("%06d", d.STAN)
	return true, slices.ContainsFunc(c.w.host.Ledger(), func(p host.Posting) bool {
		return p.STAN == stan && p.Batch >= fmt.Sprintf("%06d", s.LeftOut) && p.Batch < fmt.Sprintf("%06d", s.Batch)
	})
}

// putAside parks a debt that waits. The owner may have had its answer meanwhile.
func (c *cashier) putAside(ctx context.Context, s *stack, id int64) error {
	if _, err := s.lane.Decide(ctx, terminal.DebtDecision{Debt: id, Event: terminal.DebtPut, By: "supervisor"}); err != nil && ctx.Err() != nil {
		return err
	}
	return pause(ctx, actorCashier, 700*time.Millisecond)
}

// settle ends the batch, calls that off again, or does something about one that the bank disputes.
func (c *cashier) settle(ctx context.Context, s *stack) error {
	d := terminal.BatchDecision{Event: terminal.BatchSettle, By: "cashier", LeaveParked: c.rand.IntN(3) > 0}
	if err := c.decideBatch(ctx, s, d); err != nil {
		return err
	}
	if c.w.mishap(c.rand, 3, "settlement called off") {
		if err := c.decideBatch(ctx, s, terminal.BatchDecision{Event: terminal.BatchCallOff, By: "cashier"}); err != nil {
			return err
		}
	}
	if c.rand.IntN(4) == 0 && !c.w.calm.Load() {
		c.w.cut.soon(1 + c.rand.IntN(12))
	}
	status := s.lane.Snapshot().Batch
	if status == nil {
		return nil
	}
	for _, b := range status.Settling {
		if b.State != terminal.BatchDisputed {
			continue
		}
		d := terminal.BatchDecision{Batch: b.Number, Event: terminal.BatchSettle, By: "supervisor"}
		if c.rand.IntN(2) == 0 {
			d.Event, d.Note = terminal.BatchCloseByHand, "settled by telephone"
		}
		if err := c.decideBatch(ctx, s, d); err != nil {
			return err
		}
	}
	return nil
}

// decideBatch asks for something that may be refused. What it sets going has instants of its own.
func (c *cashier) decideBatch(ctx context.Context, s *stack, d terminal.BatchDecision) error {
	if _, err := s.lane.DecideBatch(ctx, d); err != nil && ctx.Err() != nil {
		return err
	}
	return pause(ctx, actorCashier, time.Duration(100+c.rand.IntN(700))*time.Millisecond)
}

// drain waits until nothing is owed any more, nor a batch on its way; in a calm world that must come to an end.
func (c *cashier) drain(ctx context.Context, s *stack) bool {
	for range 400 {
		if pause(ctx, actorCashier, time.Second) != nil {
			return false
		}
		snap := s.lane.Snapshot()
		if !c.w.calm.Load() {
			return true
		}
		disputed := snap.Batch != nil && slices.ContainsFunc(snap.Batch.Settling, func(b terminal.Batch) bool { return b.State == terminal.BatchDisputed })
		switch {
		case disputed && snap.Owed == 0: // what is parked of its batch waits for it
			if c.settle(ctx, s) != nil {
				return false
			}
		case snap.Parked > 0:
			if c.decide(ctx, s) != nil {
				return false
			}
		case snap.Owed > 0:
		case snap.Batch == nil || (len(snap.Batch.Settling) == 0 && c.settled):
			return true
		default:
			c.settled = true
			if c.settle(ctx, s) != nil {
				return false
			}
		}
	}
	c.w.fail(errors.New("something is still owed, or a batch on its way, 400 seconds after the last fault"))
	return true
}

// supervise is somebody at work on the terminal while a sale is being finished with its card: presses "send now", or does
// what commits a row of its own and so takes the waiting ones along; and at times pulls the plug.
func (w *world) supervise(ctx context.Context, l *lane.Lane, journal lane.Journal, cut *power) {
	for seen := uint64(0); ; {
		snap, err := l.Watch(ctx, seen)
		if err != nil {
			return
		}
		seen = snap.Version
		if !strings.HasPrefix(string(snap.State), "Finish") && !strings.HasPrefix(string(snap.State), "Agreement") || w.calm.Load() {
			continue
		}
		if w.cardless.Load() { // without a card these states take no time: who sees them is chance
			continue
		}
		r := w.rand(uint64(50_000 + snap.Sale))
		if r.IntN(3) != 0 || pause(ctx, actorSupervisor, time.Duration(5+r.IntN(300))*time.Millisecond) != nil {
			continue
		}
		if r.IntN(3) == 0 {
			cut.soon(1 + r.IntN(4))
		}
		if r.IntN(2) == 0 {
			if journal.Append(ctx, true) != nil {
				return
			}
			continue
		}
		if err := l.SendQueue(ctx); err != nil {
			return
		}
	}
}

// amounts are what is bought: mostly plain, now and then one that the host or the card plays a trick with.
func simAmount(c *rand.Rand, calm, alone bool) money.Amount {
	kwd, _ := money.ByCode("KWD")
	base := int64(1+c.IntN(30)) * 1000
	tricks := []int64{10, 51, 55, 91, 5, 101, 102, 103, 104, 105, 106, 201, 202, 203}
	if alone {
		tricks = slices.DeleteFunc(tricks, func(n int64) bool { return n == 91 }) // what is kept would be put off for ever
	}
	if calm || c.IntN(3) != 0 {
		return money.New(base+int64(300+c.IntN(700)), kwd)
	}
	return money.New(base+tricks[c.IntN(len(tricks))], kwd)
}
