package usbip

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"tillway/device/emulator/virtualusb"
)

// Operations before a device is imported (usbip_protocol.rst).
const (
	version    = 0x0111
	reqImport  = 0x8003
	repImport  = 0x0003
	reqDevlist = 0x8005
	repDevlist = 0x0005

	opBytes     = 8
	pathBytes   = 256
	busIDBytes  = 32
	askWithin   = 10 * time.Second // to say what is wanted
	maxExported = 32

	opDone        = 0
	opUnavailable = 1 // ST_NA: there is no such device, or somebody has it
)

// Device is a function that is exported. It is plugged in when a client imports it and pulled with the connection. Its methods may be
// called from anywhere.
type Device struct {
	BusID    string // as the usbip tool names it: "1-1"; at most 31 characters
	function virtualusb.Function
	number   uint32

	mu      sync.Mutex
	current *virtualusb.Controller // nil: nobody has imported it
	out     bool                   // pulled: nobody may
	planned []virtualusb.Fault     // ordered while nobody had it
}

// ErrTaken says that a device cannot be had: somebody imported it already, or it is unplugged.
var ErrTaken = errors.New("device is imported already, or unplugged")

// Plug is one plugging in of the device. The caller disconnects it. Error: ErrTaken.
func (d *Device) Plug() (*virtualusb.Controller, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.out {
		return nil, ErrTaken
	}
	if d.current != nil {
		select {
		case <-d.current.Gone():
		default:
			return nil, ErrTaken
		}
	}
	d.current = virtualusb.Connect(d.function)
	for _, f := range d.planned {
		_ = d.current.Arm(f) // it was tried when it was ordered
	}
	d.planned = nil
	return d.current, nil
}

// Imported tells whether somebody has the device.
func (d *Device) Imported() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.current == nil {
		return false
	}
	select {
	case <-d.current.Gone():
		return false
	default:
		return true
	}
}

// Unplug pulls the device, whoever has it, and keeps it out until Replug.
func (d *Device) Unplug() {
	d.mu.Lock()
	d.out = true
	current := d.current
	d.mu.Unlock()
	if current != nil {
		current.Disconnect()
	}
}

// Replug lets the device be imported again.
func (d *Device) Replug() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.out = false
}

// Arm orders a fault for this plugging in, or for the next one while nobody has imported the device. Error: virtualusb.ErrFault.
func (d *Device) Arm(f virtualusb.Fault) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.current != nil {
		select {
		case <-d.current.Gone():
		default:
			return d.current.Arm(f)
		}
	}
	if err := f.Check(); err != nil {
		return err
	}
	d.planned = append(d.planned, f)
	return nil
}

// NewDevice exports a function under a bus id. Error: one that says what is wrong with the id.
func NewDevice(busID string, f virtualusb.Function) (*Device, error) {
	if busID == "" || len(busID) >= busIDBytes {
		return nil, fmt.Errorf("bus id %.40q: write it like 1-1, at most %d characters", busID, busIDBytes-1)
	}
	return &Device{BusID: busID, function: f, number: 2}, nil
}

