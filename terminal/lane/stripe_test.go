package lane

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tillway/device"
	"tillway/device/magstripe"
	"tillway/emv"
	"tillway/terminal"
)

// Tracks of a card without a chip, of one with a chip that has the number of the chip kernel's card, and others.
const (
	plainTrack = ";4761739001010135=28121011143812300000?"
	chipTrack  = ";4761739001010119=28122011143812300000?"
)

// turn is one thing that happens at a reader, some time after the one before.
type turn struct {
	after time.Duration
	track string // of a swipe
	err   error
}

// door is a reader at which things happen in turn, and then nothing any more. A turn that nobody waited for is waited for again.
type door struct {
	slot
	stripe bool
	mu     sync.Mutex
	turns  []turn
}

func (d *door) Present(ctx context.Context) (device.Presented, error) {
	d.mu.Lock()
	var next *turn
	if len(d.turns) > 0 {
		next = &d.turns[0]
	}
	d.mu.Unlock()
	if next == nil {
		<-ctx.Done()
		return device.Presented{}, ctx.Err()
	}
	select {
	case <-time.After(next.after):
	case <-ctx.Done():
		return device.Presented{}, ctx.Err()
	}
	d.mu.Lock()
	t := d.turns[0]
	d.turns = d.turns[1:]
	d.mu.Unlock()
	if t.err != nil {
		return device.Presented{}, t.err
	}
	if !d.stripe {
		return device.Presented{Technology: device.Contact, Card: silent{}}, nil
	}
	s, err := magstripe.Parse(t.track)
	return device.Presented{Technology: device.MagStripe, Stripe: s}, err
}

// heard is the dialect of plain words, and keeps what it was asked to compose.
type heard struct {
	words
	requests *[]terminal.Request
}

func (h heard) Request(r terminal.Request) (request, reversal []byte, err error) {
	*h.requests = append(*h.requests, r)
	return h.words.Request(r)
}

// stripes is a lane with two readers.
type stripes struct {
	*bench
	requests []terminal.Request
	log      bytes.Buffer
	pad      *pad
}

