//go:build cgo

package libusb

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/gousb"

	"tillway/device"
	"tillway/device/usb"
)

// What gousb v1.1.3 does, and what is done about it here:
//
//   - NewContext panics when libusb cannot start, and OpenDevices when any device on the bus lists one interface twice
//     with others between: both are recovered from, and become errors.
//   - A Context never sees devices that came later where there is no udevd: each open device has a Context of its own,
//     made when it is opened, and closed with it.
//   - OpenDevices returns devices and an error at once: what it returned is used or closed.
//   - SetAutoDetach before Config takes the kernel's drivers off all interfaces, a keyboard's too: it is called after, and
//     then libusb takes off the driver of the one interface that is claimed, and gives it back.
//   - Config.Interface takes the interface's number for its place in a list: the list is stretched so that it is.
//   - ControlTimeout 0 is for ever: it is set. Reads that wait end with the same status at a release as at an unplugging:
//     they are cancelled and waited for before the release. A Device that stays open keeps its Context open: Close closes
//     all, from the inside out.

// hostDevice is an open device of this machine.
type hostDevice struct {
	host    *usb.Host
	info    usb.Info
	context *gousb.Context
	handle  *gousb.Device

	life    context.Context // ends with Close
	end     context.CancelFunc
	stalled atomic.Bool // an endpoint has stopped: only a reset starts it again

	mu        sync.RWMutex // held for reading by each transfer, for writing by Claim and Close
	closed    bool
	config    *gousb.Config
	claimed   []*gousb.Interface
	endpoints map[uint8]transfers
}

// transfers is one endpoint as gousb has it.
type transfers func(ctx context.Context, b []byte) (int, error)

// open opens the device in a context of its own.
func open(h *usb.Host, info usb.Info) (_ usb.Device, err error) {
	c, err := newContext()
	if err != nil {
		return nil, err
	}
	handle, err := openIn(c, info)
	if err != nil {
		if closing := c.Close(); closing != nil {
			err = errors.Join(err, closing)
		}
		return nil, hostError(err, info)
	}
	handle.ControlTimeout = usb.ControlTimeout
	d := &hostDevice{host: h, info: info, context: c, handle: handle, endpoints: map[uint8]transfers{}}
	d.life, d.end = context.WithCancel(context.Background())
	return d, nil
}

// newContext starts the library.
func newContext() (c *gousb.Context, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: libusb does not start: %v: is /dev/bus/usb there?", device.ErrPermission, r)
		}
	}()
	return gousb.NewContext(), nil
}

// openIn finds the device by its address and opens it.
func openIn(c *gousb.Context, info usb.Info) (handle *gousb.Device, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: libusb cannot read what a device on the bus says of itself (%v): take out other USB devices, one by one", usb.ErrDescriptor, r)
		}
	}()
	found, err := c.OpenDevices(func(d *gousb.DeviceDesc) bool { return d.Bus == info.Bus && d.Address == info.Address })
	for _, extra := range found[min(1, len(found)):] {
		err = errors.Join(err, extra.Close())
	}
	switch {
	case len(found) > 0:
		return found[0], nil // an error is of another device
	case err != nil:
		return nil, err
	}
	return nil, usb.Gone(info)
}

// Info is what List said; see Device.
func (d *hostDevice) Info() usb.Info { return d.info }

// enter begins a transfer: ctx then also ends with Close. leave must be called.
func (d *hostDevice) enter(ctx context.Context) (within context.Context, leave func(), err error) {
	d.mu.RLock()
	if d.closed {
		d.mu.RUnlock()
		return nil, nil, device.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		d.mu.RUnlock()
		return nil, nil, err
	}
	within, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(d.life, cancel)
	return within, func() { stop(); cancel(); d.mu.RUnlock() }, nil
}

