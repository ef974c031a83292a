package x9

import (
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// Errors of key blocks. They name fields and lengths, never key material.
var (
	ErrKeyBlock     = errors.New("key block not well formed")
	ErrKeyBlockMAC  = errors.New("key block's MAC is wrong")
	ErrKeyBlockRule = errors.New("key block attributes do not go together")
)

// maxKeyBlock is the longest key block in characters: its length field has four digits.
const maxKeyBlock = 9999

// A binding is what the version of a key block fixes (X9.143:2021, 7; ISO 20038:2017 for E).
type binding struct {
	mac   int // bytes
	align int // the header with its optional blocks is a multiple of so many characters; 1 where it need not be
	pad   int // the clear key field is a multiple of so many bytes

	derive func(kbpk []byte) (enc, auth []byte, err error)
	open   func(enc, iv, data []byte) ([]byte, error)
	seal   func(enc, iv, data []byte) ([]byte, error)
	sum    func(auth, data []byte) ([]byte, error)
	// early says that the MAC is over what was enciphered, and that the start value comes from the header; otherwise it is
	// over the clear key field and is itself the start value.
	early bool
}

func bindingOf(version byte) (binding, bool) {
	switch version {
	case 'A', 'C':
		return binding{4, 8, 8, variantKeys, DecryptCBC, EncryptCBC, variantMAC, true}, true
	case 'B':
		return binding{8, 8, 8, derivedTDES, DecryptCBC, EncryptCBC, sumTDES, false}, true
	case 'D':
		return binding{16, 16, 16, derivedCBC, DecryptCBCAES, EncryptCBCAES, sumAES, false}, true
	case 'E':
		return binding{16, 1, 1, derivedCTR, ctrAES, ctrAES, sumAES, false}, true
	default:
		return binding{}, false
	}
}

// variantKeys adds 45 and 4D to every byte of the protection key (X9.143:2021, 7.3, versions A and C).
func variantKeys(kbpk []byte) (enc, auth []byte, err error) {
	if len(kbpk) != 16 && len(kbpk) != 24 {
		return nil, nil, fmt.Errorf("protection key of %d bytes: %w", len(kbpk), ErrKey)
	}
	enc, auth = make([]byte, len(kbpk)), make([]byte, len(kbpk))
	for i, b := range kbpk {
		enc[i], auth[i] = b^0x45, b^0x4D
	}
	return enc, auth, nil
}

func variantMAC(auth, data []byte) ([]byte, error) {
	m, err := MAC1(auth, data, Pad1)
	return m[:4], err
}

func sumTDES(auth, data []byte) ([]byte, error) { m, err := CMACTDES(auth, data); return m[:], err }
func sumAES(auth, data []byte) ([]byte, error)  { m, err := CMACAES(auth, data); return m[:], err }

// Key usage indicators of the derivation (X9.143:2021, 7.2.1.1; ISO 20038:2017, 6.3).
const (
	deriveEncryption = 0
	deriveMAC        = 1
	deriveCounter    = 2 // encryption in counter mode
)

func derivedTDES(kbpk []byte) (enc, auth []byte, err error) {
	algorithm, ok := map[int]byte{16: 0, 24: 1}[len(kbpk)]
	if !ok {
		return nil, nil, fmt.Errorf("protection key of %d bytes: %w", len(kbpk), ErrKey)
	}
	if enc, err = deriveByCMAC(sumTDES, kbpk, deriveEncryption, algorithm); err != nil {
		return nil, nil, err
	}
	auth, err = deriveByCMAC(sumTDES, kbpk, deriveMAC, algorithm)
	return enc, auth, err
}

func derivedCBC(kbpk []byte) (enc, auth []byte, err error) { return derivedAES(kbpk, deriveEncryption) }

func derivedCTR(kbpk []byte) (enc, auth []byte, err error) { return derivedAES(kbpk, deriveCounter) }

func derivedAES(kbpk []byte, usage byte) (enc, auth []byte, err error) {
	algorithm, ok := map[int]byte{16: 2, 24: 3, 32: 4}[len(kbpk)]
	if !ok {
		return nil, nil, fmt.Errorf("protection key of %d bytes: %w", len(kbpk), ErrKey)
	}
	if enc, err = deriveByCMAC(sumAES, kbpk, usage, algorithm); err != nil {
		return nil, nil, err
	}
	auth, err = deriveByCMAC(sumAES, kbpk, deriveMAC, algorithm)
	return enc, auth, err
}

// deriveByCMAC makes a key of the protection key's length: a CMAC over counter, usage, separator, algorithm and length for
// each block (X9.143:2021, 7.2.1.1).
func deriveByCMAC(sum func(key, data []byte) ([]byte, error), kbpk []byte, usage, algorithm byte) ([]byte, error) {
	data := [8]byte{0: 1, 2: usage, 5: algorithm}
	binary.BigEndian.PutUint16(data[6:], uint16(8*len(kbpk)))
	key := make([]byte, 0, 2*AESBlockSize)
	for len(key) < len(kbpk) {
		block, err := sum(kbpk, data[:])
		if err != nil {
			return nil, err
		}
		key = append(key, block...)
		data[0]++
	}
	return key[:len(kbpk)], nil
}

// UnwrapKeyBlock opens a key block of version A to E (TR-31:2018, X9.143:2021; E is ISO 20038:2017) with its protection
// key. It checks form and MAC, and that the key's length fits its algorithm; whether this terminal takes such a key is
// KeyBlockHeader.Check's and the caller's business. The caller wipes the key. Errors: ErrKeyBlock, ErrKeyBlockMAC, ErrKey.
func UnwrapKeyBlock(kbpk []byte, block string) (KeyBlockHeader, []byte, error) {
	h, at, err := parseKeyBlock(block)
	if err != nil {
		return KeyBlockHeader{}, nil, err
	}
	b, _ := bindingOf(h.Version)
	cut := len(block) - 2*b.mac
	if cut <= at || (cut-at)%(2*b.pad) != 0 {
		return KeyBlockHeader{}, nil, fmt.Errorf("enciphered key of %d characters: %w", cut-at, ErrKeyBlock)
	}
	cipherText, errKey := upperHex(block[at:cut])
	mac, errMAC := upperHex(block[cut:])
	if errKey != nil || errMAC != nil {
		return KeyBlockHeader{}, nil, fmt.Errorf("key or MAC is not hexadecimal: %w", ErrKeyBlock)
	}
	field, err := openField(b, kbpk, block[:at], cipherText, mac)
	if err != nil {
		return KeyBlockHeader{}, nil, err
	}
	defer clear(field)
	if len(field) < 2 {
		return KeyBlockHeader{}, nil, fmt.Errorf("key field of %d bytes: %w", len(field), ErrKeyBlock)
	}
	n := int(binary.BigEndian.Uint16(field))
	if n == 0 || n%8 != 0 || n/8 > len(field)-2 || !keyLengthFits(h.Algorithm, n/8) {
		return KeyBlockHeader{}, nil, fmt.Errorf("key of %d bits: %w", n, ErrKeyBlock)
	}
	return h, append([]byte(nil), field[2:2+n/8]...), nil
}

// openField deciphers the key field and verifies the MAC.
func openField(b binding, kbpk []byte, header string, cipherText, mac []byte) ([]byte, error) {
	enc, auth, err := b.derive(kbpk)
	if err != nil {
		return nil, err
	}
	defer clear(enc)
	defer clear(auth)
	iv := mac
	if b.early {
		iv = []byte(header[:8])
	}
	field, err := b.open(enc, iv, cipherText)
	if err != nil {
		return nil, err
	}
	signed := field
	if b.early {
		signed = cipherText
	}
	covered := concat(header, signed)
	defer clear(covered)
	want, err := b.sum(auth, covered)
	if err != nil || subtle.ConstantTimeCompare(want, mac) != 1 {
		clear(field)
		return nil, ErrKeyBlockMAC
	}
	return field, nil
}

// WrapKeyBlock makes a key block. The header's version chooses the method; Check must accept it. The key is filled up with
// random bytes, to maskLength bytes where that is more than the key has, so that its length cannot be seen. Errors:
// ErrKeyBlock, ErrKeyBlockRule, ErrKey (also for a key stronger than its protection key), and those of random.
func WrapKeyBlock(kbpk []byte, h KeyBlockHeader, key []byte, maskLength int, random io.Reader) (string, error) {
	b, ok := bindingOf(h.Version)
	if !ok {
		return "", fmt.Errorf("version: %w", ErrKeyBlock)
	}
	if err := h.Check(); err != nil {
		return "", err
	}
	if !keyLengthFits(h.Algorithm, len(key)) || strengthOf(h.Algorithm, len(key)) > protection(h.Version, len(kbpk)) {
		return "", fmt.Errorf("key of %d bytes under a protection key of %d: %w", len(key), len(kbpk), ErrKey)
	}
	if maskLength < 0 || maskLength > 32 {
		return "", fmt.Errorf("masked length %d: %w", maskLength, ErrKeyBlock)
	}
	field := make([]byte, (2+max(len(key), maskLength)+b.pad-1)/b.pad*b.pad)
	defer clear(field)
	binary.BigEndian.PutUint16(field, uint16(8*len(key)))
	copy(field[2:], key)
	if _, err := io.ReadFull(random, field[2+len(key):]); err != nil {
		return "", fmt.Errorf("fill of the key block: %w", err)
	}
	header, err := h.encode(b.align, 2*(len(field)+b.mac))
	if err != nil {
		return "", err
	}
	cipherText, mac, err := sealField(b, kbpk, header, field)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s%X%X", header, cipherText, mac), nil
}

func sealField(b binding, kbpk []byte, header string, field []byte) (cipherText, mac []byte, err error) {
	enc, auth, err := b.derive(kbpk)
	if err != nil {
		return nil, nil, err
	}
	defer clear(enc)
	defer clear(auth)
	if b.early {
		if cipherText, err = b.seal(enc, []byte(header[:8]), field); err != nil {
			return nil, nil, err
		}
		mac, err = b.sum(auth, concat(header, cipherText))
		return cipherText, mac, err
	}
	covered := concat(header, field)
	defer clear(covered)
	if mac, err = b.sum(auth, covered); err != nil {
		return nil, nil, err
	}
	cipherText, err = b.seal(enc, mac, field)
	return cipherText, mac, err
}

func concat(header string, data []byte) []byte { return append([]byte(header), data...) }

// upperHex decodes hexadecimal; a key block has capital letters only (X9.143:2021, 6).
func upperHex(s string) ([]byte, error) {
	for _, c := range []byte(s) {
		if c >= 'a' && c <= 'f' {
			return nil, ErrKeyBlock
		}
	}
	b, err := hex.DecodeString(s)
	if err != nil {
		return nil, ErrKeyBlock
	}
	return b, nil
}

func decimal(s string) (int, error) {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, ErrKeyBlock
		}
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0, ErrKeyBlock
	}
	return n, nil
}
