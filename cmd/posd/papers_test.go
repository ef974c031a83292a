package main

import (
	"context"
	"errors"
	"testing"

	"tillway/terminal"
	"tillway/terminal/spool"
	"tillway/till"
	"tillway/till/training"
)

var (
	errReal   = errors.New("the real journal")
	errPlayed = errors.New("training's journal")
)

// asked is a journal that says which one it is.
type asked struct {
	till.Journal
	err error
}

func (a asked) Sale(context.Context, terminal.SaleID) (terminal.Sale, error) {
	return terminal.Sale{}, a.err
}

func (a asked) Batches(context.Context, string) ([]terminal.Batch, error) { return nil, a.err }

func (a asked) BatchRecord(context.Context, string, uint32) (terminal.Batch, error) {
	return terminal.Batch{}, a.err
}

// Paper of real payments and settlements that waited for the printer is drawn while the terminal trains.
func TestPapersInTraining(t *testing.T) {
	draw := papers(till.Config{Journal: asked{err: errPlayed}}, asked{err: errReal})
	for _, c := range []struct {
		job  spool.Job
		from error
	}{
		{spool.Job{What: spool.Proof, Batch: 7}, errReal},
		{spool.Job{What: spool.Receipt, Sale: 1042}, errReal},
		{spool.Job{What: spool.Receipt, Sale: training.First}, errPlayed},
		{spool.Job{What: spool.Report, Report: "x"}, errPlayed},
	} {
		if _, err := draw(t.Context(), c.job, false); !errors.Is(err, c.from) {
			t.Errorf("%+v: %v", c.job, err)
		}
	}
}
