package main

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"tillway/money"
)

// An entry is a line of the bank's ledger, as the host simulator's local interface gives it.
type entry struct {
	STAN   number       `json:"stan"`
	State  string       `json:"state"` // posted or reversed
	Amount money.Amount `json:"amount"`
	Kind   string       `json:"kind"`
}

// A message is a line of the bank's log of messages.
type message struct {
	Direction string `json:"direction"` // in or out
	MTI       string `json:"mti"`
	STAN      number `json:"stan"`
}

// A number is written by the bank as the six digits of the message.
type number uint32

// UnmarshalText reads the digits; a message that could not be read has none.
func (n *number) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*n = 0
		return nil
	}
	v, err := strconv.ParseUint(string(text), 10, 32)
	if err != nil {
		return fmt.Errorf("the bank's number %q: %w", text, err)
	}
	*n = number(v)
	return nil
}

// ledger is all that the bank has posted, oldest first.
func (w *world) ledger(ctx context.Context) (entries []entry, err error) {
	err = get(ctx, http.DefaultClient, "http://"+w.hostHTTP+"/ledger", &entries)
	return entries, err
}

// messages are what the bank has seen and said, oldest first.
func (w *world) messages(ctx context.Context) (log []message, err error) {
	err = get(ctx, http.DefaultClient, "http://"+w.hostHTTP+"/messages", &log)
	return log, err
}
