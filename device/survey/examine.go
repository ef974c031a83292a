package survey

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"tillway/device"
	"tillway/device/escpos"
	"tillway/device/hid"
	"tillway/device/pcsc"
	"tillway/device/stripehid"
	"tillway/device/usb"
	"tillway/device/usbccid"
	"tillway/terminal/selftest"
)

func itoa(n int) string { return strconv.Itoa(n) }

// maxATR is the longest answer to reset (ISO/IEC 7816-3, 8.2.1).
const maxATR = 33

// Look says what can be seen of a device without opening it: whether it is there, may be opened, and who has it. certain is false where that
// shows nothing wrong, and only Examine, or the driver that has the device, can say more.
func (m Machine) Look(ctx context.Context, p Place) (f selftest.Finding, certain bool) {
	switch {
	case p.Driver == "pcsc":
		return m.lookPCSC(ctx, p)
	case p.Kind == Reader && p.Driver == "usb":
		return m.lookUSB(ctx, p)
	case p.Kind == Printer && (p.Port == "usb" || strings.HasPrefix(p.Port, "usb:")):
		return m.lookUSBPrinter(ctx, p)
	case strings.HasPrefix(p.Port, "/"):
		return m.lookFile(p)
	}
	return p.good("nothing wrong is to be seen without asking it"), false
}

// lookFile is Look of a device that is a file.
func (m Machine) lookFile(p Place) (selftest.Finding, bool) {
	switch err := may(p.Port); {
	case errors.Is(err, fs.ErrNotExist):
		return p.bad("missing", "there is no %s: the %s is not plugged in, or has another name", p.Port, p.Kind.name()), true
	case errors.Is(err, fs.ErrPermission):
		return m.forbidden(p, err), true
	case err != nil:
		return p.bad("missing", "%s cannot be used (%s)", p.Port, plain(err)), true
	}
	if _, held := m.holder(p.Port); held {
		return m.busy(p, p.Port), true
	}
	return p.good("%s is there, and may be opened", p.Port), false
}

// lookUSB is Look of card readers on USB.
func (m Machine) lookUSB(ctx context.Context, p Place) (selftest.Finding, bool) {
	choice, err := usbccid.ParsePort(p.Port)
	if err != nil {
		return p.bad("missing", "%s", plain(err)), true
	}
	devices, err := m.listUSB(ctx)
	if err != nil {
		return selftest.Missed(selftest.Reader, p.subject(), sentence(plain(err))), true
	}
	var stranger *usb.Info
	for _, d := range devices {
		listed, is := isReader(d, p.Allow)
		switch {
		case !is || !choice.Is(d):
		case !listed:
			stranger = &d
		default:
			return m.lookAt(p, d)
		}
	}
	if stranger != nil {
		return p.bad("unlisted", "%s is a card reader of a kind that nobody has tried", usb.Named(*stranger)).
			Do(fmt.Sprintf("To use it all the same, write reader.allow = [%q] into posd.toml, and give it a udev rule.", stranger.ID)), true
	}
	return p.bad("missing", "no card reader is in %s", p.where()), true
}

// lookUSBPrinter is Look of receipt printers on USB. One that usblp has is looked at as a file, by Examine.
func (m Machine) lookUSBPrinter(ctx context.Context, p Place) (selftest.Finding, bool) {
	if files, err := filepath.Glob(m.LP); p.Port == "usb" && err == nil && len(files) > 0 {
		p.Port = files[0]
		return m.lookFile(p)
	}
	devices, err := m.listUSB(ctx)
	if err != nil {
		return selftest.Missed(selftest.Printer, p.subject(), sentence(plain(err))), true
	}
	devices = slices.DeleteFunc(devices, func(d usb.Info) bool {
		return p.Port == "usb" && !escpos.IsPrinter(d) || p.Port != "usb" && d.String() != strings.ToLower(strings.TrimPrefix(p.Port, "usb:"))
	})
	switch len(devices) {
	case 0:
		return p.bad("missing", "no receipt printer is at %s", p.Port), true
	case 1:
		return m.lookAt(p, devices[0])
	}
	return p.good("several devices are at %s", p.Port), false
}

// lookAt says whether one USB device may be opened, and who has it.
func (m Machine) lookAt(p Place, d usb.Info) (selftest.Finding, bool) {
	for _, i := range d.Interfaces {
		if i.Driver != "usbfs" || m.Held == nil {
			continue
		}
		if held, ok := errors.AsType[*usb.HeldError](m.Held(d, i.Number)); ok && (held.PID != 0 || held.Program != "") {
			return m.heldUSB(p, held), true
		}
	}
	if m.Ready != nil {
		if err := m.Ready(d); err != nil {
			return m.Explain(p, err), true
		}
	}
	return p.good("%s is on USB, and may be opened", usb.Named(d)), false
}

