package gempc

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tillway/device"
	"tillway/device/ccid"
)

// fakeLine is a line in memory: answer gives the bytes that come back for each write.
type fakeLine struct {
	answer func(written []byte) []byte
	in     chan []byte
	rest   []byte
	closed atomic.Int32
}

func newLine(answer func([]byte) []byte) *fakeLine {
	return &fakeLine{answer: answer, in: make(chan []byte, 100)}
}

func (l *fakeLine) Read(ctx context.Context, b []byte) (int, error) {
	for len(l.rest) == 0 {
		select {
		case l.rest = <-l.in:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	n := copy(b, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}

func (l *fakeLine) Write(_ context.Context, b []byte) error {
	if back := l.answer(bytes.Clone(b)); back != nil {
		l.in <- back
	}
	return nil
}

func (l *fakeLine) Close() error { l.closed.Add(1); return nil }

// echo answers a command as a reader with an empty slot does: its echo, then the answer.
func echo(written []byte) []byte {
	_, _, m := next(written)
	kind := map[byte]byte{ccid.Escape: ccid.EscapeAnswer, ccid.PowerOn: ccid.DataBlock}[m.Type]
	if kind == 0 {
		kind = ccid.SlotStatus
	}
	status := ccid.Status{ICC: ccid.NoICC}
	answer := ccid.Message{Type: kind, Seq: m.Seq, Params: status.Params(0)}
	if m.Type == ccid.Escape && m.Data[0] == 2 {
		answer.Data = []byte("GemTwRC2-V2.10-GL04\r\n")
	}
	return appendFrame(written, answer)
}

// log collects what is logged.
type log struct{ bytes.Buffer }

func (l *log) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// begin starts a driver over lines that open gives, and ends it with the test.
func begin(t *testing.T, l *log, open func() (line, error)) *ccid.Reader {
	r := start(Config{Port: "/dev/ttyS9", Log: l.logger()}, open)
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// A port that is not there is asked for four times a second, logged once, and told by Status from the start.
func TestWaitsForThePort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l log
		tries := 0
		missing := errors.New("no such port /dev/ttyS9: is the cable in?")
		r := begin(t, &l, func() (line, error) {
			if tries++; tries > 40 {
				return newLine(echo), nil
			}
			return nil, errors.Join(device.ErrUnplugged, missing)
		})
		if status := r.Status(); status.Condition != device.Absent || !strings.Contains(status.Cause, "is the cable in?") {
			t.Errorf("%+v", status)
		}
		if name := r.Name(); name != "gempc /dev/ttyS9" {
			t.Error(name)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if tries < 20 || tries > 22 {
			t.Errorf("%d tries in five seconds", tries)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := r.Present(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Present: %v", err)
		}
		if err := r.AwaitRemoval(t.Context()); err != nil {
			t.Errorf("AwaitRemoval: %v", err)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if status := r.Status(); status.Condition != device.NoCard || status.Cause != "" {
			t.Errorf("%+v", status)
		}
		if name := r.Name(); name != "gempc /dev/ttyS9 (GemTwRC2-V2.10-GL04)" {
			t.Error(name)
		}
		if n := strings.Count(l.String(), "msg="); n != 2 {
			t.Errorf("%d lines logged:\n%s", n, l.String())
		}
	})
}

// A port on which nothing answers is closed and opened again, without haste.
func TestSilentPort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l log
		var opened []*fakeLine
		r := begin(t, &l, func() (line, error) {
			opened = append(opened, newLine(func([]byte) []byte { return nil }))
			return opened[len(opened)-1], nil
		})
		time.Sleep(time.Minute)
		synctest.Wait()
		status := r.Status()
		if status.Condition != device.Absent || !strings.Contains(status.Cause, "no GemPC Twin answers") {
			t.Errorf("%+v", status)
		}
		if len(opened) < 10 || len(opened) > 16 {
			t.Errorf("opened %d times in a minute", len(opened))
		}
		for i, one := range opened[:len(opened)-1] {
			if one.closed.Load() != 1 {
				t.Errorf("line %d closed %d times", i, one.closed.Load())
			}
		}
		if n := strings.Count(l.String(), "msg="); n > 1 {
			t.Errorf("%d lines logged:\n%s", n, l.String())
		}
	})
}

// A reader that falls silent (its power is cut) is noticed, and works again when it answers again.
func TestFallsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l log
		var silent atomic.Bool
		r := begin(t, &l, func() (line, error) {
			return newLine(func(b []byte) []byte {
				if silent.Load() {
					return nil
				}
				return echo(b)
			}), nil
		})
		for range 3 {
			time.Sleep(10 * time.Second)
			synctest.Wait()
			if status := r.Status(); status.Condition != device.NoCard {
				t.Fatalf("%+v", status)
			}
			silent.Store(true)
			time.Sleep(10 * time.Second)
			synctest.Wait()
			if status := r.Status(); status.Condition != device.Absent || !strings.Contains(status.Cause, "powered") {
				t.Fatalf("%+v", status)
			}
			silent.Store(false)
		}
		if lost, found := strings.Count(l.String(), "reader absent"), strings.Count(l.String(), "reader connected"); lost != 3 || found != 3 {
			t.Errorf("lost %d times, connected %d times:\n%s", lost, found, l.String())
		}
	})
}

