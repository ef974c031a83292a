package virtualusb

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"tillway/device"
	"tillway/device/usb"
)

// opened is a usb.Device of the virtual bus.
type opened struct {
	plug     *Plug
	closed   context.Context // ends with Close
	shut     context.CancelFunc
	returned map[uint8]string // the kernel drivers that had what was claimed; guarded by plug.mu
}

func (d *opened) Info() usb.Info { return d.plug.Info() }

// run carries out a transfer that Close ends.
func (d *opened) run(ctx context.Context, transfer func(context.Context) error) error {
	if d.closed.Err() != nil {
		return device.ErrClosed
	}
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(d.closed, cancel)()
	err := transfer(inner)
	switch {
	case err == nil:
		return nil
	case d.closed.Err() != nil:
		return device.ErrClosed
	case errors.Is(err, device.ErrUnplugged):
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, ErrStall):
		return usb.ErrStall
	}
	return fmt.Errorf("%w: %w", device.ErrProtocol, err)
}

func (d *opened) Configuration(ctx context.Context) ([]byte, error) {
	b := make([]byte, usb.MaxConfiguration)
	n, err := d.Control(ctx, ToHost, GetDescriptor, ConfigurationDescriptor<<8, 0, b)
	if err == nil && n < 9 {
		err = fmt.Errorf("%w: configuration of %d bytes", usb.ErrDescriptor, n)
	}
	return b[:n], err
}

func (d *opened) Claim(ctx context.Context, number, alternate uint8) error {
	if err := d.take(number); err != nil {
		return err
	}
	if alternate == 0 && d.plug.settings(number) < 2 {
		return nil
	}
	_, err := d.Control(ctx, ToInterface, SetInterface, uint16(alternate), uint16(number), nil)
	return err
}

func (d *opened) take(number uint8) error {
	p := d.plug
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case d.closed.Err() != nil:
		return device.ErrClosed
	case p.unplugged.Err() != nil:
		return device.ErrUnplugged
	case p.settings(number) == 0:
		return fmt.Errorf("%w: device has no interface %d", device.ErrProtocol, number)
	case p.claimed[number] == d:
		return nil
	case p.claimed[number] != nil || p.drivers[number] == usbfs:
		return fmt.Errorf("%w: interface %d of %s", device.ErrBusy, number, p.info.Path)
	}
	d.returned[number] = p.drivers[number]
	p.drivers[number] = ""
	p.claimed[number] = d
	return nil
}

// has tells whether the interface of an endpoint was claimed.
func (d *opened) has(endpoint uint8) error {
	number, found := d.plug.endpointOwner(endpoint)
	if !found {
		return fmt.Errorf("%w: %w: %02X", device.ErrProtocol, ErrEndpoint, endpoint)
	}
	d.plug.mu.Lock()
	defer d.plug.mu.Unlock()
	if d.plug.claimed[number] != d {
		return fmt.Errorf("%w: interface %d of endpoint %02X was not claimed", device.ErrProtocol, number, endpoint)
	}
	return nil
}

func (d *opened) Control(ctx context.Context, requestType, request uint8, value, index uint16, data []byte) (n int, err error) {
	if len(data) > 0xFFFF {
		return 0, ErrTooLong
	}
	ctx, cancel := context.WithTimeoutCause(ctx, usb.ControlTimeout, device.ErrTimeout)
	defer cancel()
	s := Setup{RequestType: requestType, Request: request, Value: value, Index: index, Length: uint16(len(data))} //nolint:gosec // bounded above
	err = d.run(ctx, func(ctx context.Context) error {
		if requestType&ToHost == 0 {
			_, err := d.plug.Control(ctx, s.Packet(), slices.Clone(data))
			n = len(data)
			return err
		}
		answer, err := d.plug.Control(ctx, s.Packet(), nil)
		n = copy(data, answer)
		return err
	})
	if err == nil {
		return n, nil
	}
	if errors.Is(err, context.DeadlineExceeded) && errors.Is(context.Cause(ctx), device.ErrTimeout) {
		err = fmt.Errorf("%w: control request %02X %02X", device.ErrTimeout, requestType, request)
	}
	return 0, err
}

func (d *opened) Read(ctx context.Context, endpoint uint8, b []byte) (n int, err error) {
	if endpoint&ToHost == 0 {
		return 0, fmt.Errorf("%w: endpoint %02X takes, it does not send", device.ErrProtocol, endpoint)
	}
	err = d.run(ctx, func(ctx context.Context) error {
		if err := d.has(endpoint); err != nil {
			return err
		}
		data, err := d.plug.In(ctx, endpoint, len(b))
		n = copy(b, data)
		return err
	})
	return n, err
}

func (d *opened) Write(ctx context.Context, endpoint uint8, data []byte) (n int, err error) {
	if endpoint&ToHost != 0 {
		return 0, fmt.Errorf("%w: endpoint %02X sends, it does not take", device.ErrProtocol, endpoint)
	}
	err = d.run(ctx, func(ctx context.Context) error {
		if err := d.has(endpoint); err != nil {
			return err
		}
		return d.plug.Out(ctx, endpoint, slices.Clone(data))
	})
	if err != nil {
		return 0, err
	}
	return len(data), nil
}

func (d *opened) Close() error {
	p := d.plug
	p.mu.Lock()
	defer p.mu.Unlock()
	d.shut()
	maps.DeleteFunc(p.claimed, func(number uint8, by *opened) bool {
		if by != d {
			return false
		}
		p.drivers[number] = d.returned[number]
		return true
	})
	return nil
}
