package survey_test

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"tillway/device/emulator"
	printer "tillway/device/emulator/escpos"
	"tillway/device/emulator/pinpad"
	"tillway/device/survey"
	"tillway/terminal/selftest"
)

// machine is this one, with waits for devices that answer at once.
func machine() survey.Machine {
	return survey.Machine{
		Sys: os.DirFS("/nowhere"), Proc: os.DirFS("/proc"), Socket: "/nowhere",
		Wait: survey.Wait{Answer: 300 * time.Millisecond, Device: 2 * time.Second, Card: 2 * time.Second},
	}
}

// is holds a finding to a fault's id ("" is none), and to words of its cause and of its remedy.
func is(t *testing.T, f selftest.Finding, fault string, words ...string) {
	t.Helper()
	if f.Fault != fault || (f.Status == selftest.OK) != (fault == "") || f.Check == "" {
		t.Errorf("%+v: the fault should be %q", f, fault)
	}
	if fault != "" && (f.Fix == "" || !strings.HasSuffix(f.Cause, ".") || !strings.HasSuffix(f.Fix, ".")) {
		t.Errorf("%+v: cause and remedy are a sentence each", f)
	}
	for _, w := range words {
		if !strings.Contains(f.Cause+" "+f.Fix, w) {
			t.Errorf("%+v: no word of %q", f, w)
		}
	}
}

// line is a serial line with something at its far end; baud 0 carries every speed.
func line(t *testing.T, baud int, serve func(context.Context, io.ReadWriteCloser)) (link string, pull func()) {
	t.Helper()
	link = filepath.Join(t.TempDir(), "line")
	l, err := emulator.OpenSerialLine(link)
	if err != nil {
		t.Fatal(err)
	}
	if baud != 0 {
		l.AtBaud(baud)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan struct{})
	go func() {
		defer close(done)
		serve(ctx, l)
	}()
	t.Cleanup(func() {
		stop()
		_ = l.Close()
		<-done
	})
	return link, func() { _ = l.Close() }
}

func onPaper(p *printer.Printer) func(context.Context, io.ReadWriteCloser) {
	return func(ctx context.Context, l io.ReadWriteCloser) { _ = p.Serve(ctx, l) }
}

// nobody is a line that takes everything and says nothing.
func nobody(_ context.Context, l io.ReadWriteCloser) { _, _ = io.Copy(io.Discard, l) }

// babbler answers everything with the same words, as a console does.
func babbler(_ context.Context, l io.ReadWriteCloser) {
	b := make([]byte, 64)
	for {
		if _, err := l.Read(b); err != nil {
			return
		}
		if _, err := io.WriteString(l, "\r\nlogin: "); err != nil {
			return
		}
	}
}

func twin(t *testing.T) (link string, g *emulator.GemPC) {
	t.Helper()
	link = filepath.Join(t.TempDir(), "reader")
	g, err := emulator.StartGemPC(emulator.GemPCConfig{Link: link})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Close() })
	return link, g
}

