package lane

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tillway/device"
	"tillway/emv"
	"tillway/money"
	"tillway/terminal"
)

// What the world says in its own words is for technicians: the journal has it, the cashier reads whole sentences.
func TestTheCashierReadsNoErrors(t *testing.T) {
	const raw = "read tcp 127.0.0.1:40312->127.0.0.1:8583: connection reset by peer"
	for name, c := range map[string]struct {
		kernel   chip
		down     error
		answer   func(string) (string, bool, error)
		happened string
	}{
		"no connection": {approves, errors.New(raw), always("00"), "The bank cannot be reached."},
		"no answer": {chip{first: emv.Online, second: emv.Declined}, nil, func(m string) (string, bool, error) {
			if m == "sale" {
				return "", true, errors.New(raw)
			}
			return "00", true, nil
		}, "The bank did not answer."},
		"not sent": {approves, nil, func(m string) (string, bool, error) {
			if m == "sale" {
				return "", false, errors.New(raw)
			}
			return "00", true, nil
		}, "The bank cannot be reached."},
		"no keys": {approves, nil, func(m string) (string, bool, error) {
			if m == "sale" {
				return "", false, fmt.Errorf("%w: MAC key of %q", terminal.ErrNoKeys, raw)
			}
			return "00", true, nil
		}, "This terminal's keys are not loaded."},
		"reader":         {chip{err: fmt.Errorf("%w\n%s", device.ErrProtocol, raw)}, nil, always("00"), "The card or the reader failed. Card or reader broke the protocol."},
		"removed":        {chip{err: fmt.Errorf("%w: %s", device.ErrRemoved, raw)}, nil, always("00"), "The card was taken out too early. Card removed."},
		"card declines":  {chip{first: emv.Declined, reason: raw}, nil, always("00"), "Declined by the card."},
		"card ends":      {chip{first: emv.Terminated, reason: raw}, nil, always("00"), "The card cannot be used."},
		"card refuses":   {chip{first: emv.Online, second: emv.Declined, reason: raw}, nil, always("00"), "The bank approved, the card refused."},
		"cannot compose": {chip{first: emv.Online, pan: []byte{0x11}, reason: raw}, nil, always("00"), "The card's number cannot be read."},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := start(t, c.kernel, slot{}, c.answer)
				b.wire.mu.Lock()
				b.wire.down = c.down
				b.wire.mu.Unlock()
				defer b.end()
				b.sell(1000, "")
				s := b.last()
				synctest.Wait()
				if s.Outcome.Happened != c.happened {
					t.Errorf("happened: %q, want %q", s.Outcome.Happened, c.happened)
				}
				if strings.Contains(s.Outcome.Do, raw) {
					t.Errorf("do: %q", s.Outcome.Do)
				}
				noted := slices.ContainsFunc(b.rows(), func(e terminal.Entry) bool {
					return e.Sale != nil && strings.Contains(e.Note, raw) && !strings.Contains(e.Note, "\n")
				})
				if c.kernel.pan == nil && !noted {
					t.Error("the journal does not have the cause on one line")
				}
			})
		})
	}
}

// A clock that is put back must not hold a reversal until its old time comes round again.
func TestReversalIsNotHeldByAClockThatIsPutBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var answers atomic.Bool
		b := start(t, approves, slot{}, func(m string) (string, bool, error) {
			if m == "signon" || answers.Load() {
				return "00", true, nil
			}
			return "", true, errors.New("no answer in time")
		})
		defer b.end()
		b.sell(1000, "")
		b.last()
		time.Sleep(time.Second / 2)
		b.clock.Store(int64(-24 * time.Hour))
		answers.Store(true)
		time.Sleep(2 * time.Hour) // Check is an hour here
		if due, _ := b.journal.Due(t.Context(), ""); len(due) != 0 {
			t.Errorf("still owed: %+v", due)
		}
	})
}

