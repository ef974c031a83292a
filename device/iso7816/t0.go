package iso7816

import (
	"context"
	"fmt"

	"tillway/device"
)

// T0 sends command APDUs to a T=0 card over a reader that handles the procedure bytes (TPDU level).
type T0 struct{ reader TPDU }

// NewT0 is the T=0 side of a card that was just reset.
func NewT0(reader TPDU) *T0 { return &T0{reader} }

// maxRounds bounds the TPDUs of one APDU: a card that answers 61xx or 6Cxx for ever is broken. 256 bytes fetched in
// pieces of 16 fit.
const maxRounds = 20

// insGetResponse is GET RESPONSE (EMV Contact Interface Specification, 9.3.1.3: CLA 00).
const insGetResponse = 0xC0

// Transmit sends one command APDU and returns the response APDU. It maps the four cases onto TPDUs (ISO/IEC 7816-3,
// 12.2; EMV Book 1, 9.3.1 and annex A): it fetches with GET RESPONSE what 61xx, or a warning in case 4, announces, and
// repeats with the length that 6Cxx names. Errors: ErrCommand, those of the reader, device.ErrProtocol for an answer
// that no card may give.
func (t *T0) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	kind := Case(command)
	var tpdu []byte
	switch kind {
	case 1:
		tpdu = append(append(tpdu, command...), 0)
	case 2, 3:
		tpdu = append(tpdu, command...)
	case 4:
		tpdu = append(tpdu, command[:len(command)-1]...)
	default:
		return nil, fmt.Errorf("%w: %d bytes", ErrCommand, len(command))
	}
	var data []byte
	var warning []byte // SW1 SW2 of a case 4 warning, while its data is fetched
	for range maxRounds {
		body, sw, err := t.exchange(ctx, tpdu)
		if err != nil {
			return nil, err
		}
		if len(body) > 0 && (kind == 1 || kind == 3) {
			return nil, fmt.Errorf("%w: %d bytes of data in answer to a command that asks for none", device.ErrProtocol, len(body))
		}
		if data = append(data, body...); len(data) > MaxResponse-2 {
			return nil, fmt.Errorf("%w: more than %d bytes of response", device.ErrProtocol, MaxResponse-2)
		}
		fetching := tpdu[1] == insGetResponse && len(tpdu) == 5
		switch {
		case sw[0] == 0x61 && kind != 3 && kind != 1:
			tpdu = getResponse(sw[1])
		case sw[0] == 0x6C && len(tpdu) == 5 && (kind == 2 || fetching):
			tpdu = append(tpdu[:4:4], sw[1])
		case (sw[0] == 0x62 || sw[0] == 0x63) && kind == 4 && !fetching:
			warning, tpdu = sw, getResponse(0)
		case warning != nil:
			return append(data, warning...), nil
		default:
			return append(data, sw...), nil
		}
	}
	return nil, fmt.Errorf("%w: no end of 61xx and 6Cxx after %d commands", device.ErrProtocol, maxRounds)
}

// exchange sends one TPDU and splits the answer.
func (t *T0) exchange(ctx context.Context, tpdu []byte) (body, sw []byte, err error) {
	answer, err := t.reader.TransmitTPDU(ctx, tpdu, 0)
	if err != nil {
		return nil, nil, err
	}
	end := len(answer) - 2
	if end < 0 || end > MaxResponse-2 {
		return nil, nil, fmt.Errorf("%w: T=0 answer of %d bytes", device.ErrProtocol, len(answer))
	}
	if sw1 := answer[end]; sw1>>4 != 6 && sw1>>4 != 9 || sw1 == 0x60 {
		return nil, nil, fmt.Errorf("%w: SW1 %02X", device.ErrProtocol, sw1)
	}
	return answer[:end], answer[end:], nil
}

// getResponse is the TPDU that fetches n bytes; 0 stands for 256.
func getResponse(n byte) []byte { return []byte{0, insGetResponse, 0, 0, n} }
