package devicetest

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"tillway/device"
)

// Connect makes a driver and the emulated reader at the other end of its wire, plugged in and with an empty slot. The
// driver should wait for a silent reader a fraction of a second only. Both must be gone when the test ends.
type Connect func(t *testing.T) (device.Reader, Harness)

// patience bounds every wait of the suite that should end. It is never reached by a driver that works.
const patience = 30 * time.Second

// Answers to reset that EMV accepts cold: the basic ones of the EMV Contact Interface Specification, 8.2.
var (
	atrT0 = []byte{0x3B, 0x60, 0x00, 0x00}
	atrT1 = []byte{0x3B, 0xE0, 0x00, 0xFF, 0x81, 0x31, 0x7C, 0x41, 0x92}
)

// Commands of the suite's card and what it answers to them.
var (
	selectCommand = []byte{0x00, 0xA4, 0x04, 0x00, 0x05, 0xA0, 0x00, 0x00, 0x00, 0x03, 0x00} // case 4
	readCommand   = []byte{0x00, 0xB2, 0x01, 0x0C, 0x0C}                                     // case 2, one exchange in T=0 too
	readAny       = []byte{0x00, 0xB2, 0x01, 0x0C, 0x00}                                     // case 2, length left to the card
	longRead      = []byte{0x00, 0xB0, 0x00, 0x00, 0x00}                                     // case 2, 256 bytes
	writeCommand  = append([]byte{0x00, 0xD6, 0x00, 0x00, 0xFF}, pattern(255)...)            // case 3, 255 bytes
	statusCommand = []byte{0x80, 0x10, 0x00, 0x00}                                           // case 1
)

// pattern is n bytes, none of which looks like its neighbour. All the values that mean something to a frame are there.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + 3)
	}
	return b
}

// respond is the suite's card.
func respond(command []byte) []byte {
	switch command[1] {
	case 0xA4:
		return append(pattern(37), 0x90, 0x00)
	case 0xB2:
		return append(pattern(12), 0x90, 0x00)
	case 0xB0:
		return append(pattern(256), 0x90, 0x00)
	case 0xD6:
		if !bytes.HasPrefix(command, writeCommand) {
			return []byte{0x6A, 0x80}
		}
		return []byte{0x90, 0x00}
	case 0x10:
		return []byte{0x63, 0x00}
	}
	return []byte{0x6D, 0x00}
}

// bench is one test's reader and its other end.
type bench struct {
	*testing.T
	reader  device.Reader
	harness Harness
	limits  Limits
}

// newBench asks the harness for its limits.
func newBench(t *testing.T, reader device.Reader, harness Harness) *bench {
	t.Helper()
	b := &bench{T: t, reader: reader, harness: harness}
	if limited, ok := harness.(Limited); ok {
		b.limits = limited.Limits()
	}
	for _, kind := range everywhere() {
		if why, left := b.limits.Faults[kind]; left {
			t.Fatalf("the fault %q cannot be left out (%s): it happens on every wire", kind, why)
		}
	}
	return b
}

// needs ends the test, and says so, where one of the faults cannot happen on this wire.
func (b *bench) needs(kinds ...Fault) {
	b.Helper()
	for _, kind := range kinds {
		if why, left := b.limits.Faults[kind]; left {
			b.Skipf("DOES NOT APPLY: %s: %s", kind, why)
		}
	}
}

// needsResets ends the test, and says so, where the driver has no say in resets.
func (b *bench) needsResets() {
	b.Helper()
	if b.limits.Resets != "" {
		b.Skipf("DOES NOT APPLY: resets: %s", b.limits.Resets)
	}
}

// present waits for a card that has to come.
func (b *bench) present() device.Presented {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), patience)
	defer cancel()
	p, err := b.reader.Present(ctx)
	if err != nil {
		b.Fatalf("Present: %v (status %+v)", err, b.reader.Status())
	}
	return p
}

// presentFails is a Present that has to fail with one error.
func (b *bench) presentFails(want error) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), patience)
	defer cancel()
	if _, err := b.reader.Present(ctx); !errors.Is(err, want) {
		b.Fatalf("Present: %v, want %v", err, want)
	}
}

// removed waits for the slot to be empty, which it has to be soon.
func (b *bench) removed() {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), patience)
	defer cancel()
	if err := b.reader.AwaitRemoval(ctx); err != nil {
		b.Fatalf("AwaitRemoval: %v (status %+v)", err, b.reader.Status())
	}
}

// transmit is one command without a judgement.
func (b *bench) transmit(card device.Card, command []byte) ([]byte, error) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), patience)
	defer cancel()
	return card.Transmit(ctx, command)
}

// works sends every case of command and compares the answers.
func (b *bench) works(card device.Card) {
	b.Helper()
	for _, command := range [][]byte{selectCommand, readCommand, readAny, longRead, writeCommand, statusCommand} {
		got, err := b.transmit(card, command)
		if err != nil {
			b.Fatalf("command %X: %v", command[:4], err)
		}
		if want := respond(command); !bytes.Equal(got, want) {
			b.Fatalf("command %X: answer of %d bytes, want %d, or other bytes", command[:4], len(got), len(want))
		}
	}
}

// fails sends commands until one fails, and wants it to be the n-th, with one of the errors. Afterwards the card must
// be of no use any more.
func (b *bench) fails(card device.Card, n int, want ...error) {
	b.Helper()
	for i := 1; i < n; i++ {
		if got, err := b.transmit(card, readCommand); err != nil || !bytes.Equal(got, respond(readCommand)) {
			b.Fatalf("command %d of %d: %X, %v", i, n, got, err)
		}
	}
	_, err := b.transmit(card, readCommand)
	if !oneOf(err, want) {
		b.Fatalf("command %d: %v, want one of %v", n, err, want)
	}
	if _, err := b.transmit(card, readCommand); err == nil {
		b.Fatalf("the card still answers after %v", want)
	}
}

// oneOf tells whether err is one of some errors.
func oneOf(err error, want []error) bool {
	for _, w := range want {
		if errors.Is(err, w) {
			return true
		}
	}
	return false
}

// condition waits for a condition that has to come without anybody asking the driver for anything.
func (b *bench) condition(want device.Condition) device.Status {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), patience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if status := b.reader.Status(); status.Condition == want {
			return status
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			b.Fatalf("status %+v, want %q", b.reader.Status(), want)
		}
	}
}

// during runs something in a goroutine and hands over its error.
func during(f func() error) <-chan error {
	result := make(chan error, 1)
	go func() { result <- f() }()
	return result
}
