package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"tillway/iso8583"
	"tillway/terminal"
	"tillway/terminal/lane"
	"tillway/terminal/profile"
	"tillway/terminal/selftest"
	"tillway/till"
)

// examiner looks at everything that a sale needs, and says what it found (terminal/selftest). It sells nothing: what it leaves behind is a
// trace number for each host, and in the log of the host an echo test.
type examiner struct {
	path   string // of the config
	config config
	now    func() time.Time
	log    *slog.Logger

	// What of the terminal there is; a check of what is nil says that it was not done.
	profile  *profile.Profile
	disk     *disk
	codec    *iso8583.Codec
	probe    func(context.Context, lane.Way) lane.Probed
	snapshot func() terminal.Snapshot    // of a terminal that runs
	echo     func(context.Context) error // has its own link try now
	printer  func() *till.PrinterStatus
	refusal  func() (till.PackageFailed, error) // the last package that was not put in force, since posd started, and why; nil: none is taken
	failed   func() *till.PackageFailed         // the last one that was taken back

	read   map[string]string // fingerprints of the files that a terminal runs with; nil: it does not run
	closed string            // why disk is nil
	unlock func()            // lets go of the state folder of a terminal that does not run; nil: another has it

	turn sync.Mutex // one test at a time

	mu    sync.Mutex      // guards what follows
	stuck map[string]bool // checks that have not come back from an earlier test
}

// check is one thing that is looked at.
type check struct {
	name  string // selftest's
	limit time.Duration
	do    func(ctx context.Context) []selftest.Finding
}

// Limits of the checks. Together they bound the test: it is over within two minutes at the worst, with four hosts that say nothing.
const (
	fileLimit  = 5 * time.Second
	storeLimit = 15 * time.Second
	hostLimit  = 12 * time.Second // each
	hostAnswer = 5 * time.Second
	graceLimit = 2 * time.Second // to come back, once told to
)

// checks are all of them, in the order in which they are done: what costs the host something last.
func (e *examiner) checks() []check {
	hosts := time.Duration(len(e.config.Acquirer.hosts())) * hostLimit
	return []check{
		{selftest.Permissions, fileLimit, e.permissions},
		{selftest.Disk, fileLimit, e.diskWorks},
		{selftest.Store, storeLimit, e.store},
		{selftest.Keys, fileLimit, e.keys},
		{selftest.Parameters, fileLimit, e.parameters},
		{selftest.Parameters, fileLimit, e.parameterPackage},
		{selftest.CAKeys, fileLimit, e.caKeys},
		{selftest.Certificates, fileLimit, e.certificates},
		{selftest.Host, hosts, e.hosts},
		{selftest.Queue, fileLimit, e.queue},
		{selftest.Reader, deviceLimit, e.devices},
	}
}

// run does every check, each within its limit. One that does not come back, as from a disk that hangs, is reported and not begun again
// before it has.
func (e *examiner) run(ctx context.Context, before ...selftest.Finding) selftest.Report {
	e.turn.Lock()
	defer e.turn.Unlock()
	began := time.Now()
	all := append(before, selftest.Good(selftest.Software, "", "posd "+version()))
	for _, c := range e.checks() {
		all = append(all, e.within(ctx, c)...)
	}
	return selftest.NewReport(e.now(), time.Since(began).Round(time.Millisecond), version(), e.snapshot != nil, all)
}

// within does one check.
func (e *examiner) within(ctx context.Context, c check) []selftest.Finding {
	e.mu.Lock()
	if e.stuck[c.name] {
		e.mu.Unlock()
		return []selftest.Finding{selftest.Missed(c.name, "", "the check of an earlier test has not come back: what it looks at hangs")}
	}
	e.mu.Unlock()
	ctx, stop := context.WithTimeout(ctx, c.limit)
	defer stop()
	found := make(chan []selftest.Finding, 1)
	go func() {
		found <- c.do(ctx)
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.stuck, c.name)
	}()
	grace := time.NewTimer(c.limit + graceLimit)
	defer grace.Stop()
	select {
	case all := <-found:
		return all
	case <-grace.C:
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.stuck == nil {
			e.stuck = map[string]bool{}
		}
		select {
		case all := <-found: // it came back in this moment
			return all
		default:
		}
		e.stuck[c.name] = true
		return []selftest.Finding{selftest.Missed(c.name, "", fmt.Sprintf("it did not come back within %s: what it looks at hangs", c.limit+graceLimit))}
	}
}

// ends judges a certificate by its dates. whose is like "the certificate of the ECR door".
func ends(subject, whose string, cert *x509.Certificate, now time.Time) selftest.Finding {
	switch last := cert.NotAfter.UTC().Format(time.DateOnly); {
	case now.Before(cert.NotBefore):
		return selftest.Bad("certificate_not_yet", subject, fmt.Sprintf("%s is not valid before %s, and this machine's clock says %s.", whose, cert.NotBefore.UTC().Format(time.DateTime), now.UTC().Format(time.DateTime)))
	case now.After(cert.NotAfter):
		return selftest.Bad("certificate_expired", subject, fmt.Sprintf("%s ended on %s.", whose, last))
	case cert.NotAfter.Sub(now) < terminal.CertificateNotice:
		return selftest.Bad("certificate_ends", subject, fmt.Sprintf("%s ends on %s.", whose, last))
	default:
		return selftest.Good(selftest.Certificates, subject, "until "+last)
	}
}
