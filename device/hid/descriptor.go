package hid

import (
	"errors"
	"fmt"
)

// ErrDescriptor says that a report descriptor is none.
var ErrDescriptor = errors.New("HID report descriptor malformed")

// Reports is what a report descriptor says of sizes: the longest input and feature report, in bytes, without a report's number.
type Reports struct {
	UsagePage uint16 // of the first collection
	Usage     uint16
	Input     int
	Feature   int
	Numbered  bool // every report begins with its number
}

// The items that are looked at (HID 1.11, 6.2.2), without their two bits of size.
const (
	itemInput       = 0x80
	itemFeature     = 0xB0
	itemCollection  = 0xA0
	itemUsagePage   = 0x04
	itemReportSize  = 0x74
	itemReportID    = 0x84
	itemReportCount = 0x94
	itemPush        = 0xA4
	itemPop         = 0xB4
	itemUsage       = 0x08
	longItem        = 0xFE
)

// maxPush bounds the descriptor's stack.
const maxPush = 16

// global is the part of a descriptor's state that holds from item to item.
type global struct {
	page, id, size, count uint32
}

// sizes adds up the bits of one descriptor.
type sizes struct {
	global
	stack            []global
	usage            uint32
	first            bool
	out              Reports
	inputs, features map[uint32]int // bits, by report number
}

// ParseDescriptor reads the sizes out of a report descriptor. Error: ErrDescriptor.
func ParseDescriptor(b []byte) (Reports, error) {
	if len(b) == 0 || len(b) > MaxDescriptor {
		return Reports{}, fmt.Errorf("%w: %d bytes", ErrDescriptor, len(b))
	}
	s := sizes{first: true, inputs: map[uint32]int{}, features: map[uint32]int{}}
	for len(b) > 0 {
		if b[0] == longItem {
			return Reports{}, fmt.Errorf("%w: a long item", ErrDescriptor)
		}
		n := []int{0, 1, 2, 4}[b[0]&3]
		if len(b) < 1+n {
			return Reports{}, fmt.Errorf("%w: cut short", ErrDescriptor)
		}
		value := uint32(0)
		for i := range n {
			value |= uint32(b[1+i]) << (8 * i)
		}
		if err := s.item(b[0]&^3, value); err != nil {
			return Reports{}, err
		}
		b = b[1+n:]
	}
	for _, bits := range s.inputs {
		s.out.Input = max(s.out.Input, (bits+7)/8)
	}
	for _, bits := range s.features {
		s.out.Feature = max(s.out.Feature, (bits+7)/8)
	}
	return s.out, nil
}

func (s *sizes) item(kind byte, value uint32) error {
	switch kind {
	case itemUsagePage:
		s.page = value
	case itemReportSize:
		s.size = value
	case itemReportCount:
		s.count = value
	case itemReportID:
		s.id, s.out.Numbered = value, true
	case itemPush:
		if len(s.stack) >= maxPush {
			return fmt.Errorf("%w: pushed too often", ErrDescriptor)
		}
		s.stack = append(s.stack, s.global)
	case itemPop:
		if len(s.stack) == 0 {
			return fmt.Errorf("%w: popped, and nothing pushed", ErrDescriptor)
		}
		s.global, s.stack = s.stack[len(s.stack)-1], s.stack[:len(s.stack)-1]
	case itemUsage:
		s.usage = value
	case itemCollection:
		if s.first {
			s.out.UsagePage, s.out.Usage, s.first = uint16(s.page), uint16(s.usage), false //nolint:gosec // a page has 16 bits
		}
	case itemInput:
		return s.add(s.inputs)
	case itemFeature:
		return s.add(s.features)
	}
	return nil
}

// add counts the bits of one field.
func (s *sizes) add(to map[uint32]int) error {
	if s.size > 64 || s.count > 8*MaxReport || to[s.id]+int(s.size*s.count) > 8*MaxReport {
		return fmt.Errorf("%w: a report longer than %d bytes", ErrDescriptor, MaxReport)
	}
	to[s.id] += int(s.size * s.count)
	return nil
}
