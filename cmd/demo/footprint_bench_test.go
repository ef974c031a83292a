package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"tillway/money"
	"tillway/terminal"
	"tillway/till"
)

// keepIn names, in the environment of a benchmark, a folder where it may keep what is expensive to make for its next run;
// cmd/bench sets it, and takes the folder away at its end.
const keepIn = "TILLWAY_BENCH_KEEP"

var footprintSales = flag.Int("footprint.sales", 500, "sales before the memory of BenchmarkFootprint is looked at again")

// For how long BenchmarkFootprint looks at a terminal at rest, and what of its sales it takes back.
const (
	footprintRest = time.Minute
	voidEvery     = 10 // one sale in so many is taken back
)

// footprint is what the programs of a terminal take of the machine.
type footprint struct {
	Idle, IdleShared float64 // posd and keyd, kB resident, after the first sales; of it, pages of files
	Busy, BusyShared float64 // after all sales
	CPU              float64 // of one processor, per cent, at rest, with a reader
	Sale             float64 // milliseconds that a sale took, customer included
}

// BenchmarkFootprint is the memory and the processor time of posd and keyd as they are shipped: at rest after a few sales, with a reader
// and a bank, and after many sales through the whole terminal (make footprint: ten thousand). Bank, reader and customer are other processes. It
// is measured once however often it is repeated: it takes minutes.
func BenchmarkFootprint(b *testing.B) {
	var f footprint
	kept := filepath.Join(os.Getenv(keepIn), "footprint")
	if text, err := os.ReadFile(kept); err == nil && os.Getenv(keepIn) != "" {
		if err := json.Unmarshal(text, &f); err != nil {
			b.Fatal(err)
		}
	} else {
		f = measure(b)
		if text, err := json.Marshal(f); err != nil || os.Getenv(keepIn) != "" && os.WriteFile(kept, text, 0o600) != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(f.Idle, "idle-kB")
	b.ReportMetric(f.IdleShared, "idle-file-kB")
	b.ReportMetric(f.Busy, "after-sales-kB")
	b.ReportMetric(f.BusyShared, "after-sales-file-kB")
	b.ReportMetric(f.CPU, "idle-cpu-percent")
	b.ReportMetric(f.Sale, "ms/sale")
}

func measure(b *testing.B) (f footprint) {
	b.Helper()
	w := quickStack(b)
	pids := w.terminals(b)
	w.sellMany(b, 0, 20)
	time.Sleep(5 * time.Second) // what a sale leaves to be done is done
	f.Idle, f.IdleShared = resident(b, pids)
	before, begun := processorTime(b, pids), time.Now()
	time.Sleep(footprintRest)
	f.CPU = 100 * float64(processorTime(b, pids)-before) / float64(time.Since(begun))
	begun = time.Now()
	w.sellMany(b, 20, 20+*footprintSales)
	f.Sale = float64(time.Since(begun).Milliseconds()) / float64(*footprintSales)
	time.Sleep(5 * time.Second)
	f.Busy, f.BusyShared = resident(b, pids)
	return f
}

// quickStack is a whole stack whose customer does nothing by himself.
func quickStack(b *testing.B) *world {
	b.Helper()
	programs, err := built()
	if err != nil {
		b.Fatal(err)
	}
	w, err := stage(b.Context(), programs, b.TempDir(), io.Discard)
	if err != nil {
		b.Fatal(err)
	}
	w.hand = "still"
	config, err := os.ReadFile(w.config)
	if err != nil {
		b.Fatal(err)
	}
	text := strings.Replace(string(config), "retry = \"100ms\"\nretry_max = \"500ms\"\ncheck = \"1s\"\n", "", 1) // as it is shipped
	if len(text) == len(config) {
		b.Fatal("the demo's configuration has other deadlines now")
	}
	if err := os.WriteFile(w.config, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(w.end)
	if err := w.startAll(b.Context()); err != nil {
		b.Fatal(err)
	}
	if err := w.loadKeys(b.Context()); err != nil {
		b.Fatal(err)
	}
	if err := w.cardholder(b.Context(), "remove"); err != nil {
		b.Fatal(err)
	}
	return w
}

// terminals are the processes that make the terminal.
func (w *world) terminals(b *testing.B) []int {
	b.Helper()
	posd, err := w.pid("posd")
	if err != nil {
		b.Fatal(err)
	}
	keyd, err := childOf(posd, "keyd")
	if err != nil {
		b.Fatal(err)
	}
	return []int{posd, keyd}
}

// customer gives the virtual reader orders over one connection.
func (w *world) customer() func(context.Context, string) error {
	c := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", w.path("reader.ctl"))
	}}}
	return func(ctx context.Context, order string) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://readeremu/v1/do", strings.NewReader(order))
		if err != nil {
			return err
		}
		answer, err := c.Do(req)
		if err != nil {
			return err
		}
		said, err := io.ReadAll(answer.Body)
		if err == nil && answer.StatusCode != http.StatusOK {
			err = fmt.Errorf("readeremu %s: %s", order, said)
		}
		return errors.Join(err, answer.Body.Close())
	}
}

