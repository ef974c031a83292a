package main

import (
	"bytes"
	"errors"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tillway/host"
	"tillway/iso8583"
	"tillway/iso8583/link"
	"tillway/store"
	"tillway/terminal"
)

// What links to acquirers get wrong, against the host: over real sockets, or in a bubble of time where somebody meddles. docs/acquirer-link.md lists all ten, and where the
// others are proved.

// meddler stands between host and socket: it keeps what the terminal wrote, and may change what the host answers.
type meddler struct {
	mu    sync.Mutex // guards what follows
	codec *iso8583.Codec
	heard []byte
	say   func(m *iso8583.Message, frame []byte) []segment // in place of an answer
}

// segment is what is written at once; last: the connection ends behind it.
type segment struct {
	bytes []byte
	last  bool
}

type meddled struct {
	net.Conn
	m *meddler
}

func (c meddled) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	c.m.heard = append(c.m.heard, b[:n]...)
	return n, err
}

func (c meddled) Write(b []byte) (int, error) {
	answer, err := c.m.codec.Unpack(b[2:])
	if err != nil {
		panic(err)
	}
	c.m.mu.Lock()
	out := c.m.say(answer, b[2:])
	c.m.mu.Unlock()
	for _, s := range out {
		if _, err := c.Conn.Write(s.bytes); err != nil {
			return 0, err
		}
		if s.last {
			_ = c.Close()
			return 0, errors.New("ended on purpose")
		}
	}
	return len(b), nil
}

// newMeddled is a bank with somebody in between.
func newMeddled(t *testing.T, say func(m *meddler, answer *iso8583.Message, frame []byte) []segment) (*bank, *meddler) {
	t.Helper()
	m := &meddler{}
	b := newPipedBank(t, func(c net.Conn) net.Conn { return meddled{c, m} })
	m.codec = b.codec
	m.say = func(answer *iso8583.Message, frame []byte) []segment { return say(m, answer, frame) }
	return b, m
}

// frames are the messages of a type that the terminal has written.
func (m *meddler) frames(t *testing.T, kinds ...string) (all [][]byte) {
	t.Helper()
	m.mu.Lock()
	r := bytes.NewReader(slices.Clone(m.heard))
	m.mu.Unlock()
	for {
		frame, err := link.Framing{}.Read(r, host.MaxFrame)
		if err != nil {
			return all
		}
		message, err := m.codec.Unpack(frame)
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(kinds, message.MTI()) {
			all = append(all, frame)
		}
	}
}

func (m *meddler) framed(messages ...*iso8583.Message) (b []byte) {
	for _, one := range messages {
		frame, err := m.codec.Pack(one)
		if err == nil {
			b, err = link.Framing{}.Append(b, frame)
		}
		if err != nil {
			panic(err)
		}
	}
	return b
}

func whole(frame []byte) []byte {
	b, err := link.Framing{}.Append(nil, frame)
	if err != nil {
		panic(err)
	}
	return b
}

// lost is a sale that the terminal must take back: it says so, and asks for nothing but the truth.
func (b *bank) lost(s *stack, minor int64) terminal.Sale {
	b.t.Helper()
	sale := b.sell(s, minor)
	if sale.State != terminal.Reversed || sale.Outcome.Code != terminal.CodeNoAnswer || sale.AuthCode != "" || sale.ResponseCode != "" {
		b.t.Errorf("%s, code %q, %+v", sale.State, sale.ResponseCode, sale.Outcome)
	}
	return sale
}

// strays are the journal's notes of answers that were not taken; the last commit has to be behind them.
func (b *bank) strays() (all []string) {
	b.t.Helper()
	rows, err := b.journal.Rows(b.t.Context(), 0, 1000)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, r := range rows {
		if r.Kind == terminal.StrayEntry {
			all = append(all, r.Note)
		}
	}
	return all
}

// dialogue is what passed the host in both directions, without sign-ons.
func (b *bank) dialogue() string {
	var all []string
	for _, m := range b.host.Messages() {
		if m.MTI != "0800" && m.MTI != "0810" {
			all = append(all, m.MTI)
		}
	}
	return strings.Join(all, " ")
}

// TestPitfall01ReversalGoesBeforeTheNextRequest: the host swallows a request; the next sale begins at once.
func TestPitfall01ReversalGoesBeforeTheNextRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newPipedBank(t, func(c net.Conn) net.Conn { return c })
		s := b.terminal()
		b.lost(s, 1_101) // posted there, and no answer
		sellOne(t, s, 1_300)
		if got := b.dialogue(); got != "0200 0210 0400 0410 0200 0210" { // the first 0210 is composed, and not sent
			t.Errorf("on the wire: %s", got)
		}
		b.settled(s, 1)
	})
}

// TestPitfall02LateAnswerIsNotBelieved: the answer to the request comes when its reversal is on its way.
func TestPitfall02LateAnswerIsNotBelieved(t *testing.T) { synctest.Test(t, lateAnswer) }

