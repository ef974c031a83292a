package iso8583

import (
	"bytes"
	"slices"
	"testing"
)

// After packing and unpacking, and after refusing to, a workspace's buffers hold nothing of the message, down to their
// full capacity: it waits in the pool for as long as the process lives.
func TestWorkspaceKeepsNoCardData(t *testing.T) {
	table := Table{Name: "cards", Fields: []Field{
		{Number: 2, Name: "PAN", Length: LLBCD, Padding: ZeroLeft, Max: 19},
		{Number: 35, Name: "track", Kind: Track2, Length: LLBCD, Padding: FillerRight, Max: 37},
		{Number: 42, Name: "text", Kind: Text, Encoding: ASCII, Padding: SpaceRight, Max: 40},
		{Number: 52, Name: "bytes", Kind: Binary, Encoding: Raw, Max: 8},
	}}
	ws := newWorkspace(table)
	pack := func(pan string) ([]byte, error) {
		m := NewMessage("0200")
		m.Set(2, pan)
		m.Set(35, pan+"D28122011758989389")
		m.Set(42, pan)
		m.Set(52, "12345678")
		return ws.pack(m)
	}
	frame, err := pack("4761739001010119")
	if err != nil {
		t.Fatal(err)
	}
	empty(t, ws, "packing")
	if _, err := ws.unpack(frame); err != nil {
		t.Fatal(err)
	}
	empty(t, ws, "unpacking")
	if _, err := pack("4761739"); err != nil { // leaves buffers that are longer than what is in them
		t.Fatal(err)
	}
	if _, err := pack("476173900101011X"); err == nil {
		t.Fatal("a letter in a number is packed")
	}
	empty(t, ws, "refusing to pack")
	if _, err := ws.unpack(append(slices.Clone(frame), 0)); err == nil {
		t.Fatal("a trailing byte is taken")
	}
	empty(t, ws, "refusing to unpack")
}

func empty(t *testing.T, ws *workspace, after string) {
	t.Helper()
	buffers := map[string][]byte{"input": ws.input, "text": ws.text}
	for _, c := range ws.all {
		if c.Value() != nil {
			t.Errorf("after %s field %d has a value", after, c.rule.row.Number)
		}
		buffers[c.rule.row.Name+" out"] = c.rule.out
		buffers[c.rule.row.Name+" padded"] = c.rule.padded
		if c.rule.nibbles != nil {
			buffers[c.rule.row.Name+" nibbles"] = c.rule.nibbles.buf
		}
	}
	for name, b := range buffers {
		if whole := b[:cap(b)]; len(bytes.Trim(whole, "\x00")) > 0 {
			t.Errorf("after %s buffer %q holds %d bytes", after, name, len(whole))
		}
	}
}
