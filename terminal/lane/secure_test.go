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

	"tillway/emv"
	"tillway/money"
	"tillway/terminal"
)

// macs gives keys 1, 2, 3 … and believes the answer that the key's own number stands behind.
type macs struct {
	next     uint64
	none     error
	released []uint64
	saw      []string
	used     map[uint64]int
}

func (m *macs) NextKey(context.Context) (terminal.MACKey, error) {
	m.next++
	return terminal.MACKey{ID: m.next, KSN: []byte{'0' + byte(m.next)}}, m.none
}

func (m *macs) MAC(_ context.Context, k terminal.MACKey, data []byte) ([]byte, error) {
	m.used[k.ID]++
	if !strings.HasSuffix(string(data), "#"+string(k.KSN)) {
		return nil, errors.New("the key's number is not among what is authenticated")
	}
	return []byte("m"), nil
}

func (*macs) Verify(_ context.Context, k terminal.MACKey, _, mac []byte) error {
	if string(mac) != string(k.KSN) {
		return errors.New("MAC does not verify")
	}
	return nil
}

func (m *macs) HostSaw(_ context.Context, pin, mac []byte) error {
	m.saw = append(m.saw, string(pin)+" "+string(mac))
	return nil
}

func (m *macs) Release(_ context.Context, k terminal.MACKey) { m.released = append(m.released, k.ID) }

// honest is a host that answers under the MAC of the key that the message came with.
func honest(code string) func(string) (string, bool, error) {
	return func(message string) (string, bool, error) {
		return code + "#" + strings.Split(message, "#")[1], true, nil
	}
}

func signed(m *macs) func(*Config, *OwnerConfig) {
	m.used = map[uint64]int{}
	return func(_ *Config, o *OwnerConfig) { o.Dialect, o.Macs = words{macs: true}, m }
}

// TestEverySendingHasAKeyOfItsOwn: sign-on, request, reversal and its repeats, in the order of the wire; nothing is sent
// without a key.
func TestEverySendingHasAKeyOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, n := &macs{}, 0
		b := start(t, approves, slot{}, func(message string) (string, bool, error) {
			if n++; strings.HasPrefix(message, "signon") || n > 5 {
				return honest("00")(message)
			}
			return "", true, errors.New("no answer")
		}, signed(m))
		b.sell(1000, "")
		b.last()
		time.Sleep(time.Minute)
		b.end()
		var want []string
		reversals := 0
		for i, s := range b.wire.sent {
			reversals += strings.Count(s, "reversal")
			want = append(want, string('1'+rune(i)))
			if got := strings.Split(s, "#"); len(got) != 3 || got[1] != want[i] || got[2] != "m" {
				t.Errorf("message %d is %s, want key %s and its MAC", i, s, want[i])
			}
		}
		if len(m.saw) == 0 || m.saw[0] != "seen " {
			t.Errorf("the host's word at sign-on came as %q", m.saw)
		}
		if reversals < 2 || len(m.released) != len(want) {
			t.Errorf("%d messages, %d keys released: %v", len(want), len(m.released), b.wire.sent)
		}
		for k, times := range m.used {
			if times != 1 {
				t.Errorf("key %d made %d MACs", k, times)
			}
		}
	})
}

// TestAnswerWithoutItsMACIsNone: stripped, wrong, another key's, or a replay: no answer, put aside with the reason, and
// the sale is reversed.
func TestAnswerWithoutItsMACIsNone(t *testing.T) {
	for name, forged := range map[string]string{"stripped": "00", "wrong": "00#x", "of the sign-on": "00#1"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := start(t, approves, slot{}, func(message string) (string, bool, error) {
					if strings.HasPrefix(message, "sale") {
						return forged, true, nil
					}
					return honest("00")(message)
				}, signed(&macs{}))
				b.sell(1000, "")
				s := b.last()
				time.Sleep(time.Second * 5)
				b.end()
				if s.State != terminal.Reversed || s.Outcome.Code != terminal.CodeNoAnswer || s.ResponseCode != "" {
					t.Errorf("%s, %s with %q", s.State, s.Outcome.Code, s.ResponseCode)
				}
				if !slices.ContainsFunc(b.journal.rows, func(e terminal.Entry) bool {
					return e.Kind == terminal.StrayEntry && strings.Contains(e.Note, "not the bank's")
				}) {
					t.Error("no row says that an answer was put aside")
				}
				if !strings.HasPrefix(b.wire.sent[len(b.wire.sent)-1], "reversal#5") {
					t.Errorf("sent %v, want a reversal under a key of its own", b.wire.sent)
				}
			})
		})
	}
}

