package store_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"tillway/emv"
	"tillway/money"
	"tillway/store"
	"tillway/terminal"
)

// The events of transactions without a card, and of a completion.
var (
	referred = []terminal.Event{terminal.Refer, terminal.HostApproved, terminal.CardAgrees}
	captured = []terminal.Event{terminal.Capture}
)

func (k *teller) of(kind terminal.Kind, id terminal.SaleID, minor int64) *teller {
	k.sale.Kind, k.sale.Of, k.sale.Amount = kind, id, money.New(minor, k.sale.Amount.Currency)
	return k
}

// story is a sale that was refunded in parts, a hold that was raised and taken, and a void that was not answered.
func story(t *testing.T, s *store.Store) {
	t.Helper()
	newTeller(t, s, 1).do(approved...)
	newTeller(t, s, 2).of(terminal.KindRefund, 1, 400).do(approved...)
	newTeller(t, s, 3).of(terminal.KindRefund, 1, 600).do(refused...)
	newTeller(t, s, 4).of(terminal.KindPreauth, 0, 5000).do(approved...)
	newTeller(t, s, 5).of(terminal.KindIncrement, 4, 500).do(referred...)
	newTeller(t, s, 6).of(terminal.KindCompletion, 4, 5200).do(captured...)
	newTeller(t, s, 7).of(terminal.KindVoid, 1, 10_525).do(terminal.Refer, terminal.NoAnswer, terminal.CardRefuses)
}

func ids(sales []terminal.Sale) (out []terminal.SaleID) {
	for _, s := range sales {
		out = append(out, s.ID)
	}
	return out
}

// What is about an earlier sale is found after a restart, whatever became of it, and nothing else.
func TestWhatIsAboutASale(t *testing.T) {
	f := newFolder(t)
	s := f.open()
	story(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = f.open()
	for of, want := range map[terminal.SaleID][]terminal.SaleID{1: {2, 3, 7}, 4: {5, 6}, 2: nil, 99: nil, 0: nil} {
		if got, err := s.About(t.Context(), of); err != nil || !slices.Equal(ids(got), want) {
			t.Errorf("about %d: %v, %v, want %v", of, ids(got), err, want)
		}
	}
	if found := verify(t, s); len(found) != 0 {
		t.Errorf("found %v", found)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := query(t, f.path(), "SELECT group_concat(kind || ' ' || minor || ' ' || about, ', ') FROM sale"); got !=
		"sale 10525 0, refund -400 1, refund 0 1, preauth 0 0, increment 0 4, completion 5200 4, void 0 1" {
		t.Errorf("the projections say %s", got)
	}
}

// A projection that says another kind, sum or earlier sale than its record is in quarantine, and where that leaves open what was given back
// of a sale, nobody is told that nothing was.
func TestChangedProjectionsOfKinds(t *testing.T) {
	for name, c := range map[string]struct {
		change string
		about  terminal.SaleID
	}{
		"kind":    {"UPDATE sale SET kind = 'sale' WHERE id = 2", 1},
		"sum":     {"UPDATE sale SET minor = 0 WHERE id = 2", 1},
		"state":   {"UPDATE sale SET state = 'Declined' WHERE id = 2", 1},
		"earlier": {"UPDATE sale SET about = 4 WHERE id = 2", 4},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFolder(t)
			s := f.open()
			story(t, s)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			db := raw(t, f.path())
			if _, err := db.Exec(c.change); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			s = f.open()
			if all, err := s.About(t.Context(), c.about); !errors.Is(err, terminal.ErrQuarantined) {
				t.Errorf("about %d: %v, %v", c.about, ids(all), err)
			}
			if len(verify(t, s)) == 0 {
				t.Error("the verification finds nothing")
			}
		})
	}
}

