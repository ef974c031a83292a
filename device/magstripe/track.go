package magstripe

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// The longest tracks, sentinels and check character included (ISO/IEC 7811-2), and the longest of their fields (ISO/IEC 7813).
const (
	MaxTrack1 = 79
	MaxTrack2 = 40
	maxPAN    = 19
	minPAN    = 8
	minName   = 2
	maxName   = 26
)

// What can be wrong with a track. None of the errors repeats what the track holds.
var (
	ErrTrack      = errors.New("not a track of a payment card")
	ErrLRC        = errors.New("check character of the track is wrong: swipe again")
	ErrCheckDigit = errors.New("check digit of the account number is wrong: swipe again")
	ErrDiffer     = errors.New("tracks 1 and 2 are of different cards")
	ErrNoExpiry   = errors.New("the stripe has no expiry date")
	ErrNoService  = errors.New("the stripe has no service code")
	ErrExpired    = errors.New("the card has expired")
)

// card is what tracks 1 and 2 have in common.
type card struct {
	pan     string
	land    string // country code of numbers that begin with 59
	expiry  string // YYMM, or empty
	service ServiceCode
	rest    string // discretionary data
}

// PAN is the clear account number, 8 to 19 digits.
func (c card) PAN() string { return c.pan }

// Expiry is YYMM, or empty where the issuer left it out. It is clear card data.
func (c card) Expiry() string { return c.expiry }

// ServiceCode is empty where the issuer left it out.
func (c card) ServiceCode() ServiceCode { return c.service }

// Discretionary is the issuer's own data, verification values among them: clear card data.
func (c card) Discretionary() string { return c.rest }

// CheckDigit says whether the account number's last digit is right (ISO/IEC 7812-1, Annex B).
func (c card) CheckDigit() bool {
	sum := 0
	for i := range len(c.pan) {
		d := int(c.pan[len(c.pan)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return c.pan != "" && sum%10 == 0
}

// Check says what speaks against using the stripe for a payment on a day: ErrCheckDigit, ErrNoExpiry, ErrNoService or ErrExpired. A
// card is good until the last day of its month.
func (c card) Check(day time.Time) error {
	switch {
	case !c.CheckDigit():
		return ErrCheckDigit
	case c.expiry == "":
		return ErrNoExpiry
	case c.service == "":
		return ErrNoService
	}
	year, month := 2000+pair(c.expiry[:2]), time.Month(pair(c.expiry[2:]))
	if year >= 2050 { // EMV Book 4, 6.7.3: 50 to 99 are of the last century
		year -= 100
	}
	if !day.Before(time.Date(year, month+1, 1, 0, 0, 0, 0, day.Location())) {
		return ErrExpired
	}
	return nil
}

// pair is two digits as a number.
func pair(s string) int { return int(s[0]-'0')*10 + int(s[1]-'0') }

// masked is the first six and last four digits of longer numbers, the last four of short ones.
func (c card) masked() string {
	n := len(c.pan)
	switch {
	case n == 0:
		return "no track"
	case n < 14:
		return strings.Repeat("*", n-4) + c.pan[n-4:]
	}
	return c.pan[:6] + strings.Repeat("*", n-10) + c.pan[n-4:]
}

// String masks.
func (c card) String() string { return c.masked() }

// GoString masks.
func (c card) GoString() string { return c.masked() }

// Format masks under every verb.
func (c card) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(c.masked())) }

// LogValue masks in log/slog.
func (c card) LogValue() slog.Value { return slog.StringValue(c.masked()) }

// MarshalText masks in JSON and TOML.
func (c card) MarshalText() ([]byte, error) { return []byte(c.masked()), nil }

// fields reads what stands behind the account number (and the name): country code of numbers that begin with 59, expiry,
// service code, the rest. A separator stands for a field that is left out.
func (c *card) fields(s string, separator byte) error {
	next := func(what string, digits int) (string, error) {
		switch {
		case len(s) > 0 && s[0] == separator:
			s = s[1:]
			return "", nil
		case len(s) < digits || !numeric(s[:digits]):
			return "", fmt.Errorf("%w: %s is not %d digits", ErrTrack, what, digits)
		}
		field := s[:digits]
		s = s[digits:]
		return field, nil
	}
	var err error
	if c.expiry, err = next("expiry", 4); err != nil {
		return err
	}
	if m := c.expiry; m != "" && (m[2:] < "01" || m[2:] > "12") {
		return fmt.Errorf("%w: expiry has no such month", ErrTrack)
	}
	service, err := next("service code", 3)
	c.service, c.rest = ServiceCode(service), s
	return err
}

// country takes the country code off that stands behind an account number which begins with 59 (ISO/IEC 7813).
func (c *card) country(s string) (string, error) {
	if !strings.HasPrefix(c.pan, "59") {
		return s, nil
	}
	if len(s) < 3 || !numeric(s[:3]) {
		return "", fmt.Errorf("%w: country code is not 3 digits", ErrTrack)
	}
	c.land = s[:3]
	return s[3:], nil
}

// tail is what stands behind the last separator, as it was read.
func (c card) tail(separator string) string {
	out := c.expiry
	if out == "" {
		out = separator
	}
	if c.service == "" {
		return out + separator + c.rest
	}
	return out + string(c.service) + c.rest
}

// number reads the account number.
func (c *card) number(s string) error {
	if len(s) < minPAN || len(s) > maxPAN || !numeric(s) {
		return fmt.Errorf("%w: account number of %d characters", ErrTrack, len(s))
	}
	c.pan = s
	return nil
}

// frame checks one track's sentinels, length, alphabet and, where there is one, its check character, and returns what stands
// between the sentinels. base is the character that the code 0 stands for.
func frame(text string, start, base, highest byte, longest int) (string, error) {
	end := strings.IndexByte(text, '?')
	switch {
	case text == "" || text[0] != start:
		return "", fmt.Errorf("%w: it does not begin with %c", ErrTrack, start)
	case end < 0 || end < len(text)-2:
		return "", fmt.Errorf("%w: it does not end with ? or with ? and a check character", ErrTrack)
	case end+2 > longest: // the check character is counted, there or not
		return "", fmt.Errorf("%w: %d characters up to the end sentinel, at most %d", ErrTrack, end+1, longest-1)
	}
	lrc := byte(0)
	for i := range end + 1 {
		if text[i] < base || text[i] > highest {
			return "", fmt.Errorf("%w: a character that this track cannot have", ErrTrack)
		}
		lrc ^= text[i] - base
	}
	if end == len(text)-2 && text[end+1] != base+lrc {
		return "", ErrLRC
	}
	return text[1:end], nil
}

func numeric(s string) bool { return strings.Trim(s, "0123456789") == "" }
