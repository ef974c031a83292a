package stripehid

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"tillway/device"
	"tillway/device/hid"
	"tillway/device/magstripe"
)

const (
	lookEvery   = 250 * time.Millisecond // for a reader that is not there
	smallReport = 24                     // bytes of a MagTek feature report
)

// Config is what a Reader needs to know.
type Config struct {
	Maker string   // "magtek" or "idtech"
	Port  string   // path of the hidraw node, or ids like 0801:0002; empty: any reader that is known or in Also
	Also  []hid.ID // more ids that speak as this maker's readers
	Bus   hid.Bus  // nil: the kernel's
	Clear bool     // development: tracks that come in clear are taken
	Log   *slog.Logger

	// Decipher has the secure module decipher a pass, each block by itself. nil: what is enciphered is refused.
	Decipher func(ctx context.Context, e Enciphered) ([][]byte, error)
}

// Reader is one stripe reader. It is safe for concurrent use, as device.Reader asks for.
type Reader struct {
	config Config
	maker  maker
	life   context.Context // ends with Close
	end    context.CancelFunc
	exited chan struct{}
	passes chan result // without room: who does not wait for a pass does not get it

	mu     sync.Mutex // guards what follows
	status device.Status
	model  string
}

// result is one pass, or why there is none.
type result struct {
	pass pass
	err  error
}

var _ device.Reader = (*Reader)(nil)

