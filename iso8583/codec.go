package iso8583

import (
	"errors"
	"fmt"
	"slices"
	"sync"
)

// Codec packs and unpacks the messages of one table. It is safe for concurrent use.
type Codec struct {
	table Table
	rows  map[int]Field
	pool  sync.Pool // of *workspace
}

// Compile checks a table and makes its codec. The error names every row that cannot be meant.
func Compile(t Table) (*Codec, error) {
	t.Fields = slices.Clone(t.Fields)
	c := &Codec{table: t, rows: make(map[int]Field, len(t.Fields))}
	var bad []error
	for _, f := range t.Fields {
		if err := f.check(); err != nil {
			bad = append(bad, err)
		}
		if _, twice := c.rows[f.Number]; twice {
			bad = append(bad, fmt.Errorf("field %d is there twice", f.Number))
		}
		c.rows[f.Number] = f
	}
	if err := errors.Join(bad...); err != nil {
		return nil, fmt.Errorf("message table %q: %w", t.Name, err)
	}
	c.pool.New = func() any { return newWorkspace(t) }
	return c, nil
}

// Name is the table's name.
func (c *Codec) Name() string { return c.table.Name }

// HasTPDU says whether the table's messages begin with a TPDU.
func (c *Codec) HasTPDU() bool { return c.table.TPDU }

// Pack makes a frame: TPDU where the table has one, MTI, bitmap, fields; no length prefix. Errors are *Error.
func (c *Codec) Pack(m *Message) ([]byte, error) {
	if c.table.TPDU != (m.TPDU != nil) || (m.TPDU != nil && len(m.TPDU) != tpduLength) {
		return nil, misfit(-1, "TPDU of %d bytes, the table wants %d", len(m.TPDU), c.tpdu())
	}
	ws := c.workspace()
	defer c.pool.Put(ws)
	body, err := ws.pack(m)
	if err != nil {
		return nil, err
	}
	if len(m.TPDU)+len(body) > MaxFrame {
		return nil, misfit(-1, "%d bytes, at most %d", len(m.TPDU)+len(body), MaxFrame)
	}
	if len(m.TPDU) == 0 {
		return body, nil
	}
	frame := make([]byte, 0, tpduLength+len(body))
	return append(append(frame, m.TPDU...), body...), nil
}

// Unpack reads a whole frame, without length prefix; the message keeps nothing of it. Errors are *Error.
func (c *Codec) Unpack(frame []byte) (*Message, error) { return c.unpack(frame, c.table.TPDU) }

func (c *Codec) unpack(frame []byte, tpdu bool) (*Message, error) {
	if len(frame) > MaxFrame {
		return nil, malformed(-1, "%d bytes, at most %d", len(frame), MaxFrame)
	}
	body := frame
	if tpdu {
		if len(frame) < tpduLength {
			return nil, malformed(-1, "%d bytes, a TPDU has %d", len(frame), tpduLength)
		}
		body = frame[tpduLength:]
	}
	ws := c.workspace()
	defer c.pool.Put(ws)
	m, err := ws.unpack(body)
	if err != nil {
		return nil, err
	}
	if tpdu {
		m.TPDU = slices.Clone(frame[:tpduLength])
	}
	return m, nil
}

func (c *Codec) tpdu() int {
	if c.table.TPDU {
		return tpduLength
	}
	return 0
}

func (c *Codec) workspace() *workspace {
	ws, ok := c.pool.Get().(*workspace)
	if !ok {
		panic("iso8583: the pool gave something that is no workspace")
	}
	return ws
}
