package main

import (
	"encoding/json"
	"testing"

	"tillway/terminal/selftest"
)

// selftest runs pos selftest at a terminal whose parameters come in packages.
func (p *provisioner) selftest() (r selftest.Report) {
	p.t.Helper()
	printed, status := p.run("pos selftest --json")
	if err := json.Unmarshal([]byte(printed), &r); err != nil {
		p.t.Fatalf("%v: pos selftest ended with %d and said %s", err, status, printed)
	}
	if wrong := r.Faults > 0; wrong != (status == 1) {
		p.t.Errorf("%d faults, and pos selftest ended with %d", r.Faults, status)
	}
	return r
}

// TestSelftestOfAPackagedTerminal: a terminal that runs from a parameter package and is well has no fault. A package that is refused, and
// why, is named until one is put in force.
func TestSelftestOfAPackagedTerminal(t *testing.T) {
	t.Parallel()
	p := newProvisioner(t)
	p.background("readeremu gempc --link reader --card none --hand auto --control reader.ctl", " ready at ")
	p.office()
	p.must(`sed -i 's|port = "no-reader"|port = "../reader"|' till-1/config.toml`)
	p.must("mkdir till-1/keys && cp host/keys/pin.tr31 till-1/keys/acquirer.pin.tr31 && cp host/keys/mac.tr31 till-1/keys/acquirer.mac.tr31")
	p.background(startPosd, "posd waits")
	p.must("pos users init amina && pos login amina")
	p.loadKEK()
	p.sign(1)
	p.must(applyOne)
	p.must("pos login amina")
	p.well("at first")
	for _, c := range []struct {
		make string // v2.tillway
		seeded
	}{
		{
			"pos provision keygen thief.pem > thief.trust && cp -r till-1 theirs && sed -i 's|^version.*|version = 2|' theirs/package.toml && cat thief.trust >> theirs/package.toml && pos provision sign theirs --key thief.pem --out v2.tillway",
			seeded{fault: "parameters_unsigned", says: []string{"does not trust the signer", "have it signed by"}},
		},
		{
			"cp -r till-1 older && sed -i 's|^note.*|note = \"older\"|' older/package.toml && pos provision sign older --key office.pem --out v2.tillway",
			seeded{fault: "parameters_old", says: []string{"had version 1", "higher version"}},
		},
		{
			"mkdir other && cp -r till-1/. other && sed -i 's|^version.*|version = 2|' other/package.toml && sed -i 's|TILL0001|TILL0002|' other/package.toml other/profile.toml && pos provision sign other --key office.pem --out v2.tillway",
			seeded{fault: "parameters_refused", says: []string{"for TILL0002", "office"}},
		},
	} {
		p.must(c.make)
		if printed, status := p.run("pos provision apply v2.tillway"); status == 0 {
			t.Errorf("%s: it was taken: %s", c.fault, printed)
		}
		reports(t, p.selftest(), c.seeded)
	}
	p.sign(3)
	p.must("pos provision apply v3.tillway && pos login amina")
	p.well("with another package")
}

// well says that nothing is wrong but the days of the test authorities' keys.
func (p *provisioner) well(when string) {
	p.t.Helper()
	for _, f := range p.selftest().Findings {
		if f.Status != selftest.OK && f.Fault != "ca_keys_ended" {
			p.t.Errorf("%s: %+v", when, f)
		}
	}
}

// loadKEK loads both components of the simulator's key-encrypting key, each by its holder.
func (p *provisioner) loadKEK() {
	p.t.Helper()
	p.must("pos users add badr administrator && pos keys component acquirer 1 2 < host/keys/component-1.hex")
	p.must("pos login badr && pos keys component acquirer 2 2 < host/keys/component-2.hex && pos login amina")
}
