package main

import (
	"encoding/json"
	"io"
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"tillway/device/emulator"
)

// usbip asks a server for its list, as the usbip tool does.
func usbipList(t *testing.T, address string) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte{1, 0x11, 0x80, 5, 0, 0, 0, 0}); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(conn)
	if err != nil || len(b) < 12 {
		t.Fatal(b, err)
	}
	return string(b)
}

// TestUSB: three devices, each with its order, and what is unplugged is not in the list.
func TestUSB(t *testing.T) {
	dir := shortDir(t)
	p := start(t, dir, "usb", "--stripe", "magtek", "--printer", "--pinpad", "--listen", "127.0.0.1:0", "--page", "127.0.0.1:0", "--fault", "usb stripe stall 81 3", "--control", filepath.Join(dir, "r.ctl"))
	found := regexp.MustCompile(`at (127\.0\.0\.1:\d+): 1-1 reader, 1-2 stripe, 1-3 printer, 1-4 pinpad \(card credit`).FindStringSubmatch(p.ready)
	if found == nil {
		t.Fatalf("%q, %s", p.ready, p.errs)
	}
	page := regexp.MustCompile(`page (http://[0-9.:]+/)`).FindStringSubmatch(p.ready)
	if page == nil {
		t.Fatal(p.ready)
	}
	_, _, text := request(t, "GET", page[1]+"v1/choices", "", nil)
	var offered choices
	if err := json.Unmarshal([]byte(text), &offered); err != nil || len(offered.USB) != 4 || !offered.Printer ||
		strings.Join(offered.USB[0].Endpoints, " ") != "00 02 82 81" || offered.USB[3].Name != "pinpad" || len(offered.USBFaults) < 5 {
		t.Errorf("%+v, %v", offered.USB, err)
	}
	if s := p.tell("status"); s.Kind != "usb" || s.Name != "credit" || s.Port != "" || s.Link != "1-1" {
		t.Errorf("%+v", s)
	}
	if s := p.tell("insert", "debit"); s.Name != "debit" {
		t.Errorf("%+v", s)
	}
	if s := p.tell("fault", "mute", "2"); s.Armed != 1 {
		t.Errorf("%+v", s)
	}
	p.tell("usb", "reader", "stall", "82", "2")
	p.tell("usb", "1-3", "mute", "02")
	p.tell("swipe", "stripe")
	for _, order := range []string{"printer paper 100", "printer cover open", "printer cover shut", "printer power off", "printer power on", "printer paper endless", "pin 1234", "pin cancel", "pin mute", "pin talk"} {
		p.tell(strings.Fields(order)...)
	}
	if list := usbipList(t, found[1]); list[11] != 4 || !strings.Contains(list, "1-2\x00") {
		t.Errorf("%d devices", list[11])
	}
	p.tell("unplug", "stripe")
	if list := usbipList(t, found[1]); list[11] != 3 || strings.Contains(list, "1-2\x00") {
		t.Errorf("%d devices without the stripe reader", list[11])
	}
	p.tell("replug", "stripe")
	p.tell("unplug")
	p.tell("replug")
	if s := p.tell("remove"); s.Card {
		t.Errorf("%+v", s)
	}
	for _, order := range []string{
		"usb reader sulk 81", "usb reader late 02", "usb scanner stall 81", "usb reader stall x1", "usb reader stall 81 0", "usb reader stall 81 1 1",
		"unplug scanner", "replug", "printer paper 1x", "printer paper 99999999", "printer ink low", "fault refused 1", "pin 12x4", "pin 1234 1234", "pin",
	} {
		args := append([]string{"ctl", "--control", filepath.Join(dir, "r.ctl")}, strings.Fields(order)...)
		if code, _, errs := say(t, args...); code != exitError || !strings.HasPrefix(errs, "readeremu: ") {
			t.Errorf("%s: %d %q", order, code, errs)
		} else if strings.HasPrefix(order, "pin ") && strings.Contains(errs, "12") {
			t.Errorf("what was typed is said again: %q", errs)
		}
	}
	if code, errs := p.stop(); code != exitDone || errs != "" {
		t.Errorf("ends with %d %q", code, errs)
	}
}

