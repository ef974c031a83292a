package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"

	"tillway/device/emulator"
	"tillway/device/emulator/pcscd"
	"tillway/device/survey"
	"tillway/device/usb"
	"tillway/terminal"
)

// bus is a list of devices that nobody can open.
type bus struct {
	usb.Bus
	all []usb.Info
	err error
}

func (b bus) List(context.Context) ([]usb.Info, error) { return b.all, b.err }

// A machine with everything: two readers of a kind, one that is on no list, a keyboard, a reader of pcscd's, and two ports of which
// one is real.
func TestFindsReaders(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "pcscd.comm")
	server, err := pcscd.Listen(pcscd.Config{Socket: socket, Complain: func(line string) { t.Error(line) }})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Close() }()
	profile, err := emulator.Ready("credit")
	if err != nil {
		t.Fatal(err)
	}
	server.AddReader("Evil\x1b[2J Reader 00 00").Insert(emulator.NewCard(profile))
	server.AddReader("ACS ACR39U ICC Reader 01 00")
	twin := usb.Info{ID: usb.ID{Vendor: 0x08E6, Product: 0x3437}, Product: "USB SmartCard Reader", Interfaces: []usb.Interface{{Class: 0x0B, Driver: "usbfs"}}}
	one, two := twin, twin
	one.Path, two.Path = "1-1", "1-2"
	m := survey.Machine{
		Sys: fstest.MapFS{"class/tty/ttyUSB0/device/x": {}, "class/tty/tty1/x": {}},
		USB: bus{all: []usb.Info{
			one, two,
			{ID: usb.ID{Vendor: 0x1234, Product: 0x5678}, Path: "2-1", Interfaces: []usb.Interface{{Class: 0x0B}}},
			{ID: usb.ID{Vendor: 0x046D, Product: 0xC31C}, Path: "2-2", Product: "Keyboard", Interfaces: []usb.Interface{{Class: 3}}},
			{ID: usb.ID{Vendor: 0x072F, Product: 0x90CC}, Path: "2-3"},
		}},
		Socket: socket,
	}
	want := []survey.Found{
		{Driver: "usb", Port: "1-1", Name: "USB SmartCard Reader", State: "in use by a program, often pcscd or the terminal itself", Do: ""},
		{Driver: "usb", Port: "1-2", Name: "USB SmartCard Reader", State: "in use by a program, often pcscd or the terminal itself", Do: ""},
		{Driver: "usb", Port: "1234:5678", Name: "", State: "free", Do: `it is on no list: write reader.allow = ["1234:5678"] into posd.toml too`},
		{Driver: "usb", Port: "072f:90cc", Name: "ACS ACR38U-CCID", State: "free", Do: ""},
		{Driver: "pcsc", Port: "Evil?[2J Reader 00 00", Name: "reader of pcscd", State: "card in", Do: ""},
		{Driver: "pcsc", Port: "ACS ACR39U ICC Reader 01 00", Name: "reader of pcscd", State: "no card", Do: ""},
		{Driver: "gempc", Port: "/dev/ttyUSB0", Name: "serial port", State: "", Do: ""},
	}
	got := foundReaders(t.Context(), m)
	if len(got.Notes) != 0 || len(got.Found) != len(want) {
		t.Fatalf("%+v", got)
	}
	for i, f := range got.Found {
		if f != want[i] {
			t.Errorf("%+v, want %+v", f, want[i])
		}
	}
	var out bytes.Buffer
	got.Configured = &terminal.Health{Name: "usb 1-1", State: "absent", Cause: "the reader is held by pcscd: stop it"}
	if err := (&app{out: &out}).showReaders(got); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"The terminal's  NOT OK: usb 1-1, absent: the reader is held by pcscd: stop it\n", "DRIVER  PORT", "gempc   /dev/ttyUSB0"} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("no %q in\n%s", line, out.String())
		}
	}
}

// What cannot be looked at is a note, and the rest is listed; a machine without anything says so.
func TestFindsNoReaders(t *testing.T) {
	m := survey.Machine{Sys: fstest.MapFS{}, USB: bus{err: errors.New("no USB today")}, Socket: filepath.Join(t.TempDir(), "none")}
	got := foundReaders(t.Context(), m)
	if len(got.Found) != 0 || len(got.Notes) != 2 || !strings.Contains(got.Notes[0], "no USB today") || !strings.Contains(got.Notes[1], "systemctl start pcscd.socket") {
		t.Fatalf("%+v", got)
	}
	var out bytes.Buffer
	if err := (&app{out: &out}).showReaders(got); err != nil || !strings.Contains(out.String(), "is one plugged in?") {
		t.Errorf("%s, %v", out.String(), err)
	}
}

// The reader of the terminal that runs is the first word, for people and for programs.
func TestReadersOfTheTerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{}
		s := newStage(t, saleOf(t, terminal.Approved), terminal.Snapshot{Reader: terminal.Health{OK: true, Name: "pcsc PC Twin 00 00", State: "no card"}})
		defer w.serve(t, s)()
		got := posRun(t, w, nil, "readers", "--pcscd", "/nowhere")
		if got.code != 0 || !strings.HasPrefix(got.out, "The terminal's  ok: pcsc PC Twin 00 00, no card\n") {
			t.Errorf("%d: %s%s", got.code, got.out, got.errOut)
		}
		got = posRun(t, w, nil, "readers", "--pcscd", "/nowhere", "--json")
		var report readersReport
		if err := json.Unmarshal([]byte(got.out), &report); err != nil || report.Configured == nil || report.Configured.State != "no card" {
			t.Errorf("%v: %s", err, got.out)
		}
	})
}
