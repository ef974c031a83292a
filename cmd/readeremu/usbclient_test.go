package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"regexp"
	"sync"
	"testing"

	"tillway/device"
	"tillway/device/usb"
	"tillway/device/usbccid"
)

// remote is a usb.Bus with one device at the other end of USB/IP: what vhci_hcd and usbfs are to a driver, written from
// usbip_protocol.rst.
type remote struct {
	t       *testing.T
	address string
	info    usb.Info
}

func (r *remote) List(context.Context) ([]usb.Info, error) { return []usb.Info{r.info}, nil }

func (r *remote) Changes(ctx context.Context) <-chan struct{} {
	c := make(chan struct{})
	context.AfterFunc(ctx, func() { close(c) })
	return c
}

func (r *remote) Open(ctx context.Context, _ usb.Info) (usb.Device, error) {
	conn, err := net.Dial("tcp", r.address)
	if err != nil {
		return nil, err
	}
	d := &remoteDevice{conn: conn, info: r.info, waiting: map[uint32]chan []byte{}, gone: make(chan struct{})}
	request := append([]byte{1, 0x11, 0x80, 3, 0, 0, 0, 0}, make([]byte, 32)...)
	copy(request[8:], "1-1")
	answer := make([]byte, 8+312)
	if _, err = conn.Write(request); err == nil {
		_, err = io.ReadFull(conn, answer)
	}
	if err != nil || answer[7] != 0 {
		return nil, fmt.Errorf("%w: import: %w", device.ErrUnplugged, err)
	}
	d.reading.Go(d.read)
	_, err = d.Control(ctx, 0x00, 9, 1, 0, nil)
	return d, err
}

// remoteDevice keeps the transfers apart by their numbers.
type remoteDevice struct {
	conn    net.Conn
	info    usb.Info
	reading sync.WaitGroup
	gone    chan struct{}

	mu      sync.Mutex
	seq     uint32
	waiting map[uint32]chan []byte // to whom an answer goes: its header and data
	lengths map[uint32]bool
}

func (d *remoteDevice) read() {
	defer close(d.gone)
	for {
		head := make([]byte, 48)
		if _, err := io.ReadFull(d.conn, head); err != nil {
			return
		}
		seq := binary.BigEndian.Uint32(head[4:])
		d.mu.Lock()
		to, sends := d.waiting[seq], d.lengths[seq]
		delete(d.waiting, seq)
		d.mu.Unlock()
		if n := binary.BigEndian.Uint32(head[24:]); head[3] == 3 && sends && n > 0 {
			data := make([]byte, n)
			if _, err := io.ReadFull(d.conn, data); err != nil {
				return
			}
			head = append(head, data...)
		}
		if to != nil {
			to <- head
		}
	}
}

// transfer is one submission and its answer; a context that ends unlinks it.
func (d *remoteDevice) transfer(ctx context.Context, in bool, endpoint uint8, setup [8]byte, data []byte, room int) ([]byte, error) {
	answer := make(chan []byte, 1)
	d.mu.Lock()
	d.seq++
	seq := d.seq
	if d.lengths == nil {
		d.lengths = map[uint32]bool{}
	}
	d.waiting[seq], d.lengths[seq] = answer, in
	direction, length := uint32(0), uint32(len(data))
	if in {
		direction, length = 1, uint32(room)
	}
	var b []byte
	for _, w := range []uint32{1, seq, 0x10002, direction, uint32(endpoint & 0x0F), 0, length, 0, 0, 0} {
		b = binary.BigEndian.AppendUint32(b, w)
	}
	_, err := d.conn.Write(append(append(b, setup[:]...), data...))
	d.mu.Unlock()
	if err != nil {
		return nil, device.ErrUnplugged
	}
	select {
	case head := <-answer:
		switch status := int32(binary.BigEndian.Uint32(head[20:])); status {
		case 0:
			return head[48:], nil
		case -32:
			return nil, usb.ErrStall
		default:
			return head[48:], fmt.Errorf("%w: status %d", device.ErrProtocol, status)
		}
	case <-d.gone:
		return nil, device.ErrUnplugged
	case <-ctx.Done():
		d.mu.Lock()
		d.seq++
		unlink := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, 2), d.seq)
		unlink = binary.BigEndian.AppendUint32(append(unlink, make([]byte, 12)...), seq)
		_, _ = d.conn.Write(append(unlink, make([]byte, 24)...))
		d.mu.Unlock()
		return nil, ctx.Err()
	}
}

