package hidstripe

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"tillway/device"
	"tillway/device/emulator/virtualusb"
	"tillway/device/hid"
	"tillway/device/secure/x9"
)

// Bus is an in-process hidraw: readers are plugged in and out of it, and a driver reads them without a kernel. What it reads went through the
// same descriptors, control requests and packets as over USB.
type Bus struct {
	mu    sync.Mutex // guards what follows
	nodes map[string]*plugged
	last  int
	lists int
}

// plugged is a reader that is there.
type plugged struct {
	reader *Reader
	info   hid.Info
	life   context.Context // ends when it is pulled out
	pull   context.CancelFunc
	held   bool
}

var _ hid.Bus = (*Bus)(nil)

// NewBus has nothing plugged in.
func NewBus() *Bus { return &Bus{nodes: map[string]*plugged{}} }

// Plug plugs a reader in and says at which path.
func (b *Bus) Plug(r *Reader) string {
	d := r.Descriptors().Device
	return b.plug(r, hid.ID{Vendor: uint16(d[8]) | uint16(d[9])<<8, Product: uint16(d[10]) | uint16(d[11])<<8})
}

// PlugAs plugs a reader in that gives itself other ids, as one in keyboard mode does.
func (b *Bus) PlugAs(r *Reader, id hid.ID) string { return b.plug(r, id) }

func (b *Bus) plug(r *Reader, id hid.ID) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	r.Reset()
	path := fmt.Sprintf("/dev/hidraw%d", b.last)
	b.last++
	p := &plugged{reader: r, info: hid.Info{ID: id, Path: path, Name: r.traits.name, Port: "usb-emulated"}}
	p.life, p.pull = context.WithCancel(context.Background())
	b.nodes[path] = p
	return path
}

// Unplug pulls the reader at a path out. One that is not there is no error.
func (b *Bus) Unplug(path string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if p := b.nodes[path]; p != nil {
		p.pull()
		delete(b.nodes, path)
	}
}

// Held says whether a driver has the reader at a path open.
func (b *Bus) Held(path string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.nodes[path] != nil && b.nodes[path].held
}

// Looks counts how often the bus was listed.
func (b *Bus) Looks() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lists
}

// List implements hid.Bus.
func (b *Bus) List(ctx context.Context) ([]hid.Info, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lists++
	var all []hid.Info
	for _, p := range b.nodes {
		all = append(all, p.info)
	}
	slices.SortFunc(all, func(x, y hid.Info) int {
		return len(x.Path)*1000 + int(x.Path[len(x.Path)-1]) - len(y.Path)*1000 - int(y.Path[len(y.Path)-1])
	})
	return all, ctx.Err()
}

// Open implements hid.Bus.
func (b *Bus) Open(_ context.Context, info hid.Info) (hid.Device, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.nodes[info.Path]
	if p == nil || p.info.ID != info.ID {
		return nil, fmt.Errorf("%w: %s has gone", device.ErrUnplugged, info.Path)
	}
	p.held = true
	n := &node{bus: b, plugged: p}
	n.life, n.end = context.WithCancel(p.life)
	return n, nil
}

// node is one opening of a reader.
type node struct {
	bus     *Bus
	plugged *plugged
	life    context.Context
	end     context.CancelFunc
}

// Descriptor implements hid.Device.
func (n *node) Descriptor() []byte {
	s := virtualusb.Setup{RequestType: virtualusb.ToHost | virtualusb.ToInterface, Request: virtualusb.GetDescriptor, Value: virtualusb.ReportDescriptor << 8, Length: hid.MaxDescriptor}
	b, err := n.plugged.reader.Control(n.life, s.Packet(), nil)
	if err != nil {
		return nil
	}
	return b
}

// Read implements hid.Device: packets are put together until the report is whole, or one is short.
func (n *node) Read(ctx context.Context, report []byte) (int, error) {
	both, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(n.life, stop)()
	got := 0
	for got < n.plugged.reader.traits.report {
		packet, err := n.plugged.reader.In(both, 0x81, 64)
		switch {
		case ctx.Err() != nil:
			return 0, ctx.Err()
		case err != nil:
			return 0, n.gone()
		}
		got += copy(report[got:], packet)
		if len(packet) < 64 {
			break
		}
	}
	return got, nil
}

// gone is why nothing more comes.
func (n *node) gone() error {
	if n.plugged.life.Err() != nil {
		return fmt.Errorf("%w: %s", device.ErrUnplugged, n.plugged.info.Path)
	}
	return fmt.Errorf("%w: %s", device.ErrClosed, n.plugged.info.Path)
}

// SetFeature implements hid.Device.
func (n *node) SetFeature(ctx context.Context, report []byte) error {
	if n.life.Err() != nil {
		return n.gone()
	}
	s := virtualusb.Setup{RequestType: virtualusb.Class | virtualusb.ToInterface, Request: setReport, Value: featureReport << 8, Length: uint16(len(report) - 1)} //nolint:gosec // a report
	if _, err := n.plugged.reader.Control(ctx, s.Packet(), report[1:]); err != nil {
		return fmt.Errorf("%w: feature report refused", device.ErrProtocol)
	}
	return nil
}

// Feature implements hid.Device.
func (n *node) Feature(ctx context.Context, report []byte) (int, error) {
	if n.life.Err() != nil {
		return 0, n.gone()
	}
	s := virtualusb.Setup{RequestType: virtualusb.ToHost | virtualusb.Class | virtualusb.ToInterface, Request: getReport, Value: featureReport << 8, Length: uint16(len(report) - 1)} //nolint:gosec // a report
	b, err := n.plugged.reader.Control(ctx, s.Packet(), nil)
	if err != nil {
		return 0, fmt.Errorf("%w: feature report refused", device.ErrProtocol)
	}
	return 1 + copy(report[1:], b), nil
}

// Close implements hid.Device.
func (n *node) Close() error {
	n.end()
	n.bus.mu.Lock()
	defer n.bus.mu.Unlock()
	n.plugged.held = false
	return nil
}

func initialKey(bdk, ksn []byte) ([]byte, error) {
	switch len(ksn) {
	case 10:
		return x9.TDESInitialKey(bdk, x9.KSN(ksn))
	case 8:
		return x9.AESInitialKey(bdk, [8]byte(ksn))
	}
	return nil, fmt.Errorf("%w: serial number of %d bytes", ErrModel, len(ksn))
}
