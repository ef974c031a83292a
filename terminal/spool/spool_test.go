package spool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	virtual "tillway/device/emulator/escpos"
	"tillway/device/escpos"
	"tillway/money"
	"tillway/terminal"
	"tillway/terminal/receipt"
)

// shop is a journal in memory with the lane's board beside it, a virtual printer on a pipe, and the driver that prints on it.
type shop struct {
	t     *testing.T
	paper *virtual.Printer
	file  string
	cfg   virtual.Config
	way   escpos.Confirm
	dies  bool // the printer goes off the line with each question whether all is on paper, and comes back

	mu      sync.Mutex // guards what follows
	rows    []terminal.JournalRow
	sales   map[terminal.SaleID]terminal.Sale
	running *terminal.Sale
	version uint64
	changed chan struct{}
	opened  []string
	proofs  bool
	unplug  func()
	serving sync.WaitGroup
}

func newShop(t *testing.T, cfg virtual.Config) *shop {
	return &shop{
		t: t, paper: virtual.New(cfg), file: filepath.Join(t.TempDir(), "print.spool"), cfg: cfg,
		sales: map[terminal.SaleID]terminal.Sale{}, version: 1, changed: make(chan struct{}),
	}
}

// Rows is the journal's.
func (s *shop) Rows(_ context.Context, after int64, limit int) ([]terminal.JournalRow, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if after >= int64(len(s.rows)) {
		return nil, nil
	}
	return slices.Clone(s.rows[after:min(int(after)+limit, len(s.rows))]), nil
}

// Snapshot is the board's.
func (s *shop) Snapshot() terminal.Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	return terminal.Snapshot{Version: s.version, Journal: int64(len(s.rows))}
}

// Watch is the board's.
func (s *shop) Watch(ctx context.Context, after uint64) (terminal.Snapshot, error) {
	for {
		s.mu.Lock()
		version, changed := s.version, s.changed
		s.mu.Unlock()
		if version > after {
			return s.Snapshot(), nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return terminal.Snapshot{}, ctx.Err()
		}
	}
}

// Current is the sale that runs.
func (s *shop) Current() (terminal.Sale, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running == nil {
		return terminal.Sale{}, false
	}
	return *s.running, true
}

func (s *shop) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	s.version++
	close(s.changed)
	s.changed = make(chan struct{})
}

// ends writes a sale's last row.
func (s *shop) ends(sale terminal.Sale) {
	s.change(func() {
		s.sales[sale.ID] = sale
		s.rows = append(s.rows,
			terminal.JournalRow{Seq: int64(len(s.rows)) + 1, Kind: terminal.SaleEntry, Sale: sale.ID, To: string(terminal.Sending), Record: &sale, Time: time.Now()},
			terminal.JournalRow{Seq: int64(len(s.rows)) + 2, Kind: terminal.SaleEntry, Sale: sale.ID, To: string(sale.State), Record: &sale, Time: time.Now()})
	})
}

func approved(id int) terminal.Sale {
	return terminal.Sale{ID: terminal.SaleID(id), Kind: terminal.KindSale, State: terminal.Approved, Amount: money.New(10_525, money.Currency{Code: "KWD", Exponent: 3}), MaskedPAN: "476173******0119"}
}

// onPaper prints blocks as lines: posd has the real one.
type onPaper struct{ *escpos.Printer }

func (o onPaper) Print(ctx context.Context, paper receipt.Sheet) error {
	var p escpos.Part
	for _, b := range paper.Blocks {
		for _, l := range b.Lines(48) {
			p.Lines = append(p.Lines, escpos.Text{Text: l})
		}
	}
	err := o.Printer.Print(ctx, []escpos.Part{p})
	switch {
	case errors.Is(err, escpos.ErrUnconfirmed):
		return fmt.Errorf("%w: %w", ErrUnconfirmed, err)
	case errors.Is(err, escpos.ErrBroken):
		return fmt.Errorf("%w: %w", ErrBroken, err)
	}
	return err
}