// lookPCSC is Look of a reader that pcscd has.
func (m Machine) lookPCSC(ctx context.Context, p Place) (selftest.Finding, bool) {
	ctx, stop := context.WithTimeout(ctx, m.deviceWait())
	defer stop()
	all, err := pcsc.List(ctx, m.socket(p))
	switch {
	case errors.Is(err, device.ErrPermission):
		return p.named("pcscd_refuses", "%s", plain(err)), true
	case err != nil:
		return p.named("pcscd_down", "%s", plain(err)), true
	}
	var names []string
	for _, one := range all {
		names = append(names, one.Name)
		if strings.Contains(strings.ToLower(one.Name), strings.ToLower(p.Port)) {
			return p.good("pcscd has %s", one.Name), false
		}
	}
	if len(names) == 0 {
		return p.bad("missing", "pcscd runs, and has no reader at all"), true
	}
	return p.bad("missing", "pcscd has no reader %q; it has %s", p.Port, strings.Join(names, ", ")), true
}

// Examine opens a device, asks it how it is, and closes it. It is for a device that no terminal has: one that is in use is said to be.
// It ends with the context, and by itself after half a minute at most.
func (m Machine) Examine(ctx context.Context, p Place) selftest.Finding {
	if ctx.Err() != nil {
		return selftest.Missed(p.Kind.check(), p.subject(), sentence(plain(ctx.Err())))
	}
	f, certain := m.Look(ctx, p)
	switch {
	case certain:
		return f
	case p.Kind == Printer:
		return m.examinePrinter(ctx, p)
	case p.Kind == Reader && p.Driver == "tcp":
		return m.examineTCP(ctx, p)
	case p.Kind == Reader && p.Driver == "text":
		return p.good("%s; whether a stripe reader is on it shows when a card is swiped", strings.TrimSuffix(f.Cause, "."))
	case p.Kind == Reader && p.Driver != "gempc":
		return m.examineReader(ctx, p)
	}
	return m.examineSerial(ctx, p)
}

// open starts a reader's driver.
func (m Machine) open(p Place) (device.Reader, error) {
	switch p.Driver {
	case "usb":
		return usbccid.Open(usbccid.Config{Bus: m.USB, Port: p.Port, Allow: p.Allow})
	case "pcsc":
		return pcsc.Open(pcsc.Config{Port: p.Port, Socket: m.socket(p)})
	case "magtek", "idtech":
		var ids []hid.ID
		for _, id := range p.Allow {
			ids = append(ids, hid.ID(id))
		}
		return stripehid.Open(stripehid.Config{Maker: p.Driver, Port: p.Port, Also: ids})
	}
	return nil, fmt.Errorf("reader driver %q is not known", p.Driver)
}

// examineReader has a reader's own driver find out how it is.
func (m Machine) examineReader(ctx context.Context, p Place) (f selftest.Finding) {
	r, err := m.open(p)
	if err != nil {
		return p.bad("missing", "%s", plain(err))
	}
	defer func() {
		if err := r.Close(); err != nil && f.Status == selftest.OK {
			f = m.Explain(p, err)
		}
	}()
	status := settled(ctx, r, m.deviceWait())
	if status.Condition == device.Absent {
		return m.absent(p, status.Cause)
	}
	return m.Card(ctx, p, r)
}

// settled is a reader's status once its driver has found it, or has given up.
func settled(ctx context.Context, r device.Reader, wait time.Duration) device.Status {
	const every = 20 * time.Millisecond
	for range int(wait / every) {
		if status := r.Status(); status.Condition != device.Absent {
			return status
		}
		select {
		case <-ctx.Done():
			return r.Status()
		case <-time.After(every):
		}
	}
	return r.Status()
}

// absent is a reader that its driver cannot use although nothing was to be seen from outside.
func (m Machine) absent(p Place, cause string) selftest.Finding {
	for id, means := range map[string]error{"permission": device.ErrPermission, "in_use": device.ErrBusy, "missing": device.ErrUnplugged, "wrong_device": device.ErrProtocol} {
		if strings.Contains(cause, means.Error()) {
			return p.bad(id, "%s", plain(errors.New(cause)))
		}
	}
	return p.bad("silent", "%s", plain(errors.New(cause)))
}