func lateAnswer(t *testing.T) {
	var held []byte
	b, m := newMeddled(t, func(_ *meddler, answer *iso8583.Message, frame []byte) []segment {
		switch {
		case answer.MTI() == "0210" && held == nil:
			held = whole(frame)
			return nil
		case answer.MTI() == "0410":
			return []segment{{bytes: held}, {bytes: whole(frame)}}
		}
		return []segment{{bytes: whole(frame)}}
	})
	s := b.terminal(func(p *parts) { p.acquirer.AnswerTimeout = duration(400 * time.Millisecond) })
	lost := b.lost(s, 1_300)
	b.settled(s, 0)
	if len(m.frames(t, "0400", "0401")) != 1 {
		t.Error("the reversal had its own answer, and was sent again")
	}
	sellOne(t, s, 1_400)
	if again, err := b.journal.Sale(t.Context(), lost.ID); err != nil || again.State != terminal.Reversed {
		t.Errorf("the late answer made it %s, %v", again.State, err)
	}
	if all := b.strays(); len(all) != 1 || !strings.Contains(all[0], "0210") || !strings.Contains(all[0], "code 00") {
		t.Errorf("the journal has %q", all)
	}
	b.settled(s, 1)
}

// TestPitfall03ApprovedButUnread: the host approves, and the connection goes after one byte of the answer, after half of it, or is reset.
func TestPitfall03ApprovedButUnread(t *testing.T) {
	for name, keep := range map[string]func(b []byte) []byte{
		"nothing of it": func([]byte) []byte { return nil }, "one byte": func(b []byte) []byte { return b[:1] },
		"all but one byte": func(b []byte) []byte { return b[:len(b)-1] },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cut := true
				b, _ := newMeddled(t, func(_ *meddler, answer *iso8583.Message, frame []byte) []segment {
					if answer.MTI() == "0210" && cut {
						cut = false
						return []segment{{keep(whole(frame)), true}}
					}
					return []segment{{bytes: whole(frame)}}
				})
				s := b.terminal()
				b.lost(s, 1_300)
				b.settled(s, 0)
				sellOne(t, s, 1_400)
				b.settled(s, 1)
			})
		})
	}
	t.Run("reset", func(t *testing.T) {
		b := newBank(t, nil)
		s := b.terminal()
		b.lost(s, 1_103)
		b.settled(s, 0)
	})
}

// TestPitfall05TraceNumbers: over a restart and over 999999 no two sales of a batch have one trace number. What the host makes of one
// that is used again is TestDuplicate and TestRepeat of the host's.
func TestPitfall05TraceNumbers(t *testing.T) {
	path, seen := filepath.Join(t.TempDir(), "stan.counter"), map[string]bool{}
	for round, open := range []func(string, uint64) (*store.Counter, error){store.CreateCounter, store.OpenCounter} {
		synctest.Test(t, func(t *testing.T) {
			b := newPipedBank(t, func(c net.Conn) net.Conn { return c })
			traces, err := open(path, 4)
			if err == nil && round == 0 {
				err = traces.Raise(t.Context(), 999_996)
			}
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = traces.Close() })
			s := b.terminal(func(p *parts) { p.traces = traces })
			sellOne(t, s, 1_300)
			sellOne(t, s, 1_400)
			for _, m := range b.host.Messages() {
				if m.Direction != host.In || m.MTI != "0200" {
					continue
				}
				if seen[m.STAN] || m.STAN == "000000" {
					t.Errorf("trace number %s again", m.STAN)
				}
				seen[m.STAN] = true
			}
		})
	}
	over := slices.ContainsFunc([]string{"000001", "000002", "000003", "000004"}, func(n string) bool { return seen[n] })
	if len(seen) != 4 || !seen["999999"] || !over {
		t.Errorf("trace numbers %v: they were to go over 999999", seen)
	}
}

// TestPitfall06RepeatIsARepeat: the answer to a reversal is lost. What is sent again is what was sent, but for the message type where
// the acquirer wants that, and the host takes the money back once.
func TestPitfall06RepeatIsARepeat(t *testing.T) {
	for _, repeat := range []string{"0400", "0401"} {
		t.Run(repeat, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				first := true
				b, m := newMeddled(t, func(_ *meddler, answer *iso8583.Message, frame []byte) []segment {
					switch {
					case answer.MTI() == "0210":
						return []segment{{nil, true}}
					case (answer.MTI() == "0410" || answer.MTI() == "0411") && first:
						first = false
						return []segment{{nil, true}}
					}
					return []segment{{bytes: whole(frame)}}
				})
				s := b.terminal(func(p *parts) { p.acquirer.NAC.Repeat = repeat })
				b.lost(s, 1_300)
				b.settled(s, 0)
				all := m.frames(t, "0400", "0401")
				if len(all) != 2 {
					t.Fatalf("%d reversals", len(all))
				}
				want := slices.Clone(all[0])
				copy(want[5:7], []byte{repeat[0]<<4 | repeat[1]&0x0F, repeat[2]<<4 | repeat[3]&0x0F})
				if !bytes.Equal(all[1], want) {
					t.Errorf("sent again with other bytes:\n%X\n%X", all[0], all[1])
				}
			})
		})
	}
}

