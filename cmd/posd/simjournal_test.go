package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"tillway/terminal"
	"tillway/terminal/lane"
)

// memoryJournal is lane.Journal in memory, as one machine's disk: what was committed outlives a power cut, what waited does
// not. It shares no code with package store. TestJournalsAgree walks both and compares all that they say.
type memoryJournal struct {
	mu      sync.Mutex // guards all below
	waiting []memoryRow

	rows    []memoryRow // committed
	sales   map[terminal.SaleID]*memorySale
	keys    map[string]terminal.SaleID
	debts   []*memoryDebt              // by number, from 1
	batches []*terminal.Batch          // oldest first
	sealed  map[string]memorySealed    // by purpose and number
	cards   map[terminal.SaleID]string // which card paid: what the store has as a token
	clock   func() time.Time
}

// memoryRow is one journal row. Its record is encoded when it is appended: what the caller changes afterwards is not on disk.
type memoryRow struct {
	at     time.Time
	kind   terminal.EntryKind
	from   terminal.State
	event  string
	to     string
	duties []terminal.Duty
	note   string
	record []byte
	sale   *terminal.Sale
	debt   *terminal.Debt
	batch  *terminal.Batch
	secret *terminal.Secret
	erase  bool
}

// memorySale is a sale's projection. Of head only what is no map and no slice is read: the rest may change behind it.
type memorySale struct {
	head   *terminal.Sale
	record []byte
}

// memorySealed is what the store seals, under the key of a batch.
type memorySealed struct {
	acquirer string
	batch    uint32
	plain    []byte
}

type memoryDebt struct{ terminal.Debt }

func newMemoryJournal(clock func() time.Time) *memoryJournal {
	return &memoryJournal{
		sales: map[terminal.SaleID]*memorySale{}, keys: map[string]terminal.SaleID{}, sealed: map[string]memorySealed{}, cards: map[terminal.SaleID]string{}, clock: clock,
	}
}

var (
	_ lane.Journal = &memoryJournal{}

	errMemory = errors.New("memory journal: the entry does not follow from what is there")
)

// lose is a power cut.
func (j *memoryJournal) lose() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.waiting = nil
}

func (j *memoryJournal) Append(_ context.Context, commit bool, entries ...terminal.Entry) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for i := range entries {
		r, err := j.row(&entries[i])
		if err != nil {
			return err
		}
		j.waiting = append(j.waiting, r)
	}
	if !commit {
		return nil
	}
	return j.commit()
}

func (j *memoryJournal) row(e *terminal.Entry) (memoryRow, error) {
	r := memoryRow{
		at: e.Time, kind: e.Kind, from: e.From, event: e.Event, duties: slices.Clone(e.Duties), note: e.Note, secret: e.Secret, erase: e.Erase,
	}
	if r.at.IsZero() {
		r.at = j.clock()
	}
	var err error
	switch {
	case (e.Kind == terminal.SaleEntry) != (e.Sale != nil), (e.Kind == terminal.DebtEntry) != (e.Debt != nil), (e.Kind == terminal.BatchEntry) != (e.Batch != nil):
		err = errMemory
	case e.Sale != nil:
		sale := *e.Sale
		r.sale, r.to = &sale, string(sale.State)
		r.record, err = json.Marshal(&sale)
	case e.Debt != nil:
		debt := *e.Debt
		debt.Message = nil
		r.debt, r.to = &debt, string(debt.State)
		r.record, err = json.Marshal(&debt)
	case e.Batch != nil:
		r.to = string(e.Batch.State)
		if r.record, err = json.Marshal(e.Batch); err == nil {
			r.batch = new(terminal.Batch)
			err = json.Unmarshal(r.record, r.batch)
		}
	}
	return r, err
}

// commit puts what waits on disk. One row that does not fit refuses all of them.
func (j *memoryJournal) commit() error {
	for _, r := range j.waiting {
		if err := j.write(r); err != nil {
			return fmt.Errorf("row %d, %s %s: %w", len(j.rows)+1, r.kind, r.event, err)
		}
	}
	j.waiting = nil
	return nil
}

func (j *memoryJournal) write(r memoryRow) error {
	j.rows = append(j.rows, r)
	switch {
	case r.sale != nil:
		return j.writeSale(r)
	case r.debt != nil:
		return j.writeDebt(r)
	case r.batch != nil:
		return j.writeBatch(r)
	}
	return nil
}

