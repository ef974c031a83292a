package terminal

import (
	"fmt"
	"time"

	"tillway/money"
)

// OfflineLimits bound what was approved without the host and waits to be told to it. All of them hold at once. The zero
// value keeps nothing.
type OfflineLimits struct {
	Count     int           // items; 0: nothing is kept at all
	Sum       int64         // of their amounts, in minor units
	Age       time.Duration // since the oldest that waits was approved: a host that is away for longer gets no more
	CardCount int           // items of one card
	CardSum   int64         // and the sum of their amounts, in minor units
}

// Exposure is what was approved without the host, in one Way, and is not acknowledged by it: what waits and what is parked. A
// parked item counts, because nobody has paid for it yet; it does not age, because it no longer waits for the host.
type Exposure struct {
	Count     int
	Sum       int64     // minor units
	Oldest    time.Time // when the oldest that waits came to be; zero: none waits
	CardCount int       // of the card that was asked about
	CardSum   int64
	Unknown   int // records that do not authenticate: what they come to nobody can say
}

// Closed says why one more approval is not kept, in one sentence for cashier and journal, or nothing. now is the wall
// clock; a clock that was put back makes nothing younger than it is: an item from the future counts as new.
func (l OfflineLimits) Closed(e Exposure, amount money.Amount, now time.Time) string {
	switch waits := now.Sub(e.Oldest); {
	case l.Count <= 0:
		return "This terminal approves nothing without the bank."
	case e.Unknown > 0:
		return fmt.Sprintf("Records of what waits for the bank are in quarantine: %d.", e.Unknown)
	case e.Count >= l.Count:
		return fmt.Sprintf("%d approvals wait for the bank already, and no more may.", e.Count)
	case amount.Minor > l.Sum-e.Sum:
		return fmt.Sprintf("With %s that wait for the bank already, it would be more than the %s that may.",
			money.New(e.Sum, amount.Currency).Format(), money.New(l.Sum, amount.Currency).Format())
	case !e.Oldest.IsZero() && waits >= l.Age:
		return fmt.Sprintf("An approval waits for the bank since %s, which is too long.", e.Oldest.Format(time.DateTime))
	case e.CardCount >= l.CardCount:
		return fmt.Sprintf("%d approvals of this card wait for the bank already.", e.CardCount)
	case amount.Minor > l.CardSum-e.CardSum:
		return fmt.Sprintf("With %s of this card that wait for the bank already, it would be more than the %s that one card may have.",
			money.New(e.CardSum, amount.Currency).Format(), money.New(l.CardSum, amount.Currency).Format())
	}
	return ""
}
