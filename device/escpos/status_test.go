package escpos

import (
	"bytes"
	"reflect"
	"testing"
)

// What printers send is told apart as Epson's reference says, whatever comes between.
func TestDecoder(t *testing.T) {
	for _, c := range []struct {
		name string
		in   []byte
		want []message
	}{
		{"in real time", []byte{0x12, 0x1A, 0x72}, []message{{immediate, []byte{0x12}}, {immediate, []byte{0x1A}}, {immediate, []byte{0x72}}}},
		{"in turn", []byte{0x00, 0x0F, 0x03}, []message{{inTurn, []byte{0x00}}, {inTurn, []byte{0x0F}}, {inTurn, []byte{0x03}}}},
		{"automatic", []byte{0x38, 0x00, 0x0C, 0x0F}, []message{{automatic, []byte{0x38, 0x00, 0x0C, 0x0F}}}},
		{"flow control is nothing", []byte{0x11, 0x13, 0x12}, []message{{immediate, []byte{0x12}}}},
		{"process ID", []byte{0x37, 0x22, '0', '0', '4', '2', 0x00}, []message{{block, []byte("\x220042")}}},
		{"cleared", []byte{0x37, 0x25, 0x00, 0x00}, []message{{block, []byte{0x25}}, {inTurn, []byte{0x00}}}},
		{"automatic cut off", []byte{0x10, 0x00, 0x12}, []message{{immediate, []byte{0x12}}}},
	} {
		var got []message
		var d decoder
		for i := range c.in { // byte by byte, as a slow line brings them
			d.feed(c.in[i:i+1], func(m message) { got = append(got, m) })
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// FuzzDecoder: cut anywhere, a stream says the same; it holds a bounded part of it, and a process ID is one that was sent.
func FuzzDecoder(f *testing.F) {
	f.Add([]byte{0x37, 0x22, '0', '0', '4', '2', 0x00, 0x12, 0x10, 0, 0, 0x0F, 0x00}, 3)
	f.Add(bytes.Repeat([]byte{0x37}, 300), 100)
	f.Fuzz(func(t *testing.T, b []byte, at int) {
		at = min(max(at, 0), len(b))
		decode := func(parts ...[]byte) (all []message) {
			var d decoder
			for _, p := range parts {
				d.feed(p, func(m message) { all = append(all, m) })
				if len(d.held) > maxBlock {
					t.Fatalf("holds %d bytes", len(d.held))
				}
			}
			return all
		}
		whole := decode(b)
		if cut := decode(b[:at], b[at:]); !reflect.DeepEqual(whole, cut) {
			t.Errorf("cut at %d: %v, whole %v", at, cut, whole)
		}
		for _, m := range whole {
			if id, ok := m.idOf(); ok && !bytes.Contains(b, append([]byte{0x37, 0x22}, id[:]...)) {
				t.Errorf("process ID %q was never sent", id)
			}
			if m.kind == automatic {
				_ = State{}.auto(m.data).trouble()
			}
		}
	})
}