// A terminal whose journal has failed takes no orders any more: it has to end, so that it is started again.
func TestAFailedJournalEndsAnIdleTerminal(t *testing.T) {
	fails := func(b *bench) {
		b.journal.mu.Lock()
		defer b.journal.mu.Unlock()
		b.journal.fail = errors.New("disk full")
	}
	t.Run("at an order", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := start(t, approves, slot{}, always("00"))
			defer b.stop()
			time.Sleep(time.Minute)
			fails(b)
			if _, err := b.lane.Start(t.Context(), terminal.Order{Kind: terminal.KindSale, Amount: money.New(1, kwd), Key: "k"}); err == nil {
				t.Error("order taken")
			}
			b.hasEnded()
		})
	})
	t.Run("at a sign-on", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := start(t, approves, slot{}, always("00"))
			defer b.stop()
			time.Sleep(time.Minute)
			fails(b)
			b.hasEnded()
		})
	})
}

// What the card or the host did not clearly say is never taken for a yes, and never discharges the reversal.
func TestWhatIsReversed(t *testing.T) {
	for name, c := range map[string]struct {
		kernel chip
		answer string
	}{
		"an answer that cannot be read":                 {approves, "garbage"},
		"the card declines what the host approved":      {chip{first: emv.Online, second: emv.Declined}, "00"},
		"the card is gone before its second cryptogram": {chip{first: emv.Online, complete: device.ErrRemoved}, "00"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := start(t, c.kernel, slot{}, func(m string) (string, bool, error) {
					if m == "sale" {
						return c.answer, true, nil
					}
					return "00", true, nil
				})
				defer b.end()
				b.sell(1000, "")
				if s := b.last(); s.State != terminal.Reversed {
					t.Errorf("%s: %s", s.State, s.Outcome.Happened)
				}
				time.Sleep(5 * time.Second) // at once, not when the owner looks next
				synctest.Wait()
				if !slices.Contains(b.sent(), "reversal") {
					t.Error("the reversal was not sent")
				}
			})
		})
	}
}

// A reversal is paid when the host says so, waits when the host cannot now, and is put aside for people when it is refused.
func TestWhatBecomesOfAReversal(t *testing.T) {
	for code, want := range map[string]terminal.DebtState{"00": terminal.Acknowledged, "91": terminal.Owed, "12": terminal.Parked, "garbage": terminal.Owed} {
		t.Run(code, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := start(t, approves, slot{}, func(m string) (string, bool, error) {
					switch m {
					case "sale":
						return "", true, errors.New("no answer in time")
					case "reversal":
						return code, true, nil
					}
					return "00", true, nil
				})
				defer b.end()
				b.sell(1000, "")
				b.last()
				time.Sleep(time.Minute)
				synctest.Wait()
				var now terminal.DebtState
				for _, e := range b.rows() {
					if e.Debt != nil {
						now = e.Debt.State
					}
				}
				if now != want {
					t.Errorf("answered %s: %s, want %s", code, now, want)
				}
				tries := 0
				for _, m := range b.sent() {
					if m == "reversal" {
						tries++
					}
				}
				if waits := want == terminal.Owed; waits != (tries > 1) || tries > 6 { // 2, 4, 8, … seconds apart
					t.Errorf("sent %d times in a minute", tries)
				}
			})
		})
	}
}

// The request goes for good with the answer, before the card has its say.
func TestTheAnswerErasesTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, approves, slot{}, always("00"))
		defer b.end()
		b.sell(1000, "")
		b.last()
		synctest.Wait()
		for _, e := range b.rows() {
			if e.Sale != nil && e.Erase != (e.From == terminal.Sending) {
				t.Errorf("%s in %s: erase %v", e.Event, e.From, e.Erase)
			}
		}
	})
}

func TestStraysAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, approves, slot{}, always("00"))
		defer b.end()
		b.owner.Stray(terminal.Stray{Time: time.Now(), MTI: "0210", STAN: "000007", Code: "00", Reason: "late"})
		time.Sleep(time.Minute)
		if !slices.ContainsFunc(b.rows(), func(e terminal.Entry) bool {
			return e.Kind == terminal.StrayEntry && strings.Contains(e.Note, "000007") && strings.Contains(e.Note, "late")
		}) {
			t.Errorf("%+v", b.rows())
		}
	})
}