func swiping(t *testing.T, k Kernel, chips, swipes []turn, answer func(string) (string, bool, error), change ...func(*Config, *OwnerConfig)) *stripes {
	t.Helper()
	s := &stripes{pad: &pad{end: terminal.PINEntered}}
	visa := emv.Application{AID: []byte{0xA0, 0, 0, 0, 3, 0x10, 0x10}, Scheme: "visa"}
	setUp := func(c *Config, o *OwnerConfig) {
		c.Stripe = StripeRules{Reader: &door{stripe: true, turns: swipes}, FallbackAfter: 3, Methods: []emv.Method{emv.OnlinePIN, emv.NoCVM}}
		c.Params = func(terminal.Order, time.Time, terminal.SaleID) emv.Params {
			return emv.Params{Applications: []emv.Application{visa}}
		}
		c.PINPad, c.PINTimeout = s.pad, time.Minute
		c.Log = slog.New(slog.NewJSONHandler(&s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		o.Dialect = heard{requests: &s.requests}
	}
	s.bench = start(t, k, &door{turns: chips}, answer, append([]func(*Config, *OwnerConfig){setUp}, change...)...)
	return s
}

// foreign is a card that has no application in common with the terminal.
var foreign = chip{first: emv.OtherInterface, reason: "no application in common"}

func mutes(n int) []turn { return slices.Repeat([]turn{{after: time.Second, err: device.ErrMute}}, n) }

func swipes(after time.Duration, tracks ...string) []turn {
	var out []turn
	for _, t := range tracks {
		out = append(out, turn{after: after, track: t})
	}
	return out
}

// TestSwipes: which swipes are taken and as what, the chip first (attacks: a chip card's stripe is the copier's way in), and what
// the host is told. A sale that takes none ends when no card comes in time.
func TestSwipes(t *testing.T) {
	const late = 30 * time.Second // after all that happens at the chip reader
	inserted := []turn{{after: 40 * time.Second}}
	for _, c := range []struct {
		name   string
		kernel Kernel
		chips  []turn
		swipes []turn
		rules  func(*StripeRules)
		state  terminal.State
		entry  terminal.Entered
		sent   string
		advice string // was shown on the way
	}{
		{"a card without a chip", approves, nil, swipes(1, plainTrack), nil, terminal.Approved, "swiped", "saleENCIPHER", ""},
		{"chip first", approves, inserted, swipes(1, chipTrack), nil, terminal.Approved, "chip", "sale", "has a chip: insert it"},
		{"chip first, national", approves, inserted, swipes(1, strings.Replace(chipTrack, "2812201", "2812601", 1)), nil, terminal.Approved, "chip", "sale", "has a chip: insert it"},
		{"the chip comes while the stripe is refused", approves, inserted, swipes(1, chipTrack, chipTrack, chipTrack), nil, terminal.Approved, "chip", "sale", "has a chip"},
		{"two resets fail", approves, mutes(2), swipes(late, chipTrack), nil, terminal.Cancelled, "", "", "has a chip: insert it"},
		{"three resets fail", approves, mutes(3), swipes(late, chipTrack), nil, terminal.Approved, "fallback", "saleENCIPHER", "swipe the card"},
		{"three resets fail, and the card has no chip", approves, mutes(3), swipes(late, plainTrack), nil, terminal.Approved, "swiped", "saleENCIPHER", "swipe the card"},
		{"three resets fail, then the chip works", approves, append(mutes(3), turn{after: time.Second}), nil, nil, terminal.Approved, "chip", "sale", "swipe the card"},
		{"no fallback at all", approves, mutes(9), swipes(late, chipTrack), func(r *StripeRules) { r.FallbackAfter = 0 }, terminal.Cancelled, "", "", "has a chip: insert it"},
		{"fallback after one", approves, mutes(1), swipes(late, chipTrack), func(r *StripeRules) { r.FallbackAfter = 1 }, terminal.Approved, "fallback", "saleENCIPHER", ""},
		{"no application in common, three times", foreign, slices.Repeat([]turn{{after: time.Second}}, 3), swipes(late, chipTrack), nil, terminal.Approved, "fallback", "saleENCIPHER", "swipe the card"},
		{"no application in common, once", foreign, []turn{{after: time.Second}}, swipes(late, chipTrack), nil, terminal.Cancelled, "chip", "", "has a chip"},
		{"no application in common, without fallback", foreign, []turn{{after: time.Second}}, nil, func(r *StripeRules) { r.FallbackAfter = 0 }, terminal.Declined, "chip", "", ""},
		{"no application in common, without end", foreign, slices.Repeat([]turn{{}}, 99), nil, nil, terminal.Declined, "chip", "", ""},
		{"no stripe reader", approves, inserted, nil, func(r *StripeRules) { r.Reader = nil }, terminal.Approved, "chip", "sale", ""},
		{"a chip and a swipe in the same moment", approves, []turn{{after: time.Second}}, swipes(time.Second, plainTrack), nil, terminal.Approved, "chip", "sale", ""},
		{"misread, then read", approves, nil, []turn{{err: device.ErrMisread}, {after: 1, track: plainTrack}}, nil, terminal.Approved, "swiped", "saleENCIPHER", "Swipe the card again"},
		{"wrong check digit", approves, nil, swipes(1, strings.Replace(plainTrack, "0135", "0136", 1)), nil, terminal.Cancelled, "", "", "misread"},
		{"expired", approves, nil, swipes(1, strings.Replace(plainTrack, "2812", "9912", 1)), nil, terminal.Cancelled, "", "", "has expired"},
		{"no service code", approves, nil, swipes(1, strings.Replace(plainTrack, "2812101", "2812=", 1)), nil, terminal.Cancelled, "", "", "not one to pay with"},
		{"for cash only", approves, nil, swipes(1, strings.Replace(plainTrack, "2812101", "2812104", 1)), nil, terminal.Cancelled, "", "", "cash only"},
		{"another scheme's", approves, nil, swipes(1, ";5413330089604111=28121011143812300000?"), nil, terminal.Declined, "swiped", "", ""},
		{"no way to verify", approves, nil, swipes(1, plainTrack), func(r *StripeRules) { r.Methods = []emv.Method{emv.NoCVM} }, terminal.Declined, "swiped", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := swiping(t, c.kernel, c.chips, c.swipes, always("00"), func(cfg *Config, _ *OwnerConfig) {
					if c.rules != nil {
						c.rules(&cfg.Stripe)
					}
				})
				b.sell(1000, "")
				s, advice := b.watched()
				b.end()
				if s.State != c.state || s.Entry != c.entry {
					t.Errorf("%s (%+v), entered %q", s.State, s.Outcome, s.Entry)
				}
				if got := strings.Join(slices.DeleteFunc(b.wire.sent, func(s string) bool { return s == "signon" }), " "); got != c.sent {
					t.Errorf("sent %q, want %q", got, c.sent)
				}
				if !strings.Contains(advice, c.advice) {
					t.Errorf("shown %q, want %q", advice, c.advice)
				}
				if len(b.requests) > 0 && b.requests[0].Entry != c.entry {
					t.Errorf("the dialect is told %q, the journal %q", b.requests[0].Entry, c.entry)
				}
				b.hides(t)
			})
		})
	}
}

