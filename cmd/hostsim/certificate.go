package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

const (
	caLife     = 10 * 365 * 24 * time.Hour
	serverLife = 90 * 24 * time.Hour
	maxPEM     = 64 << 10
)

// authority is the simulator's own certificate authority. It can only sign for this machine (name constraints).
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// certificate makes a fresh server certificate, kept in memory only, from the authority in dir; it makes the authority
// where there is none or too little of its life is left. It returns the path of the certificate that terminals trust.
func certificate(dir string, now time.Time) (tls.Certificate, string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return tls.Certificate{}, "", fmt.Errorf("--state %s cannot be made: give a folder that you can write to: %w", dir, err)
	}
	certPath, keyPath := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "ca-key.pem")
	ca, err := loadAuthority(certPath, keyPath)
	if errors.Is(err, fs.ErrNotExist) || (err == nil && now.Add(serverLife).After(ca.cert.NotAfter)) {
		ca, err = makeAuthority(certPath, keyPath, now)
	}
	if err != nil {
		return tls.Certificate{}, "", err
	}
	cert, err := ca.issue(now)
	return cert, certPath, err
}

// loadAuthority reads both files; the error is fs.ErrNotExist (wrapped) where either is missing.
func loadAuthority(certPath, keyPath string) (authority, error) {
	info, err := os.Stat(keyPath)
	if err != nil {
		return authority{}, fmt.Errorf("certificate authority: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return authority{}, fmt.Errorf("%s can be read by others: run chmod 600 on it, or delete it for a new authority", keyPath)
	}
	certDER, err := readPEM(certPath, "CERTIFICATE")
	if err != nil {
		return authority{}, err
	}
	keyDER, err := readPEM(keyPath, "EC PRIVATE KEY")
	if err != nil {
		return authority{}, err
	}
	cert, errC := x509.ParseCertificate(certDER)
	key, errK := x509.ParseECPrivateKey(keyDER)
	if err := errors.Join(errC, errK); err != nil {
		return authority{}, fmt.Errorf("%s and %s cannot be used: delete both for a new authority: %w", certPath, keyPath, err)
	}
	if pub, ok := cert.PublicKey.(*ecdsa.PublicKey); !ok || !pub.Equal(&key.PublicKey) {
		return authority{}, fmt.Errorf("%s and %s do not belong together: delete both for a new authority", certPath, keyPath)
	}
	return authority{cert, key}, nil
}

func readPEM(path, kind string) ([]byte, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	block, rest := pem.Decode(raw)
	if len(raw) > maxPEM || block == nil || block.Type != kind || len(bytes.TrimSpace(rest)) > 0 {
		return nil, fmt.Errorf("%s is not one PEM block %q: delete it for a new authority", path, kind)
	}
	return block.Bytes, nil
}

func makeAuthority(certPath, keyPath string, now time.Time) (authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return authority{}, fmt.Errorf("authority's key: %w", err)
	}
	serial, err := serialNumber()
	if err != nil {
		return authority{}, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "Tillway host simulator, test only"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(caLife),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign,
		PermittedDNSDomainsCritical: true, PermittedDNSDomains: []string{"localhost"},
		PermittedIPRanges: []*net.IPNet{
			{IP: net.IPv4(127, 0, 0, 0).To4(), Mask: net.CIDRMask(8, 32)}, {IP: net.IPv6loopback, Mask: net.CIDRMask(128, 128)},
		},
	}
	certDER, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return authority{}, fmt.Errorf("authority's certificate: %w", err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return authority{}, fmt.Errorf("authority's key: %w", err)
	}
	if err := writePEM(keyPath, "EC PRIVATE KEY", keyDER, 0o600); err != nil {
		return authority{}, err
	}
	if err := writePEM(certPath, "CERTIFICATE", certDER, 0o644); err != nil {
		return authority{}, err
	}
	cert, err := x509.ParseCertificate(certDER)
	if err != nil {
		return authority{}, fmt.Errorf("authority's certificate: %w", err)
	}
	return authority{cert, key}, nil
}

// writePEM puts a whole file in place, never half of one, and never readable by more than mode says.
func writePEM(path, kind string, der []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // made with 0600
	if err != nil {
		return fmt.Errorf("--state %s cannot be written to: give another folder, or the right to write: %w", filepath.Dir(path), err)
	}
	defer os.Remove(f.Name())
	err = errors.Join(pem.Encode(f, &pem.Block{Type: kind, Bytes: der}), f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// issue makes the server's certificate for this machine's own names.
func (a authority) issue(now time.Time) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("server key: %w", err)
	}
	serial, err := serialNumber()
	if err != nil {
		return tls.Certificate{}, err
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "localhost"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(serverLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}, a.cert, &key.PublicKey, a.key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("server certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

func serialNumber() (*big.Int, error) {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, fmt.Errorf("serial number: %w", err)
	}
	return n.Add(n, big.NewInt(1)), nil
}
