package terminal

import (
	"time"

	"tillway/money"
)

// Snapshot is the latest value of what is going on: the till shows it beside the journal. It is never a queue; a slow
// reader misses snapshots and holds nobody up.
type Snapshot struct {
	Version uint64       `json:"version"` // ascending with every change
	Sale    SaleID       `json:"sale,omitempty"`
	State   State        `json:"state"` // of the sale that runs, or ran last; Ready before the first
	Amount  money.Amount `json:"amount,omitzero"`
	Prompt  Prompt       `json:"prompt,omitempty"`
	Text    string       `json:"text,omitempty"`    // the prompt in English
	TextAR  string       `json:"text_ar,omitempty"` // and in Arabic
	Advice  string       `json:"advice,omitempty"`  // for the cashier: what to do now
	Warning string       `json:"warning,omitempty"` // of the running sale, one sentence: the same card has paid the same amount

	AdviceAR  string   `json:"advice_ar,omitempty"`  // Advice and Warning in Arabic: filled where they are shown
	WarningAR string   `json:"warning_ar,omitempty"` //
	Language  Language `json:"language,omitempty"`   // the customer's, once the card has said it; before that empty

	Confirm  bool         `json:"confirm,omitempty"` // the sale waits for somebody to say that it goes on in spite of the warning
	PIN      *PINProgress `json:"pin,omitempty"`     // while a PIN is entered
	Last     *Sale        `json:"last,omitempty"`    // the last sale that ended
	Training bool         `json:"training,omitempty"`
	Reader   Health       `json:"reader"`
	Stripe   *Health      `json:"stripe,omitempty"` // the stripe reader, where there is one
	Host     LinkHealth   `json:"host"`
	Journal  int64        `json:"journal"` // highest committed sequence
	Owed     int          `json:"owed"`    // debts that wait
	Parked   int          `json:"parked"`
	Oldest   time.Time    `json:"oldest,omitzero"`     // when the oldest debt came to be
	OwedSum  money.Amount `json:"owed_sum,omitzero"`   // money that the host has not acknowledged, waiting or parked: approvals without it, and what was taken
	CardLeft bool         `json:"card_left,omitempty"` // sale over, card still in

	Display []DisplayLine `json:"display,omitempty"` // what a cash register shows its customer; gone when a sale begins

	Batch *BatchStatus `json:"batch,omitempty"` // how settlement stands

	Quarantined int    `json:"quarantined,omitempty"` // rows on disk that do not authenticate: left out, and the rest goes on
	Clock       string `json:"clock,omitempty"`       // warning: the clock was set back
}

// PINProgress is how far the entry of a PIN is. It knows digits by their number only.
type PINProgress struct {
	Entry  int    `json:"entry"` // which entry of the sale this is, from 1: after a wrong PIN the card may ask again
	Digits int    `json:"digits"`
	Socket string `json:"socket,omitempty"` // development: where an on-screen PIN is entered, past the daemon
}

// Health is how a part of the terminal is: a word, and when it is not well the cause and the fix.
type Health struct {
	OK    bool   `json:"ok"`
	Name  string `json:"name"`
	State string `json:"state"`
	Cause string `json:"cause,omitempty"`
}

// LinkHealth is how the link to an acquirer is, and what will not be well for ever.
type LinkHealth struct {
	Health

	Host         string   `json:"host,omitempty"`          // which of the acquirer's hosts the connection leads to, or led to last
	ClockSeconds *int     `json:"clock_seconds,omitempty"` // by how much the host's clock is ahead of this terminal's; nil: it has not said its time
	Warnings     []string `json:"warnings,omitempty"`      // of certificates and clocks: a sentence each
}

// Counts is what the journal knows of what waits.
type Counts struct {
	Owed    int
	Parked  int
	Oldest  time.Time // zero when nothing waits
	Sum     int64     // of what was approved without the host, or taken, and waits or is parked: minor units, below zero what was given
	Highest int64     // committed journal sequence

	Quarantined int    // rows that did not authenticate when they were read
	Clock       string // what is wrong with the clock, or nothing
}
