package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"

	"tillway/iso8583/link"
	"tillway/terminal"
	"tillway/terminal/lane"
	"tillway/terminal/selftest"
)

// strays keeps why the last frame was not taken for the answer.
type strays struct {
	mu   sync.Mutex // guards last
	last string
}

func (s *strays) add(x link.Stray) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = x.Reason
}

func (s *strays) reason() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// hosts asks each address of the acquirer with an echo test of its own.
func (e *examiner) hosts(ctx context.Context) []selftest.Finding {
	if e.probe == nil || e.codec == nil {
		return []selftest.Finding{selftest.Missed(selftest.Host, "", e.closed)}
	}
	a := &e.config.Acquirer
	trust, err := a.trust()
	if err != nil {
		return []selftest.Finding{selftest.Missed(selftest.Host, "", "the certificates' files are not right: "+inOneLine(err))}
	}
	answer := hostAnswer
	if own := time.Duration(a.AnswerTimeout); own > 0 {
		answer = min(answer, own)
	}
	var judged []hostFinding
	for _, h := range a.waysWithin(trust, hostAnswer) {
		seen := &strays{}
		session := link.New(link.Config{
			Hosts: []link.Host{h}, Codec: e.codec, Framing: a.framing(), TPDU: link.TPDUAnswer(a.TPDUAnswer),
			WriteTimeout: hostAnswer, AnswerTimeout: answer, Quarantine: seen.add, Log: e.log,
		})
		limit, stop := context.WithTimeout(ctx, hostLimit)
		p := e.probe(limit, lane.Way{Name: h.Name, Link: session})
		stop()
		judged = append(judged, e.judge(p, session.Peer(), seen.reason()))
	}
	return e.together(ctx, judged)
}

// waysWithin are ways, with no more time for connecting than limit.
func (a *acquirerConfig) waysWithin(t trusted, limit time.Duration) []link.Host {
	short := *a
	short.ConnectTimeout = min(short.ConnectTimeout, duration(limit))
	return short.ways(t)
}

// hostFinding is what was found of one address.
type hostFinding struct {
	selftest.Finding
	more    []selftest.Finding // of its certificate, of keys, of the clock
	skipped bool
	usable  bool
}

// together are the findings of all addresses: one that cannot be used is less where another can.
func (e *examiner) together(ctx context.Context, judged []hostFinding) []selftest.Finding {
	usable := false
	for _, j := range judged {
		usable = usable || j.usable
	}
	var all []selftest.Finding
	clock := false
	for _, j := range judged {
		f := j.Finding
		if f.Status == selftest.Fault && usable {
			f = selftest.Bad("standby_down", f.Subject, "One of the acquirer's hosts cannot be used, and sales go to another: "+f.Cause).Do(f.Fix)
		}
		all = append(all, f)
		all = append(all, j.more...)
		for _, m := range j.more {
			clock = clock || m.Check == selftest.Clock
		}
	}
	if !clock {
		all = append(all, selftest.Missed(selftest.Clock, "bank", "no host said its time in an answer that can be believed"))
	}
	if e.snapshot != nil && usable {
		h := e.snapshot().Host
		if !h.OK { // it may wait for its next try
			_ = e.echo(ctx) // the link's health says what came of it
			h = e.snapshot().Host
		}
		if !h.OK {
			all = append(all, selftest.Bad("link_down", e.config.Acquirer.Name, fmt.Sprintf("An echo test is answered, and the terminal's own link is not up: %s, %s.", h.State, strings.TrimSuffix(h.Cause, "."))))
		}
	}
	return all
}

// judge turns what an echo test found into words.
func (e *examiner) judge(p lane.Probed, peer link.Peer, stray string) hostFinding {
	f := hostFinding{}
	switch {
	case p.Skipped != "":
		f.Finding, f.skipped = selftest.Missed(selftest.Host, p.Host, p.Skipped), true
	case p.Unreached != nil:
		f.Finding = unreached(p.Host, p.Unreached, e.now())
	case errors.Is(p.Untold, terminal.ErrNoKeys):
		f.Finding = selftest.Missed(selftest.Host, p.Host, "it takes the connection; without the MAC key nothing can be asked")
	case p.Untold != nil:
		f.Finding = selftest.Missed(selftest.Host, p.Host, "it takes the connection; "+inOneLine(p.Untold))
	case p.Silent != nil:
		f.Finding = e.silent(p, stray)
	default:
		f = e.answered(p)
	}
	if p.Connected && !peer.CertificateEnds.IsZero() {
		if c := (terminal.Certificate{Whose: "the certificate of the host " + p.Host, Ends: peer.CertificateEnds}); c.Warning(e.now()) != "" {
			f.more = append(f.more, selftest.Bad("certificate_ends", p.Host, capital(c.Warning(e.now()))+"."))
		} else {
			f.more = append(f.more, selftest.Good(selftest.Certificates, p.Host, "the host's, until "+peer.CertificateEnds.UTC().Format(time.DateOnly)))
		}
	}
	return f
}

