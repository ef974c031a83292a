package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tillway/device/emulator"
	"tillway/device/transcript"
	"tillway/iso8583"
	"tillway/store"
	"tillway/terminal"
	"tillway/terminal/profile"
)

// cutJournal is the real store; at its so-many-th commit of a batch the process dies, before the commit is on disk or just behind it.
type cutJournal struct {
	*store.Store
	left   *atomic.Int64
	behind bool
}

var errDies = errors.New("the process dies here")

func (j cutJournal) Append(ctx context.Context, commit bool, entries ...terminal.Entry) error {
	if !slices.ContainsFunc(entries, func(e terminal.Entry) bool { return e.Batch != nil }) {
		return j.Store.Append(ctx, commit, entries...)
	}
	n := j.left.Add(-1)
	if n == 0 && !j.behind {
		return errDies
	}
	if err := j.Store.Append(ctx, commit, entries...); err != nil || n != 0 {
		return err
	}
	return errDies
}

// machine is a terminal on a disk that outlives its process.
type machine struct {
	bank *bank
	dir  string
	disk *disk
	stop context.CancelFunc
	ran  chan error
}

// boot starts the terminal; left is how many commits of batches it lives for, 0: for ever.
func (w *machine) boot(left int64, behind bool) *stack {
	t := w.bank.t
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	var err error
	if w.disk, err = openDisk(t.Context(), w.dir, log); err != nil {
		t.Fatal(err)
	}
	inserted, err := emulator.Ready("credit")
	if err != nil {
		t.Fatal(err)
	}
	p, err := profile.Ready("kuwait")
	if err != nil {
		t.Fatal(err)
	}
	p.Settlement.Daily = false
	a := defaults().Acquirer
	a.NAC.TPDU, a.NAC.NII, a.NAC.HostTotals = "6000030000", "003", true
	a.AnswerTimeout, a.Retry, a.RetryMax = duration(5*time.Second), duration(5*time.Millisecond), duration(10*time.Millisecond)
	w.bank.journal = w.disk.journal
	journal := cutJournal{w.disk.journal, &atomic.Int64{}, behind}
	journal.left.Store(left)
	s, err := assemble(t.Context(), parts{
		profile: p, acquirer: a, reader: quick{emulator.NewCard(inserted)}, journal: journal, sales: w.disk.sales, traces: w.disk.traces, dial: w.bank.pipe,
		clock: time.Now, random: readerFunc(func(b []byte) (int, error) { return copy(b, "\x12\x34\x56\x78"), nil }), log: log, cardTalk: time.Minute, profileText: transcript.Profile{Name: p.Name},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	w.stop, w.ran = stop, make(chan error, 1)
	go func() { w.ran <- s.run(ctx) }()
	return s
}

// off ends the process: what was not committed is gone.
func (w *machine) off() (died bool) {
	w.stop()
	err := <-w.ran
	if err != nil && !errors.Is(err, errDies) {
		w.bank.t.Error(err)
	}
	if aerr := w.disk.journal.Abort(); aerr != nil {
		w.bank.t.Error(aerr)
	}
	w.disk.journal = nil
	if cerr := w.disk.close(); cerr != nil {
		w.bank.t.Error(cerr)
	}
	return err != nil
}

// TestPitfall08KilledMidway: the terminal dies at every commit of a settlement that is out of balance, before it and just behind it. At the
// next start it goes on where it stood: every sale is uploaded under one trace number, nothing is posted twice, and the batch is closed behind
// the final 00 alone.
func TestPitfall08KilledMidway(t *testing.T) {
	for _, behind := range []bool{false, true} {
		for cut := int64(1); ; cut++ {
			if !killedAt(t, cut, behind) {
				if cut != 9 { // Settle, Drained, OutOfBalance, three times Uploaded, AllUploaded, InBalance
					t.Errorf("a settlement has %d commits, want 8", cut-1)
				}
				break
			}
		}
	}
}

// killedAt says whether the settlement was long enough to be killed there.
func killedAt(t *testing.T, cut int64, behind bool) (died bool) {
	t.Helper()
	final := 0
	t.Run(fmt.Sprintf("commit %d, behind it %v", cut, behind), func(t *testing.T) {
		b, m := newMeddled(t, func(_ *meddler, answer *iso8583.Message, frame []byte) []segment {
			code, _ := answer.Get(3)
			rc, _ := answer.Get(39)
			if answer.MTI() == "0510" && code == "960000" && rc == "00" {
				final++
			}
			return []segment{{bytes: whole(frame)}}
		})
		w := &machine{bank: b, dir: t.TempDir()}
		s := w.boot(0, false)
		sales := soldAt(t, b, s, 1_300, 2_500, 3_700)
		w.off()
		b.lose(sales[1])
		s = w.boot(cut, behind)
		_, err := s.lane.DecideBatch(t.Context(), terminal.BatchDecision{Event: terminal.BatchSettle, By: "sara"})
		for range 2000 {
			if st := s.lane.Snapshot().Batch; err != nil || st == nil || len(st.Settling) == 0 {
				break
			}
			if len(w.ran) > 0 {
				break
			}
			time.Sleep(2 * time.Millisecond)
		}
		died = w.off()
		s = w.boot(0, false)
		defer w.off()
		batch, err := b.journal.BatchRecord(t.Context(), s.owner.Name(), 1)
		if err != nil {
			t.Fatal(err)
		}
		if batch.State.Final() && final == 0 {
			t.Error("closed before the bank's final 00")
		}
		if !batch.State.Final() {
			if _, err := s.lane.DecideBatch(t.Context(), terminal.BatchDecision{Event: terminal.BatchSettle, By: "sara", Batch: 1}); err != nil && !errors.Is(err, terminal.ErrNoBatch) {
				t.Fatal(err) // it may have come to its end meanwhile
			}
		}
		batch, report := b.ended(s, 1)
		if !batch.Balanced || report.Proof.Total.Journal.SalesSum != 7_500 {
			t.Errorf("%+v", batch)
		}
		originals, traces := m.uploads(t)
		number := map[string]string{}
		for i, of := range originals {
			if was, again := number[of]; again && was != traces[i] {
				t.Errorf("%s went out under trace numbers %s and %s", of, was, traces[i])
			}
			number[of] = traces[i]
		}
		if len(number) != 3 {
			t.Errorf("uploaded: %v", originals)
		}
		if n, sum := b.posted(); n != 3 || sum != 7_500 {
			t.Errorf("%d stand with %d", n, sum)
		}
		if out, off := strings.Count(b.told(), "0200"), 3; out != off {
			t.Errorf("%d sales at the host", out)
		}
	})
	return died
}
