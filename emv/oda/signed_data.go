package oda

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// DataAuthenticationCode recovers tag 93 under the issuer's key: the two bytes for tag 9F45 (Book 2, 5.4). static is the
// static data to be authenticated. Errors: ErrKey, ErrSignature.
func DataAuthenticationCode(issuer Key, signed, static []byte) (uint16, error) {
	const format = 3
	r, err := issuer.recover(signed, format)
	if err == nil && r.body[1] != hashSHA1 {
		err = fmt.Errorf("hash algorithm %02X: %w", r.body[1], ErrSignature)
	}
	if err == nil {
		err = r.hashes(ErrSignature, static)
	}
	if err != nil {
		return 0, fmt.Errorf("signed static data: %w", err)
	}
	return binary.BigEndian.Uint16(r.body[2:]), nil
}

// Dynamic is what signed dynamic application data hold.
type Dynamic struct {
	Number []byte // ICC dynamic number, for tag 9F4C

	// With a cryptogram (CDA), else zero: cryptogram information data, the cryptogram, and the Transaction Data Hash Code.
	Combined        bool
	Information     byte
	Cryptogram      []byte
	TransactionHash []byte

	recovered recovered
}

// RecoverDynamic takes tag 9F4B apart under the card's key, up to the point where the cryptogram information data are
// retrieved (Book 2, 6.5.2 and 6.6.2, steps 1 to 5). Nothing in it is proven before Verify or VerifyCombined. Errors:
// ErrKey, ErrSignature.
func RecoverDynamic(card Key, signed []byte) (Dynamic, error) {
	const format = 5
	r, err := card.recover(signed, format)
	if err != nil {
		return Dynamic{}, fmt.Errorf("signed dynamic data: %w", err)
	}
	length := int(r.body[2])
	switch {
	case r.body[1] != hashSHA1:
		return Dynamic{}, fmt.Errorf("signed dynamic data: hash algorithm %02X: %w", r.body[1], ErrSignature)
	case length == 0 || 3+length > len(r.body):
		return Dynamic{}, fmt.Errorf("signed dynamic data of %d bytes: %w", length, ErrSignature)
	}
	data := r.body[3 : 3+length]
	n := int(data[0])
	if n < 2 || n > 8 || 1+n > len(data) {
		return Dynamic{}, fmt.Errorf("dynamic number of %d bytes: %w", n, ErrSignature)
	}
	d := Dynamic{Number: data[1 : 1+n], recovered: r}
	if rest := data[1+n:]; len(rest) >= 1+8+20 {
		d.Combined, d.Information, d.Cryptogram, d.TransactionHash = true, rest[0], rest[1:9], rest[9:29]
	}
	return d, nil
}

// Verify checks the hash. terminal is what it covers of the terminal: the data of the DDOL, or the unpredictable number for
// a combined signature (Book 2, 6.5.2 and 6.6.2). Error: ErrSignature.
func (d Dynamic) Verify(terminal []byte) error {
	if err := d.recovered.hashes(ErrSignature, terminal); err != nil {
		return fmt.Errorf("signed dynamic data: %w", err)
	}
	return nil
}

// VerifyCombined checks a combined signature (Book 2, 6.6.2, steps 6 to 12): information is the CID of the card's answer,
// number the terminal's unpredictable number, and transaction what the Transaction Data Hash Code covers, in its order.
// Error: ErrSignature.
func (d Dynamic) VerifyCombined(information byte, number, transaction []byte) error {
	if !d.Combined {
		return fmt.Errorf("signed dynamic data: no cryptogram in them: %w", ErrSignature)
	}
	if d.Information != information {
		return fmt.Errorf("signed dynamic data: cryptogram information %02X, the answer has %02X: %w", d.Information, information, ErrSignature)
	}
	if err := d.Verify(number); err != nil {
		return err
	}
	if sum := hash(transaction); !bytes.Equal(sum[:], d.TransactionHash) {
		return fmt.Errorf("signed dynamic data: the transaction's data are not those that the card signed: %w", ErrSignature)
	}
	return nil
}
