package virtualusb

import (
	"context"
	"encoding/binary"
	"unicode/utf16"
)

// Control carries one control transfer. data is the data stage of a request to the device; what is returned is that of one to the host, wLength
// bytes at most. A stall ends with the request: the control pipe is never halted (USB 2.0, 8.5.3.4).
func (c *Controller) Control(ctx context.Context, setup [8]byte, data []byte) ([]byte, error) {
	s := ParseSetup(setup)
	inner, end, err := c.begin(ctx, 0)
	if err != nil {
		return nil, err
	}
	defer end()
	out := s.RequestType&ToHost == 0
	if out && len(data) != int(s.Length) {
		return nil, ErrStall // the data stage is not what the setup stage said
	}
	var answer []byte
	known := false
	if s.RequestType&KindMask == Standard {
		answer, known, err = c.standard(s)
	}
	fault := (*Fault)(nil)
	if !known {
		fault = c.take(0)
		if out {
			data, err = c.spoil(inner, fault, 0, data)
		}
		if err == nil {
			answer, err = c.function.Control(inner, setup, data)
		}
	}
	if err == nil && !out {
		answer, err = c.spoil(inner, fault, 0, answer)
	}
	if err != nil || out {
		return nil, c.cause(ctx, err)
	}
	return answer[:min(len(answer), int(s.Length))], nil
}

// featureHalt is ENDPOINT_HALT (USB 2.0, table 9-6).
const featureHalt = 0

// selfPowered is bit 6 of a configuration's bmAttributes and bit 0 of the device's status (USB 2.0, 9.4.5).
const selfPowered = 1 << 6

// standard answers a standard request (USB 2.0, 9.4). One that it does not know is the function's; unknown ones that no function answers
// are a stall.
func (c *Controller) standard(s Setup) (answer []byte, known bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	direction := s.RequestType & ToHost
	switch recipient := s.RequestType & RecipientMask; {
	case s.Request == GetDescriptor && direction == ToHost:
		if recipient != ToDevice {
			return nil, false, nil
		}
		answer, err = c.descriptor(s.Value)
	case s.Request == GetStatus && direction == ToHost:
		answer, err = c.status(recipient, s.Index)
	case s.Request == GetConfiguration && direction == ToHost:
		answer = []byte{0}
		if c.configured {
			answer[0] = c.layout.value
		}
	case s.Request == GetInterface && direction == ToHost:
		if !c.configured || !c.layout.interfaces[[2]uint8{low(s.Index), 0}] {
			return nil, true, ErrStall
		}
		answer = []byte{c.alternates[low(s.Index)]}
	case direction == ToHost:
		err = ErrStall
	case s.Request == SetAddress: // the host controller's business
	case s.Request == SetConfiguration:
		err = c.configure(low(s.Value))
	case s.Request == SetInterface:
		err = c.choose(low(s.Index), low(s.Value))
	case s.Request == ClearFeature && recipient == ToEndpoint && s.Value == featureHalt:
		delete(c.halted, low(s.Index))
	case s.Request == SetFeature && recipient == ToEndpoint && s.Value == featureHalt:
		c.halted[low(s.Index)] = true
	case (s.Request == ClearFeature || s.Request == SetFeature) && recipient == ToDevice: // remote wake-up
	default:
		err = ErrStall
	}
	return answer, true, err
}

func low(w uint16) uint8 { return uint8(w & 0xFF) }

func (c *Controller) descriptor(value uint16) ([]byte, error) {
	index := int(value & 0xFF)
	switch kind := value >> 8; {
	case kind == DeviceDescriptor && index == 0:
		return c.says.Device[:], nil
	case kind == ConfigurationDescriptor && index == 0:
		return c.says.Configuration, nil
	case kind == StringDescriptor && index == 0:
		return []byte{4, StringDescriptor, 0x09, 0x04}, nil // English (United States)
	case kind == StringDescriptor && index <= len(c.says.Strings):
		return stringDescriptor(c.says.Strings[index-1]), nil
	}
	return nil, ErrStall
}

// maxString is how many UTF-16 units a string descriptor can hold.
const maxString = (255 - 2) / 2

func stringDescriptor(text string) []byte {
	units := utf16.Encode([]rune(text))
	units = units[:min(len(units), maxString)]
	b := []byte{byte(2 + 2*len(units)), StringDescriptor} //nolint:gosec // at most 254
	for _, u := range units {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

func (c *Controller) status(recipient uint8, index uint16) ([]byte, error) {
	status := []byte{0, 0}
	switch {
	case recipient == ToDevice && c.layout.attributes&selfPowered != 0:
		status[0] = 1
	case recipient == ToEndpoint && c.halted[low(index)]:
		status[0] = 1
	}
	return status, nil
}

// configure is SET_CONFIGURATION: settings and halts are as at the beginning.
func (c *Controller) configure(value uint8) error {
	if value != 0 && value != c.layout.value {
		return ErrStall
	}
	c.configured = value != 0
	c.alternates, c.halted, c.kept = map[uint8]uint8{}, map[uint8]bool{}, map[uint8][]byte{}
	return nil
}

// choose is SET_INTERFACE: the halts of its endpoints are cleared.
func (c *Controller) choose(number, alternate uint8) error {
	if !c.configured || !c.layout.interfaces[[2]uint8{number, alternate}] {
		return ErrStall
	}
	c.alternates[number] = alternate
	for _, e := range c.layout.endpoints {
		if e.Interface == number {
			delete(c.halted, e.Address)
		}
	}
	return nil
}
