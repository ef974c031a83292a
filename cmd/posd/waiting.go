package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"tillway/emv/contact"
	"tillway/terminal"
	"tillway/terminal/people"
	"tillway/terminal/profile"
	"tillway/terminal/receipt"
	"tillway/till"
	"tillway/till/logbook"
	"tillway/till/metrics"
)

// wait serves the local interface of a terminal that has no parameters yet: people are made and log in, keys are loaded, a package is
// applied; nothing is sold. errAnew: there is a package now.
func (m base) wait(ctx context.Context, c config) (err error) {
	why := m.keeper.shelf.Why()
	closed := profile.Profile{Name: "none", Roles: people.DefaultPolicy()}
	access, err := m.disk.gate(ctx, m.from.path, c, closed, m.log)
	if err != nil {
		return err
	}
	registers, err := till.NewRegisters(ctx, till.RegistersConfig{Store: m.disk.journal, Log: m.log})
	if err != nil {
		return err
	}
	c.Screen.Listen, c.ECR.Listen = "", "" // there is nothing to sell with
	doors, err := openDoors(ctx, c, m.log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, doors.close()) }()
	if m.disk.transcripts, err = newTranscripts(filepath.Join(c.State, "transcripts"), c.Transcripts.Keep, false, m.log); err != nil {
		return err
	}
	local := till.Config{
		Lane: waitingLane{why}, Journal: m.disk.journal, Access: access, Registers: registers, Verify: m.disk.verified, Parameters: m.keeper,
		ExchangeKeys: func(context.Context, bool) bool { return false }, KeysTicket: m.disk.keys.Ticket,
		Transcripts: m.disk.transcripts, Messages: newMessages(m.disk.transcripts, time.Now), Log: m.log,
		Profile: closed.Name, Version: version(),
		Kernel: receipt.Kernel{Name: "contact", Version: contact.Version, Checksum: contact.Checksum()},
	}
	watching := metrics.New(watchedWaiting(m.disk, local.Lane, why, area(m.log, logbook.Till)))
	doors.watched = watching.Handler()
	m.log.Warn("this terminal waits for a parameter package", "why", why)
	if _, err := fmt.Fprintf(m.out, "posd waits for its parameters: %s: %s%s\n", c.Socket, why, doors.words()); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	signs := &vitals{
		manager: m.manager, log: m.log, end: 2 * time.Second, anew: m.keeper.changed, status: func() string { return "Waiting for a parameter package" },
		parts: []vital{{name: "journal", alive: m.disk.journal.Alive, patience: slack}},
	}
	signs.told(m.manager.Ready(signs.status()))
	servers := doors.servers(till.New(local), nil, m.log)
	var wg sync.WaitGroup
	for _, door := range servers {
		wg.Go(func() {
			if door.serve(ctx) != nil {
				stop()
			}
		})
	}
	wg.Go(func() { m.events.audit(ctx, m.disk.journal, m.log) })
	wg.Go(func() { signs.run(ctx) })
	var moduleErr error
	wg.Go(func() {
		if moduleErr = watchModule(ctx, m.disk.keys); moduleErr != nil {
			stop()
		}
	})
	select {
	case <-ctx.Done():
	case <-m.keeper.done:
	}
	stop()
	drain, done := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer done()
	for _, door := range servers {
		err = errors.Join(err, door.end(drain))
	}
	wg.Wait()
	for _, door := range servers {
		err = errors.Join(err, door.failed)
	}
	if err = errors.Join(err, moduleErr); err == nil && m.keeper.changed() {
		return errAnew
	}
	return err
}

// waitingLane is the lane of a terminal without parameters: it sells nothing and says why.
type waitingLane struct{ why string }

func (l waitingLane) refuse() error { return fmt.Errorf("%w: %s", terminal.ErrNoParameters, l.why) }

func (l waitingLane) Start(context.Context, terminal.Order) (terminal.Sale, error) {
	return terminal.Sale{}, l.refuse()
}

func (l waitingLane) Agree(context.Context, terminal.SaleID, terminal.Agreement) error {
	return l.refuse()
}

func (l waitingLane) Confirm(context.Context, terminal.SaleID, bool, string) error { return l.refuse() }

func (l waitingLane) Cancel(context.Context) error { return l.refuse() }

func (waitingLane) Current() (terminal.Sale, bool) { return terminal.Sale{}, false }

func (l waitingLane) Snapshot() terminal.Snapshot {
	off := terminal.Health{Name: "none", State: "waiting", Cause: l.why}
	return terminal.Snapshot{Version: 1, State: terminal.Ready, Advice: "Apply a parameter package: pos provision apply FILE.", Reader: off, Host: terminal.LinkHealth{Health: off}}
}

func (l waitingLane) Watch(ctx context.Context, after uint64) (terminal.Snapshot, error) {
	if after < 1 {
		return l.Snapshot(), nil
	}
	<-ctx.Done()
	return l.Snapshot(), ctx.Err()
}

func (l waitingLane) SendQueue(context.Context) error { return l.refuse() }

func (l waitingLane) Decide(context.Context, terminal.DebtDecision) (terminal.Debt, error) {
	return terminal.Debt{}, l.refuse()
}

func (l waitingLane) DecideBatch(context.Context, terminal.BatchDecision) (terminal.Batch, error) {
	return terminal.Batch{}, l.refuse()
}
