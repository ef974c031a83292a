package survey_test

import (
	"path/filepath"
	"testing"

	"tillway/device"
	"tillway/device/emulator"
	printer "tillway/device/emulator/escpos"
	"tillway/device/emulator/pcscd"
	"tillway/device/emulator/usbreader"
	"tillway/device/emulator/virtualusb"
	"tillway/device/escpos"
	"tillway/device/serial"
	"tillway/device/survey"
	"tillway/device/usb"
	"tillway/device/usbccid"
	"tillway/terminal/selftest"
)

func card(t *testing.T) emulator.Chip {
	t.Helper()
	profile, err := emulator.Ready("credit")
	if err != nil {
		t.Fatal(err)
	}
	return emulator.NewCard(profile)
}

// backwards is a card that was put in the wrong way round: no contact is where one should be.
type backwards struct{ emulator.Chip }

func (backwards) ATR() []byte { return nil }

// A reader on USB: working, without and with a card, with one that is mute, denied, held by pcscd, held by a driver of the kernel's,
// of a kind that nobody knows, and pulled out.
func TestReaderOnUSB(t *testing.T) {
	t.Parallel()
	bus := virtualusb.NewBus()
	known := usbccid.Models()[0].ID
	reader, err := usbreader.New(usbreader.Config{ID: known})
	if err != nil {
		t.Fatal(err)
	}
	plug := bus.Plug(reader)
	t.Cleanup(plug.Unplug)
	m := machine()
	m.USB = bus
	holder := &usb.HeldError{}
	m.Held = func(info usb.Info, number uint8) error {
		held := *holder
		held.Info, held.Interface = info, number
		return &held
	}
	examine := func() selftest.Finding {
		return m.Examine(t.Context(), survey.Place{Kind: survey.Reader, Driver: "usb", Port: known.String()})
	}
	is(t, examine(), "", "no card is in it")
	reader.Insert(card(t))
	is(t, examine(), "", "the card in it answers")
	reader.Remove()
	reader.Insert(backwards{card(t)})
	is(t, examine(), "card_mute", "the wrong way round", "turn it")
	reader.Remove()

	plug.Deny(true)
	is(t, examine(), "reader_permission", "udev")
	plug.Deny(false)
	plug.Hold(0, "usbfs")
	holder.Program, holder.PID = "pcscd", 4711
	is(t, examine(), "reader_claimed", "pcscd (process 4711)", "disable --now pcscd.socket pcscd.service", `driver = "pcsc"`)
	holder.Program = "gpg-agent"
	is(t, examine(), "reader_in_use", "gpg-agent (process 4711)")
	list := m.Readers(t.Context())
	if len(list.Found) != 1 || list.Found[0].Finding == nil || list.Found[0].Finding.Fault != "reader_in_use" {
		t.Errorf("%+v", list)
	}
	plug.Hold(0, "")
	is(t, examine(), "")
	held := &usb.HeldError{Info: usb.Info{ID: known, Interfaces: []usb.Interface{{Class: 0x0B, Driver: "pn533_usb"}}}}
	is(t, m.Explain(survey.Place{Kind: survey.Reader, Driver: "usb"}, held), "reader_kernel_driver", "blacklist pn533_usb")
	plug.Unplug()
	is(t, examine(), "reader_missing")

	strange, err := usbreader.New(usbreader.Config{ID: usb.ID{Vendor: 0x1209, Product: 0x0001}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bus.Plug(strange).Unplug)
	is(t, m.Examine(t.Context(), survey.Place{Kind: survey.Reader, Driver: "usb"}), "reader_unlisted", "reader.allow")
}

// A reader that pcscd has: working, with a mute card, gone, behind a pcscd that lets nobody in, and without a pcscd.
func TestReaderBehindPCSCD(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "pcscd.comm")
	server, err := pcscd.Listen(pcscd.Config{Socket: socket, Complain: func(line string) { t.Error(line) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	m := machine()
	m.Socket = socket
	examine := func(port string) selftest.Finding {
		return m.Examine(t.Context(), survey.Place{Kind: survey.Reader, Driver: "pcsc", Port: port})
	}
	is(t, examine("twin"), "reader_missing", "no reader at all")
	slot := server.AddReader("Gemalto PC Twin Reader 00 00")
	is(t, examine("twin"), "", "no card")
	slot.Insert(card(t))
	is(t, examine("twin"), "", "the card in it answers")
	slot.Remove()
	slot.Insert(backwards{card(t)})
	is(t, examine("twin"), "card_mute")
	is(t, examine("ACR39"), "reader_missing", "it has Gemalto PC Twin Reader")
	server.Stop()
	is(t, examine("twin"), "pcscd_down", "systemctl enable --now pcscd.socket")

	closed := filepath.Join(t.TempDir(), "closed.comm")
	policed, err := pcscd.Listen(pcscd.Config{Socket: closed, Refuse: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = policed.Close() })
	m.Socket = closed
	is(t, examine("twin"), "pcscd_refuses", "polkit")
}

// A serial reader that is unplugged under a running terminal, and one with a mute card; what the terminal says of itself is used where
// nothing else is to be found out.
func TestHealthOfATerminal(t *testing.T) {
	t.Parallel()
	port, g := twin(t)
	place := survey.Place{Kind: survey.Reader, Driver: "gempc", Port: port}
	m := machine()
	is(t, m.Health(t.Context(), place, true, "no card", "", false), "")
	is(t, m.Health(t.Context(), place, false, "card fault", "card does not answer", false), "card_mute")
	is(t, m.Health(t.Context(), place, false, "absent", "it is there, but no GemPC Twin answers on it", false), "reader_silent", "no GemPC Twin")
	if err := g.Unplug(); err != nil {
		t.Fatal(err)
	}
	is(t, m.Health(t.Context(), place, false, "absent", "reader unplugged: no such port", false), "reader_missing")
	keys := pad(t)
	is(t, m.Health(t.Context(), survey.Place{Kind: survey.Reader, Driver: "gempc", Port: keys}, false, "absent", "silent", true), "reader_wrong_device")
}

// What a running terminal says of its printer has the printer's own faults; one that was not asked yet is not said to be well, nor ill. A
// device that the terminal itself has is in use by nobody else.
func TestPrinterOfATerminal(t *testing.T) {
	t.Parallel()
	p := printer.New(printer.Config{})
	port, _ := line(t, 0, onPaper(p))
	m, place := machine(), survey.Place{Kind: survey.Printer, Port: port}
	is(t, m.Health(t.Context(), place, false, "ready", escpos.ErrPaperOut.Error(), true), "printer_paper_out")
	is(t, m.Health(t.Context(), place, false, "ready", escpos.ErrSilent.Error(), true), "printer_silent")
	is(t, m.Health(t.Context(), place, false, "ready", "", true), "")
	if f := m.Health(t.Context(), place, false, "ready", "", false); f.Status != selftest.NotChecked || f.Cause == "" {
		t.Errorf("%+v", f)
	}
	held, err := serial.Open(port, serial.Mode{Baud: 38400, StopBits: 1})
	if err != nil {
		t.Fatal(err)
	}
	if f := m.Health(t.Context(), place, false, "ready", "", true); f.Status != selftest.NotChecked {
		t.Errorf("%+v", f)
	}
	if err := held.Close(); err != nil {
		t.Error(err)
	}
	is(t, m.Health(t.Context(), survey.Place{Kind: survey.Printer, Port: "tcp://192.0.2.1"}, false, "ready", device.Called("receipt printer", device.ErrUnplugged).Error()+": no route", true), "printer_unreachable")
}
