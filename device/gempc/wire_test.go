package gempc

import (
	"bytes"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"tillway/device"
	"tillway/device/ccid"
)

// What may stand before, in and after an answer, and what Receive makes of it. The command is GetSlotStatus number 2.
func TestReceive(t *testing.T) {
	const echoed, answer = "0306650000000000020000 0062", "0306810000000000020200 0084"
	type got struct {
		kind  byte
		first byte // Params[0]
	}
	for name, c := range map[string]struct {
		back string
		want []got
		err  error
	}{
		"echo and answer":        {echoed + answer, []got{{ccid.SlotStatus, 2}}, nil},
		"no echo":                {answer, []got{{ccid.SlotStatus, 2}}, nil},
		"damaged echo":           {"030665000000000002000063" + "00" + answer, []got{{ccid.SlotStatus, 2}}, nil},
		"moves around the echo":  {"5002" + echoed + "5003" + answer, []got{{ccid.NotifySlotChange, 2}, {ccid.NotifySlotChange, 3}, {ccid.SlotStatus, 2}}, nil},
		"time requests":          {echoed + "80FF" + answer, []got{{ccid.SlotStatus, 0x80}, {ccid.SlotStatus, 0x80}, {ccid.SlotStatus, 2}}, nil},
		"plug and play string":   {"28012450494E" + echoed + answer, []got{{ccid.SlotStatus, 2}}, nil},
		"an old answer":          {echoed + "0306810000000000010200 0087" + answer, []got{{ccid.SlotStatus, 2}, {ccid.SlotStatus, 2}}, nil},
		"damaged answer":         {echoed + "0306810000000000020200 0085", nil, device.ErrProtocol},
		"answer of another size": {echoed + "0306810100000000020200 0084", nil, device.ErrProtocol},
		"half an answer":         {echoed + "03068100000000", nil, device.ErrProtocol},
		"NAK without end":        {"031516", nil, device.ErrProtocol},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sends := 0
				w := &wire{line: newLine(func(b []byte) []byte {
					if sends++; name != "NAK without end" && sends > 1 {
						t.Errorf("sent again: %X", b)
					}
					if want := unhex(t, echoed); !bytes.Equal(b, want) {
						t.Errorf("sent %X, want %X", b, want)
					}
					return unhex(t, c.back)
				})}
				if err := w.Send(t.Context(), ccid.Message{Type: ccid.GetSlotStatus, Seq: 2}); err != nil {
					t.Fatal(err)
				}
				for _, want := range c.want {
					m, err := w.Receive(t.Context())
					if err != nil || m.Type != want.kind || m.Params[0] != want.first {
						t.Fatalf("%+v, %v, want %+v", m, err, want)
					}
				}
				if c.err != nil {
					began := time.Now()
					if m, err := w.Receive(t.Context()); !errors.Is(err, c.err) || time.Since(began) > maxGap {
						t.Errorf("%+v, %v after %v, want %v", m, err, time.Since(began), c.err)
					}
				}
			})
		})
	}
}