// fail words the error of a transfer.
func (d *hostDevice) fail(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case d.life.Err() != nil:
		return device.ErrClosed
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, gousb.TransferStall):
		d.stalled.Store(true)
	case errors.Is(err, gousb.TransferError), errors.Is(err, gousb.ErrorIO), errors.Is(err, gousb.ErrorOther):
		// The last transfers before the kernel knows that the device is gone fail like damaged ones.
		for range 10 {
			if !d.host.There(d.info) {
				return usb.Gone(d.info)
			}
			select {
			case <-time.After(50 * time.Millisecond):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	return hostError(err, d.info)
}

// Configuration reads the descriptor; see Device.
func (d *hostDevice) Configuration(ctx context.Context) ([]byte, error) {
	return readConfiguration(ctx, d)
}

// readConfiguration is GET_DESCRIPTOR, for the length and then for all of it (USB 2.0, 9.4.3).
func readConfiguration(ctx context.Context, d usb.Device) ([]byte, error) {
	const fromDevice, getDescriptor = 0x80, 6
	head := make([]byte, 9)
	n, err := d.Control(ctx, fromDevice, getDescriptor, uint16(usb.TypeConfiguration)<<8, 0, head)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	total := int(binary.LittleEndian.Uint16(head[2:]))
	if n < len(head) || total < len(head) || total > usb.MaxConfiguration {
		return nil, fmt.Errorf("%w: %s has a configuration of %d bytes, %d came", usb.ErrDescriptor, usb.Named(d.Info()), total, n)
	}
	all := make([]byte, total)
	n, err = d.Control(ctx, fromDevice, getDescriptor, uint16(usb.TypeConfiguration)<<8, 0, all)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	return all[:n], nil
}

// Claim takes an interface; see Device.
func (d *hostDevice) Claim(ctx context.Context, number, alternate uint8) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return device.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if d.config == nil {
		active, err := d.handle.ActiveConfigNum()
		if err != nil {
			return hostError(err, d.info)
		}
		if d.config, err = d.handle.Config(max(active, 1)); err != nil {
			return hostError(err, d.info)
		}
		stretch(&d.config.Desc)
		if err := d.handle.SetAutoDetach(true); err != nil {
			return hostError(err, d.info)
		}
	}
	one, err := d.config.Interface(int(number), int(alternate))
	if err != nil {
		// gousb words the cause and drops its code: EBUSY is the one that has a remedy.
		if driver := d.host.Driver(ctx, d.info, number); driver != "" {
			return d.host.Held(d.info, number)
		}
		if !d.host.There(d.info) {
			return usb.Gone(d.info)
		}
		return fmt.Errorf("%w: %w", device.ErrProtocol, err)
	}
	d.claimed = append(d.claimed, one)
	return d.endpointsOf(one)
}

// endpointsOf opens the endpoints of a claimed interface.
func (d *hostDevice) endpointsOf(one *gousb.Interface) error {
	for address, e := range one.Setting.Endpoints {
		if e.TransferType != gousb.TransferTypeBulk && e.TransferType != gousb.TransferTypeInterrupt {
			continue
		}
		if e.Direction == gousb.EndpointDirectionIn {
			in, err := one.InEndpoint(e.Number)
			if err != nil {
				return fmt.Errorf("%w: %w", usb.ErrDescriptor, err)
			}
			d.endpoints[uint8(address)] = in.ReadContext
			continue
		}
		out, err := one.OutEndpoint(e.Number)
		if err != nil {
			return fmt.Errorf("%w: %w", usb.ErrDescriptor, err)
		}
		d.endpoints[uint8(address)] = out.WriteContext
	}
	return nil
}

// stretch puts each interface where its number says, as gousb expects it.
func stretch(c *gousb.ConfigDesc) {
	var placed []gousb.InterfaceDesc
	for _, one := range c.Interfaces {
		for len(placed) <= one.Number {
			placed = append(placed, gousb.InterfaceDesc{Number: -1})
		}
		placed[one.Number] = one
	}
	c.Interfaces = placed
}

