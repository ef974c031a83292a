package store_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"tillway/device/secure"
	"tillway/emv"
	"tillway/money"
	"tillway/store"
	"tillway/terminal"
	"tillway/terminal/lane"
)

var (
	_ lane.Journal = (*store.Store)(nil)
	_ lane.Counter = (*store.Counter)(nil)
	_ store.Sealer = (*secure.File)(nil)
)

const (
	canary   = "4761739001010119"
	acquirer = "nac"
)

// folder is a state folder: a journal and its keys.
type folder struct {
	t    testing.TB
	dir  string
	keys *secure.File
}

func newFolder(t testing.TB) *folder {
	t.Helper()
	dir := t.TempDir()
	keys, err := secure.CreateFile(filepath.Join(dir, "keys"))
	if err != nil {
		t.Fatal(err)
	}
	return &folder{t, dir, keys}
}

func (f *folder) path() string { return filepath.Join(f.dir, "journal.db") }

func (f *folder) open() *store.Store {
	f.t.Helper()
	s, err := store.Open(context.Background(), store.Config{Path: f.path(), Sealer: f.keys})
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = s.Abort() })
	return s
}

// teller moves a sale through the state table and makes the entries that the lane would make.
type teller struct {
	t      testing.TB
	s      *store.Store
	sale   terminal.Sale
	now    time.Time
	table  []terminal.Row
	carded bool // the card is sealed
}

func newTeller(t testing.TB, s *store.Store, id terminal.SaleID) *teller {
	t.Helper()
	kwd, err := money.ByCode("KWD")
	if err != nil {
		t.Fatal(err)
	}
	batch, err := s.Batch(context.Background(), acquirer)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.FixedZone("AST", 3*3600)).Add(time.Duration(id) * time.Minute)
	return &teller{t, s, terminal.Sale{
		V: terminal.RecordVersion, ID: id, Kind: terminal.KindSale, State: terminal.Ready, Acquirer: acquirer, Batch: batch,
		Amount: money.New(10_525, kwd), Started: now, TerminalID: "TILL0001", MerchantID: "KW0000000000001",
		STAN: uint32(id), Invoice: uint32(id), LocalTime: now, MaskedPAN: "476173******0119",
	}, now, terminal.Table(), false}
}

func secret(t testing.TB) *terminal.Secret {
	t.Helper()
	track, err := emv.NewTrack2([]byte{0x47, 0x61, 0x73, 0x90, 0x01, 0x01, 0x01, 0x19, 0xD2, 0x81, 0x22, 0x01, 0x11, 0x43, 0x80, 0x00, 0x00, 0x00, 0x0F})
	if err != nil {
		t.Fatal(err)
	}
	return &terminal.Secret{
		Card:     terminal.CardData{PAN: track.PAN(), Expiry: track.Expiry(), PSN: "01", Track2: track},
		Request:  []byte("request " + track.Clear()),
		Reversal: []byte("reversal " + track.PAN().Clear()),
		Advice:   []byte("advice " + track.PAN().Clear()),
	}
}

func (k *teller) entry(event terminal.Event) (terminal.Entry, bool) {
	k.t.Helper()
	r, err := terminal.Next(k.table, k.sale.State, event)
	if err != nil {
		k.t.Fatal(err)
	}
	k.now = k.now.Add(time.Second)
	k.sale.State, k.sale.Updated = r.To, k.now
	sale := k.sale
	e := terminal.Entry{Time: k.now, Kind: terminal.SaleEntry, From: r.From, Event: string(event), Duties: r.Duties, Sale: &sale}
	for _, d := range r.Duties {
		switch all := secret(k.t); {
		case d == terminal.DischargeReversal:
		case e.Secret == nil && (d == terminal.OweReversal || !k.carded):
			e.Secret, k.carded = all, true
		case e.Secret == nil:
			e.Secret = &terminal.Secret{Advice: all.Advice}
		}
	}
	e.Erase = r.From == terminal.Sending
	return e, r.Commit
}

func (k *teller) do(events ...terminal.Event) {
	k.t.Helper()
	for _, event := range events {
		e, commit := k.entry(event)
		if err := k.s.Append(context.Background(), commit, e); err != nil {
			k.t.Fatalf("%s: %v", event, err)
		}
	}
}

// The events of whole sales, by how they end.
var (
	approved = []terminal.Event{terminal.Start, terminal.Presented, terminal.GoOnline, terminal.HostApproved, terminal.CardAgrees}
	refused  = []terminal.Event{terminal.Start, terminal.Presented, terminal.GoOnline, terminal.HostDeclined, terminal.CardRefuses}
	undone   = []terminal.Event{terminal.Start, terminal.Presented, terminal.GoOnline, terminal.NoAnswer, terminal.CardRefuses}
)

func TestSaleIsThereAfterRestart(t *testing.T) {
	f := newFolder(t)
	s := f.open()
	newTeller(t, s, 1).do(approved...)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = f.open()
	sale, err := s.Sale(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if sale.State != terminal.Approved || sale.Amount.String() != "10.525" {
		t.Errorf("sale is %s over %s, want Approved over 10.525", sale.State, sale.Amount)
	}
	rows, err := s.SaleRows(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range rows {
		if r.Seq != int64(i+1) || r.Event != string(approved[i]) {
			t.Errorf("row %d is number %d, %s; want %s", i, r.Seq, r.Event, approved[i])
		}
	}
	if len(rows) != len(approved) {
		t.Errorf("%d rows, want %d", len(rows), len(approved))
	}
}
