package x9

import (
	"crypto/subtle"
	"fmt"
)

// PINField4 is the plain text PIN field of format 4: control nibble 4, length, digits, filler A up to eight bytes, and
// eight random bytes (ISO 9564-1:2017, 9.4.2.1). The caller wipes pin and field. Error: ErrPIN.
func PINField4(pin []byte, random [8]byte) ([16]byte, error) {
	if err := checkPIN(pin); err != nil {
		return [16]byte{}, err
	}
	var nibbles [16]byte
	defer clear(nibbles[:])
	nibbles[0], nibbles[1] = 4, byte(len(pin))
	for i := range nibbles[2:] {
		nibbles[2+i] = 0xA
		if i < len(pin) {
			nibbles[2+i] = pin[i] - '0'
		}
	}
	var field [16]byte
	packNibbles(field[:8], nibbles[:])
	copy(field[8:], random[:])
	return field, nil
}

// ReadPINField4 takes the PIN (ASCII digits) out of a plain text PIN field; the random bytes may be anything. The caller
// wipes the result. Error: ErrPINBlock.
func ReadPINField4(field [16]byte) ([]byte, error) {
	var nibbles [16]byte
	defer clear(nibbles[:])
	unpackNibbles(nibbles[:], field[:8])
	return readPIN(nibbles[:], 4, 0xA, 0xA)
}

// PANField4 is the plain text account field of format 4: the number of digits beyond twelve, the digits (at least twelve,
// filled with zeros on the left), and zeros (ISO 9564-1:2017, 9.4.2.2). The format is defined for 1 to 19 digits; whether
// so short an account number is one is not decided here. Error: ErrPAN.
func PANField4(pan string) ([16]byte, error) {
	if err := checkPAN(pan, 1); err != nil {
		return [16]byte{}, err
	}
	var nibbles [32]byte
	nibbles[0] = byte(max(0, len(pan)-12))
	at := 1 + max(0, 12-len(pan))
	for i, d := range []byte(pan) {
		nibbles[at+i] = d - '0'
	}
	var field [16]byte
	packNibbles(field[:], nibbles[:])
	return field, nil
}

// EncryptPINBlock4 makes and enciphers a block of format 4 with an AES key: the PIN field is enciphered, the account field
// added, and the sum enciphered again (ISO 9564-1:2017, 9.4.2.3). Errors: ErrPIN, ErrPAN, ErrKey.
func EncryptPINBlock4(key, pin []byte, pan string, random [8]byte) ([16]byte, error) {
	b, err := aesCipher(key)
	if err != nil {
		return [16]byte{}, err
	}
	account, err := PANField4(pan)
	if err != nil {
		return [16]byte{}, err
	}
	block, err := PINField4(pin, random)
	if err != nil {
		return [16]byte{}, err
	}
	b.Encrypt(block[:], block[:])
	subtle.XORBytes(block[:], block[:], account[:])
	b.Encrypt(block[:], block[:])
	return block, nil
}

// DecryptPINBlock4 undoes EncryptPINBlock4. A wrong key and a wrong account both end in a PIN field that is refused. The
// caller wipes the result. Errors: ErrPINBlock, ErrPAN, ErrKey.
func DecryptPINBlock4(key []byte, block [16]byte, pan string) ([]byte, error) {
	b, err := aesCipher(key)
	if err != nil {
		return nil, err
	}
	account, err := PANField4(pan)
	if err != nil {
		return nil, err
	}
	b.Decrypt(block[:], block[:])
	subtle.XORBytes(block[:], block[:], account[:])
	b.Decrypt(block[:], block[:])
	defer clear(block[:])
	pin, err := ReadPINField4(block)
	if err != nil {
		return nil, fmt.Errorf("format 4: %w", err)
	}
	return pin, nil
}
