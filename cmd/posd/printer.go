package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tillway/device/escpos"
	"tillway/device/usb/libusb"
	"tillway/money"
	"tillway/terminal"
	"tillway/terminal/lane"
	"tillway/terminal/people"
	"tillway/terminal/profile"
	"tillway/terminal/receipt"
	"tillway/terminal/receipt/paper"
	"tillway/terminal/spool"
	"tillway/till"
	"tillway/till/training"
)

// printerConfig is the receipt printer. An empty driver is none.
type printerConfig struct {
	Driver  string `toml:"driver"`
	Port    string `toml:"port"`
	Baud    int    `toml:"baud"`
	Columns int    `toml:"columns"`
	Dots    int    `toml:"dots"`
	Confirm string `toml:"confirm"`
	Drawer  int    `toml:"drawer"`
}

func defaultPrinter() printerConfig {
	return printerConfig{Baud: escpos.DefaultBaud, Columns: 48, Dots: paper.Wide, Confirm: string(escpos.Process)}
}

func (p *printerConfig) check() error {
	switch {
	case p.Driver == "":
		if p.Port != "" {
			return errors.New("printer.port is set and printer.driver is not: write driver = \"escpos\"")
		}
		if *p != defaultPrinter() {
			return errors.New("printer has keys and no driver, which nothing heeds: write printer.driver = \"escpos\", or take them out")
		}
		return nil
	case p.Driver != "escpos":
		return fmt.Errorf("printer.driver %q is not known: this release drives escpos", p.Driver)
	case p.Port == "":
		return errors.New("printer.port is missing: a serial port like /dev/ttyUSB2, usb, or tcp://192.0.2.1:9100")
	case p.Baud < 1200 || p.Baud > 115200:
		return fmt.Errorf("printer.baud %d is no speed of a serial printer: its self-test prints it, mostly 38400 or 115200", p.Baud)
	case p.Columns < receipt.MinWidth || p.Columns > 64:
		return fmt.Errorf("printer.columns %d: characters of its font A on a line, 48 or 42 on 80 mm paper, 32 on 58 mm", p.Columns)
	case p.Dots < paper.Narrow || p.Dots > paper.Wide || p.Dots%8 != 0:
		return fmt.Errorf("printer.dots %d: dots of its head, 576 or 512 on 80 mm paper, 384 on 58 mm", p.Dots)
	case p.Confirm != string(escpos.Process) && p.Confirm != string(escpos.InTurn):
		return fmt.Errorf("printer.confirm %q: process, or status for printers that know no process IDs", p.Confirm)
	case p.Drawer != 0 && p.Drawer != 2 && p.Drawer != 5:
		return fmt.Errorf("printer.drawer %d: the pin of the cash drawer, 2 or 5; 0 is none", p.Drawer)
	}
	if !p.isFile() || strings.Contains(p.Port, ":") && !filepath.IsAbs(p.Port) {
		return escpos.CheckPort(p.Port)
	}
	return nil
}

// isFile says that the port is a path, which may be relative to the config.
func (p *printerConfig) isFile() bool {
	return p.Port != "" && p.Port != "usb" && !strings.HasPrefix(p.Port, "usb:") && !strings.Contains(p.Port, "://")
}

// paperPrinter prints pages on a driver: in the printer's own font what that has, as a picture all else.
type paperPrinter struct {
	*escpos.Printer
	columns, dots int
	drawer        int
	logo          *paper.Logo       // nil: none
	typesetter    *paper.Typesetter // nil until there is a picture to draw: most shops' receipts need none
}

// Print prints a page in its language.
func (p *paperPrinter) Print(ctx context.Context, sheet receipt.Sheet) error {
	part := escpos.Part{Lines: lines(sheet.Blocks, p.columns)}
	if paper.NeedsPicture(sheet.Blocks, sheet.Language) {
		if p.typesetter == nil {
			var err error
			if p.typesetter, err = paper.New(); err != nil {
				return err
			}
		}
		drawn := p.typesetter.Draw(sheet.Blocks, sheet.Language, p.dots)
		part = escpos.Part{Picture: &escpos.Picture{Stride: drawn.Stride, Rows: drawn.Rows}}
	}
	parts := []escpos.Part{part}
	if p.logo != nil && sheet.Logo {
		head := p.logo.Draw(p.dots)
		parts = []escpos.Part{{Picture: &escpos.Picture{Stride: head.Stride, Rows: head.Rows}}, part}
	}
	err := p.Printer.Print(ctx, parts)
	switch {
	case errors.Is(err, escpos.ErrUnconfirmed):
		return fmt.Errorf("%w: %w", spool.ErrUnconfirmed, err)
	case errors.Is(err, escpos.ErrBroken):
		return fmt.Errorf("%w: %w", spool.ErrBroken, err)
	}
	return err
}

// paperLanguages are the profile's.
func paperLanguages(r profile.Receipt) receipt.Languages {
	if r.Language == profile.CardLanguage {
		return receipt.Languages{OfCard: true, Merchant: receipt.Language(r.Merchant)}
	}
	return receipt.Languages{Customer: receipt.Language(r.Language), Merchant: receipt.Language(r.Merchant)}
}

