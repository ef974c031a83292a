package ccid

import (
	"context"
	"encoding/binary"
	"fmt"

	"tillway/device"
	"tillway/device/iso7816"
)

// apdus sends command APDUs to a card behind a reader at APDU level.
type apdus struct {
	slot *Slot
	t0   bool // the card speaks T=0
}

// maxFetches bounds the commands that one APDU may lead to.
const maxFetches = 20

// Transmit sends one command APDU. A reader at this level fetches by itself what a T=0 card holds back, but some hand 61xx and 6Cxx on: then
// it is done here. Errors: iso7816.ErrCommand, those of the reader.
func (a *apdus) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	kind := iso7816.Case(command)
	if kind == 0 {
		return nil, fmt.Errorf("%w: %d bytes", iso7816.ErrCommand, len(command))
	}
	var data []byte
	for range maxFetches {
		answer, err := a.slot.transmitAPDU(ctx, command)
		if err != nil {
			return nil, err
		}
		end := len(answer) - 2
		if end < 0 || len(data)+len(answer) > iso7816.MaxResponse {
			return nil, fmt.Errorf("%w: answer of %d bytes", device.ErrProtocol, len(data)+len(answer))
		}
		sw := answer[end:]
		if sw[0]>>4 != 6 && sw[0]>>4 != 9 || sw[0] == 0x60 {
			return nil, fmt.Errorf("%w: SW1 %02X", device.ErrProtocol, sw[0])
		}
		data = append(data, answer[:end]...)
		switch {
		case a.t0 && sw[0] == 0x61 && (kind == 2 || kind == 4):
			command = []byte{0, 0xC0, 0, 0, sw[1]} // GET RESPONSE
		case a.t0 && sw[0] == 0x6C && len(command) == 5:
			command = append(command[:4:4], sw[1])
		default:
			return append(data, sw...), nil
		}
	}
	return nil, fmt.Errorf("%w: no end of 61xx and 6Cxx after %d commands", device.ErrProtocol, maxFetches)
}

// wLevelParameter of XfrBlock, and bChainParameter of its answer (section 6.1.4, table 6.1-8; 6.2.1).
const (
	chainWhole     uint16 = 0x0000
	chainBegins    uint16 = 0x0001
	chainEnds      uint16 = 0x0002
	chainGoesOn    uint16 = 0x0003
	chainMore      uint16 = 0x0010 // empty: the next part of the answer is wanted
	answerWhole    byte   = 0x00
	answerBegins   byte   = 0x01
	answerEnds     byte   = 0x02
	answerGoesOn   byte   = 0x03
	answerWantMore byte   = 0x10 // empty: the next part of the command is wanted
)

// maxParts bounds the messages of one APDU: the least reader takes more than 16 bytes in one.
const maxParts = 64

// transmitAPDU carries one APDU, in parts where the reader's messages are shorter (section 6.1.4, extended APDU level).
func (s *Slot) transmitAPDU(ctx context.Context, command []byte) ([]byte, error) {
	size := s.features.maxData()
	if len(command) > size && s.features.Level != ExtendedAPDU {
		return nil, fmt.Errorf("%w: a command of %d bytes, and the reader takes %d", device.ErrProtocol, len(command), size)
	}
	parameter := chainWhole
	for sent := 0; len(command) > size; sent++ {
		if parameter = chainGoesOn; sent == 0 {
			parameter = chainBegins
		}
		answer, err := s.transfer(ctx, parameter, command[:size])
		if err != nil {
			return nil, err
		}
		if answer.Params[2] != answerWantMore {
			return nil, fmt.Errorf("%w: the reader does not want the rest of a command (%02X)", device.ErrProtocol, answer.Params[2])
		}
		command, parameter = command[size:], chainEnds
	}
	var data []byte
	for range maxParts {
		answer, err := s.transfer(ctx, parameter, command)
		if err != nil {
			return nil, err
		}
		if data = append(data, answer.Data...); len(data) > iso7816.MaxResponse {
			return nil, fmt.Errorf("%w: answer longer than %d bytes", device.ErrProtocol, iso7816.MaxResponse)
		}
		switch answer.Params[2] {
		case answerWhole, answerEnds:
			return data, nil
		case answerBegins, answerGoesOn:
			parameter, command = chainMore, nil
		default:
			return nil, fmt.Errorf("%w: bChainParameter %02X", device.ErrProtocol, answer.Params[2])
		}
	}
	return nil, fmt.Errorf("%w: no end of an answer after %d parts", device.ErrProtocol, maxParts)
}

// transfer is one XfrBlock at APDU level.
func (s *Slot) transfer(ctx context.Context, parameter uint16, data []byte) (Message, error) {
	m := Message{Type: XfrBlock, Data: data}
	binary.LittleEndian.PutUint16(m.Params[1:], parameter)
	answer, err := s.exchange(ctx, m, s.wait)
	if err != nil {
		return Message{}, err
	}
	return answer, s.Gone() // some readers say so only here, with command status done
}
