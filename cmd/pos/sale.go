package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"tillway/terminal"
	"tillway/terminal/receipt"
	"tillway/till"
)

const (
	reattachEvery = 300 * time.Millisecond
	reattachFor   = 60 * time.Second
)

// latin writes Arabic-Indic and Eastern Arabic-Indic digits and the Arabic decimal separator as Latin ones.
func latin(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= '٠' && r <= '٩':
			return '0' + r - '٠'
		case r >= '۰' && r <= '۹':
			return '0' + r - '۰'
		case r == '٫':
			return '.'
		}
		return r
	}, s)
}

// newKey is a random idempotency key of 32 letters, 150 bits: digits in a row could pass for a card number, which no order
// may hold.
func newKey() string {
	var key string
	for len(key) < keyLetters {
		key += strings.ToLower(strings.Map(lettersOnly, rand.Text()))
	}
	return key[:keyLetters]
}

const keyLetters = 32

// lettersOnly takes the digits 2 to 7 of base 32 out.
func lettersOnly(r rune) rune {
	if r >= '0' && r <= '9' {
		return -1
	}
	return r
}

// selling is one sale as this command follows it.
type selling struct {
	app    *app
	client *client
	order  terminal.Order
	id     terminal.SaleID // 0 until the daemon has told it
	shown  string          // the last line that was shown

	warning string // and the last warning

	pinFile string         // where a PIN is read instead of the keyboard
	entry   sync.WaitGroup // the PIN entry, and the question whether the sale stands
	entered int            // the number of the last PIN entry that was begun
	source  keySource      // of --pin-file: the next PIN is what follows the last
	asked   bool           // the slip was printed, and the question asked
	warned  bool           // the question of a warning was asked
	quiet   func()         // ends the question that is asked now; nil: none is

	ended func(terminal.Sale) // takes the record in place of the receipt and the exit status; nil: those
}

// run starts the sale and follows it to its end, through lost connections, until the truth is known or the daemon stays
// away.
func (s *selling) run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	interrupts := make(chan os.Signal, 1)
	s.app.notify(interrupts)
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.hearInterrupts(ctx, interrupts)
	}()
	defer func() {
		stop()
		<-done
		s.hush()
		s.entry.Wait()
		if s.source != nil {
			s.source.close()
		}
	}()

	var sale terminal.Sale
	err := s.persist(ctx, func() error { return s.client.post(ctx, "/v1/sales", s.order, &sale) })
	if err != nil {
		return err
	}
	s.id = sale.ID
	for !sale.State.Final() {
		if sale, err = s.follow(ctx); err != nil {
			return err
		}
		if !sale.State.Final() && !pause(ctx, reattachEvery) { // a daemon that has just started and not yet recovered
			return ctx.Err()
		}
	}
	if s.ended != nil {
		s.ended(sale)
		return nil
	}
	return s.finish(ctx, sale)
}

// follow watches until the sale has ended, then fetches its record.
func (s *selling) follow(ctx context.Context) (terminal.Sale, error) {
	var sale terminal.Sale
	for after := uint64(0); ; {
		var snap terminal.Snapshot
		err := s.client.watch(ctx, fmt.Sprintf("/v1/watch?after=%d", after), &snap)
		switch {
		case errors.Is(err, errLost), stopping(err):
			s.say("Connection to the terminal lost: looking for the sale again …")
			return sale, s.persist(ctx, func() error { return s.fetch(ctx, &sale) })
		case err != nil:
			return sale, err
		}
		after = snap.Version
		if snap.Sale != s.id || snap.State.Final() {
			return sale, s.persist(ctx, func() error { return s.fetch(ctx, &sale) })
		}
		s.show(snap)
		switch {
		case snap.State == terminal.AgreementOnline || snap.State == terminal.AgreementOffline:
			s.agree(ctx)
		case snap.Confirm:
			s.confirm(ctx)
		default:
			s.hush()
		}
		if snap.PIN != nil && snap.PIN.Socket != "" && snap.PIN.Entry != s.entered {
			s.entered = snap.PIN.Entry
			s.entry.Wait() // the one before has ended, or is about to
			s.entry.Go(func() {
				if err := s.enterPIN(ctx, snap.PIN.Socket); err != nil && ctx.Err() == nil {
					s.app.tell("The PIN cannot be entered here: " + err.Error())
				}
			})
		}
	}
}

// fetch reads the sale's record. A daemon that does not know a number it gave out has stopped before the sale's first
// commit, and that comes before anything is sent: nothing happened.
func (s *selling) fetch(ctx context.Context, sale *terminal.Sale) error {
	err := s.client.get(ctx, "/v1/sales/"+s.id.String(), sale)
	if p, ok := errors.AsType[*till.Problem](err); ok && p.Code == "no_such_sale" {
		return &exit{exitNothingSent, fmt.Errorf("the terminal stopped during sale %s before anything was sent: nothing was charged; start again", s.id)}
	}
	return err
}

