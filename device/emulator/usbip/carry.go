package usbip

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"tillway/device"
	"tillway/device/emulator/virtualusb"
)

// Carry carries the transfers of a client that has imported the device, until the connection, the context or the device's plugging in ends;
// it closes the connection and waits for the transfers. A device that is pulled is an end without error, and so is a client that closes.
// Errors: ErrProtocol, or the connection's.
func Carry(ctx context.Context, conn io.ReadWriteCloser, c *virtualusb.Controller) error {
	ctx, cancel := context.WithCancel(ctx)
	s := &session{conn: conn, controller: c, urbs: map[uint32]*urb{}, lanes: map[uint8]*lane{}}
	var watching sync.WaitGroup
	watching.Go(func() {
		select {
		case <-c.Gone():
		case <-ctx.Done():
		}
		_ = conn.Close()
	})
	err := s.read(ctx)
	ended := ctx.Err() != nil
	cancel()
	watching.Wait()
	s.working.Wait()
	select {
	case <-c.Gone():
		return nil
	default:
	}
	if ended || errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// session is one client's use of one device.
type session struct {
	conn       io.ReadWriteCloser
	controller *virtualusb.Controller
	working    sync.WaitGroup // a goroutine for each endpoint with work

	writing sync.Mutex // held over the writes of an answer and of what belongs behind it

	mu    sync.Mutex // guards what follows; taken after writing
	urbs  map[uint32]*urb
	bytes int
	lanes map[uint8]*lane
}

// urb is a transfer that a client submitted and that has not been answered.
type urb struct {
	command
	data   []byte // to the device
	cancel context.CancelFunc
	ctx    context.Context
	unlink []uint32 // the requests to unlink it, to be answered behind it
}

// lane is the transfers of one endpoint, in their order.
type lane struct {
	waiting []*urb
	busy    bool // a goroutine is at them
}

// read takes what the client sends.
func (s *session) read(ctx context.Context) error {
	r := bufio.NewReader(s.conn)
	var head [headerBytes]byte
	for {
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return err
		}
		c, err := parseCommand(head)
		if err != nil {
			return err
		}
		if c.kind == cmdUnlink {
			s.unlink(c)
			continue
		}
		if err := s.submit(ctx, r, c); err != nil {
			return err
		}
	}
}

// submit reads the rest of a submission and puts the transfer behind the others of its endpoint.
func (s *session) submit(ctx context.Context, r io.Reader, c command) error {
	s.mu.Lock()
	full := len(s.urbs) >= maxURBs || s.bytes+c.length > maxURBsBytes
	known := s.urbs[c.seq] != nil
	s.mu.Unlock()
	if full || known {
		return fmt.Errorf("%w: transfer %d is one too many, or there twice", ErrProtocol, c.seq)
	}
	u := &urb{command: c}
	if !c.in {
		u.data = make([]byte, c.length)
		if _, err := io.ReadFull(r, u.data); err != nil {
			return err
		}
	}
	if _, err := io.CopyN(io.Discard, r, int64(c.isochronous()*packetBytes)); err != nil {
		return err
	}
	u.ctx, u.cancel = context.WithCancel(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.urbs[c.seq] = u
	s.bytes += c.length
	l := s.lanes[c.address()]
	if l == nil {
		l = &lane{}
		s.lanes[c.address()] = l
	}
	l.waiting = append(l.waiting, u)
	if !l.busy {
		l.busy = true
		s.working.Go(func() { s.work(l) })
	}
	return nil
}

// unlink gives a transfer up; the answer to it goes out when the transfer has ended, or at once when it is there no more.
func (s *session) unlink(c command) {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	u := s.urbs[c.victim]
	if u != nil {
		u.unlink = append(u.unlink, c.seq)
		u.cancel()
	}
	s.mu.Unlock()
	if u == nil {
		s.write(appendUnlinked(nil, c.seq, statusDone))
	}
}

// work carries the transfers of a lane until there is none.
func (s *session) work(l *lane) {
	for {
		s.mu.Lock()
		if len(l.waiting) == 0 {
			l.busy = false
			s.mu.Unlock()
			return
		}
		u := l.waiting[0]
		l.waiting = l.waiting[1:]
		s.mu.Unlock()
		a, err := s.carry(u)
		if a.status == statusShort {
			s.stop(l)
		}
		s.answer(u, a, err)
	}
}

// stop holds back what was queued behind a short transfer and belongs to it: a host controller stops there, and the client unlinks them. The
// last of them is the first that may be short.
func (s *session) stop(l *lane) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, u := range l.waiting {
		if u.flags&shortNotOK != 0 {
			continue
		}
		held := l.waiting[:i+1]
		l.waiting = l.waiting[i+1:]
		for _, u := range held {
			s.working.Go(func() {
				<-u.ctx.Done()
				s.answer(u, answer{}, u.ctx.Err())
			})
		}
		return
	}
}

// carry does one transfer. The error is the context's, when the transfer was given up.
func (s *session) carry(u *urb) (answer, error) {
	if u.isochronous() > 0 {
		return answer{status: statusInvalid}, nil
	}
	var data []byte
	var err error
	switch {
	case u.number == 0:
		data, err = s.controller.Control(u.ctx, u.setup, u.data)
		if len(data) > u.length {
			data, err = data[:u.length], virtualusb.ErrOverflow
		}
	case u.in:
		data, err = s.controller.In(u.ctx, u.address(), u.length)
	default:
		err = s.controller.Out(u.ctx, u.address(), u.data)
	}
	if err != nil && u.ctx.Err() != nil && errors.Is(err, u.ctx.Err()) {
		return answer{}, err
	}
	a := answer{status: status(err), actual: len(data), data: data}
	if !u.in {
		a.data = nil
		if a.actual = 0; err == nil {
			a.actual = u.length
		}
	}
	if err == nil && u.in && a.actual < u.length && u.flags&shortNotOK != 0 {
		a.status = statusShort
	}
	return a, nil
}

func status(err error) int32 {
	switch {
	case err == nil:
		return statusDone
	case errors.Is(err, virtualusb.ErrStall):
		return statusStall
	case errors.Is(err, virtualusb.ErrOverflow):
		return statusOverflow
	case errors.Is(err, virtualusb.ErrEndpoint):
		return statusNoEndpoint
	case errors.Is(err, device.ErrUnplugged):
		return statusEndOfDevice
	}
	return statusBroken
}

// answer tells the client how a transfer ended. One that was unlinked before it ended is answered by the answer to that alone.
func (s *session) answer(u *urb, a answer, gaveUp error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	delete(s.urbs, u.seq)
	s.bytes -= u.length
	unlink := u.unlink
	s.mu.Unlock()
	u.cancel()
	var b []byte
	outcome := int32(statusUnlinked)
	if gaveUp == nil {
		b, outcome = appendSubmitted(nil, u.command, a), statusDone
	}
	for _, seq := range unlink {
		b = appendUnlinked(b, seq, outcome)
	}
	s.write(b)
}

// write sends an answer; writing is held. A client that does not take it has gone: the reading side notices.
func (s *session) write(b []byte) {
	if len(b) == 0 {
		return
	}
	if _, err := s.conn.Write(b); err != nil {
		_ = s.conn.Close()
	}
}
