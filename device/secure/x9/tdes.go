package x9

import (
	"crypto/cipher"
	"crypto/des" //nolint:gosec // triple DES is what the cards and hosts of this trade speak
	"errors"
	"fmt"
)

// BlockSize is the block of DES in bytes.
const BlockSize = des.BlockSize

// Errors for arguments that no algorithm can take; they name lengths, never contents.
var (
	ErrKey   = errors.New("key of a wrong length")
	ErrBlock = errors.New("data not in whole blocks")
)

// tdes makes the block cipher of a double-length (16 bytes: K1 K2 K1) or triple-length (24 bytes) key.
func tdes(key []byte) (cipher.Block, error) {
	var full [24]byte
	switch len(key) {
	case 16:
		copy(full[:], key)
		copy(full[16:], key[:8])
	case 24:
		copy(full[:], key)
	default:
		return nil, fmt.Errorf("%d bytes, triple DES takes 16 or 24: %w", len(key), ErrKey)
	}
	b, err := des.NewTripleDESCipher(full[:])
	clear(full[:])
	if err != nil {
		return nil, fmt.Errorf("triple DES: %w", ErrKey)
	}
	return b, nil
}

func wholeBlocks(data []byte) error {
	if len(data)%BlockSize != 0 {
		return fmt.Errorf("%d bytes: %w", len(data), ErrBlock)
	}
	return nil
}

// EncryptECB enciphers whole blocks, each on its own, with a key of 16 or 24 bytes. Errors: ErrKey, ErrBlock.
func EncryptECB(key, data []byte) ([]byte, error) { return ecb(key, data, cipher.Block.Encrypt) }

// DecryptECB undoes EncryptECB. Errors: ErrKey, ErrBlock.
func DecryptECB(key, data []byte) ([]byte, error) { return ecb(key, data, cipher.Block.Decrypt) }

func ecb(key, data []byte, one func(b cipher.Block, dst, src []byte)) ([]byte, error) {
	b, err := tdes(key)
	if err != nil {
		return nil, err
	}
	if err := wholeBlocks(data); err != nil {
		return nil, err
	}
	out := make([]byte, len(data))
	for i := 0; i < len(data); i += BlockSize {
		one(b, out[i:], data[i:])
	}
	return out, nil
}

// EncryptCBC enciphers whole blocks in a chain that starts from iv (8 bytes). Errors: ErrKey, ErrBlock.
func EncryptCBC(key, iv, data []byte) ([]byte, error) {
	return cbc(key, iv, data, cipher.NewCBCEncrypter)
}

// DecryptCBC undoes EncryptCBC. Errors: ErrKey, ErrBlock.
func DecryptCBC(key, iv, data []byte) ([]byte, error) {
	return cbc(key, iv, data, cipher.NewCBCDecrypter)
}

func cbc(key, iv, data []byte, mode func(cipher.Block, []byte) cipher.BlockMode) ([]byte, error) {
	b, err := tdes(key)
	if err != nil {
		return nil, err
	}
	if len(iv) != BlockSize {
		return nil, fmt.Errorf("start value of %d bytes: %w", len(iv), ErrBlock)
	}
	if err := wholeBlocks(data); err != nil {
		return nil, err
	}
	out := make([]byte, len(data))
	mode(b, iv).CryptBlocks(out, data)
	return out, nil
}

// KCV is the check value of a triple DES key: the first three bytes of a block of zeros enciphered under it (X9.24-1).
// Error: ErrKey.
func KCV(key []byte) ([3]byte, error) {
	c, err := EncryptECB(key, make([]byte, BlockSize))
	if err != nil {
		return [3]byte{}, err
	}
	return [3]byte(c), nil
}