// TestHandTakesOut: the customer's hand takes out a card that was used and lost its power, puts it back, and leaves one alone that nobody used.
func TestHandTakesOut(t *testing.T) {
	p := &player{desk: newDesk(), hand: emulator.Hand{TakeOut: time.Hour, PutBack: time.Hour}}
	p.first = loaded(t, "credit")
	s, err := newCCIDSlot(p, usbFlags{reader: "short"})
	if err != nil {
		t.Fatal(err)
	}
	say := func(message ...byte) {
		t.Helper()
		if err := s.reader.Out(t.Context(), 0x02, message); err != nil {
			t.Fatal(err)
		}
	}
	in := func(want bool, when string) {
		t.Helper()
		if state, err := s.State(); err != nil || state.Card != want {
			t.Errorf("%s: %+v, %v", when, state, err)
		}
	}
	long := func() time.Time { return time.Now().Add(-2 * time.Hour) }
	say(0x62, 0, 0, 0, 0, 0, 1, 0, 0, 0) // power on, and off
	say(0x63, 0, 0, 0, 0, 0, 2, 0, 0, 0)
	s.look(long())
	in(true, "nobody used it")
	say(0x62, 0, 0, 0, 0, 0, 3, 0, 0, 0)
	say(0x6F, 5, 0, 0, 0, 0, 4, 0, 0, 0, 0x00, 0x84, 0, 0, 8)
	s.look(long())
	in(true, "it has power")
	say(0x63, 0, 0, 0, 0, 0, 5, 0, 0, 0)
	if since := s.look(time.Time{}); time.Since(since) > time.Hour {
		t.Error("the wait has no beginning")
	} else {
		s.look(since)
	}
	in(true, "too early")
	s.look(long())
	in(false, "used")
	s.look(long())
	in(true, "back")
	s.reader.Remove() // as a fault does
	s.look(time.Time{})
	s.look(long())
	in(true, "left by itself, and back")
	if err := s.Remove(); err != nil {
		t.Fatal(err)
	}
	s.look(long())
	in(false, "taken out by order")
}

func loaded(t *testing.T, name string) *emulator.Card {
	t.Helper()
	c, err := loadCard(name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestVPCDCommand: the card dials vpcd when it is put in and hangs up when it is taken out.
func TestVPCDCommand(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dir := shortDir(t)
	p := start(t, dir, "vpcd", "--connect", l.Addr().String(), "--card", "none", "--control", filepath.Join(dir, "r.ctl"))
	if !strings.HasPrefix(p.ready, "readeremu: virtual PC/SC slot ready for vpcd at "+l.Addr().String()) {
		t.Fatalf("%q, %s", p.ready, p.errs)
	}
	p.tell("insert", "debit")
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte{0, 1, 4}); err != nil {
		t.Fatal(err)
	}
	atr := make([]byte, 3)
	if _, err := io.ReadFull(conn, atr); err != nil || atr[2]&0xF0 != 0x30 {
		t.Errorf("% X, %v", atr, err)
	}
	if s := p.tell("status"); s.Kind != "vpcd" || s.Name != "debit" || s.Port != l.Addr().String() {
		t.Errorf("%+v", s)
	}
	if s := p.tell("remove"); s.Card {
		t.Errorf("%+v", s)
	}
	if _, err := io.Copy(io.Discard, conn); err != nil {
		t.Errorf("after it was taken out: %v", err)
	}
	if code, errs := p.stop(); code != exitDone || errs != "" {
		t.Errorf("ends with %d %q", code, errs)
	}
}

// TestRefusedWires: what cannot be played is said in one line.
func TestRefusedWires(t *testing.T) {
	dir := shortDir(t)
	control := filepath.Join(dir, "c")
	for _, row := range []struct {
		code int
		says string
		args []string
	}{
		{exitUsage, "loopback", []string{"vpcd", "--connect", "192.0.2.1:35963", "--control", control}},
		{exitUsage, "loopback", []string{"usb", "--listen", "0.0.0.0:3240", "--control", control}},
		{exitUsage, "loopback", []string{"usb", "--listen", "127.0.0.1:0", "--control", control, "--page", "0.0.0.0:80"}},
		{exitUsage, "no level", []string{"usb", "--reader", "huge", "--listen", "127.0.0.1:0", "--control", control}},
		{exitUsage, "--stripe is one of", []string{"usb", "--stripe", "verifone", "--listen", "127.0.0.1:0", "--control", control}},
		{exitUsage, "--pad-pairing", []string{"usb", "--pinpad", "--pad-pairing", "XY", "--listen", "127.0.0.1:0", "--control", control}},
		{exitUsage, "nothing to play", []string{"usb", "--reader", "none", "--listen", "127.0.0.1:0", "--control", control}},
		{exitError, "--fault", []string{"usb", "--listen", "127.0.0.1:0", "--control", control, "--fault", "sulk"}},
	} {
		code, _, errs := say(t, row.args...)
		if code != row.code || !strings.Contains(errs, row.says) || strings.Count(errs, "\n") != 1 {
			t.Errorf("%v: %d %q, want %d and %q", row.args, code, errs, row.code, row.says)
		}
	}
}