// TestNoKeyNothingSent: without a MAC key, or without a module, no byte leaves.
func TestNoKeyNothingSent(t *testing.T) {
	for name, change := range map[string]func(*Config, *OwnerConfig){
		"no key":    signed(&macs{none: errors.New("key counter exhausted")}),
		"no module": func(_ *Config, o *OwnerConfig) { o.Dialect = words{macs: true} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := start(t, chip{first: emv.Online, second: emv.Declined}, slot{}, honest("00"), change)
				defer b.end()
				b.sell(1000, "")
				if s := b.last(); s.State != terminal.Declined || s.Outcome.Code != terminal.CodeUnreachable || len(b.wire.sent) > 0 {
					t.Errorf("%s, %+v, sent %v", s.State, s.Outcome, b.wire.sent)
				}
			})
		})
	}
}

// asks is a kernel whose card wants an online PIN.
type asks struct {
	chip
	required bool
	entry    *emv.PINEntry
}

func (a asks) Begin(ctx context.Context, card emv.Card, p emv.Params, h emv.Cardholder) (emv.Transaction, emv.Outcome, error) {
	pan, err := emv.NewPAN("4761739001010119")
	if err != nil {
		return nil, emv.Outcome{}, err
	}
	if *a.entry, err = h.OnlinePIN(ctx, emv.PINRequest{PAN: pan, Amount: money.New(1000, kwd), Required: a.required}); err != nil {
		return nil, emv.Outcome{}, err
	}
	txn, out, err := a.chip.Begin(ctx, card, p, h)
	if *a.entry == emv.PINEntered {
		out.Method = emv.OnlinePIN
	}
	return txn, out, err
}

// pad ends each entry as it is told, after some time and two digits.
type pad struct {
	end   terminal.PINEnd
	err   error
	time  time.Duration
	asked []terminal.PINAsk
}

func (p *pad) EnterPIN(ctx context.Context, ask terminal.PINAsk) (terminal.PINEnd, terminal.PINBlock, error) {
	p.asked = append(p.asked, ask)
	ask.Progress(2)
	select {
	case <-time.After(p.time):
	case <-ctx.Done():
		return "", terminal.PINBlock{}, ctx.Err()
	}
	if p.end != terminal.PINEntered {
		return p.end, terminal.PINBlock{}, p.err
	}
	return p.end, terminal.PINBlock{Block: []byte("ENCIPHER")}, p.err
}

// TestPINEntry: each way an entry can end, and what becomes of the sale. The PIN block is in the request alone.
func TestPINEntry(t *testing.T) {
	for _, c := range []struct {
		name     string
		pad      *pad
		bypass   bool
		required bool
		entry    emv.PINEntry
		state    terminal.State
		code     string
		sent     string
	}{
		{"entered", &pad{end: terminal.PINEntered}, false, false, emv.PINEntered, terminal.Approved, "approved", "saleENCIPHER"},
		{"a customer who takes longer than a card may", &pad{end: terminal.PINEntered, time: 3 * time.Minute}, false, false, emv.PINEntered, terminal.Approved, "approved", "saleENCIPHER"},
		{"bypassed", &pad{end: terminal.PINBypassed}, true, false, emv.PINBypassed, terminal.Approved, "approved", "sale"},
		{"bypassed, which nobody offered", &pad{end: terminal.PINBypassed}, false, false, "", terminal.Cancelled, "cancelled", ""},
		{"bypassed where a PIN is required", &pad{end: terminal.PINBypassed}, true, true, "", terminal.Cancelled, "cancelled", ""},
		{"cancelled at the pad", &pad{end: terminal.PINCancelled}, false, false, "", terminal.Cancelled, "cancelled", ""},
		{"no PIN in time", &pad{end: terminal.PINTimedOut}, false, false, "", terminal.Cancelled, "timed_out", ""},
		{"pad does not work", &pad{err: errors.New("no key")}, false, false, emv.PINPadMissing, terminal.Approved, "approved", "sale"},
		{"pad says nonsense", &pad{end: "maybe"}, false, false, "", terminal.Cancelled, "cancelled", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var entry emv.PINEntry
				b := start(t, asks{approves, c.required, &entry}, slot{}, always("00"), func(cfg *Config, _ *OwnerConfig) {
					cfg.PINPad, cfg.PINTimeout, cfg.PINBypass, cfg.PINSocket = c.pad, time.Minute, c.bypass, "pin.sock"
				})
				b.sell(1000, "")
				s := b.last()
				b.end()
				if s.State != c.state || s.Outcome.Code != c.code || entry != c.entry {
					t.Errorf("%s (%+v), kernel told %q", s.State, s.Outcome, entry)
				}
				if ask := c.pad.asked[0]; ask.Bypass != (c.bypass && !c.required) || ask.Retry || ask.PAN.Last4() != "0119" || ask.Timeout != time.Minute {
					t.Errorf("the pad was asked %+v", ask)
				}
				sent := slices.DeleteFunc(b.wire.sent, func(s string) bool { return s == "signon" })
				if got := strings.Join(sent, " "); got != c.sent {
					t.Errorf("sent %q, want %q", got, c.sent)
				}
			})
		})
	}
}

