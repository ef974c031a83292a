package profile

import "time"

// Settlement is when the terminal settles by itself.
type Settlement struct {
	Daily bool
	At    time.Duration // after midnight, in the profile's zone
	Most  int           // payments in a batch after which it is settled
}

// defaultMost leaves room below the 999 that totals have digits for: payments go on while the batch is on its way.
const defaultMost = 900

func (c *checker) settlement(f settlement) Settlement {
	s := Settlement{Most: c.between("settlement.most", f.Most, defaultMost, 1, 999)}
	if f.At == nil {
		return s
	}
	text := c.str("settlement.at", f.At)
	at, err := time.Parse("15:04", text)
	if err != nil || len(text) != len("15:04") {
		c.refuse("settlement.at", "%q is no time of day: write it like \"23:30\"", text)
		return s
	}
	s.Daily, s.At = true, time.Duration(at.Hour())*time.Hour+time.Duration(at.Minute())*time.Minute
	return s
}
