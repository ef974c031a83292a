package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	virtual "tillway/device/emulator/escpos"
	"tillway/device/escpos"
	"tillway/terminal"
	"tillway/terminal/people"
	"tillway/terminal/profile"
	"tillway/terminal/receipt"
	"tillway/terminal/spool"
	"tillway/till"
)

// networkPrinter is a virtual printer on a port of this machine. It takes one connection after another.
func networkPrinter(tb testing.TB, cfg virtual.Config) (*virtual.Printer, string) {
	tb.Helper()
	ln, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	p := virtual.New(cfg)
	ctx, stop := context.WithCancel(context.WithoutCancel(tb.Context()))
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			_ = p.Serve(ctx, c)
		}
	})
	tb.Cleanup(func() {
		stop()
		_ = ln.Close()
		serving.Wait()
	})
	return p, "tcp://" + ln.Addr().String()
}

// soon waits until something is so, for as long as a machine with other work may take.
func soon(tb testing.TB, what string, so func() bool) {
	tb.Helper()
	for range 2000 {
		if so() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	tb.Fatalf("never came: %s", what)
}

// printingOn runs the printer of a terminal, as serve does.
func printingOn(t *testing.T, s *stack, d *disk, port string, change func(*config, *profile.Profile)) *printing {
	t.Helper()
	c := defaults()
	c.State, c.Printer.Driver, c.Printer.Port = t.TempDir(), "escpos", port
	p, err := profile.Ready("kuwait")
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(&c, &p)
	}
	if err := c.Printer.check(); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	logo, err := openLogo(c.Logo)
	if err != nil {
		t.Fatal(err)
	}
	printing, err := openPrinter(t.Context(), c, p, d, s.lane, till.Config{
		Lane: s.lane, Journal: d.journal, Acquirer: "acquirer", Currency: p.Currency, TerminalID: p.Terminal.ID, MerchantID: p.Terminal.MerchantID,
		Header:    receipt.Header{Name: p.Merchant.Name, Location: p.Merchant.Location, NameArabic: p.Merchant.NameArabic, LocationArabic: p.Merchant.LocationArabic, Zone: p.Zone},
		Languages: paperLanguages(p.Receipt), Logo: logo,
	}, log)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := printing.run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { stop(); running.Wait() })
	return printing
}

// What is sold is printed: both copies, in the printer's own font, or in both languages as pictures; and a sale waits for none of it.
func TestPrintsWhatIsSold(t *testing.T) {
	for _, language := range []string{"en", "both"} {
		s, journal := quickTerminal(t)
		paper, port := networkPrinter(t, virtual.Config{})
		paper.LoadPaper(0, 0) // the sale is over before there is any
		printing := printingOn(t, s, &disk{journal: journal}, port, func(_ *config, p *profile.Profile) {
			p.Receipt.Language, p.Receipt.Merchant, p.Merchant.NameArabic = language, language, "متجر"
		})
		sale := sellOne(t, s, 10_525)
		soon(t, "the printer's word that it has no paper", func() bool { return strings.Contains(printing.spool.Status().Cause, "new roll") })
		paper.LoadPaper(-1, 0)
		if _, err := printing.spool.Add(t.Context(), spool.Job{What: spool.Report, Report: "x"}); err != nil {
			t.Fatal(err)
		}
		soon(t, "three papers", func() bool { return len(paper.Cut()) == 3 })
		cut := paper.Cut()
		if language == "both" {
			for i, slip := range cut {
				if len(slip.Lines) > 0 || slip.Black() < 5000 {
					t.Errorf("paper %d: %d lines of text, %d black dots", i, len(slip.Lines), slip.Black())
				}
			}
		} else {
			for i, want := range []string{"CUSTOMER COPY", "MERCHANT COPY", "X REPORT"} {
				text := cut[i].Text()
				if !strings.Contains(text, want) || !strings.Contains(text, "10.525") {
					t.Errorf("paper %d:\n%s", i, text)
				}
			}
			if !strings.Contains(cut[0].Text(), "SALE "+strings.Repeat(" ", 48-5-len(sale.ID.String()))+sale.ID.String()) {
				t.Errorf("not 48 columns wide:\n%s", cut[0].Text())
			}
		}
		if odd := paper.Odd(); len(odd) > 0 || paper.Lost() > 0 {
			t.Errorf("the printer does not know %q, and lost %d bytes", odd, paper.Lost())
		}
	}
}

