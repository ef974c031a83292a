package survey

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tillway/device"
	"tillway/device/escpos"
	"tillway/device/pcsc"
	"tillway/device/serial"
	"tillway/device/usb"
	"tillway/device/usbccid"
	"tillway/terminal/selftest"
)

// Found is one place in which a device is, or may be.
type Found struct {
	Driver string `json:"driver"` // for [reader] driver, or [printer] driver
	Port   string `json:"port"`   // for the port beside it
	Name   string `json:"name,omitempty"`
	State  string `json:"state,omitempty"` // as far as it is known without opening it
	Do     string `json:"do,omitempty"`    // what has to be done before it can be used

	Finding *selftest.Finding `json:"finding,omitempty"` // what is wrong with it, as far as that is to be seen
}

// List is what a machine has of one kind, and what could not be looked at.
type List struct {
	Found []Found
	Notes []string
}

func (l *List) note(err error) {
	if err != nil {
		l.Notes = append(l.Notes, err.Error())
	}
}

// askFor bounds the question to pcscd.
const askFor = 5 * time.Second

// Readers lists what cards could be read with. Nothing is opened, and no reader is disturbed.
func (m Machine) Readers(ctx context.Context) List {
	l := List{Found: []Found{}}
	devices, err := m.listUSB(ctx)
	l.note(err)
	l.Found = append(l.Found, m.usbReaders(devices)...)
	asking, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	behind, err := pcsc.List(asking, m.socket(Place{}))
	if err != nil {
		l.note(fmt.Errorf("readers behind pcscd, for driver \"pcsc\" alone, are not known: %w", err))
	}
	for _, one := range behind {
		found := Found{Driver: "pcsc", Port: one.Name, Name: "reader of pcscd", State: "no card"}
		if one.CardIn {
			found.State = "card in"
		}
		if one.Held {
			found.State += ", in use by a program"
		}
		l.Found = append(l.Found, found)
	}
	l.ports(m, Reader, "gempc")
	return l
}

// ports adds the serial ports, behind which there may be anything.
func (l *List) ports(m Machine, kind Kind, driver string) {
	ports, err := serial.List(m.Sys)
	l.note(err)
	for _, port := range ports {
		l.Found = append(l.Found, m.file(kind, driver, port, "serial port"))
	}
}

// file is a device that is a file.
func (m Machine) file(kind Kind, driver, port, name string) Found {
	found := Found{Driver: driver, Port: port, Name: name}
	if holder, held := m.holder(port); held {
		found.State = fmt.Sprintf("in use by %s (process %d)", holder.Program, holder.PID)
	}
	place := Place{Kind: kind, Port: port}
	if kind == Reader {
		place.Driver = driver
	}
	f, certain := m.lookFile(place)
	if !certain || ours(f) || strings.HasSuffix(f.Fault, "_missing") { // what /sys lists and /dev has not is a container's, and no fault of the device
		return found
	}
	found.Finding = &f
	if strings.HasSuffix(f.Fault, "_permission") {
		found.State, found.Do = "may not be opened by this user", f.Fix
	}
	return found
}

// classCCID is the USB class of card readers (USB-IF, base class 0B), and classPrinter of printers (07).
const (
	classCCID    = 0x0B
	classPrinter = 0x07
)

// isReader says that a device says of itself that it is a card reader, or is listed as one.
func isReader(d usb.Info, allow []usb.ID) (listed, is bool) {
	listed = slices.ContainsFunc(usbccid.Models(), func(m usbccid.Model) bool { return m.ID == d.ID }) || slices.Contains(allow, d.ID)
	return listed, listed || slices.ContainsFunc(d.Interfaces, func(i usb.Interface) bool { return i.Class == classCCID })
}

// ours says that what has a device is the terminal itself, which is no fault.
func ours(f selftest.Finding) bool {
	return strings.Contains(f.Cause, "in use by posd (process") || strings.Contains(f.Cause, "in use by keyd (process")
}

// portsOf are the ports that devices on USB are named by: ids, and where two are of a kind, their sockets.
func portsOf(devices []usb.Info) func(usb.Info) string {
	count := map[usb.ID]int{}
	for _, d := range devices {
		count[d.ID]++
	}
	return func(d usb.Info) string {
		if count[d.ID] > 1 {
			return d.Path
		}
		return d.String()
	}
}

// usbReaders are the devices that say that they are card readers, or are known to be.
func (m Machine) usbReaders(devices []usb.Info) (all []Found) {
	models := map[usb.ID]string{}
	for _, m := range usbccid.Models() {
		models[m.ID] = m.Name
	}
	port := portsOf(devices)
	for _, d := range devices {
		listed, is := isReader(d, nil)
		if !is {
			continue
		}
		one := Found{Driver: "usb", Port: port(d), Name: models[d.ID], State: "free"}
		if d.Product != "" {
			one.Name = d.Product
		}
		if !listed {
			one.Do = fmt.Sprintf("it is on no list: write reader.allow = [%q] into posd.toml too", d.ID)
		}
		m.onUSB(&one, Place{Kind: Reader, Driver: "usb", Port: one.Port}, d, "in use by a program, often pcscd or the terminal itself")
		all = append(all, one)
	}
	return all
}

