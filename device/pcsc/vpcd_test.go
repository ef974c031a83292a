package pcsc

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"syscall"

	"golang.org/x/sys/unix"

	"tillway/device/emulator"
)

const vpcdAddress = "127.0.0.1:35963"

// plugCard puts a card into the slot of vpcd until the context ends, or the card leaves. Unlike the emulator's own end of that wire it tells warm
// resets from cold ones, and has a word for a mute card: one byte, which is no answer (none at all is a card that was taken out).
func plugCard(ctx context.Context, c emulator.Chip) error {
	to, err := net.ResolveTCPAddr("tcp", vpcdAddress)
	if err != nil {
		return err
	}
	conn, err := net.DialTCP("tcp", nil, to)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	powered, warm := false, false
	for {
		message, err := hear(conn, raw)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		var answer []byte
		switch {
		case len(message) > 1:
			answer = c.Transmit(message)
		case message[0] == 4:
			answer = c.ATR()
			if w, ok := c.(emulator.WarmChip); ok && warm {
				answer = w.WarmATR()
			}
		default: // 0 off, 1 on, 2 reset
			warm, powered = powered && message[0] == 2, message[0] != 0
			if powered {
				c.Reset()
			}
			continue
		}
		if c.Left() {
			return nil
		}
		if len(answer) == 0 {
			answer = []byte{0}
		}
		_, _ = conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)) //nolint:gosec // an APDU; the next read fails
	}
}

// hear reads one message; both its parts are acknowledged at once, for vpcd waits for that.
func hear(conn net.Conn, raw syscall.RawConn) ([]byte, error) {
	read := func(b []byte) error {
		_ = raw.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_QUICKACK, 1) }) //nolint:gosec // a descriptor
		_, err := io.ReadFull(conn, b)
		return err
	}
	head := make([]byte, 2)
	if err := read(head); err != nil {
		return nil, err
	}
	message := make([]byte, max(1, binary.BigEndian.Uint16(head)))
	return message, read(message)
}

// bareAtT0 is a card at T=0, which announces its data and corrects lengths; warm resets stay its own.
type bareAtT0 struct {
	emulator.Chip
	chip emulator.Chip
}

func atT0(c emulator.Chip) emulator.Chip { return bareAtT0{emulator.Bare(c), c} }

func (b bareAtT0) WarmATR() []byte {
	if w, ok := b.chip.(emulator.WarmChip); ok {
		return w.WarmATR()
	}
	return b.chip.ATR()
}
