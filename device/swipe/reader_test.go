package swipe

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/creack/pty"

	"tillway/device"
)

const (
	one = "%B4266841088889999^BUSH JR/GEORGE W.MR^0809101100001100000000046000000?!"
	two = ";4266841088889999=080910110000046?0"
)

// cable is a line on which bytes arrive as a test says.
type cable struct {
	arrive chan string
	rest   string
}

func (c *cable) Read(ctx context.Context, b []byte) (int, error) {
	if c.rest == "" {
		select {
		case text, ok := <-c.arrive:
			if !ok {
				return 0, device.ErrUnplugged
			}
			c.rest = text
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	n := copy(b, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

func (c *cable) Close() error { return nil }

// on runs a test with a reader on a cable, in fake time.
func on(t *testing.T, test func(t *testing.T, r *Reader, c *cable)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := &cable{arrive: make(chan string)}
		r := start(Config{Port: "port"}, func() (line, error) { return c, nil })
		synctest.Wait()
		test(t, r, c)
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
}

// presented waits for a pass while the pieces of it arrive.
func presented(t *testing.T, r *Reader, c *cable, pieces ...string) (device.Presented, error) {
	t.Helper()
	type result struct {
		p   device.Presented
		err error
	}
	got := make(chan result, 1)
	go func() {
		p, err := r.Present(t.Context())
		got <- result{p, err}
	}()
	synctest.Wait()
	for _, piece := range pieces {
		c.arrive <- piece
		time.Sleep(silence - time.Millisecond)
	}
	g := <-got
	return g.p, g.err
}

func TestPasses(t *testing.T) {
	for name, pieces := range map[string][]string{
		"in one piece":           {one + two + "\r"},
		"track by track":         {one + "\r\n", two + "\r\n"},
		"character by character": strings.Split(two, ""),
		"track 2 alone":          {two},
		"three tracks":           {one + two + "+0123456789?"},
	} {
		t.Run(name, func(t *testing.T) {
			on(t, func(t *testing.T, r *Reader, c *cable) {
				p, err := presented(t, r, c, pieces...)
				if err != nil || p.Technology != device.MagStripe || p.Stripe.Two.PAN() != "4266841088889999" || p.Card != nil {
					t.Fatalf("%v, %v", p.Technology, err)
				}
				if p, err := presented(t, r, c, two); err != nil || p.Stripe.Two.IsZero() {
					t.Errorf("the next one: %v", err)
				}
			})
		})
	}
}

// What cannot be used is ErrMisread, says nothing of the card, and the next pass is read.
func TestMisread(t *testing.T) {
	for name, text := range map[string]string{
		"no track 2": one, "bad read": "%E?;E?\r", "noise": "\x00\xFF\x80", "wrong check character": two[:len(two)-1] + "7",
		"cut short": two[:20], "too long": strings.Repeat(two, 8), "far too long": strings.Repeat(two, 100), "two cards": two + "\r" + two,
	} {
		t.Run(name, func(t *testing.T) {
			on(t, func(t *testing.T, r *Reader, c *cable) {
				_, err := presented(t, r, c, text)
				if !errors.Is(err, device.ErrMisread) || strings.Contains(err.Error(), "4266841") {
					t.Fatal(err)
				}
				if p, err := presented(t, r, c, two); err != nil || p.Stripe.Two.IsZero() {
					t.Errorf("the next one: %v", err)
				}
			})
		})
	}
}

// A swipe before anybody waits is lost: it must not pay for the next sale.
func TestAnEarlierPassIsLost(t *testing.T) {
	on(t, func(t *testing.T, r *Reader, c *cable) {
		c.arrive <- two
		time.Sleep(time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if p, err := r.Present(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, %v", p.Technology, err)
		}
		c.arrive <- two
		time.Sleep(time.Minute)
		if err := errors.Join(r.AwaitRemoval(t.Context()), r.Release(t.Context())); err != nil {
			t.Error(err)
		}
		if p, err := presented(t, r, c, two); err != nil || p.Stripe.Two.IsZero() {
			t.Error(err)
		}
	})
}

// A reader that goes and comes back is waited for; a line that never falls silent is no stripe reader.
func TestComesAndGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lines := make(chan *cable, 1)
		var log bytes.Buffer
		r := start(Config{Port: "port", Log: slog.New(slog.NewTextHandler(&log, nil))}, func() (line, error) {
			select {
			case c := <-lines:
				return c, nil
			default:
				return nil, device.ErrUnplugged
			}
		})
		synctest.Wait()
		if s := r.Status(); s.Condition != device.Absent || s.Cause == "" {
			t.Errorf("%+v", s)
		}
		c := &cable{arrive: make(chan string)}
		lines <- c
		time.Sleep(time.Second)
		if p, err := presented(t, r, c, two); err != nil || r.Status().Condition != device.NoCard {
			t.Errorf("%v, %v, %+v", p.Technology, err, r.Status())
		}
		close(c.arrive)
		time.Sleep(time.Second)
		if s := r.Status(); s.Condition != device.Absent {
			t.Errorf("%+v", s)
		}
		c = &cable{arrive: make(chan string)}
		lines <- c
		time.Sleep(time.Second)
		c.arrive <- strings.Repeat("x", 200*maxPass)
		time.Sleep(100 * time.Millisecond)
		if s := r.Status(); s.Condition != device.Absent || !strings.Contains(s.Cause, "without end") {
			t.Errorf("%+v", s)
		}
		synctest.Wait() // or the driver may still be logging
		if strings.Contains(log.String(), "4266841") {
			t.Errorf("the log shows a card: %s", &log)
		}
		ended := make(chan error, 1)
		go func() { _, err := r.Present(t.Context()); ended <- err }()
		synctest.Wait()
		for range 2 {
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}
		if err := <-ended; !errors.Is(err, device.ErrClosed) {
			t.Error(err)
		}
		if _, err := r.Present(t.Context()); !errors.Is(err, device.ErrClosed) {
			t.Error(err)
		}
	})
}

// The same over a real port: a pseudo-terminal, unplugged once.
func TestOnAPort(t *testing.T) {
	link := filepath.Join(t.TempDir(), "stripe")
	r, err := Open(Config{Port: link})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		master, slave, err := pty.Open()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(slave.Name(), link); err != nil {
			t.Fatal(err)
		}
		for r.Status().Condition != device.NoCard {
			time.Sleep(5 * time.Millisecond)
		}
		got := make(chan error, 1)
		go func() {
			p, err := r.Present(t.Context())
			if err == nil && p.Stripe.Two.Clear() != two[:len(two)-1] {
				err = errors.New("another track")
			}
			got <- err
		}()
		for waiting := true; waiting; { // a swipe before Present waits is lost, and made again
			if _, err := master.WriteString(one + two + "\r"); err != nil {
				t.Fatal(err)
			}
			select {
			case err := <-got:
				if waiting = false; err != nil {
					t.Error(err)
				}
			case <-time.After(2 * silence):
			}
		}
		if err := errors.Join(os.Remove(link), slave.Close(), master.Close()); err != nil {
			t.Fatal(err)
		}
		for r.Status().Condition != device.Absent {
			time.Sleep(5 * time.Millisecond)
		}
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if _, err := Open(Config{}); err == nil {
		t.Error("opened without a port")
	}
}
