package terminal

import (
	"math"
	"strings"
	"time"
)

// Search is what is looked for among the sales on disk. What is not set is not asked about; what is set has to be so exactly.
type Search struct {
	Before    SaleID    // only sales below this number; 0: from the newest on
	Limit     int       // at most so many, from 1 to 1000
	Key       string    // idempotency key, as the journal keeps it
	Reference string    // the shop's own
	Minor     *int64    // of the amount that the card was asked to pay, in minor units
	Last4     string    // of the card number
	RRN       string    // DE 37
	Auth      string    // DE 38
	STAN      uint32    // DE 11
	State     State     // where it stands
	Kind      Kind      // of transaction
	From, To  time.Time // when it started: From on, and before To
}

// Found is what a search has found, newest first. Next is what to give as Before to look further; 0: there is no more.
type Found struct {
	Sales  []Sale
	Next   SaleID
	Looked int // sales that were looked at
}

// Narrow says whether anything is asked about at all.
func (s Search) Narrow() bool {
	s.Before, s.Limit = 0, 0
	return s != Search{}
}

// Matches says whether a sale is what is looked for.
func (s Search) Matches(sale Sale) bool {
	return (s.Before == 0 || sale.ID < s.Before) &&
		(s.Key == "" || sale.Key == s.Key) &&
		(s.Reference == "" || sale.Reference == s.Reference) &&
		(s.Minor == nil || sale.Amount.Minor == *s.Minor) &&
		(s.Last4 == "" || sale.MaskedPAN != "" && strings.HasSuffix(sale.MaskedPAN, s.Last4)) &&
		(s.RRN == "" || sale.RRN == s.RRN) &&
		(s.Auth == "" || sale.AuthCode == s.Auth) &&
		(s.STAN == 0 || sale.STAN == s.STAN) &&
		(s.State == "" || sale.State == s.State) &&
		(s.Kind == "" || sale.Kind == s.Kind) &&
		(s.From.IsZero() || !sale.Started.Before(s.From)) &&
		(s.To.IsZero() || sale.Started.Before(s.To))
}

// Below is Before as a number that every sale's is below.
func (s Search) Below() int64 {
	if s.Before == 0 || s.Before > math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(s.Before)
}
