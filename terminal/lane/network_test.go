package lane

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tillway/device"
	"tillway/terminal"
)

// vault is a module with session keys, by name; a MAC is its key's name.
type vault struct {
	refuses error // of Propose

	mu        sync.Mutex // guards what follows
	inForce   string
	proposed  string
	destroyed int
	said      []string // to the audit log
}

func (v *vault) MAC(_ context.Context, k terminal.MACKey, _ []byte) ([]byte, error) {
	return []byte(map[uint64]string{1: v.now(), 2: v.waits()}[k.ID]), nil
}

func (v *vault) Verify(ctx context.Context, k terminal.MACKey, _, mac []byte) error {
	if want, _ := v.MAC(ctx, k, nil); string(want) != string(mac) {
		return errors.New("MAC does not verify")
	}
	return nil
}

func (v *vault) NextKey(context.Context) (terminal.MACKey, error)     { return lease(v.now(), 1) }
func (v *vault) ProposedKey(context.Context) (terminal.MACKey, error) { return lease(v.waits(), 2) }
func (v *vault) HostSaw(context.Context, []byte, []byte) error        { return nil }
func (v *vault) Release(context.Context, terminal.MACKey)             {}

func lease(name string, id uint64) (terminal.MACKey, error) {
	if name == "" {
		return terminal.MACKey{}, errors.New("no key")
	}
	return terminal.MACKey{ID: id}, nil
}

func (v *vault) now() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.inForce
}

func (v *vault) waits() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.proposed
}

func (v *vault) put(inForce, proposed string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.inForce, v.proposed = inForce, proposed
}

func (v *vault) Held(context.Context) (inForce, proposed bool, _ error) {
	return v.now() != "", v.waits() != "", nil
}

func (v *vault) Propose(_ context.Context, keys []terminal.SessionKey) error {
	if v.refuses != nil || len(keys) != 1 {
		return errors.Join(v.refuses, errors.New("no key"))
	}
	v.put(v.now(), keys[0].Block)
	return nil
}

func (v *vault) Confirm(context.Context) error {
	if v.waits() == "" {
		return errors.New("nothing is proposed")
	}
	v.put(v.waits(), "")
	return nil
}

func (v *vault) Withdraw(context.Context) error {
	v.put(v.now(), "")
	return nil
}

func (v *vault) destroy(context.Context) error {
	v.put("", "")
	v.mu.Lock()
	defer v.mu.Unlock()
	v.destroyed++
	return nil
}

func (v *vault) audit(_ context.Context, done bool, note string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.said = append(v.said, fmt.Sprintf("%t %s", done, note))
}

// heard is what was audited, and how often keys were destroyed.
func (v *vault) heard(done bool, part string) (bool, int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.ContainsFunc(v.said, func(s string) bool { return strings.HasPrefix(s, fmt.Sprint(done)) && strings.Contains(s, part) }), v.destroyed
}

// orders is the dialect of words with session keys and orders: "00;key=K2", "00;destroy=CHALLENGE".
type orders struct {
	words
	open bool // sign-on has no MAC
}

func (o orders) MACed(message []byte) bool {
	return !o.open || !strings.HasPrefix(string(message), "signon")
}

func (o orders) Network(r terminal.NetworkRequest) ([]byte, error) {
	b, err := o.words.Network(r)
	return append(b, r.Challenge...), err
}

func (o orders) Response(answer []byte) (terminal.Response, error) {
	text, _, _ := strings.Cut(string(answer), "#")
	code, rest, _ := strings.Cut(text, ";")
	r, err := o.words.Response([]byte(code))
	r.KeyError = code == "63"
	switch what, value, _ := strings.Cut(rest, "="); what {
	case "key":
		r.Keys = []terminal.SessionKey{{Use: terminal.KeyForMAC, Block: value}}
	case "destroy":
		r.Order, r.Challenge = terminal.OrderDestroy, []byte(value)
	case "exchange":
		r.Order, r.Challenge = terminal.OrderExchange, []byte(value)
	}
	return r, err
}

// challenges are 11111111, 22222222, …
type challenges struct{ n byte }

func (c *challenges) Read(b []byte) (int, error) {
	c.n++
	for i := range b {
		b[i] = '0' + c.n
	}
	return len(b), nil
}

// keyBank is a host with session keys: the one in force, and the one that it has sent and nobody has confirmed.
type keyBank struct {
	inForce, next string
	made          int

	mu    sync.Mutex // guards what follows, which a test looks at and changes on the way
	log   []string
	spoil func(kind string, b *keyBank, answer string) (string, bool) // false: no answer
	add   func(message string) string                                 // to the answer of a sign-on
}

