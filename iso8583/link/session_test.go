package link_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tillway/iso8583"
	"tillway/iso8583/dialect/nac"
	"tillway/iso8583/link"
	"tillway/terminal/lane"
)

var _ lane.Link = (*link.Session)(nil)

const (
	answerTimeout = 30 * time.Second
	writeTimeout  = 5 * time.Second
)

// rig is a session in a synctest bubble and the host's end of each connection it makes.
type rig struct {
	t     *testing.T
	s     *link.Session
	codec *iso8583.Codec
	hosts chan *end

	mu     sync.Mutex
	strays []link.Stray
}

// end is the host's end of a connection, and counts what the terminal's end writes.
type end struct {
	net.Conn
	client *counted
}

// counted counts Write calls.
type counted struct {
	net.Conn
	mu     sync.Mutex
	writes int
}

func (c *counted) Write(b []byte) (int, error) {
	c.mu.Lock()
	c.writes++
	c.mu.Unlock()
	return c.Conn.Write(b)
}

func inBubble(t *testing.T, test func(t *testing.T, r *rig)) {
	t.Helper()
	codec, err := iso8583.Compile(nac.Table(nac.Settings{}))
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, codec: codec, hosts: make(chan *end, 8)}
		r.s = link.New(link.Config{
			Dial: func(context.Context) (net.Conn, error) {
				a, b := net.Pipe()
				client := &counted{Conn: a}
				r.hosts <- &end{b, client}
				return client, nil
			},
			Codec: codec, WriteTimeout: writeTimeout, AnswerTimeout: answerTimeout,
			Quarantine: func(s link.Stray) {
				r.mu.Lock()
				defer r.mu.Unlock()
				r.strays = append(r.strays, s)
			},
		})
		test(t, r)
		if err := r.s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}) // it would not return while a goroutine is left
}

// connect makes a new connection and gives the host's end.
func (r *rig) connect() *end {
	r.t.Helper()
	if fresh, err := r.s.Ready(r.t.Context()); err != nil || !fresh {
		r.t.Fatalf("Ready: fresh %v, %v", fresh, err)
	}
	h := <-r.hosts
	r.t.Cleanup(func() { _ = h.Close() })
	return h
}

// pack makes a message of the fields given; "MTI" is field 0, and TPDU is the terminal's unless changed.
func (r *rig) pack(mti string, fields map[int]string) []byte {
	r.t.Helper()
	m := iso8583.NewMessage(mti)
	m.TPDU = []byte{0x60, 0, 3, 0, 0}
	for n, v := range fields {
		m.Set(n, v)
	}
	b, err := r.codec.Pack(m)
	if err != nil {
		r.t.Fatal(err)
	}
	return b
}

// sale is a request, and approval its answer, with fields changed; an empty value takes one out.
func (r *rig) sale() []byte { return r.pack("0200", with(nil)) }

func (r *rig) approval(change map[int]string) []byte {
	f := with(change)
	if _, ok := f[39]; !ok {
		f[39] = "00"
	}
	return r.pack("0210", f)
}

func with(change map[int]string) map[int]string {
	f := map[int]string{3: "000000", 4: "000000010525", 11: "000123", 41: "TILL0001"}
	for n, v := range change {
		f[n] = v
		if v == "" {
			delete(f, n)
		}
	}
	return f
}

func framed(messages ...[]byte) []byte {
	var b []byte
	for _, m := range messages {
		b = binary.BigEndian.AppendUint16(b, uint16(len(m)))
		b = append(b, m...)
	}
	return b
}

// receive reads one frame as the host.
func (h *end) receive(t *testing.T) []byte {
	t.Helper()
	var head [2]byte
	if _, err := io.ReadFull(h, head[:]); err != nil {
		t.Errorf("host: %v", err)
		return nil
	}
	b := make([]byte, binary.BigEndian.Uint16(head[:]))
	if _, err := io.ReadFull(h, b); err != nil {
		t.Errorf("host: %v", err)
	}
	return b
}

