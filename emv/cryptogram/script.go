package cryptogram

import (
	"fmt"

	"tillway/device/secure/x9"
)

// ScriptKeyVisa is Visa's session key for scripts: the ATC is added to the left half of the card's master key, its
// complement to the right half, and parity is set odd. Error: ErrInput.
func ScriptKeyVisa(mk []byte, atc uint16) ([]byte, error) {
	if len(mk) != 16 {
		return nil, fmt.Errorf("master key of %d bytes: %w", len(mk), ErrInput)
	}
	sk := append([]byte(nil), mk...)
	sk[6] ^= byte(atc >> 8)
	sk[7] ^= byte(atc)
	sk[14] ^= ^byte(atc >> 8)
	sk[15] ^= ^byte(atc)
	x9.SetOddParity(sk)
	return sk, nil
}

// ScriptKeyCommon is the EMV session key for scripts: the common derivation with the ARQC as its diversification value
// (Book 2, 9.2.2 and A1.3.1). Error: ErrInput.
func ScriptKeyCommon(mk []byte, arqc [8]byte) ([]byte, error) { return SessionKeyFrom(mk, arqc) }

// ScriptMAC is the MAC of a command with secure messaging: over the command's header, what the recipe chains in (ATC and
// ARQC in most), and the command's data, with padding 80 (Book 2, 9.2.3). Cards take its leftmost four to eight bytes.
// Errors: x9.ErrKey.
func ScriptMAC(key, header, chained, data []byte) ([8]byte, error) {
	in := append(append(append([]byte(nil), header...), chained...), data...)
	mac, err := x9.MAC3(key, in, Pad80)
	if err != nil {
		return mac, fmt.Errorf("script MAC: %w", err)
	}
	return mac, nil
}
