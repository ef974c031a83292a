package certificate_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tillway/till/certificate"
)

var hosts = []string{"localhost", "127.0.0.1", "::1", "192.0.2.7"}

func trusts(t *testing.T, folder string, cert tls.Certificate, host string, at time.Time) error {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, certificate.CAFile))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		t.Fatal("the authority's file holds no certificate")
	}
	_, err = cert.Leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: host, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	return err
}

// A register that has the terminal's authority trusts its certificate for every host that was named and for no other, for a year.
func TestOwnCertificate(t *testing.T) {
	folder, now := t.TempDir(), time.Now()
	cert, made, err := certificate.Own(folder, hosts, now)
	if err != nil || !made {
		t.Fatal(made, err)
	}
	for _, h := range hosts {
		if err := trusts(t, folder, cert, h, now); err != nil {
			t.Errorf("%s: %v", h, err)
		}
	}
	for host, at := range map[string]time.Time{"192.0.2.8": now, "example.com": now, "localhost": now.Add(certificate.Life + time.Hour)} {
		if trusts(t, folder, cert, host, at) == nil {
			t.Errorf("trusted for %s at %s", host, at)
		}
	}
	for name, mode := range map[string]os.FileMode{"ca.pem": 0o644, "ca.key": 0o600, "server.pem": 0o600} {
		if fi, err := os.Stat(filepath.Join(folder, name)); err != nil || fi.Mode() != mode {
			t.Errorf("%s: %v, %v", name, fi.Mode(), err)
		}
	}
	left, err := filepath.Glob(filepath.Join(folder, "*.new"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// It stays as it is while it is good, and is made anew, under the same authority, when it ends soon, is for other hosts, or is damaged.
func TestOwnCertificateIsRenewed(t *testing.T) {
	folder, now := t.TempDir(), time.Now().Truncate(time.Second) // as certificates have it
	first, _, err := certificate.Own(folder, hosts, now)
	if err != nil {
		t.Fatal(err)
	}
	own := func(hosts []string, at time.Time) (tls.Certificate, bool) {
		t.Helper()
		c, made, err := certificate.Own(folder, hosts, at)
		if err != nil {
			t.Fatal(err)
		}
		if err := trusts(t, folder, c, "localhost", at); err != nil {
			t.Error(err)
		}
		return c, made
	}
	if c, made := own(hosts, now.Add(certificate.Life-certificate.Renew)); made || !c.Leaf.Equal(first.Leaf) {
		t.Error("made anew while it was good")
	}
	if _, made := own(hosts, now.Add(certificate.Life-certificate.Renew+time.Minute)); !made {
		t.Error("not renewed when less than 30 days were left")
	}
	if _, made := own(hosts[:3], now); !made {
		t.Error("still shown for an address that the door has no more")
	}
	if _, made := own(append(slices.Clone(hosts), "till.example"), now); !made {
		t.Error("not made for a new name")
	}
	if err := os.WriteFile(filepath.Join(folder, "server.pem"), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, made := own(hosts, now); !made {
		t.Error("a damaged one was not made anew")
	}
	if _, made := own(hosts, now.Add(-48*time.Hour)); !made {
		t.Error("one from the future is shown")
	}
	ca, err := os.ReadFile(filepath.Join(folder, certificate.CAFile))
	if err != nil {
		t.Fatal(err)
	}
	own(hosts, now.Add(10*certificate.Life))
	if again, _ := os.ReadFile(filepath.Join(folder, certificate.CAFile)); string(again) != string(ca) {
		t.Error("the authority changed: every register would have to be given the new one")
	}
	own(hosts, now.Add(19*certificate.Life+time.Hour))
	if again, _ := os.ReadFile(filepath.Join(folder, certificate.CAFile)); string(again) == string(ca) {
		t.Error("the authority would end before its certificate")
	}
}

// What is wrong with an authority's files is said, and nothing is made over them; without its certificate, a key is made anew.
func TestDamagedAuthority(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, folder string){
		"key is gone":     func(t *testing.T, f string) { must(t, os.Remove(filepath.Join(f, "ca.key"))) },
		"key is another":  func(t *testing.T, f string) { must(t, os.WriteFile(filepath.Join(f, "ca.key"), otherKey(t), 0o600)) },
		"certificate bad": func(t *testing.T, f string) { must(t, os.WriteFile(filepath.Join(f, "ca.pem"), []byte("x"), 0o600)) },
		"no authority": func(t *testing.T, f string) {
			text, err := os.ReadFile(filepath.Join(f, "server.pem"))
			must(t, err)
			must(t, errors.Join(os.WriteFile(filepath.Join(f, "ca.pem"), text, 0o600), os.WriteFile(filepath.Join(f, "ca.key"), text, 0o600)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			if _, _, err := certificate.Own(folder, hosts, time.Now()); err != nil {
				t.Fatal(err)
			}
			spoil(t, folder)
			if _, _, err := certificate.Own(folder, hosts, time.Now()); err == nil || !strings.Contains(err.Error(), "to have new ones made") || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v", err)
			}
			must(t, errors.Join(os.RemoveAll(filepath.Join(folder, "ca.pem"))))
			if _, made, err := certificate.Own(folder, hosts, time.Now()); err != nil || !made {
				t.Errorf("after it was moved away: %v", err)
			}
		})
	}
}

func otherKey(t *testing.T) []byte {
	t.Helper()
	folder := t.TempDir()
	_, _, err := certificate.Own(folder, hosts, time.Now())
	must(t, err)
	text, err := os.ReadFile(filepath.Join(folder, "ca.key"))
	must(t, err)
	return text
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestHosts(t *testing.T) {
	loopback := []string{"localhost", "127.0.0.1", "::1"}
	system := func() ([]net.Addr, error) {
		return []net.Addr{
			&net.IPNet{IP: net.ParseIP("192.0.2.9")}, &net.IPNet{IP: net.ParseIP("127.0.0.1")}, &net.IPNet{IP: net.ParseIP("fe80::1")}, &net.IPNet{IP: net.ParseIP("2001:db8::2")},
		}, nil
	}
	for _, c := range []struct {
		listen string
		extra  []string
		want   []string
	}{
		{"127.0.0.1:8443", nil, loopback},
		{"[::1]:8443", nil, loopback},
		{"192.0.2.7:8443", []string{"Till.Example"}, append(slices.Clone(loopback), "till.example", "192.0.2.7")},
		{"till.example:8443", nil, append(slices.Clone(loopback), "till.example")},
		{":8443", nil, append(slices.Clone(loopback), "192.0.2.9", "2001:db8::2")},
		{"0.0.0.0:8443", nil, append(slices.Clone(loopback), "192.0.2.9", "2001:db8::2")},
	} {
		if got, err := certificate.Hosts(c.listen, c.extra, system); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, %v, want %v", c.listen, got, err, c.want)
		}
	}
	if _, err := certificate.Hosts("nowhere", nil, system); err == nil {
		t.Error("an address without a port is taken")
	}
}

// A certificate of somebody else's is taken while it is good; every file that is not is refused in one sentence.
func TestLoadedFiles(t *testing.T) {
	folder, now := t.TempDir(), time.Now()
	_, _, err := certificate.Own(folder, hosts, now)
	must(t, err)
	own, ca := filepath.Join(folder, "server.pem"), filepath.Join(folder, "ca.pem")
	if _, err := certificate.Load(own, own, now); err != nil {
		t.Error(err)
	}
	if _, err := certificate.Clients(ca); err != nil {
		t.Error(err)
	}
	text := filepath.Join(folder, "text")
	must(t, os.WriteFile(text, []byte("no PEM"), 0o600))
	for name, try := range map[string]func() error{
		"not there":     func() error { _, err := certificate.Load(own+"x", own, now); return err },
		"another's key": func() error { _, err := certificate.Load(ca, own, now); return err },
		"no PEM":        func() error { _, err := certificate.Load(text, text, now); return err },
		"ended":         func() error { _, err := certificate.Load(own, own, now.Add(2*certificate.Life)); return err },
		"not yet":       func() error { _, err := certificate.Load(own, own, now.Add(-48*time.Hour)); return err },
		"clients gone":  func() error { _, err := certificate.Clients(own + "x"); return err },
		"clients text":  func() error { _, err := certificate.Clients(text); return err },
	} {
		if err := try(); err == nil || !strings.HasPrefix(err.Error(), "ecr.") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
