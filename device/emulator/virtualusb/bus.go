package virtualusb

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"tillway/device"
	"tillway/device/usb"
)

// Bus is a usb.Bus inside the process, with one root hub. Its methods may be called from anywhere.
type Bus struct {
	mu      sync.Mutex
	plugs   []*Plug // in the order of their sockets
	address int     // of the last device
	hear    map[chan struct{}]bool
}

// busNumber is the number that the bus shows.
const busNumber = 1

// NewBus is an empty bus.
func NewBus() *Bus { return &Bus{hear: map[chan struct{}]bool{}} }

// Plug is a function in a socket of a bus. Its methods may be called from anywhere.
type Plug struct {
	*Controller // transfers past the drivers, and faults
	bus         *Bus
	socket      int
	info        usb.Info

	mu      sync.Mutex
	denied  bool
	drivers map[uint8]string  // kernel driver, or "usbfs", that has an interface
	claimed map[uint8]*opened // who claimed an interface
}

// usbfs is how the kernel names an interface that a program has.
const usbfs = "usbfs"

// Plug puts a function into the first free socket and configures it, as a kernel does.
func (b *Bus) Plug(f Function) *Plug {
	p := &Plug{Controller: Connect(f), bus: b, drivers: map[uint8]string{}, claimed: map[uint8]*opened{}}
	configure := Setup{Request: SetConfiguration, Value: uint16(p.layout.value)}
	_, _ = p.Control(context.Background(), configure.Packet(), nil) // refused by a device without a configuration
	b.mu.Lock()
	p.socket = 1
	for _, other := range b.plugs {
		if other.socket == p.socket {
			p.socket++
		}
	}
	b.address++
	p.info = p.describe(b.address)
	b.plugs = append(b.plugs, p)
	slices.SortFunc(b.plugs, func(x, y *Plug) int { return x.socket - y.socket })
	b.mu.Unlock()
	context.AfterFunc(p.unplugged, func() { b.lose(p) }) // also when a fault pulls it
	b.tell()
	return p
}

// Unplug pulls the device and waits until its transfers have ended and the bus shows it no more. A second call does nothing.
func (p *Plug) Unplug() {
	p.Disconnect()
	p.bus.lose(p)
}

// Hold gives an interface to a kernel driver, which lets go when a program claims it; or to another program, which does
// not, when the driver is "usbfs". An empty name frees it.
func (p *Plug) Hold(number uint8, driver string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drivers[number] = driver
}

// Driver names who has an interface: a kernel driver, "usbfs", or nobody.
func (p *Plug) Driver(number uint8) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.claimed[number] != nil {
		return usbfs
	}
	return p.drivers[number]
}

// Deny takes the permission to open the device away, or gives it back.
func (p *Plug) Deny(denied bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.denied = denied
}

// Info is what the bus shows of the device.
func (p *Plug) Info() usb.Info {
	info := p.info
	info.Interfaces = slices.Clone(info.Interfaces)
	for i := range info.Interfaces {
		info.Interfaces[i].Driver = p.Driver(info.Interfaces[i].Number)
	}
	return info
}

// describe reads the descriptors as a kernel does; a configuration that makes no sense has no interfaces.
func (p *Plug) describe(address int) usb.Info {
	d := p.says.Device
	text := func(index uint8) string {
		if index == 0 || int(index) > len(p.says.Strings) {
			return ""
		}
		return p.says.Strings[index-1]
	}
	info := usb.Info{
		ID:  usb.ID{Vendor: uint16(d[8]) | uint16(d[9])<<8, Product: uint16(d[10]) | uint16(d[11])<<8},
		Bus: busNumber, Address: address, Path: fmt.Sprintf("%d-%d", busNumber, p.socket),
		Manufacturer: text(d[14]), Product: text(d[15]), Serial: text(d[16]),
	}
	settings, err := usb.ParseConfiguration(p.says.Configuration)
	if err != nil {
		return info
	}
	for _, s := range settings {
		if s.Alternate == 0 {
			info.Interfaces = append(info.Interfaces, s.Interface)
		}
	}
	return info
}

func (b *Bus) lose(p *Plug) {
	b.mu.Lock()
	i := slices.Index(b.plugs, p)
	if i >= 0 {
		b.plugs = slices.Delete(b.plugs, i, i+1)
	}
	b.mu.Unlock()
	if i >= 0 {
		b.tell()
	}
}

// tell wakes those who wait for changes.
func (b *Bus) tell() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.hear {
		select {
		case c <- struct{}{}:
		default: // one is waiting there already
		}
	}
}

// List is usb.Bus's.
func (b *Bus) List(ctx context.Context) ([]usb.Info, error) {
	b.mu.Lock()
	plugs := slices.Clone(b.plugs)
	b.mu.Unlock()
	list := make([]usb.Info, 0, len(plugs))
	for _, p := range plugs {
		list = append(list, p.Info())
	}
	return list, ctx.Err()
}

// Changes is usb.Bus's.
func (b *Bus) Changes(ctx context.Context) <-chan struct{} {
	c := make(chan struct{}, 1)
	b.mu.Lock()
	b.hear[c] = true
	b.mu.Unlock()
	context.AfterFunc(ctx, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.hear, c)
		close(c)
	})
	return c
}

// Open is usb.Bus's. A device is known by its address: after each plugging in it is another.
func (b *Bus) Open(ctx context.Context, info usb.Info) (usb.Device, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.plugs {
		if p.info.Address == info.Address && p.info.Bus == info.Bus {
			return p.open()
		}
	}
	return nil, fmt.Errorf("%w: no device %d on bus %d: plug it in", device.ErrUnplugged, info.Address, info.Bus)
}

func (p *Plug) open() (usb.Device, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.denied {
		return nil, fmt.Errorf("%w: %s: the virtual bus was told to refuse it", device.ErrPermission, p.info.Path)
	}
	d := &opened{plug: p, returned: map[uint8]string{}}
	d.closed, d.shut = context.WithCancel(context.Background())
	return d, nil
}

// endpointOwner is the interface that has an endpoint in its present setting.
func (c *Controller) endpointOwner(address uint8) (number uint8, found bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.layout.endpoints {
		if e.Address == address && e.Alternate == c.alternates[e.Interface] {
			return e.Interface, true
		}
	}
	return 0, false
}

// settings is how many alternate settings an interface has.
func (c *Controller) settings(number uint8) int {
	n := 0
	for at := range c.layout.interfaces {
		if at[0] == number {
			n++
		}
	}
	return n
}

// String names the device in the log of a test.
func (p *Plug) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s %s %s", p.info.Path, p.info.ID, p.info.Product))
}
