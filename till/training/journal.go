package training

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"tillway/money"
	"tillway/terminal"
)

// most is how many training sales are remembered; the oldest are forgotten first.
const most = 500

// begin takes an order into training; the caller holds mu.
func (t *Terminal) begin(o terminal.Order) (terminal.Sale, error) {
	if r := t.running; r != nil {
		if o.Key != "" && r.rec.Key == o.Key {
			return r.rec, terminal.SameOrder(r.rec, o)
		}
		return terminal.Sale{}, busy(r.rec)
	}
	if err := terminal.CheckOrder(o, t.cfg.Rules); err != nil {
		return terminal.Sale{}, err
	}
	for _, s := range t.sales {
		if o.Key != "" && s.Key == o.Key {
			return *s, terminal.SameOrder(*s, o)
		}
	}
	r := &run{code: testAmount(o.Amount), late: o.Kind.WithoutCard()}
	now := t.cfg.Clock()
	r.rec = terminal.Sale{
		V: terminal.RecordVersion, ID: t.next, Kind: o.Kind, State: terminal.Ready, Acquirer: t.cfg.Acquirer, Batch: 1, Training: true,
		Amount: money.New(o.Total().Minor, t.cfg.Rules.Currency), Tip: o.Tip, Cashback: o.Cashback, Of: o.Of, By: o.By, AuthCode: o.AuthCode,
		Reference: o.Reference, Key: o.Key, Started: now, Updated: now, TerminalID: t.cfg.TerminalID, MerchantID: t.cfg.MerchantID,
	}
	if err := t.refer(r, o); err != nil {
		return terminal.Sale{}, err
	}
	t.next++
	r.stopped, r.stop = context.WithCancel(context.Background())
	t.running = r
	rec := r.rec
	if t.sales = append(t.sales, &rec); len(t.sales) > most {
		gone := t.sales[0].ID
		t.sales = t.sales[1:]
		t.rows = slices.DeleteFunc(t.rows, func(row terminal.JournalRow) bool { return row.Sale == gone })
	}
	t.changeLocked(func(s *terminal.Snapshot) {
		s.Sale, s.State, s.Amount, s.Prompt, s.Advice = rec.ID, rec.State, rec.Amount, terminal.PromptNone, ""
		s.Warning, s.Confirm, s.PIN, s.Language = "", false, nil, ""
	})
	t.work <- r // never full: one runs at a time
	return rec, nil
}

// refer looks the transaction up that an order is about; the caller holds mu. Only training's own are there.
func (t *Terminal) refer(r *run, o terminal.Order) error {
	if o.Of == 0 {
		return nil
	}
	of, err := t.find(o.Of)
	if err != nil {
		return terminal.Refuse("there is no transaction %s: its number is on its receipt", o.Of)
	}
	r.earlier = &terminal.Earlier{Sale: of}
	for _, a := range t.about(o.Of) {
		if a.State == terminal.Approved && !t.voided(a.ID) {
			r.earlier.About = append(r.earlier.About, a)
		}
	}
	if err := r.earlier.May(o, 1); err != nil {
		return err
	}
	if !o.Kind.WithoutCard() {
		return nil
	}
	s := &r.rec
	s.MaskedPAN, s.Token, s.Scheme, s.Label, s.AID, s.Entry, s.LocalTime = of.MaskedPAN, of.Token, of.Scheme, of.Label, of.AID, of.Entry, s.Started
	switch o.Kind {
	case terminal.KindVoid:
		s.Amount, s.Tip, s.Cashback, r.code = of.Taken(), of.Tip, of.Cashback, "000"
	case terminal.KindCompletion:
		s.AuthCode, s.STAN = of.AuthCode, t.trace()
		s.Invoice = s.STAN
	default:
	}
	return nil
}

// keep is the journal of what is played; the caller holds mu.
func (t *Terminal) keep(row terminal.Row, event terminal.Event, rec terminal.Sale) {
	for _, s := range t.sales {
		if s.ID == rec.ID {
			*s = rec
		}
	}
	t.rows = append(t.rows, terminal.JournalRow{
		Seq: int64(len(t.rows)) + 1, Time: rec.Updated, Kind: terminal.SaleEntry, Sale: rec.ID, From: row.From, Event: string(event), To: string(row.To),
		Note: "training", Record: &rec,
	})
}

func (t *Terminal) find(id terminal.SaleID) (terminal.Sale, error) {
	for _, s := range t.sales {
		if s.ID == id {
			return *s, nil
		}
	}
	return terminal.Sale{}, terminal.ErrNoSale
}

func (t *Terminal) about(id terminal.SaleID) (all []terminal.Sale) {
	for _, s := range t.sales {
		if s.Of == id {
			all = append(all, *s)
		}
	}
	return all
}

func (t *Terminal) voided(id terminal.SaleID) bool {
	return slices.ContainsFunc(t.about(id), func(s terminal.Sale) bool { return s.Kind == terminal.KindVoid && s.State == terminal.Approved })
}

func (t *Terminal) items() (all []terminal.Item) {
	for _, s := range t.sales {
		if s.State.Final() && s.STAN != 0 {
			all = append(all, terminal.Item{Sale: *s})
		}
	}
	terminal.TakeBack(all)
	return all
}

