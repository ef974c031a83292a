package pinpad

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"tillway/device"
	emulated "tillway/device/emulator/pinpad"
	"tillway/device/secure"
)

// The same over a real port: a pseudo-terminal, unplugged in the middle of an entry, plugged in, and used again.
func TestOnAPort(t *testing.T) {
	link := filepath.Join(t.TempDir(), "pad")
	pad, err := emulated.Start(link, tdes())
	if err != nil {
		t.Fatal(err)
	}
	driver, err := Open(Config{Port: link})
	if err != nil {
		t.Fatal(err)
	}
	f := module(t, driver, pairing)
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	ready := func(want bool) {
		t.Helper()
		for driver.State().Ready != want && ctx.Err() == nil {
			time.Sleep(5 * time.Millisecond)
		}
		if ctx.Err() != nil {
			t.Fatalf("%+v", driver.State())
		}
	}
	for range 3 {
		ready(true)
		pad.Type("1234\r")
		p, err := f.EnterPIN(ctx, request())
		if err != nil || clearPIN(t, p) != "1234" {
			t.Fatalf("%+v, %v", p.Status, err)
		}
		ended := make(chan error, 1)
		go func() { _, err := f.EnterPIN(ctx, request()); ended <- err }()
		for shown := false; !shown && ctx.Err() == nil; time.Sleep(time.Millisecond) {
			_, shown = pad.Entering()
		}
		pad.Unplug()
		if err := <-ended; !errors.Is(err, device.ErrUnplugged) {
			t.Fatal(err)
		}
		ready(false)
		if _, err := f.EnterPIN(ctx, request()); !errors.Is(err, secure.ErrNoPad) {
			t.Error(err)
		}
		if err := pad.Plug(); err != nil {
			t.Fatal(err)
		}
	}
	ready(true)
	if err := errors.Join(f.Close(), driver.Close(), pad.Close()); err != nil {
		t.Error(err)
	}
}