// lines lays a page out in the printer's font.
func lines(page []receipt.Block, columns int) []escpos.Text {
	var out []escpos.Text
	for _, b := range page {
		style := escpos.Plain
		switch {
		case b.Layout == receipt.Big:
			style = escpos.Tall
		case b.Strong:
			style = escpos.Bold
		}
		for _, l := range b.Lines(columns) {
			out = append(out, escpos.Text{Text: l, Style: style})
		}
	}
	return out
}

// errNoDrawer says that the config names no drawer.
var errNoDrawer = errors.New("no cash drawer is configured: write drawer = 2 in posd.toml, [printer]")

// Kick opens the drawer.
func (p *paperPrinter) Kick(ctx context.Context) error {
	if p.drawer == 0 {
		return errNoDrawer
	}
	return p.Printer.Kick(ctx, escpos.Pin(p.drawer))
}

// openLogo reads the shop's logo; nil where the config names none.
func openLogo(file string) (*paper.Logo, error) {
	if file == "" {
		return nil, nil //nolint:nilnil // none is what was asked for
	}
	f, err := os.Open(file) //nolint:gosec // the technician names the file
	if err != nil {
		return nil, fmt.Errorf("logo: %w", err)
	}
	defer func() { _ = f.Close() }() // only read
	b, err := io.ReadAll(io.LimitReader(f, paper.MaxLogoBytes+1))
	if err != nil {
		return nil, fmt.Errorf("logo %s: %w", file, err)
	}
	return readLogo(file, b)
}

// readLogo takes the shop's logo; where says where it stands.
func readLogo(where string, b []byte) (*paper.Logo, error) {
	l, err := paper.ReadLogo(b)
	if err != nil {
		return nil, fmt.Errorf("logo %s: %w: a PNG file of at most %d by %d dots", where, err, paper.MaxLogoWide, paper.MaxLogoHigh)
	}
	return l, nil
}

// printing is the receipt printer with its queue; nil is none.
type printing struct {
	spool   *spool.Spool
	printer *paperPrinter
}

// openPrinter makes the printer and its queue, where the config names one. Nothing is opened or printed yet.
func openPrinter(ctx context.Context, c config, p profile.Profile, d *disk, l *lane.Lane, draw till.Config, log *slog.Logger) (*printing, error) {
	if c.Printer.Driver == "" {
		return nil, nil //nolint:nilnil // none is what was asked for
	}
	counts, err := d.journal.Counts(ctx)
	if err != nil {
		return nil, err
	}
	printer := &paperPrinter{
		Printer: escpos.New(escpos.Config{Port: c.Printer.Port, Baud: c.Printer.Baud, Confirm: escpos.Confirm(c.Printer.Confirm), Bus: libusb.New(), Log: log}),
		columns: c.Printer.Columns, dots: c.Printer.Dots, drawer: c.Printer.Drawer, logo: draw.Logo,
	}
	cfg := spool.Config{
		Path: filepath.Join(c.State, "print.spool"), Lane: l, Journal: d.journal, End: counts.Highest, Printer: printer, Proof: p.Receipt.Proof,
		Draw: papers(draw, d.journal), Clock: time.Now, Log: log,
	}
	for _, name := range p.Receipt.Copies {
		cfg.Copies = append(cfg.Copies, receipt.Copy(name))
	}
	if c.Printer.Drawer != 0 {
		cfg.Drawer = d.drawerOpened(log)
	}
	s, err := spool.Open(cfg)
	if err != nil {
		return nil, err
	}
	return &printing{s, printer}, nil
}

// papers draws what is printed. Real payments and settlements are drawn from the real journal, also while the terminal trains: their paper
// may have waited for the printer, and what cannot be drawn is not printed at all.
func papers(local till.Config, real till.Journal) func(context.Context, spool.Job, bool) (receipt.Sheet, error) {
	asItIs := till.Draw(local)
	local.Journal = real
	draw := till.Draw(local)
	return func(ctx context.Context, j spool.Job, duplicate bool) (receipt.Sheet, error) {
		if j.What == spool.Proof || j.What == spool.Receipt && j.Sale < training.First {
			return draw(ctx, j, duplicate)
		}
		return asItIs(ctx, j, duplicate)
	}
}

// run prints until ctx ends.
func (p *printing) run(ctx context.Context) error {
	err := p.spool.Run(ctx)
	return errors.Join(err, p.printer.Close())
}

// drawerOpened audits that the drawer opens for cash back.
func (d *disk) drawerOpened(log *slog.Logger) func(context.Context, terminal.SaleID, money.Amount, bool, error) {
	return func(ctx context.Context, sale terminal.SaleID, cash money.Amount, done bool, err error) {
		entry := people.Entry{Actor: people.Terminal, Event: people.EventDrawer, Result: people.Tried, Note: people.Note("opens the cash drawer for %s cash back of sale %s", cash.Format(), sale)}
		switch {
		case err != nil:
			entry.Result, entry.Note = people.Failed, people.Note("the cash drawer did not open for sale %s: %v", sale, err)
		case done:
			entry.Result = people.Done
		}
		if err := d.journal.Audit(ctx, entry); err != nil {
			log.Error("the opening of the cash drawer could not be audited", "sale", sale, "err", err)
		}
	}
}
