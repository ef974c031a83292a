package stripehid_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tillway/device"
	"tillway/device/emulator"
	"tillway/device/emulator/hidstripe"
	"tillway/device/hid"
	"tillway/device/secure"
	"tillway/device/secure/x9"
	"tillway/device/stripehid"
)

var (
	bdk    = []byte("\x01\x23\x45\x67\x89\xAB\xCD\xEF\xFE\xDC\xBA\x98\x76\x54\x32\x10")
	serial = []byte("\xFF\xFF\x98\x76\x54\x32\x10\xE0\x00\x00")
	ikid   = []byte("\x12\x34\x56\x78\x90\x12\x34\x56")
)

// emulated is a reader of a model, with a key where it needs one.
func emulated(t testing.TB, m hidstripe.Model) *hidstripe.Reader {
	t.Helper()
	c := hidstripe.Config{Model: m, KSN: serial}
	if m == hidstripe.EnhancedA {
		c.KSN = ikid
	}
	var err error
	if c.Key, err = hidstripe.Key(bdk, c.KSN); err != nil {
		t.Fatal(err)
	}
	r, err := hidstripe.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func maker(m hidstripe.Model) string { return strings.SplitN(string(m), "-", 2)[0] }

// module is a secure module that has the emulated readers' key.
func module(t testing.TB, aes bool) func(context.Context, stripehid.Enciphered) ([][]byte, error) {
	t.Helper()
	f, err := secure.Start(context.Background(), secure.Options{Path: filepath.Join(t.TempDir(), "keys"), First: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	shares := [][]byte{bytes.Repeat([]byte{0x10, 0x32, 0x54, 0x76}, 4), []byte("\xA1\xB2\xC3\xD4\xE5\xF6\x07\x18\x29\x3A\x4B\x5C\x6D\x7E\x8F\x90")}
	algorithm, h, ksn := secure.TDES, x9.KeyBlockHeader{Version: 'B', Algorithm: 'T', Optional: []x9.OptionalBlock{{ID: "KS", Data: fmt.Sprintf("%X", serial)}}}, serial
	if aes {
		algorithm, h, ksn = secure.AES128, x9.KeyBlockHeader{Version: 'D', Algorithm: 'A', Optional: []x9.OptionalBlock{{ID: "IK", Data: fmt.Sprintf("%X", ikid)}}}, ikid
	}
	for i, s := range shares {
		if _, err := f.LoadComponent(context.Background(), secure.Component{Set: secure.SwipeSet, Of: 2, Number: i + 1, Holder: fmt.Sprint(i), Algorithm: algorithm, Value: bytes.Clone(s)}); err != nil {
			t.Fatal(err)
		}
	}
	kek, err := x9.CombineComponents(shares...)
	if err != nil {
		t.Fatal(err)
	}
	ik, err := hidstripe.Key(bdk, ksn)
	if err != nil {
		t.Fatal(err)
	}
	h.Usage, h.Mode, h.KeyVersion, h.Exportability = "B1", 'X', "00", 'N'
	block, err := x9.WrapKeyBlock(kek, h, ik, 0, zeros{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Import(context.Background(), secure.SwipeSet, secure.UseSwipe, block); err != nil {
		t.Fatal(err)
	}
	return func(ctx context.Context, e stripehid.Enciphered) ([][]byte, error) {
		variant := secure.SwipeDataKey
		if e.PINKey {
			variant = secure.SwipePINKey
		}
		return f.DecipherSwipe(ctx, secure.EncipheredSwipe{KSN: e.KSN, Variant: variant, Blocks: e.Blocks})
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

type got struct {
	device.Presented
	err error
}

// presented waits for a pass, which is made once somebody waits.
func presented(t *testing.T, r *stripehid.Reader, swipe func() error) (device.Presented, error) {
	t.Helper()
	c := make(chan got, 1)
	go func() {
		p, err := r.Present(t.Context())
		c <- got{p, err}
	}()
	synctest.Wait()
	if err := swipe(); err != nil {
		t.Fatal(err)
	}
	g := <-c
	return g.Presented, g.err
}

// TestEveryModelAndStripe: each emulated reader, with each ready stripe, through the secure module where it enciphers.
func TestEveryModelAndStripe(t *testing.T) {
	for _, m := range hidstripe.Models() {
		t.Run(string(m), func(t *testing.T) {
			open := module(t, m == hidstripe.EnhancedA)
			synctest.Test(t, func(t *testing.T) {
				bus := hidstripe.NewBus()
				reader := emulated(t, m)
				path := bus.Plug(reader)
				var log bytes.Buffer
				r, err := stripehid.Open(stripehid.Config{Maker: maker(m), Bus: bus, Clear: true, Decipher: open, Log: slog.New(slog.NewTextHandler(&log, nil))})
				if err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if s := r.Status(); s != (device.Status{Condition: device.NoCard}) || !strings.Contains(r.Name(), path) {
					t.Errorf("%+v, %s", s, r.Name())
				}
				if maker(m) == "magtek" && !strings.HasSuffix(r.Name(), "EMULATED01") {
					t.Errorf("its software is not in %q", r.Name())
				}
				for _, name := range emulator.StripeNames() {
					tracks, _, err := emulator.ReadyStripe(name)
					if err != nil {
						t.Fatal(err)
					}
					p, err := presented(t, r, func() error { return reader.Swipe(tracks) })
					if name == "worn" {
						if !errors.Is(err, device.ErrMisread) {
							t.Errorf("%s: %v", name, err)
						}
						continue
					}
					enciphers := m != hidstripe.SureSwipe && m != hidstripe.MiniMag
					if err != nil || !strings.Contains(tracks, p.Stripe.Two.Clear()) || p.Clear == enciphers || p.Technology != device.MagStripe {
						t.Errorf("%s: %v, clear %v", name, err, p.Clear)
					}
				}
				if err := r.Close(); err != nil {
					t.Error(err)
				}
				if strings.Contains(log.String(), "4761739001010") {
					t.Errorf("the log shows a card: %s", &log)
				}
			})
		})
	}
}

// What must not be taken is refused with one clear error, in the status too, and the next good one is taken.
func TestRefusals(t *testing.T) {
	const two = ";4761739001010119=28122011143812300000?"
	open := module(t, false)
	synctest.Test(t, func(t *testing.T) {
		bus := hidstripe.NewBus()
		plain, sealed := emulated(t, hidstripe.SureSwipe), emulated(t, hidstripe.MagneSafe)
		at := bus.Plug(plain)
		r, err := stripehid.Open(stripehid.Config{Maker: "magtek", Bus: bus, Decipher: open})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if _, err := presented(t, r, func() error { return plain.Swipe(two) }); !errors.Is(err, stripehid.ErrClear) || !errors.Is(err, device.ErrMisread) {
			t.Errorf("in clear: %v", err)
		}
		if s := r.Status(); s.Condition != device.NoCard || !strings.Contains(s.Cause, "development = true") {
			t.Errorf("%+v", s)
		}
		bus.Unplug(at)
		synctest.Wait()
		at = bus.Plug(sealed)
		time.Sleep(time.Second)
		if p, err := presented(t, r, func() error { return sealed.Swipe(two) }); err != nil || p.Clear || r.Status().Cause != "" {
			t.Errorf("enciphered: %v, %+v", err, r.Status())
		}
		again := emulated(t, hidstripe.MagneSafe) // it counts from the start: what it sends was sent before
		bus.Unplug(at)
		bus.Plug(again)
		time.Sleep(time.Second)
		if _, err := presented(t, r, func() error { return again.Swipe(two) }); !errors.Is(err, secure.ErrReplayed) {
			t.Errorf("played again: %v", err)
		}
		if s := r.Status(); s.Cause == "" {
			t.Error("the status does not say why")
		}
		again.Send(make([]byte, 100))
		synctest.Wait()
		if s := r.Status(); !strings.Contains(s.Cause, "reader.stripe.driver") {
			t.Errorf("after another reader's report: %+v", s)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		bus := hidstripe.NewBus()
		sealed := emulated(t, hidstripe.MagneSafe)
		bus.Plug(sealed)
		r, err := stripehid.Open(stripehid.Config{Maker: "magtek", Bus: bus, Clear: true})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if _, err := presented(t, r, func() error { return sealed.Swipe(two) }); !errors.Is(err, stripehid.ErrKey) {
			t.Errorf("without a module: %v", err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
}

// The status says what is wrong and what to do, and the reader comes by itself when that is done. A hundred unpluggings, half of
// them while somebody waits, leave nothing behind: synctest would find a goroutine.
func TestComesAndGoes(t *testing.T) {
	const two = ";4761739001010119=28122011143812300000?"
	synctest.Test(t, func(t *testing.T) {
		bus := hidstripe.NewBus()
		r, err := stripehid.Open(stripehid.Config{Maker: "magtek", Bus: bus, Clear: true})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(137 * time.Millisecond) // instants of its own: two readers plugged in at the driver's own look could be two looks
		says := func(text string) {
			t.Helper()
			time.Sleep(time.Second)
			if s := r.Status(); s.Condition != device.Absent || !strings.Contains(s.Cause, text) {
				t.Errorf("%+v, want %q", s, text)
			}
		}
		says("is the cable in")
		reader := emulated(t, hidstripe.SureSwipe)
		keyboard := bus.PlugAs(reader, hid.ID{Vendor: 0x0801, Product: 0x0001})
		says("poses as a keyboard")
		bus.Unplug(keyboard)
		one, other := bus.Plug(reader), bus.Plug(emulated(t, hidstripe.MagneSafe))
		says("reader.stripe.port")
		bus.Unplug(other)
		time.Sleep(time.Second)
		if r.Status().Condition != device.NoCard || !bus.Held(one) {
			t.Errorf("%+v", r.Status())
		}
		for i := range 100 {
			if i%2 == 0 {
				ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
				ended := make(chan error, 1)
				go func() { _, err := r.Present(ctx); ended <- err }()
				synctest.Wait()
				bus.Unplug(one)
				if err := <-ended; !errors.Is(err, context.DeadlineExceeded) {
					t.Fatal(err)
				}
				stop()
			} else {
				bus.Unplug(one)
			}
			time.Sleep(time.Second)
			one = bus.Plug(reader)
			time.Sleep(time.Second)
			if p, err := presented(t, r, func() error { return reader.Swipe(two) }); err != nil || p.Stripe.Two.IsZero() {
				t.Fatalf("round %d: %v", i, err)
			}
		}
		looks := bus.Looks()
		time.Sleep(time.Hour)
		if n := bus.Looks() - looks; n != 0 {
			t.Errorf("idle and plugged in, it looked %d times in an hour", n)
		}
		if err := reader.Swipe(two); err != nil { // nobody waits: it pays for nothing
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		soon, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		if _, err := r.Present(soon); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		ended := make(chan error, 1)
		go func() { _, err := r.Present(t.Context()); ended <- err }()
		synctest.Wait()
		if err := errors.Join(r.AwaitRemoval(t.Context()), r.Release(t.Context()), r.Close(), r.Close()); err != nil {
			t.Error(err)
		}
		if err := <-ended; !errors.Is(err, device.ErrClosed) {
			t.Error(err)
		}
		if _, err := r.Present(t.Context()); !errors.Is(err, device.ErrClosed) {
			t.Error(err)
		}
	})
}

// Ports and ids choose the reader; what can never work is refused at once.
func TestChoice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := hidstripe.NewBus()
		bus.Plug(emulated(t, hidstripe.SureSwipe))
		second := bus.Plug(emulated(t, hidstripe.SureSwipe))
		third := bus.PlugAs(emulated(t, hidstripe.SureSwipe), hid.ID{Vendor: 0x1234, Product: 0xABCD})
		for _, c := range []struct {
			config stripehid.Config
			path   string
		}{
			{stripehid.Config{Maker: "magtek", Port: second}, second},
			{stripehid.Config{Maker: "magtek", Port: "1234:abcd"}, third},
			{stripehid.Config{Maker: "idtech", Also: []hid.ID{{Vendor: 0x1234, Product: 0xABCD}}}, third},
		} {
			c.config.Bus = bus
			r, err := stripehid.Open(c.config)
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if !bus.Held(c.path) {
				t.Errorf("%+v: %+v", c.config, r.Status())
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}
		for _, c := range []stripehid.Config{{Maker: "other"}, {Maker: "magtek", Port: "nonsense"}} {
			if _, err := stripehid.Open(c); err == nil {
				t.Errorf("%+v is opened", c)
			}
		}
	})
}
