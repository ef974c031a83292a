package qemu

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
)

// The messages of the VSCard protocol (libcacard's vscard_common.h): a header of three big-endian words, type, reader and length,
// and that many bytes.
const (
	cardInit uint32 = 1 + iota
	cardError
	readerAdd
	readerRemove
	cardATR
	cardRemove
	cardAPDU
	cardFlush
	cardFlushComplete
)

const (
	anyReader   = 0xFFFFFFFF
	protocol    = 2       // of cardInit
	maxMessage  = 1 << 16 // bytes; QEMU's ccid-card-passthru takes no more
	messageHead = 12
)

// ErrCard says that QEMU does not take what the card said, or the connection ended.
var ErrCard = errors.New("QEMU's card connection")

// Chip is the card in QEMU's reader; device/emulator.Chip is nearly one.
type Chip interface {
	ATR() []byte
	Reset()
	Transmit(apdu []byte) []byte // nil: mute
	Gone() bool                  // pulled behind what it has just answered
}

// Card is the far end of QEMU's ccid-card-passthru: the card in a usb-ccid reader. Insert and Remove may be called while Serve runs.
type Card struct {
	conn io.ReadWriteCloser
	acks chan uint32

	ordering sync.Mutex // one order at a time

	mu      sync.Mutex // writing, and what follows
	chip    Chip
	unasked int // acknowledgements that nobody waits for
}

// NewCard greets QEMU. Serve has to run for anything else to happen.
func NewCard(conn io.ReadWriteCloser) (*Card, error) {
	c := &Card{conn: conn, acks: make(chan uint32, 16)}
	greeting := binary.BigEndian.AppendUint32([]byte("VSCD"), protocol)
	return c, c.send(cardInit, anyReader, binary.BigEndian.AppendUint32(greeting, 0))
}

// Serve answers QEMU until the connection ends, and says why it did.
func (c *Card) Serve() error {
	defer close(c.acks)
	for {
		kind, data, err := readMessage(c.conn)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrCard, err)
		}
		switch kind {
		case cardAPDU:
			if err := c.answer(data); err != nil {
				return err
			}
		case cardFlush:
			if err := c.send(cardFlushComplete, 0, nil); err != nil {
				return err
			}
		case cardError: // the acknowledgements come in the order of what they acknowledge
			code := uint32(0)
			if len(data) >= 4 {
				code = binary.BigEndian.Uint32(data)
			}
			c.mu.Lock()
			mine := c.unasked > 0
			if mine {
				c.unasked--
			}
			c.mu.Unlock()
			if !mine {
				c.acks <- code
			}
		}
	}
}

// answer lets the card answer; a mute one leaves the reader waiting.
func (c *Card) answer(apdu []byte) error {
	c.mu.Lock()
	chip := c.chip
	c.mu.Unlock()
	if chip == nil {
		return nil
	}
	if said := chip.Transmit(apdu); said != nil {
		if err := c.send(cardAPDU, 0, said); err != nil {
			return err
		}
	}
	if !chip.Gone() {
		return nil
	}
	c.mu.Lock()
	c.chip = nil
	c.unasked++
	c.mu.Unlock()
	return c.send(cardRemove, 0, nil)
}

// Insert puts a card into the reader. Error: ErrCard.
func (c *Card) Insert(chip Chip) error {
	chip.Reset()
	c.mu.Lock()
	c.chip = chip
	c.mu.Unlock()
	return c.order(cardATR, chip.ATR())
}

// Remove takes it out. Error: ErrCard.
func (c *Card) Remove() error {
	c.mu.Lock()
	c.chip = nil
	c.mu.Unlock()
	return c.order(cardRemove, nil)
}

// Close ends the connection, and with it Serve.
func (c *Card) Close() error { return c.conn.Close() }

// order sends what QEMU acknowledges with an error's number, 0 for none.
func (c *Card) order(kind uint32, data []byte) error {
	c.ordering.Lock()
	defer c.ordering.Unlock()
	if err := c.send(kind, 0, data); err != nil {
		return err
	}
	code, ok := <-c.acks
	if !ok || code != 0 {
		return fmt.Errorf("%w: message %d: error %d", ErrCard, kind, code)
	}
	return nil
}

func (c *Card) send(kind, reader uint32, data []byte) error {
	m := binary.BigEndian.AppendUint32(nil, kind)
	m = binary.BigEndian.AppendUint32(m, reader)
	m = binary.BigEndian.AppendUint32(m, uint32(len(data))) //nolint:gosec // at most maxMessage
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, err := c.conn.Write(append(m, data...)); err != nil {
		return fmt.Errorf("%w: %w", ErrCard, err)
	}
	return nil
}

func readMessage(r io.Reader) (kind uint32, data []byte, err error) {
	var head [messageHead]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	length := binary.BigEndian.Uint32(head[8:])
	if length > maxMessage {
		return 0, nil, fmt.Errorf("message of %d bytes", length)
	}
	data = make([]byte, length)
	_, err = io.ReadFull(r, data)
	return binary.BigEndian.Uint32(head[:]), data, err
}
