package pages

import (
	"encoding/binary"
	"math"
)

// Row is what has the form of a row.
type Row struct {
	Age    int64 // higher is written later; 0: in the database itself
	Keyed  bool  // it is of a tree that is ordered by its columns: an index, or a table without row ids
	ID     int64 // row id, where it is not Keyed
	Values []any // int64, float64, string, []byte or nil
}

// The kinds of pages with rows (1.5).
const (
	leafTable     = 0x0D
	leafIndex     = 0x0A
	interiorIndex = 0x02
)

// rows gives the rows of one page. The first page of a database has its header in front.
func (f *File) rows(b []byte, first bool, age int64, yield func(Row) error) error {
	head := 0
	if first {
		head = 100
	}
	kind, cells := b[head], head+8
	switch kind {
	case leafTable, leafIndex:
	case interiorIndex:
		cells = head + 12
	default:
		return nil
	}
	count := int(binary.BigEndian.Uint16(b[head+3:]))
	for i := range count {
		at := cells + 2*i
		if at+2 > len(b) {
			break
		}
		row, ok, err := f.cell(b, kind, int(binary.BigEndian.Uint16(b[at:])))
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		row.Age = age
		if err := yield(row); err != nil {
			return err
		}
	}
	return nil
}

// cell reads the cell at an offset of a page (1.5, "B-tree Cell Format").
func (f *File) cell(b []byte, kind byte, at int) (row Row, ok bool, err error) {
	if kind == interiorIndex {
		at += 4 // the page below
	}
	if at < 8 || at >= len(b) {
		return row, false, nil
	}
	size, n := varint(b[at:])
	at += n
	if n == 0 || size == 0 || size > maxRecord {
		return row, false, nil
	}
	row.Keyed = true
	if kind == leafTable {
		id, n := varint(b[at:])
		if n == 0 {
			return row, false, nil
		}
		at += n
		row.ID, row.Keyed = int64(id), false //nolint:gosec // the bits: row ids are signed
	}
	payload, err := f.payload(b[at:], kind, int(size))
	if payload == nil || err != nil {
		return row, false, err
	}
	row.Values, ok = record(payload)
	return row, ok, nil
}

// payload is a row's bytes, with those on overflow pages (1.6); nil where they do not come together.
func (f *File) payload(b []byte, kind byte, size int) ([]byte, error) {
	most, least := f.size-35, (f.size-12)*32/255-23
	if kind != leafTable {
		most = (f.size-12)*64/255 - 23
	}
	if size <= most {
		if size > len(b) {
			return nil, nil
		}
		return b[:size], nil
	}
	local := least + (size-least)%(f.size-4)
	if local > most {
		local = least
	}
	if local+4 > len(b) {
		return nil, nil
	}
	out := append(make([]byte, 0, size), b[:local]...)
	next := binary.BigEndian.Uint32(b[local:])
	for len(out) < size { // every page brings some
		page, err := f.now(next)
		if page == nil || err != nil {
			return nil, err
		}
		out = append(out, page[4:4+min(size-len(out), f.size-4)]...)
		next = binary.BigEndian.Uint32(page)
	}
	return out, nil
}

// maxColumns is more than any table of ours has.
const maxColumns = 64

// record reads a row's columns (2.1). It fails where header and body do not fill the bytes exactly.
func record(b []byte) ([]any, bool) {
	size, n := varint(b)
	if n == 0 || size < uint64(n) || size > uint64(len(b)) {
		return nil, false
	}
	head, body := b[n:size], b[size:]
	var values []any
	for len(head) > 0 {
		serial, n := varint(head)
		if n == 0 || len(values) == maxColumns {
			return nil, false
		}
		head = head[n:]
		value, used, ok := column(serial, body)
		if !ok {
			return nil, false
		}
		body, values = body[used:], append(values, value)
	}
	return values, len(body) == 0 && len(values) > 0
}

// column reads one value of a serial type.
func column(serial uint64, b []byte) (value any, used int, ok bool) {
	switch serial {
	case 0:
		return nil, 0, true
	case 8, 9:
		return int64(serial - 8), 0, true //nolint:gosec // 0 or 1
	case 10, 11:
		return nil, 0, false // never in a file
	case 7:
		if len(b) < 8 {
			return nil, 0, false
		}
		return math.Float64frombits(binary.BigEndian.Uint64(b)), 8, true
	}
	if serial < 7 {
		used = []int{0, 1, 2, 3, 4, 6, 8}[serial]
		if len(b) < used {
			return nil, 0, false
		}
		n := int64(int8(b[0])) //nolint:gosec // the sign is in the first byte
		for _, c := range b[1:used] {
			n = n<<8 | int64(c)
		}
		return n, used, true
	}
	length := (serial - 12) / 2
	if length > uint64(len(b)) {
		return nil, 0, false
	}
	used = int(length) //nolint:gosec // at most the bytes that are there
	if serial%2 == 1 {
		return string(b[:used]), used, true
	}
	return append([]byte{}, b[:used]...), used, true
}

// varint reads an integer of one to nine bytes; n is 0 where it is cut.
func varint(b []byte) (value uint64, n int) {
	for n < len(b) && n < 8 {
		c := b[n]
		n++
		value = value<<7 | uint64(c&0x7F)
		if c < 0x80 {
			return value, n
		}
	}
	if n == 8 && len(b) > 8 {
		return value<<8 | uint64(b[8]), 9
	}
	return 0, 0
}
