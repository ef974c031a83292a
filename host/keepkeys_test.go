package host_test

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tillway/device/secure/x9"
	"tillway/host"
	"tillway/host/ledger"
)

// onDisk lets a configuration's books lie in a folder; the host that it makes is closed by again, and at the end.
func onDisk(t *testing.T, r *rig, cfg host.Config) (dir string, again func()) {
	t.Helper()
	dir = t.TempDir()
	cfg.Books = func(records func(ledger.Record) error) (*ledger.Ledger, error) {
		return ledger.Open(t.Context(), dir, records)
	}
	start := func() {
		t.Helper()
		h, err := host.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		r.h = h
	}
	start()
	t.Cleanup(func() { _ = r.h.Close() })
	return dir, func() {
		t.Helper()
		if err := r.h.Close(); err != nil {
			t.Fatal(err)
		}
		start()
	}
}

// TestKeysOverARestart: a key serial number that was used before the host was started again is used after it too, and a wrong PIN
// counts with those before.
func TestKeysOverARestart(t *testing.T) {
	for _, c := range []struct {
		method string
		aes    bool
	}{{host.MACAlg3, false}, {host.MACCMAC, true}} {
		cfg := secureConfig(t, c.method, c.aes)
		keys := cfg.Terminals[0].Keys
		s := &till{rig: &rig{t: t, codec: cfg.Codec}, aes: c.aes, method: c.method, pin: device(t, keys.PIN), mac: device(t, keys.MAC)}
		_, again := onDisk(t, s.rig, cfg)
		stan := 0
		buy := func(pin string) ([]byte, string) {
			stan++
			m, _ := s.sale(debit, stan, 10_525)
			s.withPIN(m, debit, pin, x9.PINFormat0)
			frame, verify := s.frame(m)
			code, _, _ := s.ask(frame, verify)
			return frame, code
		}
		first, code := buy("1234")
		if code != "00" {
			t.Fatalf("sale: %s", code)
		}
		for i, want := range []string{"55", "55", "75", "75"} {
			again()
			if code, _, signed := s.ask(first, func([]byte) bool { return true }); code != "63" || signed {
				t.Errorf("the first message after restart %d: %s, authenticated %t; want 63", i+1, code, signed)
			}
			if _, code := buy("1111"); code != want {
				t.Errorf("wrong PIN after restart %d: %s, want %s", i+1, code, want)
			}
		}
		s.books()
	}
}

// TestSessionKeysOverARestart: the keys in force stay so; those that were sent and not proved can still be proved; orders stay; and
// none of the keys is on the disk in the clear.
func TestSessionKeysOverARestart(t *testing.T) {
	for _, f := range sessionForms() {
		t.Run(f.name, func(t *testing.T) {
			m := newMember(t, f)
			cfg := secureConfig(t, f.method, f.aes)
			cfg.Security.KeyCode, cfg.Security.KeyField = "920101", 48
			cfg.Terminals[0].Keys = &host.Keys{Master: unhex(t, f.master), AES: f.aes, ECB: f.ecb}
			dir, again := onDisk(t, m.rig, cfg)
			m.exchange()
			again()
			if code, signed := m.buy(m.pin, m.mac, "1234"); code != "00" || !signed {
				t.Errorf("after a restart: %s, authenticated %t", code, signed)
			}
			pin, mac, agree := m.receive(m.mac)
			again()
			if code, signed := m.buy(m.pin, m.mac, "1234"); code != "00" || !signed || !agree {
				t.Errorf("the old keys after a restart: %s, authenticated %t", code, signed)
			}
			if code, signed := m.buy(pin, mac, "1234"); code != "00" || !signed {
				t.Errorf("the new keys: %s, authenticated %t", code, signed)
			}
			again()
			if code, signed := m.buy(m.pin, m.mac, "1234"); code != "63" || signed {
				t.Errorf("the old keys after the new: %s, authenticated %t", code, signed)
			}
			if held := m.h.Held(); held[0].Made != 2 || held[0].Waiting {
				t.Errorf("held %+v", held)
			}
			if err := m.h.Order(tid, host.OrderExchange); err != nil {
				t.Fatal(err)
			}
			again()
			if held := m.h.Held(); held[0].Order != host.OrderExchange {
				t.Errorf("the order is forgotten: %+v", held)
			}
			if err := m.h.Order(tid, host.DisagreeForget); err != nil {
				t.Fatal(err)
			}
			again()
			if code, _ := m.buy(pin, mac, "1234"); code != "63" {
				t.Errorf("keys that were forgotten: %s", code)
			}
			files, err := filepath.Glob(filepath.Join(dir, "*"))
			if err != nil || len(files) == 0 {
				t.Fatalf("%d files: %v", len(files), err)
			}
			for _, name := range files {
				b, err := os.ReadFile(name)
				if err != nil {
					t.Fatal(err)
				}
				for _, key := range [][]byte{pin, mac, m.pin, m.mac} {
					if bytes.Contains(b, key) || strings.Contains(strings.ToUpper(string(b)), hexOf(key)) {
						t.Errorf("%s has a session key in the clear", filepath.Base(name))
					}
				}
			}
		})
	}
}

// TestOtherKeysAfterARestart: keys that the configuration has changed begin anew, and what was kept of the old ones is no hindrance.
func TestOtherKeysAfterARestart(t *testing.T) {
	f, other := sessionForms()[0], sessionForms()[0]
	other.master = "5D4C3B2A190807F6E5D4C3B2A1908F7F"
	m := newMember(t, f)
	cfg := secureConfig(t, f.method, f.aes)
	cfg.Security.KeyCode, cfg.Security.KeyField = "920101", 48
	keys := &host.Keys{Master: unhex(t, f.master)}
	cfg.Terminals[0].Keys = keys
	_, again := onDisk(t, m.rig, cfg)
	m.exchange()
	keys.Master, m.sessionForm = unhex(t, other.master), other
	again()
	if code, signed := m.buy(m.pin, m.mac, "1234"); code != "63" || signed {
		t.Errorf("keys under the master key of before: %s, authenticated %t", code, signed)
	}
	m.mac = nil
	m.exchange()
	if code, signed := m.buy(m.pin, m.mac, "1234"); code != "00" || !signed {
		t.Errorf("keys under the new one: %s, authenticated %t", code, signed)
	}
}

func hexOf(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) }
