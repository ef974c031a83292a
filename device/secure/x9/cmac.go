package x9

import (
	"crypto/cipher"
	"crypto/subtle"
)

// CMACTDES is the CMAC of NIST SP 800-38B (algorithm 5 of ISO/IEC 9797-1:2011) with triple DES: eight bytes. The key has
// 16 or 24 bytes. Error: ErrKey.
func CMACTDES(key, data []byte) ([8]byte, error) {
	b, err := tdes(key)
	if err != nil {
		return [8]byte{}, err
	}
	return [8]byte(cmac(b, 0x1B, data)), nil
}

// CMACAES is the CMAC of NIST SP 800-38B with AES (RFC 4493 for keys of 16 bytes): sixteen bytes. Error: ErrKey.
func CMACAES(key, data []byte) ([16]byte, error) {
	b, err := aesCipher(key)
	if err != nil {
		return [16]byte{}, err
	}
	return [16]byte(cmac(b, 0x87, data)), nil
}

// cmac is SP 800-38B, 6.2; reduction is the constant R of the block length (5.3).
func cmac(b cipher.Block, reduction byte, data []byte) []byte {
	n := b.BlockSize()
	subkey := make([]byte, n)
	defer clear(subkey)
	b.Encrypt(subkey, subkey)
	double(subkey, reduction)
	sum := make([]byte, n)
	for len(data) > n {
		subtle.XORBytes(sum, sum, data[:n])
		b.Encrypt(sum, sum)
		data = data[n:]
	}
	last := make([]byte, n)
	defer clear(last)
	if copy(last, data) < n {
		last[len(data)] = 0x80
		double(subkey, reduction)
	}
	subtle.XORBytes(last, last, subkey)
	subtle.XORBytes(sum, sum, last)
	b.Encrypt(sum, sum)
	return sum
}

// double multiplies by x in the field of the block length (SP 800-38B, 6.1).
func double(block []byte, reduction byte) {
	carry := block[0] >> 7
	for i := range block {
		block[i] <<= 1
		if i+1 < len(block) {
			block[i] |= block[i+1] >> 7
		}
	}
	block[len(block)-1] ^= reduction & -carry
}
