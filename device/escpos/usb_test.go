package escpos

import (
	"context"
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"tillway/device"
	virtual "tillway/device/emulator/escpos"
	"tillway/device/emulator/virtualusb"
	"tillway/device/usb"
)

// onBus plugs a virtual printer into a bus; pull takes it out again.
func onBus(t *testing.T, bus *virtualusb.Bus, paper *virtual.Printer, id virtualusb.Identity) (plug *virtualusb.Plug, pull func()) {
	t.Helper()
	here, there := net.Pipe()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = paper.Serve(ctx, there)
	}()
	f := virtualusb.StartPrinter(id, "MFG:TILLWAY;CMD:ESC/POS;CLS:PRINTER;", here)
	plug = bus.Plug(f)
	pull = sync.OnceFunc(func() {
		plug.Unplug()
		_ = f.Close()
		stop()
		<-served
	})
	t.Cleanup(pull)
	return plug, pull
}

// A printer on USB, by its id and by its class: lines and pictures come out, the kernel's driver lets go and gets it back, and a
// cable that is pulled and put in again a hundred times loses no receipt.
func TestOnUSB(t *testing.T) {
	bus := virtualusb.NewBus()
	paper := virtual.New(virtual.Config{})
	id := virtualusb.TestIdentity("printer")
	plug, pull := onBus(t, bus, paper, id)
	plug.Hold(0, "usblp")
	p := New(Config{Port: "usb:1209:0001", Bus: bus})
	pic := Picture{Stride: 72, Rows: slices.Repeat([]byte{0xAA}, 72*300)}
	if err := p.Print(t.Context(), append(receipt(1), Part{Picture: &pic})); err != nil {
		t.Fatal(err)
	}
	if black := paper.Cut()[0].Black(); black < 72*4*300 {
		t.Errorf("%d dots are black", black)
	}
	if d := plug.Driver(0); d != "usbfs" {
		t.Errorf("the interface is %q's while it is used", d)
	}
	for n := range 100 {
		pull()
		if err := p.Ready(t.Context()); !errors.Is(err, device.ErrUnplugged) {
			t.Fatalf("pulled: %v", err)
		}
		_, pull = onBus(t, bus, paper, id)
		if err := p.Print(t.Context(), receipt(n)); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	got := 0
	for _, s := range paper.Cut() {
		if strings.Contains(s.Text(), "END ") {
			got++
		}
	}
	if got != 101 {
		t.Errorf("%d receipts on paper, want 101", got)
	}
	clean(t, paper)
}

// By class without an id; refused where there is none, where another program has it, and where it is no printer that answers.
func TestUSBIsChosen(t *testing.T) {
	if _, err := os.Stat("/dev/usb/lp0"); err == nil {
		t.Log("NOT CHECKED: port = \"usb\" without usblp, because this machine has a printer")
	}
	bus := virtualusb.NewBus()
	open := func(port string) error {
		p := New(Config{Port: port, Bus: bus})
		err := p.Ready(t.Context())
		return errors.Join(err, p.Close())
	}
	if err := open("usb:1209:0001"); !errors.Is(err, device.ErrUnplugged) {
		t.Errorf("nothing there: %v", err)
	}
	plug, _ := onBus(t, bus, virtual.New(virtual.Config{}), virtualusb.TestIdentity("printer"))
	if l, err := openBus(t.Context(), bus, vendorClass); !errors.Is(err, device.ErrUnplugged) || l != nil {
		t.Errorf("another id: %v", err)
	}
	l, err := openBus(t.Context(), bus, usb.ID{})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	other := virtualusb.TestIdentity("office")
	other.Product++
	_, pull := onBus(t, bus, virtual.New(virtual.Config{}), other)
	if l, err := openBus(t.Context(), bus, usb.ID{}); err == nil || l != nil || !strings.Contains(err.Error(), "usb:1209:0001") {
		t.Errorf("one of two printers was taken: %v", err)
	}
	pull()
	plug.Hold(0, "usbfs")
	if err := open("usb:1209:0001"); !errors.Is(err, device.ErrBusy) {
		t.Errorf("another program has it: %v", err)
	}
	plug.Deny(true)
	if err := open("usb:1209:0001"); !errors.Is(err, device.ErrPermission) {
		t.Errorf("not permitted: %v", err)
	}
	for _, bad := range []string{"usb:", "usb:4b8:202", "usb:lp0"} {
		if CheckPort(bad) == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
