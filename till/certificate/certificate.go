// Package certificate makes and renews the certificate that posd shows to cash registers: a small certification authority of the
// terminal's own, and a certificate under it for the names and addresses that the door has. A register is given ca.pem once and trusts
// nothing else; nobody has to switch checks off.
//
// It is no public key infrastructure: one authority, one certificate, no revocation list. Who has certificates of their own names them in
// the config (Load).
//
// Sources: RFC 5280, 4.2.1 (extensions) and 6.1 (what a client checks); CA/Browser Forum baseline requirements, 6.3.2 (lifetimes, which
// browsers and Node's OpenSSL go by).
package certificate

import (
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
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Lifetimes. A certificate is made anew when less than Renew of it is left; the authority, when a certificate of full life would outlive it.
const (
	Life    = 365 * 24 * time.Hour
	Renew   = 30 * 24 * time.Hour
	caLife  = 20 * 365 * 24 * time.Hour
	early   = 24 * time.Hour // before it was made a certificate is good, and the authority caEarly: clocks go wrong, also ours
	caEarly = Life
)

// File names in the folder.
const (
	CAFile    = "ca.pem"     // for every register; no secret
	caKeyFile = "ca.key"     // mode 0600
	ownFile   = "server.pem" // certificate and key in one, so that no power cut can leave two that do not fit
)

// Own is the terminal's own certificate for hosts, names and IP addresses, kept in folder, which must be there. It is made where there is
// none, where it ends soon or has ended, where it is for other hosts, or where it is not of this authority. made says that. Its error is
// one sentence that says what to do.
func Own(folder string, hosts []string, now time.Time) (cert tls.Certificate, made bool, err error) {
	ca, err := authority(folder, now)
	if err != nil {
		return cert, false, err
	}
	path := filepath.Join(folder, ownFile)
	if cert, err := tls.LoadX509KeyPair(path, path); err == nil && good(cert.Leaf, ca.cert, hosts, now) {
		return cert, false, nil
	}
	text, err := ca.issue(hosts, now)
	if err != nil {
		return cert, false, fmt.Errorf("certificate of the ECR door: %w", err)
	}
	if err := write(path, text, 0o600); err != nil {
		return cert, false, fmt.Errorf("certificate of the ECR door: %w: make the folder %s writable for posd", err, folder)
	}
	cert, err = tls.X509KeyPair(text, text)
	return cert, true, err
}

// good says whether a certificate can go on being shown.
func good(leaf, ca *x509.Certificate, hosts []string, now time.Time) bool {
	if now.Before(leaf.NotBefore) || leaf.NotAfter.Sub(now) < Renew || leaf.CheckSignatureFrom(ca) != nil {
		return false
	}
	for _, h := range hosts {
		if leaf.VerifyHostname(h) != nil {
			return false
		}
	}
	return len(leaf.DNSNames)+len(leaf.IPAddresses) == len(hosts) // one for a host that the door has no more is another's to misuse
}

// pair is the authority.
type pair struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// authority reads the terminal's authority, or makes it.
func authority(folder string, now time.Time) (pair, error) {
	certPath, keyPath := filepath.Join(folder, CAFile), filepath.Join(folder, caKeyFile)
	certText, err := os.ReadFile(certPath) //nolint:gosec // a file of the state folder
	if errors.Is(err, fs.ErrNotExist) {
		return newAuthority(certPath, keyPath, now)
	}
	if err != nil {
		return pair{}, fmt.Errorf("%s: %w", certPath, err)
	}
	const again = "move the folder's files away to have new ones made, and give the new " + CAFile + " to every cash register"
	keyText, err := os.ReadFile(keyPath) //nolint:gosec // a file of the state folder
	if err != nil {
		return pair{}, fmt.Errorf("%s: %w: %s", keyPath, err, again)
	}
	both, err := tls.X509KeyPair(certText, keyText)
	if err != nil {
		return pair{}, fmt.Errorf("%s and %s do not fit: %w: %s", certPath, keyPath, err, again)
	}
	key, ok := both.PrivateKey.(*ecdsa.PrivateKey)
	if !ok || !both.Leaf.IsCA {
		return pair{}, fmt.Errorf("%s is no authority that posd made: %s", certPath, again)
	}
	if both.Leaf.NotAfter.Sub(now) < Life {
		return newAuthority(certPath, keyPath, now)
	}
	return pair{both.Leaf, key}, nil
}

func newAuthority(certPath, keyPath string, now time.Time) (pair, error) {
	fail := func(err error) (pair, error) {
		return pair{}, fmt.Errorf("certification authority of the ECR door: %w", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fail(err)
	}
	serial := number()
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: fmt.Sprintf("Tillway terminal %x", serial.Bytes()[:4])},
		NotBefore: now.Add(-caEarly), NotAfter: now.Add(caLife),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, // what trusts it trusts it for servers alone
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return fail(err)
	}
	keyText, err := keyPEM(key)
	if err != nil {
		return fail(err)
	}
	if err := write(keyPath, keyText, 0o600); err != nil { // the key first: without its certificate it is made anew
		return fail(err)
	}
	if err := write(certPath, certPEM(der), 0o644); err != nil {
		return fail(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return fail(err)
	}
	return pair{cert, key}, nil
}

// issue makes a certificate and its key, the chain with it.
func (p pair) issue(hosts []string, now time.Time) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: number(), Subject: pkix.Name{CommonName: "Tillway terminal"},
		NotBefore: now.Add(-early), NotAfter: now.Add(Life),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true,
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, h)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, p.cert, key.Public(), p.key)
	if err != nil {
		return nil, err
	}
	keyText, err := keyPEM(key)
	if err != nil {
		return nil, err
	}
	return slices.Concat(certPEM(der), keyText), nil
}

