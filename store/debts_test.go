package store_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"tillway/store"
	"tillway/terminal"
)

// move appends a debt's transition, as the acquirer's owner does.
func move(t testing.TB, s *store.Store, d *terminal.Debt, event terminal.DebtEvent) {
	t.Helper()
	r, err := terminal.NextDebt(terminal.DebtTable(), d.State, event)
	if err != nil {
		t.Fatal(err)
	}
	d.State = r.To
	if event == terminal.DebtTurn {
		d.Attempts++
	}
	debt := *d
	if err := s.Append(context.Background(), true, terminal.Entry{
		Time: time.Date(2026, 3, 1, 13, 0, 0, 0, time.UTC), Kind: terminal.DebtEntry, Event: string(event), Debt: &debt,
	}); err != nil {
		t.Fatalf("%s: %v", event, err)
	}
}

func due(t testing.TB, s *store.Store) []terminal.Debt {
	t.Helper()
	debts, err := s.Due(context.Background(), acquirer)
	if err != nil {
		t.Fatal(err)
	}
	var opened []terminal.Debt
	for _, d := range debts {
		if len(d.Message) > 0 {
			t.Errorf("debt %d comes with its message", d.ID)
		}
		switch d.Message, err = s.Message(context.Background(), d.ID); {
		case errors.Is(err, terminal.ErrQuarantined):
			continue
		case err != nil:
			t.Fatal(err)
		}
		opened = append(opened, d)
	}
	return opened
}

func TestReversalIsDueOnceItsSaleEnded(t *testing.T) {
	s := newFolder(t).open()
	k := newTeller(t, s, 1)
	for _, event := range undone {
		if d := due(t, s); len(d) != 0 {
			t.Errorf("in %s: %d debts are due, want none", k.sale.State, len(d))
		}
		k.do(event)
	}
	debts := due(t, s)
	if len(debts) != 1 {
		t.Fatalf("%d debts are due, want one", len(debts))
	}
	d := debts[0]
	if d.Kind != terminal.ReversalDebt || d.Sale != 1 || d.STAN != 1 || d.State != terminal.Owed || d.Acquirer != acquirer {
		t.Errorf("debt is %+v", d)
	}
	if got, want := string(d.Message), string(secret(t).Reversal); got != want {
		t.Error("the message is not the reversal that was sealed")
	}
	if other, err := s.Due(t.Context(), "another"); err != nil || len(other) != 0 {
		t.Errorf("another acquirer owes %d (%v)", len(other), err)
	}
}