// journal is what the till reads: training's own sales by their numbers, and while training is on also in lists and reports. The journal's
// rows are always the real ones: nothing of training is ever among them.
type journal struct {
	Journal

	t *Terminal
}

// Journal is the journal that belongs to the terminal.
func (t *Terminal) Journal() Journal { return journal{t.cfg.Journal, t} }

// Sale implements till.Journal.
func (j journal) Sale(ctx context.Context, id terminal.SaleID) (terminal.Sale, error) {
	if id < First {
		return j.Journal.Sale(ctx, id)
	}
	j.t.mu.Lock()
	defer j.t.mu.Unlock()
	s, err := j.t.find(id)
	if errors.Is(err, terminal.ErrNoSale) {
		err = fmt.Errorf("%w: training forgets its sales when it begins anew", err)
	}
	return s, err
}

// newest are the last n training sales that fit, newest first.
func (j journal) newest(n int, fits func(terminal.Sale) bool) (all []terminal.Sale) {
	j.t.mu.Lock()
	defer j.t.mu.Unlock()
	for _, s := range slices.Backward(j.t.sales) {
		if len(all) < n && s.State.Final() && fits(*s) {
			all = append(all, *s)
		}
	}
	return all
}

// Last implements till.Journal.
func (j journal) Last(ctx context.Context, n int) ([]terminal.Sale, error) {
	if !j.t.On() {
		return j.Journal.Last(ctx, n)
	}
	return j.newest(n, func(terminal.Sale) bool { return true }), nil
}

// Search implements till.Journal. A key of a real sale finds that one in training too: whoever lost its answer must not think that it
// was never made.
func (j journal) Search(ctx context.Context, want terminal.Search) (terminal.Found, error) {
	if !j.t.On() {
		return j.Journal.Search(ctx, want)
	}
	found := terminal.Found{Sales: j.newest(want.Limit, want.Matches)}
	if len(found.Sales) == 0 && want.Key != "" {
		return j.Journal.Search(ctx, want)
	}
	if n := len(found.Sales); n > 0 && n == want.Limit {
		found.Next = found.Sales[n-1].ID
	}
	return found, nil
}

// ByKey finds the sale with an idempotency key, training's or a real one.
func (j journal) ByKey(ctx context.Context, key string) (terminal.Sale, error) {
	if found := j.newest(1, func(s terminal.Sale) bool { return s.Key == key }); len(found) > 0 && j.t.On() {
		return found[0], nil
	}
	return j.Journal.ByKey(ctx, key)
}

// OfCard implements till.Journal.
func (j journal) OfCard(ctx context.Context, id terminal.SaleID, n int) ([]terminal.Sale, error) {
	if id < First {
		return j.Journal.OfCard(ctx, id, n)
	}
	of, err := j.Sale(ctx, id)
	if err != nil {
		return nil, err
	}
	return j.newest(n, func(s terminal.Sale) bool { return s.MaskedPAN == of.MaskedPAN }), nil
}

// About implements till.Journal.
func (j journal) About(ctx context.Context, id terminal.SaleID) ([]terminal.Sale, error) {
	if id < First {
		return j.Journal.About(ctx, id)
	}
	j.t.mu.Lock()
	defer j.t.mu.Unlock()
	return j.t.about(id), nil
}

// SaleRows implements till.Journal.
func (j journal) SaleRows(ctx context.Context, id terminal.SaleID) ([]terminal.JournalRow, error) {
	if id < First {
		return j.Journal.SaleRows(ctx, id)
	}
	j.t.mu.Lock()
	defer j.t.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(j.t.rows), func(r terminal.JournalRow) bool { return r.Sale != id }), nil
}

// Debts implements till.Journal; error terminal.ErrTraining.
func (j journal) Debts(ctx context.Context) ([]terminal.Debt, error) {
	if err := j.t.real(); err != nil {
		return nil, err
	}
	return j.Journal.Debts(ctx)
}

// Batches implements till.Journal.
func (j journal) Batches(ctx context.Context, acquirer string) ([]terminal.Batch, error) {
	if !j.t.On() {
		return j.Journal.Batches(ctx, acquirer)
	}
	return []terminal.Batch{{Acquirer: acquirer, Number: 1, State: terminal.BatchOpen, Currency: j.t.cfg.Rules.Currency, Training: true}}, nil
}

// BatchRecord implements till.Journal; error terminal.ErrTraining.
func (j journal) BatchRecord(ctx context.Context, acquirer string, number uint32) (terminal.Batch, error) {
	if err := j.t.real(); err != nil {
		return terminal.Batch{}, err
	}
	return j.Journal.BatchRecord(ctx, acquirer, number)
}

// Items implements till.Journal.
func (j journal) Items(ctx context.Context, acquirer string, batch uint32) ([]terminal.Item, error) {
	if !j.t.On() {
		return j.Journal.Items(ctx, acquirer, batch)
	}
	j.t.mu.Lock()
	defer j.t.mu.Unlock()
	return j.t.items(), nil
}
