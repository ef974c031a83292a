package lane

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tillway/terminal"
)

// echoTime is how long an echo test may take: a sale that comes in the middle waits for it.
const echoTime = 5 * time.Second

// Health is how the link is, with what is to be warned about. It may be called from any goroutine.
func (o *Owner) Health() terminal.LinkHealth {
	peer, now := o.peer(), o.cfg.Clock()
	o.mu.Lock()
	defer o.mu.Unlock()
	h := terminal.LinkHealth{Health: o.health, Host: peer.Host}
	if o.ahead != nil {
		s := int(o.ahead.Round(time.Second) / time.Second)
		h.ClockSeconds = &s
	}
	h.Warnings = o.warnings(peer, now)
	return h
}

// warnings are what is to be said of clock and certificates; the caller holds mu.
func (o *Owner) warnings(peer terminal.Peer, now time.Time) []string {
	var all []string
	if o.ahead != nil {
		if w := terminal.ClockWarning(*o.ahead); w != "" {
			all = append(all, w)
		}
	}
	certificates := o.cfg.Certificates
	if !peer.CertificateEnds.IsZero() {
		certificates = append(slices.Clip(certificates), terminal.Certificate{Whose: "the certificate of the bank's host", Ends: peer.CertificateEnds})
	}
	for _, c := range certificates {
		if w := c.Warning(now); w != "" {
			all = append(all, w)
		}
	}
	return all
}

func (o *Owner) peer() terminal.Peer {
	if o.cfg.Peer == nil {
		return terminal.Peer{}
	}
	return o.cfg.Peer()
}

// at is " at HOST", for the journal; nothing where hosts have no names.
func (o *Owner) at() string {
	if host := o.peer().Host; host != "" {
		return " at " + host
	}
	return ""
}

// hostSaid notes how far the host's clock is from ours. It has been authenticated where answers are. Nothing sets the machine's
// clock by it: whoever could forge one answer could then make every certificate valid.
func (o *Owner) hostSaid(t time.Time) {
	if t.IsZero() {
		return
	}
	d := t.Sub(o.cfg.Clock())
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ahead = &d
}

// warn writes what is to be warned about to the log, when it has changed.
func (o *Owner) warn() {
	peer, now := o.peer(), o.cfg.Clock()
	o.mu.Lock()
	all := o.warnings(peer, now)
	news := strings.Join(all, "; ") != o.warned
	o.warned = strings.Join(all, "; ")
	o.mu.Unlock()
	if !news {
		return
	}
	for _, w := range all {
		o.cfg.Log.Warn("host link", "warning", w)
	}
}

// echo asks a host that has been silent for long whether it is there, so that a dead line is found before a sale needs it. A
// host that does not answer loses the connection; the next look makes a new one, to another host where there is one. next is when to
// look again. The error is the journal's.
func (o *Owner) echo(ctx context.Context) (next time.Duration, err error) {
	o.warn()
	if o.cfg.Echo <= 0 {
		return o.cfg.Check, nil
	}
	if idle := time.Since(o.lastUsed); idle < o.cfg.Echo {
		return min(o.cfg.Check, o.cfg.Echo-idle), nil
	}
	select {
	case o.quiet <- struct{}{}: // no sale runs: its card is not kept waiting
		<-o.quiet
	default:
		return o.cfg.Check, nil
	}
	again := min(o.cfg.Check, o.cfg.Echo)
	refused, err := o.echoed(ctx)
	if refused != nil {
		again = min(again, o.backoff(1))
	}
	return again, err
}

// echoed sends an echo test. refused is why the host is not there: the connection is closed then. The error is the journal's. A dialect
// without such a message, and a daemon that stops, refuse nothing.
func (o *Owner) echoed(ctx context.Context) (refused, err error) {
	message, err := o.composeNetwork(ctx, terminal.Echo, nil)
	if err != nil || message == nil {
		if err != nil {
			o.cfg.Log.Error("echo test cannot be composed", "err", err)
		}
		return nil, nil //nolint:nilnil // nothing was sent
	}
	limit, stop := context.WithTimeout(ctx, echoTime)
	defer stop()
	res, _, err := o.exchange(limit, message)
	switch {
	case errors.Is(err, errJournal):
		return nil, err
	case ctx.Err() != nil:
		return nil, nil //nolint:nilnil // the daemon stops
	case err != nil:
		err = fmt.Errorf("echo test: %w", err)
	case res.Verdict != terminal.VerdictApproved:
		err = fmt.Errorf("echo test: the bank refused it: code %s", res.Code)
	default:
		return nil, nil //nolint:nilnil // it is there
	}
	at := o.at()
	if cerr := o.cfg.Link.Close(); cerr != nil {
		o.cfg.Log.Warn("closing the link", "err", cerr)
	}
	o.setHealth(false, "no answer", err.Error())
	o.cfg.Log.Warn("host does not answer the echo test", "host", o.peer().Host, "err", err)
	return err, o.record(ctx, "echo test"+at, err)
}