func (j *memoryJournal) writeSale(r memoryRow) error {
	id, was := r.sale.ID, j.sales[r.sale.ID]
	if (was == nil) != (r.from == terminal.Ready || r.from == "") || (was != nil && (was.head.State != r.from || was.head.State.Final() != (r.event == terminal.LeftOutEvent))) {
		return errMemory
	}
	if r.event == terminal.LeftOutEvent && (was.head.State != r.sale.State || was.head.Batch >= r.sale.Batch || was.head.Taken() != r.sale.Taken()) {
		return errMemory
	}
	if was == nil && r.sale.Key != "" {
		if _, taken := j.keys[r.sale.Key]; taken {
			return errMemory
		}
		j.keys[r.sale.Key] = id
	}
	j.sales[id] = &memorySale{r.sale, r.record}
	if err := j.seal(r); err != nil {
		return err
	}
	for _, d := range r.duties {
		if err := j.duty(d, r); err != nil {
			return err
		}
	}
	if r.erase || r.sale.State.Final() {
		delete(j.sealed, sealedName("request", int64(id))) //nolint:gosec // sale numbers stay below 2^63
	}
	return nil
}

func sealedName(purpose string, id int64) string { return fmt.Sprintf("%s %d", purpose, id) }

// seal keeps what goes to the table of sealed things; none is written twice.
func (j *memoryJournal) seal(r memoryRow) error {
	if r.secret == nil {
		return nil
	}
	id := int64(r.sale.ID) //nolint:gosec // sale numbers stay below 2^63
	if !r.secret.Card.PAN.IsZero() {
		j.cards[r.sale.ID] = r.secret.Card.PAN.Clear()
		plain, err := r.secret.Card.Plain()
		if err != nil {
			return err
		}
		if err := j.put("card", id, r.sale, plain); err != nil {
			return err
		}
	}
	if len(r.secret.Request) == 0 {
		return nil
	}
	return j.put("request", id, r.sale, r.secret.Request)
}

func (j *memoryJournal) put(purpose string, id int64, sale *terminal.Sale, plain []byte) error {
	if _, taken := j.sealed[sealedName(purpose, id)]; taken || sale.Batch == 0 {
		return errMemory
	}
	j.sealed[sealedName(purpose, id)] = memorySealed{sale.Acquirer, sale.Batch, plain}
	return nil
}

func (j *memoryJournal) duty(d terminal.Duty, r memoryRow) error {
	switch d {
	case terminal.OweReversal:
		if r.secret == nil || len(r.secret.Reversal) == 0 {
			return errMemory
		}
		return j.owe(terminal.ReversalDebt, r, r.secret.Reversal)
	case terminal.OweAdvice, terminal.OweDeferred:
		if r.secret == nil || len(r.secret.Advice) == 0 {
			return errMemory
		}
		kind := terminal.AdviceDebt
		if d == terminal.OweDeferred {
			kind = terminal.DeferredDebt
		}
		return j.owe(kind, r, r.secret.Advice)
	case terminal.DischargeReversal:
		at := slices.IndexFunc(j.debts, func(d *memoryDebt) bool {
			return d.Sale == r.sale.ID && d.Kind == terminal.ReversalDebt && d.State == terminal.Owed
		})
		if at < 0 {
			return errMemory
		}
		j.debts[at].State = terminal.Discharged
		delete(j.sealed, sealedName("message", j.debts[at].ID))
	default:
		return errMemory
	}
	return nil
}

func (j *memoryJournal) owe(kind terminal.DebtKind, r memoryRow, message []byte) error {
	d := &memoryDebt{Debt: terminal.Debt{
		ID: int64(len(j.debts) + 1), Sale: r.sale.ID, Acquirer: r.sale.Acquirer, Kind: kind, STAN: r.sale.STAN, State: terminal.Owed, Since: r.at,
	}}
	j.debts = append(j.debts, d)
	return j.put("message", d.ID, r.sale, message)
}

func (j *memoryJournal) writeDebt(r memoryRow) error {
	if r.debt.ID < 1 || r.debt.ID > int64(len(j.debts)) {
		return errMemory
	}
	d := j.debts[r.debt.ID-1]
	if d.State.Final() || d.Sale != r.debt.Sale || d.Acquirer != r.debt.Acquirer {
		return errMemory
	}
	d.State, d.Attempts, d.NotBefore, d.Reason, d.RRN = r.debt.State, r.debt.Attempts, r.debt.NotBefore, r.debt.Reason, r.debt.RRN
	if d.State.Final() {
		delete(j.sealed, sealedName("message", d.ID))
	}
	return nil
}

