package pinpad

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"

	"tillway/device/secure/x9"
)

// packet is one frame of the wire: STX, type, number, length, payload, CRC-16.
type packet struct {
	kind    byte
	number  uint32
	payload []byte
}

const (
	start       = 0x02
	mostPayload = 1024
)

// encode writes a packet.
func (p packet) encode() []byte {
	b := []byte{start, p.kind, byte(p.number >> 24), byte(p.number >> 16), byte(p.number >> 8), byte(p.number), byte(len(p.payload) >> 8), byte(len(p.payload))}
	b = append(b, p.payload...)
	return binary.BigEndian.AppendUint16(b, checksum(b[1:]))
}

// checksum is CRC-16/IBM-3740, by the nibble.
func checksum(b []byte) uint16 {
	table := [16]uint16{
		0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50A5, 0x60C6, 0x70E7, 0x8108, 0x9129, 0xA14A, 0xB16B, 0xC18C, 0xD1AD, 0xE1CE, 0xF1EF,
	}
	crc := uint16(0xFFFF)
	for _, c := range b {
		crc = crc<<4 ^ table[byte(crc>>12)^c>>4]
		crc = crc<<4 ^ table[byte(crc>>12)^c&15]
	}
	return crc
}

// scan takes the first packet off b. rest is what is left to scan again; more says that the packet has not ended.
func scan(b []byte) (p packet, found bool, rest []byte, more bool) {
	for len(b) > 0 {
		if b[0] != start {
			b = b[1:]
			continue
		}
		if len(b) < 8 {
			return packet{}, false, b, true
		}
		n := int(b[6])<<8 | int(b[7])
		if n > mostPayload {
			b = b[1:]
			continue
		}
		if len(b) < 8+n+2 {
			return packet{}, false, b, true
		}
		if checksum(b[1:8+n]) != binary.BigEndian.Uint16(b[8+n:]) {
			b = b[1:]
			continue
		}
		p = packet{kind: b[1], number: binary.BigEndian.Uint32(b[2:]), payload: append([]byte(nil), b[8:8+n]...)}
		return p, true, b[8+n+2:], false
	}
	return packet{}, false, nil, false
}

// keys of one session, one for each direction.
type keys struct{ toPad, fromPad cipher.AEAD }

// derive makes the session's keys (docs/pinpad-protocol.md, Session).
func derive(pairing []byte, terminal, pad [16]byte, serial string) (k keys, err error) {
	for label, to := range map[string]*cipher.AEAD{"tillway pad 1 to pad": &k.toPad, "tillway pad 1 from pad": &k.fromPad} {
		context := append(append(append([]byte{}, terminal[:]...), pad[:]...), serial...)
		input := append([]byte{1}, label...)
		input = append(append(append(input, 0), context...), 0, 128)
		key, err := x9.CMACAES(pairing, input)
		if err != nil {
			return k, err
		}
		block, err := aes.NewCipher(key[:])
		if err != nil {
			return k, err
		}
		if *to, err = cipher.NewGCM(block); err != nil {
			return k, err
		}
	}
	return k, nil
}

// nonce is a number as the cipher takes it.
func nonce(number uint64) []byte { return binary.BigEndian.AppendUint64(make([]byte, 4), number) }

// associated is what is authenticated in clear.
func associated(kind byte, number uint32) []byte {
	return []byte{kind, byte(number >> 24), byte(number >> 16), byte(number >> 8), byte(number)}
}