// number is a certificate's serial number: 127 random bits, never zero.
func number() *big.Int {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	b[0] = b[0]&0x7F | 0x40
	return new(big.Int).SetBytes(b[:])
}

func certPEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func keyPEM(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// write puts a whole new file in the old one's place, flushed, and flushes the folder.
func write(path string, content []byte, mode fs.FileMode) error {
	fresh := path + ".new"
	f, err := os.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode) //nolint:gosec // a file of the state folder
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(fresh, path); err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Hosts are what a certificate for a door at an address has to name: this machine by all its loopback names, the address itself, and where
// the door listens at every address, all of the machine's, which interfaces lists. extra are names that registers use.
func Hosts(listen string, extra []string, interfaces func() ([]net.Addr, error)) ([]string, error) {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return nil, err
	}
	all := append([]string{"localhost", "127.0.0.1", "::1"}, extra...)
	switch ip, err := netip.ParseAddr(host); {
	case host == "" || err == nil && ip.IsUnspecified():
		addresses, err := interfaces()
		if err != nil {
			return nil, err
		}
		for _, a := range addresses {
			if n, ok := a.(*net.IPNet); ok && !n.IP.IsLinkLocalUnicast() {
				all = append(all, n.IP.String())
			}
		}
	case err == nil:
		all = append(all, ip.Unmap().WithZone("").String())
	default:
		all = append(all, host)
	}
	for i := range all {
		all[i] = strings.ToLower(all[i])
	}
	slices.Sort(all[3+len(extra):]) // in an order of their own, whatever the system's
	var once []string
	for _, h := range all {
		if !slices.Contains(once, h) {
			once = append(once, h)
		}
	}
	return once, nil
}

// Load reads a certificate with its chain and its key that somebody else made, both PEM. Its error is one sentence that says what to do.
func Load(certPath, keyPath string, now time.Time) (tls.Certificate, error) {
	cert, err := tls.LoadX509KeyPair(certPath, keyPath)
	switch {
	case err != nil:
		return cert, fmt.Errorf("ecr.certificate and ecr.key: %w: name the certificate with its chain and its unenciphered key, both PEM", err)
	case now.After(cert.Leaf.NotAfter):
		return cert, fmt.Errorf("ecr.certificate %s ended on %s: put a new one there", certPath, cert.Leaf.NotAfter.Format(time.DateOnly))
	case now.Before(cert.Leaf.NotBefore):
		return cert, fmt.Errorf("ecr.certificate %s is good from %s on: put this machine's clock right, or another certificate there", certPath, cert.Leaf.NotBefore.Format(time.DateOnly))
	}
	return cert, nil
}

// Clients reads the authorities that a register's own certificate has to be of (mTLS).
func Clients(path string) (*x509.CertPool, error) {
	text, err := os.ReadFile(path) //nolint:gosec // the technician names the file
	if err != nil {
		return nil, fmt.Errorf("ecr.client_ca: %w: put the authority's certificates (PEM) there", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("ecr.client_ca %s holds no certificate: it must be PEM", path)
	}
	return pool, nil
}