// TestPitfall10OnlyTheExactAnswerIsTaken: what is not quite the answer is none, however it comes; what is, is taken, however it comes.
// With MACs it is TestAttackForgedAnswer.
func TestPitfall10OnlyTheExactAnswerIsTaken(t *testing.T) {
	change := func(f func(*iso8583.Message)) func(*meddler, *iso8583.Message, []byte) []segment {
		return func(m *meddler, answer *iso8583.Message, _ []byte) []segment {
			f(answer)
			return []segment{{bytes: m.framed(answer)}}
		}
	}
	set := func(n int, v string) func(*meddler, *iso8583.Message, []byte) []segment {
		return change(func(m *iso8583.Message) { m.Set(n, v) })
	}
	for name, c := range map[string]struct {
		say    func(*meddler, *iso8583.Message, []byte) []segment
		taken  bool
		strays int // at least; -1: the frame itself ends the connection
	}{
		"another terminal":      {set(41, "TILL0002"), false, 1},
		"another amount":        {set(4, "000000000001"), false, 1},
		"another trace number":  {set(11, "999998"), false, 1},
		"another transaction":   {set(3, "200000"), false, 1},
		"an authorisation's":    {change(func(m *iso8583.Message) { m.SetMTI("0110") }), false, 1},
		"a reversal's":          {change(func(m *iso8583.Message) { m.SetMTI("0410") }), false, 1},
		"the request sent back": {change(func(m *iso8583.Message) { m.SetMTI("0200") }), false, 1},
		"no response code":      {change(func(m *iso8583.Message) { m.Delete(39) }), false, 0},
		"chip data that nests without end": {change(func(m *iso8583.Message) {
			m.SetBytes(55, bytes.Repeat([]byte{0x72, 0x81, 0xFF}, 300))
		}), false, 0},
		"chip data that says it is longer": {change(func(m *iso8583.Message) { m.SetBytes(55, []byte{0x91, 0x84, 0xFF, 0xFF, 0xFF, 0xFF, 1}) }), false, 0},
		"bytes behind it": {func(m *meddler, _ *iso8583.Message, frame []byte) []segment {
			return []segment{{bytes: whole(append(slices.Clone(frame), 0))}}
		}, false, 1},
		"a byte short": {func(m *meddler, _ *iso8583.Message, frame []byte) []segment {
			return []segment{{bytes: whole(frame[:len(frame)-1])}}
		}, false, 1},
		"a length that no frame has": {func(*meddler, *iso8583.Message, []byte) []segment { return []segment{{bytes: []byte{0xFF, 0xFF, 1}}} }, false, -1},
		"byte by byte": {func(_ *meddler, _ *iso8583.Message, frame []byte) (all []segment) {
			for _, one := range whole(frame) {
				all = append(all, segment{bytes: []byte{one}})
			}
			return all
		}, true, 0},
		"twice in one segment": {func(_ *meddler, _ *iso8583.Message, frame []byte) []segment {
			return []segment{{bytes: append(whole(frame), whole(frame)...)}}
		}, true, 1},
		"behind another's, in one segment": {func(m *meddler, answer *iso8583.Message, frame []byte) []segment {
			answer.Set(41, "TILL0002")
			return []segment{{bytes: append(m.framed(answer), whole(frame)...)}}
		}, true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, _ := newMeddled(t, func(m *meddler, answer *iso8583.Message, frame []byte) []segment {
					if answer.MTI() == "0210" {
						if amount, _ := answer.Get(4); amount == "000000001300" {
							return c.say(m, answer, frame)
						}
					}
					return []segment{{bytes: whole(frame)}}
				})
				s := b.terminal(func(p *parts) { p.acquirer.AnswerTimeout = duration(250 * time.Millisecond) })
				standing := 1
				if c.taken {
					sellOne(t, s, 1_300)
					standing++
				} else {
					b.lost(s, 1_300)
				}
				sellOne(t, s, 1_400) // it lives, and sells
				b.settled(s, standing)
				if n := len(b.strays()); n < c.strays {
					t.Errorf("the journal has %d answers put aside, want %d", n, c.strays)
				}
			})
		})
	}
}

// TestAnswerToTheReversalsRequest: what answers the sale is no answer to its reversal, which has the same trace number; the reversal
// goes on until it has its own.
func TestAnswerToTheReversalsRequest(t *testing.T) {
	for _, kind := range []string{"0210", "0110", "0430"} {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				wrong := 0
				b, m := newMeddled(t, func(m *meddler, answer *iso8583.Message, frame []byte) []segment {
					switch {
					case answer.MTI() == "0210":
						return nil
					case answer.MTI() == "0410" && wrong < 2:
						wrong++
						answer.SetMTI(kind)
						return []segment{{bytes: m.framed(answer)}}
					}
					return []segment{{bytes: whole(frame)}}
				})
				s := b.terminal(func(p *parts) { p.acquirer.AnswerTimeout = duration(200 * time.Millisecond) })
				b.lost(s, 1_300)
				b.settled(s, 0)
				if n := len(m.frames(t, "0400")); n != 3 {
					t.Errorf("%d reversals went out, want 3", n)
				}
			})
		})
	}
}
