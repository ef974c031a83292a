package lane

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tillway/emv"
	"tillway/money"
	"tillway/terminal"
	"tillway/terminal/profile"
)

// ears is a dialect of plain words that remembers what it composed messages from. An answer "10 600" approves 600 of what was asked, and
// "00 balance 600" says what is available.
type ears struct {
	words

	mu           sync.Mutex // guards all below
	asked, told  []terminal.Request
	cannotAdvise bool
}

func (e *ears) Request(r terminal.Request) (request, reversal []byte, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.asked = append(e.asked, r)
	request, reversal, err = e.words.Request(r)
	if r.Kind == terminal.KindBalance {
		reversal = nil
	}
	return request, reversal, err
}

func (e *ears) Advice(r terminal.Request) ([]byte, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.cannotAdvise {
		return nil, errors.New("no words for it")
	}
	e.told = append(e.told, r)
	return []byte("advice of " + string(r.Kind)), nil
}

func (e *ears) Response(answer []byte) (terminal.Response, error) {
	code, rest, _ := strings.Cut(string(answer), " ")
	if code == "10" {
		r, err := e.words.Response([]byte("00"))
		minor, perr := strconv.ParseInt(rest, 10, 64)
		r.Code, r.Approved = "10", money.New(minor, kwd)
		return r, errors.Join(err, perr)
	}
	r, err := e.words.Response([]byte(code))
	r.RRN, r.AuthCode = "RRN", "AUTH01"
	if said, ok := strings.CutPrefix(rest, "balance "); ok {
		minor, perr := strconv.ParseInt(said, 10, 64)
		r.Balance, err = money.New(minor, kwd), errors.Join(err, perr)
	}
	return r, err
}

// kinds is a terminal that does every kind.
type kinds struct {
	*bench
	ears   *ears
	orders []terminal.Order // that the kernel's parameters were made from
}

// every is a profile's table that allows everything.
func every() profile.Transactions {
	return profile.Transactions{Kinds: terminal.Kinds(), TipPercent: 25, Cashback: money.New(50_000, kwd)}
}

func startKinds(t *testing.T, k Kernel, answer func(string) (string, bool, error), change ...func(*Config, *OwnerConfig)) *kinds {
	t.Helper()
	b := &kinds{ears: &ears{}}
	all := append([]func(*Config, *OwnerConfig){func(c *Config, o *OwnerConfig) {
		o.Dialect, c.Transactions = b.ears, every()
		params := c.Params
		c.Params = func(o terminal.Order, at time.Time, id terminal.SaleID) emv.Params {
			b.orders = append(b.orders, o)
			return params(o, at, id)
		}
	}}, change...)
	b.bench = start(t, k, slot{}, answer, all...)
	return b
}

func kd(minor int64) money.Amount { return money.New(minor, kwd) }

// do runs a transaction to its end, as one state.
func (b *kinds) do(o terminal.Order, want terminal.State) terminal.Sale {
	b.t.Helper()
	if o.Amount == (money.Amount{}) {
		o.Amount = kd(0)
	}
	s, err := b.lane.Start(b.t.Context(), o)
	if err != nil {
		b.t.Fatalf("%s: %v", o.Kind, err)
	}
	for seen := uint64(0); ; {
		n, err := b.lane.Watch(b.t.Context(), seen)
		if err != nil {
			b.t.Fatal(err)
		}
		if seen = n.Version; n.Sale == s.ID && n.State.Final() {
			s = *n.Last
			break
		}
	}
	if s.State != want {
		b.t.Fatalf("%s ended as %s, want %s: %+v", o.Kind, s.State, want, s.Outcome)
	}
	time.Sleep(10 * time.Second) // the owner sends what is owed
	return s
}

// refused starts what must not start, and compares the reason.
func (b *kinds) refused(o terminal.Order, why string) {
	b.t.Helper()
	if o.Amount == (money.Amount{}) {
		o.Amount = kd(0)
	}
	before := len(b.rows())
	_, err := b.lane.Start(b.t.Context(), o)
	if !errors.Is(err, terminal.ErrOrder) || !strings.Contains(err.Error(), why) {
		b.t.Errorf("%s: %v, want: %s", o.Kind, err, why)
	}
	if len(b.rows()) != before {
		b.t.Errorf("%s: a refused order is on disk", o.Kind)
	}
}

// on is what was on the wire, sign-ons left out.
func (b *kinds) on(want ...string) {
	b.t.Helper()
	got := slices.DeleteFunc(b.sent(), func(m string) bool { return m == "signon" })
	if !slices.Equal(got, want) {
		b.t.Errorf("on the wire: %q, want %q", got, want)
	}
}

func (b *kinds) lastAsked() terminal.Request {
	b.t.Helper()
	b.ears.mu.Lock()
	defer b.ears.mu.Unlock()
	return b.ears.asked[len(b.ears.asked)-1]
}

func (b *kinds) lastTold() terminal.Request {
	b.t.Helper()
	b.ears.mu.Lock()
	defer b.ears.mu.Unlock()
	return b.ears.told[len(b.ears.told)-1]
}

// hostScript answers by the message: what its script says, or 00. "silence" is no answer, "not sent" no connection.
type hostScript struct {
	mu   sync.Mutex // guards says
	says map[string]string
}

func (h *hostScript) set(message, answer string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.says[message] = answer
}

func (h *hostScript) answer(message string) (string, bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch a := h.says[message]; a {
	case "":
		return "00", true, nil
	case "silence":
		return "", true, errors.New("no answer in time")
	case "not sent":
		return "", false, errors.New("no connection")
	default:
		return a, true, nil
	}
}

func scripted(says map[string]string) func(string) (string, bool, error) {
	return (&hostScript{says: says}).answer
}

func order(k terminal.Kind, minor int64) terminal.Order {
	return terminal.Order{Kind: k, Amount: kd(minor)}
}

func about(k terminal.Kind, of terminal.SaleID, minor int64) terminal.Order {
	return terminal.Order{Kind: k, Amount: kd(minor), Of: of}
}

func inBubble(t *testing.T, name string, f func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
}

func describe(s terminal.Sale) string {
	return fmt.Sprintf("%s %s %s: %s", s.ID, s.Kind, s.State, s.Outcome.Happened)
}
