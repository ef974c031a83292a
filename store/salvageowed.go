package store

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"tillway/terminal"
	"tillway/terminal/people"
)

func dutiesOf(words string) (all []terminal.Duty) {
	for word := range strings.FieldsSeq(words) {
		all = append(all, terminal.Duty(word))
	}
	return all
}

// findTail says why rows behind the last may be lost: something speaks of them, or numbers were given and there is no log.
func (v *salvage) findTail(ctx context.Context, from string) error {
	var highest terminal.SaleID
	for id := range v.sales {
		highest = max(highest, id)
	}
	tagged, err := v.scratch.read(ctx, "SELECT of FROM tag WHERE of GLOB 'journal/*' ORDER BY length(of) DESC, of DESC LIMIT 1")
	if err != nil {
		return err
	}
	most := v.scratch.most
	for _, c := range tagged {
		if n, err := strconv.ParseInt(strings.TrimPrefix(c.text(0), "journal/"), 10, 64); err == nil {
			most = max(most, n)
		}
	}
	var audited int64
	if err := v.tx.QueryRowContext(ctx, "SELECT coalesce(max(seq), 0) FROM audit").Scan(&audited); err != nil {
		return err
	}
	seq := int64(0)
	switch sealed, err := readSmall(anchorPath(from)); {
	case err == nil:
		if seq, _, err = v.openHead(ctx, sealed); stops(err) {
			return err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	switch {
	case most > v.last:
		v.report.Tail = fmt.Sprintf("the journal ends at row %d, and there was a row %d", v.last, most)
	case seq > audited:
		v.report.Tail = fmt.Sprintf("the audit log ends at row %d, and its anchor knows row %d", audited, seq)
	case !v.log && v.given > uint64(highest):
		v.report.Tail = fmt.Sprintf("the log %s-wal is not there, and sale numbers were given up to %d; the last that is known is %d", from, v.given, highest)
	}
	return nil
}

// doubt says whether something that is lost could be about what stands in a row.
func (v *salvage) doubt(seq int64) bool {
	holes := v.report.Missing
	return v.report.Tail != "" || len(holes) > 0 && holes[len(holes)-1].Last > seq
}

// fillBatches keeps the batches: each as its row says it, or as the journal does where that is newer. The last that sales name and that nothing
// else knows is opened again: else they would be settled with none.
func (v *salvage) fillBatches(ctx context.Context) error {
	known := map[string]terminal.Batch{}
	err := v.scratch.each(ctx, "batch", func(id any, versions []cells) error {
		for _, c := range versions {
			proven, tag, err := v.proven(ctx, place("batch", id), []cells{taggedBatch(c)})
			if err != nil {
				return err
			}
			if proven == nil {
				continue
			}
			b, err := v.batchOf(ctx, append(append(cells{}, c...), tag))
			if err != nil {
				return err
			}
			known[fmt.Sprint(id)] = b
			return nil
		}
		return nil
	})
	if err != nil {
		return err
	}
	for id, b := range v.batch {
		if k, ok := known[id]; !ok || !k.State.Final() {
			known[id] = *b
		}
	}
	v.missingBatches(known)
	open := map[string]uint32{}
	all := slices.SortedFunc(maps.Values(known), func(a, b terminal.Batch) int { return cmp.Compare(b.Number, a.Number) })
	for _, b := range all {
		if err := v.keepBatch(ctx, b, open); err != nil {
			return err
		}
	}
	return nil
}

func (v *salvage) missingBatches(known map[string]terminal.Batch) {
	newest := map[string]terminal.Batch{}
	for _, k := range v.sales {
		sale := &k.record
		id := fmt.Sprintf("%s/%d", sale.Acquirer, sale.Batch)
		if _, ok := known[id]; ok || sale.Batch == 0 {
			continue
		}
		if n := newest[sale.Acquirer]; sale.Batch > n.Number {
			newest[sale.Acquirer] = terminal.Batch{
				Acquirer: sale.Acquirer, Number: sale.Batch, Currency: sale.Amount.Currency, State: terminal.BatchOpen, Opened: sale.Started, Traces: terminal.TracesUnknown,
			}
		}
		if !slices.Contains(v.report.Batches, id) {
			v.report.Batches = append(v.report.Batches, id)
		}
	}
	slices.Sort(v.report.Batches)
	for acquirer, b := range newest {
		for _, k := range known {
			if k.Acquirer == acquirer && k.Number > b.Number {
				b.Number = 0
			}
		}
		if b.Number != 0 {
			known[fmt.Sprintf("%s/%d", acquirer, b.Number)] = b
		}
	}
}

// keepBatch writes a batch. One acquirer's sales go into one batch: of two that are open, the older is set aside.
func (v *salvage) keepBatch(ctx context.Context, b terminal.Batch, open map[string]uint32) error {
	record, err := json.Marshal(b)
	if err != nil {
		return err
	}
	id, state := fmt.Sprintf("%s/%d", b.Acquirer, b.Number), string(b.State)
	if b.State == terminal.BatchOpen || b.State == terminal.BatchDraining {
		if open[b.Acquirer] != 0 {
			state = "quarantined"
			v.report.Batches = append(v.report.Batches, id)
		} else {
			open[b.Acquirer] = b.Number
		}
	}
	opened := b.Opened.Format(time.RFC3339Nano)
	if _, err := v.tx.ExecContext(ctx, "INSERT INTO batch (acquirer, number, state, opened, record, final) VALUES (?, ?, ?, ?, ?, ?)",
		b.Acquirer, b.Number, state, opened, string(record), b.State.Final()); err != nil {
		return err
	}
	return v.prove(ctx, v.tx, place("batch", id), id, string(b.State), opened, string(record))
}

// fillSales keeps where each sale stands, as its newest row says. One that is not over, and of which more may have been written, is left out: to
// end it anew could reverse what was approved.
func (v *salvage) fillSales(ctx context.Context) error {
	for _, id := range slices.Sorted(maps.Keys(v.sales)) {
		k := v.sales[id]
		sale := &k.record
		if !sale.State.Final() && v.doubt(k.seq) {
			v.report.Ends = append(v.report.Ends, LostEnd{
				id, sale.STAN, sale.State, "how it ended is lost: ask the bank by card, amount and STAN whether it was charged",
			})
			continue
		}
		v.report.Sales++
		if _, err := exec(ctx, v.tx, v.stmt.newSale, int64(id), sale.Acquirer, sale.Batch, string(sale.State), sale.State.Final(), sale.Key, k.seq, //nolint:gosec // stays below 2^63
			sale.Token, string(sale.Kind), sale.CapturedMinor(), int64(sale.Of)); err != nil { //nolint:gosec // as above
			return fmt.Errorf("sale %d: %w", id, err)
		}
	}
	return nil
}

// fillDebts keeps what was ever owed. What is over by any authentic word is over.
func (v *salvage) fillDebts(ctx context.Context) error {
	if err := v.ownRows(ctx); err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(v.debts)) {
		k := v.debts[id]
		d := &k.debt
		sale := v.sales[d.Sale]
		if d.Kind == terminal.ReversalDebt && sale != nil && sale.discharged && !d.State.Final() {
			d.State = terminal.Discharged
		}
		columns := []any{
			d.ID, int64(d.Sale), d.Acquirer, string(d.Kind), int64(d.STAN), string(d.State), d.State.Final(), int64(d.Attempts), //nolint:gosec // as above
			nanos(d.NotBefore), nanos(d.Since), d.Reason,
		}
		if _, err := exec(ctx, v.tx, v.stmt.newDebt, columns...); err != nil {
			return fmt.Errorf("debt %d: %w", id, err)
		}
		if err := v.prove(ctx, v.tx, place("owed", id), columns...); err != nil {
			return err
		}
		v.report.Debts++
		if d.State.Final() {
			continue
		}
		v.report.Open++
		running := sale != nil && !sale.record.State.Final() && !v.doubt(sale.seq)
		if v.doubt(k.seq) && !running && d.State != terminal.Parked {
			v.park = append(v.park, id)
		}
	}
	v.lostDebts()
	return nil
}

// ownRows takes the debts' own rows where the journal does not know more.
func (v *salvage) ownRows(ctx context.Context) error {
	return v.scratch.each(ctx, "owed", func(id any, versions []cells) error {
		c, _, err := v.proven(ctx, place("owed", id), versions)
		if c == nil || err != nil {
			return err
		}
		own := debtOf(append(append(cells{}, c...), nil, nil, nil, nil)).debt
		k := v.debts[own.ID]
		switch {
		case k == nil, k.debt.Sale != own.Sale:
			v.debts[own.ID] = &knownDebt{debt: own}
		case own.State.Final() && !k.debt.State.Final(), !k.asked, own.Attempts > k.debt.Attempts:
			k.debt = own
		default:
			k.debt.Since = own.Since
		}
		return nil
	})
}

// lostDebts names the sales that owe something of which there is no record any more.
func (v *salvage) lostDebts() {
	known := map[terminal.SaleID]bool{}
	for _, k := range v.debts {
		known[k.debt.Sale] = true
	}
	for _, id := range slices.Sorted(maps.Keys(v.sales)) {
		k := v.sales[id]
		sale := &k.record
		if known[id] || k.discharged || sale.STAN == 0 {
			continue
		}
		words := ""
		switch {
		case sale.State == terminal.Reversed:
			words = "it was reversed, and whether the bank heard of that is lost: ask it whether the card was charged"
		case sale.State == terminal.Approved && (sale.Way == terminal.WayOffline || sale.Way == terminal.WayDeferred || sale.Way == terminal.WayVoice):
			words = "it was approved without the bank, and whether the bank heard of it is lost: ask it whether it has the payment"
		}
		if words != "" {
			v.report.Owed = append(v.report.Owed, LostEnd{id, sale.STAN, sale.State, words})
		}
	}
}

// fillCards keeps sealed card data that opens and is still of use: the messages of what is owed, requests of sales that run, and cards of
// batches that are not closed. What was deleted stays deleted.
func (v *salvage) fillCards(ctx context.Context) error {
	return v.scratch.each(ctx, "card", func(_ any, versions []cells) error {
		if !v.wanted(versions[0]) {
			return nil
		}
		for _, c := range versions {
			plain, err := v.sealer.Open(ctx, c.text(2), associated(c.text(0), c.number(1), c.text(2)), c.bytes(3))
			if err != nil {
				if err := v.blame(ctx, err); stops(err) {
					return err
				}
				continue
			}
			clear(plain)
			_, err = exec(ctx, v.tx, v.stmt.seal, c...)
			return err
		}
		return nil
	})
}

func (v *salvage) wanted(c cells) bool {
	switch c.text(0) {
	case messagePurpose:
		k := v.debts[c.number(1)]
		return k != nil && !k.debt.State.Final()
	case requestPurpose, cardPurpose:
		k := v.sales[terminal.SaleID(c.number(1))] //nolint:gosec // looked up only
		if k == nil {
			return false
		}
		if c.text(0) == requestPurpose {
			return !k.record.State.Final() && !v.doubt(k.seq)
		}
		b := v.batch[fmt.Sprintf("%s/%d", k.record.Acquirer, k.record.Batch)]
		return b == nil || !b.State.Final()
	}
	return false
}

// lostNumbers are those of sales of which there is nothing, where rows may be gone.
func (v *salvage) lostNumbers() {
	if len(v.report.Missing) == 0 && v.report.Tail == "" {
		return
	}
	last := int64(0)
	for _, id := range slices.Sorted(maps.Keys(v.sales)) {
		if n := int64(id); n > last+1 { //nolint:gosec // stays below 2^63
			v.report.Lost = append(v.report.Lost, Span{last + 1, n - 1})
		}
		last = int64(id) //nolint:gosec // as above
	}
	if given := int64(v.given); v.report.Tail != "" && given > last { //nolint:gosec // as above
		v.report.Lost = append(v.report.Lost, Span{last + 1, given})
	}
}

// settle opens the new journal as the daemon will, parks what is in doubt, and audits what was done.
func (v *salvage) settle(ctx context.Context, c SalvageConfig) (err error) {
	if anchor, aerr := readSmall(anchorPath(c.From)); aerr == nil {
		if err := replaceFile(anchorPath(c.Path), anchor); err != nil {
			return err
		}
	}
	s, err := Open(ctx, c.Config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := s.afterHole(ctx, v.report); err != nil {
		return err
	}
	for _, id := range v.park {
		d := v.debts[id].debt
		if err := s.putAside(ctx, &d); err != nil {
			return fmt.Errorf("debt %d: %w", id, err)
		}
		v.report.Parked = append(v.report.Parked, d)
	}
	if err := s.Audit(ctx, people.Entry{Actor: people.Terminal, Event: people.EventRow, Result: people.Done, Note: people.Note("%s", v.report.note())}); err != nil {
		return err
	}
	return s.Upkeep(ctx)
}

func (r *Salvage) note() string {
	gone := int64(0)
	for _, span := range r.Missing {
		gone += span.Last - span.First + 1
	}
	tail := ""
	if r.Tail != "" {
		tail = ", and maybe what came last"
	}
	return fmt.Sprintf("salvaged: %d rows of the journal are kept, %d are gone%s; %d sales without an end, %d debts parked", r.Rows, gone, tail, len(r.Ends), len(r.Parked))
}

// afterHole writes the first row behind what may be lost, so far behind that no number comes twice.
func (s *Store) afterHole(ctx context.Context, r *Salvage) error {
	entry := terminal.Entry{Kind: terminal.StartEntry, Note: r.note()}
	if r.Tail == "" {
		return s.Append(ctx, true, entry)
	}
	var text string
	if err := s.db.QueryRowContext(ctx, "SELECT sql FROM sqlite_schema WHERE type = 'trigger' AND name = 'journal_in_order'").Scan(&text); err != nil {
		return err
	}
	s.seq += tailGap
	for _, step := range []func() error{
		func() error { _, err := s.db.ExecContext(ctx, "DROP TRIGGER journal_in_order"); return err },
		func() error { return s.Append(ctx, true, entry) },
		func() error { _, err := s.db.ExecContext(ctx, text); return err },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// putAside parks a debt by the table's own way.
func (s *Store) putAside(ctx context.Context, d *terminal.Debt) error {
	events := []terminal.DebtEvent{terminal.DebtPut}
	if d.State == terminal.Sent {
		events = []terminal.DebtEvent{terminal.DebtPowerLost, terminal.DebtPut}
	}
	for _, event := range events {
		row, err := terminal.NextDebt(terminal.DebtTable(), d.State, event)
		if err != nil {
			return err
		}
		d.State = row.To
		d.Reason = "the journal was damaged, and what came of this is lost: ask the bank whether it has it"
		now := *d
		if err := s.Append(ctx, true, terminal.Entry{Kind: terminal.DebtEntry, From: terminal.State(row.From), Event: string(event), Debt: &now, Note: "salvaged"}); err != nil {
			return err
		}
	}
	return nil
}
