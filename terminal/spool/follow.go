package spool

import (
	"context"
	"time"

	"tillway/terminal"
)

// follow makes jobs of the sales that have ended, up to the bound.
func (s *Spool) follow(ctx context.Context) error {
	for len(s.kept.Jobs)+len(s.cfg.Copies) <= maxJobs {
		rows, err := s.cfg.Journal.Rows(ctx, s.kept.Cursor, rowsOnce)
		if err != nil {
			if ctx.Err() != nil {
				return nil //nolint:nilerr // the end is not the disk's fault
			}
			return err
		}
		for _, row := range rows {
			if len(s.kept.Jobs)+len(s.cfg.Copies) > maxJobs {
				return nil
			}
			// A cursor that alone has moved is not put on disk, which a sale may be waiting for: its rows are read again.
			s.kept.Cursor = row.Seq
			s.dirty = s.dirty || row.Seq-s.flushed > farBehind
			if err := s.take(ctx, row); err != nil {
				return err
			}
		}
		if len(rows) < rowsOnce {
			return nil
		}
	}
	return nil
}

// take makes the jobs of one row.
func (s *Spool) take(ctx context.Context, row terminal.JournalRow) error {
	if row.Kind == terminal.BatchEntry && s.cfg.Proof && row.Batch != nil && ended(terminal.BatchState(row.To)) {
		s.add(Job{What: Proof, Batch: row.Batch.Number})
		return nil
	}
	if row.Kind != terminal.SaleEntry || row.Record == nil || !terminal.State(row.To).Final() || !wanted(*row.Record) {
		return nil
	}
	for _, c := range s.cfg.Copies {
		s.add(Job{What: Receipt, Sale: row.Sale, Copy: c})
	}
	return s.cash(ctx, row)
}

// ended says that a settlement has come to something that somebody reads.
func ended(b terminal.BatchState) bool {
	return b == terminal.BatchClosed || b == terminal.BatchDisputed
}

// wanted says that somebody gets a receipt of a sale: not where no card was shown and nothing was asked.
func wanted(sale terminal.Sale) bool {
	return sale.State != terminal.Cancelled || sale.MaskedPAN != "" || sale.AID != ""
}

// cash opens the drawer for cash back, of a sale that has just ended: not a day later, when a printer comes back.
// It is on disk that it was, before it is: a restart opens it no second time. The error is the disk's.
func (s *Spool) cash(ctx context.Context, row terminal.JournalRow) error {
	sale := *row.Record
	if s.cfg.Drawer == nil || sale.State != terminal.Approved || sale.Cashback.Minor <= 0 || s.cfg.Clock().Sub(row.Time) > fresh {
		return nil
	}
	s.dirty = true
	if err := s.save(); err != nil {
		return err
	}
	s.cfg.Drawer(ctx, sale.ID, sale.Cashback, false, nil)
	s.cfg.Drawer(ctx, sale.ID, sale.Cashback, true, s.cfg.Printer.Kick(ctx))
	return nil
}

func (s *Spool) add(j Job) uint64 {
	s.kept.Last++
	j.ID, j.At = s.kept.Last, s.cfg.Clock().UTC().Truncate(time.Second)
	s.kept.Jobs, s.dirty = append(s.kept.Jobs, j), true
	return j.ID
}

// call has Run do something, and waits for it.
func (s *Spool) call(ctx context.Context, do func(context.Context) error) error {
	a := ask{do, make(chan error, 1)}
	select {
	case s.asks <- a:
	case <-s.over:
		return ErrOver
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-a.done:
		return err
	case <-s.over:
		return ErrOver
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Add has a paper printed that somebody asked for. When it returns without an error the job is on disk. Error: ErrFull.
func (s *Spool) Add(ctx context.Context, j Job) (id uint64, err error) {
	err = s.call(ctx, func(ctx context.Context) error {
		if err := s.follow(ctx); err != nil { // behind the sales that ended before
			return err
		}
		if len(s.kept.Jobs) >= maxJobs {
			return ErrFull
		}
		id = s.add(Job{What: j.What, Sale: j.Sale, Copy: j.Copy, Duplicate: j.Duplicate, Report: j.Report, Batch: j.Batch})
		err := s.save()
		s.tell(nil)
		return err
	})
	return id, err
}

// Resume has a job that is held tried again. Error: ErrJob, when none is held.
func (s *Spool) Resume(ctx context.Context) error {
	return s.call(ctx, func(context.Context) error {
		if len(s.kept.Jobs) == 0 || !s.kept.Jobs[0].Held {
			return ErrJob
		}
		s.kept.Jobs[0].Held, s.kept.Jobs[0].Tries, s.dirty = false, 0, true
		return s.save()
	})
}

// Drop gives up the first paper that waits: it was seen to come out, or nobody wants it. It is what the journal has that counts; a
// reprint can be had at any time. Error: ErrJob, when none waits.
func (s *Spool) Drop(ctx context.Context) (dropped Job, err error) {
	err = s.call(ctx, func(context.Context) error {
		if len(s.kept.Jobs) == 0 {
			return ErrJob
		}
		dropped = s.kept.Jobs[0]
		s.shift()
		s.count(false)
		err := s.save()
		s.tell(nil)
		return err
	})
	return dropped, err
}

// Kick opens the cash drawer now. Errors: the printer's.
func (s *Spool) Kick(ctx context.Context) error {
	return s.call(ctx, s.cfg.Printer.Kick)
}