func (b *keyBank) answer(message string) (string, bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	parts := strings.Split(message, "#")
	kind, mac := strings.TrimRight(parts[0], "0123456789"), parts[len(parts)-1]
	if len(parts) == 1 {
		mac = ""
	}
	b.log = append(b.log, kind+" "+mac)
	if mac != "" && mac == b.next {
		b.inForce, b.next = b.next, ""
	}
	text := "00"
	switch {
	case mac != b.inForce && mac != "":
		return "63", true, nil
	case kind == "keys":
		b.made++
		b.next = fmt.Sprintf("K%d", b.made)
		text += ";key=" + b.next
	case kind == "signon" && b.add != nil:
		text += b.add(parts[0][len("signon"):])
	}
	if mac != "" {
		text += "#" + mac
	}
	if b.spoil != nil {
		var ok bool
		if text, ok = b.spoil(kind, b, text); !ok {
			return "", true, errors.New("no answer")
		}
	}
	return text, true, nil
}

// seen is what came, and under which key.
func (b *keyBank) seen() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.log)
}

// lose forgets every key.
func (b *keyBank) lose() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.inForce, b.next = "", ""
}

// turn changes what the host does.
func (b *keyBank) turn(spoil func(kind string, b *keyBank, answer string) (string, bool), add func(message string) string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.spoil, b.add = spoil, add
}

func session(v *vault, change ...func(*OwnerConfig)) func(*Config, *OwnerConfig) {
	return func(_ *Config, o *OwnerConfig) {
		o.Dialect, o.Macs, o.Sessions, o.Random, o.Destroy, o.Audit = orders{words: words{macs: true}}, v, v, &challenges{}, v.destroy, v.audit
		for _, f := range change {
			f(o)
		}
	}
}

// sells makes one sale and says under which key its request went out.
func sells(t *testing.T, b *bench, bank *keyBank) string {
	t.Helper()
	b.sell(1000, "")
	s := b.last()
	synctest.Wait()
	if s.State != terminal.Approved {
		t.Errorf("the sale ended as %s: %s", s.State, s.Outcome.Happened)
	}
	for _, line := range slices.Backward(bank.seen()) {
		if key, ok := strings.CutPrefix(line, "sale "); ok {
			return key
		}
	}
	return ""
}

// TestFirstExchange: a terminal without session keys asks for them, proves them, and sells under them.
func TestFirstExchange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, bank := &vault{}, &keyBank{}
		b := start(t, approves, slot{}, bank.answer, session(v))
		defer b.end()
		pass(3 * time.Second)
		b.wire.set(false, nil)
		if got := strings.Join(bank.seen(), ", "); got != "keys , signon K1" || v.now() != "K1" || bank.inForce != "K1" {
			t.Errorf("%s; in force %q and %q", got, v.now(), bank.inForce)
		}
		if key := sells(t, b, bank); key != "K1" {
			t.Errorf("sold under %q", key)
		}
	})
}

// TestExchangeKeepsOldKeys: whatever goes wrong, the terminal goes on with keys that the host has.
func TestExchangeKeepsOldKeys(t *testing.T) {
	for _, c := range []struct {
		name    string
		refuses error
		spoil   func(kind string, b *keyBank, answer string) (string, bool)
		key     string // of the sale afterwards
		heard   string
	}{
		{"nothing goes wrong", nil, nil, "K1", ""},
		{"answer with a wrong MAC", nil, func(kind string, _ *keyBank, a string) (string, bool) {
			return strings.Replace(a, "#K0", "#XX", 1), true
		}, "", "not the bank's"},
		{"answer without its MAC", nil, func(kind string, _ *keyBank, a string) (string, bool) {
			if kind == "keys" {
				a, _, _ = strings.Cut(a, "#")
			}
			return a, true
		}, "K0", "not the bank's"},
		{"keys that the module refuses", errors.New("key block malformed"), nil, "K0", "malformed"},
		{"no answer to the question", nil, func(kind string, b *keyBank, a string) (string, bool) { return a, kind != "keys" }, "K0", ""},
		{"confirmed, and the answer is lost", nil, func(kind string, b *keyBank, a string) (string, bool) {
			lost := kind == "signon" && strings.HasSuffix(a, "#K1") && !slices.Contains(b.log, "lost")
			if lost {
				b.log = append(b.log, "lost")
			}
			return a, !lost
		}, "K1", ""},
		{"the host forgot what it sent", nil, func(kind string, b *keyBank, a string) (string, bool) {
			if kind == "keys" && b.made == 1 {
				b.next = "another"
			}
			return a, true
		}, "K0", "not the bank's"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v, bank := &vault{inForce: "K0", refuses: c.refuses}, &keyBank{inForce: "K0", spoil: c.spoil}
				if c.key == "" { // only the exchange's answer is spoilt
					bank.spoil = func(kind string, b *keyBank, a string) (string, bool) {
						if kind != "keys" {
							return a, true
						}
						return c.spoil(kind, b, a)
					}
					c.key = "K0"
				}
				b := start(t, approves, slot{}, bank.answer, session(v))
				defer b.end()
				pass(2500 * time.Millisecond) // signed on, and asking
				for range 5 {
					b.wire.set(v.waits() != "" || len(bank.seen()) == 0, nil)
					pass(2 * time.Second)
					b.owner.Poke()
				}
				b.wire.set(false, nil)
				if key := sells(t, b, bank); key != c.key || v.now() != c.key {
					t.Errorf("sold under %q, in force is %q, want %q: %v", key, v.now(), c.key, bank.seen())
				}
				if ok, _ := v.heard(false, c.heard); c.heard != "" && !ok {
					t.Errorf("nobody heard that %s", c.heard)
				}
			})
		})
	}
}

