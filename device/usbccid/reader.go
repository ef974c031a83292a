package usbccid

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"tillway/device"
	"tillway/device/ccid"
	"tillway/device/usb"
)

// How often the driver looks by itself. A change on the bus, and a movement that an interrupt endpoint tells, are
// looked at at once.
const (
	pollTold    = 5 * time.Second        // at the slot of a reader that tells movements
	pollSilent  = 400 * time.Millisecond // at the slot of one without an interrupt endpoint (libccid's rate)
	reopenEvery = 5 * time.Second        // for a reader that is not there
	retryEvery  = 500 * time.Millisecond // at one that is there and cannot be used: udevd may still have to permit it
)

// Config is what a driver of USB readers needs to know.
type Config struct {
	Bus   usb.Bus
	Port  string       // which reader: see ParsePort
	Allow []usb.ID     // readers that are driven besides Models
	Log   *slog.Logger // connection and loss of the reader, never data of a card; nil for none

	// Patience is the longest silence of a reader that owes an answer, the card's own waiting time not included;
	// 0 means ccid.DefaultPatience.
	Patience time.Duration

	// Tap, when there, is told each message. It must not block, nor keep b. It sees card data: it is for recordings.
	Tap func(out bool, b []byte)

	Poll time.Duration // how often a slot without interrupt endpoint is looked at; 0 is the driver's own choice
}

// Open starts the driver. A reader that is not there, or may not be opened, is no error: Status says why and Present
// waits for it. The error is a configuration that can never work.
func Open(config Config) (*Reader, error) {
	choice, err := ParsePort(config.Port)
	if err != nil {
		return nil, err
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	life, end := context.WithCancel(context.Background())
	c := connector{config: config, choice: choice}
	return &Reader{end: end, Reader: ccid.NewReader(ccid.ReaderConfig{
		Driver: "usb", Port: config.Port, Log: config.Log, Patience: config.Patience, Tap: config.Tap, Connect: c.connect,
		Plugged: config.Bus.Changes(life), Reopen: reopenEvery, Retry: retryEvery,
		Silent: "the card reader is on the bus, but does not answer: unplug it and plug it in again",
	})}, nil
}

// Reader is one USB reader. It is safe for concurrent use, as device.Reader asks for.
type Reader struct {
	*ccid.Reader
	end context.CancelFunc // of the changes on the bus
}

// Close ends the driver and waits for its goroutines.
func (r *Reader) Close() error {
	err := r.Reader.Close()
	r.end()
	return err
}

// Port is which reader is meant.
type Port struct {
	any  bool
	id   usb.ID // where its vendor is not 0
	text string // else a socket or a serial number
}

// ParsePort reads what the configuration says of the reader's place: "" for any reader, a vendor and product like
// "08e6:3437", a socket like "1-2.4" (pos readers names it), or the serial number that the reader tells.
func ParsePort(text string) (Port, error) {
	if text == "" {
		return Port{any: true}, nil
	}
	if usb.Printable(text) != text || strings.HasPrefix(text, "/") {
		return Port{}, fmt.Errorf("%q is no USB reader: leave it empty, or write its id like 08e6:3437, its socket like 1-2.4, or its serial number", text)
	}
	if id, err := usb.ParseID(text); err == nil {
		return Port{id: id}, nil
	}
	return Port{text: text}, nil
}

// Is says that a device is the one that is meant, or one of them.
func (p Port) Is(info usb.Info) bool {
	switch {
	case p.any:
		return true
	case p.text == "":
		return info.ID == p.id
	}
	return info.Path == p.text || info.Serial == p.text
}

// looksLikeReader says that a device has an interface of the class, or is on a list.
func looksLikeReader(info usb.Info, allow []usb.ID) bool {
	for _, one := range info.Interfaces {
		if one.Class == classCCID && one.Protocol == 0 {
			return true
		}
	}
	return known(info.ID, allow)
}

// connector finds a reader and reaches it.
type connector struct {
	config Config
	choice Port
}

// connect reaches the first reader that can be used. Error: why the likeliest one cannot, or device.ErrUnplugged.
func (c connector) connect(ctx context.Context) (*ccid.Connection, error) {
	all, err := c.config.Bus.List(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", device.ErrUnplugged, err)
	}
	var failed, strangers error
	for _, info := range all {
		switch {
		case !c.choice.Is(info) || !looksLikeReader(info, c.config.Allow):
		case !known(info.ID, c.config.Allow):
			strangers = fmt.Errorf("%w: %s is a card reader that is not on the list: to use it, write reader.allow = [%q] in posd.toml and start again",
				device.ErrPermission, title(info), info.ID)
		default:
			conn, err := c.reach(ctx, info)
			if err == nil {
				return conn, nil
			}
			if failed == nil {
				failed = explain(err)
			}
		}
	}
	switch {
	case failed != nil:
		return nil, failed
	case strangers != nil:
		return nil, strangers
	case c.choice.any:
		return nil, fmt.Errorf("%w: no USB card reader is plugged in", device.ErrUnplugged)
	}
	return nil, fmt.Errorf("%w: no USB card reader %s is plugged in", device.ErrUnplugged, c.config.Port)
}

// title tells a technician which reader is meant.
func title(info usb.Info) string {
	return strings.Join(strings.Fields(fmt.Sprintf("%s at %s %s %s", info.ID, info.Path, info.Manufacturer, info.Product)), " ")
}

// explain adds what this driver knows to a cause: pcscd shares its readers.
func explain(err error) error {
	held, ok := errors.AsType[*usb.HeldError](err)
	if ok && held.Program == "pcscd" {
		return fmt.Errorf("%w, with \"systemctl disable --now pcscd.socket pcscd.service\", or let it: write [reader] driver = \"pcsc\" in posd.toml", err)
	}
	return err
}

// reach opens a reader, checks what it says of itself and claims it.
func (c connector) reach(ctx context.Context, info usb.Info) (conn *ccid.Connection, err error) {
	opened, err := c.config.Bus.Open(ctx, info)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, opened.Close())
		}
	}()
	configuration, err := opened.Configuration(ctx)
	if err != nil {
		return nil, err
	}
	l, err := parse(configuration, info.ID)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", title(info), err)
	}
	if err := opened.Claim(ctx, l.setting.Number, l.setting.Alternate); err != nil {
		return nil, err
	}
	w := newWire(opened, l)
	conn = &ccid.Connection{
		Transport: w, Features: l.features, Changed: w.changed, Poll: pollTold, Close: w.close,
		Greet: func(ctx context.Context, slot *ccid.Slot) (string, error) {
			// The state of the slot; with it, a reader that was in the middle of something tells that it is listening.
			_, err := slot.Refresh(ctx)
			return title(info), err
		},
	}
	if l.interrupt.Address == 0 {
		conn.Poll = pollSilent
		if c.config.Poll > 0 {
			conn.Poll = c.config.Poll
		}
	}
	return conn, nil
}
