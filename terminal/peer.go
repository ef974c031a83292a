package terminal

import (
	"fmt"
	"time"
)

// Peer is the other end of an acquirer's link.
type Peer struct {
	Host            string    // which of the acquirer's hosts, where it has several; else may be empty
	CertificateEnds time.Time // of the certificate that it showed; zero: it showed none
}

// Certificate is one that the link needs, and when it ends.
type Certificate struct {
	Whose string // as in "the acquirer's CA certificate"
	Ends  time.Time
}

// CertificateNotice is how long before its end a certificate is warned about: acquirers take weeks to send another.
const CertificateNotice = 30 * 24 * time.Hour

// Warning says what is to be done about a certificate that ends within CertificateNotice, or has ended; nothing while there is
// time.
func (c Certificate) Warning(now time.Time) string {
	const day = 24 * time.Hour
	left := c.Ends.Sub(now)
	switch on := c.Ends.UTC().Format(time.DateOnly); {
	case left > CertificateNotice:
		return ""
	case left <= 0:
		return fmt.Sprintf("%s ended on %s: no connection is made with it; get another from the acquirer, or check this machine's clock", c.Whose, on)
	case left < 2*day:
		return fmt.Sprintf("%s ends on %s: the bank cannot be reached after that; get another from the acquirer now", c.Whose, on)
	default:
		return fmt.Sprintf("%s ends on %s, in %d days: get another from the acquirer before", c.Whose, on, left/day)
	}
}

// ClockTolerance is how far the host's clock may be from the terminal's before that is warned about.
const ClockTolerance = 5 * time.Minute

// ClockWarning says what is to be done about a host's clock that is ahead of the terminal's by d, or behind it where d is below
// zero; nothing within ClockTolerance. The terminal never sets its machine's clock.
func ClockWarning(d time.Duration) string {
	if d.Abs() <= ClockTolerance {
		return ""
	}
	word := "ahead of"
	if d < 0 {
		word = "behind"
	}
	return fmt.Sprintf("the bank's clock is %s %s this terminal's: set this machine's clock and time zone right; sales keep both times",
		d.Abs().Round(time.Second), word)
}
