package iso8583

import (
	"errors"
	"slices"

	moov "github.com/moov-io/iso8583"
	"github.com/moov-io/iso8583/encoding"
	"github.com/moov-io/iso8583/field"
	"github.com/moov-io/iso8583/prefix"
)

// workspace is what one Pack or Unpack needs: a moov spec whose fields are used again and again, and buffers. A codec
// keeps a pool of them; one call has one to itself.
type workspace struct {
	spec   *moov.MessageSpec
	msg    *moov.Message
	bitmap *bitmapBytes
	cells  [129]*cell // by number, nil where the table has no row
	all    []*cell    // those that are there
	turn   uint64     // counts packs
	inside []int      // numbers of the fields that moov's message has, from this turn and the last
	input  []byte     // values on their way into moov
	text   []byte     // values on their way out, one behind the other
	ends   []int      // where each of them ends in text, the MTI first
	rest   int        // bytes behind the field that was unpacked last
}

// newWorkspace builds the moov spec of a table that Compile has checked.
func newWorkspace(t Table) *workspace {
	ws := &workspace{bitmap: &bitmapBytes{hex: t.CharacterHeader}}
	mti := Field{Name: "Message type", Max: 4}
	if t.CharacterHeader {
		mti.Encoding = ASCII
	}
	fields := map[int]field.Field{
		0: ws.add(t, mti),
		1: field.NewBitmap(&field.Spec{Length: 8, Description: "Bitmap", Enc: ws.bitmap, Pref: exactly{}}),
	}
	for _, row := range t.Fields {
		fields[row.Number] = ws.add(t, row)
	}
	ws.spec = &moov.MessageSpec{Name: t.Name, Fields: fields}
	ws.msg = moov.NewMessage(ws.spec)
	return ws
}

func (ws *workspace) add(t Table, row Field) field.Field {
	r := &rule{ws: ws, row: row}
	var enc encoding.Encoder = &characters{digitsOnly: row.Kind == Numeric || row.Kind == Track2, separator: row.Kind == Track2}
	if row.Encoding == BCD {
		r.filler = t.Track2Filler.nibble()
		r.nibbles = &nibbles{separator: row.Kind == Track2, right: row.Padding == FillerRight, filler: r.filler}
		enc = r.nibbles
	}
	var pref prefix.Prefixer = exactly{}
	if n, bcd := row.Length.digits(); n > 0 {
		pref = lengthDigits{digits: n, bcd: bcd, buf: make([]byte, 3)}
	}
	c := &cell{rule: r, Binary: field.NewBinary(&field.Spec{
		Length: row.Max, Description: row.Name, Enc: enc, Pref: pref, Packer: r, Unpacker: r,
	})}
	ws.cells[row.Number] = c
	ws.all = append(ws.all, c)
	return c
}

// pack runs moov's Message over the values.
func (ws *workspace) pack(m *Message) ([]byte, error) {
	defer ws.wipe()
	ws.turn++
	ws.bitmap.wide = m.wide
	need := len(m.mti)
	for _, v := range m.values {
		need += len(v.text)
	}
	if need > MaxFrame {
		return nil, misfit(-1, "%d bytes of values, at most %d", need, MaxFrame)
	}
	if cap(ws.input) < need {
		ws.input = make([]byte, 0, need+256)
	}
	if err := ws.put(0, m.mti, seenNone); err != nil {
		return nil, err
	}
	for _, v := range m.values {
		if err := ws.put(int(v.number), v.text, v.seen); err != nil {
			return nil, err
		}
	}
	ws.drop()
	out, err := ws.msg.Pack()
	if err != nil {
		return nil, ours(err, ErrValue)
	}
	return out, nil
}

func (ws *workspace) put(number int, text string, seen seenFiller) error {
	if ws.cells[number] == nil {
		return misfit(number, "the table has no such field")
	}
	if n := ws.cells[number].rule.nibbles; n != nil {
		switch seen {
		case seenF:
			n.filler = FillerF.nibble()
		case seenZero:
			n.filler = FillerZero.nibble()
		case seenNone:
			n.filler = ws.cells[number].rule.filler
		}
	}
	if ws.cells[number].used == 0 {
		ws.inside = append(ws.inside, number)
	}
	ws.cells[number].used = ws.turn
	start := len(ws.input)
	ws.input = append(ws.input, text...)
	if err := ws.msg.BinaryField(number, ws.input[start:]); err != nil {
		return ours(err, ErrValue)
	}
	return nil
}

// drop takes out of moov's message what the last message had and this one has not. The others stay: messages of one
// kind follow each other, and putting a field in costs more than giving it a new value.
func (ws *workspace) drop() {
	ws.inside = slices.DeleteFunc(ws.inside, func(number int) bool {
		c := ws.cells[number]
		if c.used == ws.turn {
			return false
		}
		ws.msg.UnsetField(number)
		c.used = 0
		return true
	})
}