func (o onPaper) Kick(ctx context.Context) error { return o.Printer.Kick(ctx, escpos.Pin2) }

func (s *shop) draw(_ context.Context, j Job, duplicate bool) (receipt.Sheet, error) {
	switch j.What { //nolint:exhaustive // the rest is not asked for here
	case Test:
		return receipt.Sheet{Blocks: []receipt.Block{{Layout: receipt.Big, Text: "TEST"}}}, nil
	case Proof:
		return receipt.Sheet{Blocks: []receipt.Block{{Layout: receipt.Big, Text: fmt.Sprint("PROOF ", j.Batch)}}}, nil
	case Slip:
		sale, _ := s.Current()
		r, err := receipt.Draw(sale, receipt.Header{Name: "SHOP"}, j.Copy, duplicate)
		return receipt.Sheet{Blocks: r.Page()}, err
	}
	s.mu.Lock()
	sale, ok := s.sales[j.Sale]
	s.mu.Unlock()
	if !ok {
		return receipt.Sheet{}, terminal.ErrNoSale
	}
	r, err := receipt.Draw(sale, receipt.Header{Name: "SHOP"}, j.Copy, duplicate)
	return receipt.Sheet{Blocks: r.Page()}, err
}

// run starts a spool as a daemon would; stop ends it in the middle of whatever it does.
func (s *shop) run(copies ...receipt.Copy) (spool *Spool, stop func()) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	driver := escpos.New(escpos.Config{Port: "usb", Confirm: s.way, Chunk: 256, Open: func(context.Context) (escpos.Line, error) {
		here, there := net.Pipe()
		s.mu.Lock()
		s.unplug = func() { _ = there.Close() }
		s.mu.Unlock()
		s.serving.Go(func() { _ = s.paper.Serve(s.t.Context(), there) })
		line := escpos.NewLine("pipe", here)
		if s.dies {
			return dying{line}, nil
		}
		return line, nil
	}})
	spool, err := Open(Config{
		Path: s.file, Lane: s, Journal: s, End: int64(len(s.rows)), Printer: onPaper{driver}, Draw: s.draw, Copies: copies, Clock: time.Now,
		Log: testLog(s.t), Proof: s.proofs,
		Drawer: func(_ context.Context, sale terminal.SaleID, cash money.Amount, done bool, err error) {
			s.opened = append(s.opened, fmt.Sprint(sale, cash.Minor, done, err))
		},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- spool.Run(ctx) }()
	return spool, sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			s.t.Error(err)
		}
		_ = driver.Close()
		s.serving.Wait()
	})
}

// dying is the line of a printer whose power fails once the paper is out.
type dying struct{ escpos.Line }

func (d dying) Write(ctx context.Context, b []byte) error {
	if bytes.Contains(b, []byte("\x1D(H")) {
		_ = d.Close()
	}
	return d.Line.Write(ctx, b)
}

// A printer that goes away at the end of each paper and comes back by itself does not print one receipt until the roll is at its end.
func TestDiesAtEveryCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, virtual.Config{})
		s.dies = true
		spool, stop := s.run(receipt.Customer)
		defer stop()
		s.ends(approved(1))
		time.Sleep(10 * time.Minute)
		first, again := s.printed()
		if n := first["1 customer"] + again["1 customer"]; n != maxTries || first["1 customer"] != 1 {
			t.Errorf("printed %v, again %v", first, again)
		}
		if st := spool.Status(); st.Held == nil || st.Held.Sale != 1 || st.Ready {
			t.Errorf("%+v", st)
		}
	})
}