// Serve answers usbip's clients until the context ends; it closes the listener and waits for its connections. tell, when there, gets one line a
// connection. Error: why the listener does not listen any more, or too many devices.
func Serve(ctx context.Context, l net.Listener, devices []*Device, tell func(line string)) error {
	defer l.Close()
	if len(devices) > maxExported {
		return fmt.Errorf("%d devices: at most %d are exported", len(devices), maxExported)
	}
	if tell == nil {
		tell = func(string) {}
	}
	var serving sync.WaitGroup
	defer serving.Wait()
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	for i, d := range devices {
		d.number = uint32(i) + 2 //nolint:gosec // few; 1 is the root hub
	}
	for {
		conn, err := l.Accept()
		if ctx.Err() != nil {
			if err == nil {
				_ = conn.Close()
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("USB/IP on %s: %w", l.Addr(), err)
		}
		serving.Go(func() {
			hangUp := context.AfterFunc(ctx, func() { _ = conn.Close() })
			defer hangUp()
			defer conn.Close()
			if err := serveClient(ctx, conn, devices, tell); err != nil && ctx.Err() == nil {
				tell("client gone: " + err.Error())
			}
		})
	}
}

// serveClient answers one client: a list, or a device.
func serveClient(ctx context.Context, conn net.Conn, devices []*Device, tell func(string)) error {
	if err := conn.SetDeadline(time.Now().Add(askWithin)); err != nil {
		return err
	}
	var op [opBytes]byte
	if _, err := io.ReadFull(conn, op[:]); err != nil {
		return err
	}
	if v := binary.BigEndian.Uint16(op[:]); v != version {
		return fmt.Errorf("%w: version %04X, %04X is spoken", ErrProtocol, v, version)
	}
	switch code := binary.BigEndian.Uint16(op[2:]); code {
	case reqDevlist:
		_, err := conn.Write(list(devices))
		return err
	case reqImport:
		return serveImport(ctx, conn, devices, tell)
	default:
		return fmt.Errorf("%w: operation %04X", ErrProtocol, code)
	}
}

func serveImport(ctx context.Context, conn net.Conn, devices []*Device, tell func(string)) error {
	var wanted [busIDBytes]byte
	if _, err := io.ReadFull(conn, wanted[:]); err != nil {
		return err
	}
	d, c := find(devices, wanted)
	if c == nil {
		_, err := conn.Write(appendOp(nil, repImport, opUnavailable))
		return err
	}
	defer c.Disconnect()
	tell("imported " + d.BusID)
	defer tell("given back " + d.BusID)
	if _, err := conn.Write(d.append(appendOp(nil, repImport, opDone))); err != nil {
		return err
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return err
	}
	return Carry(ctx, conn, c)
}

// find plugs the device of a bus id in; nil is none.
func find(devices []*Device, busID [busIDBytes]byte) (*Device, *virtualusb.Controller) {
	for _, d := range devices {
		if busID != fixed(d.BusID) {
			continue
		}
		if c, err := d.Plug(); err == nil {
			return d, c
		}
	}
	return nil, nil
}

// fixed is a text in a field of zeros.
func fixed(text string) (field [busIDBytes]byte) {
	copy(field[:], text)
	return field
}

// list is OP_REP_DEVLIST: what could be imported now.
func list(devices []*Device) []byte {
	b := appendOp(nil, repDevlist, opDone)
	free := slices.DeleteFunc(slices.Clone(devices), func(d *Device) bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.out
	})
	b = binary.BigEndian.AppendUint32(b, uint32(len(free))) //nolint:gosec // at most maxExported
	for _, d := range free {
		b = d.append(b)
		for _, i := range interfaces(d.function.Descriptors().Configuration) {
			b = append(b, i[0], i[1], i[2], 0)
		}
	}
	return b
}

func appendOp(b []byte, code uint16, status uint32) []byte {
	b = binary.BigEndian.AppendUint16(b, version)
	b = binary.BigEndian.AppendUint16(b, code)
	return binary.BigEndian.AppendUint32(b, status)
}

const busNumber = 1

// append writes the device block of 312 bytes.
func (d *Device) append(b []byte) []byte {
	says := d.function.Descriptors()
	path := make([]byte, pathBytes)
	copy(path, "/sys/devices/virtual/tillway/"+d.BusID)
	b = append(b, path...)
	id := fixed(d.BusID)
	b = append(b, id[:]...)
	b = binary.BigEndian.AppendUint32(b, busNumber)
	b = binary.BigEndian.AppendUint32(b, d.number)
	b = binary.BigEndian.AppendUint32(b, kernelSpeed(virtualusb.SpeedOf(says.Configuration)))
	dev := says.Device
	b = append(b, dev[9], dev[8], dev[11], dev[10], dev[13], dev[12]) // vendor, product, release: big-endian here
	b = append(b, dev[4], dev[5], dev[6])
	value := byte(0)
	if len(says.Configuration) >= 9 {
		value = says.Configuration[5]
	}
	return append(b, value, dev[17], byte(len(interfaces(says.Configuration)))) //nolint:gosec // at most 255
}

// kernelSpeed is Linux's usb_device_speed.
func kernelSpeed(s virtualusb.Speed) uint32 {
	if s == virtualusb.HighSpeed {
		return 3
	}
	return 2
}

// interfaces are class, subclass and protocol of each interface in its first setting; at most 255.
func interfaces(b []byte) [][3]byte {
	var all [][3]byte
	for len(b) >= 2 && int(b[0]) >= 2 && int(b[0]) <= len(b) && len(all) < 255 {
		if b[1] == virtualusb.InterfaceDescriptor && b[0] >= 9 && b[3] == 0 {
			all = append(all, [3]byte{b[5], b[6], b[7]})
		}
		b = b[b[0]:]
	}
	return all
}
