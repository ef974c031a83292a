package emv

import (
	"bytes"
	"context"
	"time"
)

// CAKey is the public key of a certification authority (Book 2, 11.2).
type CAKey struct {
	RID      [5]byte
	Index    byte
	Modulus  []byte    // 64 to 248 bytes
	Exponent []byte    // 3 or 65537
	Expiry   time.Time // last day on which it is used, UTC; zero: not said
}

// Revocation is one issuer public key certificate that its payment system has revoked (Book 2, 5.1.2).
type Revocation struct {
	RID    [5]byte
	Index  byte // of the authority's key
	Serial [3]byte
}

// CAKeys are the authorities' keys of one environment and the certificates they revoked. The zero value is empty.
type CAKeys struct {
	Keys    []CAKey
	Revoked []Revocation
}

// Find returns the key with that index of the authority of rid, the first five bytes of an AID.
func (c CAKeys) Find(rid []byte, index byte) (CAKey, bool) {
	for _, k := range c.Keys {
		if bytes.Equal(k.RID[:], rid) && k.Index == index {
			return k, true
		}
	}
	return CAKey{}, false
}

// IsRevoked says whether an issuer certificate is on the revocation list.
func (c CAKeys) IsRevoked(rid []byte, index byte, serial [3]byte) bool {
	for _, r := range c.Revoked {
		if bytes.Equal(r.RID[:], rid) && r.Index == index && r.Serial == serial {
			return true
		}
	}
	return false
}

// History is the terminal's memory of its sales, as a kernel asks it (Book 3, 10.6.1).
type History interface {
	// LastSale is the amount, in minor units of the terminal's currency, of the newest approved sale of this card that the
	// terminal still remembers, 0 when there is none. sequence is the card's sequence number (5F34), -1 when it has none.
	LastSale(ctx context.Context, pan PAN, sequence int) (minor int64, err error)
}

// ExceptionFile lists cards that are not to be accepted without their issuer (Book 3, 10.6; Book 4, 6.3.5).
type ExceptionFile interface {
	Listed(ctx context.Context, pan PAN, sequence int) (bool, error)
}
