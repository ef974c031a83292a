//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"strings"

	"tillway/device/emulator/usbreader"
	"tillway/device/emulator/virtualusb"
)

// liar is our reader with descriptors, or answers, that no reader has.
type liar struct {
	virtualusb.Function
	descriptors virtualusb.Descriptors
	says        []byte // in place of every answer; nil: what the reader says
}

// Descriptors are the false ones.
func (l *liar) Descriptors() virtualusb.Descriptors { return l.descriptors }

// In gives the false answer where there is one.
func (l *liar) In(ctx context.Context, endpoint uint8, maxPacket int) ([]byte, error) {
	b, err := l.Function.In(ctx, endpoint, maxPacket)
	if err == nil && endpoint == 0x82 && l.says != nil {
		return l.says, nil
	}
	return b, err
}

// The configuration of our reader: configuration (9 bytes), interface (9), functional descriptor (54), endpoints.
const (
	functionalAt = 18
	endpointsAt  = functionalAt + 54
)

// lie is one way to describe oneself wrongly. The words are what the terminal's status has to have; none where the kernel or libusb already refuse.
type lie struct {
	name  string
	words string
	tell  func(l *liar, configuration []byte) []byte // gives the configuration
}

func lies() []lie {
	answer := func(b ...byte) func(*liar, []byte) []byte {
		return func(l *liar, c []byte) []byte { l.says = b; return c }
	}
	return []lie{
		{"no functional descriptor", "describes itself wrongly", func(_ *liar, c []byte) []byte { return append(c[:functionalAt:functionalAt], c[endpointsAt:]...) }},
		{"functional descriptor of no bytes", "", func(_ *liar, c []byte) []byte { c[functionalAt] = 0; return c }},
		{"functional descriptor past the end", "", func(_ *liar, c []byte) []byte { c[functionalAt] = 0xFF; return c }},
		{"messages of 4 GiB", "describes itself wrongly", func(_ *liar, c []byte) []byte {
			binary.LittleEndian.PutUint32(c[functionalAt+44:], 0xFFFFFFFF)
			return c
		}},
		{"messages of 3 bytes", "describes itself wrongly", func(_ *liar, c []byte) []byte {
			binary.LittleEndian.PutUint32(c[functionalAt+44:], 3)
			return c
		}},
		{"no level of exchange", "describes itself wrongly", func(_ *liar, c []byte) []byte {
			binary.LittleEndian.PutUint32(c[functionalAt+40:], 0)
			return c
		}},
		{"no endpoint to be read from", "describes itself wrongly", func(_ *liar, c []byte) []byte { c[endpointsAt+7+2] = 0x03; return c }},
		{"answers of 4 GiB", "", answer(0x81, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0)},
		{"answers of one byte", "", answer(0x81)},
	}
}

// hostile plugs every liar in: the terminal says why it does not use it, and uses the next reader that is one.
func hostile(ctx context.Context, s *shop) error {
	for _, l := range lies() {
		if err := s.refuses(ctx, l); err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
	}
	r, err := atOurs(ctx, s, usbreader.Config{}, "credit")
	if err != nil {
		return err
	}
	if err := s.sell(ctx, "5.500", approved, nil); err != nil {
		return err
	}
	r.Remove()
	s.note("%d of them", len(lies()))
	return nil
}

func (s *shop) refuses(ctx context.Context, l lie) error {
	reader, err := usbreader.New(usbreader.Config{})
	if err != nil {
		return err
	}
	f := &liar{Function: reader, descriptors: reader.Descriptors()}
	c := l.tell(f, bytes.Clone(f.descriptors.Configuration))
	binary.LittleEndian.PutUint16(c[2:], uint16(len(c))) //nolint:gosec // about a hundred
	f.descriptors.Configuration = c
	device, err := s.connect(f)
	if err != nil {
		return err
	}
	if err := s.terminal(ctx, usbTable); err != nil {
		return err
	}
	if err := s.sees(ctx, false, goneWords); err != nil {
		return err
	}
	if err := device.plug(ctx); err != nil {
		return err
	}
	// A reason of its own: not that nothing is there.
	if err := await(ctx, "the terminal says why it does not use the device", func(ctx context.Context) (bool, error) {
		now, err := s.status(ctx)
		why := now.Reader.Cause
		if err == nil && (now.Reader.OK || why == "" || strings.Contains(why, goneWords) || !strings.Contains(why, l.words)) {
			err = fmt.Errorf("it says %+v", now.Reader)
		}
		return err == nil, err
	}); err != nil {
		return err
	}
	if err := device.pull(); err != nil {
		return err
	}
	return s.sees(ctx, false, goneWords)
}