// printed is how often each sale's receipt is whole on paper: first prints, and duplicates.
func (s *shop) printed() (first, again map[string]int) {
	first, again = map[string]int{}, map[string]int{}
	for _, slip := range s.paper.Cut() {
		text := slip.Text()
		if !strings.Contains(text, " COPY") || strings.Contains(text, "INTERRUPTED") || !strings.HasPrefix(strings.TrimSpace(text), "SHOP") {
			continue
		}
		_, id, _ := strings.Cut(text, "SALE ")
		key := strings.Fields(id)[0] + " " + map[bool]string{true: "merchant", false: "customer"}[strings.Contains(text, "MERCHANT COPY")]
		if strings.Contains(text, "DUPLICATE") {
			again[key]++
		} else {
			first[key]++
		}
	}
	return first, again
}

func TestEveryEndedSaleOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, virtual.Config{})
		s.ends(approved(1)) // before there was a printer
		_, stop := s.run(receipt.Customer, receipt.Merchant)
		declined, away := approved(3), approved(4)
		declined.State, away.State, away.MaskedPAN = terminal.Declined, terminal.Cancelled, ""
		s.ends(approved(2))
		s.ends(declined)
		s.ends(away)
		time.Sleep(time.Minute)
		stop()
		_, stop = s.run(receipt.Customer, receipt.Merchant) // after a restart nothing is printed again
		time.Sleep(time.Minute)
		stop()
		first, again := s.printed()
		if len(first) != 4 || len(again) != 0 || first["2 customer"] != 1 || first["2 merchant"] != 1 || first["3 customer"] != 1 || first["3 merchant"] != 1 {
			t.Errorf("printed %v, again %v", first, again)
		}
	})
}

// Paper that runs out in the middle: the sales go on, and every receipt comes out whole; the broken one as a duplicate.
func TestPaperRunsOut(t *testing.T) {
	for rows := 50; rows < 900; rows += 130 {
		synctest.Test(t, func(t *testing.T) {
			s := newShop(t, virtual.Config{})
			spool, stop := s.run(receipt.Customer)
			defer stop()
			s.paper.LoadPaper(rows, 0)
			for id := 1; id <= 5; id++ {
				s.ends(approved(id)) // waits for nobody
			}
			time.Sleep(time.Minute)
			if st := spool.Status(); st.Ready || !strings.Contains(st.Cause, "new roll") || st.Waiting == 0 {
				t.Errorf("%d rows: %+v", rows, st)
			}
			s.paper.LoadPaper(-1, 0)
			time.Sleep(time.Minute)
			first, again := s.printed()
			for id := 1; id <= 5; id++ {
				key := fmt.Sprint(id, " customer")
				if first[key] > 1 || again[key] > 1 || first[key]+again[key] < 1 { // where only the cut was missing, there are both
					t.Errorf("%d rows: receipt %d came out %d times, and %d times as a duplicate", rows, id, first[key], again[key])
				}
			}
			if st := spool.Status(); !st.Ready || st.Waiting != 0 || st.Printed != 5 {
				t.Errorf("%d rows: %+v", rows, st)
			}
		})
	}
}

// The daemon is killed at any moment: each receipt is whole on paper, once without DUPLICATE at most.
func TestKilledAnywhere(t *testing.T) {
	for after := range time.Duration(60) {
		synctest.Test(t, func(t *testing.T) {
			s := newShop(t, virtual.Config{})
			_, stop := s.run(receipt.Customer)
			s.paper.LoadPaper(int(after)*20, 0)
			s.ends(approved(1))
			s.ends(approved(2))
			time.Sleep(after * 100 * time.Microsecond)
			stop()
			s.paper.LoadPaper(-1, 0)
			_, stop = s.run(receipt.Customer)
			time.Sleep(time.Minute)
			stop()
			first, again := s.printed()
			for _, key := range []string{"1 customer", "2 customer"} {
				if first[key] > 1 || first[key]+again[key] < 1 || again[key] > 1 {
					t.Errorf("killed after %d: %s: %d first prints, %d duplicates", after, key, first[key], again[key])
				}
			}
		})
	}
}

