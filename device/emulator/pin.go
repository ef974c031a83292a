package emulator

import (
	"bytes"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"strings"
)

// The qualifiers of VERIFY (Book 3, table 24).
const (
	verifyPlaintext  = 0x80
	verifyEnciphered = 0x88
)

const defaultPINLimit = 3

func (a *application) checkPIN() error {
	switch {
	case a.PIN == "" && a.PINLimit != 0:
		return fmt.Errorf("%w: pin_limit without a pin", ErrProfile)
	case a.PIN != "" && (len(a.PIN) < 4 || len(a.PIN) > 12 || strings.Trim(a.PIN, "0123456789") != ""):
		return fmt.Errorf("%w: pin has %d characters, 4 to 12 digits are wanted", ErrProfile, len(a.PIN))
	case a.PINLimit > 15:
		return fmt.Errorf("%w: pin_limit is %d, at most 15", ErrProfile, a.PINLimit)
	case a.PINTries != nil && a.PIN != "" && *a.PINTries > a.pinLimit():
		return fmt.Errorf("%w: pin_tries is more than the limit of %d", ErrProfile, a.pinLimit())
	}
	if a.pinLeft = a.pinLimit(); a.PINTries != nil {
		a.pinLeft = *a.PINTries
	}
	return nil
}

func (a *application) pinLimit() byte {
	if a.PINLimit == 0 {
		return defaultPINLimit
	}
	return a.PINLimit
}

// pinBlock is the plaintext PIN data of the card's PIN: 2, the number of digits, the digits and F (Book 3, 6.5.12).
func (a *application) pinBlock() []byte {
	text := fmt.Sprintf("2%X%s", len(a.PIN), a.PIN)
	block, err := hex.DecodeString(text + strings.Repeat("F", 16-len(text)))
	must(err)
	return block
}

// verify checks an offline PIN and counts the tries (Book 3, 6.5.12). A card without a PIN refuses, and does not look at
// what is sent.
func (c *Card) verify(cmd command) ([]byte, sw) {
	switch {
	case cmd.p1 != 0 || cmd.p2 != verifyPlaintext && cmd.p2 != verifyEnciphered:
		return nil, swP1P2
	case c.app == nil:
		return nil, swConditions
	case c.app.PIN == "":
		return nil, swInvalidated
	case c.step == selected:
		return nil, swConditions
	case c.app.pinLeft == 0:
		return nil, swBlocked
	}
	block := cmd.data
	if cmd.p2 == verifyEnciphered {
		key := c.app.signer.pinKey()
		challenge := c.challenge
		c.challenge = nil // for one try
		switch {
		case key == nil:
			return nil, swInvalidated
		case challenge == nil:
			return nil, swConditions
		case len(cmd.data) != len(key.modulus):
			return nil, swLength
		}
		block = decipher(key, cmd.data, challenge)
	} else if len(block) != 8 {
		return nil, swLength
	}
	c.cvr[0] |= cvrPINDone
	if subtle.ConstantTimeCompare(block, c.app.pinBlock()) == 1 {
		c.app.pinLeft = c.app.pinLimit()
		c.cvr[0] &^= cvrPINFailed
		return nil, swOK
	}
	c.cvr[0] |= cvrPINFailed
	if c.app.pinLeft--; c.app.pinLeft == 0 {
		c.cvr[1] |= cvrPINLimit
	}
	return nil, swTriesLeft | sw(c.app.pinLeft)
}

// pinKey is the key that PINs are enciphered for: one of its own, or the card's (Book 2, 7.1).
func (s *signer) pinKey() *rsaKey {
	switch {
	case s == nil:
		return nil
	case s.pin != nil:
		return s.pin
	}
	return s.card
}

// decipher gives the PIN block, or nothing where the data are not what Book 2, 7.2 wants: 7F, the block, the card's
// challenge, padding.
func decipher(key *rsaKey, data, challenge []byte) []byte {
	if bytes.Compare(data, key.modulus) >= 0 {
		return nil
	}
	clear := key.private(data)
	if clear[0] != 0x7F || !bytes.Equal(clear[9:17], challenge) {
		return nil
	}
	return clear[1:9]
}