// TestPINPrompt: the screen shows the prompt, how many digits, and where to enter them; then no more. A cashier's cancel
// is heard meanwhile.
func TestPINPrompt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var entry emv.PINEntry
		b := start(t, asks{approves, false, &entry}, slot{}, always("00"), func(cfg *Config, _ *OwnerConfig) {
			cfg.PINPad, cfg.PINTimeout, cfg.PINSocket = &pad{end: terminal.PINEntered, time: time.Hour}, time.Hour, "pin.sock"
		})
		defer b.end()
		b.sell(1000, "")
		synctest.Wait()
		if s := b.lane.Snapshot(); s.Prompt != terminal.PromptEnterPIN || s.Text != "ENTER PIN" || s.PIN == nil || *s.PIN != (terminal.PINProgress{Entry: 1, Digits: 2, Socket: "pin.sock"}) {
			t.Errorf("shown %+v, %+v", s, s.PIN)
		}
		if err := b.lane.Cancel(t.Context()); err != nil {
			t.Fatal(err)
		}
		s := b.last()
		if s.State != terminal.Cancelled || s.Outcome.Code != terminal.CodeCancelled || b.lane.Snapshot().PIN != nil {
			t.Errorf("%s, %+v, %+v", s.State, s.Outcome, b.lane.Snapshot().PIN)
		}
	})
}

// slow is a slot whose customer takes the card after some seconds.
type slow struct{ slot }

func (slow) AwaitRemoval(ctx context.Context) error {
	select {
	case <-time.After(5 * time.Second):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// TestWrongPIN: the prompt says so, and the next entry for the same card knows it, with the tries that are left; a card
// that paid is no longer in question.
func TestWrongPIN(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var entry emv.PINEntry
		p, codes := &pad{end: terminal.PINEntered}, []string{"55", "00", "00"}
		k := asks{chip{first: emv.Online, second: emv.Declined}, false, &entry}
		b := start(t, k, slow{}, func(message string) (string, bool, error) {
			if !strings.HasPrefix(message, "sale") {
				return "00", true, nil
			}
			c := codes[0]
			codes = codes[1:]
			return c, true, nil
		}, func(cfg *Config, _ *OwnerConfig) { cfg.PINPad, cfg.PINTimeout = p, time.Minute })
		b.sell(1000, "")
		var snap terminal.Snapshot
		for !snap.State.Final() {
			var err error
			if snap, err = b.lane.Watch(t.Context(), snap.Version); err != nil {
				t.Fatal(err)
			}
		}
		if snap.State != terminal.Declined || snap.Prompt != terminal.PromptWrongPIN {
			t.Errorf("%s, prompt %q", snap.State, snap.Text)
		}
		b.sell(1000, "")
		synctest.Wait()
		time.Sleep(time.Minute)
		b.sell(1000, "")
		time.Sleep(time.Minute)
		b.end()
		if len(p.asked) != 3 || p.asked[0].Retry || !p.asked[1].Retry || p.asked[1].Tries != 2 || p.asked[2].Retry {
			t.Errorf("asked %+v", p.asked)
		}
	})
}

// TestPINBlockShowsNothing under any verb, in JSON, or in the log.
func TestPINBlockShowsNothing(t *testing.T) {
	p := terminal.PINBlock{Block: []byte("ENCIPHER"), KSN: []byte("KSN")}
	r := terminal.Request{PIN: p}
	for _, s := range []string{p.String(), p.GoString(), p.LogValue().String()} {
		if s != "PIN block" {
			t.Errorf("%q", s)
		}
	}
	if got := fmt.Sprintf("%v %+v %#v %x %s %d %v", p, p, p, p, p, p, r.PIN); strings.Contains(got, "ENCIPHER") || strings.Contains(got, "454E43") || strings.Contains(got, "454e43") {
		t.Errorf("%q", got)
	}
}
