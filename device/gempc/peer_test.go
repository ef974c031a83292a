package gempc

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/creack/pty"

	"tillway/device/ccid"
	"tillway/device/devicetest"
	"tillway/device/iso7816"
)

// peer is the other end of the line: the least GemPC Twin that the conformance suite needs, on a pseudo-terminal
// behind a symbolic link. It shares the message and block codecs with the driver, and nothing else; device/emulator has
// an independent one.
type peer struct {
	t    testing.TB
	link string

	mu            sync.Mutex
	master, slave *os.File // nil while unplugged
	serving       sync.WaitGroup

	atr      []byte
	warm     []byte // answer to a warm reset
	given    []byte // answer to the last reset
	answer   func([]byte) []byte
	in       bool
	powered  bool
	moved    bool
	rest     []byte // T=0: what GET RESPONSE will fetch
	t1       peerT1
	exchange int // resets and blocks since the insertion
	faults   map[int]devicetest.Fault
}

// peerT1 is the card's side of T=1.
type peerT1 struct {
	ns, nr  byte
	command []byte
	out     []byte // of the response, still to send
	last    []byte // block sent last
}

func newPeer(t testing.TB) *peer {
	p := &peer{t: t, link: filepath.Join(t.TempDir(), "port"), faults: map[int]devicetest.Fault{}}
	p.Replug()
	t.Cleanup(p.Unplug)
	return p
}

func (p *peer) Insert(atr []byte, answer func([]byte) []byte) { p.InsertWarm(atr, atr, answer) }

func (p *peer) InsertWarm(atr, warm []byte, answer func([]byte) []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.in {
		clear(p.faults)
	}
	p.atr, p.warm, p.answer, p.in, p.powered, p.moved, p.exchange = atr, warm, answer, true, false, true, 0
	p.t1, p.rest = peerT1{}, nil
}

func (p *peer) Remove() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.remove()
}

func (p *peer) remove() {
	p.moved = p.moved || p.in
	p.in, p.powered = false, false
	clear(p.faults)
}

func (p *peer) Fault(kind devicetest.Fault, exchange int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults[exchange] = kind
}

func (p *peer) Replug() {
	p.mu.Lock()
	defer p.mu.Unlock()
	master, slave, err := pty.Open()
	if err != nil {
		p.t.Error(err)
		return
	}
	if err := os.Symlink(slave.Name(), p.link); err != nil {
		p.t.Error(err)
	}
	p.master, p.slave = master, slave
	p.serving.Go(func() { p.serve(master) })
}

func (p *peer) Unplug() {
	p.mu.Lock()
	p.unplug()
	p.mu.Unlock()
	p.serving.Wait()
}

func (p *peer) unplug() {
	if p.master == nil {
		return
	}
	_ = os.Remove(p.link)
	_ = p.slave.Close()
	_ = p.master.Close()
	p.master, p.slave, p.powered = nil, nil, false
}

// serve reads frames and answers them until the master is closed.
func (p *peer) serve(master *os.File) {
	var in []byte
	chunk := make([]byte, 512)
	for {
		n, err := master.Read(chunk)
		if err != nil {
			return
		}
		in = append(in, chunk[:n]...)
		for len(in) > 0 {
			if in[0] != 0x03 {
				in = in[1:]
				continue
			}
			if len(in) < 12 {
				break
			}
			whole := 13 + int(binary.LittleEndian.Uint32(in[3:]))
			if len(in) < whole {
				break
			}
			p.hear(master, in[:whole])
			in = in[whole:]
		}
	}
}