// Control is a transfer with endpoint 0; see Device. The library cannot give it up early: it takes ControlTimeout at most.
func (d *hostDevice) Control(ctx context.Context, requestType, request uint8, value, index uint16, data []byte) (int, error) {
	within, leave, err := d.enter(ctx)
	if err != nil {
		return 0, err
	}
	defer leave()
	if len(data) == 0 {
		data = make([]byte, 0, 1) // the library takes the address of the first byte
	}
	n, err := d.handle.Control(requestType, request, value, index, data)
	if errors.Is(err, gousb.ErrorPipe) {
		return 0, fmt.Errorf("%w: request %02X %02X", usb.ErrStall, requestType, request) // endpoint 0 goes on by itself
	}
	return max(n, 0), d.fail(within, err)
}

// Read is a transfer from an endpoint; see Device.
func (d *hostDevice) Read(ctx context.Context, endpoint uint8, b []byte) (int, error) {
	if endpoint&0x80 == 0 {
		return 0, fmt.Errorf("%w: reading from endpoint %02X", usb.ErrDescriptor, endpoint)
	}
	return d.transfer(ctx, endpoint, b)
}

// Write is a transfer to an endpoint; see Device.
func (d *hostDevice) Write(ctx context.Context, endpoint uint8, data []byte) (int, error) {
	if endpoint&0x80 != 0 {
		return 0, fmt.Errorf("%w: writing to endpoint %02X", usb.ErrDescriptor, endpoint)
	}
	return d.transfer(ctx, endpoint, data)
}

func (d *hostDevice) transfer(ctx context.Context, endpoint uint8, b []byte) (int, error) {
	within, leave, err := d.enter(ctx)
	if err != nil {
		return 0, err
	}
	defer leave()
	carry := d.endpoints[endpoint]
	if carry == nil {
		return 0, fmt.Errorf("%w: endpoint %02X is of no claimed interface", usb.ErrDescriptor, endpoint)
	}
	n, err := carry(within, b)
	if ctx.Err() != nil && err != nil {
		return n, ctx.Err()
	}
	return n, d.fail(ctx, err)
}

// Close ends all transfers and frees the device; see Device. A device that stopped an endpoint is reset, or it would not go on.
func (d *hostDevice) Close() error {
	d.end()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil
	}
	d.closed = true
	for _, one := range d.claimed {
		one.Close()
	}
	var failed error
	if d.config != nil {
		failed = d.config.Close()
	}
	if d.stalled.Load() && d.host.There(d.info) {
		_ = d.handle.Reset() // one that does not take it is found again, or not, by its driver
	}
	return errors.Join(failed, d.handle.Close(), d.context.Close())
}

// hostError words an error of the library.
func hostError(err error, info usb.Info) error {
	for _, row := range []struct{ of, is error }{
		{gousb.ErrorNoDevice, device.ErrUnplugged},
		{gousb.TransferNoDevice, device.ErrUnplugged},
		{gousb.ErrorNotFound, device.ErrUnplugged},
		{gousb.ErrorAccess, device.ErrPermission},
		{gousb.ErrorBusy, device.ErrBusy},
		{gousb.ErrorPipe, usb.ErrStall},
		{gousb.TransferStall, usb.ErrStall},
		{gousb.ErrorTimeout, device.ErrTimeout},
		{gousb.TransferTimedOut, device.ErrTimeout},
		{gousb.ErrorOverflow, device.ErrProtocol},
		{gousb.TransferOverflow, device.ErrProtocol},
		{gousb.TransferError, device.ErrProtocol},
		{gousb.ErrorIO, device.ErrProtocol},
	} {
		if errors.Is(err, row.of) && errors.Is(row.is, device.ErrUnplugged) {
			return usb.Gone(info)
		}
		if errors.Is(err, row.of) {
			return fmt.Errorf("%w: %s: %w", row.is, usb.Named(info), err)
		}
	}
	return fmt.Errorf("%s: %w", usb.Named(info), err)
}
