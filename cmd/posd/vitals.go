package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"tillway/systemd"
	"tillway/terminal"
	"tillway/terminal/profile"
)

// vitals tell the service manager how the terminal is, and that it lives: only while the lane makes its steps and the journal can be
// written. A lane or a journal that is stuck misses its sign, and the manager ends posd and starts it anew: recovery puts every sale right.
type vitals struct {
	manager *systemd.Notifier
	parts   []vital
	status  func() string
	end     time.Duration // how long the end may take
	anew    func() bool   // whether what ends starts anew in this process; nil: never
	log     *slog.Logger
}

// A vital is a part of the terminal that has to be alive.
type vital struct {
	name     string
	alive    func(context.Context) error
	patience time.Duration // how long it may give no sign: longer than anything it rightly waits for

	last time.Time // when it last gave one
	lost bool      // that was logged
}

// greetSlack is for the module's own start, behind the connection.
const greetSlack = 15 * time.Second

// slack is put on top of what the parts rightly wait for.
const slack = time.Minute

// statusEvery is how often the status is looked at where there is no watchdog.
const statusEvery = 15 * time.Second

// signWithin bounds one question after life.
const signWithin = 5 * time.Second

// longestWait is more than any single wait of a sale: for the card, its talk, the PIN, a signature, or the host, which may first be told what it is
// owed, over each of its addresses.
func longestWait(d profile.Deadlines, hosts int) time.Duration {
	return max(d.Card, cardTalkLimit, d.PIN, d.Signature, time.Duration(2+hosts)*d.Answer) + slack
}

// signs are the terminal's vitals: the lane's, the journal's.
func (s *stack) signs(n *systemd.Notifier, journal interface{ Alive(context.Context) error }, d profile.Deadlines, hosts int, log *slog.Logger) *vitals {
	longest := longestWait(d, hosts)
	host := time.Duration(2+hosts)*d.Answer + slack // keys that are being exchanged hold a sale up
	return &vitals{
		manager: n, log: log, end: stopWithin(d), status: func() string { return statusOf(s.lane.Snapshot()) },
		parts: []vital{
			{name: "lane", alive: func(ctx context.Context) error { return s.lane.Alive(ctx, longest) }, patience: host},
			{name: "journal", alive: journal.Alive, patience: slack},
		},
	}
}

// notifier opens the way to the service manager. One that cannot be reached is logged and done without.
func notifier(log *slog.Logger) *systemd.Notifier {
	n, err := systemd.Open(os.Getenv, os.Getpid())
	if err != nil {
		log.Warn("the service manager is not told", "err", err)
	}
	return n
}

// run tells until ctx ends.
func (v *vitals) run(ctx context.Context) {
	every := statusEvery
	if w := v.manager.Watched(); w > 0 {
		every = min(every, w/3)
	}
	ticks := time.NewTicker(every)
	defer ticks.Stop()
	said, now := "", time.Now()
	for i := range v.parts {
		v.parts[i].last = now
	}
	for {
		if v.lives(ctx) && v.manager.Watched() > 0 {
			v.told(v.manager.Alive())
		}
		if status := v.status(); status != said {
			said = status
			v.told(v.manager.Status(status))
		}
		select {
		case <-ctx.Done():
			if v.anew != nil && v.anew() {
				v.told(v.manager.Starting("Starting anew with other parameters", v.end))
				return
			}
			v.told(v.manager.Stopping("Ending; a sale that is with the bank is waited for", v.end))
			return
		case <-ticks.C:
		}
	}
}

func (v *vitals) told(err error) {
	if err != nil {
		v.log.Warn("the service manager is not told", "err", err)
	}
}

// lives asks every part. One that is silent for longer than its patience is dead.
func (v *vitals) lives(ctx context.Context) bool {
	all := true
	for i := range v.parts {
		p := &v.parts[i]
		ask, done := context.WithTimeout(ctx, signWithin)
		err := p.alive(ask)
		done()
		switch now := time.Now(); {
		case err == nil:
			p.last, p.lost = now, false
		case ctx.Err() != nil: // posd ends
		case now.Sub(p.last) > p.patience:
			all = false
			if !p.lost {
				p.lost = true
				v.log.Error("no sign of life: the service manager ends posd and starts it anew", "part", p.name, "silent", now.Sub(p.last).Round(time.Second), "err", err)
			}
		}
	}
	return all
}

// statusOf is a snapshot in one sentence for systemctl status. Nothing of a card or a person is in it.
func statusOf(s terminal.Snapshot) string {
	text := "Ready for sales"
	switch {
	case !s.State.Final() && s.State != terminal.Ready:
		text = "A sale is under way"
	case !s.Reader.OK:
		text = "No reader: " + s.Reader.Cause
	case s.Parked > 0:
		text = fmt.Sprintf("Ready for sales; %d parked messages wait for a decision (pos queue)", s.Parked)
	case !s.Host.OK:
		text = "Ready; the host is not reached"
	}
	if s.Owed > 0 {
		text += fmt.Sprintf("; %d messages owed to the host", s.Owed)
	}
	return text
}

// stopWithin is how long posd may take to end: a sale that is with the bank gets its answer or its deadline, and its card the end of it.
func stopWithin(d profile.Deadlines) time.Duration { return d.Answer + cardTalkLimit + 10*time.Second }
