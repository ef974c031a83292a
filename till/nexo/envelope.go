package nexo

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha1" //nolint:gosec // the protocol's: PBKDF2 with HMAC-SHA1, where collisions do not matter
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
)

// The envelope of an enciphered message: a key derivation of its own, AES-256 in CBC mode and HMAC-SHA256 over what was
// enciphered. Source: Adyen, "Protect local communications"; the MIT-licensed client @adyen/api-library 32.1.0 (nexoCrypto).
const (
	cryptoVersion = 1
	salt          = "AdyenNexoV1Salt"
	rounds        = 4000
	keyBytes      = 80
	nonceBytes    = aes.BlockSize
)

// What can be wrong with an envelope. Each is one sentence for the programmer of the cash register.
var (
	errVersion = errors.New("the AdyenCryptoVersion is not 1")
	errNonce   = errors.New("the Nonce is not 16 bytes in base64")
	errBlob    = errors.New("the NexoBlob is not whole blocks in base64")
	errHmac    = errors.New("the Hmac does not match: another passphrase, or the message was changed")
)

// keys are what a passphrase gives. They mask themselves by having no text.
type keys struct {
	hmac [32]byte
	aes  [32]byte
	iv   [16]byte
}

// String keeps the keys out of every log.
func (*keys) String() string { return "nexo keys" }

// derive makes the keys of a passphrase, whose characters are one byte each (ISO 8859-1).
func derive(passphrase []byte) (*keys, error) {
	all, err := pbkdf2.Key(sha1.New, string(passphrase), []byte(salt), rounds, keyBytes)
	if err != nil {
		return nil, err
	}
	k := new(keys)
	copy(k.hmac[:], all[:32])
	copy(k.aes[:], all[32:64])
	copy(k.iv[:], all[64:])
	return k, nil
}

// trailer is the envelope's SecurityTrailer.
type trailer struct {
	AdyenCryptoVersion int    `json:"AdyenCryptoVersion"`
	Hmac               string `json:"Hmac"`
	KeyIdentifier      string `json:"KeyIdentifier"`
	KeyVersion         int    `json:"KeyVersion"`
	Nonce              string `json:"Nonce"`
}

// sum is the HMAC over what was enciphered.
func (k *keys) sum(plain []byte) []byte {
	mac := hmac.New(sha256.New, k.hmac[:])
	mac.Write(plain)
	return mac.Sum(nil)
}

// vector is the CBC mode's first block.
func (k *keys) vector(nonce []byte) []byte {
	iv := make([]byte, len(k.iv))
	subtle.XORBytes(iv, k.iv[:], nonce)
	return iv
}

// open deciphers a message and checks that it is its sender's. Padding that is wrong is told as an Hmac that is, after the same work: what
// tells the two apart helps nobody but who guesses at the plain text. Errors: errVersion, errNonce, errBlob, errHmac.
func (k *keys) open(blob string, t trailer) ([]byte, error) {
	if t.AdyenCryptoVersion != cryptoVersion {
		return nil, errVersion
	}
	nonce, err := base64.StdEncoding.DecodeString(t.Nonce)
	if err != nil || len(nonce) != nonceBytes {
		return nil, errNonce
	}
	data, err := base64.StdEncoding.DecodeString(blob)
	if err != nil || len(data) == 0 || len(data)%aes.BlockSize != 0 {
		return nil, errBlob
	}
	block, err := aes.NewCipher(k.aes[:])
	if err != nil {
		return nil, err
	}
	cipher.NewCBCDecrypter(block, k.vector(nonce)).CryptBlocks(data, data)
	plain, padded := unpad(data)
	said, err := base64.StdEncoding.DecodeString(t.Hmac)
	if same := hmac.Equal(said, k.sum(plain)); err != nil || !same || !padded {
		return nil, errHmac
	}
	return plain, nil
}

// seal enciphers a message under a nonce that is never used twice.
func (k *keys) seal(plain, nonce []byte) (blob string, t trailer, err error) {
	block, err := aes.NewCipher(k.aes[:])
	if err != nil {
		return "", trailer{}, err
	}
	n := aes.BlockSize - len(plain)%aes.BlockSize
	data := make([]byte, len(plain), len(plain)+n)
	copy(data, plain)
	for range n {
		data = append(data, byte(n)) //nolint:gosec // 1 to 16
	}
	cipher.NewCBCEncrypter(block, k.vector(nonce)).CryptBlocks(data, data)
	return base64.StdEncoding.EncodeToString(data), trailer{
		AdyenCryptoVersion: cryptoVersion, Hmac: base64.StdEncoding.EncodeToString(k.sum(plain)), Nonce: base64.StdEncoding.EncodeToString(nonce),
	}, nil
}

// unpad takes PKCS #7 padding off; false where there is none, with the data as they are.
func unpad(data []byte) ([]byte, bool) {
	n := int(data[len(data)-1])
	if n < 1 || n > aes.BlockSize || n > len(data) {
		return data, false
	}
	for _, b := range data[len(data)-n:] {
		if int(b) != n {
			return data, false
		}
	}
	return data[:len(data)-n], true
}
