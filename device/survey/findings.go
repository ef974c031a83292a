package survey

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"tillway/device"
	"tillway/device/escpos"
	"tillway/device/pinpad"
	"tillway/device/usb"
	"tillway/terminal/selftest"
)

// prefix of a kind's faults, the check that they belong to, and what people call it.
var kinds = map[Kind]struct{ prefix, check, name string }{
	Reader:  {"reader_", selftest.Reader, "card reader"},
	Pad:     {"pin_pad_", selftest.PINPad, "PIN pad"},
	Printer: {"printer_", selftest.Printer, "receipt printer"},
}

func (k Kind) name() string  { return kinds[k].name }
func (k Kind) check() string { return kinds[k].check }

// subject is the device as a finding names it.
func (p Place) subject() string { return strings.TrimSpace(p.Driver + " " + p.Port) }

// bad is a finding of a fault that several kinds have: "missing" of a reader is reader_missing.
func (p Place) bad(what, format string, args ...any) selftest.Finding {
	return selftest.Bad(kinds[p.Kind].prefix+what, p.subject(), sentence(fmt.Sprintf(format, args...)))
}

// named is a finding of a fault by its own id.
func (p Place) named(id, format string, args ...any) selftest.Finding {
	return selftest.Bad(id, p.subject(), sentence(fmt.Sprintf(format, args...)))
}

func (p Place) good(format string, args ...any) selftest.Finding {
	return selftest.Good(p.Kind.check(), p.subject(), sentence(fmt.Sprintf(format, args...)))
}

// sentence ends with a full stop and begins with a capital.
func sentence(s string) string {
	s = strings.TrimRight(strings.TrimSpace(s), ".")
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:] + "."
}

// printerFaults are the printer's own, by what its driver says.
var printerFaults = []struct {
	err   error
	id    string
	cause string
}{
	{escpos.ErrPaperOut, "printer_paper_out", "the receipt printer says that it has no paper"},
	{escpos.ErrCoverOpen, "printer_cover_open", "the receipt printer says that its cover is open"},
	{escpos.ErrCutter, "printer_cutter", "the receipt printer says that its cutter is stuck"},
	{escpos.ErrFault, "printer_fault", "the receipt printer reports a fault"},
	{escpos.ErrOffline, "printer_offline", "the receipt printer says that it is off line, and not why"},
}

// Explain says what an error of a device's driver means. nil is a device that works; an error that is none of a device's is a
// device that does not answer, and says what the driver said.
func (m Machine) Explain(p Place, err error) selftest.Finding {
	for _, f := range printerFaults {
		if errors.Is(err, f.err) {
			return p.named(f.id, "%s", f.cause)
		}
	}
	switch held, isHeld := errors.AsType[*usb.HeldError](err); {
	case err == nil:
		return p.good("it answers")
	case isHeld:
		return m.heldUSB(p, held)
	case errors.Is(err, pinpad.ErrTampered):
		return p.named("pin_pad_tampered", "the PIN pad on %s says that it was opened or changed", p.Port)
	case errors.Is(err, pinpad.ErrPairing):
		return p.named("pin_pad_not_paired", "the PIN pad on %s and this terminal have not the same pairing key", p.Port)
	case errors.Is(err, device.ErrMute):
		return p.named("card_mute", "the card in %s does not answer: it is the wrong way round, dirty or damaged", p)
	case errors.Is(err, device.ErrPermission):
		return m.forbidden(p, err)
	case errors.Is(err, device.ErrBusy):
		return m.busy(p, p.Port)
	case errors.Is(err, fs.ErrNotExist):
		return p.bad("missing", "there is no %s at %s", p.Kind.name(), p.where())
	case errors.Is(err, device.ErrUnplugged):
		return m.unplugged(p, err)
	case errors.Is(err, device.ErrProtocol):
		return p.bad("wrong_device", "what answers at %s does not speak as a %s does", p.where(), p.Kind.name())
	}
	return p.bad("silent", "nothing answers at %s as a %s does (%s)", p.where(), p.Kind.name(), plain(err))
}