// answered judges an answer: key, code, clock.
func (e *examiner) answered(p lane.Probed) (f hostFinding) {
	code := p.Response.Code
	switch {
	case p.Forged != nil && e.unknownTerminal(code): // nobody has a key for a terminal that is not known, so that no MAC can be right
		f.Finding = e.stranger(p.Host, code)
		return f
	case p.Forged != nil:
		f.Finding = selftest.Missed(selftest.Host, p.Host, "it answers, and not under this terminal's MAC key: see keys")
		f.more = append(f.more, e.disagrees(p))
		return f
	case e.unknownTerminal(code):
		f.Finding = e.stranger(p.Host, code)
	case p.Response.Verdict != terminal.VerdictApproved:
		f.Finding = selftest.Bad("host_refuses", p.Host, fmt.Sprintf("The host %s refuses the echo test with code %s.", p.Host, code))
	default:
		f.Finding, f.usable = selftest.Good(selftest.Host, p.Host, "answers the echo test"), true
	}
	switch {
	case p.Signed:
		f.more = append(f.more, selftest.Good(selftest.Keys, "MAC key and the bank's", "the same: request and answer authenticate"))
	case e.config.Acquirer.mac() != "off":
		f.more = append(f.more, selftest.Missed(selftest.Keys, "MAC key and the bank's", "the acquirer authenticates no echo test (mac_sign_on): the next sale shows it"))
	}
	if p.Timed {
		f.more = append(f.more, clockOf(p.Ahead, e.now()))
	}
	return f
}

func (e *examiner) stranger(host, code string) selftest.Finding {
	t := e.profile.Terminal
	return selftest.Bad("wrong_terminal_id", host, fmt.Sprintf("The host %s does not know the terminal %s of the merchant %s: it answers with code %s.", host, t.ID, t.MerchantID, code))
}

// disagrees says that terminal and bank have not the same MAC key.
func (e *examiner) disagrees(p lane.Probed) selftest.Finding {
	const subject = "MAC key and the bank's"
	said := "its answer has no MAC that this terminal's key makes"
	if p.Response.Code != "" && p.Response.Verdict != terminal.VerdictApproved {
		said = "it answers with code " + p.Response.Code
	}
	if e.config.Acquirer.sessionKeys() {
		return selftest.Bad("wrong_key_version", subject, fmt.Sprintf("The host %s has other session keys than this terminal: %s.", p.Host, said))
	}
	serial := ""
	if len(p.Key.KSN) > 0 {
		serial = fmt.Sprintf(" with the serial number %X", p.Key.KSN)
	}
	return selftest.Bad("wrong_mac_key", subject, fmt.Sprintf("The host %s does not take this terminal's MAC key%s: %s.", p.Host, serial, said))
}

// unknownTerminal are the codes of a host that does not know terminal or merchant (DE 39: 03, 58, 89; in 1993 109 and 120).
func (e *examiner) unknownTerminal(code string) bool {
	if e.config.Acquirer.Dialect == dialectV93 {
		return code == "109" || code == "120"
	}
	return code == "03" || code == "58" || code == "89"
}

// clockOf judges how far the bank's clock is before ours.
func clockOf(ahead time.Duration, now time.Time) selftest.Finding {
	if ahead.Abs() <= terminal.ClockTolerance {
		return selftest.Good(selftest.Clock, "bank", fmt.Sprintf("%s apart", ahead.Abs().Round(time.Second)))
	}
	word := "behind"
	if ahead < 0 {
		word = "ahead of"
	}
	return selftest.Bad("clock_skew", "bank", fmt.Sprintf("This machine's clock says %s, which is %s %s the bank's.", now.Format(time.DateTime), ahead.Abs().Round(time.Second), word))
}

