package cryptogram

import (
	"fmt"

	"tillway/device/secure/x9"
)

// Padding is how the data of a cryptogram are filled up to whole blocks.
type Padding = x9.Padding

// The paddings that recipes use.
const (
	PadZeros Padding = x9.Pad1 // zeros only where needed: version 10
	Pad80    Padding = x9.Pad2 // 80 and zeros, always (Book 2, A1.2.1): version 18
)

// AC is an application cryptogram (ARQC, TC or AAC) over data with a card key or session key of 16 bytes: MAC algorithm 3
// of ISO/IEC 9797-1 (Book 2, 8.1.2 and A1.2.1). Errors: x9.ErrKey, x9.ErrPadding.
func AC(key, data []byte, pad Padding) ([8]byte, error) {
	ac, err := x9.MAC3(key, data, pad)
	if err != nil {
		return ac, fmt.Errorf("application cryptogram: %w", err)
	}
	return ac, nil
}

// ARPC1 is the issuer's answer by method 1: the ARQC, its first two bytes mixed with the authorisation response code,
// enciphered (Book 2, 8.2.1). Error: x9.ErrKey.
func ARPC1(key []byte, arqc [8]byte, arc [2]byte) ([8]byte, error) {
	arqc[0] ^= arc[0]
	arqc[1] ^= arc[1]
	c, err := x9.EncryptECB(key, arqc[:])
	if err != nil {
		return [8]byte{}, fmt.Errorf("issuer's answer, method 1: %w", err)
	}
	return [8]byte(c), nil
}

// ARPC2 is the issuer's answer by method 2: a MAC of four bytes over ARQC, card status update and up to eight bytes of
// proprietary authentication data (Book 2, 8.2.2). Errors: ErrInput, x9.ErrKey.
func ARPC2(key []byte, arqc [8]byte, csu [4]byte, proprietary []byte) ([4]byte, error) {
	if len(proprietary) > 8 {
		return [4]byte{}, fmt.Errorf("proprietary authentication data of %d bytes, at most 8: %w", len(proprietary), ErrInput)
	}
	data := append(append(arqc[:], csu[:]...), proprietary...)
	mac, err := x9.MAC3(key, data, Pad80)
	if err != nil {
		return [4]byte{}, fmt.Errorf("issuer's answer, method 2: %w", err)
	}
	return [4]byte(mac[:4]), nil
}
