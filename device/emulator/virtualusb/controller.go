package virtualusb

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"tillway/device"
)

// MaxTransfer bounds one transfer, in bytes.
const MaxTransfer = 1 << 20

// Errors of transfers, beside ErrStall, device.ErrUnplugged and the context's.
var (
	ErrOverflow = errors.New("device sends more than there is room for")           // babble (USB 2.0, 8.7.4)
	ErrEndpoint = errors.New("device has no such endpoint in its present setting") // or it is isochronous
	ErrTooLong  = errors.New("transfer is longer than the emulation carries")      // MaxTransfer
)

// Controller is the host controller's end of one function that is plugged in: what the bus and the USB/IP server share. Its methods
// may be called from anywhere; transfers of one endpoint are carried one after the other.
type Controller struct {
	function Function
	says     Descriptors
	layout   layout

	unplugged context.Context // ends when the device is unplugged
	unplug    context.CancelFunc
	pending   sync.WaitGroup // transfers under way; added to only under mu while not unplugged

	mu         sync.Mutex
	configured bool
	alternates map[uint8]uint8  // setting of each interface; none: 0
	halted     map[uint8]bool   // by endpoint address
	pipes      map[uint8]*pipe  // by endpoint address; 0 is the control pipe
	faults     []*Fault         // still to come
	kept       map[uint8][]byte // what a late answer left for the next transfer
}

// pipe keeps the transfers of one endpoint apart.
type pipe struct{ turn chan struct{} }

// Connect plugs a function in: it is powered and not configured yet. Disconnect frees it. What its descriptors say is not judged, only
// read as far as it makes sense: hosts are to be tried with devices that lie.
func Connect(f Function) *Controller {
	d := f.Descriptors()
	c := &Controller{
		function: f, says: d, layout: parseLayout(d.Configuration),
		halted: map[uint8]bool{}, pipes: map[uint8]*pipe{}, kept: map[uint8][]byte{},
	}
	c.unplugged, c.unplug = context.WithCancel(context.Background())
	if r, ok := f.(Resetter); ok {
		r.Reset()
	}
	return c
}

// Disconnect pulls the device: pending transfers end with device.ErrUnplugged, and so does every later one. It waits for them. A second
// call does nothing.
func (c *Controller) Disconnect() {
	c.pull()
	c.pending.Wait()
}

// pull is Disconnect for a caller that is a transfer itself.
func (c *Controller) pull() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unplug()
}

// Gone is closed when the device was pulled.
func (c *Controller) Gone() <-chan struct{} { return c.unplugged.Done() }

// Descriptors are the function's.
func (c *Controller) Descriptors() Descriptors { return c.says }

// Speed is what the device runs at.
func (c *Controller) Speed() Speed { return c.layout.speed }

// begin enters a transfer on an endpoint: its context ends with the caller's or with the unplugging. end leaves it.
func (c *Controller) begin(ctx context.Context, endpoint uint8) (_ context.Context, end func(), err error) {
	c.mu.Lock()
	if c.unplugged.Err() != nil {
		c.mu.Unlock()
		return nil, nil, device.ErrUnplugged
	}
	c.pending.Add(1)
	p := c.pipes[endpoint]
	if p == nil {
		p = &pipe{turn: make(chan struct{}, 1)}
		c.pipes[endpoint] = p
	}
	c.mu.Unlock()
	inner, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(c.unplugged, cancel)
	leave := func() {
		stop()
		cancel()
		c.pending.Done()
	}
	select {
	case p.turn <- struct{}{}:
		return inner, func() { <-p.turn; leave() }, nil
	case <-inner.Done():
		err = c.cause(ctx, inner.Err())
		leave()
		return nil, nil, err
	}
}

// cause says why a transfer failed: the unplugging comes before what the function made of it.
func (c *Controller) cause(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case c.unplugged.Err() != nil:
		return device.ErrUnplugged
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return err
}

// endpoint is the endpoint at an address in the present setting, unless it is halted.
func (c *Controller) endpoint(address uint8) (Endpoint, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.configured {
		for _, e := range c.layout.endpoints {
			if e.Address != address || e.Alternate != c.alternates[e.Interface] || e.Kind() == Isochronous {
				continue
			}
			if c.halted[address] {
				return e, ErrStall
			}
			return e, nil
		}
	}
	return Endpoint{}, fmt.Errorf("%w: %02X", ErrEndpoint, address)
}

func (c *Controller) halt(address uint8) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.halted[address] = true
}

// Out carries one transfer to an endpoint, an empty one too.
func (c *Controller) Out(ctx context.Context, address uint8, data []byte) error {
	if len(data) > MaxTransfer {
		return ErrTooLong
	}
	inner, end, err := c.begin(ctx, address)
	if err != nil {
		return err
	}
	defer end()
	if _, err = c.endpoint(address); err != nil {
		return err
	}
	fault := c.take(address)
	data, err = c.spoil(inner, fault, address, data)
	if err == nil {
		err = c.function.Out(inner, address, data)
	}
	if errors.Is(err, ErrStall) {
		c.halt(address)
	}
	return c.cause(ctx, err)
}

// In carries one transfer from an endpoint: until a packet is not full, or length bytes are there. What came before an error is
// returned with it. A last packet for which there is no room is ErrOverflow, cut.
func (c *Controller) In(ctx context.Context, address uint8, length int) ([]byte, error) {
	if length < 0 || length > MaxTransfer {
		return nil, ErrTooLong
	}
	inner, end, err := c.begin(ctx, address)
	if err != nil {
		return nil, err
	}
	defer end()
	e, err := c.endpoint(address)
	if err != nil {
		return nil, err
	}
	if late, there := c.collect(address); there {
		return fit(late, length)
	}
	data, err := c.receive(inner, e, length)
	if err == nil {
		data, err = c.spoil(inner, c.take(address), address, data)
	}
	if errors.Is(err, ErrStall) {
		c.halt(address)
	}
	if err != nil {
		return data, c.cause(ctx, err)
	}
	return fit(data, length)
}

// receive puts the function's packets together.
func (c *Controller) receive(ctx context.Context, e Endpoint, length int) ([]byte, error) {
	var data []byte
	for len(data) < length || length == 0 {
		packet, err := c.function.In(ctx, e.Address, e.MaxPacket)
		if err != nil {
			return data, err
		}
		if len(packet) > e.MaxPacket { // more than a packet holds: whatever room there is, it is a babble
			return append(data, packet[:min(len(packet), length-len(data))]...), ErrOverflow
		}
		data = append(data, packet...)
		if len(packet) < e.MaxPacket || length == 0 {
			break
		}
	}
	return data, nil
}

// fit cuts what does not fit.
func fit(data []byte, length int) ([]byte, error) {
	if len(data) > length {
		return data[:length], ErrOverflow
	}
	return data, nil
}

// collect takes what a late answer left.
func (c *Controller) collect(address uint8) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	data, there := c.kept[address]
	delete(c.kept, address)
	return data, there
}