func (p *peer) hear(master *os.File, frame []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.master != master {
		return
	}
	m, err := ccid.Parse(frame[2 : len(frame)-1])
	if err != nil || iso7816.LRC(frame) != 0 || frame[1] != 0x06 {
		p.t.Errorf("bad frame from the driver: %X", frame)
		return
	}
	fault := p.fault(m)
	if fault == devicetest.Refused {
		p.write([]byte{0x03, 0x15, 0x16})
		return
	}
	p.write(frame)
	if fault == devicetest.Removed {
		p.remove()
	}
	if p.moved {
		p.moved = false
		move := ccid.MovedOut
		if p.in {
			move = ccid.MovedIn
		}
		p.write([]byte{ccid.NotifySlotChange, move})
	}
	p.misbehave(fault, m)
}

// fault is the one that is due for this message, and takes it off the list.
func (p *peer) fault(m ccid.Message) devicetest.Fault {
	if m.Type != ccid.PowerOn && m.Type != ccid.XfrBlock || !p.in {
		return ""
	}
	fault := p.faults[p.exchange]
	delete(p.faults, p.exchange)
	if fault != devicetest.Refused && (m.Type == ccid.XfrBlock || p.exchange == 0) {
		p.exchange++
	}
	return fault
}

// misbehave answers the message, the way the fault says.
func (p *peer) misbehave(fault devicetest.Fault, m ccid.Message) {
	switch fault {
	case devicetest.Mute:
		p.powered = p.powered && m.Type == ccid.XfrBlock
		p.write(framed(p.reply(m, ccid.DataBlock, ccid.Failed, ccid.ICCMute, nil)))
	case devicetest.Slow:
		p.write([]byte{0x80, 0xFF})
		slow := p.reply(m, ccid.DataBlock, ccid.TimeExtension, 2, nil)
		p.write(framed(slow))
		p.write(framed(p.handle(m)))
	case devicetest.BadChecksum:
		b := framed(p.handle(m))
		b[len(b)-1] ^= 0x55
		p.write(b)
	case devicetest.ShortFrame:
		b := framed(p.handle(m))
		p.write(b[:len(b)/2])
	case devicetest.Stalled:
		for range 250 {
			p.write([]byte{0x80})
		}
	case devicetest.Parity:
		p.handle(m)
		p.write(framed(p.reply(m, ccid.DataBlock, ccid.Failed, ccid.XfrParityError, nil)))
	case devicetest.Stale:
		old := p.reply(m, ccid.DataBlock, ccid.Done, 0, []byte{0x6F, 0x00})
		old.Seq--
		p.write(framed(old))
		p.write(framed(p.handle(m)))
	case devicetest.Garbage:
		p.write([]byte{0x00, 0x03, 0x04, 0x50, 0x07, 0x41})
		p.write(framed(p.handle(m)))
	case devicetest.Lost:
		p.handle(m)
	case devicetest.Reset:
		p.powered = false
	case devicetest.Unplugged:
		p.unplug()
	default:
		p.write(framed(p.handle(m)))
	}
}

func (p *peer) write(b []byte) {
	if _, err := p.master.Write(b); err != nil {
		p.t.Errorf("peer: %v", err)
	}
}

func framed(m ccid.Message) []byte {
	b := ccid.Append([]byte{0x03, 0x06}, m)
	return append(b, iso7816.LRC(b))
}

func (p *peer) reply(m ccid.Message, kind byte, command ccid.Command, reason byte, data []byte) ccid.Message {
	icc := ccid.NoICC
	switch {
	case p.powered:
		icc = ccid.Active
	case p.in:
		icc = ccid.Inactive
	}
	status := ccid.Status{ICC: icc, Command: command, Error: reason}
	return ccid.Message{Type: kind, Seq: m.Seq, Params: status.Params(0), Data: data}
}