// Open starts the driver at once, because the kernel drops what comes in the first moments after a device is opened. A reader that is not
// there, or may not be opened, is no error: Status says why and Present waits for it. The error is a configuration that can
// never work.
func Open(config Config) (*Reader, error) {
	m, ok := makers()[config.Maker]
	if !ok {
		return nil, fmt.Errorf("stripehid: no such maker %q", config.Maker)
	}
	if config.Port != "" && !strings.HasPrefix(config.Port, "/") {
		var id hid.ID
		if err := id.UnmarshalText([]byte(config.Port)); err != nil {
			return nil, fmt.Errorf("stripehid: port: %w, or the path of its node, like /dev/hidraw0", err)
		}
	}
	if config.Bus == nil {
		config.Bus = hid.System{}
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	config.Log = config.Log.With("reader", config.Maker)
	m.ids = slices.Concat(m.ids, config.Also)
	r := &Reader{
		config: config, maker: m, exited: make(chan struct{}), passes: make(chan result),
		status: device.Status{Condition: device.Absent, Cause: "stripe reader is starting"},
	}
	r.life, r.end = context.WithCancel(context.Background())
	go r.own()
	return r, nil
}

// own is the driver's goroutine.
func (r *Reader) own() {
	defer close(r.exited)
	for r.life.Err() == nil {
		err := r.once()
		if r.life.Err() != nil {
			return
		}
		r.publish(device.Status{Condition: device.Absent, Cause: err.Error()})
		select {
		case <-time.After(lookEvery):
		case <-r.life.Done():
		}
	}
}

// once finds the reader, opens it and listens until it goes.
func (r *Reader) once() (err error) {
	all, err := r.config.Bus.List(r.life)
	if err != nil {
		return err
	}
	info, err := r.choose(all)
	if err != nil {
		return err
	}
	d, err := r.config.Bus.Open(r.life, info)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	reports, err := hid.ParseDescriptor(d.Descriptor())
	if err != nil {
		return fmt.Errorf("stripe reader on %s: %w", info.Path, err)
	}
	if reports.Input < clearSize {
		return fmt.Errorf("%w: %s sends reports of %d bytes: no stripe reader does", device.ErrProtocol, info.Path, reports.Input)
	}
	r.name(d, info, reports)
	r.publish(device.Status{Condition: device.NoCard})
	return r.listen(d, reports)
}

// choose takes the one reader that the configuration means.
func (r *Reader) choose(all []hid.Info) (hid.Info, error) {
	var found []hid.Info
	for _, i := range all {
		switch port := r.config.Port; {
		case strings.HasPrefix(port, "/"):
			if i.Path == port {
				return i, nil
			}
		case port != "":
			if i.ID.String() == strings.ToLower(port) {
				found = append(found, i)
			}
		case slices.Contains(r.maker.ids, i.ID):
			found = append(found, i)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return hid.Info{}, fmt.Errorf("%w: %d stripe readers are plugged in, %s and %s among them: name one with reader.stripe.port", device.ErrBusy, len(found), found[0].Path, found[1].Path)
	}
	for _, i := range all {
		if slices.Contains(r.maker.keyboards, i.ID) {
			return hid.Info{}, fmt.Errorf("%w: the stripe reader (%s) poses as a keyboard, where any program sees the card: %s", device.ErrUnplugged, i.ID, r.maker.fix)
		}
	}
	what := "no " + r.config.Maker + " stripe reader is there"
	if r.config.Port != "" {
		what = "no stripe reader at " + r.config.Port
	}
	return hid.Info{}, fmt.Errorf("%w: %s: is the cable in? lsusb shows its ids; others than the known ones go into reader.stripe.ids", device.ErrUnplugged, what)
}

// name asks a MagTek reader for its software's number (99875191, Get Property, Software ID); one that does not say has none.
func (r *Reader) name(d hid.Device, info hid.Info, reports hid.Reports) {
	model := info.Path
	if r.config.Maker == "magtek" && reports.Feature == smallReport {
		ask := make([]byte, 1+smallReport)
		ask[2] = 1 // one byte of data: property 0
		answer := make([]byte, 1+smallReport)
		if d.SetFeature(r.life, ask) == nil {
			if n, err := d.Feature(r.life, answer); err == nil && n >= 3 && answer[1] == 0 && int(answer[2]) <= n-3 {
				if id := printable(answer[3 : 3+int(answer[2])]); id != "" {
					model += " " + id
				}
			}
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.model = model
}

// printable is a text of a device, as long as it is one.
func printable(b []byte) string {
	for _, c := range b {
		if c <= ' ' || c > '~' {
			return ""
		}
	}
	return string(b)
}

// listen hands passes over until the reader goes.
func (r *Reader) listen(d hid.Device, reports hid.Reports) error {
	buffer := make([]byte, hid.MaxReport)
	for {
		n, err := d.Read(r.life, buffer)
		if err != nil {
			return err
		}
		report := buffer[:n]
		if reports.Numbered && n > 0 {
			report = report[1:]
		}
		var one result
		if one.pass, one.err = r.maker.parse(report); one.err != nil && !errors.Is(one.err, device.ErrMisread) {
			r.trouble(one.err)
		}
		clear(buffer[:n])
		select {
		case r.passes <- one:
		default:
			r.config.Log.Info("a swipe that nobody waits for")
		}
	}
}

// publish sets the status, and logs the reader's coming and going.
func (r *Reader) publish(status device.Status) {
	r.mu.Lock()
	before := r.status
	r.status = status
	r.mu.Unlock()
	switch {
	case before == status:
	case status.Condition == device.Absent:
		r.config.Log.Warn("stripe reader absent", "cause", status.Cause)
	case before.Condition == device.Absent:
		r.config.Log.Info("stripe reader open", "which", r.Name())
	}
}

// trouble puts into the status what is wrong with a reader that is there, until a swipe is good.
func (r *Reader) trouble(err error) {
	r.config.Log.Warn("swipe of no use", "cause", err)
	r.publish(device.Status{Condition: device.NoCard, Cause: err.Error()})
}

// Name is the maker, the node and what the reader calls its software.
func (r *Reader) Name() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.TrimSpace(r.config.Maker + " " + r.model)
}

// Status is NoCard while the reader is open, with a cause while what it sends is of no use; Absent with the cause while it is not.
func (r *Reader) Status() device.Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status
}

// Present waits for the next pass of a card; one that was made before does not count. Errors: device.ErrMisread for a pass without a
// good track 2, or one that cannot be deciphered or must not be taken, with the reason in the status too; the context's, device.ErrClosed.
func (r *Reader) Present(ctx context.Context) (device.Presented, error) {
	if err := r.idle(ctx); err != nil {
		return device.Presented{}, err
	}
	select {
	case one := <-r.passes:
		return r.presented(ctx, one)
	case <-ctx.Done():
		return device.Presented{}, ctx.Err()
	case <-r.life.Done():
		return device.Presented{}, device.ErrClosed
	}
}

// presented makes a card of a pass.
func (r *Reader) presented(ctx context.Context, one result) (device.Presented, error) {
	misread := func(err error) (device.Presented, error) {
		if errors.Is(err, device.ErrMisread) {
			return device.Presented{}, err
		}
		return device.Presented{}, fmt.Errorf("%w: %w", device.ErrMisread, err)
	}
	if one.err != nil {
		return misread(one.err)
	}
	swipe, err := r.swipe(ctx, one.pass)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return device.Presented{}, ctx.Err()
	default:
		return misread(err)
	}
	r.publish(device.Status{Condition: device.NoCard})
	return device.Presented{Technology: device.MagStripe, Stripe: swipe, Clear: one.pass.enciphered == nil}, nil
}

// swipe has a pass deciphered, or takes one that is clear where that is allowed.
func (r *Reader) swipe(ctx context.Context, p pass) (magstripe.Swipe, error) {
	if p.enciphered == nil {
		if !r.config.Clear {
			r.trouble(ErrClear)
			return magstripe.Swipe{}, ErrClear
		}
		return magstripe.Parse(p.clear)
	}
	if r.config.Decipher == nil {
		r.trouble(ErrKey)
		return magstripe.Swipe{}, ErrKey
	}
	blocks, err := r.config.Decipher(ctx, *p.enciphered)
	if err == nil {
		var s magstripe.Swipe
		if s, err = p.open(blocks); err == nil {
			return s, nil
		}
	}
	if ctx.Err() == nil {
		r.trouble(err)
	}
	return magstripe.Swipe{}, err
}

// AwaitRemoval returns at once: a card that was swiped is in the customer's hand.
func (r *Reader) AwaitRemoval(ctx context.Context) error { return r.idle(ctx) }

// Release does nothing: there is nothing to take the power from.
func (r *Reader) Release(ctx context.Context) error { return r.idle(ctx) }

func (r *Reader) idle(ctx context.Context) error {
	if r.life.Err() != nil {
		return device.ErrClosed
	}
	return ctx.Err()
}

// Close ends the driver and waits for its goroutine.
func (r *Reader) Close() error {
	r.end()
	<-r.exited
	return nil
}
