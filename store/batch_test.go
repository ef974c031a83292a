package store_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tillway/device/secure"
	"tillway/money"
	"tillway/store"
	"tillway/terminal"
)

// ender moves a batch through its table, and makes the entries that the owner would make.
type ender struct {
	t *testing.T
	s *store.Store
	b terminal.Batch
}

func openBatch(t *testing.T, s *store.Store) *ender {
	t.Helper()
	all, err := s.Batches(t.Context(), acquirer)
	if err != nil || len(all) == 0 {
		t.Fatal(all, err)
	}
	return &ender{t, s, all[len(all)-1]}
}

func (c *ender) try(event terminal.BatchEvent, to terminal.BatchState) error {
	b := c.b
	if b.State = to; to.Final() {
		b.Closed = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	}
	err := c.s.Append(context.Background(), true, terminal.Entry{Time: time.Date(2026, 3, 1, 23, 30, 0, 0, time.UTC), Kind: terminal.BatchEntry, Event: string(event), Batch: &b})
	if err == nil {
		c.b = b
	}
	return err
}

func (c *ender) do(events ...terminal.BatchEvent) {
	c.t.Helper()
	for _, e := range events {
		row, err := terminal.NextBatch(terminal.BatchTable(), c.b.State, e)
		if err == nil {
			err = c.try(e, row.To)
		}
		if err != nil {
			c.t.Fatalf("%s in %s: %v", e, c.b.State, err)
		}
	}
}

var inBalance = []terminal.BatchEvent{terminal.BatchSettle, terminal.BatchDrained, terminal.BatchInBalance}

// states are the batches that are not closed.
func states(t *testing.T, s *store.Store) string {
	t.Helper()
	all, err := s.Batches(t.Context(), acquirer)
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	for _, b := range all {
		words = append(words, string(b.State))
	}
	return strings.Join(words, " ")
}

// A batch's transitions are journal rows; the next is opened in the commit that fixes the totals, and all of it is there after a restart.
func TestBatchesMoveByTheirTable(t *testing.T) {
	f := newFolder(t)
	s := f.open()
	newTeller(t, s, 1).do(approved...)
	c := openBatch(t, s)
	c.b.Currency = c.currency()
	for _, step := range []struct {
		event terminal.BatchEvent
		after string
		sales uint32
	}{
		{terminal.BatchSettle, "Draining", 1},
		{terminal.BatchCallOff, "Open", 1},
		{terminal.BatchSettle, "Draining", 1},
		{terminal.BatchDrained, "Totalling Open", 2},
		{terminal.BatchNoAnswer, "Totalling Open", 2},
		{terminal.BatchOutOfBalance, "Uploading Open", 2},
		{terminal.BatchUploaded, "Uploading Open", 2},
		{terminal.BatchUploadRefused, "Uploading Open", 2},
		{terminal.BatchAllUploaded, "Closing Open", 2},
		{terminal.BatchOutOfBalance, "Disputed Open", 2},
		{terminal.BatchSettle, "Totalling Open", 2},
		{terminal.BatchRefused, "Disputed Open", 2},
		{terminal.BatchCloseByHand, "Open", 2},
	} {
		c.b.Uploaded++
		c.do(step.event)
		if err := s.Abort(); err != nil {
			t.Fatal(err)
		}
		s = f.open()
		c.s = s
		if got := states(t, s); got != step.after {
			t.Fatalf("after %s: %q, want %q", step.event, got, step.after)
		}
		if n, err := s.Batch(t.Context(), acquirer); err != nil || n != step.sales {
			t.Fatalf("after %s sales go into batch %d (%v), want %d", step.event, n, err, step.sales)
		}
		if b, err := s.BatchRecord(t.Context(), acquirer, 1); err != nil || b.Uploaded != c.b.Uploaded || b.State != c.b.State {
			t.Fatalf("after %s: %+v, %v", step.event, b, err)
		}
	}
	rows, err := s.Rows(t.Context(), 0, 1000)
	n := 0
	for _, r := range rows {
		if r.Kind == terminal.BatchEntry {
			if n++; r.Batch == nil || r.Batch.Number != 1 {
				t.Errorf("row %+v", r)
			}
		}
	}
	if err != nil || n != 13 {
		t.Errorf("%d rows about the batch (%v), want 13", n, err)
	}
	if found := verify(t, s); len(found) != 0 {
		t.Errorf("found %v", found)
	}
}