// watched follows a sale to its end and returns all that the cashier was told.
func (s *stripes) watched() (terminal.Sale, string) {
	var told strings.Builder
	for seen := uint64(0); ; {
		n, err := s.lane.Watch(s.t.Context(), seen)
		if err != nil {
			s.t.Fatal(err)
		}
		seen = n.Version
		told.WriteString(n.Advice + "\n")
		if n.State.Final() {
			return *n.Last, told.String()
		}
	}
}

// hides: neither log nor journal nor what is shown has a card number, expiry or track of a swipe.
func (s *stripes) hides(t *testing.T) {
	t.Helper()
	rows, err := json.Marshal(s.rows())
	if err != nil {
		t.Fatal(err)
	}
	shown, err := json.Marshal(s.lane.Snapshot())
	if err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{"log": s.log.String(), "journal": string(rows), "screen": string(shown)} {
		for _, secret := range []string{"4761739001010119", "4761739001010135", "5413330089604111", "=2812", "1143812300000"} {
			if strings.Contains(text, secret) {
				t.Errorf("the %s shows %s", what, secret)
			}
		}
	}
}

// A chip that works ends the counting: the next customer's chip card is asked for its chip again. And so does the next sale.
func TestFallbackCountsWithinOneSale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chips := append(append(mutes(2), turn{after: time.Second}), mutes(2)...)
		b := swiping(t, approves, chips, swipes(50*time.Second, chipTrack), always("00"))
		b.sell(1000, "")
		if s, _ := b.watched(); s.State != terminal.Approved || s.Entry != terminal.EnteredChip {
			t.Fatalf("%s, %q", s.State, s.Entry)
		}
		b.sell(2000, "")
		s, told := b.watched()
		b.end()
		if s.State != terminal.Cancelled || s.Outcome.Code != terminal.CodeTimedOut || !strings.Contains(told, "has a chip: insert it") {
			t.Errorf("%s (%+v), told %q", s.State, s.Outcome, told)
		}
	})
}

// TestSwipedAndTheHost: what becomes of a swiped sale is the host's to say, and a reversal is owed as for a chip.
func TestSwipedAndTheHost(t *testing.T) {
	for _, c := range []struct {
		name, answer string
		state        terminal.State
		code         string
		sent         string
	}{
		{"approved", "00", terminal.Approved, terminal.CodeApproved, "saleENCIPHER"},
		{"declined", "05", terminal.Declined, terminal.CodeDeclined, "saleENCIPHER"},
		{"no valid answer", "garbage", terminal.Reversed, terminal.CodeNoAnswer, "saleENCIPHER reversal"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := swiping(t, approves, nil, swipes(1, plainTrack), func(message string) (string, bool, error) {
					if strings.HasPrefix(message, "sale") {
						return c.answer, true, nil
					}
					return "00", true, nil
				})
				b.sell(1000, "")
				s, _ := b.watched()
				time.Sleep(time.Minute)
				b.end()
				if s.State != c.state || s.Outcome.Code != c.code || s.Method != emv.OnlinePIN || s.Scheme != "visa" || s.Label != "VISA" || s.MaskedPAN != "476173******0135" || s.AID != "" {
					t.Errorf("%s %+v, %q %q %q %q", s.State, s.Outcome, s.Method, s.Scheme, s.MaskedPAN, s.AID)
				}
				if got := strings.Join(slices.DeleteFunc(b.sent(), func(s string) bool { return s == "signon" }), " "); got != c.sent {
					t.Errorf("sent %q, want %q", got, c.sent)
				}
				b.hides(t)
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		b := swiping(t, approves, nil, swipes(1, plainTrack), always("00"))
		b.wire.mu.Lock()
		b.wire.down = device.ErrTimeout
		b.wire.mu.Unlock()
		b.sell(1000, "")
		s, _ := b.watched()
		b.end()
		if s.State != terminal.Declined || s.Outcome.Code != terminal.CodeUnreachable {
			t.Errorf("host not reached: %s (%+v)", s.State, s.Outcome)
		}
	})
}

