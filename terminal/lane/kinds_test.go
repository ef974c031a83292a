package lane

import (
	"cmp"
	"context"
	"slices"
	"time"

	"tillway/emv"
	"tillway/terminal"
)

func (m *memory) Sale(_ context.Context, id terminal.SaleID) (terminal.Sale, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil || m.bad["Sale"] {
		return terminal.Sale{}, cmp.Or(m.fail, terminal.ErrQuarantined)
	}
	s, ok := m.sales()[id]
	if !ok {
		return s, terminal.ErrNoSale
	}
	return s, nil
}

func (m *memory) where(fits func(terminal.Sale) bool) []terminal.Sale {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []terminal.Sale
	for _, s := range m.sales() {
		if fits(s) {
			found = append(found, s)
		}
	}
	slices.SortFunc(found, func(a, b terminal.Sale) int { return cmp.Compare(a.ID, b.ID) })
	return found
}

func (m *memory) About(_ context.Context, id terminal.SaleID) ([]terminal.Sale, error) {
	if m.bad["About"] {
		return nil, terminal.ErrQuarantined
	}
	return m.where(func(s terminal.Sale) bool { return s.Of == id }), nil
}

func (m *memory) CardOf(_ context.Context, id terminal.SaleID) (terminal.CardData, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.bad["CardOf"] {
		return terminal.CardData{}, terminal.ErrQuarantined
	}
	for _, e := range m.rows {
		if e.Sale != nil && e.Sale.ID == id && e.Secret != nil && !e.Secret.Card.PAN.IsZero() {
			card := e.Secret.Card
			card.Track2 = emv.Track2{}
			return card, nil
		}
	}
	return terminal.CardData{}, terminal.ErrNoCard
}

func (m *memory) ByCard(_ context.Context, pan emv.PAN, since time.Time, fits func(terminal.Sale) bool) (string, terminal.Sale, error) {
	token := "token of " + pan.Masked()
	for _, s := range slices.Backward(m.where(func(s terminal.Sale) bool { return s.Token == token && s.State == terminal.Approved })) {
		if fits != nil && !s.Started.Before(since) && fits(s) {
			return token, s, nil
		}
	}
	return token, terminal.Sale{}, nil
}

func (m *memory) Told(_ context.Context, id terminal.SaleID) (ack terminal.Acknowledgement, told bool, err error) {
	if m.bad["Told"] {
		return ack, false, terminal.ErrQuarantined
	}
	undone := true
	for _, d := range m.debts(terminal.Owed, terminal.Sent, terminal.Parked, terminal.Acknowledged, terminal.WrittenOff) {
		if d.Sale != id {
			continue
		}
		if d.Kind == terminal.ReversalDebt {
			undone = undone && d.State != terminal.Parked
			continue
		}
		if d.State != terminal.Acknowledged {
			return ack, false, nil
		}
		ack = d.Acknowledged()
	}
	return ack, undone, nil
}