// TestRotation: by time, by count, on a key error, on the host's order and by hand; never while a sale runs.
func TestRotation(t *testing.T) {
	for name, c := range map[string]struct {
		config func(*OwnerConfig)
		cause  func(t *testing.T, b *bench, bank *keyBank)
	}{
		"by time":  {func(o *OwnerConfig) { o.KeyLife = 24 * time.Hour }, func(*testing.T, *bench, *keyBank) { pass(25 * time.Hour) }},
		"by count": {func(o *OwnerConfig) { o.KeyMessages = 2 }, func(t *testing.T, b *bench, bank *keyBank) { sells(t, b, bank); sells(t, b, bank) }},
		"by hand": {func(*OwnerConfig) {}, func(t *testing.T, b *bench, _ *keyBank) {
			if !b.lane.ExchangeKeys(t.Context(), false) {
				t.Error("not taken")
			}
		}},
		"anew, because the host lost its keys": {func(*OwnerConfig) {}, func(t *testing.T, b *bench, bank *keyBank) {
			bank.lose()
			b.lane.ExchangeKeys(t.Context(), false)
			pass(10 * time.Second)
			b.lane.ExchangeKeys(t.Context(), true)
		}},
		"key error": {func(*OwnerConfig) {}, func(t *testing.T, b *bench, bank *keyBank) {
			bank.turn(func(kind string, _ *keyBank, a string) (string, bool) {
				if kind == "sale" {
					a = strings.Replace(a, "00", "63", 1)
				}
				return a, true
			}, nil)
			b.sell(1000, "")
			if s := b.last(); s.State != terminal.Declined || !s.Outcome.MayRetry || !strings.Contains(s.Outcome.Do, "new keys") {
				t.Errorf("%s: %+v", s.State, s.Outcome)
			}
			synctest.Wait()
			bank.turn(nil, nil)
		}},
		"host's order": {func(*OwnerConfig) {}, func(_ *testing.T, b *bench, bank *keyBank) {
			bank.turn(nil, func(challenge string) string { bank.add = nil; return ";exchange=" + challenge })
			b.wire.set(true, nil)
			b.owner.Poke()
			pass(1500 * time.Millisecond)
			b.wire.set(false, nil)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v, bank := &vault{inForce: "K0"}, &keyBank{inForce: "K0"}
				b := start(t, approves, slot{}, bank.answer, session(v, c.config))
				defer b.end()
				pass(1500 * time.Millisecond)
				b.wire.set(false, nil)
				pass(10 * time.Second)
				if v.now() != "K1" {
					t.Fatalf("after the start %q is in force: %v", v.now(), bank.seen())
				}
				c.cause(t, b, bank)
				pass(2 * time.Hour)
				if v.now() == "K1" || v.now() != bank.inForce {
					t.Errorf("in force are %q and %q: %v", v.now(), bank.inForce, bank.seen())
				}
				now := len(bank.seen())
				pass(2 * time.Hour)
				if c.config == nil && len(bank.seen()) != now {
					t.Errorf("it goes on: %v", bank.seen()[now:])
				}
			})
		})
	}
}

// pass lets time pass, and what happens then come to rest.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// late is a slot whose customer takes half a minute.
type late struct{ slot }

func (l late) Present(ctx context.Context) (device.Presented, error) {
	select {
	case <-time.After(30 * time.Second):
		return l.slot.Present(ctx)
	case <-ctx.Done():
		return device.Presented{}, ctx.Err()
	}
}

// set is what becomes of the wire from now on.
func (w *wire) set(fresh bool, down error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fresh, w.down = fresh, down
}

// TestNoNewKeysUnderASale: while a sale runs, keys stay: its PIN may be enciphered under them already.
func TestNoNewKeysUnderASale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, bank := &vault{inForce: "K0"}, &keyBank{inForce: "K0"}
		b := start(t, approves, late{}, bank.answer, session(v))
		defer b.end()
		pass(1500 * time.Millisecond)
		b.wire.set(false, nil)
		pass(10 * time.Second)
		b.sell(1000, "")
		b.lane.ExchangeKeys(t.Context(), false)
		pass(20 * time.Second)
		if v.now() != "K1" {
			t.Errorf("while a card is awaited, the keys became %q", v.now())
		}
		b.last()
		synctest.Wait()
		b.owner.Poke()
		pass(10 * time.Second)
		if v.now() != "K2" {
			t.Errorf("after the sale %q is in force", v.now())
		}
	})
}
