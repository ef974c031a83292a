package main

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"tillway/device"
	"tillway/device/emulator"
	"tillway/device/emulator/pcscd"
	"tillway/device/emulator/usbreader"
	"tillway/device/emulator/virtualusb"
	"tillway/device/gempc"
	"tillway/device/pcsc"
	"tillway/device/usbccid"
	"tillway/money"
	"tillway/terminal"
)

// plugged is a reader with its cable and its slot, whatever wire it is on.
type plugged struct {
	reader         device.Reader
	insert         func(emulator.Chip)
	remove         func()
	unplug, replug func()
	cutAt          func(exchange int) // the cable goes in the n-th exchange with the next card
}

func must(t testing.TB) func(error) {
	return func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
}

func pluggedSerial(t testing.TB) plugged {
	check, link := must(t), filepath.Join(t.TempDir(), "reader")
	twin, err := emulator.StartGemPC(emulator.GemPCConfig{Link: link})
	check(err)
	t.Cleanup(func() { check(twin.Close()) })
	reader, err := gempc.Open(gempc.Config{Port: link, Patience: time.Second})
	check(err)
	return plugged{
		reader, func(c emulator.Chip) { check(twin.Insert(c)) }, func() { check(twin.Remove()) },
		func() { _ = twin.Unplug() }, func() { check(twin.Replug()) },
		func(n int) { check(twin.Fault(emulator.FaultUnplugged, n)) },
	}
}

func pluggedUSB(level usbreader.Level) func(t testing.TB) plugged {
	return func(t testing.TB) plugged {
		check, bus := must(t), virtualusb.NewBus()
		var plug *virtualusb.Plug
		far, err := usbreader.New(usbreader.Config{Level: level, Unplug: func() { plug.Unplug() }})
		check(err)
		plug = bus.Plug(far)
		t.Cleanup(func() { plug.Unplug() })
		reader, err := usbccid.Open(usbccid.Config{Bus: bus, Patience: time.Second})
		check(err)
		return plugged{
			reader, func(c emulator.Chip) { far.Insert(c) }, func() { far.Remove() },
			func() { plug.Unplug() }, func() { plug = bus.Plug(far) },
			func(n int) { check(far.Fault(emulator.FaultUnplugged, n)) },
		}
	}
}

func pluggedPCSC(t testing.TB) plugged {
	check, socket := must(t), filepath.Join(t.TempDir(), "pcscd.comm")
	server, err := pcscd.Listen(pcscd.Config{Socket: socket, Complain: func(line string) { t.Error(line) }})
	check(err)
	t.Cleanup(func() { _ = server.Close() })
	slot := server.AddReader("Virtual PCD 00 00")
	reader, err := pcsc.Open(pcsc.Config{Port: "Virtual", Socket: socket})
	check(err)
	return plugged{reader, slot.Insert, slot.Remove, slot.Unplug, slot.Plug, func(n int) { slot.Disturb(pcscd.Unplugged, n) }}
}

// wires are the readers that posd drives, each with its other end.
func wires() map[string]func(testing.TB) plugged {
	return map[string]func(testing.TB) plugged{
		"gempc": pluggedSerial, "usb-TPDU": pluggedUSB(usbreader.TPDU), "usb-extended-APDU": pluggedUSB(usbreader.ExtendedAPDU), "pcsc": pluggedPCSC,
	}
}

// unplugTimes is how often each reader is unplugged.
const unplugTimes = 100

// A terminal whose reader is unplugged a hundred times, between sales, while it waits for a card, at every exchange of a sale, and
// with the card of a finished sale in: the status says what happened each time, no sale is approved but those that were, what
// may have reached the bank is reversed, and nothing is left over.
func TestUnplugHundred(t *testing.T) {
	for name, connect := range wires() {
		t.Run(name, func(t *testing.T) {
			p := connect(t)
			s, _ := quickSecured(t, "credit", answerAll, nil, func(made *parts) { made.reader = p.reader })
			t.Cleanup(func() { must(t)(p.reader.Close()) })
			card, err := emulator.Ready("credit")
			must(t)(err)
			u := &unplugging{T: t, plugged: p, stack: s, card: emulator.NewCard(card), ends: map[terminal.State]int{}}
			u.sale(nil)
			u.taken()
			var before [2]int
			for i := range unplugTimes {
				u.round(i)
				if i == 10 {
					before = u.held()
				}
			}
			u.released(before)
			t.Logf("ends: %v", u.ends)
			for _, state := range []terminal.State{terminal.Approved, terminal.Cancelled, terminal.Reversed} {
				if u.ends[state] == 0 {
					t.Errorf("no sale ended as %s: %v", state, u.ends)
				}
			}
			if s := u.lane.Snapshot(); s.Owed != 0 || s.Parked != 0 {
				t.Errorf("%d owed, %d parked at the end", s.Owed, s.Parked)
			}
		})
	}
}

