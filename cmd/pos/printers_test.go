package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"

	"tillway/device/emulator"
	printer "tillway/device/emulator/escpos"
	"tillway/device/survey"
	"tillway/device/usb"
	"tillway/terminal"
)

// A printer at a port is asked and prints a page; one without paper says so, prints nothing, and the command's status is 1. A port that no
// printer has is refused as wrong usage.
func TestPrinterAtAPort(t *testing.T) {
	link := filepath.Join(t.TempDir(), "printer")
	l, err := emulator.OpenSerialLine(link)
	if err != nil {
		t.Fatal(err)
	}
	p := printer.New(printer.Config{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = p.Serve(context.WithoutCancel(t.Context()), l)
	}()
	defer func() {
		_ = l.Close()
		<-done
	}()
	got := pos(t, "printers", "--port", link, "--test-page", "--columns", "32")
	if got.code != 0 || !strings.Contains(got.out, "is ready") || !strings.Contains(got.out, "test page was sent") || len(p.Cut()) != 1 || !strings.Contains(p.Cut()[0].Text(), "12345678901234567890123456789012\n") {
		t.Errorf("%d: %s%s, %d slips", got.code, got.out, got.errOut, len(p.Cut()))
	}
	p.LoadPaper(0, 0)
	got = pos(t, "printers", "--port", link, "--test-page", "--json")
	var report printersReport
	if err := json.Unmarshal([]byte(got.out), &report); err != nil || got.code != exitDeclined || report.Finding == nil || report.Finding.Fault != "printer_paper_out" || report.TestPage {
		t.Errorf("%d, %v: %s", got.code, err, got.out)
	}
	for _, wrong := range [][]string{{"--port", "COM1"}, {"--port", link, "--columns", "7"}, {"--port", link, "--confirm", "perhaps"}} {
		if got := pos(t, append([]string{"printers"}, wrong...)...); got.code != exitUsage {
			t.Errorf("%v: %d %s", wrong, got.code, got.errOut)
		}
	}
}

// The printers of a machine: on USB by class and by id, one that cannot be opened, the kernel's own, and serial ports.
func TestFindsPrinters(t *testing.T) {
	folder := t.TempDir()
	lp := filepath.Join(folder, "lp0")
	if err := os.WriteFile(lp, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	m := survey.Machine{
		Sys: fstest.MapFS{"class/tty/ttyUSB0/device/x": {}},
		USB: bus{all: []usb.Info{
			{ID: usb.ID{Vendor: 0x04B8, Product: 0x0E28}, Path: "1-1", Product: "TM-T20III", Interfaces: []usb.Interface{{Class: 7, Driver: "usblp"}}},
			{ID: usb.ID{Vendor: 0x04B8, Product: 0x0202}, Path: "1-2", Interfaces: []usb.Interface{{Class: 0xFF}}},
			{ID: usb.ID{Vendor: 0x046D, Product: 0xC31C}, Path: "2-2", Product: "Keyboard", Interfaces: []usb.Interface{{Class: 3}}},
		}},
		LP: filepath.Join(folder, "lp*"),
	}
	got := m.Printers(t.Context())
	var ports []string
	for _, f := range got.Found {
		ports = append(ports, f.Port)
	}
	if want := "usb:04b8:0e28 usb:04b8:0202 " + lp + " /dev/ttyUSB0"; strings.Join(ports, " ") != want || len(got.Notes) != 0 || !strings.Contains(got.Found[0].State, "usblp") {
		t.Errorf("%+v", got)
	}
}

// A terminal without a printer is said to be that, and the list comes all the same; a test page is refused.
func TestPrintersOfTheTerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{}
		s := newStage(t, saleOf(t, terminal.Approved), terminal.Snapshot{})
		defer w.serve(t, s)()
		if got := posRun(t, w, nil, "printers"); got.code != 0 || !strings.Contains(got.out, "no terminal runs here with a receipt printer") {
			t.Errorf("%d: %s%s", got.code, got.out, got.errOut)
		}
		if got := posRun(t, w, nil, "printers", "--test-page"); got.code == 0 {
			t.Errorf("%d: %s%s", got.code, got.out, got.errOut)
		}
	})
}