func (h *end) send(t *testing.T, b []byte) {
	t.Helper()
	if _, err := h.Write(b); err != nil {
		t.Errorf("host sends %d bytes: %v", len(b), err)
	}
}

// result of an exchange that runs while the test plays the host.
type exchanged struct {
	answer []byte
	sent   bool
	err    error
}

func (r *rig) exchange(ctx context.Context, message []byte) <-chan exchanged {
	done := make(chan exchanged, 1)
	go func() {
		answer, sent, err := r.s.Exchange(ctx, message)
		done <- exchanged{answer, sent, err}
	}()
	return done
}

// stray wants exactly one more stray, with the reason.
func (r *rig) stray(mti, reason string) {
	r.t.Helper()
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.strays) != 1 || r.strays[0].MTI != mti || !strings.Contains(r.strays[0].Reason, reason) {
		r.t.Errorf("strays %+v, want one %s: %s", r.strays, mti, reason)
	}
	r.strays = nil
}

func (r *rig) want(got exchanged, answer []byte) {
	r.t.Helper()
	if got.err != nil || !got.sent || !slices.Equal(got.answer, answer) {
		r.t.Errorf("answer of %d bytes, sent %v, error %v; want %d bytes", len(got.answer), got.sent, got.err, len(answer))
	}
}

func (r *rig) wantError(got exchanged, sent bool, kind error) {
	r.t.Helper()
	if !errors.Is(got.err, kind) || got.sent != sent || got.answer != nil {
		r.t.Errorf("answer %v, sent %v, error %v; want sent %v, %v", got.answer != nil, got.sent, got.err, sent, kind)
	}
}

func TestExchange(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		h := r.connect()
		done := r.exchange(t.Context(), r.sale())
		if got := h.receive(t); !slices.Equal(got, r.sale()) {
			t.Errorf("host got %d bytes, want the request's %d", len(got), len(r.sale()))
		}
		h.send(t, framed(r.approval(nil)))
		r.want(<-done, r.approval(nil))
		if h.client.writes != 1 {
			t.Errorf("%d writes for a frame, want 1", h.client.writes)
		}
		if fresh, err := r.s.Ready(t.Context()); fresh || err != nil {
			t.Errorf("Ready again: fresh %v, %v", fresh, err)
		}
	})
}

func TestFrameByteByByte(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		h := r.connect()
		done := r.exchange(t.Context(), r.sale())
		h.receive(t)
		for _, b := range framed(r.approval(nil)) {
			time.Sleep(100 * time.Millisecond)
			h.send(t, []byte{b})
		}
		r.want(<-done, r.approval(nil))
	})
}

func TestTwoFramesInOneSegment(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		h := r.connect()
		done := r.exchange(t.Context(), r.sale())
		h.receive(t)
		h.send(t, framed(r.approval(map[int]string{11: "000122"}), r.approval(nil)))
		r.want(<-done, r.approval(nil))
		r.stray("0210", "DE 11")
	})
}