// silent judges a host that took the connection and gave no answer that is one.
func (e *examiner) silent(p lane.Probed, stray string) selftest.Finding {
	a := e.config.Acquirer
	settings := fmt.Sprintf("length = %q and length_counts = %q", a.Length, a.LengthCounts)
	if a.Dialect == dialectNAC {
		settings = fmt.Sprintf("tpdu = %q, nii = %q, %s", a.NAC.TPDU, a.NAC.NII, settings)
	}
	switch {
	case stray != "":
		return selftest.Bad("wrong_tpdu", p.Host, fmt.Sprintf("The host %s answers, and the answer is not to this terminal's message: %s.", p.Host, strings.TrimSuffix(stray, ".")))
	case errors.Is(p.Silent, link.ErrNoAnswer), errors.Is(p.Silent, io.EOF), errors.Is(p.Silent, link.ErrClosed), errors.Is(p.Silent, context.DeadlineExceeded), errors.Is(p.Silent, syscall.ECONNRESET):
		return selftest.Bad("wrong_tpdu", p.Host, fmt.Sprintf("The host %s takes the connection and answers no message: it expects others than %s, or what stands behind its line is down.", p.Host, settings))
	}
	return selftest.Bad("wrong_tpdu", p.Host, fmt.Sprintf("The host %s gave no answer that can be read: %s.", p.Host, inOneLine(p.Silent)))
}

// unreached says why there is no connection.
func unreached(host string, err error, now time.Time) selftest.Finding {
	if f, ok := distrusted(host, err, now); ok {
		return f
	}
	var name *net.DNSError
	switch {
	case errors.As(err, &name):
		return selftest.Bad("host_name", host, fmt.Sprintf("The name of the host %s has no address: %s.", host, name.Err))
	case errors.Is(err, syscall.ECONNREFUSED):
		return selftest.Bad("host_closed", host, fmt.Sprintf("Nobody listens at %s: the connection is refused.", host))
	case errors.Is(err, link.ErrHostTLS):
		return selftest.Bad("host_silent", host, fmt.Sprintf("The host %s takes the connection, and begins no TLS: it says nothing.", host))
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.ENETDOWN), cut():
		return selftest.Bad("network_down", host, fmt.Sprintf("This machine has no network, so that %s cannot be reached: no network card has a line.", host))
	}
	return selftest.Bad("host_unreachable", host, fmt.Sprintf("%s cannot be reached: %s.", host, inOneLine(root(err))))
}

// distrusted says what is wrong with the handshake, where something is.
func distrusted(host string, err error, now time.Time) (selftest.Finding, bool) {
	var (
		wrongName x509.HostnameError
		unknown   x509.UnknownAuthorityError
		invalid   x509.CertificateInvalidError
		record    tls.RecordHeaderError
		network   *net.OpError
	)
	switch {
	case errors.As(err, &wrongName):
		return selftest.Bad("certificate_name", host, fmt.Sprintf("The certificate of %s is for %s, and not for the name %q.", host, namesOf(wrongName.Certificate), wrongName.Host)), true
	case errors.As(err, &unknown):
		return selftest.Bad("wrong_ca", host, fmt.Sprintf("The certificate of %s was not issued by the authority in acquirer.ca.", host)), true
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert != nil:
		return ends(host, "The certificate of the host "+host, invalid.Cert, now), true
	case errors.As(err, &invalid):
		return selftest.Bad("wrong_ca", host, fmt.Sprintf("The certificate of %s is not one that a host may show: %s.", host, inOneLine(invalid))), true
	case errors.As(err, &record):
		return selftest.Bad("host_closed", host, fmt.Sprintf("What listens at %s does not speak TLS, so it is not the acquirer's host.", host)), true
	case errors.As(err, &network) && network.Op == "remote error":
		return selftest.Bad("certificate_refused", host, fmt.Sprintf("The host %s ended the handshake: %s.", host, inOneLine(network.Err))), true
	}
	return selftest.Finding{}, false
}

func namesOf(c *x509.Certificate) string {
	if c == nil {
		return "another name"
	}
	var all []string
	all = append(all, c.DNSNames...)
	for _, ip := range c.IPAddresses {
		all = append(all, ip.String())
	}
	if len(all) == 0 {
		return fmt.Sprintf("%q", c.Subject.CommonName)
	}
	return strings.Join(all, ", ")
}

// cut says that no network card but the loopback has a line and an address.
func cut() bool {
	all, err := net.Interfaces()
	if err != nil {
		return false
	}
	for _, i := range all {
		if i.Flags&net.FlagLoopback != 0 || i.Flags&net.FlagUp == 0 || i.Flags&net.FlagRunning == 0 {
			continue
		}
		if at, err := i.Addrs(); err == nil && len(at) > 0 {
			return false
		}
	}
	return true
}

// root is what the operating system said.
func root(err error) error {
	if no, ok := errors.AsType[syscall.Errno](err); ok {
		return no
	}
	return err
}
