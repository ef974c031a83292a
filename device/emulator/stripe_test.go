package emulator_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"tillway/device"
	"tillway/device/emulator"
	"tillway/device/magstripe"
	"tillway/device/swipe"
	"tillway/emv/cryptogram"
)

// The ready stripes are tracks with check digits, and their verification values are what the names say: the issuer's over the
// service code, or the chip's.
func TestReadyStripes(t *testing.T) {
	cvk := unhex(t, "0123456789ABCDEFFEDCBA9876543210")
	day := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, name := range emulator.StripeNames() {
		text, note, err := emulator.ReadyStripe(name)
		if err != nil || note == "" {
			t.Fatal(name, err)
		}
		s, err := magstripe.Parse(text)
		if name == "worn" {
			if err == nil {
				t.Error("a worn stripe is read")
			}
			continue
		}
		if err != nil || s.Two.Check(day) != nil {
			t.Errorf("%s: %v, %v", name, err, s.Two.Check(day))
			continue
		}
		service := string(s.Two.ServiceCode())
		switch name {
		case "copied":
			service = "999"
		case "disguised":
			service = "201"
		}
		want, err := cryptogram.CVV(cvk, s.Two.PAN(), s.Two.Expiry(), service)
		if got := s.Two.Discretionary()[5:8]; err != nil || got != want {
			t.Errorf("%s: verification value %s, want %s (%v)", name, got, want, err)
		}
	}
	if _, _, err := emulator.ReadyStripe("nothing"); !errors.Is(err, emulator.ErrStripe) {
		t.Error(err)
	}
}

// Driver and virtual reader: a swipe arrives, a worn stripe is misread, and the link is gone at the end.
func TestSwipeThroughTheDriver(t *testing.T) {
	link := filepath.Join(t.TempDir(), "stripe")
	e, err := emulator.StartStripe(link)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := emulator.StartStripe(link); !errors.Is(err, emulator.ErrLink) {
		t.Errorf("a second one at the same path: %v", err)
	}
	r, err := swipe.Open(swipe.Config{Port: link})
	if err != nil {
		t.Fatal(err)
	}
	defer closeIt(t, r)
	// pass swipes until the driver, which only hears what is swiped while somebody waits, has heard it.
	pass := func(text string) (device.Presented, error) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		type result struct {
			p   device.Presented
			err error
		}
		got := make(chan result, 1)
		go func() {
			p, err := r.Present(ctx)
			got <- result{p, err}
		}()
		for {
			if err := e.Swipe(text); err != nil {
				t.Fatal(err)
			}
			select {
			case g := <-got:
				return g.p, g.err
			case <-time.After(300 * time.Millisecond):
			}
		}
	}
	tracks, _, err := emulator.ReadyStripe("credit")
	if err != nil {
		t.Fatal(err)
	}
	if p, err := pass(tracks); err != nil || p.Technology != device.MagStripe || !p.Stripe.Two.ServiceCode().HasChip() || p.Stripe.One.Name() != "TEST/CARD ONE" {
		t.Errorf("%v, %v", p.Technology, err)
	}
	if _, err := pass("%E?;E?"); !errors.Is(err, device.ErrMisread) {
		t.Error(err)
	}
	if err := e.Swipe(""); !errors.Is(err, emulator.ErrStripe) {
		t.Error(err)
	}
	for range 2 {
		closeIt(t, e)
	}
	if err := e.Swipe(tracks); !errors.Is(err, emulator.ErrClosed) {
		t.Error(err)
	}
}