func TestSaleThatWentWellOwesNothing(t *testing.T) {
	f := newFolder(t)
	s := f.open()
	newTeller(t, s, 1).do(approved...)
	newTeller(t, s, 2).do(refused...)
	if d := due(t, s); len(d) != 0 {
		t.Errorf("%d debts are due, want none", len(d))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := query(t, f.path(), "SELECT group_concat(state) FROM owed"); got != "Discharged,Discharged" {
		t.Errorf("debts are %s, want both Discharged and kept as rows", got)
	}
	if got := query(t, f.path(), "SELECT group_concat(purpose || id, ' ') FROM card ORDER BY purpose, id"); got != "card1 card2" {
		t.Errorf("sealed rows %q, want only the two cards'", got)
	}
}

// The whole life of four debts, in order of owing, over restarts.
func TestDebtsKeepTheirOrder(t *testing.T) {
	f := newFolder(t)
	s := f.open()
	for id := terminal.SaleID(1); id <= 4; id++ {
		newTeller(t, s, id).do(undone...)
	}
	ids := func() string {
		var b strings.Builder
		for _, d := range due(t, s) {
			b.WriteString(d.Sale.String() + string(d.State) + " ")
		}
		return strings.TrimSpace(b.String())
	}
	restart := func() {
		t.Helper()
		if err := s.Abort(); err != nil {
			t.Fatal(err)
		}
		s = f.open()
	}
	d := due(t, s)
	later := time.Date(2026, 3, 1, 14, 0, 0, 0, time.UTC)
	move(t, s, &d[0], terminal.DebtTurn)
	restart()
	if got, want := ids(), "1Sent 2Owed 3Owed 4Owed"; got != want {
		t.Errorf("due %q, want %q", got, want)
	}
	d[0].NotBefore, d[0].Reason = later, "the host did not answer"
	move(t, s, &d[0], terminal.DebtPowerLost)
	move(t, s, &d[1], terminal.DebtTurn)
	move(t, s, &d[1], terminal.DebtAccepted)
	move(t, s, &d[2], terminal.DebtTurn)
	move(t, s, &d[2], terminal.DebtRefused)
	restart()
	if got, want := ids(), "1Owed 4Owed"; got != want {
		t.Errorf("due %q, want %q", got, want)
	}
	first := due(t, s)[0]
	if first.Attempts != 1 || !first.NotBefore.Equal(later) || first.Reason != "the host did not answer" {
		t.Errorf("the first is %+v", first)
	}
	counts, err := s.Counts(t.Context())
	if err != nil || counts.Owed != 2 || counts.Parked != 1 {
		t.Errorf("counts %+v (%v), want 2 owed, 1 parked", counts, err)
	}
	if want := newTeller(t, s, 1).now.Add(3 * time.Second); !counts.Oldest.Equal(want) {
		t.Errorf("the oldest waits since %v, want %v", counts.Oldest, want)
	}
	all, err := s.Debts(t.Context())
	if err != nil || len(all) != 3 || all[1].State != terminal.Parked || all[0].Message != nil {
		t.Errorf("debts %+v (%v)", all, err)
	}
	move(t, s, &d[2], terminal.DebtRequeued)
	if got, want := ids(), "1Owed 3Owed 4Owed"; got != want {
		t.Errorf("after a requeue %q, want %q", got, want)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := query(t, f.path(), "SELECT group_concat(id) FROM card WHERE purpose = 'message'"); got != "1,3,4" {
		t.Errorf("messages %q are kept, want those of debts not yet ended", got)
	}
}

func TestAdviceIsOwedWithItsMessage(t *testing.T) {
	s := newFolder(t).open()
	newTeller(t, s, 1).do(terminal.Start, terminal.Presented, terminal.OfflineApproved)
	d := due(t, s)
	if len(d) != 1 || d[0].Kind != terminal.AdviceDebt || !bytes.HasPrefix(d[0].Message, []byte("advice ")) {
		t.Errorf("due %+v, want one advice with its message", d)
	}
	if n := s.Quarantined(); n != 0 {
		t.Errorf("%d in quarantine, want none", n)
	}
}

func TestUnfinishedSalesAreFoundAtStart(t *testing.T) {
	f := newFolder(t)
	s := f.open()
	newTeller(t, s, 1).do(approved...)
	newTeller(t, s, 2).do(terminal.Start, terminal.Presented, terminal.GoOnline, terminal.HostApproved) // the last row waits
	if err := s.Abort(); err != nil {
		t.Fatal(err)
	}
	s = f.open()
	sales, err := s.Unfinished(t.Context())
	if err != nil || len(sales) != 1 || sales[0].ID != 2 || sales[0].State != terminal.Sending {
		t.Fatalf("unfinished %+v (%v), want sale 2 in Sending", sales, err)
	}
	k := newTeller(t, s, 2)
	k.sale = sales[0]
	k.do(terminal.PowerLost)
	if d := due(t, s); len(d) != 1 || d[0].Sale != 2 {
		t.Errorf("due %+v, want the reversal of sale 2: recovery creates nothing", d)
	}
	if sales, err := s.Unfinished(t.Context()); err != nil || len(sales) != 0 {
		t.Errorf("unfinished %d (%v), want none", len(sales), err)
	}
}

// A million old rows cost nothing: what recovery and counts read is found by index, not by reading everything.
func TestReadsUseTheirIndex(t *testing.T) {
	f := newFolder(t)
	if err := f.open().Close(); err != nil {
		t.Fatal(err)
	}
	for name, q := range map[string]string{
		"unfinished": "SELECT j.record FROM sale s JOIN journal j ON j.seq = s.seq WHERE s.final = 0 ORDER BY s.id",
		"counts":     "SELECT count(*) FROM owed o JOIN sale s ON s.id = o.sale WHERE o.final = 0 AND s.final = 1",
		"sale rows":  "SELECT seq FROM journal WHERE sale = 7 AND sale <> 0 ORDER BY seq",
		"key":        "SELECT j.record FROM sale s JOIN journal j ON j.seq = s.seq WHERE s.key = 'x'",
	} {
		plan := query(t, f.path(), "EXPLAIN QUERY PLAN "+q)
		if strings.Contains(plan, "SCAN") && !strings.Contains(plan, "USING INDEX sale_unfinished") &&
			!strings.Contains(plan, "USING INDEX owed_open") {
			t.Errorf("%s reads a whole table: %s", name, plan)
		}
	}
}

// A parked debt stays sealed as it is until somebody decides: sent again it has its message, written off the message is
// deleted. What was changed on disk is neither.
func TestParkedDebtKeepsItsMessageUntilItIsWrittenOff(t *testing.T) {
	f := newFolder(t)
	s := f.open()
	for id := terminal.SaleID(1); id <= 3; id++ {
		newTeller(t, s, id).do(undone...)
	}
	d := due(t, s)
	for i := range 2 {
		move(t, s, &d[i], terminal.DebtTurn)
		move(t, s, &d[i], terminal.DebtRefused)
	}
	messages := func() string {
		t.Helper()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		defer func() { s = f.open() }()
		return query(t, f.path(), "SELECT group_concat(id) FROM card WHERE purpose = 'message'")
	}
	if got := messages(); got != "1,2,3" {
		t.Errorf("messages %q are kept, want all three", got)
	}
	for id, want := range map[int64]error{3: terminal.ErrNotParked, 4: terminal.ErrNoDebt, -1: terminal.ErrNoDebt} {
		if got, err := s.Parked(t.Context(), id, true); !errors.Is(err, want) || got.Message != nil {
			t.Errorf("debt %d: %+v (%v), want %v", id, got.State, err, want)
		}
	}
	opened, err := s.Parked(t.Context(), 1, true)
	if err != nil || string(opened.Message) != string(secret(t).Reversal) || opened.State != terminal.Parked {
		t.Errorf("to be sent again: %+v (%v)", opened.State, err)
	}
	shut, err := s.Parked(t.Context(), 2, false)
	if err != nil || shut.Message != nil || shut.Sale != 2 {
		t.Errorf("to be written off: %+v (%v)", shut.State, err)
	}
	move(t, s, &shut, terminal.DebtWrittenOff)
	if got := messages(); got != "1,3" {
		t.Errorf("messages %q are kept, want no more of what is written off", got)
	}
	if _, err := s.Parked(t.Context(), 2, false); !errors.Is(err, terminal.ErrNoDebt) {
		t.Errorf("written off: %v", err)
	}

	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	spoil(t, f.path(), "UPDATE card SET sealed = zeroblob(length(sealed)) WHERE purpose = 'message' AND id = 1")
	s = f.open()
	if _, err := s.Parked(t.Context(), 1, true); !errors.Is(err, terminal.ErrQuarantined) {
		t.Errorf("a message that does not open: %v", err)
	}
	lost, err := s.Parked(t.Context(), 1, false)
	if err != nil {
		t.Fatalf("it cannot even be written off: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	spoil(t, f.path(), "UPDATE owed SET reason = 'none' WHERE id = 1")
	s = f.open()
	if _, err := s.Parked(t.Context(), lost.ID, false); !errors.Is(err, terminal.ErrQuarantined) {
		t.Errorf("a row that was changed: %v", err)
	}
}

// Word of a sale waits behind its own sale's reversal where that one is stuck: refused for good, changed on disk, or with a message that does
// not open. Other sales' go on.
func TestAdviceBehindItsStuckReversal(t *testing.T) {
	unanswered := []terminal.Event{terminal.Start, terminal.Presented, terminal.GoOnline, terminal.NoAnswer, terminal.CardApproves}
	for name, c := range map[string]struct {
		park  bool
		spoil string
		want  int64
	}{
		"owed":    {},
		"parked":  {park: true, want: 1},
		"changed": {spoil: "UPDATE owed SET attempts = attempts + 1 WHERE id = 1", want: 1},
		"lost":    {spoil: "DELETE FROM card WHERE purpose = 'message' AND id = 1", want: 1},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFolder(t)
			s := f.open()
			newTeller(t, s, 1).do(unanswered...)
			newTeller(t, s, 2).do(unanswered...)
			if c.park {
				d := due(t, s)[0]
				move(t, s, &d, terminal.DebtTurn)
				move(t, s, &d, terminal.DebtRefused)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if c.spoil != "" {
				db := raw(t, f.path())
				if _, err := db.Exec(c.spoil); err != nil {
					t.Fatal(err)
				}
				db.Close()
			}
			s = f.open()
			due(t, s) // what does not open is found when it is opened
			left, err := s.Due(t.Context(), acquirer)
			if err != nil {
				t.Fatal(err)
			}
			behind := map[int64]int64{}
			for _, d := range left {
				behind[d.ID] = d.Behind
			}
			if behind[2] != c.want || behind[3] != 0 || behind[4] != 0 || len(left) != 4-int(min(c.want, 1)) {
				t.Errorf("%v", behind)
			}
		})
	}
}