func (c *ender) currency() (out money.Currency) { return newTeller(c.t, c.s, 99).sale.Amount.Currency }

// What does not follow from what is on disk is refused, and stops the journal as every such defect does.
func TestBatchRowsThatDoNotFollow(t *testing.T) {
	for name, c := range map[string]struct {
		event terminal.BatchEvent
		to    terminal.BatchState
	}{
		"not in the table":    {terminal.BatchInBalance, terminal.BatchClosed},
		"another state":       {terminal.BatchSettle, terminal.BatchClosed},
		"closed at once":      {terminal.BatchCloseByHand, terminal.BatchClosed},
		"uploaded from there": {terminal.BatchUploaded, terminal.BatchUploading},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFolder(t)
			s := f.open()
			newTeller(t, s, 1).do(approved...)
			if err := openBatch(t, s).try(c.event, c.to); !errors.Is(err, store.ErrFailed) {
				t.Errorf("%v", err)
			}
			_ = s.Abort()
			s = f.open()
			if got := states(t, s); got != "Open" {
				t.Errorf("it is %s", got)
			}
		})
	}
}

// A batch's record that was changed is left out, and the next sale opens another batch.
func TestChangedBatchIsQuarantined(t *testing.T) {
	f := newFolder(t)
	s := f.open()
	newTeller(t, s, 1).do(approved...)
	openBatch(t, s).do(terminal.BatchSettle)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	spoil(t, f.path(), `UPDATE batch SET record = replace(record, 'Draining', 'Open'), state = 'Open'`)
	s = f.open()
	if got := states(t, s); got != "" || s.Quarantined() != 1 {
		t.Errorf("batches %q, %d in quarantine", got, s.Quarantined())
	}
	if n, err := s.Batch(t.Context(), acquirer); err != nil || n != 2 {
		t.Errorf("sales go into %d, %v", n, err)
	}
}

// unreadable says that nothing sealed for a sale opens any more, from no copy of the database.
func unreadable(t *testing.T, path string, keys *secure.File, sealed string, id int64, key string) bool {
	t.Helper()
	_, err := keys.Open(t.Context(), key, []byte("tillway 1 card card 1 "+key), []byte(sealed))
	return errors.Is(err, secure.ErrNoKey)
}

