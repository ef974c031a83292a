package pcsc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"tillway/device"
	"tillway/device/iso7816"
)

// Socket is where pcscd listens on most systems.
const Socket = "/run/pcscd/pcscd.comm"

// greetWait bounds the first words of a connection, and everything that pcscd answers without a reader.
const greetWait = 10 * time.Second

// maxReceive is the room for an answer: a short response, and a little more, so that too long a one is noticed here.
const maxReceive = iso7816.MaxResponse + 6

// conn is one connection to pcscd, with a context of its own there. One goroutine at a time uses it. After any error that is no Code
// it is of no use any more: an answer may still be on its way.
type conn struct {
	net     net.Conn
	context uint32
}

// dial connects and agrees on the protocol's version.
func dial(ctx context.Context, socket string) (*conn, error) {
	within, cancel := context.WithTimeoutCause(ctx, greetWait, errDeaf)
	defer cancel()
	n, err := (&net.Dialer{}).DialContext(within, "unix", socket)
	if err != nil {
		return nil, dialError(socket, err)
	}
	c := &conn{net: n}
	if err := c.greet(within); err != nil {
		c.close()
		if errors.Is(err, errGone) {
			err = errRefused
		}
		return nil, err
	}
	return c, nil
}

func (c *conn) close() { _ = c.net.Close() } // nothing is buffered, and nothing can be done

// greet offers a version, takes the one that pcscd wants where that is a known one, and opens a context.
func (c *conn) greet(ctx context.Context) error {
	minor := uint32(protocolMinor)
	for {
		answer, err := c.call(ctx, cmdVersion, words(protocolMajor, minor, 0), nil, 8)
		if err == nil {
			break
		}
		if !errors.Is(err, codeServiceStopped) {
			return err
		}
		major, theirs := order.Uint32(answer), order.Uint32(answer[4:])
		if major != protocolMajor || theirs <= minor || theirs > newestMinor {
			return &trouble{fmt.Sprintf("pcscd speaks version %d.%d of its protocol, this driver %d.%d to %d.%d: install the pcscd of pcsc-lite 1.9.9, or another of those versions",
				major, theirs, protocolMajor, protocolMinor, protocolMajor, newestMinor), device.ErrProtocol}
		}
		minor = theirs
	}
	answer, err := c.call(ctx, cmdEstablish, words(scopeSystem, 0, 0), nil, 8)
	if err != nil {
		return err
	}
	c.context = order.Uint32(answer[4:])
	return nil
}

// call sends a structure and what follows it, and returns the structure as it comes back; the result stands at rv. Errors: a Code (with
// the answer), errGone, device.ErrTimeout when the context has a deadline of its own cause, the context's.
func (c *conn) call(ctx context.Context, command uint32, body, extra []byte, rv int) ([]byte, error) {
	if err := c.send(ctx, command, body, extra); err != nil {
		return nil, err
	}
	answer := make([]byte, len(body))
	if err := c.receive(ctx, answer); err != nil {
		return nil, err
	}
	if code := Code(order.Uint32(answer[rv:])); code != 0 {
		return answer, code
	}
	return answer, nil
}

func (c *conn) send(ctx context.Context, command uint32, body, extra []byte) error {
	message := words(uint32(len(body)), command) //nolint:gosec // structures of known size
	message = append(append(message, body...), extra...)
	return c.during(ctx, func() error {
		_, err := c.net.Write(message)
		return err
	})
}

func (c *conn) receive(ctx context.Context, b []byte) error {
	return c.during(ctx, func() error {
		_, err := io.ReadFull(c.net, b)
		return err
	})
}

// during does something with the connection that ends with the context.
func (c *conn) during(ctx context.Context, do func() error) error {
	stop := context.AfterFunc(ctx, func() { _ = c.net.SetDeadline(time.Unix(1, 0)) })
	err := do()
	ended := !stop()
	switch cause := context.Cause(ctx); {
	case ended && errors.Is(cause, device.ErrTimeout):
		return cause
	case ended:
		return ctx.Err()
	case err == nil:
		return nil
	}
	return errGone
}

// states asks for all readers.
func (c *conn) states(ctx context.Context) ([]readerState, error) { return c.table(ctx, cmdStates) }

// wait asks to be told of the next change, and gives the readers as they are before it. changed has to be called next.
func (c *conn) wait(ctx context.Context) ([]readerState, error) { return c.table(ctx, cmdWait) }

// changed returns when a reader has changed since wait.
func (c *conn) changed(ctx context.Context) error { return c.receive(ctx, make([]byte, 8)) }

func (c *conn) table(ctx context.Context, command uint32) ([]readerState, error) {
	if err := c.send(ctx, command, nil, nil); err != nil {
		return nil, err
	}
	b := make([]byte, tableSize)
	if err := c.receive(ctx, b); err != nil {
		return nil, err
	}
	return parseStates(b)
}

// connect opens a handle on a reader.
func (c *conn) connect(ctx context.Context, reader string, share, protocols uint32) (handle uint32, err error) {
	body := append(append(words(c.context), nameField(reader)...), words(share, protocols, 0, 0, 0)...)
	answer, err := c.call(ctx, cmdConnect, body, nil, len(body)-4)
	if err != nil {
		return 0, err
	}
	return order.Uint32(answer[len(answer)-12:]), nil
}

// reconnect resets the card and takes the reader exclusively. It returns the protocol that was taken.
func (c *conn) reconnect(ctx context.Context, handle, protocols, initialise uint32) (protocol uint32, err error) {
	answer, err := c.call(ctx, cmdReconnect, words(handle, shareExclusive, protocols, initialise, 0, 0), nil, 20)
	if err != nil {
		return 0, err
	}
	return order.Uint32(answer[16:]), nil
}

// disconnect gives the handle back.
func (c *conn) disconnect(ctx context.Context, handle, disposition uint32) error {
	_, err := c.call(ctx, cmdDisconnect, words(handle, disposition, 0), nil, 8)
	return err
}

// transmit carries a T=0 TPDU or a T=1 APDU to the card.
func (c *conn) transmit(ctx context.Context, handle, protocol uint32, send []byte) ([]byte, error) {
	const pciLength = 16
	body := words(handle, protocol, pciLength, uint32(len(send)), protocol, pciLength, maxReceive, 0) //nolint:gosec // at most 261
	answer, err := c.call(ctx, cmdTransmit, body, send, 28)
	if err != nil {
		return nil, err
	}
	n := order.Uint32(answer[24:])
	if n > maxReceive {
		return nil, fmt.Errorf("%w: pcscd announces %d bytes, there was room for %d", errBroken, n, maxReceive)
	}
	response := make([]byte, n)
	if err := c.receive(ctx, response); err != nil {
		return nil, err
	}
	return response, nil
}

// errBroken says that pcscd itself does not keep to its protocol: the connection is given up.
var errBroken = fmt.Errorf("%w: pcscd's answer makes no sense", device.ErrProtocol)
