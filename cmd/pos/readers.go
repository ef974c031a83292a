package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"tillway/device/pcsc"
	"tillway/device/serial"
	"tillway/device/usb"
	"tillway/device/usbccid"
	"tillway/terminal"
	"tillway/till"
)

// machine is where readers can be: nothing of it is opened.
type machine struct {
	sys    fs.FS // /sys
	usb    func(context.Context) ([]usb.Info, error)
	socket string // of pcscd
}

// foundReader is one place in which a reader is, or may be.
type foundReader struct {
	Driver string `json:"driver"` // for [reader] driver
	Port   string `json:"port"`   // for [reader] port
	Name   string `json:"name,omitempty"`
	State  string `json:"state,omitempty"` // as far as it is known without opening it
	Do     string `json:"do,omitempty"`    // what has to be done before it can be used
}

// readersReport is what pos readers says.
type readersReport struct {
	Configured *terminal.Health `json:"configured,omitempty"` // the running terminal's; absent: none runs
	Stripe     *terminal.Health `json:"stripe,omitempty"`
	Found      []foundReader    `json:"found"`
	Notes      []string         `json:"notes,omitempty"`
}

func (a *app) readers() *cobra.Command {
	var socket string
	c := &cobra.Command{
		Use: "readers", Short: "List the card readers that this machine has, and how the terminal's is", Args: args(),
		Long: `readers lists what the terminal could read cards with: card readers on USB, those that pcscd has, and serial ports, behind
which there may be one. DRIVER and PORT are what belongs into [reader] of posd.toml. Nothing is opened, and no reader is disturbed.
The first line is the reader of the terminal that runs, its condition, and when something is wrong the cause and what to do.`,
		Example: "  pos readers\n  pos readers --json",
		RunE: func(c *cobra.Command, _ []string) error {
			m := machine{os.DirFS("/sys"), usb.NewHost().List, socket}
			report := m.find(c.Context())
			a.configured(c.Context(), &report)
			if a.json {
				return a.printJSON(report)
			}
			return a.showReaders(report)
		},
	}
	c.Flags().StringVar(&socket, "pcscd", pcsc.Socket, "socket of pcscd")
	c.AddCommand(a.readersRecord())
	return c
}

// askFor bounds the questions to a daemon and to pcscd.
const askFor = 5 * time.Second

// configured adds the reader of the terminal that runs.
func (a *app) configured(ctx context.Context, report *readersReport) {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	cl := a.client()
	defer cl.close()
	var s till.Status
	if err := cl.get(ctx, "/v1/status", &s); err != nil {
		report.Notes = append(report.Notes, "no terminal runs here, so none of these is known to be in use by it: "+err.Error())
		return
	}
	report.Configured, report.Stripe = &s.Snapshot.Reader, s.Snapshot.Stripe
}

// find looks everywhere.
func (m machine) find(ctx context.Context) readersReport {
	report := readersReport{Found: []foundReader{}}
	note := func(err error) {
		if err != nil {
			report.Notes = append(report.Notes, err.Error())
		}
	}
	devices, err := m.usb(ctx)
	note(err)
	report.Found = append(report.Found, usbReaders(devices)...)
	asking, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	behind, err := pcsc.List(asking, m.socket)
	if err != nil {
		note(fmt.Errorf("readers behind pcscd, for driver \"pcsc\" alone, are not known: %w", err))
	}
	for _, one := range behind {
		found := foundReader{Driver: "pcsc", Port: one.Name, Name: "reader of pcscd", State: "no card"}
		if one.CardIn {
			found.State = "card in"
		}
		if one.Held {
			found.State += ", in use by a program"
		}
		report.Found = append(report.Found, found)
	}
	ports, err := serial.List(m.sys)
	note(err)
	for _, port := range ports {
		report.Found = append(report.Found, foundReader{Driver: "gempc", Port: port, Name: "serial port"})
	}
	return report
}

// classCCID is the USB class of card readers (USB-IF, base class 0B).
const classCCID = 0x0B

// usbReaders are the devices that say that they are card readers, or are known to be.
func usbReaders(devices []usb.Info) []foundReader {
	models, count := map[usb.ID]string{}, map[usb.ID]int{}
	for _, m := range usbccid.Models() {
		models[m.ID] = m.Name
	}
	for _, d := range devices {
		count[d.ID]++
	}
	var found []foundReader
	for _, d := range devices {
		name, known := models[d.ID]
		says, holder := false, ""
		for _, i := range d.Interfaces {
			if i.Class == classCCID {
				says, holder = true, i.Driver
			}
		}
		if !says && !known {
			continue
		}
		one := foundReader{Driver: "usb", Port: d.String(), Name: name, State: "free"}
		if count[d.ID] > 1 {
			one.Port = d.Path // two of a kind: their sockets tell them apart
		}
		if d.Product != "" {
			one.Name = d.Product
		}
		if !known {
			one.Do = fmt.Sprintf("it is on no list: write reader.allow = [%q] into posd.toml too", d.ID)
		}
		if holder == "usbfs" {
			one.State = "in use by a program, often pcscd or the terminal itself"
		}
		found = append(found, one)
	}
	return found
}

func (a *app) showReaders(r readersReport) error {
	if r.Configured != nil {
		a.printf("The terminal's  %s\n", health(*r.Configured))
	}
	if r.Stripe != nil {
		a.printf("For stripes     %s\n", health(*r.Stripe))
	}
	if len(r.Found) == 0 {
		a.printf("No card reader and no serial port was found: is one plugged in?\n")
	} else {
		w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
		_, _ = fmt.Fprintln(w, "DRIVER\tPORT\tWHAT\tSTATE")
		for _, f := range r.Found {
			state := f.State
			if f.Do != "" {
				state += "; " + f.Do
			}
			_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", f.Driver, oneLine(f.Port), oneLine(f.Name), oneLine(state))
		}
		if err := w.Flush(); err != nil {
			return fmt.Errorf("printing: %w", err)
		}
	}
	for _, n := range r.Notes {
		a.printf("Note: %s\n", oneLine(n))
	}
	return nil
}