func (d *remoteDevice) Info() usb.Info { return d.info }

func (d *remoteDevice) Configuration(ctx context.Context) ([]byte, error) {
	b := make([]byte, usb.MaxConfiguration)
	n, err := d.Control(ctx, 0x80, 6, 0x0200, 0, b)
	return b[:n], err
}

func (d *remoteDevice) Claim(context.Context, uint8, uint8) error { return nil }

func (d *remoteDevice) Control(ctx context.Context, requestType, request uint8, value, index uint16, data []byte) (int, error) {
	setup := [8]byte{requestType, request}
	binary.LittleEndian.PutUint16(setup[2:], value)
	binary.LittleEndian.PutUint16(setup[4:], index)
	binary.LittleEndian.PutUint16(setup[6:], uint16(len(data)))
	if requestType&0x80 != 0 {
		got, err := d.transfer(ctx, true, 0, setup, nil, len(data))
		return copy(data, got), err
	}
	_, err := d.transfer(ctx, false, 0, setup, data, 0)
	return len(data), err
}

func (d *remoteDevice) Read(ctx context.Context, endpoint uint8, b []byte) (int, error) {
	got, err := d.transfer(ctx, true, endpoint, [8]byte{}, nil, len(b))
	return copy(b, got), err
}

func (d *remoteDevice) Write(ctx context.Context, endpoint uint8, data []byte) (int, error) {
	_, err := d.transfer(ctx, false, endpoint, [8]byte{}, data, 0)
	return len(data), err
}

func (d *remoteDevice) Close() error {
	err := d.conn.Close()
	d.reading.Wait()
	return err
}

// TestDriverOverUSBIP: posd's driver of USB readers reads a card through the whole of readeremu usb, at each level.
func TestDriverOverUSBIP(t *testing.T) {
	for _, level := range []string{"tpdu", "short", "extended"} {
		t.Run(level, func(t *testing.T) {
			dir := shortDir(t)
			p := start(t, dir, "usb", "--reader", level, "--listen", "127.0.0.1:0", "--control", filepath.Join(dir, "r.ctl"))
			found := regexp.MustCompile(`at (127\.0\.0\.1:\d+):`).FindStringSubmatch(p.ready)
			if found == nil {
				t.Fatal(p.ready, p.errs)
			}
			bus := &remote{t: t, address: found[1], info: usb.Info{
				ID: usb.ID{Vendor: 0x04E6, Product: 0x5116}, Bus: 1, Address: 2, Path: "1-1",
				Interfaces: []usb.Interface{{Class: 0x0B}},
			}}
			reader, err := usbccid.Open(usbccid.Config{Bus: bus})
			if err != nil {
				t.Fatal(err)
			}
			defer reader.Close()
			presented, err := reader.Present(t.Context())
			if err != nil {
				t.Fatal(err, reader.Status())
			}
			answer, err := presented.Card.Transmit(t.Context(), []byte{0x00, 0xA4, 0x04, 0x00, 0x07, 0xA0, 0, 0, 0, 0x03, 0x10, 0x10, 0x00})
			if err != nil || !bytes.HasSuffix(answer, []byte{0x90, 0x00}) || len(answer) < 20 {
				t.Errorf("% X, %v", answer, err)
			}
			if s := p.tell("status"); s.Port != "1-1" || !s.Powered || s.Carried == 0 {
				t.Errorf("%+v", s)
			}
			p.tell("remove")
			if err := reader.AwaitRemoval(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}
