package x9

import (
	"crypto/aes"
	"crypto/cipher"
	"fmt"
)

// AESBlockSize is the block of AES in bytes.
const AESBlockSize = aes.BlockSize

// aesCipher makes the block cipher of an AES key of 16, 24 or 32 bytes (FIPS 197).
func aesCipher(key []byte) (cipher.Block, error) {
	b, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("%d bytes, AES takes 16, 24 or 32: %w", len(key), ErrKey)
	}
	return b, nil
}

// EncryptCBCAES enciphers whole blocks of 16 bytes in a chain that starts from iv (16 bytes). Errors: ErrKey, ErrBlock.
func EncryptCBCAES(key, iv, data []byte) ([]byte, error) {
	return cbcAES(key, iv, data, cipher.NewCBCEncrypter)
}

// DecryptCBCAES undoes EncryptCBCAES. Errors: ErrKey, ErrBlock.
func DecryptCBCAES(key, iv, data []byte) ([]byte, error) {
	return cbcAES(key, iv, data, cipher.NewCBCDecrypter)
}

func cbcAES(key, iv, data []byte, mode func(cipher.Block, []byte) cipher.BlockMode) ([]byte, error) {
	b, err := aesCipher(key)
	if err != nil {
		return nil, err
	}
	if len(iv) != AESBlockSize || len(data)%AESBlockSize != 0 {
		return nil, fmt.Errorf("start value of %d bytes, data of %d: %w", len(iv), len(data), ErrBlock)
	}
	out := make([]byte, len(data))
	mode(b, iv).CryptBlocks(out, data)
	return out, nil
}

// ctrAES enciphers or deciphers data of any length with AES in counter mode; the counter starts at iv (ISO/IEC 10116).
func ctrAES(key, iv, data []byte) ([]byte, error) {
	b, err := aesCipher(key)
	if err != nil {
		return nil, err
	}
	if len(iv) != AESBlockSize {
		return nil, fmt.Errorf("start value of %d bytes: %w", len(iv), ErrBlock)
	}
	out := make([]byte, len(data))
	cipher.NewCTR(b, iv).XORKeyStream(out, data)
	return out, nil
}