// The drawer opens for cash back, and the audit log says so.
func TestDrawerForCashBackIsAudited(t *testing.T) {
	s, journal := quickTerminal(t)
	paper, port := networkPrinter(t, virtual.Config{})
	d := &disk{journal: journal}
	opened := d.drawerOpened(slog.New(slog.DiscardHandler))
	printing := printingOn(t, s, d, port, func(c *config, _ *profile.Profile) { c.Printer.Drawer = 5 })
	sale := sellOne(t, s, 10_000)
	opened(t.Context(), sale.ID, sale.Amount, false, nil)
	opened(t.Context(), sale.ID, sale.Amount, true, nil)
	opened(t.Context(), sale.ID, sale.Amount, true, errNoDrawer)
	if err := printing.spool.Kick(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := paper.Pulses(); len(got) != 1 || got[0].Pin != 5 {
		t.Errorf("pulses %v", got)
	}
	rows, err := journal.AuditRows(t.Context(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	var results []people.Result
	for _, r := range rows {
		if r.Event == people.EventDrawer {
			results = append(results, r.Result)
		}
	}
	if want := []people.Result{people.Tried, people.Done, people.Failed}; !slices.Equal(results, want) {
		t.Errorf("audited %v, want %v", results, want)
	}
}

// A whole daemon with a printer: its state, a test page, a refused drawer, all over the local interface.
func TestPrinterOfARunningDaemon(t *testing.T) {
	dir := t.TempDir()
	paper, port := networkPrinter(t, virtual.Config{})
	write(t, filepath.Join(dir, "posd.toml"), benchConfig(t, dir)+"\n[printer]\ndriver = \"escpos\"\nport = \""+port+"\"\ndrawer = 2\n")
	ctx, stop := context.WithCancel(t.Context())
	ready := make(chan struct{})
	out := writerFunc(func(b []byte) (int, error) { close(ready); return len(b), nil })
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, filepath.Join(dir, "posd.toml"), out, io.Discard) }()
	select {
	case <-ready:
	case err := <-ended:
		t.Fatal(err)
	}
	ask := func(method, path, body string) (int, string) {
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(dir, "posd.sock"))
		}}}
		r, err := http.NewRequestWithContext(t.Context(), method, "http://posd"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		answer, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(answer.Body)
		if cerr := answer.Body.Close(); err != nil || cerr != nil {
			t.Fatal(err, cerr)
		}
		return answer.StatusCode, string(text)
	}
	if status, text := ask("POST", "/v1/printer/print", `{"what":"test"}`); status != http.StatusAccepted {
		t.Fatalf("%d %s", status, text)
	}
	soon(t, "the test page", func() bool { return len(paper.Cut()) == 1 })
	if text := paper.Cut()[0].Text(); !strings.Contains(text, "PRINTER TEST") || !strings.Contains(text, "NOT A RECEIPT") {
		t.Error(text)
	}
	var st till.Status
	soon(t, "a printer that is ready", func() bool {
		_, text := ask("GET", "/v1/status", "")
		return json.Unmarshal([]byte(text), &st) == nil && st.Printer != nil && st.Printer.Ready && st.Printer.Printed == 1
	})
	for _, c := range []struct {
		path, body string
		status     int
	}{
		{"/v1/printer/print", `{"what":"receipt","sale":77,"copy":"customer"}`, http.StatusNotFound},
		{"/v1/printer/print", `{"what":"receipt","sale":77}`, http.StatusBadRequest},
		{"/v1/printer/print", `{"what":"slip"}`, http.StatusBadRequest},
		{"/v1/printer/drop", "", http.StatusConflict},
		{"/v1/printer/resume", "", http.StatusConflict},
		{"/v1/drawer", "", http.StatusUnauthorized},
	} {
		if status, text := ask("POST", c.path, c.body); status != c.status {
			t.Errorf("%s %s: %d %s", c.path, c.body, status, text)
		}
	}
	if len(paper.Pulses()) > 0 {
		t.Error("the drawer opened for nobody")
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

// dying is the line of a printer whose power fails once the paper is out.
type dying struct{ escpos.Line }

func (d dying) Write(ctx context.Context, b []byte) error {
	if bytes.Contains(b, []byte("\x1D(H")) {
		_ = d.Close()
	}
	return d.Line.Write(ctx, b)
}

// A printer that goes away when the paper is out counts as a try: the queue holds the receipt then, and does not print it without end.
func TestPrinterGoesAwayAtTheEnd(t *testing.T) {
	_, port := networkPrinter(t, virtual.Config{})
	driver := escpos.New(escpos.Config{Port: port, Open: func(ctx context.Context) (escpos.Line, error) {
		var d net.Dialer
		c, err := d.DialContext(ctx, "tcp", strings.TrimPrefix(port, "tcp://"))
		if err != nil {
			return nil, err
		}
		return dying{escpos.NewLine(port, c)}, nil
	}})
	p := &paperPrinter{Printer: driver, columns: 48, dots: 576}
	err := p.Print(t.Context(), receipt.Sheet{Blocks: []receipt.Block{{Layout: receipt.Big, Text: "RECEIPT"}}})
	if !errors.Is(err, spool.ErrBroken) || errors.Is(err, spool.ErrUnconfirmed) {
		t.Errorf("%v", err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

func TestPrinterConfig(t *testing.T) {
	for text, says := range map[string]string{
		`driver = "star"`: "escpos", `port = "usb"`: "printer.driver", "drawer = 2": "printer.driver", "confirm = \"status\"": "printer.driver", "": "",
		`driver = "escpos"`:                                   "printer.port is missing",
		"driver = \"escpos\"\nport = \"usb\"\nbaud = 7":       "printer.baud",
		"driver = \"escpos\"\nport = \"usb\"\ncolumns = 7":    "printer.columns",
		"driver = \"escpos\"\nport = \"usb\"\ndots = 577":     "printer.dots",
		"driver = \"escpos\"\nport = \"usb\"\nconfirm = \"\"": "printer.confirm",
		"driver = \"escpos\"\nport = \"usb\"\ndrawer = 3":     "printer.drawer",
		"driver = \"escpos\"\nport = \"http://x\"":            "printer port",
		"driver = \"escpos\"\nport = \"192.0.2.1:9100\"":      "tcp://192.0.2.1:9100",
		"driver = \"escpos\"\nport = \"04b8:0202\"":           "usb:04b8:0202",
		"driver = \"escpos\"\nport = \"ttyS9\"":               "", "driver = \"escpos\"\nport = \"usb\"": "",
	} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "posd.toml"), benchConfig(t, dir)+"\n[printer]\n"+text+"\n")
		c, err := loadConfig(filepath.Join(dir, "posd.toml"))
		if says == "" {
			if err != nil || text != "" && c.Printer.Port != "usb" && c.Printer.Port != filepath.Join(dir, "ttyS9") {
				t.Errorf("%s: %v, port %s", text, err, c.Printer.Port)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// BenchmarkSaleWithPrinter: what a sale takes with a printer that has done the ones before, as at a till.
func BenchmarkSaleWithPrinter(b *testing.B) {
	for _, with := range []bool{false, true} {
		b.Run(fmt.Sprintf("printer=%t", with), func(b *testing.B) {
			s, journal := quickTerminal(b)
			drained := func(uint64) {}
			if with {
				paper, port := networkPrinter(b, virtual.Config{})
				_ = paper
				p, err := profile.Ready("kuwait")
				if err != nil {
					b.Fatal(err)
				}
				c := defaults()
				c.State, c.Printer.Driver, c.Printer.Port = b.TempDir(), "escpos", port
				pr, err := openPrinter(b.Context(), c, p, &disk{journal: journal}, s.lane, till.Config{Lane: s.lane, Journal: journal, Acquirer: "acquirer", Currency: p.Currency}, slog.New(slog.DiscardHandler))
				if err != nil {
					b.Fatal(err)
				}
				ctx, stop := context.WithCancel(b.Context())
				var running sync.WaitGroup
				running.Go(func() { _ = pr.run(ctx) })
				defer running.Wait()
				defer stop()
				drained = func(n uint64) {
					soon(b, "the papers of the sales so far", func() bool { return pr.spool.Status().Printed >= n })
				}
			}
			for n := uint64(1); b.Loop(); n++ {
				if sale := sellOne(b, s, 10_525); sale.State != terminal.Approved {
					b.Fatal(sale.State)
				}
				b.StopTimer()
				drained(2 * n)
				b.StartTimer()
			}
		})
	}
}