// Only the exact answer is taken; another is set aside, and the wait goes on.
func TestWrongAnswers(t *testing.T) {
	for _, tt := range []struct {
		name   string
		wrong  func(r *rig) []byte
		mti    string
		reason string
	}{
		{"another trace number", func(r *rig) []byte { return r.approval(map[int]string{11: "000124"}) }, "0210", "DE 11"},
		{"no trace number", func(r *rig) []byte { return r.approval(map[int]string{11: ""}) }, "0210", "DE 11"},
		{"another terminal", func(r *rig) []byte { return r.approval(map[int]string{41: "TILL0002"}) }, "0210", "DE 41"},
		{"another amount", func(r *rig) []byte { return r.approval(map[int]string{4: "000000010524"}) }, "0210", "DE 4 "},
		{"more in an approval in part", func(r *rig) []byte { return r.approval(map[int]string{4: "000000010526", 39: "10"}) }, "0210", "DE 4 "},
		{"nothing in an approval in part", func(r *rig) []byte { return r.approval(map[int]string{4: "000000000000", 39: "10"}) }, "0210", "DE 4 "},
		{"less in a refusal", func(r *rig) []byte { return r.approval(map[int]string{4: "000000010524", 39: "51"}) }, "0210", "DE 4 "},
		{"another transaction type", func(r *rig) []byte { return r.approval(map[int]string{3: "020000"}) }, "0210", "DE 3 "},
		{"the answer to a reversal", func(r *rig) []byte { return r.pack("0410", with(map[int]string{39: "00"})) }, "0410", "does not answer 0200"},
		{"an advice answer", func(r *rig) []byte { return r.pack("0230", with(map[int]string{39: "00"})) }, "0230", "does not answer 0200"},
		{"an answer to a repeat", func(r *rig) []byte { return r.pack("0211", with(map[int]string{39: "00"})) }, "0211", "does not answer 0200"},
		{"the request itself", func(r *rig) []byte { return r.sale() }, "0200", "does not answer 0200"},
		{"another class", func(r *rig) []byte { return r.pack("0810", with(map[int]string{39: "00"})) }, "0810", "does not answer 0200"},
		{"a TPDU for somebody else", func(r *rig) []byte {
			b := r.approval(nil)
			b[4] = 9
			return b
		}, "0210", "TPDU"},
		{"a trailing byte", func(r *rig) []byte { return append(r.approval(nil), 0) }, "", "1 bytes behind"},
		{"garbage", func(*rig) []byte { return []byte("HTTP/1.1 400 Bad Request") }, "", "no message"},
		{"one byte", func(*rig) []byte { return []byte{0} }, "", "no message"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, r *rig) {
				h := r.connect()
				done := r.exchange(t.Context(), r.sale())
				h.receive(t)
				h.send(t, framed(tt.wrong(r)))
				r.stray(tt.mti, tt.reason)
				h.send(t, framed(r.approval(nil)))
				r.want(<-done, r.approval(nil))
			})
		})
	}
}

// What hosts may leave out or change without being another's answer.
func TestAnswersInOtherWords(t *testing.T) {
	for _, tt := range []struct {
		name    string
		request func(r *rig) []byte
		answer  func(r *rig) []byte
	}{
		{"TPDU turned round", (*rig).sale, func(r *rig) []byte {
			b := r.approval(nil)
			copy(b[1:5], []byte{0, 0, 0, 3})
			return b
		}},
		{"no terminal", (*rig).sale, func(r *rig) []byte { return r.approval(map[int]string{41: ""}) }},
		{"no amount", (*rig).sale, func(r *rig) []byte { return r.approval(map[int]string{4: ""}) }},
		{"less, and says so", (*rig).sale, func(r *rig) []byte { return r.approval(map[int]string{4: "000000005000", 39: "10"}) }},
		{"account types filled in", (*rig).sale, func(r *rig) []byte { return r.approval(map[int]string{3: "002000"}) }},
		{"repeat answered as first", func(r *rig) []byte { return r.pack("0401", with(nil)) }, func(r *rig) []byte { return r.pack("0410", with(map[int]string{39: "00"})) }},
		{"notice repeated, answered as first", func(r *rig) []byte { return r.pack("1525", with(nil)) }, func(r *rig) []byte { return r.pack("1534", with(map[int]string{39: "00"})) }},
		{"repeat answered as repeat", func(r *rig) []byte { return r.pack("0401", with(nil)) }, func(r *rig) []byte { return r.pack("0411", with(map[int]string{39: "00"})) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, r *rig) {
				h := r.connect()
				done := r.exchange(t.Context(), tt.request(r))
				h.receive(t)
				h.send(t, framed(tt.answer(r)))
				r.want(<-done, tt.answer(r))
			})
		})
	}
}

func TestSecondAnswer(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		h := r.connect()
		done := r.exchange(t.Context(), r.sale())
		h.receive(t)
		h.send(t, framed(r.approval(nil), r.approval(nil)))
		r.want(<-done, r.approval(nil))
		r.stray("0210", "second answer")
		h.send(t, framed(r.approval(map[int]string{11: "000999"})))
		r.stray("0210", "no request is outstanding")
	})
}

