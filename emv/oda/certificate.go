package oda

import (
	"fmt"
	"time"
)

// Certificate is a public key certificate that was recovered and checked.
type Certificate struct {
	Key     Key
	LastDay time.Time // of validity: the last of its month, UTC
	Serial  [3]byte
}

// On refuses a certificate on a day after its last one (Book 2, 5.3 step 9 and 6.4 step 9). Error: ErrCertificate.
func (c Certificate) On(day time.Time) error {
	if day.After(c.LastDay) {
		return fmt.Errorf("its last day was %s: %w", c.LastDay.Format("2006-01-02"), ErrCertificate)
	}
	return nil
}

// Where the fields of a certificate stand, and how long its subject is: the issuer identifier or the account number.
const (
	formatIssuer, subjectIssuer = 2, 4
	formatCard, subjectCard     = 4, 10
)

// IssuerCertificate recovers the issuer's public key from tags 90, 92 and 9F32 (Book 2, 5.3 and 6.3), and checks that the
// issuer identifier is the start of the account number. Whether it is revoked, and On which day it is used, is the
// caller's to ask. Errors: ErrKey, ErrSignature, ErrCertificate, ErrRemainder.
func IssuerCertificate(authority Key, certificate, remainder, exponent []byte, pan string) (Certificate, error) {
	r, err := authority.recover(certificate, formatIssuer)
	if err != nil {
		return Certificate{}, fmt.Errorf("issuer certificate: %w", err)
	}
	c, err := r.certificate(subjectIssuer, remainder, exponent)
	if err == nil {
		err = r.hashes(ErrCertificate, remainder, exponent)
	}
	if err == nil && !issues(r.body[1:1+subjectIssuer], pan) {
		err = fmt.Errorf("its issuer identifier is not the start of the account number: %w", ErrCertificate)
	}
	if err != nil {
		return Certificate{}, fmt.Errorf("issuer certificate: %w", err)
	}
	return c, nil
}

// issues says whether the issuer identifier, three to eight digits with F behind them, is the start of the account number.
func issues(identifier []byte, pan string) bool {
	padded := false
	for i := range 2 * len(identifier) {
		d := identifier[i/2] >> (4 * (1 - i%2)) & 0x0F
		switch {
		case d == 0x0F && i >= 3:
			padded = true
		case padded || d > 9 || i >= len(pan) || pan[i] != '0'+d:
			return false
		}
	}
	return true
}

// CardCertificate recovers the card's public key from tags 9F46, 9F48 and 9F47 (Book 2, 6.4). static is the static data to be
// authenticated, which the certificate's hash covers; for the key that enciphers PINs, tags 9F2D, 9F2F and 9F2E, it is nil
// (Book 2, 7.1). Errors: those of IssuerCertificate.
func CardCertificate(issuer Key, certificate, remainder, exponent []byte, pan string, static []byte) (Certificate, error) {
	c, r, err := cardCertificate(issuer, certificate, remainder, exponent, pan)
	if err == nil {
		err = r.hashes(ErrCertificate, remainder, exponent, static)
	}
	if err != nil {
		return Certificate{}, fmt.Errorf("card certificate: %w", err)
	}
	return c, nil
}

// CardKeyUnauthenticated is the key of CardCertificate without the hash, for a calculation that has not the card's static
// data. It proves nothing of the key. Errors: those of IssuerCertificate.
func CardKeyUnauthenticated(issuer Key, certificate, remainder, exponent []byte, pan string) (Key, error) {
	c, _, err := cardCertificate(issuer, certificate, remainder, exponent, pan)
	if err != nil {
		return Key{}, fmt.Errorf("card certificate: %w", err)
	}
	return c.Key, nil
}

func cardCertificate(issuer Key, certificate, remainder, exponent []byte, pan string) (Certificate, recovered, error) {
	r, err := issuer.recover(certificate, formatCard)
	if err != nil {
		return Certificate{}, r, err
	}
	for i := range 2 * subjectCard {
		d := r.body[1+i/2] >> (4 * (1 - i%2)) & 0x0F
		if (i < len(pan) && pan[i] != '0'+d) || (i >= len(pan) && d != 0x0F) {
			return Certificate{}, r, fmt.Errorf("it is another account number's: %w", ErrCertificate)
		}
	}
	c, err := r.certificate(subjectCard, remainder, exponent)
	return c, r, err
}

// certificate reads the body of a certificate: format, subject, expiry (2), serial (3), hash algorithm, key algorithm, key
// length, exponent length, key with filling (Book 2, Tables 13 and 14). It does not look at the hash.
func (r recovered) certificate(subject int, remainder, exponent []byte) (Certificate, error) {
	at := 1 + subject
	body := r.body
	if len(body) < at+9 {
		return Certificate{}, fmt.Errorf("no room for a key: %w", ErrCertificate)
	}
	var c Certificate
	var ok bool
	if c.LastDay, ok = lastOfMonth(body[at], body[at+1]); !ok {
		return Certificate{}, fmt.Errorf("its expiry is no month: %w", ErrCertificate)
	}
	c.Serial = [3]byte(body[at+2 : at+5])
	if body[at+5] != hashSHA1 || body[at+6] != keyRSA {
		return Certificate{}, fmt.Errorf("its algorithms %02X and %02X are not known: %w", body[at+5], body[at+6], ErrCertificate)
	}
	length, field := int(body[at+7]), body[at+9:]
	switch {
	case length > len(field) && len(remainder) == 0:
		return Certificate{}, fmt.Errorf("it holds %d bytes of a key of %d: %w", len(field), length, ErrRemainder)
	case length != len(remainder)+min(length, len(field)):
		return Certificate{}, fmt.Errorf("key of %d bytes, field of %d, remainder of %d: %w", length, len(field), len(remainder), ErrCertificate)
	case int(body[at+8]) != len(exponent):
		return Certificate{}, fmt.Errorf("exponent of %d bytes in place of %d: %w", len(exponent), body[at+8], ErrCertificate)
	}
	c.Key.Exponent = exponent
	c.Key.Modulus = append(append(c.Key.Modulus, field[:min(length, len(field))]...), remainder...)
	return c, c.Key.Check()
}

// lastOfMonth reads MMYY: years 50 to 99 are of the last century (Book 4, 6.7.3).
func lastOfMonth(mm, yy byte) (time.Time, bool) {
	two := func(v byte) int { return int(v>>4)*10 + int(v&0x0F) }
	if mm>>4 > 9 || mm&0x0F > 9 || yy>>4 > 9 || yy&0x0F > 9 || two(mm) < 1 || two(mm) > 12 {
		return time.Time{}, false
	}
	year := 2000 + two(yy)
	if year >= 2050 {
		year -= 100
	}
	return time.Date(year, time.Month(two(mm))+1, 0, 0, 0, 0, 0, time.UTC), true
}
