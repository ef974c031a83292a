package link

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"
)

// TLSConfig says where the host is and how it proves that it is the host.
type TLSConfig struct {
	Address     string           // host:port
	ServerName  string           // the name that the host's certificate must carry; empty: the host of Address
	RootCAs     *x509.CertPool   // the acquirer's CA and no other; the system's CAs are not asked
	Certificate *tls.Certificate // the terminal's own, where the acquirer asks for one
	Timeout     time.Duration    // for connecting and handshake together; zero means 10 s
}

// Why a host is not trusted, wrapped with one sentence that says what to do.
var (
	ErrHostCertificate = errors.New("host's certificate refused")
	ErrHostTLS         = errors.New("host's TLS refused")
)

// TLSDialer makes the Dial of a Config: TLS 1.2 or later, the host's certificate issued under RootCAs and for ServerName.
// RootCAs must be given.
func TLSDialer(cfg TLSConfig) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) {
		if cfg.RootCAs == nil {
			return nil, fmt.Errorf("%w: no CA certificate is configured to check it against", ErrHostCertificate)
		}
		timeout := cfg.Timeout
		if timeout <= 0 {
			timeout = 10 * time.Second
		}
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		raw, err := (&net.Dialer{}).DialContext(ctx, "tcp", cfg.Address)
		if err != nil {
			return nil, fmt.Errorf("%s does not answer: check network and address: %w", cfg.Address, err)
		}
		conn, err := handshake(ctx, raw, cfg)
		if err != nil {
			_ = raw.Close() // the handshake's error says more
			return nil, err
		}
		return conn, nil
	}
}

func handshake(ctx context.Context, raw net.Conn, cfg TLSConfig) (net.Conn, error) {
	name := cfg.ServerName
	if name == "" {
		host, _, err := net.SplitHostPort(cfg.Address)
		if err != nil {
			return nil, fmt.Errorf("address %q: %w", cfg.Address, err)
		}
		name = host
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: cfg.RootCAs, ServerName: name}
	if cfg.Certificate != nil {
		c.Certificates = []tls.Certificate{*cfg.Certificate}
	}
	conn := tls.Client(raw, c)
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, explain(err, cfg.Address, name)
	}
	return conn, nil
}

// remoteAlert is the operation under which crypto/tls reports an alert that the other end sent.
const remoteAlert = "remote error"

// explain turns a handshake's error into the sentence that a technician needs.
func explain(err error, address, name string) error {
	var (
		wrongName x509.HostnameError
		unknown   x509.UnknownAuthorityError
		invalid   x509.CertificateInvalidError
		network   *net.OpError
		record    tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &wrongName):
		return fmt.Errorf("%w: it is not for the name %q: correct the configured server name, or the host's certificate: %w", ErrHostCertificate, name, err)
	case errors.As(err, &unknown):
		return fmt.Errorf("%w: it is not issued by the configured CA: install the acquirer's CA certificate, and if it is installed do not connect: %w", ErrHostCertificate, err)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return fmt.Errorf("%w: it is expired or not valid yet: check this terminal's clock, then ask the acquirer to renew it: %w", ErrHostCertificate, err)
	case errors.As(err, &invalid):
		return fmt.Errorf("%w: ask the acquirer for a valid one: %w", ErrHostCertificate, err)
	case errors.As(err, &network) && network.Op == remoteAlert:
		return fmt.Errorf("%w: the host ended the handshake: it may want this terminal's certificate, or speak only TLS older than 1.2: %w", ErrHostTLS, err)
	case errors.As(err, &record):
		return fmt.Errorf("%w: %s does not speak TLS: check the port: %w", ErrHostTLS, address, err)
	}
	return fmt.Errorf("%w: handshake with %s: %w", ErrHostTLS, address, err)
}