// The answer to a sale that comes while its reversal waits is not the reversal's, though DE 11 is the same.
func TestLateAnswer(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		h := r.connect()
		done := r.exchange(t.Context(), r.sale())
		h.receive(t)
		r.wantError(<-done, true, link.ErrNoAnswer)
		if fresh, err := r.s.Ready(t.Context()); fresh || err != nil {
			t.Errorf("Ready: fresh %v, %v; the connection stays for the late answer", fresh, err)
		}
		done = r.exchange(t.Context(), r.pack("0400", with(nil)))
		h.receive(t)
		h.send(t, framed(r.approval(nil)))
		r.stray("0210", "does not answer 0400")
		answer := r.pack("0410", with(map[int]string{39: "00"}))
		h.send(t, framed(answer))
		r.want(<-done, answer)
		h.send(t, framed(r.approval(nil)))
		r.stray("0210", "no request is outstanding")
	})
}

func TestSecondTimeOutInARowClosesTheConnection(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		h := r.connect()
		for range 2 {
			done := r.exchange(t.Context(), r.sale())
			h.receive(t)
			r.wantError(<-done, true, link.ErrNoAnswer)
		}
		if _, err := h.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("the host's end reads %v, want EOF", err)
		}
		h = r.connect()
		done := r.exchange(t.Context(), r.sale())
		h.receive(t)
		h.send(t, framed(r.approval(nil)))
		r.want(<-done, r.approval(nil))
		done = r.exchange(t.Context(), r.sale())
		h.receive(t)
		r.wantError(<-done, true, link.ErrNoAnswer) // one since the last answer: it stays
		if fresh, err := r.s.Ready(t.Context()); fresh || err != nil {
			t.Errorf("Ready: fresh %v, %v", fresh, err)
		}
	})
}

func TestConnectionLostInTheAnswer(t *testing.T) {
	for name, part := range map[string]int{"before it": 0, "in the length": 1, "after one byte of it": 3, "before its last byte": 38} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, r *rig) {
				h := r.connect()
				done := r.exchange(t.Context(), r.sale())
				h.receive(t)
				if part > 0 {
					h.send(t, framed(r.approval(nil))[:part])
				}
				if err := h.Close(); err != nil {
					t.Fatal(err)
				}
				r.wantError(<-done, true, link.ErrClosed)
				r.connect()
			})
		})
	}
}

func TestConnectionLostBetweenExchanges(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		h := r.connect()
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		r.wantError(<-r.exchange(t.Context(), r.sale()), false, link.ErrNotConnected)
		r.connect()
	})
}

func TestFramesThatCannotBe(t *testing.T) {
	for name, b := range map[string][]byte{
		"no length": {0, 0}, "longer than any message": {0x20, 0x01}, "longest": {0xFF, 0xFF}, "text": []byte("HTTP/1.1 400"),
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, r *rig) {
				h := r.connect()
				done := r.exchange(t.Context(), r.sale())
				h.receive(t)
				h.send(t, b[:2])
				r.wantError(<-done, true, link.ErrFrame)
				r.connect()
			})
		})
	}
}

// A host that stops in the middle of a frame does not hold the connection for ever.
func TestFrameThatStops(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		h := r.connect()
		h.send(t, framed(r.approval(nil))[:10])
		time.Sleep(answerTimeout + time.Second)
		if _, err := h.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("the host's end reads %v, want EOF", err)
		}
		r.connect()
	})
}

func TestFloodOfStrays(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		h := r.connect()
		done := r.exchange(t.Context(), r.sale())
		h.receive(t)
		for range 64 {
			h.send(t, framed([]byte{0}))
		}
		r.wantError(<-done, true, link.ErrFrame)
		if len(r.strays) != 64 {
			t.Errorf("%d strays, want 64", len(r.strays))
		}
	})
}