// Once a batch is closed nothing opens its card data: the rows are gone, its key is destroyed, and a copy of the database from before is
// worth nothing. The card of a pre-authorisation that stands goes on under the next batch's key, over batches, until it is completed.
func TestClosedBatchKeepsNoCard(t *testing.T) {
	f := newFolder(t)
	s := f.open()
	newTeller(t, s, 1).do(approved...)
	held := newTeller(t, s, 2)
	held.sale.Kind = terminal.KindPreauth
	held.do(approved...)
	old := f.copy()
	if card, err := s.CardOf(t.Context(), 1); err != nil || card.PAN.Clear() != canary {
		t.Fatalf("before: %v, %v", card, err)
	}
	openBatch(t, s).do(inBalance...)
	if _, err := s.CardOf(t.Context(), 1); !errors.Is(err, terminal.ErrNoCard) {
		t.Errorf("the closed batch's card: %v", err)
	}
	if card, err := s.CardOf(t.Context(), 2); err != nil || card.PAN.Clear() != canary {
		t.Errorf("the pre-authorisation's card: %v, %v", card, err)
	}
	const key = "batch/nac/000001"
	if _, err := f.keys.Seal(t.Context(), key, nil, nil); !errors.Is(err, secure.ErrNoKey) {
		t.Errorf("the batch's key is there: %v", err)
	}
	sealed := query(t, old, "SELECT sealed FROM card WHERE purpose = 'card' AND id = 1")
	if sealed == "" || !unreadable(t, old, f.keys, sealed, 1, key) {
		t.Error("an old copy of the database still gives the card")
	}

	openBatch(t, s).do(inBalance...) // of the second batch: nothing but what it took over
	if card, err := s.CardOf(t.Context(), 2); err != nil || card.PAN.Clear() != canary {
		t.Errorf("after another batch: %v, %v", card, err)
	}
	done := newTeller(t, s, 3)
	done.sale.Kind, done.sale.Of = terminal.KindCompletion, 2
	done.do(terminal.Capture)
	d := due(t, s)[0]
	move(t, s, &d, terminal.DebtTurn)
	move(t, s, &d, terminal.DebtAccepted)
	openBatch(t, s).do(inBalance...)
	for id := terminal.SaleID(1); id <= 3; id++ {
		if _, err := s.CardOf(t.Context(), id); !errors.Is(err, terminal.ErrNoCard) {
			t.Errorf("card of %d after its completion: %v", id, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := query(t, f.path(), "SELECT count(*) FROM card"); got != "0" {
		t.Errorf("%s sealed rows are left", got)
	}
	if found := leaks(t, f.dir, forms(canary)); len(found) != 0 {
		t.Errorf("card data in %v", found)
	}
}

// A pre-authorisation that is completed in the next batch, while its own is still with the host, stands again when that completion is
// voided: its card data is there until the completion's batch is closed too.
func TestCompletionThatMayBeVoidedKeepsTheCard(t *testing.T) {
	f := newFolder(t)
	s := f.open()
	newTeller(t, s, 1).of(terminal.KindPreauth, 0, 5000).do(approved...)
	first := openBatch(t, s)
	first.do(terminal.BatchSettle, terminal.BatchDrained)
	newTeller(t, s, 2).of(terminal.KindCompletion, 1, 5000).do(captured...)
	first.do(terminal.BatchInBalance)
	if card, err := s.CardOf(t.Context(), 1); err != nil || card.PAN.Clear() != canary {
		t.Fatalf("completed in a batch that is open: %v, %v", card, err)
	}
	newTeller(t, s, 3).of(terminal.KindVoid, 2, 5000).do(referred...)
	newTeller(t, s, 4).of(terminal.KindCompletion, 1, 4000).do(captured...)
	openBatch(t, s).do(inBalance...)
	if _, err := s.CardOf(t.Context(), 1); !errors.Is(err, terminal.ErrNoCard) {
		t.Errorf("completed in a batch that is closed: %v", err)
	}
}

// A message that is parked keeps its batch's key, and nothing else does; written off, it lets it go, at the latest at the next start.
func TestParkedMessageKeepsItsKey(t *testing.T) {
	f := newFolder(t)
	s := f.open()
	newTeller(t, s, 1).do(approved...)
	newTeller(t, s, 2).do(undone...)
	d := due(t, s)[0]
	move(t, s, &d, terminal.DebtTurn)
	move(t, s, &d, terminal.DebtRefused)
	openBatch(t, s).do(inBalance...)
	if got, err := s.Parked(t.Context(), d.ID, true); err != nil || !strings.Contains(string(got.Message), canary) {
		t.Fatalf("its message: %v", err)
	}
	if _, err := s.CardOf(t.Context(), 1); !errors.Is(err, terminal.ErrNoCard) {
		t.Errorf("the other sale's card: %v", err)
	}
	move(t, s, &d, terminal.DebtWrittenOff)
	if err := s.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := f.keys.Seal(t.Context(), "batch/nac/000001", nil, nil); !errors.Is(err, secure.ErrNoKey) {
		t.Errorf("the batch's key is there: %v", err)
	}
}

// stubborn is a module that does not destroy keys for a while.
type stubborn struct {
	*secure.File
	no bool
}

func (m *stubborn) DestroyKey(ctx context.Context, name string) error {
	if m.no {
		return errDead
	}
	return m.File.DestroyKey(ctx, name)
}

// A key that could not be destroyed at once is destroyed at the next start.
func TestKeyIsDestroyedAtTheNextStart(t *testing.T) {
	f := newFolder(t)
	m := &stubborn{f.keys, true}
	s, err := store.Open(t.Context(), store.Config{Path: filepath.Join(f.dir, "journal.db"), Sealer: m})
	if err != nil {
		t.Fatal(err)
	}
	newTeller(t, s, 1).do(approved...)
	openBatch(t, s).do(inBalance...)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := f.keys.Seal(t.Context(), "batch/nac/000001", nil, nil); err != nil {
		t.Fatalf("it was to be there: %v", err)
	}
	f.open()
	if _, err := f.keys.Seal(t.Context(), "batch/nac/000001", nil, nil); !errors.Is(err, secure.ErrNoKey) {
		t.Errorf("the batch's key is there: %v", err)
	}
}

// What stands in the open batch is known without reading rows, and the same after a restart: voided payments are out, refunds below zero.
func TestStanding(t *testing.T) {
	f := newFolder(t)
	s := f.open()
	newTeller(t, s, 1).do(approved...)
	newTeller(t, s, 2).do(approved...)
	newTeller(t, s, 3).do(refused...)
	refund := newTeller(t, s, 4)
	refund.sale.Kind = terminal.KindRefund
	refund.sale.Amount.Minor = 525
	refund.do(approved...)
	void := newTeller(t, s, 5)
	void.sale.Kind, void.sale.Of = terminal.KindVoid, 2
	void.do(approved...)
	for range 2 {
		st, err := s.Standing(t.Context(), acquirer)
		if err != nil || st.Batch != 1 || st.Count != 2 || st.Sum != 10_000 || st.Sales != 5 || st.Oldest.IsZero() {
			t.Errorf("%+v, %v", st, err)
		}
		items, err := s.Items(t.Context(), acquirer, 1)
		if err != nil || len(items) != 5 || items[1].Void != 5 || len(items[0].Debts) != 1 || items[0].Debts[0].State != terminal.Discharged {
			t.Errorf("%+v, %v", items, err)
		}
		if all := terminal.SumLines(terminal.TotalsOf(terminal.Counted(items))); all.Sales != 1 || all.SalesSum != 10_525 || all.Refunds != 1 || all.RefundsSum != 525 {
			t.Errorf("totals %+v", all)
		}
		if err := s.Abort(); err != nil {
			t.Fatal(err)
		}
		s = f.open()
	}
}

// A payment that its batch is settled without goes over into the next: it is counted there, and its card data goes with it.
func TestPaymentGoesOver(t *testing.T) {
	f := newFolder(t)
	s := f.open()
	newTeller(t, s, 1).do(terminal.Start, terminal.Presented, terminal.OfflineApproved)
	d := due(t, s)[0]
	move(t, s, &d, terminal.DebtTurn)
	move(t, s, &d, terminal.DebtRefused)
	first := openBatch(t, s)
	first.do(terminal.BatchSettle)
	items, err := s.Items(t.Context(), acquirer, 1)
	if err != nil {
		t.Fatal(err)
	}
	over := terminal.GoOver(items, 2)
	if len(over) != 1 || over[0].LeftOut != 1 || over[0].Batch != 2 {
		t.Fatalf("%+v", over)
	}
	first.b.State = terminal.BatchTotalling
	at := time.Date(2026, 3, 1, 23, 30, 0, 0, time.UTC)
	row := terminal.Entry{Time: at, Kind: terminal.SaleEntry, From: terminal.Approved, Event: terminal.LeftOutEvent, Sale: &over[0]}
	if err := s.Append(t.Context(), true, terminal.Entry{Time: at, Kind: terminal.BatchEntry, Event: string(terminal.BatchDrained), Batch: &first.b}, row); err != nil {
		t.Fatal(err)
	}
	for range 2 { // and after a start
		if st, err := s.Standing(t.Context(), acquirer); err != nil || st.Batch != 2 || st.Count != 1 || st.Sales != 0 || st.Sum != 10_525 {
			t.Errorf("%+v (%v)", st, err)
		}
		for batch, want := range map[uint32]int{1: 0, 2: 1} {
			if items, err := s.Items(t.Context(), acquirer, batch); err != nil || len(items) != want {
				t.Errorf("batch %d: %+v (%v)", batch, items, err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = f.open()
	}
	first.s = s
	first.do(terminal.BatchInBalance)
	if card, err := s.CardOf(t.Context(), 1); err != nil || card.PAN.Clear() != canary {
		t.Errorf("its card: %v, %v", card, err)
	}
	if got, err := s.Parked(t.Context(), d.ID, true); err != nil || len(got.Message) == 0 {
		t.Errorf("its message: %v", err)
	}
	if r, err := s.Verify(t.Context()); err != nil || len(r.Findings) != 0 {
		t.Errorf("%+v (%v)", r.Findings, err)
	}
	if s.Quarantined() != 0 {
		t.Error("something is in quarantine")
	}
	row.Sale.Batch = 1 // never back
	if err := s.Append(t.Context(), true, row); err == nil {
		t.Error("it went back")
	}
}