func (j *memoryJournal) decode(record []byte) (terminal.Sale, error) {
	var s terminal.Sale
	err := json.Unmarshal(record, &s)
	return s, err
}

func (j *memoryJournal) ids() []terminal.SaleID { return slices.Sorted(maps.Keys(j.sales)) }

func (j *memoryJournal) pick(want func(*memorySale) bool) ([]terminal.Sale, error) {
	var found []terminal.Sale
	for _, id := range j.ids() {
		if !want(j.sales[id]) {
			continue
		}
		sale, err := j.decode(j.sales[id].record)
		if err != nil {
			return nil, err
		}
		found = append(found, sale)
	}
	return found, nil
}

func (j *memoryJournal) Unfinished(context.Context) ([]terminal.Sale, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.pick(func(s *memorySale) bool { return !s.head.State.Final() })
}

// Last is the newest n sales, newest first.
func (j *memoryJournal) Last(_ context.Context, n int) ([]terminal.Sale, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	all, err := j.pick(func(*memorySale) bool { return true })
	slices.Reverse(all)
	return all[:min(n, len(all))], err
}

func (j *memoryJournal) ByKey(_ context.Context, key string) (terminal.Sale, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if key == "" {
		return terminal.Sale{}, terminal.ErrNoSale
	}
	for _, r := range slices.Backward(j.waiting) {
		if r.sale != nil && r.sale.Key == key {
			return j.decode(r.record)
		}
	}
	if id, ok := j.keys[key]; ok {
		return j.decode(j.sales[id].record)
	}
	return terminal.Sale{}, terminal.ErrNoSale
}

// open are the debts that wait or are parked, of sales that are over.
func (j *memoryJournal) open() (found []*memoryDebt) {
	for _, d := range j.debts {
		if !d.State.Final() && j.sales[d.Sale].head.State.Final() {
			found = append(found, d)
		}
	}
	return found
}

func (j *memoryJournal) Due(_ context.Context, acquirer string) ([]terminal.Debt, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	due := slices.DeleteFunc(j.marked(), func(d terminal.Debt) bool { return d.Acquirer != acquirer || d.State == terminal.Parked })
	return due, nil
}

func (j *memoryJournal) Message(_ context.Context, id int64) ([]byte, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, d := range j.open() {
		if d.ID == id {
			return j.whole(d).Message, nil
		}
	}
	return nil, terminal.ErrNoDebt
}

func (j *memoryJournal) whole(d *memoryDebt) terminal.Debt {
	out := d.Debt
	out.Message = slices.Clone(j.sealed[sealedName("message", d.ID)].plain)
	return out
}

// Debts is everything that waits or is parked, without messages.
func (j *memoryJournal) Debts(context.Context) ([]terminal.Debt, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.marked(), nil
}

// marked is what waits or is parked, with what each has to wait for.
func (j *memoryJournal) marked() []terminal.Debt {
	all := []terminal.Debt{}
	for _, d := range j.open() {
		all = append(all, d.Debt)
	}
	terminal.MarkBehind(all, nil)
	return all
}

func (j *memoryJournal) Parked(_ context.Context, id int64, message bool) (terminal.Debt, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, d := range j.open() {
		switch {
		case d.ID != id:
		case d.State != terminal.Parked:
			return d.Debt, terminal.ErrNotParked
		case message:
			return j.whole(d), nil
		default:
			return d.Debt, nil
		}
	}
	return terminal.Debt{}, terminal.ErrNoDebt
}

// PutOff is when a debt was first put off.
func (j *memoryJournal) PutOff(_ context.Context, d terminal.Debt) (time.Time, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, r := range j.rows {
		if r.debt != nil && r.debt.ID == d.ID && r.event == string(terminal.DebtTryLater) {
			return r.at, nil
		}
	}
	return time.Time{}, nil
}

func (j *memoryJournal) Counts(context.Context) (terminal.Counts, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	c := terminal.Counts{Highest: int64(len(j.rows))}
	for _, d := range j.open() {
		if d.State == terminal.Parked {
			c.Parked++
		} else {
			c.Owed++
		}
		if sale, ok := j.sales[d.Sale]; ok && d.Kind != terminal.ReversalDebt {
			c.Sum += sale.head.CapturedMinor()
		}
		if c.Oldest.IsZero() || d.Since.Before(c.Oldest) {
			c.Oldest = d.Since
		}
	}
	return c, nil
}
