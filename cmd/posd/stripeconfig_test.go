package main

import (
	"context"
	"errors"
	"strings"
	"testing"

	"tillway/device/hid"
	"tillway/device/secure"
	"tillway/device/stripehid"
)

// What a till must not do with stripes is refused at the start, in one sentence that says what to write.
func TestStripeConfig(t *testing.T) {
	for _, c := range []struct {
		stripe      stripeConfig
		development bool
		want        string // empty: it is taken
		wanted      bool
	}{
		{stripeConfig{Driver: "text", Baud: 9600}, false, "", false},
		{stripeConfig{Driver: "text", Baud: 9600, Port: "/dev/ttyS0"}, true, "", true},
		{stripeConfig{Driver: "text", Baud: 9600, Port: "/dev/ttyS0"}, false, "development = true", true},
		{stripeConfig{Driver: "magtek", Baud: 9600}, false, "", true},
		{stripeConfig{Driver: "idtech", Baud: 9600, IDs: []hid.ID{{Vendor: 1, Product: 2}}}, false, "", true},
		{stripeConfig{Driver: "text", Baud: 9600, IDs: []hid.ID{{Vendor: 1, Product: 2}}}, true, "reader.stripe.ids", false},
		{stripeConfig{Driver: "text", Baud: 9600, Port: "0801:0002"}, true, `driver = "magtek"`, true},
		{stripeConfig{Driver: "magtek", Baud: 9600, Port: "/dev/ttyUSB0"}, false, "is a serial port", true},
		{stripeConfig{Driver: "keyboard", Baud: 9600}, true, "is not known", true},
		{stripeConfig{Driver: "text"}, true, "no speed", false},
	} {
		err := c.stripe.check(c.development)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) || c.stripe.wanted() != c.wanted {
			t.Errorf("%+v: %v", c.stripe, err)
		}
	}
	for _, c := range []struct{ driver, port, want string }{
		{"text", "reader", "/etc/tillway/reader"},
		{"text", "/dev/ttyS0", "/dev/ttyS0"},
		{"magtek", "0801:0002", "0801:0002"},
		{"magtek", "/dev/hidraw0", "/dev/hidraw0"},
		{"magtek", "", ""},
		{"magtek", "dev/hidraw0", "/etc/tillway/dev/hidraw0"},
	} {
		s := stripeConfig{Driver: c.driver, Port: c.port}
		if s.resolve("/etc/tillway"); s.Port != c.want {
			t.Errorf("%+v: %s", c, s.Port)
		}
	}
}

// swipes is a module that has one thing to say of a swipe.
type swipes struct {
	asked secure.EncipheredSwipe
	err   error
}

func (s *swipes) DecipherSwipe(_ context.Context, e secure.EncipheredSwipe) ([][]byte, error) {
	s.asked = e
	return [][]byte{[]byte("track")}, s.err
}

// The driver's words become the module's, and a serial number of another reader says which key to load.
func TestDecipherOf(t *testing.T) {
	for pin, want := range map[bool]secure.SwipeVariant{true: secure.SwipePINKey, false: secure.SwipeDataKey} {
		m := &swipes{}
		e := stripehid.Enciphered{KSN: make([]byte, 10), PINKey: pin, Blocks: [][]byte{make([]byte, 8)}}
		if got, err := decipherOf(m)(t.Context(), e); err != nil || len(got) != 1 || m.asked.Variant != want || len(m.asked.Blocks) != 1 || len(m.asked.KSN) != 10 {
			t.Errorf("%+v, %v", m.asked, err)
		}
		m.err = secure.ErrUsage
		if _, err := decipherOf(m)(t.Context(), e); !errors.Is(err, stripehid.ErrKey) || !errors.Is(err, secure.ErrUsage) {
			t.Error(err)
		}
	}
}