// TestSwipedCardholder: the PIN is asked for as the service code's third digit says, and nothing leaves without a verification.
func TestSwipedCardholder(t *testing.T) {
	track := func(service string) string { return strings.Replace(plainTrack, "2812101", "2812"+service, 1) }
	for _, c := range []struct {
		name, service string
		end           terminal.PINEnd
		noPad         bool
		asked         bool
		bypass        bool
		state         terminal.State
		sent          string
	}{
		{"PIN required", "120", terminal.PINEntered, false, true, false, terminal.Approved, "saleENCIPHER"},
		{"PIN required, left out", "120", terminal.PINBypassed, false, true, false, terminal.Cancelled, ""},
		{"PIN required, cancelled", "125", terminal.PINCancelled, false, true, false, terminal.Cancelled, ""},
		{"PIN required, no pad", "120", "", true, false, false, terminal.Declined, ""},
		{"no other method, no pad", "101", "", true, false, false, terminal.Declined, ""},
		{"no other method", "101", terminal.PINEntered, false, true, false, terminal.Approved, "saleENCIPHER"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := swiping(t, approves, nil, swipes(1, track(c.service)), always("00"), func(cfg *Config, _ *OwnerConfig) {
					cfg.PINBypass = true
					if c.noPad {
						cfg.PINPad = nil
					}
				})
				b.pad.end = c.end
				b.sell(1000, "")
				s, _ := b.watched()
				b.end()
				if s.State != c.state || len(b.pad.asked) > 0 != c.asked {
					t.Errorf("%s (%+v), asked %d times", s.State, s.Outcome, len(b.pad.asked))
				}
				if c.asked && (b.pad.asked[0].Bypass != c.bypass || b.pad.asked[0].PAN.Last4() != "0135") {
					t.Errorf("asked %+v", b.pad.asked[0])
				}
				if got := strings.Join(slices.DeleteFunc(b.wire.sent, func(s string) bool { return s == "signon" }), " "); got != c.sent {
					t.Errorf("sent %q, want %q", got, c.sent)
				}
			})
		})
	}
}

// TestSwipedSignature: where the terminal takes signatures, one is due unless the service code wants a PIN, and the sale stands once
// the cashier has agreed to it.
func TestSwipedSignature(t *testing.T) {
	track := func(service string) string { return strings.Replace(plainTrack, "2812101", "2812"+service, 1) }
	for _, c := range []struct {
		name, service string
		end           terminal.PINEnd
		noPad, agree  bool
		method        emv.Method
		state         terminal.State
		sent          string
	}{
		{"agreed", "101", "", false, true, emv.Signature, terminal.Approved, "sale"},
		{"not agreed", "101", "", false, false, emv.Signature, terminal.Reversed, "sale reversal"},
		{"a PIN where feasible", "106", terminal.PINEntered, false, true, emv.OnlinePIN, terminal.Approved, "saleENCIPHER"},
		{"a PIN where feasible, left out", "106", terminal.PINBypassed, false, true, emv.Signature, terminal.Approved, "sale"},
		{"a PIN where feasible, no pad", "107", "", true, true, emv.Signature, terminal.Approved, "sale"},
		{"a PIN in any case", "120", terminal.PINEntered, false, true, emv.OnlinePIN, terminal.Approved, "saleENCIPHER"},
		{"a PIN in any case, no pad", "120", "", true, true, emv.NoVerification, terminal.Declined, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := swiping(t, approves, nil, swipes(1, track(c.service)), always("00"), func(cfg *Config, _ *OwnerConfig) {
					cfg.PINBypass, cfg.AgreementWait = true, time.Minute
					cfg.Stripe.Methods = []emv.Method{emv.OnlinePIN, emv.Signature}
					if c.noPad {
						cfg.PINPad = nil
					}
				})
				b.pad.end = c.end
				id := b.sell(1000, "").ID
				go func() {
					for seen := uint64(0); ; {
						n, err := b.lane.Watch(t.Context(), seen)
						if err != nil || n.State.Final() {
							return
						}
						if seen = n.Version; agrees(n.State) {
							word := terminal.Agreement{Matches: c.agree}
							if err := b.lane.Agree(t.Context(), id, word); err != nil {
								t.Error(err)
							}
							return
						}
					}
				}()
				s, _ := b.watched()
				time.Sleep(time.Minute)
				b.end()
				if s.State != c.state || s.Method != c.method {
					t.Errorf("%s (%+v), %q", s.State, s.Outcome, s.Method)
				}
				if got := strings.Join(slices.DeleteFunc(b.sent(), func(s string) bool { return s == "signon" }), " "); got != c.sent {
					t.Errorf("sent %q, want %q", got, c.sent)
				}
			})
		})
	}
}