func (p *peer) handle(m ccid.Message) ccid.Message {
	switch m.Type {
	case ccid.PowerOn:
		if p.given = p.atr; p.powered {
			p.given = p.warm
		}
		if !p.in || p.given == nil {
			p.powered = false
			return p.reply(m, ccid.DataBlock, ccid.Failed, ccid.ICCMute, nil)
		}
		p.powered, p.t1, p.rest = true, peerT1{}, nil
		return p.reply(m, ccid.DataBlock, ccid.Done, 0, p.given)
	case ccid.PowerOff:
		p.powered = false
		return p.reply(m, ccid.SlotStatus, ccid.Done, 0, nil)
	case ccid.GetSlotStatus:
		return p.reply(m, ccid.SlotStatus, ccid.Done, 0, nil)
	case ccid.SetParameters:
		if want := []int{5, 7}[m.Params[0]&1]; len(m.Data) != want {
			p.t.Errorf("SetParameters with %d bytes for T=%d", len(m.Data), m.Params[0])
		}
		return p.reply(m, ccid.Parameters, ccid.Done, 0, m.Data)
	case ccid.Escape:
		if len(m.Data) == 1 && m.Data[0] == 2 {
			return p.reply(m, ccid.EscapeAnswer, ccid.Done, 0, []byte("GemTwRC2-V2.00-GO02"))
		}
		return p.reply(m, ccid.EscapeAnswer, ccid.Done, 0, []byte{0})
	case ccid.XfrBlock:
		if !p.powered {
			return p.reply(m, ccid.DataBlock, ccid.Failed, ccid.ICCMute, nil)
		}
		if len(p.given) > 4 && p.given[4] == 0x81 {
			return p.reply(m, ccid.DataBlock, ccid.Done, 0, p.t1.hear(p.t, m.Data, p.answer))
		}
		return p.reply(m, ccid.DataBlock, ccid.Done, 0, p.t0(m.Data))
	}
	return p.reply(m, ccid.SlotStatus, ccid.Failed, ccid.Unsupported, nil)
}

// t0 is a card that makes the terminal use 61xx and 6Cxx wherever it may.
func (p *peer) t0(tpdu []byte) []byte {
	if len(tpdu) < 5 {
		p.t.Errorf("TPDU of %d bytes", len(tpdu))
		return []byte{0x67, 0x00}
	}
	if tpdu[1] == 0xC0 {
		n := len(p.rest)
		if int(tpdu[4]) != n&0xFF {
			return []byte{0x6C, byte(n)}
		}
		out := slices.Concat(p.rest, []byte{0x90, 0x00})
		p.rest = nil
		return out
	}
	response := p.answer(tpdu)
	data := response[:len(response)-2]
	switch {
	case len(data) == 0:
		return response
	case len(tpdu) > 5:
		p.rest = data
		return []byte{0x61, byte(len(data))}
	case int(tpdu[4]) != len(data)&0xFF:
		return []byte{0x6C, byte(len(data))}
	}
	return response
}

// hear is a T=1 card with blocks of at most 32 bytes out.
func (c *peerT1) hear(t testing.TB, raw []byte, answer func([]byte) []byte) []byte {
	b, err := iso7816.ParseBlock(raw)
	if err != nil {
		t.Errorf("block from the driver: %v", err)
		return nil
	}
	var out iso7816.Block
	switch b.Kind() {
	case iso7816.IFSRequest:
		out = iso7816.S(iso7816.PCBIFSResponse, b.INF...)
	case iso7816.Information:
		if b.NS() != c.nr {
			t.Errorf("N(S) %d out of order", b.NS())
		}
		c.nr ^= 1
		c.command = append(c.command, b.INF...)
		if b.More() {
			out = iso7816.R(c.nr, iso7816.Acknowledged)
			break
		}
		c.out, c.command = answer(c.command), nil
		out = c.part()
	case iso7816.Receipt:
		if len(c.out) == 0 || b.NR() != c.ns {
			return c.last
		}
		out = c.part()
	default:
		t.Errorf("PCB %02X from the driver", b.PCB)
	}
	c.last = out.Append(nil)
	return c.last
}

func (c *peerT1) part() iso7816.Block {
	n := min(32, len(c.out))
	b := iso7816.I(c.ns, n < len(c.out), c.out[:n])
	c.out = c.out[n:]
	c.ns ^= 1
	return b
}