// where is the port for people; a driver that takes any device has none.
func (p Place) where() string {
	if p.Port == "" {
		return "any socket of USB"
	}
	return p.Port
}

// plain is an error on one line, of a length that a technician reads.
func plain(err error) string {
	const most = 200
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer in time"
	}
	text := usb.Printable(strings.ReplaceAll(err.Error(), "\n", "; "))
	return strings.TrimRight(text[:min(len(text), most)], ". ")
}

// unplugged is a device that is not there, of which there is more than one kind.
func (m Machine) unplugged(p Place, err error) selftest.Finding {
	if strings.HasPrefix(p.Port, "tcp:") {
		id := "missing"
		if p.Kind == Printer {
			id = "unreachable"
		}
		return p.bad(id, "nobody answers at %s (%s)", p.Port, plain(err))
	}
	return p.bad("missing", "there is no %s at %s: it is not plugged in, switched off, or elsewhere", p.Kind.name(), p.where())
}

// forbidden is a device that this user may not open.
func (m Machine) forbidden(p Place, err error) selftest.Finding {
	if p.Driver == "pcsc" {
		return p.named("pcscd_refuses", "%s", plain(err))
	}
	if !strings.HasPrefix(p.Port, "/") {
		f := p.bad("permission", "%s", plain(trimmed(err)))
		return f.Do("Install the udev rules of the package (packaging/udev) with a line for this device, run udevadm control --reload, and plug it in again.")
	}
	f := p.bad("permission", "%s may not be opened by this user", p.Port)
	if group := groupOf(p.Port); group != "" {
		return f.Do(fmt.Sprintf("Put the user that the terminal runs as into the group %s (usermod -aG %s USER), and start the terminal again.", group, group))
	}
	return f.Do(fmt.Sprintf("The rights of %s let no group open it: give it a udev rule with GROUP=\"tillway\", MODE=\"0660\", and plug it in again.", p.Port))
}

// trimmed takes what a driver advises off its cause.
func trimmed(err error) error {
	text, _, _ := strings.Cut(strings.TrimPrefix(err.Error(), device.ErrPermission.Error()+": "), ": install")
	return errors.New(text)
}

// busy is a file that another program has.
func (m Machine) busy(p Place, file string) selftest.Finding {
	holder, known := m.holder(file)
	switch {
	case !known:
		return p.bad("in_use", "%s is in use by a program, of another user perhaps", p.where()).
			Do(fmt.Sprintf("Find it as root (fuser -v %s) and stop it.", file))
	case p.Kind == Reader && holder.Program == "pcscd":
		return p.bad("claimed", "%s is in use by pcscd (process %d)", p.where(), holder.PID)
	case holder.Program == "ModemManager":
		return p.bad("in_use", "%s is in use by ModemManager (process %d), which takes serial ports for modems", p.where(), holder.PID).
			Do("Stop it for good: systemctl disable --now ModemManager.")
	}
	return p.bad("in_use", "%s is in use by %s (process %d)", p.where(), holder.Program, holder.PID).
		Do(fmt.Sprintf("Stop %s, and see that it does not start again.", holder.Program))
}

// heldUSB is an interface on USB that somebody else has.
func (m Machine) heldUSB(p Place, e *usb.HeldError) selftest.Finding {
	who := e.Program
	if e.PID != 0 {
		who = fmt.Sprintf("%s (process %d)", e.Program, e.PID)
	}
	driver := ""
	for _, i := range e.Info.Interfaces {
		if i.Number == e.Interface && i.Driver != "usbfs" {
			driver = i.Driver
		}
	}
	switch {
	case p.Kind == Reader && e.Program == "pcscd":
		return p.bad("claimed", "%s is in use by %s", usb.Named(e.Info), who)
	case e.Program == "" && driver != "" && p.Kind == Reader:
		return p.bad("kernel_driver", "%s is in use by the kernel's driver %s", usb.Named(e.Info), driver).
			Do(fmt.Sprintf("Write \"blacklist %s\" into /etc/modprobe.d/tillway.conf, and start the machine anew.", driver))
	case who == "":
		who = "another program"
	}
	return p.bad("in_use", "%s is in use by %s", usb.Named(e.Info), who)
}