// Card says whether the card in a reader, if there is one, answers. The reader stays its caller's; nobody else may use it meanwhile. The card
// is given power once and then none: nothing is read of it.
func (m Machine) Card(ctx context.Context, p Place, r device.Reader) selftest.Finding {
	if r.Status().Condition == device.NoCard {
		return p.good("%s works; no card is in it", r.Name())
	}
	within, stop := context.WithTimeout(ctx, m.cardWait())
	defer stop()
	_, err := r.Present(within)
	switch {
	case err == nil:
		if err := r.Release(ctx); err != nil {
			return m.Explain(p, err)
		}
		return p.good("%s works; the card in it answers", r.Name())
	case r.Status().Condition == device.NoCard:
		return p.good("%s works; no card is in it", r.Name())
	case errors.Is(err, device.ErrMute), errors.Is(err, device.ErrProtocol), errors.Is(err, device.ErrTimeout):
		return m.Explain(p, device.ErrMute)
	}
	return m.Explain(p, err)
}

// examineTCP is a card at the end of a network line, by vpcd's protocol: it is asked for its answer to reset.
func (m Machine) examineTCP(ctx context.Context, p Place) selftest.Finding {
	ctx, stop := context.WithTimeout(ctx, m.deviceWait())
	defer stop()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", strings.TrimPrefix(p.Port, "tcp:"))
	if err != nil {
		return p.bad("missing", "nobody answers at %s (%s)", p.Port, plain(err))
	}
	defer func() { _ = conn.Close() }() // nothing is buffered
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	answer := make([]byte, 2+maxATR)
	if _, err = conn.Write([]byte{0, 1, 4}); err == nil {
		_, err = io.ReadFull(conn, answer[:2])
	}
	n := int(binary.BigEndian.Uint16(answer))
	switch {
	case err != nil:
		return p.bad("silent", "%s is open, and no card answers (%s)", p.Port, plain(err))
	case n > maxATR || n == 1:
		return p.bad("wrong_device", "what answers at %s is no card", p.Port)
	case n == 0:
		return p.good("%s answers; no card is in it", p.Port)
	}
	if _, err := io.ReadFull(conn, answer[2:2+n]); err != nil || answer[2] != 0x3B && answer[2] != 0x3F {
		return p.bad("wrong_device", "what answers at %s is no card", p.Port)
	}
	return p.good("%s answers, and a card is in it", p.Port)
}

// examinePrinter asks a printer for its state. Nothing is printed.
func (m Machine) examinePrinter(ctx context.Context, p Place) selftest.Finding {
	serialPort := strings.HasPrefix(p.Port, "/") && !strings.HasPrefix(p.Port, "/dev/usb/lp")
	if serialPort {
		if f := m.examineSerial(ctx, p); f.Status != selftest.OK {
			return f
		}
	} else if f, certain := m.askPrinter(ctx, p); certain {
		return f
	}
	printer := escpos.New(escpos.Config{Port: p.Port, Baud: p.Baud, Bus: m.USB})
	err := printer.Ready(ctx)
	state := printer.State()
	f := m.Explain(p, err)
	switch {
	case errors.Is(err, escpos.ErrSilent):
		f = p.bad("silent", "nothing answers at %s", p.where())
	case err == nil && state.PaperLow:
		f = p.named("printer_paper_low", "the receipt printer says that its roll is nearly at its end")
	case err == nil:
		f = p.good("the receipt printer at %s is ready", p.where())
	}
	if err := printer.Close(); err != nil && f.Status == selftest.OK {
		return m.Explain(p, err)
	}
	return f
}

// askPrinter asks who is at a printer's port that is no serial line. certain: no printer that could be used.
func (m Machine) askPrinter(ctx context.Context, p Place) (f selftest.Finding, certain bool) {
	heard, _, known, err := escpos.Ask(ctx, escpos.Config{Port: p.Port, Bus: m.USB})
	switch {
	case errors.Is(err, device.ErrBusy) && p.Port == "usb":
		if _, held := errors.AsType[*usb.HeldError](err); !held {
			return p.named("printer_several", "%s", plain(err)), true
		}
		return m.Explain(p, err), true
	case errors.Is(err, device.ErrProtocol):
		return p.bad("wrong_device", "%s", plain(err)), true
	case err != nil:
		return m.Explain(p, err), true
	case known:
		return f, false
	case len(heard) > 0:
		return p.bad("wrong_device", "something answers at %s, and not as a receipt printer does (ESC/POS)", p.where()), true
	}
	return p.bad("silent", "%s takes what is sent, and says nothing: no receipt printer, or one without ESC/POS", p.where()), true
}
