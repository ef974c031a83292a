package contact

import "tillway/emv"

// pinEnciphermentKey recovers the key that the card's PIN is enciphered with: its own, when the card brings every object of
// one, else the card's key for dynamic authentication. The error says why there is none; no bit of the TVR does
// (Book 2, 7.1; Book 3, 7.5).
// Reads: what cardKey reads, and 9F2D, 9F2E, 9F2F.
func (s *session) pinEnciphermentKey() (modulus, exponent []byte, err error) {
	if s.present(pinKeyObjects...) != nil {
		key, err := s.cardKey()
		return key.Modulus, key.Exponent, err
	}
	key, err := s.certifiedByIssuer(emv.TagICCPINPublicKeyCertificate, emv.TagICCPINPublicKeyRemainder, emv.TagICCPINPublicKeyExponent, nil)
	return key.Modulus, key.Exponent, err
}
