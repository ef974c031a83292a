package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"tillway/device"
)

// vpcdCard is a card at the other end of a TCP connection that speaks vpcd's wire protocol: each message is a big-endian
// length of two bytes and as many bytes; one byte is a control, of which only "ATR?" is answered; all else is an APDU.
type vpcdCard struct{ conn net.Conn }

// The controls.
const (
	vpcdOff = 0x00
	vpcdOn  = 0x01
	vpcdATR = 0x04
)

const (
	maxVPCDAnswer = 258
	maxATR        = 33               // ISO/IEC 7816-3, 8.2
	vpcdDeadline  = 10 * time.Second // for an answer; a contact card that needs longer asks for it, which vpcd does not pass on
)

// dialCard connects to the card, powers it and has its ATR.
func dialCard(ctx context.Context, where string) (openedCard, error) {
	address, ok := strings.CutPrefix(where, "tcp:")
	if !ok {
		return openedCard{}, usage("--card %q: write tcp:HOST:PORT", where)
	}
	if _, _, err := net.SplitHostPort(address); err != nil {
		return openedCard{}, usage("--card %q: write tcp:HOST:PORT: %w", where, err)
	}
	d := net.Dialer{Timeout: 5 * time.Second}
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return openedCard{}, usage("%w: %w", errDial, err)
	}
	card := &vpcdCard{conn}
	atr, err := card.powerOn(ctx)
	if err != nil {
		_ = conn.Close() // the first error says it all
		return openedCard{}, usage("%w at %s: %w", errDial, address, err)
	}
	out := opened(card, func() error {
		_ = card.send(ctx, []byte{vpcdOff}) // the card may be gone: that changes nothing
		return conn.Close()
	})
	out.atr = atr
	return out, nil
}

func (c *vpcdCard) powerOn(ctx context.Context) (atr []byte, err error) {
	if err := c.send(ctx, []byte{vpcdOn}); err != nil {
		return nil, err
	}
	if err := c.send(ctx, []byte{vpcdATR}); err != nil {
		return nil, err
	}
	if atr, err = c.receive(); err != nil {
		return nil, err
	}
	if len(atr) < 2 || len(atr) > maxATR {
		return nil, fmt.Errorf("answer to reset of %d bytes: %w", len(atr), device.ErrMute)
	}
	return atr, nil
}

// Transmit sends one APDU. A connection that ends is a card that was taken out.
func (c *vpcdCard) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	if err := c.send(ctx, command); err != nil {
		return nil, err
	}
	answer, err := c.receive()
	switch {
	case err != nil:
		return nil, err
	case len(answer) < 2:
		return nil, device.ErrMute
	}
	return answer, nil
}

func (c *vpcdCard) send(ctx context.Context, message []byte) error {
	deadline := time.Now().Add(vpcdDeadline)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	if err := c.conn.SetDeadline(deadline); err != nil {
		return fmt.Errorf("%w: %w", device.ErrRemoved, err)
	}
	frame := binary.BigEndian.AppendUint16(nil, uint16(len(message))) //nolint:gosec // a command APDU: at most 261 bytes
	if _, err := c.conn.Write(append(frame, message...)); err != nil {
		return fmt.Errorf("%w: %w", device.ErrRemoved, err)
	}
	return nil
}

func (c *vpcdCard) receive() ([]byte, error) {
	var head [2]byte
	if _, err := io.ReadFull(c.conn, head[:]); err != nil {
		return nil, c.gone(err)
	}
	n := binary.BigEndian.Uint16(head[:])
	if n > maxVPCDAnswer {
		return nil, fmt.Errorf("an answer of %d bytes, at most %d: %w", n, maxVPCDAnswer, device.ErrProtocol)
	}
	answer := make([]byte, n)
	if _, err := io.ReadFull(c.conn, answer); err != nil {
		return nil, c.gone(err)
	}
	return answer, nil
}

// gone tells a card that says nothing from one that is not there any more.
func (c *vpcdCard) gone(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("%w: no answer in %s", device.ErrMute, vpcdDeadline)
	}
	return fmt.Errorf("%w: %w", device.ErrRemoved, err)
}