func TestHostThatDoesNotRead(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.connect()
		r.wantError(<-r.exchange(t.Context(), r.sale()), true, os.ErrDeadlineExceeded)
		r.connect() // half a frame may stand on the wire: never again on that one
	})
}

func TestContextEnds(t *testing.T) {
	t.Run("before", func(t *testing.T) {
		inBubble(t, func(t *testing.T, r *rig) {
			h := r.connect()
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			r.wantError(<-r.exchange(ctx, r.sale()), false, context.Canceled)
			if h.client.writes != 0 {
				t.Error("something was written")
			}
		})
	})
	t.Run("while writing", func(t *testing.T) {
		inBubble(t, func(t *testing.T, r *rig) {
			r.connect()
			ctx, cancel := context.WithCancel(t.Context())
			done := r.exchange(ctx, r.sale())
			synctest.Wait()
			cancel()
			r.wantError(<-done, true, context.Canceled)
		})
	})
	t.Run("while waiting", func(t *testing.T) {
		inBubble(t, func(t *testing.T, r *rig) {
			h := r.connect()
			ctx, cancel := context.WithCancel(t.Context())
			done := r.exchange(ctx, r.sale())
			h.receive(t)
			synctest.Wait()
			cancel()
			r.wantError(<-done, true, context.Canceled)
			h.send(t, framed(r.approval(nil)))
			r.stray("0210", "no request is outstanding")
		})
	})
}

func TestCloseEndsAnExchange(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		h := r.connect()
		done := r.exchange(t.Context(), r.sale())
		h.receive(t)
		synctest.Wait()
		if err := r.s.Close(); err != nil {
			t.Fatal(err)
		}
		r.wantError(<-done, true, link.ErrClosed)
		if err := r.s.Close(); err != nil {
			t.Errorf("second close: %v", err)
		}
		r.wantError(<-r.exchange(t.Context(), r.sale()), false, link.ErrNotConnected)
	})
}

func TestOneRequestAtATime(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		h := r.connect()
		first := r.exchange(t.Context(), r.sale())
		h.receive(t)
		synctest.Wait()
		r.wantError(<-r.exchange(t.Context(), r.sale()), false, link.ErrBusy)
		h.send(t, framed(r.approval(nil)))
		r.want(<-first, r.approval(nil))
	})
}

func TestMessageThatIsNone(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		h := r.connect()
		r.wantError(<-r.exchange(t.Context(), []byte("4761739001010119")), false, iso8583.ErrMalformed)
		if h.client.writes != 0 {
			t.Error("something was written")
		}
	})
}

// A stray's record has its numbers and nothing that could break a log or hold card data.
func TestStrayIsCleaned(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		h := r.connect()
		h.send(t, framed(r.approval(map[int]string{39: "\x1b\n", 2: "4761739001010119"}), r.approval(map[int]string{39: "51"})))
		synctest.Wait()
		if len(r.strays) != 2 || r.strays[0].Code != "" || r.strays[1].Code != "51" || r.strays[1].STAN != "000123" || r.strays[1].Time.IsZero() {
			t.Errorf("strays %+v", r.strays)
		}
		for _, s := range r.strays {
			if strings.Contains(s.Reason, "476173") {
				t.Errorf("shows the account number: %s", s.Reason)
			}
		}
	})
}

func TestDialFails(t *testing.T) {
	codec, err := iso8583.Compile(nac.Table(nac.Settings{}))
	if err != nil {
		t.Fatal(err)
	}
	refused := errors.New("refused")
	s := link.New(link.Config{Codec: codec, Dial: func(context.Context) (net.Conn, error) { return nil, refused }})
	if fresh, err := s.Ready(t.Context()); fresh || !errors.Is(err, refused) {
		t.Errorf("Ready: fresh %v, %v", fresh, err)
	}
	if _, sent, err := s.Exchange(t.Context(), nil); sent || !errors.Is(err, link.ErrNotConnected) {
		t.Errorf("Exchange: sent %v, %v", sent, err)
	}
}