// onUSB adds who has a device on USB, and whether it may be opened.
func (m Machine) onUSB(one *Found, p Place, d usb.Info, somebody string) {
	if slices.ContainsFunc(d.Interfaces, func(i usb.Interface) bool { return i.Driver == "usbfs" }) {
		one.State = somebody
	}
	f, certain := m.lookAt(p, d)
	if !certain {
		return
	}
	if !ours(f) {
		one.Finding = &f
	}
	switch {
	case strings.HasSuffix(f.Fault, "_permission"):
		one.State = "may not be opened by this user"
		one.Do = strings.TrimPrefix(one.Do+"; "+f.Fix, "; ")
	case one.State == somebody && f.Cause != "":
		one.State = strings.TrimSuffix(f.Cause, ".")
	}
}

// Printers lists what receipts could be printed with. Nothing is opened and nothing printed.
func (m Machine) Printers(ctx context.Context) List {
	l := List{Found: []Found{}}
	devices, err := m.listUSB(ctx)
	l.note(err)
	port := portsOf(devices)
	for _, d := range devices {
		if !escpos.IsPrinter(d) {
			continue
		}
		one := Found{Driver: "escpos", Port: "usb:" + port(d), Name: d.Product, State: "free"}
		if strings.Contains(one.Port, "-") {
			one.Port, one.Do = "usb:"+d.String(), "there are two of a kind: unplug one, or use the files /dev/usb/lp*"
		}
		if slices.ContainsFunc(d.Interfaces, func(i usb.Interface) bool { return i.Class == classPrinter && i.Driver == "usblp" }) {
			one.State = "the kernel's usblp has it, and lets the terminal use it"
		}
		m.onUSB(&one, Place{Kind: Printer, Port: one.Port}, d, "in use by a program, often cupsd or the terminal itself")
		l.Found = append(l.Found, one)
	}
	if m.LP != "" {
		files, err := filepath.Glob(m.LP)
		l.note(err)
		for _, file := range files {
			l.Found = append(l.Found, m.file(Printer, "escpos", file, "printer of the kernel's usblp"))
		}
	}
	l.ports(m, Printer, "escpos")
	return l
}

// Health says what a running terminal's device is: the terminal's own word where it works, and where it does not, what is found out beside
// it. examine allows to open the device while its driver does not have it, which only the process that drives it should do.
func (m Machine) Health(ctx context.Context, p Place, ok bool, state, cause string, examine bool) selftest.Finding {
	switch {
	case ok:
		return p.good("%s", state)
	case p.Kind == Printer && cause != "":
		return m.PrinterHealth(ctx, p, cause)
	case p.Kind == Printer && examine:
		if f := m.Examine(ctx, p); !strings.HasSuffix(f.Fault, "_in_use") {
			return f
		}
		return selftest.Missed(selftest.Printer, p.subject(), "The terminal has the printer, and has not asked it yet.")
	case p.Kind == Printer:
		return selftest.Missed(selftest.Printer, p.subject(), "The terminal has not asked the printer yet.")
	}
	if strings.Contains(state, "card fault") {
		return p.named("card_mute", "the card in %s does not answer: it is the wrong way round, dirty or damaged", p.where())
	}
	f, certain := m.Look(ctx, p)
	if certain && f.Status != selftest.OK && !ours(f) {
		return f
	}
	if examine {
		if f := m.Examine(ctx, p); f.Status != selftest.OK && !strings.HasSuffix(f.Fault, "_in_use") {
			return f
		}
	}
	return m.absent(p, strings.TrimSpace(cause))
}

// PrinterHealth says what keeps a running terminal's receipt printer from printing. cause is the terminal's own word, in which the sentences of
// package escpos come over its socket.
func (m Machine) PrinterHealth(ctx context.Context, p Place, cause string) selftest.Finding {
	for _, f := range printerFaults {
		if strings.Contains(cause, f.err.Error()) {
			return m.Explain(p, f.err)
		}
	}
	if f, certain := m.Look(ctx, p); certain && f.Status != selftest.OK && !strings.HasSuffix(f.Fault, "_in_use") {
		return f // that it is in use is the terminal's own use
	}
	if strings.HasPrefix(p.Port, "tcp:") && strings.Contains(cause, device.Called("receipt printer", device.ErrUnplugged).Error()) {
		return m.unplugged(p, errors.New(cause))
	}
	return m.absent(p, strings.TrimSpace(cause))
}

// errNoTestPage says that the place is no printer's.
var errNoTestPage = errors.New("only a receipt printer prints a test page")

// TestPage prints a page that shows whether paper and width are right, on a printer that no terminal has. columns are the characters of a
// line. nil means that the printer has said that it is on paper; errors as escpos.Printer.Print has them.
func (m Machine) TestPage(ctx context.Context, p Place, columns int, confirm escpos.Confirm) (err error) {
	if p.Kind != Printer {
		return errNoTestPage
	}
	printer := escpos.New(escpos.Config{Port: p.Port, Baud: p.Baud, Bus: m.USB, Confirm: confirm})
	defer func() { err = errors.Join(err, printer.Close()) }()
	return printer.Print(ctx, []escpos.Part{{Lines: testPage(p, columns)}})
}

// testPage is what it says.
func testPage(p Place, columns int) []escpos.Text {
	ruler := strings.Repeat("1234567890", columns/10+1)[:columns]
	return []escpos.Text{
		{Text: "PRINTER TEST", Style: escpos.Tall},
		{Text: p.Port},
		{Text: ruler},
		{Text: fmt.Sprintf("One line of %d characters, to its end.", columns)},
		{Text: "If it is cut, or goes on below: correct"},
		{Text: "columns in [printer] of posd.toml."},
		{Text: "NOT A RECEIPT", Style: escpos.Bold},
	}
}