// The sealed card data of an earlier sale opens without its track, is nobody else's, and is gone with its row.
func TestCardOfASale(t *testing.T) {
	f := newFolder(t)
	s := f.open()
	story(t, s)
	newTeller(t, s, 8).do(terminal.Start, terminal.Cancel)
	for _, id := range []terminal.SaleID{1, 4, 6} {
		card, err := s.CardOf(t.Context(), id)
		if want := secret(t).Card; err != nil || card.PAN != want.PAN || card.Expiry != want.Expiry || card.PSN != want.PSN || !card.Track2.IsZero() {
			t.Errorf("card of %d: %v", id, err)
		}
	}
	for _, id := range []terminal.SaleID{8, 99} {
		if _, err := s.CardOf(t.Context(), id); !errors.Is(err, terminal.ErrNoCard) {
			t.Errorf("card of %d: %v", id, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db := raw(t, f.path())
	if _, err := db.Exec("UPDATE card SET sealed = (SELECT sealed FROM card WHERE purpose = 'card' AND id = 4) WHERE purpose = 'card' AND id = 1"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s = f.open()
	if _, err := s.CardOf(t.Context(), 1); !errors.Is(err, terminal.ErrQuarantined) {
		t.Errorf("another sale's card: %v", err)
	}
	if _, err := s.CardOf(t.Context(), 4); err != nil {
		t.Errorf("the next one: %v", err)
	}
}

// A card's sales are those that were approved, of that card, since then.
func TestSalesOfACardSince(t *testing.T) {
	f := newFolder(t)
	s, err := store.Open(t.Context(), store.Config{Path: f.path(), Sealer: f.keys, Token: tokens(f.keys)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Abort() }()
	story(t, s)
	pan := secret(t).Card.PAN
	start := newTeller(t, s, 2).sale.Started
	var seen []terminal.SaleID
	look := func(sale terminal.Sale) bool { seen = append(seen, sale.ID); return false }
	token, none, err := s.ByCard(t.Context(), pan, start, look)
	if err != nil || len(token) != 32 || none.ID != 0 || !slices.Equal(seen, []terminal.SaleID{6, 5, 4, 2}) {
		t.Errorf("%q %v, %v", token, seen, err)
	}
	_, found, err := s.ByCard(t.Context(), pan, start, func(sale terminal.Sale) bool { return sale.Kind == terminal.KindPreauth })
	if err != nil || found.ID != 4 || found.Token != token {
		t.Errorf("found %d, %v", found.ID, err)
	}
	if same, found, err := s.ByCard(t.Context(), pan, start, nil); err != nil || same != token || found.ID != 0 {
		t.Errorf("without a wish: %q %d, %v", same, found.ID, err)
	}
	seen = nil
	if _, _, err := s.ByCard(t.Context(), pan, start.Add(time.Hour), look); err != nil || len(seen) != 0 {
		t.Errorf("an hour later: %v, %v", seen, err)
	}
	other, err := emv.NewPAN("5413330089604111")
	if err != nil {
		t.Fatal(err)
	}
	if second, _, err := s.ByCard(t.Context(), other, start, look); err != nil || len(seen) != 0 || second == token || second == "" {
		t.Errorf("another card: %q %v, %v", second, seen, err)
	}
}

// The host knows of a sale that owes nothing, and of others once it has acknowledged: then by the number that it gave.
func TestWhatTheHostWasTold(t *testing.T) {
	f := newFolder(t)
	s := f.open()
	story(t, s)
	var none terminal.Acknowledgement
	told := func(id terminal.SaleID, ack terminal.Acknowledgement, want bool) {
		t.Helper()
		if got, ok, err := s.Told(t.Context(), id); err != nil || ok != want || got != ack {
			t.Errorf("sale %d: %+v %t, %v", id, got, ok, err)
		}
	}
	told(1, none, true)
	told(7, none, true) // its reversal is no word of it
	told(6, none, false)
	debts := due(t, s)
	d := debts[slices.IndexFunc(debts, func(d terminal.Debt) bool { return d.Sale == 6 })]
	move(t, s, &d, terminal.DebtTurn)
	told(6, none, false)
	said := terminal.Acknowledgement{RRN: "123456789012", AuthCode: "A1B2C3", Code: "00"}
	d.RRN, d.AuthCode, d.Code = said.RRN, said.AuthCode, said.Code
	move(t, s, &d, terminal.DebtAccepted)
	told(6, said, true)
	d = debts[slices.IndexFunc(debts, func(d terminal.Debt) bool { return d.Sale == 7 })]
	move(t, s, &d, terminal.DebtTurn)
	move(t, s, &d, terminal.DebtRefused)
	told(7, none, false) // it may stand at the host
	move(t, s, &d, terminal.DebtWrittenOff)
	told(7, none, true)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = f.open()
	told(6, said, true)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db := raw(t, f.path())
	if _, err := db.Exec("UPDATE owed SET state = 'Owed' WHERE sale = 6"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s = f.open()
	if _, _, err := s.Told(t.Context(), 6); !errors.Is(err, terminal.ErrQuarantined) {
		t.Errorf("a changed debt: %v", err)
	}
}
