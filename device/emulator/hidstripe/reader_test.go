package hidstripe

import (
	"errors"
	"testing"

	"tillway/device/emulator/virtualusb"
	"tillway/device/hid"
)

// What the device says of itself is what the HID class has, and what it refuses it stalls.
func TestFunction(t *testing.T) {
	for _, m := range Models() {
		key, ksn := make([]byte, 16), make([]byte, 10)
		if m == EnhancedA {
			ksn = ksn[:8]
		}
		r, err := New(Config{Model: m, Key: key, KSN: ksn})
		if err != nil {
			t.Fatal(err)
		}
		d := r.Descriptors()
		if d.Device[0] != 18 || len(d.Configuration) != int(d.Configuration[2]) || len(d.Strings) != 2 {
			t.Errorf("%s: %+v", m, d)
		}
		reports, err := hid.ParseDescriptor(r.ReportDescriptor())
		if err != nil || reports.Input != r.traits.report || reports.Feature != 24 || int(d.Configuration[9+9+7]) != len(r.ReportDescriptor()) {
			t.Errorf("%s: %+v, %v", m, reports, err)
		}
		for _, s := range []virtualusb.Setup{
			{RequestType: virtualusb.Vendor, Request: 1}, {RequestType: virtualusb.Class | virtualusb.ToInterface, Request: setReport, Value: 1 << 8},
		} {
			if _, err := r.Control(t.Context(), s.Packet(), nil); !errors.Is(err, virtualusb.ErrStall) {
				t.Errorf("%+v: %v", s, err)
			}
		}
		if err := r.Out(t.Context(), 1, nil); !errors.Is(err, virtualusb.ErrStall) {
			t.Error(err)
		}
		if _, err := r.In(t.Context(), 0x82, 64); !errors.Is(err, virtualusb.ErrStall) {
			t.Error(err)
		}
		for _, text := range []string{"", "4761739001010119", "%no end", ";1?x", "+3?"} {
			if err := r.Swipe(text); !errors.Is(err, ErrTracks) {
				t.Errorf("%q: %v", text, err)
			}
		}
	}
	for _, c := range []Config{{Model: "none"}, {Model: MagneSafe}, {Model: EnhancedA, Key: make([]byte, 16), KSN: make([]byte, 10)}} {
		if _, err := New(c); !errors.Is(err, ErrModel) {
			t.Errorf("%s: %v", c.Model, err)
		}
	}
}

func TestMask(t *testing.T) {
	for text, want := range map[string]string{
		";4761739001010119=28122011143812300000?":          ";4761********0119=********************?",
		"%B4761739001010119^TEST/CARD ONE^28122011438123?": "%B4761********0119^TEST/CARD ONE^**************?",
	} {
		if got := mask(text, '*'); got != want {
			t.Errorf("%s", got)
		}
	}
}
