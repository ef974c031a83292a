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
	"time"

	"tillway/iso8583/link"
	"tillway/terminal/lane"
	"tillway/till"
)

// hostTest tries every address of the acquirer. The last one first: what is connected behind it is the address that a sale would take.
func hostTest(l *lane.Lane, acquirer string) func(context.Context) (till.HostTest, error) {
	return func(ctx context.Context) (till.HostTest, error) {
		names := l.Hosts()
		t := till.HostTest{Acquirer: acquirer, Hosts: make([]till.HostTested, len(names))}
		for at := len(names) - 1; at >= 0; at-- {
			trial, err := l.TestHost(ctx, at)
			if err != nil {
				return till.HostTest{}, err
			}
			t.Hosts[at] = hostTested(trial)
		}
		return standbys(t), nil
	}
}

// standbys makes a fault of one address a warning where another one answers: sales go there.
func standbys(t till.HostTest) till.HostTest {
	answers := false
	for _, h := range t.Hosts {
		answers = answers || h.Status == till.HostAnswers
	}
	for i := range t.Hosts {
		if h := &t.Hosts[i]; answers && h.Status == till.HostFault {
			h.Status = till.HostWarning
		}
	}
	return t
}

// hostTested is a trial in the words of people and programs.
func hostTested(t lane.Trial) till.HostTested {
	h := till.HostTested{
		Address: t.Address, Status: till.HostAnswers, Step: string(t.Step), Code: t.Refused,
		Connect: milliseconds(t.Connect), SignOn: milliseconds(t.SignOn), Echo: milliseconds(t.Echo),
	}
	if t.Err == nil {
		return h
	}
	f := hostFault(t)
	h.Status, h.Fault, h.Cause, h.Fix = till.HostFault, f.id, f.cause, f.fix
	return h
}

// milliseconds rounds up: what was done took some time.
func milliseconds(d time.Duration) int64 {
	return int64((d + time.Millisecond - 1) / time.Millisecond)
}

// hostFaulty is a named failure of the link: its id as in docs/faults.md, the cause and what to do, one sentence each.
type hostFaulty struct{ id, cause, fix string }

// hostFault names what was wrong with an address. The step says how far the trial came, the error why not further.
func hostFault(t lane.Trial) hostFaulty {
	name, err := t.Address, t.Err
	switch {
	case t.NoKeys:
		return hostFaulty{"mac_key_missing", "The key that messages to " + name + " are authenticated with is missing.", "Load it with pos keys import."}
	case t.Forged:
		return hostFaulty{
			"wrong_mac_key", "The answer of " + name + " is not authenticated with this terminal's key.",
			"Compare the check value with the bank's (pos keys status), and load the key that the bank has with pos keys import.",
		}
	case t.Refused != "":
		return refusedBy(name, t.Refused)
	case t.Step != lane.TrialConnect:
		return silentAt(t)
	case errors.Is(err, link.ErrHostCertificate):
		return certificateFault(name, err)
	case errors.Is(err, link.ErrHostTLS):
		return tlsFault(name, err)
	}
	return networkFault(name, err)
}

// refusedBy is a host that answered and refused. What its codes mean is ISO 8583:1987, DE 39; 1993 hosts have three digits.
func refusedBy(name, code string) hostFaulty {
	switch code {
	case "03", "58", "89", "109", "110", "111", "112":
		return hostFaulty{
			"wrong_terminal_id", fmt.Sprintf("%s does not know this terminal: code %s.", name, code),
			"Compare terminal.id and merchant_id of the profile with what the acquirer gave.",
		}
	case "63", "88", "915", "916":
		return hostFaulty{
			"wrong_mac_key", fmt.Sprintf("%s cannot check this terminal's messages: code %s.", name, code),
			"Compare the check value with the bank's (pos keys status), and load the key that the bank has with pos keys import.",
		}
	}
	return hostFaulty{"host_refuses", fmt.Sprintf("%s refuses the sign-on or the echo test: code %s.", name, code), "Call the acquirer, and name the code."}
}

// silentAt is a connection that stands, and over which no answer came.
func silentAt(t lane.Trial) hostFaulty {
	why := "does not answer the " + string(t.Step)
	switch {
	case errors.Is(t.Err, link.ErrFrame):
		why = "answers what cannot be a message"
	case errors.Is(t.Err, link.ErrClosed):
		why = "ended the connection in place of answering the " + string(t.Step)
	}
	return hostFaulty{
		"host_silent", t.Address + " takes the connection, and " + why + ".",
		"Compare acquirer.nac.tpdu and framing with what the acquirer gave; if they are right, call the acquirer: the line stands, and its host does not answer.",
	}
}

func certificateFault(name string, err error) hostFaulty {
	var (
		wrongName x509.HostnameError
		invalid   x509.CertificateInvalidError
	)
	switch {
	case errors.As(err, &wrongName):
		return hostFaulty{
			"certificate_name", "The certificate of " + name + " is for another name.",
			"Write the name that the acquirer gave into acquirer.server_name, or correct acquirer.address.",
		}
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert != nil && time.Now().Before(invalid.Cert.NotBefore):
		return hostFaulty{"certificate_not_yet", "The certificate of " + name + " is not valid yet.", "Set the clock of this machine if it is behind; else call the acquirer."}
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return hostFaulty{"certificate_expired", "The certificate of " + name + " has expired.", "Set the clock of this machine if it is ahead; else call the acquirer for a new one."}
	}
	return hostFaulty{
		"wrong_ca", "The certificate of " + name + " is of another authority than the acquirer's.",
		"Put the acquirer's CA certificate into the file that acquirer.ca names; if it is there already, call the acquirer: somebody may sit on the line.",
	}
}

func tlsFault(name string, err error) hostFaulty {
	if network, ok := errors.AsType[*net.OpError](err); ok && network.Op == "remote error" {
		return hostFaulty{
			"certificate_refused", name + " ended the TLS handshake: it may want this terminal's certificate.",
			"Name the certificate that the acquirer issued in acquirer.certificate and acquirer.key.",
		}
	}
	if timedOut(err) {
		return hostFaulty{"host_silent", name + " takes the connection, and does not begin TLS.", "Compare the port of acquirer.address with what the acquirer gave; if it is right, call the acquirer."}
	}
	return hostFaulty{"host_silent", name + " does not speak TLS as it should.", "Compare the port of acquirer.address with what the acquirer gave; if it is right, call the acquirer."}
}

func networkFault(name string, err error) hostFaulty {
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns):
		return hostFaulty{"host_name", "The name in " + name + " has no address.", "Correct acquirer.address, or put this machine's name server right."}
	case errors.Is(err, syscall.ECONNREFUSED):
		return hostFaulty{"host_closed", "Nobody listens at " + name + ".", "Compare acquirer.address with what the acquirer gave; if it is right, call the acquirer."}
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.ENETDOWN):
		return hostFaulty{"network_down", "This machine has no network to reach " + name + " by.", "Plug the network cable in, or put the network right; ip link shows it."}
	}
	return hostFaulty{
		"host_unreachable", name + " cannot be reached: " + oneSentence(err) + ".",
		"Look at cable, router and firewall of the shop; if they are right, call the acquirer.",
	}
}

func timedOut(err error) bool {
	var t interface{ Timeout() bool }
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &t) && t.Timeout()
}

// oneSentence is the innermost of an error's words.
func oneSentence(err error) string {
	if timedOut(err) {
		return "no answer in time"
	}
	text := err.Error()
	return strings.TrimSuffix(text[strings.LastIndex(text, ": ")+1:], ".")
}
