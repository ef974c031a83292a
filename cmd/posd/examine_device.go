package main

import (
	"context"
	"time"

	"tillway/device/survey"
	"tillway/terminal"
	"tillway/terminal/selftest"
)

// deviceLimit is for all devices: a line on which nothing answers is asked in several ways.
const deviceLimit = 25 * time.Second

// devices looks at reader, stripe reader and printer: of a terminal that runs, as their drivers see them, and what can be found out beside
// them; of one that does not, by asking them.
func (e *examiner) devices(ctx context.Context) []selftest.Finding {
	if e.config.waits() {
		return []selftest.Finding{selftest.Missed(selftest.Reader, "", e.closed)}
	}
	m := survey.Local()
	r := &e.config.Reader
	allow, err := e.config.allowed()
	if err != nil {
		return []selftest.Finding{selftest.Missed(selftest.Reader, "", inOneLine(err))}
	}
	reader := survey.Place{Kind: survey.Reader, Driver: r.Driver, Port: r.Port, Allow: allow, Socket: r.Socket}
	stripe := survey.Place{Kind: survey.Reader, Driver: r.Stripe.Driver, Port: r.Stripe.Port, Baud: r.Stripe.Baud}
	printer := survey.Place{Kind: survey.Printer, Port: e.config.Printer.Port, Baud: e.config.Printer.Baud}
	if e.snapshot == nil {
		all := []selftest.Finding{e.stopped(ctx, m, reader)}
		if r.Stripe.wanted() {
			all = append(all, e.stopped(ctx, m, stripe))
		}
		if e.config.Printer.Driver != "" {
			all = append(all, e.stopped(ctx, m, printer))
		}
		return all
	}
	of := func(p survey.Place, h terminal.Health) selftest.Finding {
		return m.Health(ctx, p, h.OK, h.State, h.Cause, true)
	}
	s := e.snapshot()
	all := []selftest.Finding{of(reader, s.Reader)}
	if s.Stripe != nil {
		all = append(all, of(stripe, *s.Stripe))
	}
	if p := e.printer(); p != nil {
		all = append(all, of(printer, terminal.Health{OK: p.Ready, State: "ready", Cause: p.Cause}))
	}
	return all
}

// stopped asks a device of a terminal that does not run; where another posd has the state folder, it is only looked at.
func (e *examiner) stopped(ctx context.Context, m survey.Machine, p survey.Place) selftest.Finding {
	if e.unlock != nil {
		return m.Examine(ctx, p)
	}
	f, certain := m.Look(ctx, p)
	if !certain && f.Status == selftest.OK {
		return selftest.Missed(f.Check, f.Subject, f.Cause)
	}
	return f
}