// gone is a stripe reader that is not there.
type gone struct{ slot }

func (gone) Name() string { return "swipe port" }
func (gone) Status() device.Status {
	return device.Status{Condition: device.Absent, Cause: "no such port"}
}

// The status names the stripe reader and what is wrong with it; without one it says nothing of stripes.
func TestStripeReaderInTheStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := swiping(t, approves, nil, nil, always("00"), func(cfg *Config, _ *OwnerConfig) { cfg.Stripe.Reader = gone{slot{none: true}} })
		if h := b.lane.Snapshot().Stripe; h == nil || h.OK || h.Name != "swipe port" || h.Cause != "no such port" {
			t.Errorf("%+v", h)
		}
		b.end()
		b = swiping(t, approves, nil, nil, always("00"), func(cfg *Config, _ *OwnerConfig) { cfg.Stripe = StripeRules{} })
		if h := b.lane.Snapshot().Stripe; h != nil {
			t.Errorf("%+v", h)
		}
		b.end()
	})
}

// listed is an exception file with one card.
type listed string

func (l listed) Listed(_ context.Context, pan emv.PAN, _ int) (bool, error) {
	return pan.Clear() == string(l), nil
}

func TestSwipedCardOnTheList(t *testing.T) {
	for pan, state := range map[listed]terminal.State{"4761739001010135": terminal.Declined, "4761739001010119": terminal.Approved} {
		synctest.Test(t, func(t *testing.T) {
			b := swiping(t, approves, nil, swipes(1, plainTrack), always("00"), func(cfg *Config, _ *OwnerConfig) {
				params := cfg.Params
				cfg.Params = func(o terminal.Order, at time.Time, id terminal.SaleID) emv.Params {
					p := params(o, at, id)
					p.ExceptionFile = pan
					return p
				}
			})
			b.sell(1000, "")
			s, _ := b.watched()
			b.end()
			if s.State != state || state == terminal.Declined && len(b.requests) > 0 {
				t.Errorf("%s (%+v), %d requests", s.State, s.Outcome, len(b.requests))
			}
		})
	}
}

// halfIn is a reader whose card was being powered when the waiting ended, and is a card all the same, or a mute one.
type halfIn struct {
	slot
	err error
}

func (h halfIn) Present(ctx context.Context) (device.Presented, error) {
	<-ctx.Done()
	return device.Presented{Technology: device.Contact, Card: silent{}}, h.err
}

// A chip wins over a swipe of the same moment, also one that does not answer: it is one of the tries that count.
func TestAChipWinsOverASwipe(t *testing.T) {
	for _, c := range []struct {
		err  error
		want device.Technology
	}{{nil, device.Contact}, {device.ErrMute, 0}, {context.Canceled, device.MagStripe}} {
		l := New(Config{Reader: halfIn{err: c.err}, Stripe: StripeRules{Reader: &door{stripe: true, turns: []turn{{track: plainTrack}}}}})
		p, err := l.present(t.Context())
		if c.want != 0 && (err != nil || p.Technology != c.want) || c.want == 0 && !errors.Is(err, c.err) {
			t.Errorf("chip ends with %v: %v, %v", c.err, p.Technology, err)
		}
	}
}
