package virtualusb_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"tillway/device/emulator/virtualusb"
)

// TestQueuePackets proves USB 2.0, 5.8.3: a message ends with a packet that is not full.
func TestQueuePackets(t *testing.T) {
	for _, c := range []struct {
		name    string
		length  int
		end     bool
		packets []int
	}{
		{"short", 10, true, []int{10}},
		{"empty", 0, true, []int{0}},
		{"one packet", 64, true, []int{64, 0}},
		{"one packet, no end", 64, false, []int{64}},
		{"two and a bit", 130, true, []int{64, 64, 2}},
		{"two packets", 128, true, []int{64, 64, 0}},
		{"two packets, no end", 128, false, []int{64, 64}},
	} {
		t.Run(c.name, func(t *testing.T) {
			message := bytes.Repeat([]byte{0xA5}, c.length)
			var q virtualusb.Queue
			if c.end {
				q.Put(message)
			} else {
				q.PutWithoutEnd(message)
			}
			var got []byte
			for i, want := range c.packets {
				p, err := q.Next(t.Context(), 64)
				if err != nil || len(p) != want {
					t.Fatalf("packet %d: %d bytes, %v; want %d", i, len(p), err, want)
				}
				got = append(got, p...)
			}
			if !bytes.Equal(got, message) {
				t.Errorf("the packets are not the message")
			}
			ended, cancel := context.WithCancel(t.Context())
			cancel()
			if p, err := q.Next(ended, 64); !errors.Is(err, context.Canceled) {
				t.Errorf("one packet too many: %d bytes, %v", len(p), err)
			}
		})
	}
}

func TestQueueWaitsAndStalls(t *testing.T) {
	var q virtualusb.Queue
	got := make(chan error)
	go func() {
		_, err := q.Next(t.Context(), 64)
		got <- err
	}()
	q.Stall()
	if err := <-got; !errors.Is(err, virtualusb.ErrStall) {
		t.Errorf("a stall came as %v", err)
	}
	q.Put([]byte{1})
	q.Clear()
	q.Put([]byte{2})
	if p, err := q.Next(t.Context(), 64); err != nil || !bytes.Equal(p, []byte{2}) {
		t.Errorf("after clear: % X, %v", p, err)
	}
}