// sellMany sells for small amounts that mean nothing to the bank, and voids every tenth sale: the account has to last.
func (w *world) sellMany(b *testing.B, from, to int) {
	b.Helper()
	kwd, err := money.ByCode("KWD")
	if err != nil {
		b.Fatal(err)
	}
	local := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", w.path("posd.sock"))
	}}}
	defer local.CloseIdleConnections()
	does := w.customer()
	nobody := func(context.Context, string) error { return nil }
	for n := from; n < to; n++ {
		sale, err := sellQuickly(b.Context(), local, terminal.Order{Kind: terminal.KindSale, Amount: money.New(107+int64(n%7), kwd)}, does)
		if err == nil && n%voidEvery == 0 {
			_, err = sellQuickly(b.Context(), local, map[string]any{"kind": terminal.KindVoid, "of": sale}, nobody)
		}
		if err != nil {
			b.Fatalf("sale %d: %v\n%s", n, err, w.running[len(w.running)-1].tail())
		}
	}
}

// sellQuickly is one transaction from the order to its end. The customer puts the card in when it is asked for, and takes it out at the end.
func sellQuickly(ctx context.Context, c *http.Client, order any, customer func(context.Context, string) error) (terminal.SaleID, error) {
	var sale terminal.Sale
	for try := 0; ; try++ { // it takes none while it tidies up behind the last, or turns from one batch to the next
		err := post(ctx, c, "http://posd/v1/sales", order, &sale)
		if err == nil {
			break
		}
		if try == 500 || !strings.Contains(err.Error(), "409") {
			return 0, err
		}
		time.Sleep(20 * time.Millisecond)
	}
	var version uint64
	for in := false; ; {
		var snap terminal.Snapshot
		if err := get(ctx, c, fmt.Sprintf("http://posd/v1/watch?after=%d", version), &snap); err != nil {
			return 0, err
		}
		version = snap.Version
		switch {
		case snap.Sale == sale.ID && snap.State == terminal.AwaitCard && !snap.CardLeft && !in:
			in = true
			if err := customer(ctx, "insert credit"); err != nil {
				return 0, err
			}
		case snap.Last != nil && snap.Last.ID == sale.ID && snap.State.Final():
			if snap.Last.State != terminal.Approved {
				return 0, fmt.Errorf("%s: %s", snap.Last.State, snap.Last.Outcome.Code)
			}
			return sale.ID, errors.Join(customer(ctx, "remove"), slotEmpty(ctx, c))
		}
	}
}

// slotEmpty waits until the terminal has seen that the slot is empty: a card that is swapped between two looks of a reader is the same card.
func slotEmpty(ctx context.Context, c *http.Client) error {
	for range 1000 {
		var s till.Status
		if err := get(ctx, c, "http://posd/v1/status", &s); err != nil || s.Snapshot.Reader.State == "no card" && !s.Snapshot.CardLeft {
			return err
		}
		time.Sleep(5 * time.Millisecond)
	}
	return errors.New("the card was taken out, and the terminal does not see it")
}

// resident is the memory of processes in kilobytes, and how much of it are pages of files: their programs.
func resident(b *testing.B, pids []int) (all, files float64) {
	b.Helper()
	for _, pid := range pids {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			b.Fatal(err)
		}
		for line := range strings.Lines(string(status)) {
			if f := strings.Fields(line); len(f) > 1 {
				kB, _ := strconv.ParseFloat(f[1], 64)
				switch f[0] {
				case "VmRSS:":
					all += kB
				case "RssFile:":
					files += kB
				}
			}
		}
	}
	return all, files
}

// processorTime is what processes have used so far. A tick is a hundredth of a second.
func processorTime(b *testing.B, pids []int) (used time.Duration) {
	b.Helper()
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			b.Fatal(err)
		}
		_, behind, _ := strings.Cut(string(text), ") ")
		f := strings.Fields(behind)
		for _, at := range []int{11, 12} { // utime, stime: proc(5)
			ticks, err := strconv.ParseInt(f[at], 10, 64)
			if err != nil {
				b.Fatal(err)
			}
			used += time.Duration(ticks) * 10 * time.Millisecond
		}
	}
	return used
}
