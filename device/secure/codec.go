package secure

import (
	"encoding/binary"
	"fmt"
)

// A writer puts values one after another: numbers big-endian, bytes and text behind a length of four bytes. The key file
// and the socket's frames are written with it.
type writer []byte

func (w *writer) u8(v byte)      { *w = append(*w, v) }
func (w *writer) u32(v uint32)   { *w = binary.BigEndian.AppendUint32(*w, v) }
func (w *writer) u64(v uint64)   { *w = binary.BigEndian.AppendUint64(*w, v) }
func (w *writer) text(v string)  { w.u32(uint32(len(v))); *w = append(*w, v...) }
func (w *writer) bytes(v []byte) { w.u32(uint32(len(v))); *w = append(*w, v...) }

func (w *writer) yes(v bool) {
	if v {
		w.u8(1)
		return
	}
	w.u8(0)
}

// A reader takes them off again. After the first that is not there, or too long, every one is zero, and end says so.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if r.bad || n > len(r.b) {
		r.bad = true
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) u8() byte {
	if v := r.take(1); v != nil {
		return v[0]
	}
	return 0
}

func (r *reader) yes() bool {
	v := r.u8()
	r.bad = r.bad || v > 1
	return v == 1
}

func (r *reader) u32() uint32 {
	if v := r.take(4); v != nil {
		return binary.BigEndian.Uint32(v)
	}
	return 0
}

func (r *reader) u64() uint64 {
	if v := r.take(8); v != nil {
		return binary.BigEndian.Uint64(v)
	}
	return 0
}

// bytes is a view into what is read, of at most limit bytes; nil where there are none.
func (r *reader) bytes(limit int) []byte {
	n := r.u32()
	if n > uint32(limit) {
		r.bad = true
		return nil
	}
	if n == 0 {
		return nil
	}
	return r.take(int(n))
}

func (r *reader) text(limit int) string { return string(r.bytes(limit)) }

// end is nil when everything was there and nothing is left.
func (r *reader) end() error {
	if r.bad || len(r.b) != 0 {
		return fmt.Errorf("field missing, too long or left over: %w", ErrProtocol)
	}
	return nil
}