// A printer that never confirms is not asked for ever: the job is held, and somebody decides.
func TestHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, virtual.Config{Clone: true})
		spool, stop := s.run(receipt.Customer)
		defer stop()
		s.ends(approved(1))
		s.ends(approved(2))
		time.Sleep(10 * time.Minute)
		st := spool.Status()
		if st.Held == nil || st.Held.Sale != 1 || st.Waiting != 2 || st.Ready || !strings.Contains(st.Cause, "pos printer drop") {
			t.Fatalf("%+v", st)
		}
		first, again := s.printed()
		if first["1 customer"]+again["1 customer"] != maxTries {
			t.Errorf("printed %v, again %v", first, again)
		}
		if err := spool.Resume(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		if j, err := spool.Drop(t.Context()); err != nil || j.Sale != 1 {
			t.Fatalf("%+v, %v", j, err)
		}
		if err := spool.Resume(t.Context()); !errors.Is(err, ErrJob) {
			t.Errorf("nothing is held: %v", err)
		}
	})
}

// The slip to sign comes at once, before what waits, and once.
func TestSlipToSign(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, virtual.Config{})
		_, stop := s.run(receipt.Customer)
		defer stop()
		sale := approved(7)
		sale.State, sale.Signature = terminal.AgreementOnline, true
		s.change(func() { s.running = &sale })
		time.Sleep(20 * time.Second)
		if cut := s.paper.Cut(); len(cut) != 1 || !strings.Contains(cut[0].Text(), "PLEASE SIGN") {
			t.Fatalf("%d papers", len(cut))
		}
		s.change(func() { s.running = nil })
		s.ends(approved(7))
		time.Sleep(20 * time.Second)
		if first, _ := s.printed(); first["7 customer"] != 1 {
			t.Errorf("%v", first)
		}
	})
}

// Asked for: a reprint is a duplicate, more than there is room for is refused, and what cannot be drawn holds nothing up.
func TestAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, virtual.Config{})
		spool, stop := s.run(receipt.Customer)
		defer stop()
		s.ends(approved(1))
		time.Sleep(time.Minute)
		for _, j := range []Job{{What: Receipt, Sale: 1, Copy: receipt.Merchant, Duplicate: true}, {What: Receipt, Sale: 99, Copy: receipt.Customer}, {What: Test}} {
			if _, err := spool.Add(t.Context(), j); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		_, again := s.printed()
		if st := spool.Status(); again["1 merchant"] != 1 || st.Waiting != 0 || st.Dropped != 1 || st.Printed != 3 {
			t.Errorf("%v, %+v", again, st)
		}
		s.paper.LoadPaper(0, 0)
		var err error
		for range maxJobs + 1 {
			_, err = spool.Add(t.Context(), Job{What: Test})
		}
		if !errors.Is(err, ErrFull) {
			t.Errorf("too many: %v", err)
		}
		for id := 100; id < 300; id++ {
			s.ends(approved(id))
		}
		time.Sleep(time.Minute)
		if st := spool.Status(); st.Behind != 400 {
			t.Errorf("%+v", st)
		}
		s.paper.LoadPaper(-1, 0)
		time.Sleep(10 * time.Minute)
		first, _ := s.printed()
		if st := spool.Status(); len(first) != 201 || st.Behind != 0 || st.Waiting != 0 {
			t.Errorf("%d receipts, %+v", len(first), st)
		}
	})
}

// The drawer opens for cash back once, and not for a sale of yesterday.
func TestDrawerForCash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, virtual.Config{})
		spool, stop := s.run(receipt.Customer)
		sale := approved(1)
		sale.Cashback = money.New(5_000, sale.Amount.Currency)
		s.ends(sale)
		s.ends(approved(2))
		time.Sleep(time.Minute)
		if err := spool.Kick(t.Context()); err != nil {
			t.Error(err)
		}
		stop()
		sale.ID = 3
		s.ends(sale)
		time.Sleep(time.Hour)
		_, stop = s.run(receipt.Customer)
		time.Sleep(time.Minute)
		stop()
		if want := []string{"1 5000 false <nil>", "1 5000 true <nil>"}; !slices.Equal(s.opened, want) || len(s.paper.Pulses()) != 2 {
			t.Errorf("%q, %v", s.opened, s.paper.Pulses())
		}
	})
}

