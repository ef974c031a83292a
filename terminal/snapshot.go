package terminal

import (
	"time"

	"tillway/money"
)

// Prompt is a message for cardholder and cashier, by its EMV user-interface message identifier (Book 4, 11.4; Book A).
type Prompt string

// The prompts in use. The rest of the catalogue comes with the cashier's screen.
const (
	PromptNone        Prompt = ""
	PromptApproved    Prompt = "03"
	PromptDeclined    Prompt = "07"
	PromptCardError   Prompt = "06"
	PromptWait        Prompt = "0E"
	PromptRemoveCard  Prompt = "10"
	PromptInsertCard  Prompt = "1D"
	PromptWelcome     Prompt = "14"
	PromptAuthorising Prompt = "1B"
)

// English is the prompt's text.
func (p Prompt) English() string {
	switch p {
	case PromptApproved:
		return "APPROVED"
	case PromptDeclined:
		return "DECLINED"
	case PromptCardError:
		return "CARD ERROR"
	case PromptWait:
		return "PLEASE WAIT"
	case PromptRemoveCard:
		return "REMOVE CARD"
	case PromptInsertCard:
		return "INSERT CARD"
	case PromptWelcome:
		return "WELCOME"
	case PromptAuthorising:
		return "AUTHORISING, PLEASE WAIT"
	case PromptNone:
	}
	return ""
}

// Snapshot is the latest value of what is going on: the till shows it beside the journal. It is never a queue; a slow
// reader misses snapshots and holds nobody up.
type Snapshot struct {
	Version  uint64       `json:"version"` // ascending with every change
	Sale     SaleID       `json:"sale,omitempty"`
	State    State        `json:"state"` // of the sale that runs, or ran last; Ready before the first
	Amount   money.Amount `json:"amount,omitzero"`
	Prompt   Prompt       `json:"prompt,omitempty"`
	Text     string       `json:"text,omitempty"`   // the prompt in English
	Advice   string       `json:"advice,omitempty"` // for the cashier: what to do now
	Last     *Sale        `json:"last,omitempty"`   // the last sale that ended
	Reader   Health       `json:"reader"`
	Host     Health       `json:"host"`
	Journal  int64        `json:"journal"` // highest committed sequence
	Owed     int          `json:"owed"`    // debts that wait
	Parked   int          `json:"parked"`
	Oldest   time.Time    `json:"oldest,omitzero"`     // when the oldest debt came to be
	CardLeft bool         `json:"card_left,omitempty"` // sale over, card still in
}

// Health is how a part of the terminal is: a word, and when it is not well the cause and the fix.
type Health struct {
	OK    bool   `json:"ok"`
	Name  string `json:"name"`
	State string `json:"state"`
	Cause string `json:"cause,omitempty"`
}

// Counts is what the journal knows of what waits.
type Counts struct {
	Owed    int
	Parked  int
	Oldest  time.Time // zero when nothing waits
	Highest int64     // committed journal sequence
}
