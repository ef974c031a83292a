package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"tillway/emv"
	"tillway/terminal"
)

func (j *memoryJournal) Sale(_ context.Context, id terminal.SaleID) (terminal.Sale, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if s, ok := j.sales[id]; ok {
		return j.decode(s.record)
	}
	return terminal.Sale{}, terminal.ErrNoSale
}

func (j *memoryJournal) About(_ context.Context, id terminal.SaleID) ([]terminal.Sale, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.pick(func(s *memorySale) bool { return s.head.Of == id && id != 0 })
}

func (j *memoryJournal) CardOf(_ context.Context, id terminal.SaleID) (terminal.CardData, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	sealed, ok := j.sealed[sealedName("card", int64(id))] //nolint:gosec // sale numbers stay below 2^63
	if !ok {
		return terminal.CardData{}, terminal.ErrNoCard
	}
	return terminal.ParseCardData(sealed.plain)
}

// ByCard has a hash of the number in place of a keyed token.
func (j *memoryJournal) ByCard(_ context.Context, pan emv.PAN, since time.Time, fits func(terminal.Sale) bool) (string, terminal.Sale, error) {
	hash := sha256.Sum256([]byte(pan.Clear()))
	token := hex.EncodeToString(hash[:16])
	j.mu.Lock()
	found, err := j.pick(func(s *memorySale) bool {
		return fits != nil && j.cards[s.head.ID] == pan.Clear() && s.head.State == terminal.Approved && !s.head.Started.Before(since)
	})
	j.mu.Unlock()
	for _, s := range slices.Backward(found) {
		if fits(s) { // may ask the journal
			return token, s, err
		}
	}
	return token, terminal.Sale{}, err
}

func (j *memoryJournal) Told(_ context.Context, id terminal.SaleID) (ack terminal.Acknowledgement, told bool, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	undone := true
	for _, d := range j.debts {
		switch {
		case d.Sale != id:
		case d.Kind == terminal.ReversalDebt:
			undone = undone && d.State != terminal.Parked
		case d.State != terminal.Acknowledged:
			return ack, false, nil
		default:
			ack = d.Acknowledged()
		}
	}
	return ack, undone, nil
}
