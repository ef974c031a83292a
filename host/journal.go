package host

import (
	"log/slog"
	"time"

	"tillway/emv"
	"tillway/money"
)

// keptMessages is how many lines of the message log are kept.
const keptMessages = 1000

// Direction is which way a message went.
type Direction string

// The directions, as the host sees them.
const (
	In  Direction = "in"
	Out Direction = "out"
)

// Message is one line of the log of messages: no track, no chip data, the card number masked.
type Message struct {
	Time      time.Time    `json:"time"`
	Direction Direction    `json:"direction"`
	MTI       string       `json:"mti,omitempty"`
	STAN      string       `json:"stan,omitempty"`
	Terminal  string       `json:"terminal,omitempty"`
	Batch     string       `json:"batch,omitempty"`
	Amount    money.Amount `json:"amount,omitzero"`
	PAN       emv.PAN      `json:"pan,omitzero"`
	Code      string       `json:"code,omitempty"` // DE 39
	Note      string       `json:"note,omitempty"`
}

// journal is the latest messages, the oldest overwritten.
type journal struct {
	kept []Message
	next int
}

func (h *Host) note(m Message) {
	h.mu.Lock()
	if len(h.kept) < keptMessages {
		h.kept = append(h.kept, m)
	} else {
		h.kept[h.next] = m
		h.next = (h.next + 1) % keptMessages
	}
	h.mu.Unlock()
	h.cfg.Log.Info("message", slog.String("way", string(m.Direction)), slog.String("mti", m.MTI), slog.String("stan", m.STAN),
		slog.String("terminal", m.Terminal), slog.String("amount", m.Amount.String()), slog.Any("pan", m.PAN),
		slog.String("code", m.Code), slog.String("note", m.Note))
}

// Messages lists the latest messages, oldest first, at most a thousand.
func (h *Host) Messages() []Message {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append(append(make([]Message, 0, len(h.kept)), h.kept[h.next:]...), h.kept[:h.next]...)
}
