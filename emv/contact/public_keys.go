package contact

import (
	"errors"
	"fmt"

	"tillway/emv"
	"tillway/emv/oda"
	"tillway/emv/tlv"
)

// The objects from which public keys are recovered, without the remainders (Book 2, Tables 4, 12 and 24).
var (
	issuerKeyObjects = []tlv.Tag{emv.TagCAPublicKeyIndex, emv.TagIssuerPublicKeyCertificate, emv.TagIssuerPublicKeyExponent}
	cardKeyObjects   = append(issuerKeyObjects[:3:3], emv.TagICCPublicKeyCertificate, emv.TagICCPublicKeyExponent)
	pinKeyObjects    = append(issuerKeyObjects[:3:3], emv.TagICCPINPublicKeyCertificate, emv.TagICCPINPublicKeyExponent)
)

// authorityKey finds the key of the authority that the card names by its RID and index, and refuses one that is past its
// last day (Book 2, 5.2 and 6.2).
// Reads: 4F, 8F, 9A. Writes: 9F22.
func (s *session) authorityKey() (oda.Key, error) {
	index := s.data.Value(emv.TagCAPublicKeyIndex)[0]
	rid := s.aid[:5]
	key, ok := s.params.CAKeys.Find(rid, index)
	if !ok {
		return oda.Key{}, fmt.Errorf("the terminal has no authority's key with index %02X for %X", index, rid)
	}
	if today, _ := date(s.data.Value(emv.TagTransactionDate)); !key.Expiry.IsZero() && today.After(key.Expiry) {
		return oda.Key{}, fmt.Errorf("the authority's key with index %02X for %X was used until %s", index, rid, key.Expiry.Format("2006-01-02"))
	}
	s.put(emv.TagCAPublicKeyIndexTerminal, []byte{index})
	return oda.Key{Modulus: key.Modulus, Exponent: key.Exponent}, nil
}

// issuerKey recovers the issuer's public key (Book 2, 5.3 and 6.3).
// Reads: 5A, 8F, 90, 92, 9A, 9F32.
func (s *session) issuerKey() (oda.Key, error) {
	return s.oda.issuer.once(func() (oda.Key, error) {
		if err := s.present(issuerKeyObjects...); err != nil {
			return oda.Key{}, err
		}
		authority, err := s.authorityKey()
		if err != nil {
			return oda.Key{}, err
		}
		pan, err := s.pan()
		if err != nil {
			return oda.Key{}, err
		}
		c, err := oda.IssuerCertificate(authority, s.data.Value(emv.TagIssuerPublicKeyCertificate),
			s.data.Value(emv.TagIssuerPublicKeyRemainder), s.data.Value(emv.TagIssuerPublicKeyExponent), pan.Clear())
		if err != nil {
			return oda.Key{}, err
		}
		if s.params.CAKeys.IsRevoked(s.aid[:5], s.data.Value(emv.TagCAPublicKeyIndex)[0], c.Serial) {
			return oda.Key{}, errors.New("issuer certificate: its payment system has revoked it")
		}
		return s.today("issuer certificate", c)
	})
}

// cardKey recovers the card's public key and authenticates its static data with it (Book 2, 6.4).
// Reads: what issuerKey reads, and 82, 9F46, 9F47, 9F48, 9F4A.
func (s *session) cardKey() (oda.Key, error) {
	return s.oda.card.once(func() (oda.Key, error) {
		if err := s.present(cardKeyObjects...); err != nil {
			return oda.Key{}, err
		}
		static, err := s.staticData()
		if err != nil {
			return oda.Key{}, err
		}
		return s.certifiedByIssuer(emv.TagICCPublicKeyCertificate, emv.TagICCPublicKeyRemainder, emv.TagICCPublicKeyExponent, static)
	})
}

func (s *session) certifiedByIssuer(certificate, remainder, exponent tlv.Tag, static []byte) (oda.Key, error) {
	issuer, err := s.issuerKey()
	if err != nil {
		return oda.Key{}, err
	}
	pan, err := s.pan()
	if err != nil {
		return oda.Key{}, err
	}
	c, err := oda.CardCertificate(issuer, s.data.Value(certificate), s.data.Value(remainder), s.data.Value(exponent), pan.Clear(), static)
	if err != nil {
		return oda.Key{}, err
	}
	return s.today("card certificate", c)
}

// today is a certificate's key when the transaction's day, which the step has read already, is not past its last.
func (s *session) today(name string, c oda.Certificate) (oda.Key, error) {
	day, _ := date(s.data.Value(emv.TagTransactionDate))
	if err := c.On(day); err != nil {
		return oda.Key{}, fmt.Errorf("%s: %w", name, err)
	}
	return c.Key, nil
}
