package contact

import "errors"

// pinEnciphermentKey recovers the key that the card's PIN is enciphered with (Book 2, 7.1).
func (s *session) pinEnciphermentKey() (modulus, exponent []byte, err error) {
	return nil, nil, errors.New("this kernel recovers no keys")
}
