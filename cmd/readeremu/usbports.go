package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"tillway/device/emulator/usbip"
	"tillway/device/emulator/virtualusb"
	"tillway/device/usb"
)

// usbPort is one virtual USB device and its cable.
type usbPort struct {
	name   string // as orders call it
	device *usbip.Device
	back   chan struct{} // one slot: it was plugged in again

	configuration []byte // its descriptor

	mu  sync.Mutex
	out bool
}

// usbPorts are the devices of a machine.
type usbPorts []*usbPort

// add exports a function under the next bus id.
func (p *usbPorts) add(name string, f virtualusb.Function) error {
	d, err := usbip.NewDevice(fmt.Sprintf("1-%d", len(*p)+1), f)
	if err != nil {
		return err
	}
	*p = append(*p, &usbPort{name: name, device: d, back: make(chan struct{}, 1), configuration: f.Descriptors().Configuration})
	return nil
}

func (p usbPorts) devices() []*usbip.Device {
	var all []*usbip.Device
	for _, port := range p {
		all = append(all, port.device)
	}
	return all
}

// choices are the devices and their endpoints.
func (p usbPorts) choices() []usbChoice {
	all := []usbChoice{}
	for _, port := range p {
		c := usbChoice{Name: port.name, Endpoints: []string{"00"}}
		settings, err := usb.ParseConfiguration(port.configuration)
		if err != nil {
			continue // a device that lies has none that could be named
		}
		for _, s := range settings {
			for _, e := range s.Endpoints {
				c.Endpoints = append(c.Endpoints, fmt.Sprintf("%02X", e.Address))
			}
		}
		all = append(all, c)
	}
	return all
}

// String names the devices for the ready line.
func (p usbPorts) String() string {
	var all []string
	for _, port := range p {
		all = append(all, port.device.BusID+" "+port.name)
	}
	return strings.Join(all, ", ")
}

// find gives a device by its name or its bus id.
func (p usbPorts) find(name string) (*usbPort, error) {
	for _, port := range p {
		if port.name == name || port.device.BusID == name {
			return port, nil
		}
	}
	if len(p) == 0 {
		return nil, fmt.Errorf("%w: no USB device %.20q: this is no readeremu usb; name the control socket of one with --control", errOrder, name)
	}
	return nil, fmt.Errorf("%w: no USB device %.20q; there are: %s", errOrder, name, p)
}

func (p usbPorts) unplug(name string) error {
	port, err := p.find(name)
	if err != nil {
		return err
	}
	return port.unplug()
}

func (p usbPorts) replug(name string) error {
	port, err := p.find(name)
	if err != nil {
		return err
	}
	return port.replug()
}

var errPlugged = errors.New("the device is unplugged already, or plugged in already")

func (p *usbPort) unplug() error {
	if !p.change(true) {
		return errPlugged
	}
	p.device.Unplug()
	return nil
}

func (p *usbPort) replug() error {
	if !p.change(false) {
		return errPlugged
	}
	p.device.Replug()
	select {
	case p.back <- struct{}{}:
	default: // it was said already
	}
	return nil
}

func (p *usbPort) change(out bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	changed := p.out != out
	p.out = out
	return changed
}

func (p *usbPort) unplugged() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out
}

// fault orders one of USB: device, kind, endpoint in hexadecimal digits, and the transfer.
func (p usbPorts) fault(words []string) error {
	port, err := p.find(words[0])
	if err != nil {
		return err
	}
	f := virtualusb.Fault{Kind: virtualusb.FaultKind(words[1]), Transfer: 1}
	endpoint, err := strconv.ParseUint(words[2], 16, 8)
	if err == nil && len(words) == 4 {
		f.Transfer, err = strconv.Atoi(words[3])
	}
	if err != nil || len(words) > 4 || f.Transfer < 1 || f.Transfer > 1_000_000 {
		return fmt.Errorf("%w: write it like \"usb reader stall 81 2\"", errOrder)
	}
	f.Endpoint = uint8(endpoint)
	return port.device.Arm(f)
}

// attach plugs the device into this machine's kernel, and again after each time that it was pulled and plugged in, until the context ends.
func (p *usbPort) attach(ctx context.Context, tell func(string)) error {
	for ctx.Err() == nil {
		if !p.unplugged() {
			err := usbip.Attach(ctx, p.device, func(port int) { tell(fmt.Sprintf("%s is in port %d of vhci_hcd", p.name, port)) })
			if err != nil && !errors.Is(err, usbip.ErrTaken) {
				return fmt.Errorf("%s: %w", p.name, err)
			}
		}
		select {
		case <-p.back:
		case <-ctx.Done():
		}
	}
	return nil
}
