package cryptogram

import (
	"crypto/des" //nolint:gosec // the card verification value is defined with it
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"strings"

	"tillway/device/secure/x9"
)

// CVV is the three-digit card verification value over account number, expiry date and service code, in the order of the
// stripe for CVV, with service code 000 for CVV2 and 999 for iCVV. cvk has 16 bytes; expiry four digits, service three.
// Errors: ErrInput.
func CVV(cvk []byte, pan, expiry, service string) (string, error) {
	if len(cvk) != 16 || len(pan) < 1 || len(pan) > 19 || len(expiry) != 4 || len(service) != 3 || !digits(pan+expiry+service) {
		return "", fmt.Errorf("card verification value: %w", ErrInput)
	}
	text := pan + expiry + service
	blocks, err := hex.DecodeString(text + strings.Repeat("0", 32-len(text)))
	if err != nil {
		return "", fmt.Errorf("card verification value: %w", ErrInput)
	}
	left, err := des.NewCipher(cvk[:8]) //nolint:gosec // the card verification value is defined with it
	if err != nil {
		return "", fmt.Errorf("card verification value: %w", ErrInput)
	}
	block := blocks[:8]
	left.Encrypt(block, block)
	subtle.XORBytes(block, block, blocks[8:])
	out, err := x9.EncryptECB(cvk, block)
	if err != nil {
		return "", fmt.Errorf("card verification value: %w", err)
	}
	return decimalize(hex.EncodeToString(out), 3), nil
}

// PVV is Visa's PIN verification value: four digits out of the account number's eleven digits before the check digit, the
// key index and the PIN's first four digits. pvk has 16 bytes, pvki is one digit, pin four digits. Error: ErrInput.
func PVV(pvk []byte, pvki, pin, pan string) (string, error) {
	if len(pvk) != 16 || len(pvki) != 1 || len(pin) != 4 || len(pan) < 12 || len(pan) > 19 || !digits(pvki+pin+pan) {
		return "", fmt.Errorf("PIN verification value: %w", ErrInput)
	}
	block, err := hex.DecodeString(pan[len(pan)-12:len(pan)-1] + pvki + pin)
	if err != nil {
		return "", fmt.Errorf("PIN verification value: %w", ErrInput)
	}
	out, err := x9.EncryptECB(pvk, block)
	if err != nil {
		return "", fmt.Errorf("PIN verification value: %w", err)
	}
	return decimalize(hex.EncodeToString(out), 4), nil
}

// Validation is the data of the IBM 3624 method: which digits of the account number count, what fills them up to sixteen,
// and how hexadecimal digits become decimal ones.
type Validation struct {
	PAN           string
	Start, Length int    // digits of PAN, from zero
	Fill          byte   // one hexadecimal digit
	Table         string // sixteen decimal digits
}

// intermediate is the IBM 3624 intermediate PIN: sixteen digits.
func (v Validation) intermediate(pvk []byte) (string, error) {
	if len(pvk) != 16 || len(v.PAN) > 19 || !digits(v.PAN) || len(v.Table) != 16 || !digits(v.Table) ||
		v.Start < 0 || v.Length < 0 || v.Length > 16 || v.Start > len(v.PAN)-v.Length {
		return "", fmt.Errorf("IBM 3624 validation data: %w", ErrInput)
	}
	text := v.PAN[v.Start : v.Start+v.Length]
	block, err := hex.DecodeString(text + strings.Repeat(string(rune(v.Fill)), 16-len(text)))
	if err != nil || !strings.ContainsRune("0123456789ABCDEFabcdef", rune(v.Fill)) {
		return "", fmt.Errorf("IBM 3624 validation data: %w", ErrInput)
	}
	out, err := x9.EncryptECB(pvk, block)
	if err != nil {
		return "", fmt.Errorf("IBM 3624: %w", err)
	}
	pin := make([]byte, 0, 16)
	for _, b := range out {
		pin = append(pin, v.Table[b>>4], v.Table[b&15])
	}
	return string(pin), nil
}

// IBM3624PIN is the PIN that belongs to an offset of 4 to 16 digits; zeros give the natural PIN. Error: ErrInput.
func IBM3624PIN(pvk []byte, v Validation, offset string) (string, error) {
	return v.combine(pvk, offset, func(natural, offset byte) byte { return (natural + offset) % 10 })
}

// IBM3624Offset is the offset that makes the natural PIN into the given one of 4 to 16 digits. Error: ErrInput.
func IBM3624Offset(pvk []byte, v Validation, pin string) (string, error) {
	return v.combine(pvk, pin, func(natural, pin byte) byte { return (10 + pin - natural) % 10 })
}

func (v Validation) combine(pvk []byte, with string, digit func(natural, with byte) byte) (string, error) {
	if len(with) < 4 || len(with) > 16 || !digits(with) {
		return "", fmt.Errorf("IBM 3624: %d digits: %w", len(with), ErrInput)
	}
	natural, err := v.intermediate(pvk)
	if err != nil {
		return "", err
	}
	out := make([]byte, len(with))
	for i := range out {
		out[i] = '0' + digit(natural[i]-'0', with[i]-'0')
	}
	return string(out), nil
}

// digits says whether text is decimal digits only.
func digits(text string) bool { return strings.Trim(text, "0123456789") == "" }
