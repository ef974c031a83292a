package escpos

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"tillway/device"
	"tillway/device/usb"
)

// printerClass is the USB class of printers; usblp takes those.
const printerClass = 0x07

// vendorClass is Epson's id of a printer that is set to its own class, which usblp leaves alone.
var vendorClass = usb.ID{Vendor: 0x04B8, Product: 0x0202}

// usbPort is the id that a port names: "usb:04b8:0202". The zero id is any printer.
func usbPort(port string) (usb.ID, error) {
	text, named := strings.CutPrefix(port, "usb:")
	if !named {
		return usb.ID{}, nil
	}
	return usb.ParseID(text)
}

// bulkLine is a printer's two bulk endpoints.
type bulkLine struct {
	dev     usb.Device
	in, out usb.Endpoint
	rest    []byte // of the last packet, for which a Read had no room
}

// openBus opens a printer on USB without the kernel's driver, which is told to let go until Close.
func openBus(ctx context.Context, bus usb.Bus, want usb.ID) (Line, error) {
	all, err := bus.List(ctx)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(i usb.Info) bool { return !isPrinter(i, want) })
	if len(all) > 1 && want == (usb.ID{}) { // the other may be the office's, and would be taken from the kernel's driver
		var ids []string
		for _, i := range all {
			ids = append(ids, i.String())
		}
		return nil, fmt.Errorf("%w: several printers on USB (%s): name the receipt printer, port = \"usb:%s\"", device.ErrBusy, strings.Join(ids, ", "), ids[0])
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%w: no receipt printer on USB: is it switched on, and its cable in? One that is not of the printer class is named by its id: port = \"usb:04b8:0202\"", device.ErrUnplugged)
	}
	dev, err := bus.Open(ctx, all[0])
	if err != nil {
		return nil, err
	}
	l, err := claim(ctx, dev)
	if err != nil {
		_ = dev.Close() // what is wrong is said already
		return nil, err
	}
	return l, nil
}

// isPrinter says that a device is the one that is wanted, or without a wish, a printer.
func isPrinter(i usb.Info, want usb.ID) bool {
	if want != (usb.ID{}) {
		return i.ID == want
	}
	return i.ID == vendorClass || slices.ContainsFunc(i.Interfaces, func(f usb.Interface) bool { return f.Class == printerClass })
}

// claim takes the first interface with a bulk endpoint each way, the printer class first.
func claim(ctx context.Context, dev usb.Device) (Line, error) {
	text, err := dev.Configuration(ctx)
	if err != nil {
		return nil, err
	}
	settings, err := usb.ParseConfiguration(text)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(settings, func(a, b usb.Setting) int { return other(a) - other(b) })
	for _, s := range settings {
		l := &bulkLine{dev: dev}
		for _, e := range s.Endpoints {
			switch {
			case e.Kind != usb.Bulk:
			case e.Address&0x80 != 0:
				l.in = e
			default:
				l.out = e
			}
		}
		if l.in.Address != 0 && l.out.Address != 0 {
			return l, dev.Claim(ctx, s.Number, s.Alternate)
		}
	}
	return nil, fmt.Errorf("%w: %s has no way to a printer and back (bulk endpoints): a receipt printer that cannot answer is not driven", device.ErrProtocol, dev.Info().ID)
}

func other(s usb.Setting) int {
	if s.Class == printerClass {
		return 0
	}
	return 1
}

// Read waits for a packet with something in it.
func (l *bulkLine) Read(ctx context.Context, b []byte) (int, error) {
	if len(l.rest) > 0 {
		n := copy(b, l.rest)
		l.rest = l.rest[n:]
		return n, nil
	}
	packets := make([]byte, max(l.in.MaxPacket, len(b)/l.in.MaxPacket*l.in.MaxPacket))
	for {
		n, err := l.dev.Read(ctx, l.in.Address, packets)
		if n > 0 {
			got := copy(b, packets[:n])
			l.rest = packets[got:n]
			return got, nil
		}
		if err != nil {
			return 0, lineError("USB", err)
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(emptyPause):
		}
	}
}

// Write sends all bytes.
func (l *bulkLine) Write(ctx context.Context, b []byte) error {
	for len(b) > 0 {
		n, err := l.dev.Write(ctx, l.out.Address, b)
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return lineError("USB", err)
		}
		b = b[n:]
	}
	return nil
}

// Close gives the printer back to the kernel's driver.
func (l *bulkLine) Close() error { return l.dev.Close() }