// A working reader is asked ten times a second, and what it is asked is answered at once.
func TestPolls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l log
		asked := 0
		r := begin(t, &l, func() (line, error) {
			return newLine(func(b []byte) []byte { asked++; return echo(b) }), nil
		})
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if asked < 95 || asked > 105 {
			t.Errorf("asked %d times in ten seconds", asked)
		}
		if status := r.Status(); status.Condition != device.NoCard {
			t.Errorf("%+v", status)
		}
	})
}

// A modem on the port, a console, a line that only echoes: no GemPC Twin, and no endless reading either.
func TestAnotherDevice(t *testing.T) {
	for name, answer := range map[string]func([]byte) []byte{
		"echo only": func(b []byte) []byte { return b },
		"modem":     func([]byte) []byte { return []byte("\r\nERROR\r\n") },
		"flood":     func([]byte) []byte { return bytes.Repeat([]byte{0x41}, 3*maxGarbage) },
		"refuses":   func([]byte) []byte { return []byte{0x03, 0x15, 0x16} },
		"time":      func([]byte) []byte { return bytes.Repeat([]byte{0xFF}, 1000) },
		"damaged":   func(b []byte) []byte { b = echo(b); b[len(b)-1] ^= 1; return b },
		"cut":       func(b []byte) []byte { b = echo(b); return b[:len(b)-4] },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var l log
				r := begin(t, &l, func() (line, error) { return newLine(answer), nil })
				time.Sleep(time.Minute)
				synctest.Wait()
				if status := r.Status(); status.Condition != device.Absent || !strings.Contains(status.Cause, "no GemPC Twin") {
					t.Errorf("%+v", status)
				}
			})
		})
	}
}

// A command that the reader refuses is sent again, twice at most, with its number; a damaged echo does no harm.
func TestResends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l log
		var first []byte
		sends := 0
		r := begin(t, &l, func() (line, error) {
			return newLine(func(b []byte) []byte {
				switch sends++; {
				case sends == 1:
					first = b
					return []byte{0x03, 0x15, 0x16}
				case sends == 2 && !bytes.Equal(b, first):
					t.Errorf("%X again as %X", first, b)
				case sends == 3:
					back := echo(b)
					back[len(b)-1] ^= 0x40
					return back
				}
				return echo(b)
			}), nil
		})
		time.Sleep(time.Second)
		synctest.Wait()
		if status := r.Status(); status.Condition != device.NoCard {
			t.Errorf("%+v", status)
		}
	})
}

// A card that is swapped between two looks at the slot was removed; what was wrong with the first is not the second's
// fault.
func TestSwappedBetweenLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l log
		var moves atomic.Pointer[[]byte] // told with the next echo
		r := begin(t, &l, func() (line, error) {
			return newLine(func(b []byte) []byte {
				_, _, m := next(b)
				back := echo(b)[:len(b)]
				if told := moves.Swap(nil); told != nil {
					back = append(back, *told...)
				}
				status := ccid.Status{ICC: ccid.Inactive}
				answer := ccid.Message{Type: ccid.SlotStatus, Seq: m.Seq}
				switch m.Type {
				case ccid.PowerOn:
					status.Command, status.Error, answer.Type = ccid.Failed, ccid.ICCMute, ccid.DataBlock
				case ccid.Escape:
					answer.Type = ccid.EscapeAnswer
				}
				answer.Params = status.Params(0)
				return appendFrame(back, answer)
			}), nil
		})
		if _, err := r.Present(t.Context()); !errors.Is(err, device.ErrMute) {
			t.Fatal(err)
		}
		gone := make(chan error, 1)
		go func() { gone <- r.AwaitRemoval(t.Context()) }()
		time.Sleep(time.Minute)
		synctest.Wait()
		if status := r.Status(); len(gone) != 0 || status.Condition != device.CardFailed || status.Cause == "" {
			t.Fatalf("%+v, %d", status, len(gone))
		}
		moves.Store(&[]byte{ccid.NotifySlotChange, ccid.MovedOut, ccid.NotifySlotChange, ccid.MovedIn})
		if err := <-gone; err != nil {
			t.Error(err)
		}
		if status := r.Status(); status.Condition != device.CardIn || status.Cause != "" {
			t.Errorf("%+v", status)
		}
	})
}

func TestOpenWithoutAPort(t *testing.T) {
	if r, err := Open(Config{}); r != nil || err == nil {
		t.Errorf("%v, %v", r, err)
	}
}