type unplugging struct {
	*testing.T
	plugged
	*stack
	card *emulator.Card // one, because the bank knows its counter
	ends map[terminal.State]int
}

// round unplugs the reader once.
func (u *unplugging) round(i int) {
	u.Helper()
	switch i % 4 {
	case 0: // between sales
		u.unplug()
		u.status(device.Absent)
		u.replug()
		u.status(device.NoCard)
		u.approved(u.sale(nil))
	case 1: // while a card is waited for
		u.approved(u.sale(func() {
			u.unplug()
			u.status(device.Absent)
			u.replug()
			u.status(device.NoCard)
		}))
	case 2: // within the sale
		u.cutAt(1 + (i/4)%25)
		sale := u.sale(nil)
		switch sale.State {
		case terminal.Cancelled, terminal.Reversed, terminal.Declined:
			u.status(device.Absent)
			if sale.Outcome.Code != terminal.CodeCardRemoved {
				u.Errorf("cut at exchange %d: %s, %+v", 1+(i/4)%25, sale.State, sale.Outcome)
			}
			u.replug()
		case terminal.Approved: // it was over before that exchange
			u.unplug()
			u.status(device.Absent)
			u.replug()
		default:
			u.Fatalf("cut at exchange %d: %s", 1+(i/4)%25, sale.State)
		}
	case 3: // with the card of a finished sale in
		u.approved(u.sale(nil, "left in"))
		u.unplug()
		u.status(device.Absent)
		u.replug()
	}
	u.remove()
	u.status(device.NoCard)
	u.taken()
}

// taken waits until the terminal knows that the card is out: nobody puts the next one in sooner.
func (u *unplugging) taken() {
	u.Helper()
	for range 3000 {
		if !u.lane.Snapshot().CardLeft {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	u.Fatalf("the terminal still waits for the card: %+v", u.lane.Snapshot())
}

// sale is one from its order to its end; waiting, if there is one, is done before the card comes.
func (u *unplugging) sale(waiting func(), left ...string) terminal.Sale {
	u.Helper()
	ctx, cancel := context.WithTimeout(u.Context(), 30*time.Second)
	defer cancel()
	kwd, _ := money.ByCode("KWD")
	sale, err := u.lane.Start(ctx, terminal.Order{Kind: terminal.KindSale, Amount: money.New(1000, kwd)})
	if err != nil {
		u.Fatal(err)
	}
	if waiting != nil {
		waiting()
	}
	u.insert(u.card)
	if sale, err = watch(ctx, u.lane, sale.ID); err != nil {
		u.Fatalf("%v: %+v", err, u.lane.Snapshot())
	}
	u.ends[sale.State]++
	if sale.State == terminal.Approved && len(left) == 0 {
		u.remove()
	}
	return sale
}

func (u *unplugging) approved(sale terminal.Sale) {
	u.Helper()
	if sale.State != terminal.Approved {
		u.Fatalf("%s, %+v", sale.State, sale.Outcome)
	}
}

// status waits for what the reader's status has to say by itself, with a cause when it is not there.
func (u *unplugging) status(want device.Condition) {
	u.Helper()
	for range 3000 {
		s := u.reader.Status()
		if s.Condition == want {
			if want == device.Absent && s.Cause == "" {
				u.Error("the reader is not there, and no cause is told")
			}
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	u.Fatalf("status %+v, want %q", u.reader.Status(), want)
}

// held is how many goroutines and descriptors there are.
func (u *unplugging) held() [2]int {
	u.Helper()
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		u.Fatal(err)
	}
	return [2]int{runtime.NumGoroutine(), len(open)}
}

// released wants as much to be held as before, give or take what is under way.
func (u *unplugging) released(before [2]int) {
	u.Helper()
	now := u.held()
	for range 200 {
		if now[0] <= before[0]+4 && now[1] <= before[1]+4 {
			u.Logf("goroutines %d to %d, descriptors %d to %d", before[0], now[0], before[1], now[1])
			return
		}
		time.Sleep(20 * time.Millisecond)
		now = u.held()
	}
	u.Errorf("goroutines %d to %d, descriptors %d to %d", before[0], now[0], before[1], now[1])
}
