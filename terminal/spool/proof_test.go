package spool

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	virtual "tillway/device/emulator/escpos"
	"tillway/terminal"
)

// A settlement's proof is printed when its batch is closed, and when the bank disputes it; once, also over a restart; and not where the
// profile says that none is.
func TestProofOfEachSettlement(t *testing.T) {
	for _, proofs := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			s := newShop(t, virtual.Config{})
			s.proofs = proofs
			_, stop := s.run()
			step := func(number uint32, to terminal.BatchState) {
				s.change(func() {
					s.rows = append(s.rows, terminal.JournalRow{
						Seq: int64(len(s.rows)) + 1, Kind: terminal.BatchEntry, To: string(to), Batch: &terminal.Batch{Number: number}, Time: time.Now(),
					})
				})
			}
			for _, to := range []terminal.BatchState{terminal.BatchDraining, terminal.BatchTotalling, terminal.BatchClosed} {
				step(7, to)
			}
			step(8, terminal.BatchDisputed)
			time.Sleep(time.Minute)
			stop()
			_, stop = s.run()
			step(8, terminal.BatchClosed)
			time.Sleep(time.Minute)
			stop()
			var got []string
			for _, paper := range s.paper.Cut() {
				got = append(got, strings.Join(strings.Fields(paper.Text()), " "))
			}
			want := map[bool]string{true: "PROOF 7|PROOF 8|PROOF 8"}[proofs]
			if strings.Join(got, "|") != want {
				t.Errorf("proofs %t: %q", proofs, got)
			}
		})
	}
}
