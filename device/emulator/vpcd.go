package emulator

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
)

// The one-byte messages of the vpcd wire protocol (vsmartcard). Every message is a big-endian length of two bytes and that
// many bytes; what is none of these is an APDU.
const (
	vpcdOff   = 0x00
	vpcdOn    = 0x01
	vpcdReset = 0x02
	vpcdATR   = 0x04
)

// Serve offers a card to one client after the other, in the vpcd wire protocol, until the context ends; it closes the
// listener. A card that does not answer, or leaves, ends the client's connection: it is back for the next one. tell, when there, gets one
// line an exchange.
func Serve(ctx context.Context, l net.Listener, c Chip, tell func(line string)) error {
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	defer l.Close()
	if tell != nil {
		c = watch{c, tell}
	}
	for {
		conn, err := l.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("card on %s: %w", l.Addr(), err)
		}
		hangUp := context.AfterFunc(ctx, func() { _ = conn.Close() })
		err = serveClient(quick(conn), c)
		hangUp()
		_ = conn.Close()
		if err != nil && ctx.Err() == nil && tell != nil {
			tell("client gone: " + err.Error())
		}
	}
}

// maxVPCD is the longest message taken: a short APDU.
const maxVPCD = maxCommand

var errNoAnswer = errors.New("card gives no answer")

func serveClient(conn io.ReadWriter, c Chip) error {
	c.Reset()
	powered := true // a client need not switch it on
	for {
		message, err := readVPCD(conn)
		if err != nil {
			return err
		}
		var answer []byte
		switch {
		case len(message) == 1 && message[0] == vpcdOff:
			powered = false
			continue
		case len(message) == 1 && (message[0] == vpcdOn || message[0] == vpcdReset):
			c.Reset()
			powered = true
			continue
		case len(message) == 1 && message[0] == vpcdATR:
			answer = c.ATR()
		case powered:
			answer = c.Transmit(message)
		}
		if answer == nil {
			return errNoAnswer
		}
		out := binary.BigEndian.AppendUint16(nil, uint16(len(answer))) //nolint:gosec // at most 258
		if _, err := conn.Write(append(out, answer...)); err != nil {
			return err
		}
	}
}

func readVPCD(r io.Reader) ([]byte, error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint16(head[:]))
	if n == 0 || n > maxVPCD {
		return nil, fmt.Errorf("message of %d bytes, 1 to %d are wanted", n, maxVPCD)
	}
	message := make([]byte, n)
	_, err := io.ReadFull(r, message)
	return message, err
}