// A cancel that was accepted holds, also when the card was quicker than the kernel's look at its context.
func TestAcceptedCancelHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := approves
		k.deaf = true
		b := start(t, k, slot{}, always("00"))
		defer b.end()
		b.sell(1000, "")
		time.Sleep(500 * time.Millisecond)
		if err := b.lane.Cancel(t.Context()); err != nil {
			t.Fatal(err)
		}
		s := b.last()
		synctest.Wait()
		if s.State != terminal.Cancelled || slices.Contains(b.sent(), "sale") {
			t.Errorf("%s, on the wire %v", s.State, b.sent())
		}
	})
}

func TestRecoverGivesEveryStateItsEnd(t *testing.T) {
	for from, want := range map[terminal.State]struct {
		state terminal.State
		code  string
	}{
		terminal.AwaitCard: {terminal.Cancelled, terminal.CodePowerLost}, terminal.CardTalk: {terminal.Cancelled, terminal.CodePowerLost},
		terminal.Sending: {terminal.Reversed, terminal.CodePowerLost}, terminal.FinishApproved: {terminal.Reversed, terminal.CodePowerLost},
		terminal.FinishUnanswered: {terminal.Reversed, terminal.CodePowerLost}, terminal.FinishUnable: {terminal.Cancelled, terminal.CodePowerLost},
		terminal.FinishDeclined:  {terminal.Declined, terminal.CodeDeclined},
		terminal.AgreementOnline: {terminal.Reversed, terminal.CodePowerLost}, terminal.AgreementOffline: {terminal.Cancelled, terminal.CodePowerLost},
	} {
		j := &memory{}
		left := terminal.Sale{ID: 1, State: from, ResponseCode: "51"}
		if err := j.Append(t.Context(), true, terminal.Entry{Kind: terminal.SaleEntry, Sale: &left}); err != nil {
			t.Fatal(err)
		}
		ended, err := Recover(t.Context(), Recovery{Journal: j, Acquirer: "acquirer", Now: time.Now()})
		if err != nil || len(ended) != 1 || ended[0].State != want.state || ended[0].Outcome.Code != want.code {
			t.Errorf("%s: %+v %v", from, ended, err)
		}
		last := j.rows[len(j.rows)-1]
		if len(last.Duties) != 0 || !last.Erase {
			t.Errorf("%s: duties %v, erase %v", from, last.Duties, last.Erase)
		}
	}
}

// Trace numbers have six digits and are never 0: behind 999999 comes 1.
func TestTraceNumbersWrap(t *testing.T) {
	for n, want := range map[uint64]uint32{1: 1, 999_998: 999_998, 999_999: 999_999, 1_000_000: 1, 1_000_001: 2, 1_999_998: 999_999, 1_999_999: 1} {
		if got := stan(n); got != want {
			t.Errorf("number %d: STAN %d, want %d", n, got, want)
		}
	}
}

// A bank that just declines leaves cashier and customer in the dark where the card's PIN is blocked: the terminal knows, and says
// so. A PIN that was left out is no blocked one.
func TestBlockedPINIsSaid(t *testing.T) {
	for happened, tvr := range map[string]emv.TVR{"The card's PIN is blocked.": {0, 0, 0x20}, "": {0, 0, 0x08}} {
		synctest.Test(t, func(t *testing.T) {
			b := start(t, chip{first: emv.Online, second: emv.Declined, tvr: tvr}, slot{}, func(m string) (string, bool, error) {
				if m == "sale" {
					return "05", true, nil
				}
				return "00", true, nil
			})
			defer b.end()
			b.sell(1000, "")
			if s := b.last(); s.State != terminal.Declined || s.Outcome.Happened != happened {
				t.Errorf("%X: %s, %q, want %q", tvr, s.State, s.Outcome.Happened, happened)
			}
		})
	}
}