func pad(t *testing.T) string {
	t.Helper()
	link := filepath.Join(t.TempDir(), "pad")
	p, err := pinpad.Start(link, pinpad.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return link
}

// Each device is found by what it answers, and what stands in its place is called by its name.
func TestWhoIsThere(t *testing.T) {
	t.Parallel()
	reader, _ := twin(t)
	keys := pad(t)
	paper, _ := line(t, 38400, onPaper(printer.New(printer.Config{})))
	empty, _ := line(t, 0, nobody)
	console, _ := line(t, 0, babbler)
	m := machine()
	asking := map[string][]func(*testing.T){}
	for _, c := range []struct {
		kind  survey.Kind
		port  string
		fault string
		words string
	}{
		{survey.Reader, reader, "", "GemPC Twin"},
		{survey.Reader, keys, "reader_wrong_device", "a PIN pad is on"},
		{survey.Reader, paper, "reader_wrong_device", "receipt printer is on"},
		{survey.Reader, empty, "reader_silent", "nothing answers"},
		{survey.Reader, console, "reader_wrong_device", "neither card reader nor"},
		{survey.Reader, "/dev/no-such-port", "reader_missing", "pos readers"},
		{survey.Pad, keys, "", "a PIN pad"},
		{survey.Pad, reader, "pin_pad_wrong_device", "card reader (GemPC Twin) is on"},
		{survey.Pad, empty, "pin_pad_silent", "cable"},
		{survey.Pad, "/dev/no-such-port", "pin_pad_missing", "[pin] pad"},
		{survey.Printer, paper, "", "is ready"},
		{survey.Printer, reader, "printer_wrong_device", "card reader"},
		{survey.Printer, keys, "printer_wrong_device", "PIN pad"},
		{survey.Printer, empty, "printer_silent", "cable"},
		{survey.Printer, console, "printer_wrong_device", "something answers"},
		{survey.Printer, "/dev/no-such-port", "printer_missing", "pos printers"},
	} {
		driver := map[survey.Kind]string{survey.Reader: "gempc"}[c.kind]
		asking[c.port] = append(asking[c.port], func(t *testing.T) {
			m := m
			if c.port == empty {
				m.Wait.Answer = 20 * time.Millisecond // silence is silence
			}
			f := m.Examine(t.Context(), survey.Place{Kind: c.kind, Driver: driver, Port: c.port})
			is(t, f, c.fault)
			if !strings.Contains(strings.ToLower(f.Cause+" "+f.Fix), strings.ToLower(c.words)) {
				t.Errorf("%s at %s: %+v", c.kind, c.port, f)
			}
		})
	}
	for port, all := range asking { // one at a time asks at one port
		t.Run(filepath.Base(filepath.Dir(port)), func(t *testing.T) {
			t.Parallel()
			for _, one := range all {
				one(t)
			}
		})
	}
}

// A printer at another speed is found at its own, which the remedy names; on the wire between is noise alone.
func TestWrongSpeed(t *testing.T) {
	t.Parallel()
	for _, baud := range []int{9600, 115200} {
		p := printer.New(printer.Config{})
		port, _ := line(t, baud, onPaper(p))
		f := machine().Examine(t.Context(), survey.Place{Kind: survey.Printer, Port: port, Baud: 38400})
		is(t, f, "printer_wrong_speed", "asked at 38400")
		if want := "baud = " + strconv.Itoa(baud); !strings.Contains(f.Fix, want) {
			t.Errorf("%+v: the remedy is %s", f, want)
		}
		is(t, machine().Examine(t.Context(), survey.Place{Kind: survey.Printer, Port: port, Baud: baud}), "")
	}
}

// What a printer says of itself, and a cable that is pulled.
func TestPrinterFaults(t *testing.T) {
	t.Parallel()
	for fault, make := range map[string]func(*printer.Printer){
		"printer_paper_out":  func(p *printer.Printer) { p.LoadPaper(0, 0) },
		"printer_paper_low":  func(p *printer.Printer) { p.LoadPaper(100, 200) },
		"printer_cover_open": func(p *printer.Printer) { p.OpenCover(true) },
		"printer_silent":     func(p *printer.Printer) { p.SwitchOff() },
	} {
		p := printer.New(printer.Config{})
		port, pull := line(t, 0, onPaper(p))
		place := survey.Place{Kind: survey.Printer, Port: port}
		is(t, machine().Examine(t.Context(), place), "")
		make(p)
		m := machine()
		if fault == "printer_silent" {
			m.Wait.Answer = 20 * time.Millisecond
		}
		is(t, m.Examine(t.Context(), place), fault)
		pull()
		is(t, machine().Examine(t.Context(), place), "printer_missing")
	}
}

// listen is something on a port of the network.
func listen(t *testing.T, serve func(context.Context, io.ReadWriteCloser)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serve(ctx, c)
			_ = c.Close()
		}
	}()
	t.Cleanup(func() {
		stop()
		_ = l.Close()
		<-done
	})
	return l.Addr().String()
}

// Printers on the network: one that works, nobody, something else.
func TestPrinterOnTheNetwork(t *testing.T) {
	t.Parallel()
	p := printer.New(printer.Config{})
	at := func(address string) selftest.Finding {
		return machine().Examine(t.Context(), survey.Place{Kind: survey.Printer, Port: "tcp://" + address})
	}
	is(t, at(listen(t, onPaper(p))), "")
	p.LoadPaper(0, 0)
	is(t, at(listen(t, onPaper(p))), "printer_paper_out")
	is(t, at(listen(t, babbler)), "printer_wrong_device")
	is(t, at(listen(t, nobody)), "printer_silent")
	is(t, at("127.0.0.1:1"), "printer_unreachable", "self-test")
}

// A card at the end of a network line.
func TestCardOnTheNetwork(t *testing.T) {
	t.Parallel()
	at := func(answer string) selftest.Finding {
		return machine().Examine(t.Context(), survey.Place{Kind: survey.Reader, Driver: "tcp", Port: "tcp:" + listen(t, func(_ context.Context, c io.ReadWriteCloser) {
			_, _ = io.ReadFull(c, make([]byte, 3))
			_, _ = io.WriteString(c, answer)
		})})
	}
	is(t, at("\x00\x02\x3B\x00"), "", "a card is in it")
	is(t, at("\x00\x00"), "", "no card")
	is(t, at("HTTP/1.1 400"), "reader_wrong_device")
	is(t, at(""), "reader_silent")
	is(t, machine().Examine(t.Context(), survey.Place{Kind: survey.Reader, Driver: "tcp", Port: "tcp:127.0.0.1:1"}), "reader_missing")
}

// A test page comes out whole, and a printer without paper says why it does not.
func TestTestPage(t *testing.T) {
	t.Parallel()
	p := printer.New(printer.Config{})
	port, _ := line(t, 0, onPaper(p))
	place := survey.Place{Kind: survey.Printer, Port: port}
	if err := machine().TestPage(t.Context(), place, 42, ""); err != nil {
		t.Fatal(err)
	}
	slips := p.Cut()
	if text := slips[len(slips)-1].Text(); len(slips) != 1 || !strings.Contains(text, "123456789012345678901234567890123456789012\n") || !strings.Contains(text, "NOT A RECEIPT") {
		t.Errorf("%d slips:\n%s", len(slips), text)
	}
	p.LoadPaper(0, 0)
	is(t, machine().Explain(place, machine().TestPage(t.Context(), place, 42, "")), "printer_paper_out")
	if err := machine().TestPage(t.Context(), survey.Place{Kind: survey.Reader}, 42, ""); err == nil {
		t.Error("a reader printed a page")
	}
}
