package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"tillway/iso8583/link"
	"tillway/terminal/lane"
	"tillway/terminal/selftest"
	"tillway/till"
)

// TestHostFaults: each failure of the link has its name, which is one of docs/faults.md, a cause that names the address, and what to do.
func TestHostFaults(t *testing.T) {
	certificate := func(err error) error { return fmt.Errorf("connect to the host: %w: %w", link.ErrHostCertificate, err) }
	dated := func(from, to time.Duration) *x509.Certificate {
		return &x509.Certificate{NotBefore: time.Now().Add(from), NotAfter: time.Now().Add(to)}
	}
	op := func(op string, err error) error { return &net.OpError{Op: op, Err: err} }
	for want, all := range map[string][]lane.Trial{
		"host_closed":         {{Step: lane.TrialConnect, Err: op("dial", os.NewSyscallError("connect", syscall.ECONNREFUSED))}},
		"host_name":           {{Step: lane.TrialConnect, Err: op("dial", &net.DNSError{Err: "no such host"})}},
		"network_down":        {{Step: lane.TrialConnect, Err: op("dial", syscall.ENETUNREACH)}, {Step: lane.TrialConnect, Err: op("dial", syscall.ENETDOWN)}},
		"host_unreachable":    {{Step: lane.TrialConnect, Err: op("dial", context.DeadlineExceeded)}, {Step: lane.TrialConnect, Err: op("dial", syscall.EHOSTUNREACH)}},
		"wrong_ca":            {{Step: lane.TrialConnect, Err: certificate(x509.UnknownAuthorityError{})}},
		"certificate_name":    {{Step: lane.TrialConnect, Err: certificate(x509.HostnameError{Certificate: dated(0, 0), Host: "a"})}},
		"certificate_expired": {{Step: lane.TrialConnect, Err: certificate(x509.CertificateInvalidError{Reason: x509.Expired, Cert: dated(-2*time.Hour, -time.Hour)})}},
		"certificate_not_yet": {{Step: lane.TrialConnect, Err: certificate(x509.CertificateInvalidError{Reason: x509.Expired, Cert: dated(time.Hour, 2*time.Hour)})}},
		"certificate_refused": {{Step: lane.TrialConnect, Err: fmt.Errorf("%w: %w", link.ErrHostTLS, op("remote error", errors.New("certificate required")))}},
		"host_silent": {
			{Step: lane.TrialSignOn, Err: link.ErrNoAnswer},
			{Step: lane.TrialEcho, Err: link.ErrClosed},
			{Step: lane.TrialSignOn, Err: link.ErrFrame},
			{Step: lane.TrialConnect, Err: fmt.Errorf("%w: handshake: %w", link.ErrHostTLS, context.DeadlineExceeded)},
			{Step: lane.TrialConnect, Err: fmt.Errorf("%w: handshake: EOF", link.ErrHostTLS)},
		},
		"mac_key_missing":   {{Step: lane.TrialSignOn, NoKeys: true, Err: errors.New("x")}},
		"wrong_mac_key":     {{Step: lane.TrialSignOn, Forged: true, Err: errors.New("x")}, {Step: lane.TrialSignOn, Refused: "63", Err: errors.New("x")}},
		"wrong_terminal_id": {{Step: lane.TrialSignOn, Refused: "03", Err: errors.New("x")}, {Step: lane.TrialSignOn, Refused: "109", Err: errors.New("x")}},
		"host_refuses":      {{Step: lane.TrialEcho, Refused: "91", Err: errors.New("x")}},
	} {
		if _, known := selftest.Find(want); !known {
			t.Errorf("%s is in no row of selftest.Faults", want)
		}
		for _, trial := range all {
			trial.Address = "host.example:8583"
			h := hostTested(trial)
			if h.Status != till.HostFault || h.Fault != want || !strings.Contains(h.Cause, trial.Address) || !strings.HasSuffix(h.Cause, ".") || !strings.HasSuffix(h.Fix, ".") {
				t.Errorf("%v at %s: %+v, want %s", trial.Err, trial.Step, h, want)
			}
		}
	}
}

// TestStandbyIsAWarning: while one address answers, another that does not is no fault; where none does, all are.
func TestStandbyIsAWarning(t *testing.T) {
	ok, bad := till.HostTested{Status: till.HostAnswers}, till.HostTested{Status: till.HostFault}
	if got := standbys(till.HostTest{Hosts: []till.HostTested{ok, bad}}); got.Hosts[1].Status != till.HostWarning || got.OK() {
		t.Errorf("%+v", got)
	}
	if got := standbys(till.HostTest{Hosts: []till.HostTested{bad, bad}}); got.Hosts[0].Status != till.HostFault || got.OK() {
		t.Errorf("%+v", got)
	}
	if got := hostTested(lane.Trial{Address: "a", Step: lane.TrialDone, Connect: 1, SignOn: 1_000_001, Echo: time.Second}); got.Connect != 1 || got.SignOn != 2 || got.Echo != 1000 || got.Status != till.HostAnswers {
		t.Errorf("%+v", got)
	}
}