// wipe clears the buffers that card data passed through.
func (ws *workspace) wipe() {
	for _, number := range ws.inside {
		c := ws.cells[number]
		c.SetValue(nil)
		scrub(c.rule.out)
		scrub(c.rule.padded)
		if c.rule.nibbles != nil {
			scrub(c.rule.nibbles.buf)
		}
	}
	scrub(ws.input)
	ws.input = ws.input[:0]
}

// scrub clears a buffer to its full capacity: what was refused half-way stands behind its length.
func scrub(b []byte) { clear(b[:cap(b)]) }

// unpack runs moov's scanner over the bytes behind the TPDU.
func (ws *workspace) unpack(body []byte) (*Message, error) {
	scanner := moov.NewMessageScanner(ws.spec, body)
	ws.text, ws.ends = ws.text[:0], ws.ends[:0]
	defer ws.forget()
	mti, err := scanner.ScanField(0)
	if err != nil {
		return nil, ours(err, ErrMalformed)
	}
	if err := ws.keep(mti); err != nil {
		return nil, err
	}
	if err := ws.checkBitmap(body[len(body)-ws.rest:]); err != nil {
		return nil, err
	}
	scanned, err := scanner.ScanField(1)
	if err != nil {
		return nil, ours(err, ErrMalformed)
	}
	bits, err := scanned.Bytes()
	if err != nil {
		return nil, ours(err, ErrMalformed)
	}
	ws.rest -= len(bits)
	if ws.bitmap.hex {
		ws.rest -= len(bits)
	}
	return ws.scan(scanner, bits)
}

// checkBitmap looks before moov does: it would follow continuation bits to the end of the frame.
func (ws *workspace) checkBitmap(b []byte) error {
	width := 8
	if ws.bitmap.hex {
		width = 16
	}
	if len(b) < width {
		return malformed(1, "%d bytes, %d left", width, len(b))
	}
	first := func(b []byte) bool {
		if ws.bitmap.hex {
			return b[0] >= '8'
		}
		return b[0]&0x80 != 0
	}
	if !first(b) {
		return nil
	}
	if len(b) < 2*width {
		return malformed(1, "%d bytes, %d left", 2*width, len(b))
	}
	if first(b[width:]) {
		return malformed(1, "a third bitmap")
	}
	return nil
}

// scan reads the fields whose bits are set.
func (ws *workspace) scan(scanner *moov.MessageScanner, bits []byte) (*Message, error) {
	m := &Message{values: make([]value, 0, usualFields)}
	for n := 2; n <= len(bits)*8; n++ {
		if bits[(n-1)/8]&(0x80>>((n-1)%8)) == 0 {
			continue
		}
		if ws.cells[n] == nil {
			return nil, malformed(n, "the table has no such field")
		}
		f, err := scanner.ScanField(n)
		if err != nil {
			return nil, ours(err, ErrMalformed)
		}
		if err := ws.keep(f); err != nil {
			return nil, err
		}
		v := value{number: int16(n)}
		if nib := ws.cells[n].rule.nibbles; nib != nil {
			v.seen = nib.seen
		}
		m.values = append(m.values, v)
	}
	if ws.rest > 0 {
		return nil, malformed(-1, "%d bytes behind the last field", ws.rest)
	}
	all, start := string(ws.text), ws.ends[0]
	m.mti = all[:start]
	for i, end := range ws.ends[1:] {
		m.values[i].text = all[start:end]
		start = end
	}
	m.wide = len(bits) > 8 && (len(m.values) == 0 || m.values[len(m.values)-1].number <= 64)
	return m, nil
}

// forget lets go of the frame and clears the buffers that card data passed through.
func (ws *workspace) forget() {
	scrub(ws.text)
	for _, c := range ws.all {
		c.SetValue(nil)
		if c.rule.nibbles != nil {
			scrub(c.rule.nibbles.buf)
		}
	}
}

// keep copies a field's value before its buffer is used again.
func (ws *workspace) keep(f field.Field) error {
	b, err := f.Bytes()
	if err != nil {
		return ours(err, ErrMalformed)
	}
	ws.text = append(ws.text, b...)
	ws.ends = append(ws.ends, len(ws.text))
	return nil
}

// ours finds our own error in what moov wrapped around it. Moov's errors hold the raw message and go no further.
func ours(err, kind error) error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if r, ok := errors.AsType[reason](err); ok {
		return &Error{Field: 1, Reason: r.Error(), Err: kind}
	}
	return &Error{Field: -1, Reason: "refused by the message library", Err: kind}
}
