package main

import (
	"context"
	crand "crypto/rand"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tillway/device/secure"
	"tillway/device/secure/x9"
	"tillway/emv"
	"tillway/host"
	"tillway/terminal"
)

// member is a terminal with a master key, and the host that has it too.
type member struct {
	t      *testing.T
	stack  *stack
	module *secure.File
	mu     sync.Mutex // guards what follows
	host   *host.Host
	heard  []string
}

// form is a way in which session keys come.
type form struct {
	exchange, mac string
	aes           bool
}

// newMember loads a master key by two people and a key block, and starts the terminal; its first connection brings the
// session keys.
func newMember(t *testing.T, f form, change ...func(*parts)) *member {
	t.Helper()
	m := &member{t: t}
	far := func(c net.Conn, h *host.Host) {
		m.mu.Lock()
		m.host = h
		m.mu.Unlock()
		answerAll(c, h)
	}
	audit := func(p *parts) {
		p.random = crand.Reader
		p.audit = func(_ context.Context, done bool, note string) {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.heard = append(m.heard, fmt.Sprintf("%t %s", done, note))
		}
	}
	m.stack, _ = quickSecured(t, "debit", far, func(a *acquirerConfig, h *host.Config) (module, error) {
		simSecurity(h)
		master := simBytes("3B2A19087F6E5D4C5B4A39281706F5E4")
		h.Security.MAC, h.Security.KeyCode, h.Security.KeyField = f.mac, "920101", 48
		h.Terminals[0].Keys = &host.Keys{Master: master, AES: f.aes, ECB: f.exchange == "ecb"}
		a.NAC.MAC, a.NAC.MACSignOn, a.NAC.KeyExchange, a.NAC.HostOrders = f.mac, true, f.exchange, true
		a.Retry, a.RetryMax, a.Check = duration(10*time.Millisecond), duration(20*time.Millisecond), duration(10*time.Millisecond)
		if f.aes {
			a.NAC.PINBytes = 16
		}
		var err error
		m.module, err = sessionModule(t, a.Name, master, f)
		return m.module, err
	}, append(change, audit)...)
	return m
}

func sessionModule(t *testing.T, set string, master []byte, f form) (*secure.File, error) {
	t.Helper()
	o := secure.Options{Path: filepath.Join(t.TempDir(), "module"), First: true, Keypad: always{}}
	if f.exchange == "ecb" {
		o.Weak = []string{set}
	}
	m, err := secure.Start(t.Context(), o)
	if err != nil {
		return nil, err
	}
	algorithm, head := secure.TDES, x9.KeyBlockHeader{Version: 'B', Usage: "K0", Algorithm: 'T', Mode: 'D', KeyVersion: "00", Exportability: 'N'}
	if f.aes {
		algorithm, head.Version, head.Algorithm = secure.AES128, 'D', 'A'
	}
	shares := []string{"101112131415161718191A1B1C1D1E1F", "546573744B6579466F7254696C6C7761"}
	for i, share := range shares {
		if _, err := m.LoadComponent(t.Context(), secure.Component{
			Set: set, Of: 2, Number: i + 1, Holder: fmt.Sprintf("custodian %d", i+1), Algorithm: algorithm, Value: simBytes(share),
		}); err != nil {
			return nil, err
		}
	}
	kek, err := x9.CombineComponents(simBytes(shares[0]), simBytes(shares[1]))
	if err != nil {
		return nil, err
	}
	block, err := x9.WrapKeyBlock(kek, head, master, 0, crand.Reader)
	if err != nil {
		return nil, err
	}
	_, err = m.Import(t.Context(), set, secure.UseMaster, block)
	return m, err
}

// held is how the terminal's keys stand at the host.
func (m *member) held() host.Held {
	m.mu.Lock()
	h := m.host
	m.mu.Unlock()
	if h == nil {
		return host.Held{}
	}
	return h.Held()[0]
}

func (m *member) order(what string) {
	m.t.Helper()
	m.await("the host is there", func() bool { return m.held().Terminal != "" })
	m.mu.Lock()
	h := m.host
	m.mu.Unlock()
	if err := h.Order("TILL0001", what); err != nil {
		m.t.Fatal(err)
	}
}

// inForce are the check values of the terminal's PIN and MAC key.
func (m *member) inForce() (pin, mac string, proposed bool) {
	m.t.Helper()
	st, err := m.module.Status(m.t.Context())
	if err != nil {
		m.t.Fatal(err)
	}
	for _, k := range st.Keys {
		switch k.Use {
		case "PIN":
			pin = string(k.Check)
		case "MAC":
			mac = string(k.Check)
		case "MAC, proposed":
			proposed = true
		}
	}
	return pin, mac, proposed
}

func (m *member) await(what string, so func() bool) {
	m.t.Helper()
	for range 1000 {
		if so() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	held := m.held()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.t.Fatalf("waited in vain until %s: %+v, %q", what, held, m.heard)
}

// agreed waits until both sides have the same keys in force, from at least that many exchanges.
func (m *member) agreed(exchanges int) {
	m.t.Helper()
	m.await(fmt.Sprintf("exchange %d is complete", exchanges), func() bool {
		h := m.held()
		pin, mac, proposed := m.inForce()
		return h.Made >= exchanges && !h.Waiting && !proposed && mac != "" && h.MAC == mac && h.PIN == pin
	})
}

func (m *member) said(part string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return strings.Contains(strings.Join(m.heard, "\n"), part)
}

// TestMasterSession: keys come over the link, a PIN and a MAC under them are right at the host, and again after they were
// changed; in key blocks of both ciphers, and in ECB where the configuration names the acquirer.
func TestMasterSession(t *testing.T) {
	for name, f := range map[string]form{
		"TDES, retail MAC": {"blocks", "alg3", false}, "TDES, CMAC": {"blocks", "cmac", false}, "AES": {"blocks", "cmac", true}, "ECB": {"ecb", "alg3", false},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMember(t, f)
			m.agreed(1)
			if sale := sellOne(t, m.stack, 1_300); sale.Method != emv.OnlinePIN {
				t.Errorf("verified by %q", sale.Method)
			}
			_, before, _ := m.inForce()
			m.stack.lane.ExchangeKeys(t.Context(), false)
			m.agreed(2)
			if _, after, _ := m.inForce(); after == before {
				t.Error("the keys did not change")
			}
			for range 2 {
				if sale := sellOne(t, m.stack, 1_300); sale.Method != emv.OnlinePIN {
					t.Errorf("after the change: verified by %q", sale.Method)
				}
			}
		})
	}
}