// Cable, paper, cover, power and daemon, a hundred times: every receipt is whole once, or besides as a duplicate.
func TestHundredTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, virtual.Config{})
		_, stop := s.run(receipt.Customer)
		for n := range 100 {
			switch n % 5 {
			case 0:
				s.paper.LoadPaper(n*13%1500, 0)
			case 1:
				go func() {
					time.Sleep(time.Duration(n) * 50 * time.Microsecond)
					s.mu.Lock()
					defer s.mu.Unlock()
					s.unplug()
				}()
			case 2:
				s.paper.OpenCover(true)
			case 3:
				s.paper.SwitchOff()
			case 4:
				stop()
				_, stop = s.run(receipt.Customer)
			}
			s.ends(approved(n + 1))
			time.Sleep(7 * time.Second)
			s.paper.LoadPaper(-1, 0)
			s.paper.OpenCover(false)
			s.paper.SwitchOn()
			time.Sleep(20 * time.Second)
		}
		time.Sleep(time.Minute)
		stop()
		first, again := s.printed()
		for n := 1; n <= 100; n++ {
			key := fmt.Sprint(n, " customer")
			if first[key] > 1 || first[key]+again[key] < 1 {
				t.Errorf("receipt %d: %d first prints, %d duplicates", n, first[key], again[key])
			}
		}
		t.Logf("%d first prints, %d duplicates", len(first), len(again))
	})
}

// TestDiskComesBack: while the journal cannot be read the status says why, and nothing ends; after it receipts are printed.
func TestDiskComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, virtual.Config{})
		journal := &broken{failed: errors.New("input/output error")}
		spool, err := Open(Config{
			Path: s.file, Lane: s, Journal: journal, Draw: s.draw, Clock: time.Now, Log: testLog(t),
			Printer: onPaper{escpos.New(escpos.Config{Port: "tcp://192.0.2.1"})},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- spool.Run(ctx) }()
		time.Sleep(time.Minute)
		if st := spool.Status(); st.Ready || !strings.Contains(st.Cause, "input/output error") {
			t.Errorf("%+v", st)
		}
		journal.heal()
		time.Sleep(time.Minute)
		if st := spool.Status(); strings.Contains(st.Cause, "input/output error") {
			t.Errorf("%+v", st)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// TestUnreadableFileIsPutAside: a file that is damaged, or of another release, keeps no terminal from starting and is not lost.
func TestUnreadableFileIsPutAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, virtual.Config{})
		for _, text := range []string{"", "{", `{"v":2,"cursor":7}`, `{"v":1,"cursor":-1}`, `{"v":1,"jobs":[{"what":"slip"}]}`} {
			if err := os.WriteFile(s.file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			spool, err := Open(Config{
				Path: s.file, Lane: s, Journal: s, End: 5, Draw: s.draw, Clock: time.Now, Log: testLog(t),
				Printer: onPaper{escpos.New(escpos.Config{Port: "tcp://192.0.2.1"})},
			})
			if err != nil || spool.kept.Cursor != 5 {
				t.Fatalf("%s: %v, %+v", text, err, spool)
			}
			if kept, err := os.ReadFile(s.file + aside); err != nil || string(kept) != text {
				t.Errorf("%q, %v", kept, err)
			}
		}
	})
}

// broken is a journal on a disk that fails until it is healed.
type broken struct {
	mu     sync.Mutex
	failed error
}

func (b *broken) heal() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failed = nil
}

func (b *broken) Rows(context.Context, int64, int) ([]terminal.JournalRow, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return nil, b.failed
}