// persist repeats a call while the daemon cannot be reached. The order's key, or the sale's number, makes that safe.
func (s *selling) persist(ctx context.Context, call func() error) error {
	deadline := time.NewTimer(reattachFor)
	defer deadline.Stop()
	for {
		err := call()
		if !errors.Is(err, errLost) && !stopping(err) {
			return err
		}
		s.say("The terminal is not reachable: trying again …")
		select {
		case <-deadline.C:
			return s.giveUp(err)
		default:
		}
		if !pause(ctx, reattachEvery) {
			return ctx.Err()
		}
	}
}

// stopping says that the daemon is about to end: the sale is found again when it is back.
func stopping(err error) bool {
	p, ok := errors.AsType[*till.Problem](err)
	return ok && p.Code == "stopping"
}

// pause waits; false means that ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

func (s *selling) giveUp(err error) error {
	if s.id == 0 {
		return &exit{exitUnreachable, fmt.Errorf("%w; whether the sale was started is not known: look at pos journal before you charge again", err)}
	}
	return &exit{exitUnreachable, fmt.Errorf("%w; the outcome of sale %s is not known: ask with pos show %s before you charge again", err, s.id, s.id)}
}

// hearInterrupts asks the daemon to cancel at each Ctrl-C. The outcome still comes from the sale's record.
func (s *selling) hearInterrupts(ctx context.Context, interrupts <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-interrupts:
			var snap terminal.Snapshot
			err := s.client.post(ctx, "/v1/cancel", nil, &snap)
			p, refused := errors.AsType[*till.Problem](err)
			switch {
			case err == nil:
				s.app.tell("Cancelling …")
			case refused && p.Code == "not_cancelable":
				s.app.tell("Too late to cancel: the bank is being asked. Waiting for the outcome …")
			case refused:
				s.app.tell(p.Title + ".")
			case ctx.Err() == nil:
				s.app.tell("Cancel could not be asked for: " + err.Error())
			}
		}
	}
}

func (s *selling) show(snap terminal.Snapshot) {
	text := snap.Text
	if snap.Advice != "" {
		text = strings.TrimSpace(text + "  " + snap.Advice)
	}
	if snap.State == terminal.AwaitCard && !snap.Reader.OK {
		text = "NO CARD READER  " + oneLine(snap.Reader.Cause) + " The sale goes on when the reader is back; Ctrl-C cancels it."
	}
	if text == "" {
		return
	}
	if snap.Amount.Currency.Code != "" && snap.Amount.Minor != 0 {
		text = snap.Amount.Format() + "  " + text
	}
	if snap.Warning != "" && snap.Warning != s.warning {
		s.warning = snap.Warning
		s.app.tell("LOOK: " + oneLine(snap.Warning))
	}
	s.say(text)
}

// say shows a line once.
func (s *selling) say(text string) {
	if text != s.shown {
		s.shown = text
		s.app.tell(text)
	}
}

// tell writes a line for the cashier, while programs want quiet.
func (a *app) tell(text string) {
	if !a.json {
		fmt.Fprintln(a.errOut, text)
	}
}

// finish prints the receipt, and for the cashier what to do; the exit status is the outcome's.
func (s *selling) finish(ctx context.Context, sale terminal.Sale) error {
	if s.app.json {
		if err := s.app.printJSON(sale); err != nil {
			return err
		}
		return outcome(sale)
	}
	text, err := s.client.raw(ctx, requestLimit, "GET", "/v1/sales/"+sale.ID.String()+"/receipt?format=text&lang=en&original=true", nil)
	if err != nil {
		s.app.tell(fmt.Sprintf("The sale is %s, and its receipt could not be fetched: %v", strings.ToUpper(string(sale.State)), err))
	} else {
		s.app.printf("%s", text)
	}
	s.app.tell(strings.TrimSpace(receipt.Reason(sale.Outcome) + " " + sale.Outcome.Do))
	s.paper(ctx)
	if sale.Twin != 0 && sale.State == terminal.Approved {
		s.app.tell(fmt.Sprintf("LOOK: the same card paid the same amount a moment ago, in sale %s. If this was one purchase, take one back: pos void %s", sale.Twin, sale.ID))
	}
	return outcome(sale)
}

// paper tells the cashier why a receipt does not come out. It keeps nobody waiting: what is right is not said.
func (s *selling) paper(ctx context.Context) {
	var st till.Status
	if err := s.client.get(ctx, "/v1/status", &st); err == nil && st.Printer != nil && !st.Printer.Ready && st.Printer.Cause != "" {
		s.app.tell("PRINTER: " + oneLine(st.Printer.Cause) + ". The receipt is printed when that is put right; the sale is not affected.")
	}
}

// outcome is the exit status of a final state.
func outcome(sale terminal.Sale) error {
	switch sale.State {
	case terminal.Approved:
		return nil
	case terminal.Declined:
		return &exit{code: exitDeclined}
	case terminal.Cancelled:
		return &exit{code: exitNothingSent}
	case terminal.Reversed:
		return &exit{code: exitReversed}
	default:
		return &exit{exitReversed, fmt.Errorf("sale %s is in %s and not final", sale.ID, sale.State)}
	}
}