// TestDisagreementsOverKeys: a wrong check value or MAC changes nothing; a host that lost its keys gets new ones when somebody
// asks for it.
func TestDisagreementsOverKeys(t *testing.T) {
	m := newMember(t, form{"blocks", "alg3", false})
	m.agreed(1)
	_, before, _ := m.inForce()
	m.order(host.DisagreeCheck)
	m.stack.lane.ExchangeKeys(t.Context(), false)
	m.await("the refusal is audited", func() bool { return m.said("check value") })
	if _, after, proposed := m.inForce(); after != before || proposed {
		t.Errorf("check value wrong: in force %s, was %s, proposed %t", after, before, proposed)
	}
	sellOne(t, m.stack, 1_300)
	m.agreed(3) // the next exchange is in order
	_, before, _ = m.inForce()
	m.order(host.DisagreeMAC)
	m.stack.lane.ExchangeKeys(t.Context(), false)
	m.await("the refusal is audited", func() bool { return m.said("not the bank's: those in force stay") })
	m.await("the exchange is tried again", func() bool { _, now, _ := m.inForce(); return now != before })
	sellOne(t, m.stack, 1_300)
	m.order(host.DisagreeForget)
	m.stack.lane.ExchangeKeys(t.Context(), true)
	m.await("both have keys again", func() bool { _, mac, proposed := m.inForce(); return !proposed && m.held().MAC == mac })
	sellOne(t, m.stack, 1_300)
}

// TestWeakSessionKeysRefused: keys in ECB are refused by the module of a terminal whose configuration does not name the
// acquirer, even when the dialect reads them; and by the dialect where it takes key blocks only.
func TestWeakSessionKeysRefused(t *testing.T) {
	dir := t.TempDir()
	base := "development = true\n[reader]\nport = \"reader\"\n[acquirer]\naddress = \"127.0.0.1:1\"\nca = \"ca.pem\"\n[acquirer.nac]\nkey_exchange = \"ecb\"\n"
	write(t, filepath.Join(dir, "posd.toml"), base)
	if _, err := loadConfig(filepath.Join(dir, "posd.toml")); err == nil || !strings.Contains(err.Error(), "keys.weak") {
		t.Errorf("a configuration with ECB that names nobody: %v", err)
	}
	write(t, filepath.Join(dir, "posd.toml"), "keys.weak = [\"acquirer\"]\n"+base)
	if _, err := loadConfig(filepath.Join(dir, "posd.toml")); err != nil {
		t.Errorf("one that names it: %v", err)
	}
	module, err := sessionModule(t, "acquirer", simBytes("3B2A19087F6E5D4C5B4A39281706F5E4"), form{"blocks", "alg3", false})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = module.Close() }()
	keys := sessionKeys{acquirerKeys{module, "acquirer", secure.MACAlg3Pad1}}
	err = keys.Propose(t.Context(), []terminal.SessionKey{{Use: terminal.KeyForPIN, Cryptogram: make([]byte, 16), Check: "000000"}})
	if err == nil || !strings.Contains(err.Error(), secure.ErrWeak.Error()) {
		t.Errorf("the module takes them: %v", err)
	}
	if err := keys.Propose(t.Context(), []terminal.SessionKey{{Use: "data"}}); err == nil {
		t.Error("a use that there is not")
	}
}

// TestHostOrders: new keys on the host's order; an order that is played again is refused; destruction comes at the end, is
// audited, and the status says so.
func TestHostOrders(t *testing.T) {
	m := newMember(t, form{"blocks", "alg3", false})
	m.agreed(1)
	reconnect := func() { // a sign-on comes with a connection, and an exchange has one
		m.stack.lane.ExchangeKeys(t.Context(), false)
	}
	m.order(host.OrderExchange)
	reconnect()
	m.await("new keys are ordered or exchanged", func() bool { return m.held().Made >= 2 })
	m.agreed(2)
	m.await("the order is gone", func() bool { return m.held().Order == "" })
	m.order(host.DisagreeReplay)
	m.order(host.OrderDestroy)
	reconnect()
	m.await("the replay is refused", func() bool {
		return m.said("false the bank's order to destroy keys was refused: it is not the answer to this sign-on")
	})
	sellOne(t, m.stack, 1_300)
	reconnect()
	m.await("the keys are gone", func() bool { pin, mac, _ := m.inForce(); return pin == "" && mac == "" })
	m.await("the host knows", func() bool { return m.held().Done == host.OrderDestroy })
	m.await("the audit log has it", func() bool { return m.said("true the acquirer's keys were destroyed on the bank's order") })
	m.await("the status says so", func() bool {
		h := m.stack.lane.Snapshot().Host
		return !h.OK && strings.Contains(h.Cause, "ordered this terminal's keys destroyed")
	})
}
